#include "daemon/settings.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/gate.h"
#include "daemon/check.h"
#include "ingester/listener.h"
#include "ingester/zone.h"
#include "proto/limits.h"
#include "storer/catalogue.h"

#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define TIB    (1024 * GIB)
#define MS     SLG_NS_PER_MS
#define SEC    SLG_NS_PER_SEC
#define MINUTE (60 * SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* What the storer puts behind it has to fit into SLG_DISK_PATH_BYTES_MAX, 1024. */
#define DATA_DIR_BYTES_MAX 832

#define RELOAD   SLG_CONF_RELOAD
#define FOREVER  SLG_CONF_FOREVER
#define REQUIRED SLG_CONF_REQUIRED

#define TEXT(key, min, max, fallback, flags, help)                                                 \
    {                                                                                              \
        key, SLG_CONF_TEXT, "", min, max, fallback, NULL, flags, help                              \
    }
#define PATH_TEXT(key, fallback, help)                                                             \
    {                                                                                              \
        key, SLG_CONF_TEXT, "path", 0, 4096, fallback, NULL, 0, help                               \
    }
#define BOOL(key, fallback, flags, help)                                                           \
    {                                                                                              \
        key, SLG_CONF_BOOL, "", 0, 1, fallback, NULL, flags, help                                  \
    }
#define INT(key, unit, min, max, fallback, flags, help)                                            \
    {                                                                                              \
        key, SLG_CONF_INT, unit, min, max, fallback, NULL, flags, help                             \
    }
#define SIZE(key, min, max, fallback, flags, help)                                                 \
    {                                                                                              \
        key, SLG_CONF_SIZE, "", min, max, fallback, NULL, flags, help                              \
    }
#define DURATION(key, min, max, fallback, flags, help)                                             \
    {                                                                                              \
        key, SLG_CONF_DURATION, "", min, max, fallback, NULL, flags, help                          \
    }
#define ENUM(key, choices, fallback, flags, help)                                                  \
    {                                                                                              \
        key, SLG_CONF_ENUM, "", 0, 0, fallback, choices, flags, help                               \
    }
#define ADDRESS(key, fallback, flags, help)                                                        \
    {                                                                                              \
        key, SLG_CONF_ADDRESS, "host:port", 0, 0, fallback, NULL, flags, help                      \
    }
#define CIDR(key, flags, help)                                                                     \
    {                                                                                              \
        key, SLG_CONF_CIDR, "list of networks", 0, 0, "", NULL, flags, help                        \
    }
#define SECRET(key, flags, help)                                                                   \
    {                                                                                              \
        key, SLG_CONF_SECRET, "secret", 0, 0, "", NULL, flags, help                                \
    }
#define OBJECTS(key, max, fallback, flags, help)                                                   \
    {                                                                                              \
        key, SLG_CONF_OBJECTS, "list", 0, max, fallback, NULL, flags, help                         \
    }

