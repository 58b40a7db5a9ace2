/* tensors.c — from which size on does a tensor cost less in a memfd than in the message? A client
 * asks the echo engine for the tensor that it gives, and reads all of what comes back.
 *
 *   input    the tensor goes in a memfd that is made, filled and sealed for each request, beside
 *            the message; both come back in the message
 *   kept     the same with a memfd that the client filled long ago: it has the data there anyway
 *   output   the smallest that comes back in a memfd, beside the largest that comes back in the
 *            message; both go in a kept memfd
 *   whole    both ways in memfds, where a message has no room: a time, no ratio */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "hearth_transport.h"
#include "hearth_wire.h"
#include "peers.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB         1024u
#define MIB         (1024u * KIB)
#define PATIENCE_NS (60 * HEARTH_NS_PER_SEC)
#define NAME        "x"
#define MANIFEST                                                                                   \
    "{\"model_id\":\"tensors\",\"architecture\":\"echo\",\"capabilities\":[\"tensors\"]}"

enum way { IN_MESSAGE, IN_NEW_MEMFD, IN_KEPT_MEMFD };

/* How one side asks. */
struct manner {
    struct tensors *bench;
    enum way input;
    bool wants_memfd;
    uint32_t size;
    int kept_fd;
};

struct tensors {
    struct peer models; /* a folder with one model, no process */
    struct peer daemon;
    int fd;
    uint8_t *data; /* of the larger side */
    uint64_t last_id;
    struct hearth_frame_queue queue;
    struct hearth_frame_reader reader;
    struct manner manners[2];
    bool has_two;
};

/* ---- one request ---------------------------------------------------------------------------- */

static int new_memfd(const struct manner *manner, int *ret_fd, struct hearth_error *err)
{
    const struct tensors *bench = manner->bench;
    if (manner->input == IN_KEPT_MEMFD) {
        *ret_fd = dup(manner->kept_fd);
        return *ret_fd >= 0 ? 0 : hearth_fail_errno(err, HEARTH_E_SYSTEM, "copy a descriptor");
    }
    return hearth_memfd_of_data("bench", hearth_slice_of(bench->data, manner->size), ret_fd, err);
}

static int send_request(const struct manner *manner, struct hearth_error *err)
{
    struct tensors *bench = manner->bench;
    bool is_inline = manner->input == IN_MESSAGE;
    const struct hearth_wire_tensor tensor = {
        .name = hearth_slice_of_string(NAME),
        .type = HEARTH_TENSOR_UINT8,
        .shape = {&manner->size, 1},
        .data = hearth_slice_of(bench->data, is_inline ? manner->size : 0),
        .memfd_bytes = is_inline ? 0 : manner->size,
    };
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = ++bench->last_id;
    request->task = HEARTH_TASK_TENSORS;
    request->flags = manner->wants_memfd ? HEARTH_FLAG_MEMFDS : 0;
    request->model_id = hearth_slice_of_string("tensors");
    request->tensors = (struct hearth_wire_list){.count = 1, .items = &tensor};
    int fd = -1;
    int rc = is_inline ? 0 : new_memfd(manner, &fd, err);
    struct hearth_buf *frame = rc == 0 ? hearth_frame_queue_begin(&bench->queue) : NULL;
    if (frame == NULL) {
        hearth_fd_close(&fd);
        return rc < 0 ? rc : hearth_fail_oom(err);
    }
    rc = hearth_wire_encode(&message, frame);
    rc = rc < 0 ? rc : hearth_frame_queue_commit_fds(&bench->queue, &fd, is_inline ? 0 : 1);
    rc = rc < 0 ? rc
                : hearth_frame_send_all(&bench->queue, bench->fd, hearth_clock_ns() + PATIENCE_NS);
    return rc < 0 ? hearth_fail(err, rc, "send a request") : 0;
}

/* Reads all that came back: a client that did not would never pay for it. */
static bool is_same(const struct manner *manner, struct hearth_slice got)
{
    return hearth_slice_equal(got, hearth_slice_of(manner->bench->data, manner->size));
}

static bool is_same_memfd(const struct manner *manner)
{
    HEARTH_AUTO(hearth_fd) int fd = -1;
    struct hearth_slice mapped = {0};
    if (!hearth_frame_reader_take_fds(&manner->bench->reader, &fd, 1) ||
        hearth_memfd_check_data(fd, manner->size, NULL) < 0 ||
        hearth_memfd_map_data(fd, manner->size, &mapped, NULL) < 0) {
        return false;
    }
    bool same = is_same(manner, mapped);
    hearth_memfd_unmap((void *)(uintptr_t)mapped.data, mapped.size);
    return same;
}

