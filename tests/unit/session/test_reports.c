/* Numbers of the daemon: they are what really happened, neither more nor less. */

#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct hearth_message ask(struct world *w, struct client *client,
                                 enum hearth_message_type type)
{
    struct hearth_message message = {.type = type};
    client_send(w, client, &message);
    return client_take(w, client);
}

static uint64_t counter_in(struct hearth_message *metrics, const char *name)
{
    struct hearth_wire_list cursor = metrics->as.metrics_response.counters;
    struct hearth_wire_counter counter;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_counter, &counter)) {
        if (hearth_slice_equals_string(counter.name, name)) {
            return counter.value;
        }
    }
    fail_msg("no counter %s", name);
    return 0;
}

static uint64_t gauge_in(struct hearth_message *metrics, const char *name)
{
    struct hearth_wire_list cursor = metrics->as.metrics_response.gauges;
    struct hearth_wire_gauge gauge;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_gauge, &gauge)) {
        if (hearth_slice_equals_string(gauge.name, name)) {
            return gauge.value;
        }
    }
    fail_msg("no gauge %s", name);
    return 0;
}

static struct hearth_wire_histogram histogram_in(struct hearth_message *metrics, const char *name)
{
    struct hearth_wire_list cursor = metrics->as.metrics_response.histograms;
    struct hearth_wire_histogram histogram;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_histogram, &histogram)) {
        if (hearth_slice_equals_string(histogram.name, name)) {
            return histogram;
        }
    }
    fail_msg("no histogram %s", name);
    return histogram;
}

static void serve(struct world *w, struct client *client, struct fake_worker *worker, uint64_t id,
                  int code)
{
    client_ask(w, client, id, "gen", HEARTH_TASK_GENERATE, false);
    worker_answer(w, worker, worker_hear_request(w, worker), code);
    assert_int_equal(client_end(w, client, id, NULL), code);
}

/* 7 well, 2 failed by the engine, 1 cancelled, 3 refused: 13 in all. */
static void counters_equal_what_was_asked(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (uint64_t id = 1; id <= 9; id++) {
        serve(w, &client, &worker, id, id <= 7 ? 0 : HEARTH_E_ENGINE_FAILED);
    }
    client_ask(w, &client, 10, "gen", HEARTH_TASK_GENERATE, false);
    struct hearth_message cancel = {.type = HEARTH_MSG_cancel_request,
                                    .as.cancel_request.request_id = 10};
    client_send(w, &client, &cancel);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_cancel_response);
    worker_answer(w, &worker, worker_hear_request(w, &worker), HEARTH_E_CANCELLED);
    assert_int_equal(client_end(w, &client, 10, NULL), HEARTH_E_CANCELLED);
    client_ask(w, &client, 11, "none", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 12, "emb", HEARTH_TASK_EMBED, false);
    client_ask(w, &client, 13, "gen", HEARTH_TASK_EMBED, false);
    for (uint64_t id = 11; id <= 13; id++) {
        assert_int_not_equal(client_end(w, &client, id, NULL), 0);
    }
    struct hearth_message metrics = ask(w, &client, HEARTH_MSG_metrics_request);
    assert_int_equal(counter_in(&metrics, "requests_total"), 13);
    assert_int_equal(counter_in(&metrics, "requests_succeeded"), 7);
    assert_int_equal(counter_in(&metrics, "requests_failed"), 5);
    assert_int_equal(counter_in(&metrics, "requests_cancelled"), 1);
    assert_int_equal(counter_in(&metrics, "requests_refused_model"), 2);
    assert_int_equal(counter_in(&metrics, "requests_refused_input"), 1);
    assert_int_equal(counter_in(&metrics, "worker_starts"), 1);
    assert_int_equal(histogram_in(&metrics, "request_total_us").count, 10);
    assert_int_equal(histogram_in(&metrics, "request_queue_us").count, 10);
    assert_int_equal(histogram_in(&metrics, "request_first_us").count, 7);
    assert_int_equal(histogram_in(&metrics, "model_load_ms").count, 1);
    assert_true(histogram_in(&metrics, "loop_callback_us").count > 20);
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_histogram_adds_up(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (uint64_t id = 1; id <= 20; id++) {
        serve(w, &client, &worker, id, 0);
    }
    struct hearth_message metrics = ask(w, &client, HEARTH_MSG_metrics_request);
    struct hearth_wire_histogram total = histogram_in(&metrics, "request_total_us");
    struct hearth_wire_bucket bucket;
    uint64_t count = 0;
    uint64_t last = 0;
    while (hearth_wire_next(&total.buckets, HEARTH_RECORD_bucket, &bucket)) {
        assert_true(bucket.count > 0 && (last == 0 || bucket.up_to > last));
        last = bucket.up_to;
        count += bucket.count;
    }
    assert_int_equal(count, total.count);
    assert_true(total.min <= total.p50 && total.p50 <= total.p95 && total.p95 <= total.p99 &&
                total.p99 <= total.max && total.max <= last);
    assert_true(total.sum >= 20 * total.min && total.sum <= 20 * total.max);
    client_close(w, &client);
    worker_finish(&worker);
}

