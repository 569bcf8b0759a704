#include "proto/http_route.h"

#include <string.h>

#include "base/assert.h"

void slg_http_route_clean(char *path)
{
    char *out = path;

    for (const char *at = path; *at != '\0'; at++)
        if (*at != '/' || at[1] != '/')
            *out++ = *at;
    *out = '\0';
}

/* Does path match pattern? {name} takes one segment, which may not be empty. */
static bool path_matches(const char *pattern, const char *path, struct slg_text *ret_segment)
{
    const char *open = strchr(pattern, '{');
    const char *close;
    size_t head, tail, len = strlen(path);

    if (open == NULL)
        return strcmp(pattern, path) == 0;
    close = strchr(open, '}');
    SLG_ASSERT(close != NULL);
    head = (size_t)(open - pattern);
    tail = strlen(close + 1);
    if (len <= head + tail || strncmp(pattern, path, head) != 0 ||
        strcmp(close + 1, path + len - tail) != 0)
        return false;
    *ret_segment = slg_text_make(path + head, len - head - tail);
    return memchr(ret_segment->at, '/', ret_segment->len) == NULL;
}

static unsigned method_bit(const char *method)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return SLG_HTTP_GET;
    if (strcmp(method, "POST") == 0)
        return SLG_HTTP_POST;
    if (strcmp(method, "PUT") == 0)
        return SLG_HTTP_PUT;
    return strcmp(method, "DELETE") == 0 ? SLG_HTTP_DELETE : 0;
}

enum slg_http_route_result slg_http_route_find(const struct slg_http_route *routes, size_t count,
                                               const char *method, const char *path,
                                               const struct slg_http_route **ret_route,
                                               struct slg_text *ret_segment)
{
    enum slg_http_route_result result = SLG_HTTP_ROUTE_NO_PATH;

    for (size_t i = 0; i < count; i++) {
        struct slg_text segment = { 0 };

        if (!path_matches(routes[i].path, path, &segment))
            continue;
        if ((routes[i].methods & method_bit(method)) == 0) {
            result = SLG_HTTP_ROUTE_NO_METHOD;
            continue;
        }
        *ret_route = &routes[i];
        *ret_segment = segment;
        return SLG_HTTP_ROUTE_FOUND;
    }
    return result;
}
