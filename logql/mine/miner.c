#include "logql/mine/miner.h"

#include "base/arena.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "logql/mine/generalise.h"
#include "proto/limits.h"

#define PAGE_VERSION        1
#define PAGE_KIND           4 /* SLG_PAGE_PATTERNS of logql/plan/page.h */
#define ROW_SLOT_COUNT      (2 * SLG_MINER_ROW_COUNT_MAX)
#define CELL_SLOTS_MIN      ((size_t)1024)
#define CELL_SLOTS_MAX      ((size_t)1 << 19) /* four fifths of it in use at most */
#define SHIFT_MAX           6                 /* the smallest bounds: 1/64 */
#define LEVEL_COUNT_MAX     ((size_t)64)
#define ROW_NONE            UINT32_MAX
#define COUNT_MAX           (UINT64_C(1) << 48) /* of one cell, so that sums fit */
/* Of generalise: tokens and skeletons of all rows. */
#define SCRATCH_BYTES_MAX   ((size_t)20 << 20)
/* Constants among the pieces of a pattern, in tenths: Drain's similarity threshold of 0.3. */
#define CONSTANT_TENTHS_MIN 3

static_assert((ROW_SLOT_COUNT & (ROW_SLOT_COUNT - 1)) == 0, "open addressing masks");
static_assert((CELL_SLOTS_MAX & (CELL_SLOTS_MAX - 1)) == 0, "open addressing masks");
static_assert(SLG_MINER_CELL_COUNT_MAX < CELL_SLOTS_MAX, "a search ends at a free slot");
static_assert(CELL_SLOTS_MAX >> SHIFT_MAX >= CELL_SLOTS_MIN, "a small table begins as a small one");

struct row {
    uint64_t hash;
    struct slg_text key;
    struct slg_text *slots; /* at == NULL: a hole */
    size_t slot_count;
    uint64_t count;
    uint32_t level;
};

/* How often a row came in a bucket. */
struct cell {
    int64_t bucket;
    uint64_t count; /* 0: free */
    uint32_t row;
};

static_assert(2 * (CELL_SLOTS_MAX * sizeof(struct cell) + SLG_MINER_TEXT_BYTES_MAX) +
                      SCRATCH_BYTES_MAX <=
                  SLG_MINER_MEMORY_BYTES,
              "an old table, a new one, and what makes it");

/* What generalising replaces as a whole. */
struct table {
    unsigned shift;          /* all bounds are 2^shift times smaller */
    struct slg_arena *arena; /* keys and slots */
    struct row *rows;
    size_t row_count;
    uint32_t *row_slots; /* index + 1; 0: free */
    struct cell *cells;
    size_t cell_slot_count, cell_count;
};

struct slg_miner {
    int64_t step_ns;
    struct table table;
    char levels[LEVEL_COUNT_MAX][SLG_MINER_LEVEL_BYTES_MAX];
    struct slg_text level_texts[LEVEL_COUNT_MAX];
    size_t level_count;
    uint64_t lost_count;
    size_t page_cell;          /* where the next page begins */
    bool sorted;               /* the cells, for pages and samples: nothing can be added any more */
    struct slg_arena *results; /* of finish */
};

/* ---- life ---- */

static void table_fini(struct table *table)
{
    slg_arena_destroy(table->arena);
    free(table->rows);
    free(table->row_slots);
    free(table->cells);
    *table = (struct table){ 0 };
}

static bool table_init(struct table *table, unsigned shift)
{
    *table = (struct table){ .shift = shift,
                             .arena = slg_arena_create(SLG_MINER_TEXT_BYTES_MAX >> shift),
                             .rows = calloc(SLG_MINER_ROW_COUNT_MAX, sizeof(struct row)),
                             .row_slots = calloc(ROW_SLOT_COUNT, sizeof(uint32_t)),
                             .cells = calloc(CELL_SLOTS_MIN, sizeof(struct cell)),
                             .cell_slot_count = CELL_SLOTS_MIN };
    if (table->arena != NULL && table->rows != NULL && table->row_slots != NULL &&
        table->cells != NULL)
        return true;
    table_fini(table);
    return false;
}

