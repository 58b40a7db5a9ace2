/* world.c — see world.h. */

#include "world.h"

#include "hearth_log.h"
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the broker --------------------------------------------------------------------------- */

static void write_manifest(const struct world *w, const char *id, const char *rest)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s.manifest.json", w->root, id);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "{\"model_id\":\"%s\",\"architecture\":\"echo\",\"capabilities\":[%s}", id, rest);
    assert_int_equal(fclose(file), 0);
}

int world_setup(void **state)
{
    struct world *w = hearth_alloc(1, sizeof *w);
    char path[100];
    assert_non_null(w);
    hearth_log_set_fd(-1);
    snprintf(w->root, sizeof w->root, "/tmp/hearth-test-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    write_manifest(w, "gen", "\"text_generation\"]");
    write_manifest(w, "gen2", "\"text_generation\"]");
    write_manifest(w, "emb", "\"embedding\"]");
    write_manifest(w, "cls", "\"text_classification\"],\"labels\":[\"x\",\"y\"]");
    assert_int_equal(hearth_config_init(&w->config, NULL), 0);
    snprintf(path, sizeof path, "%s/run/s", w->root);
    assert_int_equal(hearth_config_set(&w->config, "socket", path, NULL), 0);
    w->config.threads = 4;
    w->config.memory_limit_bytes = 1u << 30;
    *state = w;
    return 0;
}

int world_setup_v1(void **state)
{
    int rc = world_setup(state);
    ((struct world *)*state)->is_json = true;
    return rc;
}

static void on_end(void *arg, const struct hearth_drain_result *result)
{
    struct world *w = arg;
    w->ends++;
    w->result = *result;
}

