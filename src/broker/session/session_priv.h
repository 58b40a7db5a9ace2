/* session_priv.h — connections, requests and waiters, and what the files of this room call. */

#ifndef HEARTH_SESSION_PRIV_H
#define HEARTH_SESSION_PRIV_H

#include "hearth_config.h"
#include "hearth_health.h"
#include "hearth_pool.h"
#include "hearth_sched.h"
#include "hearth_session.h"
#include "hearth_transport.h"
#include "leases.h"

#define SERVER_MAGIC     0x53525652u
#define CONNECTION_MAGIC 0x434f4e4eu
#define REQUEST_MAGIC    0x52455155u

#define TICKET_BUCKETS     1024u
#define TOKEN_GUARDS       8u
#define MAX_OPEN_REQUESTS  1024u        /* of one connection */
#define MAX_WAITERS        64u          /* loads and unloads that one connection awaits */
#define MAX_QUEUED_BYTES   (256u << 20) /* of all requests that wait */
#define MAX_OUTBOUND_BYTES (HEARTH_MAX_FRAME_BYTES + (64u << 10))
#define LAST_WORDS_BYTES   1024u        /* kept free for the reason of a cut */
#define FIRST_FRAME_BYTES  4096u        /* of a frame before the handshake */
#define CLOSE_GRACE_MS     5000u        /* for a client to read why it is closed */
#define REFUSAL_WAIT_MS    100u         /* for the first words of one that is refused */
#define MAX_REFUSED        16u          /* that wait so; more are refused in V2 at once */
#define LARGE_BYTES        (128u << 10) /* such a request is not admitted and sent in one go */
#define SLICE_COUNT        64u /* requests that one callback ends, and how long that may take */
#define SLICE_NS           (HEARTH_NS_PER_MS / 2)
#define UNLOAD_GRACE_MS    10000u
#define LEASE_RAISE_MS     50u         /* a share of threads grows only after a pause */
#define REQUEST_BYTES      4096u       /* of a new buffer of a request */
#define REQUEST_KEEP_BYTES (64u << 10) /* larger ones are kept up to … */
#define REQUEST_MOST_BYTES (8u << 20)  /* … so much together */
#define REQUESTS_KEPT      256u        /* free requests and buffers: 16 MiB at the most */
#define NOTICE_MS          1000u
#define RESCAN_PAUSE_NS    HEARTH_NS_PER_SEC
#define SCAN_ENTRIES       8u          /* of a models folder, looked at in a row */
#define JSON_ROOM_BYTES    (64u << 20) /* most that one V1 message may take while it is handled */
#define JSON_KEEP_BYTES    (8u << 20)  /* of it, kept between messages: enough for the largest */

#define MAX_HELD_FDS           256u                /* of all clients, in this process */
#define MAX_CLIENT_MEMFD_BYTES (UINT64_C(2) << 30) /* of one client's requests that wait */
#define MOVED_OUT_BYTES        (8u << 10)          /* smaller tensors stay in a JSON answer */
#define MAX_UNREAD_MEMFD_BYTES (UINT64_C(1) << 30) /* of answers that lie in a client's socket */
#define MAX_UNREAD_FDS         256u                /* of them; one sending may go beyond it */
#define MAX_ALL_UNREAD_FDS     2048u               /* of all clients: then only who has read all */
#define HOLD_LOOK_MS           10u                 /* how often it is seen whether it reads */
#define MAX_MEMFD_BYTES        (UINT64_C(8) << 30) /* of all of them */

enum connection_state {
    CONNECTION_REFUSED, /* one too many: waits for its first words, to be refused in its encoding */
    CONNECTION_NEW,     /* no handshake yet */
    CONNECTION_OPEN,    /* has a session */
    CONNECTION_CLOSING, /* last bytes go out; nothing is read */
    CONNECTION_GONE,    /* its socket is closed; its requests are let go of in slices */
};

/** The descriptors of one request. */
struct memfds {
    int fds[HEARTH_MAX_TENSORS]; /* -1: was not kept */
    uint32_t count;
    uint64_t bytes; /* that they promise */
};