/* clang-format off */
static const struct slg_conf_row rows[] = {
    /* node */
    TEXT("node.id", 0, 64, "", 0, "Name of this node in the cluster, stable for its life; empty: the host name"),
    TEXT("node.zone", 0, 64, "", 0, "What fails together with this node, such as the Proxmox host; copies go to different zones. With a map file: what that says, or not given"),
    PATH_TEXT("node.data_dir", "/var/lib/silage", "Directory of everything that is kept on this node"),
    /* cluster */
    TEXT("cluster.id", 1, 64, "silage", 0, "Name of the cluster; nodes of another name are refused. With a map file: what that says, or not given"),
    TEXT("cluster.map", 0, 4096, "", 0, "Where the cluster map is: file:/PATH, which then decides over what this section, node.zone and retention.default say; etcd is refused until it is supported; empty: a map of one storer, made from the settings"),
    INT("cluster.replication", "copies", 1, 5, "1", 0, "Not used yet, the map file says it: R, the storers that hold each batch"),
    INT("cluster.write_quorum", "copies", 1, 5, "1", 0, "Not used yet, the map file says it: W, the copies on disk after which a batch is accepted"),
    INT("cluster.write_quorum_min", "copies", 1, 5, "1", 0, "Not used yet, the map file says it: W_min, the copies that must do while peers are known dead; at most W"),
    DURATION("cluster.window", MINUTE, DAY, "1h", 0, "Span of event time of one shard; must divide a day. With a map file: what that says, or not given"),
    INT("cluster.slots", "shards", 1, 1024, "1", 0, "K, shards per window, by stream. With a map file: what that says, or not given"),
    /* transport */
    ADDRESS("transport.listen", "127.0.0.1:4410", 0, "Where a storer takes batches and queries from the other daemons"),
    ADDRESS("transport.advertise", "", 0, "The address that others should use; empty: transport.listen"),
    PATH_TEXT("transport.tls.cert", "", "Certificate of this node, PEM"),
    PATH_TEXT("transport.tls.key", "", "Its private key, PEM"),
    PATH_TEXT("transport.tls.ca", "", "The authority that signed the certificates of all nodes, PEM"),
    BOOL("transport.insecure", "false", 0, "Allow a listener off loopback without TLS; the log and status report it"),
    /* ingester */
    OBJECTS("ingester.syslog[]", (int64_t)SLG_LISTENER_COUNT_MAX, "[{listen: '127.0.0.1:1514', protocol: udp}, {listen: '127.0.0.1:1514', protocol: tcp}]", 0,
            "Syslog listeners"),
    ADDRESS("ingester.syslog[].listen", "", REQUIRED, "Address to listen on"),
    ENUM("ingester.syslog[].protocol", "udp|tcp|relp|tls", "udp", 0, "TCP finds octet counting and LF framing by message; relp (rsyslog's omrelp) acknowledges each message when it is accepted; tls is refused until there is one: put stunnel in front of tcp or relp"),
    CIDR("ingester.syslog[].allow[]", 0, "Networks that may send; empty: any, which is allowed on loopback only"),
    BOOL("ingester.syslog[].insecure", "false", 0, "Allow a listener off loopback without an allow list; the log and status report it"),
    TEXT("ingester.syslog[].job", 1, 64, "syslog", 0, "Value of the label job"),
    TEXT("ingester.syslog[].zone_time", 0, 64, "", 0, "IANA time zone of stamps that have none, such as Europe/Berlin; empty: the zone of this machine"),
    BOOL("ingester.syslog[].zone_forced", "false", 0, "Read every stamp as local time of zone_time, whatever offset it claims"),
    BOOL("ingester.syslog[].receive_time", "false", 0, "Use the time of receipt instead of the time in the message"),
    BOOL("ingester.syslog[].raw", "false", 0, "Keep the whole message, header included, as the line"),
    ENUM("ingester.syslog[].docker", "auto|yes|no", "auto", 0, "Whether senders are Docker's log driver, whose nested headers are unwrapped"),
    BOOL("ingester.syslog[].split_lines", "false", 0, "Make an entry of each line of a UDP datagram"),
    SIZE("ingester.syslog[].rcvbuf", 64 * KIB, 256 * MIB, "8MiB", 0, "UDP receive buffer to ask the kernel for; the grant is reported"),
    OBJECTS("ingester.hosts[]", 1024, "", 0, "Names of senders that put no host into their messages, such as pfSense"),
    CIDR("ingester.hosts[].address", REQUIRED, "Address of the sender"),
    TEXT("ingester.hosts[].name", 1, 255, "", REQUIRED, "The host label of its entries"),
    INT("ingester.udp_threads", "threads", 0, 64, "0", 0, "Receiving threads of UDP; 0: one for every two cores, at most 4"),
    INT("ingester.tcp_connections_max", "connections", 1, 65536, "1024", 0, "TCP connections at once, of all listeners of one protocol (tcp, relp)"),
    DURATION("ingester.tcp_idle_timeout", SEC, DAY, "2m", 0, "A TCP connection that sent nothing for so long is closed, one of RELP when all it sent is acknowledged"),
    ADDRESS("ingester.http.listen", "127.0.0.1:3101", 0, "Loki push, /ready, /metrics and the admin API of the ingester"),
    CIDR("ingester.http.allow[]", 0, "Networks that may connect; empty: any"),
    { "ingester.http.tokens[]", SLG_CONF_SECRET, "list of secrets", 0, 0, "", NULL, 0, "Bearer tokens, one of which a client must send; empty: none is asked for" },
    BOOL("ingester.http.insecure", "false", 0, "Allow a listener off loopback without tokens; the log and status report it"),
    PATH_TEXT("ingester.http.tls_cert", "", "Certificate, PEM; empty: plain HTTP"),
    PATH_TEXT("ingester.http.tls_key", "", "Its private key, PEM"),
    INT("ingester.http.connections_max", "connections", 1, 4096, "256", 0, "Connections at once; one address may hold three quarters of them"),
    OBJECTS("ingester.labels[]", 64, "", 0, "Rules, in order, that change which fields become labels"),
    ENUM("ingester.labels[].action", "rename|drop|set|promote", "drop", 0,
         "rename NAME to value; drop NAME; set a label NAME to a fixed value; promote the metadata NAME to a label"),
    TEXT("ingester.labels[].name", 1, 128, "", REQUIRED, "The label or metadata meant"),
    TEXT("ingester.labels[].value", 0, 1024, "", 0, "New name of rename, value of set"),
    OBJECTS("ingester.masks[]", 32, "", 0, "Secrets in lines to replace by '*', besides those that Dovecot writes"),
    TEXT("ingester.masks[].app", 0, 128, "", 0, "Only lines of this program; empty: of any"),
    TEXT("ingester.masks[].after", 1, 128, "", REQUIRED, "The text before the secret"),
    TEXT("ingester.masks[].until", 0, 1, "", 0, "The byte after the secret; empty: the end of the line"),
    SIZE("ingester.limits.memory_max", 16 * MIB, 16 * GIB, "64MiB", 0, "Entries received and not settled yet, in memory"),
    INT("ingester.limits.builders_max", "batches", 1, 256, "16", 0, "Batches that one thread has open at once, besides two for each of cluster.slots; at most about 1 MB for each and 0.15 MB for each slot"),
    INT("ingester.limits.push_windows_max", "windows", 1, 1024, "100", 0, "Shard windows that one push may touch"),
    INT("ingester.limits.new_shards_per_minute_max", "shards", 1, 100000, "600", 0, "Shards that may be begun in a minute by one thread; never fewer than two windows have"),
    SIZE("ingester.limits.line_bytes_max", KIB, (int64_t)SLG_LINE_BYTES_MAX, "256KiB", 0, "Longest line of a push; longer ones are refused"),
    INT("ingester.limits.labels_max", "labels", 1, (int64_t)SLG_LABEL_COUNT_MAX, "15", 0, "Labels of one stream"),
    SIZE("ingester.limits.label_value_bytes_max", 16, (int64_t)SLG_LABEL_VALUE_BYTES_MAX, "2KiB", 0, "Longest label value; longer ones of syslog are cut, of pushes refused"),
    SIZE("ingester.limits.push_bytes_max", 64 * KIB, 256 * MIB, "16MiB", 0, "Largest body of a push, unpacked; the bodies of all pushes at once hold at most eight times as much, then 503"),
    DURATION("ingester.max_future", SEC, SLG_FUTURE_NS_MAX, "10m", 0, "Entries further ahead of the clock are refused"),
    DURATION("ingester.believe_back", MINUTE, 30 * DAY, "24h", 0, "Syslog stamps older than this before receipt are replaced by the time of receipt"),
    DURATION("ingester.believe_ahead", SEC, SLG_FUTURE_NS_MAX, "5m", 0, "Syslog stamps further ahead of receipt are replaced by the time of receipt"),
    DURATION("ingester.linger", MS, 10 * SEC, "200ms", 0, "An open batch is sealed after this time at the latest"),
    /* storer */
    ADDRESS("storer.http.listen", "127.0.0.1:3102", 0, "/ready, /metrics and the admin API of the storer"),
    CIDR("storer.http.allow[]", 0, "Networks that may connect; empty: any"),
    { "storer.http.tokens[]", SLG_CONF_SECRET, "list of secrets", 0, 0, "", NULL, 0, "Bearer tokens, one of which a client must send; empty: none is asked for" },
    BOOL("storer.http.insecure", "false", 0, "Allow a listener off loopback without tokens; the log and status report it"),
    SIZE("storer.map_bytes_max", 16 * MIB, 16 * TIB, "16GiB", 0, "Address space of one generation file, which bounds its size; no disk is reserved"),
    SIZE("storer.disk_reserve", MIB, TIB, "2GiB", 0, "With less free disk than this the storer takes no writes and serves reads"),
    DURATION("storer.commit_ms", MS, SEC, "5ms", 0, "Longest wait for more batches before a commit"),
    SIZE("storer.commit_bytes", 64 * KIB, 64 * MIB, "4MiB", 0, "A commit starts at once when so much waits"),
    INT("storer.open_shards_max", "shards", 8, (int64_t)SLG_CATALOGUE_OPEN_COUNT_MAX, "256", 0, "Shards with open files at once"),
    DURATION("storer.shard_idle", SEC, DAY, "10m", 0, "A shard without use for so long is closed"),
    BOOL("storer.repair.enabled", "true", 0, "Compare copies with the other storers and fetch what is missing; queries are exact without it, too"),
    SIZE("storer.repair.bytes_per_second", MIB, 16 * GIB, "64MiB", 0, "What repair fetches at most, beside ingest and queries"),
    BOOL("storer.scrub.enabled", "true", 0, "Read all that is stored again from time to time and put aside what is damaged, to be repaired from other copies"),
    DURATION("storer.scrub.interval", SEC, 365 * DAY, "30d", 0, "From the begin of a pass over all shards to that of the next"),
    SIZE("storer.scrub.bytes_per_second", 64 * KIB, 16 * GIB, "8MiB", 0, "What a pass reads at most, beside ingest and queries"),
    DURATION("storer.quarantine.keep", SEC, 365 * DAY, "7d", 0, "Copies put aside as damaged are kept for so long after their shard was repaired, without repair as long as the shard"),
    SIZE("storer.quarantine.bytes_max", 0, 16 * TIB, "8GiB", 0, "With more than this the oldest of the repaired ones go at once"),
    BOOL("storer.compaction.enabled", "false", 0, "Not used yet: compact sealed shards by itself"),
    /* querier */
    ADDRESS("querier.http.listen", "127.0.0.1:3100", 0, "The Loki read API and the web pages"),
    CIDR("querier.http.allow[]", 0, "Networks that may connect; empty: any"),
    { "querier.http.tokens[]", SLG_CONF_SECRET, "list of secrets", 0, 0, "", NULL, 0, "Bearer tokens or basic auth passwords, one of which a client must send; empty: none is asked for" },
    BOOL("querier.http.insecure", "false", 0, "Allow a listener off loopback without tokens; the log reports it"),
    PATH_TEXT("querier.http.tls_cert", "", "Certificate, PEM; empty: plain HTTP"),
    PATH_TEXT("querier.http.tls_key", "", "Its private key, PEM"),
    INT("querier.http.connections_max", "connections", 1, 4096, "256", 0, "Connections at once; one address may hold three quarters of them"),
    DURATION("querier.limits.timeout", SEC, HOUR, "1m", 0, "Longest time of one query"),
    SIZE("querier.limits.memory_max", MIB, (int64_t)SLG_QUERY_MEMORY_BYTES_MAX, "64MiB", 0, "Memory of one query. Queries of one client that run, and their answers until they are sent, hold at most this times querier.limits.concurrent_max (2 at least); of one address half as much again; of all twice as much"),
    INT("querier.limits.series_max", "series", 1, 1000000, "500", 0, "Series in the answer of a metric query, as Loki's max_query_series"),
    SIZE("querier.limits.bytes_max", MIB, 16 * TIB, "64GiB", 0, "Raw bytes that one query may read"),
    INT("querier.limits.lines_max", "entries", 1, 1000000, "5000", 0, "Largest limit of a log query, as Loki's max_entries_limit_per_query"),
    DURATION("querier.limits.range_max", HOUR, INT64_MAX, "721h", FOREVER, "Longest time range of one query, as Loki's max_query_length"),
    INT("querier.limits.concurrent_max", "queries", 1, (int64_t)SLG_GATE_PLACES_MAX, "4", 0, "Queries evaluated at once; more wait, fairly by client, and the last place is kept for a client that has none. Requests for labels, series, statistics and volumes have four times as many places of their own"),
    INT("querier.limits.parallel_max", "parts", 1, 16, "2", 0, "Parts, each of some shards or (of numbers) of a time of one, that a storer evaluates at once for one query: the cores that a query may use there"),
    INT("querier.limits.queue_max", "queries", 1, (int64_t)SLG_GATE_WAITING_MAX, "512", 0, "Queries that wait; more are refused with 429"),
    INT("querier.limits.tails_max", "tails", 1, 2048, "64", 0, "Live tails at once; more are refused with 429. Each takes one of querier.http.connections_max"),
    DURATION("querier.limits.tail_time_max", SEC, 24 * HOUR, "1h", 0, "Longest time of one tail, as Loki's tail_max_duration; the client may begin again"),
    DURATION("querier.limits.tail_pong_timeout", SEC, HOUR, "30s", 0, "A tail whose client gives no sign of life for so long is closed"),
    ENUM("querier.partial", "error|warn", "error", 0, "What an incomplete metric answer is: an error 503, or an answer with a warning"),
    ENUM("querier.auth", "none|tokens", "none", 0, "tokens: refuse to start without querier.http.tokens"),
    /* retention */
    DURATION("retention.default", HOUR, INT64_MAX, "120d", FOREVER, "How long entries are kept, by their time. With a map file: its retention_seconds, or not given"),
    OBJECTS("retention.rules[]", 256, "", 0, "Refused until supported: other times for some streams; the first that matches decides"),
    TEXT("retention.rules[].selector", 2, 4096, "", REQUIRED, "Streams meant, such as {job=\"debug\"}"),
    DURATION("retention.rules[].keep", HOUR, INT64_MAX, "120d", FOREVER, "How long their entries are kept"),
    SIZE("retention.bytes_max", 0, 1024 * TIB, "0", 0, "When a storer holds more, the oldest windows go first; 0: only disk_reserve bounds it"),
    /* log */
    ENUM("log.level", "error|warn|info|debug", "info", RELOAD, "Least important lines that are written to stderr"),
    ENUM("log.format", "keyvalue|json", "keyvalue", RELOAD, "Form of these lines"),
};
/* clang-format on */

