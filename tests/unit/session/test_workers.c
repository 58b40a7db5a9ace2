/* Workers that load, refuse, die, lie and hang, and what their clients see. */

#include "world.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static struct hearth_message take_load_answer(struct world *w, struct client *client,
                                              char text[256])
{
    struct hearth_message answer = client_take(w, client);
    assert_int_equal(answer.type, HEARTH_MSG_load_response);
    assert_true(hearth_slice_to_string(answer.as.load_response.error, text, 256));
    return answer;
}

static struct hearth_message hello(const char *build_id)
{
    return (struct hearth_message){
        .type = HEARTH_MSG_worker_hello,
        .as.worker_hello = {.build_id = hearth_slice_of_string(build_id)}};
}

static void a_need_beyond_the_budget_is_refused_before_loading(void **state)
{
    struct world *w = *state;
    char text[256];
    w->config.memory_limit_bytes = 18u << 20; /* rings take 8 */
    world_start(w);
    struct client client = client_session(w);
    client_load(w, &client, "gen");
    struct fake_worker worker = worker_spawned(w);
    struct hearth_message first = hello(HEARTH_BUILD_ID);
    struct hearth_message need = {
        .type = HEARTH_MSG_worker_need,
        .as.worker_need = {.weights_bytes = 8u << 20, .cache_bytes = 3u << 20}};
    worker_say(w, &worker, &first);
    worker_say(w, &worker, &need);
    assert_true(worker_hears_nothing(w, &worker));
    assert_true(worker_was_killed(&worker));
    struct hearth_message answer = take_load_answer(w, &client, text);
    assert_int_equal(-(int)answer.as.load_response.code, HEARTH_E_NO_ROOM);
    assert_string_equal(text, "load \"gen\": 19.0 MiB of memory wanted, 18.0 MiB free of 18.0 MiB; "
                              "nobody holds any");
    assert_int_equal(w->budget.held_bytes, 0);
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_FAILED);
    client_close(w, &client);
    worker_finish(&worker);
}

static void sums_that_overflow_are_not_small(void **state)
{
    struct world *w = *state;
    char text[256];
    world_start(w);
    struct client client = client_session(w);
    client_load(w, &client, "gen");
    struct fake_worker worker = worker_spawned(w);
    struct hearth_message first = hello(HEARTH_BUILD_ID);
    struct hearth_message need = {
        .type = HEARTH_MSG_worker_need,
        .as.worker_need = {.weights_bytes = UINT64_MAX, .cache_bytes = UINT64_MAX}};
    worker_say(w, &worker, &first);
    worker_say(w, &worker, &need);
    assert_true(worker_was_killed(&worker));
    struct hearth_message answer = take_load_answer(w, &client, text);
    assert_int_equal(-(int)answer.as.load_response.code, HEARTH_E_NO_ROOM);
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_failed_load_says_what_the_worker_said_and_may_be_tried_again(void **state)
{
    struct world *w = *state;
    char text[256];
    world_start(w);
    struct client client = client_session(w);
    client_load(w, &client, "gen");
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    struct fake_worker worker = worker_spawned(w);
    struct hearth_message first = hello(HEARTH_BUILD_ID);
    struct hearth_message failed = {
        .type = HEARTH_MSG_worker_failed,
        .as.worker_failed = {.code = (uint16_t)-HEARTH_E_DIGEST_MISMATCH,
                             .error = hearth_slice_of_string("m.gguf is not it")}};
    worker_say(w, &worker, &first);
    worker_say(w, &worker, &failed);
    assert_true(worker_was_killed(&worker)); /* it did not exit by itself */
    struct hearth_message answer = take_load_answer(w, &client, text);
    assert_int_equal(-(int)answer.as.load_response.code, HEARTH_E_DIGEST_MISMATCH);
    assert_string_equal(text, "load \"gen\": m.gguf is not it");
    assert_int_equal(client_end(w, &client, 1, text), HEARTH_E_DIGEST_MISMATCH);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    assert_int_equal(client_end(w, &client, 2, text), HEARTH_E_NOT_READY);
    worker_finish(&worker);
    worker = worker_loaded(w, "gen", 1);
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_READY);
    client_close(w, &client);
    worker_finish(&worker);
}

static void another_build_is_not_talked_to(void **state)
{
    struct world *w = *state;
    char text[256];
    world_start(w);
    struct client client = client_session(w);
    client_load(w, &client, "gen");
    struct fake_worker worker = worker_spawned(w);
    struct hearth_message first = hello("0.0.0-other");
    worker_say(w, &worker, &first);
    assert_true(worker_was_killed(&worker));
    struct hearth_message answer = take_load_answer(w, &client, text);
    assert_int_equal(-(int)answer.as.load_response.code, HEARTH_E_VERSION);
    client_close(w, &client);
    worker_finish(&worker);
}

