#include "storer/scan.h"

#include <inttypes.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "storer/scan_batch.h"

/* Concurrency: one thread at a time runs a scan (a query worker, by way of its session); `canceled` is an atomic.
 *
 *   shards of S ---group---> candidates (sorted by first entry) ---open---> cursors in a heap ---head---> run ---> remote
 *
 * A run is the entries of one instant, gathered so that equal pushes among them can be found whatever the direction, and
 * that those of a log query come stream by stream. */

#define ARENA_POOL_MAX    8
#define ENTRIES_PER_CLOCK 256             /* entries between two looks at the clock, */
#define BYTES_PER_CLOCK   ((size_t)32768) /* or bytes of lines: a bad regex takes 2 ms for so many */
#define NO_INDEX          UINT32_MAX
#define RUN_CAPACITY_MIN  ((size_t)64)
#define SCRATCH_BYTES     ((size_t)1 << 20) /* labels of one stream */

/* A batch of S that may hold wanted entries. */
struct candidate {
    struct slg_batch_ref ref;
    uint32_t shard_index;
    bool has_push;
    int64_t ts_min_ns;
    int64_t ts_max_ns;
};

/* An opened batch; batch.view is NULL while it is dropped to save memory. */
struct cursor {
    struct slg_scan_batch batch;
    struct candidate candidate;
    struct slg_batch_id id;
    uint32_t taken;    /* positions already in runs */
    uint32_t count;    /* positions in all */
    uint32_t run_uses; /* entries of the run in hand that are of this batch */
    int64_t head_ts_ns;
    uint32_t next_free;
    bool used;
};

struct run_entry {
    uint32_t cursor_index;
    uint32_t position;
    uint64_t stream_hash; /* order of what is shown at one time */
    uint64_t hash[2];     /* of a push: stream, line, metadata */
    bool push;
    bool dropped;
};

struct scan_shard {
    struct slg_shard_id id;
    struct slg_text set_bytes;
};

enum phase {
    PHASE_SCAN,
    PHASE_PAGES, /* all entries were given */
};

struct slg_scan {
    struct slg_scan_options options;
    struct slg_remote *remote;
    enum slg_direction direction;
    enum phase phase;
    struct slg_scan_wish wish;
    struct slg_stream_map streams;
    struct slg_arena *scratch;
    uint64_t seeds[2]; /* of the hashes of H9: nobody can prepare a collision */
    size_t memory_bytes_max;
    uint64_t bytes_read; /* in all */
    size_t given_bytes;  /* of lines, since the last look at the clock */

    struct scan_shard *shards; /* in the direction of the query */
    size_t shard_count;
    size_t next_shard;

    struct candidate *candidates; /* of the group in hand, in the order in which they are opened */
    size_t candidate_count;
    size_t candidate_capacity;
    size_t next_candidate;
    bool in_order; /* the group is merged; else read batch by batch */
    bool drop_duplicates;

    struct cursor *cursors;
    size_t cursor_count; /* slots in use or free */
    size_t cursor_capacity;
    uint32_t free_cursor;
    uint32_t *heap; /* cursor indexes; same capacity as cursors */
    size_t heap_count;
    size_t view_bytes;

    struct run_entry *run;
    size_t run_count;
    size_t run_capacity;
    size_t run_next;

    struct slg_arena *pool[ARENA_POOL_MAX];
    size_t pool_count;
    struct slg_scan_stats *stats; /* of the step in hand */
};

/* ---- creating ---- */

static int compare_shards(const void *a, const void *b)
{
    const struct scan_shard *x = a, *y = b;

    return slg_shard_id_compare(&x->id, &y->id);
}

static int compare_shards_backward(const void *a, const void *b)
{
    return compare_shards(b, a);
}

static enum slg_status take_shards(struct slg_scan *scan, const struct slg_rpc_query *query,
                                   struct slg_error *reterr)
{
    scan->shards = calloc(query->shard_count + 1, sizeof(*scan->shards));
    if (scan->shards == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for %zu shards", query->shard_count);
    for (size_t i = 0; i < query->shard_count; i++)
        scan->shards[i] =
            (struct scan_shard){ .id = query->shards[i].shard, .set_bytes = query->shards[i].set };
    scan->shard_count = query->shard_count;
    qsort(scan->shards, scan->shard_count, sizeof(*scan->shards),
          scan->direction == SLG_FORWARD ? compare_shards : compare_shards_backward);
    for (size_t i = 1; i < scan->shard_count; i++)
        if (compare_shards(&scan->shards[i - 1], &scan->shards[i]) == 0)
            return slg_errorf(reterr, SLG_MALFORMED, "shard \"%s\" is named twice",
                              slg_shard_name_of(&scan->shards[i].id).text);
    return SLG_OK;
}

enum slg_status slg_scan_create(const struct slg_scan_options *options, struct slg_scan **ret_scan,
                                struct slg_error *reterr)
{
    const struct slg_leaf_request *leaf = &options->query->leaf;
    struct slg_scan *scan = calloc(1, sizeof(*scan));
    struct slg_text literal;
    enum slg_status status;

