/* /loki/api/v1/patterns: storers mine the shapes of their lines (logql/mine/), here they are added up and shown. */
#include "base/clock.h"
#include "logql/mine/miner.h"
#include "querier/meta.h"

/* Loki counts in buckets of 10 s; a smaller step shows no more. */
#define STEP_NS_MIN (10 * SLG_NS_PER_SEC)

struct patterns {
    struct slg_leaf_request leaf;
    struct slg_miner *miner;
    struct slg_meta *meta; /* while it mines */
};

static enum slg_status read_patterns(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = &meta->client.querier->options.limits;
    struct patterns *patterns = arg;
    struct slg_leaf_request *leaf = &patterns->leaf;
    struct slg_query_params params = { .start_ns = meta->wanted.from_ns,
                                       .end_ns = meta->wanted.to_ns };
    enum slg_status status = slg_meta_read_required(meta, NULL, reterr);

    if (status == SLG_OK)
        status = slg_api_check_range(limits, &params, reterr);
    if (status == SLG_OK)
        status = slg_api_resolution(meta->client.request, params.start_ns, params.end_ns,
                                    &leaf->step_ns, /* ret_interval_ns= */ NULL, reterr);
    if (status != SLG_OK)
        return status;
    if (leaf->step_ns < STEP_NS_MIN)
        leaf->step_ns = STEP_NS_MIN;
    leaf->kind = SLG_LEAF_PATTERNS;
    leaf->text = meta->selectors[0];
    leaf->start_ns = params.start_ns;
    leaf->end_ns = params.end_ns;
    leaf->memory_bytes_max = limits->memory_bytes_max;
    leaf->series_max = 1;
    leaf->bytes_scan_max = limits->bytes_scan_max;
    return SLG_OK;
}

static enum slg_status feed(void *arg, const void *body, size_t len, struct slg_error *reterr)
{
    const struct patterns *patterns = arg;

    return slg_miner_feed(patterns->miner, body, len, reterr);
}

static enum slg_status begin_mining(void *arg, struct slg_error *reterr)
{
    struct patterns *patterns = arg;

    slg_miner_destroy(patterns->miner);
    patterns->miner = slg_miner_create(patterns->leaf.step_ns, patterns->leaf.memory_bytes_max);
    if (patterns->miner == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the patterns");
    return SLG_OK;
}

static enum slg_status run_mining(void *arg, struct slg_error *reterr)
{
    struct patterns *patterns = arg;
    const struct slg_leaf_request *leaf = &patterns->leaf;

    return slg_fanout_run_leaf(patterns->meta->fanout, leaf, leaf->start_ns, leaf->end_ns, feed,
                               patterns, reterr);
}

static enum slg_status mine(struct slg_meta *meta, struct patterns *patterns,
                            struct slg_error *reterr)
{
    static const struct slg_fanout_work work = { begin_mining, run_mining };
    const struct slg_leaf_request *leaf = &patterns->leaf;
    enum slg_status status = slg_api_fanout(&meta->client, &meta->fanout, reterr);

    if (status != SLG_OK)
        return status;
    patterns->meta = meta;
    return slg_fanout_evaluate(meta->fanout, leaf->start_ns, leaf->end_ns, &work, patterns, reterr);
}

static enum slg_status list_patterns(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    enum slg_status status;

    if (meta->wanted.to_ns <= meta->wanted.from_ns)
        return SLG_OK;
    status = mine(meta, arg, reterr);
    if (meta->fanout != NULL) {
        const struct slg_scan_stats *stats = slg_fanout_stats(meta->fanout);
        struct slg_metric_table *metrics = meta->client.querier->metrics;

        slg_metric_add_shared(metrics, METRIC_querier_scanned_bytes_total, 0, stats->bytes_read);
        slg_metric_add_shared(metrics, METRIC_querier_scanned_lines_total, 0, stats->lines_read);
    }
    return status;
}

static void print_pattern(struct slg_buf *out, const struct slg_miner_pattern *pattern,
                          int64_t step_ns)
{
    slg_buf_append_text(out, "{\"pattern\":");
    slg_buf_append_json(out, pattern->pattern.at, pattern->pattern.len);
    slg_buf_append_text(out, ",\"level\":");
    slg_buf_append_json(out, pattern->level.at, pattern->level.len);
    slg_buf_append_text(out, ",\"samples\":[");
    for (size_t i = 0; i < pattern->sample_count; i++) {
        const struct slg_miner_sample *sample = &pattern->samples[i];

        slg_buf_printf(out, "%s[%lld,%llu]", i == 0 ? "" : ",",
                       (long long)(sample->bucket * step_ns / SLG_NS_PER_SEC),
                       (unsigned long long)sample->count);
    }
    slg_buf_append_text(out, "]}");
}

static enum slg_status print_patterns(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    const struct patterns *patterns = arg;
    const struct slg_miner_pattern *list = NULL;
    enum slg_status status = SLG_OK;
    size_t count = 0;

    if (patterns->miner != NULL)
        status = slg_miner_finish(patterns->miner, &list, &count, reterr);
    slg_buf_append_text(&meta->out, "{\"status\":\"success\",\"data\":[");
    for (size_t i = 0; i < count; i++) {
        slg_buf_append_text(&meta->out, i == 0 ? "" : ",");
        print_pattern(&meta->out, &list[i], patterns->leaf.step_ns);
    }
    slg_buf_append_text(&meta->out, "]}\n");
    return status;
}

void slg_api_patterns(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { read_patterns, list_patterns, print_patterns,
                                                       SLG_GATE_LONG };
    struct patterns patterns = { .miner = NULL };

    slg_meta_answer(ctx, request, &endpoint, &patterns);
    slg_miner_destroy(patterns.miner);
}
