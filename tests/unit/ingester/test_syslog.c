/* One row per form that a sender may use (contracts: the tables of the envelope, the quirks of RFC 3164, the PRI and
 * structured data rows of the checklist). Each row is read four times: bare, and with LF, CRLF and NUL behind it.
 * Oracle: the fields written by hand beside the line; every text must lie inside the input. */
#include "tests/helper/test.h"

#include "base/clock.h"
#include "ingester/syslog.h"

/* 2026-11-21T22:42:30Z */
#define RECEIVED (INT64_C(1795300950) * SLG_NS_PER_SEC)
#define EVENT    (INT64_C(1795300949) * SLG_NS_PER_SEC) /* 22:42:29Z */
#define BOM      "\xEF\xBB\xBF"
#define PRI      SLG_SYSLOG_PRI_MISSING
#define NOTIME   SLG_SYSLOG_TIME_MISSING
#define BAD      SLG_SYSLOG_PARSE_ERROR
#define ZONED    SLG_SYSLOG_TIME_ZONED
#define F5424    SLG_SYSLOG_FORMAT_5424
#define F3164    SLG_SYSLOG_FORMAT_3164
#define RAW      SLG_SYSLOG_FORMAT_RAW

struct row {
    const char *name;
    const char *input;
    enum slg_syslog_format format;
    uint32_t flags;
    unsigned pri;
    int64_t event_ns;
    const char *host, *app, *pid, *msgid, *text;
};

static const struct row rows_5424[] = {
    { "offset",
      "<34>1 2026-11-21T23:42:29.123456+01:00 mx1.example.org sshd-session 4312 - - Failed", F5424,
      ZONED, 34, EVENT + 123456000, "mx1.example.org", "sshd-session", "4312", "", "Failed" },
    { "utc, bom",
      "<165>1 2026-11-21T22:42:29Z web1 app 77 ID47 - " BOM "Gr\xC3\xBC\xC3\x9F"
      "e",
      F5424, ZONED, 165, EVENT, "web1", "app", "77", "ID47",
      "Gr\xC3\xBC\xC3\x9F"
      "e" },
    { "all nil", "<13>1 - - - - - -", F5424, NOTIME, 13, 0, "", "", "", "", "" },
    { "all nil, space", "<13>1 - - - - - - ", F5424, NOTIME, 13, 0, "", "", "", "", "" },
    { "version 2", "<13>2 2026-11-21T22:42:29Z h a 1 - - x", F5424, ZONED, 13, EVENT, "h", "a", "1",
      "", "x" },
    { "nine digits, lower case", "<13>1 2026-11-21t22:42:29.123456789z h a 1 - - x", F5424, ZONED,
      13, EVENT + 123456789, "h", "a", "1", "", "x" },
    { "twelve digits", "<13>1 2026-11-21T22:42:29.123456789012Z h a 1 - - x", F5424, ZONED, 13,
      EVENT + 123456789, "h", "a", "1", "", "x" },
    { "offset without colon", "<13>1 2026-11-21T23:42:29+0100 h a 1 - - x", F5424, ZONED, 13, EVENT,
      "h", "a", "1", "", "x" },
    { "west", "<13>1 2026-11-21T17:12:29-05:30 h a 1 - - x", F5424, ZONED, 13, EVENT, "h", "a", "1",
      "", "x" },
    { "leap second", "<13>1 2026-11-21T22:41:60Z h a 1 - - x", F5424, ZONED, 13,
      EVENT - 29 * SLG_NS_PER_SEC, "h", "a", "1", "", "x" },
    { "ipv6 host ends in colons", "<13>1 2026-11-21T22:42:29Z 2001:db8:: a 1 - - x", F5424, ZONED,
      13, EVENT, "2001:db8::", "a", "1", "", "x" },
    { "tag as msgid, 35 bytes",
      "<30>1 2026-11-21T22:42:29Z dock1 mailcowdockerized-postfix-mailcow-1 1203 "
      "mailcowdockerized-postfix-mailcow-1 - x",
      F5424, ZONED, 30, EVENT, "dock1", "mailcowdockerized-postfix-mailcow-1", "1203",
      "mailcowdockerized-postfix-mailcow-1", "x" },
    { "text begins with a bracket",
      "<30>1 2026-11-21T22:42:29Z pve1 pvedaemon 1442 - - <root@pam> s", F5424, ZONED, 30, EVENT,
      "pve1", "pvedaemon", "1442", "", "<root@pam> s" },
    { "corosync", "<30>1 2026-11-21T22:42:29Z pve1 corosync 990 - - [KNET  ] link: host", F5424,
      ZONED, 30, EVENT, "pve1", "corosync", "990", "", "[KNET  ] link: host" },
    { "rsyslog's second space", "<30>1 2026-11-21T22:42:29Z h a 1 - -  text", F5424, ZONED, 30,
      EVENT, "h", "a", "1", "", "text" },
    { "a second space that is meant", "<30>1 2026-11-21T22:42:29Z h a 1 m -  text", F5424, ZONED,
      30, EVENT, "h", "a", "1", "m", " text" },
    { "invalid time", "<30>1 2026-13-41T22:42:29Z h a 1 m - text", F5424, NOTIME, 30, 0, "h", "a",
      "1", "m", "text" },
    { "Feb 29 of a plain year", "<30>1 2026-02-29T22:42:29Z h a 1 m - text", F5424, NOTIME, 30, 0,
      "h", "a", "1", "m", "text" },
    { "invalid time, structured data", "<30>1 2026-13-41T22:42:29Z h a 1 m [a b=\"c\"] text", F5424,
      NOTIME, 30, 0, "h", "a", "1", "m", "text" },
    { "a count of seconds, data, no text", "<30>1 1795300949.9 h a 1 m -", F5424, NOTIME, 30, 0,
      "h", "a", "1", "m", "" },
    { "invalid time, no structured data",
      "<134>1 1795360533.9 MX84 urls src=192.0.2.5:63735 dst=198.51.100.4:80 mac=58:1F:AA:CE:61:F2 "
      "request: GET https://example.org/x",
      F3164, NOTIME | BAD, 134, 0, "", "", "", "",
      "1 1795360533.9 MX84 urls src=192.0.2.5:63735 dst=198.51.100.4:80 mac=58:1F:AA:CE:61:F2 "
      "request: GET https://example.org/x" },
    { "invalid time, data not closed", "<30>1 2026-13-41T22:42:29Z h a 1 m [a b=\"c text", F3164,
      NOTIME | BAD, 30, 0, "", "", "", "", "1 2026-13-41T22:42:29Z h a 1 m [a b=\"c text" },
    { "invalid time, data, then not", "<30>1 20 h a 1 m [a b=\"\\\"\" b=\"1\"][c text", F3164,
      NOTIME | BAD, 30, 0, "", "", "", "", "1 20 h a 1 m [a b=\"\\\"\" b=\"1\"][c text" },
    { "a sentence that begins with numbers", "<13>1 5 minute load average is high now on sda",
      F3164, NOTIME | BAD, 13, 0, "", "", "", "", "1 5 minute load average is high now on sda" },
    { "a short sentence that begins with numbers", "<13>1 5 minute load", F3164, NOTIME | BAD, 13,
      0, "", "", "", "", "1 5 minute load" },
    { "numbers behind a PRI that is none", "<999>1 5 minute load", RAW, PRI | NOTIME | BAD, 13, 0,
      "", "", "", "", "<999>1 5 minute load" },
    { "no time, data not closed", "<30>1 - h a 1 m [id k=\"v\" text", F5424, NOTIME | BAD, 30, 0,
      "h", "a", "1", "m", "[id k=\"v\" text" },
    { "header cut short", "<30>1 2026-11-21T22:42:29Z h a", F5424, ZONED | BAD, 30, EVENT, "h", "",
      "", "", "<30>1 2026-11-21T22:42:29Z h a" },
    { "a word behind version 1", "<30>1 apple pie is good", F3164, NOTIME, 30, 0, "", "", "", "",
      "1 apple pie is good" },
    { "unclosed data", "<30>1 2026-11-21T22:42:29Z h a 1 m [id k=\"v\" text", F5424, ZONED | BAD,
      30, EVENT, "h", "a", "1", "m", "[id k=\"v\" text" },
    { "unquoted data", "<30>1 2026-11-21T22:42:29Z h a 1 m [id k=v] text", F5424, ZONED | BAD, 30,
      EVENT, "h", "a", "1", "m", "[id k=v] text" },
    { "empty data element", "<30>1 2026-11-21T22:42:29Z h a 1 m [] text", F5424, ZONED | BAD, 30,
      EVENT, "h", "a", "1", "m", "[] text" },
    { "dash with text", "<30>1 2026-11-21T22:42:29Z h a 1 m -text", F5424, ZONED | BAD, 30, EVENT,
      "h", "a", "1", "m", "-text" },
    { "no PRI", "1 2026-11-21T22:42:29Z h a 1 m - text", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "",
      "", "1 2026-11-21T22:42:29Z h a 1 m - text" },
    { "PRI out of range", "<192>1 2026-11-21T22:42:29Z h a 1 m - text", F5424, PRI | ZONED, 13,
      EVENT, "h", "a", "1", "m", "text" },
};

