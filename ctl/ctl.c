#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/cursor.h"

static bool usage(const struct slg_ctl_verb *verb, const struct slg_ctl_option *options,
                  size_t option_count, FILE *to)
{
    (void)fprintf(to, "usage: silagectl %s %s\n  %s\n", verb->name, verb->usage, verb->summary);
    for (size_t i = 0; i < option_count; i++)
        (void)fprintf(to, "  %-18s %s\n", options[i].name, options[i].help);
    (void)fprintf(to, "example: silagectl %s\n", verb->example);
    return false;
}

static const struct slg_ctl_option *find_option(const struct slg_ctl_option *options, size_t count,
                                                const char *word, size_t *ret_len)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(options[i].name);

        if (strncmp(word, options[i].name, len) == 0 && (word[len] == '\0' || word[len] == '=')) {
            *ret_len = len;
            return &options[i];
        }
    }
    return NULL;
}

/* Take the option at argv[*at] with its value. */
static bool take_option(const struct slg_ctl_option *option, size_t name_len, int argc, char **argv,
                        int *at)
{
    if (option->flag) {
        *option->value = "";
        return true;
    }
    if (argv[*at][name_len] == '=') {
        *option->value = argv[*at] + name_len + 1;
        return true;
    }
    if (*at + 1 >= argc) {
        (void)fprintf(stderr, "silagectl: %s needs a value\n", option->name);
        return false;
    }
    *option->value = argv[++*at];
    return true;
}

bool slg_ctl_options(const struct slg_ctl_verb *verb, int argc, char **argv,
                     const struct slg_ctl_option *options, size_t option_count, const char **words,
                     size_t words_max, size_t *ret_word_count)
{
    size_t word_count = 0, name_len = 0;

    for (int i = 0; i < argc; i++) {
        const struct slg_ctl_option *option =
            find_option(options, option_count, argv[i], &name_len);

        if (strcmp(argv[i], "--help") == 0) {
            (void)usage(verb, options, option_count, stdout);
            exit(SLG_CTL_OK);
        }
        if (option != NULL) {
            if (!take_option(option, name_len, argc, argv, &i))
                return false;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            (void)fprintf(stderr, "silagectl %s: unknown option \"%s\"\n", verb->name, argv[i]);
            return usage(verb, options, option_count, stderr);
        } else if (word_count == words_max) {
            (void)fprintf(stderr, "silagectl %s: \"%s\" is one word too many\n", verb->name,
                          argv[i]);
            return usage(verb, options, option_count, stderr);
        } else {
            words[word_count++] = argv[i];
        }
    }
    *ret_word_count = word_count;
    return true;
}

bool slg_ctl_number(const char *name, const char *text, int64_t min, int64_t max, int64_t fallback,
                    int64_t *ret_value)
{
    struct slg_cursor c;
    uint64_t value;

    *ret_value = fallback;
    if (text == NULL)
        return true;
    c = slg_cursor_make(text, strlen(text));
    if (!slg_cursor_take_uint(&c, 19, (uint64_t)max, &value) || slg_cursor_left(&c) > 0 ||
        (int64_t)value < min) {
        (void)fprintf(stderr,
                      "silagectl: %s: \"%s\" is not a whole number of %" PRId64 " to %" PRId64 "\n",
                      name, text, min, max);
        return false;
    }
    *ret_value = (int64_t)value;
    return true;
}

int slg_ctl_fail(const struct slg_error *error)
{
    (void)fprintf(stderr, "silagectl: %s%s%s\n", error->message, error->hint[0] == '\0' ? "" : "; ",
                  error->hint);
    return SLG_CTL_FAILED;
}

void slg_ctl_print(const struct slg_buf *text)
{
    errno = 0;
    if ((text->len > 0 && fwrite(text->data, 1, text->len, stdout) != text->len) ||
        fflush(stdout) != 0) {
        if (errno != EPIPE) /* else the reader has gone */
            (void)fprintf(stderr, "silagectl: could not write the output: %s\n", strerror(errno));
        exit(SLG_CTL_FAILED);
    }
}

void slg_ctl_time(int64_t ts_ns, char text[40])
{
    int64_t ns = ts_ns % SLG_NS_PER_SEC;
    time_t seconds = (time_t)(ts_ns / SLG_NS_PER_SEC) - (ns < 0); /* before 1970: downwards */
    struct tm parts;
    size_t len = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &parts));

    (void)snprintf(text + len, 40 - len, ".%09lldZ",
                   (long long)(ns < 0 ? ns + SLG_NS_PER_SEC : ns));
}
