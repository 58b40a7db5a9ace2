/* reply.c — from what an engine produced to the messages of the broker.
 *
 * A streamed request gets a chunk for each piece or result and then a terminal without results; any
 * other is collected here and answered at once. Replies are wiped and kept for the next request, so
 * that steady state allocates nothing. Engines call from several threads: each reply has a lock.
 * answers.c, results.c and outputs.c hold what was not sent yet. */

#include "reply_priv.h"

#define REPLY_SPARE_MAX 64u

/* ---- life ---------------------------------------------------------------------------------- */

static struct reply *make_reply(struct hearth_worker *worker)
{
    struct reply *reply = hearth_alloc(1, sizeof *reply);
    if (reply == NULL) {
        return NULL;
    }
    reply->worker = worker;
    hearth_list_init(&reply->in_spare);
    pthread_mutex_init(&reply->lock, NULL);
    answers_init(reply);
    hearth_buf_init(&reply->vectors, REPLY_VECTORS_CAP);
    hearth_buf_init(&reply->labels, REPLY_LABELS_CAP);
    hearth_buf_init(&reply->entities, REPLY_ENTITIES_CAP);
    hearth_buf_init(&reply->data, REPLY_DATA_CAP);
    return reply;
}

static void free_reply(struct reply *reply)
{
    answers_finish(reply);
    hearth_buf_finish(&reply->vectors);
    hearth_buf_finish(&reply->labels);
    hearth_buf_finish(&reply->entities);
    hearth_buf_finish(&reply->data);
    pthread_mutex_destroy(&reply->lock);
    hearth_free(reply);
}

void reply_free_spare(struct hearth_worker *worker)
{
    HEARTH_LIST_EACH(struct reply, in_spare, reply, &worker->spare_replies) {
        hearth_list_remove(&reply->in_spare);
        free_reply(reply);
    }
}

static struct reply *take_spare(struct hearth_worker *worker)
{
    pthread_mutex_lock(&worker->replies_lock);
    struct reply *reply = HEARTH_LIST_FIRST(struct reply, in_spare, &worker->spare_replies);
    if (reply != NULL) {
        hearth_list_remove(&reply->in_spare);
        worker->spare_reply_count--;
        worker->spare_large_bytes -= reply->large_bytes;
        reply->large_bytes = 0;
    }
    pthread_mutex_unlock(&worker->replies_lock);
    return reply;
}