static bool is_spawning_again(struct world *w)
{
    return hearth_fd_wait(w->spawner_fd, HEARTH_READY_IN, 0, NULL) == 0;
}

static void a_death_costs_the_running_requests_and_the_queue_is_served(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 2);
    struct fake_worker bystander = worker_loaded(w, "gen2", 2);
    struct client client = client_session(w);
    for (uint64_t id = 1; id <= 3; id++) {
        client_ask(w, &client, id, "gen", HEARTH_TASK_GENERATE, true);
    }
    client_ask(w, &client, 4, "gen2", HEARTH_TASK_GENERATE, false);
    worker_die(w, &worker);
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_WORKER_LOST);
    assert_int_equal(client_end(w, &client, 2, NULL), HEARTH_E_WORKER_LOST);
    assert_true(client_is_silent(w, &client));
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_RESTARTING);
    assert_true(world_wait(w, 3000, is_spawning_again));
    worker = worker_spawned(w);
    worker_lead_to_ready(w, &worker, 2);
    struct hearth_message end = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = worker_hear_request(w, &worker),
                                  .finish_reason = HEARTH_FINISH_STOP}};
    worker_say(w, &worker, &end);
    assert_int_equal(client_end(w, &client, 3, NULL), 0);
    worker_answer(w, &bystander, worker_hear_request(w, &bystander), 0);
    assert_int_equal(client_end(w, &client, 4, NULL), 0);
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_WORKER_DEATHS), 1);
    client_close(w, &client);
    worker_finish(&worker);
    worker_finish(&bystander);
}

/* The last answer of a dead worker makes room, but there is nobody left who would take it. */
static void what_waits_is_not_given_to_a_worker_that_is_gone(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, true);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, true);
    uint64_t id = worker_hear_request(w, &worker);
    assert_int_equal(kill(worker.pid, SIGKILL), 0);
    assert_int_equal(waitpid(worker.pid, NULL, 0), worker.pid);
    worker.pid = 0;
    struct hearth_message end = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = id, .finish_reason = HEARTH_FINISH_STOP}};
    worker_say(w, &worker, &end); /* all at once for the broker: its death and its last words */
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    assert_true(client_is_silent(w, &client));
    worker_finish(&worker);

    assert_true(world_wait(w, 10000, is_spawning_again));
    worker = worker_spawned(w);
    worker_lead_to_ready(w, &worker, 1);
    end.as.inference_response.request_id = worker_hear_request(w, &worker);
    worker_say(w, &worker, &end);
    assert_int_equal(client_end(w, &client, 2, NULL), 0);
    client_close(w, &client);
    worker_finish(&worker);
}

static void an_unload_before_the_restart_refuses_what_waits(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    worker_die(w, &worker);
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_WORKER_LOST);
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_RESTARTING);
    struct hearth_message unload = {
        .type = HEARTH_MSG_unload_request,
        .as.unload_request = {.request_id = 9, .model_id = hearth_slice_of_string("gen")}};
    client_send(w, &client, &unload);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_unload_response);
    assert_int_equal(client_end(w, &client, 2, NULL), HEARTH_E_NOT_READY);
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_ABSENT);
    client_close(w, &client);
}

