#include "kit.h"

#include "hearth_health.h"

static const struct hearth_health_facts well = {
    .is_accepting = true, .models_ready = 2, .queue_depth = 3, .running = 1, .uptime_ms = 61999};

static void state_follows_the_rules(void **state)
{
    (void)state;
    static const struct {
        bool is_draining, has_full_lane;
        uint32_t failed, restarting;
        enum hearth_health_state want;
        bool is_ready;
    } cases[] = {
        {false, false, 0, 0, HEARTH_HEALTHY, true},   {false, false, 1, 0, HEARTH_DEGRADED, true},
        {false, false, 0, 1, HEARTH_DEGRADED, true},  {false, true, 0, 0, HEARTH_DEGRADED, false},
        {true, false, 0, 0, HEARTH_UNHEALTHY, false}, {true, true, 1, 1, HEARTH_UNHEALTHY, false},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct hearth_health_facts facts = well;
        facts.is_accepting = !cases[i].is_draining;
        facts.has_full_lane = cases[i].has_full_lane;
        facts.models_failed = cases[i].failed;
        facts.models_restarting = cases[i].restarting;
        assert_int_equal(hearth_health_state(&facts), cases[i].want);
        assert_int_equal(hearth_health_is_ready(&facts), cases[i].is_ready);
    }
}

static void liveness_is_ok_while_draining_and_readiness_is_not(void **state)
{
    (void)state;
    struct hearth_health_facts facts = well;
    struct hearth_wire_health_response answer;
    facts.is_accepting = false;
    hearth_health_answer(&facts, HEARTH_CHECK_LIVENESS, &answer);
    assert_int_equal(answer.ok, 1);
    hearth_health_answer(&facts, HEARTH_CHECK_READINESS, &answer);
    assert_int_equal(answer.ok, 0);
    assert_int_equal(answer.accepting_requests, 0);
}

static void full_report_tells_the_facts(void **state)
{
    (void)state;
    struct hearth_health_facts facts = well;
    struct hearth_wire_health_response answer;
    facts.memory_used_bytes = 12345;
    facts.pid = 7;
    facts.connections = 9;
    facts.requests_total = 100;
    facts.worker_deaths = 2;
    hearth_health_answer(&facts, HEARTH_CHECK_FULL, &answer);
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

KIT_MAIN(cmocka_unit_test(state_follows_the_rules),
         cmocka_unit_test(liveness_is_ok_while_draining_and_readiness_is_not),
         cmocka_unit_test(full_report_tells_the_facts))
