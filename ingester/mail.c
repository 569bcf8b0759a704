#include "ingester/mail.h"

#include "base/assert.h"

#define ID_BYTES_MAX   998 /* RFC 5322 section 2.1.1: a line */
#define HEAD_BYTES_MAX 256 /* where the ids stand in the lines of all three programs */

static const struct slg_text none = { .at = "", .len = 0 };

/* master.cf's daemons and the commands that log [postfix.org, "Postfix overview"]. */
static const char *const daemons[] = {
    "anvil",    "bounce",     "cleanup",        "defer",      "discard",
    "dnsblog",  "error",      "flush",          "lmtp",       "local",
    "master",   "nqmgr",      "oqmgr",          "pickup",     "pipe",
    "postdrop", "postlogd",   "postqueue",      "postscreen", "postsuper",
    "proxymap", "proxywrite", "qmgr",           "qmqpd",      "retry",
    "scache",   "sendmail",   "showq",          "smtp",       "smtpd",
    "spawn",    "tlsmgr",     "tlsproxy",       "trace",      "trivial-rewrite",
    "verify",   "virtual",    "postfix-script",
};

static bool begins_with(struct slg_text text, const char *prefix, size_t len)
{
    return text.len >= len && memcmp(text.at, prefix, len) == 0;
}

enum slg_mail_kind slg_mail_kind_of(struct slg_text app)
{
    const char *slash = app.len == 0 ? NULL : memrchr(app.at, '/', app.len);
    bool by_instance = begins_with(app, "postfix", 7);
    struct slg_text daemon;

    if (slash == NULL) {
        if (begins_with(app, "dovecot", 7))
            return SLG_MAIL_DOVECOT;
        if (app.len > 0 && memmem(app.at, app.len, "rspamd", 6) != NULL)
            return SLG_MAIL_RSPAMD;
        return by_instance && app.len == 7 ? SLG_MAIL_POSTFIX : SLG_MAIL_NONE;
    }
    if (slash == app.at || app.at[0] == '/')
        return SLG_MAIL_NONE; /* a path */
    daemon = slg_text_make(slash + 1, (size_t)(app.at + app.len - slash - 1));
    if (slg_text_equal_to(daemon, "cleanup"))
        return SLG_MAIL_POSTFIX_CLEANUP;
    if (by_instance)
        return SLG_MAIL_POSTFIX;
    for (size_t i = 0; i < SLG_ARRAY_LEN(daemons); i++) {
        if (slg_text_equal_to(daemon, daemons[i]))
            return SLG_MAIL_POSTFIX;
    }
    return SLG_MAIL_NONE;
}

static bool is_postfix(enum slg_mail_kind kind)
{
    return kind == SLG_MAIL_POSTFIX || kind == SLG_MAIL_POSTFIX_CLEANUP;
}

struct slg_text slg_mail_service(enum slg_mail_kind kind, struct slg_text app)
{
    return is_postfix(kind) ? slg_text_make("postfix", 7) : app;
}

/* Short form: 6 to 15 upper-case hex digits. Long form: 10 to 20 of digits and letters without vowels
 * [postfix.org, postconf(5) enable_long_queue_ids]. */
static struct slg_text postfix_queue_id(struct slg_text text)
{
    size_t len = 0;
    bool hex = true;
    bool base52 = true;

    while (len < text.len && len <= 20 && text.at[len] != ':') {
        char c = text.at[len++];
        bool digit = c >= '0' && c <= '9';
        bool upper = c >= 'A' && c <= 'Z';
        bool letter = upper || (c >= 'a' && c <= 'z');
        char folded = (char)(c | 0x20);
        bool vowel =
            folded == 'a' || folded == 'e' || folded == 'i' || folded == 'o' || folded == 'u';

        if (!digit && !letter)
            return none;
        if (!digit && !(upper && c <= 'F'))
            hex = false;
        if (!digit && vowel)
            base52 = false;
    }
    if (len >= text.len || text.at[len] != ':' || (len + 1 < text.len && text.at[len + 1] != ' '))
        return none;
    if ((hex && len >= 6 && len <= 15) || (base52 && len >= 10 && len <= 20))
        return slg_text_make(text.at, len);
    return none;
}

/* What stands behind `before`, itself within the first look_max bytes, up to the '>' of an id. */
static struct slg_text id_behind(struct slg_text text, size_t look_max, const char *before,
                                 size_t before_len)
{
    size_t look = text.len < look_max ? text.len : look_max;
    const char *at = look == 0 ? NULL : memmem(text.at, look, before, before_len);
    const char *end = text.at + text.len;
    size_t len = 0;

    if (at == NULL)
        return none;
    at += before_len;
    while (at + len < end && at[len] != '>' && at[len] != ' ' && len <= ID_BYTES_MAX)
        len++;
    return at + len < end && at[len] == '>' ? slg_text_make(at, len) : none;
}

struct slg_text slg_mail_queue_id(enum slg_mail_kind kind, struct slg_text text)
{
    if (is_postfix(kind))
        return postfix_queue_id(text);
    return kind == SLG_MAIL_RSPAMD ? id_behind(text, HEAD_BYTES_MAX * 4, " qid: <", 7) : none;
}

struct slg_text slg_mail_message_id(enum slg_mail_kind kind, struct slg_text text)
{
    if (kind == SLG_MAIL_POSTFIX_CLEANUP) {
        struct slg_text queue_id = postfix_queue_id(text);
        struct slg_text rest = slg_text_make(text.at + queue_id.len, text.len - queue_id.len);

        return begins_with(rest, ": message-id=<", 14) ? id_behind(rest, HEAD_BYTES_MAX, "=<", 2)
                                                       : none;
    }
    if (kind == SLG_MAIL_DOVECOT)
        return id_behind(text, HEAD_BYTES_MAX, "msgid=<", 7);
    return kind == SLG_MAIL_RSPAMD ? id_behind(text, HEAD_BYTES_MAX, "_write_log: id: <", 17)
                                   : none;
}
