/* storer/commit.h - makes batches durable: lanes of group commit.
 *
 * A batch goes to the lane of its shard, so each environment has one writer. A lane takes all batches that wait (at
 * most group_bytes; it starts a group at most every commit_ns, at once when it was idle), decodes each to verify it,
 * applies the rules of admit.h, and commits one transaction per shard, batch ids inside, before it answers.
 * A duplicate of a batch that is being committed is in the same lane, so its answer waits for that commit.
 *
 * After a failed commit the group is refused (READ_ONLY), the environment is reopened, and unless statvfs proves the
 * disk full the shard becomes suspect: read-only until compared with its peers (H13).
 * Below disk_reserve bytes free everything new is refused READ_ONLY with a text that says how much is free and what
 * to do; what is held already is still answered DUPLICATE. Space freed: writes go on.
 * Owner:   borrows a batch's bytes from submit until done was called.
 * Threads: submit from any thread, it never waits for disk; done runs on a lane's thread. */
#ifndef SLG_STORER_COMMIT_H
#define SLG_STORER_COMMIT_H

#include "base/clock.h"
#include "cluster/map.h"
#include "proto/rpc.h"
#include "storer/age.h"
#include "storer/catalogue.h"
#include "storer/metrics.h"

#define SLG_COMMIT_LANE_COUNT_MAX  ((size_t)16)
#define SLG_COMMIT_WAITING_MAX     ((size_t)4096) /* batches in hand at once, over all lanes */
#define SLG_COMMIT_GROUP_COUNT_MAX ((size_t)256)

struct slg_commit;

struct slg_commit_options {
    struct slg_catalogue *catalogue; /* borrowed, as all pointers here */
    const struct slg_map *map;
    const char *node_id;
    const char *data_dir; /* whose disk is watched */
    struct slg_clock *clock;
    const struct slg_age *age; /* NULL: retention believes the clock */
    struct slg_metric_table *metrics;
    size_t lane_count;  /* 1 to SLG_COMMIT_LANE_COUNT_MAX */
    size_t waiting_max; /* 1 to SLG_COMMIT_WAITING_MAX */
    size_t group_bytes; /* a group is committed at once when it holds so much; 1 or more */
    int64_t commit_ns;  /* least time from one group to the next of a lane; 0: none */
    uint64_t disk_reserve_bytes;
};
SLG_MUST_CHECK enum slg_status slg_commit_start(const struct slg_commit_options *options,
                                                struct slg_commit **ret_commit,
                                                struct slg_error *reterr);
/* Commits what was submitted, answers it, and ends. No submit may come later. NULL is fine. */
void slg_commit_stop(struct slg_commit *commit);

/* text: the reason when the batch was not stored, else "". Exactly once for each submit that returned OK. */
typedef void slg_commit_done(void *ctx, enum slg_store_result result, const char *text);
/* AGAIN: waiting_max batches wait; done will not be called. bytes are borrowed until done. flags: of slg_admit_batch. */
SLG_MUST_CHECK enum slg_status slg_commit_submit(struct slg_commit *commit, const uint8_t *bytes,
                                                 size_t len, unsigned flags, slg_commit_done *done,
                                                 void *done_ctx);

/* Was the disk below its reserve when it was last looked at? */
bool slg_commit_read_only(const struct slg_commit *commit);
/* Look now (housekeeping), so that an idle storer sees freed space. */
void slg_commit_check_disk(struct slg_commit *commit);
/* Batches made durable since start; for the counter of the storage record. */
uint64_t slg_commit_stored_count(const struct slg_commit *commit);

#endif
