#include "logql/syntax/ast.h"

#include <math.h>

#include "base/assert.h"

const char *slg_logql_range_op_text(enum slg_logql_range_op op)
{
    static const char *const texts[] = {
#define X(name, keyword, unwrap, bare, grouping) keyword,
        SLG_LOGQL_RANGE_OP_LIST(X)
#undef X
    };

    SLG_ASSERT((size_t)op < SLG_ARRAY_LEN(texts));
    return texts[op];
}

const char *slg_logql_vector_op_text(enum slg_logql_vector_op op)
{
    static const char *const texts[] = {
#define X(name, keyword, takes_k) keyword,
        SLG_LOGQL_VECTOR_OP_LIST(X)
#undef X
    };

    SLG_ASSERT((size_t)op < SLG_ARRAY_LEN(texts));
    return texts[op];
}

const char *slg_logql_binary_op_text(enum slg_logql_binary_op op)
{
    static const char *const texts[] = {
#define X(name, text, precedence) text,
        SLG_LOGQL_BINARY_OP_LIST(X)
#undef X
    };

    SLG_ASSERT((size_t)op < SLG_ARRAY_LEN(texts));
    return texts[op];
}

const char *slg_logql_match_op_text(enum slg_logql_match_op op)
{
    static const char *const texts[] = { "=", "!=", "=~", "!~" };

    SLG_ASSERT((size_t)op < SLG_ARRAY_LEN(texts));
    return texts[op];
}

const char *slg_logql_line_op_text(enum slg_logql_line_op op)
{
    static const char *const texts[] = { "|=", "!=", "|~", "!~", "|>", "!>" };

    SLG_ASSERT((size_t)op < SLG_ARRAY_LEN(texts));
    return texts[op];
}

const char *slg_logql_compare_op_text(enum slg_logql_compare_op op)
{
    static const char *const texts[] = { "=", "!=", ">", ">=", "<", "<=" };

    SLG_ASSERT((size_t)op < SLG_ARRAY_LEN(texts));
    return texts[op];
}

const char *slg_logql_conversion_text(enum slg_logql_conversion conversion)
{
    static const char *const texts[] = { "", "bytes", "duration", "duration_seconds" };

    SLG_ASSERT((size_t)conversion < SLG_ARRAY_LEN(texts));
    return texts[conversion];
}

unsigned slg_logql_binary_op_precedence(enum slg_logql_binary_op op)
{
    static const unsigned precedences[] = {
#define X(name, text, precedence) precedence,
        SLG_LOGQL_BINARY_OP_LIST(X)
#undef X
    };

    return precedences[op];
}

bool slg_logql_binary_op_is_comparison(enum slg_logql_binary_op op)
{
    return op >= SLG_LOGQL_BINARY_EQ && op <= SLG_LOGQL_BINARY_LTE;
}

bool slg_logql_binary_op_is_set(enum slg_logql_binary_op op)
{
    return op <= SLG_LOGQL_BINARY_UNLESS;
}

double slg_logql_fold(enum slg_logql_binary_op op, double lhs, double rhs)
{
    switch (op) {
    case SLG_LOGQL_BINARY_ADD:
        return lhs + rhs;
    case SLG_LOGQL_BINARY_SUB:
        return lhs - rhs;
    case SLG_LOGQL_BINARY_MUL:
        return lhs * rhs;
    case SLG_LOGQL_BINARY_DIV:
        return rhs == 0 ? (double)NAN : lhs / rhs;
    case SLG_LOGQL_BINARY_MOD:
        return rhs == 0 ? (double)NAN : fmod(lhs, rhs);
    case SLG_LOGQL_BINARY_POW:
        return pow(lhs, rhs);
    case SLG_LOGQL_BINARY_EQ:
        return lhs == rhs ? 1 : 0;
    case SLG_LOGQL_BINARY_NEQ:
        return lhs != rhs ? 1 : 0;
    case SLG_LOGQL_BINARY_GT:
        return lhs > rhs ? 1 : 0;
    case SLG_LOGQL_BINARY_GTE:
        return lhs >= rhs ? 1 : 0;
    case SLG_LOGQL_BINARY_LT:
        return lhs < rhs ? 1 : 0;
    case SLG_LOGQL_BINARY_LTE:
        return lhs <= rhs ? 1 : 0;
    case SLG_LOGQL_BINARY_OR:
    case SLG_LOGQL_BINARY_AND:
    case SLG_LOGQL_BINARY_UNLESS:
        break;
    }
    slg_assert_fail("an arithmetic operator or a comparison", __FILE__, __LINE__);
}
