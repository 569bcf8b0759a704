#include "logql/pipe/decolorize.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_final(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'P') || c == 'R' || c == 'Z' || c == 'c' ||
           (c >= 'f' && c <= 'n') || (c != '\0' && strchr("tqry=><~", c) != NULL);
}

/* The branch that ends in BEL: letters, digits and semicolons up to it. 0: no match. */
static size_t match_bell(const char *at, const char *end)
{
    const char *start = at;

    /* A leading ';' is possible too: the first run may be empty. */
    while (at < end && (is_alnum(*at) || *at == ';'))
        at++;
    return at < end && *at == '\a' ? (size_t)(at + 1 - start) : 0;
}

/* The longest that greedy (\d{1,4}(;\d{0,4})*)? can take so that a final character still follows. Greedy repetition
 * gives back one piece after the other, so remember the last place where a final character would fit. 0: no match. */
static size_t match_final(const char *at, const char *end)
{
    size_t best = at < end && is_final(*at) ? 1 : 0;
    const char *start = at;

    for (bool first = true;; first = false) {
        size_t digits = 0;

        if (!first) {
            if (at == end || *at != ';')
                return best;
            at++;
            if (at < end && is_final(*at))
                best = (size_t)(at - start) + 1;
        }
        while (digits < 4 && at < end && is_digit(*at)) {
            at++;
            digits++;
            if (at < end && is_final(*at))
                best = (size_t)(at - start) + 1;
        }
        if (first && digits == 0)
            return best;
    }
}

/* Length of the escape sequence at `at`, 0 when there is none. [[\]()#;?]* is greedy and need not give back: a body
 * cannot begin with any of these but ';', and a body that ends in BEL after a given back ';' ends there without it. */
static size_t sequence_len(const char *at, const char *end)
{
    const char *start = at;
    size_t len;

    if (*at == '\033')
        at++;
    else if (*at == '\302' && at + 1 < end && at[1] == '\233')
        at += 2;
    else
        return 0;
    while (at < end && *at != '\0' && strchr("[]()#;?", *at) != NULL)
        at++;
    len = match_bell(at, end);
    if (len == 0)
        len = match_final(at, end);
    return len == 0 ? 0 : (size_t)(at - start) + len;
}

bool slg_decolorize_needed(struct slg_text text)
{
    return text.len > 0 && (memchr(text.at, '\033', text.len) != NULL ||
                            memmem(text.at, text.len, "\302\233", 2) != NULL);
}

size_t slg_decolorize(struct slg_text text, char *out)
{
    const char *at = text.at, *end = text.at + text.len;
    size_t len = 0;

    while (at < end) {
        size_t cut = sequence_len(at, end);

        if (cut > 0)
            at += cut;
        else
            out[len++] = *at++;
    }
    return len;
}
