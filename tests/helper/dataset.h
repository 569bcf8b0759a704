/* tests/helper/dataset.h - entries in memory, sealed into real batches, spread over nodes, and asked by real remotes.
 *
 * A node holds whole shards, as a replica that evaluates them does. It gives its entries in total order without push
 * duplicates, as a storer does (logql/plan/remote.h). Aborts when memory ends: tests only. */
#ifndef SLG_TESTS_HELPER_DATASET_H
#define SLG_TESTS_HELPER_DATASET_H

#include "tests/helper/test.h"

#include "logql/plan/page.h"
#include "logql/plan/query.h"
#include "logql/plan/remote.h"

struct data_entry {
    int64_t ts_ns;
    uint32_t stream; /* into data_set.streams */
    enum slg_entry_kind kind;
    struct slg_text line;
    struct slg_label_set metadata;
};

struct data_set {
    struct slg_label_set *streams;
    size_t stream_count;
    struct data_entry *entries; /* in order of arrival */
    size_t entry_count;
};

/* How a data set is cut. All choices follow from `seed`. */
struct data_cut {
    uint64_t seed;
    int64_t window_ns;
    uint16_t slot_count;
    size_t batch_entry_max; /* batches hold 1 to this many entries; 0: as many as fit */
    size_t incarnation_count;
    size_t node_count;
    bool any_order;    /* where a remote allows it, give batches in any order */
    size_t page_bytes; /* of log queries; 0: SLG_PAGE_BYTES_MAX */
};

struct data_batch {
    struct slg_arena *arena;
    struct slg_buf bytes;
    const struct slg_batch_view *view;
    uint32_t *stream_of; /* table index -> data_set stream */
    uint32_t node;
};

struct data_ref {
    uint32_t batch, position;
};

struct data_node {
    struct data_ref *refs; /* in total order, without duplicates */
    size_t count;
};

struct data_store {
    const struct data_set *set;
    struct data_cut cut;
    struct data_batch *batches;
    size_t batch_count, batch_capacity;
    struct data_node *nodes;
};

static inline uint64_t data_random(uint64_t *state)
{
    uint64_t x = (*state += UINT64_C(0x9E3779B97F4A7C15));

    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static inline void *data_alloc(size_t count, size_t size)
{
    void *p = calloc(count + 1, size);

    if (p == NULL)
        abort();
    return p;
}

static inline void data_check(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "data set: %s\n", what);
        abort();
    }
}

struct data_key {
    struct slg_shard_id shard;
    uint8_t incarnation;
    uint32_t entry;
};

static inline int data_compare_keys(const void *a, const void *b)
{
    const struct data_key *x = a, *y = b;
    int order = slg_shard_id_compare(&x->shard, &y->shard);

    if (order == 0)
        order = (x->incarnation > y->incarnation) - (x->incarnation < y->incarnation);
    return order != 0 ? order : (x->entry > y->entry) - (x->entry < y->entry);
}

static inline void data_add_batch(struct data_store *store, struct slg_batch_builder *builder,
                                  uint8_t incarnation, uint64_t sequence, const uint32_t *stream_of,
                                  uint32_t node)
{
    struct slg_incarnation id;
    struct data_batch *batch;
    size_t table_bytes;

    memset(id.bytes, incarnation, sizeof(id.bytes));
    if (store->batch_count == store->batch_capacity) {
        store->batch_capacity = store->batch_capacity * 2 + 16;
        store->batches = realloc(store->batches, store->batch_capacity * sizeof(*store->batches));
        data_check(store->batches != NULL, "no memory");
    }
    batch = &store->batches[store->batch_count++];
    *batch = (struct data_batch){ .arena = slg_arena_create((size_t)16 << 20), .node = node };
    slg_buf_init(&batch->bytes, SLG_BATCH_BYTES_MAX);
    data_check(slg_batch_builder_seal(builder, &id, sequence, 1, &batch->bytes) == SLG_OK, "seal");
    data_check(slg_batch_decode(batch->arena, batch->bytes.data, batch->bytes.len, &batch->view) ==
                   SLG_OK,
               "decode");
    table_bytes = batch->view->header.stream_count * sizeof(uint32_t);
    batch->stream_of = data_alloc(1, table_bytes);
    memcpy(batch->stream_of, stream_of, table_bytes);
}

