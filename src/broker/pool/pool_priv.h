/* pool_priv.h — one worker, and what the files of this room call in each other. */

#ifndef HEARTH_POOL_PRIV_H
#define HEARTH_POOL_PRIV_H

#include "hearth_pool.h"
#include "hearth_transport.h"

#define POOL_MAGIC   0x504f4f4cu
#define WORKER_MAGIC 0x57524b52u

/* Digests, labels and options of one model. */
#define MAX_IDENTITY_BYTES (256u << 10)

/* Where a worker is. A worker that has ended is GONE or, if it shall come back, in BACKOFF. */
enum worker_phase {
    WORKER_GONE,
    WORKER_SPAWNING,   /* the spawner was asked */
    WORKER_INSPECTING, /* runs; hello or need is awaited */
    WORKER_LOADING,    /* was told to proceed */
    WORKER_SERVING,
    WORKER_STOPPING, /* told to stop, or failed and about to exit */
    WORKER_BACKOFF,  /* dead; the timer starts the next one */
};

/* What an answer of a worker is measured by. */
struct answer_rules {
    const struct hearth_manifest *manifest;
    uint32_t dimensions;
    bool has_raw_scores;             /* a regression: scores are no probabilities */
    struct hearth_wire_list outputs; /* ports; none: any name will do */
};

struct worker {
    uint32_t magic;
    uint32_t slot;
    struct hearth_pool *pool;
    struct hearth_model *model; /* NULL while GONE */
    enum worker_phase phase;
    bool is_unwanted; /* unloaded while the spawner was asked */
    bool said_hello;
    bool has_exited;         /* its process is gone, but not all that it said is taken yet */
    const char *broken_rule; /* why we killed it; NULL if we did not */

    pid_t pid;
    int pidfd;
    struct hearth_ring *ring;
    struct hearth_watch pid_watch;
    struct hearth_watch ring_watch;
    struct hearth_timer timer; /* load timeout, grace of a stop, or back-off */
    struct hearth_buf outbox;  /* messages that wait for room: u32 size, bytes */
    struct hearth_list awake;  /* in the pool's, while its ring does not wake us */
    struct hearth_list tickets;
    struct hearth_buf identity; /* of what it was started with, see identity.c */
    struct hearth_hold hold;
    struct hearth_need need; /* as it told; zero before */
    uint64_t limit_bytes;    /* that the kernel gives it at the most; 0 before it may load */
    bool awaits_room;        /* it has told, and is to wait before it may load */
    uint32_t token_bytes;
    uint32_t load_ms; /* of its last load: outlives the process */

    struct hearth_buf ready_bytes;         /* what it said when it was ready … */
    struct hearth_wire_worker_ready ready; /* … and what that means; zero before */
    struct answer_rules rules;
    uint32_t capacity;
    uint32_t threads;
    uint32_t restarts;
    uint32_t deaths_without_answer; /* in a row */
    uint32_t backoff_ms;
    uint64_t spawned_ns;
    uint64_t ready_at_ns; /* 0 unless it was ready */
    bool is_watched;      /* the timer looks whether it makes steps */
    bool is_hung;         /* killed, since it did not */
    uint64_t steps_seen;
    uint64_t step_ns;     /* when the last of them was seen, or work came to an idle worker */
    uint32_t still_looks; /* since then */
    char containment[HEARTH_MAX_ERROR_BYTES + 1];
};

struct hearth_pool {
    uint32_t magic;
    struct hearth_loop *loop;
    const struct hearth_config *config;
    struct hearth_registry *registry;
    struct hearth_budget *budget;
    struct hearth_metrics *metrics;
    const struct hearth_pool_events *events;
    void *arg;
    int spawner_fd;
    struct hearth_watch spawner_watch;
    struct hearth_buf inbound; /* one message of a worker at a time */
    struct hearth_buf scratch; /* one message to a worker or the spawner at a time */
    struct hearth_list awake;  /* workers whose ring is looked into each round */
    uint32_t awake_count;
    struct worker workers[HEARTH_MAX_MODELS];
};

