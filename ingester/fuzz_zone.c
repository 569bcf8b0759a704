/* Arbitrary time zone files: refused, or every lookup in them ends within a week of UTC.
 * Covers: zone.c */
#include "ingester/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t seconds[] = {
        INT64_C(-4000000000), -1, 0, 1795300949, INT64_C(4102444800), 1774749599,
        INT64_C(9000000000)
    };
    struct slg_zone *zone;

    if (slg_zone_parse(data, size, &zone, NULL) != SLG_OK)
        return 0;
    for (size_t i = 0; i < SLG_ARRAY_LEN(seconds); i++) {
        int64_t utc = slg_zone_to_utc(zone, seconds[i], seconds[i]);

        SLG_ASSERT(utc >= seconds[i] - 7 * 86400);
        SLG_ASSERT(utc <= seconds[i] + 7 * 86400);
    }
    slg_zone_destroy(zone);
    return 0;
}
