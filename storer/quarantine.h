/* storer/quarantine.h - copies of shards that are put aside whole (H20, DESIGN section 7): `quarantine/` in the data directory.
 *
 * A copy is moved there when opening it ended the process twice, or when its files are damaged. An empty copy with the
 * mark `refilling` takes its place, so that this node does not vouch for the shard until repair has brought it back.
 *
 *     shards/X  --mark `quarantined`-->  shards/X     mkdir shards/fresh-X (`refilling`)
 *     shards/X  --rename-->  quarantine/X.<s>          shards/fresh-X  --rename-->  shards/X
 *
 * Crash:   after the mark the move is done by the next open; between the renames by the next start (resume).
 * Owner:   nothing is held between calls; the shard is closed.
 * Threads: one call at a time for one shard; the others any. */
#ifndef SLG_STORER_QUARANTINE_H
#define SLG_STORER_QUARANTINE_H

#include "storer/disk.h"
#include "storer/manifest.h"

/* Beyond this nothing is moved any more (LIMIT): the disk is going, or we have a bug. */
#define SLG_QUARANTINE_COUNT_MAX        ((size_t)64)
#define SLG_QUARANTINE_NAME_BYTES_MAX   ((size_t)96)
#define SLG_QUARANTINE_REASON_BYTES_MAX ((size_t)256)

/* reason: one line for people. NULL: the mark is there already, and says why. */
SLG_MUST_CHECK enum slg_status slg_quarantine_move(const char *data_dir, const char *shard_name,
                                                   const char *reason, int64_t now_wall_ns,
                                                   struct slg_error *reterr);
/* At start, before the shards are listed: finish moves that a crash cut off. */
SLG_MUST_CHECK enum slg_status slg_quarantine_resume(const char *data_dir,
                                                     struct slg_error *reterr);

struct slg_quarantine_row {
    char name[SLG_QUARANTINE_NAME_BYTES_MAX]; /* in `quarantine/` */
    struct slg_shard_id shard;
    int64_t since_ns; /* wall */
    uint64_t bytes;
    char reason[SLG_QUARANTINE_REASON_BYTES_MAX];
};
/* At most SLG_QUARANTINE_COUNT_MAX rows, in no order; 0 when there is no directory. */
size_t slg_quarantine_list(const char *data_dir, struct slg_quarantine_row *rows);
/* The directory of a row. */
SLG_MUST_CHECK enum slg_status slg_quarantine_path(const char *data_dir, const char *name,
                                                   struct slg_disk_path *ret_path,
                                                   struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_quarantine_remove(const char *data_dir, const char *name,
                                                     struct slg_error *reterr);

#endif
