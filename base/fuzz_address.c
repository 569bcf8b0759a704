/* Arbitrary address lists, an item a line: what parses prints to a text of the same address, lies in its own network,
 * and no bit outside the prefix matters; what is refused says so. */
#include <netinet/in.h>
#include <string.h>

#include "base/address.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_socket(const struct slg_address *address, bool v4)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct sockaddr other = { .sa_family = AF_UNIX };
    struct slg_address made;

    memcpy(&in6.sin6_addr, address->bytes, 16);
    SLG_ASSERT(slg_address_of((const struct sockaddr *)(const void *)&in6, &made));
    SLG_ASSERT(memcmp(&made, address, sizeof(made)) == 0);
    if (v4) {
        memcpy(&in4.sin_addr, address->bytes + 12, 4);
        SLG_ASSERT(slg_address_of((const struct sockaddr *)(const void *)&in4, &made));
        SLG_ASSERT(memcmp(&made, address, sizeof(made)) == 0);
    }
    SLG_ASSERT(!slg_address_of(&other, &made));
}

static void check_address(const char *text)
{
    char printed[SLG_ADDRESS_TEXT_BYTES];
    struct slg_address address, again;
    bool v4;

    if (!slg_address_parse(text, &address, &v4))
        return;
    SLG_ASSERT(slg_address_print(&address, printed) == strlen(printed));
    SLG_ASSERT(strlen(printed) < sizeof(printed));
    check_socket(&address, v4);
    SLG_ASSERT(slg_address_loopback(&address) ==
               (strncmp(printed, "127.", 4) == 0 || strcmp(printed, "::1") == 0));
    SLG_ASSERT(slg_address_parse(printed, &again, &v4));
    SLG_ASSERT(memcmp(&address, &again, sizeof(again)) == 0);
}

static void check_network(const char *text)
{
    struct slg_error error = { 0 };
    struct slg_cidr cidr;

    if (slg_cidr_parse(text, &cidr, &error) != SLG_OK) {
        SLG_ASSERT(error.message[0] != '\0');
        return;
    }
    SLG_ASSERT(cidr.bits <= 128);
    SLG_ASSERT(slg_cidr_contains(&cidr, &cidr.address));
    for (unsigned bit = 0; bit < 128; bit++) {
        struct slg_address other = cidr.address;

        other.bytes[bit / 8] ^= (uint8_t)(0x80U >> bit % 8);
        SLG_ASSERT(slg_cidr_contains(&cidr, &other) == (bit >= cidr.bits));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    char line[128];

    while (data < end) {
        const uint8_t *stop = memchr(data, '\n', (size_t)(end - data));
        size_t len = (size_t)((stop == NULL ? end : stop) - data);

        if (len >= sizeof(line))
            return 0;
        memcpy(line, data, len);
        line[len] = '\0';
        check_address(line);
        check_network(line);
        data += len + (stop != NULL);
    }
    return 0;
}
