/* querier/fields.h - which fields the lines of a sample have: names, types, how many values, which parser finds them.
 *
 * A field comes from structured metadata, from what the query itself parsed, or from trying `json` and then, if that
 * fails, `logfmt` on the line. Rules are Loki's (pkg/querier/queryrange/detected_fields.go and what it was seen to
 * answer): a field gets the parser that could read the line, also when the query had parsed it before; the type is
 * that of the last value; a name that a stream label or metadata has already gets "_extracted".
 * Owner:   fields own their memory, under memory_bytes_max; names, values and paths die with them. What is added is
 *          copied, apart from the streams' labels: they must outlive the fields.
 * Threads: one at a time. Pure.
 * Bounds:  field_max fields (later ones are left out, as Loki does), value_max kept values, SLG_FIELDS_DEPTH_MAX. */
#ifndef SLG_QUERIER_FIELDS_H
#define SLG_QUERIER_FIELDS_H

#include "logql/plan/merge.h"

/* Objects around a JSON member: a deeper one is a field without path. */
#define SLG_FIELDS_DEPTH_MAX 32

enum slg_field_type {
    SLG_FIELD_STRING,
    SLG_FIELD_INT,
    SLG_FIELD_FLOAT,
    SLG_FIELD_BOOLEAN,
    SLG_FIELD_DURATION,
    SLG_FIELD_BYTES,
};
/* As the API spells it. */
const char *slg_field_type_text(enum slg_field_type type);
/* The first that reads the value: int, float, boolean, duration, bytes; else string. */
enum slg_field_type slg_field_type_of(struct slg_text value);

struct slg_field {
    struct slg_text name;
    enum slg_field_type type;
    uint64_t value_count; /* distinct */
    bool json;
    bool logfmt;                 /* neither: structured metadata */
    const struct slg_text *path; /* keys of the JSON member as written, outermost first */
    size_t path_count;           /* 0: none known */
};

struct slg_fields_options {
    size_t field_max;
    struct slg_text
        wanted; /* look at this field only and keep its values; empty: all fields, no values */
    size_t value_max; /* kept of the wanted field, the first to be seen */
    size_t memory_bytes_max;
};
struct slg_fields; /* opaque */

/* NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_fields_create(const struct slg_fields_options *options,
                                                 struct slg_fields **ret_fields,
                                                 struct slg_error *reterr);
void slg_fields_destroy(struct slg_fields *fields); /* NULL is fine */

/* Look at the rows of a categorized stream. LIMIT: memory. */
SLG_MUST_CHECK enum slg_status slg_fields_add(struct slg_fields *fields,
                                              const struct slg_stream *stream);

/* In the order of their first appearance. */
const struct slg_field *slg_fields_list(const struct slg_fields *fields, size_t *ret_count);
/* Of the wanted field, in the order of their first appearance. */
const struct slg_text *slg_fields_values(const struct slg_fields *fields, size_t *ret_count);

#endif
