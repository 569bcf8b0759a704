/* Every program of the contracts, in each envelope (BSD, ISO time in BSD, RFC 5424) and over each transport (one
 * datagram, TCP lines, TCP with counts), gives the same program, pid, host and text.
 * Oracle: program, pid and text are given apart and must come back; nothing else may be cut off or added. */
#include "tests/helper/test.h"

#include "base/clock.h"
#include "ingester/frame.h"
#include "ingester/syslog.h"

#define RECEIVED (INT64_C(1795300950) * SLG_NS_PER_SEC)
#define EVENT    (INT64_C(1795300949) * SLG_NS_PER_SEC)

static const struct sample {
    const char *app;
    const char *pid; /* "": none */
    const char *text;
} samples[] = {
    { "postfix/postscreen", "88", "CONNECT from [203.0.113.9]:51122 to [198.51.100.10]:25" },
    { "postfix/postscreen", "88", "PASS NEW [203.0.113.9]:51122" },
    { "postfix/smtpd", "91", "connect from mail.example.net[203.0.113.9]" },
    { "postfix/qmgr", "70",
      "4gHk2P1Zx9z7Q: from=<ann@example.net>, size=2214, nrcpt=2 (queue active)" },
    { "postfix/smtp", "96",
      "4gHk2P1Zx9z7Q: to=<cy@example.com>, relay=mx.example.com[192.0.2.25]:25, dsn=4.7.1, "
      "status=deferred "
      "(host mx.example.com[192.0.2.25] said: 451 4.7.1 Greylisted (in reply to RCPT TO "
      "command))" },
    { "postfix/submission/smtpd", "91",
      "NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <x@example.com>: Relay access "
      "denied; "
      "from=<a@b.example> to=<x@example.com> proto=ESMTP helo=<b>" },
    { "postfix-out/bounce", "97",
      "4gHk2P1Zx9z7Q: sender non-delivery notification: 4gHk2T3Bb1z8R" },
    { "dovecot", "",
      "imap-login: Login: user=<bob@example.org>, method=PLAIN, rip=203.0.113.9, session=<q1W2>" },
    { "dovecot", "",
      "imap(bob@example.org)<220><q1W2e3R4>: Disconnected: Logged out in=210 out=4021" },
    { "dovecot", "", "managesieve-login: Info: x" },
    { "rspamd", "41",
      "(normal) <a1b2c3>; task; rspamd_task_write_log: id: <1@example.net>, (default: F (no "
      "action): "
      "[1.20/15.00] [R_SPF_ALLOW(-0.20){+ip4:203.0.113.0/24;},MIME_GOOD(-0.10){text/plain;}]), "
      "len: 2214" },
    { "sogod", "68", "203.0.113.9 \"POST /SOGo/connect HTTP/1.1\" 200 27/66 0.045 - - 0 - 13" },
    { "sogod", "68",
      "SOGoRootPage Login from '203.0.113.9' for user 'bob@example.org' might not have worked" },
    { "nginx", "",
      "203.0.113.9 - - [21/Nov/2026:23:42:29 +0100] \"GET /SOGo/ HTTP/2.0\" 200 512 \"-\" \"-\"" },
    { "nginx", "",
      "2026/11/21 23:42:29 [error] 31#31: *7 upstream timed out (110: Operation timed out)" },
    { "netfilter", "",
      "2026-11-21 23:42:29 WARN: 203.0.113.9 matched rule id 3 (warning: unknown)" },
    { "filterlog", "25715",
      "4,,,1000000103,vtnet0,match,block,in,4,0x0,,64,4711,0,DF,6,tcp,60,203.0.113.9,198.51.100.10,"
      "51122,"
      "25,0,S,1234567890,,64240,,mss;nop;wscale" },
    { "filterlog", "25715",
      "5,,,1000000105,vtnet0,match,pass,in,6,0x00,0x12345,64,UDP,17,40,2001:db8::9,2001:db8::10,"
      "5353,53,32" },
    { "pvedaemon", "1442",
      "<root@pam> starting task UPID:pve1:0000A1B2:0012C3D4:6B021E55:qmstart:101:root@pam:" },
    { "pvedaemon", "1443", "authentication failure; rhost=::ffff:203.0.113.9 user=root@pam msg=x" },
    { "corosync", "990", "[KNET  ] link: host: 2 link: 0 is down" },
    { "pve-ha-crm", "1200", "successfully acquired lock 'ha_manager_lock'" },
    { "sshd-session", "4312",
      "Failed password for invalid user x from 203.0.113.9 port 51122 ssh2" },
    { "sshd", "4312",
      "Connection closed by authenticating user root 203.0.113.9 port 5 [preauth]" },
    { "audisp-syslog", "512",
      "type=SYSCALL msg=audit(1795300949.123:4711): arch=c000003e key=\"x\"\x1D"
      "ARCH=x86_64 UID=\"root\"" },
    { "crowdsec", "",
      "time=\"2026-11-21T22:42:29Z\" level=info msg=\"Ip 203.0.113.9 performed 'ssh-bf'\"" },
    { "fail2ban.actions", "712", "NOTICE [sshd] Ban 203.0.113.9" },
    { "suricata", "9",
      "{\"timestamp\":\"2026-11-21T23:42:29.123456+0100\",\"alert\":{\"signature\":\"x\"}}" },
    { "suricata", "9", "{\"timestamp\":\"2026-11-21T23:42:29.123456+0100\",\"alert\":{\"signat" },
    { "Keepalived_vrrp", "801", "(VI_1) Entering MASTER STATE" },
    { "kernel", "", "[12345.678901] Out of memory: Killed process 4711 (x)" },
    { "CRON", "77", "(root) CMD (true)" },
    { "sudo", "", "ann : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls" },
    { "systemd", "1", "Started x.service - X." },
    { "haproxy", "9",
      "203.0.113.9:51122 [21/Nov/2026:23:42:29.123] fe be/s1 0/0/1/2/3 200 512 - - ----" },
    { "app", "", "bad bytes \xC0\xAF \xED\xA0\x80 \xFF stay" },
};

