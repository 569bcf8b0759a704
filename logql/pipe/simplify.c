#include "logql/pipe/simplify.h"

#include <string.h>

#include "base/utf8.h"

enum kind {
    KIND_EMPTY,
    KIND_LITERAL,
    KIND_STAR, /* .* */
    KIND_PLUS, /* .+ */
    KIND_CONCAT,
    KIND_ALTERNATE,
    KIND_CAPTURE,
};

struct node {
    enum kind kind;
    bool fold;
    struct slg_text text; /* of a literal; lower case when fold */
    struct node *subs;    /* first */
    struct node *next;
};

struct builder {
    struct slg_arena *arena;
    const char *at, *end;
    struct node *nodes;
    size_t node_count;
    char *bytes; /* texts of literals that were joined */
    size_t byte_count, byte_capacity;
    bool fold, dot_newline;
    bool failed;
    /* What comes out: */
    bool is_label;
    struct slg_simple_term *terms;
    size_t term_count;
};

static struct node *new_node(struct builder *b, enum kind kind)
{
    struct node *node = &b->nodes[b->node_count];

    if (b->node_count + 1 >= SLG_SIMPLIFY_NODE_COUNT_MAX) {
        b->failed = true;
        return b->nodes; /* reused; the result is not looked at */
    }
    b->node_count++;
    memset(node, 0, sizeof(*node));
    node->kind = kind;
    return node;
}

static struct slg_text join(struct builder *b, struct slg_text left, struct slg_text right)
{
    char *at = b->bytes + b->byte_count;

    if (left.len + right.len > b->byte_capacity - b->byte_count) {
        b->failed = true;
        return left;
    }
    if (left.len > 0)
        memcpy(at, left.at, left.len);
    if (right.len > 0)
        memcpy(at + left.len, right.at, right.len);
    b->byte_count += left.len + right.len;
    return slg_text_make(at, left.len + right.len);
}

static size_t rune_len(struct slg_text text, size_t i)
{
    size_t step;

    if (!slg_utf8_check((const uint8_t *)text.at + i, text.len - i, &step))
        step = 1;
    return step;
}

/* ---- factoring of alternatives: regexp/syntax parser.factor ---- */

static struct node *make_alternate(struct builder *b, struct node *subs, int depth);

static bool leading_text(const struct node *node, struct slg_text *ret, bool *ret_fold)
{
    if (node->kind == KIND_CONCAT && node->subs != NULL)
        node = node->subs;
    if (node->kind != KIND_LITERAL)
        return false;
    *ret = node->text;
    *ret_fold = node->fold;
    return true;
}

static size_t common_len(struct slg_text a, struct slg_text b)
{
    size_t i = 0;

    while (i < a.len && i < b.len) {
        size_t step = rune_len(a, i);

        if (step > a.len - i || step > b.len - i || memcmp(a.at + i, b.at + i, step) != 0)
            break;
        i += step;
    }
    return i;
}

static struct node *without_leading(struct builder *b, struct node *node, size_t len)
{
    struct node *first = node->kind == KIND_CONCAT ? node->subs : node;
    struct node *rest = new_node(b, KIND_LITERAL), *result;

    rest->fold = first->fold;
    rest->text = slg_text_make(first->text.at + len, first->text.len - len);
    if (rest->text.len == 0)
        rest->kind = KIND_EMPTY;
    if (node->kind != KIND_CONCAT)
        return rest;
    if (rest->kind == KIND_EMPTY)
        rest = first->next;
    else
        rest->next = first->next;
    if (rest->next == NULL)
        return rest;
    result = new_node(b, KIND_CONCAT);
    result->subs = rest;
    return result;
}

/* The run of alternatives first..(before) stop, which all begin with the text. */
/* NOLINTNEXTLINE(misc-no-recursion): depth */
static struct node *factor_run(struct builder *b, struct node *first, const struct node *stop,
                               struct slg_text text, bool fold, int depth)
{
    struct node *prefix = new_node(b, KIND_LITERAL), *concat = new_node(b, KIND_CONCAT);
    struct node *subs = NULL, **link = &subs, *suffix;

