#include "logql/plan/page.h"

#include "logql/eval/series.h"

#define TABLE_CAPACITY_MIN ((size_t)64)
/* A body is a little larger than a page: one row may be as long as the longest line. */
#define BODY_BYTES_MAX     (SLG_MESSAGE_BYTES_MAX)

#define FLAG_END  0U
#define FLAG_MORE 1U

/* ---- writing ---- */

/* Things that stand once per page: open addressing over hashes. */
struct table {
    struct slg_hash128 *hashes;
    uint32_t *slots; /* index + 1 */
    size_t count, capacity, slot_count;
};

/* A row of the last time: what follows its time in the body. */
struct tied_row {
    uint64_t stream_hash;
    size_t offset, len; /* in tied_bytes */
};

struct slg_page_writer {
    struct slg_arena *arena; /* tables */
    enum slg_page_kind kind;
    enum slg_accumulator accumulator;
    struct table texts, sets;
    struct slg_origin_table origins, batches; /* batches: origins of hash 0 */
    struct slg_buf text_bytes, set_bytes,
        body; /* the tables as they are written, and what refers to them */
    int64_t last_ts_ns;
    uint32_t last_bucket;
    bool in_series, failed;
    /* Rows of the last time, not yet in body. */
    struct slg_buf tied_bytes;
    struct tied_row *tied;
    size_t tied_count, tied_capacity;
    int64_t tied_ts_ns;
    uint64_t row_count, row_max;
};

struct slg_page_writer *slg_page_writer_create(size_t memory_bytes_max)
{
    struct slg_page_writer *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->arena = slg_arena_create(memory_bytes_max);
    if (w->arena == NULL) {
        free(w);
        return NULL;
    }
    slg_buf_init(&w->text_bytes, BODY_BYTES_MAX);
    slg_buf_init(&w->set_bytes, BODY_BYTES_MAX);
    slg_buf_init(&w->body, BODY_BYTES_MAX);
    slg_buf_init(&w->tied_bytes, BODY_BYTES_MAX);
    return w;
}

void slg_page_writer_destroy(struct slg_page_writer *w)
{
    if (w == NULL)
        return;
    slg_buf_fini(&w->text_bytes);
    slg_buf_fini(&w->set_bytes);
    slg_buf_fini(&w->body);
    slg_buf_fini(&w->tied_bytes);
    slg_arena_destroy(w->arena);
    free(w);
}

void slg_page_writer_start(struct slg_page_writer *w, enum slg_page_kind kind,
                           enum slg_accumulator accumulator)
{
    slg_arena_reset(w->arena);
    w->kind = kind;
    w->accumulator = accumulator;
    w->texts = (struct table){ 0 };
    w->sets = (struct table){ 0 };
    slg_origin_table_init(&w->origins, w->arena);
    slg_origin_table_init(&w->batches, w->arena);
    slg_buf_clear(&w->text_bytes);
    slg_buf_clear(&w->set_bytes);
    slg_buf_clear(&w->body);
    slg_buf_clear(&w->tied_bytes);
    w->tied = NULL;
    w->tied_count = 0;
    w->tied_capacity = 0;
    w->row_count = 0;
    w->row_max = UINT64_MAX;
    w->last_ts_ns = 0;
    w->last_bucket = 0;
    w->in_series = false;
    w->failed = false;
}

size_t slg_page_writer_bytes(const struct slg_page_writer *w)
{
    return w->text_bytes.len + w->set_bytes.len + w->body.len + w->tied_bytes.len +
           64 * w->origins.count;
}

void slg_page_writer_error(struct slg_page_writer *w, struct slg_text text)
{
    slg_buf_append(&w->body, text.at, text.len);
}

