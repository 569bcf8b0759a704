/* What settings name is looked at before the start: what the start would refuse is a mistake at its line.
 * Oracle: messages by hand. */
#include "tests/helper/test.h"

#include <unistd.h>

#include "base/clock.h"
#include "cluster/map.h"
#include "daemon/check.h"
#include "daemon/settings.h"

#define SETS_MAX 4

static const char *dir;

/* A setting of sets may name the directory of this test as %s. */
static struct slg_conf *load(const char *const *sets)
{
    struct slg_settings_options options = { .file = "/dev/null" };
    static char texts[SETS_MAX][512];
    static const char *pointers[SETS_MAX];
    struct slg_conf *conf = NULL;
    struct slg_error error;

    while (options.set_count < SETS_MAX && sets[options.set_count] != NULL) {
        const char *set = sets[options.set_count];
        const char *mark = strstr(set, "DIR");

        if (mark == NULL)
            (void)snprintf(texts[options.set_count], sizeof(texts[0]), "%s", set);
        else
            (void)snprintf(texts[options.set_count], sizeof(texts[0]), "%.*s%s%s",
                           (int)(mark - set), set, dir, mark + 3);
        pointers[options.set_count] = texts[options.set_count];
        options.set_count++;
    }
    options.sets = pointers;
    assert_int_equal(slg_settings_load(&options, &conf, &error), SLG_OK);
    return conf;
}

static void write_file(const char *name, const char *text)
{
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define MAP "cluster.map=file:DIR/map.json"

static const struct check_case {
    const char *name;
    enum slg_role role;
    const char *sets[SETS_MAX];
    const char *want[2]; /* parts of the only mistake; NULL: there is none */
} cases[] = {
    { "nothing named", SLG_ROLE_ALL, { NULL }, { NULL } },
    { "the map alone", SLG_ROLE_STORER, { MAP, "node.id=a" }, { NULL } },
    { "the same in both",
      SLG_ROLE_STORER,
      { MAP, "node.id=a", "node.zone=pve1", "retention.default=30d" },
      { NULL } },
    { "the same in both, of the cluster",
      SLG_ROLE_STORER,
      { MAP, "cluster.id=mail", "cluster.window=30m", "cluster.slots=2" },
      { NULL } },
    { "the window of a later layout", SLG_ROLE_STORER, { MAP, "cluster.window=1h" }, { NULL } },
    { "no map there",
      SLG_ROLE_QUERIER,
      { "cluster.map=file:DIR/none.json" },
      { "--set:1: cluster.map: ", "none.json" } },
    { "a map that is none",
      SLG_ROLE_QUERIER,
      { "cluster.map=file:DIR/bad.json" },
      { "--set:1: cluster.map: ", "colour: unknown key" } },
    { "another retention",
      SLG_ROLE_INGESTER,
      { MAP, "retention.default=1h" },
      { "--set:2: retention.default: the map file \"", "its retention_seconds is 2592000 (30d)" } },
    { "forever",
      SLG_ROLE_QUERIER,
      { MAP, "retention.default=forever" },
      { "--set:2: retention.default: the map file \"", "its retention_seconds is 2592000 (30d)" } },
    { "another cluster",
      SLG_ROLE_QUERIER,
      { MAP, "cluster.id=other" },
      { "--set:2: cluster.id: the map file \"", "its cluster is \"mail\"" } },
    { "another window",
      SLG_ROLE_STORER,
      { MAP, "cluster.window=6h" },
      { "--set:2: cluster.window: the map file \"", "its window_seconds is 3600" } },
    { "another number of slots",
      SLG_ROLE_STORER,
      { MAP, "cluster.slots=8" },
      { "--set:2: cluster.slots: the map file \"", "its slots is 1;" } },
    { "another zone",
      SLG_ROLE_STORER,
      { MAP, "node.id=a", "node.zone=pve2" },
      { "--set:3: node.zone: the map file \"", "its zone is \"pve1\" for this node" } },
    { "an absent secret",
      SLG_ROLE_QUERIER,
      { "querier.http.tokens=[file:DIR/none]" },
      { "--set:1: querier.http.tokens[0]: ", "/none" } },
    { "an empty secret",
      SLG_ROLE_INGESTER,
      { "ingester.http.tokens=[file:DIR/empty]" },
      { "--set:1: ingester.http.tokens[0]: ", "is empty" } },
    { "a secret that systemd will give",
      SLG_ROLE_QUERIER,
      { "querier.http.tokens=[cred:x]" },
      { NULL } },
    { "the secret of another role",
      SLG_ROLE_STORER,
      { "querier.http.tokens=[file:DIR/none]" },
      { NULL } },
    { "an absent certificate",
      SLG_ROLE_QUERIER,
      { "querier.http.tls_cert=DIR/none", "querier.http.tls_key=DIR/map.json" },
      { "--set:1: querier.http.tls_cert: ", "/none" } },
    { "an empty key",
      SLG_ROLE_STORER,
      { "transport.tls.cert=DIR/map.json", "transport.tls.key=DIR/empty",
        "transport.tls.ca=DIR/map.json" },
      { "--set:2: transport.tls.key: ", "empty" } },
    { "two on one port",
      SLG_ROLE_ALL,
      { "querier.http.listen=127.0.0.1:3101" },
      { "--set:1: querier.http.listen: \"127.0.0.1:3101\" is that of ingester.http.listen", "" } },
    { "HTTP on the port of syslog",
      SLG_ROLE_ALL,
      { "storer.http.listen=127.0.0.1:1514" },
      { "--set:1: storer.http.listen: \"127.0.0.1:1514\" is that of ingester.syslog[1]", "" } },
    { "the same port on two hosts",
      SLG_ROLE_QUERIER,
      { "querier.http.listen=127.0.0.1:3101" },
      { NULL } },
    { "the zone of a querier is not in the map",
      SLG_ROLE_QUERIER,
      { MAP, "node.id=a", "node.zone=pve2" },
      { NULL } },
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct check_case *row = &cases[i];
        struct slg_conf *conf = load(row->sets);
        size_t want_count = row->want[0] == NULL ? 0 : 1;

        slg_check_start(conf, row->role);
        for (size_t k = 0; k < slg_conf_mistake_count(conf); k++)
            if (k >= want_count || strstr(slg_conf_mistake(conf, k), row->want[0]) == NULL ||
                strstr(slg_conf_mistake(conf, k), row->want[1]) == NULL)
                print_error("%s: got: %s\n", row->name, slg_conf_mistake(conf, k));
        CHECK(row->name, slg_conf_mistake_count(conf) == want_count);
        if (want_count == 1) {
            CHECK(row->name, strstr(slg_conf_mistake(conf, 0), row->want[0]) != NULL);
            CHECK(row->name, strstr(slg_conf_mistake(conf, 0), row->want[1]) != NULL);
        }
        slg_conf_destroy(conf);
    }
}

