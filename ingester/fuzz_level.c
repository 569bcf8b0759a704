/* The level of arbitrary lines is one of the eight words, by both rules. */
#include "ingester/level.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slg_text level)
{
    static const char *const words[] = { "trace", "debug",    "info",  "warn",
                                         "error", "critical", "fatal", "unknown" };
    size_t i = 0;

    while (i < SLG_ARRAY_LEN(words) && !slg_text_equal_to(level, words[i]))
        i++;
    SLG_ASSERT(i < SLG_ARRAY_LEN(words));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_text line = slg_text_make(data, size);
    struct slg_label pair = { .name = line, .value = line };
    struct slg_label_set labels = { .items = &pair, .count = size > 0 ? 1 : 0 };
    struct slg_text level;
    size_t replace;

    check(slg_level_of_line(line));
    check(slg_level_of_text(line));
    (void)slg_level_normalize(line);
    if (slg_level_discover(&labels, &pair, labels.count, line, &level, &replace))
        SLG_ASSERT(replace == SIZE_MAX || replace == 0);
    return 0;
}
