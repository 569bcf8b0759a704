#include "querier/tail_out.h"

#include <stdlib.h>

#include "querier/answer.h"

/* The largest row: a line and its labels, escaped, twice (labels stand in the stream and, parsed, in the row). */
#define MESSAGE_BYTES_MAX ((size_t)16 << 20)
#define READY_BYTES_MAX   ((size_t)32 << 20)
#define COMPACT_BYTES     ((size_t)64 * 1024)

struct slg_tail_out {
    struct slg_buf flags; /* ,"encodingFlags":["..."] */
    bool categorize;
    struct slg_buf message; /* in hand, without its end */
    size_t row_count;
    struct slg_buf labels;      /* of the row in hand, JSON */
    struct slg_buf last_labels; /* of the stream that is open in the message */
    struct slg_buf dropped;     /* items of dropped_entries, separated */
    size_t dropped_count;
    struct slg_buf ready; /* frames */
    size_t sent;          /* of ready */
};

struct slg_tail_out *slg_tail_out_create(struct slg_text encoding_flags, bool categorize)
{
    struct slg_tail_out *out = calloc(1, sizeof(*out));

    if (out == NULL)
        return NULL;
    out->categorize = categorize;
    slg_buf_init(&out->flags, 65536);
    slg_buf_init(&out->message, MESSAGE_BYTES_MAX);
    slg_buf_init(&out->labels, MESSAGE_BYTES_MAX);
    slg_buf_init(&out->last_labels, MESSAGE_BYTES_MAX);
    slg_buf_init(&out->dropped, MESSAGE_BYTES_MAX);
    slg_buf_init(&out->ready, READY_BYTES_MAX);
    if (encoding_flags.len > 0)
        slg_answer_flags(&out->flags, encoding_flags);
    return out;
}

void slg_tail_out_destroy(struct slg_tail_out *out)
{
    if (out == NULL)
        return;
    slg_buf_fini(&out->flags);
    slg_buf_fini(&out->message);
    slg_buf_fini(&out->labels);
    slg_buf_fini(&out->last_labels);
    slg_buf_fini(&out->dropped);
    slg_buf_fini(&out->ready);
    free(out);
}

/* ---- rows ---- */

/* The union of sets that have no name in common, sorted by name. */
static void print_union(struct slg_buf *out, const struct slg_label_set *const *sets, size_t count)
{
    size_t next[3] = { 0, 0, 0 };
    bool first = true;

    slg_buf_append_byte(out, '{');
    for (;;) {
        const struct slg_label *best = NULL;
        size_t from = 0;

        for (size_t k = 0; k < count; k++) {
            const struct slg_label *label;

            if (next[k] == sets[k]->count)
                continue;
            label = &sets[k]->items[next[k]];
            if (best != NULL && slg_text_compare(label->name, best->name) >= 0)
                continue;
            best = label;
            from = k;
        }
        if (best == NULL)
            break;
        next[from]++;
        if (!first)
            slg_buf_append_byte(out, ',');
        first = false;
        slg_buf_append_json(out, best->name.at, best->name.len);
        slg_buf_append_byte(out, ':');
        slg_buf_append_json(out, best->value.at, best->value.len);
    }
    slg_buf_append_byte(out, '}');
}

static void print_labels(struct slg_tail_out *out, const struct slg_row *row)
{
    const struct slg_label_set *sets[] = { &row->stream, &row->metadata, &row->parsed };

    slg_buf_clear(&out->labels);
    print_union(&out->labels, sets, out->categorize ? 1 : 3);
    if (slg_buf_failed(&out->labels))
        out->ready.failed = true; /* a row without its labels must not go out */
}

static bool same_stream(const struct slg_tail_out *out)
{
    return out->row_count > 0 && out->labels.len == out->last_labels.len &&
           memcmp(out->labels.data, out->last_labels.data, out->labels.len) == 0;
}

static void open_stream(struct slg_tail_out *out)
{
    struct slg_buf swap = out->last_labels;

    slg_buf_append_text(&out->message,
                        out->row_count == 0 ? "{\"streams\":[{\"stream\":" : "]},{\"stream\":");
    slg_buf_append(&out->message, out->labels.data, out->labels.len);
    slg_buf_append_text(&out->message, ",\"values\":[");
    out->last_labels = out->labels;
    out->labels = swap;
}