    prefix->text = text;
    prefix->fold = fold;
    for (struct node *next; first != stop; first = next) {
        next = first->next;
        *link = without_leading(b, first, text.len);
        link = &(*link)->next;
        *link = NULL;
        if (b->failed)
            return prefix;
    }
    suffix = make_alternate(b, subs, depth + 1);
    concat->subs = prefix;
    prefix->next = suffix;
    suffix->next = NULL;
    return concat;
}

/* NOLINTNEXTLINE(misc-no-recursion): depth */
static struct node *factor(struct builder *b, struct node *subs, int depth)
{
    struct node *out = NULL, **link = &out;

    while (subs != NULL && !b->failed) {
        struct slg_text text, other;
        bool fold, other_fold;
        struct node *stop = subs->next, *one;
        size_t run = 1;

        if (leading_text(subs, &text, &fold))
            for (; stop != NULL && leading_text(stop, &other, &other_fold) && other_fold == fold;
                 stop = stop->next, run++) {
                size_t len = common_len(text, other);

                if (len == 0)
                    break;
                text.len = len;
            }
        one = run == 1 ? subs : factor_run(b, subs, stop, text, fold, depth);
        one->next = NULL;
        *link = one;
        link = &one->next;
        subs = stop;
    }
    return out;
}

static bool is_single(const struct node *node)
{
    return node->kind == KIND_LITERAL && rune_len(node->text, 0) == node->text.len;
}

/* NOLINTNEXTLINE(misc-no-recursion): depth */
static struct node *make_alternate(struct builder *b, struct node *subs, int depth)
{
    struct node *node, **link;

    if (subs == NULL || subs->next == NULL)
        return subs == NULL ? new_node(b, KIND_EMPTY) : subs;
    if (depth > SLG_SIMPLIFY_DEPTH_MAX) {
        b->failed = true;
        return subs;
    }
    subs = factor(b, subs, depth);
    if (b->failed)
        return subs;
    SLG_ASSERT(subs != NULL); /* factoring leaves one at least */
    for (link = &subs; *link != NULL && (*link)->next != NULL;) {
        /* Neighbours of one character each become a class, which is not simple. */
        if (is_single(*link) && is_single((*link)->next))
            b->failed = true;
        if ((*link)->kind == KIND_EMPTY && (*link)->next->kind == KIND_EMPTY)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
    if (subs->next == NULL)
        return subs;
    node = new_node(b, KIND_ALTERNATE);
    node->subs = subs;
    return node;
}

/* ---- parsing ---- */

static struct node *parse_alternate(struct builder *b, int depth);

static struct node *literal_node(struct builder *b, struct slg_text text)
{
    struct node *node = new_node(b, KIND_LITERAL);

    node->fold = b->fold;
    node->text = text;
    if (b->fold) {
        char lower = *text.at;

        /* Beyond ASCII, and for k and s, folding is more than two letters: RE2 knows. */
        if ((unsigned char)lower >= 0x80 || (lower | 32) == 'k' || (lower | 32) == 's')
            b->failed = true;
        if (lower >= 'A' && lower <= 'Z')
            lower = (char)(lower + 32);
        node->text = join(b, slg_text_make(&lower, 1), slg_text_make(NULL, 0));
    }
    return node;
}

/* Flags of (?ims-U: or (?i); false: something else. *ret_group: a group follows. */
static bool take_flags(struct builder *b, bool *ret_group)
{
    bool on = true;

    for (; b->at < b->end; b->at++) {
        if (*b->at == '-')
            on = false;
        else if (*b->at == 'i')
            b->fold = on;
        else if (*b->at == 's')
            b->dot_newline = on;
        else if (*b->at != 'm' && *b->at != 'U')
            break;
    }
    if (b->at == b->end || (*b->at != ':' && *b->at != ')'))
        return false;
    *ret_group = *b->at++ == ':';
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): depth */
static struct node *parse_group(struct builder *b, int depth)
{
    bool fold = b->fold, dot_newline = b->dot_newline, capture = true, group = true;
    struct node *inner, *node;

