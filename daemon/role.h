/* daemon/role.h - the parts of a process: settings turned into the options of ingester, storer and querier.
 *
 * A process starts its parts in the order storer, ingester, querier (the order of dependency) and stops them in the
 * order ingester, querier, storer: what an ingester still holds in memory must find its storer.
 * Owner:   slg_parts embeds what the options point to; it lives until after fini. Threads: one. */
#ifndef SLG_DAEMON_ROLE_H
#define SLG_DAEMON_ROLE_H

#include "base/arena.h"
#include "base/metric.h"
#include "cluster/survey.h"
#include "daemon/args.h"
#include "ingester/ingester.h"
#include "querier/querier.h"
#include "storer/storer.h"

struct slg_parts {
    enum slg_role role;
    const struct slg_conf *conf; /* borrowed */
    struct slg_arena *arena;     /* texts and arrays of options */
    struct slg_metric_registry *registry;
    struct slg_map *map;
    struct slg_survey *survey; /* of storers and ingesters: the admin API */
    const char *node_id;
    const char *insecure; /* settings of listeners that anybody may reach, a JSON list */
    struct slg_rules *rules;
    struct slg_masks *masks;
    struct slg_zone_cache *zones;
    struct slg_storer *storer;
    struct slg_ingester *ingester;
    struct slg_querier *querier;
};

/* Make everything that the role needs, start it, and say what listens where. On failure what was started is stopped
 * by slg_parts_fini. */
SLG_MUST_CHECK enum slg_status slg_parts_start(struct slg_parts *parts, enum slg_role role,
                                               const struct slg_conf *conf,
                                               struct slg_error *reterr);
/* *ret_left: entries that no quorum took. */
void slg_parts_stop(struct slg_parts *parts, uint64_t *ret_left);
void slg_parts_fini(struct slg_parts *parts);

/* The parts: role_map.c, role_ingester.c, role_storer.c, role_querier.c. */
SLG_MUST_CHECK enum slg_status slg_parts_make_map(struct slg_parts *parts,
                                                  struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_parts_start_ingester(struct slg_parts *parts,
                                                        struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_parts_start_storer(struct slg_parts *parts,
                                                      struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_parts_start_querier(struct slg_parts *parts,
                                                       struct slg_error *reterr);

/* Help for them: a list setting as an array of texts, and a list of secrets read. */
SLG_MUST_CHECK enum slg_status slg_parts_texts(struct slg_parts *parts, const char *key,
                                               const char *const **ret_texts, size_t *ret_count,
                                               struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_parts_secrets(struct slg_parts *parts, const char *key,
                                                 const char *const **ret_texts, size_t *ret_count,
                                                 struct slg_error *reterr);
/* transport.tls.* */
struct slg_transport_tls slg_parts_tls(const struct slg_parts *parts);
/* NULL for "". */
const char *slg_parts_path(const struct slg_parts *parts, const char *key);

#endif
