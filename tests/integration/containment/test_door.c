/* test_door.c — a loaded worker tries what the closed door must refuse, and the kernel is asked
 * what it knows about that process. Usage: containment_door KIND WORKER_FOLDER FIXTURES */

#include "kit.h"

#include "fake_broker.h"
#include "hearth_os.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind;
static const char *worker_folder;
static const char *fixtures;

struct world {
    struct fake_broker broker;
    struct fake_model model;
    char root[64];
    int log_fd; /* what the worker wrote to standard error */
    char containment[256];
};

static const struct {
    const char *kind;
    struct fake_model model;
} models[] = {
    {"echo",
     {.engine = HEARTH_ENGINE_ECHO,
      .task = HEARTH_TASK_GENERATE,
      .files = {{.role = HEARTH_FILE_CONFIG, .path = "tinybert-classifier.manifest.json"}},
      .file_count = 1}},
    {"onnx",
     {.engine = HEARTH_ENGINE_ONNX,
      .task = HEARTH_TASK_EMBED,
      .files = {{.role = HEARTH_FILE_MODEL, .path = "minilm-embedder.onnx"},
                {.role = HEARTH_FILE_TOKENIZER, .path = "minilm-embedder.tokenizer.json"}},
      .file_count = 2}},
    {"gguf",
     {.engine = HEARTH_ENGINE_GGUF,
      .task = HEARTH_TASK_GENERATE,
      .files = {{.role = HEARTH_FILE_MODEL, .path = "tiny-llama.gguf"}},
      .file_count = 1}},
};

/* A root of its own with the model in a folder and a file beside it that is none of its business.
 */
