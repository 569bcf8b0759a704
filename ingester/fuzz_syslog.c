/* A recorder over arbitrary datagrams: the texts of the message lie inside it, limits hold, nothing is refused but the
 * empty message. The first byte chooses options.
 * Covers: syslog.c docker.c mail.c mask.c record.c */
#include <stdlib.h>

#include "ingester/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slg_rules *make_rules(void)
{
    static const struct slg_rule rules[] = {
        { SLG_RULE_PROMOTE, { "severity", 8 }, { NULL, 0 } },
        { SLG_RULE_PROMOTE, { "sd_a_k", 6 }, { NULL, 0 } },
        { SLG_RULE_RENAME, { "sd_a_l", 6 }, { "ell", 3 } },
    };
    struct slg_rules_options options = { .rules = rules,
                                         .rule_count = SLG_ARRAY_LEN(rules),
                                         .label_count_max = 15,
                                         .value_bytes_max = 64 };
    struct slg_rules *compiled;

    SLG_ASSERT(slg_rules_compile(&options, &compiled, NULL) == SLG_OK);
    return compiled;
}

static void check_inside(struct slg_text text, const uint8_t *data, size_t size)
{
    if (text.len == 0)
        return;
    SLG_ASSERT((const uint8_t *)text.at >= data);
    SLG_ASSERT((const uint8_t *)text.at + text.len <= data + size);
}

static void check_message(const struct slg_syslog_options *options, int64_t receive_ns,
                          const uint8_t *data, size_t size)
{
    static struct slg_syslog_message m;

    slg_syslog_parse(options, receive_ns, data, size, &m);
    slg_docker_apply(SLG_DOCKER_AUTO, &m);
    check_inside(m.whole, data, size);
    check_inside(m.host, data, size);
    check_inside(m.app, data, size);
    check_inside(m.pid, data, size);
    check_inside(m.msgid, data, size);
    check_inside(m.text, data, size);
    check_inside(m.container, data, size);
    check_inside(m.time_text, data, size);
    SLG_ASSERT(m.facility < 24);
    SLG_ASSERT(m.severity < 8);
    SLG_ASSERT(m.param_count <= SLG_SYSLOG_PARAM_COUNT_MAX);
    for (size_t i = 0; i < m.param_count; i++)
        check_inside(m.params[i].value, data, size);
    if ((m.flags & SLG_SYSLOG_PARSE_ERROR) != 0 && m.format == SLG_SYSLOG_FORMAT_RAW)
        SLG_ASSERT(m.text.len == m.whole.len);
}

/* Masks made of the message itself: "APP AFTER UNTIL" at its front. Masking keeps the length, changes bytes to '*'
 * only, and is done when it is done. */
static void check_masks(const uint8_t *data, size_t size)
{
    struct slg_mask_rule rule = { .until = size > 0 ? (char)data[0] : '\0' };
    struct slg_mask_rule many[SLG_MASK_COUNT_MAX + 1];
    struct slg_text line = slg_text_make(data, size), once, twice;
    struct slg_masks *masks;
    size_t count = size > 1 && data[1] == 0xFF ? SLG_ARRAY_LEN(many) : 1;
    uint32_t selected;
    char *scratch;

    if (size > 2)
        rule.app = slg_text_make(data + 2, data[1] % 3U < size - 2 ? data[1] % 3U : 0);
    if (size > 8)
        rule.after = slg_text_make(data + 5, data[1] < size - 5 ? data[1] : 3);
    for (size_t i = 0; i < count; i++)
        many[i] = rule;
    if (slg_masks_create(many, count, &masks, NULL) != SLG_OK)
        return;
    scratch = malloc(size * 2 + 1);
    SLG_ASSERT(scratch != NULL);
    selected = slg_masks_select(masks, rule.app);
    once = slg_masks_apply(masks, selected, line, scratch);
    SLG_ASSERT(once.len == size);
    for (size_t i = 0; i < size; i++)
        SLG_ASSERT(once.at[i] == line.at[i] || once.at[i] == '*');
    twice = slg_masks_apply(masks, 0, once, scratch + size);
    SLG_ASSERT(twice.at == once.at);
    free(scratch);
    slg_masks_destroy(masks);
}

/* Forgetting starts a new epoch and is no miss. */
static void check_forgetting(struct slg_recorder *recorder)
{
    struct slg_recorder_stats before, after;
    uint64_t epoch = slg_recorder_epoch(recorder);

    slg_recorder_stats(recorder, &before);
    slg_recorder_forget(recorder);
    slg_recorder_stats(recorder, &after);
    SLG_ASSERT(slg_recorder_epoch(recorder) == epoch + 1);
    SLG_ASSERT(before.misses == after.misses);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slg_recorder *recorder;
    static struct slg_rules *rules;
    static struct slg_masks *masks;
    struct slg_record_source source = { .address = { "192.0.2.7", 9 },
                                        .receive_ns = INT64_C(1795300950000000000) };
    struct slg_record_options options;
    struct slg_record record;
    size_t bytes = 0;
    size_t mask_count;
    enum slg_status status;

    if (recorder == NULL) {
        SLG_ASSERT(slg_recorder_create(&recorder) == SLG_OK);
        rules = make_rules();
        SLG_ASSERT(slg_masks_create(slg_masks_default(&mask_count), 1, &masks, NULL) == SLG_OK);
    }
    if (size == 0)
        return 0;
    slg_record_options_init(&options);
    options.rules = rules;
    options.masks = masks;
    options.raw = (data[0] & 1) != 0;
    options.docker = (enum slg_docker_mode)((data[0] >> 1) % 3);
    options.syslog.zone_forced = (data[0] & 8) != 0;
    check_message(&options.syslog, source.receive_ns, data + 1, size - 1);
    check_masks(data + 1, size - 1);
    status = slg_recorder_take(recorder, &options, &source, data + 1, size - 1, &record);
    SLG_ASSERT(status == SLG_OK || status == SLG_AGAIN);
    if (status != SLG_OK)
        return 0;
    SLG_ASSERT(record.metadata_count <= SLG_METADATA_COUNT_MAX);
    SLG_ASSERT(record.stream->labels.count <= SLG_LABEL_COUNT_MAX);
    SLG_ASSERT(record.line.len <= size);
    for (size_t i = 0; i < record.metadata_count; i++)
        bytes += record.metadata[i].name.len + record.metadata[i].value.len;
    SLG_ASSERT(bytes <= SLG_METADATA_BYTES_MAX);
    if ((data[0] & 16) != 0)
        check_forgetting(recorder);
    return 0;
}
