/* test_inbox.c — order, width, cancel, deadlines, close; and many threads at once. */

#include "kit.h"

#include "inbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* What the sink was told, in order: "f0" finish, "x0=-14" fail, "e" end, "i" interrupt. */
struct world {
    struct hearth_inbox *inbox;
    char told[512];
};

static void tell(struct world *w, const char *format, ...) HEARTH_PRINTF(2, 3);
static void tell(struct world *w, const char *format, ...)
{
    size_t used = strlen(w->told);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->told + used, sizeof w->told - used, format, arguments);
    va_end(arguments);
}

static void on_piece(void *arg, struct hearth_job *job, uint32_t index, struct hearth_slice text,
                     uint32_t tokens)
{
    (void)job;
    (void)tokens;
    tell(arg, "p%u=%.*s ", index, HEARTH_SLICE_ARGS(text));
}

static void on_finish(void *arg, struct hearth_job *job, uint32_t index,
                      const struct hearth_item_result *result)
{
    (void)job;
    (void)result;
    tell(arg, "f%u ", index);
}

static void on_fail(void *arg, struct hearth_job *job, uint32_t index, int code,
                    const struct hearth_error *err)
{
    (void)job;
    (void)err;
    tell(arg, "x%u=%s ", index, hearth_error_name(code));
}

static void on_end(void *arg, struct hearth_job *job)
{
    tell(arg, "e%s ", (const char *)hearth_job_user(job));
}

static void on_interrupt(void *arg, const struct hearth_job *job)
{
    tell(arg, "i%s ", (const char *)hearth_job_user(job));
}

static int make(void **state, bool is_longest_first)
{
    struct world *w = hearth_alloc(1, sizeof *w);
    const struct hearth_sink sink = {.piece = on_piece,
                                     .finish = on_finish,
                                     .fail = on_fail,
                                     .end = on_end,
                                     .interrupt = on_interrupt,
                                     .arg = w};
    *state = w;
    return hearth_inbox_create(&sink, is_longest_first, &w->inbox, NULL);
}

static int make_by_arrival(void **state)
{
    return make(state, false);
}

static int make_longest_first(void **state)
{
    return make(state, true);
}

static int unmake(void **state)
{
    struct world *w = *state;
    hearth_inbox_destroy(w->inbox);
    hearth_free(w);
    return 0;
}

static int push_or_take(struct hearth_inbox *inbox, uint64_t id, enum hearth_priority priority,
                        const char *const *texts, uint64_t deadline_ns, void *user,
                        struct hearth_item **ret_item, struct hearth_error *err)
{
    struct hearth_wire_text records[4] = {0};
    uint32_t count = 0;
    while (texts[count] != NULL) {
        records[count].text = hearth_slice_of_string(texts[count]);
        count++;
    }
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = id;
    request->task = HEARTH_TASK_EMBED;
    request->priority = (uint8_t)priority;
    request->model_id = hearth_slice_of_string("m");
    request->texts = (struct hearth_wire_list){.count = count, .items = records};
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 65536);
    int rc = hearth_wire_encode(&message, &frame);
    if (rc != 0) {
        return rc;
    }
    struct hearth_slice bytes = hearth_buf_slice(&frame);
    return ret_item == NULL
               ? hearth_inbox_push(inbox, bytes, deadline_ns, user, err)
               : hearth_inbox_push_or_take(inbox, bytes, deadline_ns, user, ret_item, err);
}

static int push(struct hearth_inbox *inbox, uint64_t id, enum hearth_priority priority,
                const char *const *texts, uint64_t deadline_ns, void *user,
                struct hearth_error *err)
{
    return push_or_take(inbox, id, priority, texts, deadline_ns, user, NULL, err);
}

#define TEXTS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define PUSH(w, id, priority, ...)                                                                 \
    assert_int_equal(push((w)->inbox, id, priority, TEXTS(__VA_ARGS__), UINT64_MAX, "", NULL), 0)