static void make_root(struct world *w)
{
    char folder[128];
    char path[256];
    char from[1024];
    snprintf(w->root, sizeof w->root, "/tmp/hearth-door-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    assert_int_equal(chmod(w->root, 0755), 0);
    snprintf(folder, sizeof folder, "%s/model", w->root);
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(path, sizeof path, "%s/outside.txt", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
    bool is_gguf = strcmp(kind, "gguf") == 0;
    snprintf(from, sizeof from, "%s/%s", fixtures, is_gguf ? "gguf" : "onnx");
    for (uint32_t i = 0; i < w->model.file_count; i++) {
        fake_copy_file(from, folder, w->model.files[i].path);
    }
}

static int set_up(void **state)
{
    struct world *w = hearth_alloc(1, sizeof *w);
    for (size_t i = 0; i < HEARTH_COUNT(models); i++) {
        if (strcmp(models[i].kind, kind) == 0) {
            w->model = models[i].model;
        }
    }
    w->model.folder = "model";
    w->model.threads = 2;
    make_root(w);

    /* The spawner inherits our standard error, and so does the worker. */
    char log[] = "/tmp/hearth-door-log-XXXXXX";
    w->log_fd = mkstemp(log);
    assert_true(w->log_fd >= 0);
    unlink(log);
    int saved = dup(STDERR_FILENO);
    dup2(w->log_fd, STDERR_FILENO);
    fake_broker_init(&w->broker, worker_folder, w->root);
    dup2(saved, STDERR_FILENO);
    close(saved);
    fake_model_measure(&w->broker, &w->model);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    fake_broker_finish(&w->broker);
    fake_remove_tree(w->root);
    close(w->log_fd);
    hearth_free(w);
    return 0;
}

static void start(struct world *w)
{
    struct hearth_error err = {0};
    if (fake_spawn(&w->broker, &w->model, &err) != 0) {
        fail_msg("spawn: %s", err.text);
    }
    fake_lead_to_ready(&w->broker, w->containment);
}

static char *read_log(struct world *w)
{
    static char text[131072]; /* Debian's ONNX Runtime 1.21 writes 32 KiB about its schemas */
    ssize_t size = pread(w->log_fd, text, sizeof text - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

/* Waits for the probe's last line: it follows ready. An answer proves that the probe is over. */
static char *await_probe(struct world *w)
{
    fake_send_plain(&w->broker, HEARTH_MSG_worker_stop);
    struct hearth_wire_spawn_exit end = fake_await_exit(&w->broker);
    assert_int_equal(end.signal, 0);
    assert_int_equal(end.exit_code, 0);
    return read_log(w);
}

static void expect_line(const char *log, const char *thread, const char *attempt,
                        const char *outcome)
{
    char line[128];
    snprintf(line, sizeof line, "probe %s %s %s\n", thread, attempt, outcome);
    if (strstr(log, line) == NULL) {
        fail_msg("expected \"%s\" in:\n%s", line, log);
    }
}

static void a_loaded_worker_cannot_leave(void **state)
{
    static const char *const attempts[][2] = {
        {"open-outside", "EACCES"}, {"open-self", "EACCES"},  {"open-neighbour", "EACCES"},
        {"create", "EPERM"},        {"write-model", "EPERM"}, {"socket-inet", "EPERM"},
        {"socket-inet6", "EPERM"},  {"socket-unix", "EPERM"}, {"execve", "EPERM"},
        {"fork", "EPERM"},          {"clone3", "ENOSYS"},     {"map-code", "EPERM"},
        {"kill-parent", "EPERM"},   {"read-model", "ok"},     {"renice-parent", "EPERM"},
        {"bind-parent", "EPERM"},
    };
    struct world *w = *state;
    start(w);
    const char *log = await_probe(w);
    for (size_t i = 0; i < HEARTH_COUNT(attempts); i++) {
        expect_line(log, "link", attempts[i][0], attempts[i][1]);
        expect_line(log, "run", attempts[i][0], attempts[i][1]);
    }
    assert_non_null(strstr(log, "probe end\n"));
}

static void expect_status(const char *status, const char *line)
{
    if (strstr(status, line) == NULL) {
        fail_msg("expected \"%s\" in:\n%s", line, status);
    }
}

static void the_kernel_confirms_the_walls(void **state)
{
    struct world *w = *state;
    start(w);
    char path[64];
    char status[8192];
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%u/status", w->broker.pid);
    struct hearth_error err = {0};
    assert_int_equal(hearth_file_read_text(path, status, sizeof status, &size, &err), 0);
    expect_status(status, "\nSeccomp:\t2\n");
    expect_status(status, "\nNoNewPrivs:\t1\n");
    expect_status(status, "\nCapEff:\t0000000000000000\n");
    expect_status(status, "\nCapPrm:\t0000000000000000\n");
    static const char *const walls[] = {"fds",  "rlimits",   "no_new_privs",
                                        "caps", "landlock:", "seccomp"};
    for (size_t i = 0; i < HEARTH_COUNT(walls); i++) {
        expect_status(w->containment, walls[i]);
    }
    print_message("# containment: %s\n", w->containment);
}

static void a_worker_has_the_plans_descriptors_only(void **state)
{
    struct world *w = *state;
    start(w);
    unsigned count = 0;
    struct hearth_error err = {0};
    int rc = hearth_proc_count_fds((pid_t)w->broker.pid, &count, &err);
    if (geteuid() != 0) { /* the same user cannot look into a process that is not dumpable */
        assert_int_not_equal(rc, 0);
        return;
    }
    assert_int_equal(rc, 0);
    /* 0, 1, 2, the ring's wake descriptor, the loop's epoll and eventfd, the files. */
    assert_in_range(count, 4 + w->model.file_count, 7 + w->model.file_count);
}

static void a_changed_byte_is_found_before_parsing(void **state)
{
    struct world *w = *state;
    char path[512];
    struct hearth_error err = {0};
    snprintf(path, sizeof path, "%s/model/%s", w->root, w->model.files[0].path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte = 0;
    assert_int_equal(pread(fd, &byte, 1, 100), 1);
    byte = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &byte, 1, 100), 1);
    close(fd);

    assert_int_equal(fake_spawn(&w->broker, &w->model, &err), 0);
    fake_expect(&w->broker, HEARTH_MSG_worker_hello);
    struct hearth_message failed = fake_expect(&w->broker, HEARTH_MSG_worker_failed);

    assert_int_equal(failed.as.worker_failed.code, -HEARTH_E_DIGEST_MISMATCH);
    char text[257];
    assert_true(hearth_slice_to_string(failed.as.worker_failed.error, text, sizeof text));
    assert_non_null(strstr(text, w->model.files[0].path));
    assert_int_equal(fake_await_exit(&w->broker).exit_code, 1);
}

/* What this machine offers decides which of the two: all walls, or a worker that does not start. */
static void strict_containment_is_all_walls_or_none(void **state)
{
    struct world *w = *state;
    start(w);
    bool has_all = strstr(w->containment, "netns") != NULL;
    fake_send_plain(&w->broker, HEARTH_MSG_worker_stop);
    fake_await_exit(&w->broker);

    struct hearth_error err = {0};
    w->model.is_strict = true;
    assert_int_equal(fake_spawn(&w->broker, &w->model, &err), 0);
    struct hearth_message first = fake_receive(&w->broker);
    if (has_all) {
        assert_int_equal(first.type, HEARTH_MSG_worker_hello);
        return;
    }
    assert_int_equal(first.type, HEARTH_MSG_worker_failed);
    assert_int_equal(first.as.worker_failed.code, -HEARTH_E_CONTAINMENT);
    assert_int_equal(fake_await_exit(&w->broker).exit_code, 1);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s KIND WORKER_FOLDER FIXTURES\n", argv[0]);
        return 2;
    }
    kind = argv[1];
    worker_folder = argv[2];
    fixtures = argv[3];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_loaded_worker_cannot_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kernel_confirms_the_walls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_has_the_plans_descriptors_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_byte_is_found_before_parsing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strict_containment_is_all_walls_or_none, set_up, tear_down),
    };
    kit_begin();
    return kit_end(cmocka_run_group_tests_name("door", tests, NULL, NULL));
}
