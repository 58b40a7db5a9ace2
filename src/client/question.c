/* question.c — a question to the daemon itself: one at a time, and whoever asks waits. */

#include "client_priv.h"

/* Of those that carry an id, it is the first field. */
static uint64_t id_of(const struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_load_response) {
        return message->as.load_response.request_id;
    }
    if (message->type == HEARTH_MSG_unload_response) {
        return message->as.unload_response.request_id;
    }
    if (message->type == HEARTH_MSG_warmup_response) {
        return message->as.warmup_response.request_id;
    }
    if (message->type == HEARTH_MSG_swap_response) {
        return message->as.swap_response.request_id;
    }
    if (message->type == HEARTH_MSG_alias_response) {
        return message->as.alias_response.request_id;
    }
    if (message->type == HEARTH_MSG_model_response) {
        return message->as.model_response.request_id;
    }
    return message->type == HEARTH_MSG_cancel_response ? message->as.cancel_response.ticket : 0;
}

static void end_question(struct hearth_client *client, int code)
{
    client->question->is_done = true;
    client->question->code = code;
    client->question = NULL;
}

bool client_question_take(struct hearth_client *client, const struct hearth_message *message)
{
    struct client_question *question = client->question;
    if (question == NULL || message->type != question->wanted || id_of(message) != question->id) {
        return false; /* belongs to a question that was given up */
    }
    end_question(client, question->take(question->arg, message, question->err));
    return true;
}

void client_question_end(struct hearth_client *client, const struct hearth_error *err)
{
    end_question(client, hearth_fail(client->question->err, err->code, "%s", err->text));
}

static int send_question(struct hearth_client *client, const struct hearth_message *message,
                         uint64_t deadline_ns, struct hearth_error *err)
{
    int rc = client_connection_ensure(client, deadline_ns, err);
    if (rc < 0) {
        return rc;
    }
    pthread_mutex_lock(&client->shared.lock);
    rc = client_queue(client, message, NULL, HEARTH_CLIENT_QUEUE_BYTES + HEARTH_CLIENT_CANCEL_BYTES,
                      err);
    if (rc == 0) {
        client_flush(client); /* should it fail, dispatch finds out why */
    }
    pthread_mutex_unlock(&client->shared.lock);
    client->last_use_ns = hearth_clock_ns();
    return rc;
}

int client_ask(struct hearth_client *client, const struct hearth_message *message,
               struct client_question *question, uint32_t timeout_ms, struct hearth_error *err)
{
    uint64_t deadline_ns = client_deadline_ns(timeout_ms);
    int rc = client_check_outside(client, "a call that waits", err);
    rc = rc < 0 ? rc : send_question(client, message, deadline_ns, err);
    if (rc < 0) {
        return rc;
    }
    question->err = err;
    client->question = question;
    while (!question->is_done && hearth_clock_ns() < deadline_ns) {
        client_progress(client, deadline_ns, NULL);
    }
    if (question->is_done) {
        return question->code;
    }
    if (question->id == 0) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED, "no answer from the daemon in time");
        hearth_dispatch(client, NULL);
    }
    client->question = NULL;
    return hearth_fail(err, HEARTH_E_EXPIRED, "no answer from the daemon in time");
}