static const struct row rows_3164[] = {
    { "bom before PRI", BOM "<38>Nov 21 22:42:29 mx1 sshd[9]: x", F3164, 0, 38, EVENT, "mx1",
      "sshd", "9", "", "x" },
    { "bom before PRI, 5424", BOM "<34>1 2026-11-21T22:42:29Z h a 1 m - " BOM "x", F5424, ZONED, 34,
      EVENT, "h", "a", "1", "m", "x" },
    { "bom before no PRI", BOM "<x>hello", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "",
      BOM "<x>hello" },
    { "bom before text", BOM "hello", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "", BOM "hello" },
    { "bom alone", BOM, RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "", BOM },
    { "half a bom", "\xEF\xBB<38>x", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "",
      "\xEF\xBB<38>x" },
    { "q1 plain", "<38>Nov 21 22:42:29 mx1 sshd[9]: x", F3164, 0, 38, EVENT, "mx1", "sshd", "9", "",
      "x" },
    { "q3 day padded by a space", "<38>Nov  1 22:42:29 mx1 sshd[9]: x", F3164, 0, 38,
      EVENT - 20 * 86400 * SLG_NS_PER_SEC, "mx1", "sshd", "9", "", "x" },
    { "q3 day padded by a zero", "<38>Nov 01 22:42:29 mx1 sshd[9]: x", F3164, 0, 38,
      EVENT - 20 * 86400 * SLG_NS_PER_SEC, "mx1", "sshd", "9", "", "x" },
    { "q3 day not padded", "<38>Nov 1 22:42:29 mx1 sshd[9]: x", F3164, 0, 38,
      EVENT - 20 * 86400 * SLG_NS_PER_SEC, "mx1", "sshd", "9", "", "x" },
    { "q4 no host", "<134>Nov 21 22:42:29 filterlog[25715]: 4,,,1000000103,vtnet0", F3164, 0, 134,
      EVENT, "", "filterlog", "25715", "", "4,,,1000000103,vtnet0" },
    { "q4 no host, no pid", "<134>Nov 21 22:42:29 filterlog: 4,,,", F3164, 0, 134, EVENT, "",
      "filterlog", "", "", "4,,," },
    { "q4 docker id", "<30>Nov 21 22:42:29 3f2a9c0d1e4b[1203]: text", F3164, 0, 30, EVENT, "",
      "3f2a9c0d1e4b", "1203", "", "text" },
    { "q5 no PRI", "Nov 21 22:42:29 sw1 link up", F3164, PRI, 13, EVENT, "sw1", "", "", "",
      "link up" },
    { "q6 no time", "<13>app: hello", F3164, NOTIME, 13, 0, "", "app", "", "", "hello" },
    { "q6 no time, pid", "<13>app[7]: hello", F3164, NOTIME, 13, 0, "", "app", "7", "", "hello" },
    { "q6 words only", "<13>hello world", F3164, NOTIME, 13, 0, "", "", "", "", "hello world" },
    { "q7 year inside", "<189>Nov 21 2026 22:42:29 sw1: x", F3164, 0, 189, EVENT, "", "sw1", "", "",
      "x" },
    { "q7 year inside, host", "<189>Nov 21 2026 22:42:29 sw1 %%01IFNET/4/UP: x", F3164, 0, 189,
      EVENT, "sw1", "%%01IFNET/4/UP", "", "", "x" },
    { "q7 huawei, offset",
      "<190>Nov 21 2026 23:42:29+01:00 HUAWEI %%01SHELL/5/CMDRECORD(l)[0]:Recorded command", F3164,
      ZONED, 190, EVENT, "HUAWEI", "%%01SHELL/5/CMDRECORD(l)", "0", "", "Recorded command" },
    { "offset without colon and year", "<190>Nov 21 17:12:29.5-0530 h app: x", F3164, ZONED, 190,
      EVENT + 500000000, "h", "app", "", "", "x" },
    { "offset, then a colon", "<189>Nov 21 23:42:29+01:00: %SYS-5-CONFIG_I: x", F3164, ZONED, 189,
      EVENT, "", "%SYS-5-CONFIG_I", "", "", "x" },
    { "offset in cisco's form", "<189>4711: sw1: *Nov 21 23:42:29.123+01:00: %SYS-5-CONFIG_I: x",
      F3164, SLG_SYSLOG_CLOCK_UNSYNC | ZONED, 189, EVENT + 123000000, "sw1", "%SYS-5-CONFIG_I", "",
      "", "x" },
    { "offset of hours only is none", "<190>Nov 21 22:42:29-12 h app: x", F3164, 0, 190, EVENT, "",
      "", "", "", "-12 h app: x" },
    { "offset out of range", "<190>Nov 21 22:42:29+24:00 h app: x", F3164, 0, 190, EVENT, "", "",
      "", "", "+24:00 h app: x" },
    { "offset that goes on", "<190>Nov 21 22:42:29+01:00h app: x", F3164, 0, 190, EVENT, "", "", "",
      "", "+01:00h app: x" },
    { "q7 year behind", "<189>Nov 21 22:42:29 2026 sw1 app: x", F3164, 0, 189, EVENT, "sw1", "app",
      "", "", "x" },
    { "q7 another year", "<189>Nov 21 2025 22:42:29 sw1 app: x", F3164, 0, 189,
      EVENT - 365 * 86400 * SLG_NS_PER_SEC, "sw1", "app", "", "", "x" },
    { "q8 cisco", "<189>4711: sw1: *Nov 21 23:42:29.123 CET: %SYS-5-CONFIG_I: x", F3164,
      SLG_SYSLOG_CLOCK_UNSYNC | ZONED, 189, EVENT + 123000000, "sw1", "%SYS-5-CONFIG_I", "", "",
      "x" },
    { "q8 cisco, sequence only", "<189>4711: Nov 21 22:42:29: %SYS-5-CONFIG_I: x", F3164, 0, 189,
      EVENT, "", "%SYS-5-CONFIG_I", "", "", "x" },
    { "q8 cisco, dot, utc", "<189>4711: .Nov 21 22:42:29.123 UTC: %LINK-3-UPDOWN: x", F3164,
      SLG_SYSLOG_CLOCK_UNSYNC | ZONED, 189, EVENT + 123000000, "", "%LINK-3-UPDOWN", "", "", "x" },
    { "q8 cisco, bare", "<189>Nov 21 22:42:29: %SYS-5-CONFIG_I: x", F3164, 0, 189, EVENT, "",
      "%SYS-5-CONFIG_I", "", "", "x" },
    { "q8 cisco, zone", "<189>Nov 21 23:42:29 CET: %SYS-5-CONFIG_I: x", F3164, ZONED, 189, EVENT,
      "", "%SYS-5-CONFIG_I", "", "", "x" },
    { "q8 cisco, zone, summer", "<189>7: Nov 22 00:42:29 CEST: %SYS-5-CONFIG_I: x", F3164, ZONED,
      189, EVENT, "", "%SYS-5-CONFIG_I", "", "", "x" },
    { "asa, emblem", "<166>:Nov 21 22:42:29 UTC: %ASA-session-6-302014: Teardown", F3164, ZONED,
      166, EVENT, "", "%ASA-session-6-302014", "", "", "Teardown" },
    { "asa, emblem, year", "<166>:Nov 21 2026 22:42:29: %ASA-6-302014: Teardown", F3164, 0, 166,
      EVENT, "", "%ASA-6-302014", "", "", "Teardown" },
    { "a colon without a time", "<166>:Nov 21 is a day: x", F3164, NOTIME, 166, 0, "", "", "", "",
      ":Nov 21 is a day: x" },
    { "a colon alone", "<166>:", F3164, NOTIME, 166, 0, "", "", "", "", ":" },
    { "zone word, host, tag", "<13>Nov 21 22:42:29 UTC mx1 app: x", F3164, ZONED, 13, EVENT, "mx1",
      "app", "", "", "x" },
    { "zone word, year, pid", "<13>Nov 21 2026 23:42:29 CET mx1 app[7]: x", F3164, ZONED, 13, EVENT,
      "mx1", "app", "7", "", "x" },
    { "zone word as host", "<13>Nov 21 22:42:29 UTC app: x", F3164, 0, 13, EVENT, "UTC", "app", "",
      "", "x" },
    { "zone word as host, pid", "<13>Nov 21 22:42:29 UTC app[7]: x: y", F3164, 0, 13, EVENT, "UTC",
      "app", "7", "", "x: y" },
    { "zone word as host, space before the pid", "<13>Nov 21 22:42:29 UTC sogod [7]: x", F3164, 0,
      13, EVENT, "UTC", "sogod", "7", "", "x" },
    { "zone word as host, no tag", "<13>Nov 21 22:42:29 UTC link up now", F3164, 0, 13, EVENT,
      "UTC", "", "", "", "link up now" },
    { "zone word alone", "<13>Nov 21 22:42:29 UTC", F3164, 0, 13, EVENT, "", "", "", "", "UTC" },
    { "a host that begins like a zone", "<13>Nov 21 22:42:29 UTC1 gw app: x", F3164, 0, 13, EVENT,
      "UTC1", "", "", "", "gw app: x" },
    { "a host like a zone that is a word", "<13>Nov 21 22:42:29 WEST gw app: x", F3164, 0, 13,
      EVENT, "WEST", "", "", "", "gw app: x" },
    { "a host in capitals", "<13>Nov 21 22:42:29 OURS gw app: x", F3164, 0, 13, EVENT, "OURS", "",
      "", "", "gw app: x" },
    { "q8 cisco, unknown zone", "<189>7: Nov 21 22:42:29 OURS: %SYS-5-CONFIG_I: x", F3164, 0, 189,
      EVENT, "", "%SYS-5-CONFIG_I", "", "", "x" },
    { "q8 nx-os", "<187>: 2026 Nov 21 22:42:29 UTC: %ETHPORT-3-IF_DOWN: x", F3164, ZONED, 187,
      EVENT, "", "%ETHPORT-3-IF_DOWN", "", "", "x" },
    { "q8 nx-os, host", "<187>sw1: 2025 Nov 21 22:42:29.5 CET: %ETHPORT-3-IF_DOWN: x", F3164, ZONED,
      187, EVENT - (365 * 86400 + 3600) * SLG_NS_PER_SEC + 500000000, "sw1", "%ETHPORT-3-IF_DOWN",
      "", "", "x" },
    { "q8 ios xr: a sequence is no program", "<189>123: RP/0/RP0/CPU0:Nov 21 22:42:29 : config: x",
      F3164, NOTIME, 189, 0, "", "", "", "", "123: RP/0/RP0/CPU0:Nov 21 22:42:29 : config: x" },
    { "q9 iso", "<30>2026-11-21T22:42:29.123Z esx1 Hostd: info hostd[2099] x", F3164, ZONED, 30,
      EVENT + 123000000, "esx1", "Hostd", "", "", "info hostd[2099] x" },
    { "q9 iso with offset", "<30>2026-11-21T23:42:29+01:00 h app[1]: x", F3164, ZONED, 30, EVENT,
      "h", "app", "1", "", "x" },
    { "q9 iso with offset, host in capitals", "<30>2026-11-21T23:42:29+01:00 WIN01 app[1]: x",
      F3164, ZONED, 30, EVENT, "WIN01", "app", "1", "", "x" },
    { "q9 iso without zone, space", "<30>2026-11-21 22:42:29 h app[1]: x", F3164, 0, 30, EVENT, "h",
      "app", "1", "", "x" },
    { "q10 milliseconds", "<30>Nov 21 22:42:29.123 host app: x", F3164, 0, 30, EVENT + 123000000,
      "host", "app", "", "", "x" },
    { "q11 slash", "<30>Nov 21 22:42:29 h postfix/smtpd[1]: x", F3164, 0, 30, EVENT, "h",
      "postfix/smtpd", "1", "", "x" },
    { "q11 capitals", "<30>Nov 21 22:42:29 h CRON[2]: (root) CMD (true)", F3164, 0, 30, EVENT, "h",
      "CRON", "2", "", "(root) CMD (true)" },
    { "q11 no pid", "<30>Nov 21 22:42:29 h dhcpd: x", F3164, 0, 30, EVENT, "h", "dhcpd", "", "",
      "x" },
    { "q11 path", "<30>Nov 21 22:42:29 h /usr/sbin/cron[3]: x", F3164, 0, 30, EVENT, "h",
      "/usr/sbin/cron", "3", "", "x" },
    { "q11 kernel", "<6>Nov 21 22:42:29 h kernel: [12345.678901] Out of memory", F3164, 0, 6, EVENT,
      "h", "kernel", "", "", "[12345.678901] Out of memory" },
    { "q11 asa", "<166>Nov 21 22:42:29 asa1 : %ASA-6-302013: Built", F3164, 0, 166, EVENT, "asa1",
      "%ASA-6-302013", "", "", "Built" },
    { "q11 asa, colon at the host", "<166>Nov 21 2026 22:42:29 asa1: %ASA-6-302013: Built", F3164,
      0, 166, EVENT, "asa1", "%ASA-6-302013", "", "", "Built" },
    { "q11 pid in words", "<30>Nov 21 22:42:29 h charon[IKE]: x", F3164, 0, 30, EVENT, "h",
      "charon", "IKE", "", "x" },
    { "q11 colons inside", "<30>Nov 21 22:42:29 h Foo::Bar[3]: x", F3164, 0, 30, EVENT, "h",
      "Foo::Bar", "3", "", "x" },
    { "q11 space before the pid", "<30>Nov 21 22:42:29 3f2a9c0d1e4b sogod [68]: 203.0.113.9 \"POST",
      F3164, 0, 30, EVENT, "3f2a9c0d1e4b", "sogod", "68", "", "203.0.113.9 \"POST" },
    { "q11 fail2ban", "<30>Nov 21 22:42:29 h fail2ban.actions [712]: NOTICE [sshd] Ban", F3164, 0,
      30, EVENT, "h", "fail2ban.actions", "712", "", "NOTICE [sshd] Ban" },
    { "q11 sudo pads", "<86>Nov 21 22:42:29 h sudo:  ann : TTY=pts/0 ; PWD=/home", F3164, 0, 86,
      EVENT, "h", "sudo", "", "", " ann : TTY=pts/0 ; PWD=/home" },
    { "q11 no space behind the colon", "<13>Nov 21 22:42:29 h app:hello without space", F3164, 0,
      13, EVENT, "h", "app", "", "", "hello without space" },
    { "q11 no space, one word", "<13>Nov 21 22:42:29 h app:hello", F3164, 0, 13, EVENT, "h", "app",
      "", "", "hello" },
    { "q11 no space, path", "<13>Nov 21 22:42:29 h postfix/smtpd:warning", F3164, 0, 13, EVENT, "h",
      "postfix/smtpd", "", "", "warning" },
    { "q11 no space, other bytes", "<13>Nov 21 22:42:29 h my-app_1.2:x", F3164, 0, 13, EVENT, "h",
      "my-app_1.2", "", "", "x" },
    { "q11 no space, quote", "<13>Nov 21 22:42:29 h app:\"quoted\" x", F3164, 0, 13, EVENT, "h",
      "app", "", "", "\"quoted\" x" },
    { "q11 no space, a later colon", "<13>Nov 21 22:42:29 h app:one two: three", F3164, 0, 13,
      EVENT, "h", "app", "", "", "one two: three" },
    { "q11 colons inside, no end", "<13>Nov 21 22:42:29 h Foo::Bar has failed", F3164, 0, 13, EVENT,
      "h", "", "", "", "Foo::Bar has failed" },
    { "q11 colons inside, no space", "<13>Nov 21 22:42:29 h Foo::Bar:x", F3164, 0, 13, EVENT, "h",
      "", "", "", "Foo::Bar:x" },
    { "q11 file and line", "<13>Nov 21 22:42:29 h main.c:123 is reached", F3164, 0, 13, EVENT, "h",
      "", "", "", "main.c:123 is reached" },
    { "q11 file, line, column", "<13>Nov 21 22:42:29 h a.c:b:c x", F3164, 0, 13, EVENT, "h", "", "",
      "", "a.c:b:c x" },
    { "q11 a clock", "<13>Nov 21 22:42:29 h 12:34:56 started", F3164, 0, 13, EVENT, "h", "", "", "",
      "12:34:56 started" },
    { "q11 name and port", "<13>Nov 21 22:42:29 h mx1.example.org:25 refused", F3164, 0, 13, EVENT,
      "h", "", "", "", "mx1.example.org:25 refused" },
    { "q11 address and port", "<13>Nov 21 22:42:29 h 203.0.113.9:51122 [x] fe", F3164, 0, 13, EVENT,
      "h", "", "", "", "203.0.113.9:51122 [x] fe" },
    { "q11 ipv6", "<13>Nov 21 22:42:29 h fe80::1 is down", F3164, 0, 13, EVENT, "h", "", "", "",
      "fe80::1 is down" },
    { "q11 ipv6, letters first", "<13>Nov 21 22:42:29 h fd00:db8:a::b is down", F3164, 0, 13, EVENT,
      "h", "", "", "", "fd00:db8:a::b is down" },
    { "q11 mac", "<13>Nov 21 22:42:29 h aa:bb:cc:dd:ee:ff is new", F3164, 0, 13, EVENT, "h", "", "",
      "", "aa:bb:cc:dd:ee:ff is new" },
    { "q11 a url", "<13>Nov 21 22:42:29 h https://example.org/ is down", F3164, 0, 13, EVENT, "h",
      "", "", "", "https://example.org/ is down" },
    { "q11 windows", "<13>Nov 21 22:42:29 h C:\\Windows is full", F3164, 0, 13, EVENT, "h", "", "",
      "", "C:\\Windows is full" },
    { "q11 key and value", "<13>Nov 21 22:42:29 h key=a:b x", F3164, 0, 13, EVENT, "h", "", "", "",
      "key=a:b x" },
    { "q11 user at host", "<13>Nov 21 22:42:29 h bob@mx1:x y", F3164, 0, 13, EVENT, "h", "", "", "",
      "bob@mx1:x y" },
    { "q11 word in brackets", "<13>Nov 21 22:42:29 h (sd-pam):x y", F3164, 0, 13, EVENT, "h", "",
      "", "", "(sd-pam):x y" },
    { "q11 json", "<13>Nov 21 22:42:29 h {\"a\":1}", F3164, 0, 13, EVENT, "h", "", "", "",
      "{\"a\":1}" },
    { "q11 no space, no host", "<13>Nov 21 22:42:29 app:hello world", F3164, 0, 13, EVENT,
      "app:hello", "", "", "", "world" },
    { "q11 no space, no time", "<13>app:hello world", F3164, NOTIME, 13, 0, "", "", "", "",
      "app:hello world" },
    { "q12 no tag", "<13>Nov 21 22:42:29 host plain words", F3164, 0, 13, EVENT, "host", "", "", "",
      "plain words" },
    { "q12 no tag, a url", "<13>Nov 21 22:42:29 host http://example.org/ is down", F3164, 0, 13,
      EVENT, "host", "", "", "", "http://example.org/ is down" },
    { "q12 one word", "<13>Nov 21 22:42:29 alone", F3164, 0, 13, EVENT, "", "", "", "", "alone" },
    { "q12 nothing behind the time", "<13>Nov 21 22:42:29", F3164, 0, 13, EVENT, "", "", "", "",
      "" },
    { "q13 ipv6 host", "<13>Nov 21 22:42:29 2001:db8::1 sshd[1]: x", F3164, 0, 13, EVENT,
      "2001:db8::1", "sshd", "1", "", "x" },
    { "q13 ipv6 host ends in colons", "<13>Nov 21 22:42:29 2001:db8:: sshd[1]: x", F3164, 0, 13,
      EVENT, "2001:db8::", "sshd", "1", "", "x" },
    { "q13 ipv4 host", "<13>Nov 21 22:42:29 192.0.2.7 sshd[1]: x", F3164, 0, 13, EVENT, "192.0.2.7",
      "sshd", "1", "", "x" },
    { "q13 fqdn", "<13>Nov 21 22:42:29 mx1.example.org sshd[1]: x", F3164, 0, 13, EVENT,
      "mx1.example.org", "sshd", "1", "", "x" },
    { "q15 host as tag", "<13>Nov 21 22:42:29 OpenWrt: dnsmasq[1]: x", F3164, 0, 13, EVENT, "",
      "OpenWrt", "", "", "dnsmasq[1]: x" },
    { "q15 repeated", "<13>Nov 21 22:42:29 h last message repeated 3 times", F3164, 0, 13, EVENT,
      "h", "", "", "", "last message repeated 3 times" },
    { "q15 repeated, no host", "<13>Nov 21 22:42:29 last message repeated 3 times", F3164, 0, 13,
      EVENT, "", "", "", "", "last message repeated 3 times" },
    { "q16 cee", "<13>Nov 21 22:42:29 h app: @cee: {\"a\":1}", F3164, SLG_SYSLOG_CEE, 13, EVENT,
      "h", "app", "", "", "{\"a\":1}" },
    { "q16 cee without space", "<13>Nov 21 22:42:29 h app: @cee:{\"a\":1}", F3164, SLG_SYSLOG_CEE,
      13, EVENT, "h", "app", "", "", "{\"a\":1}" },
    { "q16 cee, no tag", "<13>Nov 21 22:42:29 h @cee: {\"a\":1}", F3164, SLG_SYSLOG_CEE, 13, EVENT,
      "h", "", "", "", "{\"a\":1}" },
    { "q16 cee, no tag, no space", "<13>Nov 21 22:42:29 h @cee:{\"a\":1}", F3164, SLG_SYSLOG_CEE,
      13, EVENT, "h", "", "", "", "{\"a\":1}" },
    { "q16 cee, no host, no tag", "<13>Nov 21 22:42:29 @cee: {\"a\":1}", F3164, SLG_SYSLOG_CEE, 13,
      EVENT, "", "", "", "", "{\"a\":1}" },
    { "q16 cee, no host, no tag, no space", "<13>Nov 21 22:42:29 @cee:{\"a\": 1}", F3164,
      SLG_SYSLOG_CEE, 13, EVENT, "", "", "", "", "{\"a\": 1}" },
    { "q16 cee, no time", "<13>@cee: {\"a\":1}", F3164, NOTIME | SLG_SYSLOG_CEE, 13, 0, "", "", "",
      "", "{\"a\":1}" },
    { "q16 cee, no time, no space", "<13>@cee:{\"a\":1}", F3164, NOTIME | SLG_SYSLOG_CEE, 13, 0, "",
      "", "", "", "{\"a\":1}" },
    { "q16 cee, no time, tag", "<13>app: @cee:{\"a\":1}", F3164, NOTIME | SLG_SYSLOG_CEE, 13, 0, "",
      "app", "", "", "{\"a\":1}" },
    { "q16 cee, no PRI", "@cee: {\"a\":1}", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "",
      "@cee: {\"a\":1}" },
    { "q16 no cookie", "<13>Nov 21 22:42:29 h @ceed: x", F3164, 0, 13, EVENT, "h", "@ceed", "", "",
      "x" },
    { "q16 bare json", "<13>Nov 21 22:42:29 h suricata[9]: {\"timestamp\":\"x\"}", F3164, 0, 13,
      EVENT, "h", "suricata", "9", "", "{\"timestamp\":\"x\"}" },
    { "q17 nothing fits", "hello", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "", "hello" },
    { "q17 a word with a colon", "error: no disk", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "",
      "error: no disk" },
    { "a tag with pid is something", "app[9]: hello", F3164, PRI | NOTIME, 13, 0, "", "app", "9",
      "", "hello" },
    { "gs byte",
      "<13>Nov 21 22:42:29 h audisp-syslog[512]: type=X key=\"x\"\x1D"
      "ARCH=x",
      F3164, 0, 13, EVENT, "h", "audisp-syslog", "512", "",
      "type=X key=\"x\"\x1D"
      "ARCH=x" },
    { "invalid utf-8", "<13>Nov 21 22:42:29 h a\xFF[1]: \xC0\x80\xED\xA0\x80", F3164, 0, 13, EVENT,
      "h", "a\xFF", "1", "", "\xC0\x80\xED\xA0\x80" },
    { "pri 0", "<0>Nov 21 22:42:29 h a[1]: x", F3164, 0, 0, EVENT, "h", "a", "1", "", "x" },
    { "pri 191", "<191>Nov 21 22:42:29 h a[1]: x", F3164, 0, 191, EVENT, "h", "a", "1", "", "x" },
    { "pri 192", "<192>Nov 21 22:42:29 h a[1]: x", F3164, PRI, 13, EVENT, "h", "a", "1", "", "x" },
    { "pri 999", "<999>Nov 21 22:42:29 h a[1]: x", F3164, PRI, 13, EVENT, "h", "a", "1", "", "x" },
    { "pri empty", "<>Nov 21 22:42:29 h a[1]: x", F3164, PRI, 13, EVENT, "h", "a", "1", "", "x" },
    { "pri with zeros", "<007>Nov 21 22:42:29 h a[1]: x", F3164, PRI, 13, EVENT, "h", "a", "1", "",
      "x" },
    { "pri negative", "<-1>Nov 21 22:42:29 h a[1]: x", F3164, PRI, 13, EVENT, "h", "a", "1", "",
      "x" },
    { "pri cut", "<1", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "", "<1" },
    { "pri not closed", "<13Nov 21 22:42:29 h a[1]: x", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "",
      "", "<13Nov 21 22:42:29 h a[1]: x" },
    { "pri alone", "<13>", F3164, NOTIME, 13, 0, "", "", "", "", "" },
    { "one byte", "x", RAW, PRI | NOTIME | BAD, 13, 0, "", "", "", "", "x" },
    { "not a month", "<13>Nox 21 22:42:29 h a[1]: x", F3164, NOTIME, 13, 0, "", "", "", "",
      "Nox 21 22:42:29 h a[1]: x" },
    { "hour 24", "<13>Nov 21 24:42:29 h a[1]: x", F3164, NOTIME, 13, 0, "", "", "", "",
      "Nov 21 24:42:29 h a[1]: x" },
};

