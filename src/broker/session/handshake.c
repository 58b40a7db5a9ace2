/* handshake.c — who may open a session, and in which version of the protocol it speaks. */

#include "session_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define SESSION_ID_BYTES 32u

static void make_session_id(char hex[2 * SESSION_ID_BYTES + 1])
{
    uint8_t bytes[SESSION_ID_BYTES];
    hearth_random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
    hearth_wipe(bytes, sizeof bytes);
}

/* The newest version that both speak, or 0. A V1 handshake that names none asks for V1. */
static uint16_t common_version(const struct hearth_wire_handshake *asked, bool is_json)
{
    bool names_none = is_json && asked->version_min == 0 && asked->version_max == 0;
    uint32_t newest = names_none ? HEARTH_PROTOCOL_V1 : asked->version_max;
    uint32_t version = HEARTH_MIN(newest, HEARTH_PROTOCOL_VERSION);
    return version >= HEARTH_PROTOCOL_V1 && version >= asked->version_min ? (uint16_t)version : 0;
}

static void refuse(struct connection *connection, int code, const char *text)
{
    hearth_metrics_count(connection->server->parts.metrics, HEARTH_COUNTER_HANDSHAKES_REFUSED);
    connection_error(connection, code, 0, text);
    connection_close_after(connection);
}

static void note_name(struct connection *connection, struct hearth_slice name)
{
    if (!hearth_slice_to_string(name, connection->name, sizeof connection->name)) {
        connection->name[0] = '\0';
    }
}

/* The answer comes in the encoding of the question; what follows is in the version it names. */
static void open_session(struct connection *connection, uint16_t version)
{
    char session_id[2 * SESSION_ID_BYTES + 1];
    make_session_id(session_id);
    struct hearth_message ack = {
        .type = HEARTH_MSG_handshake_ack,
        .as.handshake_ack = {
            .version = version,
            .features = 0, /* none is defined yet */
            .session_id = hearth_slice_of_string(session_id),
            .server = hearth_slice_of_string("hearthd " HEARTH_VERSION),
            .max_frame_bytes =
                version == HEARTH_PROTOCOL_V1 ? HEARTH_MAX_JSON_BYTES : HEARTH_MAX_FRAME_BYTES,
            .idle_timeout_ms = (uint32_t)connection->server->parts.config->idle_timeout_ms}};
    connection->state = CONNECTION_OPEN;
    connection->version = version;
    hearth_frame_reader_set_max(&connection->reader, HEARTH_MAX_FRAME_BYTES);
    connection_send(connection, &ack);
    connection->is_json = version == HEARTH_PROTOCOL_V1;
}

void answer_handshake(struct connection *connection, const struct hearth_wire_handshake *asked)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    if (connection->state != CONNECTION_NEW) {
        connection_error(connection, HEARTH_E_INPUT_INVALID, 0, "this connection has a session");
        return;
    }
    uint16_t version = common_version(asked, connection->is_json);
    if (version == 0) {
        snprintf(text, sizeof text,
                 "client speaks protocol versions %" PRIu16 " to %" PRIu16 ", this daemon %u to %u",
                 asked->version_min, asked->version_max, HEARTH_PROTOCOL_V1,
                 HEARTH_PROTOCOL_VERSION);
        refuse(connection, HEARTH_E_VERSION, text);
        return;
    }
    struct hearth_error err = {0};
    if (token_check(connection->server, &connection->peer, asked->token, &err) < 0) {
        refuse(connection, err.code, err.text);
        return;
    }
    note_name(connection, asked->client);
    open_session(connection, version);
}
