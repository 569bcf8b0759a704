#include "daemon/role.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "daemon/check.h"

#define ARENA_BYTES    ((size_t)16 << 20)
#define INSECURE_BYTES ((size_t)4096) /* of 32 syslog listeners and 4 others */

static enum slg_status no_memory(struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the settings of the daemons");
}

enum slg_status slg_parts_texts(struct slg_parts *parts, const char *key,
                                const char *const **ret_texts, size_t *ret_count,
                                struct slg_error *reterr)
{
    size_t count = slg_conf_count(parts->conf, "%s", key);
    const char **texts = slg_arena_calloc(parts->arena, count + 1, sizeof(*texts));

    if (texts == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < count; i++)
        texts[i] = slg_conf_text(parts->conf, "%s[%zu]", key, i);
    *ret_texts = texts;
    *ret_count = count;
    return SLG_OK;
}

enum slg_status slg_parts_secrets(struct slg_parts *parts, const char *key,
                                  const char *const **ret_texts, size_t *ret_count,
                                  struct slg_error *reterr)
{
    size_t count = slg_conf_count(parts->conf, "%s", key);
    const char **texts = slg_arena_calloc(parts->arena, count + 1, sizeof(*texts));
    struct slg_buf secret;
    enum slg_status status = texts == NULL ? no_memory(reterr) : SLG_OK;

    slg_buf_init(&secret, SLG_SECRET_BYTES_MAX);
    for (size_t i = 0; i < count && status == SLG_OK; i++) {
        slg_buf_clear(&secret);
        status = slg_secret_read(slg_conf_text(parts->conf, "%s[%zu]", key, i), &secret, reterr);
        if (status != SLG_OK)
            (void)slg_error_context(reterr, "%s[%zu]", key, i);
        else
            texts[i] = slg_arena_copy(parts->arena, secret.data, secret.len);
        if (status == SLG_OK && texts[i] == NULL)
            status = no_memory(reterr);
    }
    if (secret.data != NULL)
        explicit_bzero(secret.data, secret.capacity);
    slg_buf_fini(&secret);
    *ret_texts = texts;
    *ret_count = count;
    return status;
}

const char *slg_parts_path(const struct slg_parts *parts, const char *key)
{
    const char *path = slg_conf_text(parts->conf, "%s", key);

    return path[0] == '\0' ? NULL : path;
}

struct slg_transport_tls slg_parts_tls(const struct slg_parts *parts)
{
    return (struct slg_transport_tls){ .cert_file = slg_parts_path(parts, "transport.tls.cert"),
                                       .key_file = slg_parts_path(parts, "transport.tls.key"),
                                       .ca_file = slg_parts_path(parts, "transport.tls.ca") };
}

static enum slg_status name_node(struct slg_parts *parts, struct slg_error *reterr)
{
    char host[256];

    parts->node_id = slg_conf_text(parts->conf, "node.id");
    if (parts->node_id[0] != '\0')
        return SLG_OK;
    if (gethostname(host, sizeof(host)) != 0)
        return slg_error_hintf(reterr, SLG_IO, "set node.id", "could not find the host's name");
    host[sizeof(host) - 1] = '\0';
    parts->node_id = slg_arena_copy(parts->arena, host, strlen(host));
    return parts->node_id == NULL ? no_memory(reterr) : SLG_OK;
}

static enum slg_status make_data_dir(const struct slg_parts *parts, struct slg_error *reterr)
{
    const char *dir = slg_conf_text(parts->conf, "node.data_dir");

    if (mkdir(dir, 0750) != 0 && errno != EEXIST)
        return slg_error_hintf(reterr, SLG_IO, "make it, or choose another with --data",
                               "could not make the data directory \"%s\": %s", dir,
                               strerror(errno));
    return SLG_OK;
}

static enum slg_status make_survey(struct slg_parts *parts, struct slg_error *reterr)
{
    struct slg_transport_tls tls = slg_parts_tls(parts);

