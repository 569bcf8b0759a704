#include "storer/scan.h"

#include <inttypes.h>
#include <sys/random.h>

#include "base/clock.h"
#include "storer/scan_private.h"

/* Concurrency: one thread at a time runs a scan (a query worker, by way of its session); `canceled` is an atomic.
 *
 *   shards of S ---group---> candidates (sorted by first entry) ---open---> cursors in a heap ---head---> run ---> remote
 *
 * A run is the entries of one instant, gathered so that equal pushes among them can be found whatever the direction, and
 * that those of a log query come stream by stream. */

#define ENTRIES_PER_CLOCK 256             /* entries between two looks at the clock, */
#define BYTES_PER_CLOCK   ((size_t)32768) /* or bytes of lines: a bad regex takes 2 ms for so many */
#define SCRATCH_BYTES     ((size_t)1 << 20) /* labels of one stream */

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
        scan->shards[i] = (struct scan_shard){ .id = query->shards[i].shard,
                                               .set_bytes = query->shards[i].set,
                                               .known_bytes = query->shards[i].known };
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
    scan->free_cursor = SCAN_NO_INDEX;
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
    if (scan->wish.from_ns < options->query->cut_from_ns)
        scan->wish.from_ns = options->query->cut_from_ns;
    if (options->query->cut_to_ns != 0 && scan->wish.to_ns > options->query->cut_to_ns)
        scan->wish.to_ns = options->query->cut_to_ns;
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

/* ---- memory ---- */

enum slg_status slg_scan_over_memory(const struct slg_scan *scan, struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time or fewer streams",
                           "the query needs more than %zu bytes of memory on a storer",
                           scan->memory_bytes_max);
}

enum slg_status slg_scan_grow(struct slg_scan *scan, void **items, size_t count, size_t *capacity,
                              size_t item_size, struct slg_error *reterr)
{
    size_t wanted = *capacity == 0 ? RUN_CAPACITY_MIN : *capacity * 2;
    void *bigger;

    if (count < *capacity)
        return SLG_OK;
    if (wanted > RUN_CAPACITY_MIN && wanted * item_size > scan->memory_bytes_max)
        return slg_scan_over_memory(scan, reterr);
    bigger = realloc(*items, wanted * item_size);
    if (bigger == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a scan");
    *items = bigger;
    *capacity = wanted;
    return SLG_OK;
}

/* ---- steps ---- */

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
        enum slg_status status = slg_scan_advance(scan, reterr);

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
        slg_scan_drop_views(scan);
    }
    stats->lines_kept += slg_remote_kept_count(scan->remote) - kept;
    stats->scan_ns += (uint64_t)(slg_clock_mono_ns(slg_clock_system()) - start_ns);
    scan->stats = NULL;
    if (status == SLG_OK)
        *ret_more = more;
    return status;
}
