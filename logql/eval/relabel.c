#include "logql/eval/relabel.h"

#include "base/buf.h"
#include "logql/pipe/regex.h"

struct slg_relabel {
    struct slg_arena *arena;
    struct slg_label_pool *pool;
    const struct slg_logql_label_replace *expr;
    struct slg_regex *regex;
    struct slg_buf text; /* the replacement of one label set */
    struct slg_memo result_of;
};

enum slg_status slg_relabel_create(struct slg_arena *arena, struct slg_label_pool *pool,
                                   const struct slg_logql_label_replace *expr,
                                   struct slg_relabel **ret_relabel, struct slg_error *reterr)
{
    const struct slg_regex_options options = { .text = expr->regex.ptr,
                                               .len = expr->regex.len,
                                               .anchored = true };
    struct slg_relabel *relabel = slg_arena_calloc(arena, 1, sizeof(*relabel));
    enum slg_status status;

    if (relabel == NULL)
        return SLG_NO_MEMORY;
    relabel->arena = arena;
    relabel->pool = pool;
    relabel->expr = expr;
    status = slg_regex_create(&options, &relabel->regex, reterr);
    if (status != SLG_OK) {
        (void)slg_error_context(reterr, "parse error : invalid regex in label_replace");
        return status;
    }
    slg_buf_init(&relabel->text, SLG_RELABEL_BYTES_MAX);
    *ret_relabel = relabel;
    return SLG_OK;
}

void slg_relabel_destroy(struct slg_relabel *relabel)
{
    if (relabel == NULL)
        return;
    slg_regex_destroy(relabel->regex);
    slg_buf_fini(&relabel->text);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80) != 0;
}

/* The name after a '$' at *at: `name` or `{name}`. False: the '$' stands for itself. */
static bool take_name(const char **at, const char *end, struct slg_text *ret_name)
{
    const char *p = *at;
    bool brace = p < end && *p == '{';
    const char *start;

    if (brace)
        p++;
    start = p;
    while (p < end && is_word(*p))
        p++;
    if (p == start || (brace && (p == end || *p != '}')))
        return false;
    *ret_name = slg_text_make(start, (size_t)(p - start));
    *at = brace ? p + 1 : p;
    return true;
}

/* Group number of a name, SIZE_MAX when there is none. "01" is a name, not a number. */
static size_t find_group(const struct slg_regex *regex, struct slg_text name)
{
    size_t number = 0;
    bool digits = name.len < 9 && (name.at[0] != '0' || name.len == 1);

    for (size_t i = 0; i < name.len && digits; i++) {
        digits = name.at[i] >= '0' && name.at[i] <= '9';
        number = number * 10 + (size_t)(name.at[i] - '0');
    }
    if (digits)
        return number;
    for (size_t i = 1; i <= slg_regex_group_count(regex); i++) {
        if (slg_text_equal_to(name, slg_regex_group_name(regex, i)))
            return i;
    }
    return SIZE_MAX;
}

static void expand(struct slg_relabel *r, const struct slg_regex_span *groups, size_t group_count)
{
    const char *at = r->expr->replacement.ptr;
    const char *end = at + r->expr->replacement.len;

    while (at < end) {
        struct slg_text name;
        size_t group;

        if (*at != '$') {
            slg_buf_append_byte(&r->text, (uint8_t)*at++);
            continue;
        }
        at++;
        if (at < end && *at == '$') {
            slg_buf_append_byte(&r->text, '$');
            at++;
        } else if (!take_name(&at, end, &name)) {
            slg_buf_append_byte(&r->text, '$');
        } else {
            group = find_group(r->regex, name);
            if (group < group_count && groups[group].at != NULL)
                slg_buf_append(&r->text, groups[group].at, groups[group].len);
        }
    }
}

static enum slg_status replace(struct slg_relabel *r, uint32_t id, uint32_t *ret_id,
                               struct slg_error *reterr)
{
    struct slg_regex_span groups[SLG_REGEX_GROUP_COUNT_MAX];
    size_t group_count = slg_regex_group_count(r->regex) + 1;
    const struct slg_logql_label_replace *expr = r->expr;
    struct slg_text source = { "", 0 };

    if (group_count > SLG_REGEX_GROUP_COUNT_MAX)
        group_count = SLG_REGEX_GROUP_COUNT_MAX;
    (void)slg_label_get(slg_label_pool_set(r->pool, id), /* absent = empty */
                        slg_text_make(expr->src.ptr, expr->src.len), &source);
    if (!slg_regex_find(r->regex, source.len == 0 ? "" : source.at, source.len, 0, groups,
                        group_count)) {
        *ret_id = id;
        return SLG_OK;
    }
    slg_buf_clear(&r->text);
    expand(r, groups, group_count);
    if (slg_buf_failed(&r->text))
        return slg_errorf(reterr, SLG_LIMIT, "label_replace makes a label longer than %zu bytes",
                          SLG_RELABEL_BYTES_MAX);
    return slg_label_pool_with(r->pool, id, slg_text_make(expr->dst.ptr, expr->dst.len),
                               slg_text_make(r->text.data, r->text.len), ret_id)
               ? SLG_OK
               : SLG_NO_MEMORY;
}

enum slg_status slg_relabel_step(struct slg_relabel *r, const struct slg_vector *in,
                                 struct slg_vector *out, struct slg_error *reterr)
{
    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        uint32_t id = slg_memo_get(&r->result_of, in->items[i].id);

        if (id == SLG_MEMO_UNKNOWN) {
            enum slg_status status = replace(r, in->items[i].id, &id, reterr);

            if (status != SLG_OK)
                return status;
            if (!slg_memo_put(&r->result_of, r->arena, in->items[i].id, id))
                return SLG_NO_MEMORY;
        }
        if (!slg_vector_append(out, r->arena, id, in->items[i].value))
            return SLG_NO_MEMORY;
    }
    return SLG_OK;
}
