/* hearth_health.h — how the daemon is, computed from facts when somebody asks; it keeps nothing and
 * measures nothing, so an answer takes microseconds.
 *
 * Liveness: the daemon answers. Readiness: it also accepts requests, and no lane is full.
 * State: unhealthy while it does not accept requests; degraded when a model that should serve does
 * not (failed, or its worker is being restarted) or a lane is full; otherwise healthy.           */

#ifndef HEARTH_HEALTH_H
#define HEARTH_HEALTH_H

#include "hearth_wire.h"

enum hearth_health_state { HEARTH_HEALTHY, HEARTH_DEGRADED, HEARTH_UNHEALTHY };

/** What is known at the moment of the question; gathered by the caller. */
struct hearth_health_facts {
    bool is_accepting; /* not draining */
    bool has_full_lane;
    uint32_t models_ready;
    uint32_t models_failed; /* a load or too many restarts failed; broken manifests not counted */
    uint32_t models_restarting;
    uint64_t memory_used_bytes; /* resident, daemon and workers; only for HEARTH_CHECK_FULL */
    uint32_t queue_depth;
    uint32_t running;
    uint64_t uptime_ms;
    uint32_t pid;
    uint32_t connections;
    uint64_t requests_total;
    uint64_t worker_deaths;
};

enum hearth_health_state hearth_health_state(const struct hearth_health_facts *facts);

bool hearth_health_is_ready(const struct hearth_health_facts *facts);

/** Fills the answer to @check_type. Slices in *@ret are constants. */
void hearth_health_answer(const struct hearth_health_facts *facts,
                          enum hearth_check_type check_type,
                          struct hearth_wire_health_response *ret);

#endif
