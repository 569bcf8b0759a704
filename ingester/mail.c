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

/* What a byte may be a part of: an id at all, a short one, a long one. */
#define ANY   1U
#define SHORT 2U
#define LONG  4U
#define BOTH  (ANY | SHORT | LONG)

static const uint8_t id_parts[256] = {
    ['0'] = BOTH,       ['1'] = BOTH,       ['2'] = BOTH,        ['3'] = BOTH,
    ['4'] = BOTH,       ['5'] = BOTH,       ['6'] = BOTH,        ['7'] = BOTH,
    ['8'] = BOTH,       ['9'] = BOTH,       ['A'] = ANY | SHORT, ['B'] = BOTH,
    ['C'] = BOTH,       ['D'] = BOTH,       ['E'] = ANY | SHORT, ['F'] = BOTH,
    ['G'] = ANY | LONG, ['H'] = ANY | LONG, ['I'] = ANY,         ['J'] = ANY | LONG,
    ['K'] = ANY | LONG, ['L'] = ANY | LONG, ['M'] = ANY | LONG,  ['N'] = ANY | LONG,
    ['O'] = ANY,        ['P'] = ANY | LONG, ['Q'] = ANY | LONG,  ['R'] = ANY | LONG,
    ['S'] = ANY | LONG, ['T'] = ANY | LONG, ['U'] = ANY,         ['V'] = ANY | LONG,
    ['W'] = ANY | LONG, ['X'] = ANY | LONG, ['Y'] = ANY | LONG,  ['Z'] = ANY | LONG,
    ['a'] = ANY,        ['b'] = ANY | LONG, ['c'] = ANY | LONG,  ['d'] = ANY | LONG,
    ['e'] = ANY,        ['f'] = ANY | LONG, ['g'] = ANY | LONG,  ['h'] = ANY | LONG,
    ['i'] = ANY,        ['j'] = ANY | LONG, ['k'] = ANY | LONG,  ['l'] = ANY | LONG,
    ['m'] = ANY | LONG, ['n'] = ANY | LONG, ['o'] = ANY,         ['p'] = ANY | LONG,
    ['q'] = ANY | LONG, ['r'] = ANY | LONG, ['s'] = ANY | LONG,  ['t'] = ANY | LONG,
    ['u'] = ANY,        ['v'] = ANY | LONG, ['w'] = ANY | LONG,  ['x'] = ANY | LONG,
    ['y'] = ANY | LONG, ['z'] = ANY | LONG,
};

/* Short form: 6 to 15 upper-case hex digits. Long form: 10 to 20 of digits and letters without vowels
 * [postfix.org, postconf(5) enable_long_queue_ids]. */
static struct slg_text postfix_queue_id(struct slg_text text)
{
    unsigned parts = BOTH;
    size_t len = 0;

    while (len < text.len && len <= 20 && id_parts[(unsigned char)text.at[len]] != 0)
        parts &= id_parts[(unsigned char)text.at[len++]];
    if (len >= text.len || text.at[len] != ':' || (len + 1 < text.len && text.at[len + 1] != ' '))
        return none;
    if (((parts & SHORT) != 0 && len >= 6 && len <= 15) ||
        ((parts & LONG) != 0 && len >= 10 && len <= 20))
        return slg_text_make(text.at, len);
    return none;
}

/* What stands behind `before`, itself within the first look_max bytes, up to the '>' of an id. `before` ends in '<',
 * which is rare: looking for it is cheaper than memmem, which makes a table for every call. */
static struct slg_text id_behind(struct slg_text text, size_t look_max, const char *before,
                                 size_t before_len)
{
    const char *look_end = text.at + (text.len < look_max ? text.len : look_max);
    const char *end = text.at + text.len;
    const char *at = text.at;
    size_t len = 0;

    for (;;) {
        const char *open = at == look_end ? NULL : memchr(at, '<', (size_t)(look_end - at));

        if (open == NULL)
            return none;
        at = open + 1;
        if ((size_t)(at - text.at) >= before_len &&
            memcmp(at - before_len, before, before_len) == 0)
            break;
    }
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
