#include "logql/mine/generalise.h"

/* A row with what sorting needs. */
struct item {
    struct slg_generalise_row *row;
    struct slg_text skeleton;      /* the key with every token as a slot */
    const struct slg_text *tokens; /* of the key */
    size_t token_count;
    struct slg_text token; /* at the place in hand */
};

/* Items with equal tokens in front of `place`. */
struct range {
    size_t begin, end;
    size_t place;
};

/* Items with one word. */
struct run {
    size_t begin, end;
    struct slg_text word;
    uint64_t count;
    bool stays;
};

struct work {
    struct item *items;
    struct item *moved; /* scratch of reorder */
    struct range *stack;
    size_t stack_len, stack_max;
    struct run *runs;
    size_t run_count;
    uint64_t lines_min;
    uint32_t group_count;
};

static bool is_slot(struct slg_text token)
{
    return token.len == 1 && token.at[0] == SLG_SHAPE_SLOT;
}

static int compare_skeletons(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int order;

    if (a->row->level != b->row->level)
        return a->row->level < b->row->level ? -1 : 1;
    order = slg_text_compare(a->skeleton, b->skeleton);
    return order != 0 ? order : slg_text_compare(a->row->key, b->row->key);
}

static int compare_tokens(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int order = slg_text_compare(a->token, b->token);

    return order != 0 ? order : slg_text_compare(a->row->key, b->row->key);
}

/* Most lines first. */
static int compare_runs(const void *left, const void *right)
{
    const struct run *a = left, *b = right;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return slg_text_compare(a->word, b->word);
}

static bool prepare(struct slg_arena *arena, struct slg_generalise_row *row, struct item *ret_item)
{
    struct slg_text *tokens =
        slg_arena_alloc(arena, SLG_SHAPE_KEY_TOKENS_MAX * sizeof(struct slg_text));
    char *skeleton = slg_arena_alloc(arena, row->key.len + 1);
    size_t count, at = 0, len = 0;

    if (tokens == NULL || skeleton == NULL)
        return false;
    if (!slg_shape_tokens(row->key, tokens, &count))
        SLG_ASSERT(false && "keys are checked before they become rows");
    for (size_t i = 0; i < count; i++) {
        size_t start = (size_t)(tokens[i].at - row->key.at);

        memcpy(skeleton + len, row->key.at + at, start - at);
        len += start - at;
        skeleton[len++] = SLG_SHAPE_SLOT;
        at = start + tokens[i].len;
    }
    memcpy(skeleton + len, row->key.at + at, row->key.len - at);
    len += row->key.len - at;
    *ret_item = (struct item){
        .row = row, .skeleton = slg_text_make(skeleton, len), .tokens = tokens, .token_count = count
    };
    return true;
}

static void push(struct work *w, size_t begin, size_t end, size_t place)
{
    SLG_ASSERT(w->stack_len < w->stack_max);
    w->stack[w->stack_len++] = (struct range){ begin, end, place };
}

static void find_runs(struct work *w, const struct range *range)
{
    w->run_count = 0;
    for (size_t i = range->begin; i < range->end; i++)
        w->items[i].token = w->items[i].tokens[range->place];
    qsort(w->items + range->begin, range->end - range->begin, sizeof(*w->items), compare_tokens);
    for (size_t i = range->begin; i < range->end; i++) {
        struct run *last = w->run_count == 0 ? NULL : &w->runs[w->run_count - 1];

        if (last == NULL || !slg_text_equal(last->word, w->items[i].token)) {
            last = &w->runs[w->run_count++];
            *last = (struct run){ .begin = i, .word = w->items[i].token };
        }
        last->end = i + 1;
        last->count += w->items[i].row->count;
    }
}

/* Which words stay; sorts the runs. */
static void choose(struct work *w)
{
    size_t words = 0, leave = 0, last = 0;
    uint64_t total = 0, least = w->lines_min;

    for (size_t i = 0; i < w->run_count; i++) {
        words += !is_slot(w->runs[i].word);
        total += w->runs[i].count;
    }
    if (words > SLG_GENERALISE_WORDS_MAX && total / SLG_GENERALISE_SHARE > least)
        least = total / SLG_GENERALISE_SHARE;
    qsort(w->runs, w->run_count, sizeof(*w->runs), compare_runs);
    words = 0;
    for (size_t i = 0; i < w->run_count; i++) {
        struct run *run = &w->runs[i];

        run->stays = !is_slot(run->word) && run->count >= least && words < SLG_GENERALISE_WORDS_MAX;
        words += run->stays;
        if (!run->stays) {
            leave++;
            last = i;
        }
    }
    if (leave == 1 && !is_slot(w->runs[last].word))
        w->runs[last].stays = true;
}

/* Split the range by the words that stay; the others follow, as one range. */
static void split(struct work *w, const struct range *range)
{
    size_t at = range->begin, rest = at; /* the first that does not stay */
    size_t leave = 0;

    find_runs(w, range);
    choose(w);
    for (int stays = 1; stays >= 0; stays--) {
        for (size_t i = 0; i < w->run_count; i++) {
            const struct run *run = &w->runs[i];
            size_t len = run->end - run->begin;

            if (run->stays != (stays == 1))
                continue;
            memcpy(w->moved + at, w->items + run->begin, len * sizeof(*w->items));
            if (run->stays)
                push(w, at, at + len, range->place + 1);
            else
                leave++;
            at += len;
        }
        if (stays == 1)
            rest = at;
    }
    memcpy(w->items + range->begin, w->moved + range->begin,
           (range->end - range->begin) * sizeof(*w->items));
    if (leave > 1)
        for (size_t i = rest; i < range->end; i++)
            w->items[i].row->holes |= UINT64_C(1) << range->place;
    if (rest < range->end)
        push(w, rest, range->end, range->place + 1);
}

static void close_group(struct work *w, const struct range *range)
{
    for (size_t i = range->begin; i < range->end; i++)
        w->items[i].row->group = w->group_count;
    w->group_count++;
}

enum slg_status slg_generalise(struct slg_arena *arena, struct slg_generalise_row *rows,
                               size_t row_count, uint64_t lines_min, size_t *ret_group_count)
{
    struct work w = { .lines_min = lines_min, .stack_max = row_count + 1 };

    w.items = slg_arena_calloc(arena, row_count + 1, sizeof(*w.items));
    w.moved = slg_arena_calloc(arena, row_count + 1, sizeof(*w.moved));
    w.stack = slg_arena_calloc(arena, row_count + 1, sizeof(*w.stack));
    w.runs = slg_arena_calloc(arena, row_count + 1, sizeof(*w.runs));
    if (w.items == NULL || w.moved == NULL || w.stack == NULL || w.runs == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < row_count; i++) {
        rows[i].holes = 0;
        if (!prepare(arena, &rows[i], &w.items[i]))
            return SLG_LIMIT;
    }
    qsort(w.items, row_count, sizeof(*w.items), compare_skeletons);
    for (size_t begin = 0, end; begin < row_count; begin = end) {
        const struct item *first = &w.items[begin];

        for (end = begin + 1; end < row_count && w.items[end].row->level == first->row->level &&
                              slg_text_equal(w.items[end].skeleton, first->skeleton);)
            end++;
        push(&w, begin, end, 0);
        while (w.stack_len > 0) {
            struct range range = w.stack[--w.stack_len];

            if (range.end - range.begin == 1 || range.place == w.items[range.begin].token_count)
                close_group(&w, &range);
            else
                split(&w, &range);
        }
    }
    *ret_group_count = w.group_count;
    return SLG_OK;
}
