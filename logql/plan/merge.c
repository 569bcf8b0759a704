#include "logql/plan/merge.h"

#include "logql/eval/series.h"

bool slg_row_before(enum slg_direction direction, const struct slg_row *a, const struct slg_row *b)
{
    bool forward = direction == SLG_FORWARD;
    int order;

    if (a->ts_ns != b->ts_ns)
        return (a->ts_ns < b->ts_ns) == forward;
    if (a->stream_hash != b->stream_hash)
        return a->stream_hash < b->stream_hash;
    order = slg_batch_order(a->batch, b->batch);
    if (order != 0)
        return (order < 0) == forward;
    return a->position != b->position && (a->position < b->position) == forward;
}

static bool is_same_entry(const struct slg_row *a, const struct slg_row *b)
{
    return a->ts_ns == b->ts_ns && a->position == b->position &&
           slg_batch_order(a->batch, b->batch) == 0;
}

struct source {
    struct slg_arena *arena; /* the page that is being read */
    const struct slg_row *rows;
    size_t count, next;
    bool more; /* another page follows */
};

struct slg_merge {
    struct slg_merge_params params;
    struct source *sources;
    /* Sources with a row ready, the next one on top. Sources without are those in `starved`. */
    uint32_t *heap;
    size_t heap_count;
    uint32_t *starved;
    size_t starved_count;
    bool has_last;
    uint32_t advance; /* source of the row given last + 1: moved on at the next call */
    struct slg_row last;
    struct slg_batch_id last_batch; /* what last.batch points to */
    int64_t thinned_ns;             /* the last row that an interval let through */
    bool has_thinned;
    uint64_t row_count;
};

enum slg_status slg_merge_create(const struct slg_merge_params *params,
                                 struct slg_merge **ret_merge, struct slg_error *reterr)
{
    struct slg_merge *m = calloc(1, sizeof(*m));
    size_t count = params->source_count;

    if (m == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    m->params = *params;
    m->sources = calloc(count + 1, sizeof(*m->sources));
    m->heap = calloc(count + 1, sizeof(*m->heap));
    m->starved = calloc(count + 1, sizeof(*m->starved));
    if (m->sources == NULL || m->heap == NULL || m->starved == NULL || count >= UINT32_MAX) {
        slg_merge_destroy(m);
        return slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < count; i++)
        m->starved[i] = (uint32_t)i;
    m->starved_count = count;
    *ret_merge = m;
    return SLG_OK;
}

void slg_merge_destroy(struct slg_merge *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; m->sources != NULL && i < m->params.source_count; i++)
        slg_arena_destroy(m->sources[i].arena);
    free(m->sources);
    free(m->heap);
    free(m->starved);
    free(m);
}

static bool comes_before(const struct slg_merge *m, uint32_t a, uint32_t b)
{
    const struct source *x = &m->sources[a], *y = &m->sources[b];
    const struct slg_row *next_x = &x->rows[x->next], *next_y = &y->rows[y->next];

    if (slg_row_before(m->params.direction, next_x, next_y))
        return true;
    return a < b && !slg_row_before(m->params.direction, next_y, next_x);
}

