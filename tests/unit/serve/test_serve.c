/* test_serve.c — requests in, answers out, seen by a broker. */

#include "kit.h"

#include "fake_broker.h"
#include "hearth_os.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fake_model echo = {.folder = "",
                                       .engine = HEARTH_ENGINE_ECHO,
                                       .task = HEARTH_TASK_GENERATE,
                                       .labels = {"red", "green", "blue"},
                                       .label_count = 3,
                                       .threads = 2};

static int start(void **state, enum hearth_task task)
{
    struct fake_broker *broker = hearth_alloc(1, sizeof *broker);
    struct hearth_error err = {0};
    struct fake_model model = echo;
    model.task = task;
    fake_broker_init(broker, HEARTH_TEST_WORKERS, "/tmp");
    if (fake_spawn(broker, &model, &err) != 0) {
        fail_msg("spawn: %s", err.text);
    }
    fake_lead_to_ready(broker, NULL);
    *state = broker;
    return 0;
}

static int start_generator(void **state)
{
    return start(state, HEARTH_TASK_GENERATE);
}

static int start_classifier(void **state)
{
    return start(state, HEARTH_TASK_CLASSIFY);
}

static int start_embedder(void **state)
{
    return start(state, HEARTH_TASK_EMBED);
}

static int tear_down(void **state)
{
    fake_broker_finish(*state);
    hearth_free(*state);
    return 0;
}

struct asked {
    uint64_t id;
    enum hearth_task task;
    enum hearth_priority priority;
    bool is_stream;
    uint32_t timeout_ms;
    uint32_t max_tokens;
    const char *texts[3];
};

static void ask_struct(struct fake_broker *broker, const struct asked *asked)
{
    struct hearth_wire_text texts[3] = {0};
    uint32_t count = 0;
    while (count < 3 && asked->texts[count] != NULL) {
        texts[count].text = hearth_slice_of_string(asked->texts[count]);
        count++;
    }
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = asked->id;
    request->task = (uint8_t)asked->task;
    request->priority = (uint8_t)asked->priority;
    request->flags = asked->is_stream ? HEARTH_FLAG_STREAM : 0;
    request->timeout_ms = asked->timeout_ms;
    request->model_id = hearth_slice_of_string("model-under-test");
    if (asked->max_tokens != 0) {
        request->max_tokens = asked->max_tokens;
    }
    struct hearth_wire_chat_message turns[2] = {
        {.role = HEARTH_ROLE_SYSTEM, .content = hearth_slice_of_string("be brief")},
        {.role = HEARTH_ROLE_USER, .content = texts[0].text}};
    if (asked->task == HEARTH_TASK_CHAT) {
        request->messages = (struct hearth_wire_list){.count = 2, .items = turns};
    } else {
        request->texts = (struct hearth_wire_list){.count = count, .items = texts};
    }
    fake_send(broker, &message);
}

#define ASK(broker, ...) ask_struct(broker, &(const struct asked){__VA_ARGS__})

static struct hearth_wire_inference_response expect_end(struct fake_broker *broker, uint64_t id,
                                                        int code)
{
    struct hearth_message message = fake_expect(broker, HEARTH_MSG_inference_response);
    struct hearth_wire_inference_response *end = &message.as.inference_response;
    assert_int_equal(end->request_id, id);
    if (end->code != -code) {
        fail_msg("request %u ended with %s: %.*s", (unsigned)id, hearth_error_name(-(int)end->code),
                 HEARTH_SLICE_ARGS(end->error));
    }
    return *end;
}

static void expect_text(struct hearth_wire_list results, const char *wanted)
{
    struct hearth_wire_result result;
    assert_int_equal(results.count, 1);
    assert_true(hearth_wire_next(&results, HEARTH_RECORD_result, &result));
    if (!hearth_slice_equals_string(result.text, wanted)) {
        fail_msg("text \"%.*s\", wanted \"%s\"", HEARTH_SLICE_ARGS(result.text), wanted);
    }
}

static void a_plain_request_gets_one_answer(void **state)
{
    ASK(*state, .id = 1, .task = HEARTH_TASK_GENERATE, .texts = {"abc é"});
    struct hearth_wire_inference_response end = expect_end(*state, 1, 0);
    expect_text(end.results, "é cba");
    assert_int_equal(end.finish_reason, HEARTH_FINISH_STOP);
    assert_int_equal(end.prompt_tokens, 5);
    assert_int_equal(end.tokens_generated, 5);
    assert_true(end.total_us >= end.first_us);
    assert_true(fake_is_quiet(*state, 50));
}

