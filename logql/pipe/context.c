#include "logql/pipe/context.h"

#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/unicode.h"

#define BUCKET_COUNT_MIN          ((size_t)256)
#define ITEM_COUNT_MIN            ((size_t)64)
/* Required names that are searched in a line before it is parsed. */
#define REQUIRED_NEEDLE_COUNT_MAX 2
#define EXTRACTED                 "_extracted"
#define EXTRACTED_LEN             (sizeof(EXTRACTED) - 1)
#define ERROR_NAME                "__error__"
#define ERROR_DETAIL_NAME         "__error_details__"

enum slg_status slg_context_init(struct slg_context *context, struct slg_arena *static_arena)
{
    memset(context, 0, sizeof(*context));
    context->static_arena = static_arena;
    context->entry_id = 1;
    context->epoch = 1;
    context->bucket_count = BUCKET_COUNT_MIN;
    context->buckets = calloc(context->bucket_count, sizeof(context->buckets[0]));
    context->dynamic_arena = slg_arena_create(SLG_CONTEXT_SYMBOL_BYTES_MAX);
    context->scratch = slg_arena_create(SLG_PIPE_SCRATCH_BYTES_MAX);
    context->block = malloc(SLG_CONTEXT_BLOCK_BYTES);
    context->block_at = context->block;
    context->item_capacity = ITEM_COUNT_MIN;
    context->items = calloc(context->item_capacity, sizeof(context->items[0]));
    if (context->buckets == NULL || context->dynamic_arena == NULL || context->items == NULL ||
        context->scratch == NULL || context->block == NULL)
        return SLG_NO_MEMORY;
    context->scratch_mark = slg_arena_mark(context->scratch);
    return SLG_OK;
}

void slg_context_fini(struct slg_context *context)
{
    free(context->buckets);
    free(context->items);
    free(context->block);
    slg_arena_destroy(context->dynamic_arena);
    slg_arena_destroy(context->scratch);
}

struct slg_arena *slg_context_arena(struct slg_context *context)
{
    context->scratch_used = true;
    return context->scratch;
}

void *slg_context_alloc(struct slg_context *context, size_t size)
{
    size_t left = SLG_CONTEXT_BLOCK_BYTES - (size_t)(context->block_at - context->block);
    void *memory;

    if (size <= left && ((size + 15) & ~(size_t)15) <= left) {
        memory = context->block_at;
        context->block_at += (size + 15) & ~(size_t)15;
        return memory;
    }
    memory = slg_arena_alloc(slg_context_arena(context), size);
    if (memory == NULL)
        context->exhausted = true;
    return memory;
}

bool slg_context_grow(struct slg_context *context, char **at, size_t len, size_t *capacity,
                      size_t wanted)
{
    size_t size = *capacity < 256 ? 256 : *capacity;
    char *memory;

    if (wanted <= *capacity)
        return true;
    while (size < wanted)
        size *= 2;
    memory = slg_context_alloc(context, size);
    if (memory == NULL)
        return false;
    if (len > 0)
        memcpy(memory, *at, len);
    *at = memory;
    *capacity = size;
    return true;
}

/* ---- symbols ---- */

/* Twice the buckets; on failure the chains just get longer. */
static void grow_buckets(struct slg_context *context)
{
    size_t count = context->bucket_count * 2;
    struct slg_symbol **buckets = calloc(count, sizeof(buckets[0]));

    if (buckets == NULL)
        return;
    for (size_t i = 0; i < context->bucket_count; i++) {
        struct slg_symbol *next;

        for (struct slg_symbol *symbol = context->buckets[i]; symbol != NULL; symbol = next) {
            struct slg_symbol **bucket = &buckets[symbol->hash & (count - 1)];

            next = symbol->next;
            symbol->next = *bucket;
            *bucket = symbol;
        }
    }
    free(context->buckets);
    context->buckets = buckets;
    context->bucket_count = count;
}