void world_start(struct world *w)
{
    int fds[2];
    assert_int_equal(hearth_loop_create(&w->loop, NULL), 0);
    w->roots[0] = w->root;
    hearth_registry_init(&w->registry, w->roots, 1);
    assert_int_equal(hearth_registry_scan(&w->registry, NULL), 0);
    hearth_budget_init(&w->budget, w->config.memory_limit_bytes);
    hearth_metrics_init(&w->metrics);
    assert_int_equal(hearth_socket_pair(fds, NULL), 0);
    w->spawner_fd = fds[1];
    struct hearth_server_parts parts = {w->loop,
                                        &w->config,
                                        &w->registry,
                                        &w->budget,
                                        &w->metrics,
                                        fds[0],
                                        {.fd = -1, .lock_fd = -1},
                                        w->pressure_fd};
    assert_int_equal(hearth_server_create(&parts, on_end, w, &w->server, NULL), 0);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

int world_teardown(void **state)
{
    struct world *w = *state;
    hearth_server_destroy(w->server);
    assert_int_equal(w->budget.held_bytes, 0);
    if (w->loop != NULL) {
        hearth_fd_close(&w->spawner_fd);
        hearth_registry_finish(&w->registry);
        hearth_loop_destroy(w->loop);
    }
    hearth_config_finish(&w->config);
    int rc = nftw(w->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    hearth_free(w);
    return rc;
}

/* A round without a callback ends it: rounds are not timed, so nothing can be missed. */
void world_settle(struct world *w)
{
    struct hearth_loop_stats before;
    struct hearth_loop_stats after;
    unsigned quiet = 0;
    for (unsigned round = 0; round < 10000 && quiet < 3; round++) {
        hearth_loop_stats(w->loop, &before);
        assert_int_equal(hearth_loop_run_once(w->loop, 0, NULL), 0);
        hearth_loop_stats(w->loop, &after);
        quiet = after.callbacks == before.callbacks ? quiet + 1 : 0;
    }
    assert_int_equal(quiet, 3);
}

bool world_wait(struct world *w, unsigned ms, bool (*is_done)(struct world *w))
{
    uint64_t end_ns = hearth_clock_ns() + ms * HEARTH_NS_PER_MS;
    while (!is_done(w) && hearth_clock_ns() < end_ns) {
        assert_int_equal(hearth_loop_run_once(w->loop, end_ns, NULL), 0);
    }
    return is_done(w);
}

struct hearth_model *world_model(struct world *w, const char *id)
{
    struct hearth_model *model = hearth_registry_find(&w->registry, hearth_slice_of_string(id));
    assert_non_null(model);
    return model;
}

/* ---- clients ------------------------------------------------------------------------------ */

struct client client_connect(struct world *w)
{
    struct client client = {.fd = -1, .is_json = w->is_json};
    assert_int_equal(hearth_socket_connect(w->config.socket, HEARTH_NEVER, &client.fd, NULL), 0);
    hearth_frame_reader_init(&client.reader, HEARTH_MAX_FRAME_BYTES);
    hearth_json_room_init(&client.json_in, 64u << 20);
    hearth_json_room_init(&client.json_out, 64u << 20);
    world_settle(w);
    return client;
}

struct client client_session(struct world *w)
{
    struct client client = client_connect(w);
    struct hearth_message hello = {
        .type = HEARTH_MSG_handshake,
        .as.handshake = {.version_min = w->is_json ? 1 : 2, .version_max = w->is_json ? 1 : 2}};
    client_send(w, &client, &hello);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_handshake_ack);
    return client;
}

void client_close(struct world *w, struct client *client)
{
    hearth_frame_reader_finish(&client->reader);
    hearth_json_room_finish(&client->json_in);
    hearth_json_room_finish(&client->json_out);
    hearth_fd_close(&client->fd);
    world_settle(w);
}

void client_send(struct world *w, struct client *client, const struct hearth_message *message)
{
    struct hearth_frame_queue queue;
    hearth_frame_queue_init(&queue, HEARTH_MAX_FRAME_BYTES);
    struct hearth_buf *buf = hearth_frame_queue_begin(&queue);
    assert_non_null(buf);
    assert_int_equal(client->is_json ? hearth_json_encode(message, &client->json_out, buf)
                                     : hearth_wire_encode(message, buf),
                     0);
    assert_int_equal(hearth_frame_queue_commit(&queue), 0);
    while (hearth_frame_queue_flush(&queue, client->fd) == HEARTH_E_NOT_READY) {
        world_settle(w);
    }
    hearth_frame_queue_finish(&queue);
    world_settle(w);
}

void client_send_bytes(struct world *w, struct client *client, const void *bytes, size_t size)
{
    size_t sent = 0;
    assert_int_equal(hearth_socket_send(client->fd, bytes, size, &sent), 0);
    assert_int_equal(sent, size);
    world_settle(w);
}

/* 0, HEARTH_E_NOT_READY or HEARTH_E_DISCONNECTED. */
static int next_frame(struct client *client, struct hearth_slice *ret)
{
    int rc;
    while ((rc = hearth_frame_reader_next(&client->reader, ret)) == HEARTH_E_NOT_READY) {
        rc = hearth_frame_reader_fill(&client->reader, client->fd);
        if (rc < 0) {
            return rc;
        }
    }
    return rc;
}

struct hearth_message client_take(struct world *w, struct client *client)
{
    struct hearth_slice frame;
    struct hearth_message message;
    int rc = HEARTH_E_NOT_READY;
    uint64_t end_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_SEC;
    while (rc == HEARTH_E_NOT_READY && hearth_clock_ns() < end_ns) {
        world_settle(w); /* a large frame takes several turns: the socket holds little */
        rc = next_frame(client, &frame);
        if (rc == HEARTH_E_NOT_READY) { /* it waits for a timer, or for the end of a process */
            uint64_t soon_ns = hearth_clock_deadline_ns(hearth_clock_ns(), 10);
            assert_int_equal(hearth_loop_run_once(w->loop, soon_ns, NULL), 0);
        }
    }
    assert_int_equal(rc, 0);
    assert_int_equal(hearth_wire_is_json(frame), client->is_json);
    assert_int_equal(client->is_json ? hearth_json_decode(frame, &client->json_in, &message, NULL)
                                     : hearth_wire_decode(frame, &message, NULL),
                     0);
    return message;
}

void client_wait(struct world *w, const struct client *client)
{
    uint64_t end_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_SEC;
    while (hearth_fd_wait(client->fd, HEARTH_READY_IN, 0, NULL) == HEARTH_E_EXPIRED) {
        assert_true(hearth_clock_ns() < end_ns);
        assert_int_equal(hearth_loop_run_once(w->loop, end_ns, NULL), 0);
    }
}

void client_expect_error(struct world *w, struct client *client, int code, const char *part)
{
    char text[256];
    struct hearth_message message = client_take(w, client);
    assert_int_equal(message.type, HEARTH_MSG_error);
    assert_int_equal(-(int)message.as.error.code, code);
    assert_true(hearth_slice_to_string(message.as.error.message, text, sizeof text));
    assert_non_null(strstr(text, part));
}

bool client_is_silent(struct world *w, struct client *client)
{
    struct hearth_slice frame;
    world_settle(w);
    return next_frame(client, &frame) == HEARTH_E_NOT_READY;
}

bool client_is_cut(struct world *w, struct client *client)
{
    struct hearth_slice frame;
    world_settle(w);
    return next_frame(client, &frame) == HEARTH_E_DISCONNECTED;
}

void client_ask(struct world *w, struct client *client, uint64_t id, const char *model,
                enum hearth_task task, bool is_stream)
{
    struct hearth_wire_text text = {.text = hearth_slice_of_string("abc")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *asked = &message.as.inference_request;
    hearth_wire_default_request(asked);
    asked->request_id = id;
    asked->task = (uint8_t)task;
    asked->priority = HEARTH_NORMAL;
    asked->flags = is_stream ? HEARTH_FLAG_STREAM : 0;
    asked->model_id = hearth_slice_of_string(model);
    asked->texts = (struct hearth_wire_list){.count = 1, .items = &text};
    client_send(w, client, &message);
}

void client_load(struct world *w, struct client *client, const char *model)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_load_request,
        .as.load_request = {.request_id = 1000, .model_id = hearth_slice_of_string(model)}};
    client_send(w, client, &message);
}

