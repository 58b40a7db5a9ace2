/* client_priv.h — one connection, and what the files of this room ask of each other. */

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
#define HEARTH_CLIENT_QUEUE_BYTES (HEARTH_MAX_RING_MESSAGE_BYTES + 4096u)

/** What hearth_cancel() may touch from another thread. */
struct client_shared {
    pthread_mutex_t lock;
    uint64_t open_id;      /* request under way, or 0 */
    bool is_sent;          /* its last byte has left: the socket is between two frames */
    bool is_cancel_wanted; /* it came before that */
    bool is_cut;           /* a cancel left half a frame behind: nothing can follow it */
};

struct hearth_client {
    uint32_t magic;
    int fd;
    uint32_t timeout_ms;
    bool is_broken; /* every call from now on returns HEARTH_E_DISCONNECTED */
    uint64_t last_id;
    struct hearth_frame_reader reader;
    struct hearth_frame_queue queue;
    struct client_shared shared;
    struct hearth_health_report report;
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

/**
 * Sends one message. HEARTH_E_TOO_LARGE or HEARTH_E_INPUT_INVALID (nothing was sent, the field is
 * in @err), HEARTH_E_NO_MEMORY, HEARTH_E_EXPIRED, HEARTH_E_DISCONNECTED.
 */
int client_send(struct hearth_client *client, const struct hearth_message *message,
                uint64_t deadline_ns, struct hearth_error *err);

/**
 * Receives the next message that is not a late answer to a cancel. Slices in it live until the next
 * receive. An `error` message of the connection becomes its code; HEARTH_E_EXPIRED,
 * HEARTH_E_DISCONNECTED, HEARTH_E_NO_MEMORY.
 */
int client_receive(struct hearth_client *client, uint64_t deadline_ns, struct hearth_message *ret,
                   struct hearth_error *err);

/** Ends the connection: what came cannot be right. Returns HEARTH_E_DISCONNECTED. */
int client_broken(struct hearth_client *client, struct hearth_error *err, const char *format, ...)
    HEARTH_PRINTF(3, 4);

/** Turns the code and text of an answer into an error; 0 stays 0. */
int client_answer_code(uint16_t code, struct hearth_slice text, struct hearth_error *err);

/** Deadline @timeout_ms from now; 0 is none. */
uint64_t client_deadline_ns(uint32_t timeout_ms);

/* ── Results ─────────────────────────────────────────────────────────────────────────────────── */

#define CLIENT_RESULT_BYTES ((size_t)64 << 20) /* a frame's worth of answers, unpacked */

struct hearth_result {
    struct hearth_arena arena; /* everything but the text under way */
    struct hearth_buf text;    /* generate, chat: grows by pieces */
    hearth_item *items;
    bool *is_answered;
    size_t count;
    hearth_usage usage;
};

/** Makes room for @count answers. NULL if there is no memory. */
struct hearth_result *client_result_create(size_t count);

/**
 * Adds one record. @is_piece: text joins what came before instead of being the whole answer.
 * *@ret_item shows only what came now and lives until the next call. HEARTH_E_MALFORMED for an
 * index that was not asked or comes twice, HEARTH_E_TOO_LARGE, HEARTH_E_NO_MEMORY.
 */
int client_result_add(struct hearth_result *result, const struct hearth_wire_result *record,
                      bool is_piece, hearth_item *ret_item);

/** Ends the joining and takes the counts. HEARTH_E_MALFORMED if an input was not answered. */
int client_result_end(struct hearth_result *result,
                      const struct hearth_wire_inference_response *response);

static inline void hearth_result_cleanup(struct hearth_result **owned)
{
    hearth_result_free(*owned);
}

#endif
