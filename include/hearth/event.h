/* event.h — many requests at once, in the event loop of a program. Included by hearth.h.
 *
 *     params.on_done = done;
 *     hearth_submit(client, HEARTH_TASK_GENERATE, &input, 1, &params, NULL, &err);   (many)
 *
 *     while (hearth_client_open_requests(client) > 0) {
 *         struct pollfd fd = {.fd = hearth_client_fd(client),
 *                             .events = (short)hearth_client_wanted_events(client)};
 *         poll(&fd, 1, hearth_client_timeout_ms(client));       (with whatever else you wait for)
 *         hearth_dispatch(client, &err);
 *     }
 *
 * A request is known by its id, a number that is never used twice on a client: nothing dangles.
 * Each submitted request ends with exactly one on_done, whatever happens; it never comes from
 * hearth_submit() itself. Only hearth_disconnect() forgets requests without a word. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_EVENT_H
#define HEARTH_EVENT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Requests that may be open on one client. The daemon has limits of its own (1024 on a connection,
 * queue_limit for a model): what is above them ends with HEARTH_E_QUEUE_FULL in its on_done. */
#define HEARTH_MAX_OPEN_REQUESTS 16384

/**
 * Submits a request: @task with 1 to 32 inputs (generate: one), or a chat; hearth_submit_tensors()
 * is for those without a text. Rerank takes params->query, choice params->choices. Never blocks;
 * sends what the socket takes. Nothing passed in is kept but the callbacks and params->arg.
 * *@ret_request
 * (@ret_request may be NULL) is its id, never 0.
 *
 * Returns 0: on_done will be called. HEARTH_E_QUEUE_FULL: what this client has to send is more than
 * the daemon takes now (3 MiB wait), or HEARTH_MAX_OPEN_REQUESTS are open: submit again after a
 * dispatch; hearth_client_wanted_events() has POLLOUT as long as something waits. Else as the calls
 * of request.h, for what is known without the daemon; on_done is not called then.
 */
HEARTH_API int hearth_submit(hearth_client *client, enum hearth_task task,
                             const hearth_input *inputs, size_t count,
                             const hearth_request_params *params, uint64_t *ret_request,
                             hearth_error *err);
HEARTH_API int hearth_submit_chat(hearth_client *client, const hearth_chat_message *messages,
                                  size_t count, const hearth_request_params *params,
                                  uint64_t *ret_request, hearth_error *err);

/** The same for hearth_infer_turns(). */
HEARTH_API int hearth_submit_turns(hearth_client *client, enum hearth_task task,
                                   const hearth_turn *turns, size_t count,
                                   const hearth_request_params *params, uint64_t *ret_request,
                                   hearth_error *err);

/**
 * Asks the daemon to end a request. It still ends with its on_done: HEARTH_E_CANCELLED, or its
 * result if that came first. Any thread, and callbacks; not a signal handler. Returns at once;
 * within a second if it comes from another thread while the daemon does not read.
 * HEARTH_E_NO_REQUEST if no such request is open, HEARTH_E_DISCONNECTED, HEARTH_E_QUEUE_FULL.
 */
HEARTH_API int hearth_cancel_request(hearth_client *client, uint64_t request, hearth_error *err);

/** How many submitted requests have not ended yet. */
HEARTH_API size_t hearth_client_open_requests(const hearth_client *client);

/**
 * What to wait for: the descriptor (-1 while there is no connection; poll() ignores that), POLLIN
 * and POLLOUT as poll() has them, and the time after which hearth_dispatch() has something to do
 * although nothing came (-1: never). Ask for all three before each wait: every call may change
 * them. The descriptor belongs to the client; watch it, do nothing else with it.
 */
HEARTH_API int hearth_client_fd(const hearth_client *client);
HEARTH_API int hearth_client_wanted_events(hearth_client *client);
HEARTH_API int hearth_client_timeout_ms(hearth_client *client);

/**
 * Sends and receives what can be done without waiting, ends requests whose time is over, and calls
 * the callbacks of the requests that progressed. To call it too often is harmless.
 *
 * Returns 0; also when the daemon has closed a connection on which no request was open (the next
 * submit connects again). HEARTH_E_DISCONNECTED if requests were under way: their callbacks were
 * called. What hearth_connect() returns, if the daemon refused the session. HEARTH_E_BUSY in a
 * callback.
 */
HEARTH_API int hearth_dispatch(hearth_client *client, hearth_error *err);

/**
 * For programs without a loop: dispatches until no submitted request is open. @timeout_ms 0 waits
 * without a limit. HEARTH_E_EXPIRED if some are still open then (nothing happens to them); else as
 * hearth_dispatch().
 */
HEARTH_API int hearth_wait(hearth_client *client, uint32_t timeout_ms, hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