int client_end(struct world *w, struct client *client, uint64_t id, char text[256])
{
    struct hearth_message message = client_take(w, client);
    assert_int_equal(message.type, HEARTH_MSG_inference_response);
    assert_int_equal(message.as.inference_response.request_id, id);
    if (text != NULL) {
        assert_true(hearth_slice_to_string(message.as.inference_response.error, text, 256));
    }
    return -(int)message.as.inference_response.code;
}

/* ---- workers ------------------------------------------------------------------------------ */

/* It must not keep our clients connected: the pipe tells when it has let go of everything. */
static pid_t sleeping_child(void)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close_range(3, ~0u, 0);
        for (;;) {
            pause();
        }
    }
    hearth_fd_close(&ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    hearth_fd_close(&ends[0]);
    return pid;
}

struct fake_worker worker_spawned(struct world *w)
{
    static uint8_t room[64 * 1024];
    struct fake_worker worker = {0};
    struct hearth_message message;
    int fds[HEARTH_RING_FD_COUNT];
    size_t size = 0;
    size_t fd_count = 0;
    world_settle(w);
    assert_int_equal(hearth_socket_receive_fds(w->spawner_fd, room, sizeof room, &size, fds,
                                               HEARTH_RING_FD_COUNT, &fd_count, NULL),
                     0);
    assert_int_equal(fd_count, HEARTH_RING_FD_COUNT);
    assert_int_equal(hearth_wire_decode(hearth_slice_of(room, size), &message, NULL), 0);
    assert_int_equal(message.type, HEARTH_MSG_spawn_request);
    hearth_buf_init(&worker.buf, HEARTH_MAX_RING_MESSAGE_BYTES);
    assert_int_equal(hearth_ring_attach(fds, HEARTH_MAX_RING_MESSAGE_BYTES, &worker.ring, NULL), 0);
    worker.slot = message.as.spawn_request.slot;
    worker.pid = sleeping_child();
    int pidfd = -1;
    assert_int_equal(hearth_process_open(worker.pid, &pidfd, NULL), 0);
    struct hearth_message reply = {
        .type = HEARTH_MSG_spawn_reply,
        .as.spawn_reply = {.slot = worker.slot, .pid = (uint32_t)worker.pid}};
    hearth_buf_clear(&worker.buf);
    assert_int_equal(hearth_wire_encode(&reply, &worker.buf), 0);
    assert_int_equal(
        hearth_socket_send_fds(w->spawner_fd, hearth_buf_slice(&worker.buf), &pidfd, 1, NULL), 0);
    hearth_fd_close(&pidfd);
    world_settle(w);
    return worker;
}

