/* ingester/mail.h - the ids that tie the lines of one mail together, read from the text (metadata queue_id,
 * message_id).
 *
 * Postfix: `4gHk2P1Zx9z7Q: ...` in front, `message-id=<..>` from cleanup. Dovecot: `msgid=<..>`. Rspamd: `id: <..>`
 * and `qid: <..>` of its summary line. Ids come without angle brackets.
 * Threads: pure. */
#ifndef SLG_INGESTER_MAIL_H
#define SLG_INGESTER_MAIL_H

#include "proto/label.h"

enum slg_mail_kind {
    SLG_MAIL_NONE,
    SLG_MAIL_POSTFIX,
    SLG_MAIL_POSTFIX_CLEANUP,
    SLG_MAIL_DOVECOT,
    SLG_MAIL_RSPAMD,
};

/* By the program: instance/daemon or instance/service/daemon is Postfix when the instance is called postfix... or
 * the daemon is one of Postfix's; "dovecot..." and names with "rspamd" in them. */
enum slg_mail_kind slg_mail_kind_of(struct slg_text app);

/* "postfix" for all daemons of Postfix, else app. */
struct slg_text slg_mail_service(enum slg_mail_kind kind, struct slg_text app);

/* The empty text when there is none (NOQUEUE is none). */
struct slg_text slg_mail_queue_id(enum slg_mail_kind kind, struct slg_text text);
struct slg_text slg_mail_message_id(enum slg_mail_kind kind, struct slg_text text);

#endif
