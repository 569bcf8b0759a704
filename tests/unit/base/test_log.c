/* A log line is one write, says what was meant, and no value can forge a field or break the JSON.
 * Oracle: expected lines written by hand (after the time stamp). */
#include "tests/helper/test.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static int ends[2];

static int set_up(void **state)
{
    (void)state;
    return pipe(ends);
}

static int tear_down(void **state)
{
    (void)state;
    slg_log_setup(SLG_LOG_INFO, SLG_LOG_KEY_VALUE, STDERR_FILENO);
    close(ends[0]);
    return close(ends[1]);
}

/* What was written, without the time stamp; a pipe read gets one write when it is small. */
static const char *read_line(void)
{
    static char text[8192];
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    const char *level;

    assert_true(len > 0);
    text[len] = '\0';
    level = strstr(text, text[0] == '{' ? "\"level\"" : "level=");
    assert_non_null(level);
    return level;
}

#define EXPECT(want, ...)                                                                          \
    do {                                                                                           \
        slg_log_warn(__VA_ARGS__);                                                                 \
        assert_string_equal(read_line(), want "\n");                                               \
    } while (0)

static void test_key_value(void **state)
{
    const char *volatile nothing = NULL; /* not known to the compiler */

    (void)state;
    slg_log_setup(SLG_LOG_INFO, SLG_LOG_KEY_VALUE, ends[1]);
    EXPECT("level=warn msg=\"listener started\"", "listener started");
    EXPECT("level=warn msg=started", "started");
    EXPECT("level=warn msg=a n=1", "a n=%d", 1);
    EXPECT("level=warn msg=\"\" n=1", "n=%d", 1);
    EXPECT("level=warn msg=\"took 7 lines\" address=127.0.0.1:1514 n=-3",
           "took %u lines "
           "address=%s:%u n=%zd",
           7U, "127.0.0.1", 1514U, (ssize_t)-3);
    EXPECT("level=warn msg=a t=\"x y=1\"", "a t=%s", "x y=1");
    EXPECT("level=warn msg=a t=\"q\\\"b\\\\n\\n\\u0001\"", "a t=%s", "q\"b\\n\n\x01");
    EXPECT("level=warn msg=a t=-", "a t=%s", nothing);
    EXPECT("level=warn msg=a t=\"\" u=2", "a t=%s u=%d", "", 2);
    EXPECT("level=warn msg=a t=abc", "a t=%.*s", 3, "abcdef");
    EXPECT("level=warn msg=a h=00ff g=1.5 c=x p=50%", "a h=%04x g=%g c=%c p=%d%%", 255U, 1.5, 'x',
           50);
    EXPECT("level=warn msg=a max=18446744073709551615 min=-9223372036854775808",
           "a max=%" PRIu64 " min=%" PRId64, UINT64_MAX, INT64_MIN);
    EXPECT("level=warn msg=a bad=\"\xEF\xBF\xBDx\" good=\"\xC3\xBC\"", "a bad=%s good=%s", "\xFFx",
           "\xC3\xBC");
}

static void test_json(void **state)
{
    (void)state;
    slg_log_setup(SLG_LOG_INFO, SLG_LOG_JSON, ends[1]);
    EXPECT("\"level\":\"warn\",\"msg\":\"a b\"}", "a b");
    EXPECT("\"level\":\"warn\",\"msg\":\"a\",\"n\":5,\"t\":\"5\",\"u\":\"5 B\"}",
           "a n=%d t=%s u=%s", 5, "5", "5 B");
    EXPECT("\"level\":\"warn\",\"msg\":\"a\",\"t\":\"\\\"\\n\",\"x\":\"1:2\"}", "a t=%s x=%d:%d",
           "\"\n", 1, 2);
}

static void test_levels_and_errno(void **state)
{
    struct slg_error err;

    (void)state;
    slg_log_setup(SLG_LOG_WARN, SLG_LOG_KEY_VALUE, ends[1]);
    assert_false(slg_log_enabled(SLG_LOG_INFO));
    errno = EBUSY;
    slg_log_info("not written");
    slg_log_debug("not written");
    slg_log_error("written");
    assert_int_equal(errno, EBUSY);
    assert_string_equal(read_line(), "level=error msg=written\n");
    (void)slg_error_hintf(&err, SLG_LIMIT, "make room", "disk of %d bytes is full", 7);
    slg_log_failure(SLG_LOG_WARN, "could not store", &err);
    assert_string_equal(read_line(),
                        "level=warn msg=\"could not store\" error=\"disk of 7 bytes is full\" "
                        "hint=\"make room\" status=\"limit reached\"\n");
}

static void test_long_values_are_cut_and_stay_valid(void **state)
{
    static const char *const fills[] = { "x", "\"", "\xC3\xBC", "\x01", "\xFF" };
    static const enum slg_log_format formats[] = { SLG_LOG_KEY_VALUE, SLG_LOG_JSON };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(fills) * 2; i++) {
        const char *fill = fills[i / 2];
        char *text = calloc(1, 6001);
        const char *line;

        assert_non_null(text);
        for (size_t len = 0; len + strlen(fill) <= 6000; len += strlen(fill))
            memcpy(text + len, fill, strlen(fill));
        slg_log_setup(SLG_LOG_INFO, formats[i % 2], ends[1]);
        slg_log_warn("a t=%s u=%s v=%s w=%s", text, text, text, text);
        line = read_line();
        CHECK(fill, strlen(line) < 4096);
        CHECK(fill, strstr(line, i % 2 == 0 ? " cut=true\n" : ",\"cut\":true}\n") != NULL);
        CHECK(fill, strchr(line, '\n')[1] == '\0');
        free(text);
    }
}

static void test_limit_counts_what_it_holds_back(void **state)
{
    struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
    uint64_t suppressed = 99;

    (void)state;
    assert_true(slg_log_limit_allow(&limit, 5, &suppressed));
    assert_int_equal(suppressed, 0);
    suppressed = 99;
    for (int i = 0; i < 3; i++)
        assert_false(slg_log_limit_allow(&limit, 5 + i, &suppressed));
    assert_int_equal(suppressed, 99);
    assert_true(slg_log_limit_allow(&limit, 5 + 10 * SLG_NS_PER_SEC, &suppressed));
    assert_int_equal(suppressed, 3);
    assert_false(slg_log_limit_allow(&limit, 6 + 10 * SLG_NS_PER_SEC, &suppressed));
}

static void *write_many(void *arg)
{
    for (int i = 0; i < 200; i++)
        slg_log_info("line from thread name=%s n=%d", (const char *)arg, i);
    return NULL;
}

static void test_lines_of_threads_do_not_mix(void **state)
{
    char names[2][8] = { "first", "second" };
    FILE *file = tmpfile();
    pthread_t threads[2];
    char line[256];
    int count = 0;

    (void)state;
    assert_non_null(file);
    slg_log_setup(SLG_LOG_INFO, SLG_LOG_KEY_VALUE, fileno(file));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    rewind(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_int_equal(memcmp(line, "ts=20", 5), 0);
        assert_non_null(strstr(line, "Z level=info msg=\"line from thread\" name="));
        count++;
    }
    assert_int_equal(count, 400);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_key_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels_and_errno, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_values_are_cut_and_stay_valid, set_up, tear_down),
        cmocka_unit_test(test_limit_counts_what_it_holds_back),
        cmocka_unit_test_setup_teardown(test_lines_of_threads_do_not_mix, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
