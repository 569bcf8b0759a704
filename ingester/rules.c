#include "ingester/rules.h"

#define NAME_COUNT_MAX ((size_t)SLG_FIELD_COUNT + SLG_RULE_SD_MAX + SLG_LABEL_COUNT_MAX)

/* One thing that rules can name: a field, an sd_ parameter (by its full name), or a label with a fixed value. */
struct entry {
    enum { ENTRY_FIELD, ENTRY_SD, ENTRY_FIXED } kind;
    enum slg_field field;   /* ENTRY_FIELD */
    struct slg_text origin; /* its first name; ENTRY_SD */
    struct slg_text value;  /* ENTRY_FIXED */
    struct slg_rule_target target;
};

struct slg_rules {
    size_t label_count_max;
    size_t value_bytes_max;
    size_t entry_count; /* the first SLG_FIELD_COUNT are the fields, in order */
    struct entry entries[NAME_COUNT_MAX];
    struct slg_rule_target fields[SLG_FIELD_COUNT]; /* of the first entries, once compiled */
    uint32_t promoted;
    size_t fixed_count;
    struct slg_label fixed[SLG_LABEL_COUNT_MAX];
    size_t sd_count;
    char *texts; /* every name and value of the rules */
};

static const struct {
    const char *name;
    enum slg_rule_place place;
} field_defaults[SLG_FIELD_COUNT] = {
    [SLG_FIELD_JOB] = { "job", SLG_PLACE_LABEL },
    [SLG_FIELD_HOST] = { "host", SLG_PLACE_LABEL },
    [SLG_FIELD_APP] = { "app", SLG_PLACE_LABEL },
    [SLG_FIELD_FACILITY] = { "facility", SLG_PLACE_LABEL },
    [SLG_FIELD_SERVICE_NAME] = { "service_name", SLG_PLACE_LABEL },
    [SLG_FIELD_CONTAINER] = { "container", SLG_PLACE_LABEL },
    [SLG_FIELD_SEVERITY] = { "severity", SLG_PLACE_METADATA },
    [SLG_FIELD_DETECTED_LEVEL] = { "detected_level", SLG_PLACE_METADATA },
    [SLG_FIELD_PID] = { "pid", SLG_PLACE_METADATA },
    [SLG_FIELD_MSGID] = { "msgid", SLG_PLACE_METADATA },
    [SLG_FIELD_SOURCE_IP] = { "source_ip", SLG_PLACE_METADATA },
    [SLG_FIELD_QUEUE_ID] = { "queue_id", SLG_PLACE_METADATA },
    [SLG_FIELD_MESSAGE_ID] = { "message_id", SLG_PLACE_METADATA },
    [SLG_FIELD_PARSE_ERROR] = { "parse_error", SLG_PLACE_METADATA },
    [SLG_FIELD_PRI_MISSING] = { "pri_missing", SLG_PLACE_METADATA },
    [SLG_FIELD_TIME_MISSING] = { "time_missing", SLG_PLACE_METADATA },
    [SLG_FIELD_TIME_ADJUSTED] = { "time_adjusted", SLG_PLACE_METADATA },
    [SLG_FIELD_TRUNCATED] = { "truncated", SLG_PLACE_METADATA },
};

enum slg_status slg_rule_action_parse(struct slg_text word, enum slg_rule_action *ret_action,
                                      struct slg_error *reterr)
{
    static const char *const names[] = { "rename", "drop", "set", "promote" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        if (slg_text_equal_to(word, names[i])) {
            *ret_action = (enum slg_rule_action)i;
            return SLG_OK;
        }
    }
    return slg_error_hintf(reterr, SLG_INVALID, "one of rename, drop, set, promote",
                           "unknown action \"%.*s\"", (int)(word.len & 0x7F), word.at);
}

static bool begins_with(struct slg_text text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.at, prefix, len) == 0;
}