struct slg_miner *slg_miner_create(int64_t step_ns, uint64_t memory_bytes_max)
{
    struct slg_miner *miner = calloc(1, sizeof(*miner));
    unsigned shift = 0;

    SLG_ASSERT(step_ns > 0);
    if (miner == NULL)
        return NULL;
    miner->step_ns = step_ns;
    while (shift < SHIFT_MAX && SLG_MINER_MEMORY_BYTES >> shift > memory_bytes_max)
        shift++;
    if (table_init(&miner->table, shift))
        return miner;
    free(miner);
    return NULL;
}

void slg_miner_destroy(struct slg_miner *miner)
{
    if (miner == NULL)
        return;
    table_fini(&miner->table);
    slg_arena_destroy(miner->results);
    free(miner);
}

static enum slg_status no_memory(struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the patterns");
}

/* ---- cells ---- */

static struct cell *probe_cell(struct cell *cells, size_t slot_count, uint32_t row, int64_t bucket)
{
    const uint64_t key[2] = { row, (uint64_t)bucket };
    size_t at = (size_t)slg_hash_xxh3(key, sizeof(key)) & (slot_count - 1);

    while (cells[at].count > 0 && (cells[at].row != row || cells[at].bucket != bucket))
        at = (at + 1) & (slot_count - 1);
    return &cells[at];
}

static enum slg_status grow_cells(struct table *table, struct slg_error *reterr)
{
    size_t bigger = table->cell_slot_count * 2;
    struct cell *cells;

    if (table->cell_count == SLG_MINER_CELL_COUNT_MAX >> table->shift)
        return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time or a larger step",
                               "the patterns have more than %zu counts",
                               SLG_MINER_CELL_COUNT_MAX >> table->shift);
    if ((table->cell_count + 1) * 2 <= table->cell_slot_count ||
        bigger > CELL_SLOTS_MAX >> table->shift)
        return SLG_OK;
    cells = calloc(bigger, sizeof(*cells));
    if (cells == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < table->cell_slot_count; i++)
        if (table->cells[i].count > 0)
            *probe_cell(cells, bigger, table->cells[i].row, table->cells[i].bucket) =
                table->cells[i];
    free(table->cells);
    table->cells = cells;
    table->cell_slot_count = bigger;
    return SLG_OK;
}

static enum slg_status count_cell(struct table *table, uint32_t row, int64_t bucket, uint64_t count,
                                  struct slg_error *reterr)
{
    struct cell *cell = probe_cell(table->cells, table->cell_slot_count, row, bucket);

    if (cell->count == 0) {
        enum slg_status status = grow_cells(table, reterr);

        if (status != SLG_OK)
            return status;
        cell = probe_cell(table->cells, table->cell_slot_count, row, bucket);
        *cell = (struct cell){ .row = row, .bucket = bucket };
        table->cell_count++;
    }
    cell->count += count;
    table->rows[row].count += count;
    return SLG_OK;
}

/* ---- rows ---- */

/* A row that is to be found or made: borrowed texts. */
struct wish {
    uint64_t hash;
    uint32_t level;
    struct slg_text key;
    const struct slg_text *slots;
    size_t slot_count;
};

static uint64_t hash_of(uint32_t level, struct slg_text key)
{
    return slg_hash_xxh3_seeded(key.at, key.len, level);
}

static void merge_slots(struct row *row, const struct slg_text *slots)
{
    for (size_t i = 0; i < row->slot_count; i++)
        if (row->slots[i].at != NULL &&
            (slots[i].at == NULL || !slg_text_equal(row->slots[i], slots[i])))
            row->slots[i] = slg_text_make(NULL, 0);
}

static bool copy_row(struct slg_arena *arena, const struct wish *wish, struct row *ret_row)
{
    struct slg_arena_mark mark = slg_arena_mark(arena);
    char *key = slg_arena_copy(arena, wish->key.at, wish->key.len);
    struct slg_text *slots = slg_arena_calloc(arena, wish->slot_count + 1, sizeof(*slots));
    bool fits = key != NULL && slots != NULL;

    for (size_t i = 0; fits && i < wish->slot_count; i++) {
        const char *value = NULL;

        if (wish->slots[i].at != NULL) {
            value = slg_arena_copy(arena, wish->slots[i].at, wish->slots[i].len);
            fits = value != NULL;
        }
        slots[i] = slg_text_make(value, value == NULL ? 0 : wish->slots[i].len);
    }
    if (!fits) {
        slg_arena_rewind(arena, mark);
        return false;
    }
    *ret_row = (struct row){ .hash = wish->hash,
                             .key = slg_text_make(key, wish->key.len),
                             .slots = slots,
                             .slot_count = wish->slot_count,
                             .level = wish->level };
    return true;
}