struct connection {
    uint32_t magic;
    enum connection_state state;
    uint16_t version; /* 0 until the handshake */
    bool is_json;     /* how it is answered; until the handshake as its last frame came */
    struct hearth_server *server;
    struct hearth_list link;
    int fd;
    struct hearth_peer peer;
    struct hearth_watch watch;
    struct hearth_deferred more; /* the reader holds more than one wake-up may take */
    struct hearth_timer timer;   /* one for all limits, see timeouts.c */
    uint64_t timer_at_ns;        /* 0: not armed */
    uint64_t active_ns;          /* its last whole frame or the last message to it */
    uint64_t frame_begun_ns;     /* 0: no frame is half here */
    uint64_t unread_since_ns;    /* 0: nothing waits to be sent; else when some was read last */
    uint64_t close_at_ns;        /* of a closing or refused one */
    int refusal;                 /* of a refused one: why */
    bool has_asked;              /* a whole frame came */
    bool has_input_ended;        /* the client sends nothing more and may still read */
    bool is_reader_dry;          /* no whole frame is left in the reader */
    bool is_flush_due;           /* before this round ends */
    bool awaits_list;            /* of the models; nothing more is taken until it is there */
    struct hearth_frame_reader reader;
    struct hearth_frame_queue queue;
    uint32_t unclaimed_fds;         /* open ones that the reader keeps */
    uint64_t memfd_bytes;           /* of its requests that wait */
    uint64_t unsent_memfd_bytes;    /* of answers, as long as any of them waits */
    uint64_t unread_memfd_bytes;    /* of those sent since the client had read all */
    uint32_t unread_fds;            /* the same, descriptors */
    struct hearth_timer hold_timer; /* armed while it must read before more of them go */
    bool is_held;
    struct hearth_slice frame;            /* the V2 frame that is being handled */
    char name[HEARTH_MAX_NAME_BYTES + 1]; /* as the client calls itself */
    struct hearth_list requests;
    struct flow *flows[HEARTH_MAX_MODELS]; /* what it asks of each lane; NULL: nothing yet */
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
    struct hearth_list of_ticket; /* in its bucket of the server's tickets */
    struct hearth_buf bytes;      /* what the worker will get; wiped when it has it */
    struct memfds memfds;         /* the same, beside it; closed then */
    struct hearth_buf choices;    /* that its ticket lends; wiped at its end */
    uint64_t admitted_ns;
    uint64_t started_ns;           /* 0 until a worker has it */
    uint64_t first_ns;             /* 0 until the first piece */
    uint64_t last_ns;              /* of the last piece */
    uint64_t cancelled_ns;         /* when its worker was told to end it; 0: it was not */
    uint32_t worst_gap_us;         /* between two pieces */
    uint32_t prompt_work;          /* of a generator: what its prompt is taken for */
    uint32_t served;               /* work that it is known to have got */
    uint32_t told_position;        /* in the last notice */
    struct hearth_list of_noticed; /* while it waits and its client wants to know its place */
    bool wants_times;              /* its flags ask for all of them */
    bool is_cancelled;
    bool is_overdue;
    bool is_call;        /* it counts in the server's calls … */
    uint64_t call_bytes; /* … with so much */
    bool is_warmup;      /* the daemon's own input; ends with a warmup_response */
    bool is_golden;      /* the daemon's own, without a client; its end is a swap's */
    uint32_t asked_slot; /* of the model that was asked: its host's may be another */
    uint32_t generation; /* of the alias that was asked; 0: it was none */
    char model_id[HEARTH_MAX_MODEL_ID_BYTES + 1]; /* as at its admission */
};

/** A client that awaits the end of a load or an unload. */
struct waiter {
    struct hearth_list link;
    struct connection *client;
    uint64_t client_id;
    uint32_t slot;
    bool is_load;
};

/** The one swap that may be under way, see swaps.c. */
struct swap {
    enum hearth_swap_phase phase;
    char name[HEARTH_MAX_MODEL_ID_BYTES + 1]; /* that is to stand for another model */
    struct hearth_model *old;                 /* NULL: the name stood for none that is there */
    struct hearth_model *new;                 /* both are pinned */
    struct connection *client;                /* who asked; NULL: has gone */
    uint64_t client_id;
    bool keeps_old;
    bool has_begun_load; /* of the new one, which is unloaded again if it comes to nothing */
    bool has_drained;    /* drain-first: requests wait for the old one, which is held */
    bool has_begun_restore;
    struct hearth_golden *golden; /* NULL: there is none */
    uint64_t recorded;            /* inputs that the old one has answered, one bit each */
    uint32_t next;                /* input to be asked */
    uint64_t ticket;              /* of the one that was asked; 0: none is */
    uint32_t checked;
    uint64_t begun_ns;
    uint64_t drained_ns; /* since when requests wait */
    struct hearth_error failure;
};