static void check_text(const char *row, const char *field, struct slg_text got, const char *want,
                       const char *input, size_t len)
{
    if (got.len > 0) {
        CHECK(row, got.at >= input);
        CHECK(row, got.at + got.len <= input + len);
    }
    if (!slg_text_equal_to(got, want)) {
        print_error("row \"%s\": %s is \"%.*s\", not \"%s\"\n", row, field, (int)got.len,
                    got.len > 0 ? got.at : "", want);
        fail();
    }
}

static void check_row(const struct row *row, const char *ending, size_t ending_len)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));
    size_t len = strlen(row->input) + ending_len;
    char *joined = malloc(len);
    char *input;

    assert_non_null(m);
    assert_non_null(joined);
    memset(m, 0xAA, sizeof(*m));
    memcpy(joined, row->input, len - ending_len);
    memcpy(joined + len - ending_len, ending, ending_len);
    input = (char *)test_block(joined, len);
    slg_syslog_parse(&options, RECEIVED, input, len, m);
    CHECK(row->name, m->format == row->format);
    if (m->flags != row->flags)
        print_error("row \"%s\": flags %x, not %x\n", row->name, m->flags, row->flags);
    CHECK(row->name, m->flags == row->flags);
    CHECK(row->name, m->facility * 8U + m->severity == row->pri);
    if (m->event_ns != row->event_ns)
        print_error("row \"%s\": event off by %lld ns\n", row->name,
                    (long long)(m->event_ns - row->event_ns));
    CHECK(row->name, m->event_ns == row->event_ns);
    check_text(row->name, "host", m->host, row->host, input, len);
    check_text(row->name, "app", m->app, row->app, input, len);
    check_text(row->name, "pid", m->pid, row->pid, input, len);
    check_text(row->name, "msgid", m->msgid, row->msgid, input, len);
    check_text(row->name, "text", m->text, row->text, input, len);
    check_text(row->name, "whole", m->whole, row->input, input, len);
    free(input);
    free(joined);
    free(m);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_row(&rows[i], "", 0);
        check_row(&rows[i], "\n", 1);
        check_row(&rows[i], "\r\n", 2);
        check_row(&rows[i], "\0", 1);
    }
}