static void gauges_tell_what_is(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (uint64_t id = 1; id <= 3; id++) {
        client_ask(w, &client, id, "gen", HEARTH_TASK_GENERATE, false);
    }
    struct hearth_message metrics = ask(w, &client, HEARTH_MSG_metrics_request);
    assert_int_equal(gauge_in(&metrics, "running"), 1);
    assert_int_equal(gauge_in(&metrics, "queue_depth"), 2);
    assert_true(gauge_in(&metrics, "queue_bytes") > 100);
    assert_int_equal(gauge_in(&metrics, "connections"), 1);
    assert_int_equal(gauge_in(&metrics, "models_loaded"), 1);
    assert_int_equal(gauge_in(&metrics, "workers_missing_walls"), 1); /* see world.c */
    assert_int_equal(gauge_in(&metrics, "memory_limit_bytes"), 1u << 30);
    assert_int_equal(gauge_in(&metrics, "memory_reserved_bytes"), w->budget.held_bytes);
    struct hearth_proc_usage usage;
    uint64_t seen = gauge_in(&metrics, "memory_used_bytes");
    assert_int_equal(hearth_proc_usage(0, &usage, NULL), 0);
    assert_true(seen > usage.rss_bytes / 2); /* of this process and a child of it */
    client_close(w, &client);
    worker_answer(w, &worker, worker_hear_request(w, &worker), HEARTH_E_CANCELLED);
    worker_finish(&worker);
}

static void prometheus_tells_the_same_numbers(void **state)
{
    struct world *w = *state;
    char text[64 << 10];
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (uint64_t id = 1; id <= 5; id++) {
        serve(w, &client, &worker, id, 0);
    }
    struct hearth_message told = ask(w, &client, HEARTH_MSG_prometheus_request);
    assert_int_equal(told.type, HEARTH_MSG_prometheus_response);
    assert_true(hearth_slice_to_string(told.as.prometheus_response.text, text, sizeof text));
    assert_non_null(strstr(text, "\nhearth_requests_succeeded_total 5\n"));
    assert_non_null(strstr(text, "\nhearth_request_total_seconds_count 5\n"));
    client_close(w, &client);
    worker_finish(&worker);
}

static struct hearth_wire_spans_response spans(struct world *w, struct client *client,
                                               uint32_t max_count)
{
    struct hearth_message message = {.type = HEARTH_MSG_spans_request,
                                     .as.spans_request.max_count = max_count};
    client_send(w, client, &message);
    struct hearth_message told = client_take(w, client);
    assert_int_equal(told.type, HEARTH_MSG_spans_response);
    return told.as.spans_response;
}

static void each_ended_request_leaves_a_span_that_is_told_once(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (uint64_t id = 1; id <= 5; id++) {
        serve(w, &client, &worker, id, id == 3 ? HEARTH_E_ENGINE_FAILED : 0);
    }
    struct hearth_wire_spans_response told = spans(w, &client, 2);
    assert_int_equal(told.spans.count, 2);
    told = spans(w, &client, 0);
    assert_int_equal(told.spans.count, 3);
    assert_int_equal(told.lost, 0);
    struct hearth_wire_span span;
    assert_true(hearth_wire_next(&told.spans, HEARTH_RECORD_span, &span));
    assert_int_equal(-(int)span.code, HEARTH_E_ENGINE_FAILED); /* the third of five */
    assert_true(hearth_slice_equals_string(span.model_id, "gen"));
    assert_int_equal(span.task, HEARTH_TASK_GENERATE);
    assert_int_equal(span.priority, HEARTH_NORMAL);
    assert_int_equal(span.inputs, 1);
    assert_true(span.queue_us <= span.first_us && span.first_us <= span.total_us);
    uint64_t ticket = span.ticket;
    assert_true(hearth_wire_next(&told.spans, HEARTH_RECORD_span, &span));
    assert_int_equal(span.ticket, ticket + 1);
    assert_int_equal(spans(w, &client, 0).spans.count, 0);
    client_close(w, &client);
    worker_finish(&worker);
}

