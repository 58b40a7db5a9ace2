/* test_executor.c — wide or narrow, interrupts and memory, on sessions that are ours: the executor
 * is the real one, with the real inbox; nothing of ONNX Runtime is loaded. */

#include "kit.h"

#include "executor.h"
#include "hearth_os.h"
#include "inbox.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4u

/* ---- sessions of our own --------------------------------------------------------------------- */

struct fake_options {
    atomic_bool must_end;
};

/* A run whose item's text begins with "slow" ends only when told to; others at once. */
static struct fake_world {
    atomic_uint runs[2]; /* begun, by narrow, wide */
    atomic_uint under_way;
    atomic_uint most_under_way;
    atomic_bool may_wide; /* session_open_wide() works */
    atomic_bool has_closed_wide;
    atomic_bool gate_is_open; /* slow runs end by themselves */
} fake;

int session_open(struct session *session, const struct hearth_engine_plan *plan,
                 uint64_t arena_bytes, struct hearth_error *err)
{
    (void)plan;
    (void)arena_bytes;
    (void)err;
    *session = (struct session){0};
    return 0;
}

int session_open_wide(struct session *session, const struct hearth_engine_plan *plan,
                      struct hearth_error *err)
{
    (void)plan;
    if (!atomic_load(&fake.may_wide)) {
        return hearth_fail(err, HEARTH_E_NO_MEMORY, "no");
    }
    session->wide = (OrtSession *)&fake;
    return 0;
}

void session_close_wide(struct session *session)
{
    atomic_store(&fake.has_closed_wide, true);
    session->wide = NULL;
}

void session_trim(const struct session *session)
{
    (void)session;
}

uint64_t session_touched_bytes(const struct session *session)
{
    (void)session;
    return 0;
}

void session_close(struct session *session)
{
    *session = (struct session){0};
}

int session_make_run_options(OrtRunOptions **ret, struct hearth_error *err)
{
    struct fake_options *options = hearth_alloc(1, sizeof *options);
    *ret = (OrtRunOptions *)options;
    return options == NULL ? hearth_fail_oom(err) : 0;
}

void session_free_run_options(OrtRunOptions *options)
{
    hearth_free(options);
}

int session_set_terminate(OrtRunOptions *options, bool must_end, struct hearth_error *err)
{
    (void)err;
    atomic_store(&((struct fake_options *)options)->must_end, must_end);
    return 0;
}

static void count_run(bool is_wide)
{
    atomic_fetch_add(&fake.runs[is_wide], 1);
    unsigned now = atomic_fetch_add(&fake.under_way, 1) + 1;
    unsigned most = atomic_load(&fake.most_under_way);
    while (now > most && !atomic_compare_exchange_weak(&fake.most_under_way, &most, now)) {
    }
}

/* @ports->output_count says whether it is slow. */
int session_run(const struct session *session, bool is_wide, const OrtRunOptions *options,
                const struct run_ports *ports, struct hearth_error *err)
{
    const struct fake_options *mine = (const struct fake_options *)options;
    HEARTH_ASSERT(!is_wide || session->wide != NULL);
    count_run(is_wide);
    bool is_slow = ports->output_count == 1;
    while (is_slow && !atomic_load(&mine->must_end) && !atomic_load(&fake.gate_is_open)) {
        sched_yield();
    }
    bool is_ended = is_slow && atomic_load(&mine->must_end);
    atomic_fetch_sub(&fake.under_way, 1);
    return is_ended ? hearth_fail(err, HEARTH_E_ENGINE_FAILED, "terminated") : 0;
}

/* A run of T tokens is estimated at 1 MiB + 1000 T + 16 T² bytes. */
int weights_measure(const struct hearth_engine_plan *plan, struct weights_shape *ret,
                    struct hearth_error *err)
{
    (void)plan;
    (void)err;
    *ret = (struct weights_shape){.widest = 64, .hidden = 61};
    return 0;
}

/* ---- an engine of our own -------------------------------------------------------------------- */

struct world {
    struct hearth_engine_plan plan;
    struct executor *executor;
    struct hearth_inbox *inbox;
    pthread_t threads[THREADS];
    atomic_uint next_seat;
    atomic_uint finished;
    atomic_uint failed[64]; /* by code */
    atomic_uint ended;      /* jobs */
};

static void on_finish(void *arg, struct hearth_job *job, uint32_t index,
                      const struct hearth_item_result *result)
{
    struct world *w = arg;
    (void)job;
    (void)index;
    (void)result;
    atomic_fetch_add(&w->finished, 1);
}

static void on_fail(void *arg, struct hearth_job *job, uint32_t index, int code,
                    const struct hearth_error *err)
{
    struct world *w = arg;
    (void)job;
    (void)index;
    (void)err;
    atomic_fetch_add(&w->failed[-code], 1);
}

