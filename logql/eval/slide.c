#include "logql/eval/slide.h"

#include <math.h>

/* [left, mid) hold suffix aggregates, [mid, right) single partials whose aggregate is back. */
struct partial_state {
    uint32_t left, mid, right;
    bool has_back;
    struct slg_partial back;
};

/* Samples [left, right) are in the window. */
struct sample_state {
    uint32_t left, right;
    double *sorted;          /* QUANTILE: values ascending, NaN first */
    uint32_t *rank;          /* QUANTILE: of each sample in sorted */
    uint32_t *tree;          /* QUANTILE: Fenwick tree of samples in the window, by rank; 1-based */
    long double *reset_sums; /* RATE_COUNTER: sum of the values before resets, up to each sample */
};

struct slg_slide {
    struct slg_arena *arena;
    const struct slg_logql_range_aggregation *range;
    struct slg_windows windows;
    struct slg_series_table *table;
    struct partial_state *partials; /* one of the two */
    struct sample_state *samples;
    bool covers;
    uint32_t first, last; /* buckets of this evaluation */
    int64_t after_ns, last_ns;
};

/* Loki's HeapByMaxValue: NaN before everything. */
static bool value_less(double a, double b)
{
    if (isnan(a))
        return !isnan(b);
    return a < b;
}

static int compare_by_value(const void *a, const void *b, void *samples)
{
    const struct slg_sample *items = samples;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (value_less(items[x].value, items[y].value))
        return -1;
    if (value_less(items[y].value, items[x].value))
        return 1;
    return x < y ? -1 : x > y;
}

static bool prepare_quantile(struct slg_slide *slide, const struct slg_series_data *series,
                             struct sample_state *state)
{
    size_t count = series->count;
    uint32_t *order = slg_arena_alloc(slide->arena, count * sizeof(*order));

    state->sorted = slg_arena_alloc(slide->arena, count * sizeof(*state->sorted));
    state->rank = slg_arena_alloc(slide->arena, count * sizeof(*state->rank));
    state->tree = slg_arena_calloc(slide->arena, count + 1, sizeof(*state->tree));
    if (order == NULL || state->sorted == NULL || state->rank == NULL || state->tree == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof(*order), compare_by_value, series->samples);
    for (uint32_t i = 0; i < count; i++) {
        state->sorted[i] = series->samples[order[i]].value;
        state->rank[order[i]] = i;
    }
    return true;
}

static bool prepare_counter(struct slg_slide *slide, const struct slg_series_data *series,
                            struct sample_state *state)
{
    long double sum = 0;

    state->reset_sums = slg_arena_alloc(slide->arena, series->count * sizeof(*state->reset_sums));
    if (state->reset_sums == NULL)
        return false;
    for (uint32_t i = 0; i < series->count; i++) {
        if (i > 0 && series->samples[i].value < series->samples[i - 1].value)
            sum += (long double)series->samples[i - 1].value;
        state->reset_sums[i] = sum;
    }
    return true;
}

struct slg_slide *slg_slide_create(struct slg_arena *arena,
                                   const struct slg_logql_range_aggregation *range,
                                   const struct slg_windows *windows,
                                   struct slg_series_table *table)
{
    struct slg_slide *slide = slg_arena_calloc(arena, 1, sizeof(*slide));

    if (slide == NULL)
        return NULL;
    slide->arena = arena;
    slide->range = range;
    slide->windows = *windows;
    slide->table = table;
    if (table->kind != SLG_ACCUMULATE_SAMPLES) {
        slide->partials = slg_arena_calloc(arena, table->count, sizeof(*slide->partials));
        return slide->partials == NULL ? NULL : slide;
    }
    slide->samples = slg_arena_calloc(arena, table->count, sizeof(*slide->samples));
    if (slide->samples == NULL)
        return NULL;
    for (size_t i = 0; i < table->count; i++) {
        bool ready = range->op == SLG_LOGQL_RANGE_QUANTILE
                         ? prepare_quantile(slide, &table->series[i], &slide->samples[i])
                         : prepare_counter(slide, &table->series[i], &slide->samples[i]);

        if (!ready)
            return NULL;
    }
    return slide;
}

void slg_slide_step(struct slg_slide *slide, uint32_t i)
{
    slide->covers = slg_windows_span(&slide->windows, i, &slide->first, &slide->last);
    slg_windows_bounds(&slide->windows, i, &slide->after_ns, &slide->last_ns);
}

/* Drop what is before the window; turn the back stack over when the front is used up. */
static void drop_partials(struct slg_slide *slide, struct slg_series_data *series,
                          struct partial_state *s)
{
    struct slg_partial *items = series->partials;

    while (s->left < s->mid && items[s->left].bucket < slide->first)
        s->left++;
    if (s->left < s->mid || s->left == s->right || items[s->left].bucket >= slide->first)
        return;
    while (s->left < s->right && items[s->left].bucket < slide->first)
        s->left++;
    s->mid = s->right;
    s->has_back = false;
    for (uint32_t k = s->right - s->left; k > 1; k--)
        slg_partial_merge(slide->table->kind, &slide->table->origins, &items[s->left + k - 2],
                          &items[s->left + k - 1]);
}

