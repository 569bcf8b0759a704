/* Zones by name, from the files of the tz database. What is in a file is zone.c's. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ingester/zone.h"

#define ZONE_DIRECTORY     "/usr/share/zoneinfo"
#define ZONE_NAME_MAX      64
#define ZONE_DIRECTORY_MAX 256

struct slg_zone_cache {
    char directory[ZONE_DIRECTORY_MAX];
    size_t count;
    struct {
        char name[ZONE_NAME_MAX + 1];
        struct slg_zone *zone;
    } items[SLG_ZONE_CACHE_MAX];
};

struct slg_zone_cache *slg_zone_cache_create(const char *directory)
{
    struct slg_zone_cache *cache = calloc(1, sizeof(*cache));
    const char *from = directory == NULL ? ZONE_DIRECTORY : directory;

    if (cache == NULL)
        return NULL;
    SLG_ASSERT(strlen(from) < sizeof(cache->directory));
    memcpy(cache->directory, from, strlen(from) + 1);
    return cache;
}

void slg_zone_cache_destroy(struct slg_zone_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->count; i++)
        slg_zone_destroy(cache->items[i].zone);
    free(cache);
}

static bool name_valid(struct slg_text name)
{
    if (name.len > ZONE_NAME_MAX || name.at[0] == '/' || name.at[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char b = (unsigned char)name.at[i];
        bool plain = (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z');

        if (!plain && b != '/' && b != '_' && b != '+' && b != '-')
            return false;
    }
    return true; /* no dot is allowed, so ".." cannot be there */
}

static enum slg_status read_zone_file(const char *path, struct slg_zone **ret_zone,
                                      struct slg_error *reterr)
{
    enum slg_status status;
    size_t len = 0;
    uint8_t *bytes;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return slg_errorf(reterr, errno == ENOENT ? SLG_NOT_FOUND : SLG_IO,
                          "could not open \"%s\": %s", path, strerror(errno));
    bytes = malloc(SLG_ZONE_FILE_BYTES_MAX);
    if (bytes == NULL) {
        (void)close(fd); /* read only */
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a time zone");
    }
    for (;;) {
        ssize_t got = read(fd, bytes + len, SLG_ZONE_FILE_BYTES_MAX - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            status = got == 0 ? SLG_OK
                              : slg_errorf(reterr, SLG_IO, "could not read \"%s\": %s", path,
                                           strerror(errno));
            break;
        }
        len += (size_t)got;
    }
    (void)close(fd); /* read only */
    if (status == SLG_OK && len == SLG_ZONE_FILE_BYTES_MAX)
        status = slg_errorf(reterr, SLG_LIMIT, "\"%s\" is over %zu bytes", path, len);
    if (status == SLG_OK) {
        status = slg_zone_parse(bytes, len, ret_zone, reterr);
        if (status != SLG_OK)
            (void)slg_error_context(reterr, "%s", path);
    }
    free(bytes);
    return status;
}

static enum slg_status load_zone(const struct slg_zone_cache *cache, const char *name,
                                 struct slg_zone **ret_zone, struct slg_error *reterr)
{
    char path[ZONE_DIRECTORY_MAX + ZONE_NAME_MAX + 2];

    if (strcmp(name, "local") == 0) {
        enum slg_status status = read_zone_file("/etc/localtime", ret_zone, reterr);

        if (status != SLG_NOT_FOUND)
            return status;
        *ret_zone = slg_zone_create_utc(); /* no file: the machine runs on UTC */
        return *ret_zone != NULL ? SLG_OK : slg_errorf(reterr, SLG_NO_MEMORY, "no memory");
    }
    (void)snprintf(path, sizeof(path), "%s/%s", cache->directory, name);
    return read_zone_file(path, ret_zone, reterr);
}

enum slg_status slg_zone_cache_get(struct slg_zone_cache *cache, struct slg_text name,
                                   const struct slg_zone **ret_zone, struct slg_error *reterr)
{
    struct slg_zone *zone = NULL;
    enum slg_status status;
    char text[ZONE_NAME_MAX + 1];

    if (name.len == 0 || slg_text_equal_to(name, "UTC")) {
        *ret_zone = slg_zone_utc();
        return SLG_OK;
    }
    if (!name_valid(name))
        return slg_error_hintf(reterr, SLG_INVALID, "use an IANA name such as \"Europe/Berlin\"",
                               "\"%.*s\" cannot be a time zone", (int)(name.len & 0xFF), name.at);
    for (size_t i = 0; i < cache->count; i++) {
        if (slg_text_equal_to(name, cache->items[i].name)) {
            *ret_zone = cache->items[i].zone;
            return SLG_OK;
        }
    }
    if (cache->count == SLG_ZONE_CACHE_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "more than %zu time zones", SLG_ZONE_CACHE_MAX);
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    status = load_zone(cache, text, &zone, reterr);
    if (status != SLG_OK) {
        if (status == SLG_NOT_FOUND)
            return slg_error_hintf(reterr, SLG_NOT_FOUND, "is the package tzdata installed?",
                                   "there is no time zone \"%s\" in %s", text, cache->directory);
        return status;
    }
    memcpy(cache->items[cache->count].name, text, name.len + 1);
    cache->items[cache->count].zone = zone;
    cache->count++;
    *ret_zone = zone;
    return SLG_OK;
}