static inline uint32_t data_stream_index(struct slg_batch_builder *builder,
                                         const struct slg_label_set *labels)
{
    struct slg_buf canonical;
    struct slg_stream_id id;
    uint32_t index;

    slg_buf_init(&canonical, SLG_LABEL_SET_BYTES_MAX);
    slg_label_encode(&canonical, labels);
    id = slg_stream_id_of(slg_text_of("fake"), canonical.data, canonical.len);
    data_check(slg_batch_builder_stream(builder, &id, canonical.data, canonical.len, &index) ==
                   SLG_OK,
               "stream");
    slg_buf_fini(&canonical);
    return index;
}

static inline uint16_t data_slot(const struct slg_label_set *labels, uint16_t slot_count)
{
    struct slg_buf canonical;
    struct slg_stream_id id;

    slg_buf_init(&canonical, SLG_LABEL_SET_BYTES_MAX);
    slg_label_encode(&canonical, labels);
    id = slg_stream_id_of(slg_text_of("fake"), canonical.data, canonical.len);
    slg_buf_fini(&canonical);
    return slg_stream_slot(&id, slot_count);
}

/* Entries by shard and incarnation, in order of arrival. */
static inline struct data_key *data_sort_keys(const struct data_store *store, uint64_t *random)
{
    const struct data_set *set = store->set;
    struct data_key *keys = data_alloc(set->entry_count, sizeof(*keys));
    uint16_t *slots = data_alloc(set->stream_count, sizeof(*slots));

    for (size_t i = 0; i < set->stream_count; i++)
        slots[i] = data_slot(&set->streams[i], store->cut.slot_count);
    for (size_t i = 0; i < set->entry_count; i++) {
        const struct data_entry *entry = &set->entries[i];

        keys[i].entry = (uint32_t)i;
        keys[i].incarnation = (uint8_t)(1 + data_random(random) % store->cut.incarnation_count);
        keys[i].shard = (struct slg_shard_id){
            .window_ns = slg_window_start(entry->ts_ns, store->cut.window_ns),
            .length_ns = store->cut.window_ns,
            .slot = slots[entry->stream],
            .slot_count = store->cut.slot_count,
        };
    }
    qsort(keys, set->entry_count, sizeof(*keys), data_compare_keys);
    free(slots);
    return keys;
}

static inline void data_build_batches(struct data_store *store, uint64_t *random)
{
    const struct data_set *set = store->set;
    struct data_key *keys = data_sort_keys(store, random);
    uint32_t *stream_of = data_alloc(SLG_BATCH_STREAM_COUNT_MAX, sizeof(*stream_of));
    struct slg_batch_builder *builder;
    uint64_t sequence = 0;
    uint32_t node = 0;

    data_check(slg_batch_builder_create(slg_text_of("fake"), SLG_BATCH_SEAL_BYTES, &builder) ==
                   SLG_OK,
               "builder");
    for (size_t i = 0; i < set->entry_count;) {
        bool new_shard = i == 0 || slg_shard_id_compare(&keys[i].shard, &keys[i - 1].shard) != 0;
        size_t start = i;
        size_t max = store->cut.batch_entry_max == 0
                         ? SLG_BATCH_ENTRY_COUNT_MAX
                         : 1 + data_random(random) % store->cut.batch_entry_max;

        if (new_shard)
            node = (uint32_t)(data_random(random) % store->cut.node_count);
        if (new_shard || keys[i].incarnation != keys[i - 1].incarnation)
            sequence = 0;
        slg_batch_builder_start(builder, &keys[i].shard);
        for (; i < set->entry_count && i - start < max; i++) {
            const struct data_entry *entry = &set->entries[keys[i].entry];
            struct slg_entry append = { .ts_ns = entry->ts_ns,
                                        .kind = entry->kind,
                                        .line = entry->line,
                                        .metadata = entry->metadata };

            if (i > start && (slg_shard_id_compare(&keys[i].shard, &keys[start].shard) != 0 ||
                              keys[i].incarnation != keys[start].incarnation))
                break;
            append.stream_index = data_stream_index(builder, &set->streams[entry->stream]);
            stream_of[append.stream_index] = entry->stream;
            if (slg_batch_builder_append(builder, &append) != SLG_OK) {
                data_check(i > start, "an entry over the limits");
                break;
            }
        }
        data_add_batch(store, builder, keys[start].incarnation, ++sequence, stream_of, node);
    }
    slg_batch_builder_destroy(builder);
    free(stream_of);
    free(keys);
}