static void a_stream_joins_to_the_same_text_and_ends_once(void **state)
{
    char joined[16] = "";
    ASK(*state, .id = 2, .task = HEARTH_TASK_CHAT, .is_stream = true, .texts = {"xyz"});
    for (int i = 0; i < 3; i++) {
        struct hearth_message message = fake_expect(*state, HEARTH_MSG_stream_chunk);
        struct hearth_wire_list results = message.as.stream_chunk.results;
        struct hearth_wire_result piece;
        assert_int_equal(message.as.stream_chunk.request_id, 2);
        assert_true(hearth_wire_next(&results, HEARTH_RECORD_result, &piece));
        assert_int_equal(piece.tokens, 1);
        strncat(joined, (const char *)piece.text.data, piece.text.size);
    }
    struct hearth_wire_inference_response end = expect_end(*state, 2, 0);
    assert_int_equal(end.results.count, 0);
    assert_string_equal(joined, "zyx");
    assert_true(fake_is_quiet(*state, 50));
}

static void max_tokens_ends_generation(void **state)
{
    ASK(*state, .id = 3, .task = HEARTH_TASK_GENERATE, .max_tokens = 2, .texts = {"abc"});
    struct hearth_wire_inference_response end = expect_end(*state, 3, 0);
    expect_text(end.results, "cb");
    assert_int_equal(end.finish_reason, HEARTH_FINISH_MAX_TOKENS);
}

/* Cancels a request that has one letter at once and the next much later, after @patience_ms. */
static struct hearth_wire_inference_response cancel_after(struct fake_broker *broker, uint64_t id,
                                                          uint64_t patience_ms)
{
    ASK(broker, .id = id, .task = HEARTH_TASK_GENERATE, .texts = {"pace:30s ab"});
    assert_true(fake_is_quiet(broker, patience_ms));
    struct hearth_message cancel = {.type = HEARTH_MSG_cancel_request,
                                    .as.cancel_request = {.request_id = id}};
    uint64_t before_ns = hearth_clock_ns();
    fake_send(broker, &cancel);
    struct hearth_wire_inference_response end = expect_end(broker, id, HEARTH_E_CANCELLED);
    assert_true(hearth_clock_ns() - before_ns < 10 * HEARTH_NS_PER_SEC);
    assert_int_equal(end.finish_reason, HEARTH_FINISH_CANCELLED);
    return end;
}

/* Nothing tells when the first letter is there: on a busy machine that takes more patience. */
static void cancel_ends_a_running_request_with_what_it_has(void **state)
{
    struct hearth_wire_inference_response end = {0};
    uint64_t id = 4;
    for (uint64_t patience_ms = 50; end.results.count == 0 && patience_ms < 15000;
         patience_ms *= 2) {
        end = cancel_after(*state, id++, patience_ms);
    }
    expect_text(end.results, "b");
}

static void a_deadline_ends_what_runs_and_what_waits(void **state)
{
    for (uint64_t id = 10; id < 16; id++) { /* four run, two wait */
        ASK(*state, .id = id, .task = HEARTH_TASK_GENERATE, .timeout_ms = 100,
            .texts = {"slow:30s ab"});
    }
    uint64_t seen = 0;
    for (int i = 0; i < 6; i++) {
        struct hearth_message message = fake_expect(*state, HEARTH_MSG_inference_response);
        assert_int_equal(message.as.inference_response.code, -HEARTH_E_EXPIRED);
        assert_int_equal(message.as.inference_response.finish_reason, HEARTH_FINISH_TIMEOUT);
        seen |= UINT64_C(1) << message.as.inference_response.request_id;
    }
    assert_int_equal(seen, 0xfc00);
}

static void cancel(struct fake_broker *broker, uint64_t id)
{
    struct hearth_message message = {.type = HEARTH_MSG_cancel_request,
                                     .as.cancel_request.request_id = id};
    fake_send(broker, &message);
}

/* Nothing ends by itself but 9, so that no clock decides who is first. */
static void higher_priority_overtakes_what_waits(void **state)
{
    for (uint64_t id = 1; id <= 4; id++) {
        ASK(*state, .id = id, .task = HEARTH_TASK_GENERATE, .is_stream = true,
            .texts = {"pace:1000s ab"});
        fake_expect(*state, HEARTH_MSG_stream_chunk); /* it runs */
    }
    for (uint64_t id = 5; id <= 8; id++) {
        ASK(*state, .id = id, .task = HEARTH_TASK_GENERATE, .priority = HEARTH_LOW,
            .texts = {"slow:1000s a"});
    }
    ASK(*state, .id = 9, .task = HEARTH_TASK_GENERATE, .priority = HEARTH_CRITICAL, .texts = {"a"});
    cancel(*state, 1);
    expect_end(*state, 1, HEARTH_E_CANCELLED);
    expect_end(*state, 9, 0);
    for (uint64_t id = 8; id >= 2; id--) { /* what waits first: it would run otherwise */
        cancel(*state, id);
        expect_end(*state, id, HEARTH_E_CANCELLED);
    }
}

