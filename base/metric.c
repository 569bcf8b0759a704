#include "base/metric.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

/* Concurrency
 *   cells of a set         the set's thread (plain adds); of the shared set: any thread (atomic adds);
 *                          others read them relaxed, so a reading may miss the last few adds
 *   sets of a table, tables, refresh   the registry's lock
 *   rows, offsets          written by register, constant afterwards */

/* A row has one cell per label value; a histogram has, per label value, one cell for each bucket, one for what is
 * above them, and one for the sum. Gauges are signed values in the same cells. */
struct slg_metric_set {
    struct slg_metric_table *table;
    struct slg_metric_set *next;
    _Atomic uint64_t cells[];
};

struct slg_metric_table {
    struct slg_metric_registry *registry;
    const struct slg_metric_row *rows;
    size_t row_count;
    size_t *offsets; /* row -> its first cell */
    size_t cell_count;
    struct slg_metric_set *sets; /* the last of the list is the shared set */
    struct slg_metric_set *shared;
    void (*refresh)(void *arg);
    void *refresh_arg;
};

struct slg_metric_registry {
    pthread_mutex_t lock;
    struct slg_metric_table *tables[SLG_METRIC_TABLES_MAX];
    size_t table_count;
    double start_time_seconds;
};

#define MS UINT64_C(1000000)
static const uint64_t latency_bounds[] = {
    MS / 10,  MS,        5 * MS,    10 * MS,   25 * MS,    50 * MS,    100 * MS,  250 * MS,
    500 * MS, 1000 * MS, 2500 * MS, 5000 * MS, 10000 * MS, 30000 * MS, 60000 * MS
};
static const uint64_t size_bounds[] = { 256,    1024,    4096,    16384,    65536,
                                        262144, 1048576, 4194304, 16777216, 67108864 };
const struct slg_metric_buckets slg_metric_latency = { latency_bounds,
                                                       SLG_ARRAY_LEN(latency_bounds) };
const struct slg_metric_buckets slg_metric_sizes = { size_bounds, SLG_ARRAY_LEN(size_bounds) };

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text);
    size_t end_len = strlen(end);

    return text_len >= end_len && memcmp(text + text_len - end_len, end, end_len) == 0;
}

static bool in_seconds(const struct slg_metric_row *row)
{
    return ends_with(row->name, "_seconds") || ends_with(row->name, "_seconds_total");
}

static size_t label_count(const struct slg_metric_row *row)
{
    return row->label == NULL ? 1 : row->label->count;
}

static size_t cells_per_label(const struct slg_metric_row *row)
{
    return row->type == SLG_METRIC_HISTOGRAM ? row->buckets->count + 2 : 1;
}

