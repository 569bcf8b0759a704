/* silagectl: finds the verb and runs it. */
#include "ctl/ctl.h"

static const struct slg_ctl_verb *const verbs[] = {
    &slg_ctl_verb_status, &slg_ctl_verb_node, &slg_ctl_verb_shard,
    &slg_ctl_verb_query,  &slg_ctl_verb_tail, &slg_ctl_verb_labels,
    &slg_ctl_verb_series, &slg_ctl_verb_load, &slg_ctl_verb_local,
};

static void print_help(FILE *to)
{
    (void)fprintf(to, "silagectl - the operator's tool of Silage\n\n"
                      "usage: silagectl [--addr URL] [--admin URL] [-o text|json] COMMAND ...\n\n"
                      "  --addr URL     the read API, default http://127.0.0.1:3100\n"
                      "  --admin URL    admin API of any ingester or storer, default "
                      "http://127.0.0.1:3102\n"
                      "  -o text|json   form of the output, default text\n\n");
    for (size_t i = 0; i < SLG_ARRAY_LEN(verbs); i++)
        (void)fprintf(to, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
    (void)fprintf(to, "\nsilagectl COMMAND --help tells the options of a command.\n"
                      "exit status: 0 done, 1 failed, 2 wrong usage, 3 partial or degraded\n");
}

/* Global options stand before the command or after it. Returns the number of words left in argv, or -1. */
static int take_globals(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *output = NULL;
    int kept = 0;

    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "--addr") == 0    ? &ctl->addr
                             : strcmp(argv[i], "--admin") == 0 ? &ctl->admin
                             : strcmp(argv[i], "-o") == 0      ? &output
                                                               : NULL;

        if (value == NULL) {
            argv[kept++] = argv[i];
        } else if (i + 1 == argc) {
            (void)fprintf(stderr, "silagectl: %s needs a value\n", argv[i]);
            return -1;
        } else {
            *value = argv[++i];
        }
    }
    if (output != NULL && strcmp(output, "json") != 0 && strcmp(output, "text") != 0) {
        (void)fprintf(stderr, "silagectl: -o \"%s\" must be text or json\n", output);
        return -1;
    }
    ctl->json = output != NULL && strcmp(output, "json") == 0;
    return kept;
}

int main(int argc, char **argv)
{
    struct slg_ctl ctl = { .addr = "http://127.0.0.1:3100", .admin = "http://127.0.0.1:3102" };
    int count = take_globals(&ctl, argc, argv);

    if (count < 0)
        return SLG_CTL_USAGE;
    if (count == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        print_help(count == 0 ? stderr : stdout);
        return count == 0 ? SLG_CTL_USAGE : SLG_CTL_OK;
    }
    if (strcmp(argv[0], "--version") == 0) {
        (void)printf("silagectl " SLG_VERSION "\n");
        return SLG_CTL_OK;
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i]->name, argv[0]) == 0)
            return verbs[i]->run(&ctl, count - 1, argv + 1);
    }
    (void)fprintf(stderr, "silagectl: unknown command \"%s\"; see silagectl --help\n", argv[0]);
    return SLG_CTL_USAGE;
}
