#include "base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cursor.h"

static_assert(SLG_ADDRESS_TEXT_BYTES == INET6_ADDRSTRLEN, "the system's size");

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool slg_address_of(const struct sockaddr *socket_address, struct slg_address *ret_address)
{
    if (socket_address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, socket_address, sizeof(v4));
        memcpy(ret_address->bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(ret_address->bytes + 12, &v4.sin_addr, 4);
        return true;
    }
    if (socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, socket_address, sizeof(v6));
        memcpy(ret_address->bytes, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

static bool is_mapped(const struct slg_address *address)
{
    return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

size_t slg_address_print(const struct slg_address *address, char *text)
{
    if (is_mapped(address))
        (void)inet_ntop(AF_INET, address->bytes + 12, text, SLG_ADDRESS_TEXT_BYTES);
    else
        (void)inet_ntop(AF_INET6, address->bytes, text, SLG_ADDRESS_TEXT_BYTES);
    return strlen(text);
}

bool slg_address_loopback(const struct slg_address *address)
{
    static const uint8_t v6_loopback[16] = { [15] = 1 };

    return (is_mapped(address) && address->bytes[12] == 127) ||
           memcmp(address->bytes, v6_loopback, 16) == 0;
}

bool slg_address_parse(const char *text, struct slg_address *ret_address, bool *ret_v4)
{
    struct slg_address made;

    memcpy(made.bytes, mapped_prefix, sizeof(mapped_prefix));
    *ret_v4 = inet_pton(AF_INET, text, made.bytes + 12) == 1;
    if (!*ret_v4 && inet_pton(AF_INET6, text, made.bytes) != 1)
        return false;
    *ret_address = made;
    return true;
}

static bool bit_at(const struct slg_address *address, unsigned bit)
{
    return (address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

enum slg_status slg_cidr_parse(const char *text, struct slg_cidr *ret_cidr,
                               struct slg_error *reterr)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char host[SLG_ADDRESS_TEXT_BYTES];
    struct slg_cidr cidr;
    uint64_t bits;
    bool v4;

    if (len >= sizeof(host))
        return slg_errorf(reterr, SLG_INVALID, "\"%s\" is not an address or CIDR", text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (!slg_address_parse(host, &cidr.address, &v4))
        return slg_errorf(reterr, SLG_INVALID, "\"%s\" is not an address or CIDR", text);
    bits = v4 ? 32 : 128;
    if (slash != NULL) {
        struct slg_cursor c = slg_cursor_make(slash + 1, strlen(slash + 1));

        if (!slg_cursor_take_uint(&c, 3, bits, &bits) || slg_cursor_left(&c) != 0)
            return slg_errorf(reterr, SLG_INVALID, "\"%s\" has no prefix length of 0 to %d", text,
                              v4 ? 32 : 128);
    }
    cidr.bits = (unsigned)bits + (v4 ? 96 : 0);
    for (unsigned bit = cidr.bits; bit < 128; bit++)
        if (bit_at(&cidr.address, bit))
            return slg_error_hintf(reterr, SLG_INVALID, "set the bits behind the prefix to zero",
                                   "\"%s\" has bits behind its prefix", text);
    *ret_cidr = cidr;
    return SLG_OK;
}

bool slg_cidr_contains(const struct slg_cidr *cidr, const struct slg_address *address)
{
    unsigned bytes = cidr->bits / 8;
    unsigned rest = cidr->bits % 8;

    if (memcmp(cidr->address.bytes, address->bytes, bytes) != 0)
        return false;
    return rest == 0 ||
           (cidr->address.bytes[bytes] >> (8 - rest)) == (address->bytes[bytes] >> (8 - rest));
}