/* identity.c */
int pool_identify(const struct hearth_pool *pool, const struct hearth_model *model,
                  struct hearth_buf *ret, struct hearth_error *err);

/* spawn.c: options of the manifest, then those of the configuration, which win */
int pool_gather_options(const struct hearth_pool *pool, const struct hearth_model *model,
                        struct hearth_wire_option options[HEARTH_MAX_MODEL_OPTIONS],
                        uint32_t *ret_count, struct hearth_error *err);
int worker_spawn(struct worker *worker, struct hearth_error *err);
void pool_on_spawner(void *arg, unsigned events);

/* link.c */
int worker_open_link(struct worker *worker, struct hearth_error *err);
int worker_watch_link(struct worker *worker, struct hearth_error *err); /* once it has a pid */
void worker_close_link(struct worker *worker);
enum hearth_look pool_look(void *arg, bool may_poll);
bool pool_take(void *arg);
bool worker_drain_link(struct worker *worker); /* some of what it left; true: nothing is left */
int worker_post(struct worker *worker, const struct hearth_message *message);
int worker_post_bytes(struct worker *worker, struct hearth_slice bytes); /* a V2 message */
int worker_post_request(struct worker *worker, uint64_t ticket, struct hearth_slice bytes,
                        const int *fds, uint32_t fd_count);

/* life.c */
void worker_started(struct worker *worker, pid_t pid, int pidfd);
void worker_not_started(struct worker *worker, const struct hearth_error *why);
void worker_fail_load(struct worker *worker, const struct hearth_error *why);
void worker_break(struct worker *worker, const char *rule); /* it broke a rule: killed */
void worker_kill(struct worker *worker);
void worker_died(struct worker *worker);
void worker_on_timer(void *arg, uint64_t now_ns);
void worker_on_pid(void *arg, unsigned events);

/* liveness.c: is progress made? */
void worker_expect_steps(struct worker *worker); /* an idle one was handed a request */
void worker_look_for_steps(struct worker *worker);
uint32_t worker_still_ms(const struct worker *worker);
uint64_t worker_progress_limit_ms(const struct worker *worker); /* 0: none */

/* room.c */
void worker_need(struct worker *worker, const struct hearth_wire_worker_need *need);
void worker_measure(struct worker *worker);
/* Fills @err with HEARTH_E_NO_ROOM and the numbers: @what ("load", "ask") could not be done. */
int worker_no_room(const struct worker *worker, const char *what, struct hearth_error *err);

/* liveness.c: is progress made? */
void worker_expect_steps(struct worker *worker); /* an idle one was handed a request */
void worker_look_for_steps(struct worker *worker);
uint32_t worker_still_ms(const struct worker *worker);
uint64_t worker_progress_limit_ms(const struct worker *worker); /* 0: none */

/* link.c → life.c: the phases of loading */
void worker_hello(struct worker *worker, const struct hearth_wire_worker_hello *hello);
void worker_ready(struct worker *worker, const struct hearth_wire_worker_ready *ready);
void worker_failed(struct worker *worker, const struct hearth_wire_worker_failed *failed);

/* generation.c, for answers.c: NULL, or what is wrong with it */
bool answer_is_text(const struct hearth_ticket *ticket); /* a task that writes a text */
const char *answer_check_text(struct hearth_ticket *ticket,
                              const struct hearth_wire_result *result);
const char *answer_check_choice(const struct hearth_ticket *ticket, struct hearth_wire_list labels);
const char *answer_check_told(const struct hearth_ticket *ticket,
                              const struct hearth_wire_inference_response *response);

/* answers.c: NULL, or what is wrong with it (a constant) */
const char *answer_check_chunk(struct hearth_ticket *ticket, const struct answer_rules *rules,
                               const struct hearth_wire_stream_chunk *chunk);
const char *answer_check_end(struct hearth_ticket *ticket, const struct answer_rules *rules,
                             const struct hearth_wire_inference_response *response);

#endif
