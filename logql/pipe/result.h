/* logql/pipe/result.h - the label set that an entry ends with: sorted, grouped, hashed.
 *
 * Rules are those of Loki's LabelsBuilder: LabelsResult for log queries and entries with an error, GroupedLabels for
 * samples. Threads: as the context. */
#ifndef SLG_LOGQL_PIPE_RESULT_H
#define SLG_LOGQL_PIPE_RESULT_H

#include "logql/pipe/context.h"

struct slg_result_grouping {
    bool is_metric;
    bool grouped;   /* false: all labels stay */
    bool without;   /* the labels that go, else those that stay */
    bool no_labels; /* nothing stays */
    bool want_categories;
    bool no_hash;                /* nobody asks for it */
    bool keep_empty;             /* labels with empty values: log queries keep them */
    struct slg_symbol **symbols; /* sorted by name */
    size_t symbol_count;
};

/* Fill labels, categories, hash and error of *ret from the context; false: exhausted. */
bool slg_result_build(struct slg_context *context, const struct slg_result_grouping *grouping,
                      struct slg_pipe_result *ret);

/* xxh3-128 over the labels, as pipe.h promises. */
struct slg_hash128 slg_result_hash(struct slg_context *context, const struct slg_label_set *labels);

#endif