static void test_5424(void **state)
{
    (void)state;
    check_rows(rows_5424, SLG_ARRAY_LEN(rows_5424));
}

static void test_3164(void **state)
{
    (void)state;
    check_rows(rows_3164, SLG_ARRAY_LEN(rows_3164));
}

/* Every cut of every row is read without a fault, and what comes out lies inside what went in. */
static void test_cut_anywhere(void **state)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));

    (void)state;
    assert_non_null(m);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows_5424) + SLG_ARRAY_LEN(rows_3164); i++) {
        const struct row *row =
            i < SLG_ARRAY_LEN(rows_5424) ? &rows_5424[i] : &rows_3164[i - SLG_ARRAY_LEN(rows_5424)];

        for (size_t len = 0; len < strlen(row->input); len++) {
            char *input = (char *)test_block(row->input, len);

            slg_syslog_parse(&options, RECEIVED, input, len, m);
            CHECK(row->name, m->text.len <= len);
            if (m->text.len > 0)
                CHECK(row->name, m->text.at >= input && m->text.at + m->text.len <= input + len);
            free(input);
        }
    }
    free(m);
}

/* ---- structured data ---- */

static const struct sd_row {
    const char *name;
    const char *data; /* with the text behind it */
    const char *text;
    size_t count;
    const char *id, *key, *value; /* of the last parameter, value unescaped */
    uint32_t duplicates;
} sd_rows[] = {
    { "one", "[ex@32473 user=\"ann\"] x", "x", 1, "ex@32473", "user", "ann", 0 },
    { "escapes", "[ex@32473 user=\"a\\\"b\" path=\"C:\\\\x\" x=\"\\]\"] x", "x", 3, "ex@32473", "x",
      "]", 0 },
    { "quote", "[a k=\"a\\\"b\"] x", "x", 1, "a", "k", "a\"b", 0 },
    { "backslash", "[a k=\"C:\\\\x\"] x", "x", 1, "a", "k", "C:\\x", 0 },
    { "unknown escape stays", "[a k=\"\\n\"] x", "x", 1, "a", "k", "\\n", 0 },
    { "bracket not escaped", "[a k=\"]\"] x", "x", 1, "a", "k", "]", 0 },
    { "space before the bracket", "[a k=\"v\" ] x", "x", 1, "a", "k", "v", 0 },
    { "two elements", "[a k=\"v\"][b l=\"w\"] x", "x", 2, "b", "l", "w", 0 },
    { "twice: the last one", "[a k=\"v\" k=\"w\"] x", "x", 1, "a", "k", "w", 1 },
    { "no parameter", "[a] x", "x", 0, NULL, NULL, NULL, 0 },
    { "no text", "[a k=\"v\"]", "", 1, "a", "k", "v", 0 },
    { "text in brackets", "[a k=\"v\"] [b]", "[b]", 1, "a", "k", "v", 0 },
    { "bom behind", "[a k=\"v\"] " BOM "x", "x", 1, "a", "k", "v", 0 },
};

