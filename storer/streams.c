#include "storer/streams.h"

#include "logql/pipe/matcher.h"
#include "logql/syntax/parse.h"
#include "storer/catalogue_damage.h"

#define SLOTS_MIN          ((size_t)256)
/* Bytes of a reply that are not canonical bytes: id and four numbers of each stream. */
#define REPLY_STREAM_BYTES ((size_t)64)
#define REPLY_BYTES_MAX    (SLG_MESSAGE_BYTES_MAX - 65536)

struct stream {
    struct slg_rpc_stream row;
    bool wanted;
};

struct answer {
    const struct slg_rpc_streams *request;
    int64_t from_ns;
    int64_t to_ns;
    struct slg_arena *arena;   /* streams, their bytes */
    struct slg_arena *scratch; /* labels of one stream */
    struct slg_matcher_set *selectors[SLG_RPC_SELECTOR_COUNT_MAX];
    struct stream **slots; /* by id, open addressing */
    size_t capacity;
    size_t count;
    /* Of the shard in hand: streams by generation and number. */
    struct stream **numbers[SLG_MANIFEST_GENERATION_COUNT_MAX];
    size_t number_capacity[SLG_MANIFEST_GENERATION_COUNT_MAX];
    struct slg_error *reterr;
};

static enum slg_status over_memory(struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time or a narrower selector",
                           "the streams need more than %zu bytes of memory",
                           SLG_STREAMS_MEMORY_BYTES_MAX);
}

static enum slg_status compile_selectors(struct answer *a)
{
    for (size_t i = 0; i < a->request->selector_count; i++) {
        const struct slg_text *text = &a->request->selectors[i];
        const struct slg_logql_log *log;
        enum slg_status status;

        slg_arena_reset(a->scratch);
        status = slg_logql_parse_selector(a->scratch, text->at, text->len, /* allow_empty= */ true,
                                          &log, a->reterr);
        if (status == SLG_OK)
            status = slg_matcher_set_create(log->matchers, log->matcher_count, &a->selectors[i],
                                            a->reterr);
        if (status != SLG_OK)
            return status;
    }
    return SLG_OK;
}

/* ---- streams by id ---- */

static struct stream **probe(struct stream **slots, size_t capacity, const struct slg_stream_id *id)
{
    size_t at;

    memcpy(&at, id->bytes, sizeof(at)); /* SHA-256 already */
    while (slots[at & (capacity - 1)] != NULL &&
           !slg_stream_id_equal(&slots[at & (capacity - 1)]->row.id, id))
        at++;
    return &slots[at & (capacity - 1)];
}

static bool grow_slots(struct answer *a)
{
    size_t capacity = a->capacity == 0 ? SLOTS_MIN : a->capacity * 2;
    struct stream **slots;

    if ((a->count + 1) * 2 <= a->capacity)
        return true;
    slots = slg_arena_calloc(a->arena, capacity, sizeof(struct stream *));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < a->capacity; i++)
        if (a->slots[i] != NULL)
            *probe(slots, capacity, &a->slots[i]->row.id) = a->slots[i];
    a->slots = slots;
    a->capacity = capacity;
    return true;
}

static enum slg_status is_wanted(struct answer *a, const struct slg_shard_stream *stream,
                                 bool *ret_wanted)
{
    struct slg_label_set labels;
    bool wanted = a->request->selector_count == 0;

    if (!slg_text_equal(stream->tenant, a->request->tenant)) {
        *ret_wanted = false;
        return SLG_OK;
    }
    slg_arena_reset(a->scratch);
    if (slg_label_decode(a->scratch, (const uint8_t *)stream->canonical.at, stream->canonical.len,
                         &labels) != SLG_OK)
        return slg_errorf(a->reterr, SLG_CORRUPT, "the labels of a stored stream cannot be read");
    for (size_t i = 0; !wanted && i < a->request->selector_count; i++)
        wanted = slg_matcher_set_match(a->selectors[i], &labels);
    *ret_wanted = wanted;
    return SLG_OK;
}

static enum slg_status know_stream(struct answer *a, const struct slg_shard_stream *stream,
                                   struct stream **ret_stream)
{
    struct stream **slot;
    struct stream *made;
    char *canonical = NULL;
    enum slg_status status;