/* More than one wake-up may take: nothing is lost, and the end comes last and once. */
static void all_that_a_dead_worker_said_arrives_before_its_end(void **state)
{
    enum { CHUNKS = 2000 };
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, true);
    uint64_t id = worker_hear_request(w, &worker);
    assert_int_equal(kill(worker.pid, SIGKILL), 0);
    assert_int_equal(waitpid(worker.pid, NULL, 0), worker.pid);
    worker.pid = 0;
    struct hearth_wire_result piece = {.text = hearth_slice_of_string("x"), .tokens = 1};
    struct hearth_message chunk = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &piece}}};
    hearth_buf_clear(&worker.buf);
    assert_int_equal(hearth_wire_encode(&chunk, &worker.buf), 0);
    struct hearth_slice bytes = hearth_buf_slice(&worker.buf);
    for (int i = 0; i < CHUNKS; i++) {
        assert_int_equal(hearth_ring_send(worker.ring, &bytes, 1), 0);
    }
    for (int i = 0; i < CHUNKS; i++) {
        assert_int_equal(client_take(w, &client).type, HEARTH_MSG_stream_chunk);
    }
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_WORKER_LOST);
    assert_true(client_is_silent(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_worker_that_keeps_dying_is_given_up(void **state)
{
    struct world *w = *state;
    char text[256];
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (unsigned death = 1; death <= 6; death++) {
        client_ask(w, &client, death, "gen", HEARTH_TASK_GENERATE, false);
        (void)worker_hear_request(w, &worker);
        worker_die(w, &worker);
        assert_int_equal(client_end(w, &client, death, NULL), HEARTH_E_WORKER_LOST);
        if (death < 6) {
            assert_true(world_wait(w, 5000, is_spawning_again));
            worker = worker_spawned(w);
            worker_lead_to_ready(w, &worker, 1);
        }
    }
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_FAILED);
    client_ask(w, &client, 9, "gen", HEARTH_TASK_GENERATE, false);
    assert_int_equal(client_end(w, &client, 9, text), HEARTH_E_NOT_READY);
    assert_non_null(strstr(text, "6 times in a row"));
    client_close(w, &client);
}

/* ---- lies --------------------------------------------------------------------------------- */

static struct hearth_wire_result result_a;
static struct hearth_wire_result results[2];
static struct hearth_wire_label labels[2];
static const float vector[3] = {1, 2, 3};

static struct hearth_message end_with(uint64_t id, uint32_t count,
                                      const struct hearth_wire_result *items)
{
    return (struct hearth_message){
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = id, .results = {.count = count, .items = items}}};
}

static struct hearth_message lie(unsigned which, uint64_t id)
{
    result_a = (struct hearth_wire_result){0};
    labels[0] = (struct hearth_wire_label){hearth_slice_of_string("x"), 0.5f, 0};
    labels[1] = (struct hearth_wire_label){hearth_slice_of_string("y"), 0.5f, 0};
    result_a.labels = (struct hearth_wire_list){.count = 2, .items = labels};
    struct hearth_message message = end_with(id, 1, &result_a);
    switch (which) {
    case 0: /* a ticket that was never given */
        message.as.inference_response.request_id = id + 1;
        break;
    case 1: /* an input that was not given */ result_a.index = 1; break;
    case 2: /* two answers to one input */
        results[0] = results[1] = result_a;
        message = end_with(id, 2, results);
        break;
    case 3: /* no answer at all */ message = end_with(id, 0, NULL); break;
    case 4: /* fewer labels than the model has */ result_a.labels.count = 1; break;
    case 5: /* a label that it does not have */ labels[0].name = hearth_slice_of_string("z"); break;
    case 6: /* not a probability */ labels[0].score = 1.5f; break;
    case 7: /* a vector from a classifier */
        result_a.vector = (struct hearth_wire_f32s){vector, 3};
        break;
    case 8: /* a chunk that nobody asked for */
        message = (struct hearth_message){
            .type = HEARTH_MSG_stream_chunk,
            .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &result_a}}};
        break;
    case 9: /* an error that does not exist */
        message = end_with(id, 0, NULL);
        message.as.inference_response.code = 9999;
        break;
    case 10: /* a message of another phase */
        message = (struct hearth_message){.type = HEARTH_MSG_worker_ready};
        break;
    case 11: /* a message of another direction */
        message = (struct hearth_message){.type = HEARTH_MSG_worker_proceed};
        break;
    default: message = (struct hearth_message){.type = HEARTH_MSG_models_request}; break;
    }
    return message;
}

static void a_worker_that_breaks_a_rule_is_killed(void **state)
{
    struct world *w = *state;
    world_start(w);
    for (unsigned which = 0; which <= 12; which++) {
        struct fake_worker worker = worker_loaded(w, "cls", 2);
        struct client client = client_session(w);
        client_ask(w, &client, 1, "cls", HEARTH_TASK_CLASSIFY, false);
        struct hearth_message message = lie(which, worker_hear_request(w, &worker));
        worker_say(w, &worker, &message);
        assert_true(worker_was_killed(&worker));
        assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_WORKER_LOST);
        struct hearth_message unload = {
            .type = HEARTH_MSG_unload_request,
            .as.unload_request = {.request_id = 2, .model_id = hearth_slice_of_string("cls")}};
        client_send(w, &client, &unload);
        struct hearth_message unloaded = client_take(w, &client);
        assert_int_equal(unloaded.type, HEARTH_MSG_unload_response);
        assert_int_equal(unloaded.as.unload_response.code, 0);
        client_close(w, &client);
        worker_finish(&worker);
    }
}

