/* test_generation.c — requests of models that generate on their way through the broker: what the
 * worker gets of them, what the client gets of the answer, what is counted. */

#include "session_priv.h"
#include "world.h"

#include <string.h>
#include <unistd.h>

static const struct hearth_wire_text prompt = {.text = {(const uint8_t *)"abc", 3}};

static struct hearth_message asking(uint64_t id, enum hearth_task task)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = id;
    request->task = (uint8_t)task;
    request->model_id = hearth_slice_of_string("gen");
    request->texts = (struct hearth_wire_list){.count = 1, .items = &prompt};
    return message;
}

/* The next request that the worker gets; its slices live until the next message. */
static struct hearth_wire_inference_request heard(struct world *w, struct fake_worker *worker)
{
    struct hearth_message message;
    do {
        message = worker_hear(w, worker);
    } while (message.type == HEARTH_MSG_worker_lease);
    assert_int_equal(message.type, HEARTH_MSG_inference_request);
    return message.as.inference_request;
}

/* ---- with whom prefixes are shared -------------------------------------------------------- */

/* Expected: `openssl mac -macopt hexkey:000102…0f -macopt size:8 SIPHASH` of u32 user, u64 number.
 */
static void domains_are_siphash_of_user_and_number(void **state)
{
    (void)state;
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    const struct {
        uint32_t user;
        uint64_t number;
        uint8_t mac[8];
    } rows[] = {
        {0, 0, {0xE6, 0x5B, 0xC8, 0xFF, 0x60, 0x1F, 0xA0, 0xCD}},
        {1000, 0, {0x8F, 0x1B, 0x9D, 0xCF, 0x9B, 0x0A, 0x77, 0x88}},
        {1000, 1, {0x9E, 0x23, 0xDB, 0x78, 0xE3, 0x48, 0x8B, 0xD0}},
        {1001, 1, {0xD9, 0x74, 0xF4, 0xAC, 0x73, 0x52, 0xC4, 0x4D}},
        {UINT32_MAX, UINT64_MAX, {0xDB, 0xC4, 0xD2, 0x66, 0x5E, 0x97, 0xC0, 0x7B}},
        {0x03020100,
         UINT64_C(0x0b0a090807060504),
         {0xFB, 0xE5, 0x0E, 0x86, 0xBC, 0x8F, 0x1E, 0x75}},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        uint64_t wanted = 0;
        for (size_t n = 0; n < sizeof rows[i].mac; n++) {
            wanted |= (uint64_t)rows[i].mac[n] << (8 * n);
        }
        assert_true(domain_hash(key, rows[i].user, rows[i].number) == wanted);
    }
}

static uint64_t domain_heard(struct world *w, struct fake_worker *worker, struct client *client,
                             uint64_t number)
{
    static uint64_t id;
    struct hearth_message message = asking(++id, HEARTH_TASK_GENERATE);
    message.as.inference_request.cache_domain = number;
    client_send(w, client, &message);
    struct hearth_wire_inference_request request = heard(w, worker);
    worker_answer(w, worker, request.request_id, 0);
    assert_int_equal(client_end(w, client, id, NULL), 0);
    return request.cache_domain;
}

static void a_domain_is_made_of_user_and_number(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 2);
    struct client one = client_session(w);
    struct client two = client_session(w);
    uint64_t common = domain_heard(w, &worker, &one, 0);
    assert_true(common != 0);
    assert_true(domain_heard(w, &worker, &two, 0) == common); /* the same user */
    uint64_t own = domain_heard(w, &worker, &one, 7);
    assert_true(own != common && own != 7);
    assert_true(domain_heard(w, &worker, &two, 7) == own);
    assert_true(domain_heard(w, &worker, &one, own) != own); /* a domain cannot be named */
    const struct hearth_peer stranger = {.uid = getuid() + 1};
    const struct hearth_peer self = {.uid = getuid()};
    assert_true(domain_of(w->server, &self, 0) == common);
    assert_true(domain_of(w->server, &stranger, 0) != common);
    assert_true(domain_of(w->server, &stranger, 7) != own);
    assert_true(own >> HEARTH_DOMAIN_USER_BIT == common >> HEARTH_DOMAIN_USER_BIT);
    client_close(w, &one);
    client_close(w, &two);
    worker_finish(&worker);
}

static void another_daemon_has_other_domains(void **state)
{
    struct world *w = *state;
    const struct hearth_peer peer = {.uid = 1000};
    world_start(w);
    uint64_t before = domain_of(w->server, &peer, 0);
    hearth_random_bytes(w->server->domain_key, sizeof w->server->domain_key);
    assert_true(domain_of(w->server, &peer, 0) != before);
    const uint64_t none[2] = {0};
    assert_memory_not_equal(w->server->domain_key, none, sizeof none);
}

