/* models.h — the models and the health of the daemon. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_MODELS_H
#define HEARTH_MODELS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hearth_model_list hearth_model_list;

/** One model as the daemon sees it. May grow at its end: do not copy it by value. */
typedef struct hearth_model {
    const char *name;
    enum hearth_task task; /* HEARTH_TASK_GENERATE stands for generate and chat */
    enum hearth_engine_kind engine;
    enum hearth_model_state state;
    const char *digest;      /* SHA-256 of the model file, hex, from its manifest */
    uint32_t worker_pid;     /* 0 if no worker runs */
    uint32_t restarts;       /* workers lost since it was loaded */
    uint64_t size_bytes;     /* files on disk */
    uint64_t need_bytes;     /* reserved in the budget */
    uint64_t memory_bytes;   /* resident in its worker */
    uint32_t queue_depth;    /* requests that wait */
    uint32_t running;        /* requests at the worker */
    uint64_t request_count;  /* ended since it was loaded */
    float avg_latency_ms;    /* from admission to the end */
    uint32_t threads;        /* compute threads */
    uint32_t context_tokens; /* most tokens of an input, or of prompt and answer together */
    uint32_t dimensions;     /* of an embedding */
    const char *const *labels;
    size_t label_count;
    const char *containment; /* walls of its worker */
    const char *error;       /* why the last load failed, or "" */
    int error_code;          /* HEARTH_E_* of that, or 0 */
    const char *version;     /* from its manifest */
    const char *shares;      /* not "": the model whose worker serves this one too */
} hearth_model;

/**
 * Asks for every model that the daemon knows, loaded or not.
 *
 * *@ret_list is owned by the caller until hearth_model_list_free(). Blocks for at most the
 * timeout of the connection. Returns HEARTH_E_DISCONNECTED, HEARTH_E_EXPIRED, HEARTH_E_BUSY (in a
 * callback), HEARTH_E_NO_MEMORY, or what hearth_connect() returns if it had to connect again.
 */
HEARTH_API int hearth_models(hearth_client *client, hearth_model_list **ret_list,
                             hearth_error *err);
HEARTH_API size_t hearth_model_list_count(const hearth_model_list *list);
HEARTH_API const hearth_model *hearth_model_list_at(const hearth_model_list *list, size_t index);
HEARTH_API void hearth_model_list_free(hearth_model_list *list);

/* ── All about one ───────────────────────────────────────────────────────────────────────────── */

#define HEARTH_ANY_SIZE UINT32_MAX /* in the shape of a port */

/** What a model takes or gives under one name. */
typedef struct hearth_port {
    const char *name;
    enum hearth_tensor_type type;
    uint32_t rank;
    const uint32_t *shape; /* HEARTH_ANY_SIZE: what the caller or the model makes of it */
} hearth_port;

/** Something that a person may want to know: "pooling", "mean". */
typedef struct hearth_fact {
    const char *key;
    const char *value;
} hearth_fact;

/** So much memory for one purpose: "weights", "cells", … */
typedef struct hearth_holding {
    const char *kind;
    uint64_t bytes;
} hearth_holding;

/** A model with its inside. May grow at its end: do not copy it by value. */
typedef struct hearth_model_details {
    const hearth_model *model;
    const hearth_port *inputs; /* none while it is not loaded */
    size_t input_count;
    const hearth_port *outputs;
    size_t output_count;
    const hearth_fact *facts; /* from its manifest, and once it is loaded from its engine */
    size_t fact_count;
    const hearth_holding *memory; /* what need_bytes is for; none while it is not loaded */
    size_t memory_count;
} hearth_model_details;

/**
 * Asks all about the model called @name. *@ret_details is owned by the caller until
 * hearth_model_details_free(), with all that it points to. Blocks and fails as hearth_models();
 * HEARTH_E_NO_MODEL.
 */
HEARTH_API int hearth_describe(hearth_client *client, const char *name,
                               hearth_model_details **ret_details, hearth_error *err);
HEARTH_API void hearth_model_details_free(hearth_model_details *details);

