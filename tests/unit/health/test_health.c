#include "kit.h"

#include "hearth_health.h"

#include <string.h>

static const struct hearth_health_facts well = {
    .is_accepting = true, .models_ready = 2, .queue_depth = 3, .running = 1, .uptime_ms = 61999};

/* State × models × queue: what is asked of the daemon and of one model beside two that serve. */
static void state_and_readiness_follow_the_table(void **state)
{
    (void)state;
    static const struct {
        bool is_draining, is_failed, is_restarting, is_still, is_full, serves;
        uint32_t required;
        enum hearth_health_state want;
        bool is_ready;
        const char *says;
    } cases[] = {
        {.serves = true, .want = HEARTH_HEALTHY, .is_ready = true, .says = ""},
        {.want = HEARTH_HEALTHY, .is_ready = true, .says = ""},
        {.serves = true, .required = 3, .want = HEARTH_HEALTHY, .is_ready = true, .says = ""},
        {.required = 3, .want = HEARTH_DEGRADED, .says = "2 models serve, 3 must"},
        {.is_failed = true, .want = HEARTH_DEGRADED, .is_ready = true, .says = "\"m\" failed: why"},
        {.is_failed = true, .required = 3, .want = HEARTH_DEGRADED, .says = "\"m\" failed: why"},
        {.is_restarting = true, .want = HEARTH_DEGRADED, .is_ready = true, .says = "started again"},
        {.serves = true,
         .is_still = true,
         .want = HEARTH_DEGRADED,
         .is_ready = true,
         .says = "no step for 500 ms"},
        {.serves = true,
         .is_full = true,
         .want = HEARTH_DEGRADED,
         .says = "queue of \"m\" is full"},
        {.serves = true, .is_draining = true, .want = HEARTH_UNHEALTHY, .says = "shutting down"},
        {.is_draining = true, .is_failed = true, .want = HEARTH_UNHEALTHY, .says = "shutting down"},
        {.serves = true,
         .is_draining = true,
         .is_full = true,
         .want = HEARTH_UNHEALTHY,
         .says = "shutting down"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct hearth_health_facts facts = well;
        struct hearth_wire_health_response answer;
        char reason[HEARTH_HEALTH_REASON_BYTES];
        const struct hearth_model_facts model = {
            .is_failed = cases[i].is_failed,
            .is_restarting = cases[i].is_restarting,
            .serves = cases[i].serves,
            .is_queue_full = cases[i].is_full,
            .still_ms = cases[i].is_still ? 500 : 499,
            .progress_limit_ms = 1000,
            .name = "m",
            .failure = "why",
        };
        facts.is_accepting = !cases[i].is_draining;
        facts.models_required = cases[i].required;
        hearth_health_add(&facts, &model);
        hearth_health_answer(&facts, HEARTH_CHECK_FULL, reason, &answer);
        assert_int_equal(answer.state, cases[i].want);
        assert_int_equal(answer.ready, cases[i].is_ready);
        assert_int_equal(answer.ok, cases[i].is_ready);
        assert_int_equal(answer.models_loaded, 2 + cases[i].serves);
        assert_non_null(strstr(reason, cases[i].says));
        assert_int_equal(reason[0] == '\0', cases[i].want == HEARTH_HEALTHY);
    }
}

static void the_worst_of_several_troubles_is_told_and_the_others_counted(void **state)
{
    (void)state;
    struct hearth_health_facts facts = well;
    struct hearth_wire_health_response answer;
    char reason[HEARTH_HEALTH_REASON_BYTES];
    const struct hearth_model_facts models[] = {
        {.serves = true, .is_queue_full = true, .name = "a"},
        {.is_failed = true, .name = "b", .failure = "no such file"},
        {.is_restarting = true, .name = "c"},
        {.serves = true, .name = "d"}};
    for (size_t i = 0; i < HEARTH_COUNT(models); i++) {
        hearth_health_add(&facts, &models[i]);
    }
    hearth_health_answer(&facts, HEARTH_CHECK_FULL, reason, &answer);
    assert_string_equal(reason, "\"b\" failed: no such file; 2 more models have trouble");
    assert_int_equal(answer.ready, 0); /* a queue is full */
}

static void a_worker_whose_limit_is_never_is_not_called_still(void **state)
{
    (void)state;
    const struct hearth_model_facts patient = {.serves = true, .still_ms = 1u << 30, .name = "p"};
    assert_int_equal(hearth_health_trouble(&patient), HEARTH_TROUBLE_NONE);
}

static void liveness_is_ok_while_draining_and_readiness_is_not(void **state)
{
    (void)state;
    struct hearth_health_facts facts = well;
    char reason[HEARTH_HEALTH_REASON_BYTES];
    struct hearth_wire_health_response answer;
    facts.is_accepting = false;
    hearth_health_answer(&facts, HEARTH_CHECK_LIVENESS, reason, &answer);
    assert_int_equal(answer.ok, 1);
    hearth_health_answer(&facts, HEARTH_CHECK_READINESS, reason, &answer);
    assert_int_equal(answer.ok, 0);
    assert_int_equal(answer.accepting_requests, 0);
}

static void full_report_tells_the_facts(void **state)
{
    (void)state;
    struct hearth_health_facts facts = well;
    char reason[HEARTH_HEALTH_REASON_BYTES];
    struct hearth_wire_health_response answer;
    facts.memory_used_bytes = 12345;
    facts.pid = 7;
    facts.connections = 9;
    facts.requests_total = 100;
    facts.worker_deaths = 2;
    hearth_health_answer(&facts, HEARTH_CHECK_FULL, reason, &answer);
    assert_int_equal(answer.check_type, HEARTH_CHECK_FULL);
    assert_int_equal(answer.ok, 1);
    assert_int_equal(answer.models_loaded, 2);
    assert_int_equal(answer.queue_depth, 3);
    assert_int_equal(answer.running, 1);
    assert_int_equal(answer.uptime_secs, 61);
    assert_int_equal(answer.memory_used_bytes, 12345);
    assert_int_equal(answer.pid, 7);
    assert_int_equal(answer.connections, 9);
    assert_int_equal(answer.requests_total, 100);
    assert_int_equal(answer.worker_deaths, 2);
    assert_true(hearth_slice_equals_string(answer.version, HEARTH_VERSION));
}

KIT_MAIN(cmocka_unit_test(state_and_readiness_follow_the_table),
         cmocka_unit_test(the_worst_of_several_troubles_is_told_and_the_others_counted),
         cmocka_unit_test(a_worker_whose_limit_is_never_is_not_called_still),
         cmocka_unit_test(liveness_is_ok_while_draining_and_readiness_is_not),
         cmocka_unit_test(full_report_tells_the_facts))
