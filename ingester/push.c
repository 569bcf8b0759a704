#include "ingester/push.h"

#include <stdarg.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "ingester/level.h"
#include "ingester/push_request.h"
#include "ingester/zone.h"

#define LABELS_SHOWN_MAX ((size_t)256) /* bytes of a stream's labels in a text */
#define LABEL_SHOWN_MAX  64            /* bytes of one name or value */
#define TEXT_BYTES_MAX   ((size_t)640) /* of one refusal */

/* One refusal, and how often it came. */
struct refusal {
    uint64_t count;
    char text[TEXT_BYTES_MAX];
};

struct decoder {
    const struct slg_push_options *options;
    struct slg_arena *arena;
    struct slg_push_request request;
    slg_push_take_fn *take;
    void *ctx;
    struct slg_push_result *result;
    struct slg_error *reterr;
    struct refusal *refusals; /* SLG_PUSH_TEXTS_MAX of them, once there is one */
    size_t refusal_count;
    uint64_t untold; /* refusals whose text found no place */
    uint64_t next_serial;
};

void slg_push_options_init(struct slg_push_options *options)
{
    *options = (struct slg_push_options){
        .line_bytes_max = SLG_LINE_BYTES_MAX,
        .label_count_max = 15, /* Loki's max_label_names_per_series */
        .raw_bytes_max = (size_t)16 * 1024 * 1024,
        .oldest_ns = INT64_MIN,
        .newest_ns = INT64_MAX,
        .discover_service_name = true,
        .discover_levels = true,
    };
}

/* ---- arrays of the request ---- */

/* Room for one more of item_size in *items; NULL: over the budget. */
static void *add_item(struct slg_arena *arena, void **items, size_t *count, size_t *capacity,
                      size_t count_max, size_t item_size)
{
    void *added;

    if (*count == *capacity) {
        size_t more = *capacity == 0 ? 16 : *capacity * 2;
        void *grown;

        if (*count >= count_max)
            return NULL;
        grown = slg_arena_grow(arena, *items, *capacity, more, item_size);
        if (grown == NULL)
            return NULL;
        *items = grown;
        *capacity = more;
    }
    added = (char *)*items + *count * item_size;
    memset(added, 0, item_size);
    *count += 1;
    return added;
}

struct slg_push_stream *slg_push_add_stream(struct slg_push_request *request)
{
    void *items = request->streams;
    void *added =
        add_item(request->arena, &items, &request->stream_count, &request->stream_capacity,
                 SLG_PUSH_STREAM_COUNT_MAX, sizeof(*request->streams));

    request->streams = items;
    return added;
}

struct slg_push_line *slg_push_add_line(struct slg_push_request *request)
{
    void *items = request->lines;
    void *added = add_item(request->arena, &items, &request->line_count, &request->line_capacity,
                           SLG_PUSH_ENTRY_COUNT_MAX, sizeof(*request->lines));

    request->lines = items;
    return added;
}

struct slg_label *slg_push_add_label(struct slg_push_request *request)
{
    void *items = request->labels;
    void *added = add_item(request->arena, &items, &request->label_count, &request->label_capacity,
                           SIZE_MAX, sizeof(*request->labels));

    request->labels = items;
    return added;
}

struct slg_label *slg_push_add_metadata(struct slg_push_request *request)
{
    void *items = request->metadata;
    void *added = add_item(request->arena, &items, &request->metadata_count,
                           &request->metadata_capacity, SIZE_MAX, sizeof(*request->metadata));

    request->metadata = items;
    return added;
}

/* ---- refusals ---- */

static void reject(struct decoder *d, enum slg_push_reason reason, uint64_t count,
                   const char *format, ...) SLG_PRINTF(4, 5);

static void reject(struct decoder *d, enum slg_push_reason reason, uint64_t count,
                   const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;
    size_t i = 0;

    d->result->rejected[reason] += count;
    d->result->rejected_count += count;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* cut when too long */
    va_end(args);
    if (d->refusals == NULL)
        d->refusals = slg_arena_calloc(d->arena, SLG_PUSH_TEXTS_MAX, sizeof(*d->refusals));
    while (i < d->refusal_count && strcmp(d->refusals[i].text, text) != 0)
        i++;
    if (d->refusals == NULL || i == SLG_PUSH_TEXTS_MAX) {
        d->untold++;
        return;
    }
    if (i == d->refusal_count) {
        memcpy(d->refusals[i].text, text, sizeof(text));
        d->refusal_count++;
    }
    d->refusals[i].count++;
}

