/* ingester/docker.h - messages of Docker's syslog log driver, and the header that mailcow's containers nest in them.
 *
 * Docker's PRI tells only stdout from stderr, its pid is dockerd's, and its tag comes as APP-NAME and MSGID. Behind
 * it, containers with a syslog-ng of their own put a whole RFC 3164 line: program and pid come from there, host and
 * time from Docker.
 * Threads: pure. */
#ifndef SLG_INGESTER_DOCKER_H
#define SLG_INGESTER_DOCKER_H

#include "ingester/syslog.h"

enum slg_docker_mode {
    SLG_DOCKER_AUTO, /* by the shape of the header */
    SLG_DOCKER_YES,  /* everything from this listener comes from Docker */
    SLG_DOCKER_NO,
};

/* 12 or 64 lower-case hex digits: {{.ID}} and {{.FullID}} of Docker's tag templates. */
bool slg_docker_is_id(struct slg_text text);

/* If the message is Docker's: set SLG_SYSLOG_DOCKER, container (the tag, when it is a name; without an id behind it), drop pid and
 * the repeated msgid; if a header is nested, unwrap it once: app, pid and text from it, SLG_SYSLOG_NESTED. */
void slg_docker_apply(enum slg_docker_mode mode, struct slg_syslog_message *message);

#endif
