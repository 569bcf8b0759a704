/* ctl/traffic.h - made-up but realistic mail traffic: what `silagectl load` sends.
 *
 * The same seed gives the same lines. Shares: Postfix 62 %, Dovecot 14 %, Rspamd 10 %, filterlog 10 %, sshd 4 %.
 * Threads: one per generator. */
#ifndef SLG_CTL_TRAFFIC_H
#define SLG_CTL_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>

#define SLG_TRAFFIC_TEXT_BYTES 1024

struct slg_traffic {
    uint64_t state;
    uint64_t mails[64]; /* queue ids under way */
    uint8_t stages[64];
};

struct slg_traffic_message {
    const char *host;  /* "mail01" */
    const char *app;   /* "postfix/smtp" */
    unsigned facility; /* RFC 5424 table 1 */
    unsigned severity;
    unsigned pid;
    char text[SLG_TRAFFIC_TEXT_BYTES]; /* NUL-terminated */
    size_t text_len;
};

void slg_traffic_init(struct slg_traffic *traffic, uint64_t seed);
void slg_traffic_next(struct slg_traffic *traffic, struct slg_traffic_message *ret_message);

#endif
