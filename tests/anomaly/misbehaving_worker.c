/* misbehaving_worker.c — stands in for hearth-worker-echo and does what a worker must never do.
 *
 * It answers a text with the text, as a good worker does, unless it is asked for a misdeed: by the
 * load option "misdeed" (done while loading) or by the first word of a text. It closes no door:
 * what it could reach is the matter of the containment tests; here it is what the broker makes of
 * it. */

#include "hearth_base.h"
#include "hearth_os.h"
#include "hearth_spawner.h"
#include "hearth_transport.h"
#include "hearth_wire.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODYS_ID UINT64_C(4242424242)
#define MAX_SILENT 8

struct worker {
    struct hearth_ring *ring;
    struct hearth_buf message;
    struct hearth_buf scratch;
    void *memory; /* what it writes to the broker, mapped once more */
    size_t memory_bytes;
    char misdeed[64];
    uint64_t need_bytes;
    bool ignores_stop;
    uint64_t silent[MAX_SILENT]; /* requests that wait for a cancel; 0: free */
};

static void die(void)
{
    raise(SIGKILL);
}

/* Sends until there is room; a broker that is gone ends the worker. */
static void send_bytes(struct worker *worker, struct hearth_slice bytes)
{
    int rc;
    while ((rc = hearth_ring_send(worker->ring, &bytes, 1)) == HEARTH_E_QUEUE_FULL) {
        (void)hearth_fd_wait(hearth_ring_wake_fd(worker->ring), HEARTH_READY_IN, HEARTH_NEVER,
                             NULL);
        if (!hearth_ring_cancel_sleep(worker->ring)) {
            _exit(0);
        }
    }
    if (rc < 0) {
        _exit(4);
    }
}

static void post(struct worker *worker, const struct hearth_message *message)
{
    hearth_buf_clear(&worker->scratch);
    if (hearth_wire_encode(message, &worker->scratch) < 0) {
        _exit(5);
    }
    send_bytes(worker, hearth_buf_slice(&worker->scratch));
}

static void receive(struct worker *worker, struct hearth_message *ret)
{
    int rc;
    while ((rc = hearth_ring_receive(worker->ring, &worker->message)) == HEARTH_E_NOT_READY) {
        if (hearth_ring_prepare_sleep(worker->ring)) {
            (void)hearth_fd_wait(hearth_ring_wake_fd(worker->ring), HEARTH_READY_IN, HEARTH_NEVER,
                                 NULL);
            if (!hearth_ring_cancel_sleep(worker->ring)) {
                _exit(0);
            }
        }
    }
    if (rc < 0 || hearth_wire_decode(hearth_buf_slice(&worker->message), ret, NULL) < 0) {
        _exit(6);
    }
}

static void sleep_for_ever(void)
{
    for (;;) {
        pause();
    }
}

/* ---- the parts of good behaviour ---------------------------------------------------------- */

static void say_hello(struct worker *worker, const char *build_id)
{
    struct hearth_message hello = {
        .type = HEARTH_MSG_worker_hello,
        .as.worker_hello = {.build_id = hearth_slice_of_string(build_id),
                            .engine_version = hearth_slice_of_string("0"),
                            .containment = hearth_slice_of_string("none")}};
    post(worker, &hello);
}

static void say_need(struct worker *worker, uint64_t bytes)
{
    struct hearth_message need = {.type = HEARTH_MSG_worker_need,
                                  .as.worker_need = {.weights_bytes = bytes, .cache_bytes = bytes}};
    post(worker, &need);
}

static void say_ready(struct worker *worker, uint32_t capacity)
{
    struct hearth_message ready = {
        .type = HEARTH_MSG_worker_ready,
        .as.worker_ready = {.capacity = capacity, .context_tokens = 4096, .threads = 1}};
    post(worker, &ready);
}

static struct hearth_wire_result result_of(struct hearth_slice text)
{
    return (struct hearth_wire_result){.tokens = 1, .text = text};
}

static void chunk(struct worker *worker, uint64_t id, struct hearth_wire_result result)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &result}}};
    post(worker, &message);
}

static void end(struct worker *worker, uint64_t id, uint16_t code,
                const struct hearth_wire_result *result)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = id,
                                  .code = code,
                                  .finish_reason =
                                      code == 0 ? HEARTH_FINISH_STOP : HEARTH_FINISH_FAILED,
                                  .results = {.count = result != NULL, .items = result}}};
    post(worker, &message);
}