static void the_upper_bits_of_a_domain_stand_for_the_user(void **state)
{
    struct world *w = *state;
    world_start(w);
    memset(w->server->domain_key, 1, sizeof w->server->domain_key);
    uint64_t first = 0;
    for (uint32_t user = 1000; user < 1010; user++) {
        const struct hearth_peer peer = {.uid = user};
        uint64_t upper = domain_of(w->server, &peer, 0) >> HEARTH_DOMAIN_USER_BIT;
        assert_true(domain_of(w->server, &peer, 7) >> HEARTH_DOMAIN_USER_BIT == upper);
        assert_true(domain_of(w->server, &peer, UINT64_MAX) >> HEARTH_DOMAIN_USER_BIT == upper);
        assert_true(upper != first);
        first = upper;
    }
}

/* ---- answers ------------------------------------------------------------------------------ */

static void each_answer_takes_a_place_at_the_worker(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    struct client client = client_session(w);
    struct hearth_message several = asking(1, HEARTH_TASK_GENERATE);
    several.as.inference_request.answers = 3;
    client_send(w, &client, &several);
    several.as.inference_request.request_id = 2;
    several.as.inference_request.answers = 2;
    client_send(w, &client, &several);
    struct hearth_wire_inference_request first = heard(w, &worker);
    assert_int_equal(first.answers, 3);
    assert_true(worker_hears_nothing(w, &worker)); /* 3 of 4 places are taken */
    struct hearth_wire_result results[3];
    for (uint32_t i = 0; i < 3; i++) {
        results[i] = (struct hearth_wire_result){.index = i,
                                                 .text = hearth_slice_of_string("x"),
                                                 .finish_reason = HEARTH_FINISH_MAX_TOKENS};
    }
    struct hearth_message end = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = first.request_id,
                                  .finish_reason = HEARTH_FINISH_MAX_TOKENS,
                                  .results = {.count = 3, .items = results}}};
    worker_say(w, &worker, &end);
    struct hearth_message got = client_take(w, &client);
    assert_int_equal(got.as.inference_response.results.count, 3);
    struct hearth_wire_result result;
    for (uint32_t i = 0;
         hearth_wire_next(&got.as.inference_response.results, HEARTH_RECORD_result, &result); i++) {
        assert_int_equal(result.index, i);
        assert_int_equal(result.finish_reason, HEARTH_FINISH_MAX_TOKENS);
    }
    assert_int_equal(heard(w, &worker).answers, 2);
    client_close(w, &client);
    worker_finish(&worker);
}

static bool is_spawning_again(struct world *w)
{
    return hearth_fd_wait(w->spawner_fd, HEARTH_READY_IN, 0, NULL) == 0;
}

/* Its worker dies when one of two answers has begun: what the client has is told once, and nobody
 * begins it again. */
static void a_stream_that_has_begun_is_not_repeated(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    struct client client = client_session(w);
    struct hearth_message several = asking(9, HEARTH_TASK_GENERATE);
    several.as.inference_request.answers = 2;
    several.as.inference_request.flags = HEARTH_FLAG_STREAM;
    client_send(w, &client, &several);
    struct hearth_wire_result piece = {
        .index = 1, .tokens = 1, .text = hearth_slice_of_string("x")};
    struct hearth_message chunk = {.type = HEARTH_MSG_stream_chunk,
                                   .as.stream_chunk = {.request_id = heard(w, &worker).request_id,
                                                       .results = {.count = 1, .items = &piece}}};
    worker_say(w, &worker, &chunk);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_stream_chunk);
    worker_die(w, &worker);
    assert_int_equal(client_end(w, &client, 9, NULL), HEARTH_E_WORKER_LOST);
    assert_true(client_is_silent(w, &client));
    assert_true(world_wait(w, 3000, is_spawning_again));
    worker = worker_spawned(w);
    worker_lead_to_ready(w, &worker, 4);
    assert_true(worker_hears_nothing(w, &worker));
    assert_true(client_is_silent(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
}

/* ---- choices ------------------------------------------------------------------------------ */

static void a_choice_is_asked_of_a_generator_and_told_by_name(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 2);
    struct client client = client_session(w);
    const struct hearth_wire_choice choices[] = {{hearth_slice_of_string("ja"), 0},
                                                 {hearth_slice_of_string("nein"), 0}};
    struct hearth_message message = asking(3, HEARTH_TASK_CHOICE);
    message.as.inference_request.choices = (struct hearth_wire_list){.count = 2, .items = choices};
    client_send(w, &client, &message);
    struct hearth_wire_label labels[] = {{hearth_slice_of_string("nein"), 0.75f, 0},
                                         {hearth_slice_of_string("ja"), 0.25f, 0}};
    struct hearth_wire_result result = {.labels = {.count = 2, .items = labels}};
    struct hearth_message end = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = heard(w, &worker).request_id,
                                  .results = {.count = 1, .items = &result}}};
    worker_say(w, &worker, &end);
    assert_int_equal(client_end(w, &client, 3, NULL), 0);

    message.as.inference_request.request_id = 4;
    client_send(w, &client, &message);
    end.as.inference_response.request_id = heard(w, &worker).request_id;
    labels[0].name = hearth_slice_of_string("vielleicht");
    worker_say(w, &worker, &end);
    assert_true(worker_was_killed(&worker));
    assert_int_equal(client_end(w, &client, 4, NULL), HEARTH_E_WORKER_LOST);
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_classifier_has_no_choice(void **state)
{
    struct world *w = *state;
    char text[256];
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "cls", 2);
    struct client client = client_session(w);
    const struct hearth_wire_choice choices[] = {{hearth_slice_of_string("x"), 0},
                                                 {hearth_slice_of_string("y"), 0}};
    struct hearth_message message = asking(3, HEARTH_TASK_CHOICE);
    message.as.inference_request.model_id = hearth_slice_of_string("cls");
    message.as.inference_request.choices = (struct hearth_wire_list){.count = 2, .items = choices};
    client_send(w, &client, &message);
    assert_int_equal(client_end(w, &client, 3, text), HEARTH_E_UNSUPPORTED);
    assert_string_equal(text, "\"cls\" does classify, not choice");
    client_close(w, &client);
    worker_finish(&worker);
}