static void check_row(const struct slg_metric_row *row)
{
    for (const char *at = row->name; *at != '\0'; at++)
        SLG_ASSERT((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_');
    SLG_ASSERT((row->type == SLG_METRIC_COUNTER) == ends_with(row->name, "_total"));
    SLG_ASSERT((row->type == SLG_METRIC_HISTOGRAM) == (row->buckets != NULL));
    SLG_ASSERT(row->help != NULL);
    SLG_ASSERT(strpbrk(row->help, "\\\n") == NULL);
    if (row->label != NULL) {
        SLG_ASSERT(row->label->count > 0);
        SLG_ASSERT(row->label->count <= SLG_METRIC_LABEL_VALUES_MAX);
    }
    if (row->buckets != NULL) {
        SLG_ASSERT(row->buckets->count > 0);
        SLG_ASSERT(row->buckets->count <= SLG_METRIC_BUCKETS_MAX);
        for (size_t i = 1; i < row->buckets->count; i++)
            SLG_ASSERT(row->buckets->bounds[i - 1] < row->buckets->bounds[i]);
    }
}

static void lock_registry(struct slg_metric_registry *registry)
{
    SLG_ASSERT(pthread_mutex_lock(&registry->lock) == 0);
}

static void unlock_registry(struct slg_metric_registry *registry)
{
    SLG_ASSERT(pthread_mutex_unlock(&registry->lock) == 0);
}

struct slg_metric_registry *slg_metric_registry_create(void)
{
    struct slg_metric_registry *registry = calloc(1, sizeof(*registry));

    if (registry == NULL)
        return NULL;
    SLG_ASSERT(pthread_mutex_init(&registry->lock, NULL) == 0);
    registry->start_time_seconds = (double)slg_clock_wall_ns(slg_clock_system()) / 1e9;
    return registry;
}

static void destroy_table(struct slg_metric_table *table)
{
    if (table == NULL)
        return;
    while (table->sets != NULL) {
        struct slg_metric_set *set = table->sets;

        table->sets = set->next;
        free(set);
    }
    free(table->offsets);
    free(table);
}

void slg_metric_registry_destroy(struct slg_metric_registry *registry)
{
    if (registry == NULL)
        return;
    for (size_t i = 0; i < registry->table_count; i++)
        destroy_table(registry->tables[i]);
    (void)pthread_mutex_destroy(&registry->lock);
    free(registry);
}

struct slg_metric_table *slg_metric_register(struct slg_metric_registry *registry,
                                             const struct slg_metric_row *rows, size_t row_count)
{
    struct slg_metric_table *table = calloc(1, sizeof(*table));

    SLG_ASSERT(row_count > 0);
    SLG_ASSERT(row_count <= SLG_METRIC_ROWS_MAX);
    if (table == NULL)
        return NULL;
    table->registry = registry;
    table->rows = rows;
    table->row_count = row_count;
    table->offsets = calloc(row_count, sizeof(*table->offsets));
    if (table->offsets == NULL) {
        destroy_table(table);
        return NULL;
    }
    for (size_t i = 0; i < row_count; i++) {
        check_row(&rows[i]);
        table->offsets[i] = table->cell_count;
        table->cell_count += label_count(&rows[i]) * cells_per_label(&rows[i]);
    }
    table->shared = slg_metric_set_create(table);
    if (table->shared == NULL) {
        destroy_table(table);
        return NULL;
    }
    lock_registry(registry);
    SLG_ASSERT(registry->table_count < SLG_METRIC_TABLES_MAX);
    registry->tables[registry->table_count++] = table;
    unlock_registry(registry);
    return table;
}

struct slg_metric_set *slg_metric_set_create(struct slg_metric_table *table)
{
    struct slg_metric_set *set =
        calloc(1, sizeof(*set) + table->cell_count * sizeof(set->cells[0]));

    if (set == NULL)
        return NULL;
    set->table = table;
    lock_registry(table->registry);
    set->next = table->sets;
    table->sets = set;
    unlock_registry(table->registry);
    return set;
}

void slg_metric_set_destroy(struct slg_metric_set *set)
{
    struct slg_metric_table *table;
    struct slg_metric_set **link;

    if (set == NULL)
        return;
    table = set->table;
    SLG_ASSERT(set != table->shared);
    lock_registry(table->registry);
    for (link = &table->sets; *link != set; link = &(*link)->next)
        SLG_ASSERT(*link != NULL);
    *link = set->next;
    for (size_t row = 0; row < table->row_count; row++) {
        size_t count = label_count(&table->rows[row]) * cells_per_label(&table->rows[row]);

        if (table->rows[row].type == SLG_METRIC_GAUGE)
            continue;
        for (size_t i = table->offsets[row]; i < table->offsets[row] + count; i++)
            atomic_fetch_add_explicit(&table->shared->cells[i],
                                      atomic_load_explicit(&set->cells[i], memory_order_relaxed),
                                      memory_order_relaxed);
    }
    unlock_registry(table->registry);
    free(set);
}

/* The first cell of (row, label). */
static size_t cell_of(const struct slg_metric_table *table, size_t row, size_t label_index)
{
    SLG_ASSERT(row < table->row_count);
    SLG_ASSERT(label_index < label_count(&table->rows[row]));
    return table->offsets[row] + label_index * cells_per_label(&table->rows[row]);
}

/* One writer: no locked instruction needed. */
static void add_own(_Atomic uint64_t *cell, uint64_t n)
{
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static size_t bucket_of(const struct slg_metric_buckets *buckets, uint64_t value)
{
    size_t i = 0;

    while (i < buckets->count && value > buckets->bounds[i])
        i++;
    return i;
}

void slg_metric_add(struct slg_metric_set *set, size_t row, size_t label_index, uint64_t n)
{
    SLG_DASSERT(set->table->rows[row].type == SLG_METRIC_COUNTER);
    add_own(&set->cells[cell_of(set->table, row, label_index)], n);
}

void slg_metric_gauge(struct slg_metric_set *set, size_t row, size_t label_index, int64_t value)
{
    SLG_DASSERT(set->table->rows[row].type == SLG_METRIC_GAUGE);
    atomic_store_explicit(&set->cells[cell_of(set->table, row, label_index)], (uint64_t)value,
                          memory_order_relaxed);
}

void slg_metric_observe(struct slg_metric_set *set, size_t row, size_t label_index, uint64_t value)
{
    const struct slg_metric_buckets *buckets = set->table->rows[row].buckets;
    size_t cell = cell_of(set->table, row, label_index);

    SLG_ASSERT(buckets != NULL);
    add_own(&set->cells[cell + bucket_of(buckets, value)], 1);
    add_own(&set->cells[cell + buckets->count + 1], value);
}

void slg_metric_add_shared(struct slg_metric_table *table, size_t row, size_t label_index,
                           uint64_t n)
{
    SLG_DASSERT(table->rows[row].type == SLG_METRIC_COUNTER);
    atomic_fetch_add_explicit(&table->shared->cells[cell_of(table, row, label_index)], n,
                              memory_order_relaxed);
}

void slg_metric_gauge_shared(struct slg_metric_table *table, size_t row, size_t label_index,
                             int64_t value)
{
    slg_metric_gauge(table->shared, row, label_index, value);
}

void slg_metric_observe_shared(struct slg_metric_table *table, size_t row, size_t label_index,
                               uint64_t value)
{
    const struct slg_metric_buckets *buckets = table->rows[row].buckets;
    _Atomic uint64_t *cells = &table->shared->cells[cell_of(table, row, label_index)];

    SLG_ASSERT(buckets != NULL);
    atomic_fetch_add_explicit(&cells[bucket_of(buckets, value)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cells[buckets->count + 1], value, memory_order_relaxed);
}

/* Under the lock. */
static uint64_t sum_cell(const struct slg_metric_table *table, size_t cell)
{
    uint64_t sum = 0;

    for (const struct slg_metric_set *set = table->sets; set != NULL; set = set->next)
        sum += atomic_load_explicit(&set->cells[cell], memory_order_relaxed);
    return sum;
}

uint64_t slg_metric_read(struct slg_metric_table *table, size_t row, size_t label_index)
{
    size_t first = cell_of(table, row, label_index);
    size_t count = cells_per_label(&table->rows[row]);
    uint64_t sum = 0;

    if (count > 1)
        count--; /* all buckets of a histogram, not its sum */
    lock_registry(table->registry);
    for (size_t i = 0; i < count; i++)
        sum += sum_cell(table, first + i);
    unlock_registry(table->registry);
    return sum;
}

void slg_metric_on_write(struct slg_metric_table *table, void (*refresh)(void *arg), void *arg)
{
    lock_registry(table->registry);
    table->refresh = refresh;
    table->refresh_arg = arg;
    unlock_registry(table->registry);
}

/* name{label="value",le="bound"}: le is NULL but for buckets. */
static void write_name(struct slg_buf *out, const struct slg_metric_row *row, const char *suffix,
                       size_t label_index, const char *le)
{
    slg_buf_printf(out, "silage_%s%s", row->name, suffix);
    if (row->label != NULL || le != NULL) {
        slg_buf_append_byte(out, '{');
        if (row->label != NULL)
            slg_buf_printf(out, "%s=\"%s\"%s", row->label->name, row->label->values[label_index],
                           le == NULL ? "" : ",");
        if (le != NULL)
            slg_buf_printf(out, "le=\"%s\"", le);
        slg_buf_append_byte(out, '}');
    }
    slg_buf_append_byte(out, ' ');
}

static void write_value(struct slg_buf *out, const struct slg_metric_row *row, uint64_t value)
{
    if (row->type == SLG_METRIC_GAUGE && in_seconds(row))
        slg_buf_printf(out, "%.9g\n", (double)(int64_t)value / 1e9);
    else if (row->type == SLG_METRIC_GAUGE)
        slg_buf_printf(out, "%lld\n", (long long)(int64_t)value);
    else if (in_seconds(row))
        slg_buf_printf(out, "%.9f\n", (double)value / 1e9);
    else
        slg_buf_printf(out, "%llu\n", (unsigned long long)value);
}

static void write_histogram(struct slg_buf *out, const struct slg_metric_table *table,
                            const struct slg_metric_row *row, size_t cell, size_t label_index)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= row->buckets->count; i++) {
        char le[32];

        count += sum_cell(table, cell + i);
        if (i == row->buckets->count)
            (void)snprintf(le, sizeof(le), "+Inf");
        else if (in_seconds(row))
            (void)snprintf(le, sizeof(le), "%g", (double)row->buckets->bounds[i] / 1e9);
        else
            (void)snprintf(le, sizeof(le), "%llu", (unsigned long long)row->buckets->bounds[i]);
        write_name(out, row, "_bucket", label_index, le);
        slg_buf_printf(out, "%llu\n", (unsigned long long)count);
    }
    write_name(out, row, "_sum", label_index, NULL);
    write_value(out, row, sum_cell(table, cell + row->buckets->count + 1));
    write_name(out, row, "_count", label_index, NULL);
    slg_buf_printf(out, "%llu\n", (unsigned long long)count);
}

static void write_row(struct slg_buf *out, const struct slg_metric_table *table,
                      const struct slg_metric_row *row, size_t cell)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };

    slg_buf_printf(out, "# HELP silage_%s %s\n# TYPE silage_%s %s\n", row->name, row->help,
                   row->name, types[row->type]);
    for (size_t i = 0; i < label_count(row); i++) {
        if (row->type == SLG_METRIC_HISTOGRAM) {
            write_histogram(out, table, row, cell + i * cells_per_label(row), i);
            continue;
        }
        write_name(out, row, "", i, NULL);
        write_value(out, row, sum_cell(table, cell + i));
    }
}