int reply_open(struct hearth_worker *worker, const struct hearth_wire_inference_request *request,
               struct reply **ret)
{
    struct reply *reply = take_spare(worker);
    if (reply == NULL) {
        reply = make_reply(worker);
    }
    if (reply == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    reply->request_id = request->request_id;
    reply->is_stream = (request->flags & HEARTH_FLAG_STREAM) != 0;
    reply->is_in_order = (request->flags & HEARTH_FLAG_IN_ORDER) != 0;
    reply->takes_memfds = (request->flags & HEARTH_FLAG_MEMFDS) != 0;
    reply->is_text = request->task == HEARTH_TASK_GENERATE || request->task == HEARTH_TASK_CHAT;
    reply->answer_count = reply->is_text ? hearth_wire_answers(request) : 0;
    reply->used_answers = HEARTH_MAX(reply->used_answers, reply->answer_count);
    reply->told = (struct told){0};
    reply->first_ns = 0;
    reply->code = 0;
    reply->error[0] = '\0';
    reply->count = 0;
    reply->next_index = 0;
    *ret = reply;
    return 0;
}

/* The buffers beside those of answers. */
static void wipe_and_trim(struct hearth_buf *buf)
{
    hearth_buf_wipe(buf);
    if (buf->room > REPLY_KEEP_BYTES) {
        hearth_buf_finish(buf);
    }
}

/* Makes a wiped reply spare; the one used last is taken first, since its buffers are as large as
 * answers are at the moment. False: there are enough. */
static bool keep_spare(struct hearth_worker *worker, struct reply *reply)
{
    size_t large_bytes = answers_large_bytes(reply);
    bool is_kept = false;
    pthread_mutex_lock(&worker->replies_lock);
    if (worker->spare_reply_count < REPLY_SPARE_MAX) {
        if (large_bytes > REPLY_LARGE_BYTES - worker->spare_large_bytes) {
            answers_trim(reply);
            large_bytes = 0;
        }
        reply->large_bytes = large_bytes;
        worker->spare_large_bytes += large_bytes;
        hearth_list_insert_before(worker->spare_replies.next, &reply->in_spare);
        worker->spare_reply_count++;
        is_kept = true;
    }
    pthread_mutex_unlock(&worker->replies_lock);
    return is_kept;
}

void reply_discard(struct reply *reply)
{
    struct hearth_worker *worker = reply->worker;
    answers_reset(reply);
    reply->choices = (struct hearth_wire_list){0};
    wipe_and_trim(&reply->vectors);
    wipe_and_trim(&reply->labels);
    wipe_and_trim(&reply->entities);
    outputs_clear(reply);
    wipe_and_trim(&reply->data);
    if (!keep_spare(worker, reply)) {
        free_reply(reply);
    }
}

/* ---- what happened -------------------------------------------------------------------------- */

/* The first error of a request is its error. Lock held. */
static void note_error(struct reply *reply, int code, const char *text)
{
    if (reply->code == 0) {
        reply->code = code;
        hearth_slice_to_string(hearth_slice_of_string(text), reply->error, sizeof reply->error);
    }
}

/* What ended it from outside, where the engine had nothing to add. */
static const char *text_of_code(int code)
{
    return code == HEARTH_E_EXPIRED     ? "the deadline passed while the answer was computed"
           : code == HEARTH_E_CANCELLED ? "cancelled while the answer was computed"
                                        : hearth_error_sentence(code);
}

static void note_first(struct reply *reply)
{
    if (reply->first_ns == 0) {
        reply->first_ns = hearth_clock_ns();
    }
}

/* ---- sending ------------------------------------------------------------------------------- */

static void send_chunk(struct reply *reply, struct hearth_wire_list results)
{
    struct hearth_message chunk = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = reply->request_id, .results = results}};
    int rc = outbox_send(&reply->worker->outbox, &chunk);
    if (rc != 0) {
        note_error(reply, rc, "a part of the answer could not be sent");
    }
}

/* Lock held. */
static void send_piece(struct reply *reply, const struct hearth_wire_result *piece)
{
    send_chunk(reply, (struct hearth_wire_list){.count = 1, .items = piece});
}

/* What could not be kept of an answer ends it with an error. Lock held. */
static void note_kept(struct reply *reply, int rc)
{
    if (rc == HEARTH_E_TOO_LARGE) {
        note_error(reply, rc, "the answer is too long for one message: stream it");
    } else if (rc == HEARTH_E_INTERNAL) {
        note_error(reply, rc, "the engine's tool calls are out of order");
    } else if (rc != 0) {
        note_error(reply, rc, hearth_error_sentence(rc));
    }
}

static void on_piece(void *arg HEARTH_UNUSED, struct hearth_job *job, uint32_t index,
                     struct hearth_slice text, uint32_t tokens)
{
    struct reply *reply = hearth_job_user(job);
    struct answer *answer = &reply->answers[index];
    pthread_mutex_lock(&reply->lock);
    note_first(reply);
    reply->told.generated_tokens += tokens;
    answer->tokens += tokens;
    if (!reply->is_stream) {
        note_kept(reply, answer_add_text(reply, index, text));
    } else {
        answer->untold_tokens += tokens;
        if (text.size > 0 || answer_has_notes(reply, index)) {
            struct hearth_wire_result piece = {.index = index, .text = text};
            answer_take_notes(reply, index, &piece);
            send_piece(reply, &piece);
            answer_drop_notes(reply, index, &piece);
        }
    }
    pthread_mutex_unlock(&reply->lock);
}

static void on_token(void *arg HEARTH_UNUSED, struct hearth_job *job, uint32_t index, uint32_t id)
{
    struct reply *reply = hearth_job_user(job);
    pthread_mutex_lock(&reply->lock);
    note_kept(reply, answer_add_id(reply, index, id));
    pthread_mutex_unlock(&reply->lock);
}

static void on_logprob(void *arg HEARTH_UNUSED, struct hearth_job *job, uint32_t index,
                       const struct hearth_wire_token_score *score)
{
    struct reply *reply = hearth_job_user(job);
    pthread_mutex_lock(&reply->lock);
    note_kept(reply, answer_add_score(reply, index, score));
    pthread_mutex_unlock(&reply->lock);
}