static void expect_text(struct hearth_item *item, const char *text)
{
    assert_non_null(item);
    if (!hearth_slice_equals_string(item->text, text)) {
        fail_msg("took \"%.*s\", wanted \"%s\"", HEARTH_SLICE_ARGS(item->text), text);
    }
}

static void take_and_finish(struct world *w, const char *text)
{
    const struct hearth_item_result result = {0};
    struct hearth_item *item = hearth_inbox_take(w->inbox, false);
    expect_text(item, text);
    hearth_item_finish(item, &result);
}

static void higher_priority_comes_first_then_arrival(void **state)
{
    struct world *w = *state;
    PUSH(w, 1, HEARTH_LOW, "low");
    PUSH(w, 2, HEARTH_NORMAL, "n1", "a longer n2");
    PUSH(w, 3, HEARTH_CRITICAL, "critical");
    PUSH(w, 4, HEARTH_HIGH, "high");
    take_and_finish(w, "critical");
    take_and_finish(w, "high");
    take_and_finish(w, "n1");
    take_and_finish(w, "a longer n2");
    take_and_finish(w, "low");
    assert_null(hearth_inbox_take(w->inbox, false));
}

static void only_an_item_of_a_higher_class_is_taken_above_one(void **state)
{
    struct world *w = *state;
    PUSH(w, 1, HEARTH_NORMAL, "normal");
    PUSH(w, 2, HEARTH_HIGH, "high");
    assert_null(hearth_inbox_take_above(w->inbox, HEARTH_HIGH));
    assert_null(hearth_inbox_take_above(w->inbox, HEARTH_CRITICAL));
    struct hearth_item *item = hearth_inbox_take_above(w->inbox, HEARTH_NORMAL);
    assert_non_null(item);
    assert_true(hearth_slice_equals_string(item->text, "high"));
    assert_null(hearth_inbox_take_above(w->inbox, HEARTH_NORMAL));
    hearth_item_finish(item, &(struct hearth_item_result){0});
    take_and_finish(w, "normal");
}

static void longest_comes_first_inside_a_priority(void **state)
{
    struct world *w = *state;
    PUSH(w, 1, HEARTH_NORMAL, "22", "4444", "1");
    PUSH(w, 2, HEARTH_NORMAL, "333", "aa");
    PUSH(w, 3, HEARTH_LOW, "the longest of all");
    take_and_finish(w, "4444");
    take_and_finish(w, "333");
    take_and_finish(w, "22");
    take_and_finish(w, "aa"); /* equal lengths by arrival */
    take_and_finish(w, "1");
    take_and_finish(w, "the longest of all");
}

/* Ids wait where a text of about as many tokens would. */
static void ids_count_as_four_bytes_each(void **state)
{
    struct world *w = *state;
    static const uint32_t ids[3] = {1, 2, 3};
    const struct hearth_wire_text input = {.tokens = {ids, 3}};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = HEARTH_TASK_EMBED;
    request->model_id = hearth_slice_of_string("m");
    request->texts = (struct hearth_wire_list){.count = 1, .items = &input};
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 65536);
    assert_int_equal(hearth_wire_encode(&message, &frame), 0);
    assert_int_equal(hearth_inbox_push(w->inbox, hearth_buf_slice(&frame), UINT64_MAX, "", NULL),
                     0);
    PUSH(w, 2, HEARTH_NORMAL, "elevenbytes", "thirteenbytes");
    take_and_finish(w, "thirteenbytes");
    struct hearth_item *item = hearth_inbox_take(w->inbox, false);
    const struct hearth_item_result result = {0};
    assert_int_equal(item->text.size, 0);
    assert_int_equal(item->tokens.count, 3);
    assert_memory_equal(item->tokens.data, ids, sizeof ids);
    hearth_item_finish(item, &result);
    take_and_finish(w, "elevenbytes");
}

