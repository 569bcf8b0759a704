/* A needle is found where it first stands, with AVX2 or without, and never by reading past the text.
 * Oracle: a loop that compares at every place. Texts and needles follow from a fixed seed. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/find.h"

#define ROUND_COUNT 20000

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t naive_find(const char *needle, size_t needle_len, bool fold, const char *text,
                         size_t len)
{
    for (size_t at = 0; at + needle_len <= len; at++) {
        size_t i = 0;

        while (i < needle_len && needle[i] == (fold ? lower(text[at + i]) : text[at + i]))
            i++;
        if (i == needle_len)
            return at;
    }
    return SLG_FIND_NONE;
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void fill(uint64_t *state, char *bytes, size_t len, const char *alphabet)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = alphabet[next(state) % strlen(alphabet)];
}

static void test_as_a_loop_finds(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t round = 0; round < ROUND_COUNT; round++) {
        bool fold = next(&seed) % 2 == 0;
        size_t needle_len = next(&seed) % (round % 8 == 0 ? 70 : 5);
        size_t len = next(&seed) % 200;
        char *needle = malloc(needle_len + 1), *raw = malloc(len + 1), *text;
        struct slg_needle made;
        size_t want;

        assert_true(needle != NULL && raw != NULL);
        fill(&seed, needle, needle_len, "ab\xc3");
        fill(&seed, raw, len, fold ? "aAbB\xc3" : "ab\xc3");
        if (round % 8 == 0 && needle_len <= len) /* long ones do not stand there by chance */
            memcpy(raw + next(&seed) % (len - needle_len + 1), needle, needle_len);
        text = (char *)test_block(raw, len);
        made = slg_needle_make(needle, needle_len, fold);
        want = naive_find(needle, needle_len, fold, text, len);
        if (slg_needle_find(&made, text, len) != want ||
            slg_needle_find_portable(&made, text, len) != want) {
            print_error("round %zu: needle of %zu in %zu\n", round, needle_len, len);
            fail();
        }
        free(text);
        free(raw);
        free(needle);
    }
}

static void test_empty_needle(void **state)
{
    struct slg_needle needle = slg_needle_make("", 0, false);

    (void)state;
    assert_int_equal(slg_needle_find(&needle, "", 0), 0);
    assert_int_equal(slg_needle_find(&needle, "x", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_a_loop_finds),
        cmocka_unit_test(test_empty_needle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
