/* proto/lz4.h - LZ4 blocks, which the payload of a batch is (docs/FORMATS.md section 2).
 *
 * Refuses: a block that does not unpack to exactly the size its header states.
 * Limits:  sizes are at most SLG_BATCH_BYTES_MAX, checked by the caller.
 * Threads: pure. */
#ifndef SLG_PROTO_LZ4_H
#define SLG_PROTO_LZ4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most that len bytes can take when packed. */
size_t slg_lz4_bound(size_t len);
/* Pack into out[capacity], capacity >= slg_lz4_bound(len); returns the packed size. */
size_t slg_lz4_pack(const uint8_t *bytes, size_t len, uint8_t *out, size_t capacity);
/* False: damaged, or not exactly out_len bytes when unpacked; out is then of no use. */
bool slg_lz4_unpack(const uint8_t *bytes, size_t len, uint8_t *out, size_t out_len);

#endif
