/* request.c — one inference request: built from the caller's strings, sent, and followed to its one
 * terminal message. Late messages of earlier requests (expired, cancelled) are told by their id. */

#include "client_priv.h"

#include <string.h>

/** A request under way, on the stack of the call that waits for it. */
struct call {
    struct hearth_client *client;
    struct hearth_request_params params;
    struct hearth_message message;
    struct hearth_wire_stop stops[HEARTH_MAX_STOPS];
    struct hearth_result *result;
    uint64_t id;
    uint64_t deadline_ns;
    bool is_text; /* generate or chat: results are pieces of one text */
};

/* ── Cancel ──────────────────────────────────────────────────────────────────────────────────── */

/* With the lock held and the stream between two frames. */
static int send_cancel(struct hearth_client *client, struct hearth_error *err)
{
    struct hearth_message message = {.type = HEARTH_MSG_cancel_request};
    message.as.cancel_request.request_id = client->shared.open_id;
    HEARTH_AUTO(hearth_buf) struct hearth_buf payload;
    hearth_buf_init(&payload, 64);
    struct hearth_frame_queue queue;
    hearth_frame_queue_init(&queue, 64);
    int rc = hearth_wire_encode(&message, &payload);
    rc = rc < 0 ? rc : hearth_frame_queue_push(&queue, hearth_buf_slice(&payload));
    if (rc == 0) {
        rc = hearth_frame_send_all(&queue, client->fd, client_deadline_ns(HEARTH_CLIENT_CANCEL_MS));
        client->shared.is_cut = rc < 0;
    }
    hearth_frame_queue_finish(&queue);
    if (rc == HEARTH_E_NO_MEMORY) {
        return hearth_fail_oom(err);
    }
    return rc < 0 ? hearth_fail(err, HEARTH_E_DISCONNECTED, "the daemon takes no more bytes") : 0;
}

int hearth_cancel(hearth_client *client, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    struct client_shared *shared = &client->shared;
    pthread_mutex_lock(&shared->lock);
    int rc = 0;
    if (shared->open_id == 0) {
        rc = hearth_fail(err, HEARTH_E_NO_REQUEST, "no request runs on this client");
    } else if (shared->is_sent) {
        rc = send_cancel(client, err);
    } else {
        shared->is_cancel_wanted = true; /* the sender sees to it between two frames */
    }
    pthread_mutex_unlock(&shared->lock);
    return rc;
}

static void open_request(struct hearth_client *client, uint64_t id)
{
    struct client_shared *shared = &client->shared;
    pthread_mutex_lock(&shared->lock);
    HEARTH_ASSERT(shared->open_id == 0 || id == 0); /* two threads, or a call from on_item */
    shared->open_id = id;
    shared->is_sent = false;
    shared->is_cancel_wanted = false;
    pthread_mutex_unlock(&shared->lock);
}

static int request_is_sent(struct hearth_client *client, struct hearth_error *err)
{
    struct client_shared *shared = &client->shared;
    pthread_mutex_lock(&shared->lock);
    shared->is_sent = true;
    int rc = shared->is_cancel_wanted ? send_cancel(client, err) : 0;
    pthread_mutex_unlock(&shared->lock);
    return rc;
}

/* ── Answers ─────────────────────────────────────────────────────────────────────────────────── */

static int add_results(struct call *call, const struct hearth_wire_list *results, bool is_streamed,
                       struct hearth_error *err)
{
    struct hearth_wire_list cursor = *results;
    struct hearth_wire_result record;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_result, &record)) {
        hearth_item item;
        int rc = client_result_add(call->result, &record, call->is_text && is_streamed, &item);
        if (rc == HEARTH_E_NO_MEMORY) {
            return hearth_fail_oom(err);
        }
        if (rc < 0) {
            return client_broken(call->client, err, "the daemon answered input %u out of turn",
                                 record.index);
        }
        if (is_streamed && call->params.on_item != NULL &&
            call->params.on_item(&item, call->params.arg) != 0) {
            rc = hearth_cancel(call->client, err);
            if (rc < 0) {
                return rc;
            }
            call->params.on_item = NULL; /* it has seen enough; the terminal still comes */
        }
    }
    return 0;
}

