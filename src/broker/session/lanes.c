/* lanes.c — between the scheduler, which decides, and the pool, which carries: handing jobs over,
 * deadlines, and the lease of cores.
 *
 * Cores: a lane with running requests has a lease of some of the cores (leases.h). A share that
 * shrinks is told at once; one that grows only after a pause, so that short requests of one model
 * do not make the others change their width all the time. So what workers were told never adds up
 * to more than the cores; a worker takes a smaller share over with its next step or run. */

#include "session_priv.h"

#include "hearth_log.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- lease -------------------------------------------------------------------------------- */

/* Tells each lane that computes its share; with @only_less, those that have more than that. */
static void apply_shares(struct hearth_server *server, bool only_less)
{
    struct hearth_loop *loop = server->parts.loop;
    for (uint32_t slot = 0; slot < HEARTH_SCHED_LANES; slot++) {
        uint32_t share = hearth_leases_share(&server->leases, slot);
        struct hearth_worker_info info;
        if (share == 0) {
            continue;
        }
        hearth_pool_info(server->pool, slot, &info);
        if (!only_less || info.threads > share) {
            hearth_pool_lease(server->pool, slot, share);
        } else if (info.threads < share) {
            hearth_loop_arm(loop, &server->lease_timer,
                            hearth_clock_deadline_ns(hearth_loop_now_ns(loop), LEASE_RAISE_MS));
        }
    }
}

/* May the lane begin something? When it begins to compute, the others have less from now on. */
static bool take_lease(struct hearth_server *server, uint32_t slot)
{
    uint64_t holders = server->leases.holders;
    bool may = hearth_leases_take(&server->leases, slot, server_now_ms(server));
    if (server->leases.holders != holders) {
        apply_shares(server, true);
    }
    return may;
}

/* A lane without running requests gives its lease back. */
static void settle_lease(struct hearth_server *server, uint32_t slot)
{
    if (hearth_sched_lane(&server->sched, slot)->running_count > 0 ||
        hearth_leases_share(&server->leases, slot) == 0) {
        return;
    }
    uint32_t next = hearth_leases_leave(&server->leases, slot);
    apply_shares(server, true);
    if (next != HEARTH_LEASE_NOBODY) {
        lane_dispatch_soon(server, next);
    }
}

void lanes_on_lease(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    apply_shares(HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC), false);
}

/* ---- handing over ------------------------------------------------------------------------- */

static uint32_t remaining_ms(const struct hearth_server *server, const struct request *request)
{
    uint64_t now_ms = server_now_ms(server);
    uint64_t left = request->job.deadline_ms > now_ms ? request->job.deadline_ms - now_ms : 1;
    return (uint32_t)HEARTH_MIN(left, HEARTH_MAX_TIMEOUT_MS);
}

/* The bytes were checked when they came; the worker gets them with the time that is left. */
static int hand_over(struct hearth_server *server, struct request *request,
                     struct hearth_error *err)
{
    hearth_wire_patch(request->bytes.data, HEARTH_MSG_inference_request,
                      offsetof(struct hearth_wire_inference_request, timeout_ms),
                      remaining_ms(server, request));
    if (request->job.rank != request->job.priority) { /* it is aged: nothing shall hold it up */
        hearth_wire_patch(request->bytes.data, HEARTH_MSG_inference_request,
                          offsetof(struct hearth_wire_inference_request, priority),
                          request->job.rank);
    }
    request->started_ns = hearth_clock_ns();
    int rc = hearth_pool_send(server->pool, request->slot, &request->ticket,
                              hearth_buf_slice(&request->bytes), request->memfds.fds,
                              request->memfds.count, err);
    hearth_buf_wipe(&request->bytes);
    memfds_release(server, request->client, &request->memfds);
    measure_start(request);
    return rc;
}

void lane_dispatch(struct hearth_server *server, uint32_t slot)
{
    while (hearth_sched_lane(&server->sched, slot)->queued_count > 0 &&
           hearth_pool_has_room(server->pool, slot) && take_lease(server, slot)) {
        struct hearth_job *job = hearth_sched_next(&server->sched, slot, server_now_ms(server));
        if (job == NULL) {
            break;
        }
        struct hearth_error err = {0};
        struct request *request = request_of_job(job);
        int rc = hand_over(server, request, &err);
        if (rc < 0) {
            request_fail(request, rc, err.text);
        }
    }
    settle_lease(server, slot);
}

