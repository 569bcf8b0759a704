/* Patterns and lines: up to the first NUL the pattern, then the line; as a parser and as a line filter. Also the other
 * things that search lines: ip() and decolorize.
 * Covers: pattern.c decolorize.c */
#include "logql/pipe/decolorize.h"
#include "logql/pipe/ip.h"
#include "tests/helper/fuzz_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
    size_t len = nul == NULL ? size : (size_t)(nul - data);
    const char *line = nul == NULL ? "" : (const char *)nul + 1;
    size_t line_len = nul == NULL ? 0 : size - len - 1;
    struct slg_logql_stage stage = { .kind = SLG_LOGQL_STAGE_PATTERN };
    struct slg_logql_line_operand operand = { .text = { (const char *)data, len } };
    struct slg_ip_matcher ip;
    char *out;

    if (size == 0)
        return 0;
    stage.text = operand.text;
    fuzz_stage(&stage, line, line_len);
    stage.kind = SLG_LOGQL_STAGE_LINE_FILTER;
    stage.line_filter.op = SLG_LOGQL_LINE_PATTERN;
    stage.line_filter.operand_count = 1;
    stage.line_filter.operands = &operand;
    fuzz_stage(&stage, line, line_len);
    if (slg_ip_matcher_parse(slg_text_make((const char *)data, len), &ip, NULL) == SLG_OK)
        (void)slg_ip_matcher_find(&ip, slg_text_make(line, line_len));
    out = malloc(line_len + 1);
    if (out != NULL && slg_decolorize(slg_text_make(line, line_len), out) > line_len)
        abort();
    free(out);
    return 0;
}
