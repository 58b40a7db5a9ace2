/* request.c — one inference request: submitted, and for the calls that block waited for. Late
 * messages of requests that have ended are told by their id.         */

#include "draft.h"

/* ── Submitting ──────────────────────────────────────────────────────────────────────────────── */

static struct client_request *create_request(const struct client_draft *draft)
{
    struct client_request *request = hearth_alloc(1, sizeof *request);
    if (request == NULL) {
        return NULL;
    }
    uint8_t task = draft->message.as.inference_request.task;
    hearth_list_init(&request->link);
    request->id = draft->message.as.inference_request.request_id;
    request->deadline_ns = draft->deadline_ns;
    request->is_text = task == HEARTH_TASK_GENERATE || task == HEARTH_TASK_CHAT;
    request->on_item = draft->params.on_item;
    request->item_arg = draft->params.arg;
    request->on_done = draft->on_done;
    request->done_arg = draft->done_arg;
    request->result = client_result_create(draft->answers, request->is_text);
    if (request->result == NULL) {
        hearth_free(request);
        return NULL;
    }
    request->result->vector_type = draft->params.vector_type;
    return request;
}

static void free_request(struct client_request *request)
{
    hearth_result_free(request->result);
    hearth_free(request);
}

/* Returns 1 if the connection turned out to have been closed before a byte of this was sent: it was
 * idle, so another serves as well. With the lock held. */
static int queue_and_send(struct client_draft *draft, struct client_request *request,
                          struct hearth_error *err)
{
    struct hearth_client *client = draft->client;
    struct client_shared *shared = &client->shared;
    shared->owner = pthread_self();
    if (draft->is_waited_for && shared->is_cancel_wanted) {
        return hearth_fail(err, HEARTH_E_CANCELLED, "cancelled before it was sent");
    }
    int rc = client_open_reserve(&shared->open);
    if (rc < 0) {
        return rc == HEARTH_E_NO_MEMORY
                   ? hearth_fail_oom(err)
                   : hearth_fail(err, rc, "%d requests are open", HEARTH_MAX_OPEN_REQUESTS);
    }
    bool is_alone = !client->is_dispatching && !client_is_in_use(client) &&
                    shared->state == HEARTH_CLIENT_CONNECTED &&
                    hearth_frame_queue_bytes(&shared->queue) == 0;
    rc = client_queue(client, &draft->message, &draft->fds, HEARTH_CLIENT_QUEUE_BYTES, err);
    if (rc == HEARTH_E_QUEUE_FULL) {
        client_flush(client);
        rc = client_queue(client, &draft->message, &draft->fds, HEARTH_CLIENT_QUEUE_BYTES, err);
    }
    if (rc < 0) {
        return rc;
    }
    size_t waiting = hearth_frame_queue_bytes(&shared->queue);
    if (client_flush(client) == HEARTH_E_DISCONNECTED && is_alone &&
        hearth_frame_queue_bytes(&shared->queue) == waiting) {
        return 1;
    }
    client_open_add(&shared->open, request);
    if (draft->is_waited_for) {
        shared->waiting_id = request->id;
    }
    return 0;
}

static int send_on_a_connection(struct client_draft *draft, struct client_request *request,
                                uint64_t connect_ns, struct hearth_error *err)
{
    struct hearth_client *client = draft->client;
    int rc = 1;
    for (int attempt = 0; rc == 1; attempt++) {
        rc = client_connection_ensure(client, connect_ns, err);
        if (rc < 0) {
            return rc;
        }
        pthread_mutex_lock(&client->shared.lock);
        rc = queue_and_send(draft, request, err);
        pthread_mutex_unlock(&client->shared.lock);
        if (rc == 1 && attempt > 0) {
            return hearth_fail(err, HEARTH_E_DISCONNECTED,
                               "the daemon closes connections as soon as they are open");
        }
    }
    return rc;
}

