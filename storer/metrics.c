#include "storer/metrics.h"

static const char *const results[] = { "stored",  "duplicate", "busy",   "read_only", "not_placed",
                                       "content", "expired",   "future", "malformed" };
static const char *const requests[] = { "unknown", "hello",   "store",  "sets",  "query", "next",
                                        "cancel",  "streams", "status", "fetch", "ensure" };
static const char *const reasons[] = { "time", "bytes" };
static const char *const states[] = { "joining", "refilling", "whole", "clash" };

const struct slg_metric_label slg_storer_metric_results = { "result", results,
                                                            SLG_ARRAY_LEN(results) };
const struct slg_metric_label slg_storer_metric_requests = { "type", requests,
                                                             SLG_ARRAY_LEN(requests) };
const struct slg_metric_label slg_storer_metric_reasons = { "reason", reasons,
                                                            SLG_ARRAY_LEN(reasons) };
const struct slg_metric_label slg_storer_metric_states = { "state", states, SLG_ARRAY_LEN(states) };

static const struct slg_metric_row rows[] = { SLG_STORER_METRICS(SLG_METRIC_ROW) };

struct slg_metric_table *slg_storer_metrics_register(struct slg_metric_registry *registry)
{
    return slg_metric_register(registry, rows, SLG_ARRAY_LEN(rows));
}
