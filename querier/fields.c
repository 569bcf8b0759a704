#include "querier/fields.h"

#include <stdlib.h>
#include <string.h>

#include "logql/pipe/context.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/json.h"
#include "logql/pipe/json_scan.h"
#include "logql/pipe/pipe.h"
#include "logql/syntax/parse.h"

#define SLOTS_MIN      ((size_t)256)
#define LIST_MIN       ((size_t)64)
/* A query of two dozen bytes. */
#define PARSE_BYTES    ((size_t)1 << 20)
#define EXTRACTED      "_extracted"
/* A path is looked for by its flattened name; longer ones have none. */
#define NAME_BYTES_MAX ((size_t)4096)

enum parser {
    PARSER_NONE,
    PARSER_JSON,
    PARSER_LOGFMT,
};

/* Open addressing by a hash that stands for the text: xxh3-128, so that two texts do not meet by chance. */
struct slot {
    struct slg_hash128 hash;
    size_t index_plus_one; /* 0: free */
};
struct table {
    struct slot *slots;
    size_t capacity;
    size_t count;
};

/* `json` or `logfmt`, ready to run on lines of one stream. */
struct line_parser {
    struct slg_pipe *pipe;
    struct slg_pipe_stream *stream;
};

struct slg_fields {
    struct slg_fields_options options;
    struct slg_arena *arena;
    struct slg_arena *syntax; /* trees of the two parsers: the pipes borrow them */
    struct line_parser json;
    struct line_parser logfmt;
    struct table names;
    struct table values; /* (field, value) */
    struct slg_field *list;
    size_t count;
    size_t capacity;
    struct slg_text *kept; /* values of the wanted field */
    size_t kept_count;
    size_t kept_capacity;
    bool path_missing; /* some field of the line in hand is JSON's and has no path yet */
};

/* ---- types ---- */

const char *slg_field_type_text(enum slg_field_type type)
{
    switch (type) {
    case SLG_FIELD_STRING:
        return "string";
    case SLG_FIELD_INT:
        return "int";
    case SLG_FIELD_FLOAT:
        return "float";
    case SLG_FIELD_BOOLEAN:
        return "boolean";
    case SLG_FIELD_DURATION:
        return "duration";
    case SLG_FIELD_BYTES:
        return "bytes";
    }
    return "string";
}

/* strconv.ParseBool; 0 and 1 are integers before they come here. */
static bool is_boolean(struct slg_text value)
{
    static const char *const words[] = { "t", "T", "true",  "TRUE",  "True",
                                         "f", "F", "false", "FALSE", "False" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(words); i++)
        if (slg_text_equal_to(value, words[i]))
            return true;
    return false;
}

enum slg_field_type slg_field_type_of(struct slg_text value)
{
    int64_t integer;
    uint64_t bytes;
    double real;

    if (slg_convert_int(value, &integer))
        return SLG_FIELD_INT;
    if (slg_convert_float(value, &real))
        return SLG_FIELD_FLOAT;
    if (is_boolean(value))
        return SLG_FIELD_BOOLEAN;
    if (slg_convert_duration(value, &integer))
        return SLG_FIELD_DURATION;
    if (slg_convert_bytes(value, &bytes))
        return SLG_FIELD_BYTES;
    return SLG_FIELD_STRING;
}

/* ---- tables ---- */

static struct slot *probe(struct slot *slots, size_t capacity, const struct slg_hash128 *hash)
{
    size_t at = (size_t)hash->low & (capacity - 1);

    while (slots[at].index_plus_one != 0 &&
           (slots[at].hash.low != hash->low || slots[at].hash.high != hash->high))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

/* The slot of the hash, free or not; NULL: memory. */
static struct slot *find_slot(struct slg_fields *fields, struct table *table,
                              const struct slg_hash128 *hash)
{
    size_t capacity = table->capacity == 0 ? SLOTS_MIN : table->capacity * 2;
    struct slot *slots;

    if ((table->count + 1) * 2 <= table->capacity)
        return probe(table->slots, table->capacity, hash);
    slots = slg_arena_calloc(fields->arena, capacity, sizeof(*slots));
    if (slots == NULL)
        return NULL;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].index_plus_one != 0)
            *probe(slots, capacity, &table->slots[i].hash) = table->slots[i];
    table->slots = slots;
    table->capacity = capacity;
    return probe(slots, capacity, hash);
}

static void fill_slot(struct table *table, struct slot *slot, const struct slg_hash128 *hash,
                      size_t index)
{
    *slot = (struct slot){ .hash = *hash, .index_plus_one = index + 1 };
    table->count++;
}