/* The row of the wish, made when new; ROW_NONE: the table is full. */
static uint32_t find_row(struct table *table, const struct wish *wish)
{
    size_t at = (size_t)wish->hash & (ROW_SLOT_COUNT - 1);

    for (; table->row_slots[at] != 0; at = (at + 1) & (ROW_SLOT_COUNT - 1)) {
        struct row *row = &table->rows[table->row_slots[at] - 1];

        if (row->hash == wish->hash && row->level == wish->level &&
            slg_text_equal(row->key, wish->key)) {
            merge_slots(row, wish->slots);
            return table->row_slots[at] - 1;
        }
    }
    if (table->row_count == SLG_MINER_ROW_COUNT_MAX >> table->shift ||
        !copy_row(table->arena, wish, &table->rows[table->row_count]))
        return ROW_NONE;
    table->row_slots[at] = (uint32_t)++table->row_count;
    return table->row_slots[at] - 1;
}

/* ---- generalising ---- */

/* The row's shape with the tokens of holes as holes. */
static void punch(const struct row *row, uint64_t holes, struct slg_shape *ret_shape)
{
    struct slg_text tokens[SLG_SHAPE_KEY_TOKENS_MAX];
    size_t count, at = 0, len = 0, slot = 0;

    ret_shape->slot_count = 0;
    if (!slg_shape_tokens(row->key, tokens, &count))
        SLG_ASSERT(false && "keys are checked before they become rows");
    for (size_t i = 0; i < count; i++) {
        size_t start = (size_t)(tokens[i].at - row->key.at);
        bool is_hole = (holes >> i & 1) != 0;
        bool is_slot = tokens[i].at[0] == SLG_SHAPE_SLOT;

        memcpy(ret_shape->scratch + len, row->key.at + at, start - at);
        len += start - at;
        at = start + tokens[i].len;
        if (is_slot || is_hole) {
            ret_shape->slots[ret_shape->slot_count++] =
                is_slot && !is_hole ? row->slots[slot] : slg_text_make(NULL, 0);
            ret_shape->scratch[len++] = SLG_SHAPE_SLOT;
        } else {
            memcpy(ret_shape->scratch + len, tokens[i].at, tokens[i].len);
            len += tokens[i].len;
        }
        slot += is_slot;
    }
    memcpy(ret_shape->scratch + len, row->key.at + at, row->key.len - at);
    len += row->key.len - at;
    ret_shape->key = slg_text_make(ret_shape->scratch, len);
}

struct group {
    uint64_t count;
    uint32_t number;
    bool keep;
};

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left, *b = right;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int compare_group_numbers(const void *left, const void *right)
{
    const struct group *a = left, *b = right;

    return a->number < b->number ? -1 : a->number > b->number;
}

/* Which groups stay: the most frequent. */
static void choose_groups(struct group *groups, size_t group_count,
                          const struct slg_generalise_row *rows, size_t row_count, size_t keep_max)
{
    for (size_t i = 0; i < group_count; i++)
        groups[i] = (struct group){ .number = (uint32_t)i };
    for (size_t i = 0; i < row_count; i++)
        groups[rows[i].group].count += rows[i].count;
    qsort(groups, group_count, sizeof(*groups), compare_groups);
    for (size_t i = 0; i < group_count; i++)
        groups[i].keep = i < keep_max;
    qsort(groups, group_count, sizeof(*groups), compare_group_numbers);
}

