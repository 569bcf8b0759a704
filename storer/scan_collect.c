/* Which batches a scan opens: the shards of S in groups whose windows overlap, their streams, and of their batches those
 * that may hold wanted entries. */
#include <inttypes.h>

#include "storer/catalogue_damage.h"
#include "storer/scan_private.h"

/* ---- candidates of a shard ---- */

/* Known batches of a shard that are opened at most: those that lie nearest in time to the oldest new push. A resend
 * comes within minutes of what it repeats. */
#define KNOWN_COUNT_MAX 256

/* What the visitors of one shard share. */
struct collection {
    struct slg_scan *scan;
    const struct slg_batch_set *set;
    const struct slg_batch_set *known; /* NULL: none */
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
        return slg_scan_over_memory(scan, reterr);
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
    bool known = !slg_batch_set_has(c->set, &summary->incarnation, summary->sequence);
    enum slg_status status;

    if (known && (c->known == NULL || summary->push_count == 0 ||
                  !slg_batch_set_has(c->known, &summary->incarnation, summary->sequence)))
        return SLG_OK; /* came after the sets were fixed */
    c->found += !known;
    if (summary->ts_max_ns < scan->wish.from_ns || summary->ts_min_ns >= scan->wish.to_ns ||
        !has_wanted_stream(c, ref->generation_index, summary)) {
        scan->stats->batches_skipped++;
        return SLG_OK;
    }
    status = slg_scan_grow(scan, &items, scan->candidate_count, &scan->candidate_capacity,
                           sizeof(*scan->candidates), c->reterr);
    if (status != SLG_OK)
        return status;
    scan->candidates = items;
    scan->candidates[scan->candidate_count++] =
        (struct candidate){ .ref = *ref,
                            .shard_index = c->shard_index,
                            .has_push = summary->push_count > 0,
                            .known = known,
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

static int compare_known(const void *a, const void *b, void *arg)
{
    const struct candidate *x = a, *y = b;
    const int64_t *oldest_ns = arg;
    uint64_t to_x = (uint64_t)llabs(x->ts_min_ns / 2 - *oldest_ns / 2); /* halves: no overflow */
    uint64_t to_y = (uint64_t)llabs(y->ts_min_ns / 2 - *oldest_ns / 2);

    return (to_x > to_y) - (to_x < to_y);
}

/* Of the candidates of this shard, from `first` on: keep the known ones that may hold what the new ones repeat. */
static void choose_known(struct slg_scan *scan, size_t first)
{
    int64_t oldest_ns = INT64_MAX, newest_ns = INT64_MIN;
    struct candidate *all = scan->candidates, swap;
    size_t fresh = first, near;

    for (size_t i = first; i < scan->candidate_count; i++) { /* the new ones to the front */
        if (all[i].known)
            continue;
        if (all[i].has_push) {
            oldest_ns = all[i].ts_min_ns < oldest_ns ? all[i].ts_min_ns : oldest_ns;
            newest_ns = all[i].ts_max_ns > newest_ns ? all[i].ts_max_ns : newest_ns;
        }
        swap = all[fresh];
        all[fresh++] = all[i];
        all[i] = swap;
    }
    near = fresh;
    for (size_t i = fresh; i < scan->candidate_count; i++)
        if (all[i].ts_max_ns >= oldest_ns && all[i].ts_min_ns <= newest_ns)
            all[near++] = all[i];
    if (near - fresh > KNOWN_COUNT_MAX) {
        qsort_r(&all[fresh], near - fresh, sizeof(*all), compare_known, &oldest_ns);
        near = fresh + KNOWN_COUNT_MAX;
    }
    scan->candidate_count = near;
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

static enum slg_status decode_set(struct slg_text text, const struct slg_shard_id *id,
                                  struct slg_batch_set **ret_set, struct slg_error *reterr)
{
    struct slg_cursor bytes = slg_cursor_make(text.at, text.len);
    struct slg_batch_set *set;
    enum slg_status status = slg_batch_set_decode(&bytes, &set);

    if (status == SLG_OK && slg_cursor_left(&bytes) == 0) {
        *ret_set = set;
        return SLG_OK;
    }
    if (status == SLG_OK)
        slg_batch_set_destroy(set);
    return slg_errorf(reterr, SLG_MALFORMED, "the set of shard \"%s\" cannot be read",
                      slg_shard_name_of(id).text);
}

static enum slg_status collect_set(struct collection *c, const struct slg_shard_id *id)
{
    struct slg_catalogue *catalogue = c->scan->options.catalogue;
    size_t first = c->scan->candidate_count;
    struct slg_shard *shard;
    enum slg_status status;

    if (slg_batch_set_count(c->set) == 0)
        return SLG_OK;
    status = slg_catalogue_pin(catalogue, id, /* create= */ false, &shard, c->reterr);
    if (status == SLG_OK) {
        status = collect_opened(c, shard);
        slg_catalogue_unpin(catalogue, shard);
        if (status == SLG_CORRUPT)
            slg_catalogue_report(catalogue, id);
    }
    if (c->known != NULL)
        choose_known(c->scan, first);
    return check_found(c, id, status);
}

static enum slg_status collect_shard(struct slg_scan *scan, uint32_t shard_index,
                                     struct slg_error *reterr)
{
    const struct scan_shard *wanted = &scan->shards[shard_index];
    struct collection c = { .scan = scan, .shard_index = shard_index, .reterr = reterr };
    struct slg_batch_set *set = NULL, *known = NULL;
    enum slg_status status = decode_set(wanted->set_bytes, &wanted->id, &set, reterr);

    if (status == SLG_OK && wanted->known_bytes.len > 0)
        status = decode_set(wanted->known_bytes, &wanted->id, &known, reterr);
    c.set = set;
    c.known = known;
    if (status == SLG_OK)
        status = collect_set(&c, &wanted->id);
    for (size_t i = 0; i < SLG_MANIFEST_GENERATION_COUNT_MAX; i++)
        free(c.wanted[i]);
    slg_batch_set_destroy(set);
    slg_batch_set_destroy(known);
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

enum slg_status slg_scan_start_group(struct slg_scan *scan, struct slg_error *reterr)
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
