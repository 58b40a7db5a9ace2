/* test_spawner.c — what the spawner opens and starts, and what it refuses. */

#include "kit.h"

#include "fake_broker.h"
#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    struct fake_broker broker;
    char root[64];
};

static void write_file(const struct world *w, const char *name, const char *content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", w->root, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static void link_file(const struct world *w, const char *target, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", w->root, name);
    assert_int_equal(symlink(target, path), 0);
}

static void make_folder(const struct world *w, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", w->root, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static int set_up_with(void **state, const char *worker_folder)
{
    struct world *w = hearth_alloc(1, sizeof *w);
    snprintf(w->root, sizeof w->root, "/tmp/hearth-spawner-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    make_folder(w, "m");
    make_folder(w, "other");
    make_folder(w, "m/folder");
    write_file(w, "m/file", "12345");
    write_file(w, "other/file", "12345");
    link_file(w, "file", "m/link");
    link_file(w, "/etc/passwd", "m/passwd");
    link_file(w, "m", "linked");
    fake_broker_init(&w->broker, worker_folder, w->root);
    *state = w;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, HEARTH_TEST_WORKERS);
}

static int set_up_without_workers(void **state)
{
    return set_up_with(state, "/nonexistent");
}

static int tear_down(void **state)
{
    struct world *w = *state;
    fake_broker_finish(&w->broker);
    fake_remove_tree(w->root);
    hearth_free(w);
    return 0;
}

static struct fake_model model_with(const char *folder, const char *path, uint64_t size_bytes)
{
    struct fake_model model = {.folder = folder,
                               .engine = HEARTH_ENGINE_ECHO,
                               .task = HEARTH_TASK_GENERATE,
                               .file_count = 1,
                               .threads = 1};
    model.files[0] = (struct fake_file){.path = path, .size_bytes = size_bytes};
    memset(model.files[0].sha256, '0', HEARTH_SHA256_HEX_BYTES);
    return model;
}

static void paths_that_leave_the_model_are_refused(void **state)
{
    static const struct {
        const char *folder;
        const char *path;
        int code;
        const char *part;
    } cases[] = {
        {"m", "../other/file", HEARTH_E_DENIED, "\"..\""},
        {"m", "..", HEARTH_E_DENIED, "\"..\""},
        {"m/..", "other/file", HEARTH_E_DENIED, "\"..\""},
        {"..", "file", HEARTH_E_DENIED, "\"..\""},
        {"m", "folder/../../other/file", HEARTH_E_DENIED, "\"..\""},
        {"m", "/etc/passwd", HEARTH_E_DENIED, "absolute"},
        {"/etc", "passwd", HEARTH_E_DENIED, "absolute"},
        {"m", "passwd", HEARTH_E_DENIED, "passwd"},
        {"m", "link", HEARTH_E_DENIED, "link"},
        {"linked", "file", HEARTH_E_DENIED, "linked"},
        {"m", "", HEARTH_E_DENIED, "no name"},
        {"m", "folder", HEARTH_E_MODEL_INVALID, "not a regular file"},
        {"m", "absent", HEARTH_E_MODEL_INVALID, "absent"},
        {"m", "file/file", HEARTH_E_MODEL_INVALID, "file"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct hearth_error err = {0};
        struct fake_model model = model_with(cases[i].folder, cases[i].path, 5);
        int rc = fake_spawn(&w->broker, &model, &err);
        if (rc != cases[i].code || strstr(err.text, cases[i].part) == NULL) {
            fail_msg("%s + %s: %s \"%s\"", cases[i].folder, cases[i].path, hearth_error_name(rc),
                     err.text);
        }
    }
}

static void a_nul_inside_a_path_is_refused(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    struct hearth_wire_model_file file = {.path = hearth_slice_of("file\0x", 6), .size_bytes = 5};
    struct hearth_message request = {.type = HEARTH_MSG_spawn_request,
                                     .as.spawn_request = {.slot = 1,
                                                          .folder = hearth_slice_of_string("m"),
                                                          .files = {.count = 1, .items = &file}}};
    HEARTH_AUTO(hearth_buf) struct hearth_buf bytes;
    hearth_buf_init(&bytes, 4096);
    assert_int_equal(hearth_wire_encode(&request, &bytes), 0);
    int fds[HEARTH_RING_FD_COUNT] = {0, 0, 0};
    assert_int_equal(hearth_socket_send_fds(w->broker.spawner.fd, hearth_buf_slice(&bytes), fds,
                                            HEARTH_RING_FD_COUNT, &err),
                     0);
    uint8_t room[1024];
    size_t size = 0;
    size_t fd_count = 0;
    struct hearth_message reply;
    assert_int_equal(hearth_socket_receive_fds(w->broker.spawner.fd, room, sizeof room, &size, fds,
                                               1, &fd_count, &err),
                     0);
    assert_int_equal(hearth_wire_decode(hearth_slice_of(room, size), &reply, &err), 0);
    assert_int_equal(reply.as.spawn_reply.code, -HEARTH_E_DENIED);
}

static void another_size_than_the_manifests_names_both(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    struct fake_model model = model_with("m", "file", 6);
    assert_int_equal(fake_spawn(&w->broker, &model, &err), HEARTH_E_MODEL_INVALID);
    assert_string_equal(err.text, "m/file has 5 bytes, the manifest says 6");
}

static void a_missing_program_names_the_build_option(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    struct fake_model model = model_with("m", "file", 5);
    model.engine = HEARTH_ENGINE_ONNX;
    assert_int_equal(fake_spawn(&w->broker, &model, &err), HEARTH_E_NO_ENGINE);
    assert_non_null(strstr(err.text, "HEARTH_ONNX"));
    model.engine = HEARTH_ENGINE_GGUF;
    assert_int_equal(fake_spawn(&w->broker, &model, &err), HEARTH_E_NO_ENGINE);
    assert_non_null(strstr(err.text, "HEARTH_GGUF"));
}

static void rubbish_is_answered_and_survived(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    int fd = -1;
    uint8_t room[1024];
    size_t size = 0;
    size_t fd_count = 0;
    struct hearth_message reply;
    assert_int_equal(
        hearth_socket_send_fds(w->broker.spawner.fd, hearth_slice_of("rubbish", 7), NULL, 0, &err),
        0);
    assert_int_equal(hearth_socket_receive_fds(w->broker.spawner.fd, room, sizeof room, &size, &fd,
                                               1, &fd_count, &err),
                     0);
    assert_int_equal(hearth_wire_decode(hearth_slice_of(room, size), &reply, &err), 0);
    assert_int_equal(reply.as.spawn_reply.code, -HEARTH_E_MALFORMED);

    struct fake_model model = model_with("m", "file", 5);
    assert_int_equal(fake_spawn(&w->broker, &model, &err), 0);
}

static void the_environment_of_a_worker_is_fixed(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    struct fake_model model = model_with("m", "file", 5);
    char path[64];
    char text[4096];
    size_t size = 0;
    assert_int_equal(setenv("LD_PRELOAD_NOT", "1", 1), 0);
    fake_model_measure(&w->broker, &model); /* with its right digest the worker waits at need */
    assert_int_equal(fake_spawn(&w->broker, &model, &err), 0);
    fake_expect(&w->broker, HEARTH_MSG_worker_hello);
    fake_expect(&w->broker, HEARTH_MSG_worker_need);
    snprintf(path, sizeof path, "/proc/%u/environ", w->broker.pid);
    int rc = hearth_file_read_text(path, text, sizeof text, &size, &err);
    if (geteuid() != 0) { /* the same user cannot look into a process that is not dumpable */
        assert_int_equal(rc, HEARTH_E_DENIED);
        return;
    }
    assert_int_equal(rc, 0);
    const char wanted[] = "LC_ALL=C.UTF-8\0HOME=/nonexistent\0TZ=UTC\0ORT_DISABLE_TELEMETRY=1\0"
                          "GGML_NO_BACKTRACE=1";
    assert_int_equal(size, sizeof wanted);
    assert_memory_equal(text, wanted, sizeof wanted);
}

static void workers_end_with_the_spawner(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    struct fake_model model = model_with("m", "file", 5);
    fake_model_measure(&w->broker, &model);
    assert_int_equal(fake_spawn(&w->broker, &model, &err), 0);
    assert_int_equal(kill(w->broker.spawner.pid, SIGKILL), 0);
    assert_int_equal(waitpid(w->broker.spawner.pid, NULL, 0), w->broker.spawner.pid);
    unsigned events = 0;
    uint64_t deadline_ns = hearth_clock_deadline_ns(hearth_clock_ns(), 10000);
    assert_int_equal(hearth_fd_wait(w->broker.pidfd, HEARTH_READY_IN, deadline_ns, &events), 0);
    hearth_fd_close(&w->broker.spawner.fd);
    hearth_fd_close(&w->broker.pidfd);
    hearth_ring_destroy(w->broker.ring);
    hearth_buf_finish(&w->broker.bytes);
    fake_broker_init(&w->broker, HEARTH_TEST_WORKERS, w->root); /* for the tear-down */
}

static void an_exit_by_signal_is_told_once(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    struct fake_model model = model_with("m", "file", 5);
    fake_model_measure(&w->broker, &model);
    assert_int_equal(fake_spawn(&w->broker, &model, &err), 0);
    assert_int_equal(hearth_process_signal(w->broker.pidfd, SIGKILL, &err), 0);
    struct hearth_wire_spawn_exit end = fake_await_exit(&w->broker);
    assert_int_equal(end.signal, SIGKILL);
    assert_int_equal(end.exit_code, 0);
}

#define WITH(start, test) cmocka_unit_test_setup_teardown(test, start, tear_down)

KIT_MAIN(WITH(set_up, paths_that_leave_the_model_are_refused),
         WITH(set_up, a_nul_inside_a_path_is_refused),
         WITH(set_up, another_size_than_the_manifests_names_both),
         WITH(set_up_without_workers, a_missing_program_names_the_build_option),
         WITH(set_up, rubbish_is_answered_and_survived),
         WITH(set_up, the_environment_of_a_worker_is_fixed),
         WITH(set_up, workers_end_with_the_spawner), WITH(set_up, an_exit_by_signal_is_told_once))
