/* Scalars fold as Loki folds them. Oracle: Loki's MergeBinOp read by hand. */
#include "tests/helper/test.h"

#include <math.h>

#include "base/assert.h"
#include "logql/syntax/ast.h"

static void test_fold(void **state)
{
    static const struct {
        enum slg_logql_binary_op op;
        double lhs, rhs, want;
    } rows[] = {
        { SLG_LOGQL_BINARY_ADD, 1, 2, 3 },
        { SLG_LOGQL_BINARY_SUB, 1, 2, -1 },
        { SLG_LOGQL_BINARY_MUL, 3, 2, 6 },
        { SLG_LOGQL_BINARY_DIV, 3, 2, 1.5 },
        { SLG_LOGQL_BINARY_MOD, -5, 3, -2 },
        { SLG_LOGQL_BINARY_POW, 2, 10, 1024 },
        { SLG_LOGQL_BINARY_EQ, 2, 2, 1 },
        { SLG_LOGQL_BINARY_EQ, 2, 3, 0 },
        { SLG_LOGQL_BINARY_NEQ, 2, 2, 0 },
        { SLG_LOGQL_BINARY_NEQ, 2, 3, 1 },
        { SLG_LOGQL_BINARY_GT, 2, 2, 0 },
        { SLG_LOGQL_BINARY_GT, 3, 2, 1 },
        { SLG_LOGQL_BINARY_GTE, 2, 2, 1 },
        { SLG_LOGQL_BINARY_GTE, 1, 2, 0 },
        { SLG_LOGQL_BINARY_LT, 2, 2, 0 },
        { SLG_LOGQL_BINARY_LT, 1, 2, 1 },
        { SLG_LOGQL_BINARY_LTE, 2, 2, 1 },
        { SLG_LOGQL_BINARY_LTE, 3, 2, 0 },
        { SLG_LOGQL_BINARY_NEQ, (double)NAN, (double)NAN, 1 },
        { SLG_LOGQL_BINARY_DIV, 1, 0, (double)NAN },
        { SLG_LOGQL_BINARY_MOD, 1, 0, (double)NAN },
        { SLG_LOGQL_BINARY_MUL, 1e308, 10, (double)INFINITY },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        double got = slg_logql_fold(rows[i].op, rows[i].lhs, rows[i].rhs);

        CHECK(slg_logql_binary_op_text(rows[i].op),
              isnan(rows[i].want) ? isnan(got) : got == rows[i].want);
    }
}

static void test_kinds_of_operators(void **state)
{
    size_t set_count = 0;
    size_t comparison_count = 0;
    size_t negated_count = 0;

    (void)state;
    for (int op = SLG_LOGQL_BINARY_OR; op <= SLG_LOGQL_BINARY_POW; op++) {
        set_count += slg_logql_binary_op_is_set((enum slg_logql_binary_op)op);
        comparison_count += slg_logql_binary_op_is_comparison((enum slg_logql_binary_op)op);
    }
    for (int op = SLG_LOGQL_LINE_CONTAINS; op <= SLG_LOGQL_LINE_NOT_PATTERN; op++)
        negated_count += slg_logql_line_op_is_negated((enum slg_logql_line_op)op);
    assert_int_equal(set_count, 3);
    assert_int_equal(comparison_count, 6);
    assert_int_equal(negated_count, 3);
    assert_false(slg_logql_binary_op_is_comparison(SLG_LOGQL_BINARY_ADD));
    assert_false(slg_logql_binary_op_is_set(SLG_LOGQL_BINARY_EQ));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_kinds_of_operators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
