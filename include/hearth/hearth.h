/* hearth.h — libhearth: local inference through the daemon hearthd.
 *
 *     hearth_client *client;
 *     hearth_error err;
 *     if (hearth_connect(NULL, &client, &err) < 0) { fprintf(stderr, "%s\n", err.text); … }
 *
 *     hearth_request_params params = hearth_request_params_default();
 *     params.model = "hearth-intent";
 *     const char *texts[] = {"wake me at seven"};
 *     hearth_result *result;
 *     if (hearth_classify(client, texts, 1, &params, &result, &err) == 0) {
 *         const hearth_item *item = hearth_result_item(result, 0);
 *         printf("%s %.3f\n", item->labels[0].name, item->labels[0].probability);
 *         hearth_result_free(result);
 *     }
 *     hearth_disconnect(client);
 *
 * Errors: a function returns 0 or a negative HEARTH_E_* and fills *err, which may be NULL: code,
 * errno if the system said so, and a sentence. What ret_ points to is written only on success.
 * Text is UTF-8 and ends with NUL.
 *
 * Threads: a client serves one thread at a time, one request at a time; hearth_cancel() may come
 * from any other. Open several clients to have several requests under way. The library starts no
 * thread, installs no signal handler and raises no SIGPIPE.                                     */

#ifndef HEARTH_HEARTH_H
#define HEARTH_HEARTH_H

#include <stddef.h>
#include <stdint.h>

#include <hearth/errors.h>
#include <hearth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hearth_error hearth_error;
typedef struct hearth_client hearth_client; /* one connection with its session */
typedef struct hearth_result hearth_result; /* the answer to one request */

/* ── Connection ──────────────────────────────────────────────────────────────────────────────── */

/** How to connect. Starts from hearth_connect_params_default(). */
typedef struct hearth_connect_params {
    size_t size;             /* of this struct, as the caller knows it */
    const char *socket_path; /* NULL: as hearth_default_socket() says */
    const char *program;     /* your name, for the operator of the daemon; may be NULL */
    const char *token;       /* only if the daemon asks for one; may be NULL */
    uint32_t timeout_ms;     /* for connecting, and for each answer that needs no model; 10 s */
} hearth_connect_params;

/** Fills the first @size bytes with defaults. Use hearth_connect_params_default(). */
HEARTH_API void hearth_connect_params_init(hearth_connect_params *params, size_t size);

/** Returns the defaults; every field may be changed but size. */
static inline hearth_connect_params hearth_connect_params_default(void)
{
    hearth_connect_params params;
    hearth_connect_params_init(&params, sizeof(params));
    return params;
}

/**
 * Writes the path at which programs look for the daemon: $HEARTH_SOCKET, else
 * $XDG_RUNTIME_DIR/hearth/hearthd.sock, else /run/hearth/hearthd.sock for root and
 * /tmp/hearth-<uid>/hearthd.sock for others.
 *
 * Returns HEARTH_E_ARGUMENT if it does not fit @room_bytes or a socket's name (107 bytes).
 */
HEARTH_API int hearth_default_socket(char *room, size_t room_bytes, hearth_error *err);

/**
 * Connects to the daemon and opens a session.
 *
 * @params may be NULL for the defaults; nothing of it is kept. *@ret_client is owned by the caller
 * until hearth_disconnect(). Blocks for at most params->timeout_ms.
 *
 * Returns HEARTH_E_NO_DAEMON if nothing answers there, HEARTH_E_DENIED, HEARTH_E_UNAUTHENTICATED,
 * HEARTH_E_TOO_MANY_CONNECTIONS, HEARTH_E_VERSION, HEARTH_E_EXPIRED, HEARTH_E_DISCONNECTED,
 * HEARTH_E_ARGUMENT or HEARTH_E_NO_MEMORY.
 */
HEARTH_API int hearth_connect(const hearth_connect_params *params, hearth_client **ret_client,
                              hearth_error *err);

/** Ends the session and frees the client. NULL is fine. No other thread may use it any more. */
HEARTH_API void hearth_disconnect(hearth_client *client);

/** Lends the daemon's name and version ("hearthd 0.1.0"), or the path; they live in the client. */
HEARTH_API const char *hearth_client_server(const hearth_client *client);
HEARTH_API const char *hearth_client_socket(const hearth_client *client);

/* ── Requests ────────────────────────────────────────────────────────────────────────────────── */

typedef struct hearth_label {
    const char *name;
    float probability;
} hearth_label;

