#include "ctl/url.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void slg_url_start(struct slg_buf *url, const char *addr, const char *path)
{
    slg_buf_clear(url);
    slg_buf_append_text(url, addr);
    slg_buf_append_text(url, path);
}

void slg_url_segment(struct slg_buf *url, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            slg_buf_append_byte(url, (uint8_t)*text);
        else
            slg_buf_printf(url, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

void slg_url_param(struct slg_buf *url, const char *name, const char *value)
{
    bool first = url->len == 0 || memchr(url->data, '?', url->len) == NULL;

    slg_buf_append_byte(url, first ? '?' : '&');
    slg_buf_append_text(url, name);
    slg_buf_append_byte(url, '=');
    slg_url_segment(url, value);
}

void slg_url_number(struct slg_buf *url, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value); /* 20 characters at most */
    slg_url_param(url, name, text);
}