static void models_that_compute_at_once_share_the_cores(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker a = worker_loaded(w, "gen", 1);
    struct fake_worker b = worker_loaded(w, "gen2", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear(w, &a).as.inference_request.request_id; /* alone: nothing to tell */
    client_ask(w, &client, 2, "gen2", HEARTH_TASK_GENERATE, false);
    struct hearth_message lease = worker_hear(w, &a);
    assert_int_equal(lease.type, HEARTH_MSG_worker_lease);
    assert_int_equal(lease.as.worker_lease.threads, 2);
    lease = worker_hear(w, &b);
    assert_int_equal(lease.type, HEARTH_MSG_worker_lease);
    assert_int_equal(lease.as.worker_lease.threads, 2);
    worker_answer(w, &b, worker_hear_request(w, &b), 0);
    assert_int_equal(client_end(w, &client, 2, NULL), 0);
    while (worker_hears_nothing(w, &a)) { /* until the timer of the pause */
        assert_int_equal(hearth_loop_run_once(w->loop, HEARTH_NEVER, NULL), 0);
    }
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&a.buf), &lease, NULL), 0);
    assert_int_equal(lease.type, HEARTH_MSG_worker_lease);
    assert_int_equal(lease.as.worker_lease.threads, 4);
    worker_answer(w, &a, id, 0);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    client_close(w, &client);
    worker_finish(&a);
    worker_finish(&b);
}

static bool has_died_one(struct world *w)
{
    return hearth_metrics_value(&w->metrics, HEARTH_COUNTER_WORKER_DEATHS) == 1;
}

static void a_worker_that_hangs_past_a_deadline_is_killed(void **state)
{
    struct world *w = *state;
    w->config.request_timeout_ms = 20;
    w->config.hang_timeout_ms = 20;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    (void)worker_hear_request(w, &worker); /* and nothing is done about it */
    assert_true(world_wait(w, 3000, has_died_one));
    assert_true(worker_was_killed(&worker));
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_WORKER_LOST);
    client_close(w, &client);
    worker_finish(&worker);
}

static bool is_failed(struct world *w)
{
    return world_model(w, "gen")->state == HEARTH_MODEL_FAILED;
}

static void a_load_that_takes_too_long_fails(void **state)
{
    struct world *w = *state;
    char text[256];
    w->config.load_timeout_ms = 20;
    world_start(w);
    struct client client = client_session(w);
    client_load(w, &client, "gen");
    struct fake_worker worker = worker_spawned(w); /* says nothing */
    assert_true(world_wait(w, 3000, is_failed));
    assert_true(worker_was_killed(&worker));
    struct hearth_message answer = take_load_answer(w, &client, text);
    assert_int_equal(-(int)answer.as.load_response.code, HEARTH_E_EXPIRED);
    assert_string_equal(text, "load \"gen\": not ready after 20 ms (load_timeout_ms)");
    client_close(w, &client);
    worker_finish(&worker);
}

static void the_truth_of_a_classifier_is_accepted(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "cls", 2);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "cls", HEARTH_TASK_CLASSIFY, false);
    struct hearth_message message = lie(0, worker_hear_request(w, &worker));
    message.as.inference_response.request_id--;
    worker_say(w, &worker, &message);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    client_close(w, &client);
    worker_finish(&worker);
}

/* ---- unload and drain ----------------------------------------------------------------------- */

static void unload_finishes_what_runs_and_refuses_what_waits(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear_request(w, &worker);
    struct hearth_message unload = {
        .type = HEARTH_MSG_unload_request,
        .as.unload_request = {.request_id = 3, .model_id = hearth_slice_of_string("gen")}};
    client_send(w, &client, &unload);
    assert_int_equal(client_end(w, &client, 2, NULL), HEARTH_E_NOT_READY);
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_worker_stop);
    worker_answer(w, &worker, id, 0);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    assert_true(client_is_silent(w, &client));
    worker_die(w, &worker);
    struct hearth_message answer = client_take(w, &client);
    assert_int_equal(answer.type, HEARTH_MSG_unload_response);
    assert_int_equal(answer.as.unload_response.code, 0);
    assert_int_equal(w->budget.held_bytes, 0);
    client_close(w, &client);
}

static void a_drain_finishes_what_runs_and_then_ends(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear_request(w, &worker);
    hearth_server_drain(w->server);
    assert_int_equal(client_end(w, &client, 2, NULL), HEARTH_E_SHUTTING_DOWN);
    client_ask(w, &client, 3, "gen", HEARTH_TASK_GENERATE, false);
    assert_int_equal(client_end(w, &client, 3, NULL), HEARTH_E_SHUTTING_DOWN);
    assert_true(worker_hears_nothing(w, &worker));
    assert_int_equal(w->ends, 0);
    worker_answer(w, &worker, id, 0);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_worker_stop);
    assert_int_equal(w->ends, 0);
    worker_die(w, &worker);
    assert_int_equal(w->ends, 1);
    assert_int_equal(w->result.cut, 0);
    client_close(w, &client);
}

