#include "ingester/record.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "ingester/level.h"
#include "ingester/mail.h"

#define TABLE_SIZE    ((size_t)2 * SLG_RECORD_STREAMS_MAX)
#define KEY_BYTES_MAX ((size_t)40 * 1024)
#define VALUE_BYTES_TIGHT                                                                          \
    ((size_t)512) /* of label values when the set is over SLG_LABEL_SET_BYTES_MAX */
#define STAMP_WAYS  4
#define STAMP_SETS  (SLG_RECORD_SOURCES_MAX / STAMP_WAYS)
#define STAMP_BASES 2

static_assert((TABLE_SIZE & (TABLE_SIZE - 1)) == 0, "the table is probed by a mask");
static_assert((STAMP_SETS & (STAMP_SETS - 1)) == 0, "the set is chosen by a mask");
/* job, host, app, service_name, container and the promoted ones, cut to VALUE_BYTES_TIGHT, and the fixed ones */
static_assert((SLG_FIELD_SEVERITY + SLG_RULE_PROMOTED_MAX) *
                          (SLG_RULE_NAME_BYTES_MAX + VALUE_BYTES_TIGHT + 4) +
                      SLG_RULE_FIXED_BYTES_MAX + SLG_LABEL_COUNT_MAX * 4 <=
                  SLG_LABEL_SET_BYTES_MAX,
              "a set of tight values fits");
static_assert((4 + SLG_RULE_PROMOTED_MAX) * (SLG_LABEL_VALUE_BYTES_MAX + 16) < KEY_BYTES_MAX,
              "a key fits");
static_assert(SLG_FIELD_COUNT - SLG_FIELD_SEVERITY + SLG_SYSLOG_PARAM_COUNT_MAX <=
                  SLG_METADATA_COUNT_MAX,
              "all metadata of one message fits");

/* A label set that this thread has met. */
struct cached {
    struct slg_stream_ref ref;
    enum slg_mail_kind mail;
    uint32_t masks;
    size_t key_len;
    const char *key;
    uint64_t stamp_seed; /* of the listener and the host */
};

struct slot {
    uint64_t hash;
    struct cached *cached; /* NULL: free */
};

/* Last stamps given to one source: `base` as the message said it, `last` as it was stored. Two, because the lines of
 * programs on one host pass each other at the turn of a second. */
struct stamp_entry {
    uint64_t key;
    uint64_t used;
    struct {
        int64_t base;
        int64_t last;
    } recent[STAMP_BASES];
};

/* What the fields of one message are worth; the empty text: not there. */
struct values {
    struct slg_text field[SLG_FIELD_COUNT];
    size_t sd_count;
    struct slg_label sd[SLG_SYSLOG_PARAM_COUNT_MAX]; /* metadata, under final names */
    size_t sd_label_count;
    struct slg_label sd_label[SLG_RULE_PROMOTED_MAX];
};

struct slg_recorder {
    struct slg_arena *arena; /* cached sets and their texts */
    size_t cached_count;
    uint64_t epoch;
    uint64_t next_serial;
    uint64_t tick;
    struct slg_recorder_stats stats;
    struct slg_syslog_message message;
    struct values values;
    struct slg_label metadata[SLG_METADATA_COUNT_MAX];
    struct slg_buf canonical;
    char key[KEY_BYTES_MAX];
    char sd_text[SLG_METADATA_BYTES_MAX]; /* names and unescaped values of SD parameters */
    char line[SLG_LINE_BYTES_MAX];        /* a masked line */
    struct slot table[TABLE_SIZE];
    struct stamp_entry stamps[STAMP_SETS][STAMP_WAYS];
};

void slg_record_options_init(struct slg_record_options *options)
{
    *options = (struct slg_record_options){
        .job = { "syslog", 6 },
        .syslog = { .zone = slg_zone_utc() },
        .back_ns = SLG_RECORD_BACK_NS_DEFAULT,
        .ahead_ns = SLG_RECORD_AHEAD_NS_DEFAULT,
    };
}