    if (!grow_slots(a))
        return over_memory(a->reterr);
    slot = probe(a->slots, a->capacity, &stream->id);
    if (*slot != NULL) {
        *ret_stream = *slot;
        return SLG_OK;
    }
    made = slg_arena_calloc(a->arena, 1, sizeof(*made));
    if (made == NULL)
        return over_memory(a->reterr);
    status = is_wanted(a, stream, &made->wanted);
    if (status != SLG_OK)
        return status;
    if (made->wanted) {
        canonical = slg_arena_copy(a->arena, stream->canonical.at, stream->canonical.len);
        if (canonical == NULL)
            return over_memory(a->reterr);
    }
    made->row.id = stream->id;
    made->row.canonical = slg_text_make(canonical, canonical == NULL ? 0 : stream->canonical.len);
    *slot = made;
    a->count++;
    *ret_stream = made;
    return SLG_OK;
}

/* ---- one shard ---- */

static enum slg_status visit_stream(void *ctx, const struct slg_shard_stream *stream)
{
    struct answer *a = ctx;
    struct stream ***numbers = &a->numbers[stream->generation_index];
    size_t *capacity = &a->number_capacity[stream->generation_index];
    struct stream *known = NULL;
    enum slg_status status;

    if (memcmp(stream->id.bytes, a->request->after.bytes, sizeof(stream->id.bytes)) <= 0)
        return SLG_OK; /* of a page before */
    status = know_stream(a, stream, &known);
    if (status != SLG_OK)
        return status;
    if (stream->number >= *capacity) {
        size_t bigger = ((size_t)stream->number + 1) * 2;
        struct stream **grown = realloc(*numbers, bigger * sizeof(struct stream *));

        if (grown == NULL)
            return slg_errorf(a->reterr, SLG_NO_MEMORY, "no memory for %zu streams", bigger);
        memset(grown + *capacity, 0, (bigger - *capacity) * sizeof(struct stream *));
        *numbers = grown;
        *capacity = bigger;
    }
    (*numbers)[stream->number] = known;
    if (a->request->whole_windows && known->wanted)
        known->row.batch_count = 1; /* it is there: more is not asked */
    return SLG_OK;
}

/* The part of n that falls to the range, when a batch spreads evenly over its time; at least 1 of a positive n. */
static uint64_t share(const struct answer *a, const struct slg_summary *summary, uint64_t n)
{
    int64_t from_ns = summary->ts_min_ns > a->from_ns ? summary->ts_min_ns : a->from_ns;
    int64_t last_ns = summary->ts_max_ns < a->to_ns - 1 ? summary->ts_max_ns : a->to_ns - 1;
    double span = (double)(summary->ts_max_ns - summary->ts_min_ns) + 1.0;
    double part = ((double)(last_ns - from_ns) + 1.0) / span;
    uint64_t scaled = part >= 1.0 ? n : (uint64_t)((double)n * part);

    return scaled == 0 && n > 0 ? 1 : scaled;
}

static enum slg_status visit_summary(void *ctx, const struct slg_batch_ref *ref,
                                     struct slg_summary *summary)
{
    struct answer *a = ctx;
    struct slg_summary_stream part;

    if (summary->ts_max_ns < a->from_ns || summary->ts_min_ns >= a->to_ns)
        return SLG_OK;
    while (slg_summary_next_stream(summary, &part)) {
        struct stream *stream;

        if (part.number >= a->number_capacity[ref->generation_index])
            continue;
        stream = a->numbers[ref->generation_index][part.number];
        if (stream == NULL || !stream->wanted)
            continue;
        stream->row.entry_count += share(a, summary, part.entry_count);
        stream->row.line_bytes += share(a, summary, part.line_bytes);
        stream->row.metadata_count += share(a, summary, part.metadata_count);
        stream->row.batch_count++;
    }
    return SLG_OK;
}

static enum slg_status read_shard(struct answer *a, struct slg_shard *shard)
{
    struct slg_shard_read *read;
    enum slg_status status = slg_shard_read_begin(shard, &read, a->reterr);

    if (status != SLG_OK)
        return status;
    status = slg_shard_each_stream(read, visit_stream, a);
    if (status == SLG_OK && !a->request->whole_windows)
        status = slg_shard_each_summary(read, visit_summary, a);
    slg_shard_read_end(read);
    for (size_t i = 0; i < SLG_MANIFEST_GENERATION_COUNT_MAX; i++) {
        free(a->numbers[i]);
        a->numbers[i] = NULL;
        a->number_capacity[i] = 0;
    }
    if (status == SLG_CORRUPT)
        (void)slg_errorf(a->reterr, status, "the summaries of shard \"%s\" are damaged",
                         slg_shard_name_of(slg_shard_id_of(shard)).text);
    return status;
}

