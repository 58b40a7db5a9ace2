/* requests.c — open and ended requests of the user, as the daemon tells them. */

#include "client_priv.h"

#define LIST_BYTES ((size_t)1 << 20) /* 1024 requests or 1000 spans with their names fit */

/* ── Open ────────────────────────────────────────────────────────────────────────────────────── */

struct hearth_request_list {
    struct hearth_arena arena;
    hearth_request_info *requests;
    size_t count;
    size_t total;
};

static int unpack_requests(struct hearth_request_list *list, struct hearth_wire_list cursor)
{
    struct hearth_wire_request_info info;
    list->requests = hearth_arena_alloc(&list->arena, cursor.count + 1u, sizeof *list->requests);
    if (list->requests == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_request_info, &info)) {
        hearth_request_info *request = &list->requests[list->count++];
        *request = (hearth_request_info){
            .ticket = info.ticket,
            .model = hearth_arena_copy(&list->arena, info.model_id),
            .task = (enum hearth_task)info.task,
            .priority = (enum hearth_priority)info.priority,
            .is_running = info.state,
            .position = info.position,
            .age_ms = info.age_ms,
            .pid = info.pid,
            .client = hearth_arena_copy(&list->arena, info.client),
            .expected_wait_ms = info.expected_wait_ms,
        };
        if (request->model == NULL || request->client == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    return 0;
}

static int take_requests(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    const struct hearth_wire_requests_response *response = &answer->as.requests_response;
    struct hearth_request_list *list = hearth_alloc(1, sizeof *list);
    if (list == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&list->arena, LIST_BYTES);
    if (unpack_requests(list, response->requests) < 0) {
        hearth_request_list_free(list);
        return hearth_fail_oom(err);
    }
    list->total = HEARTH_MAX(response->total, list->count);
    *(struct hearth_request_list **)arg = list;
    return 0;
}

int hearth_requests(hearth_client *client, hearth_request_list **ret_list, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    struct hearth_message message = {.type = HEARTH_MSG_requests_request};
    struct client_question question = {
        .wanted = HEARTH_MSG_requests_response, .take = take_requests, .arg = ret_list};
    return client_ask(client, &message, &question, client->timeout_ms, err);
}

size_t hearth_request_list_count(const hearth_request_list *list)
{
    return list->count;
}

size_t hearth_request_list_total(const hearth_request_list *list)
{
    return list->total;
}

const hearth_request_info *hearth_request_list_at(const hearth_request_list *list, size_t index)
{
    return index < list->count ? &list->requests[index] : NULL;
}

void hearth_request_list_free(hearth_request_list *list)
{
    if (list != NULL) {
        hearth_arena_finish(&list->arena);
        hearth_free(list);
    }
}

/* ── Cancel ──────────────────────────────────────────────────────────────────────────────────── */

static int take_cancel(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    (void)arg;
    const struct hearth_wire_cancel_response *response = &answer->as.cancel_response;
    return response->cancelled ? 0
                               : hearth_fail(err, HEARTH_E_NO_REQUEST,
                                             "no open request of yours has the ticket %llu",
                                             (unsigned long long)response->ticket);
}

int hearth_cancel_ticket(hearth_client *client, uint64_t ticket, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    if (ticket == 0) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "ticket: 0, they begin with 1");
    }
    struct hearth_message message = {.type = HEARTH_MSG_cancel_request};
    message.as.cancel_request.ticket = ticket;
    struct client_question question = {
        .wanted = HEARTH_MSG_cancel_response, .id = ticket, .take = take_cancel};
    return client_ask(client, &message, &question, client->timeout_ms, err);
}

/* ── Ended ───────────────────────────────────────────────────────────────────────────────────── */

struct hearth_span_list {
    struct hearth_arena arena;
    hearth_span *spans;
    size_t count;
    uint64_t lost;
};

static int unpack_spans(struct hearth_span_list *list, struct hearth_wire_list cursor)
{
    struct hearth_wire_span wire;
    list->spans = hearth_arena_alloc(&list->arena, cursor.count + 1u, sizeof *list->spans);
    if (list->spans == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_span, &wire)) {
        hearth_span *span = &list->spans[list->count++];
        *span = (hearth_span){
            .ticket = wire.ticket,
            .model = hearth_arena_copy(&list->arena, wire.model_id),
            .task = (enum hearth_task)wire.task,
            .priority = (enum hearth_priority)wire.priority,
            .code = -(int)wire.code,
            .start_ms = wire.start_ms,
            .queue_us = wire.queue_us,
            .first_us = wire.first_us,
            .total_us = wire.total_us,
            .inputs = wire.inputs,
            .prompt_tokens = wire.prompt_tokens,
            .tokens_generated = wire.tokens_generated,
        };
        if (span->model == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    return 0;
}

static int take_spans(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    struct hearth_span_list *list = hearth_alloc(1, sizeof *list);
    if (list == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&list->arena, LIST_BYTES);
    if (unpack_spans(list, answer->as.spans_response.spans) < 0) {
        hearth_span_list_free(list);
        return hearth_fail_oom(err);
    }
    list->lost = answer->as.spans_response.lost;
    *(struct hearth_span_list **)arg = list;
    return 0;
}

int hearth_spans(hearth_client *client, uint32_t max_count, hearth_span_list **ret_list,
                 hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    struct hearth_message message = {.type = HEARTH_MSG_spans_request};
    message.as.spans_request.max_count = max_count;
    struct client_question question = {
        .wanted = HEARTH_MSG_spans_response, .take = take_spans, .arg = ret_list};
    return client_ask(client, &message, &question, client->timeout_ms, err);
}

size_t hearth_span_list_count(const hearth_span_list *list)
{
    return list->count;
}

uint64_t hearth_span_list_lost(const hearth_span_list *list)
{
    return list->lost;
}

const hearth_span *hearth_span_list_at(const hearth_span_list *list, size_t index)
{
    return index < list->count ? &list->spans[index] : NULL;
}

void hearth_span_list_free(hearth_span_list *list)
{
    if (list != NULL) {
        hearth_arena_finish(&list->arena);
        hearth_free(list);
    }
}
