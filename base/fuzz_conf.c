/* Settings files from anybody: loading never crashes, and what was accepted prints to a file that loads the same.
 * Covers: conf.c conf_load.c conf_check.c conf_print.c yaml.c units.c */
#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slg_conf_row rows[] = {
    { "a.flag", SLG_CONF_BOOL, "", 0, 1, "false", NULL, SLG_CONF_RELOAD, "A flag" },
    { "a.number", SLG_CONF_INT, "things", -5, 100, "7", NULL, 0, "A number" },
    { "a.size", SLG_CONF_SIZE, "", 1, 1 << 30, "8MiB", NULL, 0, "A size" },
    { "a.time", SLG_CONF_DURATION, "", 0, INT64_MAX, "1h30m", NULL, SLG_CONF_FOREVER, "A time" },
    { "a.b.text", SLG_CONF_TEXT, "", 0, 64, "x", NULL, 0, "A text" },
    { "a.b.kind", SLG_CONF_ENUM, "", 0, 0, "one", "one|two", 0, "A kind" },
    { "a.b.words[]", SLG_CONF_TEXT, "", 0, 64, "[p, q]", NULL, 0, "Words" },
    { "list[]", SLG_CONF_OBJECTS, "", 0, 4, "[{at: '127.0.0.1:1'}]", NULL, 0, "Things" },
    { "list[].at", SLG_CONF_ADDRESS, "", 0, 0, "", NULL, SLG_CONF_REQUIRED, "Where" },
    { "list[].nets[]", SLG_CONF_CIDR, "", 0, 0, "", NULL, 0, "Networks" },
    { "secret", SLG_CONF_SECRET, "", 0, 0, "", NULL, 0, "A secret" },
};

static void must_not_change(void *arg, const char *key, bool reloadable)
{
    (void)arg;
    (void)reloadable;
    SLG_ASSERT(key == NULL);
}

/* The first line may be an override: "set KEY=VALUE". */
static void load(struct slg_conf *conf, const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 4 ? memchr(data, '\n', size) : NULL;
    char set[256];

    if (end != NULL && memcmp(data, "set ", 4) == 0 && end - data < 256) {
        memcpy(set, data + 4, (size_t)(end - data) - 4);
        set[end - data - 4] = '\0';
        slg_conf_set(conf, set);
        size -= (size_t)(end - data) + 1;
        data = end + 1;
    }
    slg_conf_load(conf, "fuzz", data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_conf *conf = slg_conf_create(rows, SLG_ARRAY_LEN(rows));
    struct slg_conf *again = slg_conf_create(rows, SLG_ARRAY_LEN(rows));
    struct slg_buf out;

    SLG_ASSERT(conf != NULL);
    SLG_ASSERT(again != NULL);
    slg_buf_init(&out, 1 << 20);
    load(conf, data, size);
    if (slg_conf_finish(conf) == SLG_OK) {
        SLG_ASSERT(slg_conf_readable(conf));
        slg_conf_print(conf, size % 2 == 0, &out);
        SLG_ASSERT(!slg_buf_failed(&out));
        slg_conf_load(again, "again", out.data, out.len);
        SLG_ASSERT(slg_conf_finish(again) == SLG_OK);
        slg_conf_compare(conf, again, must_not_change, NULL);
        SLG_ASSERT(slg_conf_number(conf, "a.number") <= 100);
        SLG_ASSERT(slg_conf_bool(conf, "a.flag") == slg_conf_bool(again, "a.flag"));
        SLG_ASSERT(slg_conf_count(conf, "list") <= 4);
        SLG_ASSERT(slg_conf_given(conf, "a.b.kind") || slg_conf_number(conf, "a.b.kind") == 0);
        SLG_ASSERT(slg_conf_mistake_count(conf) == 0);
        slg_conf_add_mistake(conf, "a.number", "is not in order");
        slg_conf_add_mistake(conf, "a.number", "is told once");
        slg_conf_add_mistake(conf, "no.key", "is not there");
        SLG_ASSERT(slg_conf_mistake_count(conf) == 2);
        for (size_t i = 0; i < slg_conf_count(conf, "list"); i++)
            SLG_ASSERT(slg_conf_text(conf, "list[%zu].at", i)[0] != '\0');
    }
    for (size_t i = 0; i < slg_conf_mistake_count(conf); i++)
        SLG_ASSERT(slg_conf_mistake(conf, i)[0] != '\0');
    slg_buf_fini(&out);
    slg_conf_destroy(again);
    slg_conf_destroy(conf);
    slg_conf_destroy(NULL);
    return 0;
}
