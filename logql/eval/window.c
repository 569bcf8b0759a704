#include "logql/eval/window.h"

#include "base/assert.h"

static int64_t saturating_sub(int64_t a, int64_t b)
{
    int64_t result;

    if (__builtin_sub_overflow(a, b, &result))
        return b > 0 ? INT64_MIN : INT64_MAX;
    return result;
}

static int64_t saturating_add(int64_t a, int64_t b)
{
    int64_t result;

    if (__builtin_add_overflow(a, b, &result))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return result;
}

bool slg_windows_init(struct slg_windows *w, int64_t start_ns, int64_t end_ns, int64_t step_ns,
                      int64_t range_ns, int64_t offset_ns)
{
    uint64_t steps;

    if (range_ns < 0 || step_ns < 0)
        return false;
    if (step_ns == 0) {
        start_ns = end_ns;
        step_ns = 1;
    }
    if (end_ns < start_ns)
        return false;
    steps = ((uint64_t)end_ns - (uint64_t)start_ns) / (uint64_t)step_ns;
    if (steps >= SLG_WINDOW_COUNT_MAX)
        return false;
    w->start_ns = saturating_sub(start_ns, offset_ns);
    w->step_ns = step_ns;
    w->range_ns = range_ns;
    w->count = (uint32_t)steps + 1;
    return true;
}

/* How many of first, first + step ... (count of them) are < ts. */
static uint32_t count_below(int64_t first, const struct slg_windows *w, int64_t ts)
{
    uint64_t below;

    if (ts <= first)
        return 0;
    below = ((uint64_t)ts - (uint64_t)first - 1) / (uint64_t)w->step_ns + 1;
    return below < w->count ? (uint32_t)below : w->count;
}

uint32_t slg_windows_bucket(const struct slg_windows *w, int64_t ts_ns)
{
    uint32_t ended = count_below(w->start_ns, w, ts_ns);
    uint32_t started = count_below(saturating_sub(w->start_ns, w->range_ns), w, ts_ns);

    return started > ended ? started + ended : SLG_BUCKET_NONE;
}

void slg_windows_bounds(const struct slg_windows *w, uint32_t i, int64_t *ret_after_ns,
                        int64_t *ret_last_ns)
{
    int64_t last = saturating_add(w->start_ns, (int64_t)i * w->step_ns);

    SLG_ASSERT(i < w->count);
    *ret_last_ns = last;
    *ret_after_ns = saturating_sub(last, w->range_ns);
}

bool slg_windows_span(const struct slg_windows *w, uint32_t i, uint32_t *ret_first,
                      uint32_t *ret_last)
{
    int64_t after, last;

    slg_windows_bounds(w, i, &after, &last);
    if (after >= last)
        return false;
    *ret_first = slg_windows_bucket(w, after + 1);
    *ret_last = slg_windows_bucket(w, last);
    return *ret_first != SLG_BUCKET_NONE && *ret_last != SLG_BUCKET_NONE;
}

void slg_windows_range(const struct slg_windows *w, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
    int64_t last = saturating_add(w->start_ns, (int64_t)(w->count - 1) * w->step_ns);

    *ret_from_ns = saturating_add(saturating_sub(w->start_ns, w->range_ns), 1);
    *ret_to_ns = saturating_add(last, 1);
}
