/* proto/http_route.h - which handler a method and a path belong to (the patterns of proto/http.h). Pure.
 *
 * The first route that fits wins. Owner: routes and path are borrowed. Threads: no shared state. */
#ifndef SLG_PROTO_HTTP_ROUTE_H
#define SLG_PROTO_HTTP_ROUTE_H

#include "proto/http.h"

/* In place: of neighbouring slashes one stays, as for a client whose base URL ends in one. */
void slg_http_route_clean(char *path);

enum slg_http_route_result {
    SLG_HTTP_ROUTE_FOUND,
    SLG_HTTP_ROUTE_NO_METHOD, /* a path of ours, but none of its routes takes the method */
    SLG_HTTP_ROUTE_NO_PATH,
};

/* *ret_segment: what stands for {name} in the path, which takes one segment and may not be empty. */
enum slg_http_route_result slg_http_route_find(const struct slg_http_route *routes, size_t count,
                                               const char *method, const char *path,
                                               const struct slg_http_route **ret_route,
                                               struct slg_text *ret_segment);

#endif
