/* Label rules compile to the mapping that running them one by one over names gives, or are refused with a reason.
 * Oracle: targets by hand. */
#include "tests/helper/test.h"

#include "ingester/rules.h"

#define T(text)                                                                                    \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
#define RENAME   SLG_RULE_RENAME
#define DROP     SLG_RULE_DROP
#define SET      SLG_RULE_SET
#define PROMOTE  SLG_RULE_PROMOTE
#define LABEL    SLG_PLACE_LABEL
#define METADATA SLG_PLACE_METADATA
#define DROPPED  SLG_PLACE_DROPPED
#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

static const struct field_row {
    const char *name;
    struct slg_rule rules[4];
    size_t count;
    enum slg_field field;
    enum slg_rule_place place;
    const char *target;
} field_rows[] = {
    { "default label", { { 0 } }, 0, SLG_FIELD_HOST, LABEL, "host" },
    { "default metadata", { { 0 } }, 0, SLG_FIELD_QUEUE_ID, METADATA, "queue_id" },
    { "rename a label", { { RENAME, T("host"), T("node") } }, 1, SLG_FIELD_HOST, LABEL, "node" },
    { "rename metadata",
      { { RENAME, T("pid"), T("process") } },
      1,
      SLG_FIELD_PID,
      METADATA,
      "process" },
    { "rename twice",
      { { RENAME, T("pid"), T("a") }, { RENAME, T("a"), T("b") } },
      2,
      SLG_FIELD_PID,
      METADATA,
      "b" },
    { "drop", { { DROP, T("facility"), NONE } }, 1, SLG_FIELD_FACILITY, DROPPED, "" },
    { "drop, then the name is free",
      { { DROP, T("facility"), NONE }, { RENAME, T("severity"), T("facility") } },
      2,
      SLG_FIELD_SEVERITY,
      METADATA,
      "facility" },
    { "promote", { { PROMOTE, T("severity"), NONE } }, 1, SLG_FIELD_SEVERITY, LABEL, "severity" },
    { "rename, then promote by the new name",
      { { RENAME, T("source_ip"), T("ip") }, { PROMOTE, T("ip"), NONE } },
      2,
      SLG_FIELD_SOURCE_IP,
      LABEL,
      "ip" },
    { "set takes the place of a field",
      { { SET, T("job"), T("mail") } },
      1,
      SLG_FIELD_JOB,
      DROPPED,
      "" },
};

static enum slg_status compile(const struct slg_rule *rules, size_t count, size_t label_count_max,
                               struct slg_rules **ret_rules, struct slg_error *error)
{
    struct slg_rules_options options = { .rules = rules,
                                         .rule_count = count,
                                         .label_count_max = label_count_max,
                                         .value_bytes_max = SLG_LABEL_VALUE_BYTES_MAX };

    return slg_rules_compile(&options, ret_rules, error);
}

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(field_rows); i++) {
        const struct field_row *row = &field_rows[i];
        const struct slg_rule_target *target;
        struct slg_error error = { 0 };
        struct slg_rules *rules = NULL;

        if (compile(row->rules, row->count, 15, &rules, &error) != SLG_OK)
            print_error("%s\n", error.message);
        CHECK(row->name, rules != NULL);
        target = &slg_rules_fields(rules)[row->field];
        CHECK(row->name, target->place == row->place);
        if (row->place != DROPPED)
            CHECK(row->name, slg_text_equal_to(target->name, row->target));
        slg_rules_destroy(rules);
    }
}

