/* link.c — the ring of one worker in the loop: messages in, a bounded number per wake-up; messages
 * out, kept in order in the outbox while the ring has no room.                                   */

#include "pool_priv.h"

#include "hearth_log.h"
#include <string.h>

#define MESSAGES_PER_WAKE 32u
#define NS_PER_WAKE       (HEARTH_NS_PER_MS / 2)
#define MAX_OUTBOX_BYTES  (2u * HEARTH_MAX_RING_MESSAGE_BYTES)
#define OUTBOX_KEEP_BYTES (64u << 10) /* an empty outbox larger than this is given back */

/* ---- in ----------------------------------------------------------------------------------- */

static struct hearth_ticket *ticket_of(struct worker *worker, uint64_t id)
{
    HEARTH_LIST_EACH(struct hearth_ticket, link, ticket, &worker->tickets) {
        if (ticket->id == id) {
            return ticket;
        }
    }
    return NULL;
}

static void take_chunk(struct worker *worker, const struct hearth_wire_stream_chunk *chunk)
{
    struct hearth_ticket *ticket = ticket_of(worker, chunk->request_id);
    if (ticket == NULL) {
        worker_break(worker, "chunk for a request that it does not have");
        return;
    }
    const char *wrong = answer_check_chunk(ticket, &worker->rules, chunk);
    if (wrong != NULL) {
        worker_break(worker, wrong);
        return;
    }
    worker->pool->events->on_chunk(worker->pool->arg, ticket, chunk);
}

static void discard_all(int *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        hearth_fd_discard(&fds[i]);
    }
}

/* The memfds that @tensors claim, each looked at as if a stranger had sent it. Returns what is
 * wrong (then none is left), or NULL. */
static const char *take_memfds(struct worker *worker, uint64_t ticket,
                               struct hearth_wire_list tensors, int fds[HEARTH_MAX_TENSORS],
                               uint32_t *ret_count)
{
    uint64_t bytes[HEARTH_MAX_TENSORS];
    uint32_t count = hearth_wire_memfds(tensors, bytes);
    *ret_count = 0;
    if (count == 0) {
        return NULL;
    }
    if (hearth_ring_receive_fds(worker->ring, ticket, fds, count) < 0) {
        return "memfds of an answer did not come";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (hearth_memfd_check_data(fds[i], bytes[i], NULL) < 0) {
            discard_all(fds, count);
            return "memfd that is not what its tensor says";
        }
    }
    *ret_count = count;
    return NULL;
}

static void take_end(struct worker *worker, const struct hearth_wire_inference_response *response)
{
    struct hearth_ticket *ticket = ticket_of(worker, response->request_id);
    int fds[HEARTH_MAX_TENSORS];
    uint32_t fd_count = 0;
    if (ticket == NULL) {
        worker_break(worker, "end of a request that it does not have");
        return;
    }
    const char *wrong = answer_check_end(ticket, &worker->rules, response);
    if (wrong == NULL) {
        wrong = take_memfds(worker, ticket->id, response->tensors, fds, &fd_count);
    }
    if (wrong != NULL) {
        worker_break(worker, wrong);
        return;
    }
    struct hearth_wire_inference_response told = *response;
    struct hearth_error err = {0};
    if (-(int)response->code == HEARTH_E_NO_MEMORY) {
        told.code = (uint16_t)-worker_no_room(worker, "ask", &err);
        told.error = hearth_slice_of_string(err.text);
    }
    worker->deaths_without_answer = 0;
    hearth_list_remove(&ticket->link);
    worker->pool->events->on_end(worker->pool->arg, ticket, &told, fds, fd_count);
    discard_all(fds, fd_count);
}

static void dispatch(struct worker *worker, const struct hearth_message *message)
{
    bool is_serving = worker->phase == WORKER_SERVING || worker->phase == WORKER_STOPPING;
    if (message->type == HEARTH_MSG_stream_chunk && is_serving) {
        take_chunk(worker, &message->as.stream_chunk);
    } else if (message->type == HEARTH_MSG_inference_response && is_serving) {
        take_end(worker, &message->as.inference_response);
    } else if (message->type == HEARTH_MSG_worker_hello) {
        worker_hello(worker, &message->as.worker_hello);
    } else if (message->type == HEARTH_MSG_worker_need) {
        worker_need(worker, &message->as.worker_need);
    } else if (message->type == HEARTH_MSG_worker_ready) {
        worker_ready(worker, &message->as.worker_ready);
    } else if (message->type == HEARTH_MSG_worker_failed) {
        worker_failed(worker, &message->as.worker_failed);
    } else {
        worker_break(worker, "message of a kind that is not its turn");
    }
}

