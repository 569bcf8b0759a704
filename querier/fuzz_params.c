/* Arbitrary values of HTTP parameters: each reader refuses with a text or gives a value within its promise, and what
 * it gave, printed in another way, is read as the same. Oracle: libc's calendar and printf. */
#include <math.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "querier/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t read_time(const char *text)
{
    int64_t ns = 0;

    SLG_ASSERT(slg_params_time(slg_text_of(text), &ns, NULL) == SLG_OK);
    return ns;
}

static void check_time(struct slg_text text)
{
    int64_t ts_ns = 7, seconds, rest;
    struct slg_error error = { 0 };
    char digits[48], calendar[64];
    struct tm parts;
    time_t clock;
    size_t len;

    if (slg_params_time(text, &ts_ns, &error) != SLG_OK) {
        SLG_ASSERT(ts_ns == 7);
        SLG_ASSERT(error.message[0] != '\0');
        return;
    }
    ts_ns = slg_params_bounded_time(ts_ns);
    SLG_ASSERT(ts_ns >= SLG_PARAMS_TIME_MIN);
    SLG_ASSERT(ts_ns <= SLG_PARAMS_TIME_MAX);
    SLG_ASSERT(slg_params_default_step(SLG_PARAMS_TIME_MIN, ts_ns) >= SLG_NS_PER_SEC);
    (void)snprintf(digits, sizeof(digits), "%lld", (long long)ts_ns);
    if (strlen(digits) > 10)
        SLG_ASSERT(read_time(digits) == ts_ns);
    rest = ts_ns % SLG_NS_PER_SEC;
    seconds = ts_ns / SLG_NS_PER_SEC - (rest < 0);
    rest += rest < 0 ? SLG_NS_PER_SEC : 0;
    clock = (time_t)seconds;
    SLG_ASSERT(gmtime_r(&clock, &parts) != NULL);
    len = strftime(calendar, sizeof(calendar), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(calendar + len, sizeof(calendar) - len, ".%09lldZ", (long long)rest);
    SLG_ASSERT(read_time(calendar) == ts_ns);
}

static void check_duration(struct slg_text text)
{
    int64_t ns = -7, again;
    char printed[48];

    if (slg_params_duration(text, &ns, NULL) != SLG_OK) {
        SLG_ASSERT(ns == -7);
        return;
    }
    SLG_ASSERT(ns >= 0);
    SLG_ASSERT(ns % SLG_NS_PER_MS == 0);
    (void)snprintf(printed, sizeof(printed), "%lldms", (long long)(ns / SLG_NS_PER_MS));
    SLG_ASSERT(slg_params_duration(slg_text_of(printed), &again, NULL) == SLG_OK);
    SLG_ASSERT(again == ns);
    SLG_ASSERT(slg_params_step(text, &again, NULL) == SLG_OK);
    SLG_ASSERT(again == ns);
}

static void check_number(struct slg_text text)
{
    struct slg_error error = { 0 };
    enum slg_direction direction;
    int64_t value = 7, again;
    char printed[32];

    if (slg_params_int(text, &value, &error) == SLG_OK) {
        (void)snprintf(printed, sizeof(printed), "%lld", (long long)value);
        SLG_ASSERT(slg_params_int(slg_text_of(printed), &again, NULL) == SLG_OK);
        SLG_ASSERT(again == value);
    } else {
        SLG_ASSERT(value == 7);
        SLG_ASSERT(error.message[0] != '\0');
    }
    if (slg_params_step(text, &value, &error) != SLG_OK)
        SLG_ASSERT(error.message[0] != '\0');
    if (slg_params_direction(text, &direction, &error) == SLG_OK)
        SLG_ASSERT(direction == (text.len == 7 ? SLG_FORWARD : SLG_BACKWARD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_text text = slg_text_make(data, size);

    check_time(text);
    check_duration(text);
    check_number(text);
    return 0;
}
