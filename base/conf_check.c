/* Settings: is a text a value of its row; numbers are read here. */
#include <arpa/inet.h>
#include <stdarg.h>

#include "base/address.h"
#include "base/conf_private.h"
#include "base/cursor.h"
#include "base/secret.h"
#include "base/utf8.h"

static bool is_choice(const struct slg_conf_row *row, const char *text, int64_t *ret_index)
{
    const char *at = row->choices;
    size_t len = strlen(text);

    for (int64_t index = 0;; index++) {
        const char *end = strchrnul(at, '|');

        if ((size_t)(end - at) == len && memcmp(at, text, len) == 0) {
            *ret_index = index;
            return true;
        }
        if (*end == '\0')
            return false;
        at = end + 1;
    }
}

static bool is_port(const char *text)
{
    struct slg_cursor c = slg_cursor_make(text, strlen(text));
    uint64_t port;

    return slg_cursor_take_uint(&c, 5, 65535, &port) && c.at == c.end;
}

static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[256];
    struct in6_addr address;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || !is_port(colon + 1))
        return false;
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (host[0] == '[') {
        size_t len = strlen(host);

        if (host[len - 1] != ']')
            return false;
        host[len - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &address) == 1;
    }
    return host[0] != '\0' && strpbrk(host, ":/ []") == NULL;
}

static bool is_cidr(const char *text)
{
    struct slg_cidr ignored;

    return slg_cidr_parse(text, &ignored, NULL) == SLG_OK;
}