static void on_end(void *arg, struct hearth_job *job)
{
    struct world *w = arg;
    (void)job;
    atomic_fetch_add(&w->ended, 1);
}

static void on_interrupt(void *arg, const struct hearth_job *job)
{
    struct world *w = arg;
    executor_interrupt(w->executor, job);
}

/* As onnx_work() and runner_answer() do it. */
static void answer(struct world *w, struct run_seat *seat, struct hearth_item *item)
{
    struct hearth_error err = {0};
    bool is_slow = item->text.size >= 4 && memcmp(item->text.data, "slow", 4) == 0;
    int rc = executor_begin(seat, item, &err);
    if (rc == 0) {
        rc = executor_run(w->executor, seat, NULL, NULL, 0, NULL, is_slow ? 1 : 0, NULL,
                          item->text.size, &err);
    }
    executor_end(seat);
    if (rc < 0) {
        int why = hearth_item_must_end(item);
        hearth_item_fail(item, why < 0 ? why : rc, &err);
        return;
    }
    hearth_item_finish(item, &(struct hearth_item_result){0});
}

static void *work(void *arg)
{
    struct world *w = arg;
    struct run_seat *seat = executor_seat(w->executor, atomic_fetch_add(&w->next_seat, 1));
    struct hearth_item *item;
    while ((item = hearth_inbox_take(w->inbox, true)) != NULL) {
        answer(w, seat, item);
    }
    return NULL;
}

static void set_option(struct world *w, const char *key, const char *value)
{
    size_t at = w->plan.option_count++;
    snprintf(w->plan.options[at].key, sizeof w->plan.options[at].key, "%s", key);
    snprintf(w->plan.options[at].value, sizeof w->plan.options[at].value, "%s", value);
}

static void open_world(struct world *w, const char *compute_mb)
{
    const struct hearth_sink sink = {
        .finish = on_finish, .fail = on_fail, .end = on_end, .interrupt = on_interrupt, .arg = w};
    w->plan.threads = THREADS;
    if (compute_mb != NULL) {
        set_option(w, "compute_mb", compute_mb);
        set_option(w, "calibrate", "false"); /* memory as estimated */
    }
    assert_int_equal(executor_open(&w->plan, 512, &w->executor, NULL), 0);
    assert_int_equal(hearth_inbox_create(&sink, true, &w->inbox, NULL), 0);
}

static void start(struct world *w)
{
    executor_attach(w->executor, w->inbox);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&w->threads[i], NULL, work, w), 0);
    }
}

static int make(void **state)
{
    memset(&fake, 0, sizeof fake);
    atomic_store(&fake.may_wide, true);
    struct world *w = hearth_alloc(1, sizeof *w);
    *state = w;
    return w == NULL ? -1 : 0;
}

static void close_world(struct world *w)
{
    atomic_store(&fake.gate_is_open, true);
    hearth_inbox_close(w->inbox);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(w->threads[i], NULL);
    }
    hearth_inbox_destroy(w->inbox);
    executor_close(w->executor);
}

static int unmake(void **state)
{
    hearth_free(*state);
    return 0;
}

static void push(struct world *w, uint64_t id, uint64_t deadline_ns, const char *text)
{
    struct hearth_wire_text record = {.text = hearth_slice_of_string(text)};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = id;
    request->task = HEARTH_TASK_EMBED;
    request->model_id = hearth_slice_of_string("m");
    request->texts = (struct hearth_wire_list){.count = 1, .items = &record};
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 65536);
    assert_int_equal(hearth_wire_encode(&message, &frame), 0);
    assert_int_equal(hearth_inbox_push(w->inbox, hearth_buf_slice(&frame), deadline_ns, NULL, NULL),
                     0);
}

static void await(const atomic_uint *count, unsigned wanted)
{
    while (atomic_load(count) < wanted) {
        sched_yield();
    }
}

/* Wide was measured to pay for every length. */
static int make_trial(void *arg, size_t tokens, struct hearth_error *err)
{
    struct world *w = arg;
    (void)tokens;
    unsigned wide = atomic_load(&fake.runs[true]);
    int rc = executor_run(w->executor, executor_seat(w->executor, 0), NULL, NULL, 0, NULL, 0, NULL,
                          tokens, err);
    bool was_wide = atomic_load(&fake.runs[true]) > wide;
    uint64_t end_ns = hearth_clock_ns() + (was_wide ? 200000 : 2000000);
    while (hearth_clock_ns() < end_ns) {
    }
    return rc;
}