/* Loki's util.GroupedErrors: one alone as it is, else `2 errors like: ..; 1 errors like: ..`. */
static void compose_message(const struct decoder *d)
{
    char *message = d->result->message;
    size_t room = SLG_PUSH_MESSAGE_MAX;
    size_t len = 0;

    if (d->refusal_count == 1 && d->refusals[0].count == 1 && d->untold == 0) {
        (void)snprintf(message, room, "%s", d->refusals[0].text); /* it fits */
        return;
    }
    for (size_t i = 0; i < d->refusal_count && len < room; i++)
        len += (size_t)snprintf(message + len, room - len, "%s%llu errors like: %s",
                                i == 0 ? "" : "; ", (unsigned long long)d->refusals[i].count,
                                d->refusals[i].text);
    if (d->untold > 0 && len < room)
        (void)snprintf(message + len, room - len, "%s%llu more", len == 0 ? "" : "; ",
                       (unsigned long long)d->untold);
}

/* The stream as {a="b"} for a text, cut; in the arena. */
static const char *show_labels(struct decoder *d, const struct slg_label_set *set)
{
    struct slg_buf buf;
    const char *shown;

    slg_buf_init(&buf, SLG_LABEL_SET_BYTES_MAX * 8);
    slg_label_print(&buf, set);
    shown = slg_buf_failed(&buf)
                ? NULL
                : slg_arena_copy(d->arena, buf.data,
                                 buf.len < LABELS_SHOWN_MAX ? buf.len : LABELS_SHOWN_MAX);
    slg_buf_fini(&buf);
    return shown == NULL ? "{...}" : shown;
}

/* RFC 3339 in UTC, whole seconds, as Loki prints times in these texts. */
static void show_time(int64_t ts_ns, char out[32])
{
    int64_t second = ts_ns / SLG_NS_PER_SEC - (ts_ns % SLG_NS_PER_SEC < 0 ? 1 : 0);
    int64_t days = second / 86400 - (second % 86400 < 0 ? 1 : 0);
    int64_t rest = second - days * 86400;
    int64_t year;
    unsigned month;
    unsigned day;

    slg_zone_civil_from_days(days, &year, &month, &day);
    (void)snprintf(out, 32, "%04d-%02u-%02uT%02u:%02u:%02uZ", (int)year, month, day,
                   (unsigned)(rest / 3600), (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
}

/* ---- labels ---- */

/* Label values go into JSON and come back in queries: bytes that are not UTF-8 become U+FFFD now. */
static bool repair_utf8(struct slg_arena *arena, struct slg_text *text)
{
    const uint8_t *bytes = (const uint8_t *)text->at;
    size_t len = 0;
    size_t step;
    char *out;
    size_t i = 0;

    while (i < text->len && slg_utf8_check(bytes + i, text->len - i, &step))
        i += step;
    if (i == text->len)
        return true;
    out = slg_arena_alloc(arena, text->len * 3);
    if (out == NULL)
        return false;
    for (i = 0; i < text->len; i += step) {
        bool good = slg_utf8_check(bytes + i, text->len - i, &step);
        size_t out_step = good ? step : 3;

        memcpy(out + len, good ? text->at + i : "\xEF\xBF\xBD", out_step);
        len += out_step;
    }
    *text = slg_text_make(out, len);
    return true;
}

/* Loki's discover_service_name, its default order. */
static struct slg_text discover_service(const struct slg_label_set *set)
{
    static const char *const names[] = {
        "service",
        "app",
        "application",
        "app_name",
        "name",
        "app_kubernetes_io_name",
        "container",
        "container_name",
        "k8s_container_name",
        "component",
        "workload",
        "job",
        "k8s_job_name",
    };
    struct slg_text value;

    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        if (slg_label_get(set, slg_text_of(names[i]), &value))
            return value;
    }
    return slg_text_of("unknown_service");
}

/* The pairs of a JSON stream in the arena, with room for one more; names checked as the label parser would. LIMIT: the
 * arena. */
static enum slg_status json_pairs(struct decoder *d, const struct slg_push_stream *stream,
                                  struct slg_label **ret_items, struct slg_error *error)
{
    struct slg_label *items;
    size_t count = stream->label_count;

    if (!stream->has_labels)
        return slg_errorf(error, SLG_MALFORMED, "the stream has no labels");
    items = slg_arena_alloc(d->arena, (count + 1) * sizeof(*items));
    if (items == NULL)
        return SLG_LIMIT;
    if (count > 0)
        memcpy(items, d->request.labels + stream->label_first, count * sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        if (!slg_label_name_valid(items[i].name))
            return slg_errorf(error, SLG_MALFORMED, "\"%.*s\" is not a label name",
                              (int)(items[i].name.len < 64 ? items[i].name.len : 64),
                              items[i].name.at);
        if (!repair_utf8(d->arena, &items[i].value))
            return SLG_LIMIT;
    }
    *ret_items = items;
    return SLG_OK;
}

/* Those of the protobuf form; the same promises. */
static enum slg_status text_pairs(struct decoder *d, const struct slg_push_stream *stream,
                                  struct slg_label **ret_items, size_t *ret_count,
                                  struct slg_error *error)
{
    struct slg_label *given;
    struct slg_label *items;
    enum slg_status status =
        slg_label_parse_pairs(d->arena, stream->label_text, &given, ret_count, error);

    if (status != SLG_OK)
        return status;
    items = slg_arena_alloc(d->arena, (*ret_count + 1) * sizeof(*items));
    if (items == NULL)
        return SLG_LIMIT;
    if (*ret_count > 0)
        memcpy(items, given, *ret_count * sizeof(*items));
    *ret_items = items;
    return SLG_OK;
}

/* In JSON a name that comes twice is one label, the last; what is left empty is none. Returns the count. */
static size_t unite_labels(struct slg_label *items, size_t count, bool json)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        bool again = json && i + 1 < count && slg_text_equal(items[i].name, items[i + 1].name);

        if (!again && items[i].value.len > 0)
            items[kept++] = items[i];
    }
    return kept;
}