const struct slg_conf_row *slg_settings_rows(size_t *ret_count)
{
    *ret_count = SLG_ARRAY_LEN(rows);
    return rows;
}

bool slg_settings_is_loopback(const char *address)
{
    static const char *const starts[] = { "127.", "[::1]:", "localhost:", "unix:", "inproc:" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(starts); i++) {
        if (strncmp(address, starts[i], strlen(starts[i])) == 0)
            return true;
    }
    return false;
}

/* ---- relations between keys ---- */

static void check_cluster(struct slg_conf *conf)
{
    int64_t replication = slg_conf_number(conf, "cluster.replication");
    int64_t quorum = slg_conf_number(conf, "cluster.write_quorum");
    int64_t quorum_min = slg_conf_number(conf, "cluster.write_quorum_min");
    const char *map = slg_conf_text(conf, "cluster.map");
    int64_t window_ns = slg_conf_number(conf, "cluster.window");

    if (quorum > replication && replication > 0)
        slg_conf_add_mistake(conf, "cluster.write_quorum",
                             "%lld is more than cluster.replication, write 1 to %lld",
                             (long long)quorum, (long long)replication);
    if (quorum_min > quorum && quorum > 0)
        slg_conf_add_mistake(conf, "cluster.write_quorum_min",
                             "%lld is more than cluster.write_quorum, write 1 to %lld",
                             (long long)quorum_min, (long long)quorum);
    if (window_ns <= 0 || DAY % window_ns != 0)
        slg_conf_add_mistake(conf, "cluster.window",
                             "does not divide a day, write for example 15m, 1h or 6h");
    if (strncmp(map, "etcd:", 5) == 0)
        slg_conf_add_mistake(conf, "cluster.map", "etcd is not supported yet, write file:/PATH");
    else if (map[0] != '\0' && strncmp(map, "file:/", 6) != 0)
        slg_conf_add_mistake(conf, "cluster.map", "\"%.80s\" is not a place, write file:/PATH",
                             map);
}