static void calibrate_wide(struct world *w)
{
    struct calibration found;
    executor_calibrate(w->executor, 512, make_trial, w, &found);
    assert_int_equal(found.wide_from, 4);
    atomic_store(&fake.runs[false], 0);
    atomic_store(&fake.runs[true], 0);
    atomic_store(&fake.most_under_way, 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_lonely_item_is_wide_and_one_that_comes_meanwhile_is_narrow_at_once(void **state)
{
    struct world *w = *state;
    open_world(w, NULL);
    calibrate_wide(w);
    start(w);

    push(w, 1, UINT64_MAX, "slow one");
    await(&fake.runs[true], 1);
    push(w, 2, UINT64_MAX, "slow two");
    await(&fake.under_way, 2);

    assert_int_equal(atomic_load(&fake.runs[true]), 1);
    assert_int_equal(atomic_load(&fake.runs[false]), 1);
    assert_int_equal(atomic_load(&w->ended), 0);
    close_world(w);
}

static void less_than_all_threads_leased_means_narrow(void **state)
{
    struct world *w = *state;
    open_world(w, NULL);
    calibrate_wide(w);
    hearth_inbox_set_width(w->inbox, THREADS - 1);
    start(w);

    push(w, 1, UINT64_MAX, "text");
    await(&w->ended, 1);
    hearth_inbox_set_width(w->inbox, THREADS);
    push(w, 2, UINT64_MAX, "text");
    await(&w->ended, 2);

    assert_int_equal(atomic_load(&fake.runs[false]), 1);
    assert_int_equal(atomic_load(&fake.runs[true]), 1);
    close_world(w);
}

static void a_model_whose_second_session_fails_serves_with_the_first(void **state)
{
    struct world *w = *state;
    atomic_store(&fake.may_wide, false);
    open_world(w, NULL);
    assert_false(executor_has_wide(w->executor));
    start(w);

    push(w, 1, UINT64_MAX, "text");
    await(&w->ended, 1);

    assert_int_equal(atomic_load(&w->finished), 1);
    close_world(w);
}

static void a_cancel_ends_the_run_of_its_job_and_no_other(void **state)
{
    struct world *w = *state;
    open_world(w, NULL);
    start(w);
    push(w, 1, UINT64_MAX, "slow one");
    push(w, 2, UINT64_MAX, "slow two");
    while (atomic_load(&fake.runs[false]) + atomic_load(&fake.runs[true]) < 2) {
        sched_yield();
    }

    assert_true(hearth_inbox_cancel(w->inbox, 1));
    await(&w->ended, 1);

    assert_int_equal(atomic_load(&w->failed[-HEARTH_E_CANCELLED]), 1);
    assert_int_equal(atomic_load(&fake.under_way), 1);
    close_world(w);
    assert_int_equal(atomic_load(&w->finished), 1); /* the other, when it was let go */
}

static void a_deadline_ends_a_run(void **state)
{
    struct world *w = *state;
    open_world(w, NULL);
    start(w);
    uint64_t deadline_ns = hearth_clock_ns() + 3600 * UINT64_C(1000000000);
    push(w, 1, deadline_ns, "slow one");
    while (atomic_load(&fake.under_way) < 1) {
        sched_yield();
    }

    hearth_inbox_expire(w->inbox, deadline_ns);
    await(&w->ended, 1);

    assert_int_equal(atomic_load(&w->failed[-HEARTH_E_EXPIRED]), 1);
    close_world(w);
}

/* 400 tokens need over 3.8 MiB: of 5 MiB that leaves nothing for a second one. */
static void runs_beyond_the_budget_wait_and_a_cancel_reaches_them(void **state)
{
    struct world *w = *state;
    char text[401];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text, "slow", 4);
    open_world(w, "5");
    struct calibration found;
    executor_calibrate(w->executor, 512, make_trial, w, &found);
    atomic_store(&fake.most_under_way, 0);
    start(w);

    for (uint64_t id = 1; id <= THREADS; id++) {
        push(w, id, UINT64_MAX, text);
    }
    struct hearth_inbox_counts counts;
    do {
        hearth_inbox_counts(w->inbox, &counts);
    } while (counts.held_items < THREADS);
    for (uint64_t id = 1; id <= THREADS; id++) {
        assert_true(hearth_inbox_cancel(w->inbox, id));
    }
    await(&w->ended, THREADS);

    assert_int_equal(atomic_load(&w->failed[-HEARTH_E_CANCELLED]), THREADS);
    assert_in_range(atomic_load(&fake.most_under_way), 0, 1);
    close_world(w);
}

static void an_item_that_can_never_fit_is_refused_before_it_runs(void **state)
{
    struct world *w = *state;
    char text[513];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    open_world(w, "2");
    struct calibration found;
    executor_calibrate(w->executor, 512, make_trial, w, &found);
    atomic_store(&fake.runs[false], 0);
    atomic_store(&fake.runs[true], 0);
    start(w);

    push(w, 1, UINT64_MAX, text);
    await(&w->ended, 1);
    assert_int_equal(atomic_load(&w->failed[-HEARTH_E_TOO_LARGE]), 1);
    assert_int_equal(atomic_load(&fake.runs[false]) + atomic_load(&fake.runs[true]), 0);

    push(w, 2, UINT64_MAX, "short");
    await(&w->ended, 2);
    assert_int_equal(atomic_load(&w->finished), 1);
    close_world(w);
}

static int run_at_once(void *arg, size_t tokens, struct hearth_error *err)
{
    struct world *w = arg;
    return executor_run(w->executor, executor_seat(w->executor, 0), NULL, NULL, 0, NULL, 0, NULL,
                        tokens, err);
}

/* As with raw tensors, for which nobody can make up an input. */
static void what_loading_did_not_try_is_learned_from_lonely_items(void **state)
{
    struct world *w = *state;
    struct calibration found;
    open_world(w, NULL);
    executor_calibrate(w->executor, 512, NULL, NULL, &found);
    assert_int_equal(found.longest, 0);
    assert_true(executor_has_wide(w->executor));
    start(w);

    push(w, 1, UINT64_MAX, "first");
    await(&w->ended, 1);
    assert_int_equal(atomic_load(&fake.runs[false]), 1);
    push(w, 2, UINT64_MAX, "other");
    await(&w->ended, 2);
    assert_int_equal(atomic_load(&fake.runs[true]), 1);
    close_world(w);
}

static void a_wide_session_that_is_worthless_is_closed(void **state)
{
    struct world *w = *state;
    open_world(w, NULL);
    assert_true(executor_has_wide(w->executor));
    assert_false(executor_is_cheap(w->executor, 4)); /* nothing is known yet */
    struct calibration found;
    executor_calibrate(w->executor, 512, run_at_once, w, &found);
    assert_true(executor_is_cheap(w->executor, 4));
    assert_true(found.is_worthless);
    assert_true(atomic_load(&fake.has_closed_wide));
    assert_false(executor_has_wide(w->executor));
    start(w);
    close_world(w);
}

/* Cancels come before, during and after runs; whatever happens, each job ends once and no cancel
 * hits the run of another job: what was not cancelled must finish. */
static void any_order_of_runs_and_cancels_ends_each_job_once(void **state)
{
    struct world *w = *state;
    enum { JOBS = 3000, AT_ONCE = 16 };
    struct kit_random random = {kit_random_seed(7)};
    unsigned cancelled = 0;
    open_world(w, NULL);
    calibrate_wide(w);
    start(w);
    for (uint64_t id = 1; id <= JOBS; id++) {
        bool is_slow = kit_random_below(&random, 2) == 0;
        push(w, id, UINT64_MAX, is_slow ? "slow" : "quick");
        for (uint64_t spins = kit_random_below(&random, 200); spins > 0; spins--) {
            sched_yield();
        }
        if (is_slow || kit_random_below(&random, 4) == 0) { /* a slow one ends by this alone */
            cancelled += hearth_inbox_cancel(w->inbox, id);
        }
        if (id > AT_ONCE) {
            await(&w->ended, (unsigned)id - AT_ONCE);
        }
    }
    await(&w->ended, JOBS);

    /* A cancel that loses the race against the end of a quick run changes nothing. */
    assert_int_equal(atomic_load(&w->ended), JOBS);
    assert_int_equal(atomic_load(&w->finished) + atomic_load(&w->failed[-HEARTH_E_CANCELLED]),
                     JOBS);
    assert_in_range(atomic_load(&w->failed[-HEARTH_E_CANCELLED]), 1, cancelled);
    close_world(w);
}

KIT_MAIN(cmocka_unit_test_setup_teardown(
             a_lonely_item_is_wide_and_one_that_comes_meanwhile_is_narrow_at_once, make, unmake),
         cmocka_unit_test_setup_teardown(less_than_all_threads_leased_means_narrow, make, unmake),
         cmocka_unit_test_setup_teardown(a_model_whose_second_session_fails_serves_with_the_first,
                                         make, unmake),
         cmocka_unit_test_setup_teardown(a_cancel_ends_the_run_of_its_job_and_no_other, make,
                                         unmake),
         cmocka_unit_test_setup_teardown(a_deadline_ends_a_run, make, unmake),
         cmocka_unit_test_setup_teardown(runs_beyond_the_budget_wait_and_a_cancel_reaches_them,
                                         make, unmake),
         cmocka_unit_test_setup_teardown(an_item_that_can_never_fit_is_refused_before_it_runs, make,
                                         unmake),
         cmocka_unit_test_setup_teardown(what_loading_did_not_try_is_learned_from_lonely_items,
                                         make, unmake),
         cmocka_unit_test_setup_teardown(a_wide_session_that_is_worthless_is_closed, make, unmake),
         cmocka_unit_test_setup_teardown(any_order_of_runs_and_cancels_ends_each_job_once, make,
                                         unmake))