static int submit(struct client_draft *draft, uint64_t connect_ns, uint64_t *ret_id,
                  struct hearth_error *err)
{
    struct hearth_client *client = draft->client;
    /* Only now: while the call waited for room, callbacks may have submitted others. */
    draft->message.as.inference_request.request_id = client->last_id + 1;
    struct client_request *request = create_request(draft);
    if (request == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = send_on_a_connection(draft, request, connect_ns, err);
    if (rc < 0) {
        free_request(request);
        return rc;
    }
    client->last_id = request->id;
    client->last_use_ns = hearth_clock_ns();
    uint64_t before_ns = client->shared.open.count > 1 ? client->next_deadline_ns : HEARTH_NEVER;
    client->next_deadline_ns = HEARTH_MIN(before_ns, request->deadline_ns);
    if (ret_id != NULL) {
        *ret_id = request->id;
    }
    return 0;
}

int client_draft_submit(struct client_draft *draft, uint64_t *ret_id, struct hearth_error *err)
{
    if (draft->on_done == NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: on_done is NULL");
    }
    return submit(draft, 0, ret_id, err);
}

int hearth_submit(hearth_client *client, enum hearth_task task, const hearth_input *inputs,
                  size_t count, const hearth_request_params *params, uint64_t *ret_request,
                  hearth_error *err)
{
    struct client_draft draft;
    struct hearth_wire_text records[HEARTH_MAX_BATCH];
    int rc = client_draft_begin(&draft, client, task, params, err);
    rc = rc < 0 ? rc : client_draft_inputs(&draft, inputs, count, records, err);
    return rc < 0 ? rc : client_draft_submit(&draft, ret_request, err);
}

int hearth_submit_chat(hearth_client *client, const hearth_chat_message *messages, size_t count,
                       const hearth_request_params *params, uint64_t *ret_request,
                       hearth_error *err)
{
    struct client_draft draft;
    struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES];
    int rc = client_draft_begin(&draft, client, HEARTH_TASK_CHAT, params, err);
    rc = rc < 0 ? rc : client_draft_chat(&draft, messages, count, records, err);
    return rc < 0 ? rc : client_draft_submit(&draft, ret_request, err);
}

int hearth_submit_turns(hearth_client *client, enum hearth_task task, const hearth_turn *turns,
                        size_t count, const hearth_request_params *params, uint64_t *ret_request,
                        hearth_error *err)
{
    struct client_draft draft;
    struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES];
    int rc = client_draft_begin(&draft, client, task, params, err);
    rc = rc < 0 ? rc : client_draft_turns(&draft, turns, count, records, err);
    return rc < 0 ? rc : client_draft_submit(&draft, ret_request, err);
}

/* ── End ─────────────────────────────────────────────────────────────────────────────────────── */

void client_request_tell(struct client_request *request, const struct hearth_error *err)
{
    hearth_result *result = HEARTH_TAKE(request->result);
    if (err->code < 0) {
        hearth_result_free(result);
        result = NULL;
    }
    request->on_done(request->id, result, err, request->done_arg);
    free_request(request);
}

void client_request_end(struct hearth_client *client, struct client_request *request,
                        const struct hearth_error *err)
{
    pthread_mutex_lock(&client->shared.lock);
    client_open_remove(&client->shared.open, request);
    pthread_mutex_unlock(&client->shared.lock);
    client_request_tell(request, err);
}

/* ── Waiting ─────────────────────────────────────────────────────────────────────────────────── */

/** What a call waits for, on its stack. */
struct answer {
    bool is_done;
    struct hearth_result *result;
    struct hearth_error err;
};

static void take_answer(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    (void)request;
    struct answer *answer = arg;
    answer->is_done = true;
    answer->result = result;
    answer->err = *err;
}

/* Submitted ones are before it in the queue: their answers make room. */
static int submit_when_there_is_room(struct client_draft *draft, struct hearth_error *err)
{
    struct hearth_client *client = draft->client;
    uint64_t connect_ns = HEARTH_MIN(draft->deadline_ns, client_deadline_ns(client->timeout_ms));
    int rc = submit(draft, connect_ns, NULL, err);
    while (rc == HEARTH_E_QUEUE_FULL && client_is_in_use(client) &&
           hearth_clock_ns() < draft->deadline_ns) {
        client_progress(client, draft->deadline_ns, NULL);
        rc = submit(draft, connect_ns, NULL, err);
    }
    return rc;
}

static void set_waiting(struct hearth_client *client, bool is_waiting)
{
    pthread_mutex_lock(&client->shared.lock);
    client->shared.is_waiting = is_waiting;
    client->shared.is_cancel_wanted = false;
    client->shared.waiting_id = 0;
    pthread_mutex_unlock(&client->shared.lock);
}

int client_draft_run(struct client_draft *draft, struct hearth_result **ret_result,
                     struct hearth_error *err)
{
    struct hearth_client *client = draft->client;
    struct answer answer = {0};
    draft->on_done = take_answer;
    draft->done_arg = &answer;
    draft->is_waited_for = true;
    set_waiting(client, true);
    int rc = submit_when_there_is_room(draft, err);
    while (rc == 0 && !answer.is_done) {
        client_progress(client, HEARTH_NEVER, NULL); /* the request has a deadline of its own */
    }
    set_waiting(client, false);
    if (rc < 0) {
        return rc;
    }
    if (answer.err.code < 0) {
        return hearth_fail(err, answer.err.code, "%s", answer.err.text);
    }
    if (ret_result != NULL) {
        *ret_result = HEARTH_TAKE(answer.result);
    }
    hearth_result_free(answer.result);
    return 0;
}