static int take_terminal(struct call *call, const struct hearth_wire_inference_response *response,
                         struct hearth_error *err)
{
    int rc = client_answer_code(response->code, response->error, err);
    if (rc < 0) {
        return rc;
    }
    rc = add_results(call, &response->results, false, err);
    if (rc < 0) {
        return rc;
    }
    if (call->is_text && call->result->text.size == 0) {
        /* Nothing was generated: a whole answer all the same. */
        hearth_item item;
        struct hearth_wire_result nothing = {.text = hearth_slice_of("", 0)};
        rc = client_result_add(call->result, &nothing, true, &item);
    }
    if (rc == 0 && client_result_end(call->result, response) < 0) {
        return client_broken(call->client, err, "the daemon left inputs without an answer");
    }
    return rc < 0 ? hearth_fail_oom(err) : 0;
}

/* Returns 1 after the terminal message of success. */
static int take_message(struct call *call, const struct hearth_message *message,
                        struct hearth_error *err)
{
    const struct hearth_wire_inference_response *response = &message->as.inference_response;
    const struct hearth_wire_stream_chunk *chunk = &message->as.stream_chunk;
    if (message->type == HEARTH_MSG_inference_response && response->request_id == call->id) {
        int rc = take_terminal(call, response, err);
        return rc < 0 ? rc : 1;
    }
    if (message->type == HEARTH_MSG_stream_chunk && chunk->request_id == call->id) {
        return add_results(call, &chunk->results, true, err);
    }
    return 0; /* of a request that this side has given up */
}

static int follow(struct call *call, struct hearth_error *err)
{
    for (;;) {
        struct hearth_message message;
        int rc = client_receive(call->client, call->deadline_ns, &message, err);
        if (rc == HEARTH_E_EXPIRED) {
            hearth_cancel(call->client, NULL); /* nobody waits for it any more */
            return rc;
        }
        rc = rc < 0 ? rc : take_message(call, &message, err);
        if (rc != 0) {
            return rc < 0 ? rc : 0;
        }
    }
}

/* ── Requests ────────────────────────────────────────────────────────────────────────────────── */

static void fill_request(struct call *call, enum hearth_task task)
{
    const struct hearth_request_params *params = &call->params;
    struct hearth_wire_inference_request *request = &call->message.as.inference_request;
    call->message.type = HEARTH_MSG_inference_request;
    *request = (struct hearth_wire_inference_request){
        .request_id = call->id,
        .task = (uint8_t)task,
        .priority = (uint8_t)params->priority,
        .flags = params->on_item != NULL ? HEARTH_FLAG_STREAM : 0,
        .timeout_ms = params->timeout_ms,
        .model_id = hearth_slice_of_string(params->model),
        .max_tokens = params->max_tokens,
        .temperature = params->temperature,
        .top_k = params->top_k,
        .top_p = params->top_p,
        .min_p = params->min_p,
        .repetition_penalty = params->repetition_penalty,
        .repetition_window = params->repetition_window,
        .seed = params->seed,
        .stops = {.count = (uint32_t)params->stop_count, .items = call->stops},
    };
    for (size_t i = 0; i < params->stop_count; i++) {
        call->stops[i].text = hearth_slice_of_string(params->stops[i]);
    }
}

static int begin_call(struct call *call, struct hearth_client *client, enum hearth_task task,
                      const struct hearth_request_params *params, struct hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int rc = client_request_params(params, &call->params, err);
    if (rc < 0) {
        return rc;
    }
    call->client = client;
    call->id = ++client->last_id;
    call->is_text = task == HEARTH_TASK_GENERATE || task == HEARTH_TASK_CHAT;
    fill_request(call, task);
    return 0;
}