    /* A storer's own status says it. */
    return slg_survey_create(parts->map, &tls,
                             parts->role == SLG_ROLE_INGESTER ? parts->insecure : NULL,
                             &parts->survey, reterr);
}

/* A listener that anybody may reach was allowed by a setting; nobody shall forget it. */
static enum slg_status tell_insecure(struct slg_parts *parts, struct slg_error *reterr)
{
    char key[SLG_CHECK_KEY_BYTES];
    struct slg_buf list;

    slg_buf_init(&list, INSECURE_BYTES);
    slg_buf_append_byte(&list, '[');
    for (size_t i = 0; slg_check_insecure(parts->conf, parts->role, i, key); i++) {
        slg_log_warn("listener is open to whoever reaches it key=%s address=%s", key,
                     slg_conf_text(parts->conf, "%s", key));
        slg_buf_append_text(&list, i == 0 ? "" : ",");
        slg_buf_append_json_text(&list, key);
    }
    slg_buf_append_byte(&list, ']');
    if (!slg_buf_failed(&list))
        parts->insecure = slg_arena_copy(parts->arena, list.data, list.len);
    slg_buf_fini(&list);
    return parts->insecure == NULL ? no_memory(reterr) : SLG_OK;
}

enum slg_status slg_parts_start(struct slg_parts *parts, enum slg_role role,
                                const struct slg_conf *conf, struct slg_error *reterr)
{
    enum slg_status status;

    *parts = (struct slg_parts){ .role = role, .conf = conf };
    parts->arena = slg_arena_create(ARENA_BYTES);
    parts->registry = slg_metric_registry_create();
    if (parts->arena == NULL || parts->registry == NULL)
        return no_memory(reterr);
    status = name_node(parts, reterr);
    if (status == SLG_OK)
        status = tell_insecure(parts, reterr);
    if (status == SLG_OK && (role == SLG_ROLE_ALL || role == SLG_ROLE_STORER))
        status = make_data_dir(parts, reterr);
    if (status == SLG_OK)
        status = slg_parts_make_map(parts, reterr);
    if (status == SLG_OK && role != SLG_ROLE_QUERIER)
        status = make_survey(parts, reterr);
    if (status == SLG_OK && (role == SLG_ROLE_ALL || role == SLG_ROLE_STORER))
        status = slg_parts_start_storer(parts, reterr);
    if (status == SLG_OK && (role == SLG_ROLE_ALL || role == SLG_ROLE_INGESTER))
        status = slg_parts_start_ingester(parts, reterr);
    if (status == SLG_OK && (role == SLG_ROLE_ALL || role == SLG_ROLE_QUERIER))
        status = slg_parts_start_querier(parts, reterr);
    return status;
}

void slg_parts_stop(struct slg_parts *parts, uint64_t *ret_left)
{
    *ret_left = 0;
    if (parts->ingester != NULL)
        slg_ingester_stop(parts->ingester, ret_left);
    slg_ingester_destroy(parts->ingester);
    parts->ingester = NULL;
    slg_querier_stop(parts->querier);
    parts->querier = NULL;
    if (parts->storer != NULL)
        slg_storer_stop(parts->storer);
    slg_survey_destroy(parts->survey); /* nobody answers for it any more */
    parts->survey = NULL;
    slg_storer_destroy(parts->storer);
    parts->storer = NULL;
}

void slg_parts_fini(struct slg_parts *parts)
{
    uint64_t left;

    slg_parts_stop(parts, &left); /* what is left of it */
    slg_rules_destroy(parts->rules);
    slg_masks_destroy(parts->masks);
    slg_zone_cache_destroy(parts->zones);
    slg_map_unref(parts->map);
    slg_metric_registry_destroy(parts->registry);
    slg_arena_destroy(parts->arena);
    *parts = (struct slg_parts){ 0 };
}
