/* Templates: up to the first NUL the template, then the line, which logfmt has parsed before.
 * Covers: template.c template_parse.c template_token.c template_value.c template_printf.c template_function.c template_text.c template_encode.c template_regex.c template_number.c template_compare.c template_collection.c template_time.c */
#include "tests/helper/fuzz_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
    size_t len = nul == NULL ? size : (size_t)(nul - data);
    const char *line = nul == NULL ? "a=1 b=x" : (const char *)nul + 1;
    size_t line_len = nul == NULL ? 7 : size - len - 1;
    static const struct slg_label labels[] = { { { "app", 3 }, { "x", 1 } } };
    const struct slg_label_set set = { .items = labels, .count = 1 };
    struct slg_logql_stage stages[2] = { { .kind = SLG_LOGQL_STAGE_LOGFMT },
                                         { .kind = SLG_LOGQL_STAGE_LINE_FORMAT } };
    const struct slg_logql_log log = { .stage_count = 2, .stages = stages };
    struct slg_pipe_options options = { .log = &log };
    struct slg_pipe_entry entry = { .line = slg_text_make(line, line_len) };
    struct slg_pipe_result result;
    struct slg_pipe_stream *stream;
    struct slg_pipe *pipe;

    if (size == 0 || len > 2048)
        return 0;
    stages[1].text.ptr = (const char *)data;
    stages[1].text.len = len;
    if (slg_pipe_create(&options, &pipe, NULL) != SLG_OK)
        return 0;
    if (slg_pipe_stream_create(pipe, &set, &stream) != SLG_OK)
        abort();
    if (slg_pipe_run(pipe, stream, &entry, &result) == SLG_OK &&
        result.line.len > SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX + line_len)
        abort();
    slg_pipe_destroy(pipe);
    return 0;
}