/* ---- what is counted ---------------------------------------------------------------------- */

static void the_cache_and_the_ends_are_counted(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 2);
    struct client client = client_session(w);
    const struct {
        enum hearth_cache_state cache;
        enum hearth_finish_reason finish;
        uint8_t grammar_type;
    } rows[] = {
        {HEARTH_CACHE_USED, HEARTH_FINISH_STOP, HEARTH_GRAMMAR_GBNF},
        {HEARTH_CACHE_USED, HEARTH_FINISH_CONTEXT_FULL, HEARTH_GRAMMAR_NONE},
        {HEARTH_CACHE_OFF, HEARTH_FINISH_MAX_TOKENS, HEARTH_GRAMMAR_NONE},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct hearth_message message = asking(i + 1, HEARTH_TASK_GENERATE);
        message.as.inference_request.grammar_type = rows[i].grammar_type;
        message.as.inference_request.grammar =
            hearth_slice_of_string(rows[i].grammar_type != 0 ? "root ::= \"x\"" : "");
        client_send(w, &client, &message);
        const struct hearth_wire_result result = {.finish_reason = (uint8_t)rows[i].finish};
        struct hearth_message end = {
            .type = HEARTH_MSG_inference_response,
            .as.inference_response = {.request_id = heard(w, &worker).request_id,
                                      .finish_reason = (uint8_t)rows[i].finish,
                                      .prompt_tokens = 100,
                                      .cached_tokens = rows[i].cache == HEARTH_CACHE_USED ? 60 : 0,
                                      .evicted_tokens = 5,
                                      .evicted_of_others = 2,
                                      .cache = (uint8_t)rows[i].cache,
                                      .drafted_tokens = 9,
                                      .accepted_tokens = 4,
                                      .results = {.count = 1, .items = &result}}};
        worker_say(w, &worker, &end);
        struct hearth_message heard_of = client_take(w, &client);
        assert_int_equal(heard_of.type, HEARTH_MSG_inference_response);
        assert_int_equal(heard_of.as.inference_response.request_id, i + 1);
        assert_int_equal(heard_of.as.inference_response.evicted_tokens, 5);
        assert_int_equal(heard_of.as.inference_response.evicted_of_others, 0);
    }
    const struct hearth_metrics *m = &w->metrics;
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_PREFIX_HIT_TOKENS_TOTAL), 120);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_PREFIX_MISS_TOKENS_TOTAL), 80);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_PREFIX_EVICTED_TOKENS_TOTAL), 21);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_DRAFTED_TOKENS_TOTAL), 27);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_ACCEPTED_TOKENS_TOTAL), 12);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_STRUCTURED_REQUESTS_TOTAL), 1);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_FINISH_STOP), 1);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_FINISH_CONTEXT_FULL), 1);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_FINISH_MAX_TOKENS), 1);
    assert_int_equal(hearth_metrics_value(m, HEARTH_COUNTER_FINISH_TOOL_CALLS), 0);

    const struct hearth_message spans = {.type = HEARTH_MSG_spans_request};
    client_send(w, &client, &spans);
    struct hearth_message told = client_take(w, &client);
    struct hearth_wire_span span;
    assert_int_equal(told.as.spans_response.spans.count, HEARTH_COUNT(rows));
    for (size_t i = 0; hearth_wire_next(&told.as.spans_response.spans, HEARTH_RECORD_span, &span);
         i++) {
        assert_int_equal(span.finish_reason, rows[i].finish);
        assert_int_equal(span.cached_tokens, i < 2 ? 60 : 0);
    }
    client_close(w, &client);
    worker_finish(&worker);
}

KIT_MAIN(cmocka_unit_test(domains_are_siphash_of_user_and_number),
         WORLD_TEST_BOTH(a_domain_is_made_of_user_and_number),
         WORLD_TEST(another_daemon_has_other_domains),
         WORLD_TEST(the_upper_bits_of_a_domain_stand_for_the_user),
         WORLD_TEST_BOTH(each_answer_takes_a_place_at_the_worker),
         WORLD_TEST_BOTH(a_stream_that_has_begun_is_not_repeated),
         WORLD_TEST_BOTH(a_choice_is_asked_of_a_generator_and_told_by_name),
         WORLD_TEST_BOTH(a_classifier_has_no_choice),
         WORLD_TEST_BOTH(the_cache_and_the_ends_are_counted))