static void on_tool_call(void *arg HEARTH_UNUSED, struct hearth_job *job, uint32_t index,
                         const struct hearth_wire_tool_call *part)
{
    struct reply *reply = hearth_job_user(job);
    pthread_mutex_lock(&reply->lock);
    note_first(reply);
    if (reply->is_stream) {
        const struct hearth_wire_result piece = {.index = index,
                                                 .tool_calls = {.count = 1, .items = part}};
        send_piece(reply, &piece);
    } else {
        note_kept(reply, answer_add_call(reply, index, part));
    }
    pthread_mutex_unlock(&reply->lock);
}

static enum hearth_finish_reason finish_of_code(int code)
{
    if (code == HEARTH_E_EXPIRED) {
        return HEARTH_FINISH_TIMEOUT;
    }
    return code == HEARTH_E_CANCELLED ? HEARTH_FINISH_CANCELLED : HEARTH_FINISH_FAILED;
}

/* As soon as computed: in the order of the inputs only what has no gap before it. */
static void send_finished(struct reply *reply)
{
    struct hearth_wire_list results;
    if (!reply->is_in_order) {
        send_chunk(reply, results_all(reply));
        results_clear(reply);
        return;
    }
    while (results_take(reply, reply->next_index, &results)) {
        send_chunk(reply, results);
        reply->next_index++;
    }
    if (reply->count == 0) {
        results_clear(reply);
    }
}

static void finish_item(struct reply *reply, uint32_t index,
                        const struct hearth_item_result *result)
{
    struct hearth_error err = {0};
    if (result->tensor_count > 0) {
        if (outputs_collect(reply, result, &err) != 0) {
            note_error(reply, err.code, err.text);
        }
        return;
    }
    int rc = results_collect(reply, index, result);
    if (rc != 0) {
        note_error(reply, rc, "the results are too large for one message");
    } else if (reply->is_stream) {
        send_finished(reply);
    }
}

/* One of several answers in a stream says itself that it has ended; that of a lone one is said by
 * the end of the request. */
static void finish_answer(struct reply *reply, uint32_t index, enum hearth_finish_reason finish)
{
    struct answer *answer = &reply->answers[index];
    answer->finish = finish;
    answer->is_told = true;
    if (reply->is_stream && reply->answer_count > 1) {
        struct hearth_wire_result piece = {.index = index, .finish_reason = (uint8_t)finish};
        answer_take_notes(reply, index, &piece);
        send_piece(reply, &piece);
        answer_drop_notes(reply, index, &piece);
    }
}

static void on_finish(void *arg HEARTH_UNUSED, struct hearth_job *job, uint32_t index,
                      const struct hearth_item_result *result)
{
    struct reply *reply = hearth_job_user(job);
    pthread_mutex_lock(&reply->lock);
    note_first(reply);
    told_add(&reply->told, index, reply->is_text, result);
    if (reply->is_text) {
        finish_answer(reply, index, result->finish);
    } else {
        reply->choices = hearth_job_request(job)->choices;
        finish_item(reply, index, result);
    }
    pthread_mutex_unlock(&reply->lock);
}

static void on_fail(void *arg HEARTH_UNUSED, struct hearth_job *job, uint32_t index, int code,
                    const struct hearth_error *err)
{
    struct reply *reply = hearth_job_user(job);
    pthread_mutex_lock(&reply->lock);
    note_error(reply, code, err != NULL ? err->text : text_of_code(code));
    if (reply->is_text) { /* of what was stopped the client gets what there is */
        struct answer *answer = &reply->answers[index];
        bool was_stopped = code == HEARTH_E_CANCELLED || code == HEARTH_E_EXPIRED;
        answer->finish = finish_of_code(code);
        answer->is_told = was_stopped && answer->text.size + answer->calls.size > 0;
    }
    pthread_mutex_unlock(&reply->lock);
}

static uint32_t us_between(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / HEARTH_NS_PER_US : 0;
    return (uint32_t)HEARTH_MIN(us, (uint64_t)UINT32_MAX);
}

/* A request would stay without an end: the worker ends instead, which the broker does notice. */
static void give_up(struct hearth_worker *worker)
{
    outbox_give_up(&worker->outbox);
    hearth_event_signal(worker->event_fd);
}

