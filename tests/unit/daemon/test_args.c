/* A command line means what --help says, and mistakes are named.
 * Oracle: the table. */
#include "tests/helper/test.h"

#include "daemon/args.h"

static const struct args_case {
    const char *name;
    const char *words[8];
    enum slg_status want;
    enum slg_role role;
    enum slg_action action;
    const char *message; /* a part of it */
} cases[] = {
    { "role alone", { "all" }, SLG_OK, SLG_ROLE_ALL, SLG_ACTION_RUN, NULL },
    { "role after options",
      { "--data", "d", "storer" },
      SLG_OK,
      SLG_ROLE_STORER,
      SLG_ACTION_RUN,
      NULL },
    { "check", { "querier", "--check" }, SLG_OK, SLG_ROLE_QUERIER, SLG_ACTION_CHECK, NULL },
    { "print",
      { "ingester", "--print-settings" },
      SLG_OK,
      SLG_ROLE_INGESTER,
      SLG_ACTION_PRINT_SETTINGS,
      NULL },
    { "version needs no role", { "--version" }, SLG_OK, SLG_ROLE_ALL, SLG_ACTION_VERSION, NULL },
    { "no role", { "--check" }, SLG_INVALID, SLG_ROLE_ALL, SLG_ACTION_RUN, "no role given" },
    { "wrong role", { "everything" }, SLG_INVALID, SLG_ROLE_ALL, SLG_ACTION_RUN, "\"everything\"" },
    { "two roles", { "all", "storer" }, SLG_INVALID, SLG_ROLE_ALL, SLG_ACTION_RUN, "too many" },
    { "unknown option",
      { "all", "--dta=x" },
      SLG_INVALID,
      SLG_ROLE_ALL,
      SLG_ACTION_RUN,
      "--dta=x" },
    { "value missing",
      { "all", "--set" },
      SLG_INVALID,
      SLG_ROLE_ALL,
      SLG_ACTION_RUN,
      "--set needs a value" },
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_error error = { 0 };
        struct slg_args args = { 0 };
        char *argv[10] = { (char *)(uintptr_t) "silage" };
        int argc = 1;

        for (size_t k = 0; k < 8 && cases[i].words[k] != NULL; k++)
            argv[argc++] = (char *)(uintptr_t)cases[i].words[k];
        CHECK(cases[i].name, slg_args_parse(argc, argv, &args, &error) == cases[i].want);
        if (cases[i].want == SLG_OK) {
            CHECK(cases[i].name, args.role == cases[i].role);
            CHECK(cases[i].name, args.action == cases[i].action);
        } else {
            CHECK(cases[i].name, strstr(error.message, cases[i].message) != NULL);
        }
    }
}

static void test_values(void **state)
{
    char *argv[] = { (char *)(uintptr_t) "silage",      (char *)(uintptr_t) "all",
                     (char *)(uintptr_t) "--set=a=b",   (char *)(uintptr_t) "--set",
                     (char *)(uintptr_t) "c=d",         (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t) "/etc/x.yaml", (char *)(uintptr_t) "--data=/d" };
    struct slg_args args = { 0 };

    (void)state;
    assert_int_equal(slg_args_parse((int)SLG_ARRAY_LEN(argv), argv, &args, NULL), SLG_OK);
    assert_int_equal(args.set_count, 2);
    assert_string_equal(args.sets[0], "a=b");
    assert_string_equal(args.sets[1], "c=d");
    assert_string_equal(args.file, "/etc/x.yaml");
    assert_string_equal(args.data_dir, "/d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
