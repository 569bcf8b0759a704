/* cluster/survey.h - asks every storer of the map for its status, for the operator's tool.
 *
 * The answer is one JSON document: {"cluster":..,"epoch":..,"nodes":[{"id":..,"zone":..,"address":..,
 * "reachable":true,"status":{the storer's own}}, {..,"reachable":false,"reason":..}],"insecure":[..]}. What storers send is put in as
 * it came: they are trusted as far as the transport lets them in.
 * Owner:   create to destroy; a reference to the map is held. One connection per storer, dialled in the background.
 * Threads: run by any, several at once. */
#ifndef SLG_CLUSTER_SURVEY_H
#define SLG_CLUSTER_SURVEY_H

#include "cluster/map.h"
#include "proto/http.h"
#include "proto/transport.h"

#define SLG_SURVEY_BYTES_MAX ((size_t)64 << 20) /* of the document */

struct slg_survey;

/* insecure: a JSON list that is told as "insecure" of the process that is asked, borrowed; NULL: nothing.
 * NO_MEMORY; errors of slg_transport_client_start. */
SLG_MUST_CHECK enum slg_status
slg_survey_create(struct slg_map *map, const struct slg_transport_tls *tls, const char *insecure,
                  struct slg_survey **ret_survey, struct slg_error *reterr);
void slg_survey_destroy(struct slg_survey *survey); /* NULL is fine */
/* Append the document to out. A storer that does not answer costs 2 s at most. Look at slg_buf_failed(out). */
void slg_survey_run(struct slg_survey *survey, struct slg_buf *out);
/* The handler of GET /admin/cluster. survey NULL: 404. */
void slg_survey_answer(struct slg_survey *survey, struct slg_http_request *request);

#endif
