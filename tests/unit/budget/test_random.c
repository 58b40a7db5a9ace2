/* test_random.c — the ledger, the planner and the counter of calls against a naive model that adds
 * everything up anew after each step. A million steps with --long, else fifty thousand. */

#include "kit.h"

#include "hearth_budget.h"

#include <stdlib.h>
#include <string.h>

#define HOLDERS 8u
#define FILES   3u
#define CALLS   16u

static uint64_t steps_wanted = 50000;

struct model {
    struct hearth_budget budget;
    struct hearth_hold holds[HOLDERS];
    struct hearth_need needs[HOLDERS]; /* as asked */
    uint64_t other[HOLDERS];           /* measured beyond that */
    struct hearth_evictable list[HOLDERS];
    struct hearth_calls calls;
    uint64_t call_bytes[CALLS]; /* + 1; 0: not open */
};

static const char *const file_names[FILES] = {"f1", "f2", "f3"};

static uint64_t plain_need(const struct hearth_need *need)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HEARTH_MEMORY_KINDS; i++) {
        sum += need->parts[i];
    }
    return sum;
}

/* What is held if @stays, and with @newcomer (may be NULL), from the definition: everything that is
 * no file, and each file once. */
static uint64_t plain_held(const struct model *m, const bool stays[HOLDERS],
                           const struct hearth_need *newcomer)
{
    uint64_t of_file[FILES] = {0};
    uint64_t sum = 0;
    for (unsigned i = 0; i <= HOLDERS; i++) {
        const struct hearth_need *need = i < HOLDERS ? &m->needs[i] : newcomer;
        if (i < HOLDERS ? !m->holds[i].is_held || !stays[i] : newcomer == NULL) {
            continue;
        }
        sum += plain_need(need) + (i < HOLDERS ? m->other[i] : 0) - need->file_bytes;
        for (unsigned f = 0; f < FILES; f++) {
            if (need->file == file_names[f]) {
                of_file[f] = HEARTH_MAX(of_file[f], need->file_bytes);
            }
        }
    }
    return sum + of_file[0] + of_file[1] + of_file[2];
}

/* Who adds nothing always fits, also where more is held already than may be. */
static bool plain_fits(const struct model *m, const bool stays[HOLDERS],
                       const struct hearth_need *need)
{
    uint64_t sum = plain_held(m, stays, need);
    return sum <= m->budget.limit_bytes || sum == plain_held(m, stays, NULL);
}

static const bool all_stay[HOLDERS] = {true, true, true, true, true, true, true, true};

static struct hearth_need random_need(struct kit_random *random)
{
    struct hearth_need need = {0};
    need.parts[kit_random_below(random, HEARTH_MEMORY_OTHER)] = kit_random_below(random, 300);
    need.parts[HEARTH_MEMORY_WEIGHTS] += kit_random_below(random, 200);
    if (kit_random_once_in(random, 2)) {
        need.file = file_names[kit_random_below(random, FILES)];
        need.file_bytes = kit_random_below(random, need.parts[HEARTH_MEMORY_WEIGHTS] + 1);
    }
    return need;
}

/* ---- the planner -------------------------------------------------------------------------- */

static bool goes_before(const struct hearth_evictable *a, const struct hearth_evictable *b)
{
    double of_a = (double)a->idle_ms / (a->reload_ms < 1000 ? 1000 : a->reload_ms);
    double of_b = (double)b->idle_ms / (b->reload_ms < 1000 ? 1000 : b->reload_ms);
    return a->worth != b->worth ? a->worth < b->worth
           : of_a != of_b       ? of_a > of_b
                                : a->idle_ms > b->idle_ms;
}

/* Whether some set of those that may leave makes room: all sets are tried. */
static bool any_set_is_enough(const struct model *m, const struct hearth_evictable *list,
                              const unsigned *owner, uint32_t count, const struct hearth_need *need)
{
    for (unsigned set = 0; set < 1u << count; set++) {
        bool stays[HOLDERS];
        bool is_lawful = true;
        memcpy(stays, all_stay, sizeof stays);
        for (uint32_t i = 0; i < count; i++) {
            if ((set & 1u << i) != 0) {
                stays[owner[i]] = false;
                is_lawful &= list[i].open_requests == 0 && !list[i].is_pinned;
            }
        }
        if (is_lawful && plain_fits(m, stays, need)) {
            return true;
        }
    }
    return false;
}

static void check_plan(const struct model *m, const struct hearth_evictable *list,
                       const unsigned *owner, uint32_t count, const struct hearth_need *need)
{
    struct hearth_eviction_plan plan;
    bool stays[HOLDERS];
    hearth_eviction_plan(&m->budget, list, count, need, &plan);
    memcpy(stays, all_stay, sizeof stays);
    assert_int_equal(plan.is_enough, any_set_is_enough(m, list, owner, count, need));
    if (!plan.is_enough) {
        assert_int_equal(plan.count, 0);
        assert_true(plan.missing_bytes > 0);
        return;
    }
    for (uint32_t i = 0; i < plan.count; i++) {
        const struct hearth_evictable *one = &list[plan.order[i]];
        assert_true(one->open_requests == 0 && !one->is_pinned);
        assert_true(i == 0 || !goes_before(one, &list[plan.order[i - 1]]));
        assert_true(stays[owner[plan.order[i]]]); /* nobody twice */
        stays[owner[plan.order[i]]] = false;
    }
    assert_true(plain_fits(m, stays, need));
    assert_int_equal(plan.freed_bytes, plain_held(m, all_stay, NULL) - plain_held(m, stays, NULL));
    for (uint32_t i = 0; i < plan.count; i++) { /* nobody in vain */
        stays[owner[plan.order[i]]] = true;
        assert_false(plain_fits(m, stays, need));
        stays[owner[plan.order[i]]] = false;
    }
}

