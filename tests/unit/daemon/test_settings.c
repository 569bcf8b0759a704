/* The table of settings is sound, its defaults pass their own checks, and relations between keys are told.
 * Oracle: promises of the contract (first-level keys, ports, defaults) and messages by hand. */
#include "tests/helper/test.h"

#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "daemon/settings.h"

static struct slg_conf *load(const char *const *sets, enum slg_status want)
{
    struct slg_settings_options options = { .file = "/dev/null", .sets = sets };
    struct slg_conf *conf = NULL;
    struct slg_error err;

    while (sets != NULL && sets[options.set_count] != NULL)
        options.set_count++;
    if (slg_settings_load(&options, &conf, &err) != want) {
        if (conf != NULL && slg_conf_mistake_count(conf) > 0)
            print_error("%s\n", slg_conf_mistake(conf, 0));
        fail();
    }
    return conf;
}

static void test_defaults_hold_the_contract(void **state)
{
    struct slg_conf *conf = load(NULL, SLG_OK);

    (void)state;
    assert_string_equal(slg_conf_text(conf, "querier.http.listen"), "127.0.0.1:3100");
    assert_string_equal(slg_conf_text(conf, "ingester.http.listen"), "127.0.0.1:3101");
    assert_string_equal(slg_conf_text(conf, "storer.http.listen"), "127.0.0.1:3102");
    assert_string_equal(slg_conf_text(conf, "transport.listen"), "127.0.0.1:4410");
    assert_int_equal(slg_conf_count(conf, "ingester.syslog"), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(slg_conf_text(conf, "ingester.syslog[%zu].listen", i),
                            "127.0.0.1:1514");
        assert_string_equal(slg_conf_text(conf, "ingester.syslog[%zu].protocol", i),
                            i == 0 ? "udp" : "tcp");
        assert_string_equal(slg_conf_text(conf, "ingester.syslog[%zu].job", i), "syslog");
    }
    assert_int_equal(slg_conf_number(conf, "retention.default"), 120 * 86400 * SLG_NS_PER_SEC);
    assert_int_equal(slg_conf_number(conf, "ingester.max_future"), 600 * SLG_NS_PER_SEC);
    assert_int_equal(slg_conf_number(conf, "cluster.window"), 3600 * SLG_NS_PER_SEC);
    assert_string_equal(slg_conf_text(conf, "querier.partial"), "error");
    slg_conf_destroy(conf);
}

static void test_rows_are_sound(void **state)
{
    static const char first_levels[] =
        " node cluster transport ingester storer querier retention log ";
    size_t count;
    const struct slg_conf_row *rows = slg_settings_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const char *key = rows[i].key;
        char first[64];

        (void)snprintf(first, sizeof(first), " %.*s ", (int)strcspn(key, "."), key);
        CHECK(key, strstr(first_levels, first) != NULL);
        CHECK(key, rows[i].help[strlen(rows[i].help) - 1] != '.');
        CHECK(key, rows[i].min <= rows[i].max);
        CHECK(key, (rows[i].choices != NULL) == (rows[i].type == SLG_CONF_ENUM));
        for (size_t k = 0; k < i; k++)
            CHECK(key, strcmp(rows[k].key, key) != 0);
    }
}

