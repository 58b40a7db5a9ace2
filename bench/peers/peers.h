/* peers.h — the other processes of a benchmark: the daemon, a server to compare with, a raw relay;
 * and the two ways in which a client talks to them.
 *
 * Every child dies with this process. Functions return 0 or an error that names the remedy. */

#ifndef HEARTH_PEERS_H
#define HEARTH_PEERS_H

#include "hearth_base.h"
#include "hearth_harness.h"

#include <sys/types.h>

#define PEERS_PATH_BYTES  96u /* a socket's path must fit */
#define PEERS_FRAME_BYTES 4096u

/* ---- processes and folders ------------------------------------------------------------------ */

struct peer {
    pid_t pid;                     /* 0: none */
    char folder[PEERS_PATH_BYTES]; /* its own, removed with it; "" if none */
    char socket[PEERS_PATH_BYTES + 16];
};

/** Starts @argv with its output in <folder>/log; makes the folder. */
int peer_start(struct peer *peer, char *const *argv, struct hearth_error *err);
int peer_make_folder(struct peer *peer, struct hearth_error *err);

/** Waits until it accepts connections; if it ends instead, @err has the last words of its log. */
int peer_wait(struct peer *peer, struct hearth_error *err);

/** Ends the process (SIGTERM, then SIGKILL after 5 s) and removes its folder. */
void peer_stop(struct peer *peer);

/** Starts hearthd with the models of @model_folder and @preload ("a, b"); answers when they serve.
 */
int peer_start_hearthd(const struct hearth_harness_places *places, const char *model_folder,
                       const char *preload, struct peer *ret, struct hearth_error *err);

/** The same with @sections ("[model a]\nkey = value\n") at the end of its configuration. */
int peer_start_hearthd_with(const struct hearth_harness_places *places, const char *model_folder,
                            const char *preload, const char *sections, struct peer *ret,
                            struct hearth_error *err);

/** The same without waiting for anything. */
int peer_exec_hearthd(const struct hearth_harness_places *places, const char *model_folder,
                      const char *preload, const char *sections, struct peer *ret,
                      struct hearth_error *err);

/** CPU time of a process and all below it, all living threads, by the scheduler's count. */
uint64_t peer_tree_cpu_ns(pid_t pid);

/** The largest resident set that a worker below @pid ever had; 0 if there is none. */
uint64_t peer_worker_peak_bytes(pid_t pid);

/**
 * Starts fastembed behind uvicorn with so many @processes (each then has one thread), or with 0 as
 * it starts by itself: one process, threads by the library's choice. HEARTH_E_UNSUPPORTED says how
 * to get it.
 */
int peer_start_fastembed(const struct hearth_harness_places *places, unsigned processes,
                         struct peer *ret, struct hearth_error *err);

/** Starts transformers.js behind node's HTTP server. HEARTH_E_UNSUPPORTED. */
int peer_start_transformers_js(const struct hearth_harness_places *places, struct peer *ret,
                               struct hearth_error *err);

/**
 * Starts llama-server with @model (a path below places->models), @slots that share a cache of
 * @context_tokens, and as many threads as there are cores; everything else as it is by itself. Does
 * not wait. HEARTH_E_UNSUPPORTED says how to get it.
 */
int peer_exec_llama_server(const struct hearth_harness_places *places, const char *model,
                           unsigned slots, unsigned context_tokens, struct peer *ret,
                           struct hearth_error *err);

/** Starts redis-server on a Unix socket. HEARTH_E_UNSUPPORTED says how to get it. */
int peer_start_redis(struct peer *ret, struct hearth_error *err);

/**
 * Starts the raw two-hop path: client → relay → leaf and back, three processes joined by Unix
 * stream sockets, blocking read and write, fixed sizes, nothing looked at. *@ret_fd is the client's
 * end (blocking).
 */
int peer_start_relay(size_t request_bytes, size_t answer_bytes, struct peer ret_processes[2],
                     int *ret_fd, struct hearth_error *err);

/* ---- one blocking client -------------------------------------------------------------------- */

/** Writes, or reads, all of it. */
int peer_write(int fd, const uint8_t *bytes, size_t size, struct hearth_error *err);
int peer_read(int fd, uint8_t *room, size_t size, struct hearth_error *err);

struct hearth_message;

/** Encodes with the length in front; @room has PEERS_FRAME_BYTES × 8. */
#define PEERS_LARGE_BYTES (8u * PEERS_FRAME_BYTES)
int peer_make_frame(const struct hearth_message *message, uint8_t *room, size_t *ret_bytes,
                    struct hearth_error *err);

/** Decodes a frame whose message must be of type @wanted (enum hearth_message_type). */
int peer_decode(const uint8_t *frame, size_t size, int wanted, struct hearth_message *ret,
                struct hearth_error *err);

/** Connects (blocking descriptor); the second makes the V2 handshake too. */
int peer_connect(const char *path, int *ret_fd, struct hearth_error *err);
int peer_connect_v2(const char *path, int *ret_fd, struct hearth_error *err);

/** Sends a frame and reads the answer's whole frame (prefix included) into @room. */
int peer_call(int fd, const uint8_t *frame, size_t size, uint8_t room[PEERS_FRAME_BYTES],
              size_t *ret_bytes, struct hearth_error *err);

/* ---- the no-op ------------------------------------------------------------------------------ */

/** A V2 request that costs the echo engine nothing to speak of, and what its answer must be. */
struct noop {
    uint8_t request[PEERS_LARGE_BYTES]; /* a frame; the id is at NOOP_ID_AT */
    size_t request_bytes;
    size_t answer_bytes; /* of a frame, as the check found it */
};
#define NOOP_ID_AT 8u /* prefix, number, zero */

int noop_make(struct noop *ret, struct hearth_error *err);
void noop_set_id(uint8_t *frame, uint64_t id);

/** Asks once and compares the whole answer with what the echo engine's rule says. */
int noop_check(int fd, struct noop *noop, struct hearth_error *err);

/** True if @frame (prefix included) is a good end of request @id: what a timed client looks at. */
bool noop_is_answer(const uint8_t *frame, size_t size, uint64_t id);

#endif
