#include "scripted_server.h"

#include <hearth/hearth.h>

/* What the daemon tells of itself, warm-up, and token ids. */

static hearth_client *connected(void **state)
{
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = ((struct scripted_server *)*state)->path;
    hearth_client *client = NULL;
    hearth_error err = {0};
    hearth_connect(&params, &client, &err);
    assert_string_equal(err.text, "");
    return client;
}

static void metrics_are_numbers_by_name(void **state)
{
    hearth_client *client = connected(state);
    hearth_metrics_report *report;
    assert_int_equal(hearth_metrics(client, &report, NULL), 0);
    assert_string_equal(hearth_metrics_report_counter(report, 0)->name, "requests_total");
    assert_int_equal(hearth_metrics_report_counter(report, 0)->value, 7);
    assert_true(hearth_metrics_report_counter(report, 1)->value == UINT64_MAX);
    assert_null(hearth_metrics_report_counter(report, 2));
    assert_string_equal(hearth_metrics_report_gauge(report, 0)->name, "queue_depth");
    assert_int_equal(hearth_metrics_report_gauge(report, 0)->value, 2);
    assert_null(hearth_metrics_report_gauge(report, 1));
    assert_null(hearth_metrics_report_histogram(report, 3));
    assert_null(hearth_metrics_report_find(report, "nothing"));
    const hearth_metric_histogram *histogram =
        hearth_metrics_report_find(report, "request_first_us");
    assert_non_null(histogram);
    assert_int_equal(histogram->count, 3);
    assert_int_equal(histogram->sum, 12000);
    assert_int_equal(histogram->min, 1800);
    assert_int_equal(histogram->max, 8000);
    assert_int_equal(histogram->p50, 2000);
    assert_int_equal(histogram->p95, 5000);
    assert_int_equal(histogram->p99, 8000);
    assert_int_equal(histogram->bucket_count, 2);
    assert_int_equal(histogram->buckets[0].up_to, 1023);
    assert_int_equal(histogram->buckets[0].count, 2);
    assert_true(histogram->buckets[1].up_to == UINT64_MAX);
    hearth_metrics_report_free(report);
    hearth_disconnect(client);
}

static void prometheus_text_comes_as_it_is(void **state)
{
    hearth_client *client = connected(state);
    const char *text = NULL;
    assert_int_equal(hearth_prometheus(client, &text, NULL), 0);
    assert_int_equal(hearth_prometheus(client, &text, NULL), 0);
    assert_string_equal(text, SCRIPTED_PROMETHEUS);
    hearth_disconnect(client);
}

static void open_requests_are_listed_and_cancelled(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_list *list;
    hearth_error err;
    assert_int_equal(hearth_requests(client, &list, NULL), 0);
    assert_int_equal(hearth_request_list_count(list), 2);
    assert_int_equal(hearth_request_list_total(list), 5);
    const hearth_request_info *first = hearth_request_list_at(list, 0);
    assert_int_equal(first->ticket, 41);
    assert_string_equal(first->model, "mirror");
    assert_int_equal(first->task, HEARTH_TASK_GENERATE);
    assert_int_equal(first->priority, HEARTH_HIGH);
    assert_true(first->is_running);
    assert_int_equal(first->age_ms, 1500);
    assert_int_equal(first->pid, 77);
    assert_string_equal(first->client, SCRIPTED_PROGRAM);
    const hearth_request_info *second = hearth_request_list_at(list, 1);
    assert_false(second->is_running);
    assert_int_equal(second->position, 3);
    assert_int_equal(second->expected_wait_ms, 2500);
    assert_string_equal(second->client, "");
    assert_null(hearth_request_list_at(list, 2));
    hearth_request_list_free(list);
    assert_int_equal(hearth_cancel_ticket(client, 41, &err), 0);
    hearth_cancel_ticket(client, 7, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_NO_REQUEST, "no open request of yours has the ticket 7");
    hearth_cancel_ticket(client, 0, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "ticket: 0");
    hearth_disconnect(client);
}

