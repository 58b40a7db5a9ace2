/* client_priv.h — one connection, and what the files of this room ask of each other.
 *
 *     params.c    structs that may grow          connect.c   the connection: start, loss, end
 *     draft.c     what the caller said, as a message         dispatch.c  sending, receiving,
 * waiting request.c   inference, submitted or waited for         open.c      open requests by id
 *     answer.c    messages → results → callbacks             tensors.c   and their descriptors
 *     growth.c    texts that come piece by piece
 *     question.c  one question to the daemon itself; models.c, describe.c, metrics.c, requests.c
 *                 ask them
 *
 * There is one engine: whatever blocks submits or asks, then dispatches until it has its answer. */

#ifndef HEARTH_CLIENT_PRIV_H
#define HEARTH_CLIENT_PRIV_H

#include <hearth/hearth.h>

#include "hearth_base.h"
#include "hearth_os.h"
#include "hearth_transport.h"
#include "hearth_wire.h"

#include <pthread.h>

#define HEARTH_CLIENT_MAGIC       0x48434c49u
#define HEARTH_CLIENT_TIMEOUT_MS  10000u
#define HEARTH_CLIENT_REQUEST_MS  300000u
#define HEARTH_CLIENT_GRACE_MS    2000u /* for the daemon to say that the time is over */
#define HEARTH_CLIENT_CANCEL_MS   1000u /* for 20 bytes to leave: more means that nobody reads */
#define HEARTH_CLIENT_IDLE_MS     1000u /* so close to the daemon's idle limit, connect anew */
#define HEARTH_CLIENT_QUEUE_BYTES (HEARTH_MAX_RING_MESSAGE_BYTES + 4096u)
#define HEARTH_CLIENT_CANCEL_BYTES                                                                 \
    (512u << 10) /* more: a cancel of each open request, 24 bytes                                  \
                  */
#define HEARTH_CLIENT_HELLO_BYTES 1024u
#define HEARTH_CLIENT_FILLS       16 /* reads of 64 KiB in one dispatch: others want their turn */

/* Data larger than this travels as a memfd. A memfd made for it costs more than the copies of a
 * message at 64 KiB and less at 256 KiB (`hearth-bench tensors/input`); 16 of them fit a message.
 */
#define HEARTH_CLIENT_MEMFD_BYTES (128u << 10)

/** Descriptors beside one message, first tensor first. */
struct client_fds {
    int numbers[HEARTH_MAX_TENSORS];
    uint32_t count;
};
void client_fds_close(struct client_fds *fds);

/* ── Open requests ───────────────────────────────────────────────────────────────────────────── */

struct client_request {
    struct hearth_list link;     /* in the order of submission */
    struct client_request *next; /* in its bucket */
    uint64_t id;
    uint64_t deadline_ns;
    bool is_text;            /* generate or chat: results are pieces of texts */
    bool is_cancelled;       /* the daemon was asked to end it; with the lock held */
    hearth_item_fn *on_item; /* NULL also when it has seen enough */
    void *item_arg;
    hearth_done_fn *on_done;
    void *done_arg;
    struct hearth_result *result; /* grows */
};

