/* hearth_session.h — the daemon's side of its clients: who they are, what they have open, and the
 * way of a request from a frame to a lane, to a worker, and back.
 *
 * Words: a *connection* is one client socket; a *session* begins with its handshake; a *request* is
 * open from its admission to its one terminal message.
 *
 * Threads: the loop's. Nothing here blocks but hearth_server_create(), which binds the socket.   */

#ifndef HEARTH_SESSION_H
#define HEARTH_SESSION_H

#include "hearth_base.h"
#include "hearth_budget.h"
#include "hearth_metrics.h"
#include "hearth_os.h"
#include "hearth_registry.h"

struct hearth_config;
struct hearth_server;

/** What the server works with; all of it outlives the server. */
struct hearth_server_parts {
    struct hearth_loop *loop;
    const struct hearth_config *config; /* resolved */
    struct hearth_registry *registry;   /* scanned */
    struct hearth_budget *budget;
    struct hearth_metrics *metrics;
    int spawner_fd; /* becomes the server's */
    struct hearth_listener
        listener;    /* becomes the server's; fd <= 0: it binds the configured one */
    int pressure_fd; /* of hearth_pressure_open(), becomes the server's; <= 0: there is none */
};

/** How a drain ended. */
struct hearth_drain_result {
    uint32_t cut;    /* running requests that were ended by the timeout */
    bool is_failure; /* the spawner was lost */
};

/**
 * Binds the configured socket unless it was given one, and makes the server; clients are accepted
 * once the loop runs.
 * @on_end(@arg, …) is called once, when a drain is complete or the spawner is lost; the caller then
 * stops the loop.
 *
 * Errors of hearth_listener_open(); HEARTH_E_NO_MEMORY; HEARTH_E_SYSTEM.
 */
HEARTH_NODISCARD int hearth_server_create(const struct hearth_server_parts *parts,
                                          void (*on_end)(void *arg,
                                                         const struct hearth_drain_result *result),
                                          void *arg, struct hearth_server **ret,
                                          struct hearth_error *err);

/** Closes everything, without a word to clients; workers are killed. NULL is fine. */
void hearth_server_destroy(struct hearth_server *server);
HEARTH_DEFINE_CLEANUP(hearth_server)

/** Takes over the limits of the configuration, which has changed in place. */
void hearth_server_reload(struct hearth_server *server);

/** Begins to load the configured models; what cannot be loaded is logged. Logs `daemon.ready` when
 *  each has succeeded or failed. */
void hearth_server_preload(struct hearth_server *server);

/** Refuses what is new or waits (HEARTH_E_SHUTTING_DOWN), lets running requests finish within
 *  drain_timeout_ms, ends the workers. Tells on_end. */
void hearth_server_drain(struct hearth_server *server);

#endif
