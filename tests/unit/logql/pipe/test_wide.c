/* The searches of 32 bytes at a time find what a loop over bytes finds, at every offset and length, and read nothing
 * outside of the text. Oracle: that loop. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/wide.h"

#define LEN_MAX 100

typedef size_t find_function(const char *text, size_t at, size_t len);

static const struct find_case {
    const char *name;
    find_function *find;
    const char *stops;
} finds[] = {
    { "logfmt", slg_wide_find_logfmt_stop, " =\"\t\n\x01\x1f" },
    { "json string", slg_wide_find_json_special, "\"\\" },
    { "json word", slg_wide_find_json_end, " \t\n\r,]}" },
};

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Neighbours of the stops among what is none. */
static void fill(uint64_t *seed, char *raw, size_t len, const char *stops, size_t rarity)
{
    static const char others[] = "abz09!<>[{|~\\\x7f\x80\xff\xc3";

    for (size_t i = 0; i < len; i++) {
        raw[i] = others[next(seed) % (sizeof(others) - 1)];
        if (raw[i] == '\\' && strchr(stops, '\\') != NULL)
            raw[i] = 'x';
        if (next(seed) % rarity == 0)
            raw[i] = stops[next(seed) % strlen(stops)];
    }
}

static void test_find(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (size_t k = 0; k < SLG_ARRAY_LEN(finds); k++)
        for (size_t len = 0; len <= LEN_MAX; len++) {
            char raw[LEN_MAX], *text;

            fill(&seed, raw, len, finds[k].stops, 2 + next(&seed) % 60);
            text = (char *)test_block(raw, len);
            for (size_t at = 0; at <= len; at++) {
                size_t want = at;

                while (want < len && strchr(finds[k].stops, text[want]) == NULL)
                    want++;
                CHECK(finds[k].name, finds[k].find(text, at, len) == want);
            }
            free(text);
        }
}

static void test_ascii(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LEN_MAX; len++) {
        char *text = malloc(len);

        assert_true(text != NULL || len == 0);
        if (len > 0)
            memset(text, 'a', len);
        assert_true(slg_wide_is_ascii(text, len));
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)0x80;
            assert_false(slg_wide_is_ascii(text, len));
            text[i] = 'a';
        }
        free(text);
    }
}

static void test_begins(void **state)
{
    (void)state;
    for (size_t wanted_len = 0; wanted_len <= 40; wanted_len++)
        for (size_t len = 0; len <= LEN_MAX; len++) {
            char wanted[SLG_WIDE_BYTES + 40], *text = malloc(len);

            assert_true(text != NULL || len == 0);
            memset(wanted, 'b', sizeof(wanted));
            memset(wanted, 'a', wanted_len);
            if (len > 0)
                memset(text, 'a', len);
            assert_int_equal(slg_wide_begins(text, len, wanted, wanted_len), len >= wanted_len);
            for (size_t i = 0; i < wanted_len && i < len; i++) {
                text[i] = 'x';
                assert_false(slg_wide_begins(text, len, wanted, wanted_len));
                text[i] = 'a';
            }
            free(text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
