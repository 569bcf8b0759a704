/* status and shard ls: what the admin API of the storers tells. */
#include "ctl/ctl.h"
#include "ctl/fetch.h"

/* GET {admin}/admin/status. The text and its tree live until fini. */
struct admin {
    struct slg_fetch *fetch;
    struct slg_buf body;
    struct slg_json *root;
};

static enum slg_status admin_get(struct admin *admin, const struct slg_ctl *ctl,
                                 struct slg_error *reterr)
{
    struct slg_buf url;
    enum slg_status status;

    *admin = (struct admin){ .fetch = slg_fetch_create() };
    slg_buf_init(&admin->body, SLG_FETCH_BYTES_MAX);
    if (admin->fetch == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory");
    slg_buf_init(&url, 4096);
    slg_buf_printf(&url, "%s/admin/status", ctl->admin);
    slg_buf_append_byte(&url, '\0');
    status = slg_buf_failed(&url)
                 ? slg_errorf(reterr, SLG_INVALID, "--admin is too long")
                 : slg_fetch_get(admin->fetch, (const char *)url.data, &admin->body, reterr);
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

/* ---- status ---- */

static void print_node(const struct slg_json *node)
{
    (void)printf("%-12s %-10s %-10s disk free %.0f MiB of %.0f MiB  %s\n", text_of(node, "node"),
                 text_of(node, "state"), text_of(node, "zone"), mib_of(node, "disk_free_bytes"),
                 mib_of(node, "disk_bytes"), text_of(node, "reason"));
}

static int print_status(const struct slg_json *root)
{
    const struct slg_json *nodes = slg_json_get(root, "nodes");
    const struct slg_json *shards = slg_json_get(root, "shards");
    bool degraded = slg_json_bool(slg_json_get(root, "degraded"), false);
    int64_t batches = 0, bytes = 0;

    for (size_t i = 0; i < slg_json_count(nodes); i++)
        print_node(slg_json_at(nodes, i));
    for (size_t i = 0; i < slg_json_count(shards); i++) {
        batches += slg_json_int(slg_json_get(slg_json_at(shards, i), "batches"), 0);
        bytes += slg_json_int(slg_json_get(slg_json_at(shards, i), "bytes"), 0);
    }
    (void)printf("shards %zu, batches %lld, %.1f MiB on disk\n", slg_json_count(shards),
                 (long long)batches, (double)bytes / (1 << 20));
    (void)printf("state: %s\n", degraded ? "degraded" : "ok");
    return degraded ? SLG_CTL_DEGRADED : SLG_CTL_OK;
}

static int run_status(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *words[1];
    struct slg_error error = { 0 };
    struct admin admin;
    size_t count;
    int code;

    if (!slg_ctl_options(&slg_ctl_verb_status, argc, argv, NULL, 0, words, 0, &count))
        return SLG_CTL_USAGE;
    if (admin_get(&admin, ctl, &error) != SLG_OK) {
        code = slg_ctl_fail(&error);
    } else if (ctl->json) {
        slg_ctl_print(&admin.body);
        code = slg_json_bool(slg_json_get(admin.root, "degraded"), false) ? SLG_CTL_DEGRADED
                                                                          : SLG_CTL_OK;
    } else {
        code = print_status(admin.root);
    }
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

static void print_shards_json(const struct slg_json *shards)
{
    struct slg_buf out;

    slg_buf_init(&out, SLG_FETCH_BYTES_MAX);
    slg_buf_append_byte(&out, '[');
    for (size_t i = 0; i < slg_json_count(shards); i++) {
        struct shard_print p = { .out = &out, .first = true };

        slg_buf_append_text(&out, i == 0 ? "{" : ",\n{");
        slg_json_each(slg_json_at(shards, i), print_member, &p);
        slg_buf_append_byte(&out, '}');
    }
    slg_buf_append_text(&out, "]\n");
    slg_ctl_print(&out);
    slg_buf_fini(&out);
}

static int run_shard(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *words[1];
    struct slg_error error = { 0 };
    struct admin admin;
    size_t count;
    int code = SLG_CTL_OK;

    if (!slg_ctl_options(&slg_ctl_verb_shard, argc, argv, NULL, 0, words, 1, &count))
        return SLG_CTL_USAGE;
    if (count == 0 || strcmp(words[0], "ls") != 0) {
        (void)fprintf(stderr, "silagectl shard: write shard ls\n");
        return SLG_CTL_USAGE;
    }
    if (admin_get(&admin, ctl, &error) != SLG_OK) {
        code = slg_ctl_fail(&error);
    } else if (ctl->json) {
        print_shards_json(slg_json_get(admin.root, "shards"));
    } else {
        const struct slg_json *shards = slg_json_get(admin.root, "shards");

        (void)printf("%-32s %-12s %-5s %8s %10s  %3s %3s  %-10s %s\n", "SHARD", "NODE", "ROLE",
                     "BATCHES", "MIB", "GEN", "PRT", "STATE", "SET DIGEST");
        for (size_t i = 0; i < slg_json_count(shards); i++)
            print_shard(slg_json_at(shards, i));
    }
    admin_fini(&admin);
    return code;
}

const struct slg_ctl_verb slg_ctl_verb_status = {
    "status", "", "nodes with state and disk, shards and bytes; exit 3 when degraded", "status",
    run_status
};
const struct slg_ctl_verb slg_ctl_verb_shard = { "shard", "ls",
                                                 "shard ls: every copy of every shard",
                                                 "shard ls -o json", run_shard };