/* A large request is copied to the worker in a callback of its own. */
void lane_dispatch_soon(struct hearth_server *server, uint32_t slot)
{
    server->lanes_due |= UINT64_C(1) << slot;
    hearth_loop_defer(server->parts.loop, &server->dispatch_more);
}

void lanes_on_dispatch(void *arg)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    uint64_t due = server->lanes_due;
    server->lanes_due = 0;
    for (uint32_t slot = 0; due != 0; slot++, due >>= 1) {
        if ((due & 1) != 0) {
            lane_dispatch(server, slot);
        }
    }
    lanes_arm_deadline(server);
}

void lanes_ended(struct hearth_server *server, uint32_t slot)
{
    if (server->leases.waiting_count > 0) { /* who waits for it goes before what is next here */
        settle_lease(server, slot);
    }
    lane_dispatch(server, slot);
    lanes_arm_deadline(server);
}

/* What waits now is doomed at once, so that no worker gets it; each is told in its turn. */
void lane_fail_queued(struct hearth_server *server, uint32_t slot, int code, const char *text)
{
    struct doom *doom = &server->dooms[slot];
    if (hearth_sched_lane(&server->sched, slot)->queued_count == 0) {
        return;
    }
    hearth_sched_doom(&server->sched, slot);
    doom->code = code;
    snprintf(doom->text, sizeof doom->text, "%s", text);
    hearth_loop_defer(server->parts.loop, &server->doom_more);
}

void lanes_on_doom(void *arg)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    uint64_t begun_ns = hearth_clock_ns();
    uint32_t ended = 0;
    for (uint32_t slot = 0; slot < HEARTH_SCHED_LANES; slot++) {
        struct hearth_job *job;
        while ((job = hearth_sched_first_doomed(&server->sched, slot)) != NULL) {
            if (!slice_has_room(ended++, begun_ns)) {
                hearth_loop_defer(server->parts.loop, &server->doom_more);
                return;
            }
            request_fail(request_of_job(job), server->dooms[slot].code, server->dooms[slot].text);
        }
    }
    lanes_arm_deadline(server);
}

/* ---- deadlines ---------------------------------------------------------------------------- */

void lanes_arm_deadline(struct hearth_server *server)
{
    uint64_t deadline_ms = hearth_sched_next_deadline(&server->sched);
    if (deadline_ms == HEARTH_SCHED_NEVER) {
        hearth_loop_disarm(server->parts.loop, &server->deadline_timer);
        return;
    }
    hearth_loop_arm(server->parts.loop, &server->deadline_timer, deadline_ms * HEARTH_NS_PER_MS);
}

/* A running request is cancelled at its deadline. If the worker does not let go of it for a long
 * time after that, it hangs, and is killed. */
static void expire_running(struct hearth_server *server, struct request *request)
{
    uint64_t again_ms = server_now_ms(server) + server->parts.config->hang_timeout_ms;
    hearth_sched_set_deadline(&server->sched, &request->job, again_ms);
    if (!request->is_overdue) {
        request->is_overdue = true;
        request->is_cancelled = true;
        hearth_pool_cancel(server->pool, &request->ticket);
        return;
    }
    struct hearth_model *model = hearth_registry_at(server->parts.registry, request->slot);
    HEARTH_ASSERT(model != NULL);
    hearth_pool_kill(server->pool, model, "a request does not end after its deadline");
}

void lanes_on_deadline(void *arg, uint64_t now_ns)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    struct hearth_job *job;
    uint64_t begun_ns = hearth_clock_ns();
    uint32_t ended = 0;
    while (slice_has_room(ended++, begun_ns) &&
           (job = hearth_sched_due(&server->sched, now_ns / HEARTH_NS_PER_MS)) != NULL) {
        struct request *request = request_of_job(job);
        if (job->state == HEARTH_JOB_QUEUED) {
            request_fail(request, HEARTH_E_EXPIRED, "the deadline passed while the request waited");
        } else {
            expire_running(server, request);
        }
    }
    lanes_arm_deadline(server); /* if more are due: for the next round */
}