static void test_structured_data(void **state)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));

    (void)state;
    assert_non_null(m);
    for (size_t i = 0; i < SLG_ARRAY_LEN(sd_rows); i++) {
        const struct sd_row *row = &sd_rows[i];
        char line[256];
        char value[64];
        int len = snprintf(line, sizeof(line), "<165>1 - h a 1 m %s", row->data);
        char *input = (char *)test_block(line, (size_t)len);

        slg_syslog_parse(&options, RECEIVED, input, (size_t)len, m);
        CHECK(row->name, (m->flags & BAD) == 0);
        CHECK(row->name, slg_text_equal_to(m->text, row->text));
        CHECK(row->name, m->param_count == row->count);
        CHECK(row->name, m->param_duplicates == row->duplicates);
        if (row->count > 0) {
            const struct slg_syslog_param *param = &m->params[row->count - 1];
            size_t value_len = slg_syslog_unescape(param->value, value);

            CHECK(row->name, slg_text_equal_to(param->id, row->id));
            CHECK(row->name, slg_text_equal_to(param->name, row->key));
            CHECK(row->name, slg_text_equal_to(slg_text_make(value, value_len), row->value));
        }
        free(input);
    }
    free(m);
}

/* 100 elements are taken; one parameter more than there is room for loses nothing either. */
static void test_many_elements(void **state)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));

    (void)state;
    assert_non_null(m);
    for (size_t count = 100; count <= SLG_SYSLOG_PARAM_COUNT_MAX + 1; count++) {
        char *line = malloc(64 + count * 16);
        size_t len = (size_t)snprintf(line, 64, "<165>1 - h a 1 m ");

        for (size_t i = 0; i < count; i++)
            len += (size_t)snprintf(line + len, 16, "[e%03zu k=\"v\"]", i);
        slg_syslog_parse(&options, RECEIVED, line, len, m);
        if (count <= SLG_SYSLOG_PARAM_COUNT_MAX) {
            assert_int_equal(m->param_count, count);
            assert_int_equal(m->flags & BAD, 0);
        } else {
            assert_int_equal(m->param_count, 0);
            assert_int_equal(m->flags & BAD, BAD);
            assert_int_equal(m->text.len, count * 12);
        }
        free(line);
    }
    free(m);
}

