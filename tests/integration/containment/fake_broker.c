/* fake_broker.c — see fake_broker.h. */

#include "fake_broker.h"

#include "hearth_os.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <cmocka.h>

static uint64_t patience(void)
{
    return hearth_clock_deadline_ns(hearth_clock_ns(), FAKE_PATIENCE_MS);
}

static void must(int rc, const struct hearth_error *err, const char *step)
{
    if (rc != 0) {
        fail_msg("%s: %s: %s", step, hearth_error_name(rc), err == NULL ? "" : err->text);
    }
}

void fake_broker_init(struct fake_broker *broker, const char *worker_folder, const char *root)
{
    struct hearth_error err = {0};
    *broker = (struct fake_broker){.root = root, .pidfd = -1};
    hearth_buf_init(&broker->bytes, HEARTH_MAX_RING_MESSAGE_BYTES);
    const char *const roots[] = {root};
    const struct hearth_spawner_config config = {
        .roots = roots, .root_count = 1, .worker_folder = worker_folder};
    must(hearth_spawner_fork(&config, &broker->spawner, &err), &err, "fork the spawner");
}

void fake_broker_finish(struct fake_broker *broker)
{
    int status = -1;
    hearth_fd_close(&broker->spawner.fd);
    assert_int_equal(waitpid(broker->spawner.pid, &status, 0), broker->spawner.pid);
    assert_int_equal(status, 0);
    hearth_fd_close(&broker->pidfd);
    hearth_ring_destroy(broker->ring);
    hearth_buf_finish(&broker->bytes);
}

static void measure(const char *path, struct fake_file *file)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        fail_msg("cannot open %s", path);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    static uint8_t chunk[65536];
    size_t size = 0;
    file->size_bytes = 0;
    while ((size = fread(chunk, 1, sizeof chunk, stream)) > 0) {
        EVP_DigestUpdate(context, chunk, size);
        file->size_bytes += size;
    }
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    EVP_DigestFinal_ex(context, digest, &digest_bytes);
    for (unsigned i = 0; i < digest_bytes; i++) {
        snprintf(file->sha256 + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    EVP_MD_CTX_free(context);
    fclose(stream);
}

void fake_model_measure(const struct fake_broker *broker, struct fake_model *model)
{
    for (uint32_t i = 0; i < model->file_count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s/%s", broker->root, model->folder, model->files[i].path);
        measure(path, &model->files[i]);
    }
}

static void send_spawn_request(struct fake_broker *broker, const struct fake_model *model)
{
    struct hearth_error err = {0};
    struct hearth_wire_model_file files[FAKE_MAX_FILES] = {0};
    struct hearth_wire_name labels[8] = {0};
    struct hearth_wire_option options[4] = {0};
    for (uint32_t i = 0; i < model->file_count; i++) {
        files[i] = (struct hearth_wire_model_file){
            .role = (uint8_t)model->files[i].role,
            .path = hearth_slice_of_string(model->files[i].path),
            .sha256 = hearth_slice_of_string(model->files[i].sha256),
            .size_bytes = model->files[i].size_bytes};
    }
    for (uint32_t i = 0; i < model->label_count; i++) {
        labels[i].name = hearth_slice_of_string(model->labels[i]);
    }
    for (uint32_t i = 0; i < model->option_count; i++) {
        options[i] =
            (struct hearth_wire_option){.key = hearth_slice_of_string(model->option_keys[i]),
                                        .value = hearth_slice_of_string(model->option_values[i])};
    }
    struct hearth_message request = {
        .type = HEARTH_MSG_spawn_request,
        .as.spawn_request = {.slot = 7,
                             .folder = hearth_slice_of_string(model->folder),
                             .model_id = hearth_slice_of_string("model-under-test"),
                             .engine = (uint8_t)model->engine,
                             .task = (uint8_t)model->task,
                             .files = {.count = model->file_count, .items = files},
                             .labels = {.count = model->label_count, .items = labels},
                             .options = {.count = model->option_count, .items = options},
                             .threads = model->threads,
                             .nice = 10,
                             .is_containment_strict = model->is_strict}};
    int fds[HEARTH_RING_FD_COUNT];
    hearth_ring_fds(broker->ring, fds);
    hearth_buf_clear(&broker->bytes);
    must(hearth_wire_encode(&request, &broker->bytes), NULL, "encode a spawn_request");
    must(hearth_socket_send_fds(broker->spawner.fd, hearth_buf_slice(&broker->bytes), fds,
                                HEARTH_RING_FD_COUNT, &err),
         &err, "send a spawn_request");
}

/* Receives from the spawner; *@ret_fd is -1 if no descriptor came. */
static struct hearth_message from_spawner(struct fake_broker *broker, int *ret_fd)
{
    struct hearth_error err = {0};
    static uint8_t room[4096];
    size_t size = 0;
    size_t fd_count = 0;
    struct hearth_message message;
    must(hearth_fd_wait(broker->spawner.fd, HEARTH_READY_IN, patience(), NULL), NULL,
         "wait for the spawner");
    must(hearth_socket_receive_fds(broker->spawner.fd, room, sizeof room, &size, ret_fd, 1,
                                   &fd_count, &err),
         &err, "receive from the spawner");
    must(hearth_wire_decode(hearth_slice_of(room, size), &message, &err), &err,
         "decode a message of the spawner");
    if (fd_count == 0) {
        *ret_fd = -1;
    }
    return message;
}

int fake_spawn(struct fake_broker *broker, const struct fake_model *model, struct hearth_error *err)
{
    hearth_ring_destroy(HEARTH_TAKE(broker->ring));
    hearth_fd_close(&broker->pidfd);
    must(hearth_ring_create(HEARTH_RING_DATA_BYTES, HEARTH_MAX_RING_MESSAGE_BYTES, &broker->ring,
                            err),
         err, "create a ring");
    send_spawn_request(broker, model);
    hearth_ring_forget_fds(broker->ring);
    struct hearth_message reply = from_spawner(broker, &broker->pidfd);
    assert_int_equal(reply.type, HEARTH_MSG_spawn_reply);
    assert_int_equal(reply.as.spawn_reply.slot, 7);
    if (reply.as.spawn_reply.code != 0) {
        assert_int_equal(broker->pidfd, -1);
        return hearth_fail(err, -(int)reply.as.spawn_reply.code, "%.*s",
                           HEARTH_SLICE_ARGS(reply.as.spawn_reply.error));
    }
    assert_true(broker->pidfd >= 0);
    broker->pid = reply.as.spawn_reply.pid;
    return 0;
}

struct hearth_wire_spawn_exit fake_await_exit(struct fake_broker *broker)
{
    int fd = -1;
    struct hearth_message message = from_spawner(broker, &fd);
    assert_int_equal(message.type, HEARTH_MSG_spawn_exit);
    assert_int_equal(message.as.spawn_exit.slot, 7);
    assert_int_equal(message.as.spawn_exit.pid, broker->pid);
    return message.as.spawn_exit;
}

void fake_send(struct fake_broker *broker, const struct hearth_message *message)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf bytes;
    hearth_buf_init(&bytes, HEARTH_MAX_RING_MESSAGE_BYTES);
    must(hearth_wire_encode(message, &bytes), NULL, "encode");
    struct hearth_slice part = hearth_buf_slice(&bytes);
    must(hearth_ring_send(broker->ring, &part, 1), NULL, "send over the ring");
}

