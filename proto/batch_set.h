/* proto/batch_set.h - exact sets of batch ids of one shard, as ranges (DESIGN section 6, H1, H18).
 *
 * A set holds, per incarnation, disjoint ascending ranges [first, last] of sequences. Its digest is the 128-bit sum
 * (mod 2^128) of hashed batch ids + the count, so it can be kept up to date by adding and subtracting.
 * Wire form: docs/FORMATS.md section 4. Limits: SLG_SET_RANGE_COUNT_MAX ranges.
 * Owner:   opaque, heap. Threads: one at a time. */
#ifndef SLG_PROTO_BATCH_SET_H
#define SLG_PROTO_BATCH_SET_H

#include "base/cursor.h"
#include "base/hash.h"
#include "proto/batch.h"

struct slg_batch_set_digest {
    struct slg_hash128 sum;
    uint64_t count;
};
void slg_batch_set_digest_add(struct slg_batch_set_digest *digest, const struct slg_batch_id *id);
void slg_batch_set_digest_remove(struct slg_batch_set_digest *digest,
                                 const struct slg_batch_id *id);
bool slg_batch_set_digest_equal(const struct slg_batch_set_digest *a,
                                const struct slg_batch_set_digest *b);

struct slg_batch_set;

SLG_MUST_CHECK struct slg_batch_set *slg_batch_set_create(void);
void slg_batch_set_destroy(struct slg_batch_set *set);
/* Add one id; adding twice is fine. INVALID: sequence 0 or over SLG_BATCH_SEQUENCE_MAX, or last < first.
 * LIMIT: too many ranges; NO_MEMORY. The set is unchanged then. */
SLG_MUST_CHECK enum slg_status slg_batch_set_add(struct slg_batch_set *set,
                                                 const struct slg_incarnation *incarnation,
                                                 uint64_t sequence);
SLG_MUST_CHECK enum slg_status slg_batch_set_add_range(struct slg_batch_set *set,
                                                       const struct slg_incarnation *incarnation,
                                                       uint64_t first, uint64_t last);
bool slg_batch_set_has(const struct slg_batch_set *set, const struct slg_incarnation *incarnation,
                       uint64_t sequence);
uint64_t slg_batch_set_count(const struct slg_batch_set *set);
/* into = into + from. */
SLG_MUST_CHECK enum slg_status slg_batch_set_union(struct slg_batch_set *into,
                                                   const struct slg_batch_set *from);
/* into = into - from. On failure (LIMIT, NO_MEMORY) `into` is unchanged. */
SLG_MUST_CHECK enum slg_status slg_batch_set_subtract(struct slg_batch_set *into,
                                                      const struct slg_batch_set *from);
/* into = what both hold. On failure `into` is unchanged. */
SLG_MUST_CHECK enum slg_status slg_batch_set_intersect(struct slg_batch_set *into,
                                                       const struct slg_batch_set *from);
/* Is every id of `part` in `whole`? */
bool slg_batch_set_contains(const struct slg_batch_set *whole, const struct slg_batch_set *part);

struct slg_batch_range {
    struct slg_incarnation incarnation;
    uint64_t first;
    uint64_t last;
};
size_t slg_batch_set_range_count(const struct slg_batch_set *set);
/* Ranges in order of (incarnation, first). */
struct slg_batch_range slg_batch_set_range(const struct slg_batch_set *set, size_t range_index);

/* Append the wire form: at most 1 + 46 bytes a range. */
void slg_batch_set_encode(struct slg_buf *out, const struct slg_batch_set *set);
/* Take a set from the cursor, which moves only on OK; bytes may follow. MALFORMED; NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_batch_set_decode(struct slg_cursor *c,
                                                    struct slg_batch_set **ret_set);

#endif
