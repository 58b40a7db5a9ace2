/* serve_priv.h — the worker as its files see it. */

#ifndef HEARTH_SERVE_PRIV_H
#define HEARTH_SERVE_PRIV_H

#include "hearth_serve.h"

#include "hearth_os.h"
#include "hearth_sandbox.h"
#include "hearth_transport.h"
#include "hearth_wire.h"
#include "inbox.h"

#include <pthread.h>
#include <stdatomic.h>

#define SERVE_MAX_RUN_THREADS 64u

/* What goes to the broker. Run threads and the link thread send; the lock also guards the ring. */
struct outbox_shared {
    pthread_mutex_t lock;
    pthread_cond_t has_room;
    struct hearth_ring *ring;
    struct hearth_buf scratch; /* the message that is being sent */
    struct hearth_buf waiting; /* u32 size, message; …: sent when the ring has room again */
    bool is_broken;            /* the broker does not read any more: the worker ends */
};

struct hearth_worker {
    const struct hearth_engine_ops *ops;
    struct hearth_engine_plan plan;
    struct hearth_arena strings; /* labels of the plan */
    char digests[HEARTH_MAX_MODEL_FILES][HEARTH_SHA256_HEX_BYTES + 1];
    uint64_t memory_limit_bytes;
    bool is_strict;
    const char *engine_version;
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    struct outbox_shared outbox;
    struct hearth_buf message; /* the one just received */

    struct hearth_engine *engine;
    struct hearth_engine_facts facts;
    struct hearth_inbox *inbox;
    struct hearth_loop *loop;
    struct hearth_watch ring_watch;
    struct hearth_watch event_watch;
    int event_fd; /* the last open request has ended */
    pthread_t run_threads[SERVE_MAX_RUN_THREADS];
    unsigned run_thread_count;
    atomic_bool must_stop; /* set by the link thread */

    pthread_mutex_t replies_lock;
    struct hearth_list spare_replies;
    uint32_t spare_reply_count;
    size_t spare_large_bytes; /* of the spare ones' buffers that are larger than usual */
    atomic_uint open_replies;
};

/* outbox.c */
int outbox_init(struct outbox_shared *outbox, struct hearth_error *err);
void outbox_finish(struct outbox_shared *outbox);
/* Sends, or keeps until there is room; waits for the broker only when much is kept already.
 * HEARTH_E_TOO_LARGE for a message that no ring takes; HEARTH_E_DISCONNECTED. */
int outbox_send(struct outbox_shared *outbox, const struct hearth_message *message);
/* The same; before it leave @count descriptors, which stay the caller's, about the request @about.
 */
int outbox_send_fds(struct outbox_shared *outbox, const struct hearth_message *message,
                    uint64_t about, const int *fds, uint32_t count);
/* Ends the worker soon: the link thread sees it at its next step. */
void outbox_give_up(struct outbox_shared *outbox);
/* The link thread's: take the next message; announce sleep; wake up and send what waited. */
int outbox_receive(struct outbox_shared *outbox, struct hearth_buf *message);
bool outbox_prepare_sleep(struct outbox_shared *outbox);
bool outbox_wake(struct outbox_shared *outbox); /* false: the broker is gone */

/* reply.c */
struct reply;
extern const struct hearth_sink reply_sink; /* its arg is set by link.c */
int reply_open(struct hearth_worker *worker, const struct hearth_wire_inference_request *request,
               struct reply **ret);
void reply_discard(struct reply *reply);
void reply_refuse(struct hearth_worker *worker, uint64_t request_id, int code,
                  const struct hearth_error *err);
void reply_free_spare(struct hearth_worker *worker);

/* verify.c */
void verify_preload(void);
int verify_files(const struct hearth_worker *worker, struct hearth_error *err);

/* link.c */
int link_wait(struct hearth_worker *worker, struct hearth_message *ret, struct hearth_error *err);

#endif