enum slg_status slg_recorder_create(struct slg_recorder **ret_recorder)
{
    struct slg_recorder *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return SLG_NO_MEMORY;
    slg_buf_init(&r->canonical, SLG_LABEL_SET_BYTES_MAX * 4);
    r->arena = slg_arena_create(SLG_RECORD_STREAM_BYTES_MAX);
    if (r->arena == NULL) {
        slg_recorder_destroy(r);
        return SLG_NO_MEMORY;
    }
    r->next_serial = 1;
    *ret_recorder = r;
    return SLG_OK;
}

void slg_recorder_destroy(struct slg_recorder *recorder)
{
    if (recorder == NULL)
        return;
    slg_arena_destroy(recorder->arena);
    slg_buf_fini(&recorder->canonical);
    free(recorder);
}

void slg_recorder_forget(struct slg_recorder *r)
{
    memset(r->table, 0, sizeof(r->table));
    slg_arena_reset(r->arena);
    r->cached_count = 0;
    r->epoch++;
}

uint64_t slg_recorder_epoch(const struct slg_recorder *recorder)
{
    return recorder->epoch;
}

void slg_recorder_stats(const struct slg_recorder *recorder, struct slg_recorder_stats *ret_stats)
{
    *ret_stats = recorder->stats;
}

/* ---- fields ---- */

static struct slg_text cut(struct slg_text text, size_t len_max)
{
    if (text.len <= len_max)
        return text;
    while (len_max > 0 && ((unsigned char)text.at[len_max] & 0xC0) == 0x80)
        len_max--; /* not within a code point */
    return slg_text_make(text.at, len_max);
}

static const struct slg_text yes = { .at = "true", .len = 4 };

static struct slg_text yes_if(bool condition)
{
    return condition ? yes : slg_text_make("", 0);
}

static struct slg_text level_of(const struct slg_syslog_message *m)
{
    struct slg_text level;

    if ((m->flags & (SLG_SYSLOG_DOCKER | SLG_SYSLOG_PRI_MISSING)) == 0)
        return slg_level_of_severity(m->severity);
    level = slg_level_of_text(m->text);
    /* A daemon with a syslog of its own says so when it is worse than info, whichever of stdout and stderr Docker read it
     * from; so do senders without a PRI. */
    if (slg_text_equal_to(level, "unknown") &&
        (m->flags & (SLG_SYSLOG_NESTED | SLG_SYSLOG_PRI_MISSING)) != 0)
        return slg_level_of_severity(SLG_SYSLOG_SEVERITY_DEFAULT);
    return level;
}

static void collect_fields(const struct slg_record_options *options,
                           const struct slg_record_source *source, bool truncated,
                           const struct slg_syslog_message *m, struct values *v)
{
    size_t value_max = slg_rules_value_bytes_max(options->rules);
    struct slg_text fallback = source->host_name.len > 0 ? source->host_name : source->address;

    v->field[SLG_FIELD_JOB] = cut(options->job, value_max);
    v->field[SLG_FIELD_HOST] = cut(m->host.len > 0 ? m->host : fallback, value_max);
    v->field[SLG_FIELD_APP] = cut(m->app, value_max);
    v->field[SLG_FIELD_FACILITY] = slg_syslog_facility_text(m->facility);
    v->field[SLG_FIELD_SERVICE_NAME].len = 0; /* follows from app */
    v->field[SLG_FIELD_CONTAINER] = cut(m->container, value_max);
    v->field[SLG_FIELD_SEVERITY] = slg_syslog_severity_text(m->severity);
    v->field[SLG_FIELD_DETECTED_LEVEL] = level_of(m);
    v->field[SLG_FIELD_PID] = m->pid;
    v->field[SLG_FIELD_MSGID] = m->msgid;
    v->field[SLG_FIELD_SOURCE_IP] = source->address;
    v->field[SLG_FIELD_QUEUE_ID].len = 0; /* these two need to know the program */
    v->field[SLG_FIELD_MESSAGE_ID].len = 0;
    v->field[SLG_FIELD_PARSE_ERROR] = yes_if((m->flags & SLG_SYSLOG_PARSE_ERROR) != 0);
    v->field[SLG_FIELD_PRI_MISSING] = yes_if((m->flags & SLG_SYSLOG_PRI_MISSING) != 0);
    v->field[SLG_FIELD_TIME_MISSING] = yes_if((m->flags & SLG_SYSLOG_TIME_MISSING) != 0);
    v->field[SLG_FIELD_TIME_ADJUSTED].len = 0;
    v->field[SLG_FIELD_TRUNCATED] = yes_if(truncated);
}