/** What is remembered of one lane for the list of models. */
struct lane_record {
    uint64_t ended;
    uint64_t total_ns;
};

/** Numbers of one ended request. */
struct span {
    uint64_t ticket;
    uint64_t start_ms; /* since the daemon's start */
    uint32_t queue_us;
    uint32_t first_us;
    uint32_t total_us;
    uint32_t inputs;
    uint32_t prompt_tokens;
    uint32_t tokens_generated;
    uint32_t cached_tokens;
    uint16_t code;
    uint8_t task;
    uint8_t priority;
    uint8_t finish_reason;
    char model_id[HEARTH_MAX_MODEL_ID_BYTES + 1];
};

/** The last ended requests that nobody took yet. */
struct span_ring {
    struct span spans[HEARTH_MAX_SPANS];
    uint32_t first;
    uint32_t count;
    uint64_t lost; /* overwritten since the last answer */
};

/** How often one user's handshakes had no right token lately. */
struct token_guard {
    uid_t uid;
    uint32_t failures;
    uint64_t first_ns; /* of them; 0: the place is free */
    uint64_t blocked_until_ns;
};

struct memory_reading {
    uint64_t read_ns; /* 0: never */
    uint64_t bytes;
    pid_t pid;
};

/** One model that leaves, or would leave, so that another fits. */
struct leaver {
    uint32_t slot;
    uint32_t reload_ms;
    uint64_t bytes;
    uint64_t idle_ms;
};

/** What is known of one model for loading and for evicting it, see room.c and idle.c. */
struct room {
    uint64_t used_ns; /* its last request ended then, or it became ready */
    uint64_t measured_ns;
    uint64_t keep_alive_ms; /* 0: it is not unloaded for being idle */
    unsigned worth;
    bool is_pinned;
    /* Of its load, under way or the last one. */
    bool awaits; /* others leave for it */
    bool joins;  /* its files are whole, and another serves the same: it becomes that one's guest */
    bool is_dry_run;
    uint8_t evict; /* as in load_request */
    int verdict;   /* of a dry run: 0, or why it would be refused */
    uint64_t need_bytes;
    uint64_t free_bytes;
    uint32_t leaver_count;
    struct leaver leavers[HEARTH_MAX_MODELS];
};

/** Why the doomed requests of a lane end. */
struct doom {
    int code;
    char text[HEARTH_ERROR_TEXT_BYTES];
};

/** The answer to one probe; the list of the message points into it. In no memory of its own: a
 *  probe is answered when memory is short, too. */