/* ---- fields ---- */

static bool copy_text(struct slg_fields *fields, struct slg_text text, struct slg_text *ret_copy)
{
    char *copy = slg_arena_copy(fields->arena, text.at, text.len);

    *ret_copy = slg_text_make(copy, text.len);
    return copy != NULL;
}

/* Room for one more item. */
static bool make_room(struct slg_fields *fields, void **items, size_t count, size_t *capacity,
                      size_t item_size)
{
    size_t bigger = *capacity == 0 ? LIST_MIN : *capacity * 2;
    void *grown;

    if (count < *capacity)
        return true;
    grown = slg_arena_grow(fields->arena, *items, *capacity, bigger, item_size);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = bigger;
    return true;
}

/* *ret_index: of the field, SIZE_MAX when there is no place for another. */
static enum slg_status know_field(struct slg_fields *fields, struct slg_text name,
                                  size_t *ret_index)
{
    struct slg_hash128 hash = slg_hash_xxh3_128(name.at, name.len);
    struct slot *slot = find_slot(fields, &fields->names, &hash);
    void *list = fields->list;
    struct slg_field *field;

    *ret_index = SIZE_MAX;
    if (slot == NULL)
        return SLG_LIMIT;
    if (slot->index_plus_one != 0) {
        *ret_index = slot->index_plus_one - 1;
        return SLG_OK;
    }
    if (fields->count >= fields->options.field_max)
        return SLG_OK;
    if (!make_room(fields, &list, fields->count, &fields->capacity, sizeof(*field)))
        return SLG_LIMIT;
    fields->list = list;
    field = &fields->list[fields->count];
    *field = (struct slg_field){ .type = SLG_FIELD_STRING };
    if (!copy_text(fields, name, &field->name))
        return SLG_LIMIT;
    fill_slot(&fields->names, slot, &hash, fields->count);
    *ret_index = fields->count++;
    return SLG_OK;
}

static enum slg_status keep_value(struct slg_fields *fields, struct slg_text value)
{
    void *kept = fields->kept;

    if (fields->options.wanted.len == 0 || fields->kept_count >= fields->options.value_max)
        return SLG_OK;
    if (!make_room(fields, &kept, fields->kept_count, &fields->kept_capacity,
                   sizeof(*fields->kept)))
        return SLG_LIMIT;
    fields->kept = kept;
    if (!copy_text(fields, value, &fields->kept[fields->kept_count]))
        return SLG_LIMIT;
    fields->kept_count++;
    return SLG_OK;
}

static enum slg_status add_value(struct slg_fields *fields, const struct slg_label *label,
                                 enum parser parser)
{
    struct slg_hash128 hash = slg_hash_xxh3_128(label->value.at, label->value.len);
    struct slg_field *field;
    struct slot *slot;
    size_t index;
    enum slg_status status;

    if (fields->options.wanted.len > 0 && !slg_text_equal(label->name, fields->options.wanted))
        return SLG_OK;
    status = know_field(fields, label->name, &index);
    if (status != SLG_OK || index == SIZE_MAX)
        return status;
    field = &fields->list[index];
    field->type = slg_field_type_of(label->value);
    field->json = field->json || parser == PARSER_JSON;
    field->logfmt = field->logfmt || parser == PARSER_LOGFMT;
    if (parser == PARSER_JSON && field->path_count == 0)
        fields->path_missing = true;
    hash.high ^= (uint64_t)index * UINT64_C(0x9E3779B97F4A7C15);
    slot = find_slot(fields, &fields->values, &hash);
    if (slot == NULL)
        return SLG_LIMIT;
    if (slot->index_plus_one != 0)
        return SLG_OK;
    fill_slot(&fields->values, slot, &hash, index);
    field->value_count++;
    return keep_value(fields, label->value);
}

static bool is_error_label(struct slg_text name)
{
    return slg_text_equal_to(name, "__error__") || slg_text_equal_to(name, "__error_details__") ||
           slg_text_equal_to(name, "__preserve_error__");
}

static enum slg_status add_labels(struct slg_fields *fields, const struct slg_label_set *labels,
                                  enum parser parser)
{
    for (size_t i = 0; i < labels->count; i++) {
        enum slg_status status = SLG_OK;

        if (!is_error_label(labels->items[i].name))
            status = add_value(fields, &labels->items[i], parser);
        if (status != SLG_OK)
            return status;
    }
    return SLG_OK;
}

/* ---- where a JSON member stands ---- */