static void a_short_text_does_not_starve_behind_long_ones(void **state)
{
    struct world *w = *state;
    const struct hearth_item_result result = {0};
    PUSH(w, 1, HEARTH_NORMAL, "s");
    for (uint64_t takes = 1;; takes++) {
        assert_true(takes <= 8);
        PUSH(w, 1 + takes, HEARTH_NORMAL, "a long text");
        struct hearth_item *item = hearth_inbox_take(w->inbox, false);
        bool is_short = item->text.size == 1;
        hearth_item_finish(item, &result);
        if (is_short) {
            break;
        }
    }
    for (struct hearth_item *item; (item = hearth_inbox_take(w->inbox, false)) != NULL;) {
        hearth_item_finish(item, &result);
    }
}

static void width_limits_what_is_held(void **state)
{
    struct world *w = *state;
    const struct hearth_item_result result = {0};
    hearth_inbox_set_width(w->inbox, 1);
    PUSH(w, 1, HEARTH_NORMAL, "a", "b", "c");
    struct hearth_item *first = hearth_inbox_take(w->inbox, false);
    expect_text(first, "a");
    assert_null(hearth_inbox_take(w->inbox, false));
    hearth_inbox_set_width(w->inbox, 2);
    struct hearth_item *second = hearth_inbox_take(w->inbox, false);
    expect_text(second, "b");
    assert_null(hearth_inbox_take(w->inbox, false));
    hearth_item_finish(first, &result);
    take_and_finish(w, "c");
    hearth_item_finish(second, &result);
    assert_string_equal(w->told, "f0 f2 f1 e ");
}

static void cancel_ends_what_waits_and_interrupts_what_runs(void **state)
{
    struct world *w = *state;
    assert_int_equal(push(w->inbox, 9, HEARTH_NORMAL, TEXTS("a", "b"), UINT64_MAX, "J", NULL), 0);
    struct hearth_item *held = hearth_inbox_take(w->inbox, false);
    assert_int_equal(hearth_item_must_end(held), 0);
    assert_true(hearth_inbox_cancel(w->inbox, 9));
    assert_string_equal(w->told, "iJ x1=cancelled ");
    assert_int_equal(hearth_item_must_end(held), HEARTH_E_CANCELLED);
    hearth_item_fail(held, HEARTH_E_CANCELLED, NULL);
    assert_string_equal(w->told, "iJ x1=cancelled x0=cancelled eJ ");
    assert_false(hearth_inbox_cancel(w->inbox, 9));
}

static void an_item_that_fails_ends_its_job(void **state)
{
    struct world *w = *state;
    PUSH(w, 1, HEARTH_NORMAL, "a", "b", "c");
    PUSH(w, 2, HEARTH_NORMAL, "other");
    hearth_item_fail(hearth_inbox_take(w->inbox, false), HEARTH_E_TOO_LONG, NULL);
    assert_string_equal(w->told, "x0=too_long x1=cancelled x2=cancelled e ");
    take_and_finish(w, "other");
}

static void a_deadline_ends_its_job_and_the_next_is_told(void **state)
{
    struct world *w = *state;
    assert_int_equal(push(w->inbox, 1, HEARTH_NORMAL, TEXTS("a"), 1000, "A", NULL), 0);
    assert_int_equal(push(w->inbox, 2, HEARTH_NORMAL, TEXTS("b"), 3000, "B", NULL), 0);
    assert_int_equal(push(w->inbox, 3, HEARTH_NORMAL, TEXTS("c"), UINT64_MAX, "C", NULL), 0);
    assert_int_equal(hearth_inbox_expire(w->inbox, 999), 1000);
    assert_string_equal(w->told, "");
    assert_int_equal(hearth_inbox_expire(w->inbox, 1000), 3000);
    assert_string_equal(w->told, "x0=expired eA ");
    assert_true(hearth_inbox_expire(w->inbox, 3000) == UINT64_MAX);
    take_and_finish(w, "c");
}

