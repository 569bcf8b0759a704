/* The reading half of page.h. */
#include "base/cursor.h"
#include "logql/eval/window.h"
#include "logql/plan/page.h"

#define GROW_MIN  ((size_t)16)
#define FLAG_MORE 1U

/* Failing once is failing for good: reads after it give zeros. */
struct reader {
    struct slg_arena *arena;
    struct slg_cursor c;
    bool malformed;
    bool full; /* the arena */
    struct slg_text *texts;
    size_t text_count;
    struct slg_label_set *sets;
    size_t set_count;
    struct slg_page page;
    int64_t last_ts_ns;
    int64_t last_bucket;
};

static bool failed(const struct reader *r)
{
    return r->malformed || r->full;
}

static uint64_t take_varint(struct reader *r, uint64_t max)
{
    uint64_t value = 0;

    if (failed(r) || !slg_cursor_take_varint(&r->c, &value) || value > max) {
        r->malformed = true;
        return 0;
    }
    return value;
}

static int64_t take_signed(struct reader *r)
{
    int64_t value = 0;

    if (failed(r) || !slg_cursor_take_varint_signed(&r->c, &value)) {
        r->malformed = true;
        return 0;
    }
    return value;
}

/* A count of things that take at least item_bytes each. */
static size_t take_count(struct reader *r, size_t item_bytes)
{
    return (size_t)take_varint(r, slg_cursor_left(&r->c) / item_bytes);
}

/* An index below count. */
static uint32_t take_index(struct reader *r, size_t count)
{
    if (count == 0) {
        r->malformed = true;
        return 0;
    }
    return (uint32_t)take_varint(r, count - 1);
}