/* ---- time ---- */

static const struct time_row {
    const char *name;
    const char *stamp;
    int64_t received_sec;
    int64_t event_sec;
} time_rows[] = {
    /* 2027-01-01T00:00:03Z = 1798761603 */
    { "new year: stamp of last year", "Dec 31 23:59:58", 1798761603, 1798761598 },
    { "new year: stamp of next year", "Jan  1 00:00:02", 1798761590, 1798761602 },
    { "seven months back, five ahead: the nearer", "Jun  1 00:00:00", 1798761603, 1811808000 },
    /* 2028 is a leap year; received 2028-03-01T00:00:10Z = 1835481610 */
    { "feb 29", "Feb 29 23:59:59", 1835481610, 1835481599 },
    /* received 2026-02-01: the nearest Feb 29 is that of 2024-02-29T12:00:00Z = 1709208000 */
    { "feb 29 where there is none", "Feb 29 12:00:00", 1769904000, 1709208000 },
};

static void test_years(void **state)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));

    (void)state;
    assert_non_null(m);
    for (size_t i = 0; i < SLG_ARRAY_LEN(time_rows); i++) {
        const struct time_row *row = &time_rows[i];
        char line[64];
        int len = snprintf(line, sizeof(line), "<38>%s mx1 sshd[9]: x", row->stamp);

        slg_syslog_parse(&options, row->received_sec * SLG_NS_PER_SEC, line, (size_t)len, m);
        if (m->event_ns != row->event_sec * SLG_NS_PER_SEC)
            print_error("row \"%s\": %lld\n", row->name, (long long)(m->event_ns / SLG_NS_PER_SEC));
        CHECK(row->name, m->event_ns == row->event_sec * SLG_NS_PER_SEC);
    }
    free(m);
}