static void close_ends_what_waits_and_refuses_more(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    PUSH(w, 1, HEARTH_NORMAL, "held", "waiting");
    struct hearth_item *held = hearth_inbox_take(w->inbox, false);
    hearth_inbox_close(w->inbox);
    assert_true(hearth_inbox_is_closed(w->inbox));
    assert_null(hearth_inbox_take(w->inbox, true));
    assert_int_equal(push(w->inbox, 2, HEARTH_NORMAL, TEXTS("x"), UINT64_MAX, "", &err),
                     HEARTH_E_SHUTTING_DOWN);
    hearth_item_fail(held, HEARTH_E_SHUTTING_DOWN, NULL);
    assert_string_equal(w->told, "i x1=shutting_down x0=shutting_down e ");
}

static void an_open_id_is_refused_and_free_again_when_ended(void **state)
{
    struct world *w = *state;
    struct hearth_error err = {0};
    PUSH(w, 5, HEARTH_NORMAL, "a");
    assert_int_equal(push(w->inbox, 5, HEARTH_NORMAL, TEXTS("b"), UINT64_MAX, "", &err),
                     HEARTH_E_BUSY);
    take_and_finish(w, "a");
    PUSH(w, 5, HEARTH_NORMAL, "b");
    take_and_finish(w, "b");
}

static void steady_state_allocates_nothing(void **state)
{
    struct world *w = *state;
    PUSH(w, 1, HEARTH_NORMAL, "warm", "up");
    take_and_finish(w, "warm");
    take_and_finish(w, "up");
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 65536);
    struct hearth_wire_text text = {.text = hearth_slice_of_string("again")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    hearth_wire_default_request(&message.as.inference_request);
    message.as.inference_request.request_id = 2;
    message.as.inference_request.task = HEARTH_TASK_EMBED;
    message.as.inference_request.model_id = hearth_slice_of_string("m");
    message.as.inference_request.texts = (struct hearth_wire_list){.count = 1, .items = &text};
    assert_int_equal(hearth_wire_encode(&message, &frame), 0);
    uint64_t before = hearth_alloc_count();
    for (int i = 0; i < 100; i++) {
        w->told[0] = '\0';
        assert_int_equal(
            hearth_inbox_push(w->inbox, hearth_buf_slice(&frame), UINT64_MAX, "", NULL), 0);
        take_and_finish(w, "again");
    }
    assert_int_equal(hearth_alloc_count(), before);
}

static void push_survives_any_failed_allocation(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct world w = {0};
        const struct hearth_sink sink = {
            .piece = on_piece, .finish = on_finish, .fail = on_fail, .end = on_end, .arg = &w};
        struct hearth_error err = {0};
        int rc = hearth_inbox_create(&sink, true, &w.inbox, &err);
        if (rc == 0) {
            rc = push(w.inbox, 1, HEARTH_NORMAL, TEXTS("a"), UINT64_MAX, "", &err);
        }
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        if (rc == 0) {
            take_and_finish(&w, "a");
        }
        hearth_inbox_destroy(w.inbox);
    }
}

/* ---- many threads: every item ends exactly once, every job once ------------------------------ */

enum { STORM_JOBS = 400, STORM_THREADS = 4 };

struct storm_shared {
    struct hearth_inbox *inbox;
    atomic_uint ended_items;
    atomic_uint ended_jobs;
    atomic_uint ends_of[STORM_JOBS + 1];
};

static void storm_item(struct storm_shared *storm)
{
    atomic_fetch_add(&storm->ended_items, 1);
}

static void storm_piece(void *arg, struct hearth_job *job, uint32_t index, struct hearth_slice text,
                        uint32_t tokens)
{
    (void)arg;
    (void)job;
    (void)index;
    (void)text;
    (void)tokens;
}

static void storm_finish(void *arg, struct hearth_job *job, uint32_t index,
                         const struct hearth_item_result *result)
{
    (void)job;
    (void)index;
    (void)result;
    storm_item(arg);
}

