/* logql/pipe/context.h - the entry that is being run through a pipeline: its line, its labels, its error.
 *
 * Labels have a category; a later category wins: parsed over structured metadata over stream. Names are symbols, made
 * once per pipe, so that "is there a label x" is one look and most entries allocate nothing.
 * Hints (Loki's ParserHint): a metric query extracts only the labels that it needs, and a parser stops, or drops the
 * line, as soon as it knows enough.
 * Owner:   the pipe. Symbols that were met in lines are forgotten when there are too many of them, between entries
 *          (epoch changes); symbols of stages and streams stay.
 * Threads: one. Bounds: named below; when memory ends, `exhausted` is set and the run ends in SLG_LIMIT. */
#ifndef SLG_LOGQL_PIPE_CONTEXT_H
#define SLG_LOGQL_PIPE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"
#include "logql/pipe/find.h"
#include "logql/pipe/pipe.h"
#include "logql/pipe/wide.h"
#include "proto/label.h"

/* Symbols met in lines that are remembered from one entry to the next. */
#define SLG_CONTEXT_SYMBOL_COUNT_KEPT ((size_t)8192)
/* Memory for them; one entry of SLG_PIPE_LABEL_COUNT_MAX labels fits. */
#define SLG_CONTEXT_SYMBOL_BYTES_MAX  ((size_t)64 * 1024 * 1024)
/* Scratch that is always there: enough for ordinary lines. */
#define SLG_CONTEXT_BLOCK_BYTES       ((size_t)128 * 1024)
/* Ordinal numbers of keys in a line for which a parser remembers what stood there in the line before. */
#define SLG_CONTEXT_GUESS_COUNT       64

/* Labels of an entry whose order is remembered. */
#define SLG_CONTEXT_ORDER_COUNT 64

struct slg_label_filter; /* label_filter.h */

struct slg_symbol {
    struct slg_text name; /* with SLG_WIDE_BYTES readable bytes */
    uint64_t hash;
    struct slg_symbol *next;      /* in the hash chain, or NULL */
    struct slg_symbol *extracted; /* name + "_extracted", once it was needed */
    struct slg_symbol *clean;     /* sanitized name, once it was needed; name "" = no label */
    const struct slg_pipe_stream *stream; /* the last run stream that has this label, ... */
    uint32_t base_index;                  /* ... there */
    bool is_static;                       /* made by a stage or stream */
    bool required;                        /* hints: the query needs it */
    const struct slg_label_filter *early; /* checked as soon as a parser extracts it, or NULL */
    /* State of the entry `entry_id`: */
    uint64_t entry_id;
    uint32_t item; /* index of the live item, or SLG_CONTEXT_NO_ITEM */
    bool recorded; /* some parser or format has set it */
    bool deleted;  /* was dropped: hides the stream label */
};
#define SLG_CONTEXT_NO_ITEM UINT32_MAX

/* A label that is not (or no longer) the stream's. */
struct slg_context_item {
    struct slg_symbol *symbol;
    struct slg_text value;
    enum slg_pipe_category category;
    bool live;
};

struct slg_pipe_stream {
    struct slg_label_set labels;
    struct slg_symbol **symbols; /* of labels */
    struct slg_hash128 hash;
    bool grouped_ready; /* what grouping leaves when nothing was added or dropped: */
    struct slg_label_set grouped;
    struct slg_hash128 grouped_hash;
};

/* What a parser remembers of the line before, by ordinal number of the key. */
struct slg_key_guess {
    uint64_t epoch;
    uint32_t position;
    struct slg_symbol *raw[SLG_CONTEXT_GUESS_COUNT];
};

struct slg_context {
    /* The entry. */
    uint64_t entry_id;
    int64_t ts_ns;
    int64_t now_ns;
    struct slg_text line;
    const struct slg_pipe_stream *stream;
    struct slg_text error; /* __error__; len 0: none */
    struct slg_text error_details;
    struct slg_context_item *items;
    size_t item_count, item_capacity;
    size_t live_count;
    bool has_deleted;
    bool exhausted;
    struct slg_text ascii_line; /* the line of which line_is_ascii tells */
    bool line_is_ascii;
    /* Scratch: a block that every entry starts over in, and behind it an arena. */
    char *block, *block_at;
    struct slg_arena *scratch;
    struct slg_arena_mark scratch_mark;
    bool scratch_used;
    /* Hints. */
    bool hint_no_labels;
    bool preserve_error;
    size_t required_count, required_found;
    struct slg_text *required; /* names */
    struct slg_needle
        *required_needles; /* what a line must hold to have one of them; NULL: nothing known */
    struct slg_symbol *error_symbol,
        *preserve_symbol; /* of metric queries: __error__, __preserve_error__ */
    /* Symbols. */
    struct slg_arena *static_arena;  /* borrowed: the pipe's */
    struct slg_arena *dynamic_arena; /* owned */
    struct slg_symbol **buckets;
    size_t bucket_count;
    size_t symbol_count, static_count;
    uint64_t epoch;
    struct slg_symbol *metadata_guess[SLG_CONTEXT_GUESS_COUNT];
    /* The order of the labels of the entry before: mostly this one has the same. */
    struct slg_symbol *order_symbols[SLG_CONTEXT_ORDER_COUNT]; /* as they came */
    uint8_t order[SLG_CONTEXT_ORDER_COUNT];                    /* by name: which of those */
    uint8_t rank[SLG_CONTEXT_ORDER_COUNT];                     /* its inverse */
    size_t order_count;
};

