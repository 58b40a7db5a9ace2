/* discard.c — the thread that closes. */

#include "discard.h"

#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#define CLOSER_NICE 10 /* whoever discards is in more of a hurry than it */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t has_more = PTHREAD_COND_INITIALIZER;
static int waiting[HEARTH_MAX_DISCARDS];
static unsigned count; /* the one that is being closed is still the last of them */
static bool is_running;

static void close_all(void *arg HEARTH_UNUSED)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (count == 0) {
            pthread_cond_wait(&has_more, &lock);
        }
        int fd = waiting[0];
        pthread_mutex_unlock(&lock);
        hearth_fd_close(&fd);
        pthread_mutex_lock(&lock);
        waiting[0] = waiting[--count];
    }
}

/* Lock held. */
static bool start(void)
{
    pthread_t thread;
    if (!is_running &&
        hearth_thread_start(&thread, "closer", CLOSER_NICE, close_all, NULL, NULL) == 0) {
        is_running = true;
        (void)pthread_detach(thread); /* it ends with the process */
    }
    return is_running;
}

void hearth_fd_discard(int *fd)
{
    if (*fd < 0) {
        return;
    }
    pthread_mutex_lock(&lock);
    bool is_taken = start() && count < HEARTH_MAX_DISCARDS;
    if (is_taken) {
        waiting[count++] = *fd;
        *fd = -1;
        pthread_cond_signal(&has_more);
    }
    pthread_mutex_unlock(&lock);
    hearth_fd_close(fd);
}

/* True if nothing unread lies in it. Packets may be empty and still hold descriptors, and an error
 * comes before them. */
static bool is_empty(int fd)
{
    uint8_t byte;
    int type = 0;
    socklen_t size = sizeof type;
    ssize_t n = recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return true;
    }
    bool is_stream = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
    return n <= 0 && is_stream;
}

void hearth_socket_discard(int *fd)
{
    if (*fd < 0 || is_empty(*fd)) {
        hearth_fd_close(fd);
        return;
    }
    shutdown(*fd, SHUT_RDWR);
    hearth_fd_discard(fd);
}

unsigned hearth_fd_discards(void)
{
    pthread_mutex_lock(&lock);
    unsigned now = count;
    pthread_mutex_unlock(&lock);
    return now;
}