/* A pair of settings of which both or none is given. */
static void check_pair(struct slg_conf *conf, const char *one, const char *other)
{
    bool have_one = slg_conf_text(conf, "%s", one)[0] != '\0';

    if (have_one != (slg_conf_text(conf, "%s", other)[0] != '\0'))
        slg_conf_add_mistake(conf, have_one ? one : other, "needs \"%s\" beside it, give both",
                             have_one ? other : one);
}

static void check_http(struct slg_conf *conf, const char *daemon)
{
    const char *listen = slg_conf_text(conf, "%s.http.listen", daemon);
    char key[64];

    (void)snprintf(key, sizeof(key), "%s.http.listen", daemon); /* short names of ours */
    if (listen[0] == '\0')
        slg_conf_add_mistake(conf, key, "is empty, write host:port, for example 127.0.0.1:0");
    else if (!slg_settings_is_loopback(listen) &&
             slg_conf_count(conf, "%s.http.tokens", daemon) == 0 &&
             !slg_conf_bool(conf, "%s.http.insecure", daemon))
        slg_conf_add_mistake(conf, key,
                             "\"%s\" is off loopback without protection, set %s.http.tokens, or "
                             "%s.http.insecure: true if the network protects it",
                             listen, daemon, daemon);
}

static void check_transport(struct slg_conf *conf)
{
    const char *listen = slg_conf_text(conf, "transport.listen");

    check_pair(conf, "transport.tls.cert", "transport.tls.key");
    check_pair(conf, "transport.tls.cert", "transport.tls.ca");
    if (!slg_settings_is_loopback(listen) && !slg_conf_bool(conf, "transport.insecure") &&
        slg_conf_text(conf, "transport.tls.cert")[0] == '\0')
        slg_conf_add_mistake(conf, "transport.listen",
                             "\"%s\" is off loopback without protection, set transport.tls, or "
                             "transport.insecure: true if the network protects it",
                             listen);
}

