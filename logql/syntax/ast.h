/* logql/syntax/ast.h - the tree of a LogQL query.
 *
 * Made by:  slg_logql_parse (parse.h) or by a planner that rewrites a parsed tree. Plain structs, read by everybody.
 * Owner:    every node, list and string lies in the arena given to the parser and dies with it; nothing in a tree
 *           points into the caller's text. Trees are immutable once made; parts may be shared between trees.
 * Threads:  immutable, so readable from any number of threads.
 * Bounds:   height of a tree <= SLG_LOGQL_DEPTH_MAX, so recursion over `expr` and `label_filter` is bounded by it;
 *           all other lists are bounded by the length of the text (SLG_LOGQL_TEXT_BYTES_MAX).
 * Rules:    what the parser has checked is written in parse.h. Sources of meaning: grafana/loki docs "LogQL", and
 *           the recorded answers of a Loki where those differ. */
#ifndef SLG_LOGQL_SYNTAX_AST_H
#define SLG_LOGQL_SYNTAX_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Height of the tree and nesting of parentheses: deeper is SLG_LIMIT. Deep enough for a generated chain of 200
 * "or"s, shallow enough for a stack of 512 KiB under a sanitizer. */
#define SLG_LOGQL_DEPTH_MAX       250
/* Loki's limit for the text of a query. */
#define SLG_LOGQL_TEXT_BYTES_MAX  ((size_t)131072)
/* Stages of one log query: each is run for each line. Loki has no limit. */
#define SLG_LOGQL_STAGE_COUNT_MAX ((size_t)1000)

/* Named captures of one regexp or pattern stage: each is a label of the entry. */
#define SLG_LOGQL_CAPTURE_COUNT_MAX 256

/* Bytes, not NUL-terminated by contract, any byte possible ("\x00" is allowed in a string). ptr is never NULL
 * in a parsed tree; len 0 is the empty string. */
struct slg_logql_str {
    const char *ptr;
    size_t len;
};

/* Where the node began; lines and columns count from 1, columns in characters. 0, 0 = made by a rewrite. */
struct slg_logql_pos {
    uint32_t line;
    uint32_t col;
};

/* ---- matchers: {a="b"}, | a=~"b", | drop a="b" ---- */

enum slg_logql_match_op {
    SLG_LOGQL_MATCH_EQ,  /* =  */
    SLG_LOGQL_MATCH_NEQ, /* != */
    SLG_LOGQL_MATCH_RE,  /* =~ */
    SLG_LOGQL_MATCH_NRE, /* !~ */
};

struct slg_logql_matcher {
    struct slg_logql_pos pos;
    enum slg_logql_match_op op;
    struct slg_logql_str name;
    struct slg_logql_str
        value; /* of RE and NRE: RE2 syntax, anchored at both ends, '.' does not match newline */
};

/* ---- line filters ---- */

enum slg_logql_line_op {
    SLG_LOGQL_LINE_CONTAINS,     /* |= */
    SLG_LOGQL_LINE_NOT_CONTAINS, /* != */
    SLG_LOGQL_LINE_RE,           /* |~ */
    SLG_LOGQL_LINE_NOT_RE,       /* !~ */
    SLG_LOGQL_LINE_PATTERN,      /* |> */
    SLG_LOGQL_LINE_NOT_PATTERN,  /* !> */
};

struct slg_logql_line_operand {
    bool is_ip; /* ip("...") */
    struct slg_logql_str text;
};

/* Keeps the line if any operand does (`|= "a" or "b"`). The negated operators always have exactly one operand:
 * `!= "a" or "b"` keeps lines with neither and is parsed into two stages, as Loki does. operand_count >= 1. */
struct slg_logql_line_filter {
    enum slg_logql_line_op op;
    size_t operand_count;
    const struct slg_logql_line_operand *operands;
};

/* ---- label filters ---- */

enum slg_logql_label_filter_kind {
    SLG_LOGQL_LABEL_AND,      /* left, right: `and`, `,` or nothing between them */
    SLG_LOGQL_LABEL_OR,       /* left, right */
    SLG_LOGQL_LABEL_STRING,   /* match_op, name, text */
    SLG_LOGQL_LABEL_NUMBER,   /* compare_op, name, number */
    SLG_LOGQL_LABEL_DURATION, /* compare_op, name, duration_ns */
    SLG_LOGQL_LABEL_BYTES,    /* compare_op, name, bytes */
    SLG_LOGQL_LABEL_IP,       /* compare_op (EQ or NEQ), name, text */
};