static void spans_tell_how_requests_went(void **state)
{
    hearth_client *client = connected(state);
    hearth_span_list *list;
    assert_int_equal(hearth_spans(client, 2, &list, NULL), 0);
    assert_int_equal(hearth_span_list_count(list), 2);
    assert_int_equal(hearth_span_list_lost(list), 9);
    const hearth_span *span = hearth_span_list_at(list, 1);
    assert_int_equal(span->ticket, 11);
    assert_string_equal(span->model, "mirror");
    assert_int_equal(span->task, HEARTH_TASK_CHAT);
    assert_int_equal(span->code, HEARTH_E_CANCELLED);
    assert_int_equal(span->start_ms, 1000);
    assert_int_equal(span->total_us, 3);
    assert_int_equal(span->tokens_generated, 5);
    assert_int_equal(hearth_span_list_at(list, 0)->code, 0);
    assert_null(hearth_span_list_at(list, 2));
    hearth_span_list_free(list);
    assert_int_equal(hearth_spans(client, 0, &list, NULL), 0);
    assert_int_equal(hearth_span_list_count(list), 3);
    hearth_span_list_free(list);
    hearth_disconnect(client);
}

static void a_model_is_warmed_up_or_the_reason_told(void **state)
{
    hearth_client *client = connected(state);
    uint32_t elapsed_ms = 0;
    hearth_error err;
    assert_int_equal(hearth_warm_up(client, "mirror", 4, 5000, &elapsed_ms, NULL), 0);
    assert_int_equal(elapsed_ms, 40);
    hearth_warm_up(client, "shelf", 1, 5000, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_NOT_READY, "the model is not loaded");
    hearth_warm_up(client, "mirror", 65, 5000, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "tokens");
    assert_int_equal(hearth_warm_up(client, NULL, 1, 5000, NULL, &err), HEARTH_E_ARGUMENT);
    hearth_disconnect(client);
}

/* ── Token ids ───────────────────────────────────────────────────────────────────────────────── */

static hearth_request_params asking(void)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = "mirror";
    params.timeout_ms = 10000;
    return params;
}

static void texts_and_token_ids_may_be_mixed(void **state)
{
    hearth_client *client = connected(state);
    const uint32_t ids[] = {5, 6, 7, UINT32_MAX};
    const hearth_input inputs[] = {{.text = "ab"},
                                   {.token_ids = ids, .token_id_count = 3},
                                   {.token_ids = ids, .token_id_count = 4}};
    hearth_request_params params = asking();
    hearth_result *result;
    assert_int_equal(hearth_infer(client, HEARTH_TASK_EMBED, inputs, 3, &params, &result, NULL), 0);
    assert_true(hearth_result_item(result, 0)->vector[0] == 2);
    assert_true(hearth_result_item(result, 1)->vector[0] == 3);
    assert_true(hearth_result_item(result, 2)->vector[0] == 4);
    assert_int_equal(hearth_result_item(result, 0)->token_id_count, 0);
    hearth_result_free(result);
    hearth_disconnect(client);
}

struct pieces {
    uint32_t ids[8];
    size_t count;
};

static int keep_ids(const hearth_item *item, void *arg)
{
    struct pieces *pieces = arg;
    assert_int_equal(item->token_id_count, 1);
    pieces->ids[pieces->count++] = item->token_ids[0];
    return 0;
}

