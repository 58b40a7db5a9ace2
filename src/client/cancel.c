/* cancel.c — ending a request from its own thread, a callback, or any other thread.
 *
 * The cancel goes through the queue of the client, under its lock, behind whatever half a frame may
 * wait there, and so behind the request itself. */

#include "client_priv.h"

#include <fcntl.h>

/* Nobody waits for room to send if nothing waited before and the owner of the client does not know
 * of this: then it is waited for here, on a copy of the descriptor, because the owner may end the
 * connection meanwhile. */
static void wait_for_room(struct hearth_client *client, int fd)
{
    uint64_t deadline_ns = client_deadline_ns(HEARTH_CLIENT_CANCEL_MS);
    while (fd >= 0 && hearth_fd_wait(fd, HEARTH_READY_OUT, deadline_ns, NULL) == 0) {
        pthread_mutex_lock(&client->shared.lock);
        int rc = client_flush(client); /* of whatever connection there is now */
        pthread_mutex_unlock(&client->shared.lock);
        if (rc != HEARTH_E_NOT_READY) {
            break;
        }
    }
    hearth_fd_close(&fd);
}

/* With the lock held. *@ret_fd is to be waited for if it is not -1. */
static int send_cancel(struct hearth_client *client, uint64_t id, int *ret_fd,
                       struct hearth_error *err)
{
    struct client_shared *shared = &client->shared;
    struct client_request *request = client_open_find(&shared->open, id);
    if (request == NULL) {
        return hearth_fail(err, HEARTH_E_NO_REQUEST, "no such request is open on this client");
    }
    if (request->is_cancelled) {
        return 0; /* once is enough, and so the queue cannot fill up */
    }
    struct hearth_message message = {.type = HEARTH_MSG_cancel_request};
    message.as.cancel_request.request_id = id;
    bool was_empty = hearth_frame_queue_bytes(&shared->queue) == 0;
    int rc = client_queue(client, &message, NULL,
                          HEARTH_CLIENT_QUEUE_BYTES + HEARTH_CLIENT_CANCEL_BYTES, err);
    if (rc < 0) {
        return rc;
    }
    request->is_cancelled = true;
    rc = client_flush(client);
    if (rc == HEARTH_E_DISCONNECTED) {
        return hearth_fail(err, rc, "the daemon takes no more bytes");
    }
    bool is_owner = pthread_equal(shared->owner, pthread_self()) != 0;
    if (rc == HEARTH_E_NOT_READY && was_empty && !is_owner) {
        *ret_fd = fcntl(shared->fd, F_DUPFD_CLOEXEC, 0); /* -1: it leaves with the next dispatch */
    }
    return 0;
}

int hearth_cancel_request(hearth_client *client, uint64_t request, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int fd = -1;
    pthread_mutex_lock(&client->shared.lock);
    int rc = send_cancel(client, request, &fd, err);
    pthread_mutex_unlock(&client->shared.lock);
    wait_for_room(client, fd);
    return rc;
}

int hearth_cancel(hearth_client *client, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int fd = -1;
    pthread_mutex_lock(&client->shared.lock);
    struct client_shared *shared = &client->shared;
    int rc = 0;
    if (shared->is_waiting && shared->waiting_id == 0) {
        shared->is_cancel_wanted = true; /* it waits for room or for a connection */
    } else {
        rc = send_cancel(client, shared->waiting_id, &fd, err);
    }
    pthread_mutex_unlock(&client->shared.lock);
    wait_for_room(client, fd);
    return rc;
}
