/* messages.c — one frame of a client: decode, see whether it may be asked now, hand it on.
 *
 * A frame that begins with '{' is V1 (JSON), any other V2. Before the handshake each is answered as
 * it came; after it only frames of the version agreed on may come. */

#include "session_priv.h"

#include "hearth_log.h"

struct handler {
    void (*take)(struct connection *connection, const struct hearth_message *message);
    bool is_probe; /* needs no session */
};

static void take_handshake(struct connection *connection, const struct hearth_message *message)
{
    answer_handshake(connection, &message->as.handshake);
}

static void take_health(struct connection *connection, const struct hearth_message *message)
{
    answer_health(connection, &message->as.health_check);
}

static void take_inference(struct connection *connection, const struct hearth_message *message)
{
    request_admit(connection, &message->as.inference_request);
}

static void take_cancel(struct connection *connection, const struct hearth_message *message)
{
    request_cancel(connection, &message->as.cancel_request);
}

static void take_models(struct connection *connection, const struct hearth_message *message)
{
    (void)message;
    models_list(connection);
}

static void take_load(struct connection *connection, const struct hearth_message *message)
{
    loads_load(connection, &message->as.load_request);
}

static void take_unload(struct connection *connection, const struct hearth_message *message)
{
    loads_unload(connection, &message->as.unload_request);
}

static void take_metrics(struct connection *connection, const struct hearth_message *message)
{
    (void)message;
    report_metrics(connection);
}

static void take_prometheus(struct connection *connection, const struct hearth_message *message)
{
    (void)message;
    report_prometheus(connection);
}

static void take_spans(struct connection *connection, const struct hearth_message *message)
{
    report_spans(connection, &message->as.spans_request);
}

static void take_warmup(struct connection *connection, const struct hearth_message *message)
{
    request_warm_up(connection, &message->as.warmup_request);
}

static void take_requests(struct connection *connection, const struct hearth_message *message)
{
    (void)message;
    report_requests(connection);
}

static void take_model(struct connection *connection, const struct hearth_message *message)
{
    models_describe(connection, &message->as.model_request);
}

static void take_swap(struct connection *connection, const struct hearth_message *message)
{
    swaps_begin(connection, &message->as.swap_request);
}

static void take_alias(struct connection *connection, const struct hearth_message *message)
{
    names_alias(connection, &message->as.alias_request);
}

static const struct handler handlers[] = {
    [HEARTH_MSG_handshake] = {take_handshake, true},
    [HEARTH_MSG_health_check] = {take_health, true},
    [HEARTH_MSG_inference_request] = {take_inference, false},
    [HEARTH_MSG_cancel_request] = {take_cancel, false},
    [HEARTH_MSG_models_request] = {take_models, false},
    [HEARTH_MSG_load_request] = {take_load, false},
    [HEARTH_MSG_unload_request] = {take_unload, false},
    [HEARTH_MSG_metrics_request] = {take_metrics, true},
    [HEARTH_MSG_prometheus_request] = {take_prometheus, true},
    [HEARTH_MSG_spans_request] = {take_spans, false},
    [HEARTH_MSG_warmup_request] = {take_warmup, false},
    [HEARTH_MSG_requests_request] = {take_requests, false},
    [HEARTH_MSG_model_request] = {take_model, false},
    [HEARTH_MSG_swap_request] = {take_swap, false},
    [HEARTH_MSG_alias_request] = {take_alias, false},
};

/* NULL: a client does not send this. */
static const struct handler *handler_of(enum hearth_message_type type)
{
    bool is_known = (size_t)type < HEARTH_COUNT(handlers) && handlers[type].take != NULL;
    return is_known ? &handlers[type] : NULL;
}

/* What a message claims that could not be read to its end nobody knows, and one that came without
 * a session claims nothing: if descriptors wait, the next request might get those of this one. */
static void refuse_strays(struct connection *connection)
{
    if (hearth_frame_reader_fd_count(&connection->reader) > 0) {
        connection_error(connection, HEARTH_E_INPUT_INVALID, 0,
                         "descriptors came for a message that is not taken");
        connection_close_after(connection);
    }
}