    if (scan == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a scan");
    scan->options = *options;
    scan->direction = leaf->direction;
    scan->free_cursor = NO_INDEX;
    scan->memory_bytes_max = (size_t)leaf->memory_bytes_max;
    slg_stream_map_init(&scan->streams);
    scan->scratch = slg_arena_create(SCRATCH_BYTES);
    status = slg_remote_create(leaf, &scan->remote, reterr);
    if (status == SLG_OK && scan->scratch == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a scan");
    if (status == SLG_OK)
        status = take_shards(scan, options->query, reterr);
    if (status == SLG_OK && getrandom(scan->seeds, sizeof(scan->seeds), 0) < 0)
        status = slg_errorf(reterr, SLG_IO, "no random bytes");
    if (status != SLG_OK) {
        slg_scan_destroy(scan);
        return status;
    }
    scan->wish.streams = &scan->streams;
    slg_remote_range(scan->remote, &scan->wish.from_ns, &scan->wish.to_ns);
    if (scan->wish.from_ns < options->cutoff_ns)
        scan->wish.from_ns = options->cutoff_ns;
    scan->wish.has_literal = slg_remote_literal(scan->remote, &literal);
    if (scan->wish.has_literal)
        scan->wish.literal = slg_needle_make(literal.at, literal.len, /* fold= */ false);
    *ret_scan = scan;
    return SLG_OK;
}

void slg_scan_destroy(struct slg_scan *scan)
{
    if (scan == NULL)
        return;
    for (size_t i = 0; i < scan->cursor_count; i++)
        slg_arena_destroy(scan->cursors[i].batch.arena);
    for (size_t i = 0; i < scan->pool_count; i++)
        slg_arena_destroy(scan->pool[i]);
    slg_remote_destroy(scan->remote);
    slg_stream_map_fini(&scan->streams);
    slg_arena_destroy(scan->scratch);
    free(scan->shards);
    free(scan->candidates);
    free(scan->cursors);
    free(scan->heap);
    free(scan->run);
    free(scan);
}

/* ---- candidates of a shard ---- */

static enum slg_status over_memory(const struct slg_scan *scan, struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time or fewer streams",
                           "the query needs more than %zu bytes of memory on a storer",
                           scan->memory_bytes_max);
}

/* Room for one more item; the scan's arrays together stay near the query's memory. */
static enum slg_status grow_array(struct slg_scan *scan, void **items, size_t count,
                                  size_t *capacity, size_t item_size, struct slg_error *reterr)
{
    size_t wanted = *capacity == 0 ? RUN_CAPACITY_MIN : *capacity * 2;
    void *bigger;

    if (count < *capacity)
        return SLG_OK;
    if (wanted > RUN_CAPACITY_MIN && wanted * item_size > scan->memory_bytes_max)
        return over_memory(scan, reterr);
    bigger = realloc(*items, wanted * item_size);
    if (bigger == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a scan");
    *items = bigger;
    *capacity = wanted;
    return SLG_OK;
}

/* What the visitors of one shard share. */
struct collection {
    struct slg_scan *scan;
    const struct slg_batch_set *set;
    uint32_t shard_index;
    uint64_t found; /* batches of the set */
    /* Per generation: is the stream of this number wanted? */
    uint8_t *wanted[SLG_MANIFEST_GENERATION_COUNT_MAX];
    size_t wanted_capacity[SLG_MANIFEST_GENERATION_COUNT_MAX];
    struct slg_error *reterr;
};

static enum slg_status decide_stream(struct slg_scan *scan, const struct slg_shard_stream *stream,
                                     struct slg_remote_stream **ret_stream,
                                     struct slg_error *reterr)
{
    struct slg_remote_stream *prepared = NULL;
    struct slg_label_set labels;
    enum slg_status status = SLG_OK;

    if (slg_text_equal(stream->tenant, scan->options.query->tenant)) {
        slg_arena_reset(scan->scratch);
        status = slg_label_decode(scan->scratch, (const uint8_t *)stream->canonical.at,
                                  stream->canonical.len, &labels);
        if (status != SLG_OK)
            return slg_errorf(reterr, SLG_CORRUPT, "the labels of a stored stream cannot be read");
        status = slg_remote_stream(scan->remote, &labels, &prepared, reterr);
        if (status != SLG_OK)
            return status;
    }
    status = slg_stream_map_add(&scan->streams, &stream->id, prepared);
    if (status != SLG_OK)
        return over_memory(scan, reterr);
    *ret_stream = prepared;
    return SLG_OK;
}

static enum slg_status visit_stream(void *ctx, const struct slg_shard_stream *stream)
{
    struct collection *c = ctx;
    const struct slg_stream_map_slot *known = slg_stream_map_find(&c->scan->streams, &stream->id);
    uint8_t **wanted = &c->wanted[stream->generation_index];
    size_t *capacity = &c->wanted_capacity[stream->generation_index];
    struct slg_remote_stream *prepared = NULL;

    if (known != NULL) {
        prepared = known->stream;
    } else {
        enum slg_status status = decide_stream(c->scan, stream, &prepared, c->reterr);

        if (status != SLG_OK)
            return status;
    }
    if (stream->number >= *capacity) {
        size_t bigger = ((size_t)stream->number + 1) * 2;
        uint8_t *bytes = realloc(*wanted, bigger);

        if (bytes == NULL)
            return slg_errorf(c->reterr, SLG_NO_MEMORY, "no memory for %zu streams", bigger);
        memset(bytes + *capacity, 0, bigger - *capacity);
        *wanted = bytes;
        *capacity = bigger;
    }
    (*wanted)[stream->number] = prepared != NULL;
    return SLG_OK;
}

static bool has_wanted_stream(const struct collection *c, uint32_t generation_index,
                              struct slg_summary *summary)
{
    struct slg_summary_stream stream;

    while (slg_summary_next_stream(summary, &stream))
        if (stream.number < c->wanted_capacity[generation_index] &&
            c->wanted[generation_index][stream.number] != 0)
            return true;
    return false;
}

static enum slg_status visit_summary(void *ctx, const struct slg_batch_ref *ref,
                                     struct slg_summary *summary)
{
    struct collection *c = ctx;
    struct slg_scan *scan = c->scan;
    void *items = scan->candidates;
    enum slg_status status;

    if (!slg_batch_set_has(c->set, &summary->incarnation, summary->sequence))
        return SLG_OK; /* came after the sets were fixed */
    c->found++;
    if (summary->ts_max_ns < scan->wish.from_ns || summary->ts_min_ns >= scan->wish.to_ns ||
        !has_wanted_stream(c, ref->generation_index, summary)) {
        scan->stats->batches_skipped++;
        return SLG_OK;
    }
    status = grow_array(scan, &items, scan->candidate_count, &scan->candidate_capacity,
                        sizeof(*scan->candidates), c->reterr);
    if (status != SLG_OK)
        return status;
    scan->candidates = items;
    scan->candidates[scan->candidate_count++] =
        (struct candidate){ .ref = *ref,
                            .shard_index = c->shard_index,
                            .has_push = summary->push_count > 0,
                            .ts_min_ns = summary->ts_min_ns,
                            .ts_max_ns = summary->ts_max_ns };
    return SLG_OK;
}

static enum slg_status collect_opened(struct collection *c, struct slg_shard *shard)
{
    struct slg_shard_read *read;
    enum slg_status status = slg_shard_read_begin(shard, &read, c->reterr);

    if (status != SLG_OK)
        return status;
    status = slg_shard_each_stream(read, visit_stream, c);
    if (status == SLG_OK)
        status = slg_shard_each_summary(read, visit_summary, c);
    slg_shard_read_end(read);
    if (status == SLG_CORRUPT)
        (void)slg_errorf(c->reterr, status, "the summaries of shard \"%s\" are damaged",
                         slg_shard_name_of(slg_shard_id_of(shard)).text);
    return status;
}

/* All of S is there, or the answer would be wrong without saying so. */
static enum slg_status check_found(const struct collection *c, const struct slg_shard_id *id,
                                   enum slg_status status)
{
    uint64_t count = slg_batch_set_count(c->set);

    if (status == SLG_NOT_FOUND && id->window_ns + id->length_ns <= c->scan->options.cutoff_ns)
        return SLG_OK; /* forgotten meanwhile, and nothing of it would be shown */
    if (status != SLG_OK && status != SLG_NOT_FOUND)
        return status;
    if (c->found != count)
        return slg_errorf(c->reterr, SLG_UNAVAILABLE,
                          "this storer holds %" PRIu64 " of the %" PRIu64
                          " batches asked for of shard \"%s\"",
                          c->found, count, slg_shard_name_of(id).text);
    return SLG_OK;
}

static enum slg_status collect_shard(struct slg_scan *scan, uint32_t shard_index,
                                     struct slg_error *reterr)
{
    const struct scan_shard *wanted = &scan->shards[shard_index];
    struct slg_cursor bytes = slg_cursor_make(wanted->set_bytes.at, wanted->set_bytes.len);
    struct collection c = { .scan = scan, .shard_index = shard_index, .reterr = reterr };
    struct slg_batch_set *set;
    struct slg_shard *shard;
    enum slg_status status = slg_batch_set_decode(&bytes, &set);

    if (status != SLG_OK || slg_cursor_left(&bytes) > 0) {
        if (status == SLG_OK)
            slg_batch_set_destroy(set);
        return slg_errorf(reterr, SLG_MALFORMED, "the set of shard \"%s\" cannot be read",
                          slg_shard_name_of(&wanted->id).text);
    }
    c.set = set;
    if (slg_batch_set_count(set) > 0) {
        status = slg_catalogue_pin(scan->options.catalogue, &wanted->id, /* create= */ false,
                                   &shard, reterr);
        if (status == SLG_OK) {
            status = collect_opened(&c, shard);
            slg_catalogue_unpin(scan->options.catalogue, shard);
        }
        status = check_found(&c, &wanted->id, status);
    }
    for (size_t i = 0; i < SLG_MANIFEST_GENERATION_COUNT_MAX; i++)
        free(c.wanted[i]);
    slg_batch_set_destroy(set);
    return status;
}

/* ---- a group: shards whose windows overlap ---- */

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->ts_min_ns > y->ts_min_ns) - (x->ts_min_ns < y->ts_min_ns);
}

static int compare_candidates_backward(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->ts_max_ns < y->ts_max_ns) - (x->ts_max_ns > y->ts_max_ns);
}