struct walk {
    struct slg_fields *fields;
    struct slg_json_scan scan;
    struct slg_text keys[SLG_FIELDS_DEPTH_MAX]; /* of the open objects and the member, as written */
    size_t name_len[SLG_FIELDS_DEPTH_MAX];      /* of `name` before the key */
    size_t depth;                               /* open objects below the first */
    char name[NAME_BYTES_MAX + 2];              /* flattened; one more for '_', one for a digit */
};

/* The path of the member that depth + 1 keys lead to, for the field that is called so, if it has none yet. */
static enum slg_status set_path(struct walk *walk, struct slg_text name)
{
    struct slg_hash128 hash = slg_hash_xxh3_128(name.at, name.len);
    struct slot *slot = find_slot(walk->fields, &walk->fields->names, &hash);
    struct slg_field *field;
    struct slg_text *path;

    if (slot == NULL)
        return SLG_LIMIT;
    if (slot->index_plus_one == 0)
        return SLG_OK;
    field = &walk->fields->list[slot->index_plus_one - 1];
    if (!field->json || field->path_count > 0)
        return SLG_OK;
    path = slg_arena_calloc(walk->fields->arena, walk->depth + 1, sizeof(*path));
    if (path == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i <= walk->depth; i++) {
        struct slg_text key = walk->keys[i];
        char *text = slg_arena_alloc(walk->fields->arena, key.len + 1);

        if (text == NULL)
            return SLG_LIMIT;
        path[i].at = text;
        if (!slg_json_unescape(key, text, &path[i].len))
            return SLG_OK;
    }
    field->path = path;
    field->path_count = walk->depth + 1;
    return SLG_OK;
}

/* The flattened name up to the key in hand; 0 when it has none that we follow. */
static size_t join_name(struct walk *walk, size_t before, struct slg_text key)
{
    char clean[NAME_BYTES_MAX];
    size_t len = before;

    if (key.len >= sizeof(clean) || before + key.len + sizeof(EXTRACTED) > NAME_BYTES_MAX ||
        !slg_json_unescape(key, clean, &key.len))
        return 0;
    key.at = clean;
    if (before > 0)
        walk->name[len++] = '_';
    return slg_context_sanitize(walk->name, len, key);
}

static enum slg_status visit_member(struct walk *walk, size_t name_len)
{
    enum slg_status status;

    if (name_len == 0)
        return SLG_OK;
    status = set_path(walk, slg_text_make(walk->name, name_len));
    if (status != SLG_OK)
        return status;
    memcpy(walk->name + name_len, EXTRACTED, sizeof(EXTRACTED) - 1);
    return set_path(walk, slg_text_make(walk->name, name_len + sizeof(EXTRACTED) - 1));
}

/* A member whose opening quote is next. NOT_FOUND: the text ends, or is not what the parser would take. */
static enum slg_status walk_member(struct walk *walk)
{
    struct slg_json_value value;
    struct slg_text key;
    bool escaped;
    size_t len;

    if (!slg_json_scan_string(&walk->scan, &key, &escaped) ||
        slg_json_scan_next(&walk->scan) != ':')
        return SLG_NOT_FOUND;
    walk->scan.at++;
    walk->keys[walk->depth] = key;
    len = join_name(walk, walk->depth == 0 ? 0 : walk->name_len[walk->depth], key);
    if (slg_json_scan_next(&walk->scan) == '{') {
        const char *opening = walk->scan.at;

        if (len == 0 || walk->depth + 1 == SLG_FIELDS_DEPTH_MAX)
            return slg_json_scan_block(&walk->scan, opening) ? SLG_OK : SLG_NOT_FOUND;
        walk->scan.at++;
        walk->depth++;
        walk->name_len[walk->depth] = len;
        return SLG_OK;
    }
    if (slg_json_scan_value(&walk->scan, &value) != NULL)
        return SLG_NOT_FOUND;
    if (value.type == SLG_JSON_ARRAY || value.type == SLG_JSON_NULL)
        return SLG_OK;
    return visit_member(walk, len);
}

/* Find the paths of fields that `json` has just found in this line. */
static enum slg_status walk_line(struct slg_fields *fields, struct slg_text line)
{
    struct walk walk = { .fields = fields };
    enum slg_status status = SLG_OK;