/* Fill `fresh` with the groups that stay; numbers[old row] = its new row, or ROW_NONE. */
static void fill_rows(struct slg_miner *miner, const struct slg_generalise_row *rows,
                      const struct group *groups, struct table *fresh, uint32_t *numbers)
{
    struct slg_shape shape;

    for (size_t i = 0; i < miner->table.row_count; i++) {
        const struct row *row = &miner->table.rows[i];
        struct wish wish;

        numbers[i] = ROW_NONE;
        if (groups[rows[i].group].keep) {
            punch(row, rows[i].holes, &shape);
            wish = (struct wish){ .hash = hash_of(row->level, shape.key),
                                  .level = row->level,
                                  .key = shape.key,
                                  .slots = shape.slots,
                                  .slot_count = shape.slot_count };
            numbers[i] = find_row(fresh, &wish);
        }
        if (numbers[i] == ROW_NONE)
            miner->lost_count += row->count;
    }
}

static enum slg_status replace_table(struct slg_miner *miner, struct slg_arena *scratch,
                                     const struct slg_generalise_row *rows, size_t group_count,
                                     size_t keep_max, struct slg_error *reterr)
{
    struct table *old = &miner->table;
    struct group *groups = slg_arena_calloc(scratch, group_count + 1, sizeof(*groups));
    uint32_t *numbers = slg_arena_calloc(scratch, old->row_count + 1, sizeof(*numbers));
    struct table fresh;
    enum slg_status status = SLG_OK;

    if (groups == NULL || numbers == NULL || !table_init(&fresh, old->shift))
        return no_memory(reterr);
    choose_groups(groups, group_count, rows, old->row_count, keep_max);
    fill_rows(miner, rows, groups, &fresh, numbers);
    for (size_t i = 0; status == SLG_OK && i < old->cell_slot_count; i++) {
        const struct cell *cell = &old->cells[i];

        if (cell->count > 0 && numbers[cell->row] != ROW_NONE)
            status = count_cell(&fresh, numbers[cell->row], cell->bucket, cell->count, reterr);
    }
    if (status != SLG_OK) {
        table_fini(&fresh);
        return status;
    }
    table_fini(old);
    *old = fresh;
    return SLG_OK;
}

/* Rows that differ in words that vary become one; of the rest at most keep_max stay. */
static enum slg_status generalise(struct slg_miner *miner, uint64_t lines_min, size_t keep_max,
                                  struct slg_error *reterr)
{
    struct slg_arena *scratch = slg_arena_create(SCRATCH_BYTES_MAX >> miner->table.shift);
    const struct table *table = &miner->table;
    struct slg_generalise_row *rows = NULL;
    size_t group_count;
    enum slg_status status = SLG_NO_MEMORY;

    if (scratch != NULL)
        rows = slg_arena_calloc(scratch, table->row_count + 1, sizeof(*rows));
    for (size_t i = 0; rows != NULL && i < table->row_count; i++)
        rows[i] = (struct slg_generalise_row){ .key = table->rows[i].key,
                                               .level = table->rows[i].level,
                                               .count = table->rows[i].count };
    if (rows != NULL)
        status = slg_generalise(scratch, rows, table->row_count, lines_min, &group_count);
    if (status == SLG_OK)
        status = replace_table(miner, scratch, rows, group_count, keep_max, reterr);
    else
        status = no_memory(reterr);
    slg_arena_destroy(scratch);
    return status;
}

/* ---- adding ---- */

/* The number of a level; what is over the bound counts as the first. */
static uint32_t level_of(struct slg_miner *miner, struct slg_text level)
{
    if (level.len > SLG_MINER_LEVEL_BYTES_MAX)
        level.len = SLG_MINER_LEVEL_BYTES_MAX;
    for (size_t i = 0; i < miner->level_count; i++)
        if (slg_text_equal(miner->level_texts[i], level))
            return (uint32_t)i;
    if (miner->level_count == LEVEL_COUNT_MAX)
        return 0;
    memcpy(miner->levels[miner->level_count], level.at, level.len);
    miner->level_texts[miner->level_count] =
        slg_text_make(miner->levels[miner->level_count], level.len);
    return (uint32_t)miner->level_count++;
}

