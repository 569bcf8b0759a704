#include "logql/pipe/regex_steps.h"

#include <string.h>

#define ATTEMPTS    16
#define NESTING_MAX 16
#define CHOICE_MAX  8
#define NO_GROUP    0

/* ---- compiling ---- */

struct compiler {
    struct slg_regex_steps *row;
    const char *at, *end;
    bool dot_newline;
    size_t literal_from; /* bytes of the literal in hand */
    uint32_t open[NESTING_MAX];
    size_t open_count;
};

static struct slg_regex_step *add_step(struct compiler *c, enum slg_regex_step_kind kind)
{
    struct slg_regex_step *step;

    if (c->row->step_count == SLG_REGEX_STEP_COUNT_MAX)
        return NULL;
    step = &c->row->steps[c->row->step_count++];
    *step = (struct slg_regex_step){ .kind = kind };
    return step;
}

/* The literal in hand becomes a step. */
static bool end_literal(struct compiler *c)
{
    size_t len = c->row->byte_count - c->literal_from;
    struct slg_regex_step *step;

    if (len == 0)
        return true;
    step = add_step(c, SLG_REGEX_STEP_LITERAL);
    if (step == NULL)
        return false;
    step->needle = slg_needle_make(c->row->bytes + c->literal_from, len, /* fold= */ false);
    c->literal_from = c->row->byte_count;
    return true;
}

static void add_range(struct slg_regex_class *class, unsigned low, unsigned high)
{
    for (unsigned i = low; i <= high; i++)
        class->has[i] = true;
}

static void negate(struct slg_regex_class *class)
{
    for (size_t i = 0; i < 256; i++)
        class->has[i] = !class->has[i];
}

/* \d, \w, \s and their opposites. False: another letter. */
static bool add_perl_class(struct slg_regex_class *class, char letter)
{
    switch (letter | 32) {
    case 'd':
        add_range(class, '0', '9');
        break;
    case 'w':
        add_range(class, '0', '9');
        add_range(class, 'A', 'Z');
        add_range(class, 'a', 'z');
        add_range(class, '_', '_');
        break;
    case 's': /* Go's: no vertical tab */
        add_range(class, '\t', '\n');
        add_range(class, '\f', '\r');
        add_range(class, ' ', ' ');
        break;
    default:
        return false;
    }
    if (letter < 'a')
        negate(class);
    return true;
}

static bool is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The character that an escape at c->at (behind the backslash) stands for; -1: none that is known here. */
static int take_escape(struct compiler *c)
{
    char letter;

    if (c->at == c->end || (unsigned char)*c->at >= 0x80)
        return -1;
    letter = *c->at++;
    if (letter == 't')
        return '\t';
    if (letter == 'n')
        return '\n';
    if (letter == 'r')
        return '\r';
    return is_letter_or_digit(letter) ? -1 : letter;
}

/* One character of a bracket class; -1: not of the kind. */
static int take_class_char(struct compiler *c)
{
    if (c->at == c->end || (unsigned char)*c->at >= 0x80)
        return -1;
    if (*c->at == '[' && c->end - c->at > 1 && c->at[1] == ':')
        return -1;
    if (*c->at != '\\')
        return *c->at++;
    c->at++;
    return take_escape(c);
}

/* [...] behind its '['. */
static bool take_class(struct compiler *c, struct slg_regex_class *class)
{
    bool negated = c->at < c->end && *c->at == '^';

    c->at += negated;
    for (bool first = true; c->at < c->end && (first || *c->at != ']'); first = false) {
        int low, high;

        if (c->end - c->at > 1 && *c->at == '\\' && strchr("dws", c->at[1]) != NULL &&
            c->at[1] != '\0') {
            (void)add_perl_class(class, c->at[1]); /* one of the three */
            c->at += 2;
            if (c->at < c->end && *c->at == '-' && c->end - c->at > 1 && c->at[1] != ']')
                return false;
            continue;
        }
        low = high = take_class_char(c);
        if (c->end - c->at > 1 && *c->at == '-' && c->at[1] != ']') {
            c->at++;
            high = take_class_char(c);
        }
        if (low < 0 || high < low)
            return false;
        add_range(class, (unsigned)low, (unsigned)high);
    }
    if (c->at == c->end)
        return false;
    c->at++;
    if (negated)
        negate(class);
    return true;
}

static void describe(struct slg_regex_class *class)
{
    int missing = 0;

    class->only_not = -1;
    for (int i = 0; i < 256; i++)
        if (!class->has[i]) {
            missing++;
            class->only_not = i;
        }
    if (missing != 1)
        class->only_not = -1;
}