/* End of the run of shards from `start` whose windows touch one another. */
static size_t group_end(const struct slg_scan *scan, size_t start)
{
    int64_t low_ns = scan->shards[start].id.window_ns;
    int64_t high_ns = low_ns + scan->shards[start].id.length_ns;
    size_t end = start + 1;

    for (; end < scan->shard_count; end++) {
        const struct slg_shard_id *id = &scan->shards[end].id;

        if (id->window_ns >= high_ns || id->window_ns + id->length_ns <= low_ns)
            break;
        low_ns = id->window_ns < low_ns ? id->window_ns : low_ns;
        high_ns = id->window_ns + id->length_ns > high_ns ? id->window_ns + id->length_ns : high_ns;
    }
    return end;
}

static enum slg_status start_group(struct slg_scan *scan, struct slg_error *reterr)
{
    size_t end = group_end(scan, scan->next_shard);
    bool any_push = false;

    scan->candidate_count = 0;
    scan->next_candidate = 0;
    for (; scan->next_shard < end; scan->next_shard++) {
        const struct slg_shard_id *id = &scan->shards[scan->next_shard].id;
        enum slg_status status;

        if (id->window_ns >= scan->wish.to_ns ||
            id->window_ns + id->length_ns <= scan->wish.from_ns)
            continue; /* nothing of it can be wanted */
        status = collect_shard(scan, (uint32_t)scan->next_shard, reterr);
        if (status != SLG_OK)
            return status;
    }
    if (scan->candidate_count > 0)
        qsort(scan->candidates, scan->candidate_count, sizeof(*scan->candidates),
              scan->direction == SLG_FORWARD ? compare_candidates : compare_candidates_backward);
    for (size_t i = 0; i < scan->candidate_count; i++)
        any_push |= scan->candidates[i].has_push;
    scan->drop_duplicates = any_push;
    scan->in_order = any_push || slg_remote_needs_order(scan->remote);
    return SLG_OK;
}