static char *append_name(char *out, struct slg_text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        *out++ = plain ? c : '_';
    }
    return out;
}

/* Add the label, or give its value to the one of that name: of two the last counts. False: one value found no place. */
static bool set_item(struct slg_label *items, size_t *count, size_t count_max,
                     const struct slg_label *label)
{
    for (size_t i = 0; i < *count; i++) {
        if (slg_text_equal(items[i].name, label->name)) {
            items[i].value = label->value;
            return false;
        }
    }
    if (*count == count_max)
        return false;
    items[(*count)++] = *label;
    return true;
}

/* SD parameters as sd_<id>_<name>, placed where the rules want them. Names that differ only in bytes that became '_' are
 * one. Returns how many values are left out. */
static uint32_t collect_sd(struct slg_recorder *r, const struct slg_record_options *options)
{
    const struct slg_syslog_message *m = &r->message;
    struct values *v = &r->values;
    char *out = r->sd_text;
    char *out_end = out + sizeof(r->sd_text);
    uint32_t dropped = m->param_duplicates;

    v->sd_count = 0;
    v->sd_label_count = 0;
    for (size_t i = 0; i < m->param_count; i++) {
        const struct slg_syslog_param *param = &m->params[i];
        struct slg_label label = { .value = param->value };
        const struct slg_rule_target *target = NULL;
        char *start = out;

        if (param->id.len + param->name.len + (param->escaped ? param->value.len : 0) + 4 >
            (size_t)(out_end - out)) {
            dropped++;
            continue;
        }
        memcpy(out, "sd_", 3);
        out = append_name(out + 3, param->id);
        *out++ = '_';
        out = append_name(out, param->name);
        label.name = slg_text_make(start, (size_t)(out - start));
        if (param->escaped) {
            label.value = slg_text_make(out, slg_syslog_unescape(param->value, out));
            out += label.value.len;
        }
        if (slg_rules_has_sd(options->rules))
            target = slg_rules_sd(options->rules, label.name);
        if (target != NULL && target->place == SLG_PLACE_DROPPED)
            continue;
        if (target != NULL)
            label.name = target->name;
        if (target != NULL && target->place == SLG_PLACE_LABEL) {
            label.value = cut(label.value, slg_rules_value_bytes_max(options->rules));
            if (!set_item(v->sd_label, &v->sd_label_count, SLG_ARRAY_LEN(v->sd_label), &label))
                dropped++;
        } else if (!set_item(v->sd, &v->sd_count, SLG_ARRAY_LEN(v->sd), &label)) {
            dropped++;
        }
    }
    return dropped;
}

/* ---- label sets ---- */

static char *append_key(char *out, struct slg_text value)
{
    uint32_t len = (uint32_t)value.len;

    memcpy(out, &len, sizeof(len));
    if (value.len > 0)
        memcpy(out + sizeof(len), value.at, value.len);
    return out + sizeof(len) + value.len;
}

/* Everything that the label set of this message depends on. */
static size_t make_key(struct slg_recorder *r, const struct slg_record_options *options)
{
    const struct values *v = &r->values;
    char *out = r->key;

    memcpy(out, &options->listener_index, sizeof(options->listener_index));
    out += sizeof(options->listener_index);
    *out++ = (char)r->message.facility;
    out = append_key(out, v->field[SLG_FIELD_HOST]);
    out = append_key(out, v->field[SLG_FIELD_APP]);
    out = append_key(out, v->field[SLG_FIELD_CONTAINER]);
    for (uint32_t bits = slg_rules_promoted(options->rules); bits != 0; bits &= bits - 1)
        out = append_key(
            out, cut(v->field[__builtin_ctz(bits)], slg_rules_value_bytes_max(options->rules)));
    for (size_t i = 0; i < v->sd_label_count; i++) {
        out = append_key(out, v->sd_label[i].name);
        out = append_key(out, v->sd_label[i].value);
    }
    SLG_ASSERT(out <= r->key + sizeof(r->key));
    return (size_t)(out - r->key);
}

