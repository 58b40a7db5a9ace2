/* notices.c — telling those who asked for it where they stand in the queue: at once, and each
 * second while that changes. The timer is armed only while such a request waits. */

#include "session_priv.h"

#include "hearth_log.h"

static void tell(struct request *request)
{
    struct hearth_sched_place place;
    hearth_sched_place(&request->server->sched, &request->job, &place);
    if (place.position == request->told_position) {
        return;
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_queue_notice,
        .as.queue_notice = {.request_id = request->client_id,
                            .position = place.position,
                            .expected_wait_ms = place.expected_wait_ms}};
    request->told_position = place.position;
    connection_send(request->client, &message);
}

static void arm(struct hearth_server *server)
{
    struct hearth_loop *loop = server->parts.loop;
    if (!hearth_list_is_empty(&server->noticed) && !server->notice_timer_armed) {
        server->notice_timer_armed = true;
        hearth_loop_arm(loop, &server->notice_timer,
                        hearth_clock_deadline_ns(hearth_loop_now_ns(loop), NOTICE_MS));
    }
}

void notices_begin(struct request *request)
{
    request->told_position = UINT32_MAX;
    hearth_list_append(&request->server->noticed, &request->of_noticed);
}

void notices_look(struct hearth_server *server, struct request *request)
{
    if (server->noticed.prev != &request->of_noticed) {
        return; /* it did not ask, or has ended */
    }
    if (request->job.state == HEARTH_JOB_QUEUED) {
        tell(request);
        arm(server);
    } else {
        hearth_list_remove(&request->of_noticed);
    }
}

void notices_on_timer(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    uint64_t begun_ns = hearth_clock_ns();
    uint32_t done = 0;
    server->notice_timer_armed = false;
    HEARTH_LIST_EACH(struct request, of_noticed, request, &server->noticed) {
        if (request->job.state != HEARTH_JOB_QUEUED || request->client == NULL) {
            hearth_list_remove(&request->of_noticed);
        } else if (slice_has_room(done++, begun_ns)) {
            tell(request);
        } else { /* the others first, the next time */
            hearth_list_remove(&server->noticed);
            hearth_list_insert_before(&request->of_noticed, &server->noticed);
            break;
        }
    }
    arm(server);
}
