/* proto/address.h - the URLs that processes of Silage have for each other: "tcp://HOST:PORT", "tls+tcp://HOST:PORT",
 * "inproc://NAME". Host and port are left to the library that dials and listens.
 *
 * Refuses: other schemes, URLs of SLG_ADDRESS_BYTES_MAX or more, TLS without its files, files without TLS.
 * Threads: pure. */
#ifndef SLG_PROTO_ADDRESS_H
#define SLG_PROTO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define SLG_ADDRESS_BYTES_MAX ((size_t)128) /* with its NUL; what NNG takes */

/* What was set for TLS: of certificate, key and CA. */
enum slg_address_files {
    SLG_ADDRESS_FILES_NONE, /* not even a certificate */
    SLG_ADDRESS_FILES_SOME,
    SLG_ADDRESS_FILES_ALL,
};

/* INVALID with the reason, for whoever wrote the URL or the settings. */
SLG_MUST_CHECK enum slg_status slg_address_check(const char *url, enum slg_address_files files,
                                                 struct slg_error *reterr);
/* Of a URL that was checked. */
bool slg_address_is_tls(const char *url);
bool slg_address_is_inproc(const char *url);
/* Does it leave the choice of the port to the system? */
bool slg_address_is_any_port(const char *url);
/* url with that port instead of its own, into out[0..SLG_ADDRESS_BYTES_MAX + 8). For is_any_port only. */
void slg_address_set_port(const char *url, int port, char *out);

#endif