static enum slg_status rule_error(struct slg_error *reterr, size_t index, struct slg_text name,
                                  const char *what)
{
    return slg_errorf(reterr, SLG_INVALID, "label rule %zu, \"%.*s\": %s", index + 1,
                      (int)(name.len < 64 ? name.len : 64), name.at, what);
}

/* The entry that has this name now. */
static struct entry *find_name(struct slg_rules *rules, struct slg_text name)
{
    for (size_t i = 0; i < rules->entry_count; i++) {
        struct entry *entry = &rules->entries[i];

        if (entry->target.place != SLG_PLACE_DROPPED && slg_text_equal(entry->target.name, name))
            return entry;
    }
    return NULL;
}

/* The same; an sd_ name that was never spoken of gets an entry. NULL: unknown, or the table is full. */
static struct entry *find_or_add(struct slg_rules *rules, struct slg_text name)
{
    struct entry *entry = find_name(rules, name);

    if (entry != NULL || !begins_with(name, "sd_") || rules->sd_count == SLG_RULE_SD_MAX ||
        rules->entry_count == NAME_COUNT_MAX)
        return entry;
    for (size_t i = SLG_FIELD_COUNT; i < rules->entry_count; i++) {
        if (rules->entries[i].kind == ENTRY_SD && slg_text_equal(rules->entries[i].origin, name))
            return NULL; /* renamed or dropped by an earlier rule */
    }
    entry = &rules->entries[rules->entry_count++];
    *entry = (struct entry){ .kind = ENTRY_SD,
                             .origin = name,
                             .target = { .place = SLG_PLACE_METADATA, .name = name } };
    rules->sd_count++;
    return entry;
}

/* A value of its own per message (or attempt) would make a stream of every message. */
static bool too_many_values(const struct entry *entry)
{
    return entry->kind == ENTRY_FIELD &&
           (entry->field == SLG_FIELD_QUEUE_ID || entry->field == SLG_FIELD_MESSAGE_ID ||
            entry->field == SLG_FIELD_PID || entry->field == SLG_FIELD_TIME_ADJUSTED);
}

static enum slg_status check_new_name(const struct slg_rule *rule, struct slg_text name,
                                      size_t index, struct slg_error *reterr)
{
    if (!slg_label_name_valid(name) || name.len > SLG_RULE_NAME_BYTES_MAX ||
        begins_with(name, "__"))
        return rule_error(reterr, index, rule->name, "the new name is not a label name");
    return SLG_OK;
}

static enum slg_status apply_set(struct slg_rules *rules, const struct slg_rule *rule, size_t index,
                                 struct slg_error *reterr)
{
    struct entry *entry = find_name(rules, rule->name);

    if (rule->value.len == 0 || rule->value.len > rules->value_bytes_max)
        return rule_error(reterr, index, rule->name, "the value is empty or too long");
    if (slg_text_equal_to(rule->name, "job") && slg_text_equal_to(rule->value, "silage"))
        return rule_error(reterr, index, rule->name, "job=\"silage\" is what Silage itself writes");
    if (entry != NULL && entry->kind == ENTRY_FIXED) {
        entry->value = rule->value;
        return SLG_OK;
    }
    if (entry != NULL)
        entry->target = (struct slg_rule_target){ .place = SLG_PLACE_DROPPED };
    if (rules->entry_count == NAME_COUNT_MAX)
        return rule_error(reterr, index, rule->name, "too many labels");
    rules->entries[rules->entry_count++] =
        (struct entry){ .kind = ENTRY_FIXED,
                        .value = rule->value,
                        .target = { .place = SLG_PLACE_LABEL, .name = rule->name } };
    return SLG_OK;
}

