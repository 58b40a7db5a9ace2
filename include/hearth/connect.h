/* connect.h — one connection to the daemon and its end. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_CONNECT_H
#define HEARTH_CONNECT_H

#ifdef __cplusplus
extern "C" {
#endif

/** How to connect. Starts from hearth_connect_params_default(). */
typedef struct hearth_connect_params {
    size_t size;             /* of this struct, as the caller knows it */
    const char *socket_path; /* NULL: as hearth_default_socket() says */
    const char *program;     /* your name, for the operator of the daemon; may be NULL */
    const char *token;       /* only if the daemon asks for one; may be NULL */
    uint32_t timeout_ms;     /* for connecting, and for each answer that needs no model; 10 s */
    int reconnect;           /* 1: connect again also after a connection that was lost in use */
    int without_session;     /* 1: no handshake; only health and metrics are answered then */
} hearth_connect_params;

/** Fills the first @size bytes with defaults. Use hearth_connect_params_default(). */
HEARTH_API void hearth_connect_params_init(hearth_connect_params *params, size_t size);

/** Returns the defaults; every field may be changed but size. */
static inline hearth_connect_params hearth_connect_params_default(void)
{
    hearth_connect_params params;
    hearth_connect_params_init(&params, sizeof(params));
    return params;
}

/**
 * Writes the path at which programs look for the daemon: $HEARTH_SOCKET, else
 * $XDG_RUNTIME_DIR/hearth/hearthd.sock, else /run/hearth/hearthd.sock for root and
 * /tmp/hearth-<uid>/hearthd.sock for others.
 *
 * Returns HEARTH_E_ARGUMENT if it does not fit @room_bytes or a socket's name (107 bytes).
 */
HEARTH_API int hearth_default_socket(char *room, size_t room_bytes, hearth_error *err);

/**
 * Connects to the daemon and opens a session.
 *
 * @params may be NULL for the defaults; its strings are copied, and the token is wiped at the end.
 * *@ret_client is owned by the caller until hearth_disconnect(). Blocks for at most
 * params->timeout_ms.
 *
 * Returns HEARTH_E_NO_DAEMON if nothing answers there, HEARTH_E_DENIED, HEARTH_E_UNAUTHENTICATED,
 * HEARTH_E_TOO_MANY_CONNECTIONS, HEARTH_E_VERSION, HEARTH_E_EXPIRED, HEARTH_E_DISCONNECTED,
 * HEARTH_E_ARGUMENT or HEARTH_E_NO_MEMORY.
 */
HEARTH_API int hearth_connect(const hearth_connect_params *params, hearth_client **ret_client,
                              hearth_error *err);

/**
 * As hearth_connect(), without waiting for the session: hearth_dispatch() opens it, and reports a
 * refusal. Requests may be submitted at once; nothing of them is sent before the session is open,
 * and should it be refused they end with the code of the refusal.
 *
 * Returns HEARTH_E_NO_DAEMON, HEARTH_E_DENIED, HEARTH_E_TOO_MANY_CONNECTIONS (the daemon has no
 * room for one more that waits), HEARTH_E_ARGUMENT or HEARTH_E_NO_MEMORY.
 */
HEARTH_API int hearth_connect_start(const hearth_connect_params *params, hearth_client **ret_client,
                                    hearth_error *err);

/**
 * Ends the connection, if there is one, and opens another to the same socket with the same
 * parameters. Requests that were open end with HEARTH_E_DISCONNECTED, their callbacks come from
 * here; none is sent again. Blocks and fails as hearth_connect(); HEARTH_E_BUSY in a callback.
 *
 * Calls connect again by themselves when the daemon has closed the connection while no request was
 * open (idle_timeout_ms, or a restart), so nobody has to count idle time. After a connection that
 * was lost with requests under way, calls return HEARTH_E_DISCONNECTED until this function has
 * succeeded; with params.reconnect = 1 the next call connects then too. A request that was lost is
 * never sent again by the library: whether it may be asked twice, its program knows.
 */
HEARTH_API int hearth_reconnect(hearth_client *client, hearth_error *err);

/**
 * Ends the session and frees the client. NULL is fine. Requests that are still open are forgotten
 * without their on_done. No other thread may use the client any more; not from a callback.
 */
HEARTH_API void hearth_disconnect(hearth_client *client);

enum hearth_client_state {
    HEARTH_CLIENT_CLOSED, /* calls connect again, or return HEARTH_E_DISCONNECTED: see above */
    HEARTH_CLIENT_CONNECTING,
    HEARTH_CLIENT_CONNECTED
};
HEARTH_API enum hearth_client_state hearth_client_state(const hearth_client *client);

/** Lends the daemon's name and version ("hearthd 0.1.0"), or the path; they live in the client. */
HEARTH_API const char *hearth_client_server(const hearth_client *client);
HEARTH_API const char *hearth_client_socket(const hearth_client *client);

#ifdef __cplusplus
}
#endif

#endif
