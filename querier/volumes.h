/* querier/volumes.h - bytes by label set or by label name, as Loki's volume endpoints add them up.
 *
 * A stream counts with the labels that are targets: {app="a",host="x"} is {app="a"} when app is the target. By label
 * it counts once for each name, whose value is then empty. Source: grafana/loki pkg/storage/stores/index/seriesvolume
 * and what it was seen to answer.
 * Owner:   results lie in the caller's arena and borrow the texts of the streams.
 * Threads: pure. */
#ifndef SLG_QUERIER_VOLUMES_H
#define SLG_QUERIER_VOLUMES_H

#include "base/arena.h"
#include "base/status.h"
#include "proto/label.h"

#define SLG_VOLUME_TARGETS_MAX ((size_t)32)

struct slg_volume {
    struct slg_label_set labels; /* what the volume is of */
    uint64_t bytes;
};

struct slg_volume_rule {
    struct slg_text targets[SLG_VOLUME_TARGETS_MAX];
    size_t target_count;
    bool explicit_targets; /* named by the request, not taken from its matchers */
    bool all_labels;       /* without targets, every label is one */
    bool by_label;         /* one volume per label name; all names unless targets are explicit */
    uint64_t limit;        /* volumes in the result, 1 at least */
};

/* Add the names of `a,b,c`. LIMIT: more than SLG_VOLUME_TARGETS_MAX. */
SLG_MUST_CHECK enum slg_status slg_volume_read_targets(struct slg_volume_rule *rule,
                                                       struct slg_text list,
                                                       struct slg_error *reterr);

/* Volumes of the streams, largest first, equal ones by labels, at most rule->limit. LIMIT: the arena is full. */
SLG_MUST_CHECK enum slg_status slg_volumes_sum(struct slg_arena *arena,
                                               const struct slg_volume_rule *rule,
                                               const struct slg_volume *streams,
                                               size_t stream_count, struct slg_volume **ret_volumes,
                                               size_t *ret_count);

#endif
