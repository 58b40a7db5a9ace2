/* world.h — a broker in this process: the test is its clients, its spawner and its workers.
 *
 * Nothing waits on a clock: every step runs the loop until it is quiet. A worker's process is a
 * child that only sleeps, so that pidfds and signals are real. */

#ifndef BROKER_WORLD_H
#define BROKER_WORLD_H

#include "kit.h"

#include "hearth_config.h"
#include "hearth_session.h"
#include "hearth_transport.h"
#include "hearth_wire.h"

struct world {
    struct hearth_loop *loop;
    struct hearth_config config;
    struct hearth_registry registry;
    struct hearth_budget budget;
    struct hearth_metrics metrics;
    struct hearth_server *server;
    int spawner_fd;  /* our end */
    int pressure_fd; /* of world_start(): becomes the server's */
    bool is_json;    /* its clients speak V1 */
    char root[64];
    const char *roots[1];
    unsigned ends; /* calls of on_end */
    struct hearth_drain_result result;
};

struct client {
    int fd;
    struct hearth_frame_reader reader;
    bool is_json; /* what it sends from now on */
    struct hearth_json_room json_in;
    struct hearth_json_room json_out;
};

struct fake_worker {
    struct hearth_ring *ring;
    struct hearth_buf buf;
    pid_t pid;
    uint32_t slot;
};

/* cmocka fixtures; models "gen", "gen2" (generate), "emb" (embed) and "cls" (classify: x, y). */
int world_setup(void **state);
int world_setup_v1(void **state); /* clients speak V1 */
int world_teardown(void **state);
/** The server begins; change w->config before. */
void world_start(struct world *w);
/** Runs the loop until nothing is left to do at once. */
void world_settle(struct world *w);
/** Runs the loop for at most @ms or until @is_done says so; returns what it said last. */
bool world_wait(struct world *w, unsigned ms, bool (*is_done)(struct world *w));
struct hearth_model *world_model(struct world *w, const char *id);

/* clients */
struct client client_connect(struct world *w);
struct client client_session(struct world *w); /* with handshake */
void client_close(struct world *w, struct client *client);
void client_send(struct world *w, struct client *client, const struct hearth_message *message);
void client_send_bytes(struct world *w, struct client *client, const void *bytes, size_t size);
/** Takes the next message; fails the test if there is none. Slices live until the next call. It
 *  must come in the encoding that the client speaks. */
struct hearth_message client_take(struct world *w, struct client *client);
/** Runs the loop until something comes or the connection ends: for what a timer of the broker does.
 */
void client_wait(struct world *w, const struct client *client);
void client_expect_error(struct world *w, struct client *client, int code, const char *part);
bool client_is_silent(struct world *w, struct client *client); /* open, and nothing was said */
bool client_is_cut(struct world *w, struct client *client);
void client_ask(struct world *w, struct client *client, uint64_t id, const char *model,
                enum hearth_task task, bool is_stream);
void client_load(struct world *w, struct client *client, const char *model);
/** Takes the terminal of @id and returns its (negative) code. */
int client_end(struct world *w, struct client *client, uint64_t id, char text[256]);

/* workers */
struct fake_worker worker_spawned(struct world *w); /* takes a spawn_request */
struct fake_worker worker_loaded(struct world *w, const char *model, uint32_t capacity);
void worker_lead_to_ready(struct world *w, struct fake_worker *worker, uint32_t capacity);
void worker_say(struct world *w, struct fake_worker *worker, const struct hearth_message *message);
struct hearth_message worker_hear(struct world *w, struct fake_worker *worker);
bool worker_hears_nothing(struct world *w, struct fake_worker *worker);
/** Hears leases, if there are any, then a request; returns its ticket id. */
uint64_t worker_hear_request(struct world *w, struct fake_worker *worker);
void worker_answer(struct world *w, struct fake_worker *worker, uint64_t id, int code);
bool worker_was_killed(struct fake_worker *worker); /* waits for the end of the child */
void worker_die(struct world *w, struct fake_worker *worker);
void worker_finish(struct fake_worker *worker);

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
/* Once with clients of each version. */
#define WORLD_TEST_BOTH(name)                                                                      \
    WORLD_TEST(name),                                                                              \
    {                                                                                              \
#name "_in_v1", name, world_setup_v1, world_teardown, NULL                                 \
    }

#endif
