/* tests/property/disk.h - the batches of a data set on real storers: R replicas of each shard that miss batches, S fixed
 * as their union, one replica a shard completed and asked, in parts of the time, batches that come after S was fixed.
 *
 * Sets are asked for and united as querier/fanout.c does; the leaf is evaluated by storer/scan.c over LMDB files in
 * memory (/dev/shm where it is there). All choices follow from a seed. Aborts when anything fails: tests only. */
#ifndef SLG_TESTS_PROPERTY_DISK_H
#define SLG_TESTS_PROPERTY_DISK_H

#include "storer/scan.h"
#include "tests/helper/dataset.h"
#include "tests/helper/storer.h"

#define DISK_NODE_MAX  4
#define DISK_PART_MAX  3
#define DISK_SHARD_MAX 128
#define DISK_MAP_BYTES ((size_t)8 << 20)

struct disk_shard {
    struct slg_shard_id id;
    uint32_t owners; /* a bit per node */
    uint32_t evaluator;
    struct slg_batch_set *set;
    struct slg_buf set_bytes;
};

struct disk_store {
    const struct data_store *store;
    uint64_t random;
    char *directory;
    struct slg_catalogue *nodes[DISK_NODE_MAX];
    size_t node_count;
    struct disk_shard shards[DISK_SHARD_MAX];
    size_t shard_count;
    uint32_t *holders; /* per batch: a bit per node */
    bool *in_set;      /* per batch */
    bool missing, outside, rolled;
    size_t view_bytes_max;
    int64_t
        cuts[DISK_PART_MAX + 1]; /* part i of a node: entries from cuts[i] to before cuts[i + 1] */
    size_t part_count;
};

static inline uint64_t disk_below(struct disk_store *d, uint64_t n)
{
    return data_random(&d->random) % n;
}