/** By id, and in order. */
struct client_open {
    struct hearth_list all;
    struct client_request **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

void client_open_init(struct client_open *open);
void client_open_finish(struct client_open *open);
/** Makes room for one more. HEARTH_E_NO_MEMORY, HEARTH_E_QUEUE_FULL at the most that may be. */
HEARTH_NODISCARD int client_open_reserve(struct client_open *open);
void client_open_add(struct client_open *open, struct client_request *request);
struct client_request *client_open_find(const struct client_open *open, uint64_t id);
void client_open_remove(struct client_open *open, struct client_request *request);
/** Moves all into the list @ret. */
void client_open_take_all(struct client_open *open, struct hearth_list *ret);

/* ── The client ──────────────────────────────────────────────────────────────────────────────── */

/** What another thread may touch, to cancel. The owner of the client writes it with the lock held;
 * what only he writes (all but the queues and is_deaf) he reads without. */
struct client_shared {
    pthread_mutex_t lock;
    enum hearth_client_state state;
    int fd;                          /* -1 if closed */
    struct hearth_frame_queue hello; /* leaves while CONNECTING */
    struct hearth_frame_queue queue; /* leaves while CONNECTED */
    struct client_open open;
    bool is_waiting;       /* a call waits for its request … */
    bool is_cancel_wanted; /* … and is to give up before it is submitted */
    uint64_t waiting_id;   /* once it is; else 0 */
    pthread_t owner;       /* who submitted or dispatched last */
    bool is_deaf;          /* the daemon takes no more bytes; what it said may still come */
};

/** A question to the daemon itself, on the stack of the call that waits for it. */
struct client_question {
    enum hearth_message_type wanted;
    uint64_t id; /* that the answer carries, or 0 if answers carry none */
    int (*take)(void *arg, const struct hearth_message *answer, struct hearth_error *err);
    void *arg;
    struct hearth_error *err;
    bool is_done;
    int code;
};

struct hearth_client {
    uint32_t magic;
    uint32_t timeout_ms;
    bool reconnects;
    bool has_no_session;
    bool is_dispatching;
    bool was_lost_in_use;       /* the last connection ended with requests or a question open */
    struct hearth_error loss;   /* code < 0: the connection has ended, nobody was told yet */
    struct hearth_error reason; /* code < 0: what the daemon has said of the connection */
    uint64_t last_id;
    uint64_t next_deadline_ns; /* no open request has an earlier one */
    uint64_t handshake_deadline_ns;
    uint64_t last_use_ns;
    uint32_t idle_timeout_ms; /* of the daemon; 0: none */
    struct hearth_frame_reader reader;
    struct client_question *question;
    struct client_shared shared;
    struct hearth_swap_report swap;                    /* the last one … */
    char swap_names[2][HEARTH_MAX_MODEL_ID_BYTES + 1]; /* … and what it points to */
    struct hearth_load_report load;                    /* likewise */
    struct hearth_eviction evictions[HEARTH_MAX_MODELS];
    char evicted_names[HEARTH_MAX_MODELS][HEARTH_MAX_MODEL_ID_BYTES + 1];
    struct hearth_health_report report;
    struct hearth_buf prometheus;
    char *program;
    char *token;
    char path[HEARTH_SOCKET_PATH_BYTES];
    char server[HEARTH_MAX_NAME_BYTES + 1];
    char version[HEARTH_MAX_NAME_BYTES + 1];
};

/** Copies @given (may be NULL if @or_defaults) over the defaults; fields it does not know keep
 * them. HEARTH_E_ARGUMENT for a size that is none, or fields that this release does not know. */
int client_connect_params(const struct hearth_connect_params *given,
                          struct hearth_connect_params *ret, struct hearth_error *err);
int client_request_params(const struct hearth_request_params *given,
                          struct hearth_request_params *ret, struct hearth_error *err);

/** Deadline @timeout_ms from now; 0 is none. */
uint64_t client_deadline_ns(uint32_t timeout_ms);

/* ── The connection (connect.c) ──────────────────────────────────────────────────────────────── */

/**
 * Sees to it that there is a connection, or the beginning of one: connects again if the daemon has
 * closed it while nothing was open, or if the client reconnects always. Waits only, until
 * @deadline_ns (0: not at all), should the daemon's backlog be full.
 */
HEARTH_NODISCARD int client_connection_ensure(struct hearth_client *client, uint64_t deadline_ns,
                                              struct hearth_error *err);

/** Notes that the connection has ended, or that what came cannot be right; the first cause counts.
 * Those who wait are told by client_connection_end(). */
void client_connection_lose(struct hearth_client *client, int code, const char *format, ...)
    HEARTH_PRINTF(3, 4);

/** Closes the connection and ends what is open with client->loss. Calls callbacks. */
void client_connection_end(struct hearth_client *client);

/** HEARTH_E_BUSY if a callback of @client runs, in which @function may not be called. */
HEARTH_NODISCARD int client_check_outside(struct hearth_client *client, const char *function,
                                          struct hearth_error *err);

/** True if a request or a question is under way. */
bool client_is_in_use(const struct hearth_client *client);

/** Takes the answer to the handshake. */
void client_connection_take(struct hearth_client *client, const struct hearth_message *message);

/* ── Moving bytes (dispatch.c) ───────────────────────────────────────────────────────────────── */

/**
 * Queues @message, with duplicates of @fds beside it (NULL: none). HEARTH_E_QUEUE_FULL (nothing is
 * queued, later there will be room), HEARTH_E_TOO_LARGE or HEARTH_E_INPUT_INVALID (a field, named
 * in @err), HEARTH_E_NO_MEMORY, HEARTH_E_SYSTEM. With the lock held. @cap: bytes that may then
 * wait.
 */
HEARTH_NODISCARD int client_queue(struct hearth_client *client,
                                  const struct hearth_message *message,
                                  const struct client_fds *fds, size_t cap,
                                  struct hearth_error *err);

/** Sends what the socket takes now. With the lock held. 0, HEARTH_E_NOT_READY (something waits),
 * HEARTH_E_DISCONNECTED (is_deaf is set: answers may still be read). */
int client_flush(struct hearth_client *client);

/** Receives what is there and hands it on; notes a loss. Calls callbacks. Without a request or a
 * question under way there are none to call. */
void client_read(struct hearth_client *client);

/** True if the daemon takes no more bytes. Any thread. */
bool client_is_deaf(struct hearth_client *client);

/** Waits until something can be done or @deadline_ns, then dispatches. HEARTH_E_* of dispatch. */
int client_progress(struct hearth_client *client, uint64_t deadline_ns, struct hearth_error *err);

/* ── Requests and answers ────────────────────────────────────────────────────────────────────── */

/** Takes @request out of the open ones, frees it and tells its end: @err->code 0 hands the result
 * on. */
void client_request_end(struct hearth_client *client, struct client_request *request,
                        const struct hearth_error *err);

/** As end, for one that is in no table any more. */
void client_request_tell(struct client_request *request, const struct hearth_error *err);

void client_take_chunk(struct hearth_client *client, const struct hearth_wire_stream_chunk *chunk);
/** @fds: what came beside it, still the caller's. */
void client_take_response(struct hearth_client *client,
                          const struct hearth_wire_inference_response *response,
                          const struct client_fds *fds);

/** Turns the code and text of an answer into an error; 0 stays 0. */
int client_answer_code(uint16_t code, struct hearth_slice text, struct hearth_error *err);

/**
 * Sends @message and waits until @question is answered, refused, or @timeout_ms is over (0: without
 * a limit). Returns what take() returned, or why it was not called. When the time is over for an
 * answer without an id the connection ends: a late one could pass for the next.
 */
int client_ask(struct hearth_client *client, const struct hearth_message *message,
               struct client_question *question, uint32_t timeout_ms, struct hearth_error *err);

/** True, and the question is done, if @message was its answer. */
bool client_question_take(struct hearth_client *client, const struct hearth_message *message);
void client_question_end(struct hearth_client *client, const struct hearth_error *err);

/* ── Results ─────────────────────────────────────────────────────────────────────────────────── */

#define CLIENT_RESULT_BYTES ((size_t)64 << 20) /* a frame's worth of answers, unpacked */

/** A memfd of the daemon's, mapped read-only. */
struct client_mapping {
    void *memory;
    size_t bytes;
};

/** One generated answer, as much of it as has come. */
struct client_growth {
    struct hearth_buf text;
    struct hearth_buf ids;    /* uint32_t each */
    struct hearth_buf scores; /* hearth_token_score each; their texts are in the arena */
    struct hearth_buf calls;  /* struct client_call each */
};

struct hearth_result {
    struct hearth_arena arena;     /* labels, vectors, texts of others */
    hearth_item *items;            /* these three behind the struct, in its own block */
    struct client_growth *growths; /* one an item for generate and chat, else NULL */
    bool *is_answered;
    size_t count;
    enum hearth_vector_type vector_type; /* that was asked for */
    hearth_tensor *tensors;              /* these two in the arena */
    struct client_mapping *mappings;
    size_t tensor_count;
    size_t mapping_count;
    hearth_usage usage;
};

/** Makes room for @count answers, which grow if they are generated texts. NULL if there is no
 * memory.
 */
struct hearth_result *client_result_create(size_t count, bool is_text);

void client_growth_init(struct client_growth *growth);
/** Wipes: answers are content. */
void client_growth_finish(struct client_growth *growth);
/** Joins @record to what came before; @item shows only what came now. HEARTH_E_MALFORMED for parts
 * of tool calls out of order, HEARTH_E_TOO_LARGE, HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int client_growth_add(struct client_growth *growth, struct hearth_arena *arena,
                                       const struct hearth_wire_result *record, hearth_item *item);
/** Nothing more will come: @item shows all. HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int client_growth_end(struct client_growth *growth, struct hearth_arena *arena,
                                       hearth_item *item);

/**
 * Adds one record. @is_piece: text joins what came before instead of being the whole answer.
 * *@ret_item shows only what came now and lives until the next call. HEARTH_E_MALFORMED for an
 * index that was not asked or comes twice, HEARTH_E_TOO_LARGE, HEARTH_E_NO_MEMORY.
 */
int client_result_add(struct hearth_result *result, const struct hearth_wire_result *record,
                      bool is_piece, hearth_item *ret_item);

/** Ends the joining and takes the counts. HEARTH_E_MALFORMED if an input was not answered,
 * HEARTH_E_NO_MEMORY. */
int client_result_end(struct hearth_result *result,
                      const struct hearth_wire_inference_response *response);

/** Takes the descriptors that @tensors claim off the reader. HEARTH_E_MALFORMED if they did not
 * come.
 */
HEARTH_NODISCARD int client_fds_take(struct hearth_client *client, struct hearth_wire_list tensors,
                                     struct client_fds *ret);

/** Adds tensors, from the frame and from @fds. HEARTH_E_MALFORMED, HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int client_result_take_tensors(struct hearth_result *result,
                                                struct hearth_wire_list tensors,
                                                const struct client_fds *fds);
void client_result_unmap(struct hearth_result *result);

/** Unpacks one model. HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int client_unpack_model(struct hearth_arena *arena,
                                         const struct hearth_wire_model_info *info,
                                         hearth_model *model);

static inline void hearth_result_cleanup(struct hearth_result **owned)
{
    hearth_result_free(*owned);
}

#endif