static const struct bad_row {
    const char *name;
    struct slg_rule rules[2];
    size_t count;
    size_t label_count_max;
} bad_rows[] = {
    { "unknown field", { { DROP, T("colour"), NONE } }, 1, 15 },
    { "dropped twice", { { DROP, T("host"), NONE }, { DROP, T("host"), NONE } }, 2, 15 },
    { "name taken", { { RENAME, T("host"), T("app") } }, 1, 15 },
    { "not a label name", { { RENAME, T("host"), T("my-host") } }, 1, 15 },
    { "empty name", { { RENAME, T("host"), NONE } }, 1, 15 },
    { "reserved name", { { RENAME, T("host"), T("__host") } }, 1, 15 },
    { "set without a value", { { SET, T("env"), NONE } }, 1, 15 },
    { "set to a bad name", { { SET, T("1env"), T("x") } }, 1, 15 },
    { "a label cannot be promoted", { { PROMOTE, T("host"), NONE } }, 1, 15 },
    { "queue_id stays metadata", { { PROMOTE, T("queue_id"), NONE } }, 1, 15 },
    { "message_id stays metadata", { { PROMOTE, T("message_id"), NONE } }, 1, 15 },
    { "pid stays metadata", { { PROMOTE, T("pid"), NONE } }, 1, 15 },
    { "also under another name",
      { { RENAME, T("queue_id"), T("qid") }, { PROMOTE, T("qid"), NONE } },
      2,
      15 },
    { "job is not for senders",
      { { DROP, T("job"), NONE }, { RENAME, T("app"), T("job") } },
      2,
      15 },
    { "job is not silage", { { SET, T("job"), T("silage") } }, 1, 15 },
    { "too many labels", { { SET, T("env"), T("x") } }, 1, 6 },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(bad_rows); i++) {
        struct slg_error error = { 0 };
        struct slg_rules *rules = NULL;

        CHECK(bad_rows[i].name,
              compile(bad_rows[i].rules, bad_rows[i].count, bad_rows[i].label_count_max, &rules,
                      &error) == SLG_INVALID);
        CHECK(bad_rows[i].name, rules == NULL);
        CHECK(bad_rows[i].name, error.message[0] != '\0');
    }
}

static void test_sd(void **state)
{
    static const struct slg_rule given[] = {
        { PROMOTE, T("sd_a_k"), NONE }, { RENAME, T("sd_a_l"), T("ell") },
        { DROP, T("sd_a_m"), NONE },    { SET, T("env"), T("prod") },
        { SET, T("env"), T("test") },
    };
    struct slg_rules *rules;
    const struct slg_label *fixed;
    size_t count;

    (void)state;
    assert_int_equal(compile(given, SLG_ARRAY_LEN(given), 15, &rules, NULL), SLG_OK);
    assert_true(slg_rules_has_sd(rules));
    assert_int_equal(slg_rules_sd(rules, slg_text_of("sd_a_k"))->place, LABEL);
    assert_int_equal(slg_rules_sd(rules, slg_text_of("sd_a_l"))->place, METADATA);
    assert_true(slg_text_equal_to(slg_rules_sd(rules, slg_text_of("sd_a_l"))->name, "ell"));
    assert_int_equal(slg_rules_sd(rules, slg_text_of("sd_a_m"))->place, DROPPED);
    assert_null(slg_rules_sd(rules, slg_text_of("sd_a_n")));
    fixed = slg_rules_fixed(rules, &count);
    assert_int_equal(count, 1);
    assert_true(slg_text_equal_to(fixed[0].value, "test"));
    slg_rules_destroy(rules);
}

static void test_bounds(void **state)
{
    struct slg_rule many[SLG_RULE_COUNT_MAX + 1];
    char names[SLG_RULE_COUNT_MAX + 1][16];
    struct slg_rules *rules = NULL;
    struct slg_error error;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(many); i++) {
        int len = snprintf(names[i], sizeof(names[i]), "sd_%zu", i);

        many[i] = (struct slg_rule){ PROMOTE, { names[i], (size_t)len }, NONE };
    }
    assert_int_equal(compile(many, SLG_RULE_COUNT_MAX + 1, 32, &rules, &error), SLG_INVALID);
    assert_int_equal(compile(many, SLG_RULE_SD_MAX + 1, 32, &rules, &error), SLG_INVALID);
    assert_int_equal(compile(many, SLG_RULE_PROMOTED_MAX + 1, 32, &rules, &error), SLG_INVALID);
    assert_null(rules);
    assert_int_equal(compile(many, SLG_RULE_PROMOTED_MAX, 32, &rules, &error), SLG_OK);
    slg_rules_destroy(rules);
    for (size_t i = 0; i < SLG_ARRAY_LEN(many); i++)
        many[i] = (struct slg_rule){ SET, { names[i], strlen(names[i]) }, T("x") };
    assert_int_equal(compile(many, SLG_RULE_COUNT_MAX, 32, &rules, &error), SLG_INVALID);
}

static void test_actions(void **state)
{
    enum slg_rule_action action = SLG_RULE_SET;

    (void)state;
    assert_int_equal(slg_rule_action_parse(slg_text_of("promote"), &action, NULL), SLG_OK);
    assert_int_equal(action, PROMOTE);
    assert_int_equal(slg_rule_action_parse(slg_text_of("keep"), &action, NULL), SLG_INVALID);
    assert_int_equal(action, PROMOTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields), cmocka_unit_test(test_refused), cmocka_unit_test(test_sd),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_actions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