static void labels_come_best_first_and_results_in_order(void **state)
{
    ASK(*state, .id = 6, .task = HEARTH_TASK_CLASSIFY, .texts = {"one", "three letters", "x"});
    struct hearth_wire_inference_response end = expect_end(*state, 6, 0);
    struct hearth_wire_result result;
    uint32_t index = 0;
    assert_int_equal(end.results.count, 3);
    while (hearth_wire_next(&end.results, HEARTH_RECORD_result, &result)) {
        struct hearth_wire_label label;
        float sum = 0;
        float last = 1;
        assert_int_equal(result.index, index++);
        assert_int_equal(result.labels.count, 3);
        while (hearth_wire_next(&result.labels, HEARTH_RECORD_label, &label)) {
            assert_true(label.score <= last);
            last = label.score;
            sum += label.score;
        }
        assert_true(sum > 0.999f && sum < 1.001f);
    }
}

static void a_streamed_batch_answers_each_input_once(void **state)
{
    uint32_t seen = 0;
    ASK(*state, .id = 7, .task = HEARTH_TASK_EMBED, .is_stream = true, .texts = {"a", "b", "c"});
    for (int i = 0; i < 3; i++) {
        struct hearth_message message = fake_expect(*state, HEARTH_MSG_stream_chunk);
        struct hearth_wire_list results = message.as.stream_chunk.results;
        struct hearth_wire_result result;
        assert_int_equal(results.count, 1);
        assert_true(hearth_wire_next(&results, HEARTH_RECORD_result, &result));
        assert_int_equal(result.vector.count, 8);
        seen |= 1u << result.index;
    }
    assert_int_equal(seen, 7);
    assert_int_equal(expect_end(*state, 7, 0).results.count, 0);
}

static void one_bad_input_ends_its_request_only(void **state)
{
    ASK(*state, .id = 8, .task = HEARTH_TASK_EMBED, .texts = {"good", "fail: bad", "good too"});
    expect_end(*state, 8, HEARTH_E_ENGINE_FAILED);
    ASK(*state, .id = 9, .task = HEARTH_TASK_EMBED, .texts = {"good"});
    expect_end(*state, 9, 0);
}

static void a_request_that_breaks_the_rules_is_refused_by_name(void **state)
{
    ASK(*state, .id = 11, .task = HEARTH_TASK_GENERATE, .texts = {"one", "two"});
    expect_end(*state, 11, HEARTH_E_INPUT_INVALID);
    ASK(*state, .id = 12, .task = HEARTH_TASK_GENERATE, .texts = {"slow:200ms one"});
    ASK(*state, .id = 12, .task = HEARTH_TASK_GENERATE, .texts = {"again"});
    expect_end(*state, 12, HEARTH_E_BUSY);
    expect_end(*state, 12, 0);
}

static void stop_finishes_what_runs(void **state)
{
    ASK(*state, .id = 13, .task = HEARTH_TASK_GENERATE, .texts = {"slow:300ms ab"});
    fake_send_plain(*state, HEARTH_MSG_worker_stop);
    expect_text(expect_end(*state, 13, 0).results, "ba");
    struct hearth_wire_spawn_exit end = fake_await_exit(*state);
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.signal, 0);
}

static void a_crash_is_told_by_the_spawner(void **state)
{
    ASK(*state, .id = 14, .task = HEARTH_TASK_GENERATE, .texts = {"crash:"});
    assert_int_equal(fake_await_exit(*state).signal, 6);
}

/* Far more than a ring holds, while nobody reads: all of it comes, in order. The refusal is written
 * by the link thread, which must not wait for room that only it would make. */
static void a_slow_broker_loses_nothing(void **state)
{
    enum { PIECES = 4000, REQUESTS = 60, REFUSED = 99 }; /* about 18 MiB of messages */
    char *text = hearth_alloc(PIECES + 1, 1);
    memset(text, 'a', PIECES);
    uint32_t tokens[REQUESTS] = {0};
    for (uint64_t id = 1; id <= REQUESTS; id++) {
        ASK(*state, .id = id, .task = HEARTH_TASK_GENERATE, .is_stream = true, .max_tokens = PIECES,
            .texts = {text});
    }
    for (int i = 0; i < 4; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* it fills up, if it can */
        ASK(*state, .id = REFUSED, .task = HEARTH_TASK_GENERATE, .texts = {"one", "two"});
    }
    for (int ends = 0, refused = 0; ends < REQUESTS || refused < 4;) {
        struct hearth_message message = fake_receive(*state);
        if (message.type == HEARTH_MSG_inference_response &&
            message.as.inference_response.request_id == REFUSED) {
            assert_int_equal(message.as.inference_response.code, -HEARTH_E_INPUT_INVALID);
            refused++;
        } else if (message.type == HEARTH_MSG_inference_response) {
            assert_int_equal(message.as.inference_response.code, 0);
            ends++;
        } else {
            tokens[message.as.stream_chunk.request_id - 1]++;
        }
    }
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(tokens[i], PIECES);
    }
    hearth_free(text);
}

