/* storer/stream_map.h - which streams a query wants: stream id -> prepared stream, decided once per stream.
 *
 * Owner:   the scan; values belong to the remote. Threads: one at a time.
 * Refuses: more than SLG_STREAM_MAP_COUNT_MAX streams (LIMIT). */
#ifndef SLG_STORER_STREAM_MAP_H
#define SLG_STORER_STREAM_MAP_H

#include <stdbool.h>

#include "logql/plan/remote.h"

#define SLG_STREAM_MAP_COUNT_MAX ((size_t)1 << 22) /* 4 M streams, 128 MB */

struct slg_stream_map_slot {
    struct slg_stream_id id;
    bool used;
    struct slg_remote_stream *stream; /* NULL: not wanted */
};
struct slg_stream_map {
    struct slg_stream_map_slot *slots; /* open addressing; capacity is a power of two */
    size_t capacity;
    size_t count;
};

void slg_stream_map_init(struct slg_stream_map *map);
void slg_stream_map_fini(struct slg_stream_map *map);
/* NULL: never decided. */
const struct slg_stream_map_slot *slg_stream_map_find(const struct slg_stream_map *map,
                                                      const struct slg_stream_id *id);
/* Add an id that is not there. NO_MEMORY, LIMIT. */
SLG_MUST_CHECK enum slg_status slg_stream_map_add(struct slg_stream_map *map,
                                                  const struct slg_stream_id *id,
                                                  struct slg_remote_stream *stream);

#endif
