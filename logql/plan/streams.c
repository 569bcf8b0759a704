/* The grouping half of merge.h: rows to streams. */
#include "logql/eval/label_pool.h"
#include "logql/plan/merge.h"

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
};

struct slg_streams *slg_streams_create(struct slg_arena *arena, bool categorize)
{
    struct slg_streams *s = slg_arena_calloc(arena, 1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->arena = arena;
    s->categorize = categorize;
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

enum slg_status slg_streams_add(struct slg_streams *s, const struct slg_row *row)
{
    struct slg_stream_row copy = { .ts_ns = row->ts_ns };
    struct slg_label_set labels = row->stream;
    uint32_t id, index;
    struct rows *rows;
    const char *line;

    if (s->categorize) {
        if (!intern_set(s, &row->metadata, &copy.metadata) ||
            !intern_set(s, &row->parsed, &copy.parsed))
            return SLG_LIMIT;
    } else if (!join_sets(s, row, &labels)) {
        return SLG_LIMIT;
    }
    if (!slg_label_pool_intern(&s->pool, &labels, &id) || !find_stream(s, id, &index))
        return SLG_LIMIT;
    line = slg_arena_copy(s->arena, row->line.at, row->line.len);
    if (line == NULL)
        return SLG_LIMIT;
    copy.line = slg_text_make(line, row->line.len);
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