static void check_listener(struct slg_conf *conf, size_t i)
{
    const char *listen = slg_conf_text(conf, "ingester.syslog[%zu].listen", i);
    char key[64];

    (void)snprintf(key, sizeof(key), "ingester.syslog[%zu].listen", i); /* at most 47 bytes */
    if (!slg_settings_is_loopback(listen) &&
        slg_conf_count(conf, "ingester.syslog[%zu].allow", i) == 0 &&
        !slg_conf_bool(conf, "ingester.syslog[%zu].insecure", i))
        slg_conf_add_mistake(conf, key,
                             "\"%s\" is off loopback without protection, set allow to the networks "
                             "of the senders, or insecure: true if the network protects it",
                             listen);
    (void)snprintf(key, sizeof(key), "ingester.syslog[%zu].protocol", i);
    if (strcmp(slg_conf_text(conf, "%s", key), "tls") == 0)
        slg_conf_add_mistake(conf, key,
                             "tls is not supported yet, put stunnel in front of a tcp listener");
}

/* Ports chosen by the kernel never meet. */
static void check_listener_once(struct slg_conf *conf, size_t i)
{
    const char *listen = slg_conf_text(conf, "ingester.syslog[%zu].listen", i);
    size_t len = strlen(listen);
    char key[64];

    (void)snprintf(key, sizeof(key), "ingester.syslog[%zu].listen", i); /* at most 47 bytes */
    if (len < 2 || strcmp(listen + len - 2, ":0") == 0)
        return;
    for (size_t k = 0; k < i; k++) {
        if (strcmp(slg_conf_text(conf, "ingester.syslog[%zu].listen", k), listen) == 0 &&
            slg_conf_number(conf, "ingester.syslog[%zu].protocol", k) ==
                slg_conf_number(conf, "ingester.syslog[%zu].protocol", i))
            slg_conf_add_mistake(conf, key,
                                 "\"%s\" is that of ingester.syslog[%zu], choose another port",
                                 listen, k);
    }
}