static bool partial_value(struct slg_slide *slide, uint32_t index, double *ret_value)
{
    struct slg_series_data *series = &slide->table->series[index];
    struct partial_state *s = &slide->partials[index];
    struct slg_partial result;

    for (; s->right < series->count && series->partials[s->right].bucket <= slide->last;
         s->right++) {
        if (s->has_back)
            slg_partial_merge(slide->table->kind, &slide->table->origins, &s->back,
                              &series->partials[s->right]);
        else
            s->back = series->partials[s->right];
        s->has_back = true;
    }
    drop_partials(slide, series, s);
    if (s->left == s->right)
        return false;
    if (s->left < s->mid) {
        result = series->partials[s->left];
        if (s->has_back)
            slg_partial_merge(slide->table->kind, &slide->table->origins, &result, &s->back);
    } else {
        result = s->back;
    }
    *ret_value = slg_partial_value(slide->range, &result);
    return true;
}

static void count_rank(struct sample_state *s, uint32_t count, uint32_t rank, uint32_t change)
{
    for (uint32_t at = rank + 1; at <= count; at += at & (~at + 1))
        s->tree[at] += change;
}

/* The value with k smaller ones (0-based) in the window. */
static double value_at(const struct sample_state *s, uint32_t count, uint32_t k)
{
    uint32_t at = 0;
    uint32_t step = 1;

    while (step <= count / 2)
        step *= 2;
    for (; step > 0; step /= 2) {
        if (at + step <= count && s->tree[at + step] <= k) {
            at += step;
            k -= s->tree[at];
        }
    }
    SLG_ASSERT(at < count);
    return s->sorted[at];
}

/* Prometheus' quantile: linear between ranks; q > 1 is +Inf. */
static double quantile_value(const struct slg_slide *slide, const struct sample_state *s,
                             uint32_t total)
{
    double q = slide->range->parameter;
    uint32_t count = s->right - s->left;
    double rank, lower, upper;

    if (q < 0)
        return (double)-INFINITY;
    if (q > 1)
        return (double)INFINITY;
    rank = q * ((double)count - 1);
    lower = fmax(0, floor(rank));
    upper = fmin((double)count - 1, lower + 1);
    return value_at(s, total, (uint32_t)lower) * (1 - (rank - floor(rank))) +
           value_at(s, total, (uint32_t)upper) * (rank - floor(rank));
}

double slg_slide_rate_counter(const struct slg_sample *samples, size_t count, double reset_sum,
                              int64_t after_ns, int64_t last_ns)
{
    double increase, to_start, to_end, interval, average, threshold, extrapolated;

    if (count < 2)
        return 0;
    increase = samples[count - 1].value - samples[0].value + reset_sum;
    to_start = (double)(samples[0].ts_ns - after_ns) / 1e9;
    to_end = (double)(last_ns - samples[count - 1].ts_ns) / 1e9;
    interval = (double)(samples[count - 1].ts_ns - samples[0].ts_ns) / 1e9;
    average = interval / (double)(count - 1);
    if (increase > 0 && samples[0].value >= 0) {
        /* A counter is never negative: no extrapolation to before its zero. */
        double to_zero = interval * (samples[0].value / increase);

        if (to_zero < to_start)
            to_start = to_zero;
    }
    /* Near its borders the window is taken to be covered; else half a sample's distance is added. */
    threshold = average * 1.1;
    extrapolated = interval + (to_start < threshold ? to_start : average / 2);
    extrapolated += to_end < threshold ? to_end : average / 2;
    return increase * (extrapolated / interval) / ((double)(last_ns - after_ns) / 1e9);
}

static double reset_sum(const struct slg_series_data *series, const struct sample_state *s)
{
    long double sum = s->reset_sums[s->right - 1] - s->reset_sums[s->left];
    double direct = 0;

    if (isfinite(sum))
        return (double)sum;
    for (uint32_t i = s->left + 1; i < s->right; i++) {
        if (series->samples[i].value < series->samples[i - 1].value)
            direct += series->samples[i - 1].value;
    }
    return direct;
}

static bool sample_value(struct slg_slide *slide, uint32_t index, double *ret_value)
{
    const struct slg_series_data *series = &slide->table->series[index];
    struct sample_state *s = &slide->samples[index];
    bool quantile = slide->range->op == SLG_LOGQL_RANGE_QUANTILE;

    for (; s->right < series->count && series->samples[s->right].ts_ns <= slide->last_ns;
         s->right++) {
        if (quantile)
            count_rank(s, series->count, s->rank[s->right], 1);
    }
    for (; s->left < s->right && series->samples[s->left].ts_ns <= slide->after_ns; s->left++) {
        if (quantile)
            count_rank(s, series->count, s->rank[s->left], (uint32_t)-1);
    }
    if (s->left == s->right)
        return false;
    *ret_value =
        quantile ? quantile_value(slide, s, series->count)
                 : slg_slide_rate_counter(series->samples + s->left, s->right - s->left,
                                          reset_sum(series, s), slide->after_ns, slide->last_ns);
    return true;
}

bool slg_slide_value(struct slg_slide *slide, uint32_t series_index, double *ret_value)
{
    SLG_ASSERT(series_index < slide->table->count);
    if (!slide->covers)
        return false;
    return slide->partials != NULL ? partial_value(slide, series_index, ret_value)
                                   : sample_value(slide, series_index, ret_value);
}
