#include "ingester/metrics.h"

#include "ingester/account.h"
#include "ingester/listener.h"

static const char *const sources[] = { "udp", "tcp", "relp", "push" };
static const char *const listeners[] = {
    "0",  "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11", "12", "13", "14", "15",
    "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
};
static_assert(SLG_ARRAY_LEN(listeners) == SLG_LISTENER_COUNT_MAX, "one value for each listener");
static const char *const reasons[] = {
#define X(name, text, help) text,
    SLG_DROP_REASON_LIST(X)
#undef X
};
static const char *const refused[] = { "address", "limit" };
static const char *const push_outcomes[] = { "stored", "incomplete", "bad", "busy", "lost" };
static const char *const outcomes[] = { "accepted", "dropped", "abandoned" };
/* enum slg_store_result from BUSY on. */
static const char *const refusals[] = { "busy",    "read_only", "not_placed", "content",
                                        "expired", "future",    "malformed" };

const struct slg_metric_label slg_ingester_label_source = { "source", sources,
                                                            SLG_ARRAY_LEN(sources) };
const struct slg_metric_label slg_ingester_label_listener = { "listener", listeners,
                                                              SLG_ARRAY_LEN(listeners) };
const struct slg_metric_label slg_ingester_label_reason = { "reason", reasons,
                                                            SLG_ARRAY_LEN(reasons) };
const struct slg_metric_label slg_ingester_label_refused = { "reason", refused,
                                                             SLG_ARRAY_LEN(refused) };
const struct slg_metric_label slg_ingester_label_push = { "outcome", push_outcomes,
                                                          SLG_ARRAY_LEN(push_outcomes) };
const struct slg_metric_label slg_ingester_label_outcome = { "outcome", outcomes,
                                                             SLG_ARRAY_LEN(outcomes) };
const struct slg_metric_label slg_ingester_label_refusal = { "result", refusals,
                                                             SLG_ARRAY_LEN(refusals) };

static const struct slg_metric_row rows[] = { SLG_INGESTER_METRICS(SLG_METRIC_ROW) };

struct slg_metric_table *slg_ingester_metrics_register(struct slg_metric_registry *registry)
{
    return slg_metric_register(registry, rows, SLG_ARRAY_LEN(rows));
}