/* ── Life ────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Loads a model, or unloads it and gives its memory back.
 *
 * Blocks until it is ready (its worker has ended) or has failed, for at most @timeout_ms; 0 waits
 * for as long as the daemon does. When the time is over the daemon goes on. @ret_worker_pid may be
 * NULL.
 *
 * Returns HEARTH_E_NO_MODEL, HEARTH_E_BUSY, HEARTH_E_NO_ROOM, HEARTH_E_NO_ENGINE,
 * HEARTH_E_MODEL_INVALID, HEARTH_E_DIGEST_MISMATCH, HEARTH_E_CONTAINMENT, HEARTH_E_DENIED,
 * HEARTH_E_EXPIRED or HEARTH_E_DISCONNECTED.
 */
HEARTH_API int hearth_load(hearth_client *client, const char *model, uint32_t timeout_ms,
                           uint32_t *ret_worker_pid, hearth_error *err);
HEARTH_API int hearth_unload(hearth_client *client, const char *model, uint32_t timeout_ms,
                             hearth_error *err);

/** A model that left, or would leave, to make room for another. */
typedef struct hearth_eviction {
    const char *model;
    uint64_t bytes;     /* that it gives back */
    uint64_t idle_ms;   /* since its last request */
    uint32_t reload_ms; /* that its last load took */
} hearth_eviction;

/** What a load took of the memory budget. May grow at its end: do not copy it by value. */
typedef struct hearth_load_report {
    uint32_t worker_pid; /* 0 if it was a dry run */
    uint64_t need_bytes; /* 0: that was not found out, as of a model that was loaded already */
    uint64_t free_bytes; /* before anybody left */
    const hearth_eviction *evictions; /* in the order of leaving */
    size_t eviction_count;
} hearth_load_report;

enum hearth_load_flag {
    HEARTH_LOAD_EVICT = 1,   /* idle models may leave for it, whatever is configured */
    HEARTH_LOAD_KEEP = 2,    /* none may */
    HEARTH_LOAD_DRY_RUN = 4, /* only tells what would happen: nothing is loaded and nobody leaves */
};

/**
 * As hearth_load(), with @flags (enum hearth_load_flag, ORed). *@ret_report (@ret_report may be
 * NULL) lives in the client until its next load; it is also set when the daemon refuses, and names
 * those without whom the model would fit.
 */
HEARTH_API int hearth_load_with(hearth_client *client, const char *model, uint32_t flags,
                                uint32_t timeout_ms, const hearth_load_report **ret_report,
                                hearth_error *err);

/** As hearth_unload(), but takes nothing new and answers first what waits and runs. */
HEARTH_API int hearth_drain(hearth_client *client, const char *model, uint32_t timeout_ms,
                            hearth_error *err);

/**
 * Runs the model once, so that the next request finds it warm; generators make @tokens tokens (0:
 * 1, at most 64). @ret_elapsed_ms may be NULL. @timeout_ms and errors as hearth_load(), and what a
 * request to that model returns.
 */
HEARTH_API int hearth_warm_up(hearth_client *client, const char *model, uint32_t tokens,
                              uint32_t timeout_ms, uint32_t *ret_elapsed_ms, hearth_error *err);

/** What a probe found. Below `ok`, only a full check fills it. May grow: do not copy it by value.
 */
typedef struct hearth_health_report {
    enum hearth_check_type check;
    int ok;    /* alive; or ready */
    int state; /* 0 healthy, 1 degraded, 2 unhealthy */
    int ready;
    int accepting_requests;
    uint32_t models_loaded;
    uint64_t memory_used_bytes; /* resident, daemon and workers */
    uint32_t queue_depth;       /* requests that wait */
    uint32_t running;           /* requests at workers */
    uint32_t connections;
    uint64_t uptime_secs;
    uint64_t requests_total; /* accepted since start */
    uint64_t worker_deaths;
    uint32_t pid; /* of hearthd */
    const char *version;
} hearth_health_report;

/**
 * Asks how the daemon is; needs no session. *@ret_report lives in the client until its next
 * hearth_health(). Blocks for at most the timeout of the connection. Errors as hearth_models();
 * "not ready" is no error but ok = 0.
 */
HEARTH_API int hearth_health(hearth_client *client, enum hearth_check_type check,
                             const hearth_health_report **ret_report, hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