static enum slg_status apply_rule(struct slg_rules *rules, const struct slg_rule *rule,
                                  size_t index, struct slg_error *reterr)
{
    struct entry *entry;
    enum slg_status status;

    if (rule->action == SLG_RULE_SET) {
        status = check_new_name(rule, rule->name, index, reterr);
        return status != SLG_OK ? status : apply_set(rules, rule, index, reterr);
    }
    entry = find_or_add(rules, rule->name);
    if (entry == NULL)
        return rule_error(reterr, index, rule->name, "there is no such field");
    switch (rule->action) {
    case SLG_RULE_RENAME:
        status = check_new_name(rule, rule->value, index, reterr);
        if (status != SLG_OK)
            return status;
        if (slg_text_equal_to(rule->value,
                              "job")) /* job="silage" is ours: no sender may choose job */
            return rule_error(reterr, index, rule->name,
                              "job is set by the listener or by \"set\"");
        if (find_name(rules, rule->value) != NULL)
            return rule_error(reterr, index, rule->name, "the new name is taken");
        entry->target.name = rule->value;
        return SLG_OK;
    case SLG_RULE_DROP:
        entry->target = (struct slg_rule_target){ .place = SLG_PLACE_DROPPED };
        return SLG_OK;
    case SLG_RULE_PROMOTE:
        if (entry->target.place == SLG_PLACE_LABEL)
            return rule_error(reterr, index, rule->name, "it is a label already");
        if (too_many_values(entry))
            return rule_error(reterr, index, rule->name,
                              "it has a value of its own in each message and stays metadata");
        entry->target.place = SLG_PLACE_LABEL;
        return SLG_OK;
    case SLG_RULE_SET:
        break;
    }
    return SLG_OK;
}

/* Copy the texts of all rules into one block, so that the settings may go. */
static bool copy_rules(struct slg_rules *rules, const struct slg_rules_options *options,
                       struct slg_rule *copies)
{
    size_t bytes = 0;
    size_t fill = 0;

    for (size_t i = 0; i < options->rule_count; i++)
        bytes += options->rules[i].name.len + options->rules[i].value.len;
    rules->texts = malloc(bytes + 1);
    if (rules->texts == NULL)
        return false;
    for (size_t i = 0; i < options->rule_count; i++) {
        const struct slg_rule *rule = &options->rules[i];

        copies[i].action = rule->action;
        copies[i].name = slg_text_make(rules->texts + fill, rule->name.len);
        if (rule->name.len > 0)
            memcpy(rules->texts + fill, rule->name.at, rule->name.len);
        fill += rule->name.len;
        copies[i].value = slg_text_make(rules->texts + fill, rule->value.len);
        if (rule->value.len > 0)
            memcpy(rules->texts + fill, rule->value.at, rule->value.len);
        fill += rule->value.len;
    }
    return true;
}

/* Count what came out against the limits and collect the fixed labels. */
static enum slg_status finish(struct slg_rules *rules, struct slg_error *reterr)
{
    size_t labels = 0;
    size_t promoted = 0;
    size_t fixed_bytes = 0;

    for (size_t i = 0; i < rules->entry_count; i++) {
        const struct entry *entry = &rules->entries[i];

        if (i < SLG_FIELD_COUNT)
            rules->fields[i] = entry->target;
        if (entry->target.place != SLG_PLACE_LABEL)
            continue;
        if (i >= SLG_FIELD_SEVERITY && i < SLG_FIELD_COUNT)
            rules->promoted |= UINT32_C(1) << i;
        labels++;
        if (labels > rules->label_count_max)
            return slg_error_hintf(reterr, SLG_INVALID, "drop some or raise limits.labels_max",
                                   "the label rules make more than %zu labels",
                                   rules->label_count_max);
        if (entry->kind == ENTRY_FIXED)
            fixed_bytes += entry->target.name.len + entry->value.len;
        if (entry->kind == ENTRY_FIXED)
            rules->fixed[rules->fixed_count++] =
                (struct slg_label){ .name = entry->target.name, .value = entry->value };
        else if (entry->kind == ENTRY_SD || entry->field >= SLG_FIELD_SEVERITY)
            promoted++;
    }
    if (promoted > SLG_RULE_PROMOTED_MAX)
        return slg_errorf(reterr, SLG_INVALID, "%zu promoted fields; at most %zu are allowed",
                          promoted, SLG_RULE_PROMOTED_MAX);
    if (fixed_bytes > SLG_RULE_FIXED_BYTES_MAX)
        return slg_errorf(reterr, SLG_INVALID, "fixed labels of %zu bytes; at most %zu are allowed",
                          fixed_bytes, SLG_RULE_FIXED_BYTES_MAX);
    if (labels == 0)
        return slg_errorf(reterr, SLG_INVALID, "the label rules leave no label");
    return SLG_OK;
}