enum envelope { BSD, BSD_NO_HOST, ISO, RFC5424, ENVELOPES };

static size_t wrap(enum envelope envelope, const struct sample *s, char *out, size_t size)
{
    bool pid = s->pid[0] != '\0';
    const char *open = pid ? "[" : "";
    const char *close = pid ? "]" : "";
    int len = 0;

    switch (envelope) {
    case BSD:
    case ENVELOPES:
        len = snprintf(out, size, "<30>Nov 21 22:42:29 host1 %s%s%s%s: %s", s->app, open, s->pid,
                       close, s->text);
        break;
    case BSD_NO_HOST:
        len = snprintf(out, size, "<30>Nov 21 22:42:29 %s%s%s%s: %s", s->app, open, s->pid, close,
                       s->text);
        break;
    case ISO:
        len = snprintf(out, size, "<30>2026-11-21T23:42:29.000+01:00 host1 %s%s%s%s: %s", s->app,
                       open, s->pid, close, s->text);
        break;
    case RFC5424:
        len = snprintf(out, size, "<30>1 2026-11-21T22:42:29Z host1 %s %s - - %s", s->app,
                       pid ? s->pid : "-", s->text);
        break;
    }
    return (size_t)len;
}

static void check_message(const struct sample *s, enum envelope envelope, struct slg_text message)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));
    const char *host = envelope == BSD_NO_HOST ? "" : "host1";

    assert_non_null(m);
    slg_syslog_parse(&options, RECEIVED, message.at, message.len, m);
    if (!slg_text_equal_to(m->text, s->text) || !slg_text_equal_to(m->app, s->app))
        print_error("envelope %d: app %.*s text %.*s\n", (int)envelope, (int)m->app.len, m->app.at,
                    (int)m->text.len, m->text.at);
    CHECK(s->text, slg_text_equal_to(m->app, s->app));
    CHECK(s->text, slg_text_equal_to(m->pid, s->pid));
    CHECK(s->text, slg_text_equal_to(m->host, host));
    CHECK(s->text, slg_text_equal_to(m->text, s->text));
    CHECK(s->text, m->event_ns == EVENT);
    CHECK(s->text, (m->flags & (SLG_SYSLOG_PARSE_ERROR | SLG_SYSLOG_PRI_MISSING)) == 0);
    free(m);
}

/* The frames of a stream made of one sample in both framings: counted, line, counted. */
static void check_stream(const struct sample *s, enum envelope envelope, const char *line,
                         size_t len)
{
    struct slg_frame_splitter splitter;
    char stream[4096];
    size_t fill =
        (size_t)snprintf(stream, sizeof(stream), "%zu %s%s\n%zu %s", len, line, line, len, line);
    size_t at = 0;
    size_t frames = 0;

    slg_frame_init(&splitter, SLG_SYSLOG_BYTES_MAX);
    while (at < fill) {
        uint8_t *block = test_block(stream + at, fill - at);
        struct slg_frame frame;
        size_t used;

        CHECK(s->text, slg_frame_next(&splitter, block, fill - at, true, &frame, &used) == SLG_OK);
        check_message(s, envelope, frame.message);
        at += used;
        frames++;
        free(block);
    }
    CHECK(s->text, frames == 3);
}

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(samples); i++) {
        for (enum envelope envelope = BSD; envelope < ENVELOPES; envelope++) {
            char line[1024];
            size_t len = wrap(envelope, &samples[i], line, sizeof(line));
            uint8_t *block = test_block(line, len);

            check_message(&samples[i], envelope, slg_text_make(block, len));
            check_stream(&samples[i], envelope, line, len);
            free(block);
        }
    }
}

/* filterlog lines may stop after any field: the text is what came. */
static void test_filterlog_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(samples); i++) {
        if (strcmp(samples[i].app, "filterlog") != 0)
            continue;
        for (const char *comma = strchr(samples[i].text, ','); comma != NULL;
             comma = strchr(comma + 1, ',')) {
            char text[256];
            char line[512];
            struct sample cut = { "filterlog", "25715", text };

            (void)snprintf(text, sizeof(text), "%.*s", (int)(comma + 1 - samples[i].text),
                           samples[i].text);
            for (enum envelope envelope = BSD; envelope < ENVELOPES; envelope++) {
                size_t len = wrap(envelope, &cut, line, sizeof(line));

                check_message(&cut, envelope, slg_text_make(line, len));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_samples),
                                        cmocka_unit_test(test_filterlog_cut) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