/* NO_MEMORY. static_arena is borrowed. */
SLG_MUST_CHECK enum slg_status slg_context_init(struct slg_context *context,
                                                struct slg_arena *static_arena);
void slg_context_fini(struct slg_context *context);

/* The symbol of a name for a stage or stream: lives as long as the pipe. NULL: memory. Between entries only. */
struct slg_symbol *slg_context_static_symbol(struct slg_context *context, struct slg_text name);
/* The symbol of a name met in a line, valid during this entry. NULL: exhausted. */
struct slg_symbol *slg_context_symbol(struct slg_context *context, struct slg_text name);
/* The same for the raw key of a parser: *guess tells what to expect. */
struct slg_symbol *slg_context_key(struct slg_context *context, struct slg_key_guess *guess,
                                   struct slg_text raw);
/* The same for what may be the text of slg_context_key_guess itself. */
static inline struct slg_symbol *slg_context_guessed_key(struct slg_context *context,
                                                         struct slg_key_guess *guess,
                                                         struct slg_text raw)
{
    uint32_t position = guess->position;

    if (guess->epoch == context->epoch && position < SLG_CONTEXT_GUESS_COUNT &&
        guess->raw[position] != NULL && guess->raw[position]->name.at == raw.at) {
        guess->position++;
        return guess->raw[position];
    }
    return slg_context_key(context, guess, raw);
}
/* What the next raw key may be; "" when nobody knows. */
static inline struct slg_text slg_context_key_guess(const struct slg_context *context,
                                                    const struct slg_key_guess *guess)
{
    const struct slg_symbol *symbol =
        guess->epoch == context->epoch && guess->position < SLG_CONTEXT_GUESS_COUNT
            ? guess->raw[guess->position]
            : NULL;

    return symbol == NULL ? slg_text_make(NULL, 0) : symbol->name;
}

/* Start an entry: scratch starts over. */
void slg_context_begin(struct slg_context *context, const struct slg_pipe_stream *stream,
                       struct slg_text line, int64_t ts_ns);
/* Add the structured metadata: names that the stream has get "_extracted", __error__ is the error. */
void slg_context_add_metadata(struct slg_context *context, const struct slg_label_set *metadata);

/* Value of a label whatever its category; false (and "") when it is not there. Not for __error__,
 * which is context->error. */
bool slg_context_get(struct slg_context *context, struct slg_symbol *symbol,
                     struct slg_text *ret_value);
enum slg_pipe_category slg_context_category(struct slg_context *context, struct slg_symbol *symbol);
bool slg_context_stream_has(const struct slg_context *context, const struct slg_symbol *symbol);

/* Set a parsed label; replaces the value of an earlier one and hides metadata and stream labels of that name. The
 * value's bytes live in the line, the pipe or scratch. */
void slg_context_set(struct slg_context *context, struct slg_symbol *symbol, struct slg_text value);
void slg_context_delete(struct slg_context *context, struct slg_symbol *symbol);

/* A parser found `clean`: what it shall be called here: the name itself, or with "_extracted" when stream or metadata
 * have it; NULL when it shall not be set (already extracted, not needed, no name, exhausted). */
struct slg_symbol *slg_context_target(struct slg_context *context, struct slg_symbol *clean);

/* The same for what already has its "_extracted". */
struct slg_symbol *slg_context_target_as(struct slg_context *context, struct slg_symbol *symbol);
/* Has some parser or format set this label of the entry, even if it was dropped since? */
static inline bool slg_context_was_recorded(const struct slg_context *context,
                                            const struct slg_symbol *symbol)
{
    return symbol->entry_id == context->entry_id && symbol->recorded;
}