/* ---- opened batches ---- */

static struct slg_arena *take_arena(struct slg_scan *scan)
{
    if (scan->pool_count > 0)
        return scan->pool[--scan->pool_count];
    return slg_arena_create(SLG_SCAN_BATCH_ARENA_BYTES);
}

static void give_arena(struct slg_scan *scan, struct slg_arena *arena)
{
    if (scan->pool_count == ARENA_POOL_MAX) {
        slg_arena_destroy(arena);
        return;
    }
    slg_arena_reset(arena);
    scan->pool[scan->pool_count++] = arena;
}

static void drop_view(struct slg_scan *scan, struct cursor *cursor)
{
    if (cursor->batch.view == NULL)
        return;
    scan->view_bytes -= slg_arena_used_bytes(cursor->batch.arena);
    give_arena(scan, cursor->batch.arena);
    cursor->batch = (struct slg_scan_batch){ .arena = NULL };
}

/* Is a before b in the order of the scan? */
static bool cursor_before(const struct slg_scan *scan, const struct cursor *a,
                          const struct cursor *b)
{
    int order = (a->head_ts_ns > b->head_ts_ns) - (a->head_ts_ns < b->head_ts_ns);

    if (order == 0)
        order = slg_batch_id_compare(&a->id, &b->id);
    return scan->direction == SLG_FORWARD ? order < 0 : order > 0;
}

/* Drop the decoded batch that will be needed last, other than `keep`, until there is room. */
static void make_room(struct slg_scan *scan, const struct cursor *keep)
{
    while (scan->view_bytes > scan->options.view_bytes_max) {
        struct cursor *last = NULL;

        for (size_t i = 0; i < scan->cursor_count; i++) {
            struct cursor *cursor = &scan->cursors[i];

            if (cursor->used && cursor->batch.view != NULL && cursor != keep &&
                (last == NULL || cursor_before(scan, last, cursor)))
                last = cursor;
        }
        if (last == NULL)
            return;
        drop_view(scan, last);
    }
}

