#include "ctl/traffic.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

static const char *const users[] = { "ada",  "bert",  "cora", "dirk", "elsa",  "fritz",
                                     "gabi", "horst", "ilse", "jan",  "kathi", "lars",
                                     "maja", "nils",  "otto", "petra" };
static const char *const domains[] = { "example.org",       "example.net",      "kunde.example",
                                       "lieferant.example", "bank.example",     "verein.example",
                                       "rathaus.example",   "werkstatt.example" };
static const char *const hosts[] = { "mail01", "mail02", "mail03" };

/* splitmix64: small, seedable, good enough for made-up lines. */
static uint64_t next_random(struct slg_traffic *traffic)
{
    uint64_t z = traffic->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static unsigned below(struct slg_traffic *traffic, unsigned bound)
{
    return (unsigned)(next_random(traffic) >> 33) % bound;
}

void slg_traffic_init(struct slg_traffic *traffic, uint64_t seed)
{
    *traffic = (struct slg_traffic){ .state = seed };
    for (size_t i = 0; i < SLG_ARRAY_LEN(traffic->mails); i++)
        traffic->mails[i] = next_random(traffic);
}

SLG_PRINTF(2, 3) static void say(struct slg_traffic_message *message, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(message->text, sizeof(message->text), format, args);
    va_end(args);
    SLG_ASSERT(len > 0);
    message->text_len =
        (size_t)len < sizeof(message->text) ? (size_t)len : sizeof(message->text) - 1;
}

/* A long queue id: base 52 without vowels. */
static const char *queue_id(uint64_t number, char text[16])
{
    static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

    text[0] = '4';
    for (size_t i = 1; i < 13; i++) {
        text[i] = digits[number % 52];
        number /= 52;
    }
    text[13] = '\0';
    return text;
}

static void postfix_delivery(struct slg_traffic *t, struct slg_traffic_message *m, const char *id)
{
    unsigned fate = below(t, 100), mx = 1 + below(t, 4);
    const char *user = users[below(t, SLG_ARRAY_LEN(users))];
    const char *domain = domains[below(t, SLG_ARRAY_LEN(domains))];
    unsigned ms = below(t, 9000);

    m->app = "postfix/smtp";
    if (fate < 88) {
        say(m,
            "%s: to=<%s@%s>, relay=mx%u.%s[192.0.2.%u]:25, delay=%u.%u, "
            "delays=0.%u/0.01/0.2/%u.%u, "
            "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as %08X)",
            id, user, domain, mx, domain, below(t, 250) + 1, ms / 1000, ms % 1000 / 100,
            below(t, 9), ms / 1000, ms % 10, below(t, 1U << 31));
    } else if (fate < 96) {
        m->severity = 5;
        say(m,
            "%s: to=<%s@%s>, relay=none, delay=%u, delays=%u/0.02/30/0, dsn=4.4.1, status=deferred "
            "(connect to mx%u.%s[192.0.2.%u]:25: Connection timed out)",
            id, user, domain, 300 + ms, 270 + ms, mx, domain, below(t, 250) + 1);
    } else {
        m->severity = 4;
        say(m,
            "%s: to=<%s@%s>, relay=mx%u.%s[192.0.2.%u]:25, delay=0.9, delays=0.1/0/0.3/0.5, "
            "dsn=5.1.1, status=bounced (host mx%u.%s[192.0.2.9] said: 550 5.1.1 <%s@%s>: Recipient "
            "address rejected: User unknown (in reply to RCPT TO command))",
            id, user, domain, mx, domain, below(t, 250) + 1, mx, domain, user, domain);
    }
}

static void postfix(struct slg_traffic *t, struct slg_traffic_message *m)
{
    size_t slot = below(t, SLG_ARRAY_LEN(t->mails));
    const char *user = users[below(t, SLG_ARRAY_LEN(users))];
    char id[16];

    (void)queue_id(t->mails[slot], id);
    m->facility = 2;
    switch (t->stages[slot]++) {
    case 0:
        m->app = "postfix/smtpd";
        say(m, "%s: client=app%02u.intern.example[10.1.%u.%u], sasl_method=PLAIN, sasl_username=%s",
            id, below(t, 20), below(t, 4), below(t, 250) + 1, user);
        return;
    case 1:
        m->app = "postfix/cleanup";
        say(m, "%s: message-id=<%08x.%05u@rechnung.example>", id, below(t, 1U << 31),
            below(t, 100000));
        return;
    case 2:
        m->app = "postfix/qmgr";
        say(m, "%s: from=<rechnung@example.org>, size=%u, nrcpt=1 (queue active)", id,
            20000 + below(t, 400000));
        return;
    default:
        postfix_delivery(t, m, id);
        t->mails[slot] = next_random(t);
        t->stages[slot] = 0;
    }
}

static void dovecot(struct slg_traffic *t, struct slg_traffic_message *m)
{
    const char *user = users[below(t, SLG_ARRAY_LEN(users))];
    unsigned ip = below(t, 250) + 1;

    m->facility = 2;
    m->app = "dovecot";
    if (below(t, 10) < 8) {
        say(m,
            "imap-login: Login: user=<%s@example.org>, method=PLAIN, rip=203.0.113.%u, "
            "lip=172.22.1.250, mpid=%u, TLS, session=<%08x%04x>",
            user, ip, below(t, 60000), below(t, 1U << 31), below(t, 65536));
    } else {
        m->severity = 4;
        say(m,
            "imap-login: Disconnected: Connection closed (auth failed, %u attempts in %u secs): "
            "user=<%s@example.org>, method=PLAIN, rip=203.0.113.%u, lip=172.22.1.250, TLS",
            1 + below(t, 5), 2 + below(t, 20), user, ip);
    }
}

static void rspamd(struct slg_traffic *t, struct slg_traffic_message *m)
{
    char id[16];

    m->facility = 3;
    m->app = "rspamd";
    say(m,
        "(normal) <%06x>; task; rspamd_task_write_log: id: <%08x@example.net>, qid: <%s>, ip: "
        "198.51.100.%u, from: <%s@example.net>, (default: F (no action): [%u.%02u/15.00] "
        "[BAYES_HAM(-%u.00){99.%02u%%;},R_SPF_ALLOW(-0.20){+ip4:198.51.100.0/24;},"
        "MIME_GOOD(-0.10){text/plain;}]), len: %u, time: %u.%ums, dns req: %u, digest: "
        "<%08x%08x>, rcpts: <%s@example.org>",
        below(t, 1U << 24), below(t, 1U << 31), queue_id(next_random(t), id), below(t, 250) + 1,
        users[below(t, SLG_ARRAY_LEN(users))], below(t, 6), below(t, 100), below(t, 4),
        below(t, 100), 2000 + below(t, 90000), below(t, 900), below(t, 10), below(t, 60),
        below(t, 1U << 31), below(t, 1U << 31), users[below(t, SLG_ARRAY_LEN(users))]);
}

static void filterlog(struct slg_traffic *t, struct slg_traffic_message *m)
{
    static const unsigned ports[] = { 25, 443, 587, 993, 22, 8080 };

    m->host = "pfsense";
    m->facility = 16;
    m->app = "filterlog";
    say(m,
        "%u,,,%u,vtnet0,match,%s,in,4,0x0,,%u,%u,0,DF,6,tcp,60,203.0.113.%u,198.51.100.10,%u,%u,0,"
        "S,"
        "%u,,64240,,mss;nop;wscale",
        4 + below(t, 90), 1000000103U + below(t, 40), below(t, 5) > 0 ? "block" : "pass",
        40 + below(t, 200), below(t, 65535), below(t, 250) + 1, 1024 + below(t, 64000),
        ports[below(t, SLG_ARRAY_LEN(ports))], below(t, 1U << 31));
}

static void sshd(struct slg_traffic *t, struct slg_traffic_message *m)
{
    m->facility = 4;
    m->severity = 5;
    m->app = "sshd-session";
    say(m, "Failed password for invalid user %s from 203.0.113.%u port %u ssh2",
        users[below(t, SLG_ARRAY_LEN(users))], below(t, 250) + 1, 1024 + below(t, 64000));
}

void slg_traffic_next(struct slg_traffic *traffic, struct slg_traffic_message *ret_message)
{
    unsigned share = below(traffic, 100);

    ret_message->host = hosts[below(traffic, SLG_ARRAY_LEN(hosts))];
    ret_message->severity = 6;
    ret_message->pid = 300 + below(traffic, 900);
    if (share < 62)
        postfix(traffic, ret_message);
    else if (share < 76)
        dovecot(traffic, ret_message);
    else if (share < 86)
        rspamd(traffic, ret_message);
    else if (share < 96)
        filterlog(traffic, ret_message);
    else
        sshd(traffic, ret_message);
}