static bool parse_int(const char *text, int64_t *ret_number)
{
    bool negative = text[0] == '-';
    struct slg_cursor c = slg_cursor_make(text + (negative ? 1 : 0), strlen(text) - negative);
    uint64_t number;

    if (!slg_cursor_take_uint(&c, 19, INT64_MAX, &number) || c.at != c.end)
        return false;
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

const char *slg_conf_print_number(const struct slg_conf_row *row, int64_t number,
                                  char text[SLG_UNITS_TEXT_MAX])
{
    if (number == INT64_MAX && (row->flags & SLG_CONF_FOREVER) != 0)
        (void)snprintf(text, SLG_UNITS_TEXT_MAX, "forever");
    else if (row->type == SLG_CONF_SIZE)
        slg_units_print_size(number, text);
    else if (row->type == SLG_CONF_DURATION)
        slg_units_print_duration(number, text);
    else
        (void)snprintf(text, SLG_UNITS_TEXT_MAX, "%lld", (long long)number);
    return text;
}

static void tell_value(struct slg_conf *conf, const struct slg_conf_entry *entry,
                       const char *format, ...) SLG_PRINTF(3, 4);
static void tell_value(struct slg_conf *conf, const struct slg_conf_entry *entry,
                       const char *format, ...)
{
    va_list args;

    va_start(args, format);
    slg_conf_mistake_at(conf, entry->file, entry->line, entry->key, format, args);
    va_end(args);
}

/* INT, SIZE, DURATION. */
static void check_number(struct slg_conf *conf, struct slg_conf_entry *entry)
{
    const struct slg_conf_row *row = entry->row;
    size_t len = strlen(entry->text);
    char low[SLG_UNITS_TEXT_MAX], high[SLG_UNITS_TEXT_MAX];
    const char *kind = row->type == SLG_CONF_INT    ? "a whole number"
                       : row->type == SLG_CONF_SIZE ? "a size such as 8MiB"
                                                    : "a duration such as 1h30m";
    bool parsed;

    slg_conf_print_number(row, row->min, low);
    slg_conf_print_number(row, row->max, high);
    if ((row->flags & SLG_CONF_FOREVER) != 0 && strcmp(entry->text, "forever") == 0) {
        entry->number = SLG_CONF_FOREVER_VALUE;
        return;
    }
    if (row->type == SLG_CONF_INT)
        parsed = parse_int(entry->text, &entry->number);
    else if (row->type == SLG_CONF_SIZE)
        parsed = slg_units_parse_size(entry->text, len, &entry->number);
    else
        parsed = slg_units_parse_duration(entry->text, len, &entry->number);
    if (!parsed)
        tell_value(conf, entry, "\"%.80s\" is not %s, write one from %s to %s%s", entry->text, kind,
                   low, high, (row->flags & SLG_CONF_FOREVER) != 0 ? " or forever" : "");
    else if (entry->number < row->min || entry->number > row->max)
        tell_value(conf, entry, "%.80s is out of bounds, write %s to %s", entry->text, low, high);
}

/* What cannot stand in a settings file may still come by --set. */
static bool check_bytes(struct slg_conf *conf, const struct slg_conf_entry *entry)
{
    const uint8_t *text = (const uint8_t *)entry->text;
    size_t len = strlen(entry->text);

    for (size_t at = 0, step; at < len; at += step) {
        if (text[at] < 0x20 || text[at] == 0x7F) {
            tell_value(conf, entry, "holds a control character, remove it");
            return false;
        }
        if (!slg_utf8_check(text + at, len - at, &step)) {
            tell_value(conf, entry, "is not UTF-8, write it in UTF-8");
            return false;
        }
    }
    return true;
}

static void check_text(struct slg_conf *conf, const struct slg_conf_entry *entry)
{
    size_t len = strlen(entry->text);

    if ((int64_t)len < entry->row->min || (int64_t)len > entry->row->max)
        tell_value(conf, entry, "has %zu bytes, write %lld to %lld", len,
                   (long long)entry->row->min, (long long)entry->row->max);
}

static void check_value(struct slg_conf *conf, struct slg_conf_entry *entry)
{
    const struct slg_conf_row *row = entry->row;
    const char *text = entry->text;
    bool empty = text[0] == '\0';

    if (!check_bytes(conf, entry))
        return;
    if (empty && (row->flags & SLG_CONF_REQUIRED) != 0) {
        tell_value(conf, entry, "is missing, give it a value");
        return;
    }
    switch (row->type) {
    case SLG_CONF_BOOL:
        entry->number = strcmp(text, "true") == 0 ? 1 : 0;
        if (entry->number == 0 && strcmp(text, "false") != 0)
            tell_value(conf, entry, "\"%.80s\" is not a truth value, write true or false", text);
        return;
    case SLG_CONF_INT:
    case SLG_CONF_SIZE:
    case SLG_CONF_DURATION:
        check_number(conf, entry);
        return;
    case SLG_CONF_TEXT:
        check_text(conf, entry);
        return;
    case SLG_CONF_ENUM:
        if (!is_choice(row, text, &entry->number))
            tell_value(conf, entry, "\"%.80s\" is not one of %s", text, row->choices);
        return;
    case SLG_CONF_ADDRESS:
        if (!empty && !is_address(text))
            tell_value(conf, entry,
                       "\"%.80s\" is not an address, write host:port, for example 127.0.0.1:1514 "
                       "or [::1]:1514",
                       text);
        return;
    case SLG_CONF_CIDR:
        if (!is_cidr(text))
            tell_value(conf, entry,
                       "\"%.80s\" is not a network, write for example 192.0.2.0/24 or "
                       "2001:db8::/32",
                       text);
        return;
    case SLG_CONF_SECRET: /* what was written may be the secret itself: never repeat it */
        if (!empty && !slg_secret_is_reference(text))
            tell_value(conf, entry,
                       "is not a reference to a secret, write file:/PATH, env:NAME or cred:NAME");
        return;
    case SLG_CONF_OBJECTS:
        return;
    }
}

static void check_list(struct slg_conf *conf, const struct slg_conf_entry *entry)
{
    int64_t most = entry->row->type == SLG_CONF_OBJECTS ? entry->row->max : SLG_CONF_LIST_MAX;

    if (entry->number > most)
        tell_value(conf, entry, "has %lld elements, at most %lld are allowed",
                   (long long)entry->number, (long long)most);
}

void slg_conf_check(struct slg_conf *conf)
{
    for (size_t i = 0; i < conf->entry_count; i++) {
        if (conf->entries[i].list)
            check_list(conf, &conf->entries[i]);
        else
            check_value(conf, &conf->entries[i]);
    }
}