static void answer(struct worker *worker, const struct hearth_wire_inference_request *request,
                   struct hearth_slice text)
{
    struct hearth_wire_result result = result_of(text);
    if ((request->flags & HEARTH_FLAG_STREAM) != 0) {
        chunk(worker, request->request_id, result);
        end(worker, request->request_id, 0, NULL);
    } else {
        result.finish_reason = HEARTH_FINISH_STOP;
        end(worker, request->request_id, 0, &result);
    }
}

/* ---- misdeeds while loading --------------------------------------------------------------- */

static bool is_asked(const struct worker *worker, const char *misdeed)
{
    return strcmp(worker->misdeed, misdeed) == 0;
}

static void send_garbage(struct worker *worker)
{
    send_bytes(worker, hearth_slice_of_string("\x01\x02 this is no message"));
}

/* Indexes of the ring that make no sense. Another message would set them right again. */
static void scribble(struct worker *worker)
{
    memset(worker->memory, 0xee, worker->memory_bytes);
    hearth_socket_send(hearth_ring_wake_fd(worker->ring), "", 1, &(size_t){0});
    sleep_for_ever();
}

static void before_hello(struct worker *worker)
{
    if (is_asked(worker, "exits at once")) {
        _exit(0);
    } else if (is_asked(worker, "dies before hello")) {
        die();
    } else if (is_asked(worker, "sends garbage")) {
        send_garbage(worker);
    } else if (is_asked(worker, "needs before hello")) {
        say_need(worker, 1);
    } else if (is_asked(worker, "breaks the ring")) {
        scribble(worker);
    } else if (is_asked(worker, "is of another build")) {
        say_hello(worker, "0.0.0-other");
    } else if (is_asked(worker, "hangs")) {
        sleep_for_ever();
    } else if (is_asked(worker, "fails with an unknown code")) {
        struct hearth_message failed = {
            .type = HEARTH_MSG_worker_failed,
            .as.worker_failed = {.code = 9999, .error = hearth_slice_of_string("so it is")}};
        post(worker, &failed);
    }
}

static void after_hello(struct worker *worker)
{
    if (is_asked(worker, "dies after hello")) {
        die();
    } else if (is_asked(worker, "says hello twice")) {
        say_hello(worker, HEARTH_BUILD_ID);
    } else if (is_asked(worker, "is ready before it may load")) {
        say_ready(worker, 1);
    } else if (is_asked(worker, "answers before it is ready")) {
        end(worker, 1, 0, NULL);
    } else if (is_asked(worker, "needs more than there is")) {
        worker->need_bytes = UINT64_MAX;
    }
}

static void load(struct worker *worker)
{
    struct hearth_message message;
    before_hello(worker);
    say_hello(worker, HEARTH_BUILD_ID);
    after_hello(worker);
    say_need(worker, worker->need_bytes);
    if (is_asked(worker, "dies after need")) {
        die();
    }
    receive(worker, &message);
    if (message.type != HEARTH_MSG_worker_proceed) {
        _exit(7);
    }
    if (is_asked(worker, "dies after proceed")) {
        die();
    }
    say_ready(worker, is_asked(worker, "takes nothing at a time")      ? 0
                      : is_asked(worker, "takes everything at a time") ? UINT32_MAX
                                                                       : 4);
    worker->ignores_stop = is_asked(worker, "ignores stop");
}

/* ---- misdeeds while serving --------------------------------------------------------------- */

static void send_bad_utf8(struct worker *worker, uint64_t id)
{
    static const char mark[] = "0123456789abcdef";
    struct hearth_wire_result result = result_of(hearth_slice_of_string(mark));
    struct hearth_message message = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &result}}};
    hearth_buf_clear(&worker->scratch);
    if (hearth_wire_encode(&message, &worker->scratch) < 0) {
        _exit(5);
    }
    uint8_t *at = memmem(worker->scratch.data, worker->scratch.size, mark, sizeof mark - 1);
    memset(at, 0xff, sizeof mark - 1);
    send_bytes(worker, hearth_buf_slice(&worker->scratch));
}

static void flood(struct worker *worker, uint64_t id)
{
    static char piece[4096];
    memset(piece, 'x', sizeof piece);
    for (;;) {
        chunk(worker, id, result_of(hearth_slice_of(piece, sizeof piece)));
    }
}