static void storm_fail(void *arg, struct hearth_job *job, uint32_t index, int code,
                       const struct hearth_error *err)
{
    (void)job;
    (void)index;
    (void)code;
    (void)err;
    storm_item(arg);
}

static void storm_end(void *arg, struct hearth_job *job)
{
    struct storm_shared *storm = arg;
    atomic_fetch_add(&storm->ends_of[hearth_job_request(job)->request_id], 1);
    atomic_fetch_add(&storm->ended_jobs, 1);
}

static void storm_interrupt(void *arg, const struct hearth_job *job)
{
    (void)arg;
    assert_true(hearth_job_request(job)->request_id <= STORM_JOBS);
}

static void *storm_worker(void *arg)
{
    struct storm_shared *storm = arg;
    const struct hearth_item_result result = {0};
    for (struct hearth_item *item; (item = hearth_inbox_take(storm->inbox, true)) != NULL;) {
        int code = hearth_item_must_end(item);
        if (code != 0) {
            hearth_item_fail(item, code, NULL);
        } else if (item->text.size == 3) {
            hearth_item_fail(item, HEARTH_E_ENGINE_FAILED, NULL);
        } else {
            hearth_item_piece(item, item->text, 1);
            hearth_item_finish(item, &result);
        }
        hearth_inbox_progress(storm->inbox);
    }
    return NULL;
}

static void every_item_and_job_ends_once_whatever_the_threads_do(void **state)
{
    (void)state;
    struct storm_shared storm = {0};
    const struct hearth_sink sink = {.piece = storm_piece,
                                     .finish = storm_finish,
                                     .fail = storm_fail,
                                     .end = storm_end,
                                     .interrupt = storm_interrupt,
                                     .arg = &storm};
    pthread_t threads[STORM_THREADS];
    assert_int_equal(hearth_inbox_create(&sink, true, &storm.inbox, NULL), 0);
    hearth_inbox_set_width(storm.inbox, 2);
    for (int i = 0; i < STORM_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, storm_worker, &storm), 0);
    }
    for (uint64_t id = 1; id <= STORM_JOBS; id++) {
        uint64_t deadline_ns = id % 7 == 0 ? 1 : UINT64_MAX;
        const char *const *texts =
            id % 5 == 0 ? TEXTS("aaaa", "bad", "cc", "d") : TEXTS("aaaa", "b", "cc", "d");
        assert_int_equal(
            push(storm.inbox, id, (enum hearth_priority)(id % 4), texts, deadline_ns, NULL, NULL),
            0);
        if (id % 3 == 0) {
            hearth_inbox_cancel(storm.inbox, id - 1);
        }
        hearth_inbox_expire(storm.inbox, 2);
        hearth_inbox_set_width(storm.inbox, 1 + (unsigned)(id % STORM_THREADS));
    }
    hearth_inbox_close(storm.inbox);
    for (int i = 0; i < STORM_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    struct hearth_inbox_counts counts;
    hearth_inbox_counts(storm.inbox, &counts);
    assert_int_equal(counts.open_jobs, 0);
    assert_int_equal(counts.waiting_items, 0);
    assert_int_equal(counts.held_items, 0);
    assert_int_equal(atomic_load(&storm.ended_items), 4 * STORM_JOBS);
    assert_int_equal(atomic_load(&storm.ended_jobs), STORM_JOBS);
    for (uint64_t id = 1; id <= STORM_JOBS; id++) {
        assert_int_equal(atomic_load(&storm.ends_of[id]), 1);
    }
    hearth_inbox_destroy(storm.inbox);
}

#define BY_ARRIVAL(test) cmocka_unit_test_setup_teardown(test, make_by_arrival, unmake)
static struct hearth_item *take_at_once(struct world *w, uint64_t id, const char *const *texts)
{
    struct hearth_item *item = (struct hearth_item *)w; /* must be overwritten */
    assert_int_equal(push_or_take(w->inbox, id, HEARTH_NORMAL, texts, UINT64_MAX, "", &item, NULL),
                     0);
    return item;
}

