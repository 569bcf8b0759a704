#include "logql/pipe/pattern.h"

#include <string.h>

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* Length of "<name>" at text[0..len), 0 when it is none. */
static size_t capture_len(const char *text, size_t len)
{
    size_t i = 1;

    if (len < 3 || text[0] != '<')
        return 0;
    while (i < len && is_name_char(text[i], i == 1))
        i++;
    return i > 1 && i < len && text[i] == '>' ? i + 1 : 0;
}

static bool is_unnamed(const struct slg_pattern_node *node)
{
    return node->text.len == 1 && node->text.at[0] == '_';
}

static struct slg_pattern_node literal_node(const char *at, size_t len)
{
    return (struct slg_pattern_node){ .is_capture = false,
                                      .text = slg_text_make(at, len),
                                      .needle = slg_needle_make(at, len, /* fold= */ false) };
}

static enum slg_status split(struct slg_arena *arena, struct slg_text text,
                             struct slg_pattern *pattern, struct slg_error *reterr)
{
    size_t start = 0, count = 0;
    /* Each node is at least one byte; two more for luck would be luck, so exactly that. */
    struct slg_pattern_node *nodes = slg_arena_calloc(arena, text.len + 1, sizeof(nodes[0]));

    if (nodes == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    for (size_t i = 0; i < text.len;) {
        size_t len = capture_len(text.at + i, text.len - i);

        if (len == 0) {
            i++;
            continue;
        }
        if (i > start)
            nodes[count++] = literal_node(text.at + start, i - start);
        nodes[count].is_capture = true;
        nodes[count].text = slg_text_make(text.at + i + 1, len - 2);
        pattern->name_count += !is_unnamed(&nodes[count]);
        count++;
        i += len;
        start = i;
    }
    if (start < text.len)
        nodes[count++] = literal_node(text.at + start, text.len - start);
    pattern->nodes = nodes;
    pattern->node_count = count;
    return SLG_OK;
}

static enum slg_status check_consecutive(const struct slg_pattern *pattern,
                                         struct slg_error *reterr)
{
    for (size_t i = 0; i + 1 < pattern->node_count; i++) {
        const struct slg_pattern_node *node = &pattern->nodes[i];

        if (node[0].is_capture && node[1].is_capture)
            return slg_errorf(
                reterr, SLG_INVALID, "found consecutive capture '<%.*s><%.*s>': invalid expression",
                (int)node[0].text.len, node[0].text.at, (int)node[1].text.len, node[1].text.at);
    }
    return SLG_OK;
}

static enum slg_status check_names(const struct slg_pattern *pattern, struct slg_error *reterr)
{
    for (size_t i = 0; i < pattern->node_count; i++) {
        const struct slg_pattern_node *node = &pattern->nodes[i];

        if (!node->is_capture || is_unnamed(node))
            continue;
        for (size_t k = 0; k < i; k++)
            if (pattern->nodes[k].is_capture && slg_text_equal(pattern->nodes[k].text, node->text))
                return slg_errorf(reterr, SLG_INVALID,
                                  "duplicate capture name (%.*s): invalid expression",
                                  (int)node->text.len, node->text.at);
    }
    return SLG_OK;
}

enum slg_status slg_pattern_parse(struct slg_arena *arena, struct slg_text text,
                                  struct slg_pattern *ret_pattern, struct slg_error *reterr)
{
    struct slg_pattern pattern = { 0 };
    enum slg_status status = split(arena, text, &pattern, reterr);

    if (status == SLG_OK && pattern.name_count == 0)
        return slg_errorf(reterr, SLG_INVALID, "at least one capture is required");
    if (status == SLG_OK)
        status = check_consecutive(&pattern, reterr);
    if (status == SLG_OK)
        status = check_names(&pattern, reterr);
    if (status == SLG_OK)
        *ret_pattern = pattern;
    return status;
}

enum slg_status slg_pattern_parse_filter(struct slg_arena *arena, struct slg_text text,
                                         struct slg_pattern *ret_pattern, struct slg_error *reterr)
{
    struct slg_pattern pattern = { 0 };
    enum slg_status status = split(arena, text, &pattern, reterr);

    if (status == SLG_OK)
        status = check_consecutive(&pattern, reterr);
    if (status == SLG_OK && pattern.name_count > 0)
        return slg_errorf(reterr, SLG_INVALID, "named captures are not allowed");
    if (status == SLG_OK)
        *ret_pattern = pattern;
    return status;
}

static struct slg_text skip(struct slg_text text, size_t len)
{
    return slg_text_make(text.at + len, text.len - len);
}

size_t slg_pattern_extract(const struct slg_pattern *pattern, struct slg_text line,
                           struct slg_text *ret_values)
{
    const struct slg_pattern_node *node = pattern->nodes, *end = node + pattern->node_count;
    size_t count = 0;

    if (line.len == 0 || node == end)
        return 0;
    if (!node->is_capture) {
        if (line.len < node->text.len || memcmp(line.at, node->text.at, node->text.len) != 0)
            return 0;
        line = skip(line, node->text.len);
        node++;
    }
    while (node < end) {
        const struct slg_pattern_node *literal = node + 1 < end ? node + 1 : NULL;
        size_t at =
            literal == NULL ? SLG_FIND_NONE : slg_needle_find(&literal->needle, line.at, line.len);
        size_t len = at == SLG_FIND_NONE ? line.len : at;

        if (!is_unnamed(node))
            ret_values[count++] = slg_text_make(line.at, len);
        if (at == SLG_FIND_NONE)
            break;
        line = skip(line, at + literal->text.len);
        node += 2;
    }
    return count;
}

bool slg_pattern_test(const struct slg_pattern *pattern, struct slg_text line)
{
    size_t offset = 0;

    if (line.len == 0 || pattern->node_count == 0)
        return line.len == 0 && pattern->node_count == 0;
    for (size_t i = 0; i < pattern->node_count; i++) {
        const struct slg_pattern_node *node = &pattern->nodes[i];
        size_t at;

        if (node->is_capture)
            continue;
        at = slg_needle_find(&node->needle, line.at + offset, line.len - offset);
        if (at == SLG_FIND_NONE || (i == 0 ? at != 0 : at == 0))
            return false;
        offset += at + node->text.len;
    }
    return pattern->nodes[pattern->node_count - 1].is_capture == (offset != line.len);
}
