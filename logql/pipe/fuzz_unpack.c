/* Lines for `| unpack`. */
#include "tests/helper/fuzz_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_logql_stage stage = { .kind = SLG_LOGQL_STAGE_UNPACK };

    fuzz_stage(&stage, (const char *)data, size);
    return 0;
}