/* The labels of a stream, sorted, with service_name. OK, MALFORMED with a text, LIMIT: the arena. */
static enum slg_status collect_labels(struct decoder *d, const struct slg_push_stream *stream,
                                      struct slg_label **ret_items, size_t *ret_count,
                                      struct slg_error *error)
{
    bool json = stream->label_text.at == NULL;
    struct slg_label *items = NULL;
    size_t count = stream->label_count;
    struct slg_label_set set;
    struct slg_text service;
    enum slg_status status =
        json ? json_pairs(d, stream, &items, error) : text_pairs(d, stream, &items, &count, error);

    if (status != SLG_OK)
        return status;
    if (count > SLG_LABEL_INPUT_COUNT_MAX)
        count = unite_labels(items, count, /* json= */ false); /* the empty ones go first */
    if (count <= SLG_LABEL_INPUT_COUNT_MAX) {
        slg_label_sort(items, count);
        count = unite_labels(items, count, json);
    }
    set = (struct slg_label_set){ .items = items, .count = count };
    if (d->options->discover_service_name && count <= SLG_LABEL_INPUT_COUNT_MAX &&
        !slg_label_get(&set, slg_text_of("service_name"), &service)) {
        items[count].value = discover_service(&set);
        items[count++].name = slg_text_of("service_name");
        slg_label_sort(items, count);
    }
    *ret_items = items;
    *ret_count = count;
    return SLG_OK;
}

static bool is_reserved(const struct slg_label_set *set)
{
    struct slg_text job;

    return slg_label_get(set, slg_text_of("job"), &job) && slg_text_equal_to(job, "silage");
}

/* The first label that breaks a rule, in their order. False: rejected. */
static bool check_each_label(struct decoder *d, const struct slg_label_set *set,
                             uint64_t entry_count)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct slg_label *label = &set->items[i];

        if (label->name.len > SLG_LABEL_NAME_BYTES_MAX)
            reject(d, SLG_PUSH_LABEL_NAME_TOO_LONG, entry_count,
                   "stream '%s' has label name too long: '%.*s'", show_labels(d, set),
                   LABEL_SHOWN_MAX, label->name.at);
        else if (label->value.len > SLG_LABEL_VALUE_BYTES_MAX)
            reject(d, SLG_PUSH_LABEL_VALUE_TOO_LONG, entry_count,
                   "stream '%s' has label value too long: '%.*s'", show_labels(d, set),
                   LABEL_SHOWN_MAX, label->value.at);
        else if (i > 0 && slg_text_equal(label->name, set->items[i - 1].name))
            reject(d, SLG_PUSH_DUPLICATE_LABEL, entry_count,
                   "stream '%s' has duplicate label name: '%.*s'", show_labels(d, set),
                   (int)label->name.len, label->name.at);
        else
            continue;
        return false;
    }
    return true;
}

