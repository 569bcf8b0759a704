/* storer/admit.h - may this batch be stored here and now? The rules of map and clock (DESIGN sections 3, 4, 7).
 *
 * Pure: map, clock and batch come in as arguments. Threads: any. */
#ifndef SLG_STORER_ADMIT_H
#define SLG_STORER_ADMIT_H

#include "cluster/map.h"
#include "proto/rpc.h"

struct slg_admit {
    const struct slg_map *map;
    const char *node_id;
    int64_t keep_from_ns; /* this storer's own (storer/catalogue_storage.h) */
    int64_t now_ns;       /* wall */
    int64_t doubt_ns;     /* for retention it is so much earlier (storer/age.h) */
};

/* Entries before this time are gone: by retention, and by keep_from, the map's or this storer's own. 0 when nothing is. */
int64_t slg_admit_cutoff_ns(const struct slg_map *map, int64_t keep_from_ns, int64_t now_ns);

/* Never on the wire: the batch comes from another copy of its shard, a peer's or a quarantined one. Copies have to become
 * equal until the whole window goes, and what is older than the cutoff is passed over by reads, so it expires with its
 * window and not with its last entry. */
#define SLG_ADMIT_FLAG_COPY 2U

/* SLG_STORE_STORED: yes. NOT_PLACED, EXPIRED, FUTURE: no, and reterr says why. flags: SLG_STORE_FLAG_ bits, and the one
 * above. */
SLG_MUST_CHECK enum slg_store_result slg_admit_batch(const struct slg_admit *admit,
                                                     const struct slg_batch_header *header,
                                                     unsigned flags, struct slg_error *reterr);

#endif