/** The answer to one input, or a piece of generated text. Fields of other tasks are empty. */
typedef struct hearth_item {
    uint32_t index;             /* of the input, from 0 */
    uint32_t tokens;            /* of the input; of a piece: tokens that it stands for */
    int is_truncated;           /* the input had more tokens than the model takes */
    const char *text;           /* generate, chat */
    size_t text_bytes;          /* without the NUL */
    const hearth_label *labels; /* classify: best first */
    size_t label_count;
    const float *vector; /* embed */
    size_t dimensions;
} hearth_item;

/**
 * Is called for each piece of text, or for each finished input of a batch in the order in which
 * they finish. @item lives until the call returns. Return 0 to go on; anything else cancels.
 * May call hearth_cancel() and nothing else on the same client.
 */
typedef int hearth_item_fn(const hearth_item *item, void *arg);

/** What to ask of which model. Starts from hearth_request_params_default(). */
typedef struct hearth_request_params {
    size_t size;       /* of this struct, as the caller knows it */
    const char *model; /* name, as hearth_models() lists it; required */
    enum hearth_priority priority;
    uint32_t timeout_ms;     /* 0: what the daemon allows; then this side waits without a limit */
    hearth_item_fn *on_item; /* streams if not NULL */
    void *arg;               /* for on_item */
    /* For generate and chat: */
    uint32_t max_tokens;        /* 256; 0: the daemon's default */
    float temperature;          /* 0.7; 0: always the likeliest token */
    uint32_t top_k;             /* 40; 0: off */
    float top_p;                /* 0.9; 1: off */
    float min_p;                /* 0: off */
    float repetition_penalty;   /* 1.1; 1: off */
    uint32_t repetition_window; /* 64 tokens */
    uint64_t seed;              /* 42; same seed, same text */
    const char *const *stops;   /* generation ends before any of them; up to 8 */
    size_t stop_count;
} hearth_request_params;

/** Fills the first @size bytes with defaults. Use hearth_request_params_default(). */
HEARTH_API void hearth_request_params_init(hearth_request_params *params, size_t size);

/** Returns the defaults: normal priority, 5 minutes, the sampling values named above. */
static inline hearth_request_params hearth_request_params_default(void)
{
    hearth_request_params params;
    hearth_request_params_init(&params, sizeof(params));
    return params;
}

typedef struct hearth_chat_message {
    enum hearth_role role;
    const char *content;
} hearth_chat_message;

/**
 * Classifies or embeds 1 to 32 texts; generates from a prompt; answers a chat of up to 256 messages
 * with the template of the model.
 *
 * Nothing passed in is kept. *@ret_result (@ret_result may be NULL) is owned by the caller until
 * hearth_result_free(); it is complete also when on_item has seen its parts before.
 * Blocks until the answer is there, params->timeout_ms (and 2 s for the daemon to say so) is over,
 * or the request is cancelled. An expired or cancelled request ends at the daemon too.
 *
 * Returns HEARTH_E_NO_MODEL, HEARTH_E_NOT_READY, HEARTH_E_INPUT_INVALID, HEARTH_E_TOO_LARGE (over
 * 64 KiB or 32 texts), HEARTH_E_TOO_LONG (in tokens), HEARTH_E_QUEUE_FULL, HEARTH_E_EXPIRED,
 * HEARTH_E_CANCELLED, HEARTH_E_WORKER_LOST, HEARTH_E_ENGINE_FAILED, HEARTH_E_SHUTTING_DOWN,
 * HEARTH_E_DISCONNECTED (connect again), HEARTH_E_ARGUMENT or HEARTH_E_NO_MEMORY.
 */
HEARTH_API int hearth_classify(hearth_client *client, const char *const *texts, size_t count,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_embed(hearth_client *client, const char *const *texts, size_t count,
                            const hearth_request_params *params, hearth_result **ret_result,
                            hearth_error *err);
HEARTH_API int hearth_generate(hearth_client *client, const char *prompt,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_chat(hearth_client *client, const hearth_chat_message *messages, size_t count,
                           const hearth_request_params *params, hearth_result **ret_result,
                           hearth_error *err);

/**
 * Asks the daemon to end the request that runs on @client; that call then returns
 * HEARTH_E_CANCELLED, or its result if that came first. Any thread; not a signal handler. Returns
 * at once. HEARTH_E_NO_REQUEST if none runs, HEARTH_E_DISCONNECTED.
 */
HEARTH_API int hearth_cancel(hearth_client *client, hearth_error *err);

#include <hearth/result.h>
#include <hearth/models.h>

#ifdef __cplusplus
}
#endif

#endif
