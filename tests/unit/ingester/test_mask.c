/* Secrets are starred out, everything else stays.
 * Oracle: masked lines by hand; the input itself must not change. */
#include "tests/helper/test.h"

#include "ingester/mask.h"

static const struct slg_mask_rule extra[] = {
    { .app = { "dovecot", 7 }, .after = { "given password: ", 16 }, .until = ')' },
    { .app = { NULL, 0 }, .after = { "token=", 6 }, .until = ' ' },
    { .app = { NULL, 0 }, .after = { "secret ", 7 }, .until = '\0' },
};

static const struct row {
    const char *name;
    const char *app;
    const char *line;
    const char *want;
} rows[] = {
    { "dovecot's hash", "dovecot", "auth: Password mismatch (SHA1 of given password: 9d4e1e)",
      "auth: Password mismatch (SHA1 of given password: ******)" },
    { "a plain password with a bracket", "dovecot", "x (given password: a)b) y",
      "x (given password: ***) y" },
    { "not closed", "dovecot", "x (given password: abc", "x (given password: ***" },
    { "empty secret", "dovecot", "x (given password: )", "x (given password: )" },
    { "at the very end", "dovecot", "x (given password: ", "x (given password: " },
    { "another program", "sshd", "given password: 9d4e1e)", "given password: 9d4e1e)" },
    { "no program known", "", "given password: 9d4e1e)", "given password: ******)" },
    { "container", "a-dovecot-1", "given password: 9d4e1e)", "given password: ******)" },
    { "container id", "3f2a9c0d1e4b", "given password: 9d4e1e)", "given password: ******)" },
    { "full container id", "3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a",
      "given password: 9d4e1e)", "given password: ******)" },
    { "hex digits, one too few", "3f2a9c0d1e4", "given password: 9d4e1e)",
      "given password: 9d4e1e)" },
    { "12 letters that are no id", "abcdefabcdeg", "given password: 9d4e1e)",
      "given password: 9d4e1e)" },
    { "any program, to the last end byte", "x", "a token=ab c", "a token=** c" },
    { "to the end", "x", "the secret is out", "the secret ******" },
    { "two masks", "x", "token=a secret bc", "token=******** **" },
    { "nothing to hide", "dovecot", "imap-login: Login", "imap-login: Login" },
    { "empty", "dovecot", "", "" },
};

static void test_rows(void **state)
{
    struct slg_masks *masks;

    (void)state;
    assert_int_equal(slg_masks_create(extra, SLG_ARRAY_LEN(extra), &masks, NULL), SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].line);
        char *line = (char *)test_block(rows[i].line, len);
        char *scratch = malloc(len);
        uint32_t selected = slg_masks_select(masks, slg_text_of(rows[i].app));
        struct slg_text got = slg_masks_apply(masks, selected, slg_text_make(line, len), scratch);

        CHECK(rows[i].name, memcmp(line, rows[i].line, len) == 0);
        CHECK(rows[i].name, got.len == len);
        if (rows[i].want != NULL) {
            if (!slg_text_equal_to(got, rows[i].want))
                print_error("got \"%.*s\"\n", (int)got.len, got.at);
            CHECK(rows[i].name, slg_text_equal_to(got, rows[i].want));
        }
        CHECK(rows[i].name, got.at == line || got.at == scratch);
        free(scratch);
        free(line);
    }
    slg_masks_destroy(masks);
}

static void test_refused(void **state)
{
    struct slg_mask_rule many[SLG_MASK_COUNT_MAX + 1];
    struct slg_mask_rule empty = { .after = { "", 0 } };
    struct slg_masks *masks = NULL;
    struct slg_error error;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(many); i++)
        many[i] = (struct slg_mask_rule){ .after = { "x", 1 } };
    assert_int_equal(slg_masks_create(many, SLG_MASK_COUNT_MAX + 1, &masks, &error), SLG_INVALID);
    assert_int_equal(slg_masks_create(&empty, 1, &masks, &error), SLG_INVALID);
    assert_null(masks);
    assert_int_equal(slg_masks_create(many, SLG_MASK_COUNT_MAX, &masks, &error), SLG_OK);
    assert_int_equal(slg_masks_select(masks, slg_text_of("a")), UINT32_MAX);
    assert_int_equal(slg_masks_select(NULL, slg_text_of("a")), 0);
    slg_masks_destroy(masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
                                        cmocka_unit_test(test_refused) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