static bool has_high(const struct slg_regex_class *class)
{
    return class->has[0x80];
}

/* '*', '+', '*?', '+?' at c->at. *ret_kind is ONE when there is no repetition. False: another one. */
static bool take_repetition(struct compiler *c, enum slg_regex_step_kind *ret_kind,
                            uint32_t *ret_least)
{
    *ret_kind = SLG_REGEX_STEP_ONE;
    *ret_least = 1;
    if (c->at < c->end && (*c->at == '*' || *c->at == '+')) {
        *ret_least = *c->at == '+';
        *ret_kind = SLG_REGEX_STEP_RUN;
        c->at++;
        if (c->at < c->end && *c->at == '?') {
            *ret_kind = SLG_REGEX_STEP_FIRST;
            c->at++;
        }
    }
    return c->at == c->end || strchr("*+?{", *c->at) == NULL || *c->at == '\0';
}

static bool add_class_step(struct compiler *c, const struct slg_regex_class *class,
                           enum slg_regex_step_kind kind, uint32_t least)
{
    struct slg_regex_step *step;

    if (!end_literal(c) || c->row->class_count == SLG_REGEX_CLASS_COUNT_MAX ||
        (kind == SLG_REGEX_STEP_ONE && has_high(class)))
        return false;
    step = add_step(c, kind);
    if (step == NULL)
        return false;
    step->least = least;
    step->index = (uint32_t)c->row->class_count;
    c->row->classes[c->row->class_count] = *class;
    describe(&c->row->classes[c->row->class_count++]);
    return true;
}

static bool add_char(struct compiler *c, char byte)
{
    struct slg_regex_class class = { .only_not = -1 };
    enum slg_regex_step_kind kind;
    uint32_t least;

    if (!take_repetition(c, &kind, &least))
        return false;
    if (kind != SLG_REGEX_STEP_ONE) {
        class.has[(unsigned char)byte] = true;
        return add_class_step(c, &class, kind, least);
    }
    if (c->row->byte_count == sizeof(c->row->bytes))
        return false;
    c->row->bytes[c->row->byte_count++] = byte;
    return true;
}

static bool add_class(struct compiler *c, const struct slg_regex_class *class)
{
    enum slg_regex_step_kind kind;
    uint32_t least;

    return take_repetition(c, &kind, &least) && add_class_step(c, class, kind, least);
}

static bool open_group(struct compiler *c)
{
    uint32_t group = NO_GROUP;
    struct slg_regex_step *step;

    if (!end_literal(c) || c->open_count == NESTING_MAX)
        return false;
    if (c->end - c->at > 2 && memcmp(c->at, "?:", 2) == 0) {
        c->at += 2;
    } else {
        if (c->end - c->at > 3 && memcmp(c->at, "?P<", 3) == 0) {
            const char *close = memchr(c->at, '>', (size_t)(c->end - c->at));

            if (close == NULL)
                return false;
            c->at = close + 1;
        } else if (c->at < c->end && *c->at == '?') {
            return false; /* flags */
        }
        group = (uint32_t)++c->row->group_count;
        step = add_step(c, SLG_REGEX_STEP_OPEN);
        if (step == NULL || group >= SLG_REGEX_GROUP_COUNT_MAX)
            return false;
        step->index = group;
    }
    c->open[c->open_count++] = group;
    return true;
}

static bool close_group(struct compiler *c)
{
    enum slg_regex_step_kind kind;
    struct slg_regex_step *step;
    uint32_t least, group;

    if (!end_literal(c) || c->open_count == 0 || !take_repetition(c, &kind, &least) ||
        kind != SLG_REGEX_STEP_ONE)
        return false;
    group = c->open[--c->open_count];
    if (group == NO_GROUP)
        return true;
    step = add_step(c, SLG_REGEX_STEP_CLOSE);
    if (step == NULL)
        return false;
    step->index = group;
    return true;
}

