/* tests/helper/fuzz_pipe.h - what the fuzz targets of line parsers share: one stage, one line from outside. */
#ifndef SLG_TESTS_HELPER_FUZZ_PIPE_H
#define SLG_TESTS_HELPER_FUZZ_PIPE_H

#include <stdlib.h>
#include <string.h>

#include "logql/pipe/pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Run `line` through one stage of a log query and of a metric query by (level). Aborts when a result breaks its
 * promise: sorted names, each once. */
static inline void fuzz_stage(const struct slg_logql_stage *stage, const char *line, size_t len)
{
    static const struct slg_label labels[] = { { { "app", 3 }, { "x", 1 } } };
    static const struct slg_logql_str level = { "level", 5 };
    static const struct slg_logql_grouping by = { .present = true,
                                                  .label_count = 1,
                                                  .labels = &level };
    const struct slg_label_set set = { .items = labels, .count = 1 };
    const struct slg_logql_log log = { .stage_count = 1, .stages = stage };

    for (int metric = 0; metric < 2; metric++) {
        struct slg_pipe_options options = { .log = &log, .want_categories = metric == 0 };
        struct slg_pipe_entry entry = { .line = slg_text_make(line, len) };
        struct slg_pipe *pipe;
        struct slg_pipe_stream *stream;
        struct slg_pipe_result result;

        if (metric != 0) {
            options.sample = SLG_PIPE_SAMPLE_COUNT;
            options.grouping = &by;
        }
        if (slg_pipe_create(&options, &pipe, NULL) != SLG_OK)
            return;
        if (slg_pipe_stream_create(pipe, &set, &stream) != SLG_OK)
            abort();
        if (slg_pipe_run(pipe, stream, &entry, &result) == SLG_OK)
            for (size_t i = 1; i < result.labels.count; i++)
                if (slg_text_compare(result.labels.items[i - 1].name,
                                     result.labels.items[i].name) >= 0)
                    abort();
        slg_pipe_destroy(pipe);
    }
}

#endif
