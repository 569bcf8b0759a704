/* URLs are put together as RFC 3986 wants them: what is not unreserved is encoded, byte by byte.
 * Oracle: URLs written by hand. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "ctl/url.h"

static void test_param(void **state)
{
    static const struct {
        const char *value, *want;
    } rows[] = {
        { "", "http://a:1/p?q=" },
        { "Az09-._~", "http://a:1/p?q=Az09-._~" },
        { "{job=\"x\"}", "http://a:1/p?q=%7Bjob%3D%22x%22%7D" },
        { "a b+c&d?e#f%", "http://a:1/p?q=a%20b%2Bc%26d%3Fe%23f%25" },
        { "\xC3\xA4", "http://a:1/p?q=%C3%A4" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_buf url;

        slg_buf_init(&url, 4096);
        slg_url_start(&url, "http://a:1", "/p");
        slg_url_param(&url, "q", rows[i].value);
        slg_buf_append_byte(&url, '\0');
        CHECK(rows[i].value, strcmp((const char *)url.data, rows[i].want) == 0);
        slg_buf_fini(&url);
    }
}

static void test_pieces(void **state)
{
    struct slg_buf url;

    (void)state;
    slg_buf_init(&url, 4096);
    slg_url_start(&url, "http://b", "/old");
    slg_url_start(&url, "http://a", "/label/");
    slg_url_segment(&url, "x/../y?z");
    slg_buf_append_text(&url, "/values");
    slg_url_number(&url, "start", INT64_MIN);
    slg_url_number(&url, "end", 7);
    slg_buf_append_byte(&url, '\0');
    assert_string_equal(url.data, "http://a/label/x%2F..%2Fy%3Fz/values"
                                  "?start=-9223372036854775808&end=7");
    slg_buf_fini(&url);
}

/* What does not fit is seen at the end, not cut. */
static void test_full(void **state)
{
    struct slg_buf url;

    (void)state;
    slg_buf_init(&url, 16);
    slg_url_start(&url, "http://a", "/p");
    slg_url_param(&url, "query", "long");
    assert_true(slg_buf_failed(&url));
    slg_buf_fini(&url);
}

static void test_split(void **state)
{
    static const struct {
        const char *url, *userinfo, *host, *path; /* host NULL: refused */
    } rows[] = {
        { "http://a:1/p?q=x@y", NULL, "a:1", "/p?q=x@y" },
        { "http://u:p%40@[::1]:2", "u:p%40", "[::1]:2", "" },
        { "http://u@v@h/", "u@v", "h", "/" },
        { "http://h?x", NULL, "h", "?x" },
        { "http://", NULL, NULL, NULL },
        { "http://u@/p", NULL, NULL, NULL },
        { "localhost:3100", NULL, NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_url_parts parts = { 0 };
        bool good = slg_url_split(rows[i].url, &parts);

        CHECK(rows[i].url, good == (rows[i].host != NULL));
        if (!good)
            continue;
        CHECK(rows[i].url, parts.host_len == strlen(rows[i].host) &&
                               memcmp(parts.host, rows[i].host, parts.host_len) == 0);
        CHECK(rows[i].url, strcmp(parts.path, rows[i].path) == 0);
        CHECK(rows[i].url, (parts.userinfo == NULL) == (rows[i].userinfo == NULL));
        CHECK(rows[i].url, rows[i].userinfo == NULL ||
                               (parts.userinfo_len == strlen(rows[i].userinfo) &&
                                memcmp(parts.userinfo, rows[i].userinfo, parts.userinfo_len) == 0));
    }
}

static void test_loopback(void **state)
{
    static const struct {
        const char *url;
        bool want;
    } rows[] = {
        { "http://127.0.0.1:3100/x", true }, { "http://127.9.9.9", true },
        { "http://LocalHost:1", true },      { "https://localhost/", true },
        { "http://[::1]:3100", true },       { "http://[::1]", true },
        { "http://u:p@127.0.0.1/", true },   { "http://127.0.0.1.example.org/", false },
        { "http://localhost.org/", false },  { "http://[::1:2]/", false },
        { "http://10.0.0.1/", false },       { "http://h/127.0.0.1", false },
        { "http://127.0.0.1@h/", false },    { "127.0.0.1", false },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++)
        CHECK(rows[i].url, slg_url_is_loopback(rows[i].url) == rows[i].want);
}

/* The rows of RFC 4648 section 10, and RFC 7617 section 2. */
static void test_authorization(void **state)
{
    static const struct {
        const char *url, *token, *want;
    } rows[] = {
        { "http://h", NULL, "" },
        { "http://h", "tok", "Bearer tok" },
        { "http://f@h", NULL, "Basic Zg==" },
        { "http://fo@h", NULL, "Basic Zm8=" },
        { "http://foo@h", NULL, "Basic Zm9v" },
        { "http://foobar@h", "tok", "Basic Zm9vYmFy" },
        { "http://Aladdin:open%20sesame@h", NULL, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
        { "http://%4g%4@h", NULL, "Basic JTRnJTQ=" },
        { "http://@h", "tok", "Basic " },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        slg_url_authorization(&out, rows[i].url, rows[i].token);
        slg_buf_append_byte(&out, '\0');
        CHECK(rows[i].url, strcmp((const char *)out.data, rows[i].want) == 0);
        slg_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_param),    cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_full),     cmocka_unit_test(test_split),
        cmocka_unit_test(test_loopback), cmocka_unit_test(test_authorization),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
