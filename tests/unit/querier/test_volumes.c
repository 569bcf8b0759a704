/* Volumes add up bytes by the labels that are targets, or by label name; largest first, cut at the limit.
 * Oracle: sums worked out by hand. */
#include "tests/helper/vector.h"

#include "querier/volumes.h"

#define MEMORY ((size_t)1 << 20)

static const struct volume_case {
    const char *name;
    const char *streams[4]; /* labels; the n-th holds 10^n bytes: 1, 10, 100, 1000 */
    const char *targets;    /* what a request names; NULL: `from` are those of its matchers */
    const char *from;
    bool by_label;
    uint64_t limit;
    const char *want; /* "labels=bytes ..." */
} cases[] = {
    { "none", { NULL }, "app", NULL, false, 9, "" },
    { "one target",
      { "app=a,h=1", "app=a,h=2", "app=b,h=1" },
      "app",
      NULL,
      false,
      9,
      "{app=\"b\"}:100 {app=\"a\"}:11 " },
    { "two targets",
      { "app=a,h=1", "app=a,h=2", "app=a,h=2,k=v" },
      "h,app",
      NULL,
      false,
      9,
      "{app=\"a\", h=\"2\"}:110 {app=\"a\", h=\"1\"}:1 " },
    { "a target that a stream has not",
      { "app=a", "h=1" },
      "app",
      NULL,
      false,
      9,
      "{app=\"a\"}:1 " },
    { "of matchers",
      { "app=a,h=1", "app=b" },
      NULL,
      "app",
      false,
      9,
      "{app=\"b\"}:10 {app=\"a\"}:1 " },
    { "limit",
      { "app=a", "app=b", "app=c" },
      "app",
      NULL,
      false,
      2,
      "{app=\"c\"}:100 {app=\"b\"}:10 " },
    { "by label, all names",
      { "app=a,h=1", "app=b" },
      NULL,
      "app",
      true,
      9,
      "{app=\"\"}:11 {h=\"\"}:1 " },
    { "by label, targets only", { "app=a,h=1", "app=b" }, "h", NULL, true, 9, "{h=\"\"}:1 " },
    { "a trailing comma", { "app=a" }, "app,", NULL, false, 9, "{app=\"a\"}:1 " },
};

static void test_sum(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_volume_rule rule = { .by_label = cases[i].by_label, .limit = cases[i].limit };
        struct slg_arena *arena = slg_arena_create(MEMORY);
        struct slg_volume streams[4], *volumes = NULL;
        size_t stream_count = 0, count = 99;
        struct slg_buf out;

        for (uint64_t bytes = 1; stream_count < 4 && cases[i].streams[stream_count] != NULL;
             stream_count++, bytes *= 10)
            streams[stream_count] =
                (struct slg_volume){ test_label_set(arena, cases[i].streams[stream_count]), bytes };
        if (cases[i].targets != NULL)
            assert_int_equal(slg_volume_read_targets(&rule, slg_text_of(cases[i].targets), NULL),
                             SLG_OK);
        else
            rule.targets[rule.target_count++] = slg_text_of(cases[i].from);
        assert_int_equal(slg_volumes_sum(arena, &rule, streams, stream_count, &volumes, &count),
                         SLG_OK);
        slg_buf_init(&out, MEMORY);
        slg_buf_append_text(&out, "");
        for (size_t k = 0; k < count; k++) {
            slg_label_print(&out, &volumes[k].labels);
            slg_buf_printf(&out, ":%llu ", (unsigned long long)volumes[k].bytes);
        }
        slg_buf_append_byte(&out, '\0');
        CHECK(cases[i].name, strcmp((const char *)out.data, cases[i].want) == 0);
        slg_buf_fini(&out);
        slg_arena_destroy(arena);
    }
}

/* One target more than there is room for is refused by name of the limit. */
static void test_targets_limit(void **state)
{
    struct slg_volume_rule rule = { 0 };
    struct slg_error error = { 0 };
    char list[2 * (SLG_VOLUME_TARGETS_MAX + 1) + 1] = "";

    (void)state;
    for (size_t i = 0; i <= SLG_VOLUME_TARGETS_MAX; i++)
        memcpy(list + 2 * i, "a,", 3);
    list[2 * SLG_VOLUME_TARGETS_MAX] = '\0';
    assert_int_equal(slg_volume_read_targets(&rule, slg_text_of(list), &error), SLG_OK);
    assert_int_equal(rule.target_count, SLG_VOLUME_TARGETS_MAX);
    assert_true(rule.explicit_targets);
    assert_int_equal(slg_volume_read_targets(&rule, slg_text_of("one"), &error), SLG_LIMIT);
    assert_string_equal(error.message, "more than 32 target labels");
}

/* Memory that is used up is LIMIT, and nothing is written. */
static void test_memory(void **state)
{
    struct slg_volume_rule rule = { .by_label = true, .limit = 1 };
    struct slg_arena *arena = slg_arena_create(MEMORY), *small = slg_arena_create(64);
    struct slg_volume stream = { test_label_set(arena, "a=1,b=2,c=3,d=4"), 1 };
    struct slg_volume *volumes = &stream;
    size_t count = 99;

    (void)state;
    assert_int_equal(slg_volumes_sum(small, &rule, &stream, 1, &volumes, &count), SLG_LIMIT);
    assert_ptr_equal(volumes, &stream);
    assert_int_equal(count, 99);
    slg_arena_destroy(small);
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_targets_limit),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
