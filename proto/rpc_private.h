/* proto/rpc_private.h - what rpc.c, rpc_query.c and rpc_repair.c share. Not for other modules. */
#ifndef SLG_PROTO_RPC_PRIVATE_H
#define SLG_PROTO_RPC_PRIVATE_H

#include "proto/rpc.h"
#include "proto/wire.h"

/* Longest text of a reply's reason. */
#define RPC_TEXT_BYTES_MAX ((size_t)1024)

/* [version, type, ...field_count more]. */
void slg_rpc_begin_request(struct slg_buf *out, enum slg_rpc_type type, size_t field_count);
/* A reader behind version and type, for a request of exactly this type and number of fields. */
SLG_MUST_CHECK enum slg_status slg_rpc_open_request(const uint8_t *bytes, size_t len,
                                                    enum slg_rpc_type type, size_t field_count,
                                                    struct slg_wire_reader *ret_reader);
/* [version, status OK, "", ...field_count more]. */
void slg_rpc_begin_reply(struct slg_buf *out, size_t field_count);
/* A reader behind the head of an OK reply; a failed reply gives its status and text. */
SLG_MUST_CHECK enum slg_status slg_rpc_open_reply(const uint8_t *bytes, size_t len,
                                                  size_t field_count,
                                                  struct slg_wire_reader *ret_reader,
                                                  struct slg_error *reterr);
/* MALFORMED unless everything was read well and nothing is left. */
SLG_MUST_CHECK enum slg_status slg_rpc_close(const struct slg_wire_reader *r);

/* The same for a reply, with a text for people. */
SLG_MUST_CHECK enum slg_status slg_rpc_close_reply(const struct slg_wire_reader *r,
                                                   struct slg_error *reterr);

void slg_rpc_put_shard(struct slg_buf *out, const struct slg_shard_id *shard);
bool slg_rpc_take_shard(struct slg_wire_reader *r, struct slg_shard_id *ret_shard);
/* An array of shards, at most SLG_QUERY_SHARD_COUNT_MAX; taken into the arena: MALFORMED, LIMIT. */
void slg_rpc_put_shards(struct slg_buf *out, const struct slg_shard_id *shards, size_t count);
SLG_MUST_CHECK enum slg_status slg_rpc_take_shards(struct slg_arena *arena,
                                                   struct slg_wire_reader *r,
                                                   const struct slg_shard_id **ret_shards,
                                                   size_t *ret_count);
/* An array of shard sets, as for shards. */
void slg_rpc_put_shard_sets(struct slg_buf *out, const struct slg_rpc_shard_set *sets,
                            size_t count);
SLG_MUST_CHECK enum slg_status slg_rpc_take_shard_sets(struct slg_arena *arena,
                                                       struct slg_wire_reader *r,
                                                       struct slg_rpc_shard_set **ret_sets,
                                                       size_t *ret_count);
bool slg_rpc_take_fixed(struct slg_wire_reader *r, uint8_t *ret_bytes, size_t len);

#endif