static void sift_down(struct slg_merge *m, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        uint32_t source = m->heap[at];

        if (child >= m->heap_count)
            return;
        if (child + 1 < m->heap_count && comes_before(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (!comes_before(m, m->heap[child], source))
            return;
        m->heap[at] = m->heap[child];
        m->heap[child] = source;
        at = child;
    }
}

static void push_heap(struct slg_merge *m, uint32_t source)
{
    size_t at = m->heap_count++;

    m->heap[at] = source;
    while (at > 0 && comes_before(m, source, m->heap[(at - 1) / 2])) {
        m->heap[at] = m->heap[(at - 1) / 2];
        at = (at - 1) / 2;
        m->heap[at] = source;
    }
}

static void forget_starved(struct slg_merge *m, size_t source_index)
{
    for (size_t i = 0; i < m->starved_count; i++) {
        if (m->starved[i] == source_index) {
            m->starved[i] = m->starved[--m->starved_count];
            return;
        }
    }
    SLG_ASSERT(m->starved_count > m->params.source_count); /* fed a source that was not asked for */
}

/* Budget of one source's page: the bytes and what decoding makes of them. */
static bool copy_body(struct slg_merge *m, struct source *source, const void **body, size_t len)
{
    size_t share = m->params.memory_bytes_max / (m->params.source_count + 1);

    if (share < SLG_PAGE_BYTES_MAX)
        share = SLG_PAGE_BYTES_MAX; /* many sources: a page must fit */
    if (share > m->params.memory_bytes_max)
        share = m->params.memory_bytes_max;
    if (source->arena == NULL)
        source->arena = slg_arena_create(share + 16 * SLG_PAGE_BYTES_MAX);
    if (source->arena == NULL)
        return false;
    slg_arena_reset(source->arena);
    *body = slg_arena_copy(source->arena, *body, len);
    return *body != NULL;
}

enum slg_status slg_merge_feed(struct slg_merge *m, size_t source_index, const void *body,
                               size_t len, bool more, struct slg_error *reterr)
{
    struct source *source = &m->sources[source_index];
    struct slg_page page;
    enum slg_status status;

    SLG_ASSERT(source_index < m->params.source_count);
    SLG_ASSERT(source->next == source->count);
    if (!copy_body(m, source, &body, len))
        return slg_errorf(reterr, SLG_LIMIT, "a page of %zu bytes is over the query's memory", len);
    status = slg_page_decode(source->arena, body, len, &page, reterr);
    if (status != SLG_OK)
        return status;
    if (page.kind == SLG_PAGE_ERROR)
        return slg_errorf(reterr, SLG_INVALID, "%.*s", (int)page.error.len, page.error.at);
    if (page.kind != SLG_PAGE_LOG)
        return slg_errorf(reterr, SLG_MALFORMED, "page of a log query has kind %u",
                          (unsigned)page.kind);
    source->rows = page.rows;
    source->count = page.row_count;
    source->next = 0;
    source->more = more;
    if (source->count > 0) {
        forget_starved(m, source_index);
        push_heap(m, (uint32_t)source_index);
    } else if (!more) {
        slg_merge_close(m, source_index);
    }
    return SLG_OK;
}

void slg_merge_close(struct slg_merge *m, size_t source_index)
{
    struct source *source = &m->sources[source_index];

    SLG_ASSERT(source->next == source->count);
    forget_starved(m, source_index);
    slg_arena_destroy(source->arena);
    *source = (struct source){ 0 };
}

/* Leave the row that was given at the last call. */
static void advance(struct slg_merge *m)
{
    uint32_t index = m->advance - 1;
    struct source *source = &m->sources[index];

    m->advance = 0;
    source->next++;
    if (source->next < source->count) {
        sift_down(m, 0);
        return;
    }
    m->heap[0] = m->heap[--m->heap_count];
    if (m->heap_count > 0)
        sift_down(m, 0);
    m->starved[m->starved_count++] = index;
    if (!source->more)
        slg_merge_close(m, index);
}

/* The first row at or after the previous one + interval (backward: at or before it - interval). */
static bool passes_interval(struct slg_merge *m, const struct slg_row *row)
{
    int64_t interval = m->params.interval_ns;
    int64_t bound;

    if (interval <= 0)
        return true;
    if (m->has_thinned) {
        if (m->params.direction == SLG_FORWARD) {
            if (!__builtin_add_overflow(m->thinned_ns, interval, &bound) && row->ts_ns < bound)
                return false;
        } else if (!__builtin_sub_overflow(m->thinned_ns, interval, &bound) && row->ts_ns > bound) {
            return false;
        }
    }
    m->has_thinned = true;
    m->thinned_ns = row->ts_ns;
    return true;
}

enum slg_status slg_merge_next(struct slg_merge *m, const struct slg_row **ret_row,
                               size_t *ret_source)
{
    for (;;) {
        const struct source *source;
        const struct slg_row *row;

        if (m->params.limit != 0 && m->row_count >= m->params.limit)
            return SLG_NOT_FOUND;
        if (m->advance != 0)
            advance(m);
        if (m->starved_count > 0) {
            *ret_source = m->starved[m->starved_count - 1];
            return SLG_AGAIN;
        }
        if (m->heap_count == 0)
            return SLG_NOT_FOUND;
        source = &m->sources[m->heap[0]];
        row = &source->rows[source->next];
        m->advance = m->heap[0] + 1;
        if (m->has_last && is_same_entry(&m->last, row))
            continue; /* two sources gave the same entry */
        m->has_last = true;
        m->last_batch = *row->batch;
        m->last = *row;
        m->last.batch = &m->last_batch;
        if (!passes_interval(m, row))
            continue;
        m->row_count++;
        *ret_row = row;
        return SLG_OK;
    }
}

uint64_t slg_merge_row_count(const struct slg_merge *m)
{
    return m->row_count;
}
