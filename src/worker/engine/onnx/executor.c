/* executor.c — seats, and the way of one run.
 *
 * An interrupt may come before, during and after the run that it means: a seat names the job that
 * it answers under its lock, from before the item is asked whether it must end until its run is
 * over, so an interrupt is either seen by that question, or sets the flag of the right run. */

#include "executor.h"

#include "estimate.h"

#include "hearth_os.h"

#include <pthread.h>
#include <string.h>

struct run_seat {
    pthread_mutex_t lock;         /* guards job and the terminate flag in options */
    const struct hearth_job *job; /* whose item is answered now, or NULL */
    OrtRunOptions *options;
    atomic_bool must_end; /* the same flag for who waits for memory */
    struct run_claim claim;
};

/* Waking a thread and being woken by it took 80 µs in a virtual machine; meanwhile nobody reads
 * what else comes in. */
#define CHEAP_NS UINT64_C(500000)

enum wide_policy { WIDE_AUTO, WIDE_ALWAYS, WIDE_NEVER };

struct executor {
    struct session session;
    struct run_memory memory;
    struct choice choice;
    struct weights_shape shape;
    uint64_t start_bytes; /* of the arena, before the first run */
    enum wide_policy policy;
    bool may_calibrate;
    bool is_forced; /* while calibrating */
    bool is_forced_wide;
    _Atomic(const struct hearth_inbox *) inbox;
    unsigned threads;
    unsigned seat_count; /* one more, for the link thread */
    struct run_seat seats[];
};

/* ---- life ------------------------------------------------------------------------------------ */

static int seat_init(struct run_seat *seat, struct hearth_error *err)
{
    pthread_mutex_init(&seat->lock, NULL);
    return session_make_run_options(&seat->options, err);
}

static int read_policy(const struct hearth_engine_plan *plan, enum wide_policy *ret,
                       struct hearth_error *err)
{
    static const char *const names[] = {
        [WIDE_AUTO] = "auto", [WIDE_ALWAYS] = "always", [WIDE_NEVER] = "never"};
    const char *told = hearth_plan_string(plan, "wide");
    for (size_t i = 0; told != NULL && i < HEARTH_COUNT(names); i++) {
        if (strcmp(told, names[i]) == 0) {
            *ret = (enum wide_policy)i;
            return 0;
        }
    }
    return told == NULL
               ? 0
               : hearth_fail(err, HEARTH_E_CONFIG,
                             "option wide is \"%.32s\"; known are auto, always and never", told);
}

/* More threads are a gain at best: without the second session the first one serves all. */
static void open_wide(struct executor *executor, const struct hearth_engine_plan *plan)
{
    bool is_wanted = plan->threads > 1 && executor->policy != WIDE_NEVER;
    if (is_wanted && session_open_wide(&executor->session, plan, NULL) < 0) {
        session_close_wide(&executor->session);
    }
}