/* Forget all symbols that only lines have shown. */
static void flush_dynamic(struct slg_context *context)
{
    for (size_t i = 0; i < context->bucket_count; i++) {
        struct slg_symbol **link = &context->buckets[i];

        while (*link != NULL) {
            if (!(*link)->is_static) {
                *link = (*link)->next;
                continue;
            }
            (*link)->extracted = NULL;
            (*link)->clean = NULL;
            link = &(*link)->next;
        }
    }
    slg_arena_reset(context->dynamic_arena);
    context->symbol_count = context->static_count;
    context->epoch++;
    context->order_count = 0;
    memset(context->metadata_guess, 0, sizeof(context->metadata_guess));
    /* The items of the last entry may point to what is gone. */
    context->item_count = 0;
    context->live_count = 0;
}

static struct slg_symbol *find_symbol(const struct slg_context *context, struct slg_text name,
                                      uint64_t hash)
{
    struct slg_symbol *symbol = context->buckets[hash & (context->bucket_count - 1)];

    while (symbol != NULL && (symbol->hash != hash || !slg_text_equal(symbol->name, name)))
        symbol = symbol->next;
    return symbol;
}

static struct slg_symbol *make_symbol(struct slg_context *context, struct slg_text name,
                                      uint64_t hash, bool is_static)
{
    struct slg_arena *arena = is_static ? context->static_arena : context->dynamic_arena;
    struct slg_symbol *symbol = slg_arena_calloc(arena, 1, sizeof(*symbol));
    char *copy = slg_arena_calloc(arena, 1, name.len + SLG_WIDE_BYTES);
    struct slg_symbol **bucket;

    if (symbol == NULL || copy == NULL)
        return NULL;
    if (context->symbol_count >= context->bucket_count)
        grow_buckets(context);
    bucket = &context->buckets[hash & (context->bucket_count - 1)];
    if (name.len > 0)
        memcpy(copy, name.at, name.len);
    symbol->name = slg_text_make(copy, name.len);
    symbol->hash = hash;
    symbol->next = *bucket;
    symbol->item = SLG_CONTEXT_NO_ITEM;
    symbol->is_static = is_static;
    *bucket = symbol;
    context->symbol_count++;
    context->static_count += is_static;
    return symbol;
}

struct slg_symbol *slg_context_static_symbol(struct slg_context *context, struct slg_text name)
{
    uint64_t hash = slg_hash_xxh3(name.at, name.len);
    struct slg_symbol *symbol = find_symbol(context, name, hash);

    if (symbol != NULL && symbol->is_static)
        return symbol;
    if (symbol != NULL)
        flush_dynamic(context);
    return make_symbol(context, name, hash, /* is_static= */ true);
}

struct slg_symbol *slg_context_symbol(struct slg_context *context, struct slg_text name)
{
    uint64_t hash = slg_hash_xxh3(name.at, name.len);
    struct slg_symbol *symbol = find_symbol(context, name, hash);

    if (symbol == NULL) {
        symbol = make_symbol(context, name, hash, /* is_static= */ false);
        if (symbol == NULL)
            context->exhausted = true;
    }
    return symbol;
}

struct slg_symbol *slg_context_key(struct slg_context *context, struct slg_key_guess *guess,
                                   struct slg_text raw)
{
    struct slg_symbol *symbol = NULL;
    uint32_t position = guess->position++;

    if (guess->epoch != context->epoch) {
        memset(guess->raw, 0, sizeof(guess->raw));
        guess->epoch = context->epoch;
    }
    if (position >= SLG_CONTEXT_GUESS_COUNT)
        return slg_context_symbol(context, raw);
    symbol = guess->raw[position];
    if (symbol != NULL && (symbol->name.at == raw.at || slg_text_equal(symbol->name, raw)))
        return symbol;
    symbol = slg_context_symbol(context, raw);
    guess->raw[position] = symbol;
    return symbol;
}