static inline int data_compare_refs(const void *a, const void *b, void *user)
{
    const struct data_store *store = user;
    const struct data_ref *x = a, *y = b;
    const struct slg_batch_view *v = store->batches[x->batch].view,
                                *w = store->batches[y->batch].view;
    int order = (v->ts_ns[x->position] > w->ts_ns[y->position]) -
                (v->ts_ns[x->position] < w->ts_ns[y->position]);

    if (order == 0)
        order = slg_batch_order(&v->header.id, &w->header.id);
    return order != 0 ? order : (x->position > y->position) - (x->position < y->position);
}

static inline uint32_t data_ref_stream(const struct data_store *store, struct data_ref ref)
{
    const struct data_batch *batch = &store->batches[ref.batch];

    return batch->stream_of[batch->view->stream_index[ref.position]];
}

/* Equal stream, time, line and metadata, both pushed. */
static inline bool data_is_duplicate(const struct data_store *store, struct data_ref a,
                                     struct data_ref b)
{
    const struct slg_batch_view *v = store->batches[a.batch].view,
                                *w = store->batches[b.batch].view;
    struct slg_label x[SLG_METADATA_COUNT_MAX], y[SLG_METADATA_COUNT_MAX];
    size_t count;

    if (v->kind[a.position] != SLG_ENTRY_PUSH || w->kind[b.position] != SLG_ENTRY_PUSH ||
        v->ts_ns[a.position] != w->ts_ns[b.position] ||
        data_ref_stream(store, a) != data_ref_stream(store, b) ||
        !slg_text_equal(slg_batch_view_line(v, a.position), slg_batch_view_line(w, b.position)))
        return false;
    count = slg_batch_view_metadata(v, a.position, x);
    if (count != slg_batch_view_metadata(w, b.position, y))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!slg_text_equal(x[i].name, y[i].name) || !slg_text_equal(x[i].value, y[i].value))
            return false;
    }
    return true;
}

static inline void data_sort_node(struct data_store *store, uint32_t node)
{
    struct data_node *n = &store->nodes[node];
    size_t total = 0, kept = 0;

    for (size_t b = 0; b < store->batch_count; b++)
        total += store->batches[b].node == node ? store->batches[b].view->header.entry_count : 0;
    n->refs = data_alloc(total, sizeof(*n->refs));
    for (uint32_t b = 0; b < store->batch_count; b++) {
        for (uint32_t p = 0;
             store->batches[b].node == node && p < store->batches[b].view->header.entry_count; p++)
            n->refs[n->count++] = (struct data_ref){ b, p };
    }
    qsort_r(n->refs, n->count, sizeof(*n->refs), data_compare_refs, store);
    for (size_t i = 0; i < n->count; i++) {
        bool duplicate = false;

        for (size_t k = kept; k > 0 && !duplicate; k--) {
            const struct data_ref *have = &n->refs[k - 1];

            if (store->batches[have->batch].view->ts_ns[have->position] !=
                store->batches[n->refs[i].batch].view->ts_ns[n->refs[i].position])
                break;
            duplicate = data_is_duplicate(store, *have, n->refs[i]);
        }
        if (!duplicate)
            n->refs[kept++] = n->refs[i];
    }
    n->count = kept;
}

static inline void data_store_open(struct data_store *store, const struct data_set *set,
                                   const struct data_cut *cut)
{
    uint64_t random = cut->seed;

    *store = (struct data_store){ .set = set, .cut = *cut };
    store->nodes = data_alloc(cut->node_count, sizeof(*store->nodes));
    data_build_batches(store, &random);
    for (uint32_t node = 0; node < cut->node_count; node++)
        data_sort_node(store, node);
}

static inline void data_store_close(struct data_store *store)
{
    for (size_t i = 0; i < store->batch_count; i++) {
        slg_arena_destroy(store->batches[i].arena);
        slg_buf_fini(&store->batches[i].bytes);
        free(store->batches[i].stream_of);
    }
    for (size_t i = 0; i < store->cut.node_count; i++)
        free(store->nodes[i].refs);
    free(store->batches);
    free(store->nodes);
}

/* Takes one page body; anything but OK stops. */
typedef enum slg_status data_take_page(void *user, const void *body, size_t len, bool more,
                                       struct slg_error *reterr);

struct data_scan {
    const struct data_store *store;
    uint32_t node;
    struct slg_remote *remote;
    struct slg_remote_stream **streams; /* by data_set stream; prepared on demand */
    bool *prepared;
    data_take_page *take;
    void *user;
};

