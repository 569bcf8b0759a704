/* ingester/loss.h - every drop becomes visible in the data: stream {job="silage", event="loss"} (I3, H14).
 *
 * Looks at the account once a second; what was dropped and is in no accepted loss entry is written, one line per
 * listener and reason, at most every SLG_LOSS_EVERY_NS, or as soon as no drop has come for SLG_LOSS_QUIET_NS:
 *     count=12 reason=kernel listener="udp 127.0.0.1:1514" from=2026-11-21T22:42:29Z to=2026-11-21T22:42:34Z
 * What an earlier run of the ingester lost is told likewise, but nobody counted it: count=unknown reason=unclean_end.
 * It has memory of its own (reserved batches), and repeats until a quorum has accepted it: counts are told exactly
 * once as far as that is known; a report that was abandoned is told again, so the sum may be too high, never too low.
 * Owner:   one thread (the ingester's housekeeping). */
#ifndef SLG_INGESTER_LOSS_H
#define SLG_INGESTER_LOSS_H

#include "ingester/batcher.h"

#define SLG_LOSS_EVERY_NS (5 * SLG_NS_PER_SEC)
#define SLG_LOSS_QUIET_NS SLG_NS_PER_SEC

struct slg_loss_options {
    struct slg_batcher_options batcher; /* tenant, map, forward, clock; the rest is chosen here */
    struct slg_account *account;
    struct slg_metric_table *metrics;
    const char *node_id; /* label host */
};

struct slg_loss;

/* NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_loss_create(const struct slg_loss_options *options,
                                               struct slg_loss **ret_loss,
                                               struct slg_error *reterr);
void slg_loss_destroy(struct slg_loss *loss); /* only after slg_forward_stop */
/* Look, and report what is due; at_once: not waiting for the interval (at stop). */
void slg_loss_tick(struct slg_loss *loss, bool at_once);
/* Look only: nothing is reported any more (at the end of the stop). */
void slg_loss_look(struct slg_loss *loss);
/* Tell that entries received from from_ns on may be lost. Before the first tick. */
void slg_loss_add_unknown(struct slg_loss *loss, int64_t from_ns);
/* An accepted loss entry tells of that, or there was nothing to tell. */
bool slg_loss_unknown_told(const struct slg_loss *loss);
/* Entries dropped that no accepted loss entry tells of. */
uint64_t slg_loss_unreported(const struct slg_loss *loss);
/* A report is on its way. */
bool slg_loss_busy(const struct slg_loss *loss);
/* Wait until the report that is out has ended, or the deadline. */
void slg_loss_wait(struct slg_loss *loss, int64_t deadline_mono_ns);
void slg_loss_set_map(struct slg_loss *loss, struct slg_map *map);

#endif