/* Length of the white space character (unicode.IsSpace) at the start, 0 if there is none. */
static size_t leading_space(const char *at, const char *end)
{
    uint32_t rune;
    size_t step;

    if (at == end || !slg_utf8_decode((const uint8_t *)at, (size_t)(end - at), &rune, &step))
        return 0;
    return slg_rune_is_space(rune) ? step : 0;
}

static size_t trailing_space(const char *at, const char *end)
{
    const char *last = end;

    if (at == end)
        return 0;
    do
        last--;
    while (last > at && end - last < 4 && ((uint8_t)*last & 0xC0U) == 0x80);
    return leading_space(last, end) == (size_t)(end - last) ? (size_t)(end - last) : 0;
}

bool slg_context_is_space_end(struct slg_text key)
{
    return trailing_space(key.at, key.at + key.len) > 0;
}

size_t slg_context_sanitize(char *out, size_t len, struct slg_text key)
{
    const char *at = key.at, *end = key.at + key.len;

    for (size_t step; (step = leading_space(at, end)) > 0;)
        at += step;
    for (size_t step; (step = trailing_space(at, end)) > 0;)
        end -= step;
    if (at == end)
        return len;
    if (len == 0 && *at >= '0' && *at <= '9')
        out[len++] = '_';
    while (at < end) {
        char c = *at;
        size_t step = 1;
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';

        if ((unsigned char)c >= 0x80 &&
            !slg_utf8_check((const uint8_t *)at, (size_t)(end - at), &step))
            step = 1; /* Go takes each bad byte for a character */
        out[len++] = plain ? c : '_';
        at += step;
    }
    return len;
}

struct slg_symbol *slg_context_make_clean(struct slg_context *context, struct slg_symbol *raw)
{
    char *text;
    size_t len;

    text = slg_context_alloc(context, raw->name.len + 1);
    if (text == NULL)
        return NULL;
    len = slg_context_sanitize(text, 0, raw->name);
    raw->clean = slg_context_symbol(context, slg_text_make(text, len));
    return raw->clean;
}

static struct slg_symbol *extracted_twin(struct slg_context *context, struct slg_symbol *symbol)
{
    char *text;

    if (symbol->extracted != NULL)
        return symbol->extracted;
    text = slg_context_alloc(context, symbol->name.len + EXTRACTED_LEN);
    if (text == NULL)
        return NULL;
    memcpy(text, symbol->name.at, symbol->name.len);
    memcpy(text + symbol->name.len, EXTRACTED, EXTRACTED_LEN);
    symbol->extracted =
        slg_context_symbol(context, slg_text_make(text, symbol->name.len + EXTRACTED_LEN));
    return symbol->extracted;
}

/* ---- the entry ---- */

void slg_context_begin(struct slg_context *context, const struct slg_pipe_stream *stream,
                       struct slg_text line, int64_t ts_ns)
{
    if (context->symbol_count - context->static_count > SLG_CONTEXT_SYMBOL_COUNT_KEPT)
        flush_dynamic(context);
    if (context->stream != stream)
        for (size_t i = 0; i < stream->labels.count; i++) {
            stream->symbols[i]->stream = stream;
            stream->symbols[i]->base_index = (uint32_t)i;
        }
    context->stream = stream;
    context->entry_id++;
    context->block_at = context->block;
    if (context->scratch_used)
        slg_arena_rewind(context->scratch, context->scratch_mark);
    context->scratch_used = false;
    context->line = line;
    context->ts_ns = ts_ns;
    context->ascii_line.at = NULL;
    context->error.len = 0;
    context->error_details.len = 0;
    context->item_count = 0;
    context->live_count = 0;
    context->has_deleted = false;
    context->exhausted = false;
    context->required_found = 0;
}

static inline void touch(const struct slg_context *context, struct slg_symbol *symbol)
{
    if (symbol->entry_id != context->entry_id) {
        symbol->entry_id = context->entry_id;
        symbol->item = SLG_CONTEXT_NO_ITEM;
        symbol->recorded = false;
        symbol->deleted = false;
    }
}