static void generated_ids_come_with_the_pieces_and_whole(void **state)
{
    hearth_client *client = connected(state);
    const hearth_input input = {.text = "abc"};
    const uint32_t wanted[] = {'c', 'b', 'a'};
    struct pieces pieces = {0};
    hearth_request_params params = asking();
    params.wants_token_ids = 1;
    for (int i = 0; i < 2; i++) {
        hearth_result *result;
        assert_int_equal(
            hearth_infer(client, HEARTH_TASK_GENERATE, &input, 1, &params, &result, NULL), 0);
        const hearth_item *item = hearth_result_item(result, 0);
        assert_string_equal(item->text, "cba");
        assert_int_equal(item->token_id_count, 3);
        assert_memory_equal(item->token_ids, wanted, sizeof wanted);
        hearth_result_free(result);
        params.on_item = keep_ids;
        params.arg = &pieces;
    }
    assert_int_equal(pieces.count, 3);
    assert_memory_equal(pieces.ids, wanted, sizeof wanted);
    hearth_disconnect(client);
}

static void too_many_token_ids_do_not_leave_the_process(void **state)
{
    hearth_client *client = connected(state);
    static uint32_t ids[HEARTH_MAX_INPUT_TOKENS + 1];
    hearth_input inputs[2] = {{.token_ids = ids, .token_id_count = HEARTH_MAX_INPUT_TOKENS + 1}};
    hearth_request_params params = asking();
    hearth_error err;
    hearth_infer(client, HEARTH_TASK_EMBED, inputs, 1, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "inputs[0]: 262145 token ids, the limit is 262144");
    inputs[0].token_id_count = HEARTH_MAX_INPUT_TOKENS;
    inputs[1] = (hearth_input){.token_ids = ids, .token_id_count = 1};
    hearth_infer(client, HEARTH_TASK_EMBED, inputs, 2, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "262145 token ids in all inputs");
    inputs[0] = (hearth_input){.token_id_count = 3};
    hearth_infer(client, HEARTH_TASK_EMBED, inputs, 1, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "inputs[0]: wanted either text or token_ids");
    hearth_disconnect(client);
}

/* ── Failing allocations ─────────────────────────────────────────────────────────────────────── */

static int story(hearth_client *client)
{
    hearth_metrics_report *report = NULL;
    hearth_request_list *requests = NULL;
    hearth_span_list *spans = NULL;
    hearth_result *result = NULL;
    const char *text;
    const hearth_input input = {.text = "abc"};
    hearth_request_params params = asking();
    params.wants_token_ids = 1;
    int rc = hearth_metrics(client, &report, NULL);
    rc = rc < 0 ? rc : hearth_prometheus(client, &text, NULL);
    rc = rc < 0 ? rc : hearth_requests(client, &requests, NULL);
    rc = rc < 0 ? rc : hearth_spans(client, 0, &spans, NULL);
    rc =
        rc < 0 ? rc : hearth_infer(client, HEARTH_TASK_GENERATE, &input, 1, &params, &result, NULL);
    hearth_metrics_report_free(report);
    hearth_request_list_free(requests);
    hearth_span_list_free(spans);
    hearth_result_free(result);
    return rc;
}

static void any_failed_allocation_is_an_error_and_nothing_leaks(void **state)
{
    KIT_FOR_EACH_FAILURE(n) {
        hearth_connect_params params = hearth_connect_params_default();
        params.socket_path = ((struct scripted_server *)*state)->path;
        hearth_client *client = NULL;
        int rc = hearth_connect(&params, &client, NULL);
        rc = rc < 0 ? rc : story(client);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_disconnect(client);
    }
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(WITH_SERVER(metrics_are_numbers_by_name), WITH_SERVER(prometheus_text_comes_as_it_is),
         WITH_SERVER(open_requests_are_listed_and_cancelled),
         WITH_SERVER(spans_tell_how_requests_went),
         WITH_SERVER(a_model_is_warmed_up_or_the_reason_told),
         WITH_SERVER(texts_and_token_ids_may_be_mixed),
         WITH_SERVER(generated_ids_come_with_the_pieces_and_whole),
         WITH_SERVER(too_many_token_ids_do_not_leave_the_process),
         WITH_SERVER(any_failed_allocation_is_an_error_and_nothing_leaks))
