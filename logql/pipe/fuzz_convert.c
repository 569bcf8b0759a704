/* Values of labels as numbers: what is read and printed again is the same number, and what is refused is refused whole.
 * Covers: convert.c */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "logql/pipe/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_float(double value)
{
    char text[SLG_CONVERT_TEXT_BYTES_MAX];
    double again = 0;
    size_t len = slg_convert_print_float(value, text);

    SLG_ASSERT(len > 0 && len <= sizeof(text));
    SLG_ASSERT(slg_convert_float(slg_text_make(text, len), &again));
    SLG_ASSERT(again == value || (isnan(again) && isnan(value)));
    len = slg_convert_print_float_plain(value, text);
    SLG_ASSERT(len > 0 && len <= sizeof(text));
    SLG_ASSERT(isnan(value) ||
               (slg_convert_float(slg_text_make(text, len), &again) && again == value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_text text = slg_text_make(data, size);
    double number;
    int64_t integer, any, ns;
    uint64_t bytes;

    if (slg_convert_float(text, &number))
        check_float(number);
    (void)slg_convert_duration(text, &ns);
    if (slg_convert_int(text, &integer) && size > 0 && data[0] != '0' && size < 18 &&
        data[0] != '-' && data[0] != '+')
        SLG_ASSERT(slg_convert_int_any(text, &any) && any == integer);
    (void)slg_convert_int_any(text, &any);
    (void)slg_convert_bytes(text, &bytes);
    if (size >= sizeof(number)) { /* any float, not only those that texts lead to */
        memcpy(&number, data, sizeof(number));
        check_float(number);
    }
    return 0;
}