static int run_call(struct call *call, size_t answers, struct hearth_result **ret_result,
                    struct hearth_error *err)
{
    struct hearth_client *client = call->client;
    int rc = hearth_wire_check_request(&call->message.as.inference_request, err);
    if (rc < 0) {
        return rc;
    }
    HEARTH_AUTO(hearth_result) struct hearth_result *result = client_result_create(answers);
    if (result == NULL) {
        return hearth_fail_oom(err);
    }
    call->result = result;
    uint32_t timeout_ms = call->params.timeout_ms;
    call->deadline_ns =
        client_deadline_ns(timeout_ms == 0 ? 0 : timeout_ms + HEARTH_CLIENT_GRACE_MS);
    open_request(client, call->id);
    rc = client_send(client, &call->message, call->deadline_ns, err);
    rc = rc < 0 ? rc : request_is_sent(client, err);
    rc = rc < 0 ? rc : follow(call, err);
    open_request(client, 0);
    if (rc == 0 && ret_result != NULL) {
        *ret_result = HEARTH_TAKE(result);
    }
    return rc;
}

static int refuse_count(const char *what, size_t count, unsigned most, struct hearth_error *err)
{
    return hearth_fail(err, count == 0 ? HEARTH_E_INPUT_INVALID : HEARTH_E_TOO_LARGE,
                       "%s: %zu given, 1 to %u wanted", what, count, most);
}

static int run_texts(struct hearth_client *client, enum hearth_task task, const char *const *texts,
                     size_t count, const struct hearth_request_params *params,
                     struct hearth_result **ret_result, struct hearth_error *err)
{
    struct call call;
    struct hearth_wire_text records[HEARTH_MAX_BATCH];
    if (count == 0 || count > HEARTH_MAX_BATCH) {
        return refuse_count("texts", count, HEARTH_MAX_BATCH, err);
    }
    int rc = begin_call(&call, client, task, params, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct hearth_wire_text){.text = hearth_slice_of_string(texts[i])};
    }
    call.message.as.inference_request.texts =
        (struct hearth_wire_list){.count = (uint32_t)count, .items = records};
    return run_call(&call, count, ret_result, err);
}

int hearth_classify(hearth_client *client, const char *const *texts, size_t count,
                    const hearth_request_params *params, hearth_result **ret_result,
                    hearth_error *err)
{
    return run_texts(client, HEARTH_TASK_CLASSIFY, texts, count, params, ret_result, err);
}

int hearth_embed(hearth_client *client, const char *const *texts, size_t count,
                 const hearth_request_params *params, hearth_result **ret_result, hearth_error *err)
{
    return run_texts(client, HEARTH_TASK_EMBED, texts, count, params, ret_result, err);
}

int hearth_generate(hearth_client *client, const char *prompt, const hearth_request_params *params,
                    hearth_result **ret_result, hearth_error *err)
{
    return run_texts(client, HEARTH_TASK_GENERATE, &prompt, 1, params, ret_result, err);
}

int hearth_chat(hearth_client *client, const hearth_chat_message *messages, size_t count,
                const hearth_request_params *params, hearth_result **ret_result, hearth_error *err)
{
    struct call call;
    struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES];
    if (count == 0 || count > HEARTH_MAX_CHAT_MESSAGES) {
        return refuse_count("messages", count, HEARTH_MAX_CHAT_MESSAGES, err);
    }
    int rc = begin_call(&call, client, HEARTH_TASK_CHAT, params, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct hearth_wire_chat_message){
            .role = (uint8_t)messages[i].role,
            .content = hearth_slice_of_string(messages[i].content),
        };
    }
    call.message.as.inference_request.messages =
        (struct hearth_wire_list){.count = (uint32_t)count, .items = records};
    return run_call(&call, 1, ret_result, err);
}