static void result_with_label(struct worker *worker, uint64_t id)
{
    struct hearth_wire_label label = {.name = hearth_slice_of_string("red"), .score = 0.5f};
    struct hearth_wire_result result = {.labels = {.count = 1, .items = &label}};
    chunk(worker, id, result);
}

static void keep_silent(struct worker *worker, uint64_t id)
{
    for (size_t i = 0; i < MAX_SILENT; i++) {
        if (worker->silent[i] == 0) {
            worker->silent[i] = id;
            return;
        }
    }
    _exit(10);
}

static void take_cancel(struct worker *worker, uint64_t id)
{
    for (size_t i = 0; i < MAX_SILENT; i++) {
        if (worker->silent[i] == id) {
            worker->silent[i] = 0;
            end(worker, id, -HEARTH_E_CANCELLED, NULL);
        }
    }
}

/* True if it was one of these, and was done. */
static bool dies_or_hangs(struct worker *worker, uint64_t id, struct hearth_wire_result result)
{
    if (is_asked(worker, "dies-first")) {
        die();
    } else if (is_asked(worker, "dies-between")) {
        chunk(worker, id, result);
        die();
    } else if (is_asked(worker, "dies-last")) {
        chunk(worker, id, result);
        chunk(worker, id, result);
        die();
    } else if (is_asked(worker, "silent")) {
        keep_silent(worker, id);
    } else if (is_asked(worker, "flood")) {
        flood(worker, id);
    } else if (is_asked(worker, "hang")) {
        sleep_for_ever();
    } else if (is_asked(worker, "close-link")) {
        close(hearth_ring_wake_fd(worker->ring));
        sleep_for_ever();
    } else {
        return false;
    }
    return true;
}

/* A normal stop, whatever @code says, and what is told beside it. */
static void end_telling(struct worker *worker, uint64_t id, int code, uint32_t cached,
                        const char *print)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = id,
                                  .code = (uint16_t)-code,
                                  .finish_reason = HEARTH_FINISH_STOP,
                                  .prompt_tokens = 3,
                                  .cached_tokens = cached,
                                  .fingerprint = hearth_slice_of_string(print)}};
    post(worker, &message);
}

/* The same for what only generators say. */
static bool lies_of_a_text(struct worker *worker, uint64_t id, struct hearth_wire_result result)
{
    static const struct hearth_wire_token_score score = {.logprob = -1.0f};
    static const struct hearth_wire_tool_call call = {.name = {(const uint8_t *)"rm", 2}};
    if (is_asked(worker, "goes-on-behind-its-end")) {
        result.finish_reason = HEARTH_FINISH_STOP;
        chunk(worker, id, result);
        chunk(worker, id, result);
    } else if (is_asked(worker, "fails-as-if-done")) {
        end_telling(worker, id, HEARTH_E_EXPIRED, 0, "");
    } else if (is_asked(worker, "scores-unasked")) {
        result.logprobs = (struct hearth_wire_list){.count = 1, .items = &score};
        chunk(worker, id, result);
    } else if (is_asked(worker, "calls-what-is-not-there")) {
        result.tool_calls = (struct hearth_wire_list){.count = 1, .items = &call};
        chunk(worker, id, result);
    } else if (is_asked(worker, "cached-more-than-all")) {
        end_telling(worker, id, 0, 4, "");
    } else if (is_asked(worker, "steers-the-terminal")) {
        end_telling(worker, id, 0, 0, "\x1b[2J");
    } else {
        return false;
    }
    return true;
}

static bool breaks_a_rule(struct worker *worker, uint64_t id, struct hearth_wire_result result)
{
    if (is_asked(worker, "chunk-for-nobody")) {
        chunk(worker, NOBODYS_ID, result);
    } else if (is_asked(worker, "end-for-nobody")) {
        end(worker, NOBODYS_ID, 0, NULL);
    } else if (is_asked(worker, "two-ends")) {
        end(worker, id, 0, NULL);
        end(worker, id, 0, NULL);
    } else if (is_asked(worker, "wrong-index")) {
        result.index = 1;
        chunk(worker, id, result);
    } else if (is_asked(worker, "label-for-text")) {
        result_with_label(worker, id);
    } else if (is_asked(worker, "ids-of-nothing")) {
        result.token_ids = (struct hearth_wire_u32s){(const uint32_t[]){1, 2}, 2}; /* of 1 token */
        chunk(worker, id, result);
    } else if (is_asked(worker, "unknown-code")) {
        end(worker, id, 9999, NULL);
    } else if (is_asked(worker, "bad-utf8")) {
        send_bad_utf8(worker, id);
    } else if (is_asked(worker, "garbage")) {
        send_garbage(worker);
    } else if (is_asked(worker, "ring")) {
        scribble(worker);
    } else if (is_asked(worker, "hello-again")) {
        say_hello(worker, HEARTH_BUILD_ID);
    } else {
        return false;
    }
    return true;
}