    if (b->end - b->at >= 2 && *b->at == '?') {
        capture = b->at[1] == 'P' || b->at[1] == '<';
        if (capture) {
            const char *close = memchr(b->at, '>', (size_t)(b->end - b->at));

            b->at = close == NULL ? b->end : close + 1;
        } else {
            b->at++;
            if (!take_flags(b, &group)) {
                b->failed = true;
                return new_node(b, KIND_EMPTY);
            }
            if (!group) /* (?i): for the rest of the group around it */
                return NULL;
        }
    }
    inner = parse_alternate(b, depth + 1);
    if (b->at == b->end || *b->at != ')')
        b->failed = true;
    else
        b->at++;
    b->fold = fold;
    b->dot_newline = dot_newline;
    if (!capture)
        return inner;
    node = new_node(b, KIND_CAPTURE);
    node->subs = inner;
    inner->next = NULL;
    return node;
}

static struct node *parse_escape(struct builder *b)
{
    static const char from[] = "tnrfva";
    static const char to[] = "\t\n\r\f\v\a";
    char c;
    const char *found;

    if (b->at + 1 >= b->end) {
        b->failed = true;
        return new_node(b, KIND_EMPTY);
    }
    c = b->at[1];
    found = c == '\0' ? NULL : strchr(from, c);
    b->at += 2;
    if (found != NULL)
        return literal_node(b, slg_text_make(to + (found - from), 1));
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (unsigned char)c >= 0x80)
        b->failed = true; /* \d, \b, \x, \Q...: not simple, or not worth it */
    return literal_node(b, slg_text_make(b->at - 1, 1));
}

static struct node *parse_dot(struct builder *b)
{
    enum kind kind = KIND_STAR;

    b->at++;
    if (b->at == b->end || b->dot_newline || (*b->at != '*' && *b->at != '+')) {
        b->failed = true;
        return new_node(b, KIND_EMPTY);
    }
    kind = *b->at++ == '*' ? KIND_STAR : KIND_PLUS;
    if (b->at < b->end && *b->at == '?')
        b->at++;
    return new_node(b, kind);
}

/* NULL: a flag, nothing to keep. */
/* NOLINTNEXTLINE(misc-no-recursion): depth */
static struct node *parse_atom(struct builder *b, int depth)
{
    struct node *node;
    size_t step;

    switch (*b->at) {
    case '(':
        b->at++;
        node = parse_group(b, depth);
        break;
    case '\\':
        node = parse_escape(b);
        break;
    case '.':
        node = parse_dot(b);
        break;
    case '^':
    case '$':
    case '[':
    case '{':
        b->failed = true;
        return new_node(b, KIND_EMPTY);
    default:
        step = rune_len(slg_text_make(b->at, (size_t)(b->end - b->at)), 0);
        b->at += step;
        node = literal_node(b, slg_text_make(b->at - step, step));
        break;
    }
    if (b->at < b->end && strchr("*+?{", *b->at) != NULL && *b->at != '\0')
        b->failed = true; /* repetitions of anything but '.' are not simple */
    return node;
}

/* The concatenation of a list: literals that stand side by side are one, concatenations inside become part of it. */
static struct node *make_concat(struct builder *b, struct node *list)
{
    struct node *node;

    for (struct node *sub = list; sub != NULL && !b->failed;) {
        struct node *next = sub->next;

        if (next != NULL && sub->kind == KIND_LITERAL && next->kind == KIND_LITERAL &&
            sub->fold == next->fold) {
            sub->text = join(b, sub->text, next->text);
            sub->next = next->next;
        } else {
            sub = next;
        }
    }
    for (struct node **link = &list; *link != NULL && !b->failed;) {
        struct node *sub = *link, *last;

        if (sub->kind != KIND_CONCAT) {
            link = &sub->next;
            continue;
        }
        for (last = sub->subs; last->next != NULL;)
            last = last->next;
        last->next = sub->next;
        *link = sub->subs;
        link = &last->next;
    }
    if (list == NULL)
        return new_node(b, KIND_EMPTY);
    if (list->next == NULL)
        return list;
    node = new_node(b, KIND_CONCAT);
    node->subs = list;
    return node;
}

/* NOLINTNEXTLINE(misc-no-recursion): depth */
static struct node *parse_concat(struct builder *b, int depth)
{
    struct node *list = NULL, **link = &list;