static bool take_atom(struct compiler *c)
{
    struct slg_regex_class class = { .only_not = -1 };
    char byte = *c->at++;
    int escaped;

    switch (byte) {
    case '(':
        return open_group(c);
    case ')':
        return close_group(c);
    case '[':
        return take_class(c, &class) && add_class(c, &class);
    case '.':
        if (!c->dot_newline)
            class.has['\n'] = true;
        negate(&class);
        return add_class(c, &class);
    case '\\':
        if (c->at < c->end && add_perl_class(&class, *c->at)) {
            c->at++;
            return add_class(c, &class);
        }
        escaped = take_escape(c);
        return escaped >= 0 && add_char(c, (char)escaped);
    case '|':
    case '^':
    case '$':
    case '*':
    case '+':
    case '?':
    case '{':
        return false;
    default:
        return (unsigned char)byte < 0x80 && byte != '\0' && add_char(c, byte);
    }
}

/* The next step that is no border of a group. */
static size_t skip_borders(const struct slg_regex_steps *row, size_t at)
{
    while (row->steps[at].kind == SLG_REGEX_STEP_OPEN ||
           row->steps[at].kind == SLG_REGEX_STEP_CLOSE)
        at++;
    return at;
}

/* Can what follows step `at` begin with a byte of the class? (The end can not: it takes no byte.) */
static bool follows(const struct slg_regex_steps *row, size_t at,
                    const struct slg_regex_class *class)
{
    for (at = skip_borders(row, at + 1);; at = skip_borders(row, at + 1)) {
        const struct slg_regex_step *step = &row->steps[at];

        if (step->kind == SLG_REGEX_STEP_END)
            return false;
        if (step->kind == SLG_REGEX_STEP_LITERAL)
            return class->has[(unsigned char)step->needle.at[0]];
        for (size_t i = 0; i < 256; i++)
            if (class->has[i] && row->classes[step->index].has[i])
                return true;
        if (step->least > 0)
            return false;
    }
}

/* Repetitions get their way of ending; false: one has none. */
static bool settle(struct slg_regex_steps *row)
{
    size_t choice_count = 0;

    for (size_t i = 0; i < row->step_count; i++) {
        struct slg_regex_step *step = &row->steps[i];
        size_t next;

        if (step->kind == SLG_REGEX_STEP_RUN && follows(row, i, &row->classes[step->index]))
            step->kind = SLG_REGEX_STEP_LAST;
        if (step->kind != SLG_REGEX_STEP_FIRST && step->kind != SLG_REGEX_STEP_LAST)
            continue;
        next = skip_borders(row, i + 1);
        if (row->steps[next].kind != SLG_REGEX_STEP_LITERAL || ++choice_count > CHOICE_MAX)
            return false;
        step->next_literal = (uint32_t)next;
    }
    return true;
}

bool slg_regex_steps_compile(const char *text, size_t len, bool dot_newline,
                             struct slg_regex_steps *ret)
{
    struct compiler c = { .row = ret, .at = text, .end = text + len, .dot_newline = dot_newline };

    memset(ret, 0, sizeof(*ret));
    while (c.at < c.end)
        if (!take_atom(&c))
            return false;
    if (c.open_count > 0 || !end_literal(&c) || add_step(&c, SLG_REGEX_STEP_END) == NULL)
        return false;
    while (ret->steps[ret->prefix_at].kind == SLG_REGEX_STEP_OPEN)
        ret->prefix_at++;
    return ret->steps[ret->prefix_at].kind == SLG_REGEX_STEP_LITERAL && settle(ret);
}

/* ---- matching ---- */

/* A repetition that could have ended elsewhere. */
struct choice {
    size_t step;
    size_t low, high; /* where the literal behind it may still begin: low..high */
};

struct matcher {
    const struct slg_regex_steps *row;
    const char *text;
    size_t len;
    struct slg_regex_span *groups;
    size_t group_count;
    struct choice choices[CHOICE_MAX];
    size_t choice_count;
    unsigned attempts; /* left */
};

static size_t run_end(const struct matcher *m, const struct slg_regex_class *class, size_t at)
{
    const void *stop;

    if (class->only_not < 0) {
        while (at < m->len && class->has[(unsigned char)m->text[at]])
            at++;
        return at;
    }
    stop = memchr(m->text + at, class->only_not, m->len - at);
    return stop == NULL ? m->len : (size_t)((const char *)stop - m->text);
}

