/* The arena keeps its budget, its alignment and what was written, whatever the order of calls.
 * Oracle: the header's promises, checked byte by byte under ASan. */
#include "tests/helper/test.h"

#include "base/arena.h"

static void test_budget_is_never_passed(void **state)
{
    struct slg_arena *arena = slg_arena_create(10000);
    size_t granted = 0;

    (void)state;
    assert_non_null(arena);
    for (;;) {
        unsigned char *p = slg_arena_alloc(arena, 100);

        assert_true(slg_arena_used_bytes(arena) <= 10000);
        if (p == NULL)
            break;
        memset(p, 0xAB, 100);
        granted++;
    }
    assert_true(granted >= 80);
    assert_null(slg_arena_alloc(arena, SIZE_MAX));
    assert_null(slg_arena_calloc(arena, SIZE_MAX / 2, 4));
    slg_arena_reset(arena);
    assert_non_null(slg_arena_alloc(arena, 100));
    slg_arena_destroy(arena);
}

static void test_grow_keeps_contents(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    uint32_t *items = NULL;
    size_t count = 0;

    (void)state;
    for (size_t n = 1; n <= 4096; n *= 2) {
        items = slg_arena_grow(arena, items, count, n, sizeof(*items));
        assert_non_null(items);
        assert_int_equal((uintptr_t)items % 16, 0);
        for (; count < n; count++)
            items[count] = (uint32_t)count;
        if (n % 8 == 0) /* something in between forces the copying path */
            assert_non_null(slg_arena_alloc(arena, 1));
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(items[i], i);
    slg_arena_destroy(arena);
}

static void test_rewind_forgets_what_came_after(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    char *kept = slg_arena_copy(arena, "kept", 4);
    struct slg_arena_mark mark = slg_arena_mark(arena);
    size_t used = slg_arena_used_bytes(arena);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_non_null(slg_arena_alloc(arena, 5000));
        slg_arena_rewind(arena, mark);
        assert_int_equal(slg_arena_used_bytes(arena), used);
    }
    assert_string_equal(kept, "kept");
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_is_never_passed),
        cmocka_unit_test(test_grow_keeps_contents),
        cmocka_unit_test(test_rewind_forgets_what_came_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