/* Loki's ValidateLabels, in its order. False: rejected. */
static bool check_labels(struct decoder *d, const struct slg_label_set *set, uint64_t entry_count)
{
    struct slg_text service;
    size_t count = set->count;

    if (slg_label_get(set, slg_text_of("service_name"), &service))
        count--;
    if (set->count == 0)
        reject(d, SLG_PUSH_MISSING_LABELS, entry_count,
               "error at least one label pair is required per stream");
    else if (count > d->options->label_count_max)
        reject(d, SLG_PUSH_TOO_MANY_LABELS, entry_count,
               "entry for stream '%s' has %zu label names; limit %zu", show_labels(d, set), count,
               d->options->label_count_max);
    else if (!check_each_label(d, set, entry_count))
        return false;
    else if (is_reserved(set))
        reject(d, SLG_PUSH_RESERVED, entry_count,
               "stream '%s' uses job=\"silage\", which only Silage itself writes",
               show_labels(d, set));
    else
        return true;
    return false;
}

static void reject_unreadable(struct decoder *d, const struct slg_push_stream *stream,
                              const struct slg_error *error)
{
    struct slg_text text =
        stream->label_text.at == NULL ? slg_text_of("{...}") : stream->label_text;

    reject(d, SLG_PUSH_INVALID_LABELS, stream->entry_count,
           "error parsing labels '%.*s' with error: %s",
           (int)(text.len < LABELS_SHOWN_MAX ? text.len : LABELS_SHOWN_MAX), text.at,
           error->message);
}

/* The stream with service_name, encoded. OK with *ret_ref NULL: rejected. */
static enum slg_status resolve_stream(struct decoder *d, const struct slg_push_stream *stream,
                                      struct slg_stream_ref **ret_ref)
{
    struct slg_error error = { .message = "" };
    struct slg_stream_ref *ref;
    struct slg_label *items;
    struct slg_buf buf;
    size_t count;
    enum slg_status status = collect_labels(d, stream, &items, &count, &error);

    *ret_ref = NULL;
    if (status == SLG_LIMIT)
        return slg_errorf(d->reterr, SLG_LIMIT, "the push needs too much memory");
    if (status != SLG_OK) {
        reject_unreadable(d, stream, &error);
        return SLG_OK;
    }
    if (!check_labels(d, &(struct slg_label_set){ .items = items, .count = count },
                      stream->entry_count))
        return SLG_OK;
    if (slg_label_normalize(items, count, &count, &error) != SLG_OK) {
        reject_unreadable(d, stream, &error);
        return SLG_OK;
    }
    ref = slg_arena_calloc(d->arena, 1, sizeof(*ref));
    if (ref == NULL)
        return slg_errorf(d->reterr, SLG_LIMIT, "the push needs too much memory");
    ref->labels = (struct slg_label_set){ .items = items, .count = count };
    slg_buf_init(&buf, SLG_LABEL_SET_BYTES_MAX * 2);
    slg_label_encode(&buf, &ref->labels);
    if (slg_buf_failed(&buf)) {
        slg_buf_fini(&buf);
        return slg_errorf(d->reterr, SLG_NO_MEMORY, "no memory for a label set");
    }
    ref->id = slg_stream_id_of(d->options->tenant, buf.data, buf.len);
    ref->canonical = (const uint8_t *)slg_arena_copy(d->arena, buf.data, buf.len);
    ref->canonical_len = buf.len;
    ref->serial = d->next_serial++;
    slg_buf_fini(&buf);
    if (ref->canonical == NULL)
        return slg_errorf(d->reterr, SLG_LIMIT, "the push needs too much memory");
    *ret_ref = ref;
    return SLG_OK;
}

/* ---- entries ---- */

