/* bench_lines COUNT [SEED] - made-up mail traffic as RFC 5424 messages, one a line, on stdout. Who sends them writes the
 * present over the stamp. */
#include <stdio.h>

#include "base/cursor.h"
#include "ctl/traffic.h"

static uint64_t number(const char *text, uint64_t fallback)
{
    struct slg_cursor c = slg_cursor_make(text, strlen(text));
    uint64_t value;

    return slg_cursor_take_uint(&c, 18, UINT64_MAX, &value) ? value : fallback;
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? number(argv[1], 0) : 100000;
    struct slg_traffic_message m;
    struct slg_traffic traffic;

    slg_traffic_init(&traffic, argc > 2 ? number(argv[2], 1) : 1);
    for (uint64_t i = 0; i < count; i++) {
        slg_traffic_next(&traffic, &m);
        if (printf("<%u>1 2026-01-01T00:00:00.000000Z %s %s %u - - %.*s\n",
                   m.facility * 8 + m.severity, m.host, m.app, m.pid, (int)m.text_len, m.text) < 0)
            return 1;
    }
    return 0;
}