static int take_answer(const struct manner *manner, struct hearth_error *err)
{
    struct tensors *bench = manner->bench;
    struct hearth_slice frame;
    struct hearth_message message;
    int rc =
        hearth_frame_receive(&bench->reader, bench->fd, hearth_clock_ns() + PATIENCE_NS, &frame);
    rc = rc < 0 ? hearth_fail(err, rc, "receive an answer")
                : hearth_wire_decode(frame, &message, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_wire_inference_response *end = &message.as.inference_response;
    struct hearth_wire_tensor tensor = {0};
    if (message.type != HEARTH_MSG_inference_response || end->request_id != bench->last_id ||
        end->code != 0) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "a request was not answered as it should: %.*s",
                           HEARTH_SLICE_ARGS(end->error));
    }
    bool is_right = hearth_wire_next(&end->tensors, HEARTH_RECORD_tensor, &tensor) &&
                    (tensor.memfd_bytes != 0) == manner->wants_memfd &&
                    (manner->wants_memfd ? is_same_memfd(manner) : is_same(manner, tensor.data));
    return is_right ? 0 : hearth_fail(err, HEARTH_E_INTERNAL, "another tensor came back");
}

static int ask(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    const struct manner *manner = arg;
    for (size_t i = 0; i < calls; i++) {
        uint64_t begin_ns = hearth_clock_ns();
        int rc = send_request(manner, err);
        rc = rc < 0 ? rc : take_answer(manner, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- a case --------------------------------------------------------------------------------- */

static int check_tensors(void *state, struct hearth_error *err)
{
    struct tensors *bench = state;
    double took = 0;
    int rc = ask(&bench->manners[0], &took, 1, err);
    return rc < 0 || !bench->has_two ? rc : ask(&bench->manners[1], &took, 1, err);
}

static void close_tensors(void *state)
{
    struct tensors *bench = state;
    char path[PEERS_PATH_BYTES + 32];
    hearth_fd_close(&bench->fd);
    hearth_fd_close(&bench->manners[0].kept_fd);
    hearth_fd_close(&bench->manners[1].kept_fd);
    hearth_frame_queue_finish(&bench->queue);
    hearth_frame_reader_finish(&bench->reader);
    peer_stop(&bench->daemon);
    snprintf(path, sizeof path, "%s/tensors.manifest.json", bench->models.folder);
    unlink(path);
    rmdir(bench->models.folder);
    hearth_free(bench->data);
    hearth_free(bench);
}

static int write_model(struct tensors *bench, struct hearth_error *err)
{
    char path[PEERS_PATH_BYTES + 32];
    int rc = peer_make_folder(&bench->models, err);
    if (rc < 0) {
        return rc;
    }
    snprintf(path, sizeof path, "%s/tensors.manifest.json", bench->models.folder);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(MANIFEST, file) < 0 || fclose(file) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "write %.100s", path);
    }
    return 0;
}

static int fill_memfd(struct tensors *bench, struct manner *manner, struct hearth_error *err)
{
    return hearth_memfd_of_data("bench", hearth_slice_of(bench->data, manner->size),
                                &manner->kept_fd, err);
}

static int make_ready(struct tensors *bench, const struct hearth_harness_places *places,
                      struct hearth_error *err)
{
    struct hearth_harness_places own = *places;
    uint32_t size = HEARTH_MAX(bench->manners[0].size, bench->manners[1].size);
    bench->data = hearth_alloc(1, size);
    if (bench->data == NULL) {
        return hearth_fail_oom(err);
    }
    for (uint32_t i = 0; i < size; i++) {
        bench->data[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    int rc = write_model(bench, err);
    own.models = bench->models.folder;
    rc = rc < 0 ? rc : peer_start_hearthd(&own, ".", "tensors", &bench->daemon, err);
    rc = rc < 0 ? rc : peer_connect_v2(bench->daemon.socket, &bench->fd, err);
    rc = rc < 0 ? rc : fill_memfd(bench, &bench->manners[0], err);
    return rc < 0 ? rc : fill_memfd(bench, &bench->manners[1], err);
}

static int open_tensors(const struct hearth_harness_places *places, struct manner ours,
                        struct manner reference, const char *const names[2],
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct tensors *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->fd = -1;
    bench->manners[0] = ours;
    bench->manners[1] = reference;
    for (size_t i = 0; i < 2; i++) {
        bench->manners[i].bench = bench;
        bench->manners[i].kept_fd = -1;
    }
    hearth_frame_queue_init(&bench->queue, HEARTH_MAX_FRAME_BYTES);
    hearth_frame_reader_init(&bench->reader, HEARTH_MAX_FRAME_BYTES);
    hearth_frame_reader_accept_fds(&bench->reader);
    int rc = make_ready(bench, places, err);
    if (rc < 0) {
        close_tensors(bench);
        return rc;
    }
    bench->has_two = names[1] != NULL;
    *ret = (struct hearth_harness_setup){.check = check_tensors,
                                         .close = close_tensors,
                                         .state = bench,
                                         .side_count = bench->has_two ? 2 : 1};
    for (size_t i = 0; i < ret->side_count; i++) {
        ret->sides[i] = (struct hearth_harness_side){
            .name = names[i], .measure = ask, .arg = &bench->manners[i]};
    }
    return 0;
}

static const char *const of_memfd[] = {"in a memfd", "in the message"};
static const char *const of_whole[] = {"in memfds", NULL};

#define OPEN(name, ours, reference, names)                                                         \
    static int open_##name(const struct hearth_harness_places *places,                             \
                           struct hearth_harness_setup *ret, struct hearth_error *err)             \
    {                                                                                              \
        const struct manner a = ours;                                                              \
        const struct manner b = reference;                                                         \
        return open_tensors(places, a, b, names, ret, err);                                        \
    }
#define MESSAGE(bytes)                                                                             \
    {                                                                                              \
        .input = IN_MESSAGE, .size = (bytes)                                                       \
    }
#define MADE(bytes)                                                                                \
    {                                                                                              \
        .input = IN_NEW_MEMFD, .size = (bytes)                                                     \
    }
#define KEPT(bytes)                                                                                \
    {                                                                                              \
        .input = IN_KEPT_MEMFD, .size = (bytes)                                                    \
    }
#define WHOLE(bytes)                                                                               \
    {                                                                                              \
        .input = IN_KEPT_MEMFD, .wants_memfd = true, .size = (bytes)                               \
    }

#define OPEN_INPUTS(name, bytes)                                                                   \
    OPEN(input_##name, MADE(bytes), MESSAGE(bytes), of_memfd)                                      \
    OPEN(kept_##name, KEPT(bytes), MESSAGE(bytes), of_memfd)

OPEN_INPUTS(4_kib, 4 * KIB)
OPEN_INPUTS(16_kib, 16 * KIB)
OPEN_INPUTS(64_kib, 64 * KIB)
OPEN_INPUTS(256_kib, 256 * KIB)
OPEN_INPUTS(1_mib, MIB)
OPEN_INPUTS(2_mib, 2 * MIB)
OPEN(output_2_mib, WHOLE(2 * MIB + 1), KEPT(2 * MIB), of_memfd)
OPEN(whole_4_mib, WHOLE(4 * MIB), WHOLE(1), of_whole)
OPEN(whole_16_mib, WHOLE(16 * MIB), WHOLE(1), of_whole)
OPEN(whole_64_mib, WHOLE(64 * MIB), WHOLE(1), of_whole)

#define INPUT_CASES(label, name, block)                                                            \
    {.id = "tensors/input/" label,                                                                 \
     .help = "a memfd made for each request, beside the message",                                  \
     .calls = block,                                                                               \
     .open = open_input_##name},                                                                   \
    {                                                                                              \
        .id = "tensors/kept/" label, .help = "a memfd that is there anyway, beside the message",   \
        .calls = block, .open = open_kept_##name                                                   \
    }
#define WHOLE_CASE(label, name, block)                                                             \
    {                                                                                              \
        .id = "tensors/whole/" label, .help = "both ways in memfds: the time of a round trip",     \
        .calls = block, .open = open_whole_##name                                                  \
    }

const struct hearth_harness_case bench_tensors[] = {
    INPUT_CASES("4-KiB", 4_kib, 100),
    INPUT_CASES("16-KiB", 16_kib, 100),
    INPUT_CASES("64-KiB", 64_kib, 50),
    INPUT_CASES("256-KiB", 256_kib, 20),
    INPUT_CASES("1-MiB", 1_mib, 10),
    INPUT_CASES("2-MiB", 2_mib, 5),
    {.id = "tensors/output/2-MiB",
     .help = "the smallest output that comes in a memfd, beside the largest that does not",
     .calls = 5,
     .open = open_output_2_mib},
    WHOLE_CASE("4-MiB", 4_mib, 5),
    WHOLE_CASE("16-MiB", 16_mib, 3),
    WHOLE_CASE("64-MiB", 64_mib, 1),
    {0},
};