static void test_lying_utc(void **state)
{
    struct slg_zone_cache *cache = slg_zone_cache_create(NULL);
    struct slg_syslog_options options = { .zone_forced = true };
    struct slg_syslog_message *m = malloc(sizeof(*m));
    const char line[] = "<38>1 2026-11-21T23:42:29Z mx1 a 1 - - x";

    (void)state;
    assert_non_null(m);
    assert_non_null(cache);
    assert_int_equal(slg_zone_cache_get(cache, slg_text_of("Europe/Berlin"), &options.zone, NULL),
                     SLG_OK);
    slg_syslog_parse(&options, RECEIVED, line, sizeof(line) - 1, m);
    assert_int_equal(m->event_ns, EVENT);
    slg_zone_cache_destroy(cache);
    free(m);
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = { 1, 480, 1024, 2048, 8192, 16384, 16385, 65507, 65527 };
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));
    char head[] = "<38>Nov 21 22:42:29 mx1 sshd[9]: ";

    (void)state;
    assert_non_null(m);
    for (size_t i = 0; i < SLG_ARRAY_LEN(sizes); i++) {
        char *input = malloc(sizes[i]);
        size_t head_len = sizes[i] < sizeof(head) - 1 ? 0 : sizeof(head) - 1;

        memset(input, 'y', sizes[i]);
        memcpy(input, head, head_len);
        slg_syslog_parse(&options, RECEIVED, input, sizes[i], m);
        assert_int_equal(m->text.len, sizes[i] - head_len);
        free(input);
    }
    slg_syslog_parse(&options, RECEIVED, "\n", 1, m);
    assert_int_equal(m->whole.len, 0);
    slg_syslog_parse(&options, RECEIVED, "", 0, m);
    assert_int_equal(m->whole.len, 0);
    free(m);
}

