/* messages.c — one frame of a client: decode, see whether it may be asked now, hand it on. */

#include "session_priv.h"

#include "hearth_log.h"

/* The frame is sound but a field is not: answered on the request it belongs to, connection kept. */
static void refuse_field(struct connection *connection, const struct hearth_message *message,
                         const struct hearth_error *err)
{
    uint64_t id = 0;
    if (message->type == HEARTH_MSG_inference_request) {
        request_refuse(connection, message->as.inference_request.request_id, err->code, err->text);
        return;
    }
    if (message->type == HEARTH_MSG_load_request) {
        id = message->as.load_request.request_id;
    } else if (message->type == HEARTH_MSG_unload_request) {
        id = message->as.unload_request.request_id;
    }
    connection_error(connection, err->code, id, err->text);
}

static bool needs_session(enum hearth_message_type type)
{
    return type != HEARTH_MSG_handshake && type != HEARTH_MSG_health_check;
}

static bool is_from_client(enum hearth_message_type type)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(type);
    return layout != NULL && layout->direction == HEARTH_TO_DAEMON;
}

static void take(struct connection *connection, const struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_inference_request) {
        request_admit(connection, &message->as.inference_request);
    } else if (message->type == HEARTH_MSG_health_check) {
        answer_health(connection, &message->as.health_check);
    } else if (message->type == HEARTH_MSG_cancel_request) {
        request_cancel(connection, &message->as.cancel_request);
    } else if (message->type == HEARTH_MSG_handshake) {
        answer_handshake(connection, &message->as.handshake);
    } else if (message->type == HEARTH_MSG_models_request) {
        models_list(connection);
    } else if (message->type == HEARTH_MSG_load_request) {
        loads_load(connection, &message->as.load_request);
    } else if (message->type == HEARTH_MSG_unload_request) {
        loads_unload(connection, &message->as.unload_request);
    } else {
        connection_error(connection, HEARTH_E_UNSUPPORTED, 0, "not answered by this daemon yet");
    }
}

void message_take(struct connection *connection, struct hearth_slice frame)
{
    struct hearth_message message;
    struct hearth_error err = {0};
    int rc = hearth_wire_decode(frame, &message, &err);
    if (rc == HEARTH_E_MALFORMED || (rc == 0 && !is_from_client(message.type))) {
        hearth_metrics_count(connection->server->parts.metrics, HEARTH_COUNTER_FRAMES_MALFORMED);
        connection_error(connection, HEARTH_E_MALFORMED, 0,
                         rc == 0 ? "message that a client does not send" : err.text);
        connection_close_after(connection);
        return;
    }
    if (needs_session(message.type) && connection->state == CONNECTION_NEW) {
        connection_error(connection, HEARTH_E_UNAUTHENTICATED, 0,
                         "no session: the first message must be a handshake");
        return;
    }
    if (rc < 0) {
        refuse_field(connection, &message, &err);
        return;
    }
    take(connection, &message);
}