static void take_request(struct worker *worker, struct hearth_wire_inference_request *request)
{
    struct hearth_wire_text text = {0};
    (void)hearth_wire_next(&request->texts, HEARTH_RECORD_text, &text);
    const uint8_t *space = text.text.size > 0 ? memchr(text.text.data, ' ', text.text.size) : NULL;
    size_t size = space != NULL ? (size_t)(space - text.text.data) : text.text.size;
    if (!hearth_slice_to_string(hearth_slice_of(text.text.data, size), worker->misdeed,
                                sizeof worker->misdeed)) {
        worker->misdeed[0] = '\0';
    }
    struct hearth_wire_result result = result_of(text.text);
    if (!dies_or_hangs(worker, request->request_id, result) &&
        !breaks_a_rule(worker, request->request_id, result) &&
        !lies_of_a_text(worker, request->request_id, result)) {
        answer(worker, request, text.text);
    }
}

static void serve(struct worker *worker)
{
    struct hearth_message message;
    for (;;) {
        receive(worker, &message);
        if (message.type == HEARTH_MSG_inference_request) {
            take_request(worker, &message.as.inference_request);
        } else if (message.type == HEARTH_MSG_cancel_request) {
            take_cancel(worker, message.as.cancel_request.request_id);
        } else if (message.type == HEARTH_MSG_worker_stop && !worker->ignores_stop) {
            return;
        }
    }
}

/* ---- start -------------------------------------------------------------------------------- */

static void read_option(struct worker *worker, const struct hearth_wire_option *option)
{
    char number[32];
    if (hearth_slice_equals_string(option->key, "misdeed")) {
        (void)hearth_slice_to_string(option->value, worker->misdeed, sizeof worker->misdeed);
    } else if (hearth_slice_equals_string(option->key, "need_bytes") &&
               hearth_slice_to_string(option->value, number, sizeof number)) {
        worker->need_bytes = strtoull(number, NULL, 10);
    }
}

static void read_plan(struct worker *worker)
{
    struct hearth_message plan;
    struct hearth_error err = {0};
    struct hearth_wire_option option;
    if (hearth_file_read_fd(HEARTH_WORKER_FD_PLAN, "the plan", &worker->message, &err) < 0 ||
        hearth_wire_decode(hearth_buf_slice(&worker->message), &plan, &err) < 0) {
        _exit(8);
    }
    struct hearth_wire_list options = plan.as.worker_plan.options;
    while (hearth_wire_next(&options, HEARTH_RECORD_option, &option)) {
        read_option(worker, &option);
    }
}

/* Keeps a mapping of its own, as a hostile program would, before the ring seals the memory. */
static void attach(struct worker *worker)
{
    static const int fds[HEARTH_RING_FD_COUNT] = {HEARTH_WORKER_FD_RING, HEARTH_WORKER_FD_RING + 1,
                                                  HEARTH_WORKER_FD_RING + 2,
                                                  HEARTH_WORKER_FD_RING + 3};
    struct hearth_error err = {0};
    int fd = fds[HEARTH_RING_FD_WORKER_MEMORY];
    if (hearth_memfd_size(fd, &worker->memory_bytes, &err) < 0 ||
        hearth_memfd_map(fd, worker->memory_bytes, true, &worker->memory, &err) < 0 ||
        hearth_ring_attach(fds, HEARTH_MAX_RING_MESSAGE_BYTES, &worker->ring, &err) < 0) {
        _exit(9);
    }
}

int main(void)
{
    struct worker worker = {.need_bytes = 1u << 20};
    hearth_process_ignore_sigpipe();
    hearth_buf_init(&worker.message, HEARTH_MAX_RING_MESSAGE_BYTES);
    hearth_buf_init(&worker.scratch, HEARTH_MAX_RING_MESSAGE_BYTES);
    read_plan(&worker);
    attach(&worker);
    load(&worker);
    serve(&worker);
    return 0;
}