int executor_open(const struct hearth_engine_plan *plan, size_t max_tokens, struct executor **ret,
                  struct hearth_error *err)
{
    struct executor *executor =
        hearth_alloc(1, sizeof *executor + (plan->threads + 1) * sizeof *executor->seats);
    if (executor == NULL) {
        return hearth_fail_oom(err);
    }
    uint64_t arena_bytes = 0;
    uint64_t budget_bytes = 0;
    executor->may_calibrate = true;
    executor->threads = plan->threads;
    choice_init(&executor->choice);
    int rc = hearth_plan_bool(plan, "calibrate", &executor->may_calibrate, err);
    if (rc == 0) {
        rc = read_policy(plan, &executor->policy, err);
    }
    if (rc == 0) {
        rc = estimate_budget(plan, max_tokens, &executor->shape, &budget_bytes, &arena_bytes, err);
    }
    run_memory_init(&executor->memory, budget_bytes);
    if (rc == 0) {
        rc = session_open(&executor->session, plan, arena_bytes, err);
    }
    while (rc == 0 && executor->seat_count <= plan->threads) {
        rc = seat_init(&executor->seats[executor->seat_count++], err);
    }
    if (rc < 0) {
        executor_close(executor);
        return rc;
    }
    open_wide(executor, plan);
    executor->start_bytes = session_touched_bytes(&executor->session);
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
    run_memory_finish(&executor->memory);
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

bool executor_is_cheap(const struct executor *executor, size_t tokens)
{
    return choice_foreseen_ns(&executor->choice, tokens) <= CHEAP_NS;
}

bool executor_has_wide(const struct executor *executor)
{
    return executor->session.wide != NULL;
}

/* ---- calibrating ----------------------------------------------------------------------------- */

struct trial {
    struct executor *executor;
    executor_run_fn *run;
    void *arg;
};

static int make_trial(void *arg, size_t tokens, bool is_wide, struct hearth_error *err)
{
    struct trial *trial = arg;
    trial->executor->is_forced_wide = is_wide;
    return trial->run(trial->arg, tokens, err);
}

static uint64_t trial_clock(void *arg HEARTH_UNUSED)
{
    return hearth_clock_ns();
}

static uint64_t trial_memory(void *arg)
{
    const struct trial *trial = arg;
    return session_touched_bytes(&trial->executor->session);
}

void executor_calibrate(struct executor *executor, size_t max_tokens, executor_run_fn *run,
                        void *arg, struct calibration *ret)
{
    *ret = (struct calibration){.wide_from = CHOICE_NEVER};
    if (run != NULL && executor->may_calibrate) {
        struct trial trial = {executor, run, arg};
        const struct calibrate_runs runs = {make_trial, trial_clock, trial_memory, &trial};
        executor->is_forced = true;
        calibrate(&runs, max_tokens, executor_has_wide(executor), executor->start_bytes,
                  &executor->memory, &executor->choice, ret);
        executor->is_forced = false;
        if (ret->is_worthless && executor->policy == WIDE_AUTO) {
            session_close_wide(&executor->session);
        }
    }
    if (run != NULL) {
        estimate_curve(&executor->shape, max_tokens, &executor->memory);
    }
    session_trim(&executor->session);
}

/* ---- interrupts ------------------------------------------------------------------------------ */

void executor_attach(struct executor *executor, const struct hearth_inbox *inbox)
{
    atomic_store(&executor->inbox, inbox);
}

int executor_begin(struct run_seat *seat, const struct hearth_item *item, struct hearth_error *err)
{
    pthread_mutex_lock(&seat->lock);
    seat->job = item->job;
    atomic_store(&seat->must_end, false);
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
            atomic_store(&seat->must_end, true);
            (void)session_set_terminate(seat->options, true, NULL);
        }
        pthread_mutex_unlock(&seat->lock);
    }
    run_memory_wake(&executor->memory);
}

/* ---- one run --------------------------------------------------------------------------------- */

static bool is_lonely(const struct executor *executor)
{
    const struct hearth_inbox *inbox = atomic_load(&executor->inbox);
    return inbox != NULL && hearth_inbox_is_lonely(inbox, executor->threads);
}

/* Asked at the last moment, after the wait for memory. */
static bool must_be_wide(struct executor *executor, bool is_alone, size_t tokens)
{
    if (!executor_has_wide(executor)) {
        return false;
    }
    if (executor->is_forced) {
        return executor->is_forced_wide;
    }
    return is_alone &&
           (executor->policy == WIDE_ALWAYS || choice_is_wide(&executor->choice, tokens));
}

/* While loading runs are alone, so that what was ever used of the arena is theirs. */
static void learn_memory(struct executor *executor, size_t tokens)
{
    uint64_t touched = session_touched_bytes(&executor->session);
    if (touched > executor->start_bytes) {
        run_memory_learn(&executor->memory, tokens, touched - executor->start_bytes);
    }
}

int executor_run(struct executor *executor, struct run_seat *seat, const char *const *input_names,
                 const OrtValue *const *inputs, size_t input_count, const char *const *output_names,
                 size_t output_count, OrtValue **outputs, size_t tokens, struct hearth_error *err)
{
    /* While loading, what a run takes is being found out: a square drawn through one short run
     * would refuse lengths that fit. */
    bool is_loading = atomic_load(&executor->inbox) == NULL;
    int rc = is_loading
                 ? 0
                 : run_memory_claim(&executor->memory, &seat->claim, tokens, &seat->must_end, err);
    if (rc < 0) {
        return rc;
    }
    const struct run_ports ports = {input_names,  inputs,       input_count,
                                    output_names, output_count, outputs};
    bool is_alone = is_lonely(executor);
    bool is_wide = must_be_wide(executor, is_alone, tokens);
    bool is_lesson = is_alone && executor_has_wide(executor);
    uint64_t start_ns = is_lesson ? hearth_clock_ns() : 0;
    rc = session_run(&executor->session, is_wide, seat->options, &ports, err);
    if (rc == 0 && is_lesson) {
        choice_note(&executor->choice, tokens, is_wide, hearth_clock_ns() - start_ns);
    }
    if (rc == 0 && is_loading && !executor->is_forced) {
        learn_memory(executor, tokens);
    }
    run_memory_release(&executor->memory, &seat->claim);
    return rc;
}