static inline enum slg_status data_give(struct data_scan *scan, struct data_ref ref,
                                        struct slg_error *reterr)
{
    const struct slg_batch_view *view = scan->store->batches[ref.batch].view;
    uint32_t stream = data_ref_stream(scan->store, ref);
    struct slg_remote_entry entry = { .ts_ns = view->ts_ns[ref.position],
                                      .batch = &view->header.id,
                                      .position = ref.position,
                                      .line = slg_batch_view_line(view, ref.position),
                                      .view = view };

    if (!scan->prepared[stream]) {
        enum slg_status status = slg_remote_stream(scan->remote, &scan->store->set->streams[stream],
                                                   &scan->streams[stream], reterr);

        if (status != SLG_OK)
            return status;
        scan->prepared[stream] = true;
    }
    if (scan->streams[stream] == NULL)
        return SLG_OK;
    return slg_remote_entry(scan->remote, scan->streams[stream], &entry, reterr);
}

static inline enum slg_status data_flush(struct data_scan *scan, bool more, bool *ret_more,
                                         struct slg_error *reterr)
{
    struct slg_buf page;
    enum slg_status status;

    slg_buf_init(&page, SLG_MESSAGE_BYTES_MAX);
    *ret_more = false;
    status = slg_remote_page(scan->remote, &page, ret_more, reterr);
    if (status == SLG_OK) {
        uint8_t *exact = test_block(page.data, page.len);

        status = scan->take(scan->user, exact, page.len, more || *ret_more, reterr);
        free(exact);
    }
    slg_buf_fini(&page);
    return status;
}

/* Has the entry given after the i-th the same time? A page must not end between the two. */
static inline bool data_same_instant(const struct data_store *store, const struct data_node *node,
                                     bool forward, size_t i)
{
    size_t at = forward ? i : node->count - 1 - i, next = forward ? at + 1 : at - 1;

    return i + 1 < node->count &&
           store->batches[node->refs[at].batch].view->ts_ns[node->refs[at].position] ==
               store->batches[node->refs[next].batch].view->ts_ns[node->refs[next].position];
}

static inline enum slg_status
data_walk(struct data_scan *scan, const struct slg_leaf_request *request, struct slg_error *reterr)
{
    const struct data_node *node = &scan->store->nodes[scan->node];
    bool forward = request->kind != SLG_LEAF_LOG || request->direction == SLG_FORWARD;
    bool any = scan->store->cut.any_order && !slg_remote_needs_order(scan->remote);
    size_t stride = any ? node->count / 2 + 1 : 1; /* halves interleaved */
    size_t page_bytes =
        scan->store->cut.page_bytes > 0 ? scan->store->cut.page_bytes : SLG_PAGE_BYTES_MAX;
    enum slg_status status = SLG_OK;
    bool more;

    for (size_t i = 0, at = 0; i < node->count && status == SLG_OK; i++) {
        status = data_give(scan, node->refs[forward ? at : node->count - 1 - at], reterr);
        at += stride;
        if (at >= node->count)
            at = at % stride + 1;
        if (status == SLG_OK && slg_remote_pending_bytes(scan->remote) >= page_bytes &&
            !data_same_instant(scan->store, node, forward, i))
            status = data_flush(scan, true, &more, reterr);
    }
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

/* Run a leaf on one node; its pages go to take. */
static inline enum slg_status data_run(const struct data_store *store, uint32_t node,
                                       const struct slg_leaf_request *request, data_take_page *take,
                                       void *user, struct slg_error *reterr)
{
    struct data_scan scan = { .store = store, .node = node, .take = take, .user = user };
    enum slg_status status = slg_remote_create(request, &scan.remote, reterr);
    bool more = true;

    if (status != SLG_OK)
        return status;
    scan.streams = data_alloc(store->set->stream_count, sizeof(*scan.streams));
    scan.prepared = data_alloc(store->set->stream_count, sizeof(*scan.prepared));
    status = data_walk(&scan, request, reterr);
    if (status == SLG_OK)
        status = slg_remote_finish(scan.remote, reterr);
    while (status == SLG_OK && more)
        status = data_flush(&scan, false, &more, reterr);
    free(scan.streams);
    free(scan.prepared);
    slg_remote_destroy(scan.remote);
    return status;
}

#endif