static double take_double(struct reader *r)
{
    uint64_t bits = 0;
    double value;

    if (failed(r) || !slg_cursor_take_u64be(&r->c, &bits)) {
        r->malformed = true;
        return 0;
    }
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static int64_t take_ts(struct reader *r)
{
    r->last_ts_ns = (int64_t)((uint64_t)r->last_ts_ns + (uint64_t)take_signed(r));
    return r->last_ts_ns;
}

static struct slg_text take_text(struct reader *r)
{
    size_t len = take_count(r, 1);
    const uint8_t *bytes = NULL;

    if (failed(r) || !slg_cursor_take_bytes(&r->c, len, &bytes)) {
        r->malformed = true;
        return slg_text_make("", 0);
    }
    return slg_text_make(bytes, len);
}

static void *take_array(struct reader *r, size_t count, size_t size)
{
    void *array = failed(r) ? NULL : slg_arena_calloc(r->arena, count, size);

    if (array == NULL && !failed(r))
        r->full = true;
    return array;
}

/* Room for one more of count items; doubling. */
static void *grow_array(struct reader *r, void *items, size_t count, size_t item_size)
{
    void *grown;

    if (failed(r))
        return items;
    if (count != 0 && (count < GROW_MIN || (count & (count - 1)) != 0))
        return items;
    grown = slg_arena_grow(r->arena, items, count, count == 0 ? GROW_MIN : count * 2, item_size);
    if (grown == NULL) {
        r->full = true;
        return items;
    }
    return grown;
}

static void read_texts(struct reader *r)
{
    size_t count = take_count(r, 1);

    r->texts = take_array(r, count, sizeof(*r->texts));
    for (size_t i = 0; i < count && !failed(r); i++)
        r->texts[i] = take_text(r);
    r->text_count = failed(r) ? 0 : count;
}

static void read_sets(struct reader *r)
{
    size_t count = take_count(r, 1);

    r->sets = take_array(r, count, sizeof(*r->sets));
    for (size_t i = 0; i < count && !failed(r); i++) {
        size_t label_count = take_count(r, 2);
        struct slg_label *items = take_array(r, label_count, sizeof(*items));

        for (size_t k = 0; k < label_count && !failed(r); k++) {
            uint32_t name = take_index(r, r->text_count);
            uint32_t value = take_index(r, r->text_count);

            if (failed(r))
                return;
            items[k] = (struct slg_label){ .name = r->texts[name], .value = r->texts[value] };
            if (k > 0 && slg_text_compare(items[k - 1].name, items[k].name) >= 0)
                r->malformed = true;
        }
        if (!failed(r))
            r->sets[i] = (struct slg_label_set){ .items = items, .count = label_count };
    }
    r->set_count = failed(r) ? 0 : count;
}

static struct slg_batch_id *read_batches(struct reader *r, size_t *ret_count)
{
    size_t count = take_count(r, SLG_INCARNATION_BYTES + 5);
    struct slg_batch_id *ids = take_array(r, count, sizeof(*ids));

    if (ids == NULL)
        return NULL; /* the reader has failed, or there are none */
    for (size_t i = 0; i < count && !failed(r); i++) {
        const uint8_t *bytes = NULL;

        if (!slg_cursor_take_bytes(&r->c, SLG_INCARNATION_BYTES, &bytes)) {
            r->malformed = true;
            return NULL;
        }
        memcpy(ids[i].incarnation.bytes, bytes, SLG_INCARNATION_BYTES);
        ids[i].shard.window_ns = take_signed(r);
        ids[i].shard.length_ns = take_signed(r);
        ids[i].shard.slot = (uint16_t)take_varint(r, UINT16_MAX);
        ids[i].shard.slot_count = (uint16_t)take_varint(r, UINT16_MAX);
        ids[i].sequence = take_varint(r, UINT64_MAX);
    }
    *ret_count = failed(r) ? 0 : count;
    return ids;
}

static void read_origins(struct reader *r)
{
    size_t batch_count = 0;
    const struct slg_batch_id *batches = read_batches(r, &batch_count);
    size_t count = take_count(r, 9);
    struct slg_origin *origins = take_array(r, count, sizeof(*origins));

    for (size_t i = 0; i < count && !failed(r); i++) {
        uint32_t batch = take_index(r, batch_count);

        if (!failed(r) && !slg_cursor_take_u64be(&r->c, &origins[i].stream_hash))
            r->malformed = true;
        if (!failed(r))
            origins[i].batch = batches[batch];
    }
    r->page.origins = origins;
    r->page.origin_count = failed(r) ? 0 : count;
}

static void read_rows(struct reader *r)
{
    struct slg_row *rows = NULL;
    size_t count = 0;

    while (take_varint(r, FLAG_MORE) != 0 && !failed(r)) {
        struct slg_row row = { .ts_ns = take_ts(r) };
        uint32_t origin = take_index(r, r->page.origin_count);
        uint32_t stream, metadata, parsed;

        row.position = (uint32_t)take_varint(r, UINT32_MAX);
        stream = take_index(r, r->set_count);
        metadata = take_index(r, r->set_count);
        parsed = take_index(r, r->set_count);
        row.line = take_text(r);
        rows = grow_array(r, rows, count, sizeof(*rows));
        if (failed(r))
            return;
        row.batch = &r->page.origins[origin].batch;
        row.stream_hash = r->page.origins[origin].stream_hash;
        row.stream = r->sets[stream];
        row.metadata = r->sets[metadata];
        row.parsed = r->sets[parsed];
        rows[count++] = row;
    }
    r->page.rows = rows;
    r->page.row_count = count;
}

static void read_partial(struct reader *r, struct slg_partial *p)
{
    int64_t bucket;

    if (__builtin_add_overflow(r->last_bucket, take_signed(r), &bucket) || bucket < 0 ||
        bucket >= SLG_BUCKET_NONE) {
        r->malformed = true;
        return;
    }
    r->last_bucket = bucket;
    *p = (struct slg_partial){ .a = 1, .bucket = (uint32_t)bucket };
    switch (r->page.accumulator) {
    case SLG_ACCUMULATE_COUNT:
        p->a = (double)take_varint(r, INT64_MAX);
        break;
    case SLG_ACCUMULATE_SUM:
        p->a = take_double(r);
        p->b = take_double(r);
        break;
    case SLG_ACCUMULATE_MOMENTS:
        p->a = (double)take_varint(r, INT64_MAX);
        p->b = take_double(r);
        p->c = take_double(r);
        break;
    case SLG_ACCUMULATE_FIRST:
    case SLG_ACCUMULATE_LAST:
        p->a = take_double(r);
        p->ts_ns = take_ts(r);
        p->origin_index = take_index(r, r->page.origin_count);
        p->position = (uint32_t)take_varint(r, UINT32_MAX);
        break;
    case SLG_ACCUMULATE_MIN:
    case SLG_ACCUMULATE_MAX:
        p->a = take_double(r);
        break;
    case SLG_ACCUMULATE_PRESENT:
    case SLG_ACCUMULATE_SAMPLES:
        break;
    }
}

static void read_partials(struct reader *r, struct slg_page_series *series)
{
    while (take_varint(r, FLAG_MORE) != 0 && !failed(r)) {
        struct slg_partial partial = { 0 };

        read_partial(r, &partial);
        series->partials =
            grow_array(r, series->partials, series->count, sizeof(*series->partials));
        if (!failed(r))
            series->partials[series->count++] = partial;
    }
}

static void read_samples(struct reader *r, struct slg_page_series *series)
{
    while (take_varint(r, FLAG_MORE) != 0 && !failed(r)) {
        struct slg_sample sample = { .ts_ns = take_ts(r) };
        uint64_t batch;

        sample.value = take_double(r);
        batch = take_varint(r, r->page.origin_count);
        sample.origin_index = batch == 0 ? 0 : (uint32_t)batch - 1;
        sample.position = (uint32_t)take_varint(r, UINT32_MAX);
        series->samples = grow_array(r, series->samples, series->count, sizeof(*series->samples));
        if (!failed(r))
            series->samples[series->count++] = sample;
    }
}

static void read_series(struct reader *r)
{
    struct slg_page_series *all = NULL;
    size_t count = 0;

    while (take_varint(r, FLAG_MORE) != 0 && !failed(r)) {
        struct slg_page_series series = { .count = 0 };
        uint32_t set = take_index(r, r->set_count);

        r->last_ts_ns = 0;
        r->last_bucket = 0;
        if (failed(r))
            return;
        series.labels = r->sets[set];
        if (r->page.kind == SLG_PAGE_PARTIAL)
            read_partials(r, &series);
        else
            read_samples(r, &series);
        all = grow_array(r, all, count, sizeof(*all));
        if (!failed(r))
            all[count++] = series;
    }
    r->page.series = all;
    r->page.series_count = count;
}

static void read_body(struct reader *r)
{
    uint8_t accumulator = 0;

    if (!slg_cursor_take_u8(&r->c, &accumulator) || accumulator > SLG_ACCUMULATE_SAMPLES) {
        r->malformed = true;
        return;
    }
    r->page.accumulator = accumulator;
    read_texts(r);
    read_sets(r);
    read_origins(r);
    if (r->page.kind == SLG_PAGE_LOG)
        read_rows(r);
    else
        read_series(r);
    if (slg_cursor_left(&r->c) != 0)
        r->malformed = true;
}

enum slg_status slg_page_decode(struct slg_arena *arena, const void *body, size_t len,
                                struct slg_page *ret_page, struct slg_error *reterr)
{
    struct reader r = { .arena = arena, .c = slg_cursor_make(body, len) };
    uint8_t version = 0, kind = 0;

    if (!slg_cursor_take_u8(&r.c, &version) || !slg_cursor_take_u8(&r.c, &kind))
        return slg_errorf(reterr, SLG_MALFORMED, "page of %zu bytes is too short", len);
    if (version != SLG_PAGE_VERSION)
        return slg_errorf(reterr, SLG_UNSUPPORTED, "page has version %u, this program knows %u",
                          version, SLG_PAGE_VERSION);
    if (kind > SLG_PAGE_SAMPLES)
        return slg_errorf(reterr, SLG_UNSUPPORTED, "page has kind %u, this program knows 0 to %u",
                          kind, (unsigned)SLG_PAGE_SAMPLES);
    r.page.kind = kind;
    if (kind == SLG_PAGE_ERROR)
        r.page.error = slg_text_make(r.c.at, slg_cursor_left(&r.c));
    else
        read_body(&r);
    if (r.full) /* first: whatever was read after it looks malformed */
        return slg_errorf(reterr, SLG_LIMIT, "page of %zu bytes needs more memory than allowed",
                          len);
    if (r.malformed)
        return slg_errorf(reterr, SLG_MALFORMED, "page of %zu bytes is malformed", len);
    *ret_page = r.page;
    return SLG_OK;
}
