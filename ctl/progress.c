#include "ctl/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/units.h"

#define LINE_NS         (10 * SLG_NS_PER_SEC)
#define BAR_NS          (200 * SLG_NS_PER_MS)
#define BAR_COLUMNS     20
#define COLUMNS_DEFAULT ((size_t)80)
#define TEXT_BYTES_MAX  ((size_t)4096)
#define LEFT_NS_MAX     ((double)INT64_C(1000) * 86400 * 1e9) /* longer is no forecast */

static void print_bar(struct slg_buf *out, const struct slg_progress *progress, int64_t done)
{
    double part = progress->total == 0 ? 0 : (double)done / (double)progress->total;

    part = part > 1 ? 1 : part;
    slg_buf_append_byte(out, '[');
    for (int i = 0; i < BAR_COLUMNS; i++)
        slg_buf_append_byte(out, i < (int)(part * BAR_COLUMNS) ? '#' : '.');
    slg_buf_printf(out, "] %3d %%  ", (int)(part * 100));
}

static void print_left(struct slg_buf *out, const struct slg_progress *progress, int64_t done,
                       double per_second)
{
    double left_ns = done >= progress->total ? 0 : 1e9 * (double)(progress->total - done);
    char text[SLG_UNITS_TEXT_MAX];

    if (left_ns > 0 && left_ns >= per_second * LEFT_NS_MAX) { /* also when nothing moves */
        slg_buf_append_text(out, ", time left unknown");
        return;
    }
    left_ns = left_ns > 0 ? left_ns / per_second : 0;
    slg_units_print_duration((int64_t)(left_ns / 1e9 + 0.5) * SLG_NS_PER_SEC, text);
    slg_buf_printf(out, ", %s left", text);
}

void slg_progress_print(struct slg_buf *out, const struct slg_progress *progress, int64_t done,
                        int64_t now_ns, size_t columns)
{
    size_t start = out->len;
    int digits = progress->divisor == 1 ? 0 : 1;
    double divisor = (double)progress->divisor;
    double seconds = (double)(now_ns - progress->started_ns) / 1e9;
    double per_second = seconds > 0 ? (double)done / seconds : 0;

    if (progress->terminal && progress->total > 0)
        print_bar(out, progress, done);
    slg_buf_printf(out, "%s: %.*f", progress->what, digits, (double)done / divisor);
    if (progress->total > 0)
        slg_buf_printf(out, " of %.*f", digits, (double)progress->total / divisor);
    slg_buf_printf(out, " %s, %.*f %s/s", progress->unit, digits, per_second / divisor,
                   progress->unit);
    if (progress->total > 0)
        print_left(out, progress, done, per_second);
    if (progress->terminal && out->len - start > columns)
        out->len = start + columns; /* all of it is ASCII */
}

void slg_progress_start(struct slg_progress *progress, const char *what, const char *unit,
                        int64_t divisor, int64_t total)
{
    int64_t now_ns = slg_clock_mono_ns(slg_clock_system());

    SLG_ASSERT(divisor > 0);
    *progress = (struct slg_progress){ .what = what,
                                       .unit = unit,
                                       .divisor = divisor,
                                       .total = total,
                                       .started_ns = now_ns,
                                       .terminal = isatty(STDERR_FILENO) == 1 };
    progress->next_ns = now_ns + (progress->terminal ? BAR_NS : LINE_NS);
}

static size_t terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_DEFAULT;
    return size.ws_col;
}

void slg_progress_tell(struct slg_progress *progress, int64_t done)
{
    int64_t now_ns = slg_clock_mono_ns(slg_clock_system());
    struct slg_buf text;

    if (now_ns < progress->next_ns)
        return;
    progress->next_ns = now_ns + (progress->terminal ? BAR_NS : LINE_NS);
    slg_buf_init(&text, TEXT_BYTES_MAX);
    if (progress->terminal)
        slg_buf_append_text(&text, "\r\033[K"); /* ECMA-48: erase to the end of the line */
    slg_progress_print(&text, progress, done, now_ns, terminal_columns() - 1);
    if (!progress->terminal)
        slg_buf_append_byte(&text, '\n');
    (void)fwrite(text.data, 1, text.len, stderr); /* nothing to do if stderr is closed */
    (void)fflush(stderr);
    progress->drawn = progress->terminal;
    slg_buf_fini(&text);
}

void slg_progress_end(struct slg_progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    progress->drawn = false;
}