/* The row of the wish; makes room when there is none. *ret_row = ROW_NONE: it is lost. */
static enum slg_status take_row(struct slg_miner *miner, const struct wish *wish, uint32_t *ret_row,
                                struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    *ret_row = find_row(&miner->table, wish);
    if (*ret_row != ROW_NONE)
        return SLG_OK;
    status = generalise(miner, /* lines_min= */ 1,
                        (SLG_MINER_ROW_COUNT_MAX >> miner->table.shift) / 2, reterr);
    if (status == SLG_OK)
        *ret_row = find_row(&miner->table, wish);
    return status;
}

static int64_t bucket_of(const struct slg_miner *miner, int64_t ts_ns)
{
    int64_t bucket = ts_ns / miner->step_ns;

    return ts_ns % miner->step_ns < 0 ? bucket - 1 : bucket;
}

enum slg_status slg_miner_add(struct slg_miner *miner, struct slg_text level, int64_t ts_ns,
                              struct slg_text line, struct slg_error *reterr)
{
    struct slg_shape shape;
    struct wish wish;
    uint32_t row;
    enum slg_status status;

    SLG_ASSERT(!miner->sorted);
    if (!slg_shape_of(line, &shape)) {
        miner->lost_count++;
        return SLG_OK;
    }
    wish = (struct wish){ .level = level_of(miner, level),
                          .key = shape.key,
                          .slots = shape.slots,
                          .slot_count = shape.slot_count };
    wish.hash = hash_of(wish.level, wish.key);
    status = take_row(miner, &wish, &row, reterr);
    if (status == SLG_OK && row == ROW_NONE)
        miner->lost_count++;
    else if (status == SLG_OK)
        status = count_cell(&miner->table, row, bucket_of(miner, ts_ns), 1, reterr);
    return status;
}

uint64_t slg_miner_lost_count(const struct slg_miner *miner)
{
    return miner->lost_count;
}

/* ---- cells in order ---- */

static int compare_cells(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;

    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->bucket < b->bucket ? -1 : a->bucket > b->bucket;
}

/* From here on the cells are an array by row and bucket, and no hash table. */
static void sort_cells(struct slg_miner *miner)
{
    struct table *table = &miner->table;
    size_t count = 0;

    if (miner->sorted)
        return;
    for (size_t i = 0; i < table->cell_slot_count; i++)
        if (table->cells[i].count > 0)
            table->cells[count++] = table->cells[i];
    SLG_ASSERT(count == table->cell_count);
    if (count > 0)
        qsort(table->cells, count, sizeof(*table->cells), compare_cells);
    miner->sorted = true;
}

/* ---- pages ---- */

static void put_text(struct slg_buf *out, struct slg_text text)
{
    slg_buf_append_varint(out, text.len);
    slg_buf_append(out, text.at, text.len);
}

static void put_row(const struct slg_miner *miner, const struct row *row, struct slg_buf *out)
{
    slg_buf_append_byte(out, 1);
    put_text(out, miner->level_texts[row->level]);
    put_text(out, row->key);
    for (size_t i = 0; i < row->slot_count; i++) {
        slg_buf_append_varint(out, row->slots[i].at == NULL ? 0 : row->slots[i].len + 1);
        slg_buf_append(out, row->slots[i].at, row->slots[i].len);
    }
}

enum slg_status slg_miner_page(struct slg_miner *miner, struct slg_buf *out, bool *ret_more,
                               struct slg_error *reterr)
{
    const struct table *table = &miner->table;
    size_t start = out->len;

    sort_cells(miner);
    slg_buf_append_byte(out, PAGE_VERSION);
    slg_buf_append_byte(out, PAGE_KIND);
    while (miner->page_cell < table->cell_count && out->len - start < SLG_PAGE_BYTES_MAX) {
        uint32_t row = table->cells[miner->page_cell].row;
        int64_t bucket = 0;

        put_row(miner, &table->rows[row], out);
        for (; miner->page_cell < table->cell_count && table->cells[miner->page_cell].row == row &&
               out->len - start < SLG_PAGE_BYTES_MAX;
             miner->page_cell++) {
            const struct cell *cell = &table->cells[miner->page_cell];

            slg_buf_append_varint(out, cell->count);
            slg_buf_append_varint_signed(out, (int64_t)((uint64_t)cell->bucket - (uint64_t)bucket));
            bucket = cell->bucket;
        }
        slg_buf_append_varint(out, 0);
    }
    slg_buf_append_byte(out, 0);
    *ret_more = miner->page_cell < table->cell_count;
    return slg_buf_failed(out) ? slg_errorf(reterr, SLG_LIMIT, "a page of patterns is too large")
                               : SLG_OK;
}