static enum slg_status read_one(struct answer *a, struct slg_catalogue *catalogue,
                                const struct slg_shard_id *id)
{
    struct slg_shard *shard;
    enum slg_status status =
        slg_catalogue_pin(catalogue, id, /* create= */ false, &shard, a->reterr);

    if (status == SLG_NOT_FOUND) /* forgotten meanwhile */
        return SLG_OK;
    if (status != SLG_OK)
        return status;
    status = read_shard(a, shard);
    slg_catalogue_unpin(catalogue, shard);
    if (status == SLG_CORRUPT)
        slg_catalogue_report(catalogue, id);
    return status;
}

/* The shards that the request names, or all of its time. */
static enum slg_status read_shards(struct answer *a, struct slg_catalogue *catalogue)
{
    struct slg_arena *list = slg_arena_create(SLG_CATALOGUE_SHARD_COUNT_MAX * 64);
    struct slg_catalogue_row *rows;
    size_t count = 0;
    enum slg_status status = SLG_OK;

    if (list == NULL)
        return over_memory(a->reterr);
    if (a->request->shard_count == 0)
        status = slg_catalogue_list(catalogue, a->from_ns, a->to_ns, list, &rows, &count);
    for (size_t i = 0; status == SLG_OK && i < count; i++)
        status = read_one(a, catalogue, &rows[i].id);
    for (size_t i = 0; status == SLG_OK && i < a->request->shard_count; i++)
        status = read_one(a, catalogue, &a->request->shards[i]);
    slg_arena_destroy(list);
    return status;
}

/* ---- the reply ---- */

static int compare_rows(const void *a, const void *b)
{
    const struct slg_rpc_stream *x = a, *y = b;

    return memcmp(x->id.bytes, y->id.bytes, sizeof(x->id.bytes));
}

static enum slg_status encode(struct answer *a, struct slg_buf *out)
{
    struct slg_rpc_stream *rows = slg_arena_calloc(a->arena, a->count + 1, sizeof(*rows));
    size_t count = 0;
    size_t bytes = 0;
    size_t taken = 0;

    if (rows == NULL)
        return over_memory(a->reterr);
    for (size_t i = 0; i < a->capacity; i++)
        if (a->slots[i] != NULL && a->slots[i]->row.batch_count > 0 &&
            memcmp(a->slots[i]->row.id.bytes, a->request->after.bytes, 16) > 0)
            rows[count++] = a->slots[i]->row;
    qsort(rows, count, sizeof(*rows), compare_rows);
    while (taken < count && taken < a->request->stream_max) {
        bytes += rows[taken].canonical.len + REPLY_STREAM_BYTES;
        if (bytes > REPLY_BYTES_MAX)
            break;
        taken++;
    }
    slg_rpc_encode_streams_reply(out, rows, taken, /* more= */ taken < count);
    return slg_buf_failed(out) ? slg_errorf(a->reterr, SLG_LIMIT, "the reply is too large")
                               : SLG_OK;
}

enum slg_status slg_streams_answer(struct slg_catalogue *catalogue,
                                   const struct slg_rpc_streams *request, int64_t cutoff_ns,
                                   struct slg_buf *out, struct slg_error *reterr)
{
    struct answer a = { .request = request,
                        .from_ns = request->from_ns > cutoff_ns ? request->from_ns : cutoff_ns,
                        .to_ns = request->to_ns,
                        .arena = slg_arena_create(SLG_STREAMS_MEMORY_BYTES_MAX),
                        .scratch = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES),
                        .reterr = reterr };
    enum slg_status status;

    if (a.arena == NULL || a.scratch == NULL)
        status = over_memory(reterr);
    else
        status = compile_selectors(&a);
    if (status == SLG_OK)
        status = read_shards(&a, catalogue);
    if (status == SLG_OK)
        status = encode(&a, out);
    for (size_t i = 0; i < request->selector_count; i++)
        slg_matcher_set_destroy(a.selectors[i]);
    slg_arena_destroy(a.scratch);
    slg_arena_destroy(a.arena);
    return status;
}
