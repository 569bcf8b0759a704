/* base/address.h - IP addresses and networks as settings write them: "192.0.2.7", "10.0.0.0/8", "2001:db8::/32".
 *
 * Refuses (INVALID): names, prefix lengths that are none, bits set behind the prefix.
 * Threads: pure. */
#ifndef SLG_BASE_ADDRESS_H
#define SLG_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/status.h"

/* Room for any printed address with its NUL. */
#define SLG_ADDRESS_TEXT_BYTES 46

/* An IPv4 address as IPv4-mapped IPv6, so that one comparison serves both. */
struct slg_address {
    uint8_t bytes[16];
};

/* Numeric only; *ret_v4: it was written as IPv4. False, and nothing written to *ret_address: it is no address. */
bool slg_address_parse(const char *text, struct slg_address *ret_address, bool *ret_v4);
/* False: neither IPv4 nor IPv6. */
bool slg_address_of(const struct sockaddr *socket_address, struct slg_address *ret_address);
/* "203.0.113.9", "2001:db8::1" into text[SLG_ADDRESS_TEXT_BYTES]; returns its length. */
size_t slg_address_print(const struct slg_address *address, char *text);
bool slg_address_loopback(const struct slg_address *address);

struct slg_cidr {
    struct slg_address address;
    unsigned bits; /* 0 to 128, of the mapped form */
};

/* A network, or one host without "/". */
SLG_MUST_CHECK enum slg_status slg_cidr_parse(const char *text, struct slg_cidr *ret_cidr,
                                              struct slg_error *reterr);
bool slg_cidr_contains(const struct slg_cidr *cidr, const struct slg_address *address);

#endif
