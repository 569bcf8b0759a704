/* querier/tail_out.h - what a tail has to send: rows as Loki's JSON messages in WebSocket frames, bounded.
 *
 *   {"streams":[{"stream":{..},"values":[["ts","line"]]}],"encodingFlags":[..],
 *    "dropped_entries":[{"labels":{..},"timestamp":"ts"}]}
 *
 * Rows of one message stand in the order in which they were given: a stream is named again whenever the label set
 * changes. A message holds about 64 KiB or 100 rows. When SLG_TAIL_OUT_BYTES wait to be sent there is no room: the
 * caller waits or drops, and up to 1000 dropped rows are listed in the next message.
 * Owner:   the tail; `pending` bytes are borrowed until the next call. Threads: one. No I/O. */
#ifndef SLG_QUERIER_TAIL_OUT_H
#define SLG_QUERIER_TAIL_OUT_H

#include "logql/plan/page.h"
#include "proto/websocket.h"

#define SLG_TAIL_OUT_BYTES         ((size_t)1 << 20)
#define SLG_TAIL_MESSAGE_ROW_MAX   ((size_t)100)
#define SLG_TAIL_MESSAGE_BYTES     ((size_t)64 * 1024)
#define SLG_TAIL_DROPPED_COUNT_MAX ((size_t)1000) /* as Loki's maxDroppedEntriesPerTailResponse */
#define SLG_TAIL_DROPPED_BYTES     ((size_t)256 * 1024)

struct slg_tail_out; /* opaque */

/* encoding_flags: comma separated, empty: none; copied. categorize: values have three elements. NULL: no memory. */
SLG_MUST_CHECK struct slg_tail_out *slg_tail_out_create(struct slg_text encoding_flags,
                                                        bool categorize);
void slg_tail_out_destroy(struct slg_tail_out *out); /* NULL is fine */

/* Is there room for a row? Control frames always find some. */
bool slg_tail_out_room(const struct slg_tail_out *out);
/* Copy a row into the message in hand. */
void slg_tail_out_row(struct slg_tail_out *out, const struct slg_row *row);
/* A row that is not shown: listed, or only counted when the list is full. */
void slg_tail_out_drop(struct slg_tail_out *out, const struct slg_row *row);
/* End the message in hand, so that it can be sent; dropped rows alone make one, too, when there is room. */
void slg_tail_out_flush(struct slg_tail_out *out);
void slg_tail_out_control(struct slg_tail_out *out, enum slg_websocket_opcode opcode,
                          const void *payload, size_t len);
void slg_tail_out_close(struct slg_tail_out *out, unsigned code, const char *reason);

/* What waits to be sent, from its first byte. */
struct slg_text slg_tail_out_pending(const struct slg_tail_out *out);
void slg_tail_out_sent(struct slg_tail_out *out, size_t len);
/* Memory ran out: nothing that comes can be trusted, end the tail. */
bool slg_tail_out_failed(const struct slg_tail_out *out);

#endif
