/* Lines for `| json`. The first byte chooses flags.
 * Covers: json.c json_scan.c */
#include "tests/helper/fuzz_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slg_logql_extraction extractions[] = {
        { .label = { "a", 1 }, .path = { "a.b[0]", 6 } },
        { .label = { "level", 5 }, .path = { "k[\"x y\"][1].z", 13 } },
        { .label = { "c", 1 }, .path = { "c", 1 } },
    };
    struct slg_logql_stage stage = { .kind = SLG_LOGQL_STAGE_JSON };

    if (size == 0)
        return 0;
    if ((data[0] & 1U) != 0) {
        stage.extractions = extractions;
        stage.extraction_count = 3;
    }
    fuzz_stage(&stage, (const char *)data + 1, size - 1);
    return 0;
}
