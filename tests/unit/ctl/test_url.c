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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_param),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