/* An app of 4000 bytes is no RFC 3164 tag (at most 128), but is one in RFC 5424, and so is a msgid. */
static void test_long_names(void **state)
{
    struct slg_syslog_options options = { .zone = slg_zone_utc() };
    struct slg_syslog_message *m = malloc(sizeof(*m));
    char line[9000];
    char word[4001];
    int len;

    (void)state;
    assert_non_null(m);
    memset(word, 'w', 4000);
    word[4000] = '\0';
    len = snprintf(line, sizeof(line), "<38>1 - h %s 1 %s - x", word, word);
    slg_syslog_parse(&options, RECEIVED, line, (size_t)len, m);
    assert_int_equal(m->app.len, 4000);
    assert_int_equal(m->msgid.len, 4000);
    assert_int_equal(m->text.len, 1);
    len = snprintf(line, sizeof(line), "<38>Nov 21 22:42:29 h %.128s[1]: x", word);
    slg_syslog_parse(&options, RECEIVED, line, (size_t)len, m);
    assert_int_equal(m->app.len, 128);
    len = snprintf(line, sizeof(line), "<38>Nov 21 22:42:29 h %.128s:x", word);
    slg_syslog_parse(&options, RECEIVED, line, (size_t)len, m);
    assert_int_equal(m->app.len, 128);
    len = snprintf(line, sizeof(line), "<38>Nov 21 22:42:29 h %.129s:x", word);
    slg_syslog_parse(&options, RECEIVED, line, (size_t)len, m);
    assert_int_equal(m->app.len, 0);
    assert_int_equal(m->text.len, 131);
    len = snprintf(line, sizeof(line), "<38>Nov 21 22:42:29 h %.129s[1]: x", word);
    slg_syslog_parse(&options, RECEIVED, line, (size_t)len, m);
    assert_int_equal(m->app.len, 0);
    assert_int_equal(m->text.len, 135);
    free(m);
}

static void test_keywords(void **state)
{
    (void)state;
    assert_true(slg_text_equal_to(slg_syslog_facility_text(0), "kern"));
    assert_true(slg_text_equal_to(slg_syslog_facility_text(10), "authpriv"));
    assert_true(slg_text_equal_to(slg_syslog_facility_text(13), "audit"));
    assert_true(slg_text_equal_to(slg_syslog_facility_text(16), "local0"));
    assert_true(slg_text_equal_to(slg_syslog_facility_text(23), "local7"));
    assert_true(slg_text_equal_to(slg_syslog_severity_text(0), "emergency"));
    assert_true(slg_text_equal_to(slg_syslog_severity_text(6), "informational"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_5424),          cmocka_unit_test(test_3164),
        cmocka_unit_test(test_cut_anywhere),  cmocka_unit_test(test_structured_data),
        cmocka_unit_test(test_many_elements), cmocka_unit_test(test_years),
        cmocka_unit_test(test_lying_utc),     cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_long_names),    cmocka_unit_test(test_keywords),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
