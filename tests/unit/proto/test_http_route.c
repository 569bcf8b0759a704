/* A method and a path find the first route that fits.
 * Oracle: rows written by hand after proto/http.h. */
#include "tests/helper/test.h"

#include "proto/http_route.h"

static void handler(void *ctx, struct slg_http_request *request)
{
    (void)ctx;
    (void)request;
}

static const struct slg_http_route routes[] = {
    { "/a", SLG_HTTP_GET, handler, false },
    { "/a", SLG_HTTP_POST, handler, false },
    { "/label/{name}/values", SLG_HTTP_GET, handler, false },
    { "/x/{name}", SLG_HTTP_PUT | SLG_HTTP_DELETE, handler, false },
};

static const struct row {
    const char *name, *method, *path;
    enum slg_http_route_result want;
    size_t route;
    const char *segment;
} rows[] = {
    { "exact", "GET", "/a", SLG_HTTP_ROUTE_FOUND, 0, "" },
    { "HEAD is GET", "HEAD", "/a", SLG_HTTP_ROUTE_FOUND, 0, "" },
    { "a later route with the method", "POST", "/a", SLG_HTTP_ROUTE_FOUND, 1, "" },
    { "no such method", "PUT", "/a", SLG_HTTP_ROUTE_NO_METHOD, 0, "" },
    { "unknown method", "BREW", "/a", SLG_HTTP_ROUTE_NO_METHOD, 0, "" },
    { "lower case is another method", "get", "/a", SLG_HTTP_ROUTE_NO_METHOD, 0, "" },
    { "no such path", "GET", "/b", SLG_HTTP_ROUTE_NO_PATH, 0, "" },
    { "longer", "GET", "/a/", SLG_HTTP_ROUTE_NO_PATH, 0, "" },
    { "empty", "GET", "", SLG_HTTP_ROUTE_NO_PATH, 0, "" },
    { "segment in the middle", "GET", "/label/app/values", SLG_HTTP_ROUTE_FOUND, 2, "app" },
    { "empty segment", "GET", "/label//values", SLG_HTTP_ROUTE_NO_PATH, 0, "" },
    { "two segments", "GET", "/label/a/b/values", SLG_HTTP_ROUTE_NO_PATH, 0, "" },
    { "parts overlap", "GET", "/label/values", SLG_HTTP_ROUTE_NO_PATH, 0, "" },
    { "segment at the end", "DELETE", "/x/y", SLG_HTTP_ROUTE_FOUND, 3, "y" },
    { "nothing at the end", "PUT", "/x/", SLG_HTTP_ROUTE_NO_PATH, 0, "" },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        const struct slg_http_route *route = NULL;
        struct slg_text segment = { 0 };

        CHECK(row->name, slg_http_route_find(routes, SLG_ARRAY_LEN(routes), row->method, row->path,
                                             &route, &segment) == row->want);
        CHECK(row->name, route == (row->want == SLG_HTTP_ROUTE_FOUND ? &routes[row->route] : NULL));
        CHECK(row->name, slg_text_equal_to(segment, row->segment));
    }
}

static void test_clean(void **state)
{
    static const char *const pairs[][2] = {
        { "/a/b", "/a/b" }, { "//a///b", "/a/b" }, { "/a//", "/a/" },
        { "", "" },         { "///", "/" },        { "a", "a" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(pairs); i++) {
        char *path = (char *)test_block(pairs[i][0], strlen(pairs[i][0]) + 1);

        slg_http_route_clean(path);
        assert_string_equal(path, pairs[i][1]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_clean) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