enum slg_logql_compare_op {
    SLG_LOGQL_COMPARE_EQ, /* = and == */
    SLG_LOGQL_COMPARE_NEQ,
    SLG_LOGQL_COMPARE_GT,
    SLG_LOGQL_COMPARE_GTE,
    SLG_LOGQL_COMPARE_LT,
    SLG_LOGQL_COMPARE_LTE,
};

struct slg_logql_label_filter {
    enum slg_logql_label_filter_kind kind;
    struct slg_logql_pos pos;
    uint16_t height; /* 1 for a leaf */
    const struct slg_logql_label_filter *left, *right;
    enum slg_logql_match_op match_op;
    enum slg_logql_compare_op compare_op;
    struct slg_logql_str name;
    struct slg_logql_str text;
    double number; /* finite */
    int64_t duration_ns;
    uint64_t bytes;
};

/* ---- stages ---- */

enum slg_logql_stage_kind {
    SLG_LOGQL_STAGE_LINE_FILTER,  /* line_filter */
    SLG_LOGQL_STAGE_JSON,         /* extractions (0 = everything) */
    SLG_LOGQL_STAGE_LOGFMT,       /* extractions (0 = everything), strict, keep_empty */
    SLG_LOGQL_STAGE_REGEXP,       /* text; has at least one named capture, no name twice */
    SLG_LOGQL_STAGE_PATTERN,      /* text; at least one capture, none adjacent, no name twice */
    SLG_LOGQL_STAGE_UNPACK,       /* nothing */
    SLG_LOGQL_STAGE_LABEL_FILTER, /* label_filter */
    SLG_LOGQL_STAGE_LINE_FORMAT,  /* text: the template */
    SLG_LOGQL_STAGE_LABEL_FORMAT, /* formats */
    SLG_LOGQL_STAGE_DECOLORIZE,   /* nothing */
    SLG_LOGQL_STAGE_DROP,         /* names */
    SLG_LOGQL_STAGE_KEEP,         /* names */
};

/* json label="path", logfmt label="key". `| json a` is a="a". */
struct slg_logql_extraction {
    struct slg_logql_pos pos;
    struct slg_logql_str label;
    struct slg_logql_str path; /* unparsed */
};

/* label_format dst=src (rename) or dst="template". */
struct slg_logql_format {
    struct slg_logql_pos pos;
    bool is_rename;
    struct slg_logql_str dst;
    struct slg_logql_str src; /* label name or template */
};

/* drop a, b="x": a name alone, or a name whose value must match. */
struct slg_logql_named {
    bool has_matcher;
    struct slg_logql_matcher matcher; /* without has_matcher only pos and name mean something */
};

struct slg_logql_stage {
    enum slg_logql_stage_kind kind;
    struct slg_logql_pos pos;
    struct slg_logql_line_filter line_filter;
    const struct slg_logql_label_filter *label_filter;
    struct slg_logql_str text;
    bool strict;     /* logfmt --strict */
    bool keep_empty; /* logfmt --keep-empty */
    size_t extraction_count;
    const struct slg_logql_extraction *extractions;
    size_t format_count;
    const struct slg_logql_format *formats;
    size_t named_count;
    const struct slg_logql_named *named;
};

/* {matchers} stage stage ... In a parsed tree at least one matcher refuses the empty string. */
struct slg_logql_log {
    struct slg_logql_pos pos;
    size_t matcher_count;
    const struct slg_logql_matcher *matchers;
    size_t stage_count;
    const struct slg_logql_stage *stages;
};

/* ---- metric expressions ---- */

/* by/without (labels). present is false when nothing was written; for vector aggregations also for `by ()`, which
 * means the same there. A range aggregation with present and `by ()` gives one series. */
struct slg_logql_grouping {
    bool present;
    bool without;
    size_t label_count;
    const struct slg_logql_str *labels;
};