static bool has_ended(struct world *w)
{
    return w->ends > 0;
}

static void a_drain_cuts_what_takes_too_long_and_says_how_much(void **state)
{
    struct world *w = *state;
    w->config.drain_timeout_ms = 30;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    (void)worker_hear_request(w, &worker);
    hearth_server_drain(w->server);
    assert_true(world_wait(w, 3000, has_ended));
    assert_int_equal(w->result.cut, 1);
    assert_true(worker_was_killed(&worker));
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_SHUTTING_DOWN);
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_lost_spawner_ends_the_daemon(void **state)
{
    struct world *w = *state;
    world_start(w);
    hearth_fd_close(&w->spawner_fd);
    world_settle(w);
    assert_int_equal(w->ends, 1);
    assert_true(w->result.is_failure);
}

/* While it works, the broker looks into rings itself and need not be woken; before it sleeps it
 * must say so, or the next answer would wait for something else to happen. */
static void a_broker_at_rest_is_woken_by_its_worker(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 2);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    const struct hearth_wire_result result = {.finish_reason = HEARTH_FINISH_STOP};
    struct hearth_message end = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = worker_hear_request(w, &worker),
                                  .finish_reason = HEARTH_FINISH_STOP,
                                  .results = {.count = 1, .items = &result}}};
    uint64_t end_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_MS;
    while (hearth_clock_ns() < end_ns) { /* rounds that may wait: it goes to sleep */
        assert_int_equal(hearth_loop_run_once(w->loop, end_ns, NULL), 0);
    }
    hearth_buf_clear(&worker.buf);
    assert_int_equal(hearth_wire_encode(&end, &worker.buf), 0);
    struct hearth_slice bytes = hearth_buf_slice(&worker.buf);
    assert_int_equal(hearth_ring_send(worker.ring, &bytes, 1), 0);
    client_wait(w, &client); /* would never end */
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    client_close(w, &client);
    worker_finish(&worker);
}

/* A ring that holds what nobody will take must not keep the loop from waiting. */
static void a_broken_link_does_not_make_the_loop_spin(void **state)
{
    struct world *w = *state;
    struct hearth_loop_stats before;
    struct hearth_loop_stats after;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 2);
    struct hearth_slice nonsense = hearth_slice_of_string("nonsense");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hearth_ring_send(worker.ring, &nonsense, 1), 0);
    }
    world_settle(w);
    assert_true(worker_was_killed(&worker));
    world_settle(w);
    uint64_t end_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_MS;
    hearth_loop_stats(w->loop, &before);
    while (hearth_clock_ns() < end_ns) {
        assert_int_equal(hearth_loop_run_once(w->loop, end_ns, NULL), 0);
    }
    hearth_loop_stats(w->loop, &after);
    assert_true(after.rounds - before.rounds < 10);
    worker_finish(&worker);
}

KIT_MAIN(WORLD_TEST(a_broker_at_rest_is_woken_by_its_worker),
         WORLD_TEST(a_broken_link_does_not_make_the_loop_spin),
         WORLD_TEST(a_need_beyond_the_budget_is_refused_before_loading),
         WORLD_TEST(sums_that_overflow_are_not_small),
         WORLD_TEST(a_failed_load_says_what_the_worker_said_and_may_be_tried_again),
         WORLD_TEST(another_build_is_not_talked_to),
         WORLD_TEST(a_death_costs_the_running_requests_and_the_queue_is_served),
         WORLD_TEST(what_waits_is_not_given_to_a_worker_that_is_gone),
         WORLD_TEST(an_unload_before_the_restart_refuses_what_waits),
         WORLD_TEST(all_that_a_dead_worker_said_arrives_before_its_end),
         WORLD_TEST(a_worker_that_keeps_dying_is_given_up),
         WORLD_TEST(a_worker_that_breaks_a_rule_is_killed),
         WORLD_TEST(models_that_compute_at_once_share_the_cores),
         WORLD_TEST(a_worker_that_hangs_past_a_deadline_is_killed),
         WORLD_TEST(a_load_that_takes_too_long_fails),
         WORLD_TEST(the_truth_of_a_classifier_is_accepted),
         WORLD_TEST(unload_finishes_what_runs_and_refuses_what_waits),
         WORLD_TEST(a_drain_finishes_what_runs_and_then_ends),
         WORLD_TEST(a_drain_cuts_what_takes_too_long_and_says_how_much),
         WORLD_TEST(a_lost_spawner_ends_the_daemon))
