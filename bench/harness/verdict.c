/* verdict.c — when a figure may be judged, and what it is then.
 *
 * A run is noisy, and nothing is concluded from it, if
 *   - a side against itself, measured in the same run, is not 1 within noise_limit (A/A interval;
 *     not asked where the goal is a time and no ratio),
 *   - the hypervisor took more than steal_limit of the machine's time, or
 *   - other programs computed on more than foreign_limit of the cores.
 * The last two are judged because they can shift a ratio without widening its interval: a neighbour
 * on a core costs the side that needs more cores. A goal is met, or missed, only if the whole 95 %
 * interval is on one side of its limit.                                                          */

#include "hearth_harness.h"

#include <stdio.h>

#define CHANGE_LEAST 0.01  /* a smaller change is called none */
#define CHANGE_SEEN  0.025 /* half of an interval that would have shown a change of 5 % */

const char *hearth_harness_verdict_name(enum hearth_harness_verdict verdict)
{
    switch (verdict) {
    case HEARTH_VERDICT_MEASURED: return "measured";
    case HEARTH_VERDICT_PASS: return "PASS";
    case HEARTH_VERDICT_FAIL: return "FAIL";
    case HEARTH_VERDICT_INCONCLUSIVE: return "INCONCLUSIVE";
    case HEARTH_VERDICT_SKIPPED: return "SKIPPED";
    case HEARTH_VERDICT_BROKEN: return "BROKEN";
    }
    HEARTH_UNREACHABLE();
}

const char *hearth_harness_change_name(enum hearth_harness_change change)
{
    switch (change) {
    case HEARTH_CHANGE_UNCHANGED: return "unchanged";
    case HEARTH_CHANGE_SLOWER: return "slower";
    case HEARTH_CHANGE_FASTER: return "faster";
    case HEARTH_CHANGE_UNKNOWN: return "cannot tell";
    }
    HEARTH_UNREACHABLE();
}

enum hearth_harness_change hearth_harness_change_of(const struct hearth_harness_result *result)
{
    struct hearth_stats_interval wide = result->ratio_99;
    bool is_rate = result->of->kind == HEARTH_HARNESS_RATE;
    if (wide.high <= 0.0) {
        return HEARTH_CHANGE_UNKNOWN;
    }
    if (wide.low > 1.0 + CHANGE_LEAST) {
        return is_rate ? HEARTH_CHANGE_FASTER : HEARTH_CHANGE_SLOWER;
    }
    if (wide.high < 1.0 / (1.0 + CHANGE_LEAST)) {
        return is_rate ? HEARTH_CHANGE_SLOWER : HEARTH_CHANGE_FASTER;
    }
    struct hearth_stats_interval usual = result->ratio_95;
    bool would_have_seen = 0.5 * (usual.high - usual.low) <= CHANGE_SEEN;
    return would_have_seen ? HEARTH_CHANGE_UNCHANGED : HEARTH_CHANGE_UNKNOWN;
}

/* A goal in nanoseconds is judged by the interval of A, or of A above B. */
static bool is_about_ratio(const struct hearth_harness_result *result)
{
    bool has_value_goal = false;
    for (size_t i = 0; i < HEARTH_HARNESS_MAX_GOALS; i++) {
        has_value_goal |= result->of->goals[i].kind == HEARTH_GOAL_MEDIAN_AT_MOST ||
                          result->of->goals[i].kind == HEARTH_GOAL_DIFFERENCE_AT_MOST;
    }
    return result->side_count == 2 && !has_value_goal;
}

/* True if nothing may be concluded; the reason is set then. */
static bool is_noisy(const struct hearth_harness_plan *plan, struct hearth_harness_result *result)
{
    const struct hearth_harness_usage *usage = &result->usage;
    struct hearth_stats_interval same = result->same_95;
    char *text = result->reason;
    if (is_about_ratio(result) &&
        (same.low < 1.0 / (1.0 + plan->noise_limit) || same.high > 1.0 + plan->noise_limit)) {
        snprintf(text, sizeof result->reason,
                 "noisy: a side against itself gave %.3f to %.3f, which must be 1 within %.0f %%",
                 same.low, same.high, 100.0 * plan->noise_limit);
        return true;
    }
    if (usage->steal > plan->steal_limit) {
        snprintf(text, sizeof result->reason,
                 "noisy: the hypervisor took %.1f %% of the time, at most %.1f %% is quiet",
                 100.0 * usage->steal, 100.0 * plan->steal_limit);
        return true;
    }
    if (usage->foreign_cores > plan->foreign_limit * usage->cores) {
        snprintf(text, sizeof result->reason,
                 "noisy: other programs computed on %.2f cores, at most %.2f of %u is quiet",
                 usage->foreign_cores, plan->foreign_limit * usage->cores, usage->cores);
        return true;
    }
    return false;
}

static enum hearth_harness_verdict judge_goal(const struct hearth_harness_goal *goal,
                                              const struct hearth_harness_result *result)
{
    struct hearth_stats_interval interval =
        goal->kind == HEARTH_GOAL_MEDIAN_AT_MOST       ? result->sides[0].blocks.median_95
        : goal->kind == HEARTH_GOAL_DIFFERENCE_AT_MOST ? result->difference_95
                                                       : result->ratio_95;
    bool is_below = interval.high <= goal->limit;
    bool is_above = interval.low >= goal->limit;
    bool wants_below = goal->kind != HEARTH_GOAL_RATIO_AT_LEAST;
    if (wants_below ? is_below : is_above) {
        return HEARTH_VERDICT_PASS;
    }
    return (wants_below ? interval.low > goal->limit : interval.high < goal->limit)
               ? HEARTH_VERDICT_FAIL
               : HEARTH_VERDICT_INCONCLUSIVE;
}

void hearth_harness_judge(const struct hearth_harness_plan *plan,
                          struct hearth_harness_result *result)
{
    result->verdict = HEARTH_VERDICT_MEASURED;
    result->reason[0] = '\0';
    if (is_noisy(plan, result)) {
        result->verdict = HEARTH_VERDICT_INCONCLUSIVE;
        return;
    }
    for (size_t i = 0; i < HEARTH_HARNESS_MAX_GOALS && !plan->is_aa; i++) {
        const struct hearth_harness_goal *goal = &result->of->goals[i];
        if (goal->kind != HEARTH_GOAL_NONE && !goal->is_stretch) {
            result->verdict = HEARTH_MAX(result->verdict, judge_goal(goal, result));
        }
    }
    if (result->verdict == HEARTH_VERDICT_INCONCLUSIVE) {
        snprintf(result->reason, sizeof result->reason,
                 "the interval lies on both sides of the goal: measure longer (--seconds)");
    }
}
