/* The entries of a scan in the order of the query: batches opened when they are due, a heap of them, runs of one instant,
 * duplicates dropped. */
#include <inttypes.h>

#include "base/hash.h"
#include "storer/catalogue_damage.h"
#include "storer/scan_private.h"

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
        if (status == SLG_CORRUPT)
            slg_catalogue_report(scan->options.catalogue, &scan->shards[candidate->shard_index].id);
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

    if (scan->free_cursor != SCAN_NO_INDEX) {
        *ret_index = scan->free_cursor;
        scan->free_cursor = scan->cursors[*ret_index].next_free;
    } else {
        status = slg_scan_grow(scan, &items, scan->cursor_count, &scan->cursor_capacity,
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

void slg_scan_drop_views(struct slg_scan *scan)
{
    for (size_t i = 0; i < scan->cursor_count; i++)
        if (scan->cursors[i].used)
            drop_view(scan, &scan->cursors[i]);
    while (scan->pool_count > 0)
        slg_arena_destroy(scan->pool[--scan->pool_count]);
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
        *ret_index = SCAN_NO_INDEX;
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
        status = slg_scan_grow(scan, &items, scan->run_count, &scan->run_capacity,
                               sizeof(*scan->run), reterr);
    if (status != SLG_OK)
        return status;
    scan->run = items;
    position = next_position(scan, cursor);
    scan->run[scan->run_count++] =
        (struct run_entry){ .cursor_index = index,
                            .position = position,
                            .stream_hash = slg_remote_stream_hash(
                                cursor->batch.streams[cursor->batch.view->stream_index[position]]),
                            .push = cursor->batch.view->kind[position] == SLG_ENTRY_PUSH,
                            .known = cursor->candidate.known,
                            .dropped = cursor->candidate.known };
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

/* By hash, then by place in the run: the first in total order of each hash comes first (forward), known ones before. */
struct run_key {
    uint64_t hash[2];
    uint32_t index;
    bool
        late; /* behind all others of its hash (backward: known ones) or behind known ones (forward: the others) */
};

static int compare_keys(const void *a, const void *b)
{
    const struct run_key *x = a, *y = b;

    for (int i = 0; i < 2; i++)
        if (x->hash[i] != y->hash[i])
            return x->hash[i] < y->hash[i] ? -1 : 1;
    if (x->late != y->late)
        return x->late ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

/* H9: of equal pushes the first in total order stays, backward that is the last of the run; none when one is known. */
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
            (struct run_key){ .hash = { entry->hash[0], entry->hash[1] },
                              .index = (uint32_t)i,
                              .late = entry->known == (scan->direction == SLG_BACKWARD) };
    }
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 1; status == SLG_OK && i < count; i++) {
        size_t loser = scan->direction == SLG_FORWARD ? i : i - 1;
        struct run_entry *entry = &scan->run[keys[loser].index];

        if (keys[i].hash[0] == keys[i - 1].hash[0] && keys[i].hash[1] == keys[i - 1].hash[1]) {
            entry->dropped = true;
            scan->stats->duplicates += !entry->known;
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

    if (status != SLG_OK || index == SCAN_NO_INDEX)
        return status;
    for (uint32_t i = 0; status == SLG_OK && i < scan->cursors[index].count; i++)
        status = give(scan, &scan->cursors[index].batch, &scan->cursors[index].id,
                      scan->cursors[index].batch.positions[i], reterr);
    free_cursor(scan, index);
    return status;
}

enum slg_status slg_scan_advance(struct slg_scan *scan, struct slg_error *reterr)
{
    if (scan->run_next < scan->run_count)
        return give_run_entry(scan, reterr);
    if (scan->in_order && candidate_is_due(scan)) {
        uint32_t index;
        enum slg_status status = open_candidate(scan, &index, reterr);

        if (status == SLG_OK && index != SCAN_NO_INDEX)
            heap_push(scan, index);
        return status;
    }
    if (scan->heap_count > 0)
        return gather_run(scan, reterr);
    if (scan->next_candidate < scan->candidate_count)
        return give_batch(scan, reterr);
    if (scan->next_shard < scan->shard_count)
        return slg_scan_start_group(scan, reterr);
    return SLG_NOT_FOUND;
}