/*  X(name, keyword, may have unwrap, may lack unwrap, may be grouped) */
#define SLG_LOGQL_RANGE_OP_LIST(X)                                                                 \
    X(COUNT, "count_over_time", false, true, false)                                                \
    X(RATE, "rate", true, true, false)                                                             \
    X(RATE_COUNTER, "rate_counter", true, false, false)                                            \
    X(BYTES, "bytes_over_time", false, true, false)                                                \
    X(BYTES_RATE, "bytes_rate", false, true, false)                                                \
    X(AVG, "avg_over_time", true, false, true)                                                     \
    X(SUM, "sum_over_time", true, false, false)                                                    \
    X(MIN, "min_over_time", true, false, true)                                                     \
    X(MAX, "max_over_time", true, false, true)                                                     \
    X(STDVAR, "stdvar_over_time", true, false, true)                                               \
    X(STDDEV, "stddev_over_time", true, false, true)                                               \
    X(QUANTILE, "quantile_over_time", true, false, true)                                           \
    X(FIRST, "first_over_time", true, false, true)                                                 \
    X(LAST, "last_over_time", true, false, true)                                                   \
    X(ABSENT, "absent_over_time", true, true, false)

enum slg_logql_range_op {
#define X(name, keyword, unwrap, bare, grouping) SLG_LOGQL_RANGE_##name,
    SLG_LOGQL_RANGE_OP_LIST(X)
#undef X
};

enum slg_logql_conversion {
    SLG_LOGQL_CONVERSION_NONE,
    SLG_LOGQL_CONVERSION_BYTES,            /* bytes(x) */
    SLG_LOGQL_CONVERSION_DURATION,         /* duration(x) */
    SLG_LOGQL_CONVERSION_DURATION_SECONDS, /* duration_seconds(x): the same value as duration(x) */
};

/* | unwrap duration(label) | filter | filter */
struct slg_logql_unwrap {
    bool present;
    struct slg_logql_pos pos;
    enum slg_logql_conversion conversion;
    struct slg_logql_str label;
    size_t post_filter_count;
    const struct slg_logql_label_filter *const *post_filters; /* all must hold, in this order */
};

struct slg_logql_range_aggregation {
    enum slg_logql_range_op op;
    struct slg_logql_log log;
    struct slg_logql_unwrap unwrap; /* present only where the operator allows it */
    int64_t range_ns;               /* >= 0: `[0s]` parses, as in Loki */
    int64_t offset_ns;              /* may be negative */
    struct slg_logql_grouping grouping;
    double parameter; /* of QUANTILE, >= 0; else 0 */
};

/*  X(name, keyword, takes k) */
#define SLG_LOGQL_VECTOR_OP_LIST(X)                                                                \
    X(SUM, "sum", false)                                                                           \
    X(AVG, "avg", false)                                                                           \
    X(COUNT, "count", false)                                                                       \
    X(MAX, "max", false)                                                                           \
    X(MIN, "min", false)                                                                           \
    X(STDDEV, "stddev", false)                                                                     \
    X(STDVAR, "stdvar", false)                                                                     \
    X(BOTTOMK, "bottomk", true)                                                                    \
    X(TOPK, "topk", true)                                                                          \
    X(SORT, "sort", false)                                                                         \
    X(SORT_DESC, "sort_desc", false)                                                               \
    X(APPROX_TOPK, "approx_topk", true)

enum slg_logql_vector_op {
#define X(name, keyword, takes_k) SLG_LOGQL_VECTOR_##name,
    SLG_LOGQL_VECTOR_OP_LIST(X)
#undef X
};

struct slg_logql_vector_aggregation {
    enum slg_logql_vector_op op;
    int64_t k; /* of BOTTOMK, TOPK, APPROX_TOPK: 1 to INT64_MAX; else 0 */
    struct slg_logql_grouping grouping;
    const struct slg_logql_expr *inner; /* a metric expression */
};

/*  X(name, text, precedence); higher binds tighter. POW is right-associative, the others left. */
#define SLG_LOGQL_BINARY_OP_LIST(X)                                                                \
    X(OR, "or", 1)                                                                                 \
    X(AND, "and", 2)                                                                               \
    X(UNLESS, "unless", 2)                                                                         \
    X(EQ, "==", 3)                                                                                 \
    X(NEQ, "!=", 3)                                                                                \
    X(GT, ">", 3)                                                                                  \
    X(GTE, ">=", 3)                                                                                \
    X(LT, "<", 3)                                                                                  \
    X(LTE, "<=", 3)                                                                                \
    X(ADD, "+", 4)                                                                                 \
    X(SUB, "-", 4)                                                                                 \
    X(MUL, "*", 5)                                                                                 \
    X(DIV, "/", 5)                                                                                 \
    X(MOD, "%", 5)                                                                                 \
    X(POW, "^", 6)