struct checkup {
    struct hearth_health_facts facts;
    struct hearth_model_facts models[HEARTH_MAX_MODELS];
    struct hearth_wire_model_health told[HEARTH_MAX_MODELS];
    char reasons[HEARTH_MAX_MODELS][HEARTH_HEALTH_REASON_BYTES];
    uint32_t count;
    char reason[HEARTH_HEALTH_REASON_BYTES];
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
    struct hearth_leases leases;
    struct hearth_sched_place refused; /* the place of the request that was refused last */
    struct hearth_list users;
    struct flow *flows[HEARTH_MAX_MODELS]; /* of the daemon's own requests */
    struct hearth_list noticed;            /* requests whose clients want to know their place */
    struct hearth_timer notice_timer;
    bool notice_timer_armed;
    struct hearth_timer deadline_timer;
    struct hearth_timer lease_timer;
    struct hearth_timer drain_timer;
    struct hearth_timer accept_timer;
    struct hearth_deferred scan_more;     /* a scan or its answers are not finished, see models.c */
    struct hearth_deferred dispatch_more; /* lanes_due, one bit each, may have something to send */
    uint64_t lanes_due;
    struct hearth_deferred doom_more; /* doomed requests are left, see lanes.c */
    struct doom dooms[HEARTH_MAX_MODELS];
    struct hearth_list connections;
    uint32_t connection_count; /* without the refused and the gone */
    uint32_t refused_count;
    struct hearth_slab request_slab;
    struct hearth_buf_pool request_bytes;
    uint64_t last_ticket_id;
    uint64_t domain_key[2]; /* random, of this daemon's life */
    uint32_t held_fds;      /* of clients: unclaimed, or of requests that wait */
    uint32_t unread_fds;    /* of answers, sent to clients that have perhaps not read them */
    uint64_t memfd_bytes;   /* of requests that wait */
    struct hearth_list tickets[TICKET_BUCKETS];
    uint64_t started_ns;
    uint64_t scanned_ns;
    struct swap swap;
    struct hearth_deferred move_more; /* requests are left to be moved to another lane */
    uint32_t moving_from;
    uint32_t moving_to;
    struct lane_record records[HEARTH_MAX_MODELS];
    struct span_ring spans;
    struct token_guard guards[TOKEN_GUARDS];
    struct memory_reading memory[HEARTH_MAX_MODELS + 1]; /* the last is the daemon's own */
    uint32_t readings_left;
    struct room rooms[HEARTH_MAX_MODELS];
    struct checkup checkup;
    struct hearth_timer idle_timer; /* armed while an idle model is to be unloaded some time */
    struct hearth_calls calls;
    struct hearth_watch pressure_watch;
    struct hearth_timer pressure_timer; /* armed for a moment after each event */
    uint64_t shed_ns;                   /* the last time; 0: never */
    struct hearth_json_room json_in;    /* the one V1 message that is being handled */
    struct hearth_json_room json_out;
    bool is_draining;
    bool is_flushing; /* nothing is left of the drain but answers that are not read yet */
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
void connection_open(struct hearth_server *server, int fd, int refusal);
void connection_end(struct connection *connection);     /* at once; its requests in slices */
void connection_destroy(struct connection *connection); /* all of it now */
void connection_send(struct connection *connection, const struct hearth_message *message);
/* The same with memfds; those that are sent are taken out of @fds. */
void connection_send_fds(struct connection *connection, const struct hearth_message *message,
                         int *fds, uint32_t fd_count);
void connection_error(struct connection *connection, int code, uint64_t request_id,
                      const char *text);
void connection_close_after(struct connection *connection); /* what is queued goes out first */
void connection_cut(struct connection *connection, int code, const char *text);
void connection_refuse(struct connection *connection); /* a refused one is told why */

/* timeouts.c */
void timeouts_init(struct connection *connection);
void timeouts_look(
    struct connection *connection); /* after anything that may bring a limit nearer */

/* messages.c: one frame of a client */
void message_take(struct connection *connection, struct hearth_slice frame);

/* handshake.c */
void answer_handshake(struct connection *connection, const struct hearth_wire_handshake *asked);

/* token.c */
void token_preload(void); /* before the daemon's door is closed */
int token_check(struct hearth_server *server, const struct hearth_peer *peer,
                struct hearth_slice token, struct hearth_error *err);

/* answers.c: what needs no state of its own */
void answer_health(struct connection *connection, const struct hearth_wire_health_check *asked);

/* models.c, loads.c */
void models_list(struct connection *connection);
void models_describe(struct connection *connection, const struct hearth_wire_model_request *asked);
void models_on_scan(void *arg);
struct hearth_model *loads_find(struct hearth_server *server, struct hearth_slice id, char *text,
                                size_t text_bytes);
void loads_load(struct connection *connection, const struct hearth_wire_load_request *asked);
void loads_unload(struct connection *connection, const struct hearth_wire_unload_request *asked);
void loads_settle(struct hearth_server *server, struct hearth_model *model);
void loads_forget(struct connection *connection);
void loads_refuse_all(struct hearth_server *server, int code);
/* True if @model, which has shown that its files are whole, may be the guest of one that is loaded:
 * then its worker is to end, and loads_join() goes on when it has. */
bool loads_may_share(struct hearth_server *server, struct hearth_model *model);
bool loads_join(struct hearth_server *server, struct hearth_model *model);
/* Unloads @model under its own name; softly: what it has is answered first. */
void loads_end(struct hearth_server *server, struct hearth_model *model, bool is_soft);
/* Has one that was to end after its last request, or lives for its guests only, go on. */
void loads_keep(struct hearth_server *server, struct hearth_model *model);
/* A request of the lane has ended, or else something that a drain may wait for. */
void drains_look(struct hearth_server *server, uint32_t slot);

/* swaps.c */
void swaps_begin(struct connection *connection, const struct hearth_wire_swap_request *asked);
void swaps_look(struct hearth_server *server); /* a model has changed: goes on if that matters */
void swaps_take_answer(struct hearth_server *server, uint64_t ticket,
                       const struct hearth_wire_inference_response *answer);
void swaps_forget(struct connection *connection); /* who asked has gone; the swap goes on */
void swaps_abort(struct hearth_server *server, int code);

/* golden.c: what a swap compares. Errors are the reason why it fails. */
int golden_open(struct hearth_server *server, struct hearth_error *err);
bool golden_needs_old(const struct hearth_server *server);
/* Asks @model the next input that it is to be asked: 1, or 0 if there is none left. */
int golden_ask_next(struct hearth_server *server, struct hearth_model *model,
                    struct hearth_error *err);
int golden_take(struct hearth_server *server, const struct hearth_wire_inference_response *answer,
                struct hearth_error *err);

/* names.c */
void names_alias(struct connection *connection, const struct hearth_wire_alias_request *asked);

/* reports.c */
void report_metrics(struct connection *connection);
void report_prometheus(struct connection *connection);
void report_spans(struct connection *connection, const struct hearth_wire_spans_request *asked);
void report_requests(struct connection *connection);

/* measures.c */
void measure_admission(const struct request *request,
                       const struct hearth_wire_inference_request *asked);
void measure_refusal(struct hearth_server *server, struct hearth_slice model_id, int code);
void measure_start(const struct request *request); /* a worker has it now */
void measure_chunk(struct request *request);       /* a piece of its answer has come */
void measure_end(const struct request *request,
                 const struct hearth_wire_inference_response *response);
void measure_callback(void *arg, uint64_t ns); /* the hook of the loop */

/* walls.c */
bool walls_are_whole(const char *raised);
void walls_tell(const char *raised, char room[HEARTH_MAX_ERROR_BYTES + 1]);

/* memory.c */
void memory_begin(struct hearth_server *server); /* before a question's readings */
uint64_t memory_of_daemon(struct hearth_server *server);
uint64_t memory_of_worker(struct hearth_server *server, uint32_t slot, pid_t pid);
uint64_t memory_of_all(struct hearth_server *server);

/* room.c */
/* Before a load begins: how the client wants it. */
void room_ask(struct hearth_server *server, uint32_t slot,
              const struct hearth_wire_load_request *asked);
enum hearth_room room_on_need(void *arg, struct hearth_model *model, const struct hearth_need *need,
                              char advice[HEARTH_ADVICE_BYTES]);
/* What the answer to a load tells of memory; the list is put into @list. */
void room_tell(const struct hearth_server *server, uint32_t slot,
               struct hearth_wire_eviction list[HEARTH_MAX_MODELS],
               struct hearth_wire_load_response *response);
/* True if the last load of @slot was a dry run that has come to a verdict. */
bool room_was_dry_run(const struct hearth_server *server, uint32_t slot, int *ret_code,
                      char text[HEARTH_ERROR_TEXT_BYTES]);
void room_settle(struct hearth_server *server); /* a worker has ended: who waits may fit now */
/* Those who serve, but for @slot, as the plan sees them; returns how many, slots beside them. */
uint32_t room_list(struct hearth_server *server, uint32_t slot,
                   struct hearth_evictable list[HEARTH_MAX_MODELS],
                   uint32_t ret_slots[HEARTH_MAX_MODELS]);
/* Unloads an idle model; @reason is an enum hearth_eviction_reason. */
void room_unload(struct hearth_server *server, uint32_t slot, unsigned reason);

/* pressure.c */
int pressure_begin(struct hearth_server *server, struct hearth_error *err);
void pressure_end(struct hearth_server *server);

/* calls.c */
/* Once its bytes are there. Errors of hearth_calls_admit(). */
int call_admit(struct request *request, const struct hearth_wire_inference_request *asked,
               struct hearth_error *err);
void call_end(struct request *request); /* does nothing if it was not admitted */

/* idle.c */
void idle_reload(struct hearth_server *server); /* what the configuration says of models */
void idle_on_ready(struct hearth_server *server, uint32_t slot);
void idle_on_end(struct hearth_server *server, uint32_t slot); /* of each request */
void idle_on_timer(void *arg, uint64_t now_ns);

/* memfds.c */
void memfds_arrived(struct connection *connection, uint32_t count_before); /* after each read */
void memfds_forget(struct connection *connection); /* with its reader the unclaimed ones go */
/* Takes what a request claims, whatever becomes of it, so that the next finds its own; on failure
 * too *@ret is to be released. */
int memfds_claim(struct connection *connection, struct hearth_wire_list tensors, struct memfds *ret,
                 struct hearth_error *err);
void memfds_release(struct hearth_server *server, struct connection *client, struct memfds *memfds);
/* For a client whose encoding has no room for data that the message has: moves that of all but the
 * smallest tensors into memfds. @tensors become @room; *@ret has those of @fds (taken) and the new
 * ones. Release it. HEARTH_E_NO_MEMORY, HEARTH_E_SYSTEM. */
int memfds_move_out(struct hearth_wire_list *tensors,
                    struct hearth_wire_tensor room[HEARTH_MAX_TENSORS], int *fds,
                    struct memfds *ret, struct hearth_error *err);

/* domain.c: who shares prefixes; never 0 */
uint64_t domain_of(const struct hearth_server *server, const struct hearth_peer *peer,
                   uint64_t number);
uint64_t domain_hash(const uint64_t key[2], uint32_t user, uint64_t number);

/* warmup.c */
void request_warm_up(struct connection *connection, const struct hearth_wire_warmup_request *asked);

/* admission.c */
/* Opens a request of @connection; @memfds become the request's. The daemon's own are not checked.
 */
int request_open(struct connection *connection, const struct hearth_wire_inference_request *asked,
                 struct memfds *memfds, bool is_warmup, struct hearth_error *err);
int request_check_id(const struct connection *connection, uint64_t client_id, bool is_warmup,
                     struct hearth_error *err);
/* Opens one of the daemon's own for @model, without a client; its end is a swap's. */
int request_open_own(struct hearth_server *server, const struct hearth_model *model,
                     const struct hearth_wire_inference_request *asked, uint64_t *ret_ticket,
                     struct hearth_error *err);
void request_admit(struct connection *connection,
                   const struct hearth_wire_inference_request *asked);
void request_refuse(struct connection *connection,
                    const struct hearth_wire_inference_request *asked, int code, const char *text);

/* requests.c */
struct request *request_new(struct hearth_server *server);
void request_number(struct request *request); /* gives it its ticket */
void request_recycle(struct request *request);
struct request *request_find_open(const struct connection *connection, uint64_t client_id);
bool request_is_visible(const struct request *request, const struct hearth_peer *peer);
void request_tell_warmup(struct connection *connection,
                         const struct hearth_wire_warmup_response *told);
void request_cancel(struct connection *connection, const struct hearth_wire_cancel_request *asked);
void request_chunk(struct request *request, const struct hearth_wire_stream_chunk *chunk);
void request_end(struct request *request, const struct hearth_wire_inference_response *response,
                 int *fds, uint32_t fd_count);
void request_fail(struct request *request, int code, const char *text);
void request_move(struct request *request, uint32_t lane); /* a queued one, to another lane */
void requests_on_move(void *arg);                          /* the same of many, in slices */
void request_abandon(struct request *request);             /* its client has gone */

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

/* flows.c */
/* Puts @request into the queue of @lane. Errors of hearth_sched_submit(), HEARTH_E_NO_MEMORY; of a
 * refusal server->refused has the place. */
int flows_submit(struct request *request, uint32_t lane, struct hearth_error *err);
void flows_let_go(struct hearth_flow *flow); /* after a job of it has ended */
void flows_forget(struct connection *connection);
void flows_forget_own(struct hearth_server *server);
void flows_reload(struct hearth_server *server); /* weights and limits */

/* notices.c */
void notices_begin(struct request *request); /* that was queued; before it may go */
/* After that: tells its place if it still waits. Of one that has ended only the address counts. */
void notices_look(struct hearth_server *server, struct request *request);
void notices_on_timer(void *arg, uint64_t now_ns);

/* lanes.c */
void lanes_on_doom(void *arg);
void lane_dispatch(struct hearth_server *server, uint32_t slot);
void lane_dispatch_soon(struct hearth_server *server, uint32_t slot); /* in the next callback */
void lanes_on_dispatch(void *arg);
void lane_fail_queued(struct hearth_server *server, uint32_t slot, int code, const char *text);
void lanes_arm_deadline(struct hearth_server *server);
void lanes_on_deadline(void *arg, uint64_t now_ns);
void lanes_on_lease(void *arg, uint64_t now_ns);
void lanes_ended(struct hearth_server *server, uint32_t slot); /* a running request has ended */

/* True while a callback that ends requests one by one should go on. */
static inline bool slice_has_room(uint32_t done, uint64_t begun_ns)
{
    return done < SLICE_COUNT && hearth_clock_ns() - begun_ns < SLICE_NS;
}

/* server.c */
void server_check_drained(struct hearth_server *server);
uint64_t server_now_ms(const struct hearth_server *server);

#endif