static void test_what_is_open(void **state)
{
    static const struct open_case {
        const char *name;
        enum slg_role role;
        const char *sets[SETS_MAX];
        const char *want[2];
    } rows[] = {
        { "nothing by default", SLG_ROLE_ALL, { NULL }, { NULL } },
        { "HTTP",
          SLG_ROLE_ALL,
          { "storer.http.listen=192.0.2.1:1", "storer.http.insecure=true",
            "querier.http.listen=192.0.2.1:2", "querier.http.insecure=true" },
          { "storer.http.listen", "querier.http.listen" } },
        { "of another role",
          SLG_ROLE_INGESTER,
          { "storer.http.listen=192.0.2.1:1", "storer.http.insecure=true" },
          { NULL } },
        { "with a token",
          SLG_ROLE_STORER,
          { "storer.http.listen=192.0.2.1:1", "storer.http.tokens=[env:HOME]" },
          { NULL } },
        { "transport",
          SLG_ROLE_STORER,
          { "transport.listen=192.0.2.1:1", "transport.insecure=true" },
          { "transport.listen" } },
        { "syslog",
          SLG_ROLE_INGESTER,
          { "ingester.syslog[1].listen=192.0.2.1:1", "ingester.syslog[1].insecure=true" },
          { "ingester.syslog[1].listen" } },
        { "syslog with a list",
          SLG_ROLE_INGESTER,
          { "ingester.syslog[1].listen=192.0.2.1:1", "ingester.syslog[1].allow=[192.0.2.0/24]" },
          { NULL } },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_conf *conf = load(rows[i].sets);
        char key[SLG_CHECK_KEY_BYTES];
        size_t n = 0;

        for (; n < 2 && rows[i].want[n] != NULL; n++) {
            CHECK(rows[i].name, slg_check_insecure(conf, rows[i].role, n, key));
            CHECK(rows[i].name, strcmp(key, rows[i].want[n]) == 0);
        }
        CHECK(rows[i].name, !slg_check_insecure(conf, rows[i].role, n, key));
        slg_conf_destroy(conf);
    }
}

/* What docs say of a setting holds for a map that does not say it, too. */
static void test_default_retention_is_one(void **state)
{
    const char *const none[] = { NULL };
    struct slg_conf *conf = load(none);

    (void)state;
    assert_true(slg_conf_number(conf, "retention.default") ==
                SLG_MAP_RETENTION_SECONDS_DEFAULT * SLG_NS_PER_SEC);
    slg_conf_destroy(conf);
}

static int setup(void **state)
{
    static char path[] = "/tmp/silage-check-XXXXXX";

    (void)state;
    dir = mkdtemp(path);
    assert_non_null(dir);
    write_file("map.json",
               "{\"version\":1,\"cluster\":\"mail\",\"epoch\":1,\"retention_seconds\":2592000,"
               "\"nodes\":[{\"id\":\"a\",\"address\":\"tcp://127.0.0.1:1\",\"zone\":\"pve1\"}],"
               "\"layouts\":[{\"window_seconds\":1800,\"slots\":2,\"replication\":1,"
               "\"write_quorum\":1,\"nodes\":[{\"id\":\"a\"}]},"
               "{\"from_ns\":1800057600000000000,\"window_seconds\":3600,\"replication\":1,"
               "\"write_quorum\":1,\"nodes\":[{\"id\":\"a\"}]}]}");
    write_file("empty", "");
    write_file("bad.json", "{\"version\":1,\"colour\":\"red\"}");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "map.json", "bad.json", "empty" };
    char path[512];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_what_is_open),
        cmocka_unit_test(test_default_retention_is_one),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