bool slg_context_stream_has(const struct slg_context *context, const struct slg_symbol *symbol)
{
    return symbol->stream == context->stream;
}

static bool grow_items(struct slg_context *context)
{
    size_t capacity = context->item_capacity * 2;
    struct slg_context_item *items;

    if (context->item_capacity >= SLG_PIPE_LABEL_COUNT_MAX) {
        context->exhausted = true;
        return false;
    }
    items = realloc(context->items, capacity * sizeof(items[0]));
    if (items == NULL) {
        context->exhausted = true;
        return false;
    }
    context->items = items;
    context->item_capacity = capacity;
    return true;
}

static void append_item(struct slg_context *context, struct slg_symbol *symbol,
                        struct slg_text value, enum slg_pipe_category category)
{
    if (context->item_count == context->item_capacity && !grow_items(context))
        return;
    context->items[context->item_count] = (struct slg_context_item){
        .symbol = symbol, .value = value, .category = category, .live = true
    };
    symbol->item = (uint32_t)context->item_count++;
    context->live_count++;
}

void slg_context_set(struct slg_context *context, struct slg_symbol *symbol, struct slg_text value)
{
    touch(context, symbol);
    if (!symbol->recorded) {
        symbol->recorded = true;
        context->required_found += symbol->required;
    }
    if (symbol->item != SLG_CONTEXT_NO_ITEM) {
        context->items[symbol->item].value = value;
        context->items[symbol->item].category = SLG_PIPE_CATEGORY_PARSED;
        return;
    }
    append_item(context, symbol, value, SLG_PIPE_CATEGORY_PARSED);
}

void slg_context_delete(struct slg_context *context, struct slg_symbol *symbol)
{
    touch(context, symbol);
    if (symbol->item != SLG_CONTEXT_NO_ITEM) {
        context->items[symbol->item].live = false;
        context->live_count--;
        symbol->item = SLG_CONTEXT_NO_ITEM;
    }
    symbol->deleted = true;
    context->has_deleted = true;
}

void slg_context_truncate(struct slg_context *context, size_t count)
{
    while (context->item_count > count) {
        struct slg_context_item *item = &context->items[--context->item_count];

        if (!item->live)
            continue;
        item->symbol->item = SLG_CONTEXT_NO_ITEM;
        if (item->symbol->recorded)
            context->required_found -= item->symbol->required;
        item->symbol->recorded = false;
        context->live_count--;
    }
}

bool slg_context_get(struct slg_context *context, struct slg_symbol *symbol,
                     struct slg_text *ret_value)
{
    touch(context, symbol);
    if (symbol->item != SLG_CONTEXT_NO_ITEM) {
        *ret_value = context->items[symbol->item].value;
        return true;
    }
    if (symbol->stream == context->stream && !symbol->deleted) {
        *ret_value = context->stream->labels.items[symbol->base_index].value;
        return true;
    }
    *ret_value = slg_text_make(NULL, 0);
    return false;
}

enum slg_pipe_category slg_context_category(struct slg_context *context, struct slg_symbol *symbol)
{
    touch(context, symbol);
    return symbol->item != SLG_CONTEXT_NO_ITEM ? context->items[symbol->item].category
                                               : SLG_PIPE_CATEGORY_STREAM;
}

static struct slg_symbol *metadata_symbol(struct slg_context *context, size_t position,
                                          struct slg_text name)
{
    struct slg_symbol *symbol;

    if (position >= SLG_CONTEXT_GUESS_COUNT)
        return slg_context_symbol(context, name);
    symbol = context->metadata_guess[position];
    if (symbol == NULL || !slg_text_equal(symbol->name, name)) {
        symbol = slg_context_symbol(context, name);
        context->metadata_guess[position] = symbol;
    }
    return symbol;
}

