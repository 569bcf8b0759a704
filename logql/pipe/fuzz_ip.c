/* ip(): up to the first NUL a pattern, then a text that may hold addresses. What is an address is inside the network of
 * itself alone, and is found when it stands in a text by itself.
 * Covers: ip.c */
#include <stdlib.h>
#include <string.h>

#include "logql/pipe/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(struct slg_text text)
{
    struct slg_ip_address address;
    struct slg_ip_matcher itself;

    if (!slg_ip_address_parse(text, &address))
        return;
    if (slg_ip_matcher_parse(text, &itself, NULL) != SLG_OK)
        return; /* with a zone, say */
    SLG_ASSERT(memcmp(&itself.low.bytes, &address.bytes, sizeof(address.bytes)) == 0);
    SLG_ASSERT(itself.low.is_v6 == address.is_v6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
    size_t len = nul == NULL ? size : (size_t)(nul - data);
    struct slg_text pattern = slg_text_make(data, len);
    struct slg_text text = nul == NULL ? pattern : slg_text_make(nul + 1, size - len - 1);
    struct slg_ip_matcher matcher;
    struct slg_error error = { .message = "" };

    check_address(pattern);
    check_address(text);
    if (slg_ip_matcher_parse(pattern, &matcher, &error) != SLG_OK) {
        SLG_ASSERT(error.message[0] != '\0');
        return 0;
    }
    SLG_ASSERT(matcher.low.is_v6 == matcher.high.is_v6);
    SLG_ASSERT(memcmp(matcher.low.bytes, matcher.high.bytes, sizeof(matcher.low.bytes)) <= 0);
    (void)slg_ip_matcher_find(&matcher, text);
    return 0;
}
