/* interrupt.c — Ctrl-C in a chat: a thread waits for the signal, so that there is no handler. */

#include "hearth_cli.h"
#include "hearth_os.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Shared by the thread that waits for SIGINT and the one that talks. */
static struct interrupt_shared {
    pthread_mutex_t lock;
    hearth_client *client;
    bool is_answering;
    bool is_cancelled;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void interrupted(void)
{
    pthread_mutex_lock(&shared.lock);
    bool ends = !shared.is_answering || shared.is_cancelled;
    if (!ends) {
        shared.is_cancelled = true;
        hearth_cancel(shared.client, NULL); /* it may have ended just now: then nothing to do */
    }
    pthread_mutex_unlock(&shared.lock);
    if (ends) {
        ssize_t ignored = write(STDOUT_FILENO, "\n", 1);
        (void)ignored;
        _exit(128 + SIGINT); /* every piece was flushed when it came */
    }
}

static void wait_for_interrupts(void *arg)
{
    (void)arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    for (;;) {
        int number;
        if (sigwait(&set, &number) == 0) {
            interrupted();
        }
    }
}

int cli_interrupt_start(hearth_client *client, struct hearth_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    shared.client = client;
    pthread_t thread;
    int rc = hearth_thread_start(&thread, "interrupt", 0, wait_for_interrupts, NULL, err);
    if (rc == 0) {
        pthread_detach(thread);
    }
    return rc;
}

void cli_interrupt_answering(bool is_answering)
{
    pthread_mutex_lock(&shared.lock);
    shared.is_answering = is_answering;
    shared.is_cancelled = false;
    pthread_mutex_unlock(&shared.lock);
}
