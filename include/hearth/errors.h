/* errors.h — the one list of errors of Hearth.
 *
 * X(NAME, number, name, retryable, V1 code, HTTP status, sentence, remedy)
 *
 * A function returns 0 or the negative number (HEARTH_E_NO_MODEL is -2). Numbers are frozen: append
 * only. "retryable" means that the same request may succeed later without a change. The V1 code is
 * the `error_code` (or numeric code) of the JSON encoding. */

#ifndef HEARTH_ERRORS_H
#define HEARTH_ERRORS_H

#define HEARTH_ERRORS(X)                                                                           \
    X(NO_ROOM, 1, "no_room", 1, "admission_rejected", 503, "not enough memory in the budget",      \
      "unload a model (`hearth models unload NAME`) or raise memory_limit")                        \
    X(NO_MODEL, 2, "no_model", 0, "model_not_loaded", 404, "no such model",                        \
      "see `hearth models` for what this daemon knows")                                            \
    X(DENIED, 3, "denied", 0, "denied", 403, "not permitted", "ask the operator of this daemon")   \
    X(MALFORMED, 4, "malformed", 0, "malformed", 400, "message could not be decoded",              \
      "check the client against docs/protocol.md")                                                 \
    X(EXPIRED, 5, "expired", 1, "timeout", 504, "deadline passed", "allow more time or send less") \
    X(NO_MEMORY, 6, "no_memory", 1, "execution_failed", 503, "out of memory",                      \
      "free memory and try again")                                                                 \
    X(SYSTEM, 7, "system", 0, "execution_failed", 500, "the operating system refused",             \
      "correct what the message names; the log of hearthd may tell more")                          \
    X(TOO_LARGE, 8, "too_large", 0, "too_large", 413, "larger than the limit",                     \
      "send less at once")                                                                         \
    X(INPUT_INVALID, 9, "input_invalid", 0, "input_invalid", 400, "input is not valid",            \
      "correct the field that the message names")                                                  \
    X(TOO_LONG, 10, "too_long", 0, "too_long", 400, "more tokens than the model takes",            \
      "shorten the text or load the model with a larger context")                                  \
    X(QUEUE_FULL, 11, "queue_full", 1, "admission_rejected", 429, "the queue is full",             \
      "try again later")                                                                           \
    X(SHUTTING_DOWN, 12, "shutting_down", 1, "shutting_down", 503, "the daemon is shutting down",  \
      "try again when it runs again")                                                              \
    X(WORKER_LOST, 13, "worker_lost", 1, "worker_lost", 502,                                       \
      "the worker process of the model died", "send the request again; the worker is restarted")   \
    X(CANCELLED, 14, "cancelled", 0, "cancelled", 499, "cancelled",                                \
      "send it again if it is still wanted")                                                       \
    X(MODEL_INVALID, 15, "model_invalid", 0, "model_invalid", 422, "the model cannot be used",     \
      "correct its manifest, or replace the model file")                                           \
    X(DIGEST_MISMATCH, 16, "digest_mismatch", 0, "digest_mismatch", 422,                           \
      "a model file is not the one recorded",                                                      \
      "fetch the model again (`scripts/download_models.sh`), or import it again")                  \
    X(NO_ENGINE, 17, "no_engine", 0, "engine_missing", 501,                                        \
      "the engine for this model is not built",                                                    \
      "configure with -DHEARTH_ONNX=ON or -DHEARTH_GGUF=ON and build again")                       \
    X(UNSUPPORTED, 18, "unsupported", 0, "unsupported", 422, "not supported",                      \
      "docs/onnx-models.md tells what works of ONNX models, docs/generation.md of GGUF models")    \
    X(BUSY, 19, "busy", 1, "busy", 409, "already being done", "wait until it is finished")         \
    X(NOT_READY, 20, "not_ready", 1, "model_not_loaded", 503, "the model is not ready",            \
      "wait or load it")                                                                           \
    X(DISCONNECTED, 21, "disconnected", 1, "disconnected", 502, "the connection ended",            \
      "connect again")                                                                             \
    X(VERSION, 22, "version", 0, "version", 505, "no common protocol version",                     \
      "use a client and a daemon of the same release")                                             \
    X(UNAUTHENTICATED, 23, "unauthenticated", 0, "unauthenticated", 401, "no session",             \
      "begin with a handshake, with the daemon's token if it asks for one")                        \
    X(TOO_MANY_CONNECTIONS, 24, "too_many_connections", 1, "too_many_connections", 503,            \
      "too many connections", "close connections or raise max_connections")                        \
    X(INTERNAL, 25, "internal", 0, "execution_failed", 500, "internal error",                      \
      "report it with the lines of the log around it")                                             \
    X(NO_DAEMON, 26, "no_daemon", 1, "no_daemon", 503, "no daemon answers on the socket",          \
      "start one with `hearthd`, or use `hearth run -- COMMAND`")                                  \
    X(IN_USE, 27, "in_use", 0, "in_use", 409, "another daemon uses this socket",                   \
      "stop it or choose another --socket")                                                        \
    X(CONFIG, 28, "config", 0, "config", 500, "the configuration is not valid",                    \
      "correct the line that the message names, or the option")                                    \
    X(ENGINE_FAILED, 29, "engine_failed", 0, "execution_failed", 500,                              \
      "the engine failed on this request",                                                         \
      "see the log of hearthd; other requests are not affected")                                   \
    X(NO_REQUEST, 30, "no_request", 0, "no_request", 404, "no such request",                       \
      "it may have ended already")                                                                 \
    X(CONTAINMENT, 31, "containment", 0, "containment", 500,                                       \
      "a required wall could not be raised",                                                       \
      "run on a kernel with seccomp and landlock (>= 5.13)")                                       \
    X(ARGUMENT, 32, "argument", 0, "input_invalid", 400, "argument is not valid",                  \
      "correct the argument that the message names")

enum hearth_error_code {
    HEARTH_OK = 0,
#define HEARTH_ERROR_ENUM(NAME, number, name, retryable, v1, http, sentence, remedy)               \
    HEARTH_E_##NAME = -(number),
    HEARTH_ERRORS(HEARTH_ERROR_ENUM)
#undef HEARTH_ERROR_ENUM
        HEARTH_E_LAST_ = -1000 /* keeps the enum signed and free to grow; never returned */
};

/* Room for one sentence with its detail; errors are never allocated. */
#define HEARTH_ERROR_TEXT_BYTES 256

/** What went wrong: the code, errno if the system said so (else 0), and a sentence for a person. */
struct hearth_error {
    int code;
    int sys_errno;
    char text[HEARTH_ERROR_TEXT_BYTES];
};

#endif