static void one_text_is_taken_at_once_only_by_an_idle_engine(void **state)
{
    struct world *w = *state;
    const struct hearth_item_result result = {0};
    struct hearth_item *first = take_at_once(w, 1, TEXTS("a"));
    expect_text(first, "a");
    assert_null(hearth_inbox_take(w->inbox, false)); /* it does not wait as well */
    assert_null(take_at_once(w, 2, TEXTS("b")));     /* one is held */
    hearth_item_finish(first, &result);
    assert_null(take_at_once(w, 3, TEXTS("c"))); /* one waits, and comes first */
    take_and_finish(w, "b");
    take_and_finish(w, "c");
    assert_null(take_at_once(w, 4, TEXTS("d", "e"))); /* two are not one */
    take_and_finish(w, "d");
    take_and_finish(w, "e");
    expect_text(first = take_at_once(w, 5, TEXTS("f")), "f");
    hearth_item_fail(first, HEARTH_E_ENGINE_FAILED, NULL);
    assert_string_equal(w->told, "f0 e f0 e f0 e f0 f1 e x0=engine_failed e ");
}

static void what_was_taken_at_once_can_be_cancelled(void **state)
{
    struct world *w = *state;
    struct hearth_item *item = take_at_once(w, 1, TEXTS("a"));
    assert_true(hearth_inbox_cancel(w->inbox, 1));
    assert_int_equal(hearth_item_must_end(item), HEARTH_E_CANCELLED);
    hearth_item_fail(item, HEARTH_E_CANCELLED, NULL);
    assert_string_equal(w->told, "i x0=cancelled e ");
}

/* Without the nudge the thread would wait for ever, and so would the join. */
static void *take_once(void *inbox)
{
    return hearth_inbox_take(inbox, true);
}

static void a_nudge_ends_one_wait_of_an_open_inbox(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    void *taken = w;
    assert_int_equal(pthread_create(&thread, NULL, take_once, w->inbox), 0);
    hearth_inbox_nudge(w->inbox); /* it waits, or is about to */
    assert_int_equal(pthread_join(thread, &taken), 0);
    assert_null(taken);
    assert_false(hearth_inbox_is_closed(w->inbox));
    hearth_inbox_nudge(w->inbox);
    assert_null(hearth_inbox_take(w->inbox, false)); /* did not wait: the nudge stays */
    assert_null(hearth_inbox_take(w->inbox, true));
}

#define LONGEST_FIRST(test) cmocka_unit_test_setup_teardown(test, make_longest_first, unmake)

KIT_MAIN(BY_ARRIVAL(higher_priority_comes_first_then_arrival),
         BY_ARRIVAL(only_an_item_of_a_higher_class_is_taken_above_one),
         LONGEST_FIRST(longest_comes_first_inside_a_priority),
         LONGEST_FIRST(ids_count_as_four_bytes_each),
         LONGEST_FIRST(a_short_text_does_not_starve_behind_long_ones),
         BY_ARRIVAL(width_limits_what_is_held),
         BY_ARRIVAL(cancel_ends_what_waits_and_interrupts_what_runs),
         BY_ARRIVAL(an_item_that_fails_ends_its_job),
         BY_ARRIVAL(a_deadline_ends_its_job_and_the_next_is_told),
         BY_ARRIVAL(close_ends_what_waits_and_refuses_more),
         BY_ARRIVAL(an_open_id_is_refused_and_free_again_when_ended),
         BY_ARRIVAL(a_nudge_ends_one_wait_of_an_open_inbox),
         BY_ARRIVAL(steady_state_allocates_nothing),
         BY_ARRIVAL(one_text_is_taken_at_once_only_by_an_idle_engine),
         BY_ARRIVAL(what_was_taken_at_once_can_be_cancelled),
         cmocka_unit_test(push_survives_any_failed_allocation),
         cmocka_unit_test(every_item_and_job_ends_once_whatever_the_threads_do))
