/* status, node ls and shard ls: what the admin API of the storers tells. */
#include <stdlib.h>

#include "ctl/copies.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"
#include "ctl/url.h"

#define SIGN_OF_LIFE_MS 5000

/* GET {admin}/admin/cluster: every storer of the map. The text and its tree live until fini. */
struct admin {
    struct slg_fetch *fetch;
    struct slg_buf body;
    struct slg_json *root;
};

/* A daemon that stands still takes the connection and says nothing; /ready it answers at once, whatever it says, while
 * its survey of a large cluster may take long. */
static enum slg_status ask(struct admin *admin, struct slg_buf *url, const char *addr,
                           struct slg_error *reterr)
{
    struct slg_fetch_request request = { .timeout_ms = SIGN_OF_LIFE_MS };
    enum slg_status status;
    long code;

    slg_url_start(url, addr, "/ready");
    slg_buf_append_byte(url, '\0');
    if (slg_buf_failed(url))
        return slg_errorf(reterr, SLG_INVALID, "--admin is too long");
    request.url = (const char *)url->data;
    status = slg_fetch_run(admin->fetch, &request, &admin->body, &code, reterr);
    if (status == SLG_TIMEOUT && reterr != NULL)
        (void)snprintf(reterr->hint, sizeof(reterr->hint), "ask another with --admin"); /* fits */
    if (status != SLG_OK)
        return status;
    slg_url_start(url, addr, "/admin/cluster");
    slg_buf_append_byte(url, '\0');
    if (slg_buf_failed(url))
        return slg_errorf(reterr, SLG_INVALID, "--admin is too long");
    return slg_fetch_get(admin->fetch, (const char *)url->data, &admin->body, reterr);
}

static enum slg_status admin_get(struct admin *admin, const struct slg_ctl *ctl,
                                 struct slg_error *reterr)
{
    struct slg_buf url;
    enum slg_status status;

    *admin = (struct admin){ .fetch = slg_fetch_create(ctl->token) };
    slg_buf_init(&admin->body, SLG_FETCH_BYTES_MAX);
    if (admin->fetch == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory");
    slg_buf_init(&url, 4096);
    status = ask(admin, &url, ctl->admin, reterr);
    slg_buf_fini(&url);
    if (status == SLG_OK)
        status = slg_json_parse(admin->body.data, admin->body.len, &admin->root, reterr);
    return status;
}

static void admin_fini(struct admin *admin)
{
    slg_json_destroy(admin->root);
    slg_buf_fini(&admin->body);
    slg_fetch_destroy(admin->fetch);
}

static const char *text_of(const struct slg_json *object, const char *key)
{
    const char *text = slg_json_text(slg_json_get(object, key));

    return text == NULL ? "-" : text;
}

static double mib_of(const struct slg_json *object, const char *key)
{
    return (double)slg_json_int(slg_json_get(object, key), 0) / (1 << 20);
}

static const struct slg_json *node_at(const struct admin *admin, size_t i)
{
    return slg_json_at(slg_json_get(admin->root, "nodes"), i);
}

static size_t node_count(const struct admin *admin)
{
    return slg_json_count(slg_json_get(admin->root, "nodes"));
}

static const struct slg_json *shards_of(const struct slg_json *node)
{
    return slg_json_get(slg_json_get(node, "status"), "shards");
}

/* ---- status ---- */

struct summary {
    struct slg_copies copies;
    size_t bad_shards; /* copies that cannot be read or take no writes */
    bool counted;      /* false: no memory to count the copies */
    size_t unknown;    /* storers whose rows are missing, or some of them */
    int64_t *lags;     /* by node, in batches; NULL: not counted */
    int64_t batches;
    int64_t bytes;
    bool degraded;
};

/* "ready", "read-only", "joining", "refilling", "clash" or "unreachable". */
static const char *state_of(const struct slg_json *node)
{
    const char *storage = slg_json_text(slg_json_get(slg_json_get(node, "status"), "storage"));

    if (!slg_json_bool(slg_json_get(node, "reachable"), false))
        return "unreachable";
    if (storage != NULL && strcmp(storage, "whole") != 0)
        return storage;
    return text_of(slg_json_get(node, "status"), "state");
}

static bool is_good(const struct slg_json *shard)
{
    const char *state = text_of(shard, "state");

    return strcmp(state, "open") == 0 || strcmp(state, "closed") == 0;
}

/* Every row of every storer that answers; to free. NULL: no memory, or none. */
static struct slg_copies_row *collect_rows(const struct admin *admin, size_t *ret_count)
{
    struct slg_copies_row *rows;
    size_t count = 0;

