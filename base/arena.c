#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>

#define ALIGNMENT       ((size_t)16)
#define CHUNK_BYTES_MIN ((size_t)4096)
#define CHUNK_BYTES_MAX ((size_t)1 << 20)

/* Chunks form a stack: `previous` is older. data follows the header. */
struct chunk {
    struct chunk *previous;
    size_t capacity;
    size_t fill;
    alignas(16) unsigned char data[];
};

struct slg_arena {
    struct chunk *top;
    size_t budget_bytes;
    size_t used_bytes; /* sum of header + capacity over the chunks */
    size_t next_bytes; /* size of the next ordinary chunk, doubling */
};

struct slg_arena *slg_arena_create(size_t budget_bytes)
{
    struct slg_arena *arena;

    SLG_ASSERT(budget_bytes > 0);
    arena = calloc(1, sizeof(*arena));
    if (arena == NULL)
        return NULL;
    arena->budget_bytes = budget_bytes;
    arena->next_bytes = CHUNK_BYTES_MIN;
    return arena;
}

static void pop_chunk(struct slg_arena *arena)
{
    struct chunk *chunk = arena->top;

    arena->top = chunk->previous;
    arena->used_bytes -= sizeof(*chunk) + chunk->capacity;
    free(chunk);
}

void slg_arena_destroy(struct slg_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->top != NULL)
        pop_chunk(arena);
    free(arena);
}

/* Of the ordinary chunks the newest is the largest: keeping it lets the next unit of work run without malloc. */
void slg_arena_reset(struct slg_arena *arena)
{
    struct chunk *kept;

    while (arena->top != NULL && arena->top->capacity > CHUNK_BYTES_MAX)
        pop_chunk(arena);
    kept = arena->top;
    if (kept == NULL)
        return;
    arena->top = kept->previous;
    while (arena->top != NULL)
        pop_chunk(arena);
    kept->previous = NULL;
    kept->fill = 0;
    arena->top = kept;
}

static size_t round_up(size_t size)
{
    return (size + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1);
}

/* Push a chunk that holds `size` bytes: an ordinary doubling one, or all that the budget leaves. */
static struct chunk *push_chunk(struct slg_arena *arena, size_t size)
{
    size_t left = arena->budget_bytes - arena->used_bytes;
    size_t capacity = arena->next_bytes > size ? arena->next_bytes : size;
    struct chunk *chunk;

    if (left < sizeof(*chunk) || size > left - sizeof(*chunk))
        return NULL;
    if (capacity > left - sizeof(*chunk))
        capacity = left - sizeof(*chunk);
    chunk = malloc(sizeof(*chunk) + capacity);
    if (chunk == NULL)
        return NULL;
    chunk->previous = arena->top;
    chunk->capacity = capacity;
    chunk->fill = 0;
    arena->top = chunk;
    arena->used_bytes += sizeof(*chunk) + capacity;
    if (arena->next_bytes < CHUNK_BYTES_MAX)
        arena->next_bytes *= 2;
    return chunk;
}

void *slg_arena_alloc(struct slg_arena *arena, size_t size)
{
    struct chunk *chunk = arena->top;
    void *result;

    if (size > arena->budget_bytes)
        return NULL;
    size = round_up(size);
    if (chunk == NULL || chunk->capacity - chunk->fill < size) {
        chunk = push_chunk(arena, size);
        if (chunk == NULL)
            return NULL;
    }
    result = chunk->data + chunk->fill;
    chunk->fill += size;
    return result;
}

void *slg_arena_calloc(struct slg_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *result;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    result = slg_arena_alloc(arena, bytes);
    if (result != NULL)
        memset(result, 0, bytes);
    return result;
}

char *slg_arena_copy(struct slg_arena *arena, const void *bytes, size_t len)
{
    char *copy;

    if (len >= arena->budget_bytes)
        return NULL;
    copy = slg_arena_alloc(arena, len + 1);
    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

void *slg_arena_grow(struct slg_arena *arena, void *old, size_t old_count, size_t new_count,
                     size_t item_size)
{
    size_t old_bytes = old_count * item_size;
    struct chunk *chunk = arena->top;
    size_t new_bytes;
    void *result;

    SLG_ASSERT(new_count >= old_count);
    if (__builtin_mul_overflow(new_count, item_size, &new_bytes) || new_bytes > arena->budget_bytes)
        return NULL;
    if (old != NULL && chunk != NULL && chunk->fill >= round_up(old_bytes) &&
        (unsigned char *)old == chunk->data + chunk->fill - round_up(old_bytes)) {
        size_t start = chunk->fill - round_up(old_bytes);

        if (round_up(new_bytes) <= chunk->capacity - start) {
            chunk->fill = start + round_up(new_bytes);
            return old;
        }
    }
    result = slg_arena_alloc(arena, new_bytes);
    if (result != NULL && old != NULL && old_bytes > 0)
        memcpy(result, old, old_bytes);
    return result;
}

char *slg_arena_printf(struct slg_arena *arena, const char *format, ...)
{
    va_list args;
    int len;
    char *text;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return NULL;
    text = slg_arena_alloc(arena, (size_t)len + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args); /* measured above */
    va_end(args);
    return text;
}

size_t slg_arena_used_bytes(const struct slg_arena *arena)
{
    return arena->used_bytes;
}

size_t slg_arena_budget_bytes(const struct slg_arena *arena)
{
    return arena->budget_bytes;
}

struct slg_arena_mark slg_arena_mark(const struct slg_arena *arena)
{
    return (struct slg_arena_mark){ .chunk = arena->top,
                                    .fill = arena->top == NULL ? 0 : arena->top->fill };
}

void slg_arena_rewind(struct slg_arena *arena, struct slg_arena_mark mark)
{
    /* A mark taken before the first chunk has nothing to return to: that chunk stays, empty, so that scratch
     * use in a loop does not call malloc each time. */
    while (arena->top != NULL && arena->top != mark.chunk &&
           (mark.chunk != NULL || arena->top->previous != NULL))
        pop_chunk(arena);
    if (arena->top != NULL)
        arena->top->fill = mark.fill;
}
