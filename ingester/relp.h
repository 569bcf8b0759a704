/* ingester/relp.h - the Reliable Event Logging Protocol as its server speaks it: frames in, answers out. Pure.
 *
 *     frame  = txnr SP command SP datalen [SP data] LF
 *     answer = txnr SP "rsp" SP datalen SP code SP text LF
 *
 * After librelp's specification (rsyslog/librelp doc/relp.md, version 0.0.1): numbers have 1 to 9 digits, a command 1 to
 * 32 letters; data is there only when datalen is not 0; txnr begins with 1 for the open of a connection and follows
 * itself, after 999,999,999 comes 1; 0 is a hint, which has no answer. A session is: open, any number of syslog, close.
 * Answers go out in the order of the commands. A framing mistake ends the connection; there is nothing to hold on to.
 * docs/adr/0013-relp.md says why this is not left to librelp.
 *
 * A message over data_bytes_max is delivered once, cut, with `truncated`, and the rest of it skipped, as in
 * ingester/frame.h: librelp's server would end the connection, and the sender come back with the same message for ever.
 * Refuses: what is not a frame, txnr out of turn, syslog before open (MALFORMED). Other commands are answered with 500.
 * Owner:   a frame borrows from the caller's buffer. Threads: one splitter and session per connection. */
#ifndef SLG_INGESTER_RELP_H
#define SLG_INGESTER_RELP_H

#include "base/buf.h"
#include "base/status.h"
#include "proto/label.h"

#define SLG_RELP_DIGITS_MAX       9U
#define SLG_RELP_NUMBER_MAX       UINT32_C(999999999)
#define SLG_RELP_COMMAND_MAX      32U
/* txnr SP command SP datalen SP, and the LF. */
#define SLG_RELP_FRAMING_MAX      ((size_t)2 * SLG_RELP_DIGITS_MAX + SLG_RELP_COMMAND_MAX + 4)
/* Of one answer of ours, all included. */
#define SLG_RELP_ANSWER_BYTES_MAX ((size_t)128)

enum slg_relp_command { SLG_RELP_OPEN, SLG_RELP_SYSLOG, SLG_RELP_CLOSE, SLG_RELP_OTHER };

struct slg_relp_frame {
    uint32_t txnr;
    enum slg_relp_command command;
    struct slg_text data;
    bool truncated;
};

struct slg_relp_splitter {
    size_t data_bytes_max; /* at least 480 */
    uint32_t skip_count;   /* octets of a cut message still to skip */
    bool skip_end;         /* and its LF */
};

void slg_relp_splitter_init(struct slg_relp_splitter *splitter, size_t data_bytes_max);

/* Look at bytes[0..len), the unread input. OK: *ret_frame, and *ret_used bytes are done with. AGAIN: more input is
 * needed, after dropping *ret_used bytes (0 unless something was skipped). MALFORMED: this is no RELP.
 * A buffer of data_bytes_max + SLG_RELP_FRAMING_MAX always makes progress. */
SLG_MUST_CHECK enum slg_status slg_relp_next(struct slg_relp_splitter *splitter,
                                             const uint8_t *bytes, size_t len,
                                             struct slg_relp_frame *ret_frame, size_t *ret_used);

struct slg_relp_session {
    uint32_t next_txnr;
    bool opened;
};

enum slg_relp_step {
    SLG_RELP_TAKE,   /* a message: answer it with SLG_RELP_ACCEPTED when it is accepted */
    SLG_RELP_ANSWER, /* answer with *ret_answer in turn */
    SLG_RELP_END,    /* likewise, then end the connection */
    SLG_RELP_IGNORE, /* a hint */
};

#define SLG_RELP_ACCEPTED "200 OK"

void slg_relp_session_init(struct slg_relp_session *session);
/* What a frame asks for. *ret_answer is a constant. MALFORMED: end the connection without an answer. */
SLG_MUST_CHECK enum slg_status slg_relp_session_step(struct slg_relp_session *session,
                                                     const struct slg_relp_frame *frame,
                                                     enum slg_relp_step *ret_step,
                                                     const char **ret_answer);

uint32_t slg_relp_txnr_after(uint32_t txnr);
void slg_relp_write_answer(struct slg_buf *out, uint32_t txnr, const char *answer);
/* The hint that this end closes the connection. */
void slg_relp_write_serverclose(struct slg_buf *out);

#endif
