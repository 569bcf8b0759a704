/* ingester/syslog.h - one syslog message: RFC 5424, RFC 3164 and what is sent under that name, told apart by itself.
 *
 * The header is read in one pass, nothing is allocated, and parsing never fails: what fits no form becomes a message
 * whose text is all bytes, with SLG_SYSLOG_PARSE_ERROR. Rules and quirks: docs/SOURCES.md, tests/unit/ingester/.
 * Owner:   every text borrows from the input bytes.
 * Threads: pure; one struct slg_syslog_message per thread is reused (it is about 8 KB and never cleared whole). */
#ifndef SLG_INGESTER_SYSLOG_H
#define SLG_INGESTER_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingester/zone.h"
#include "proto/label.h"

#define SLG_SYSLOG_BYTES_MAX ((size_t)65527) /* one UDP datagram over IPv6 */
#define SLG_SYSLOG_PARAM_COUNT_MAX                                                                 \
    ((size_t)104) /* SD parameters; leaves room in SLG_METADATA_COUNT_MAX */
#define SLG_SYSLOG_TAG_BYTES_MAX  ((size_t)128) /* RFC 3164 tag; RFC 5424 fields may be longer */
#define SLG_SYSLOG_HOST_BYTES_MAX ((size_t)255)

enum slg_syslog_format {
    SLG_SYSLOG_FORMAT_RAW,  /* nothing fitted */
    SLG_SYSLOG_FORMAT_3164, /* PRI, a BSD or ISO time, or a tag were found */
    SLG_SYSLOG_FORMAT_5424,
};

/* Bits of slg_syslog_message.flags. */
#define SLG_SYSLOG_PRI_MISSING                                                                     \
    UINT32_C(0x001) /* none or out of range: user.notice was put in its place */
#define SLG_SYSLOG_TIME_MISSING UINT32_C(0x002) /* event_ns holds nothing; use the receive time */
#define SLG_SYSLOG_PARSE_ERROR                                                                     \
    UINT32_C(0x004) /* text holds what could not be read, nothing is lost */
#define SLG_SYSLOG_TIME_ZONED    UINT32_C(0x008) /* the stamp named its offset or 'Z' */
#define SLG_SYSLOG_PARAM_ESCAPED UINT32_C(0x010) /* some parameter has `escaped` set */
#define SLG_SYSLOG_CEE           UINT32_C(0x020) /* "@cee:" was stripped */
#define SLG_SYSLOG_CLOCK_UNSYNC  UINT32_C(0x040) /* Cisco '*' or '.' before the time */
#define SLG_SYSLOG_DOCKER        UINT32_C(0x100) /* set by slg_docker_apply: sent by a Docker log driver */
#define SLG_SYSLOG_NESTED                                                                          \
    UINT32_C(0x200) /* set by slg_docker_apply: an inner header was unwrapped */

#define SLG_SYSLOG_FACILITY_DEFAULT ((uint8_t)1) /* user, RFC 3164 section 4.3.3 */
#define SLG_SYSLOG_SEVERITY_DEFAULT ((uint8_t)5) /* notice */

struct slg_syslog_param {
    struct slg_text id; /* SD-ID */
    struct slg_text name;
    struct slg_text value; /* as sent: slg_syslog_unescape when `escaped` */
    bool escaped;
};

struct slg_syslog_message {
    enum slg_syslog_format format;
    uint32_t flags;
    uint8_t facility; /* 0 to 23 */
    uint8_t severity; /* 0 to 7 */
    int64_t event_ns; /* 0 with TIME_MISSING */
    struct slg_text time_text;
    struct slg_text host; /* the empty text: not given. The same for those below */
    struct slg_text app;
    struct slg_text pid;
    struct slg_text msgid;
    struct slg_text text;      /* the message proper */
    struct slg_text whole;     /* everything but the trailing LF, CRLF or NUL */
    struct slg_text container; /* set by slg_docker_apply: the container's name */
    uint32_t param_duplicates; /* values left out: the last of a name is kept */
    size_t param_count;
    struct slg_syslog_param params[SLG_SYSLOG_PARAM_COUNT_MAX];
};

struct slg_syslog_options {
    const struct slg_zone *zone; /* of stamps without one; never NULL */
    bool zone_forced; /* the source's 'Z' or offset lies: read every stamp as time in `zone` */
};

/* Read one message of len bytes (no framing; one trailing LF, CRLF or NUL is dropped). receive_ns settles the year
 * and which of two equal local times is meant. len 0 gives an empty text: the caller counts and stores nothing. */
void slg_syslog_parse(const struct slg_syslog_options *options, int64_t receive_ns,
                      const void *bytes, size_t len, struct slg_syslog_message *ret_message);

/* Is there an RFC 3164 header (BSD or ISO time, host, tag with its colon) at the start of text? A level word is no host,
 * and without a pid it must surely be one: a container id, a name with dots, or ret_message->host. Fills time_text, host, app, pid and text of *ret_message
 * and nothing else. For headers nested in Docker's. */
bool slg_syslog_inner_header(struct slg_text text, struct slg_syslog_message *ret_message);

/* Undo the escapes \" \\ \] of RFC 5424 section 6.3.3 into out[value.len]; others stay. Returns the length. */
size_t slg_syslog_unescape(struct slg_text value, char *out);

/* "kern" .. "local7"; "emergency" .. "debug". Never NULL. */
struct slg_text slg_syslog_facility_text(uint8_t facility);
struct slg_text slg_syslog_severity_text(uint8_t severity);

#endif