static enum slg_status load_view(struct slg_scan *scan, struct cursor *cursor,
                                 struct slg_error *reterr)
{
    const struct candidate *candidate = &cursor->candidate;
    struct slg_arena *arena;
    struct slg_shard *shard;
    enum slg_status status;

    if (cursor->batch.view != NULL)
        return SLG_OK;
    make_room(scan, cursor);
    arena = take_arena(scan);
    if (arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory to open a batch");
    status = slg_catalogue_pin(scan->options.catalogue, &scan->shards[candidate->shard_index].id,
                               /* create= */ false, &shard, reterr);
    if (status == SLG_OK) {
        status =
            slg_scan_batch_load(shard, &candidate->ref, &scan->wish, arena, &cursor->batch, reterr);
        slg_catalogue_unpin(scan->options.catalogue, shard);
    } else if (status == SLG_NOT_FOUND) {
        status = slg_errorf(reterr, SLG_UNAVAILABLE, "a shard was forgotten during the query");
    }
    if (status != SLG_OK) {
        give_arena(scan, arena);
        return status;
    }
    scan->view_bytes += slg_arena_used_bytes(arena);
    return SLG_OK;
}

static enum slg_status count_batch(struct slg_scan *scan, const struct slg_batch_header *header,
                                   struct slg_error *reterr)
{
    uint64_t bytes = header->line_bytes + header->metadata_bytes;

    scan->stats->batches_read++;
    scan->stats->bytes_compressed += header->payload_len;
    scan->stats->bytes_read += bytes;
    scan->stats->lines_read += header->entry_count;
    scan->bytes_read += bytes;
    if (scan->bytes_read > scan->options.query->leaf.bytes_scan_max)
        return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time or a narrower selector",
                               "the query would read more than %" PRIu64 " bytes on a storer",
                               scan->options.query->leaf.bytes_scan_max);
    return SLG_OK;
}

static uint32_t next_position(const struct slg_scan *scan, const struct cursor *cursor)
{
    return cursor->batch
        .positions[scan->direction == SLG_FORWARD ? cursor->taken
                                                  : cursor->count - 1 - cursor->taken];
}

static enum slg_status take_cursor(struct slg_scan *scan, uint32_t *ret_index,
                                   struct slg_error *reterr)
{
    size_t capacity = scan->cursor_capacity;
    void *items = scan->cursors;
    enum slg_status status;

    if (scan->free_cursor != NO_INDEX) {
        *ret_index = scan->free_cursor;
        scan->free_cursor = scan->cursors[*ret_index].next_free;
    } else {
        status = grow_array(scan, &items, scan->cursor_count, &scan->cursor_capacity,
                            sizeof(*scan->cursors), reterr);
        scan->cursors = items;
        if (status == SLG_OK && (capacity != scan->cursor_capacity || scan->heap == NULL)) {
            uint32_t *heap = realloc(scan->heap, scan->cursor_capacity * sizeof(*scan->heap));

            if (heap == NULL)
                status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a scan");
            else
                scan->heap = heap;
        }
        if (status != SLG_OK)
            return status;
        *ret_index = (uint32_t)scan->cursor_count++;
    }
    scan->cursors[*ret_index] = (struct cursor){ .used = true };
    return SLG_OK;
}

static void free_cursor(struct slg_scan *scan, uint32_t index)
{
    struct cursor *cursor = &scan->cursors[index];

    drop_view(scan, cursor);
    *cursor = (struct cursor){ .next_free = scan->free_cursor };
    scan->free_cursor = index;
}

/* ---- the heap of cursors that have entries left ---- */

static bool heap_before(const struct slg_scan *scan, size_t a, size_t b)
{
    return cursor_before(scan, &scan->cursors[scan->heap[a]], &scan->cursors[scan->heap[b]]);
}

static void heap_swap(struct slg_scan *scan, size_t a, size_t b)
{
    uint32_t index = scan->heap[a];

    scan->heap[a] = scan->heap[b];
    scan->heap[b] = index;
}

static void heap_sink(struct slg_scan *scan, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= scan->heap_count)
            return;
        if (child + 1 < scan->heap_count && heap_before(scan, child + 1, child))
            child++;
        if (!heap_before(scan, child, at))
            return;
        heap_swap(scan, at, child);
        at = child;
    }
}