int hearth_infer(hearth_client *client, enum hearth_task task, const hearth_input *inputs,
                 size_t count, const hearth_request_params *params, hearth_result **ret_result,
                 hearth_error *err)
{
    struct client_draft draft;
    struct hearth_wire_text records[HEARTH_MAX_BATCH];
    int rc = client_check_outside(client, "a call that waits", err);
    rc = rc < 0 ? rc : client_draft_begin(&draft, client, task, params, err);
    rc = rc < 0 ? rc : client_draft_inputs(&draft, inputs, count, records, err);
    return rc < 0 ? rc : client_draft_run(&draft, ret_result, err);
}

static int infer_texts(struct hearth_client *client, enum hearth_task task,
                       const char *const *texts, size_t count,
                       const struct hearth_request_params *params,
                       struct hearth_result **ret_result, struct hearth_error *err)
{
    struct hearth_input inputs[HEARTH_MAX_BATCH] = {{0}};
    for (size_t i = 0; i < HEARTH_MIN(count, HEARTH_COUNT(inputs)); i++) {
        inputs[i].text = texts[i];
    }
    return hearth_infer(client, task, inputs, count, params, ret_result, err);
}

int hearth_classify(hearth_client *client, const char *const *texts, size_t count,
                    const hearth_request_params *params, hearth_result **ret_result,
                    hearth_error *err)
{
    return infer_texts(client, HEARTH_TASK_CLASSIFY, texts, count, params, ret_result, err);
}

int hearth_embed(hearth_client *client, const char *const *texts, size_t count,
                 const hearth_request_params *params, hearth_result **ret_result, hearth_error *err)
{
    return infer_texts(client, HEARTH_TASK_EMBED, texts, count, params, ret_result, err);
}

int hearth_entities(hearth_client *client, const char *const *texts, size_t count,
                    const hearth_request_params *params, hearth_result **ret_result,
                    hearth_error *err)
{
    return infer_texts(client, HEARTH_TASK_ENTITIES, texts, count, params, ret_result, err);
}

/* The caller's struct may be shorter or longer than ours: it is read before the query is put in. */
int hearth_rerank(hearth_client *client, const char *query, const char *const *texts, size_t count,
                  const hearth_request_params *params, hearth_result **ret_result,
                  hearth_error *err)
{
    struct hearth_request_params own;
    int rc = client_request_params(params, &own, err);
    if (rc < 0) {
        return rc;
    }
    own.size = sizeof own;
    own.query = query;
    return infer_texts(client, HEARTH_TASK_RERANK, texts, count, &own, ret_result, err);
}

int hearth_generate(hearth_client *client, const char *prompt, const hearth_request_params *params,
                    hearth_result **ret_result, hearth_error *err)
{
    return infer_texts(client, HEARTH_TASK_GENERATE, &prompt, 1, params, ret_result, err);
}

int hearth_chat(hearth_client *client, const hearth_chat_message *messages, size_t count,
                const hearth_request_params *params, hearth_result **ret_result, hearth_error *err)
{
    struct client_draft draft;
    struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES];
    int rc = client_check_outside(client, "hearth_chat()", err);
    rc = rc < 0 ? rc : client_draft_begin(&draft, client, HEARTH_TASK_CHAT, params, err);
    rc = rc < 0 ? rc : client_draft_chat(&draft, messages, count, records, err);
    return rc < 0 ? rc : client_draft_run(&draft, ret_result, err);
}

int hearth_infer_turns(hearth_client *client, enum hearth_task task, const hearth_turn *turns,
                       size_t count, const hearth_request_params *params,
                       hearth_result **ret_result, hearth_error *err)
{
    struct client_draft draft;
    struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES];
    int rc = client_check_outside(client, "hearth_infer_turns()", err);
    rc = rc < 0 ? rc : client_draft_begin(&draft, client, task, params, err);
    rc = rc < 0 ? rc : client_draft_turns(&draft, turns, count, records, err);
    return rc < 0 ? rc : client_draft_run(&draft, ret_result, err);
}

int hearth_choose(hearth_client *client, const char *prompt, const char *const *choices,
                  size_t count, const hearth_request_params *params, hearth_result **ret_result,
                  hearth_error *err)
{
    struct hearth_request_params own;
    int rc = client_request_params(params, &own, err);
    if (rc < 0) {
        return rc;
    }
    own.size = sizeof own;
    own.choices = choices;
    own.choice_count = count;
    return infer_texts(client, HEARTH_TASK_CHOICE, &prompt, 1, &own, ret_result, err);
}
