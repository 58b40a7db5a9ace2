/* executor.c — seats, and the way of one run.
 *
 * An interrupt may come before, during and after the run that it means: a seat names the job that
 * it answers under its lock, from before the item is asked whether it must end until its run is
 * over, so an interrupt is either seen by that question, or sets the flag of the right run. */

#include "executor.h"

#include <pthread.h>
#include <stdatomic.h>

struct run_seat {
    pthread_mutex_t lock;         /* guards job and the terminate flag in options */
    const struct hearth_job *job; /* whose item is answered now, or NULL */
    OrtRunOptions *options;
};

struct executor {
    struct session session;
    _Atomic(const struct hearth_inbox *) inbox;
    unsigned seat_count;
    struct run_seat seats[];
};

static int seat_init(struct run_seat *seat, struct hearth_error *err)
{
    pthread_mutex_init(&seat->lock, NULL);
    return session_make_run_options(&seat->options, err);
}

int executor_open(const struct hearth_engine_plan *plan, struct executor **ret,
                  struct hearth_error *err)
{
    struct executor *executor =
        hearth_alloc(1, sizeof *executor + plan->threads * sizeof *executor->seats);
    if (executor == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = session_open(&executor->session, plan, err);
    while (rc == 0 && executor->seat_count < plan->threads) {
        rc = seat_init(&executor->seats[executor->seat_count++], err);
    }
    if (rc < 0) {
        executor_close(executor);
        return rc;
    }
    *ret = executor;
    return 0;
}

void executor_close(struct executor *executor)
{
    if (executor == NULL) {
        return;
    }
    for (unsigned i = 0; i < executor->seat_count; i++) {
        session_free_run_options(executor->seats[i].options);
        pthread_mutex_destroy(&executor->seats[i].lock);
    }
    session_close(&executor->session);
    hearth_free(executor);
}

const struct session *executor_session(const struct executor *executor)
{
    return &executor->session;
}

struct run_seat *executor_seat(struct executor *executor, unsigned index)
{
    HEARTH_ASSERT(index < executor->seat_count);
    return &executor->seats[index];
}

void executor_attach(struct executor *executor, const struct hearth_inbox *inbox)
{
    atomic_store(&executor->inbox, inbox);
}

int executor_begin(struct run_seat *seat, const struct hearth_item *item, struct hearth_error *err)
{
    pthread_mutex_lock(&seat->lock);
    seat->job = item->job;
    int rc = session_set_terminate(seat->options, false, err);
    pthread_mutex_unlock(&seat->lock);
    return rc < 0 ? rc : hearth_item_must_end(item);
}

void executor_end(struct run_seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    seat->job = NULL;
    pthread_mutex_unlock(&seat->lock);
}

void executor_interrupt(struct executor *executor, const struct hearth_job *job)
{
    for (unsigned i = 0; i < executor->seat_count; i++) {
        struct run_seat *seat = &executor->seats[i];
        pthread_mutex_lock(&seat->lock);
        if (seat->job == job) {
            (void)session_set_terminate(seat->options, true, NULL);
        }
        pthread_mutex_unlock(&seat->lock);
    }
}

int executor_run(struct executor *executor, struct run_seat *seat, const char *const *input_names,
                 const OrtValue *const *inputs, size_t input_count, const char *const *output_names,
                 size_t output_count, OrtValue **outputs, size_t tokens HEARTH_UNUSED,
                 struct hearth_error *err)
{
    return session_run(&executor->session, seat->options, input_names, inputs, input_count,
                       output_names, output_count, outputs, err);
}