static void check_zones(struct slg_conf *conf)
{
    struct slg_zone_cache *zones = slg_zone_cache_create(NULL);
    const struct slg_zone *zone;
    struct slg_error err;

    for (size_t i = 0; zones != NULL && i < slg_conf_count(conf, "ingester.syslog"); i++) {
        const char *name = slg_conf_text(conf, "ingester.syslog[%zu].zone_time", i);
        char key[64];

        (void)snprintf(key, sizeof(key), "ingester.syslog[%zu].zone_time",
                       i); /* at most 50 bytes */
        if (slg_zone_cache_get(zones, slg_text_of(name), &zone, &err) != SLG_OK)
            slg_conf_add_mistake(conf, key, "%s; write an IANA name such as Europe/Berlin",
                                 err.message);
    }
    slg_zone_cache_destroy(zones);
}

/* Keeping less than asked for would lose data, keeping more would keep secrets: better not to start. */
static void check_retention(struct slg_conf *conf)
{
    if (slg_conf_count(conf, "retention.rules") > 0)
        slg_conf_add_mistake(conf, "retention.rules[0].selector",
                             "rules are not supported yet, remove them; retention.default holds "
                             "for all streams");
}

/* A sender has one address: a network would give many hosts one name. */
static void check_hosts(struct slg_conf *conf)
{
    for (size_t i = 0; i < slg_conf_count(conf, "ingester.hosts"); i++) {
        const char *address = slg_conf_text(conf, "ingester.hosts[%zu].address", i);
        char key[64];

        (void)snprintf(key, sizeof(key), "ingester.hosts[%zu].address", i); /* at most 48 bytes */
        if (strchr(address, '/') != NULL)
            slg_conf_add_mistake(conf, key, "\"%s\" is a network, write one address: 192.0.2.7",
                                 address);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(slg_conf_text(conf, "ingester.hosts[%zu].address", k), address) == 0)
                slg_conf_add_mistake(
                    conf, key, "\"%s\" has a name in ingester.hosts[%zu], remove one", address, k);
        }
    }
}

