/* The grouping half of merge.h: rows to streams. */
#include "logql/eval/label_pool.h"
#include "logql/plan/merge.h"
#include "proto/lz4.h"

#define PACK_LINE_BYTES_MIN ((size_t)1024)

struct rows {
    struct slg_stream_row *items;
    size_t count, capacity;
};

struct slg_streams {
    struct slg_arena *arena;
    bool categorize;
    struct slg_label_pool pool; /* labels of streams; metadata and parsed labels of rows */
    struct slg_memo stream_of;  /* label set -> index in streams */
    uint32_t *ids;              /* label set of each stream */
    struct rows *streams;
    size_t count, capacity;
    struct slg_label *items; /* scratch of one union */
    size_t item_capacity;
    size_t line_bytes, pack_after; /* lines so far; SIZE_MAX: never pack */
    uint8_t *packed;               /* scratch of one line */
    size_t packed_capacity;
};

struct slg_streams *slg_streams_create(struct slg_arena *arena, bool categorize)
{
    struct slg_streams *s = slg_arena_calloc(arena, 1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->arena = arena;
    s->categorize = categorize;
    s->pack_after = SIZE_MAX;
    slg_label_pool_init(&s->pool, arena);
    return s;
}

/* The union of three sets that have no name in common. */
static bool join_sets(struct slg_streams *s, const struct slg_row *row,
                      struct slg_label_set *ret_set)
{
    const struct slg_label_set *sets[3] = { &row->stream, &row->metadata, &row->parsed };
    size_t next[3] = { 0, 0, 0 };
    size_t total = row->stream.count + row->metadata.count + row->parsed.count;
    size_t count = 0;

    if (total > s->item_capacity) {
        s->items = slg_arena_alloc(s->arena, 2 * total * sizeof(*s->items));
        s->item_capacity = s->items == NULL ? 0 : 2 * total;
        if (s->items == NULL)
            return false;
    }
    while (count < total) {
        int best = -1;

        for (int k = 0; k < 3; k++) {
            if (next[k] < sets[k]->count &&
                (best < 0 || slg_text_compare(sets[k]->items[next[k]].name,
                                              sets[best]->items[next[best]].name) < 0))
                best = k;
        }
        SLG_ASSERT(best >= 0);
        s->items[count++] = sets[best]->items[next[best]++];
    }
    *ret_set = (struct slg_label_set){ .items = s->items, .count = count };
    return true;
}

static bool find_stream(struct slg_streams *s, uint32_t id, uint32_t *ret_index)
{
    *ret_index = slg_memo_get(&s->stream_of, id);
    if (*ret_index != SLG_MEMO_UNKNOWN)
        return true;
    if (s->count == s->capacity) {
        size_t capacity = s->capacity == 0 ? 16 : 2 * s->capacity;
        struct rows *streams =
            slg_arena_grow(s->arena, s->streams, s->count, capacity, sizeof(*streams));
        uint32_t *ids = slg_arena_grow(s->arena, s->ids, s->count, capacity, sizeof(*ids));

        if (streams == NULL || ids == NULL)
            return false;
        s->streams = streams;
        s->ids = ids;
        s->capacity = capacity;
    }
    s->ids[s->count] = id;
    s->streams[s->count] = (struct rows){ 0 };
    *ret_index = (uint32_t)s->count++;
    return slg_memo_put(&s->stream_of, s->arena, id, *ret_index);
}

static bool intern_set(struct slg_streams *s, const struct slg_label_set *set,
                       struct slg_label_set *ret_set)
{
    uint32_t id;

    if (!slg_label_pool_intern(&s->pool, set, &id))
        return false;
    *ret_set = *slg_label_pool_set(&s->pool, id);
    return true;
}

void slg_streams_pack(struct slg_streams *s, size_t after_bytes)
{
    s->pack_after = after_bytes;
}

/* A copy of the line in the arena, packed when that is asked for and worth it. */
static bool keep_line(struct slg_streams *s, struct slg_text line, struct slg_stream_row *row)
{
    size_t bound = slg_lz4_bound(line.len), len = line.len;
    const char *from = line.at, *copy;

    s->line_bytes += line.len;
    if (s->line_bytes > s->pack_after && line.len >= PACK_LINE_BYTES_MIN &&
        line.len <= SLG_BATCH_BYTES_MAX) {
        if (bound > s->packed_capacity) {
            s->packed = slg_arena_alloc(s->arena, 2 * bound);
            s->packed_capacity = s->packed == NULL ? 0 : 2 * bound;
            if (s->packed == NULL)
                return false;
        }
        len = slg_lz4_pack((const uint8_t *)line.at, line.len, s->packed, s->packed_capacity);
        if (len < line.len - line.len / 8) {
            from = (const char *)s->packed;
            row->unpacked_len = (uint32_t)line.len;
        } else {
            len = line.len;
        }
    }
    copy = slg_arena_copy(s->arena, from, len);
    row->line = slg_text_make(copy, len);
    return copy != NULL;
}

enum slg_status slg_stream_row_line(const struct slg_stream_row *row, struct slg_buf *scratch,
                                    struct slg_text *ret_line)
{
    if (row->unpacked_len == 0) {
        *ret_line = row->line;
        return SLG_OK;
    }
    slg_buf_clear(scratch);
    if (!slg_buf_reserve(scratch, row->unpacked_len) ||
        !slg_lz4_unpack((const uint8_t *)row->line.at, row->line.len, scratch->data,
                        row->unpacked_len))
        return SLG_LIMIT;
    *ret_line = slg_text_make((const char *)scratch->data, row->unpacked_len);
    return SLG_OK;
}

enum slg_status slg_streams_add(struct slg_streams *s, const struct slg_row *row)
{
    struct slg_stream_row copy = { .ts_ns = row->ts_ns };
    struct slg_label_set labels = row->stream;
    uint32_t id, index;
    struct rows *rows;

    if (s->categorize) {
        if (!intern_set(s, &row->metadata, &copy.metadata) ||
            !intern_set(s, &row->parsed, &copy.parsed))
            return SLG_LIMIT;
    } else if (!join_sets(s, row, &labels)) {
        return SLG_LIMIT;
    }
    if (!slg_label_pool_intern(&s->pool, &labels, &id) || !find_stream(s, id, &index))
        return SLG_LIMIT;
    if (!keep_line(s, row->line, &copy))
        return SLG_LIMIT;
    rows = &s->streams[index];
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 4 : 2 * rows->capacity;
        struct slg_stream_row *items =
            slg_arena_grow(s->arena, rows->items, rows->count, capacity, sizeof(*items));

        if (items == NULL)
            return SLG_LIMIT;
        rows->items = items;
        rows->capacity = capacity;
    }
    rows->items[rows->count++] = copy;
    return SLG_OK;
}

static int compare_streams(const void *a, const void *b)
{
    const struct slg_stream *x = a, *y = b;

    return slg_label_set_compare(&x->labels, &y->labels);
}

enum slg_status slg_streams_finish(struct slg_streams *s, const struct slg_stream **ret_streams,
                                   size_t *ret_count)
{
    struct slg_stream *streams = slg_arena_calloc(s->arena, s->count, sizeof(*streams));

    if (streams == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < s->count; i++)
        streams[i] = (struct slg_stream){ .labels = *slg_label_pool_set(&s->pool, s->ids[i]),
                                          .rows = s->streams[i].items,
                                          .row_count = s->streams[i].count };
    if (s->count > 0)
        qsort(streams, s->count, sizeof(*streams), compare_streams);
    *ret_streams = streams;
    *ret_count = s->count;
    return SLG_OK;
}
