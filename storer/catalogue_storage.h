/* storer/catalogue_storage.h - the storage record of a data directory: who it is, and its counter (H6).
 *
 * Layout:  struct slg_storage, storer/manifest.h; docs/FORMATS.md section 3. Made with the directory.
 * Owner:   the catalogue.
 * Threads: the counter and the id, any; everything else, store included, one thread at a time (housekeeping). */
#ifndef SLG_STORER_CATALOGUE_STORAGE_H
#define SLG_STORER_CATALOGUE_STORAGE_H

#include "storer/catalogue.h"

/* Borrowed from the catalogue. The id never changes. */
const struct slg_storage *slg_catalogue_storage(const struct slg_catalogue *catalogue);
/* The record's counter now; any thread. */
uint64_t slg_catalogue_storage_counter(struct slg_catalogue *catalogue);
/* Windows that end by then were forgotten by bytes (storer/retention.h) and do not come back; 0: none. Any thread. */
int64_t slg_catalogue_keep_from_ns(const struct slg_catalogue *catalogue);
/* Put the counter and what was forgotten on disk; storage->id is not looked at. IO (a full disk, too): nothing has
 * changed. */
SLG_MUST_CHECK enum slg_status slg_catalogue_store_storage(struct slg_catalogue *catalogue,
                                                           const struct slg_storage *storage,
                                                           struct slg_error *reterr);

#endif
