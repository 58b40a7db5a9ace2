#include "hearth_os.h"

#include "kit.h"

static void monotonic_time_does_not_go_back(void **state)
{
    (void)state;
    uint64_t last_ns = hearth_clock_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now_ns = hearth_clock_ns();
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    assert_true(hearth_clock_wall_ns() > UINT64_C(1700000000) * HEARTH_NS_PER_SEC);
}

static void deadline_saturates(void **state)
{
    (void)state;
    assert_int_equal(hearth_clock_deadline_ns(5, 2), 2000005);
    assert_int_equal(hearth_clock_deadline_ns(5, 0), 5);
    assert_true(hearth_clock_deadline_ns(5, UINT64_MAX) == HEARTH_NEVER);
    assert_true(hearth_clock_deadline_ns(5, UINT64_MAX / 1000) == HEARTH_NEVER);
    assert_true(hearth_clock_deadline_ns(UINT64_MAX - 5, 1) == HEARTH_NEVER);
}

KIT_MAIN(cmocka_unit_test(monotonic_time_does_not_go_back), cmocka_unit_test(deadline_saturates))
