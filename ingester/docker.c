#include "ingester/docker.h"

static bool all_digits(struct slg_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    return text.len > 0;
}

bool slg_docker_is_id(struct slg_text text)
{
    if (text.len != 12 && text.len != 64)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

/* project-service-1 of docker compose (project_service_1 of the older one): two separators, then a number. */
static bool compose_name(struct slg_text text)
{
    size_t separators = 0;
    size_t digits = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (c == '/' || c == ':' || c == ' ')
            return false;
        if (c == '-' || c == '_') {
            separators++;
            digits = 0;
        } else {
            digits = c >= '0' && c <= '9' ? digits + 1 : SIZE_MAX / 2;
        }
    }
    return separators >= 2 && digits >= 1 && digits <= 4;
}

/* The tag without the id at its end ("{{.ImageName}}/{{.Name}}/{{.ID}}"); empty: it is an id and nothing else. */
static struct slg_text name_of(struct slg_text tag)
{
    const char *slash = memrchr(tag.at, '/', tag.len);
    size_t len = slash != NULL ? (size_t)(slash - tag.at) : 0;
    size_t id_at = slash != NULL ? len + 1 : 0;

    if (slg_docker_is_id(slg_text_make(tag.at + id_at, tag.len - id_at)))
        return slg_text_make(tag.at, len);
    return tag;
}

/* RFC 5424: APP-NAME = MSGID, a numeric PROCID and no structured data. RFC 3164: a numeric pid behind a tag that ends in
 * a container id (12 or 64 hex digits) or is a compose name (project-service-1, with - or _). */
static bool detect(const struct slg_syslog_message *message)
{
    if (message->app.len == 0 || !all_digits(message->pid) ||
        (message->flags & SLG_SYSLOG_PARSE_ERROR) != 0)
        return false;
    if (message->format == SLG_SYSLOG_FORMAT_5424)
        return message->param_count == 0 && slg_text_equal(message->app, message->msgid);
    return name_of(message->app).len < message->app.len || compose_name(message->app);
}

void slg_docker_apply(enum slg_docker_mode mode, struct slg_syslog_message *message)
{
    struct slg_text outer_time = message->time_text;
    struct slg_text outer_host = message->host;
    struct slg_text tag = message->app;

    if (mode == SLG_DOCKER_NO || (mode == SLG_DOCKER_AUTO && !detect(message)))
        return;
    message->flags |= SLG_SYSLOG_DOCKER;
    if (tag.len > 0)
        message->container = name_of(tag);
    if (slg_text_equal(tag, message->msgid))
        message->msgid.len = 0;
    message->pid.len = 0; /* dockerd's */
    if ((message->flags & SLG_SYSLOG_PARSE_ERROR) != 0 ||
        !slg_syslog_inner_header(message->text, message))
        return;
    message->flags |= SLG_SYSLOG_NESTED;
    message->time_text = outer_time;
    message->host = outer_host;
}
