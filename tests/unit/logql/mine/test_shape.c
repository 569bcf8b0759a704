/* A line falls into words, slots and holes as logql/mine/shape.h says. Oracle: keys and values by hand; for lines of random
 * bytes the line itself, which its key and slots must give again. */
#include "tests/helper/test.h"

#include "logql/mine/shape.h"

/* In keys: '*' is a slot (lines here have none), in slots ',' stands between values and "-" is a hole. */
static const struct shape_case {
    const char *name, *line;
    bool want;
    const char *key, *slots;
} rows[] = {
    { "words", "lost connection after EHLO", true, "lost connection after EHLO", "" },
    { "too few pieces", "tick hour 5", false, "", "" },
    { "just enough pieces", "tick hour 5!", true, "tick hour *!", "5" },
    { "empty", "", false, "", "" },
    { "numbers are slots", "took 12 of 0x1F ms", true, "took * of * ms", "12,0x1F" },
    { "queue id without its colon", "4bX2kJ: removed from queue", true, "*: removed from queue",
      "4bX2kJ" },
    { "a word without its colon", "warning: hostname a does not", true,
      "warning: hostname a does not", "" },
    { "colons inside and at the end", "a 10.0.0.1:25 b c::", true, "a * b c::", "10.0.0.1:25" },
    { "the last of two colons", "a:: b c d", true, "a:: b c d", "" },
    { "address", "to=<anna@example.org>, status=sent", true, "to=<*@*>, status=sent",
      "anna,example.org" },
    { "between < and > it would be a capture", "user=<anna> <_> in", true, "user=<*> <*> in",
      "-,-" },
    { "not quite between", "a <b c> d", true, "a <b c> d", "" },
    { "spaces stay", "  a  b\tc 1 ", true, "  a  b\tc * ", "1" },
    { "not UTF-8", "caf\xe9 au lait noir", true, "* au lait noir", "-" },
    { "UTF-8", "caf\xc3\xa9 au lait noir", true, "caf\xc3\xa9 au lait noir", "" },
    { "control bytes", "a\x01z b c d", true, "* b c d", "-" },
    { "a token of 64 bytes",
      "1234567812345678123456781234567812345678123456781234567812345678 b c d", true, "* b c d",
      "1234567812345678123456781234567812345678123456781234567812345678" },
    { "a token of 65 bytes",
      "a1234567812345678123456781234567812345678123456781234567812345678 b c d", true, "* b c d",
      "-" },
    { "message of JSON", "{\"t\":1,\"msg\":\"user 5 left\",\"x\":{\"y\":2}}", true,
      "*\"msg\":\"user * left\"*", "-,5,-" },
    { "the first of the names", "{\"msg\":\"no\",\"message\" : \"yes or no\"}", true,
      "*\"message\" : \"yes or no\"*", "-,-" },
    { "escaped quote", "{\"msg\":\"a \\\" b\"}", true, "*\"msg\":\"a \\\" b\"*", "-,-" },
    { "JSON that ends in the message", "{\"msg\":\"a b\"", true, "*\"msg\":\"a b\"", "-" },
    { "twice the same name", "{\"msg\":\"a\",\"b\":{\"msg\":\"a\"}}", true,
      "{\"msg\":\"a\",\"b\":{\"msg\":\"a\"}}", "" },
    { "message is no string", "{\"msg\":5,\"a\":\"b\"}", true, "{\"msg\"*,\"a\":\"b\"}", ":5" },
};

static void print_slots(const struct slg_shape *shape, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < shape->slot_count; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%.*s", i == 0 ? "" : ",",
                                shape->slots[i].at == NULL ? 1 : (int)shape->slots[i].len,
                                shape->slots[i].at == NULL ? "-" : shape->slots[i].at);
}