/* A copy in the arena, cut, with U+FFFD for bytes that are not UTF-8: labels go into JSON and back as they are. */
static bool copy_value(struct slg_arena *arena, struct slg_text value, size_t len_max,
                       struct slg_text *ret_copy)
{
    char *out = slg_arena_alloc(arena, len_max + 4);
    size_t len = 0;
    size_t i = 0;

    if (out == NULL)
        return false;
    while (i < value.len) {
        size_t step;
        bool good = slg_utf8_check((const uint8_t *)value.at + i, value.len - i, &step);
        size_t out_step = good ? step : 3;

        if (len + out_step > len_max)
            break;
        memcpy(out + len, good ? value.at + i : "\xEF\xBF\xBD", out_step);
        len += out_step;
        i += step;
    }
    *ret_copy = slg_text_make(out, len);
    return true;
}

/* The labels of this message, not yet sorted, values in the arena. SIZE_MAX: no memory. */
static size_t collect_labels(struct slg_recorder *r, const struct slg_record_options *options,
                             struct slg_text service, size_t value_max, struct slg_label *labels)
{
    const struct slg_rule_target *targets = slg_rules_fields(options->rules);
    const struct values *v = &r->values;
    size_t fixed_count;
    const struct slg_label *fixed = slg_rules_fixed(options->rules, &fixed_count);
    size_t count = fixed_count;

    memcpy(labels, fixed, fixed_count * sizeof(*fixed));
    for (size_t f = 0; f < SLG_FIELD_COUNT; f++) {
        const struct slg_rule_target *target = &targets[f];
        struct slg_text value = f == SLG_FIELD_SERVICE_NAME ? service : v->field[f];

        if (target->place != SLG_PLACE_LABEL || value.len == 0)
            continue;
        labels[count].name = target->name;
        if (!copy_value(r->arena, value, value.len * 3 < value_max ? value.len * 3 : value_max,
                        &labels[count].value))
            return SIZE_MAX;
        count++;
    }
    for (size_t i = 0; i < v->sd_label_count && count < slg_rules_label_count_max(options->rules);
         i++) {
        labels[count].name = v->sd_label[i].name;
        if (!copy_value(r->arena, v->sd_label[i].value, value_max, &labels[count].value))
            return SIZE_MAX;
        count++;
    }
    return count;
}

/* Labels sorted, encoded and copied into the arena. LIMIT: the arena is full. */
static enum slg_status make_set(struct slg_recorder *r, const struct slg_record_options *options,
                                struct slg_text service, struct cached *cached)
{
    struct slg_label labels[SLG_LABEL_COUNT_MAX + SLG_FIELD_COUNT + SLG_RULE_PROMOTED_MAX];
    size_t value_max = slg_rules_value_bytes_max(options->rules);
    struct slg_label *items;
    size_t count;

    for (;;) {
        count = collect_labels(r, options, service, value_max, labels);
        if (count == SIZE_MAX)
            return SLG_LIMIT;
        if (slg_label_normalize(labels, count, &count, NULL) == SLG_OK) {
            cached->ref.labels = (struct slg_label_set){ .items = labels, .count = count };
            slg_buf_clear(&r->canonical);
            slg_label_encode(&r->canonical, &cached->ref.labels);
            if (!slg_buf_failed(&r->canonical) && r->canonical.len <= SLG_LABEL_SET_BYTES_MAX)
                break;
        }
        SLG_ASSERT(value_max > VALUE_BYTES_TIGHT); /* tight sets fit, see the static_assert */
        value_max = VALUE_BYTES_TIGHT;
    }
    /* names borrow from the rules or, of fixed values too, live as long; promoted sd names as well */
    items = slg_arena_alloc(r->arena, count * sizeof(*items) + 1);
    cached->ref.canonical =
        (const uint8_t *)slg_arena_copy(r->arena, r->canonical.data, r->canonical.len);
    if (items == NULL || cached->ref.canonical == NULL)
        return SLG_LIMIT;
    memcpy(items, labels, count * sizeof(*items));
    cached->ref.labels = (struct slg_label_set){ .items = items, .count = count };
    cached->ref.canonical_len = r->canonical.len;
    cached->ref.id = slg_stream_id_of(options->tenant, r->canonical.data, r->canonical.len);
    return SLG_OK;
}

