/* logql/pipe/decimal.h - a + b, a - b, a * b and a / b in decimal: 0.1 + 0.2 is 0.3.
 *
 * A double counts as the shortest decimal that reads back as it, as shopspring/decimal's NewFromFloat sees it, which is
 * what sprig's addf, subf, mulf and divf use. Division keeps 16 digits behind the point, halves away from zero.
 * Numbers out of range (1e22 and more, under 1e-22, not finite, or a result of more than 38 digits) are computed in
 * binary. Pure. */
#ifndef SLG_LOGQL_PIPE_DECIMAL_H
#define SLG_LOGQL_PIPE_DECIMAL_H

/* op is one of + - * /; a division by 0 is that of doubles. */
double slg_decimal_compute(double a, char op, double b);

#endif