static void test_rows(void **state)
{
    static struct slg_shape shape;
    char slots[512];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].line);
        char *block = (char *)test_block(rows[i].line, len);

        CHECK(rows[i].name, slg_shape_of(slg_text_make(block, len), &shape) == rows[i].want);
        if (rows[i].want) {
            struct slg_text tokens[SLG_SHAPE_KEY_TOKENS_MAX];
            size_t count;

            CHECK(rows[i].name, slg_shape_tokens(shape.key, tokens, &count));
            for (size_t k = 0; k < shape.key.len; k++)
                if (shape.scratch[k] == SLG_SHAPE_SLOT)
                    shape.scratch[k] = '*';
            print_slots(&shape, slots, sizeof(slots));
            CHECK(rows[i].name,
                  slg_text_equal_to(shape.key, rows[i].key) && strcmp(slots, rows[i].slots) == 0);
        }
        free(block);
    }
}

/* Put the slots back: the line, with each hole standing for the bytes up to where the rest goes on. */
static void check_covers(struct slg_text line, const struct slg_shape *shape)
{
    size_t at = 0, slot = 0;

    for (size_t i = 0; i < shape->key.len; i++) {
        if (shape->key.at[i] != SLG_SHAPE_SLOT) {
            assert_true(at < line.len && line.at[at] == shape->key.at[i]);
            at++;
            continue;
        }
        if (shape->slots[slot].at != NULL) {
            assert_ptr_equal(shape->slots[slot].at, line.at + at);
            at += shape->slots[slot].len;
        } else if (i + 1 == shape->key.len) {
            assert_true(at < line.len);
            at = line.len;
        } else {
            /* As a pattern finds it: the first place of the text up to the next slot. */
            const char *rest = shape->key.at + i + 1;
            const char *end = memchr(rest, SLG_SHAPE_SLOT, shape->key.len - i - 1);
            size_t len = end == NULL ? shape->key.len - i - 1 : (size_t)(end - rest);
            const char *found = memmem(line.at + at, line.len - at, rest, len);

            assert_true(found != NULL && found > line.at + at);
            at = (size_t)(found - line.at);
        }
        slot++;
    }
    assert_int_equal(slot, shape->slot_count);
    assert_int_equal(at, line.len);
}

static void test_random_lines(void **state)
{
    static const char *const pieces[] = { " ",  ": ", ":", "=",    "<",       ">", "@",
                                          "ab", "7",  "_", "\xff", "\x01",    ",", "\"",
                                          "x",  "(",  ")", "é",    "10.1.1.1" };
    static struct slg_shape shape;
    static char line[8192];
    uint64_t random = 88172645463325252U;
    size_t made = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = 0, want;
        char *block;

        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        want = random % (round % 50 == 0 ? 4096 : 100);
        while (len < want) {
            const char *piece;

            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            piece = pieces[random % SLG_ARRAY_LEN(pieces)];
            memcpy(line + len, piece, strlen(piece));
            len += strlen(piece);
        }
        block = (char *)test_block(line, len);
        if (slg_shape_of(slg_text_make(block, len), &shape)) {
            struct slg_text tokens[SLG_SHAPE_KEY_TOKENS_MAX];
            size_t count;

            made++;
            check_covers(slg_text_make(block, len), &shape);
            assert_true(slg_shape_tokens(shape.key, tokens, &count));
        }
        free(block);
    }
    assert_true(made > 15000);
}

static void test_foreign_keys(void **state)
{
    static const char many[] = "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
                               "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a";
    struct slg_text tokens[SLG_SHAPE_KEY_TOKENS_MAX];
    size_t count;

    (void)state;
    assert_false(slg_shape_tokens(slg_text_of(many), tokens, &count));
    assert_true(slg_shape_tokens(slg_text_make(many, strlen(many) - 2), tokens, &count));
    assert_int_equal(count, SLG_SHAPE_KEY_TOKENS_MAX);
    assert_false(slg_shape_tokens(slg_text_make("a \0\0 b", 6), tokens, &count));
    assert_false(slg_shape_tokens(slg_text_make("a x\0 b", 6), tokens, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_random_lines),
        cmocka_unit_test(test_foreign_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