static void check_rules(struct slg_conf *conf)
{
    for (size_t i = 0; i < slg_conf_count(conf, "ingester.labels"); i++) {
        const char *action = slg_conf_text(conf, "ingester.labels[%zu].action", i);
        bool needs_value = strcmp(action, "rename") == 0 || strcmp(action, "set") == 0;
        char key[64];

        (void)snprintf(key, sizeof(key), "ingester.labels[%zu].value", i); /* at most 46 bytes */
        if (needs_value == (slg_conf_text(conf, "%s", key)[0] == '\0'))
            slg_conf_add_mistake(conf, key, "%s %s a value, %s", action,
                                 needs_value ? "needs" : "takes",
                                 needs_value ? "add it" : "remove it");
    }
}

static void check_relations(struct slg_conf *conf)
{
    check_cluster(conf);
    check_transport(conf);
    check_http(conf, "ingester");
    check_http(conf, "storer");
    check_http(conf, "querier");
    check_pair(conf, "ingester.http.tls_cert", "ingester.http.tls_key");
    check_pair(conf, "querier.http.tls_cert", "querier.http.tls_key");
    for (size_t i = 0; i < slg_conf_count(conf, "ingester.syslog"); i++)
        check_listener(conf, i);
    for (size_t i = 0; i < slg_conf_count(conf, "ingester.syslog"); i++)
        check_listener_once(conf, i);
    check_zones(conf);
    check_hosts(conf);
    check_rules(conf);
    slg_check_ingester(conf);
    check_retention(conf);
    if (slg_conf_text(conf, "node.data_dir")[0] == '\0')
        slg_conf_add_mistake(conf, "node.data_dir", "is empty, write a directory");
    if (strlen(slg_conf_text(conf, "node.data_dir")) > DATA_DIR_BYTES_MAX)
        slg_conf_add_mistake(conf, "node.data_dir", "is longer than %d bytes, write a shorter path",
                             DATA_DIR_BYTES_MAX);
    if (strcmp(slg_conf_text(conf, "querier.auth"), "tokens") == 0 &&
        slg_conf_count(conf, "querier.http.tokens") == 0)
        slg_conf_add_mistake(conf, "querier.auth", "is tokens, so querier.http.tokens needs one");
}

