#include "ctl/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

bool slg_url_split(const char *url, struct slg_url_parts *ret_parts)
{
    const char *start = strstr(url, "://");
    struct slg_url_parts parts = { 0 };
    const char *at;
    size_t len;

    if (start == NULL)
        return false;
    start += strlen("://");
    len = strcspn(start, "/?#");
    parts.path = start + len;
    at = memrchr(start, '@', len);
    if (at != NULL) {
        parts.userinfo = start;
        parts.userinfo_len = (size_t)(at - start);
        start = at + 1;
    }
    parts.host = start;
    parts.host_len = (size_t)(parts.path - start);
    *ret_parts = parts;
    return parts.host_len > 0;
}

bool slg_url_is_loopback(const char *url)
{
    struct slg_url_parts parts;
    size_t len;

    if (!slg_url_split(url, &parts))
        return false;
    len = parts.host_len;
    for (size_t i = 0; i < len && parts.host[0] != '['; i++)
        len = parts.host[i] == ':' ? i : len; /* without the port */
    if (len == strlen("localhost") && strncasecmp(parts.host, "localhost", len) == 0)
        return true;
    if (strncmp(parts.host, "[::1]", 5) == 0)
        return len == 5 || parts.host[5] == ':';
    return strncmp(parts.host, "127.", 4) == 0 && strspn(parts.host, "0123456789.") == len;
}

/* ---- who asks ---- */

/* -1: no hexadecimal digit. */
static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits) % 16;
}

static void append_decoded(struct slg_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = text[i] == '%' && i + 2 < len ? hex_value(text[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_value(text[i + 2]);

        slg_buf_append_byte(out, low < 0 ? (uint8_t)text[i] : (uint8_t)(high * 16 + low));
        i += low < 0 ? 0 : 2;
    }
}

/* RFC 4648 section 4. */
static void append_base64(struct slg_buf *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)bytes[i] << 16;

        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        for (size_t k = 0; k < 4; k++)
            slg_buf_append_byte(out, k <= left ? (uint8_t)digits[group >> (18 - 6 * k) & 63] : '=');
    }
}

void slg_url_authorization(struct slg_buf *out, const char *url, const char *token)
{
    struct slg_url_parts parts;
    struct slg_buf plain;

    if (slg_url_split(url, &parts) && parts.userinfo != NULL) {
        slg_buf_init(&plain, parts.userinfo_len + 1);
        append_decoded(&plain, parts.userinfo, parts.userinfo_len);
        slg_buf_append_text(out, "Basic ");
        append_base64(out, plain.data, plain.len);
        slg_buf_fini(&plain);
    } else if (token != NULL) {
        slg_buf_append_text(out, "Bearer ");
        slg_buf_append_text(out, token);
    }
}