static void the_oldest_spans_make_room_and_are_counted(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (uint64_t id = 1; id <= HEARTH_MAX_SPANS + 3; id++) {
        serve(w, &client, &worker, id, id <= 3 ? HEARTH_E_ENGINE_FAILED : 0);
    }
    uint32_t most = w->is_json ? HEARTH_MAX_JSON_SPANS : HEARTH_MAX_SPANS; /* of one answer */
    struct hearth_wire_spans_response told = spans(w, &client, 0);
    assert_int_equal(told.spans.count, most);
    assert_int_equal(told.lost, 3);
    for (uint32_t taken = told.spans.count; taken <= HEARTH_MAX_SPANS; taken += told.spans.count) {
        struct hearth_wire_span span;
        while (hearth_wire_next(&told.spans, HEARTH_RECORD_span, &span)) {
            assert_int_equal(span.code, 0); /* the failed were the oldest */
        }
        told = spans(w, &client, 0);
        assert_int_equal(told.spans.count, HEARTH_MIN(most, HEARTH_MAX_SPANS - taken));
        assert_int_equal(told.lost, 0);
        if (told.spans.count == 0) {
            break;
        }
    }
    client_close(w, &client);
    worker_finish(&worker);
}

/* ---- open requests ------------------------------------------------------------------------ */

static uint64_t ticket_at(struct hearth_message *list, uint32_t index,
                          struct hearth_wire_request_info *info)
{
    struct hearth_wire_list cursor = list->as.requests_response.requests;
    for (uint32_t i = 0; i <= index; i++) {
        assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_request_info, info));
    }
    return info->ticket;
}

static struct client named_session(struct world *w, const char *name)
{
    struct client client = client_connect(w);
    uint16_t version = w->is_json ? 1 : 2;
    struct hearth_message hello = {.type = HEARTH_MSG_handshake,
                                   .as.handshake = {.version_min = version,
                                                    .version_max = version,
                                                    .client = hearth_slice_of_string(name)}};
    client_send(w, &client, &hello);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_handshake_ack);
    return client;
}

static void cancel_ticket(struct world *w, struct client *client, uint64_t ticket, bool is_open)
{
    struct hearth_message message = {.type = HEARTH_MSG_cancel_request,
                                     .as.cancel_request.ticket = ticket};
    client_send(w, client, &message);
    struct hearth_message answer = client_take(w, client);
    assert_int_equal(answer.type, HEARTH_MSG_cancel_response);
    assert_int_equal(answer.as.cancel_response.ticket, ticket);
    assert_int_equal(answer.as.cancel_response.cancelled, is_open);
}

static void open_requests_are_listed_and_cancelled_from_another_connection(void **state)
{
    struct world *w = *state;
    char text[256];
    struct hearth_wire_request_info info;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = named_session(w, "writer");
    struct client other = client_session(w);
    for (uint64_t id = 1; id <= 3; id++) {
        client_ask(w, &client, id, "gen", HEARTH_TASK_GENERATE, false);
    }
    uint64_t running = worker_hear_request(w, &worker);
    struct hearth_message list = ask(w, &other, HEARTH_MSG_requests_request);
    assert_int_equal(list.type, HEARTH_MSG_requests_response);
    assert_int_equal(list.as.requests_response.total, 3);
    assert_int_equal(list.as.requests_response.requests.count, 3);
    assert_int_equal(ticket_at(&list, 0, &info), running);
    assert_int_equal(info.state, 1);
    assert_int_equal(info.pid, getpid());
    assert_true(hearth_slice_equals_string(info.client, "writer"));
    assert_true(hearth_slice_equals_string(info.model_id, "gen"));
    uint64_t first = ticket_at(&list, 1, &info);
    assert_int_equal(info.state, 0);
    assert_int_equal(info.position, 0);
    uint64_t second = ticket_at(&list, 2, &info);
    assert_int_equal(info.position, 1);
    cancel_ticket(w, &other, second, true);
    assert_int_equal(client_end(w, &client, 3, text), HEARTH_E_CANCELLED);
    assert_non_null(strstr(text, "ticket"));
    cancel_ticket(w, &other, second, false); /* it has ended */
    cancel_ticket(w, &other, running, true);
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_cancel_request);
    worker_answer(w, &worker, running, HEARTH_E_CANCELLED);
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_CANCELLED);
    assert_int_equal(worker_hear_request(w, &worker), first);
    worker_answer(w, &worker, first, 0);
    assert_int_equal(client_end(w, &client, 2, NULL), 0);
    list = ask(w, &other, HEARTH_MSG_requests_request);
    assert_int_equal(list.as.requests_response.requests.count, 0);
    client_close(w, &client);
    client_close(w, &other);
    worker_finish(&worker);
}

