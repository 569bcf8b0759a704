/* Lines for `| logfmt`. The first byte chooses flags; 8: an expression stands before the line and ends in a NUL. */
#include "tests/helper/fuzz_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_logql_extraction extractions[] = {
        { .label = { "a", 1 }, .path = { "b", 1 } },
        { .label = { "level", 5 }, .path = { "level", 5 } },
    };
    struct slg_logql_stage stage = { .kind = SLG_LOGQL_STAGE_LOGFMT };
    const uint8_t *line = data + 1;
    const uint8_t *nul = size < 2 ? NULL : memchr(line, 0, size - 1);

    if (size == 0)
        return 0;
    stage.strict = (data[0] & 2U) != 0;
    stage.keep_empty = (data[0] & 4U) != 0;
    if ((data[0] & 8U) != 0 && nul != NULL) {
        extractions[1].path.ptr = (const char *)line;
        extractions[1].path.len = (size_t)(nul - line);
        line = nul + 1;
    }
    if ((data[0] & 9U) != 0) {
        stage.extractions = extractions;
        stage.extraction_count = 2;
    }
    fuzz_stage(&stage, (const char *)line, size - (size_t)(line - data));
    return 0;
}