static inline char *disk_make_directory(void)
{
    char *path = data_alloc(1, 64);

    (void)snprintf(path, 64, "%s/silage-split-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    data_check(mkdtemp(path) != NULL, "no directory");
    return path;
}

static inline struct disk_shard *disk_shard_of(struct disk_store *d, const struct slg_shard_id *id)
{
    size_t i = 0;

    while (i < d->shard_count && slg_shard_id_compare(&d->shards[i].id, id) != 0)
        i++;
    if (i == d->shard_count) {
        data_check(d->shard_count < DISK_SHARD_MAX, "too many shards");
        d->shards[d->shard_count++] = (struct disk_shard){ .id = *id };
    }
    return &d->shards[i];
}

/* Store a batch on a node, now and then twice, now and then in a new generation. */
static inline void disk_put(struct disk_store *d, size_t batch_index, size_t node)
{
    const struct data_batch *batch = &d->store->batches[batch_index];
    const struct slg_batch_header *header = &batch->view->header;
    struct slg_shard_write *write;
    struct slg_shard *shard;
    enum slg_shard_put put;

    data_check(slg_catalogue_pin(d->nodes[node], &header->id.shard, true, &shard, NULL) == SLG_OK,
               "pin");
    if (disk_below(d, 20) == 0) {
        d->rolled = true;
        data_check(slg_shard_roll(shard, NULL) == SLG_OK, "roll");
    }
    for (uint64_t again = disk_below(d, 8) == 0 ? 2 : 1; again > 0; again--) {
        enum slg_status status;

        data_check(slg_shard_write_begin(shard, &write, NULL) == SLG_OK, "begin");
        status = slg_shard_write_put(write, header, batch->bytes.data, batch->bytes.len, &put);
        if (status == SLG_LIMIT) {
            slg_shard_write_abort(write);
            data_check(slg_shard_roll(shard, NULL) == SLG_OK, "roll");
            again++;
            continue;
        }
        data_check(status == SLG_OK && put <= SLG_SHARD_PUT_DUPLICATE, "put");
        data_check(slg_shard_write_commit(write, NULL) == SLG_OK, "commit");
    }
    slg_catalogue_unpin(d->nodes[node], shard);
    d->holders[batch_index] |= UINT32_C(1) << node;
}

/* Who holds what: every batch of S at least one owner. */
static inline void disk_distribute(struct disk_store *d, size_t replica_count)
{
    bool misses = replica_count > 1 && disk_below(d, 4) != 0, leaves_out = disk_below(d, 2) == 0;

    for (size_t b = 0; b < d->store->batch_count; b++) {
        struct disk_shard *shard = disk_shard_of(d, &d->store->batches[b].view->header.id.shard);
        size_t first;

        while ((size_t)__builtin_popcount(shard->owners) < replica_count)
            shard->owners |= UINT32_C(1) << disk_below(d, d->node_count);
        d->in_set[b] = !leaves_out || disk_below(d, 12) != 0;
        d->outside = d->outside || !d->in_set[b];
        first = (size_t)disk_below(d, d->node_count);
        while ((shard->owners >> first & 1) == 0)
            first = (first + 1) % d->node_count;
        for (size_t node = 0; d->in_set[b] && node < d->node_count; node++) {
            bool holds = node == first || !misses || disk_below(d, 3) != 0;

            if ((shard->owners >> node & 1) != 0 && holds)
                disk_put(d, b, node);
            d->missing = d->missing || ((shard->owners >> node & 1) != 0 && !holds);
        }
    }
}

/* S of a shard, and who evaluates it after it fetched what it lacks. */
static inline void disk_fix_set(struct disk_store *d, struct disk_shard *shard)
{
    shard->set = slg_batch_set_create();
    data_check(shard->set != NULL, "no memory");
    slg_buf_init(&shard->set_bytes, (size_t)1 << 20);
    for (size_t node = 0; node < d->node_count; node++) {
        struct slg_batch_set *own = slg_batch_set_create();
        struct slg_shard_totals totals;
        enum slg_status status =
            slg_catalogue_totals(d->nodes[node], &shard->id, &totals, own, NULL);

        data_check(status == SLG_OK || status == SLG_NOT_FOUND, "totals");
        if (status == SLG_OK)
            data_check(slg_batch_set_union(shard->set, own) == SLG_OK, "union");
        slg_batch_set_destroy(own);
    }
    slg_batch_set_encode(&shard->set_bytes, shard->set);
    shard->evaluator = (uint32_t)disk_below(d, d->node_count);
    while ((shard->owners >> shard->evaluator & 1) == 0)
        shard->evaluator = (shard->evaluator + 1) % (uint32_t)d->node_count;
    for (size_t b = 0; b < d->store->batch_count; b++) {
        const struct slg_batch_id *id = &d->store->batches[b].view->header.id;

        if (slg_shard_id_compare(&id->shard, &shard->id) == 0 && d->in_set[b] &&
            (d->holders[b] >> shard->evaluator & 1) == 0)
            disk_put(d, b, shard->evaluator);
    }
}

/* Parts that end where entries lie. The first and the last have no bound outwards: 0. */
static inline void disk_cut(struct disk_store *d)
{
    d->part_count = d->store->batch_count == 0 ? 1 : 1 + (size_t)disk_below(d, DISK_PART_MAX);
    for (size_t i = 1; i < d->part_count; i++) {
        const struct slg_batch_view *view =
            d->store->batches[disk_below(d, d->store->batch_count)].view;
        int64_t ts_ns = view->ts_ns[disk_below(d, view->header.entry_count)];
        size_t at = i;

        for (; at > 1 && d->cuts[at - 1] > ts_ns; at--)
            d->cuts[at] = d->cuts[at - 1];
        d->cuts[at] = ts_ns;
    }
}

static inline void disk_open(struct disk_store *d, const struct data_store *store, uint64_t seed)
{
    struct slg_catalogue_options options = { .map_bytes = DISK_MAP_BYTES };
    size_t replica_count;

    *d = (struct disk_store){ .store = store, .random = seed, .directory = disk_make_directory() };
    d->node_count = 1 + (size_t)disk_below(d, DISK_NODE_MAX);
    replica_count = 1 + (size_t)disk_below(d, d->node_count < 3 ? d->node_count : 3);
    options.open_count_max = 1 + (size_t)disk_below(d, 8);
    d->view_bytes_max = disk_below(d, 3) == 0 ? 1 : (size_t)16 << 20;
    d->holders = data_alloc(store->batch_count, sizeof(*d->holders));
    d->in_set = data_alloc(store->batch_count, sizeof(*d->in_set));
    for (size_t i = 0; i < d->node_count; i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%zu", d->directory, i);
        options.data_dir = path;
        data_check(slg_catalogue_create(&options, &d->nodes[i], NULL) == SLG_OK, "catalogue");
    }
    disk_distribute(d, replica_count);
    for (size_t i = 0; i < d->shard_count; i++)
        disk_fix_set(d, &d->shards[i]);
    for (size_t b = 0; b < store->batch_count; b++) { /* they come too late for this query */
        struct disk_shard *shard = disk_shard_of(d, &store->batches[b].view->header.id.shard);

        if (!d->in_set[b])
            disk_put(d, b, shard->evaluator);
    }
    disk_cut(d);
}

static inline void disk_close(struct disk_store *d)
{
    for (size_t i = 0; i < d->node_count; i++)
        slg_catalogue_destroy(d->nodes[i]);
    for (size_t i = 0; i < d->shard_count; i++) {
        slg_batch_set_destroy(d->shards[i].set);
        slg_buf_fini(&d->shards[i].set_bytes);
    }
    test_remove_tree(d->directory, 4);
    free(d->directory);
    free(d->holders);
    free(d->in_set);
}

/* Run a leaf on one source, a part of a node, page after page. */
static inline enum slg_status disk_run(struct disk_store *d, size_t source,
                                       const struct slg_leaf_request *leaf, data_take_page *take,
                                       void *user, struct slg_error *reterr)
{
    size_t node = source / d->part_count;
    struct slg_rpc_shard_set sets[DISK_SHARD_MAX];
    struct slg_rpc_query query = { .tenant = slg_text_of("fake"),
                                   .leaf = *leaf,
                                   .shards = sets,
                                   .cut_from_ns = d->cuts[source % d->part_count],
                                   .cut_to_ns = d->cuts[source % d->part_count + 1] };
    struct slg_scan_stats stats = { 0 };
    atomic_bool canceled = false;
    struct slg_scan_options options = {
        .catalogue = d->nodes[node],
        .query = &query,
        .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) + 600 * SLG_NS_PER_SEC,
        .view_bytes_max = d->view_bytes_max,
        .canceled = &canceled,
    };
    enum slg_status status = SLG_OK;
    struct slg_scan *scan;
    bool more = true;

    for (size_t i = 0; i < d->shard_count; i++) {
        if (d->shards[i].evaluator == node && slg_batch_set_count(d->shards[i].set) > 0)
            sets[query.shard_count++] = (struct slg_rpc_shard_set){
                .shard = d->shards[i].id,
                .set = slg_text_make((const char *)d->shards[i].set_bytes.data,
                                     d->shards[i].set_bytes.len),
            };
    }
    status = slg_scan_create(&options, &scan, reterr);
    if (status != SLG_OK)
        return status;
    while (status == SLG_OK && more) {
        struct slg_buf page;

        slg_buf_init(&page, SLG_MESSAGE_BYTES_MAX);
        do
            status = slg_scan_step(scan, disk_below(d, 3) == 0 ? 0 : SLG_NS_PER_SEC, &page, &more,
                                   &stats, reterr);
        while (status == SLG_AGAIN);
        if (status == SLG_OK) {
            uint8_t *exact = test_block(page.data, page.len);

            status = take(user, exact, page.len, more, reterr);
            free(exact);
        }
        slg_buf_fini(&page);
    }
    slg_scan_destroy(scan);
    return status;
}

#endif