    while (b->at < b->end && *b->at != '|' && *b->at != ')' && !b->failed) {
        struct node *node = parse_atom(b, depth);

        if (node == NULL)
            continue;
        node->next = NULL;
        *link = node;
        link = &node->next;
    }
    return make_concat(b, list);
}

/* NOLINTNEXTLINE(misc-no-recursion): depth */
static struct node *parse_alternate(struct builder *b, int depth)
{
    struct node *list = NULL, **link = &list;

    if (depth > SLG_SIMPLIFY_DEPTH_MAX)
        b->failed = true;
    while (!b->failed) {
        struct node *node = parse_concat(b, depth);

        /* An alternative that is alternatives becomes part of these. */
        *link = node->kind == KIND_ALTERNATE ? node->subs : node;
        if (node->kind != KIND_ALTERNATE)
            node->next = NULL;
        while (*link != NULL)
            link = &(*link)->next;
        if (b->at == b->end || *b->at != '|')
            break;
        b->at++;
    }
    return b->failed ? new_node(b, KIND_EMPTY) : make_alternate(b, list, depth);
}

/* ---- Loki's RegexSimplifier ---- */

/* What a part became: a set of terms, or everything. */
struct outcome {
    bool ok;
    bool always;
    bool any; /* at least one term was added */
};

static bool add_term(struct builder *b, enum slg_simple_kind kind, struct slg_text text, bool fold)
{
    char *copy;

    if (b->term_count == SLG_SIMPLIFY_TERM_COUNT_MAX)
        return false;
    copy = slg_arena_copy(b->arena, text.at, text.len);
    if (copy == NULL)
        return false;
    b->terms[b->term_count].kind = kind;
    b->terms[b->term_count++].needle = slg_needle_make(copy, text.len, fold);
    return true;
}

static struct outcome add(struct builder *b, enum slg_simple_kind kind, struct slg_text text,
                          bool fold)
{
    struct outcome outcome = { .ok = true };

    if (kind == SLG_SIMPLE_CONTAINS && text.len == 0) {
        outcome.always = true;
        return outcome;
    }
    outcome.ok = add_term(b, kind, text, fold);
    outcome.any = true;
    return outcome;
}

/* a or b: one that is always true vanishes beside another. */
static struct outcome either(struct outcome a, struct outcome b)
{
    return (struct outcome){ .ok = a.ok && b.ok,
                             .always = a.always && b.always,
                             .any = a.any || b.any };
}

static struct outcome simplify_concat(struct builder *b, struct node *node, struct slg_text base,
                                      bool has_base);

