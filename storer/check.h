/* storer/check.h - is what a generation holds still what was stored? Read from the disk, page by page (storer/pages.h).
 *
 * First the tables: pages, checksums of summaries and of the state, ids of streams, and that batches, summaries, ids,
 * ranges and state tell of the same batches. Then the batches, in pieces: every byte, and that they are those that the tables
 * tell of. Tables that are damaged condemn the generation; a damaged batch only itself.
 * Owner:   one thread. path is copied.
 * Threads: as storer/pages.h: around each call of index and batches the caller has the shard pinned and a read
 *          transaction open. */
#ifndef SLG_STORER_CHECK_H
#define SLG_STORER_CHECK_H

#include "storer/shard.h"

#define SLG_CHECK_BAD_COUNT_MAX                                                                    \
    ((size_t)256) /* damaged batches of one generation that are told one by one */

struct slg_check;

struct slg_check_bad {
    uint64_t arrival;
    uint64_t id_hash; /* slg_shard_id_hash */
    enum slg_aside_reason reason;
};
struct slg_check_counts {
    uint64_t batches; /* checked */
    uint64_t bytes;   /* read from the disk */
};

/* CORRUPT: the file is not LMDB's; NOT_FOUND, IO, NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_check_open(const char *path, const struct slg_shard_id *shard,
                                              struct slg_check **ret_check,
                                              struct slg_error *reterr);
void slg_check_close(struct slg_check *check); /* NULL is fine */

/* CORRUPT: the tables are damaged. UNSUPPORTED: records of another version, nothing is known of them. */
SLG_MUST_CHECK enum slg_status slg_check_index(struct slg_check *check, struct slg_error *reterr);
/* After slg_check_index: the batches that came after `after` (0: all) and were there then, until bytes_max are read.
 * *ret_last: the last one checked; *ret_more: there are more. CORRUPT: pages around them are damaged. */
SLG_MUST_CHECK enum slg_status slg_check_batches(struct slg_check *check, uint64_t after,
                                                 size_t bytes_max, uint64_t *ret_last,
                                                 bool *ret_more, struct slg_error *reterr);
/* What was found so far; *ret_count may be SLG_CHECK_BAD_COUNT_MAX with more than that damaged. Borrowed. */
const struct slg_check_bad *slg_check_bad(const struct slg_check *check, size_t *ret_count);
struct slg_check_counts slg_check_counts(const struct slg_check *check);

#endif
