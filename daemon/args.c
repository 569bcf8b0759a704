#include "daemon/args.h"

static const char *const roles[] = { "all", "ingester", "storer", "querier" };

const char *slg_role_text(enum slg_role role)
{
    return roles[role];
}

const char *slg_args_help(void)
{
    return "silage - keeps the log lines of a mail platform and answers Loki's API\n"
           "\n"
           "usage: silage all|ingester|storer|querier [-c FILE] [--set KEY=VALUE]... [--data DIR]\n"
           "              [--check] [--print-settings]\n"
           "       silage --version | --help\n"
           "\n"
           "  all              ingester, storer and querier in one process, one copy of the data\n"
           "  ingester         takes syslog and Loki pushes, sends batches to the storers\n"
           "  storer           keeps batches, answers queries next to the data\n"
           "  querier          answers the Loki HTTP API\n"
           "\n"
           "  -c, --config FILE    settings (YAML); default " SLG_SETTINGS_FILE_DEFAULT "\n"
           "                       when it is there\n"
           "  --set KEY=VALUE      one setting, wins over the file: --set retention.default=30d\n"
           "  --data DIR           data directory, short for --set node.data_dir=DIR\n"
           "  --check              read the settings, report every mistake, exit 0 or 2\n"
           "  --print-settings     print the effective settings with units and defaults\n"
           "\n"
           "example: silage all --data ./data --set ingester.syslog[0].listen=127.0.0.1:1514\n"
           "\n"
           "exit status: 0 done, 1 failed, 2 wrong usage or settings, 3 stopped with entries in "
           "hand\n";
}

static enum slg_status parse_role(const char *word, enum slg_role *ret_role,
                                  struct slg_error *reterr)
{
    for (size_t i = 0; i < SLG_ARRAY_LEN(roles); i++) {
        if (strcmp(roles[i], word) == 0) {
            *ret_role = (enum slg_role)i;
            return SLG_OK;
        }
    }
    return slg_error_hintf(reterr, SLG_INVALID, "see silage --help",
                           "\"%.64s\" is no role: write all, ingester, storer or querier", word);
}

/* Value of the option at argv[*at]: the rest after '=', or the next word. NULL: it is missing. */
static const char *value_of(int argc, char *const *argv, int *at, const char *name)
{
    size_t len = strlen(name);

    if (argv[*at][len] == '=')
        return argv[*at] + len + 1;
    if (*at + 1 >= argc)
        return NULL;
    return argv[++*at];
}

static bool is_option(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && (word[len] == '\0' || word[len] == '=');
}

static enum slg_status parse_value_option(int argc, char *const *argv, int *at,
                                          struct slg_args *args, struct slg_error *reterr)
{
    static const char *const names[] = { "-c", "--config", "--set", "--data" };
    const char *value;

    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        if (!is_option(argv[*at], names[i]))
            continue;
        value = value_of(argc, argv, at, names[i]);
        if (value == NULL)
            return slg_errorf(reterr, SLG_INVALID, "%s needs a value", names[i]);
        if (i <= 1) {
            args->file = value;
        } else if (i == 3) {
            args->data_dir = value;
        } else {
            if (args->set_count == SLG_ARGS_SETS_MAX)
                return slg_errorf(reterr, SLG_INVALID, "more than %zu --set options",
                                  SLG_ARGS_SETS_MAX);
            args->sets[args->set_count++] = value;
        }
        return SLG_OK;
    }
    return slg_error_hintf(reterr, SLG_INVALID, "see silage --help", "unknown option \"%.64s\"",
                           argv[*at]);
}

enum slg_status slg_args_parse(int argc, char *const *argv, struct slg_args *ret_args,
                               struct slg_error *reterr)
{
    struct slg_args args = { .action = SLG_ACTION_RUN };
    bool have_role = false;

    for (int i = 1; i < argc; i++) {
        enum slg_status status = SLG_OK;

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            args.action = SLG_ACTION_HELP;
        } else if (strcmp(argv[i], "--version") == 0) {
            args.action = SLG_ACTION_VERSION;
        } else if (strcmp(argv[i], "--check") == 0) {
            args.action = SLG_ACTION_CHECK;
        } else if (strcmp(argv[i], "--print-settings") == 0) {
            args.action = SLG_ACTION_PRINT_SETTINGS;
        } else if (argv[i][0] == '-') {
            status = parse_value_option(argc, argv, &i, &args, reterr);
        } else if (!have_role) {
            status = parse_role(argv[i], &args.role, reterr);
            have_role = true;
        } else {
            status = slg_errorf(reterr, SLG_INVALID, "\"%.64s\" is one word too many", argv[i]);
        }
        if (status != SLG_OK)
            return status;
    }
    if (!have_role && args.action != SLG_ACTION_HELP && args.action != SLG_ACTION_VERSION)
        return slg_error_hintf(reterr, SLG_INVALID, "see silage --help",
                               "no role given: write all, ingester, storer or querier");
    *ret_args = args;
    return SLG_OK;
}