static const struct relation_case {
    const char *name, *sets[4], *want; /* want NULL: allowed */
} relations[] = {
    { "W over R",
      { "cluster.write_quorum=2" },
      "--set:1: cluster.write_quorum: 2 is more than cluster.replication" },
    { "W_min over W",
      { "cluster.replication=3", "cluster.write_quorum=2", "cluster.write_quorum_min=3" },
      "--set:3: cluster.write_quorum_min: 3 is more than cluster.write_quorum" },
    { "R, W, W_min", { "cluster.replication=3", "cluster.write_quorum=2" }, NULL },
    { "window", { "cluster.window=7h" }, "--set:1: cluster.window: does not divide a day" },
    { "map", { "cluster.map=zookeeper" }, "--set:1: cluster.map: \"zookeeper\" is not a place" },
    { "map in a file", { "cluster.map=file:/etc/silage/map.json" }, NULL },
    { "open syslog",
      { "ingester.syslog[0].listen=0.0.0.0:1514" },
      "--set:1: ingester.syslog[0].listen: \"0.0.0.0:1514\" is off loopback" },
    { "syslog with an allow list",
      { "ingester.syslog[0].listen=0.0.0.0:1514", "ingester.syslog[0].allow=[10.0.0.0/8]" },
      NULL },
    { "syslog said to be insecure",
      { "ingester.syslog[0].listen=[::]:1514", "ingester.syslog[0].insecure=true" },
      NULL },
    { "syslog over TLS",
      { "ingester.syslog[0].protocol=tls" },
      "--set:1: ingester.syslog[0].protocol: tls is not supported yet" },
    { "rules of retention",
      { "retention.rules[0].selector={a=\"b\"}", "retention.rules[0].keep=1d" },
      "--set:1: retention.rules[0].selector: rules are not supported yet" },
    { "no rules of retention", { "retention.rules=[]" }, NULL },
    { "a network of senders",
      { "ingester.hosts[0].address=10.0.0.0/8", "ingester.hosts[0].name=fw" },
      "--set:1: ingester.hosts[0].address: \"10.0.0.0/8\" is a network" },
    { "map in etcd",
      { "cluster.map=etcd:http://127.0.0.1:2379" },
      "--set:1: cluster.map: etcd is not supported yet" },
    { "open HTTP",
      { "querier.http.listen=192.0.2.1:3100" },
      "--set:1: querier.http.listen: \"192.0.2.1:3100\" is off loopback" },
    { "HTTP with tokens",
      { "querier.http.listen=192.0.2.1:3100", "querier.http.tokens=['cred:grafana']" },
      NULL },
    { "open transport",
      { "transport.listen=10.0.0.1:4410" },
      "--set:1: transport.listen: \"10.0.0.1:4410\" is off loopback" },
    { "half of TLS",
      { "transport.tls.cert=/c" },
      "--set:1: transport.tls.cert: needs \"transport.tls.key\" beside it" },
    { "rule without a value",
      { "ingester.labels[0].action=rename", "ingester.labels[0].name=app" },
      "--set:1: ingester.labels[0].value: rename needs a value" },
    { "rule with one",
      { "ingester.labels[0].action=set", "ingester.labels[0].name=site",
        "ingester.labels[0].value=munich" },
      NULL },
    { "a label that cannot be",
      { "ingester.labels[0].action=set", "ingester.labels[0].name=bad name",
        "ingester.labels[0].value=x" },
      "--set:2: ingester.labels[0].name: label rule 1, \"bad name\"" },
    { "the second rule is to blame",
      { "ingester.labels=[{action: drop, name: facility}, {action: set, name: job, value: "
        "silage}]" },
      "--set:1: ingester.labels[1].name: label rule 2, \"job\"" },
    { "two labels of one name",
      { "ingester.labels=[{action: rename, name: app, value: job}]" },
      "--set:1: ingester.labels[0].name: " },
    { "rules that are good together only",
      { "ingester.labels=[{action: drop, name: host}, {action: rename, name: app, value: host}]" },
      NULL },
    { "the job that is ours",
      { "ingester.syslog[0].job=silage" },
      "--set:1: ingester.syslog[0].job: \"silage\" is Silage's own job" },
    { "a listener by name",
      { "ingester.syslog[0].listen=localhost:1515" },
      "--set:1: ingester.syslog[0].listen: \"localhost:1515\" has no numeric" },
    { "no such zone",
      { "ingester.syslog[0].zone_time=Europe/Berln" },
      "--set:1: ingester.syslog[0].zone_time: there is no time zone \"Europe/Berln\"" },
    { "one address for two listeners",
      { "ingester.syslog[1].protocol=udp" },
      "--set:1: ingester.syslog[1].listen: \"127.0.0.1:1514\" is that of ingester.syslog[0]" },
    { "one address, two names",
      { "ingester.hosts=[{address: 192.0.2.1, name: a}, {address: 192.0.2.1, name: b}]" },
      "--set:1: ingester.hosts[1].address: \"192.0.2.1\" has a name in ingester.hosts[0]" },
    { "relations are told beside other mistakes",
      { "log.level=loud", "cluster.map=etcd:http://127.0.0.1:2379" },
      "--set:2: cluster.map: etcd is not supported yet" },
    { "tokens wanted", { "querier.auth=tokens" }, "--set:1: querier.auth: is tokens, so" },
};

