/* requests.h — what a daemon has to do, for its user: requests of all his programs, open or ended.
 * root sees those of everybody. Included by hearth.h.                                            */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_REQUESTS_H
#define HEARTH_REQUESTS_H

#ifdef __cplusplus
extern "C" {
#endif

/* ── Open ────────────────────────────────────────────────────────────────────────────────────── */

typedef struct hearth_request_list hearth_request_list;

/** One open request. May grow. */
typedef struct hearth_request_info {
    uint64_t ticket; /* its number in this daemon */
    const char *model;
    enum hearth_task task;
    enum hearth_priority priority;
    int is_running;            /* else it waits */
    uint32_t position;         /* waiting: requests that would run before it */
    uint32_t age_ms;           /* since its admission */
    uint32_t pid;              /* of its program */
    const char *client;        /* name that the program gave itself */
    uint32_t expected_wait_ms; /* waiting: until it runs, as measured lately; 0: not known */
} hearth_request_info;

/**
 * Asks for the open requests of this user. *@ret_list is owned by the caller until
 * hearth_request_list_free(). Blocks and fails as hearth_models().
 */
HEARTH_API int hearth_requests(hearth_client *client, hearth_request_list **ret_list,
                               hearth_error *err);
HEARTH_API size_t hearth_request_list_count(const hearth_request_list *list);
/** How many there are, should not all be listed (1024). */
HEARTH_API size_t hearth_request_list_total(const hearth_request_list *list);
HEARTH_API const hearth_request_info *hearth_request_list_at(const hearth_request_list *list,
                                                             size_t index);
HEARTH_API void hearth_request_list_free(hearth_request_list *list);

/**
 * Ends any open request of this user, also of another program, which sees HEARTH_E_CANCELLED.
 * Returns 0 if it was open (it may still end otherwise), HEARTH_E_NO_REQUEST if not or if it is
 * somebody else's. Blocks and fails as hearth_models().
 */
HEARTH_API int hearth_cancel_ticket(hearth_client *client, uint64_t ticket, hearth_error *err);

/* ── Ended ───────────────────────────────────────────────────────────────────────────────────── */

typedef struct hearth_span_list hearth_span_list;

/** How one ended request spent its time. May grow. */
typedef struct hearth_span {
    uint64_t ticket;
    const char *model;
    enum hearth_task task;
    enum hearth_priority priority;
    int code;          /* 0 or HEARTH_E_* */
    uint64_t start_ms; /* of its admission, since the daemon's start */
    uint32_t queue_us; /* as in hearth_usage */
    uint32_t first_us;
    uint32_t total_us;
    uint32_t inputs;
    uint32_t prompt_tokens;
    uint32_t tokens_generated;
} hearth_span;

/**
 * Takes the oldest ended requests that nobody took yet, at most @max_count (0: all; 1000 at the
 * most). Each is told once. *@ret_list is owned by the caller until hearth_span_list_free().
 * Blocks and fails as hearth_models().
 */
HEARTH_API int hearth_spans(hearth_client *client, uint32_t max_count, hearth_span_list **ret_list,
                            hearth_error *err);
HEARTH_API size_t hearth_span_list_count(const hearth_span_list *list);
/** How many were overwritten before anybody took them, since the last time. */
HEARTH_API uint64_t hearth_span_list_lost(const hearth_span_list *list);
HEARTH_API const hearth_span *hearth_span_list_at(const hearth_span_list *list, size_t index);
HEARTH_API void hearth_span_list_free(hearth_span_list *list);

#ifdef __cplusplus
}
#endif

#endif
