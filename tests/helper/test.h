/* tests/helper/test.h - what every cmocka test includes first.
 *
 * Inputs sit in exactly sized heap blocks (test_block) so that an over-read trips the sanitizer. */
#ifndef SLG_TESTS_HELPER_TEST_H
#define SLG_TESTS_HELPER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A heap copy of exactly len bytes (len 0 gives a block of 0 bytes); free() it. */
static inline uint8_t *test_block(const void *bytes, size_t len)
{
    uint8_t *block = malloc(len);

    if (block == NULL && len > 0)
        abort();
    if (len > 0)
        memcpy(block, bytes, len);
    return block;
}

/* Fail with the table row's name. Use as: CHECK(row->name, got == row->want); */
#define CHECK(row_name, condition)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("row \"%s\": %s is false\n", (row_name), #condition);                      \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

#endif
