/* ctl/answer.h - answers of the read API as people read them: lines, numbers, names.
 *
 * Expects Loki's shapes and survives others: what is missing or of another type prints empty, a broken time as 1970.
 * Owner:   lines borrow from the JSON tree. Threads: pure. */
#ifndef SLG_CTL_ANSWER_H
#define SLG_CTL_ANSWER_H

#include "base/buf.h"
#include "base/json.h"

/* One line of a log answer, gathered over its streams so that it can be sorted by time. */
struct slg_answer_line {
    int64_t ts_ns;
    size_t order; /* as the server gave them */
    const struct slg_json *labels;
    const char *text;
};

/* The lines of a list of streams, by time, then as they came; free() them. NULL: no memory. */
SLG_MUST_CHECK struct slg_answer_line *slg_answer_lines(const struct slg_json *streams,
                                                        size_t *ret_count);
uint64_t slg_answer_line_hash(const struct slg_answer_line *line, struct slg_buf *scratch);

/* Each appends to out; json: one JSON value instead of text for people. */
void slg_answer_print_line(struct slg_buf *out, const struct slg_answer_line *line, bool json);
/* The answer to a query of any type. NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_answer_print(struct slg_buf *out, const struct slg_json *root,
                                                bool json);
void slg_answer_print_texts(struct slg_buf *out, const struct slg_json *root, bool json);
void slg_answer_print_series(struct slg_buf *out, const struct slg_json *root, bool json);
/* "warning: TEXT" a line; returns how many. */
size_t slg_answer_print_warnings(struct slg_buf *out, const struct slg_json *root);

/* Does the text of a refusal (Loki's and ours) say that the limit of a query was over the server's? *ret_max: that. */
bool slg_answer_lines_max(const char *message, uint64_t *ret_max);

#endif