const char *slg_settings_unused(const struct slg_conf *conf, size_t n)
{
    static const char *const unused[] = { "cluster.replication", "cluster.write_quorum",
                                          "cluster.write_quorum_min", "storer.compaction.enabled" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(unused); i++) {
        if (slg_conf_given(conf, "%s", unused[i]) && n-- == 0)
            return unused[i];
    }
    return NULL;
}

static enum slg_status load_file(struct slg_conf *conf, const char *file, struct slg_error *reterr)
{
    if (file == NULL && access(SLG_SETTINGS_FILE_DEFAULT, F_OK) != 0 && errno == ENOENT)
        return SLG_OK;
    return slg_conf_load_file(conf, file == NULL ? SLG_SETTINGS_FILE_DEFAULT : file, reterr);
}

enum slg_status slg_settings_load(const struct slg_settings_options *options,
                                  struct slg_conf **ret_conf, struct slg_error *reterr)
{
    struct slg_conf *conf = slg_conf_create(rows, SLG_ARRAY_LEN(rows));
    char data[4096 + 32];
    enum slg_status status;

    if (conf == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not read the settings: out of memory");
    status = load_file(conf, options->file, reterr);
    if (status != SLG_OK) {
        slg_conf_destroy(conf);
        return status;
    }
    for (size_t i = 0; i < options->set_count; i++)
        slg_conf_set(conf, options->sets[i]);
    if (options->data_dir != NULL) {
        int len = snprintf(data, sizeof(data), "node.data_dir=%s", options->data_dir);

        if (len < 0 || (size_t)len >= sizeof(data)) {
            slg_conf_destroy(conf);
            return slg_errorf(reterr, SLG_INVALID, "the path of --data is too long");
        }
        slg_conf_set(conf, data);
    }
    status = slg_conf_finish(conf);
    if (slg_conf_readable(conf)) {
        check_relations(conf);
        status = slg_conf_mistake_count(conf) == 0 ? SLG_OK : SLG_INVALID;
    }
    if (status == SLG_INVALID)
        (void)slg_errorf(reterr, SLG_INVALID, "the settings have %zu mistakes",
                         slg_conf_mistake_count(conf));
    *ret_conf = conf;
    return status;
}