static struct node *uncaptured(struct node *node)
{
    while (node->kind == KIND_CAPTURE)
        node = node->subs;
    return node;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by SLG_SIMPLIFY_DEPTH_MAX */
static struct outcome concat_alternate(struct builder *b, struct node *node, struct slg_text base,
                                       bool fold, struct outcome sum, bool *has_sum)
{
    const struct outcome bad = { 0 };

    for (struct node *alt = node->subs; alt != NULL; alt = alt->next) {
        struct outcome one;

        if (!fold && alt->fold)
            return bad;
        switch (alt->kind) {
        case KIND_EMPTY:
        case KIND_STAR:
            one = add(b, SLG_SIMPLE_CONTAINS, base, fold);
            break;
        case KIND_LITERAL:
            one = add(b, SLG_SIMPLE_CONTAINS, join(b, base, alt->text), fold);
            break;
        case KIND_CONCAT:
            one = simplify_concat(b, alt, base, /* has_base= */ true);
            break;
        case KIND_PLUS:
        case KIND_ALTERNATE:
        case KIND_CAPTURE:
        default:
            return bad;
        }
        if (!one.ok)
            return bad;
        sum = *has_sum ? either(sum, one) : one;
        *has_sum = true;
    }
    return sum;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by SLG_SIMPLIFY_DEPTH_MAX */
static struct outcome simplify_concat(struct builder *b, struct node *node, struct slg_text base,
                                      bool has_base)
{
    const struct outcome bad = { 0 };
    struct outcome sum = { .ok = true };
    bool has_sum = false, fold = false;
    size_t count = 0, literals = 0;

    for (const struct node *sub = node->subs; sub != NULL; sub = sub->next)
        count += sub->kind != KIND_EMPTY;
    if (count > 3)
        return bad;
    for (struct node *next = node->subs; next != NULL; next = next->next) {
        struct node *sub = uncaptured(next);

        if (next->kind == KIND_EMPTY)
            continue;
        if (sub->kind == KIND_LITERAL) {
            if (literals++ != 0)
                return bad;
            base = join(b, base, sub->text);
            has_base = true;
            fold = sub->fold;
        } else if (sub->kind == KIND_ALTERNATE && has_base) {
            sum = concat_alternate(b, sub, base, fold, sum, &has_sum);
            if (!sum.ok)
                return bad;
        } else if (sub->kind != KIND_STAR) {
            return bad;
        }
    }
    if (has_sum)
        return sum;
    return has_base ? add(b, SLG_SIMPLE_CONTAINS, base, fold) : bad;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by SLG_SIMPLIFY_DEPTH_MAX */
static struct outcome simplify_node(struct builder *b, struct node *node)
{
    const struct outcome bad = { 0 };
    struct outcome sum = { .ok = true };

    switch (node->kind) {
    case KIND_CAPTURE:
        return simplify_node(b, uncaptured(node));
    case KIND_EMPTY:
    case KIND_STAR:
        sum.always = true;
        return sum;
    case KIND_PLUS:
        return add(b, SLG_SIMPLE_EXISTS, slg_text_make("", 0), false);
    case KIND_LITERAL:
        return add(b, b->is_label ? SLG_SIMPLE_EQUAL : SLG_SIMPLE_CONTAINS, node->text, node->fold);
    case KIND_CONCAT:
        return simplify_concat(b, node, slg_text_make("", 0), /* has_base= */ false);
    case KIND_ALTERNATE:
        for (struct node *sub = node->subs; sub != NULL; sub = sub->next) {
            struct outcome one = simplify_node(b, uncaptured(sub));

            if (!one.ok)
                return bad;
            sum = sub == node->subs ? one : either(sum, one);
        }
        return sum;
    default:
        return bad;
    }
}

bool slg_simplify(struct slg_arena *arena, struct slg_text regex, bool is_label,
                  struct slg_simple *ret)
{
    struct builder b = { .arena = arena, .is_label = is_label };
    struct outcome outcome;
    struct node *root;

    if (regex.len > 4096) /* a list of thousands of words is better off in RE2 */
        return false;
    b.at = regex.at == NULL ? "" : regex.at;
    b.end = b.at + regex.len;
    b.nodes = calloc(SLG_SIMPLIFY_NODE_COUNT_MAX, sizeof(b.nodes[0]));
    b.byte_capacity = regex.len * 64 + 64;
    b.bytes = malloc(b.byte_capacity);
    b.terms = slg_arena_calloc(arena, SLG_SIMPLIFY_TERM_COUNT_MAX, sizeof(b.terms[0]));
    if (b.nodes == NULL || b.bytes == NULL || b.terms == NULL)
        b.failed = true;
    root = b.failed ? NULL : parse_alternate(&b, 0);
    outcome.ok = false;
    if (!b.failed && b.at == b.end)
        outcome = simplify_node(&b, root);
    free(b.nodes);
    free(b.bytes);
    if (b.failed || !outcome.ok)
        return false;
    ret->always = outcome.always;
    ret->terms = b.terms;
    ret->term_count = b.term_count;
    return true;
}

bool slg_simple_test(const struct slg_simple *simple, struct slg_text text)
{
    bool found = simple->always;

    for (size_t i = 0; i < simple->term_count && !found; i++) {
        const struct slg_simple_term *term = &simple->terms[i];

        switch (term->kind) {
        case SLG_SIMPLE_EXISTS:
            found = text.len > 0;
            break;
        case SLG_SIMPLE_EQUAL:
            found = text.len == term->needle.len &&
                    slg_needle_find(&term->needle, text.at, text.len) == 0;
            break;
        case SLG_SIMPLE_CONTAINS:
            found = slg_needle_find(&term->needle, text.at, text.len) != SLG_FIND_NONE;
            break;
        }
    }
    return found;
}
