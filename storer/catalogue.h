/* storer/catalogue.h - all shards of a data directory: known from one directory listing, opened on demand.
 *
 * Start lists the directory and opens nothing, so that 3,000 shards of a cold disk are ready at once. A shard is
 * opened by the first pin and stays open until it is idle or too many are: environments cost two descriptors and
 * some memory each. What a closed shard held (digest, set) is remembered.
 * Here:    life, pins, what shards hold, which there are. storer/catalogue_damage.h, catalogue_forget.h and
 *          catalogue_storage.h have the rest.
 * Owner:   the storer. A pinned shard stays open and in place until unpin; every pin needs its unpin.
 * Threads: all functions but create and destroy, any thread (one mutex, docs/adr/0007). Opening is done by one thread
 *          at a time; pins of open shards do not wait for it.
 * H20:     the shard that is being opened is noted on disk; one that ended the process twice is quarantined, as is one
 *          whose files are damaged (storer/quarantine.h): an empty copy takes its place, which does not vouch. */
#ifndef SLG_STORER_CATALOGUE_H
#define SLG_STORER_CATALOGUE_H

#include "base/clock.h"
#include "storer/manifest.h"
#include "storer/shard.h"

/* 120 days of 1 h windows x 16 slots is 46,080. Their names take 10 MB. */
#define SLG_CATALOGUE_SHARD_COUNT_MAX ((size_t)131072)
/* Two descriptors and ~70 KB of memory each; LMDB allows thousands with MDB_NOTLS. */
#define SLG_CATALOGUE_OPEN_COUNT_MAX  ((size_t)512)

struct slg_catalogue;

struct slg_catalogue_options {
    const char *data_dir;  /* made when it is not there; locked */
    size_t map_bytes;      /* of each generation file */
    size_t open_count_max; /* 1 to SLG_CATALOGUE_OPEN_COUNT_MAX; pinned shards may exceed it */
    struct slg_kv_faults *faults; /* NULL: none */
    struct slg_clock *clock;      /* wall time of what is put aside; NULL: the system's */
};
/* UNAVAILABLE: another process has the directory. CORRUPT: its `storage` record. */
SLG_MUST_CHECK enum slg_status slg_catalogue_create(const struct slg_catalogue_options *options,
                                                    struct slg_catalogue **ret_catalogue,
                                                    struct slg_error *reterr);
/* Nothing may be pinned. NULL is fine. */
void slg_catalogue_destroy(struct slg_catalogue *catalogue);

/* create: to write; the shard is made when it is not there. Else to read: it is opened read-only if nobody writes it,
 * and reopened when somebody wants to. NOT_FOUND: no such shard and !create. UNAVAILABLE: quarantined and not to be moved
 * away, or being forgotten. */
SLG_MUST_CHECK enum slg_status slg_catalogue_pin(struct slg_catalogue *catalogue,
                                                 const struct slg_shard_id *id, bool create,
                                                 struct slg_shard **ret_shard,
                                                 struct slg_error *reterr);
void slg_catalogue_unpin(struct slg_catalogue *catalogue, struct slg_shard *shard);

/* After a failed commit: the caller's pin is given back, the environment is closed once no other pin is left, and
 * the next pin opens it again. Until then writers get UNAVAILABLE from pin with create. */
void slg_catalogue_unpin_broken(struct slg_catalogue *catalogue, struct slg_shard *shard);

/* What the shard holds. Open shards are read in one transaction; closed ones answer from memory, or are opened.
 * set: NULL, or added to. */
SLG_MUST_CHECK enum slg_status slg_catalogue_totals(struct slg_catalogue *catalogue,
                                                    const struct slg_shard_id *id,
                                                    struct slg_shard_totals *ret_totals,
                                                    struct slg_batch_set *set,
                                                    struct slg_error *reterr);

/* The first shard with a greater id; NULL: the first of all. False: there is none. */
bool slg_catalogue_next(struct slg_catalogue *catalogue, const struct slg_shard_id *after,
                        struct slg_shard_id *ret_id);

struct slg_catalogue_row {
    struct slg_shard_id id;
    bool open;
    bool quarantined; /* as far as known: a shard that was never opened is not looked into */
    bool suspect;
};
/* Ids of all shards whose window touches [from_ns, to_ns), ascending. LIMIT: the arena. */
SLG_MUST_CHECK enum slg_status slg_catalogue_list(struct slg_catalogue *catalogue, int64_t from_ns,
                                                  int64_t to_ns, struct slg_arena *arena,
                                                  struct slg_catalogue_row **ret_rows,
                                                  size_t *ret_count);

struct slg_catalogue_counts {
    size_t shard_count;
    size_t open_count;
    uint64_t quarantined_count; /* whole copies put aside since the start, whatever the reason */
};
/* All at one moment. */
struct slg_catalogue_counts slg_catalogue_count(struct slg_catalogue *catalogue);

/* Close shards that nobody has pinned for idle_ns. */
void slg_catalogue_close_idle(struct slg_catalogue *catalogue, int64_t now_mono_ns,
                              int64_t idle_ns);

#endif
