/* ingester/batcher.h - entries of one thread, gathered per shard and sealed into batches (DESIGN sections 3 and 5).
 *
 * A builder is sealed when it is full (SLG_BATCH_SEAL_BYTES), when its oldest entry is linger_ns old, when there are too
 * many or they hold too much (the one opened first), or at once when nothing of its shard is in flight and the caller
 * says that its input is drained (slg_batcher_tick). Compression runs in the same thread.
 *
 * Each shard of two windows may have a builder, however many slots the map has, and there may be builders_max more.
 * Together they hold builders_max x 256 KiB of raw bytes and 16 KiB for each of these shards. With what builders take
 * for themselves (44 KB) and keep, that is at most about 1 MB for each of builders_max and 0.15 MB for each slot.
 *
 * Each batcher is an incarnation of its own, so the threads share no counter and every sequence is contiguous per
 * (incarnation, shard) from 1 (H18). A new incarnation begins when content was refused (H13), or at the shard after
 * SLG_BATCHER_SHARDS_MAX. It waits for nothing: batches on their way keep their ids.
 *
 * Owner:   one thread. What it is given is copied.
 * Cost:    no allocation, lock, log line or system call per entry; one allocation and one queue operation per batch. */
#ifndef SLG_INGESTER_BATCHER_H
#define SLG_INGESTER_BATCHER_H

#include "ingester/forward.h"
#include "ingester/stream.h"

#define SLG_BATCHER_BUILDERS_MAX       ((size_t)256)
#define SLG_BATCHER_SLOTS_MAX          ((size_t)1024) /* more have to share */
#define SLG_BATCHER_BUILDERS_DEFAULT   ((size_t)16)
#define SLG_BATCHER_RECHECK_NS_DEFAULT (5 * SLG_NS_PER_MS)
#define SLG_BATCHER_LINGER_NS_DEFAULT  (200 * SLG_NS_PER_MS)
#define SLG_BATCHER_SHARDS_MAX         ((size_t)4096) /* remembered with their sequence */
#define SLG_BATCHER_NEW_SHARDS_DEFAULT 600U /* per minute; each costs storers some files */
#define SLG_BATCHER_NEW_SHARDS_MAX     100000U

struct slg_batcher_options {
    struct slg_text tenant;
    struct slg_map *map; /* a reference is taken */
    struct slg_forward *forward;
    struct slg_clock *clock;
    struct slg_metric_table *metrics; /* counts incarnations; may be NULL */
    size_t builders_max;              /* open besides, see above; 1 to SLG_BATCHER_BUILDERS_MAX */
    size_t raw_bytes_max;             /* 4096 to SLG_BATCH_SEAL_BYTES */
    int64_t linger_ns_max;            /* of the oldest entry in a builder */
    int64_t idle_gap_ns;     /* a shard is not sealed early sooner than this after its last seal */
    int64_t recheck_ns;      /* how soon to look whether a shard with batches out has become idle */
    unsigned new_shards_max; /* per minute, 1 to SLG_BATCHER_NEW_SHARDS_MAX; at least 2 windows */
    size_t listener_mixed;   /* what stands for several listeners in one batch */
    bool own;                /* loss entries: reserved memory, outside of the account */
};
/* The defaults of all but tenant, map, forward. */
void slg_batcher_options_init(struct slg_batcher_options *options);

struct slg_batcher;

/* INVALID: an option out of its range. NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_batcher_create(const struct slg_batcher_options *options,
                                                  struct slg_batcher **ret_batcher,
                                                  struct slg_error *reterr);
/* What is in builders is forgotten. Only after slg_forward_stop: batches on their way point into it. */
void slg_batcher_destroy(struct slg_batcher *batcher);

struct slg_batcher_entry {
    const struct slg_stream_ref *stream;
    bool serial_lasting; /* stream->serial is never used again for another stream in this thread */
    enum slg_entry_kind kind;
    int64_t ts_ns;
    struct slg_text line;
    const struct slg_label *metadata;
    size_t metadata_count;
    size_t listener;
    struct slg_forward_waiter *waiter; /* told of the entry's batch; may be NULL */
};

/* Append one entry.
 * OK. AGAIN: no room, storers are behind: wait (slg_batcher_wait_room) or drop. LIMIT: too many new shards in this
 * minute: wait or drop. MALFORMED: the entry is over proto/limits.h or older than 1970: never. Nothing is changed
 * unless OK. *ret_new_batch (may be NULL): the waiter has one more batch to hear of. */
SLG_MUST_CHECK enum slg_status slg_batcher_add(struct slg_batcher *batcher,
                                               const struct slg_batcher_entry *entry,
                                               int64_t now_mono_ns, bool *ret_new_batch);

/* Between entries, at least every linger: seals what is due. drained: there is no more input now. */
void slg_batcher_tick(struct slg_batcher *batcher, int64_t now_mono_ns, bool drained);
/* When tick is needed next; SLG_DEADLINE_NEVER when all is empty. */
int64_t slg_batcher_wake_mono_ns(const struct slg_batcher *batcher);
/* Wait until a batch can be sealed: OK; TIMEOUT. For sources that can wait. */
SLG_MUST_CHECK enum slg_status slg_batcher_wait_room(struct slg_batcher *batcher,
                                                     int64_t deadline_mono_ns);
/* Seal everything, waiting for room until the deadline. Returns the entries that found none; they stay inside. */
uint64_t slg_batcher_flush(struct slg_batcher *batcher, int64_t deadline_mono_ns);
/* Entries in builders, and forget them (counted by the caller). */
uint64_t slg_batcher_entry_count(const struct slg_batcher *batcher);
/* Calls per listener what is left inside; used at stop after flush. */
void slg_batcher_clear(struct slg_batcher *batcher,
                       void (*dropped)(void *ctx, size_t listener, uint64_t entry_count),
                       void *ctx);
/* A reference is taken; open builders are sealed under the epoch of the new map. */
void slg_batcher_set_map(struct slg_batcher *batcher, struct slg_map *map);
/* For tests and status. */
const struct slg_incarnation *slg_batcher_incarnation(const struct slg_batcher *batcher);

#endif
