#include "proto/http_access.h"

#include <string.h>

#include "base/hash.h"

enum slg_status slg_http_access_init(struct slg_http_access *access, const char *const *allow,
                                     size_t allow_count, const char *const *tokens,
                                     size_t token_count, struct slg_error *reterr)
{
    *access = (struct slg_http_access){ .tokens = tokens, .token_count = token_count };
    if (allow_count > SLG_HTTP_ALLOW_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "more than %zu networks in an allow list",
                          SLG_HTTP_ALLOW_COUNT_MAX);
    for (size_t i = 0; i < allow_count; i++) {
        enum slg_status status = slg_cidr_parse(allow[i], &access->allow[i], reterr);

        if (status != SLG_OK)
            return status;
    }
    access->allow_count = allow_count;
    return SLG_OK;
}

bool slg_http_access_allows(const struct slg_http_access *access, const struct sockaddr *peer)
{
    struct slg_address address;

    if (access->allow_count == 0)
        return true;
    if (!slg_address_of(peer, &address))
        return false;
    for (size_t i = 0; i < access->allow_count; i++)
        if (slg_cidr_contains(&access->allow[i], &address))
            return true;
    return false;
}

/* Equal time for any two texts: their hashes are compared, every byte of them. */
static bool same_secret(const char *a, size_t a_len, const char *b)
{
    uint8_t hash_a[32], hash_b[32], difference = 0;

    slg_hash_sha256(a, a_len, hash_a);
    slg_hash_sha256(b, strlen(b), hash_b);
    for (size_t i = 0; i < sizeof(hash_a); i++)
        difference |= hash_a[i] ^ hash_b[i];
    return difference == 0;
}

bool slg_http_access_knows(const struct slg_http_access *access, const char *token, size_t len)
{
    bool known = false;

    for (size_t i = 0; i < access->token_count; i++)
        known |= same_secret(token, len, access->tokens[i]);
    return known;
}
