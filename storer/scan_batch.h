/* storer/scan_batch.h - one batch opened by a scan: decoded, and the positions of the entries that are wanted.
 *
 * Wanted = of a wanted stream, inside the time range, and - when the query has a literal that every kept line holds -
 * with that literal in the line, found by one search over the text of the whole batch; where it is nowhere, no more than
 * that text is decoded.
 * Owner:   the batch owns an arena with a copy of its bytes, so nothing points into LMDB's map.
 * Threads: one at a time.
 * Refuses: bytes that fail a check (CORRUPT: we stored them), streams that the map does not know (CORRUPT). */
#ifndef SLG_STORER_SCAN_BATCH_H
#define SLG_STORER_SCAN_BATCH_H

#include "logql/pipe/find.h"
#include "storer/shard.h"
#include "storer/stream_map.h"

struct slg_scan_wish {
    const struct slg_stream_map *streams;
    int64_t from_ns; /* from_ns <= ts < to_ns */
    int64_t to_ns;
    bool has_literal;
    struct slg_needle literal; /* not folded */
};

struct slg_scan_batch {
    struct slg_arena *arena;
    const struct slg_batch_view *view;  /* header and text only, when position_count is 0 */
    struct slg_remote_stream **streams; /* by the batch's stream index; NULL: not wanted */
    uint32_t *positions;                /* wanted ones, in order of (ts, position) */
    uint32_t position_count;
};

/* Copy the batch out of the shard, decode it, choose. The arena is reset first. *ret_batch is written on OK. */
SLG_MUST_CHECK enum slg_status
slg_scan_batch_load(struct slg_shard *shard, const struct slg_batch_ref *ref,
                    const struct slg_scan_wish *wish, struct slg_arena *arena,
                    struct slg_scan_batch *ret_batch, struct slg_error *reterr);
/* The same for bytes at hand, which must outlive the batch. */
SLG_MUST_CHECK enum slg_status slg_scan_batch_read(const uint8_t *bytes, size_t len,
                                                   const struct slg_scan_wish *wish,
                                                   struct slg_arena *arena,
                                                   struct slg_scan_batch *ret_batch,
                                                   struct slg_error *reterr);

/* What such an arena may grow to. */
#define SLG_SCAN_BATCH_ARENA_BYTES (SLG_BATCH_DECODE_BYTES_MAX + 2 * SLG_BATCH_BYTES_MAX)

#endif
