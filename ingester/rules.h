/* ingester/rules.h - which field becomes which label or metadata (settings ingester.labels), compiled once.
 *
 * Fields start as contracts fix them: six labels and the metadata below, under their own names. Rules then run in
 * order over names; the result is a mapping, so that nothing is looked up per line.
 *   rename FROM TO   the label or metadata of that name gets another one
 *   drop NAME        it is left out
 *   set NAME VALUE   a label with a fixed value, in place of what had that name
 *   promote NAME     metadata becomes a label
 * Refuses (INVALID): unknown actions, names that are not label names, more than the limits below, two fields that end
 * under one name, promoting fields with a value of its own per message (queue_id, message_id, pid, time_adjusted),
 * setting or renaming to a name that starts with "__".
 * Owner:   immutable after compile. Threads: any. */
#ifndef SLG_INGESTER_RULES_H
#define SLG_INGESTER_RULES_H

#include "base/status.h"
#include "proto/label.h"
#include "proto/limits.h"

#define SLG_RULE_COUNT_MAX ((size_t)64)
#define SLG_RULE_NAME_BYTES_MAX                                                                    \
    ((size_t)128) /* of a new name; with the next one keeps sets in their limit */
#define SLG_RULE_FIXED_BYTES_MAX ((size_t)4096) /* names and values of `set` together */
#define SLG_RULE_PROMOTED_MAX    ((size_t)8)    /* metadata turned into labels */
#define SLG_RULE_SD_MAX          ((size_t)32)   /* different sd_* names that rules speak of */

enum slg_field {
    /* labels */
    SLG_FIELD_JOB,
    SLG_FIELD_HOST,
    SLG_FIELD_APP,
    SLG_FIELD_FACILITY,
    SLG_FIELD_SERVICE_NAME,
    SLG_FIELD_CONTAINER,
    /* metadata, in the order in which it is written */
    SLG_FIELD_SEVERITY,
    SLG_FIELD_DETECTED_LEVEL,
    SLG_FIELD_PID,
    SLG_FIELD_MSGID,
    SLG_FIELD_SOURCE_IP,
    SLG_FIELD_QUEUE_ID,
    SLG_FIELD_MESSAGE_ID,
    SLG_FIELD_PARSE_ERROR,
    SLG_FIELD_PRI_MISSING,
    SLG_FIELD_TIME_MISSING,
    SLG_FIELD_TIME_ADJUSTED,
    SLG_FIELD_TRUNCATED,
    SLG_FIELD_COUNT,
};

enum slg_rule_action { SLG_RULE_RENAME, SLG_RULE_DROP, SLG_RULE_SET, SLG_RULE_PROMOTE };

struct slg_rule {
    enum slg_rule_action action;
    struct slg_text name;  /* FROM of rename */
    struct slg_text value; /* TO of rename, VALUE of set, empty else */
};

enum slg_rule_place { SLG_PLACE_DROPPED, SLG_PLACE_LABEL, SLG_PLACE_METADATA };

struct slg_rule_target {
    enum slg_rule_place place;
    struct slg_text name; /* empty when dropped */
};

struct slg_rules;

struct slg_rules_options {
    const struct slg_rule *rules;
    size_t rule_count;      /* 0: the defaults */
    size_t label_count_max; /* of one stream; 1 to SLG_LABEL_COUNT_MAX */
    size_t
        value_bytes_max; /* of a label value: longer ones are cut; 16 to SLG_LABEL_VALUE_BYTES_MAX */
};

/* INVALID names the rule; NO_MEMORY. Texts are copied. */
SLG_MUST_CHECK enum slg_status slg_rules_compile(const struct slg_rules_options *options,
                                                 struct slg_rules **ret_rules,
                                                 struct slg_error *reterr);
void slg_rules_destroy(struct slg_rules *rules);

/* "rename", "drop", "set", "promote". INVALID else. */
SLG_MUST_CHECK enum slg_status slg_rule_action_parse(struct slg_text word,
                                                     enum slg_rule_action *ret_action,
                                                     struct slg_error *reterr);

/* Where the fields go: SLG_FIELD_COUNT targets, by enum slg_field. */
const struct slg_rule_target *slg_rules_fields(const struct slg_rules *rules);
/* Bit per enum slg_field: metadata by default, a label now. */
uint32_t slg_rules_promoted(const struct slg_rules *rules);
/* Where the parameter with this full name (sd_...) goes; NULL: metadata under its own name. */
const struct slg_rule_target *slg_rules_sd(const struct slg_rules *rules, struct slg_text name);
/* Do rules speak of any sd_ name? If not, slg_rules_sd need not be asked. */
bool slg_rules_has_sd(const struct slg_rules *rules);
/* Labels with a fixed value. */
const struct slg_label *slg_rules_fixed(const struct slg_rules *rules, size_t *ret_count);
size_t slg_rules_label_count_max(const struct slg_rules *rules);
size_t slg_rules_value_bytes_max(const struct slg_rules *rules);

#endif
