/* storer/streams.h - answers SLG_RPC_STREAMS: the streams that have entries in a time range, with estimated counts.
 *
 * From the stream tables and batch summaries alone; no batch is opened. A batch that lies partly in the range counts
 * with the share of its time that does.
 * Threads: pure but for the catalogue; any thread.
 * Refuses: bad selectors (INVALID, in Loki's words), more streams than SLG_STREAMS_MEMORY_BYTES_MAX holds (LIMIT). */
#ifndef SLG_STORER_STREAMS_H
#define SLG_STORER_STREAMS_H

#include "proto/rpc.h"
#include "storer/catalogue.h"

#define SLG_STREAMS_MEMORY_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* Append the encoded reply. cutoff_ns: entries before it are gone (H10). */
SLG_MUST_CHECK enum slg_status slg_streams_answer(struct slg_catalogue *catalogue,
                                                  const struct slg_rpc_streams *request,
                                                  int64_t cutoff_ns, struct slg_buf *out,
                                                  struct slg_error *reterr);

#endif