/* Takes one message; 0, HEARTH_E_NOT_READY, or what broke the link. */
static int take_one(struct worker *worker)
{
    struct hearth_buf *inbound = &worker->pool->inbound;
    struct hearth_message message;
    struct hearth_error err = {0};
    int rc = hearth_ring_receive(worker->ring, inbound);
    if (rc < 0) {
        return rc;
    }
    rc = hearth_wire_decode(hearth_buf_slice(inbound), &message, &err);
    if (rc == 0) {
        dispatch(worker, &message);
    }
    hearth_buf_wipe(inbound);
    return rc == 0 ? 0 : HEARTH_E_MALFORMED;
}

static bool is_dead(const struct worker *worker)
{
    return worker->ring == NULL;
}

/* From now on each round of the loop looks into its ring, until we announce that we sleep. */
static void stay_awake(struct worker *worker)
{
    if (hearth_list_is_empty(&worker->awake)) {
        hearth_ring_stay_awake(worker->ring);
        hearth_list_append(&worker->pool->awake, &worker->awake);
        worker->pool->awake_count++;
    }
}

static void stop_looking(struct worker *worker)
{
    if (!hearth_list_is_empty(&worker->awake)) {
        hearth_list_remove(&worker->awake);
        worker->pool->awake_count--;
    }
}

static void flush_outbox(struct worker *worker);

/* A bounded number; the rest in the next round. */
static void take_some(struct worker *worker)
{
    uint64_t begin_ns = hearth_clock_ns();
    for (unsigned i = 0; i < MESSAGES_PER_WAKE; i++) {
        int rc = take_one(worker);
        if (is_dead(worker)) {
            return; /* a callback or a broken rule ended it */
        }
        if (rc == HEARTH_E_NOT_READY) {
            flush_outbox(worker);
            return;
        }
        if (rc < 0) {
            stop_looking(worker); /* nothing more is taken from it */
            worker_break(worker, rc == HEARTH_E_NO_MEMORY ? "no memory here for its message"
                                                          : "message that cannot be decoded");
            return;
        }
        if (hearth_clock_ns() - begin_ns > NS_PER_WAKE) {
            return;
        }
    }
}

static void on_ring(void *arg, unsigned events)
{
    struct worker *worker = HEARTH_CAST(struct worker, arg, WORKER_MAGIC);
    bool is_open = hearth_ring_cancel_sleep(worker->ring);
    stay_awake(worker);
    if (!is_open || (events & HEARTH_READY_END) != 0) {
        /* Its end is closed; the pidfd tells when it is really gone. */
        hearth_loop_unwatch(worker->pool->loop, &worker->ring_watch);
    }
    take_some(worker);
}

/* ---- rings of workers that need not wake us ---------------------------------------------- */

/* The one worker that is worth polling: the only one that owes an answer. Of several, one could
 * answer while another is polled for. */
static struct worker *expected(const struct hearth_pool *pool)
{
    struct worker *found = NULL;
    HEARTH_LIST_EACH(struct worker, awake, worker, &pool->awake) {
        if (!hearth_list_is_empty(&worker->tickets)) {
            if (found != NULL) {
                return NULL;
            }
            found = worker;
        }
    }
    return found;
}

/* Announces to all that we sleep; false if one of them has a message meanwhile. */
static bool go_to_sleep(struct hearth_pool *pool)
{
    HEARTH_LIST_EACH(struct worker, awake, worker, &pool->awake) {
        if (!hearth_ring_prepare_sleep(worker->ring)) {
            return false;
        }
        stop_looking(worker);
    }
    return true;
}

enum hearth_look pool_look(void *arg, bool may_poll)
{
    struct hearth_pool *pool = HEARTH_CAST(struct hearth_pool, arg, POOL_MAGIC);
    HEARTH_LIST_EACH(struct worker, awake, worker, &pool->awake) {
        if (hearth_ring_has_message(worker->ring)) {
            return HEARTH_LOOK_READY;
        }
    }
    struct worker *worker = expected(pool);
    if (!may_poll && worker != NULL && hearth_ring_is_worth_polling(worker->ring)) {
        return HEARTH_LOOK_SOON;
    }
    bool has_come = may_poll && worker != NULL && hearth_ring_poll(worker->ring);
    return has_come || !go_to_sleep(pool) ? HEARTH_LOOK_READY : HEARTH_LOOK_NOTHING;
}

/* One worker after the other; each may end by what it said, and others by that. */
bool pool_take(void *arg)
{
    struct hearth_pool *pool = HEARTH_CAST(struct hearth_pool, arg, POOL_MAGIC);
    bool has_taken = false;
    for (uint32_t left = pool->awake_count; left > 0; left--) {
        struct worker *worker = HEARTH_LIST_FIRST(struct worker, awake, &pool->awake);
        if (worker == NULL) {
            break;
        }
        hearth_list_remove(&worker->awake);
        hearth_list_append(&pool->awake, &worker->awake);
        if (hearth_ring_has_message(worker->ring)) {
            take_some(worker);
            has_taken = true;
        }
    }
    return has_taken;
}