static struct cached *make_cached(struct slg_recorder *r, const struct slg_record_options *options,
                                  size_t key_len)
{
    struct slg_text app = r->values.field[SLG_FIELD_APP];
    struct cached *cached = slg_arena_calloc(r->arena, 1, sizeof(*cached));
    struct slg_text service;

    if (cached == NULL)
        return NULL;
    cached->mail = slg_mail_kind_of(app);
    cached->masks = slg_masks_select(options->masks, app);
    cached->stamp_seed =
        slg_hash_xxh3_seeded(r->values.field[SLG_FIELD_HOST].at,
                             r->values.field[SLG_FIELD_HOST].len, options->listener_index);
    cached->key = slg_arena_copy(r->arena, r->key, key_len);
    cached->key_len = key_len;
    service = slg_mail_service(cached->mail, app);
    if (service.len == 0) /* Loki's rule ends with job */
        service = r->values.field[SLG_FIELD_JOB];
    if (cached->key == NULL || make_set(r, options, service, cached) != SLG_OK)
        return NULL;
    cached->ref.serial = r->next_serial++;
    return cached;
}

/* The cached set of the current message; NULL: no memory. */
static const struct cached *resolve(struct slg_recorder *r,
                                    const struct slg_record_options *options)
{
    size_t key_len = make_key(r, options);
    uint64_t hash = slg_hash_xxh3(r->key, key_len);
    struct cached *cached;
    size_t at;

    for (at = hash & (TABLE_SIZE - 1); r->table[at].cached != NULL;
         at = (at + 1) & (TABLE_SIZE - 1)) {
        cached = r->table[at].cached;
        if (r->table[at].hash == hash && cached->key_len == key_len &&
            memcmp(cached->key, r->key, key_len) == 0) {
            r->stats.hits++;
            return cached;
        }
    }
    r->stats.misses++;
    cached = r->cached_count < SLG_RECORD_STREAMS_MAX ? make_cached(r, options, key_len) : NULL;
    if (cached == NULL) { /* full: forgetting all is cheap and rare, and needs no order of use */
        slg_recorder_forget(r);
        r->stats.resets++;
        cached = make_cached(r, options, key_len);
        if (cached == NULL)
            return NULL;
        at = hash & (TABLE_SIZE - 1);
    }
    r->table[at] = (struct slot){ .hash = hash, .cached = cached };
    r->cached_count++;
    return cached;
}

/* ---- time ---- */

/* The entry of this source, or the least lately used of its set, emptied. */
static struct stamp_entry *find_stamps(struct slg_recorder *r, uint64_t key)
{
    struct stamp_entry *set = r->stamps[key & (STAMP_SETS - 1)];
    struct stamp_entry *oldest = &set[0];

    r->tick++;
    for (size_t way = 0; way < STAMP_WAYS; way++) {
        if (set[way].used != 0 && set[way].key == key) {
            set[way].used = r->tick;
            return &set[way];
        }
        if (set[way].used < oldest->used)
            oldest = &set[way];
    }
    *oldest = (struct stamp_entry){ .key = key, .used = r->tick };
    for (size_t i = 0; i < STAMP_BASES; i++) {
        oldest->recent[i].base = INT64_MIN;
        oldest->recent[i].last = INT64_MIN;
    }
    return oldest;
}

/* ts_ns, moved on by some ns when this source used it before (a hint for the order of lines, not their identity). */
static int64_t distinct_stamp(struct slg_recorder *r, const struct cached *cached,
                              const struct slg_record_source *source, int64_t ts_ns)
{
    struct stamp_entry *entry = find_stamps(
        r, slg_hash_xxh3_seeded(source->address.at, source->address.len, cached->stamp_seed));
    size_t last = STAMP_BASES - 1;

    for (size_t i = 0; i < STAMP_BASES; i++) {
        if (ts_ns >= entry->recent[i].base && ts_ns <= entry->recent[i].last) {
            entry->recent[i].last++;
            r->stats.stamps_moved++;
            return entry->recent[i].last;
        }
    }
    entry->recent[last] = entry->recent[0];
    entry->recent[0].base = ts_ns;
    entry->recent[0].last = ts_ns;
    return ts_ns;
}