void reply_refuse(struct hearth_worker *worker, uint64_t request_id, int code,
                  const struct hearth_error *err)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = request_id,
                                  .code = (uint16_t)-code,
                                  .error = hearth_slice_of_string(err->text),
                                  .finish_reason = HEARTH_FINISH_FAILED}};
    if (outbox_send(&worker->outbox, &message) != 0) {
        give_up(worker);
    }
}

/* All results of an answer that is not streamed. */
static struct hearth_wire_list all_of(struct reply *reply)
{
    if (reply->is_stream) {
        results_clear(reply); /* held back for a turn that will not come */
        return (struct hearth_wire_list){0};
    }
    return reply->is_text ? answers_all(reply) : results_all(reply);
}

static const char *advice_of(const struct reply *reply, int rc)
{
    if (rc == HEARTH_E_BUSY) {
        return "too many memfds of answers are not read yet; try again later";
    }
    return reply->is_text ? "the answer is too long for one message: stream it"
                          : "the results are too large for one message: send fewer texts";
}

static void send_terminal(struct reply *reply, const struct hearth_job *job)
{
    uint64_t pushed_ns = 0;
    uint64_t taken_ns = 0;
    uint64_t now_ns = hearth_clock_ns();
    hearth_job_times(job, &pushed_ns, &taken_ns);
    if (reply->code != 0) {
        outputs_clear(reply);
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {
            .request_id = reply->request_id,
            .code = (uint16_t)-reply->code,
            .error = hearth_slice_of_string(reply->error),
            .finish_reason = (uint8_t)(reply->code != 0 ? finish_of_code(reply->code)
                                       : reply->is_text ? reply->answers[0].finish
                                                        : HEARTH_FINISH_NONE),
            .prompt_tokens = reply->told.prompt_tokens,
            .tokens_generated = reply->told.generated_tokens,
            .queue_us = us_between(pushed_ns, taken_ns != 0 ? taken_ns : now_ns),
            .first_us = us_between(pushed_ns, reply->first_ns != 0 ? reply->first_ns : now_ns),
            .total_us = us_between(pushed_ns, now_ns),
            .results = all_of(reply),
            .tensors = outputs_all(reply),
            .cached_tokens = reply->told.cached_tokens,
            .evicted_tokens = reply->told.evicted_tokens,
            .cache = (uint8_t)reply->told.cache,
            .drafted_tokens = reply->told.drafted_tokens,
            .accepted_tokens = reply->told.accepted_tokens,
            .fingerprint = hearth_slice_of_string(reply->told.fingerprint),
            .evicted_of_others = reply->told.evicted_of_others,
            .left_out_tokens = reply->told.left_out_tokens}};
    int fds[HEARTH_MAX_TENSORS];
    uint32_t fd_count = outputs_fds(reply, fds);
    int rc = outbox_send_fds(&reply->worker->outbox, &message, reply->request_id, fds, fd_count);
    if (rc == HEARTH_E_TOO_LARGE || rc == HEARTH_E_BUSY) {
        struct hearth_error err = {0};
        hearth_fail(&err, rc, "%s", advice_of(reply, rc));
        reply_refuse(reply->worker, reply->request_id, rc, &err);
    } else if (rc != 0) {
        give_up(reply->worker);
    }
}

static void on_end(void *arg, struct hearth_job *job)
{
    struct hearth_worker *worker = arg;
    struct reply *reply = hearth_job_user(job);
    pthread_mutex_lock(&reply->lock);
    send_terminal(reply, job);
    pthread_mutex_unlock(&reply->lock);
    reply_discard(reply);
    /* A link thread that drains waits for this. It sets must_stop and then looks at the count: one
     * of the two sees what the other did. */
    if (atomic_fetch_sub(&worker->open_replies, 1) == 1 && atomic_load(&worker->must_stop)) {
        hearth_event_signal(worker->event_fd);
    }
}

static void on_interrupt(void *arg, const struct hearth_job *job)
{
    struct hearth_worker *worker = arg;
    if (worker->ops->interrupt != NULL) {
        worker->ops->interrupt(worker->engine, job);
    }
}

const struct hearth_sink reply_sink = {
    .piece = on_piece,
    .token = on_token,
    .logprob = on_logprob,
    .tool_call = on_tool_call,
    .finish = on_finish,
    .fail = on_fail,
    .end = on_end,
    .interrupt = on_interrupt,
};
