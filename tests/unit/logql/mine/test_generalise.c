/* Words that vary become holes, words that most lines have stay. Oracle: groups and holes by hand. */
#include "tests/helper/test.h"

#include "logql/mine/generalise.h"

#define ROWS_MAX 64

struct world {
    struct slg_arena *arena;
    struct slg_generalise_row rows[ROWS_MAX];
    char keys[ROWS_MAX][64];
    size_t count;
};

static void add(struct world *w, const char *key, uint64_t count)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < len; i++)
        w->keys[w->count][i] = key[i] == '*' ? SLG_SHAPE_SLOT : key[i];
    w->rows[w->count] = (struct slg_generalise_row){ .key = slg_text_make(w->keys[w->count], len),
                                                     .level = 0,
                                                     .count = count };
    w->count++;
}

static size_t run(struct world *w, uint64_t lines_min)
{
    size_t groups = 0;

    assert_int_equal(slg_generalise(w->arena, w->rows, w->count, lines_min, &groups), SLG_OK);
    for (size_t i = 0; i < w->count; i++)
        assert_true(w->rows[i].group < groups);
    return groups;
}

static struct world *start(void)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->arena = slg_arena_create(1 << 20);
    assert_non_null(w->arena);
    return w;
}

static void stop(struct world *w)
{
    slg_arena_destroy(w->arena);
    free(w);
}

static void test_few_words_stay(void **state)
{
    struct world *w = start();

    (void)state;
    add(w, "session opened for root", 5);
    add(w, "session closed for root", 5);
    add(w, "session opened for anna", 5);
    assert_int_equal(run(w, 1), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->rows[i].holes, 0);
    stop(w);
}

static void test_rare_words_become_one_hole(void **state)
{
    struct world *w = start();

    (void)state;
    add(w, "session opened for root", 500);
    add(w, "session opened for anna", 5);
    add(w, "session opened for berta", 5);
    add(w, "session closed for anna", 30);
    assert_int_equal(run(w, 30), 3);
    assert_int_equal(w->rows[0].holes, 0);
    assert_int_equal(w->rows[1].holes, 1 << 3);
    assert_int_equal(w->rows[2].holes, 1 << 3);
    assert_int_equal(w->rows[1].group, w->rows[2].group);
    assert_int_equal(w->rows[3].holes, 0);
    stop(w);
}

static void test_many_words_become_one_hole(void **state)
{
    struct world *w = start();
    char key[64];

    (void)state;
    for (int i = 0; i < 60; i++) {
        (void)snprintf(key, sizeof(key), "user %c%c went away", 'a' + i / 26, 'a' + i % 26);
        add(w, key, i == 7 ? 1000 : 10);
    }
    assert_int_equal(run(w, 1), 2); /* 1/50 of 1590 is more than 10 */
    assert_int_equal(w->rows[7].holes, 0);
    assert_int_equal(w->rows[8].holes, 1 << 1);
    stop(w);
}

static void test_slots_and_words_of_one_place(void **state)
{
    struct world *w = start();

    (void)state;
    add(w, "user * went away", 40);
    add(w, "user anna went away", 2);
    add(w, "user berta went away", 50);
    assert_int_equal(run(w, 30), 2);
    assert_int_equal(w->rows[0].group, w->rows[1].group);
    assert_int_equal(w->rows[0].holes, 1 << 1);
    assert_int_equal(w->rows[2].holes, 0);
    stop(w);
}

static void test_separators_and_levels_keep_apart(void **state)
{
    struct world *w = start();

    (void)state;
    add(w, "user anna, went away", 2);
    add(w, "user berta went away", 2);
    add(w, "user carla went away", 2);
    w->rows[2].level = 1;
    assert_int_equal(run(w, 30), 3);
    stop(w);
}

/* Groups do not depend on the order of the rows. */
static void test_order_does_not_matter(void **state)
{
    struct world *forward = start(), *backward = start();
    char key[64];

    (void)state;
    for (int i = 0; i < ROWS_MAX; i++) {
        (void)snprintf(key, sizeof(key), "a%c b%c c d%c", 'a' + i % 3, 'a' + i % 7, 'a' + i % 20);
        add(forward, key, (uint64_t)(i * 7 % 31 + 1));
    }
    for (size_t i = ROWS_MAX; i-- > 0;) {
        memcpy(backward->keys[backward->count], forward->keys[i], sizeof(key));
        backward->rows[backward->count] = forward->rows[i];
        backward->rows[backward->count].key =
            slg_text_make(backward->keys[backward->count], forward->rows[i].key.len);
        backward->count++;
    }
    assert_int_equal(run(forward, 20), run(backward, 20));
    for (size_t i = 0; i < ROWS_MAX; i++) {
        assert_int_equal(forward->rows[i].group, backward->rows[ROWS_MAX - 1 - i].group);
        assert_int_equal(forward->rows[i].holes, backward->rows[ROWS_MAX - 1 - i].holes);
    }
    stop(forward);
    stop(backward);
}

static void test_memory_is_bounded(void **state)
{
    struct world *w = start();
    size_t groups;

    (void)state;
    for (int i = 0; i < ROWS_MAX; i++)
        add(w, "a b c d", 1);
    slg_arena_destroy(w->arena);
    w->arena = slg_arena_create(4096);
    assert_int_equal(slg_generalise(w->arena, w->rows, w->count, 1, &groups), SLG_LIMIT);
    stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_words_stay),
        cmocka_unit_test(test_rare_words_become_one_hole),
        cmocka_unit_test(test_many_words_become_one_hole),
        cmocka_unit_test(test_slots_and_words_of_one_place),
        cmocka_unit_test(test_separators_and_levels_keep_apart),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_memory_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
