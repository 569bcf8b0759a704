/* storer/catalogue_damage.h - damaged shards of a catalogue: reported, set aside in part, put aside whole.
 *
 * Owner:   the catalogue. What is put aside lies in quarantine (storer/quarantine.h) and does not count as held.
 * Threads: any, never one that has the shard pinned: set_aside and quarantine wait until nobody has. */
#ifndef SLG_STORER_CATALOGUE_DAMAGE_H
#define SLG_STORER_CATALOGUE_DAMAGE_H

#include "storer/catalogue.h"

/* A reader met bytes that fail a check: the scrub looks at the shard next. One that is not there is passed over. */
void slg_catalogue_report(struct slg_catalogue *catalogue, const struct slg_shard_id *id);
/* A shard that was reported, once. */
bool slg_catalogue_take_reported(struct slg_catalogue *catalogue, struct slg_shard_id *ret_id);
/* Waits until nobody has the shard pinned; pins wait meanwhile. See slg_shard_set_aside. NOT_FOUND: no such shard. */
SLG_MUST_CHECK enum slg_status slg_catalogue_set_aside(struct slg_catalogue *catalogue,
                                                       const struct slg_shard_id *id,
                                                       const struct slg_aside_order *orders,
                                                       size_t count, struct slg_error *reterr);
/* Likewise: the whole copy is put aside, an empty one takes its place. LIMIT: too many are. */
SLG_MUST_CHECK enum slg_status slg_catalogue_quarantine(struct slg_catalogue *catalogue,
                                                        const struct slg_shard_id *id,
                                                        const char *reason,
                                                        struct slg_error *reterr);
/* Shards that do not vouch, as far as they were opened since the start. Walks all shards. */
size_t slg_catalogue_doubtful_count(struct slg_catalogue *catalogue);

#endif