/* The same for a label that the query names itself (json a="b"): never NULL but when exhausted. */
struct slg_symbol *slg_context_suffixed(struct slg_context *context, struct slg_symbol *symbol);

/* What slg_context_target answers for a symbol that this entry has not met in any way, which is the common case: *ret
 * is true when it shall be set. False: ask slg_context_target. */
static inline bool slg_context_is_new(const struct slg_context *context,
                                      const struct slg_symbol *clean, bool *ret_wanted)
{
    if (clean->entry_id == context->entry_id || clean->stream == context->stream)
        return false;
    *ret_wanted = clean->name.len > 0 && (context->required_count == 0 || clean->required);
    return true;
}

/* slg_context_target for parsers. */
static inline struct slg_symbol *slg_context_wanted(struct slg_context *context,
                                                    struct slg_symbol *clean)
{
    bool wanted;

    if (clean != NULL && slg_context_is_new(context, clean, &wanted))
        return wanted ? clean : NULL;
    return slg_context_target(context, clean);
}

/* Set what slg_context_wanted gave. */
static inline void slg_context_set_wanted(struct slg_context *context, struct slg_symbol *symbol,
                                          struct slg_text value)
{
    struct slg_context_item *item = &context->items[context->item_count];

    if (symbol->entry_id == context->entry_id || context->item_count == context->item_capacity) {
        slg_context_set(context, symbol, value);
        return;
    }
    symbol->entry_id = context->entry_id;
    symbol->item = (uint32_t)context->item_count++;
    symbol->recorded = true;
    symbol->deleted = false;
    context->required_found += symbol->required;
    context->live_count++;
    item->symbol = symbol;
    item->value = value;
    item->category = SLG_PIPE_CATEGORY_PARSED;
    item->live = true;
}

/* Sanitized symbol of a raw key; name "" when nothing is left. */
struct slg_symbol *slg_context_make_clean(struct slg_context *context, struct slg_symbol *raw);
static inline struct slg_symbol *slg_context_clean(struct slg_context *context,
                                                   struct slg_symbol *raw)
{
    return raw->clean != NULL ? raw->clean : slg_context_make_clean(context, raw);
}

/* Is the line ASCII? One look at it spares one at each value. */
static inline bool slg_context_line_is_ascii(struct slg_context *context)
{
    if (context->ascii_line.at != context->line.at ||
        context->ascii_line.len != context->line.len) {
        context->ascii_line = context->line;
        context->line_is_ascii = slg_wide_is_ascii(context->line.at, context->line.len);
    }
    return context->line_is_ascii;
}
/* Append key sanitized to out[0..len): characters other than [A-Za-z0-9_] become one '_'; at the start a digit gets '_'
 * in front; surrounding spaces are cut. out has room for key.len + 1 bytes. Returns the new length. */
size_t slg_context_sanitize(char *out, size_t len, struct slg_text key);
/* Does the key end with a space that slg_context_sanitize cuts? */
bool slg_context_is_space_end(struct slg_text key);

/* Hints. */
static inline bool slg_context_all_found(const struct slg_context *context)
{
    return context->required_count > 0 && context->required_found == context->required_count;
}
static inline bool slg_context_no_labels(const struct slg_context *context)
{
    return context->hint_no_labels || slg_context_all_found(context);
}
bool slg_context_wants_prefix(const struct slg_context *context, struct slg_text prefix);

/* All required names are there: prepare slg_context_lacks_required. False: memory. */
bool slg_context_prepare_required(struct slg_context *context);
/* Does the line hold none of the required names, so that a parser that takes keys as they stand there finds nothing?
 * False when that is not known. */
bool slg_context_lacks_required(const struct slg_context *context);

/* __error__ = name and, if not NULL, __error_details__; what parsers call: a metric query that asks for __error__ does
 * not fail with it. */
void slg_context_fail(struct slg_context *context, const char *name, const char *details);

/* size bytes of scratch, aligned to 16; NULL sets exhausted. */
void *slg_context_alloc(struct slg_context *context, size_t size);
/* The arena behind it, for what wants an arena. */
struct slg_arena *slg_context_arena(struct slg_context *context);
/* More memory behind what slg_context_alloc gave last: *at holds capacity bytes of which len are kept. False:
 * exhausted. For texts that grow. */
bool slg_context_grow(struct slg_context *context, char **at, size_t len, size_t *capacity,
                      size_t wanted);

/* Forget the items from index `count` on, as if they had never been set (a JSON object that has no end). */
void slg_context_truncate(struct slg_context *context, size_t count);

#endif
