/* answer.c — what the daemon says of a request, on its way to the callbacks. */

#include "client_priv.h"

int client_answer_code(uint16_t code, struct hearth_slice text, struct hearth_error *err)
{
    if (code == 0) {
        return 0;
    }
    if (text.size == 0) {
        return hearth_fail(err, -(int)code, "%s", hearth_error_sentence(-(int)code));
    }
    return hearth_fail(err, -(int)code, "%.*s", HEARTH_SLICE_ARGS(text));
}

/* The request ends here although the daemon may go on with it. */
static void end_without_memory(struct hearth_client *client, struct client_request *request)
{
    struct hearth_error err;
    hearth_cancel_request(client, request->id, NULL);
    hearth_fail_oom(&err);
    client_request_end(client, request, &err);
}

static void tell_item(struct hearth_client *client, struct client_request *request,
                      const hearth_item *item)
{
    if (request->on_item != NULL && request->on_item(item, request->item_arg) != 0) {
        request->on_item = NULL; /* it has seen enough; the terminal still comes */
        hearth_cancel_request(client, request->id, NULL); /* else the connection has ended */
    }
}

/* Returns 0, or HEARTH_E_* when the request (or the connection) has ended here. */
static int add_results(struct hearth_client *client, struct client_request *request,
                       const struct hearth_wire_list *results, bool is_streamed)
{
    struct hearth_wire_list cursor = *results;
    struct hearth_wire_result record;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_result, &record)) {
        hearth_item item;
        int rc =
            client_result_add(request->result, &record, request->is_text && is_streamed, &item);
        if (rc == HEARTH_E_NO_MEMORY) {
            end_without_memory(client, request);
            return rc;
        }
        if (rc < 0) {
            client_connection_lose(client, HEARTH_E_DISCONNECTED,
                                   "the daemon answered input %u out of turn", record.index);
            return rc;
        }
        if (is_streamed) {
            tell_item(client, request, &item);
        }
    }
    return 0;
}

void client_take_chunk(struct hearth_client *client, const struct hearth_wire_stream_chunk *chunk)
{
    struct client_request *request = client_open_find(&client->shared.open, chunk->request_id);
    if (request != NULL) { /* else it has expired here */
        int rc = add_results(client, request, &chunk->results, true);
        (void)rc; /* whoever had to know of it was told */
    }
}

/* Where nothing was generated the answer is whole all the same. */
static int add_nothing(struct hearth_result *result)
{
    int rc = 0;
    for (uint32_t i = 0; i < result->count && rc == 0; i++) {
        hearth_item item;
        struct hearth_wire_result nothing = {.index = i, .text = hearth_slice_of("", 0)};
        rc = result->is_answered[i] ? 0 : client_result_add(result, &nothing, true, &item);
    }
    return rc;
}

static void take_success(struct hearth_client *client, struct client_request *request,
                         const struct hearth_wire_inference_response *response,
                         const struct client_fds *fds)
{
    struct hearth_error err = {0};
    if (add_results(client, request, &response->results, false) < 0) {
        return;
    }
    int rc = client_result_take_tensors(request->result, response->tensors, fds);
    if (rc == HEARTH_E_MALFORMED) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon sent tensors that do not hold together");
        return;
    }
    rc = rc < 0 || !request->is_text ? rc : add_nothing(request->result);
    rc = rc < 0 ? rc : client_result_end(request->result, response);
    if (rc == HEARTH_E_NO_MEMORY) {
        end_without_memory(client, request);
    } else if (rc < 0) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon left inputs without an answer");
    } else {
        client_request_end(client, request, &err);
    }
}

void client_take_response(struct hearth_client *client,
                          const struct hearth_wire_inference_response *response,
                          const struct client_fds *fds)
{
    struct client_request *request = client_open_find(&client->shared.open, response->request_id);
    if (request == NULL) {
        return; /* it has expired here */
    }
    struct hearth_error err = {0};
    if (client_answer_code(response->code, response->error, &err) < 0) {
        client_request_end(client, request, &err);
    } else {
        take_success(client, request, response, fds);
    }
}
