#include "base/assert.h"

#include <unistd.h>

static void write_text(const char *text)
{
    /* Nothing can be done when stderr is gone: we are about to abort. */
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

void slg_assert_fail(const char *condition, const char *file, int line)
{
    char digits[16];
    size_t at = sizeof(digits);

    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0 && at > 0);

    write_text("silage: assertion failed: ");
    write_text(condition);
    write_text(" at ");
    write_text(file);
    write_text(":");
    write_text(&digits[at]);
    write_text("\n");
    abort();
}