    for (size_t i = 0; i < node_count(admin); i++)
        count += slg_json_count(shards_of(node_at(admin, i)));
    rows = calloc(count + 1, sizeof(*rows));
    *ret_count = 0;
    for (size_t i = 0; rows != NULL && i < node_count(admin); i++) {
        const struct slg_json *shards = shards_of(node_at(admin, i));

        for (size_t k = 0; k < slg_json_count(shards); k++) {
            const struct slg_json *shard = slg_json_at(shards, k);

            rows[(*ret_count)++] = (struct slg_copies_row){
                .shard = text_of(shard, "shard"),
                .node = i,
                .owner = slg_json_bool(slg_json_get(shard, "owner"), false),
                .good = is_good(shard),
                .batches = slg_json_int(slg_json_get(shard, "batches"), 0),
                .wanted = slg_json_int(slg_json_get(shard, "copies"), 1),
            };
        }
    }
    return rows;
}

/* What a storer lacks of shards that it has, or knows that it has to fetch. */
static int64_t lag_of(const struct admin *admin, const struct summary *sum, size_t i)
{
    const struct slg_json *repair =
        slg_json_get(slg_json_get(node_at(admin, i), "status"), "repair");
    int64_t left = slg_json_int(slg_json_get(repair, "wanted_batches"), 0) -
                   slg_json_int(slg_json_get(repair, "fetched_batches"), 0);

    if (!slg_json_bool(slg_json_get(repair, "fetching"), false))
        left = 0;
    return left > sum->lags[i] ? left : sum->lags[i];
}

static void count_copies(const struct admin *admin, struct summary *sum)
{
    size_t count;
    struct slg_copies_row *rows = collect_rows(admin, &count);

    sum->lags = calloc(node_count(admin) + 1, sizeof(*sum->lags));
    if (rows != NULL && sum->lags != NULL) {
        sum->copies = slg_copies_count(rows, count, sum->lags);
        sum->counted = true;
    }
    free(rows);
}

/* The caller frees lags. */
static struct summary summarize(const struct admin *admin)
{
    struct summary sum = { .counted = false };

