/* Lines for `| json` and `| unpack`. The first byte chooses flags: 1 expressions of ours, 2 an expression that stands
 * before the line and ends in a NUL, 4 unpack.
 * Covers: json.c json_scan.c path.c */
#include "tests/helper/fuzz_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_logql_extraction extractions[] = {
        { .label = { "a", 1 }, .path = { "a.b[0]", 6 } },
        { .label = { "level", 5 }, .path = { "k[\"x y\"][1].z", 13 } },
        { .label = { "c", 1 }, .path = { "c", 1 } },
    };
    struct slg_logql_stage stage = { .kind = SLG_LOGQL_STAGE_JSON };
    const uint8_t *line = data + 1;
    const uint8_t *nul = size < 2 ? NULL : memchr(line, 0, size - 1);

    if (size == 0)
        return 0;
    if ((data[0] & 2U) != 0 && nul != NULL) {
        extractions[1].path.ptr = (const char *)line;
        extractions[1].path.len = (size_t)(nul - line);
        line = nul + 1;
    }
    if ((data[0] & 3U) != 0) {
        stage.extractions = extractions;
        stage.extraction_count = 3;
    }
    if ((data[0] & 4U) != 0)
        stage = (struct slg_logql_stage){ .kind = SLG_LOGQL_STAGE_UNPACK };
    fuzz_stage(&stage, (const char *)line, size - (size_t)(line - data));
    return 0;
}