/* The best place of the choice that is left; false: none. */
static bool choose(const struct matcher *m, struct choice *choice, size_t *ret_at)
{
    const struct slg_regex_step *step = &m->row->steps[choice->step];
    const struct slg_needle *needle = &m->row->steps[step->next_literal].needle;

    if (choice->low > choice->high)
        return false;
    if (step->kind == SLG_REGEX_STEP_FIRST) {
        size_t end = m->len - choice->high < needle->len ? m->len : choice->high + needle->len;
        size_t at = slg_needle_find(needle, m->text + choice->low, end - choice->low);

        if (at == SLG_FIND_NONE)
            return false;
        *ret_at = choice->low + at;
        choice->low = *ret_at + 1;
        return true;
    }
    for (size_t at = choice->high + 1; at-- > choice->low;)
        if (m->text[at] == needle->at[0] && m->len - at >= needle->len &&
            memcmp(m->text + at, needle->at, needle->len) == 0) {
            *ret_at = at;
            choice->high = at - 1; /* at 0 there was a prefix before */
            return true;
        }
    return false;
}

/* After a failure: the next choice. False: none is left, or there were too many. */
static bool go_back(struct matcher *m, size_t *step, size_t *at)
{
    while (m->choice_count > 0 && m->attempts > 0) {
        struct choice *choice = &m->choices[m->choice_count - 1];

        m->attempts--;
        *step = choice->step + 1;
        if (choose(m, choice, at))
            return true;
        m->choice_count--;
    }
    return false;
}

/* A step with a class. False: it does not match at *at. */
static bool take_classes(struct matcher *m, size_t index, size_t *at)
{
    const struct slg_regex_step *step = &m->row->steps[index];
    const struct slg_regex_class *class = &m->row->classes[step->index];
    struct choice *choice;
    size_t end;

    if (step->kind == SLG_REGEX_STEP_ONE)
        return *at < m->len && class->has[(unsigned char)m->text[(*at)++]];
    end = run_end(m, class, *at);
    if (end - *at < step->least)
        return false;
    if (step->kind == SLG_REGEX_STEP_RUN) {
        *at = end;
        return true;
    }
    if (end == m->len)
        end--; /* a literal has to follow; end > 0 as there was a prefix */
    choice = &m->choices[m->choice_count++];
    *choice = (struct choice){ .step = index, .low = *at + step->least, .high = end };
    if (choose(m, choice, at))
        return true;
    m->choice_count--;
    return false;
}

/* The steps behind the prefix, which ends at `at`. */
static bool match_rest(struct matcher *m, size_t at, size_t *ret_end)
{
    size_t index = m->row->prefix_at + 1;

    m->choice_count = 0;
    for (;;) {
        const struct slg_regex_step *step = &m->row->steps[index++];
        bool ok = true;

        switch (step->kind) {
        case SLG_REGEX_STEP_LITERAL:
            ok = m->len - at >= step->needle.len &&
                 memcmp(m->text + at, step->needle.at, step->needle.len) == 0;
            at += ok ? step->needle.len : 0;
            break;
        case SLG_REGEX_STEP_ONE:
        case SLG_REGEX_STEP_RUN:
        case SLG_REGEX_STEP_FIRST:
        case SLG_REGEX_STEP_LAST:
            ok = take_classes(m, index - 1, &at);
            break;
        case SLG_REGEX_STEP_OPEN:
            if (step->index < m->group_count)
                m->groups[step->index].at = m->text + at;
            break;
        case SLG_REGEX_STEP_CLOSE:
            if (step->index < m->group_count)
                m->groups[step->index].len = (size_t)(m->text + at - m->groups[step->index].at);
            break;
        case SLG_REGEX_STEP_END:
            *ret_end = at;
            return true;
        }
        if (!ok && !go_back(m, &index, &at))
            return false;
    }
}

int slg_regex_steps_find(const struct slg_regex_steps *row, const char *text, size_t len,
                         size_t *start, struct slg_regex_span *ret_groups, size_t group_count)
{
    const struct slg_needle *prefix = &row->steps[row->prefix_at].needle;
    struct matcher m; /* its choices need no start */

    m.row = row;
    m.text = text;
    m.len = len;
    m.groups = ret_groups;
    m.group_count = group_count;
    m.attempts = ATTEMPTS;
    for (; m.attempts > 0; m.attempts--, (*start)++) {
        size_t at = slg_needle_find(prefix, text + *start, len - *start), end;

        if (at == SLG_FIND_NONE)
            return 0;
        *start += at;
        for (size_t i = 0; i < row->prefix_at; i++)
            if (row->steps[i].index < group_count)
                ret_groups[row->steps[i].index].at = text + *start;
        if (match_rest(&m, *start + prefix->len, &end)) {
            if (group_count > 0)
                ret_groups[0] = (struct slg_regex_span){ text + *start, end - *start };
            return 1;
        }
        if (m.attempts == 0)
            break; /* the start in hand was not tried in full */
    }
    return -1;
}
