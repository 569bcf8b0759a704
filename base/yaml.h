/* base/yaml.h - walk a small YAML document as a flat sequence of nodes with their path and line.
 *
 * The only file pair that knows the YAML library. For `a: {b: [x, {c: y}]}` the walk shows, in order:
 *   ""  MAP · "a" MAP · "a.b" LIST · "a.b[0]" SCALAR x · "a.b[1]" MAP · "a.b[1].c" SCALAR y
 * Refuses: more than one document, anchors and aliases, keys that are not plain words (letters, digits, _ and -),
 * input over SLG_YAML_BYTES_MAX, nesting over SLG_YAML_DEPTH_MAX, more than SLG_YAML_NODES_MAX nodes.
 * Owner: everything shown is borrowed for the call. Threads: no shared state. */
#ifndef SLG_BASE_YAML_H
#define SLG_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define SLG_YAML_BYTES_MAX ((size_t)256 * 1024) /* a settings file of 3,000 lines is 100 KB */
#define SLG_YAML_DEPTH_MAX 8
#define SLG_YAML_NODES_MAX 8192
#define SLG_YAML_PATH_MAX  256 /* with its NUL */

enum slg_yaml_kind {
    SLG_YAML_MAP,
    SLG_YAML_LIST,
    SLG_YAML_SCALAR,
    SLG_YAML_NULL, /* nothing, ~ or null, not quoted */
};

struct slg_yaml_node {
    enum slg_yaml_kind kind;
    const char *path;  /* "" for the root */
    const char *value; /* of a scalar: NUL-terminated, without a NUL inside; else "" */
    size_t line;       /* from 1 */
};

/* Call node() for each node. For a map or list, false skips what is inside; for others the result is ignored.
 * prefix is put in front of every path ("" for none). An empty document shows one NULL node.
 * SLG_OK; SLG_MALFORMED (*ret_line is where; reterr says what); SLG_NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_yaml_walk(const void *bytes, size_t len, const char *prefix,
                                             bool (*node)(void *arg,
                                                          const struct slg_yaml_node *node),
                                             void *arg, size_t *ret_line, struct slg_error *reterr);

#endif