/* Loki's ValidateEntry, in its order. False: rejected. */
static bool check_entry(struct decoder *d, const struct slg_label_set *set,
                        const struct slg_push_line *line)
{
    const struct slg_push_options *o = d->options;
    size_t bytes = 0;
    char at[32];
    char oldest[32];

    for (size_t i = 0; i < line->metadata_count; i++) {
        const struct slg_label *item = &d->request.metadata[line->metadata_first + i];

        bytes += item->name.len + item->value.len;
    }
    if (line->ts_ns < o->oldest_ns) {
        show_time(line->ts_ns, at);
        show_time(o->oldest_ns, oldest);
        reject(d, SLG_PUSH_TOO_OLD, 1,
               "entry for stream '%s' has timestamp too old: %s, oldest acceptable timestamp is: "
               "%s",
               show_labels(d, set), at, oldest);
    } else if (line->ts_ns > o->newest_ns) {
        show_time(line->ts_ns, at);
        reject(d, SLG_PUSH_TOO_NEW, 1, "entry for stream '%s' has timestamp too new: %s",
               show_labels(d, set), at);
    } else if (line->line.len > o->line_bytes_max) {
        reject(d, SLG_PUSH_LINE_TOO_LONG, 1,
               "Max entry size '%zu' bytes exceeded for stream '%s' while adding an entry with "
               "length '%zu' bytes",
               o->line_bytes_max, show_labels(d, set), line->line.len);
    } else if (bytes > SLG_METADATA_BYTES_MAX) {
        reject(d, SLG_PUSH_METADATA_TOO_LARGE, 1,
               "stream '%s' has structured metadata too large: '%zu' bytes, limit: '%zu' bytes",
               show_labels(d, set), bytes, SLG_METADATA_BYTES_MAX);
    } else if (line->metadata_count > SLG_METADATA_COUNT_MAX) {
        reject(d, SLG_PUSH_METADATA_TOO_MANY, 1,
               "stream '%s' has too many structured metadata labels: '%zu', limit: '%zu'",
               show_labels(d, set), line->metadata_count, SLG_METADATA_COUNT_MAX);
    } else {
        return true;
    }
    return false;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters and digits with single '_' between them. */
static bool is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_alphanumeric(text[i]) && (text[i] != '_' || (i > 0 && text[i - 1] == '_')))
            return false;
    }
    return true;
}

/* user.id -> user_id, a..b -> a_b, 2xx -> key_2xx, __x.y__ -> __x_y__, as Loki's label namer does. False: the arena is
 * full. */
static bool metadata_name(struct slg_arena *arena, struct slg_text *name)
{
    bool digit = name->at[0] >= '0' && name->at[0] <= '9';
    bool reserved = name->len >= 4 && memcmp(name->at, "__", 2) == 0 &&
                    memcmp(name->at + name->len - 2, "__", 2) == 0;
    size_t edge = reserved ? 2 : 0;
    size_t len = digit ? 4 : edge;
    char *out;

    if (!digit && is_clean(name->at + edge, name->len - 2 * edge))
        return true;
    out = slg_arena_alloc(arena, name->len + 4);
    if (out == NULL)
        return false;
    memcpy(out, digit ? "key_" : "__", len);
    for (size_t i = edge; i < name->len - edge; i++) {
        bool good = is_alphanumeric(name->at[i]);

        if (good || i == edge || is_alphanumeric(name->at[i - 1]))
            out[len++] = good ? name->at[i] : '_';
    }
    memcpy(out + len, "__", edge);
    *name = slg_text_make(out, len + edge);
    return true;
}

/* Metadata under its final names, each once, none empty: the last value wins, but as in Loki a name as sent never wins
 * over one that was changed to it. SIZE_MAX: the arena is full. */
static size_t collect_metadata(struct decoder *d, const struct slg_push_line *line,
                               struct slg_label *items)
{
    bool changed[SLG_METADATA_COUNT_MAX + 1];
    size_t count = 0;

    for (size_t i = 0; i < line->metadata_count; i++) {
        const struct slg_label *sent = &d->request.metadata[line->metadata_first + i];
        struct slg_label item = *sent;
        size_t at = 0;
        bool change;

        if (item.name.len == 0 || item.value.len == 0)
            continue;
        if (!metadata_name(d->arena, &item.name))
            return SIZE_MAX;
        change = item.name.at != sent->name.at;
        while (at < count && !slg_text_equal(items[at].name, item.name))
            at++;
        if (at < count && changed[at] && !change)
            continue;
        items[at] = item;
        changed[at] = change;
        if (at == count)
            count++;
    }
    return count;
}

