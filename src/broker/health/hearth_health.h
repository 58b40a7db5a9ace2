/* hearth_health.h — how the daemon is, computed from facts when somebody asks; it keeps nothing and
 * measures nothing, so an answer takes microseconds.
 *
 * Liveness: the daemon answers. (That of workers is watched in pool/.) Readiness: it also accepts
 * requests, no queue is full and as many models serve as are required.
 * State: unhealthy while it does not accept requests; degraded while something that should serve
 * does not: a model has failed, its worker is started again or makes no steps, its queue is full,
 * or too few serve; otherwise healthy.                                                           */

#ifndef HEARTH_HEALTH_H
#define HEARTH_HEALTH_H

#include "hearth_wire.h"

enum hearth_health_state { HEARTH_HEALTHY, HEARTH_DEGRADED, HEARTH_UNHEALTHY };

/** What may be wrong with one model, the worst last. */
enum hearth_model_trouble {
    HEARTH_TROUBLE_NONE,
    HEARTH_TROUBLE_LOADING, /* no trouble of the daemon's: it does not serve yet or any more */
    HEARTH_TROUBLE_QUEUE_FULL,
    HEARTH_TROUBLE_STILL, /* has work and makes no step */
    HEARTH_TROUBLE_RESTARTING,
    HEARTH_TROUBLE_FAILED,
    HEARTH_TROUBLE_COUNT_,
};

/** What is known of one model. Broken manifests that nobody asked to load are left out. */
struct hearth_model_facts {
    bool is_failed; /* a load, or too many restarts */
    bool is_restarting;
    bool serves;
    bool is_queue_full;
    uint32_t still_ms;          /* has work and was seen to make no step for so long */
    uint64_t progress_limit_ms; /* at which it is killed for that; 0: never */
    const char *name;
    const char *failure; /* of a failed one */
};

/** What is known at the moment of the question; gathered by the caller. */
struct hearth_health_facts {
    bool is_accepting; /* not draining */
    uint32_t models_ready;
    uint32_t models_required;                 /* that must serve */
    uint32_t troubled[HEARTH_TROUBLE_COUNT_]; /* how many models have which trouble */
    const struct hearth_model_facts *worst;   /* one with the worst trouble, or NULL */
    uint64_t memory_used_bytes; /* resident, daemon and workers; only for HEARTH_CHECK_FULL */
    uint32_t queue_depth;
    uint32_t running;
    uint64_t uptime_ms;
    uint32_t pid;
    uint32_t connections;
    uint64_t requests_total;
    uint64_t worker_deaths;
};

#define HEARTH_HEALTH_REASON_BYTES (HEARTH_MAX_ERROR_BYTES + 1)

enum hearth_model_trouble hearth_health_trouble(const struct hearth_model_facts *model);

/** Counts @model, which must live until the answer is made. */
void hearth_health_add(struct hearth_health_facts *facts, const struct hearth_model_facts *model);

/** Says what is wrong with @model, in one sentence part; "" if nothing is. */
void hearth_health_explain(const struct hearth_model_facts *model,
                           char room[HEARTH_HEALTH_REASON_BYTES]);

enum hearth_health_state hearth_health_state(const struct hearth_health_facts *facts);

bool hearth_health_is_ready(const struct hearth_health_facts *facts);

/** Fills the answer to @check_type, but for the list of models. @reason is lent to it; the other
 *  slices in *@ret are constants. */
void hearth_health_answer(const struct hearth_health_facts *facts,
                          enum hearth_check_type check_type,
                          char reason[HEARTH_HEALTH_REASON_BYTES],
                          struct hearth_wire_health_response *ret);

#endif