void slg_context_add_metadata(struct slg_context *context, const struct slg_label_set *metadata)
{
    for (size_t i = 0; i < metadata->count; i++) {
        struct slg_text value = metadata->items[i].value;
        struct slg_symbol *symbol = metadata_symbol(context, i, metadata->items[i].name);

        if (symbol != NULL && symbol->stream == context->stream)
            symbol = extracted_twin(context, symbol);
        if (symbol == NULL)
            return;
        if (symbol->name.len == sizeof(ERROR_NAME) - 1 &&
            slg_text_equal_to(symbol->name, ERROR_NAME)) {
            context->error = value;
            continue;
        }
        if (slg_text_equal_to(symbol->name, ERROR_DETAIL_NAME)) {
            context->error_details = value;
            continue;
        }
        touch(context, symbol);
        if (symbol->item != SLG_CONTEXT_NO_ITEM)
            context->items[symbol->item].value = value;
        else
            append_item(context, symbol, value, SLG_PIPE_CATEGORY_METADATA);
    }
}

struct slg_symbol *slg_context_suffixed(struct slg_context *context, struct slg_symbol *symbol)
{
    touch(context, symbol);
    if (symbol->stream == context->stream ||
        (symbol->item != SLG_CONTEXT_NO_ITEM &&
         context->items[symbol->item].category == SLG_PIPE_CATEGORY_METADATA)) {
        symbol = extracted_twin(context, symbol);
        if (symbol != NULL)
            touch(context, symbol);
    }
    return symbol;
}

struct slg_symbol *slg_context_target(struct slg_context *context, struct slg_symbol *clean)
{
    if (clean == NULL || clean->name.len == 0)
        return NULL;
    clean = slg_context_suffixed(context, clean);
    return clean == NULL ? NULL : slg_context_target_as(context, clean);
}

struct slg_symbol *slg_context_target_as(struct slg_context *context, struct slg_symbol *symbol)
{
    touch(context, symbol);
    return symbol->recorded || (context->required_count > 0 && !symbol->required) ? NULL : symbol;
}

/* Names of more than a few would cost more to search for than to parse. A '_' may stand for any other character. */
bool slg_context_prepare_required(struct slg_context *context)
{
    if (context->required_count == 0 || context->required_count > REQUIRED_NEEDLE_COUNT_MAX)
        return true;
    for (size_t i = 0; i < context->required_count; i++)
        if (memchr(context->required[i].at, '_', context->required[i].len) != NULL)
            return true;
    context->required_needles =
        slg_arena_calloc(context->static_arena, context->required_count, sizeof(struct slg_needle));
    for (size_t i = 0; i < context->required_count && context->required_needles != NULL; i++)
        context->required_needles[i] =
            slg_needle_make(context->required[i].at, context->required[i].len, /* fold= */ false);
    return context->required_needles != NULL;
}

bool slg_context_lacks_required(const struct slg_context *context)
{
    if (context->required_needles == NULL)
        return false;
    for (size_t i = 0; i < context->required_count; i++)
        if (slg_needle_find(&context->required_needles[i], context->line.at, context->line.len) !=
            SLG_FIND_NONE)
            return false;
    return true;
}

bool slg_context_wants_prefix(const struct slg_context *context, struct slg_text prefix)
{
    if (context->required_count == 0)
        return true;
    for (size_t i = 0; i < context->required_count; i++)
        if (context->required[i].len >= prefix.len &&
            memcmp(context->required[i].at, prefix.at, prefix.len) == 0)
            return true;
    return false;
}

void slg_context_fail(struct slg_context *context, const char *name, const char *details)
{
    context->error = slg_text_of(name);
    if (details != NULL && details[0] != '\0')
        context->error_details = slg_text_of(details);
    if (context->preserve_error && context->preserve_symbol != NULL)
        slg_context_set(context, context->preserve_symbol, slg_text_of("true"));
}