    count_copies(admin, &sum);
    for (size_t i = 0; i < node_count(admin); i++) {
        const struct slg_json *status = slg_json_get(node_at(admin, i), "status");
        const struct slg_json *shards = shards_of(node_at(admin, i));

        sum.unknown +=
            status == NULL || slg_json_int(slg_json_get(status, "shards_left_out"), 0) > 0;
        sum.degraded = sum.degraded || strcmp(state_of(node_at(admin, i)), "ready") != 0;
        for (size_t k = 0; k < slg_json_count(shards); k++) {
            const struct slg_json *shard = slg_json_at(shards, k);

            sum.bad_shards += !is_good(shard);
            sum.batches += slg_json_int(slg_json_get(shard, "batches"), 0);
            sum.bytes += slg_json_int(slg_json_get(shard, "bytes"), 0);
        }
    }
    sum.degraded = sum.degraded || sum.bad_shards > 0 || node_count(admin) == 0 || !sum.counted ||
                   sum.copies.under_replicated > 0 || sum.copies.lost > 0;
    return sum;
}

/* What repair does on a node; nothing to say most of the time. */
static void print_work(const struct slg_json *repair)
{
    int64_t hints = slg_json_int(slg_json_get(repair, "hint_shards"), 0);

    if (slg_json_bool(slg_json_get(repair, "fetching"), false))
        (void)printf(
            "             repair: %lld of %lld batches fetched, %.1f MiB since the start\n",
            (long long)slg_json_int(slg_json_get(repair, "fetched_batches"), 0),
            (long long)slg_json_int(slg_json_get(repair, "wanted_batches"), 0),
            mib_of(repair, "fetched_bytes"));
    if (hints > 0)
        (void)printf("             holds hints of %lld shards for others\n", (long long)hints);
}

/* What the scrub does, and what was put aside. */
static void print_damage(const struct slg_json *status)
{
    const struct slg_json *scrub = slg_json_get(status, "scrub");
    double rate = mib_of(scrub, "bytes_per_second");
    double left = mib_of(scrub, "total_bytes") - mib_of(scrub, "done_bytes");
    const struct slg_json *quarantine = slg_json_get(status, "quarantine");
    size_t count = slg_json_count(quarantine);
    double bytes = 0;

    if (slg_json_bool(slg_json_get(scrub, "running"), false))
        (void)printf("             scrub: %.1f of %.1f MiB read, %.1f MiB/s, %.0f s left, %lld "
                     "damaged batches\n",
                     mib_of(scrub, "done_bytes"), mib_of(scrub, "total_bytes"), rate,
                     rate > 0 && left > 0 ? left / rate : 0.0,
                     (long long)slg_json_int(slg_json_get(scrub, "damaged_batches"), 0));
    for (size_t i = 0; i < count; i++)
        bytes += mib_of(slg_json_at(quarantine, i), "bytes");
    if (count > 0)
        (void)printf("             quarantine: %zu copies, %.1f MiB\n", count, bytes);
}

/* Listeners that anybody may reach; nothing to say where all are protected. */
static void print_insecure(const struct slg_json *list, const char *of)
{
    for (size_t i = 0; i < slg_json_count(list); i++) {
        const char *key = slg_json_text(slg_json_at(list, i));

        (void)printf("             insecure%s: %s is open to whoever reaches it\n", of,
                     key == NULL ? "-" : key);
    }
}

static void print_node(const struct admin *admin, const struct summary *sum, size_t i)
{
    const struct slg_json *node = node_at(admin, i);
    const struct slg_json *status = slg_json_get(node, "status");
    const struct slg_json *disk = slg_json_get(status, "disk");

    (void)printf("%-12s %-11s zone %-12s ", text_of(node, "id"), state_of(node),
                 text_of(node, "zone"));
    if (status == NULL)
        (void)printf("%s: %s\n", text_of(node, "address"), text_of(node, "reason"));
    else
        (void)printf("disk free %.0f MiB of %.0f MiB, reserve %.0f MiB, shards %zu, lag %lld "
                     "batches\n",
                     mib_of(disk, "free_bytes"), mib_of(disk, "total_bytes"),
                     mib_of(disk, "reserve_bytes"), slg_json_count(shards_of(node)),
                     sum->counted ? (long long)lag_of(admin, sum, i) : -1LL);
    print_work(slg_json_get(status, "repair"));
    print_damage(status);
    print_insecure(slg_json_get(status, "insecure"), "");
}

static void print_status(const struct admin *admin, const struct summary *sum)
{
    for (size_t i = 0; i < node_count(admin); i++)
        print_node(admin, sum, i);
    print_insecure(slg_json_get(admin->root, "insecure"), " (the daemon that was asked)");
    (void)printf(
        "shards: %zu full, %zu under-replicated, %zu lost; %lld batches, %.1f MiB on disk\n",
        sum->copies.full, sum->copies.under_replicated, sum->copies.lost, (long long)sum->batches,
        (double)sum->bytes / (1 << 20));
    if (sum->unknown > 0)
        (void)printf(
            "        not counted: shards that are only on the %zu storers that did not tell all "
            "of theirs\n",
            sum->unknown);
    (void)printf("state: %s\n", sum->degraded ? "degraded" : "ok");
}

/* The document as it came, with our verdict in front. */
static void print_status_json(const struct admin *admin, const struct summary *sum)
{
    struct slg_buf out;

    slg_buf_init(&out, SLG_FETCH_BYTES_MAX);
    slg_buf_printf(&out,
                   "{\"degraded\":%s,\"copies\":{\"full\":%zu,\"under_replicated\":%zu,"
                   "\"lost\":%zu,\"complete\":%s},\"lag_batches\":{",
                   sum->degraded ? "true" : "false", sum->copies.full, sum->copies.under_replicated,
                   sum->copies.lost, sum->counted && sum->unknown == 0 ? "true" : "false");
    for (size_t i = 0; i < node_count(admin); i++) {
        slg_buf_append_text(&out, i == 0 ? "" : ",");
        slg_buf_append_json_text(&out, text_of(node_at(admin, i), "id"));
        if (sum->counted && slg_json_get(node_at(admin, i), "status") != NULL)
            slg_buf_printf(&out, ":%lld", (long long)lag_of(admin, sum, i));
        else
            slg_buf_append_text(&out, ":null");
    }
    slg_buf_append_text(&out, "},");
    slg_buf_append(&out, admin->body.data + 1, admin->body.len - 1);
    slg_ctl_print(&out);
    slg_buf_fini(&out);
}

static int run_status(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *words[1];
    struct slg_error error = { 0 };
    struct summary sum;
    struct admin admin;
    size_t count;
    int code;

    if (!slg_ctl_options(&slg_ctl_verb_status, argc, argv, NULL, 0, words, 0, &count))
        return SLG_CTL_USAGE;
    if (admin_get(&admin, ctl, &error) != SLG_OK) {
        code = slg_ctl_fail(&error);
    } else {
        sum = summarize(&admin);
        if (ctl->json)
            print_status_json(&admin, &sum);
        else
            print_status(&admin, &sum);
        code = sum.degraded ? SLG_CTL_DEGRADED : SLG_CTL_OK;
        free(sum.lags);
    }
    admin_fini(&admin);
    return code;
}

/* ---- node ls ---- */

static void print_nodes_json(const struct admin *admin)
{
    struct slg_buf out;

    slg_buf_init(&out, SLG_FETCH_BYTES_MAX);
    for (size_t i = 0; i < node_count(admin); i++) {
        const struct slg_json *node = node_at(admin, i);
        static const char *const keys[] = { "id", "zone", "address" };

        slg_buf_append_text(&out, i == 0 ? "[{\"state\":" : ",\n{\"state\":");
        slg_buf_append_json_text(&out, state_of(node));
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            slg_buf_printf(&out, ",\"%s\":", keys[k]);
            slg_buf_append_json_text(&out, text_of(node, keys[k]));
        }
        slg_buf_printf(&out, ",\"shards\":%zu}", slg_json_count(shards_of(node)));
    }
    slg_buf_append_text(&out, node_count(admin) == 0 ? "[]\n" : "]\n");
    slg_ctl_print(&out);
    slg_buf_fini(&out);
}

