/* thread.c — named threads of a given priority. */

#include "thread.h"

#include "process.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>

/* Lives on the starter's stack until the thread has read it and said how its set-up went. */
struct start {
    const char *name;
    int nice;
    hearth_thread_fn *run;
    void *arg;
    int rc;
    struct hearth_error *err;
    sem_t is_set_up;
};

int hearth_thread_nice(void)
{
    return getpriority(PRIO_PROCESS, 0); /* cannot fail for the caller itself */
}

int hearth_thread_set_nice(int nice, struct hearth_error *err)
{
    /* On Linux priority belongs to a thread, and 0 is the calling one. */
    if (setpriority(PRIO_PROCESS, 0, nice) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "set the priority of a thread to %d", nice);
    }
    return 0;
}

static void *thread_main(void *arg)
{
    struct start *start = arg;
    hearth_thread_fn *run = start->run;
    void *run_arg = start->arg;
    hearth_process_set_name(start->name);
    int rc = start->nice != 0 ? hearth_thread_set_nice(start->nice, start->err) : 0;
    start->rc = rc;
    sem_post(&start->is_set_up); /* *start is gone from here on */
    if (rc == 0) {
        run(run_arg);
    }
    return NULL;
}

int hearth_thread_start(pthread_t *ret_thread, const char *name, int nice, hearth_thread_fn *run,
                        void *arg, struct hearth_error *err)
{
    struct start start = {.name = name, .nice = nice, .run = run, .arg = arg, .err = err};
    HEARTH_ASSERT(sem_init(&start.is_set_up, 0, 0) == 0);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_t thread;
    /* Signals stay with the thread that watches for them: the new one inherits a full mask. */
    HEARTH_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failed = pthread_create(&thread, NULL, thread_main, &start);
    HEARTH_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failed != 0) {
        sem_destroy(&start.is_set_up);
        errno = failed;
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "start thread %s", name);
    }
    while (sem_wait(&start.is_set_up) != 0) {
        HEARTH_ASSERT(errno == EINTR);
    }
    sem_destroy(&start.is_set_up);
    if (start.rc < 0) {
        hearth_thread_join(thread);
        return start.rc;
    }
    *ret_thread = thread;
    return 0;
}

void hearth_thread_join(pthread_t thread)
{
    HEARTH_ASSERT(pthread_join(thread, NULL) == 0);
}