static enum slg_status hand_out(struct decoder *d, const struct slg_stream_ref *ref, uint32_t masks,
                                const struct slg_push_line *line)
{
    struct slg_label items[SLG_METADATA_COUNT_MAX + 1];
    struct slg_push_entry entry = { .stream = ref, .ts_ns = line->ts_ns, .line = line->line };
    size_t count = collect_metadata(d, line, items);
    struct slg_text level;
    size_t replace;
    enum slg_status status;

    if (count == SIZE_MAX)
        return slg_errorf(d->reterr, SLG_LIMIT, "the push needs too much memory");
    if (d->options->discover_levels &&
        slg_level_discover(&ref->labels, items, count, line->line, &level, &replace)) {
        if (replace != SIZE_MAX) {
            items[replace].value = level;
        } else if (count < SLG_METADATA_COUNT_MAX) {
            items[count].name = slg_text_of("detected_level");
            items[count].value = level;
            count++;
        }
    }
    if (masks != 0) {
        char *scratch = slg_arena_alloc(d->arena, line->line.len);

        if (scratch == NULL)
            return slg_errorf(d->reterr, SLG_LIMIT, "the push needs too much memory");
        entry.line = slg_masks_apply(d->options->masks, masks, line->line, scratch);
    }
    entry.metadata =
        (const struct slg_label *)(void *)slg_arena_copy(d->arena, items, count * sizeof(items[0]));
    entry.metadata_count = count;
    if (entry.metadata == NULL)
        return slg_errorf(d->reterr, SLG_LIMIT, "the push needs too much memory");
    status = d->take(d->ctx, &entry);
    if (status == SLG_OK) {
        d->result->entry_count++;
        d->result->line_bytes += entry.line.len;
    }
    return status;
}

static enum slg_status deliver_stream(struct decoder *d, const struct slg_push_stream *stream)
{
    struct slg_stream_ref *ref;
    enum slg_status status;
    struct slg_text app = { "", 0 };
    uint32_t masks;

    if (stream->entry_count == 0)
        return SLG_OK;
    status = resolve_stream(d, stream, &ref);
    if (status != SLG_OK || ref == NULL)
        return status;
    if (!slg_label_get(&ref->labels, slg_text_of("app"), &app))
        (void)slg_label_get(&ref->labels, slg_text_of("service_name"), &app); /* empty: unknown */
    masks = slg_masks_select(d->options->masks, app);
    for (size_t i = 0; i < stream->entry_count && status == SLG_OK; i++) {
        const struct slg_push_line *line = &d->request.lines[stream->entry_first + i];

        /* No scratch is taken back: entries live as long as the arena, and the taker may use it too. */
        if (check_entry(d, &ref->labels, line))
            status = hand_out(d, ref, masks, line);
    }
    return status;
}

enum slg_status slg_push_decode(const struct slg_push_options *options, enum slg_push_format format,
                                struct slg_arena *arena, uint8_t *body, size_t len,
                                slg_push_take_fn *take, void *ctx,
                                struct slg_push_result *ret_result, struct slg_error *reterr)
{
    struct decoder d = { .options = options,
                         .arena = arena,
                         .request = { .arena = arena },
                         .take = take,
                         .ctx = ctx,
                         .result = ret_result,
                         .reterr = reterr,
                         .next_serial = 1 };
    enum slg_status status = SLG_OK;

    memset(ret_result, 0, sizeof(*ret_result));
    switch (format) {
    case SLG_PUSH_JSON:
        status = slg_push_read_json(&d.request, body, len, reterr);
        break;
    case SLG_PUSH_PROTOBUF:
        status = slg_push_read_protobuf(&d.request, body, len, options->raw_bytes_max, reterr);
        break;
    }
    ret_result->stream_count = d.request.stream_count;
    for (size_t i = 0; i < d.request.stream_count && status == SLG_OK; i++)
        status = deliver_stream(&d, &d.request.streams[i]);
    if (ret_result->rejected_count > 0)
        compose_message(&d);
    return status;
}
