/* Lines for `| logfmt`. The first byte chooses flags. */
#include "tests/helper/fuzz_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slg_logql_extraction extractions[] = {
        { .label = { "a", 1 }, .path = { "b", 1 } },
        { .label = { "level", 5 }, .path = { "level", 5 } },
    };
    struct slg_logql_stage stage = { .kind = SLG_LOGQL_STAGE_LOGFMT };

    if (size == 0)
        return 0;
    stage.strict = (data[0] & 2U) != 0;
    stage.keep_empty = (data[0] & 4U) != 0;
    if ((data[0] & 1U) != 0) {
        stage.extractions = extractions;
        stage.extraction_count = 2;
    }
    fuzz_stage(&stage, (const char *)data + 1, size - 1);
    return 0;
}
