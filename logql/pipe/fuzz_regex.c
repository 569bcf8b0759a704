/* Regular expressions: first byte = options, up to the first NUL the expression, then the text. Promise: no crash, no
 * exception, and the literal prefilter never changes an answer (the finder with and without AVX2 agree).
 * Covers: regex.cc simplify.c */
#include <stdlib.h>
#include <string.h>

#include "logql/pipe/regex.h"
#include "logql/pipe/simplify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_needles(const struct slg_regex *regex, const char *text, size_t len)
{
    const struct slg_needle *needles;
    struct slg_regex_span group;
    size_t count;
    bool exact, any = false;

    count = slg_regex_literals(regex, &needles, &exact);
    for (size_t i = 0; i < count; i++) {
        size_t at = slg_needle_find(&needles[i], text, len);

        if (at != slg_needle_find_portable(&needles[i], text, len))
            abort();
        any = any || at != SLG_FIND_NONE;
    }
    (void)any;
    if (slg_regex_find(regex, text, len, 0, &group, 1) && group.at != NULL &&
        (group.at < text || group.at + group.len > text + len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_regex_options options = { 0 };
    struct slg_regex *regex;
    struct slg_simple simple;
    struct slg_arena *arena;
    const uint8_t *nul;
    const char *text;
    size_t len;

    if (size < 2 || size > 4096)
        return 0;
    nul = memchr(data + 1, 0, size - 1);
    options.text = (const char *)data + 1;
    options.len = nul == NULL ? size - 1 : (size_t)(nul - data) - 1;
    options.anchored = (data[0] & 1U) != 0;
    options.dot_newline = (data[0] & 2U) != 0;
    options.memory_bytes = (size_t)1 << 20;
    text = nul == NULL ? "" : (const char *)nul + 1;
    len = nul == NULL ? 0 : size - (size_t)(nul - data) - 1;
    if (slg_regex_create(&options, &regex, NULL) != SLG_OK)
        return 0;
    (void)slg_regex_match(regex, text, len);
    check_needles(regex, text, len);
    slg_regex_destroy(regex);
    arena = slg_arena_create((size_t)1 << 20);
    if (slg_simplify(arena, slg_text_make(options.text, options.len), options.anchored, &simple))
        (void)slg_simple_test(&simple, slg_text_make(text, len));
    slg_arena_destroy(arena);
    return 0;
}