static bool take_text(struct slg_cursor *c, size_t len_max, struct slg_text *ret_text)
{
    const uint8_t *bytes;
    uint64_t len;

    if (!slg_cursor_take_varint(c, &len) || len > len_max ||
        !slg_cursor_take_bytes(c, (size_t)len, &bytes))
        return false;
    *ret_text = slg_text_make(bytes, (size_t)len);
    return true;
}

static bool take_slots(struct slg_cursor *c, struct slg_text key, struct slg_text *slots,
                       size_t *ret_count)
{
    struct slg_text tokens[SLG_SHAPE_KEY_TOKENS_MAX];
    size_t token_count, count = 0;

    if (!slg_shape_tokens(key, tokens, &token_count))
        return false;
    for (size_t i = 0; i < token_count; i++) {
        const uint8_t *bytes;
        uint64_t len;

        if (tokens[i].at[0] != SLG_SHAPE_SLOT)
            continue;
        if (!slg_cursor_take_varint(c, &len) || len > SLG_SHAPE_SLOT_BYTES_MAX + 1)
            return false;
        if (len > 0 && !slg_cursor_take_bytes(c, (size_t)len - 1, &bytes))
            return false;
        slots[count++] = len == 0 ? slg_text_make(NULL, 0) : slg_text_make(bytes, (size_t)len - 1);
    }
    *ret_count = count;
    return true;
}

static enum slg_status broken(struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_MALFORMED, "a page of patterns is damaged");
}

/* One row of a page, behind its 1. */
static enum slg_status feed_row(struct slg_miner *miner, struct slg_cursor *c,
                                struct slg_error *reterr)
{
    struct slg_text slots[SLG_SHAPE_KEY_TOKENS_MAX], level;
    struct wish wish = { .slots = slots };
    int64_t bucket = 0;
    uint32_t row;
    enum slg_status status;

    if (!take_text(c, SLG_MINER_LEVEL_BYTES_MAX, &level) ||
        !take_text(c, SLG_SHAPE_KEY_BYTES_MAX, &wish.key) ||
        !take_slots(c, wish.key, slots, &wish.slot_count))
        return broken(reterr);
    wish.level = level_of(miner, level);
    wish.hash = hash_of(wish.level, wish.key);
    status = take_row(miner, &wish, &row, reterr);
    while (status == SLG_OK) {
        uint64_t count;
        int64_t delta;

        if (!slg_cursor_take_varint(c, &count) || count > COUNT_MAX)
            return broken(reterr);
        if (count == 0)
            return SLG_OK;
        if (!slg_cursor_take_varint_signed(c, &delta))
            return broken(reterr);
        bucket = (int64_t)((uint64_t)bucket + (uint64_t)delta);
        if (row == ROW_NONE)
            miner->lost_count += count;
        else
            status = count_cell(&miner->table, row, bucket, count, reterr);
    }
    return status;
}

enum slg_status slg_miner_feed(struct slg_miner *miner, const void *body, size_t len,
                               struct slg_error *reterr)
{
    struct slg_cursor c = slg_cursor_make(body, len);
    uint8_t version, kind, more;
    enum slg_status status = SLG_OK;

    SLG_ASSERT(!miner->sorted);
    if (!slg_cursor_take_u8(&c, &version) || !slg_cursor_take_u8(&c, &kind))
        return broken(reterr);
    if (version != PAGE_VERSION || kind != PAGE_KIND)
        return slg_errorf(reterr, SLG_UNSUPPORTED,
                          "a page of version %u and kind %u; this process reads patterns of %d, %d",
                          version, kind, PAGE_VERSION, PAGE_KIND);
    for (;;) {
        if (!slg_cursor_take_u8(&c, &more) || more > 1)
            return broken(reterr);
        if (more == 0)
            return slg_cursor_left(&c) == 0 ? SLG_OK : broken(reterr);
        status = feed_row(miner, &c, reterr);
        if (status != SLG_OK)
            return status;
    }
}

