/* silagectl: finds the verb and runs it. */
#include "ctl/ctl.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/secret.h"

static const struct slg_ctl_verb *const verbs[] = {
    &slg_ctl_verb_status, &slg_ctl_verb_node, &slg_ctl_verb_shard,
    &slg_ctl_verb_query,  &slg_ctl_verb_tail, &slg_ctl_verb_labels,
    &slg_ctl_verb_series, &slg_ctl_verb_load, &slg_ctl_verb_local,
};

static void print_help(FILE *to)
{
    (void)fprintf(to, "silagectl - the operator's tool of Silage\n\n"
                      "usage: silagectl [--addr URL] [--admin URL] [--token SECRET] [-o text|json] "
                      "COMMAND ...\n\n"
                      "  --addr URL     the read API, default http://127.0.0.1:3100\n"
                      "  --admin URL    admin API of any ingester or storer, default "
                      "http://127.0.0.1:3102\n"
                      "  --token SECRET what daemons ask for that have http.tokens: "
                      "file:/PATH or env:NAME;\n"
                      "                 user:TOKEN@ in a URL, for that URL, is sent instead\n"
                      "  -o text|json   form of the output, default text\n\n");
    for (size_t i = 0; i < SLG_ARRAY_LEN(verbs); i++)
        (void)fprintf(to, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
    (void)fprintf(to, "\nsilagectl COMMAND --help tells the options of a command.\n"
                      "exit status: 0 done, 1 failed, 2 wrong usage, 3 partial or degraded\n");
}

struct global {
    const char *name;
    const char **value;
};

/* The value of the option at argv[*at], which may be "--name=value" too. False: it has none, which was told. */
static bool take_value(const struct global *global, int argc, char **argv, int *at)
{
    const char *rest = argv[*at] + strlen(global->name);

    if (*rest == '=') {
        *global->value = rest + 1;
        return true;
    }
    if (*at + 1 == argc) {
        (void)fprintf(stderr, "silagectl: %s needs a value\n", global->name);
        return false;
    }
    *global->value = argv[++*at];
    return true;
}

static bool is_option(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && (word[len] == '\0' || word[len] == '=');
}

/* Global options stand before the command or after it. Returns the number of words left in argv, or -1. */
static int take_globals(struct slg_ctl *ctl, const char **ret_token, int argc, char **argv)
{
    const char *output = "text";
    const struct global globals[] = {
        { "--addr", &ctl->addr },
        { "--admin", &ctl->admin },
        { "--token", ret_token },
        { "-o", &output },
    };
    int kept = 0;

    for (int i = 1; i < argc; i++) {
        size_t found = 0;

        while (found < SLG_ARRAY_LEN(globals) && !is_option(argv[i], globals[found].name))
            found++;
        if (found == SLG_ARRAY_LEN(globals))
            argv[kept++] = argv[i];
        else if (!take_value(&globals[found], argc, argv, &i))
            return -1;
    }
    if (strcmp(output, "json") != 0 && strcmp(output, "text") != 0) {
        (void)fprintf(stderr, "silagectl: -o \"%s\" must be text or json\n", output);
        return -1;
    }
    ctl->json = strcmp(output, "json") == 0;
    return kept;
}

/* The secret with a NUL behind it. */
static enum slg_status read_token(const char *reference, struct slg_buf *token,
                                  struct slg_error *reterr)
{
    enum slg_status status = slg_secret_read(reference, token, reterr);

    if (status == SLG_NOT_FOUND || status == SLG_INVALID)
        return slg_errorf(reterr, SLG_INVALID, "--token must be file:/PATH or env:NAME");
    if (status == SLG_OK && memchr(token->data, '\n', token->len) != NULL)
        return slg_errorf(reterr, SLG_INVALID, "--token has more than one line");
    slg_buf_append_byte(token, '\0');
    return status;
}

static int run(struct slg_ctl *ctl, int count, char **argv)
{
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        print_help(stdout);
        return SLG_CTL_OK;
    }
    if (strcmp(argv[0], "--version") == 0) {
        (void)printf("silagectl " SLG_VERSION "\n");
        return SLG_CTL_OK;
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i]->name, argv[0]) == 0)
            return verbs[i]->run(ctl, count - 1, argv + 1);
    }
    (void)fprintf(stderr, "silagectl: unknown command \"%s\"; see silagectl --help\n", argv[0]);
    return SLG_CTL_USAGE;
}

int main(int argc, char **argv)
{
    struct slg_ctl ctl = { .addr = "http://127.0.0.1:3100", .admin = "http://127.0.0.1:3102" };
    struct slg_error error = { 0 };
    const char *reference = NULL;
    struct slg_buf token;
    int code, count;

    if (!slg_file_fill_standard())
        return SLG_CTL_FAILED;
    count = take_globals(&ctl, &reference, argc, argv);
    if (count < 0)
        return SLG_CTL_USAGE;
    if (count == 0) {
        print_help(stderr);
        return SLG_CTL_USAGE;
    }
    slg_buf_init(&token, SLG_SECRET_BYTES_MAX + 1);
    if (reference != NULL && read_token(reference, &token, &error) != SLG_OK) {
        code = slg_ctl_fail(&error);
        code = error.status == SLG_INVALID ? SLG_CTL_USAGE : code;
    } else {
        ctl.token = reference == NULL ? NULL : (const char *)token.data;
        code = run(&ctl, count, argv);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        (void)fprintf(stderr, "silagectl: could not write the output: %s\n", strerror(errno));
        code = SLG_CTL_FAILED;
    }
    if (token.len > 0)
        explicit_bzero(token.data, token.len);
    slg_buf_fini(&token);
    return code;
}