static void print_nodes(const struct admin *admin)
{
    (void)printf("%-12s %-11s %-12s %7s  %s\n", "NODE", "STATE", "ZONE", "SHARDS", "ADDRESS");
    for (size_t i = 0; i < node_count(admin); i++) {
        const struct slg_json *node = node_at(admin, i);

        (void)printf("%-12s %-11s %-12s %7zu  %s\n", text_of(node, "id"), state_of(node),
                     text_of(node, "zone"), slg_json_count(shards_of(node)),
                     text_of(node, "address"));
    }
}

static int run_node(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *words[1];
    struct slg_error error = { 0 };
    struct admin admin;
    size_t count;
    int code = SLG_CTL_OK;

    if (!slg_ctl_options(&slg_ctl_verb_node, argc, argv, NULL, 0, words, 1, &count))
        return SLG_CTL_USAGE;
    if (count == 0 || strcmp(words[0], "ls") != 0) {
        (void)fprintf(stderr, "silagectl node: write node ls\n");
        return SLG_CTL_USAGE;
    }
    if (admin_get(&admin, ctl, &error) != SLG_OK)
        code = slg_ctl_fail(&error);
    else if (ctl->json)
        print_nodes_json(&admin);
    else
        print_nodes(&admin);
    admin_fini(&admin);
    return code;
}

/* ---- shard ls ---- */

static void print_shard(const struct slg_json *shard)
{
    const struct slg_json *owner = slg_json_get(shard, "owner");

    (void)printf("%-32s %-12s %-5s %8lld %10.1f  %3lld %3lld  %-10s %s\n", text_of(shard, "shard"),
                 text_of(shard, "node"), slg_json_bool(owner, false) ? "owner" : "hint",
                 (long long)slg_json_int(slg_json_get(shard, "batches"), 0),
                 (double)slg_json_int(slg_json_get(shard, "bytes"), 0) / (1 << 20),
                 (long long)slg_json_int(slg_json_get(shard, "generations"), 0),
                 (long long)slg_json_int(slg_json_get(shard, "parts"), 0), text_of(shard, "state"),
                 text_of(shard, "set_digest"));
}

struct shard_print {
    struct slg_buf *out;
    bool first;
};

static bool print_member(void *arg, const char *key, const struct slg_json *value)
{
    struct shard_print *p = arg;

    slg_buf_append_text(p->out, p->first ? "" : ",");
    p->first = false;
    slg_buf_append_json_text(p->out, key);
    slg_buf_append_byte(p->out, ':');
    if (slg_json_type(value) == SLG_JSON_TEXT)
        slg_buf_append_json_text(p->out, slg_json_text(value));
    else if (slg_json_type(value) == SLG_JSON_BOOL)
        slg_buf_append_text(p->out, slg_json_bool(value, false) ? "true" : "false");
    else
        slg_buf_printf(p->out, "%lld", (long long)slg_json_int(value, 0));
    return true;
}

