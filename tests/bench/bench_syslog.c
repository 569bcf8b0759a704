/* ns per message of parsing and recording, beside the memcpy of the same lines. Lines are made up here: mail traffic
 * of about 200 bytes from 40 streams.
 *   bench_syslog [MESSAGES]   (default 2 million per case) */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingester/level.h"
#include "ingester/record.h"

#define LINE_COUNT 4096
#define LINE_BYTES 512

struct line {
    size_t len;
    char bytes[LINE_BYTES];
};

static struct line lines[LINE_COUNT];
static char copy[LINE_COUNT * LINE_BYTES];
static uint64_t seed = 88172645463325252;

static unsigned below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % n);
}

static void make_lines(const char *kind)
{
    static const char *const apps[] = { "postfix/smtp", "postfix/smtpd", "dovecot", "rspamd",
                                        "filterlog" };

    for (size_t i = 0; i < LINE_COUNT; i++) {
        unsigned host = below(8);
        unsigned app = below(5);
        char head[160];
        char text[400];
        int len;

        (void)snprintf(
            text, sizeof(text),
            "4gHk%u%uz7Q: to=<user%u@example-%u.org>, relay=mx%u.example.com[192.0.2.%u]:25, "
            "delay=%u.%u, delays=0.3/0.01/1.2/1.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: "
            "queued as %08X)",
            below(90) + 10, below(9000) + 1000, below(1000), below(20), below(4), below(250),
            below(9), below(9), below(1u << 31));
        if (strcmp(kind, "3164") == 0)
            (void)snprintf(head, sizeof(head),
                           "<22>Nov 21 22:42:%02u mx%u %s[%u]: ", (unsigned)(i / 100 % 60), host,
                           apps[app], below(30000));
        else if (strcmp(kind, "5424") == 0)
            (void)snprintf(head, sizeof(head), "<22>1 2026-11-21T22:42:%02u.%06uZ mx%u %s %u - - ",
                           (unsigned)(i / 100 % 60), below(1000000), host, apps[app], below(30000));
        else
            (void)snprintf(
                head, sizeof(head),
                "<158>1 2026-11-21T22:42:%02u.%06uZ dock%u c-%u-1 1203 c-%u-1 - Nov 21 23:42:29 "
                "3f2a9c0d1e4b %s[%u]: ",
                (unsigned)(i / 100 % 60), below(1000000), host, app, app, apps[app], below(30000));
        len = snprintf(lines[i].bytes, LINE_BYTES, "%s%s\n", head, text);
        lines[i].len = (size_t)len;
    }
}

static void report(const char *what, int64_t start_ns, size_t count, size_t bytes)
{
    int64_t took = slg_clock_mono_ns(slg_clock_system()) - start_ns;

    (void)printf("%-28s %6.1f ns/message  (%.0f bytes each)\n", what, (double)took / (double)count,
                 (double)bytes / (double)count);
}

static void run(const char *kind, size_t count, struct slg_recorder *recorder,
                const struct slg_record_options *options)
{
    struct slg_record_source source = { .address = { "192.0.2.7", 9 },
                                        .receive_ns = INT64_C(1795300950) * SLG_NS_PER_SEC };
    struct slg_syslog_message *message = malloc(sizeof(*message));
    struct slg_clock *clock = slg_clock_system();
    uint64_t sum = 0;
    size_t bytes = 0;
    char what[64];
    int64_t start;

    if (message == NULL)
        abort();
    make_lines(kind);
    start = slg_clock_mono_ns(clock);
    for (size_t i = 0; i < count; i++) {
        const struct line *line = &lines[i % LINE_COUNT];

        memcpy(copy + (i % LINE_COUNT) * LINE_BYTES, line->bytes, line->len);
        bytes += line->len;
    }
    (void)snprintf(what, sizeof(what), "%s memcpy", kind);
    report(what, start, count, bytes);
    start = slg_clock_mono_ns(clock);
    for (size_t i = 0; i < count; i++) {
        const struct line *line = &lines[i % LINE_COUNT];

        slg_syslog_parse(&options->syslog, source.receive_ns, line->bytes, line->len, message);
        sum += message->text.len + (uint64_t)message->event_ns;
    }
    (void)snprintf(what, sizeof(what), "%s parse", kind);
    report(what, start, count, bytes);
    start = slg_clock_mono_ns(clock);
    for (size_t i = 0; i < count; i++) {
        const struct line *line = &lines[i % LINE_COUNT];
        struct slg_record record;

        if (slg_recorder_take(recorder, options, &source, line->bytes, line->len, &record) ==
            SLG_OK)
            sum += record.stream->serial + record.line.len;
    }
    (void)snprintf(what, sizeof(what), "%s parse + record", kind);
    report(what, start, count, bytes);
    start = slg_clock_mono_ns(clock);
    for (size_t i = 0; i < count; i++) {
        const struct line *line = &lines[i % LINE_COUNT];

        sum += slg_level_of_line(slg_text_make(line->bytes, line->len)).len;
    }
    (void)snprintf(what, sizeof(what), "%s level of the line", kind);
    report(what, start, count, bytes);
    (void)printf("(%llu)\n", (unsigned long long)sum); /* keeps the loops */
    free(message);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 2000000;
    struct slg_rules_options rules_options = { .label_count_max = 15,
                                               .value_bytes_max = SLG_LABEL_VALUE_BYTES_MAX };
    struct slg_record_options options;
    struct slg_recorder *recorder;
    struct slg_rules *rules;
    struct slg_masks *masks;
    size_t mask_count;
    const struct slg_mask_rule *mask_rules = slg_masks_default(&mask_count);

    slg_record_options_init(&options);
    if (slg_rules_compile(&rules_options, &rules, NULL) != SLG_OK ||
        slg_masks_create(mask_rules, mask_count, &masks, NULL) != SLG_OK ||
        slg_recorder_create(&recorder) != SLG_OK)
        return 1;
    options.rules = rules;
    options.masks = masks;
    run("3164", count, recorder, &options);
    run("5424", count, recorder, &options);
    run("docker", count, recorder, &options);
    slg_recorder_destroy(recorder);
    slg_masks_destroy(masks);
    slg_rules_destroy(rules);
    return 0;
}