static bool grow_table(struct table *t, struct slg_arena *arena)
{
    size_t capacity = t->capacity == 0 ? TABLE_CAPACITY_MIN : t->capacity * 2;
    size_t slot_count = capacity * 2;
    struct slg_hash128 *hashes =
        slg_arena_grow(arena, t->hashes, t->count, capacity, sizeof(*hashes));
    uint32_t *slots = slg_arena_calloc(arena, slot_count, sizeof(*slots));

    if (hashes == NULL || slots == NULL)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        size_t at = hashes[i].low & (slot_count - 1);

        while (slots[at] != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    *t = (struct table){ hashes, slots, t->count, capacity, slot_count };
    return true;
}

/* *ret_index of hash; true in *ret_new when it was not there. */
static bool find_in_table(struct table *t, struct slg_arena *arena, struct slg_hash128 hash,
                          uint32_t *ret_index, bool *ret_new)
{
    size_t at;

    if (t->count == t->capacity && !grow_table(t, arena))
        return false;
    for (at = hash.low & (t->slot_count - 1); t->slots[at] != 0;
         at = (at + 1) & (t->slot_count - 1)) {
        const struct slg_hash128 *have = &t->hashes[t->slots[at] - 1];

        if (have->low == hash.low && have->high == hash.high) {
            *ret_index = t->slots[at] - 1;
            *ret_new = false;
            return true;
        }
    }
    t->hashes[t->count] = hash;
    t->slots[at] = (uint32_t)++t->count;
    *ret_index = (uint32_t)t->count - 1;
    *ret_new = true;
    return true;
}

static uint32_t text_index(struct slg_page_writer *w, struct slg_text text)
{
    uint32_t index = 0;
    bool is_new = false;

    if (!find_in_table(&w->texts, w->arena, slg_hash_xxh3_128(text.at, text.len), &index, &is_new))
        w->failed = true;
    if (is_new) {
        slg_buf_append_varint(&w->text_bytes, text.len);
        slg_buf_append(&w->text_bytes, text.at, text.len);
    }
    return index;
}

static uint32_t set_index(struct slg_page_writer *w, const struct slg_label_set *set)
{
    uint32_t index = 0;
    bool is_new = false;

    if (!find_in_table(&w->sets, w->arena, slg_label_set_hash(set), &index, &is_new))
        w->failed = true;
    if (is_new) {
        slg_buf_append_varint(&w->set_bytes, set->count);
        for (size_t i = 0; i < set->count; i++) {
            slg_buf_append_varint(&w->set_bytes, text_index(w, set->items[i].name));
            slg_buf_append_varint(&w->set_bytes, text_index(w, set->items[i].value));
        }
    }
    return index;
}

static uint32_t origin_index(struct slg_page_writer *w, const struct slg_origin *origin)
{
    uint32_t index = 0;

    if (!slg_origin_table_index(&w->origins, origin, &index))
        w->failed = true;
    return index;
}

/* Differences wrap: decoding adds them in the same arithmetic. */
static void append_ts(struct slg_page_writer *w, int64_t ts_ns)
{
    slg_buf_append_varint_signed(&w->body, (int64_t)((uint64_t)ts_ns - (uint64_t)w->last_ts_ns));
    w->last_ts_ns = ts_ns;
}

static void append_double(struct slg_page_writer *w, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    slg_buf_append_u64be(&w->body, bits);
}

void slg_page_writer_limit(struct slg_page_writer *w, uint64_t row_max)
{
    w->row_max = row_max;
}

uint64_t slg_page_writer_row_count(const struct slg_page_writer *w)
{
    return w->row_count;
}

static int compare_tied(const void *a, const void *b)
{
    const struct tied_row *x = a, *y = b;

    if (x->stream_hash != y->stream_hash)
        return x->stream_hash < y->stream_hash ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Move the rows of the last time to the body, in order, as many as are wanted. */
static void settle_rows(struct slg_page_writer *w)
{
    if (w->tied_count > 1)
        qsort(w->tied, w->tied_count, sizeof(*w->tied), compare_tied);
    for (size_t i = 0; i < w->tied_count && w->row_count < w->row_max; i++) {
        slg_buf_append_varint(&w->body, FLAG_MORE);
        append_ts(w, w->tied_ts_ns);
        slg_buf_append(&w->body, w->tied_bytes.data + w->tied[i].offset, w->tied[i].len);
        w->row_count++;
    }
    w->failed = w->failed || slg_buf_failed(&w->tied_bytes);
    slg_buf_clear(&w->tied_bytes);
    w->tied_count = 0;
}

static bool reserve_tied(struct slg_page_writer *w)
{
    size_t capacity = w->tied_capacity == 0 ? 16 : 2 * w->tied_capacity;
    struct tied_row *tied;

    if (w->tied_count < w->tied_capacity)
        return true;
    tied = slg_arena_grow(w->arena, w->tied, w->tied_count, capacity, sizeof(*tied));
    if (tied == NULL) {
        w->failed = true;
        return false;
    }
    w->tied = tied;
    w->tied_capacity = capacity;
    return true;
}

void slg_page_writer_row(struct slg_page_writer *w, const struct slg_row *row)
{
    const struct slg_origin origin = { .batch = *row->batch, .stream_hash = row->stream_hash };
    size_t offset;

    SLG_ASSERT(w->kind == SLG_PAGE_LOG);
    if (w->tied_count > 0 && row->ts_ns != w->tied_ts_ns)
        settle_rows(w);
    if (!reserve_tied(w))
        return;
    w->tied_ts_ns = row->ts_ns;
    offset = w->tied_bytes.len;
    slg_buf_append_varint(&w->tied_bytes, origin_index(w, &origin));
    slg_buf_append_varint(&w->tied_bytes, row->position);
    slg_buf_append_varint(&w->tied_bytes, set_index(w, &row->stream));
    slg_buf_append_varint(&w->tied_bytes, set_index(w, &row->metadata));
    slg_buf_append_varint(&w->tied_bytes, set_index(w, &row->parsed));
    slg_buf_append_varint(&w->tied_bytes, row->line.len);
    slg_buf_append(&w->tied_bytes, row->line.at, row->line.len);
    w->tied[w->tied_count++] = (struct tied_row){ .stream_hash = row->stream_hash,
                                                  .offset = offset,
                                                  .len = w->tied_bytes.len - offset };
}

static void end_series(struct slg_page_writer *w)
{
    if (w->in_series)
        slg_buf_append_varint(&w->body, FLAG_END);
    w->in_series = false;
}

void slg_page_writer_series(struct slg_page_writer *w, const struct slg_label_set *labels)
{
    SLG_ASSERT(w->kind == SLG_PAGE_PARTIAL || w->kind == SLG_PAGE_SAMPLES);
    end_series(w);
    slg_buf_append_varint(&w->body, FLAG_MORE);
    slg_buf_append_varint(&w->body, set_index(w, labels));
    w->in_series = true;
    w->last_ts_ns = 0;
    w->last_bucket = 0;
}

void slg_page_writer_partial(struct slg_page_writer *w, const struct slg_origin_table *origins,
                             const struct slg_partial *partial)
{
    SLG_ASSERT(w->in_series);
    slg_buf_append_varint(&w->body, FLAG_MORE);
    slg_buf_append_varint_signed(&w->body, (int64_t)partial->bucket - (int64_t)w->last_bucket);
    w->last_bucket = partial->bucket;
    switch (w->accumulator) {
    case SLG_ACCUMULATE_COUNT:
        slg_buf_append_varint(&w->body, (uint64_t)partial->a);
        break;
    case SLG_ACCUMULATE_SUM:
        append_double(w, partial->a);
        append_double(w, partial->b);
        break;
    case SLG_ACCUMULATE_MOMENTS:
        slg_buf_append_varint(&w->body, (uint64_t)partial->a);
        append_double(w, partial->b);
        append_double(w, partial->c);
        break;
    case SLG_ACCUMULATE_FIRST:
    case SLG_ACCUMULATE_LAST:
        append_double(w, partial->a);
        append_ts(w, partial->ts_ns);
        slg_buf_append_varint(&w->body, origin_index(w, &origins->origins[partial->origin_index]));
        slg_buf_append_varint(&w->body, partial->position);
        break;
    case SLG_ACCUMULATE_MIN:
    case SLG_ACCUMULATE_MAX:
        append_double(w, partial->a);
        break;
    case SLG_ACCUMULATE_PRESENT:
    case SLG_ACCUMULATE_SAMPLES:
        break;
    }
}

void slg_page_writer_sample(struct slg_page_writer *w, const struct slg_origin_table *origins,
                            const struct slg_sample *sample)
{
    SLG_ASSERT(w->in_series);
    slg_buf_append_varint(&w->body, FLAG_MORE);
    append_ts(w, sample->ts_ns);
    append_double(w, sample->value);
    slg_buf_append_varint(
        &w->body,
        origins == NULL ? 0 : origin_index(w, &origins->origins[sample->origin_index]) + 1);
    slg_buf_append_varint(&w->body, sample->position);
}

/* Batch ids, then origins: which batch, and the hash of which stream. */
static void append_origins(struct slg_page_writer *w, struct slg_buf *out)
{
    struct slg_buf pairs;

    slg_buf_init(&pairs, BODY_BYTES_MAX);
    for (size_t i = 0; i < w->origins.count; i++) {
        const struct slg_origin batch = { .batch = w->origins.origins[i].batch };
        uint32_t index = 0;

        w->failed = w->failed || !slg_origin_table_index(&w->batches, &batch, &index);
        slg_buf_append_varint(&pairs, index);
        slg_buf_append_u64be(&pairs, w->origins.origins[i].stream_hash);
    }
    slg_buf_append_varint(out, w->batches.count);
    for (size_t i = 0; i < w->batches.count; i++) {
        const struct slg_batch_id *id = &w->batches.origins[i].batch;

        slg_buf_append(out, id->incarnation.bytes, sizeof(id->incarnation.bytes));
        slg_buf_append_varint_signed(out, id->shard.window_ns);
        slg_buf_append_varint_signed(out, id->shard.length_ns);
        slg_buf_append_varint(out, id->shard.slot);
        slg_buf_append_varint(out, id->shard.slot_count);
        slg_buf_append_varint(out, id->sequence);
    }
    slg_buf_append_varint(out, w->origins.count);
    slg_buf_append(out, pairs.data, pairs.len);
    w->failed = w->failed || slg_buf_failed(&pairs);
    slg_buf_fini(&pairs);
}

enum slg_status slg_page_writer_finish(struct slg_page_writer *w, struct slg_buf *out,
                                       struct slg_error *reterr)
{
    end_series(w);
    settle_rows(w);
    if (w->kind != SLG_PAGE_ERROR)
        slg_buf_append_varint(&w->body, FLAG_END);
    slg_buf_append_byte(out, SLG_PAGE_VERSION);
    slg_buf_append_byte(out, (uint8_t)w->kind);
    if (w->kind != SLG_PAGE_ERROR) {
        slg_buf_append_byte(out, (uint8_t)w->accumulator);
        slg_buf_append_varint(out, w->texts.count);
        slg_buf_append(out, w->text_bytes.data, w->text_bytes.len);
        slg_buf_append_varint(out, w->sets.count);
        slg_buf_append(out, w->set_bytes.data, w->set_bytes.len);
        append_origins(w, out);
    }
    slg_buf_append(out, w->body.data, w->body.len);
    if (w->failed || slg_buf_failed(&w->text_bytes) || slg_buf_failed(&w->set_bytes) ||
        slg_buf_failed(&w->body) || slg_buf_failed(out))
        return slg_errorf(reterr, SLG_LIMIT, "a page of the answer needs more memory than allowed");
    return SLG_OK;
}