/* The event time if it is believed, else the receive time; contracts: 24 h back, 5 min ahead by default. */
static int64_t choose_time(struct slg_recorder *r, const struct slg_record_options *options,
                           const struct slg_record_source *source, struct slg_record *record)
{
    const struct slg_syslog_message *m = &r->message;
    int64_t event_ns = m->event_ns;

    if ((m->flags & SLG_SYSLOG_TIME_MISSING) != 0 || options->use_receive_time)
        return source->receive_ns;
    if (event_ns >= source->receive_ns - options->back_ns &&
        event_ns <= source->receive_ns + options->ahead_ns)
        return event_ns;
    record->time_adjusted = true;
    r->values.field[SLG_FIELD_TIME_ADJUSTED] = m->time_text;
    return source->receive_ns;
}

/* ---- the record ---- */

static void add_metadata(struct slg_record *record, struct slg_label *items, size_t *bytes,
                         struct slg_text name, struct slg_text value)
{
    if (value.len == 0)
        return;
    if (record->metadata_count == SLG_METADATA_COUNT_MAX ||
        name.len + value.len > SLG_METADATA_BYTES_MAX - *bytes) {
        record->metadata_dropped++;
        return;
    }
    *bytes += name.len + value.len;
    items[record->metadata_count].name = name;
    items[record->metadata_count].value = value;
    record->metadata_count++;
}

static void emit_metadata(struct slg_recorder *r, const struct slg_record_options *options,
                          struct slg_record *record)
{
    const struct slg_rule_target *targets = slg_rules_fields(options->rules);
    const struct values *v = &r->values;
    size_t bytes = 0;

    for (size_t f = 0; f < SLG_FIELD_COUNT; f++) {
        const struct slg_rule_target *target = &targets[f];

        if (target->place == SLG_PLACE_METADATA)
            add_metadata(record, r->metadata, &bytes, target->name, v->field[f]);
    }
    for (size_t i = 0; i < v->sd_count; i++)
        add_metadata(record, r->metadata, &bytes, v->sd[i].name, v->sd[i].value);
    record->metadata = r->metadata;
}

enum slg_status slg_recorder_take(struct slg_recorder *r, const struct slg_record_options *options,
                                  const struct slg_record_source *source, const void *bytes,
                                  size_t len, struct slg_record *ret_record)
{
    struct slg_syslog_message *m = &r->message;
    bool truncated = source->truncated || len > SLG_LINE_BYTES_MAX;
    uint32_t metadata_dropped = 0;
    const struct cached *cached;

    slg_syslog_parse(&options->syslog, source->receive_ns, bytes,
                     len > SLG_LINE_BYTES_MAX ? SLG_LINE_BYTES_MAX : len, m);
    if (m->whole.len == 0)
        return SLG_AGAIN;
    slg_docker_apply(options->docker, m);
    collect_fields(options, source, truncated, m, &r->values);
    r->values.sd_count = 0;
    r->values.sd_label_count = 0;
    if (m->param_count > 0)
        metadata_dropped = collect_sd(r, options);
    cached = resolve(r, options);
    if (cached == NULL)
        return SLG_NO_MEMORY;
    /* Nothing fails from here on. The record is made in place: a copy right behind the writing of its parts would wait
     * for them (loads wider than the stores they follow). */
    *ret_record = (struct slg_record){ .stream = &cached->ref,
                                       .line = options->raw ? m->whole : m->text,
                                       .metadata_dropped = metadata_dropped,
                                       .flags = m->flags };
    if (cached->mail != SLG_MAIL_NONE) {
        r->values.field[SLG_FIELD_QUEUE_ID] = slg_mail_queue_id(cached->mail, m->text);
        r->values.field[SLG_FIELD_MESSAGE_ID] = slg_mail_message_id(cached->mail, m->text);
    }
    ret_record->ts_ns =
        distinct_stamp(r, cached, source, choose_time(r, options, source, ret_record));
    if (cached->masks != 0)
        ret_record->line =
            slg_masks_apply(options->masks, cached->masks, ret_record->line, r->line);
    emit_metadata(r, options, ret_record);
    return SLG_OK;
}