static void test_relations(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(relations); i++) {
        const struct relation_case *row = &relations[i];
        struct slg_conf *conf = load(row->sets, row->want == NULL ? SLG_OK : SLG_INVALID);
        bool found = row->want == NULL;

        for (size_t k = 0; !found && k < slg_conf_mistake_count(conf); k++)
            found = strncmp(slg_conf_mistake(conf, k), row->want, strlen(row->want)) == 0;
        if (!found)
            print_error("got: %s\n", slg_conf_mistake(conf, 0));
        CHECK(row->name, found);
        slg_conf_destroy(conf);
    }
}

/* A mistake of a key is told once, and draws no others after it. */
static void test_mistakes_are_told_once(void **state)
{
    const char *const sets[] = { "cluster.window=7x", "cluster.replication=many",
                                 "ingester.syslog[0].listen=127.0.0.1:99999", NULL };
    struct slg_conf *conf = load(sets, SLG_INVALID);

    (void)state;
    assert_int_equal(slg_conf_mistake_count(conf), 3);
    slg_conf_destroy(conf);
}

static void test_unused_keys_are_told(void **state)
{
    const char *const sets[] = { "storer.compaction.enabled=true", "cluster.replication=2",
                                 "storer.disk_reserve=1GiB", NULL };
    struct slg_conf *conf = load(sets, SLG_OK);

    (void)state;
    assert_string_equal(slg_settings_unused(conf, 0), "cluster.replication");
    assert_string_equal(slg_settings_unused(conf, 1), "storer.compaction.enabled");
    assert_null(slg_settings_unused(conf, 2));
    slg_conf_destroy(conf);
    conf = load(NULL, SLG_OK);
    assert_null(slg_settings_unused(conf, 0));
    slg_conf_destroy(conf);
}

static void test_data_dir_wins(void **state)
{
    const char *const sets[] = { "node.data_dir=/one" };
    struct slg_settings_options options = { "/dev/null", sets, 1, "/two" };
    struct slg_conf *conf = NULL;
    struct slg_error err;

    (void)state;
    assert_int_equal(slg_settings_load(&options, &conf, &err), SLG_OK);
    assert_string_equal(slg_conf_text(conf, "node.data_dir"), "/two");
    slg_conf_destroy(conf);
    options.file = "/nonexistent";
    assert_int_equal(slg_settings_load(&options, &conf, &err), SLG_NOT_FOUND);
}

/* Whether by --data or by a setting: a mistake of the settings. */
static void test_data_dir_too_long(void **state)
{
    static const size_t lens[] = { 832, 833, 4000, 5000 };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(lens); i++) {
        struct slg_settings_options options = { .file = "/dev/null" };
        enum slg_status want = lens[i] > 832 ? SLG_INVALID : SLG_OK;
        char *dir = calloc(1, lens[i] + 1);
        struct slg_conf *conf = NULL;
        struct slg_error err;

        assert_non_null(dir);
        memset(dir, 'a', lens[i]);
        options.data_dir = dir;
        assert_int_equal(slg_settings_load(&options, &conf, &err), want);
        slg_conf_destroy(conf);
        free(dir);
    }
}

static void test_loopback(void **state)
{
    (void)state;
    assert_true(slg_settings_is_loopback("127.0.0.1:1"));
    assert_true(slg_settings_is_loopback("[::1]:1"));
    assert_true(slg_settings_is_loopback("localhost:1"));
    assert_false(slg_settings_is_loopback("0.0.0.0:1"));
    assert_false(slg_settings_is_loopback("[::]:1"));
    assert_false(slg_settings_is_loopback("localhost.example.org:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_hold_the_contract),
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_mistakes_are_told_once),
        cmocka_unit_test(test_unused_keys_are_told),
        cmocka_unit_test(test_data_dir_wins),
        cmocka_unit_test(test_data_dir_too_long),
        cmocka_unit_test(test_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
