#include "proto/address.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool slg_address_is_tls(const char *url)
{
    return has_prefix(url, "tls+tcp://");
}

bool slg_address_is_inproc(const char *url)
{
    return has_prefix(url, "inproc://");
}

enum slg_status slg_address_check(const char *url, enum slg_address_files files,
                                  struct slg_error *reterr)
{
    if (strlen(url) >= SLG_ADDRESS_BYTES_MAX)
        return slg_errorf(reterr, SLG_INVALID, "address is longer than %zu bytes: \"%.80s...\"",
                          SLG_ADDRESS_BYTES_MAX - 1, url);
    if (!slg_address_is_tls(url) && !has_prefix(url, "tcp://") && !slg_address_is_inproc(url))
        return slg_error_hintf(reterr, SLG_INVALID,
                               "write tcp://HOST:PORT, tls+tcp://HOST:PORT or inproc://NAME",
                               "address \"%s\" has no known scheme", url);
    if (slg_address_is_tls(url) && files != SLG_ADDRESS_FILES_ALL)
        return slg_errorf(reterr, SLG_INVALID,
                          "address \"%s\" asks for TLS, but certificate, key or CA is not set",
                          url);
    if (has_prefix(url, "tcp://") && files != SLG_ADDRESS_FILES_NONE)
        return slg_error_hintf(reterr, SLG_INVALID, "write tls+tcp://",
                               "address \"%s\" would not use the certificate that is set", url);
    return SLG_OK;
}

bool slg_address_is_any_port(const char *url)
{
    const char *colon = strrchr(url, ':');

    return !slg_address_is_inproc(url) && strcmp(colon, ":0") == 0; /* the scheme has one */
}

void slg_address_set_port(const char *url, int port, char *out)
{
    const char *colon = strrchr(url, ':');

    SLG_ASSERT(strlen(url) < SLG_ADDRESS_BYTES_MAX);
    SLG_ASSERT(colon != NULL);
    /* A port has four digits more than "0". */
    (void)snprintf(out, SLG_ADDRESS_BYTES_MAX + 8, "%.*s:%d", (int)(colon - url), url, port);
}