static void heap_push(struct slg_scan *scan, uint32_t index)
{
    size_t at = scan->heap_count++;

    scan->heap[at] = index;
    while (at > 0 && heap_before(scan, at, (at - 1) / 2)) {
        heap_swap(scan, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/* Open the next candidate; one without wanted entries leaves no cursor. */
static enum slg_status open_candidate(struct slg_scan *scan, uint32_t *ret_index,
                                      struct slg_error *reterr)
{
    struct cursor *cursor;
    uint32_t index;
    enum slg_status status = take_cursor(scan, &index, reterr);

    if (status != SLG_OK)
        return status;
    cursor = &scan->cursors[index];
    cursor->candidate = scan->candidates[scan->next_candidate++];
    status = load_view(scan, cursor, reterr);
    if (status == SLG_OK)
        status = count_batch(scan, &cursor->batch.view->header, reterr);
    if (status != SLG_OK || cursor->batch.position_count == 0) {
        free_cursor(scan, index);
        *ret_index = NO_INDEX;
        return status;
    }
    cursor->id = cursor->batch.view->header.id;
    cursor->count = cursor->batch.position_count;
    cursor->head_ts_ns = cursor->batch.view->ts_ns[next_position(scan, cursor)];
    *ret_index = index;
    return SLG_OK;
}

/* Does the next candidate begin before, or with, the head of the heap? */
static bool candidate_is_due(const struct slg_scan *scan)
{
    const struct candidate *next;
    int64_t head_ns;

    if (scan->next_candidate == scan->candidate_count)
        return false;
    if (scan->heap_count == 0)
        return true;
    next = &scan->candidates[scan->next_candidate];
    head_ns = scan->cursors[scan->heap[0]].head_ts_ns;
    return scan->direction == SLG_FORWARD ? next->ts_min_ns <= head_ns : next->ts_max_ns >= head_ns;
}

/* ---- runs ---- */

static enum slg_status take_head(struct slg_scan *scan, struct slg_error *reterr)
{
    uint32_t index = scan->heap[0];
    struct cursor *cursor = &scan->cursors[index];
    enum slg_status status = load_view(scan, cursor, reterr);
    void *items = scan->run;
    uint32_t position;

    if (status == SLG_OK)
        status = grow_array(scan, &items, scan->run_count, &scan->run_capacity, sizeof(*scan->run),
                            reterr);
    if (status != SLG_OK)
        return status;
    scan->run = items;
    position = next_position(scan, cursor);
    scan->run[scan->run_count++] =
        (struct run_entry){ .cursor_index = index,
                            .position = position,
                            .stream_hash = slg_remote_stream_hash(
                                cursor->batch.streams[cursor->batch.view->stream_index[position]]),
                            .push = cursor->batch.view->kind[position] == SLG_ENTRY_PUSH };
    cursor->taken++;
    cursor->run_uses++;
    if (cursor->taken < cursor->count) {
        cursor->head_ts_ns = cursor->batch.view->ts_ns[next_position(scan, cursor)];
    } else {
        scan->heap[0] = scan->heap[--scan->heap_count];
    }
    heap_sink(scan, 0);
    return SLG_OK;
}

static void hash_more(uint64_t hash[2], const void *bytes, size_t len)
{
    /* The length goes in as well: ("ab", "c") is not ("a", "bc"). */
    for (int i = 0; i < 2; i++)
        hash[i] = slg_hash_xxh3_seeded(bytes, len, hash[i] + len);
}

static enum slg_status hash_entry(struct slg_scan *scan, struct run_entry *entry,
                                  struct slg_error *reterr)
{
    struct cursor *cursor = &scan->cursors[entry->cursor_index];
    struct slg_label metadata[SLG_METADATA_COUNT_MAX];
    const struct slg_batch_view *view;
    const struct slg_stream_id *stream;
    struct slg_text line;
    size_t count;
    enum slg_status status = load_view(scan, cursor, reterr);

    if (status != SLG_OK)
        return status;
    view = cursor->batch.view;
    stream = &view->header.streams[view->stream_index[entry->position]].id;
    line = slg_batch_view_line(view, entry->position);
    memcpy(entry->hash, scan->seeds, sizeof(entry->hash));
    hash_more(entry->hash, stream->bytes, sizeof(stream->bytes));
    hash_more(entry->hash, line.at, line.len);
    count = slg_batch_view_metadata(view, entry->position, metadata);
    for (size_t i = 0; i < count; i++) {
        hash_more(entry->hash, metadata[i].name.at, metadata[i].name.len);
        hash_more(entry->hash, metadata[i].value.at, metadata[i].value.len);
    }
    return SLG_OK;
}

/* By hash, then by place in the run: the first in total order of each hash comes first (forward). */
struct run_key {
    uint64_t hash[2];
    uint32_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct run_key *x = a, *y = b;

    for (int i = 0; i < 2; i++)
        if (x->hash[i] != y->hash[i])
            return x->hash[i] < y->hash[i] ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* H9: of equal pushes the first in total order stays; backward that is the last of the run. */
static enum slg_status drop_duplicates(struct slg_scan *scan, size_t push_count,
                                       struct slg_error *reterr)
{
    struct run_key *keys = calloc(push_count, sizeof(*keys));
    enum slg_status status = SLG_OK;
    size_t count = 0;

    if (keys == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for %zu equal stamps", push_count);
    for (size_t i = 0; status == SLG_OK && i < scan->run_count; i++) {
        struct run_entry *entry = &scan->run[i];

        if (!entry->push)
            continue;
        status = hash_entry(scan, entry, reterr);
        keys[count++] =
            (struct run_key){ .hash = { entry->hash[0], entry->hash[1] }, .index = (uint32_t)i };
    }
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 1; status == SLG_OK && i < count; i++) {
        size_t loser = scan->direction == SLG_FORWARD ? i : i - 1;

        if (keys[i].hash[0] == keys[i - 1].hash[0] && keys[i].hash[1] == keys[i - 1].hash[1]) {
            scan->run[keys[loser].index].dropped = true;
            scan->stats->duplicates++;
        }
    }
    free(keys);
    return status;
}

/* By stream, then by place in the run: within a stream the order of the walk stays. */
static int compare_run(const void *a, const void *b)
{
    const struct run_key *x = a, *y = b;

    if (x->hash[0] != y->hash[0])
        return x->hash[0] < y->hash[0] ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Rows of one time are shown stream after stream (docs/adr/0008), on whatever page they come to stand. */
static enum slg_status sort_run(struct slg_scan *scan, struct slg_error *reterr)
{
    struct run_entry *sorted;
    struct run_key *keys;
    bool ordered = true;

    for (size_t i = 1; ordered && i < scan->run_count; i++)
        ordered = scan->run[i - 1].stream_hash <= scan->run[i].stream_hash;
    if (ordered)
        return SLG_OK;
    keys = calloc(scan->run_count, sizeof(*keys));
    sorted = calloc(scan->run_capacity, sizeof(*sorted));
    if (keys == NULL || sorted == NULL) {
        free(keys);
        free(sorted);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for %zu equal stamps", scan->run_count);
    }
    for (size_t i = 0; i < scan->run_count; i++)
        keys[i] = (struct run_key){ .hash = { scan->run[i].stream_hash }, .index = (uint32_t)i };
    qsort(keys, scan->run_count, sizeof(*keys), compare_run);
    for (size_t i = 0; i < scan->run_count; i++)
        sorted[i] = scan->run[keys[i].index];
    free(keys);
    free(scan->run);
    scan->run = sorted;
    return SLG_OK;
}

/* Gather the entries of the next instant (one entry when nothing has to be compared). */
static enum slg_status gather_run(struct slg_scan *scan, struct slg_error *reterr)
{
    int64_t ts_ns = scan->cursors[scan->heap[0]].head_ts_ns;
    bool by_stream = slg_remote_needs_order(scan->remote);
    size_t push_count = 0;
    enum slg_status status;

    scan->run_count = 0;
    scan->run_next = 0;
    do {
        status = take_head(scan, reterr);
        if (status == SLG_OK)
            push_count += scan->run[scan->run_count - 1].push;
    } while (status == SLG_OK && (scan->drop_duplicates || by_stream) && scan->heap_count > 0 &&
             scan->cursors[scan->heap[0]].head_ts_ns == ts_ns);
    if (status == SLG_OK && push_count > 1)
        status = drop_duplicates(scan, push_count, reterr);
    if (status == SLG_OK && by_stream && scan->run_count > 1)
        status = sort_run(scan, reterr);
    return status;
}

static void leave_run_entry(struct slg_scan *scan, const struct run_entry *entry)
{
    struct cursor *cursor = &scan->cursors[entry->cursor_index];

    cursor->run_uses--;
    if (cursor->run_uses == 0 && cursor->taken == cursor->count)
        free_cursor(scan, entry->cursor_index);
}

/* One entry to the remote. */
static enum slg_status give(struct slg_scan *scan, const struct slg_scan_batch *batch,
                            const struct slg_batch_id *id, uint32_t position,
                            struct slg_error *reterr)
{
    const struct slg_batch_view *view = batch->view;
    const struct slg_remote_entry entry = { .ts_ns = view->ts_ns[position],
                                            .batch = id,
                                            .position = position,
                                            .line = slg_batch_view_line(view, position),
                                            .view = view };

    scan->given_bytes += entry.line.len;
    return slg_remote_entry(scan->remote, batch->streams[view->stream_index[position]], &entry,
                            reterr);
}

static enum slg_status give_run_entry(struct slg_scan *scan, struct slg_error *reterr)
{
    const struct run_entry entry = scan->run[scan->run_next++];
    struct cursor *cursor = &scan->cursors[entry.cursor_index];
    enum slg_status status = SLG_OK;

    if (!entry.dropped) {
        status = load_view(scan, cursor, reterr);
        if (status == SLG_OK)
            status = give(scan, &cursor->batch, &cursor->id, entry.position, reterr);
    }
    leave_run_entry(scan, &entry);
    return status;
}

/* ---- steps ---- */

/* Of the group in hand, all entries of the next batch, in no order. */
static enum slg_status give_batch(struct slg_scan *scan, struct slg_error *reterr)
{
    uint32_t index;
    enum slg_status status = open_candidate(scan, &index, reterr);

    if (status != SLG_OK || index == NO_INDEX)
        return status;
    for (uint32_t i = 0; status == SLG_OK && i < scan->cursors[index].count; i++)
        status = give(scan, &scan->cursors[index].batch, &scan->cursors[index].id,
                      scan->cursors[index].batch.positions[i], reterr);
    free_cursor(scan, index);
    return status;
}

/* One unit of work. OK: go on; NOT_FOUND: all entries were given, or no more are wanted. */
static enum slg_status advance(struct slg_scan *scan, struct slg_error *reterr)
{
    if (scan->run_next < scan->run_count)
        return give_run_entry(scan, reterr);
    if (scan->in_order && candidate_is_due(scan)) {
        uint32_t index;
        enum slg_status status = open_candidate(scan, &index, reterr);

        if (status == SLG_OK && index != NO_INDEX)
            heap_push(scan, index);
        return status;
    }
    if (scan->heap_count > 0)
        return gather_run(scan, reterr);
    if (scan->next_candidate < scan->candidate_count)
        return give_batch(scan, reterr);
    if (scan->next_shard < scan->shard_count)
        return start_group(scan, reterr);
    return SLG_NOT_FOUND;
}

static bool page_is_full(const struct slg_scan *scan)
{
    return slg_remote_pending_bytes(scan->remote) >= SLG_PAGE_BYTES_MAX;
}

static enum slg_status check_limits(const struct slg_scan *scan, int64_t now_mono_ns,
                                    struct slg_error *reterr)
{
    if (atomic_load_explicit(scan->options.canceled, memory_order_relaxed))
        return slg_errorf(reterr, SLG_CANCELED, "the query was canceled");
    if (now_mono_ns >= scan->options.deadline_mono_ns)
        return slg_errorf(reterr, SLG_TIMEOUT, "the query took longer than its time limit");
    return SLG_OK;
}

/* OK: a page can be taken. AGAIN: the slice is over. */
static enum slg_status scan_slice(struct slg_scan *scan, int64_t slice_end_mono_ns,
                                  struct slg_error *reterr)
{
    size_t steps = 0;

    while (!page_is_full(scan)) {
        uint64_t batches = scan->stats->batches_read;
        size_t shards = scan->next_shard;
        enum slg_status status = advance(scan, reterr);

        if (status == SLG_NOT_FOUND) {
            scan->phase = PHASE_PAGES;
            return slg_remote_finish(scan->remote, reterr);
        }
        if (status != SLG_OK)
            return status;
        if (++steps % ENTRIES_PER_CLOCK == 0 || scan->given_bytes >= BYTES_PER_CLOCK ||
            scan->stats->batches_read != batches || scan->next_shard != shards) {
            int64_t now_ns = slg_clock_mono_ns(slg_clock_system());

            scan->given_bytes = 0;

            status = check_limits(scan, now_ns, reterr);
            if (status != SLG_OK)
                return status;
            if (now_ns >= slice_end_mono_ns)
                return SLG_AGAIN;
        }
    }
    return SLG_OK;
}

/* Nothing decoded is held while the querier thinks. */
static void drop_views(struct slg_scan *scan)
{
    for (size_t i = 0; i < scan->cursor_count; i++)
        if (scan->cursors[i].used)
            drop_view(scan, &scan->cursors[i]);
    while (scan->pool_count > 0)
        slg_arena_destroy(scan->pool[--scan->pool_count]);
}

enum slg_status slg_scan_step(struct slg_scan *scan, int64_t slice_ns, struct slg_buf *out,
                              bool *ret_more, struct slg_scan_stats *stats,
                              struct slg_error *reterr)
{
    int64_t start_ns = slg_clock_mono_ns(slg_clock_system());
    uint64_t kept = slg_remote_kept_count(scan->remote);
    bool more = false;
    enum slg_status status = check_limits(scan, start_ns, reterr);

    scan->stats = stats;
    if (status == SLG_OK && scan->phase == PHASE_SCAN)
        status = scan_slice(scan, start_ns + slice_ns, reterr);
    if (status == SLG_OK) {
        status = slg_remote_page(scan->remote, out, &more, reterr);
        more |= scan->phase == PHASE_SCAN;
        drop_views(scan);
    }
    stats->lines_kept += slg_remote_kept_count(scan->remote) - kept;
    stats->scan_ns += (uint64_t)(slg_clock_mono_ns(slg_clock_system()) - start_ns);
    scan->stats = NULL;
    if (status == SLG_OK)
        *ret_more = more;
    return status;
}