void worker_say(struct world *w, struct fake_worker *worker, const struct hearth_message *message)
{
    hearth_buf_clear(&worker->buf);
    assert_int_equal(hearth_wire_encode(message, &worker->buf), 0);
    struct hearth_slice bytes = hearth_buf_slice(&worker->buf);
    assert_int_equal(hearth_ring_send(worker->ring, &bytes, 1), 0);
    world_settle(w);
}

struct hearth_message worker_hear(struct world *w, struct fake_worker *worker)
{
    struct hearth_message message;
    world_settle(w);
    (void)hearth_ring_cancel_sleep(worker->ring);
    assert_int_equal(hearth_ring_receive(worker->ring, &worker->buf), 0);
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&worker->buf), &message, NULL), 0);
    return message;
}

bool worker_hears_nothing(struct world *w, struct fake_worker *worker)
{
    world_settle(w);
    return hearth_ring_receive(worker->ring, &worker->buf) == HEARTH_E_NOT_READY;
}

uint64_t worker_hear_request(struct world *w, struct fake_worker *worker)
{
    struct hearth_message message = worker_hear(w, worker);
    while (message.type == HEARTH_MSG_worker_lease) {
        message = worker_hear(w, worker);
    }
    assert_int_equal(message.type, HEARTH_MSG_inference_request);
    return message.as.inference_request.request_id;
}

void worker_lead_to_ready(struct world *w, struct fake_worker *worker, uint32_t capacity)
{
    struct hearth_message hello = {
        .type = HEARTH_MSG_worker_hello,
        .as.worker_hello = {.build_id = hearth_slice_of_string(HEARTH_BUILD_ID),
                            .containment = hearth_slice_of_string("seccomp")}};
    struct hearth_message need = {.type = HEARTH_MSG_worker_need,
                                  .as.worker_need = {.weights_bytes = 1 << 20}};
    struct hearth_message ready = {
        .type = HEARTH_MSG_worker_ready,
        .as.worker_ready = {.capacity = capacity, .dimensions = 2, .threads = 4}};
    worker_say(w, worker, &hello);
    worker_say(w, worker, &need);
    assert_int_equal(worker_hear(w, worker).type, HEARTH_MSG_worker_proceed);
    worker_say(w, worker, &ready);
}

struct fake_worker worker_loaded(struct world *w, const char *model, uint32_t capacity)
{
    struct client client = client_session(w);
    client_load(w, &client, model);
    struct fake_worker worker = worker_spawned(w);
    worker_lead_to_ready(w, &worker, capacity);
    struct hearth_message answer = client_take(w, &client);
    assert_int_equal(answer.type, HEARTH_MSG_load_response);
    assert_int_equal(answer.as.load_response.code, 0);
    assert_int_equal(answer.as.load_response.worker_pid, worker.pid);
    client_close(w, &client);
    return worker;
}

void worker_answer(struct world *w, struct fake_worker *worker, uint64_t id, int code)
{
    struct hearth_wire_result result = {.text = hearth_slice_of_string("cba"),
                                        .finish_reason = HEARTH_FINISH_STOP};
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = id,
                                  .code = (uint16_t)-code,
                                  .finish_reason =
                                      code == 0 ? HEARTH_FINISH_STOP : HEARTH_FINISH_FAILED,
                                  .results = {.count = code == 0 ? 1u : 0u, .items = &result}}};
    worker_say(w, worker, &message);
}

bool worker_was_killed(struct fake_worker *worker)
{
    int status = 0;
    pid_t pid = waitpid(worker->pid, &status, 0);
    bool was_killed = pid == worker->pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    worker->pid = 0;
    return was_killed;
}

void worker_die(struct world *w, struct fake_worker *worker)
{
    assert_int_equal(kill(worker->pid, SIGKILL), 0);
    assert_int_equal(waitpid(worker->pid, NULL, 0), worker->pid);
    worker->pid = 0;
    worker_finish(worker);
    world_settle(w);
}

void worker_finish(struct fake_worker *worker)
{
    if (worker->pid > 0) {
        (void)kill(worker->pid, SIGKILL);
        (void)waitpid(worker->pid, NULL, 0);
        worker->pid = 0;
    }
    hearth_ring_destroy(worker->ring);
    worker->ring = NULL;
    hearth_buf_finish(&worker->buf);
}