enum slg_logql_binary_op {
#define X(name, text, precedence) SLG_LOGQL_BINARY_##name,
    SLG_LOGQL_BINARY_OP_LIST(X)
#undef X
};

enum slg_logql_cardinality {
    SLG_LOGQL_ONE_TO_ONE,
    SLG_LOGQL_MANY_TO_ONE, /* group_left: the left side has many */
    SLG_LOGQL_ONE_TO_MANY, /* group_right */
};

/* Not both sides are literals (the parser folds those), and with OR, AND, UNLESS neither is. */
struct slg_logql_binary {
    enum slg_logql_binary_op op;
    bool is_bool; /* may stand at any operator; means something only for comparisons */
    bool on;      /* on (labels); else ignoring (labels), which with no labels is the default */
    size_t label_count;
    const struct slg_logql_str *labels;
    enum slg_logql_cardinality cardinality;
    size_t include_count; /* group_left (labels) */
    const struct slg_logql_str *includes;
    const struct slg_logql_expr *lhs, *rhs; /* metric expressions */
};

struct slg_logql_label_replace {
    const struct slg_logql_expr *inner; /* a metric expression */
    struct slg_logql_str dst, replacement, src, regex;
};

/* ---- any expression ---- */

enum slg_logql_expr_kind {
    SLG_LOGQL_EXPR_LOG,                /* log */
    SLG_LOGQL_EXPR_RANGE_AGGREGATION,  /* range */
    SLG_LOGQL_EXPR_VECTOR_AGGREGATION, /* vector */
    SLG_LOGQL_EXPR_BINARY,             /* binary */
    SLG_LOGQL_EXPR_LITERAL,       /* number: any double; NaN and infinities come from folding */
    SLG_LOGQL_EXPR_VECTOR,        /* number: vector(number), finite, >= 0 */
    SLG_LOGQL_EXPR_LABEL_REPLACE, /* label_replace */
};

/* Everything but LOG is a metric expression. LOG stands only at the root. */
struct slg_logql_expr {
    enum slg_logql_expr_kind kind;
    struct slg_logql_pos pos;
    uint16_t height; /* 1 for a leaf */
    union {
        struct slg_logql_log log;
        struct slg_logql_range_aggregation range;
        struct slg_logql_vector_aggregation vector;
        struct slg_logql_binary binary;
        struct slg_logql_label_replace label_replace;
        double number;
    };
};

/* The keyword or sign of an operator, as Loki writes it. */
const char *slg_logql_range_op_text(enum slg_logql_range_op op);
const char *slg_logql_vector_op_text(enum slg_logql_vector_op op);
const char *slg_logql_binary_op_text(enum slg_logql_binary_op op);
const char *slg_logql_match_op_text(enum slg_logql_match_op op);
const char *slg_logql_line_op_text(enum slg_logql_line_op op);
const char *slg_logql_compare_op_text(enum slg_logql_compare_op op);
/* "bytes", "duration", "duration_seconds"; "" for none. */
const char *slg_logql_conversion_text(enum slg_logql_conversion conversion);
/* The higher binds tighter. */
unsigned slg_logql_binary_op_precedence(enum slg_logql_binary_op op);
/* == != > >= < <= */
bool slg_logql_binary_op_is_comparison(enum slg_logql_binary_op op);
/* or and unless */
bool slg_logql_binary_op_is_set(enum slg_logql_binary_op op);
/* != !~ !> */
static inline bool slg_logql_line_op_is_negated(enum slg_logql_line_op op)
{
    return op == SLG_LOGQL_LINE_NOT_CONTAINS || op == SLG_LOGQL_LINE_NOT_RE ||
           op == SLG_LOGQL_LINE_NOT_PATTERN;
}

/* lhs op rhs for two scalars, as Loki folds literals and joins samples: x / 0 and x % 0 are NaN, comparisons give
 * 0 or 1. op is not a set operator (asserted). */
double slg_logql_fold(enum slg_logql_binary_op op, double lhs, double rhs);

#endif
