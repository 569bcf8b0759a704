/* logql/pipe/ip.h - ip("..."): one address, a CIDR network or a range "a-b", IPv4 or IPv6.
 *
 * Rules are Go's net/netip as Loki uses it: an IPv4-mapped IPv6 address is IPv6 and is not inside an IPv4 network;
 * networks hold no addresses with a zone; a range's ends have one family and are in order.
 * Threads: pure. */
#ifndef SLG_LOGQL_PIPE_IP_H
#define SLG_LOGQL_PIPE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/label.h"

struct slg_ip_address {
    uint8_t bytes[16]; /* IPv4 in the first 4 */
    bool is_v6;
    bool has_zone; /* fe80::1%eth0 */
};

struct slg_ip_matcher {
    struct slg_ip_address low, high; /* inclusive */
};

/* INVALID: `ip: invalid pattern: "..."`. */
SLG_MUST_CHECK enum slg_status slg_ip_matcher_parse(struct slg_text pattern,
                                                    struct slg_ip_matcher *ret_matcher,
                                                    struct slg_error *reterr);
/* netip.ParseAddr; false when text is not exactly one address. */
bool slg_ip_address_parse(struct slg_text text, struct slg_ip_address *ret_address);

/* Is any address that stands in the text (where Loki would see one) matched? Works for lines and label values. */
bool slg_ip_matcher_find(const struct slg_ip_matcher *matcher, struct slg_text text);

#endif
