/* logql/pipe/path.h - what stands behind the '=' of `| json a="b.c[0]"` and `| logfmt a="b"`.
 *
 * Both are little languages with tokens of their own; what is refused is refused in Loki's words, where a complaint
 * about a character stands only if all before it was a whole expression. Threads: none shared. Keys point into text. */
#ifndef SLG_LOGQL_PIPE_PATH_H
#define SLG_LOGQL_PIPE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "proto/label.h"

/* Nesting of objects that is followed, and parts of a path. */
#define SLG_JSON_DEPTH_MAX 512

struct slg_json_segment {
    bool is_index;
    struct slg_text key;
    uint64_t index;
};

struct slg_json_path {
    const struct slg_json_segment *segments;
    size_t segment_count; /* at least 1 */
};

/* Parse `a.b["c d"][0]`. INVALID with the reason; LIMIT: arena. */
SLG_MUST_CHECK enum slg_status slg_json_path_parse(struct slg_arena *arena, struct slg_text text,
                                                   struct slg_json_path *ret_path,
                                                   struct slg_error *reterr);

/* Parse `a`, `"a"`, `a "b"`. *ret_key: "" when no key of a line can be meant. INVALID with the reason. */
SLG_MUST_CHECK enum slg_status slg_logfmt_path_parse(struct slg_text text, struct slg_text *ret_key,
                                                     struct slg_error *reterr);

#endif