    walk.scan = (struct slg_json_scan){ .at = line.at, .end = line.at + line.len };
    if (slg_json_scan_next(&walk.scan) != '{')
        return SLG_OK;
    walk.scan.at++;
    while (status == SLG_OK) {
        int next = slg_json_scan_next(&walk.scan);

        if (next == '"') {
            status = walk_member(&walk);
        } else if (next == ',') {
            walk.scan.at++;
        } else if (next == '}' && walk.depth > 0) {
            walk.scan.at++;
            walk.depth--;
        } else {
            break;
        }
    }
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

/* ---- lines ---- */

/* The parser read the line without an error; its labels are in *ret. A line that needs more memory than a pipe has is
 * one that it cannot read. */
static bool try_parser(struct line_parser *parser, const struct slg_stream_row *row,
                       struct slg_pipe_result *ret)
{
    struct slg_pipe_entry entry = { .ts_ns = row->ts_ns,
                                    .line = row->line,
                                    .metadata = &row->metadata };

    return slg_pipe_run(parser->pipe, parser->stream, &entry, ret) == SLG_OK && !ret->has_error;
}

static enum slg_status add_row(struct slg_fields *fields, const struct slg_stream_row *row)
{
    enum parser parser = PARSER_JSON;
    struct slg_pipe_result result;
    bool parsed;
    enum slg_status status = add_labels(fields, &row->metadata, PARSER_NONE);

    fields->path_missing = false;
    parsed = try_parser(&fields->json, row, &result);
    if (!parsed) {
        parser = PARSER_LOGFMT;
        parsed = try_parser(&fields->logfmt, row, &result);
    }
    if (status == SLG_OK)
        status = add_labels(fields, &row->parsed, parsed ? parser : PARSER_NONE);
    for (size_t i = 0; status == SLG_OK && parsed && i < result.labels.count; i++)
        if (result.categories[i] == SLG_PIPE_CATEGORY_PARSED)
            status = add_value(fields, &result.labels.items[i], parser);
    if (status == SLG_OK && fields->path_missing)
        status = walk_line(fields, row->line);
    return status;
}

enum slg_status slg_fields_add(struct slg_fields *fields, const struct slg_stream *stream)
{
    enum slg_status status =
        slg_pipe_stream_create(fields->json.pipe, &stream->labels, &fields->json.stream);

    if (status == SLG_OK)
        status =
            slg_pipe_stream_create(fields->logfmt.pipe, &stream->labels, &fields->logfmt.stream);
    for (size_t i = 0; status == SLG_OK && i < stream->row_count; i++)
        status = add_row(fields, &stream->rows[i]);
    return status;
}

/* ---- life ---- */

static enum slg_status make_parser(struct slg_fields *fields, const char *query,
                                   struct slg_pipe **ret_pipe, struct slg_error *reterr)
{
    struct slg_pipe_options options = { .sample = SLG_PIPE_SAMPLE_NONE, .want_categories = true };
    const struct slg_logql_expr *expr;
    enum slg_status status = slg_logql_parse(fields->syntax, query, strlen(query), &expr, reterr);

    if (status != SLG_OK)
        return status;
    options.log = &expr->log;
    return slg_pipe_create(&options, ret_pipe, reterr);
}

enum slg_status slg_fields_create(const struct slg_fields_options *options,
                                  struct slg_fields **ret_fields, struct slg_error *reterr)
{
    struct slg_fields *fields = calloc(1, sizeof(*fields));
    enum slg_status status;

    if (fields == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the fields");
    fields->options = *options;
    fields->arena = slg_arena_create(options->memory_bytes_max);
    fields->syntax = slg_arena_create(PARSE_BYTES);
    if (fields->arena == NULL || fields->syntax == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the fields");
    else
        status = make_parser(fields, "{a=\"b\"} | json", &fields->json.pipe, reterr);
    if (status == SLG_OK)
        status = make_parser(fields, "{a=\"b\"} | logfmt", &fields->logfmt.pipe, reterr);
    if (status != SLG_OK) {
        slg_fields_destroy(fields);
        return status;
    }
    *ret_fields = fields;
    return SLG_OK;
}

void slg_fields_destroy(struct slg_fields *fields)
{
    if (fields == NULL)
        return;
    slg_pipe_destroy(fields->json.pipe);
    slg_pipe_destroy(fields->logfmt.pipe);
    slg_arena_destroy(fields->syntax);
    slg_arena_destroy(fields->arena);
    free(fields);
}

const struct slg_field *slg_fields_list(const struct slg_fields *fields, size_t *ret_count)
{
    *ret_count = fields->count;
    return fields->list;
}

const struct slg_text *slg_fields_values(const struct slg_fields *fields, size_t *ret_count)
{
    *ret_count = fields->kept_count;
    return fields->kept;
}
