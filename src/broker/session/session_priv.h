/* session_priv.h — connections, requests and waiters, and what the files of this room call. */

#ifndef HEARTH_SESSION_PRIV_H
#define HEARTH_SESSION_PRIV_H

#include "hearth_config.h"
#include "hearth_health.h"
#include "hearth_pool.h"
#include "hearth_sched.h"
#include "hearth_session.h"
#include "hearth_transport.h"

#define SERVER_MAGIC     0x53525652u
#define CONNECTION_MAGIC 0x434f4e4eu
#define REQUEST_MAGIC    0x52455155u

#define MAX_OPEN_REQUESTS  1024u        /* of one connection */
#define MAX_WAITERS        64u          /* loads and unloads that one connection awaits */
#define MAX_QUEUED_BYTES   (256u << 20) /* of all requests that wait */
#define MAX_OUTBOUND_BYTES (HEARTH_MAX_FRAME_BYTES + (64u << 10))
#define LAST_WORDS_BYTES   1024u /* kept free for the reason of a cut */
#define FIRST_FRAME_BYTES  4096u /* of a frame before the handshake */
#define CLOSE_GRACE_MS     5000u /* for a client to read why it is closed */
#define UNLOAD_GRACE_MS    10000u
#define LEASE_RAISE_MS     50u         /* a share of threads grows only after a pause */
#define REQUEST_KEEP_BYTES (64u << 10) /* a free request with a larger buffer gives it back */
#define REQUESTS_KEPT      256u        /* free requests; with their buffers 16 MiB at the most */
#define RESCAN_PAUSE_NS    HEARTH_NS_PER_SEC

enum connection_state {
    CONNECTION_NEW,     /* no handshake yet */
    CONNECTION_OPEN,    /* has a session */
    CONNECTION_CLOSING, /* last bytes go out; nothing is read */
};

struct connection {
    uint32_t magic;
    enum connection_state state;
    struct hearth_server *server;
    struct hearth_list link;
    int fd;
    struct hearth_peer peer;
    struct hearth_watch watch;
    struct hearth_timer close_timer;
    struct hearth_deferred more; /* the reader holds more than one wake-up may take */
    struct hearth_frame_reader reader;
    struct hearth_frame_queue queue;
    struct hearth_list requests;
    uint32_t open_count;
    struct hearth_list waiters;
    uint32_t waiter_count;
};

/** One inference request from admission to terminal. */
struct request {
    uint32_t magic;
    uint32_t slot; /* of its model: its lane */
    struct hearth_server *server;
    struct hearth_job job;
    struct hearth_ticket ticket;
    struct connection *client;    /* NULL: it has gone; the answer goes nowhere */
    uint64_t client_id;           /* as the client calls it */
    struct hearth_list of_client; /* or, while free, of the server's free ones */
    struct hearth_buf bytes;      /* what the worker will get; wiped when it has it */
    uint64_t admitted_ns;
    uint64_t started_ns; /* 0 until a worker has it */
    uint64_t first_ns;   /* 0 until the first piece */
    bool is_cancelled;
    bool is_overdue;
};

/** A client that awaits the end of a load or an unload. */
struct waiter {
    struct hearth_list link;
    struct connection *client;
    uint64_t client_id;
    uint32_t slot;
    bool is_load;
};

/** What is remembered of one lane for the list of models. */
struct lane_record {
    uint64_t ended;
    uint64_t total_ns;
};

struct hearth_server {
    uint32_t magic;
    struct hearth_server_parts parts;
    void (*on_end)(void *arg, const struct hearth_drain_result *result);
    void *arg;
    struct hearth_listener listener;
    struct hearth_watch listen_watch;
    struct hearth_pool *pool;
    struct hearth_sched sched;
    struct hearth_timer deadline_timer;
    struct hearth_timer lease_timer;
    struct hearth_timer drain_timer;
    struct hearth_timer accept_timer;
    struct hearth_list connections;
    uint32_t connection_count;
    struct hearth_list free_requests;
    uint32_t free_count;
    uint64_t last_ticket_id;
    uint64_t started_ns;
    uint64_t scanned_ns;
    struct lane_record records[HEARTH_MAX_MODELS];
    bool is_draining;
    bool is_ended;
    bool is_preloading;
    uint32_t cut;
};

/* The longest valid UTF-8 at the start of @text: formatting may have cut a character in two. */
static inline struct hearth_slice text_slice(const char *text)
{
    struct hearth_slice slice = hearth_slice_of_string(text);
    return hearth_slice_of(slice.data, hearth_utf8_valid_bytes(slice));
}

/* connection.c */
void connection_open(struct hearth_server *server, int fd);
void connection_destroy(struct connection *connection);
void connection_send(struct connection *connection, const struct hearth_message *message);
void connection_error(struct connection *connection, int code, uint64_t request_id,
                      const char *text);
void connection_close_after(struct connection *connection); /* what is queued goes out first */
void connection_refuse(int fd, int code, const char *text);

/* messages.c: one frame of a client */
void message_take(struct connection *connection, struct hearth_slice frame);

/* answers.c: what needs no state of its own */
void answer_handshake(struct connection *connection, const struct hearth_wire_handshake *asked);
void answer_health(struct connection *connection, const struct hearth_wire_health_check *asked);

/* models.c, loads.c */
void models_list(struct connection *connection);
void loads_load(struct connection *connection, const struct hearth_wire_load_request *asked);
void loads_unload(struct connection *connection, const struct hearth_wire_unload_request *asked);
void loads_settle(struct hearth_server *server, struct hearth_model *model);
void loads_forget(struct connection *connection);
void loads_refuse_all(struct hearth_server *server, int code);
void loads_rescan(struct hearth_server *server);

/* requests.c */
void request_admit(struct connection *connection,
                   const struct hearth_wire_inference_request *asked);
void request_refuse(struct connection *connection, uint64_t client_id, int code, const char *text);
void request_cancel(struct connection *connection, const struct hearth_wire_cancel_request *asked);
void request_chunk(struct request *request, const struct hearth_wire_stream_chunk *chunk);
void request_end(struct request *request, const struct hearth_wire_inference_response *response);
void request_fail(struct request *request, int code, const char *text);
void request_abandon(struct request *request); /* its client has gone */
void requests_free_all(struct hearth_server *server);

static inline struct request *request_of_job(struct hearth_job *job)
{
    struct request *request = HEARTH_CONTAINER(struct request, job, job);
    HEARTH_CHECK(request, REQUEST_MAGIC);
    return request;
}
static inline struct request *request_of_ticket(struct hearth_ticket *ticket)
{
    struct request *request = HEARTH_CONTAINER(struct request, ticket, ticket);
    HEARTH_CHECK(request, REQUEST_MAGIC);
    return request;
}

/* lanes.c */
void lane_dispatch(struct hearth_server *server, uint32_t slot);
void lane_fail_queued(struct hearth_server *server, uint32_t slot, int code, const char *text);
void lanes_arm_deadline(struct hearth_server *server);
void lanes_on_deadline(void *arg, uint64_t now_ns);
void lanes_on_lease(void *arg, uint64_t now_ns);
void lanes_ended(struct hearth_server *server, uint32_t slot); /* a running request has ended */

/* server.c */
void server_check_drained(struct hearth_server *server);
uint64_t server_now_ms(const struct hearth_server *server);

#endif