/* The frame is sound but a field is not: answered on the request it belongs to, connection kept. */
static void refuse_field(struct connection *connection, const struct hearth_message *message,
                         const struct hearth_error *err)
{
    uint64_t id = 0;
    if (message->type == HEARTH_MSG_inference_request) {
        request_refuse(connection, &message->as.inference_request, err->code, err->text);
        refuse_strays(connection);
        return;
    }
    if (message->type == HEARTH_MSG_load_request) {
        id = message->as.load_request.request_id;
    } else if (message->type == HEARTH_MSG_unload_request) {
        id = message->as.unload_request.request_id;
    } else if (message->type == HEARTH_MSG_warmup_request) {
        id = message->as.warmup_request.request_id;
    } else if (message->type == HEARTH_MSG_model_request) {
        id = message->as.model_request.request_id;
    } else if (message->type == HEARTH_MSG_swap_request) {
        id = message->as.swap_request.request_id;
    } else if (message->type == HEARTH_MSG_alias_request) {
        id = message->as.alias_request.request_id;
    }
    connection_error(connection, err->code, id, err->text);
}

/* In V1 the frames stay in step whatever they hold, so the connection goes on. */
static void refuse_frame(struct connection *connection, int code, const char *text, bool is_kept)
{
    hearth_metrics_count(connection->server->parts.metrics, HEARTH_COUNTER_FRAMES_MALFORMED);
    connection_error(connection, code, 0, text);
    if (!is_kept) {
        connection_close_after(connection);
    } else {
        refuse_strays(connection);
    }
}

static void dispatch(struct connection *connection, const struct hearth_message *message, int rc,
                     const struct hearth_error *err)
{
    const struct handler *handler = rc != HEARTH_E_MALFORMED ? handler_of(message->type) : NULL;
    if (handler == NULL) {
        refuse_frame(connection, HEARTH_E_MALFORMED,
                     rc == HEARTH_E_MALFORMED ? err->text : "message that a client does not send",
                     connection->is_json);
    } else if (!handler->is_probe && connection->state == CONNECTION_NEW) {
        connection_error(connection, HEARTH_E_UNAUTHENTICATED, 0,
                         "no session: the first message must be a handshake");
        refuse_strays(connection);
    } else if (rc < 0) {
        refuse_field(connection, message, err);
    } else {
        handler->take(connection, message);
    }
}

static void take_json(struct connection *connection, struct hearth_slice frame)
{
    struct hearth_json_room *room = &connection->server->json_in;
    struct hearth_message message;
    struct hearth_error err = {0};
    if (frame.size > HEARTH_MAX_JSON_BYTES) { /* not even parsed: that would hold up the others */
        refuse_frame(connection, HEARTH_E_TOO_LARGE,
                     "JSON message over 262144 bytes; larger ones can be sent in protocol V2",
                     true);
        return;
    }
    int rc = hearth_json_decode(frame, room, &message, &err);
    if (rc == HEARTH_E_NO_MEMORY) {
        connection_error(connection, rc, 0, err.text);
        refuse_strays(connection);
    } else {
        dispatch(connection, &message, rc, &err);
    }
    hearth_json_room_reset(room, JSON_KEEP_BYTES);
}

void message_take(struct connection *connection, struct hearth_slice frame)
{
    bool is_json = hearth_wire_is_json(frame);
    if (connection->version == 0) {
        connection->is_json = is_json;
    } else if (is_json != connection->is_json) {
        refuse_frame(connection, HEARTH_E_MALFORMED,
                     is_json ? "JSON message in a session of protocol V2"
                             : "message that is no JSON object in a session of protocol V1",
                     false);
        return;
    }
    if (is_json) {
        take_json(connection, frame);
        return;
    }
    struct hearth_message message;
    struct hearth_error err = {0};
    int rc = hearth_wire_decode(frame, &message, &err);
    connection->frame = frame;
    dispatch(connection, &message, rc, &err);
    connection->frame = (struct hearth_slice){0};
}