enum slg_status slg_rules_compile(const struct slg_rules_options *options,
                                  struct slg_rules **ret_rules, struct slg_error *reterr)
{
    struct slg_rule copies[SLG_RULE_COUNT_MAX];
    enum slg_status status = SLG_OK;
    struct slg_rules *rules;

    SLG_ASSERT(options->label_count_max >= 1);
    SLG_ASSERT(options->label_count_max <= SLG_LABEL_COUNT_MAX);
    SLG_ASSERT(options->value_bytes_max >= 16);
    SLG_ASSERT(options->value_bytes_max <= SLG_LABEL_VALUE_BYTES_MAX);
    if (options->rule_count > SLG_RULE_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "%zu label rules; at most %zu are allowed",
                          options->rule_count, SLG_RULE_COUNT_MAX);
    rules = calloc(1, sizeof(*rules));
    if (rules == NULL || !copy_rules(rules, options, copies)) {
        slg_rules_destroy(rules);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for label rules");
    }
    rules->label_count_max = options->label_count_max;
    rules->value_bytes_max = options->value_bytes_max;
    for (size_t i = 0; i < SLG_FIELD_COUNT; i++) {
        rules->entries[i] = (struct entry){
            .kind = ENTRY_FIELD,
            .field = (enum slg_field)i,
            .target = { .place = field_defaults[i].place,
                        .name =
                            slg_text_make(field_defaults[i].name, strlen(field_defaults[i].name)) },
        };
    }
    rules->entry_count = SLG_FIELD_COUNT;
    for (size_t i = 0; i < options->rule_count && status == SLG_OK; i++)
        status = apply_rule(rules, &copies[i], i, reterr);
    if (status == SLG_OK)
        status = finish(rules, reterr);
    if (status != SLG_OK) {
        slg_rules_destroy(rules);
        return status;
    }
    *ret_rules = rules;
    return SLG_OK;
}

void slg_rules_destroy(struct slg_rules *rules)
{
    if (rules == NULL)
        return;
    free(rules->texts);
    free(rules);
}

const struct slg_rule_target *slg_rules_fields(const struct slg_rules *rules)
{
    return rules->fields;
}

uint32_t slg_rules_promoted(const struct slg_rules *rules)
{
    return rules->promoted;
}

const struct slg_rule_target *slg_rules_sd(const struct slg_rules *rules, struct slg_text name)
{
    for (size_t i = SLG_FIELD_COUNT; i < rules->entry_count; i++) {
        if (rules->entries[i].kind == ENTRY_SD && slg_text_equal(rules->entries[i].origin, name))
            return &rules->entries[i].target;
    }
    return NULL;
}

bool slg_rules_has_sd(const struct slg_rules *rules)
{
    return rules->sd_count > 0;
}

const struct slg_label *slg_rules_fixed(const struct slg_rules *rules, size_t *ret_count)
{
    *ret_count = rules->fixed_count;
    return rules->fixed;
}

size_t slg_rules_label_count_max(const struct slg_rules *rules)
{
    return rules->label_count_max;
}

size_t slg_rules_value_bytes_max(const struct slg_rules *rules)
{
    return rules->value_bytes_max;
}