static void plan_for_somebody(struct model *m, struct kit_random *random)
{
    struct hearth_evictable list[HOLDERS];
    unsigned owner[HOLDERS];
    uint32_t count = 0;
    for (unsigned i = 0; i < HOLDERS; i++) {
        if (m->holds[i].is_held) {
            owner[count] = i;
            list[count++] = (struct hearth_evictable){
                .hold = &m->holds[i],
                .idle_ms = kit_random_below(random, 50) * 100,
                .reload_ms = (uint32_t)kit_random_below(random, 5) * 500,
                .worth = (unsigned)kit_random_below(random, 3),
                .open_requests = kit_random_once_in(random, 4),
                .is_pinned = kit_random_once_in(random, 6),
            };
        }
    }
    struct hearth_need need = random_need(random);
    check_plan(m, list, owner, count, &need);
}

/* ---- steps -------------------------------------------------------------------------------- */

static void reserve(struct model *m, unsigned at, struct kit_random *random)
{
    struct hearth_need need = random_need(random);
    bool fits = plain_fits(m, all_stay, &need);
    int rc = hearth_budget_reserve(&m->budget, &m->holds[at], "x", &need, NULL);
    assert_int_equal(rc, fits ? 0 : HEARTH_E_NO_ROOM);
    if (fits) {
        m->needs[at] = need;
        m->other[at] = 0;
    }
}

static void change_hold(struct model *m, struct kit_random *random)
{
    unsigned at = (unsigned)kit_random_below(random, HOLDERS);
    if (!m->holds[at].is_held) {
        reserve(m, at, random);
    } else if (kit_random_once_in(random, 2)) {
        hearth_budget_release(&m->budget, &m->holds[at]);
    } else {
        uint64_t measured = kit_random_below(random, 600);
        uint64_t promised = plain_need(&m->needs[at]);
        hearth_budget_commit(&m->budget, &m->holds[at], measured);
        m->other[at] = measured > promised ? measured - promised : 0;
    }
}

static void change_call(struct model *m, struct kit_random *random)
{
    size_t at = kit_random_below(random, CALLS);
    if (m->call_bytes[at] != 0) {
        hearth_calls_end(&m->calls, m->call_bytes[at] - 1);
        m->call_bytes[at] = 0;
        return;
    }
    uint64_t bytes = kit_random_below(random, 120);
    uint64_t held = 0;
    uint64_t open = 0;
    for (size_t i = 0; i < CALLS; i++) {
        held += m->call_bytes[i] != 0 ? m->call_bytes[i] - 1 : 0;
        open += m->call_bytes[i] != 0;
    }
    int wanted = bytes > 100          ? HEARTH_E_TOO_LARGE
                 : open >= 12         ? HEARTH_E_QUEUE_FULL
                 : held + bytes > 400 ? HEARTH_E_NO_ROOM
                                      : 0;
    assert_int_equal(hearth_calls_admit(&m->calls, bytes, NULL), wanted);
    m->call_bytes[at] = wanted == 0 ? bytes + 1 : 0;
}

static void finish(struct model *m)
{
    for (unsigned i = 0; i < HOLDERS; i++) {
        hearth_budget_release(&m->budget, &m->holds[i]);
    }
    for (size_t i = 0; i < CALLS; i++) {
        if (m->call_bytes[i] != 0) {
            hearth_calls_end(&m->calls, m->call_bytes[i] - 1);
        }
    }
    assert_int_equal(m->budget.held_bytes, 0);
    assert_true(hearth_list_is_empty(&m->budget.holds));
    assert_int_equal(m->calls.held_bytes, 0);
    assert_int_equal(m->calls.open, 0);
}

static void any_steps_agree_with_a_naive_model_and_return_to_zero(void **state)
{
    (void)state;
    static struct model m;
    struct kit_random random = {.state = kit_random_seed(20261124)};
    hearth_budget_init(&m.budget, 1000);
    m.calls.limits = (struct hearth_call_limits){100, 400, 12};
    for (uint64_t step = 0; step < steps_wanted; step++) {
        switch (kit_random_below(&random, 8)) {
        case 0: plan_for_somebody(&m, &random); break;
        case 1: hearth_budget_set_limit(&m.budget, kit_random_between(&random, 500, 1500)); break;
        case 2:
        case 3: change_call(&m, &random); break;
        default: change_hold(&m, &random); break;
        }
        assert_int_equal(m.budget.held_bytes, plain_held(&m, all_stay, NULL));
    }
    finish(&m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_steps_agree_with_a_naive_model_and_return_to_zero)};
    if (argc > 1) {
        steps_wanted = strcmp(argv[1], "--long") == 0 ? 1000000 : strtoull(argv[1], NULL, 10);
    }
    kit_begin();
    return kit_end(cmocka_run_group_tests_name(kit_name(__FILE__), tests, NULL, NULL));
}