bool worker_drain_link(struct worker *worker)
{
    uint64_t begin_ns = hearth_clock_ns();
    while (worker->ring != NULL && worker->phase != WORKER_GONE && take_one(worker) == 0) {
        if (hearth_clock_ns() - begin_ns > NS_PER_WAKE) {
            return false;
        }
    }
    return true;
}

/* ---- out ---------------------------------------------------------------------------------- */

static void flush_outbox(struct worker *worker)
{
    struct hearth_buf *outbox = &worker->outbox;
    size_t at = 0;
    while (at < outbox->size) {
        uint32_t size;
        memcpy(&size, outbox->data + at, sizeof size);
        struct hearth_slice message = hearth_slice_of(outbox->data + at + sizeof size, size);
        int rc = hearth_ring_send(worker->ring, &message, 1);
        if (rc == HEARTH_E_QUEUE_FULL) {
            break;
        }
        if (rc < 0) {
            worker_break(worker, "ring that does not follow its rules");
            return;
        }
        at += sizeof size + size;
    }
    if (at == 0) {
        return;
    }
    hearth_wipe(outbox->data, at);
    hearth_buf_consume(outbox, at);
    if (outbox->size == 0) {
        if (outbox->room > OUTBOX_KEEP_BYTES) {
            hearth_buf_finish(outbox);
        }
        worker->pool->events->on_change(worker->pool->arg, worker->model);
    }
}

static int keep_for_later(struct worker *worker, struct hearth_slice message)
{
    uint32_t size = (uint32_t)message.size;
    struct hearth_buf *outbox = &worker->outbox;
    int rc = hearth_buf_reserve(outbox, sizeof size + message.size);
    rc = rc < 0 ? rc : hearth_buf_append(outbox, &size, sizeof size);
    return rc < 0 ? rc : hearth_buf_append(outbox, message.data, message.size);
}

int worker_post_bytes(struct worker *worker, struct hearth_slice bytes)
{
    if (worker->ring == NULL) {
        return HEARTH_E_NOT_READY;
    }
    if (bytes.size > HEARTH_MAX_RING_MESSAGE_BYTES) {
        return HEARTH_E_TOO_LARGE;
    }
    stay_awake(worker); /* an answer may come soon */
    int rc =
        worker->outbox.size == 0 ? hearth_ring_send(worker->ring, &bytes, 1) : HEARTH_E_QUEUE_FULL;
    return rc == HEARTH_E_QUEUE_FULL ? keep_for_later(worker, bytes) : rc;
}

/* Descriptors go first: who reads the request finds them. Should the request not follow, the worker
 * skips them. */
int worker_post_request(struct worker *worker, uint64_t ticket, struct hearth_slice bytes,
                        const int *fds, uint32_t fd_count)
{
    if (worker->ring == NULL) {
        return HEARTH_E_NOT_READY;
    }
    if (bytes.size > HEARTH_MAX_RING_MESSAGE_BYTES) {
        return HEARTH_E_TOO_LARGE;
    }
    int rc = fd_count == 0 ? 0 : hearth_ring_send_fds(worker->ring, ticket, fds, fd_count);
    if (rc < 0) {
        return rc == HEARTH_E_NOT_READY ? HEARTH_E_BUSY : rc;
    }
    return worker_post_bytes(worker, bytes);
}

int worker_post(struct worker *worker, const struct hearth_message *message)
{
    struct hearth_buf *scratch = &worker->pool->scratch;
    hearth_buf_clear(scratch);
    int rc = hearth_wire_encode(message, scratch);
    rc = rc < 0 ? rc : worker_post_bytes(worker, hearth_buf_slice(scratch));
    hearth_buf_wipe(scratch);
    return rc;
}

/* ---- life of the link --------------------------------------------------------------------- */

int worker_open_link(struct worker *worker, struct hearth_error *err)
{
    hearth_buf_init(&worker->outbox, MAX_OUTBOX_BYTES);
    return hearth_ring_create(HEARTH_RING_DATA_BYTES, HEARTH_MAX_RING_MESSAGE_BYTES, &worker->ring,
                              err);
}

int worker_watch_link(struct worker *worker, struct hearth_error *err)
{
    struct hearth_loop *loop = worker->pool->loop;
    int rc = hearth_loop_watch(loop, &worker->ring_watch, hearth_ring_wake_fd(worker->ring),
                               HEARTH_READY_IN, on_ring, worker, err);
    if (rc == 0) {
        stay_awake(worker);
    }
    return rc;
}

void worker_close_link(struct worker *worker)
{
    if (worker->ring == NULL) {
        return;
    }
    hearth_loop_unwatch(worker->pool->loop, &worker->ring_watch);
    stop_looking(worker);
    hearth_ring_destroy(worker->ring);
    worker->ring = NULL;
    hearth_buf_wipe(&worker->outbox);
    hearth_buf_finish(&worker->outbox);
}
