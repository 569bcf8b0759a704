#include "ingester/mask.h"

#include "ingester/docker.h"

struct mask {
    char *text; /* app, then after */
    size_t app_len;
    size_t after_len;
    char until;
};

struct slg_masks {
    size_t count;
    struct mask items[SLG_MASK_COUNT_MAX];
};

/* "Password mismatch (SHA1 of given password: 9d4e1e)", and with auth_verbose_passwords=plain "(given password: x)"
 * [dovecot src/auth/auth-request.c; mailcow sets sha1:6]. */
static const struct slg_mask_rule default_rules[] = {
    { .app = { "dovecot", 7 }, .after = { "given password: ", 16 }, .until = ')' },
};

const struct slg_mask_rule *slg_masks_default(size_t *ret_count)
{
    *ret_count = SLG_ARRAY_LEN(default_rules);
    return default_rules;
}

enum slg_status slg_masks_create(const struct slg_mask_rule *rules, size_t count,
                                 struct slg_masks **ret_masks, struct slg_error *reterr)
{
    struct slg_masks *masks;

    if (count > SLG_MASK_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "%zu masks; at most %zu are allowed", count,
                          SLG_MASK_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (rules[i].after.len == 0 || rules[i].after.len > SLG_MASK_TEXT_MAX ||
            rules[i].app.len > SLG_MASK_TEXT_MAX)
            return slg_errorf(reterr, SLG_INVALID,
                              "mask %zu: \"after\" needs 1 to %zu bytes, \"app\" at most as many",
                              i + 1, SLG_MASK_TEXT_MAX);
    }
    masks = calloc(1, sizeof(*masks));
    if (masks == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for masks");
    for (size_t i = 0; i < count; i++) {
        struct mask *mask = &masks->items[i];

        mask->text = malloc(rules[i].app.len + rules[i].after.len);
        if (mask->text == NULL) {
            slg_masks_destroy(masks);
            return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for masks");
        }
        mask->app_len = rules[i].app.len;
        mask->after_len = rules[i].after.len;
        mask->until = rules[i].until;
        if (mask->app_len > 0)
            memcpy(mask->text, rules[i].app.at, mask->app_len);
        memcpy(mask->text + mask->app_len, rules[i].after.at, mask->after_len);
        masks->count++;
    }
    *ret_masks = masks;
    return SLG_OK;
}

void slg_masks_destroy(struct slg_masks *masks)
{
    if (masks == NULL)
        return;
    for (size_t i = 0; i < masks->count; i++)
        free(masks->items[i].text);
    free(masks);
}

uint32_t slg_masks_select(const struct slg_masks *masks, struct slg_text app)
{
    bool known = app.len > 0 && !slg_docker_is_id(app);
    uint32_t selected = 0;

    for (size_t i = 0; masks != NULL && i < masks->count; i++) {
        const struct mask *mask = &masks->items[i];

        if (mask->app_len == 0 || !known ||
            memmem(app.at, app.len, mask->text, mask->app_len) != NULL)
            selected |= UINT32_C(1) << i;
    }
    return selected;
}

/* The secret behind `from` in text: up to the last `until`, else to the end. */
static size_t secret_len(const char *from, const char *end, char until)
{
    const char *last = until == '\0' ? NULL : memrchr(from, until, (size_t)(end - from));

    return (size_t)((last == NULL ? end : last) - from);
}

struct slg_text slg_masks_apply(const struct slg_masks *masks, uint32_t selected,
                                struct slg_text line, char *scratch)
{
    const char *end = line.at + line.len;
    bool copied = false;

    /* all masks look at the line as it came: what one hides must not hide another's mark */
    for (; selected != 0 && line.len > 0; selected &= selected - 1) {
        const struct mask *mask = &masks->items[__builtin_ctz(selected)];
        const char *at = memmem(line.at, line.len, mask->text + mask->app_len, mask->after_len);
        size_t offset;

        if (at == NULL)
            continue;
        if (!copied) {
            memcpy(scratch, line.at, line.len);
            copied = true;
        }
        /* the first match with its secret up to the last `until` covers every later match */
        at += mask->after_len;
        offset = (size_t)(at - line.at);
        memset(scratch + offset, '*', secret_len(at, end, mask->until));
    }
    return copied ? slg_text_make(scratch, line.len) : line;
}