static void print_row_json(struct slg_buf *out, const struct slg_json *row, const char *more,
                           bool *first)
{
    struct shard_print p = { .out = out, .first = true };

    slg_buf_append_text(out, *first ? "{" : ",\n{");
    *first = false;
    slg_json_each(row, print_member, &p);
    slg_buf_append_text(out, more);
    slg_buf_append_byte(out, '}');
}

static const struct slg_json *quarantine_of(const struct slg_json *node)
{
    return slg_json_get(slg_json_get(node, "status"), "quarantine");
}

static void print_shards_json(const struct admin *admin)
{
    struct slg_buf out;
    bool first = true;

    slg_buf_init(&out, SLG_FETCH_BYTES_MAX);
    slg_buf_append_byte(&out, '[');
    for (size_t i = 0; i < node_count(admin); i++) {
        const struct slg_json *shards = shards_of(node_at(admin, i));

        for (size_t k = 0; k < slg_json_count(shards); k++)
            print_row_json(&out, slg_json_at(shards, k), "", &first);
        shards = quarantine_of(node_at(admin, i));
        for (size_t k = 0; k < slg_json_count(shards); k++)
            print_row_json(&out, slg_json_at(shards, k),
                           ",\"state\":\"quarantined\",\"owner\":false", &first);
    }
    slg_buf_append_text(&out, "]\n");
    slg_ctl_print(&out);
    slg_buf_fini(&out);
}

static void print_shards(const struct admin *admin)
{
    (void)printf("%-32s %-12s %-5s %8s %10s  %3s %3s  %-10s %s\n", "SHARD", "NODE", "ROLE",
                 "BATCHES", "MIB", "GEN", "PRT", "STATE", "SET DIGEST");
    for (size_t i = 0; i < node_count(admin); i++) {
        const struct slg_json *shards = shards_of(node_at(admin, i));

        for (size_t k = 0; k < slg_json_count(shards); k++)
            print_shard(slg_json_at(shards, k));
    }
    for (size_t i = 0; i < node_count(admin); i++) {
        const struct slg_json *rows = quarantine_of(node_at(admin, i));

        for (size_t k = 0; k < slg_json_count(rows); k++)
            (void)printf(
                "%-32s %-12s quarantined, %.1f MiB: %s\n", text_of(slg_json_at(rows, k), "shard"),
                text_of(slg_json_at(rows, k), "node"), mib_of(slg_json_at(rows, k), "bytes"),
                text_of(slg_json_at(rows, k), "reason"));
    }
}

/* Rows that are missing make the answer partial. */
static int tell_missing(const struct admin *admin)
{
    int code = SLG_CTL_OK;

    for (size_t i = 0; i < node_count(admin); i++) {
        const struct slg_json *node = node_at(admin, i);
        int64_t left =
            slg_json_int(slg_json_get(slg_json_get(node, "status"), "shards_left_out"), 0);

        if (slg_json_get(node, "status") == NULL)
            (void)fprintf(stderr, "silagectl: %s does not answer: %s\n", text_of(node, "id"),
                          text_of(node, "reason"));
        else if (left > 0)
            (void)fprintf(stderr, "silagectl: %lld shards of %s are left out\n", (long long)left,
                          text_of(node, "id"));
        else
            continue;
        code = SLG_CTL_DEGRADED;
    }
    return code;
}

static int run_shard(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *words[1];
    struct slg_error error = { 0 };
    struct admin admin;
    size_t count;
    int code;

    if (!slg_ctl_options(&slg_ctl_verb_shard, argc, argv, NULL, 0, words, 1, &count))
        return SLG_CTL_USAGE;
    if (count == 0 || strcmp(words[0], "ls") != 0) {
        (void)fprintf(stderr, "silagectl shard: write shard ls\n");
        return SLG_CTL_USAGE;
    }
    if (admin_get(&admin, ctl, &error) != SLG_OK) {
        code = slg_ctl_fail(&error);
    } else {
        if (ctl->json)
            print_shards_json(&admin);
        else
            print_shards(&admin);
        code = tell_missing(&admin);
    }
    admin_fini(&admin);
    return code;
}

const struct slg_ctl_verb slg_ctl_verb_status = {
    "status", "",
    "nodes with state, disk and lag (batches behind the fullest copies), shards by copies; exit 3 "
    "when "
    "degraded",
    "status", run_status
};
const struct slg_ctl_verb slg_ctl_verb_node = { "node", "ls", "node ls: the storers of the map",
                                                "node ls -o json", run_node };
const struct slg_ctl_verb slg_ctl_verb_shard = { "shard", "ls",
                                                 "shard ls: every copy of every shard",
                                                 "shard ls -o json", run_shard };
