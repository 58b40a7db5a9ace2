/* link.c — the link thread: messages in, deadlines, and the end of the worker.
 *
 * It sleeps on the ring's wake descriptor and on an event that says "the last request has ended";
 * a timeout is only set when an open request has a deadline. */

#include "serve_priv.h"

#include <stdio.h>

#define MESSAGES_A_ROUND 64u /* before deadlines are looked at again */

/* ---- before the loop exists ------------------------------------------------------------------ */

/* Takes the next message, sleeping until there is one. */
int link_wait(struct hearth_worker *worker, struct hearth_message *ret, struct hearth_error *err)
{
    struct outbox_shared *outbox = &worker->outbox;
    int rc = outbox_receive(outbox, &worker->message);
    while (rc == HEARTH_E_NOT_READY) {
        if (outbox_prepare_sleep(outbox)) {
            rc = hearth_fd_wait(hearth_ring_wake_fd(outbox->ring), HEARTH_READY_IN, HEARTH_NEVER,
                                NULL);
            if (rc != 0 || !outbox_wake(outbox)) {
                return hearth_fail(err, HEARTH_E_DISCONNECTED, "the broker is gone");
            }
        }
        rc = outbox_receive(outbox, &worker->message);
    }
    if (rc != 0) {
        return hearth_fail(err, rc, "receive from the broker");
    }
    return hearth_wire_decode(hearth_buf_slice(&worker->message), ret, err);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* The descriptors that the broker sent before @request, as many as it claims. */
static int take_memfds(struct hearth_worker *worker,
                       const struct hearth_wire_inference_request *request,
                       int fds[HEARTH_MAX_TENSORS], uint32_t *ret_count, struct hearth_error *err)
{
    uint64_t bytes[HEARTH_MAX_TENSORS];
    uint32_t count = hearth_wire_memfds(request->tensors, bytes);
    *ret_count = 0;
    if (count == 0) {
        return 0;
    }
    int rc = hearth_ring_receive_fds(worker->outbox.ring, request->request_id, fds, count);
    *ret_count = rc == 0 ? count : 0;
    return rc == 0 ? 0
                   : hearth_fail(err, HEARTH_E_INTERNAL, "the memfds of a request did not come");
}

/* Puts @request into the inbox; with *@ret_item, it is for this thread to answer. */
static int push_request(struct hearth_worker *worker,
                        const struct hearth_wire_inference_request *request, struct reply *reply,
                        struct hearth_item **ret_item, struct hearth_error *err)
{
    const struct hearth_engine_ops *ops = worker->ops;
    struct hearth_slice frame = hearth_buf_slice(&worker->message);
    uint64_t deadline_ns = HEARTH_NEVER;
    int fds[HEARTH_MAX_TENSORS];
    uint32_t fd_count = 0;
    if (request->timeout_ms != 0) {
        deadline_ns = hearth_clock_deadline_ns(hearth_clock_ns(), request->timeout_ms);
    }
    int rc = take_memfds(worker, request, fds, &fd_count, err);
    if (rc != 0) {
        return rc;
    }
    if (fd_count > 0) {
        rc = hearth_inbox_push_memfds(worker->inbox, frame, deadline_ns, reply, fds, fd_count, err);
        for (uint32_t i = 0; i < fd_count; i++) {
            hearth_fd_close(&fds[i]); /* what is mapped needs none */
        }
        return rc;
    }
    /* Behind other requests a run thread is awake anyway, and this one must read. */
    bool is_cheap = ops->is_cheap != NULL && !hearth_ring_has_message(worker->outbox.ring) &&
                    ops->is_cheap(worker->engine, request);
    return is_cheap
               ? hearth_inbox_push_or_take(worker->inbox, frame, deadline_ns, reply, ret_item, err)
               : hearth_inbox_push(worker->inbox, frame, deadline_ns, reply, err);
}

static void take_request(struct hearth_worker *worker,
                         const struct hearth_wire_inference_request *request)
{
    struct hearth_error err = {0};
    struct reply *reply = NULL;
    struct hearth_item *item = NULL;
    int rc = reply_open(worker, request, &reply);
    if (rc != 0) {
        hearth_fail_oom(&err);
        reply_refuse(worker, request->request_id, rc, &err);
        return;
    }
    atomic_fetch_add(&worker->open_replies, 1);
    rc = push_request(worker, request, reply, &item, &err);
    if (item != NULL) {
        worker->ops->answer(worker->engine, item);
        hearth_inbox_progress(worker->inbox);
    }
    if (rc != 0) {
        atomic_fetch_sub(&worker->open_replies, 1);
        reply_discard(reply);
        reply_refuse(worker, request->request_id, rc, &err);
    }
}

static void take_lease(struct hearth_worker *worker, uint32_t threads)
{
    unsigned count = HEARTH_MAX(1u, HEARTH_MIN(threads, worker->plan.threads));
    if (worker->ops->set_threads != NULL) {
        worker->ops->set_threads(worker->engine, count);
    } else {
        hearth_inbox_set_width(worker->inbox, count);
    }
}

static void shed(struct hearth_worker *worker)
{
    if (worker->ops->shed != NULL) {
        worker->ops->shed(worker->engine);
        hearth_inbox_nudge(worker->inbox);
    }
}

static int take_message(struct hearth_worker *worker, struct hearth_error *err)
{
    struct hearth_message message = {0};
    int rc = hearth_wire_decode(hearth_buf_slice(&worker->message), &message, err);
    bool is_request = message.type == HEARTH_MSG_inference_request;
    if (is_request && (rc == HEARTH_E_TOO_LARGE || rc == HEARTH_E_INPUT_INVALID)) {
        reply_refuse(worker, message.as.inference_request.request_id, rc, err);
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    if (is_request) {
        take_request(worker, &message.as.inference_request);
    } else if (message.type == HEARTH_MSG_cancel_request) {
        hearth_inbox_cancel(worker->inbox, message.as.cancel_request.request_id);
    } else if (message.type == HEARTH_MSG_worker_lease) {
        take_lease(worker, message.as.worker_lease.threads);
    } else if (message.type == HEARTH_MSG_worker_shed) {
        shed(worker);
    } else if (message.type == HEARTH_MSG_worker_stop) {
        atomic_store(&worker->must_stop, true);
    } else {
        return hearth_fail(err, HEARTH_E_MALFORMED, "message %d where a request was due",
                           (int)message.type);
    }
    return 0;
}

/* Takes what has arrived, up to a budget; *@ret_is_empty: nothing is left. */
static int take_messages(struct hearth_worker *worker, bool *ret_is_empty, struct hearth_error *err)
{
    *ret_is_empty = false;
    for (unsigned i = 0; i < MESSAGES_A_ROUND; i++) {
        int rc = outbox_receive(&worker->outbox, &worker->message);
        if (rc == HEARTH_E_NOT_READY) {
            *ret_is_empty = true;
            hearth_buf_wipe(&worker->message);
            return 0;
        }
        rc = rc != 0 ? hearth_fail(err, rc, "receive from the broker") : take_message(worker, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_ring(void *arg HEARTH_UNUSED, unsigned events HEARTH_UNUSED)
{
    /* Waking is all: outbox_wake() follows each sleep. */
}

static void on_event(void *arg, unsigned events HEARTH_UNUSED)
{
    struct hearth_worker *worker = arg;
    hearth_event_drain(worker->event_fd);
}

static int sleep_until(struct hearth_worker *worker, uint64_t deadline_ns, struct hearth_error *err)
{
    if (!outbox_prepare_sleep(&worker->outbox)) {
        return 0;
    }
    int rc = hearth_loop_run_once(worker->loop, deadline_ns, err);
    if (rc == 0 && !outbox_wake(&worker->outbox)) {
        rc = hearth_fail(err, HEARTH_E_DISCONNECTED, "the broker is gone");
    }
    return rc;
}

static int run_loop(struct hearth_worker *worker, struct hearth_error *err)
{
    for (;;) {
        bool is_empty = false;
        int rc = take_messages(worker, &is_empty, err);
        if (rc == 0 && atomic_load(&worker->must_stop) && atomic_load(&worker->open_replies) == 0) {
            return 0;
        }
        uint64_t next_ns = hearth_inbox_expire(worker->inbox, hearth_clock_ns());
        if (rc == 0 && is_empty && !hearth_ring_poll(worker->outbox.ring)) {
            rc = sleep_until(worker, next_ns, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
}

/* ---- run threads ----------------------------------------------------------------------------- */

static void run_thread(void *arg)
{
    struct hearth_worker *worker = arg;
    worker->ops->work(worker->engine, worker->inbox);
}

static int start_run_threads(struct hearth_worker *worker, struct hearth_error *err)
{
    int rc = 0;
    while (rc == 0 && worker->run_thread_count < worker->facts.run_threads) {
        char name[16];
        snprintf(name, sizeof name, "run-%u", worker->run_thread_count);
        rc = hearth_thread_start(&worker->run_threads[worker->run_thread_count], name,
                                 worker->plan.nice, run_thread, worker, err);
        worker->run_thread_count += rc == 0 ? 1 : 0;
    }
    return rc;
}

static int set_up(struct hearth_worker *worker, struct hearth_error *err)
{
    struct hearth_sink sink = reply_sink;
    sink.arg = worker;
    int rc = hearth_inbox_create(&sink, worker->facts.is_longest_first, &worker->inbox, err);
    if (rc == 0) {
        hearth_inbox_tell_progress(worker->inbox, hearth_ring_steps(worker->outbox.ring));
        rc = hearth_event_create(&worker->event_fd, err);
    }
    if (rc == 0) {
        rc = hearth_loop_create(&worker->loop, err);
    }
    if (rc == 0) {
        rc = hearth_loop_watch(worker->loop, &worker->ring_watch,
                               hearth_ring_wake_fd(worker->outbox.ring), HEARTH_READY_IN, on_ring,
                               worker, err);
    }
    if (rc == 0) {
        rc = hearth_loop_watch(worker->loop, &worker->event_watch, worker->event_fd,
                               HEARTH_READY_IN, on_event, worker, err);
    }
    return rc != 0 ? rc : start_run_threads(worker, err);
}

int hearth_worker_serve(struct hearth_worker *worker, struct hearth_error *err)
{
    int rc = set_up(worker, err);
    if (rc == 0) {
        rc = run_loop(worker, err);
    }
    if (worker->inbox != NULL) {
        hearth_inbox_close(worker->inbox);
    }
    for (unsigned i = 0; i < worker->run_thread_count; i++) {
        hearth_thread_join(worker->run_threads[i]);
    }
    return rc;
}