/* ---- the answer ---- */

/* Is enough of the row constant, to say something about its lines? */
static bool says_something(const struct row *row)
{
    struct slg_text tokens[SLG_SHAPE_KEY_TOKENS_MAX];
    size_t token_count, holes = 0, marks = 0;

    if (!slg_shape_tokens(row->key, tokens, &token_count))
        return false;
    for (size_t i = 0; i < row->slot_count; i++)
        holes += row->slots[i].at == NULL;
    for (size_t i = 0; i < row->key.len; i++)
        marks += memchr("!\"#$%&'()*,;<=>?@[\\]^`{|}~", row->key.at[i], 26) != NULL;
    return 10 * (token_count - holes + marks) >= CONSTANT_TENTHS_MIN * (token_count + marks);
}

static bool render(struct slg_arena *arena, const struct row *row, struct slg_text *ret_pattern)
{
    size_t bytes = row->key.len, slot = 0, len = 0;
    char *out;

    for (size_t i = 0; i < row->slot_count; i++)
        bytes += row->slots[i].at == NULL ? 3 : row->slots[i].len;
    out = slg_arena_alloc(arena, bytes + 1);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < row->key.len; i++) {
        struct slg_text piece = slg_text_make(row->key.at + i, 1);

        if (row->key.at[i] == SLG_SHAPE_SLOT) {
            piece = row->slots[slot].at == NULL ? slg_text_make("<_>", 3) : row->slots[slot];
            slot++;
        }
        memcpy(out + len, piece.at, piece.len);
        len += piece.len;
    }
    *ret_pattern = slg_text_make(out, len);
    return true;
}

static int compare_patterns(const void *left, const void *right)
{
    const struct slg_miner_pattern *a = left, *b = right;
    int order;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    order = slg_text_compare(a->level, b->level);
    return order != 0 ? order : slg_text_compare(a->pattern, b->pattern);
}

static bool add_samples(struct slg_miner *miner, const struct cell *cells, size_t count,
                        struct slg_miner_pattern *pattern)
{
    struct slg_miner_sample *samples = slg_arena_calloc(miner->results, count, sizeof(*samples));

    if (samples == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        samples[i] =
            (struct slg_miner_sample){ .bucket = cells[i].bucket, .count = cells[i].count };
    pattern->samples = samples;
    pattern->sample_count = count;
    return true;
}

enum slg_status slg_miner_finish(struct slg_miner *miner,
                                 const struct slg_miner_pattern **ret_patterns, size_t *ret_count,
                                 struct slg_error *reterr)
{
    const struct table *table = &miner->table;
    enum slg_status status =
        generalise(miner, SLG_MINER_LINES_MIN, SLG_MINER_ROW_COUNT_MAX, reterr);
    struct slg_miner_pattern *patterns;
    size_t count = 0;

    if (status != SLG_OK)
        return status;
    sort_cells(miner);
    miner->results = slg_arena_create(2 * SLG_MINER_TEXT_BYTES_MAX >> table->shift);
    patterns = miner->results == NULL
                   ? NULL
                   : slg_arena_calloc(miner->results, table->row_count + 1, sizeof(*patterns));
    if (patterns == NULL)
        return no_memory(reterr);
    for (size_t begin = 0, end; begin < table->cell_count; begin = end) {
        const struct row *row = &table->rows[table->cells[begin].row];
        struct slg_miner_pattern *pattern = &patterns[count];

        for (end = begin + 1;
             end < table->cell_count && table->cells[end].row == table->cells[begin].row;)
            end++;
        if (row->count < SLG_MINER_LINES_MIN || !says_something(row))
            continue;
        *pattern = (struct slg_miner_pattern){ .level = miner->level_texts[row->level],
                                               .count = row->count };
        if (!render(miner->results, row, &pattern->pattern) ||
            !add_samples(miner, table->cells + begin, end - begin, pattern))
            return no_memory(reterr);
        count++;
    }
    qsort(patterns, count, sizeof(*patterns), compare_patterns);
    *ret_patterns = patterns;
    *ret_count = count < SLG_MINER_PATTERN_COUNT_MAX ? count : SLG_MINER_PATTERN_COUNT_MAX;
    return SLG_OK;
}