void slg_tail_out_row(struct slg_tail_out *out, const struct slg_row *row)
{
    print_labels(out, row);
    if (same_stream(out))
        slg_buf_append_byte(&out->message, ',');
    else
        open_stream(out);
    slg_buf_printf(&out->message, "[\"%lld\",", (long long)row->ts_ns);
    slg_buf_append_json(&out->message, row->line.at, row->line.len);
    if (out->categorize)
        slg_answer_categories(&out->message, &row->metadata, &row->parsed);
    slg_buf_append_byte(&out->message, ']');
    out->row_count++;
    if (out->row_count == SLG_TAIL_MESSAGE_ROW_MAX || out->message.len >= SLG_TAIL_MESSAGE_BYTES)
        slg_tail_out_flush(out);
}

void slg_tail_out_drop(struct slg_tail_out *out, const struct slg_row *row)
{
    if (out->dropped_count == SLG_TAIL_DROPPED_COUNT_MAX ||
        out->dropped.len >= SLG_TAIL_DROPPED_BYTES)
        return;
    print_labels(out, row);
    if (out->dropped_count > 0)
        slg_buf_append_byte(&out->dropped, ',');
    slg_buf_append_text(&out->dropped, "{\"labels\":");
    slg_buf_append(&out->dropped, out->labels.data, out->labels.len);
    slg_buf_printf(&out->dropped, ",\"timestamp\":\"%lld\"}", (long long)row->ts_ns);
    out->dropped_count++;
}

/* ---- frames ---- */

/* An empty buffer that one large row made large gives its memory back. */
static void forget_burst(struct slg_buf *buf)
{
    if (buf->capacity > SLG_TAIL_OUT_BYTES)
        slg_buf_fini(buf);
}

/* Forget what was sent, now and then: moving what is left costs. */
static void compact(struct slg_tail_out *out)
{
    size_t left = out->ready.len - out->sent;

    if (left > 0 && (out->sent < COMPACT_BYTES || out->sent < left))
        return;
    if (left > 0)
        memmove(out->ready.data, out->ready.data + out->sent, left);
    out->ready.len = left;
    out->sent = 0;
    if (left == 0 && !slg_buf_failed(&out->ready))
        forget_burst(&out->ready);
}

bool slg_tail_out_room(const struct slg_tail_out *out)
{
    return out->ready.len - out->sent < SLG_TAIL_OUT_BYTES;
}

void slg_tail_out_flush(struct slg_tail_out *out)
{
    if (out->row_count == 0 && (out->dropped_count == 0 || !slg_tail_out_room(out)))
        return;
    slg_buf_append_text(&out->message, out->row_count == 0 ? "{\"streams\":[]" : "]}]");
    slg_buf_append(&out->message, out->flags.data, out->flags.len);
    if (out->dropped_count > 0) {
        slg_buf_append_text(&out->message, ",\"dropped_entries\":[");
        slg_buf_append(&out->message, out->dropped.data, out->dropped.len);
        slg_buf_append_byte(&out->message, ']');
    }
    slg_buf_append_byte(&out->message, '}');
    compact(out);
    if (slg_buf_failed(&out->message) || slg_buf_failed(&out->dropped))
        out->ready.failed = true;
    slg_websocket_encode(&out->ready, SLG_WEBSOCKET_TEXT, NULL, out->message.data,
                         out->message.len);
    slg_buf_clear(&out->message);
    slg_buf_clear(&out->dropped);
    forget_burst(&out->message);
    out->row_count = 0;
    out->dropped_count = 0;
}

void slg_tail_out_control(struct slg_tail_out *out, enum slg_websocket_opcode opcode,
                          const void *payload, size_t len)
{
    compact(out);
    slg_websocket_encode(&out->ready, opcode, NULL, payload, len);
}

void slg_tail_out_close(struct slg_tail_out *out, unsigned code, const char *reason)
{
    compact(out);
    slg_websocket_encode_close(&out->ready, NULL, code, reason);
}

struct slg_text slg_tail_out_pending(const struct slg_tail_out *out)
{
    if (out->ready.len == out->sent)
        return slg_text_make("", 0);
    return slg_text_make(out->ready.data + out->sent, out->ready.len - out->sent);
}

void slg_tail_out_sent(struct slg_tail_out *out, size_t len)
{
    SLG_ASSERT(len <= out->ready.len - out->sent);
    out->sent += len;
    compact(out);
}

bool slg_tail_out_failed(const struct slg_tail_out *out)
{
    return slg_buf_failed(&out->ready);
}