void fake_send_plain(struct fake_broker *broker, enum hearth_message_type type)
{
    struct hearth_message message = {.type = type};
    fake_send(broker, &message);
}

/* 0, or HEARTH_E_EXPIRED, or what the ring says. */
static int receive_until(struct fake_broker *broker, uint64_t deadline_ns)
{
    int rc = hearth_ring_receive(broker->ring, &broker->bytes);
    while (rc == HEARTH_E_NOT_READY) {
        if (hearth_ring_prepare_sleep(broker->ring)) {
            rc = hearth_fd_wait(hearth_ring_wake_fd(broker->ring), HEARTH_READY_IN, deadline_ns,
                                NULL);
            bool is_there = hearth_ring_cancel_sleep(broker->ring);
            if (rc != 0 || (!is_there && !hearth_ring_has_message(broker->ring))) {
                return rc != 0 ? rc : HEARTH_E_DISCONNECTED;
            }
        }
        rc = hearth_ring_receive(broker->ring, &broker->bytes);
    }
    return rc;
}

struct hearth_message fake_receive(struct fake_broker *broker)
{
    struct hearth_error err = {0};
    struct hearth_message message;
    must(receive_until(broker, patience()), NULL, "receive from the worker");
    must(hearth_wire_decode(hearth_buf_slice(&broker->bytes), &message, &err), &err,
         "decode a message of the worker");
    return message;
}

bool fake_is_quiet(struct fake_broker *broker, uint64_t ms)
{
    return receive_until(broker, hearth_clock_deadline_ns(hearth_clock_ns(), ms)) ==
           HEARTH_E_EXPIRED;
}

struct hearth_message fake_expect(struct fake_broker *broker, enum hearth_message_type type)
{
    struct hearth_message message = fake_receive(broker);
    if (message.type == HEARTH_MSG_worker_failed && type != message.type) {
        fail_msg("the worker failed: %.*s", HEARTH_SLICE_ARGS(message.as.worker_failed.error));
    }
    assert_int_equal(message.type, type);
    return message;
}

struct hearth_message fake_lead_to_ready(struct fake_broker *broker, char containment[256])
{
    struct hearth_message hello = fake_expect(broker, HEARTH_MSG_worker_hello);
    assert_true(hearth_slice_equals_string(hello.as.worker_hello.build_id, HEARTH_BUILD_ID));
    if (containment != NULL) {
        assert_true(hearth_slice_to_string(hello.as.worker_hello.containment, containment, 256));
    }
    fake_expect(broker, HEARTH_MSG_worker_need);
    fake_send_plain(broker, HEARTH_MSG_worker_proceed);
    return fake_expect(broker, HEARTH_MSG_worker_ready);
}

void fake_copy_file(const char *from_folder, const char *to_folder, const char *name)
{
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", from_folder, name);
    HEARTH_AUTO(hearth_fd) int from = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/%s", to_folder, name);
    HEARTH_AUTO(hearth_fd) int into = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(from >= 0 && into >= 0 && fstat(from, &st) == 0);
    for (off_t left = st.st_size; left > 0;) {
        ssize_t copied = sendfile(into, from, NULL, (size_t)left);
        assert_true(copied > 0);
        left -= copied;
    }
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

void fake_remove_tree(const char *path)
{
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}