/* The names that every Prometheus client library uses for its process. */
static void write_process(struct slg_buf *out, const struct slg_metric_registry *registry)
{
    unsigned long long resident_pages = 0;
    struct rusage usage;
    FILE *statm = fopen("/proc/self/statm", "re");

    if (statm != NULL) {
        char text[128];

        /* "total resident ..."; a kernel that writes something else leaves 0. */
        if (fgets(text, sizeof(text), statm) != NULL && strchr(text, ' ') != NULL)
            resident_pages = strtoull(strchr(text, ' '), NULL, 10);
        (void)fclose(statm); /* read only */
    }
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail with these arguments */
    slg_buf_printf(out,
                   "# HELP silage_build_info The version of this program.\n"
                   "# TYPE silage_build_info gauge\nsilage_build_info{version=\"%s\"} 1\n",
                   SLG_VERSION);
    slg_buf_printf(out,
                   "# HELP process_cpu_seconds_total User and system CPU time spent.\n"
                   "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.6f\n",
                   (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    slg_buf_printf(out,
                   "# HELP process_resident_memory_bytes Resident memory size.\n"
                   "# TYPE process_resident_memory_bytes gauge\n"
                   "process_resident_memory_bytes %llu\n",
                   resident_pages * (unsigned long long)sysconf(_SC_PAGESIZE));
    slg_buf_printf(out,
                   "# HELP process_start_time_seconds Start time since the Unix epoch.\n"
                   "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.3f\n",
                   registry->start_time_seconds);
}

/* refresh runs without the lock, as it calls the gauge functions and may create sets. */
static void refresh_tables(struct slg_metric_registry *registry)
{
    for (size_t i = 0; i < SLG_METRIC_TABLES_MAX; i++) {
        void (*refresh)(void *arg) = NULL;
        void *arg = NULL;

        lock_registry(registry);
        if (i < registry->table_count) {
            refresh = registry->tables[i]->refresh;
            arg = registry->tables[i]->refresh_arg;
        }
        unlock_registry(registry);
        if (refresh != NULL)
            refresh(arg);
    }
}

void slg_metric_write(struct slg_metric_registry *registry, struct slg_buf *out)
{
    refresh_tables(registry);
    lock_registry(registry);
    for (size_t t = 0; t < registry->table_count; t++) {
        const struct slg_metric_table *table = registry->tables[t];

        for (size_t row = 0; row < table->row_count; row++)
            write_row(out, table, &table->rows[row], table->offsets[row]);
    }
    unlock_registry(registry);
    write_process(out, registry);
}
