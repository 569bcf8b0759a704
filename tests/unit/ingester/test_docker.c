/* What Docker's log driver sends is recognised by its header, and the header nested in it is undone once; lines that
 * only look like it stay as they are.
 * Oracle: the fields of contracts section 2 and 3.1, by hand. */
#include "tests/helper/test.h"

#include "base/clock.h"
#include "ingester/docker.h"

#define RECEIVED (INT64_C(1795300950) * SLG_NS_PER_SEC)
#define EVENT    (INT64_C(1795300949) * SLG_NS_PER_SEC)
#define DOCKER   SLG_SYSLOG_DOCKER
#define NESTED   (SLG_SYSLOG_DOCKER | SLG_SYSLOG_NESTED)
#define AUTO     SLG_DOCKER_AUTO
#define POSTFIX  "mailcowdockerized-postfix-mailcow-1"

static const struct row {
    const char *name;
    enum slg_docker_mode mode;
    const char *input;
    uint32_t flags; /* of DOCKER and NESTED */
    const char *host, *app, *pid, *msgid, *container, *text;
    int64_t event_ns;
} rows[] = {
    { "nested, rfc5424micro", AUTO,
      "<158>1 2026-11-21T23:42:29.130112+01:00 dock1 " POSTFIX " 1203 " POSTFIX
      " - Nov 21 23:42:29 3f2a9c0d1e4b postfix/smtpd[4312]: connect from unknown[203.0.113.9]",
      NESTED, "dock1", "postfix/smtpd", "4312", "", POSTFIX, "connect from unknown[203.0.113.9]",
      EVENT + 130112000 },
    { "nested, iso inside", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 " POSTFIX " 1203 " POSTFIX
      " - 2026-11-21T23:42:29.1+01:00 3f2a9c0d1e4b postfix/smtpd[4312]: connect from",
      NESTED, "dock1", "postfix/smtpd", "4312", "", POSTFIX, "connect from", EVENT },
    { "nested, sogo's space", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 web 1203 web - Nov 21 23:42:29 3f2a9c0d1e4b sogod [68]: "
      "203.0.113.9 \"POST",
      NESTED, "dock1", "sogod", "68", "", "web", "203.0.113.9 \"POST", EVENT },
    { "nested, rfc3164 with host", AUTO,
      "<158>Nov 21 22:42:29 dock1 " POSTFIX "[1203]: Nov 21 23:42:29 3f2a9c0d1e4b dovecot[9]: "
      "auth: x",
      NESTED, "dock1", "dovecot", "9", "", POSTFIX, "auth: x", EVENT },
    { "nested, no format set", AUTO,
      "<158>Nov 21 22:42:29 3f2a9c0d1e4b[1203]: Nov 21 23:42:29 3f2a9c0d1e4b postfix/qmgr[70]: x",
      NESTED, "", "postfix/qmgr", "70", "", "", "x", EVENT },
    { "plain, rfc5424", AUTO, "<30>1 2026-11-21T23:42:29+01:00 dock1 web 1203 web - text", DOCKER,
      "dock1", "web", "", "", "web", "text", EVENT },
    { "plain, leading spaces stay", AUTO,
      "<30>1 2026-11-21T23:42:29+01:00 dock1 web 1203 web -     at x.y", DOCKER, "dock1", "web", "",
      "", "web", "    at x.y", EVENT },
    { "plain, bare id", AUTO, "<30>Nov 21 22:42:29 3f2a9c0d1e4b[1203]: text", DOCKER, "",
      "3f2a9c0d1e4b", "", "", "", "text", EVENT },
    { "plain, image, name and id", AUTO,
      "<30>Nov 21 22:42:29 dock1 hello-world/foobar/5790672ab6a0[9103]: ERROR Hello", DOCKER,
      "dock1", "hello-world/foobar/5790672ab6a0", "", "", "hello-world/foobar", "ERROR Hello",
      EVENT },
    { "plain, name and id, rfc5424", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 web/3f2a9c0d1e4b 1203 web/3f2a9c0d1e4b - text", DOCKER,
      "dock1", "web/3f2a9c0d1e4b", "", "", "web", "text", EVENT },
    { "nested, name and id", AUTO,
      "<158>Nov 21 22:42:29 dock1 a-postfix/3f2a9c0d1e4b[1203]: Nov 21 23:42:29 3f2a9c0d1e4b "
      "postfix/qmgr[70]: x",
      NESTED, "dock1", "postfix/qmgr", "70", "", "a-postfix", "x", EVENT },
    { "rfc5424, a path that ends in no id", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 img/web 1203 img/web - text", DOCKER, "dock1", "img/web",
      "", "", "img/web", "text", EVENT },
    { "an id is its last part only", AUTO, "<30>Nov 21 22:42:29 h 3f2a9c0d1e4b/web[1203]: text", 0,
      "h", "3f2a9c0d1e4b/web", "1203", "", "", "text", EVENT },
    { "a path that ends in hex digits, one too few", AUTO,
      "<30>Nov 21 22:42:29 h web/3f2a9c0d1e4[1203]: text", 0, "h", "web/3f2a9c0d1e4", "1203", "",
      "", "text", EVENT },
    { "an id without a pid", AUTO, "<30>Nov 21 22:42:29 h web/3f2a9c0d1e4b: text", 0, "h",
      "web/3f2a9c0d1e4b", "", "", "", "text", EVENT },
    { "a daemon with a path", AUTO, "<30>Nov 21 22:42:29 h postfix/smtpd[1203]: text", 0, "h",
      "postfix/smtpd", "1203", "", "", "text", EVENT },
    { "plain, full id", AUTO,
      "<30>Nov 21 22:42:29 dock1 "
      "3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a[1]: text",
      DOCKER, "dock1", "3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a9c0d1e4b3f2a", "", "",
      "", "text", EVENT },
    { "plain, compose name", AUTO, "<30>Nov 21 22:42:29 dock1 shop_web_12[1203]: text", DOCKER,
      "dock1", "shop_web_12", "", "", "shop_web_12", "text", EVENT },
    { "rspamd's own time is no header", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 a-rspamd-1 1203 a-rspamd-1 - 2026-11-21 23:42:29 "
      "#41(normal) <a1b2c3>; task; rspamd_task_write_log: id: <x>",
      DOCKER, "dock1", "a-rspamd-1", "", "", "a-rspamd-1",
      "2026-11-21 23:42:29 #41(normal) <a1b2c3>; task; rspamd_task_write_log: id: <x>", EVENT },
    { "inner tag without pid is no header", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 web 1203 web - Nov 21 23:42:29 host note: x", DOCKER,
      "dock1", "web", "", "", "web", "Nov 21 23:42:29 host note: x", EVENT },
    { "nested dovecot, no pid, a container id", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 a-dovecot-1 1203 a-dovecot-1 - Nov 21 23:42:29 "
      "3f2a9c0d1e4b "
      "dovecot: imap-login: Login: user=<bob>",
      NESTED, "dock1", "dovecot", "", "", "a-dovecot-1", "imap-login: Login: user=<bob>", EVENT },
    { "nested dovecot, no pid, a name with dots", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 a-dovecot-1 1203 a-dovecot-1 - Nov 21 23:42:29 "
      "mail.example.org dovecot: auth: x",
      NESTED, "dock1", "dovecot", "", "", "a-dovecot-1", "auth: x", EVENT },
    { "nested, no pid, the host of Docker", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 web 1203 web - Nov 21 23:42:29 dock1 note: x", NESTED,
      "dock1", "note", "", "", "web", "x", EVENT },
    { "no pid, 12 letters that are no id", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 web 1203 web - Nov 21 23:42:29 abcdefabcdeg note: x",
      DOCKER, "dock1", "web", "", "", "web", "Nov 21 23:42:29 abcdefabcdeg note: x", EVENT },
    { "nested, no space behind the colon", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 web 1203 web - Nov 21 23:42:29 plain app[12]:x", NESTED,
      "dock1", "app", "12", "", "web", "x", EVENT },
    { "nested, a host that begins like a level", AUTO,
      "<158>1 2026-11-21T22:42:29Z dock1 web 1203 web - Nov 21 23:42:29 info-desk app[12]: x",
      NESTED, "dock1", "app", "12", "", "web", "x", EVENT },
    { "a pid without a colon is no header", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 web 1203 web - 2026-11-21T23:42:29Z main worker[12] done",
      DOCKER, "dock1", "web", "", "", "web", "2026-11-21T23:42:29Z main worker[12] done", EVENT },
    { "nor behind a container id", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 web 1203 web - 2026-11-21T23:42:29Z 3f2a9c0d1e4b app[12] x",
      DOCKER, "dock1", "web", "", "", "web", "2026-11-21T23:42:29Z 3f2a9c0d1e4b app[12] x", EVENT },
    { "a level word, pid without a colon", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 web 1203 web - 2026-11-21T23:42:29Z INFO worker[12] done",
      DOCKER, "dock1", "web", "", "", "web", "2026-11-21T23:42:29Z INFO worker[12] done", EVENT },
    { "a level word is no host", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 web 1203 web - 2026-11-21T23:42:29Z ERROR main.go[12]: x",
      DOCKER, "dock1", "web", "", "", "web", "2026-11-21T23:42:29Z ERROR main.go[12]: x", EVENT },
    { "unwrapped once only", AUTO,
      "<30>1 2026-11-21T22:42:29Z dock1 web 1203 web - Nov 21 23:42:29 a b[1]: Nov 21 23:42:29 c "
      "d[2]: x",
      NESTED, "dock1", "b", "1", "", "web", "Nov 21 23:42:29 c d[2]: x", EVENT },
    { "looks nested, is not Docker", AUTO,
      "<30>1 2026-11-21T22:42:29Z h relay 1203 - - Nov 21 23:42:29 a postfix/smtpd[1]: x", 0, "h",
      "relay", "1203", "", "", "Nov 21 23:42:29 a postfix/smtpd[1]: x", EVENT },
    { "looks nested, 3164, is not Docker", AUTO,
      "<30>Nov 21 22:42:29 h relay[3]: Nov 21 23:42:29 a postfix/smtpd[1]: x", 0, "h", "relay", "3",
      "", "", "Nov 21 23:42:29 a postfix/smtpd[1]: x", EVENT },
    { "msgid differs", AUTO, "<30>1 2026-11-21T22:42:29Z h web 1203 ID47 - x", 0, "h", "web",
      "1203", "ID47", "", "x", EVENT },
    { "pid is a word", AUTO, "<30>1 2026-11-21T22:42:29Z h web main web - x", 0, "h", "web", "main",
      "web", "", "x", EVENT },
    { "with structured data", AUTO, "<30>1 2026-11-21T22:42:29Z h web 1 web [a b=\"c\"] x", 0, "h",
      "web", "1", "web", "", "x", EVENT },
    { "an ordinary daemon", AUTO, "<30>Nov 21 22:42:29 h sshd[3]: x", 0, "h", "sshd", "3", "", "",
      "x", EVENT },
    { "a daemon with a dash", AUTO, "<30>Nov 21 22:42:29 h sshd-session[3]: x", 0, "h",
      "sshd-session", "3", "", "", "x", EVENT },
    { "told to", SLG_DOCKER_YES, "<30>Nov 21 22:42:29 dock1 web[3]: x", DOCKER, "dock1", "web", "",
      "", "web", "x", EVENT },
    { "told to, nested", SLG_DOCKER_YES,
      "<30>Nov 21 22:42:29 dock1 web[3]: Nov 21 23:42:29 a postfix/smtpd[1]: x", NESTED, "dock1",
      "postfix/smtpd", "1", "", "web", "x", EVENT },
    { "told not to", SLG_DOCKER_NO, "<30>1 2026-11-21T22:42:29Z dock1 web 1203 web - x", 0, "dock1",
      "web", "1203", "web", "", "x", EVENT },
};

static void check(const char *row, const char *field, struct slg_text got, const char *want)
{
    if (!slg_text_equal_to(got, want)) {
        print_error("row \"%s\": %s is \"%.*s\", not \"%s\"\n", row, field, (int)got.len,
                    got.len > 0 ? got.at : "", want);
        fail();
    }
}

static void test_rows(void **state)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));

    (void)state;
    assert_non_null(m);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        size_t len = strlen(row->input);
        char *input = (char *)test_block(row->input, len);

        slg_syslog_parse(&options, RECEIVED, input, len, m);
        slg_docker_apply(row->mode, m);
        CHECK(row->name, (m->flags & NESTED) == row->flags);
        check(row->name, "host", m->host, row->host);
        check(row->name, "app", m->app, row->app);
        check(row->name, "pid", m->pid, row->pid);
        check(row->name, "msgid", m->msgid, row->msgid);
        check(row->name, "container", m->container, row->container);
        check(row->name, "text", m->text, row->text);
        check(row->name, "whole", m->whole, row->input);
        CHECK(row->name, m->event_ns == row->event_ns);
        free(input);
    }
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