/* ---- warm-up ------------------------------------------------------------------------------ */

static void warm_up(struct world *w, struct client *client, uint64_t id, const char *model,
                    uint32_t tokens)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_warmup_request,
        .as.warmup_request = {
            .request_id = id, .model_id = hearth_slice_of_string(model), .tokens = tokens}};
    client_send(w, client, &message);
}

static void a_warm_up_runs_once_behind_the_others_and_is_counted_apart(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t held = worker_hear_request(w, &worker);
    warm_up(w, &client, 7, "gen", 5);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    worker_answer(w, &worker, held, 0);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    worker_answer(w, &worker, worker_hear_request(w, &worker), 0);
    assert_int_equal(client_end(w, &client, 2, NULL), 0); /* asked later, and before it */
    struct hearth_message run = worker_hear(w, &worker);
    assert_int_equal(run.type, HEARTH_MSG_inference_request);
    assert_int_equal(run.as.inference_request.priority, HEARTH_LOW);
    assert_int_equal(run.as.inference_request.max_tokens, 5);
    assert_int_equal(run.as.inference_request.task, HEARTH_TASK_GENERATE);
    assert_int_equal(run.as.inference_request.texts.count, 1);
    worker_answer(w, &worker, run.as.inference_request.request_id, 0);
    struct hearth_message told = client_take(w, &client);
    assert_int_equal(told.type, HEARTH_MSG_warmup_response);
    assert_int_equal(told.as.warmup_response.request_id, 7);
    assert_int_equal(told.as.warmup_response.success, 1);
    assert_true(hearth_slice_equals_string(told.as.warmup_response.model_id, "gen"));
    assert_true(worker_hears_nothing(w, &worker));
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_WARMUPS_TOTAL), 1);
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_REQUESTS_TOTAL), 2);
    assert_int_equal(w->metrics.histograms[HEARTH_HISTOGRAM_TOTAL_TIME].count, 2);
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_warm_up_that_cannot_be_says_why(void **state)
{
    static const struct {
        const char *model;
        int code;
    } cases[] = {{"emb", HEARTH_E_NOT_READY}, {"none", HEARTH_E_NO_MODEL}};
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        warm_up(w, &client, 0, cases[i].model, 0);
        struct hearth_message told = client_take(w, &client);
        assert_int_equal(told.type, HEARTH_MSG_warmup_response);
        assert_int_equal(told.as.warmup_response.success, 0);
        assert_int_equal(-(int)told.as.warmup_response.code, cases[i].code);
        assert_true(told.as.warmup_response.error.size > 0);
    }
    warm_up(w, &client, 0, "gen", 0); /* and one that the engine fails */
    worker_answer(w, &worker, worker_hear_request(w, &worker), HEARTH_E_ENGINE_FAILED);
    struct hearth_message told = client_take(w, &client);
    assert_int_equal(-(int)told.as.warmup_response.code, HEARTH_E_ENGINE_FAILED);
    client_close(w, &client);
    worker_finish(&worker);
}

KIT_MAIN(WORLD_TEST_BOTH(counters_equal_what_was_asked), WORLD_TEST_BOTH(a_histogram_adds_up),
         WORLD_TEST_BOTH(gauges_tell_what_is), WORLD_TEST_BOTH(prometheus_tells_the_same_numbers),
         WORLD_TEST_BOTH(each_ended_request_leaves_a_span_that_is_told_once),
         WORLD_TEST_BOTH(the_oldest_spans_make_room_and_are_counted),
         WORLD_TEST_BOTH(open_requests_are_listed_and_cancelled_from_another_connection),
         WORLD_TEST_BOTH(a_warm_up_runs_once_behind_the_others_and_is_counted_apart),
         WORLD_TEST_BOTH(a_warm_up_that_cannot_be_says_why))
