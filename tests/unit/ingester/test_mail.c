/* Programs are told apart and ids are read from the lines of contracts sections 4 to 6.
 * Oracle: kinds and ids by hand. */
#include "tests/helper/test.h"

#include "ingester/mail.h"

static const struct kind_row {
    const char *app;
    enum slg_mail_kind kind;
    const char *service;
} kind_rows[] = {
    { "postfix/smtpd", SLG_MAIL_POSTFIX, "postfix" },
    { "postfix/submission/smtpd", SLG_MAIL_POSTFIX, "postfix" },
    { "postfix-out/cleanup", SLG_MAIL_POSTFIX_CLEANUP, "postfix" },
    { "postfix/cleanup", SLG_MAIL_POSTFIX_CLEANUP, "postfix" },
    { "postfix/something-new", SLG_MAIL_POSTFIX, "postfix" },
    { "enforced-tls-smtp/smtp", SLG_MAIL_POSTFIX, "postfix" },
    { "watchdog/smtpd", SLG_MAIL_POSTFIX, "postfix" },
    { "postfix", SLG_MAIL_POSTFIX, "postfix" },
    { "postfix-tlspol", SLG_MAIL_NONE, "postfix-tlspol" },
    { "dovecot", SLG_MAIL_DOVECOT, "dovecot" },
    { "rspamd", SLG_MAIL_RSPAMD, "rspamd" },
    { "mailcowdockerized-rspamd-mailcow-1", SLG_MAIL_RSPAMD, "mailcowdockerized-rspamd-mailcow-1" },
    { "/usr/sbin/smtpd", SLG_MAIL_NONE, "/usr/sbin/smtpd" },
    { "haproxy", SLG_MAIL_NONE, "haproxy" },
    { "a/b", SLG_MAIL_NONE, "a/b" },
    { "", SLG_MAIL_NONE, "" },
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(kind_rows); i++) {
        struct slg_text app = slg_text_of(kind_rows[i].app);
        enum slg_mail_kind kind = slg_mail_kind_of(app);

        CHECK(kind_rows[i].app, kind == kind_rows[i].kind);
        CHECK(kind_rows[i].app,
              slg_text_equal_to(slg_mail_service(kind, app), kind_rows[i].service));
    }
}

static const struct id_row {
    enum slg_mail_kind kind;
    const char *text;
    const char *queue_id, *message_id;
} id_rows[] = {
    { SLG_MAIL_POSTFIX, "4gHk2P1Zx9z7Q: client=mail.example.net[203.0.113.9]", "4gHk2P1Zx9z7Q",
      "" },
    { SLG_MAIL_POSTFIX, "4gHk2P1Zx9z7Q: removed", "4gHk2P1Zx9z7Q", "" },
    { SLG_MAIL_POSTFIX, "A1B2C3: removed", "A1B2C3", "" },
    { SLG_MAIL_POSTFIX, "DEADBEEF0123456: removed", "DEADBEEF0123456", "" },
    { SLG_MAIL_POSTFIX, "A1B2C: removed", "", "" },
    { SLG_MAIL_POSTFIX, "DEADBEEF01234567: x", "", "" },
    { SLG_MAIL_POSTFIX, "bcdfghjklmnpqrstvwxz: x", "bcdfghjklmnpqrstvwxz", "" },
    { SLG_MAIL_POSTFIX, "bcdfghjklmnpqrstvwxzb: x", "", "" },
    { SLG_MAIL_POSTFIX, "bcdfghjkl: x", "", "" },
    { SLG_MAIL_POSTFIX, "NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1", "", "" },
    { SLG_MAIL_POSTFIX, "warning: hostname x", "", "" },
    { SLG_MAIL_POSTFIX, "statistics: max connection rate", "", "" },
    { SLG_MAIL_POSTFIX, "connect from unknown[203.0.113.9]", "", "" },
    { SLG_MAIL_POSTFIX, "4gHk2P1Zx9z7Q", "", "" },
    { SLG_MAIL_POSTFIX, "4gHk2P1Zx9z7Q:", "4gHk2P1Zx9z7Q", "" },
    { SLG_MAIL_POSTFIX, "4gHk2P1Zx9z7Q:x", "", "" },
    { SLG_MAIL_POSTFIX, "", "", "" },
    { SLG_MAIL_POSTFIX, "4gHk2P1Zx9z7Q: message-id=<a@b>", "4gHk2P1Zx9z7Q", "" },
    { SLG_MAIL_POSTFIX_CLEANUP, "4gHk2P1Zx9z7Q: message-id=<20261121.1@example.net>",
      "4gHk2P1Zx9z7Q", "20261121.1@example.net" },
    { SLG_MAIL_POSTFIX_CLEANUP, "4gHk2P1Zx9z7Q: message-id=<>", "4gHk2P1Zx9z7Q", "" },
    { SLG_MAIL_POSTFIX_CLEANUP, "4gHk2P1Zx9z7Q: message-id=<a", "4gHk2P1Zx9z7Q", "" },
    { SLG_MAIL_POSTFIX_CLEANUP, "4gHk2P1Zx9z7Q: resent-message-id=<a@b>", "4gHk2P1Zx9z7Q", "" },
    { SLG_MAIL_DOVECOT,
      "lmtp(bob@example.org)<231><abcDEF==>: sieve: msgid=<1@example.net>: stored", "",
      "1@example.net" },
    { SLG_MAIL_DOVECOT, "imap-login: Login: user=<bob>", "", "" },
    { SLG_MAIL_DOVECOT, "<msgid=>, <a>, msgid=<<2@x>: stored", "", "<2@x" },
    { SLG_MAIL_DOVECOT, "sgid=<1@x>", "", "" },
    { SLG_MAIL_DOVECOT, "msgid=<a b>, msgid=<1@x>", "", "" },
    { SLG_MAIL_RSPAMD,
      "<a1b2c3>; task; rspamd_task_write_log: id: <1@example.net>, qid: <4gHk2P1Zx9z7Q>, ip: x",
      "4gHk2P1Zx9z7Q", "1@example.net" },
    { SLG_MAIL_NONE, "4gHk2P1Zx9z7Q: message-id=<a@b>", "", "" },
};

static void test_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(id_rows); i++) {
        size_t len = strlen(id_rows[i].text);
        uint8_t *block = test_block(id_rows[i].text, len);
        struct slg_text text = slg_text_make(block, len);

        CHECK(id_rows[i].text,
              slg_text_equal_to(slg_mail_queue_id(id_rows[i].kind, text), id_rows[i].queue_id));
        CHECK(id_rows[i].text,
              slg_text_equal_to(slg_mail_message_id(id_rows[i].kind, text), id_rows[i].message_id));
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds), cmocka_unit_test(test_ids) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