#ifdef __SANITIZE_THREAD__ /* it has a thread of its own, which does wake up */
#define IDLE_TEST
#else
#define IDLE_TEST                                                                                  \
    , WITH(start_generator, an_idle_worker_does_not_wake_up),                                      \
        WITH(start_classifier, a_cheap_request_wakes_no_run_thread)
/* Reads "voluntary_ctxt_switches: N" and "nonvoluntary_ctxt_switches: N" of one thread. */
static uint64_t switches_in(const char *path)
{
    char status[8192];
    size_t size = 0;
    uint64_t count = 0;
    struct hearth_error err = {0};
    assert_int_equal(hearth_file_read_text(path, status, sizeof status, &size, &err), 0);
    for (const char *at = status; (at = strstr(at, "ctxt_switches:")) != NULL; at++) {
        count += strtoull(at + strlen("ctxt_switches:"), NULL, 10);
    }
    return count;
}

/* Context switches of all threads, or of those whose name begins with @name. */
static uint64_t switches_of(uint32_t pid, const char *name)
{
    char path[300];
    uint64_t count = 0;
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char comm[32] = "";
        size_t size = 0;
        snprintf(path, sizeof path, "/proc/%u/task/%.200s/comm", pid, entry->d_name);
        if (entry->d_name[0] == '.' ||
            hearth_file_read_text(path, comm, sizeof comm, &size, NULL) != 0 ||
            strncmp(comm, name, strlen(name)) != 0) {
            continue;
        }
        snprintf(path, sizeof path, "/proc/%u/task/%.200s/status", pid, entry->d_name);
        count += switches_in(path);
    }
    closedir(folder);
    assert_true(count > 0);
    return count;
}

static void an_idle_worker_does_not_wake_up(void **state)
{
    struct fake_broker *broker = *state;
    ASK(broker, .id = 1, .task = HEARTH_TASK_GENERATE, .timeout_ms = 60000, .texts = {"a"});
    expect_end(broker, 1, 0);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    uint64_t before = switches_of(broker->pid, "");
    nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    assert_int_equal(switches_of(broker->pid, ""), before);
}

/* Two changes of threads saved: a run thread that slept before sleeps on. */
static void a_cheap_request_wakes_no_run_thread(void **state)
{
    struct fake_broker *broker = *state;
    ASK(broker, .id = 1, .task = HEARTH_TASK_CLASSIFY, .texts = {"slow:1ms a"});
    expect_end(broker, 1, 0);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL); /* it goes to sleep */
    uint64_t before = switches_of(broker->pid, "run-");
    for (uint64_t id = 2; id < 22; id++) {
        ASK(broker, .id = id, .task = HEARTH_TASK_CLASSIFY, .texts = {"a"});
        expect_end(broker, id, 0);
    }
    assert_int_equal(switches_of(broker->pid, "run-"), before);
    ASK(broker, .id = 22, .task = HEARTH_TASK_CLASSIFY, .texts = {"slow:1ms a"});
    expect_end(broker, 22, 0);
    assert_true(switches_of(broker->pid, "run-") > before);
}

#endif

#define WITH(start, test) cmocka_unit_test_setup_teardown(test, start, tear_down)

KIT_MAIN(WITH(start_generator, a_plain_request_gets_one_answer),
         WITH(start_generator, a_stream_joins_to_the_same_text_and_ends_once),
         WITH(start_generator, max_tokens_ends_generation),
         WITH(start_generator, cancel_ends_a_running_request_with_what_it_has),
         WITH(start_generator, a_deadline_ends_what_runs_and_what_waits),
         WITH(start_generator, higher_priority_overtakes_what_waits),
         WITH(start_classifier, labels_come_best_first_and_results_in_order),
         WITH(start_embedder, a_streamed_batch_answers_each_input_once),
         WITH(start_embedder, one_bad_input_ends_its_request_only),
         WITH(start_generator, a_request_that_breaks_the_rules_is_refused_by_name),
         WITH(start_generator, stop_finishes_what_runs),
         WITH(start_generator, a_crash_is_told_by_the_spawner),
         WITH(start_generator, a_slow_broker_loses_nothing) IDLE_TEST)
