/* report_table.c — a result for a person. */

#include "hearth_harness.h"

#include <math.h>
#include <string.h>

static const char *unit_of(const struct hearth_harness_case *of)
{
    return of->unit != NULL ? of->unit : "ns";
}

/* A value with the unit that makes it readable: times are scaled, others are not. */
static const char *shown(const struct hearth_harness_case *of, double value, char room[32])
{
    if (strcmp(unit_of(of), "ns") != 0) {
        snprintf(room, 32, "%.4g %s", value, unit_of(of));
    } else if (fabs(value) < 1e4) {
        snprintf(room, 32, "%.4g ns", value);
    } else if (fabs(value) < 1e7) {
        snprintf(room, 32, "%.4g us", value / 1e3);
    } else {
        snprintf(room, 32, "%.4g ms", value / 1e6);
    }
    return room;
}

void hearth_harness_print_machine(FILE *out, const struct hearth_harness_machine *machine)
{
    fprintf(out, "%s, %u cores, governor %s, %s\nbuild %s%s%s\n", machine->cpu, machine->cores,
            machine->governor, machine->kernel, machine->build,
            machine->commit != NULL ? ", commit " : "",
            machine->commit != NULL ? machine->commit : "");
}

static void print_side(FILE *out, const struct hearth_harness_result *result, size_t which)
{
    const struct hearth_harness_case *of = result->of;
    const struct hearth_harness_side_result *side = &result->sides[which];
    const struct hearth_stats_summary *blocks = &side->blocks;
    const struct hearth_stats_outliers *wild = &blocks->outliers;
    char a[32];
    char b[32];
    char c[32];
    fprintf(out, "  %c %-22s median %s [%s, %s]", which == 0 ? 'A' : 'B', side->name,
            shown(of, blocks->median, a), shown(of, blocks->median_95.low, b),
            shown(of, blocks->median_95.high, c));
    fprintf(out, "  mean %s [%s, ", shown(of, blocks->mean, a), shown(of, blocks->mean_95.low, b));
    fprintf(out, "%s]  sd %s", shown(of, blocks->mean_95.high, a), shown(of, blocks->deviation, b));
    if (of->kind != HEARTH_HARNESS_VALUE && blocks->mean > 0.0) {
        fprintf(out, "  %.4g/s", 1e9 / blocks->mean);
    }
    fprintf(out, "\n    %zu blocks, outliers %u mild %u severe", blocks->count,
            wild->low_mild + wild->high_mild, wild->low_severe + wild->high_severe);
    if (of->calls > 1) {
        fprintf(out, "; %zu calls: p50 %s p90 %s", side->calls, shown(of, side->p50, a),
                shown(of, side->p90, b));
        fprintf(out, " p99 %s max %s", shown(of, side->p99, a), shown(of, side->most, b));
    }
    fprintf(out, "\n");
}

static void print_goal(FILE *out, const struct hearth_harness_case *of,
                       const struct hearth_harness_goal *goal)
{
    char a[32];
    const char *stretch = goal->is_stretch ? " (stretch)" : "";
    switch (goal->kind) {
    case HEARTH_GOAL_NONE: return;
    case HEARTH_GOAL_RATIO_AT_MOST:
        fprintf(out, "  goal: ratio <= %.4g%s\n", goal->limit, stretch);
        return;
    case HEARTH_GOAL_RATIO_AT_LEAST:
        fprintf(out, "  goal: ratio >= %.4g%s\n", goal->limit, stretch);
        return;
    case HEARTH_GOAL_MEDIAN_AT_MOST:
        fprintf(out, "  goal: median of A <= %s%s\n", shown(of, goal->limit, a), stretch);
        return;
    case HEARTH_GOAL_DIFFERENCE_AT_MOST:
        fprintf(out, "  goal: A above B <= %s%s\n", shown(of, goal->limit, a), stretch);
        return;
    }
}

static void print_ratio(FILE *out, const struct hearth_harness_result *result)
{
    char a[32];
    char b[32];
    char c[32];
    const char *what = result->of->kind == HEARTH_HARNESS_RATE ? "rate A/B" : "A/B";
    fprintf(out, "  ratio %s %.4f [%.4f, %.4f]  A above B: %s [%s, %s]  (%s)\n", what,
            result->ratio, result->ratio_95.low, result->ratio_95.high,
            shown(result->of, result->difference, a),
            shown(result->of, result->difference_95.low, b),
            shown(result->of, result->difference_95.high, c),
            hearth_harness_change_name(hearth_harness_change_of(result)));
    fprintf(out, "  a side against itself [%.4f, %.4f]\n", result->same_95.low,
            result->same_95.high);
}

void hearth_harness_print(FILE *out, const struct hearth_harness_result *result)
{
    const struct hearth_harness_usage *usage = &result->usage;
    fprintf(out, "%s: %s%s%s\n", result->of->id, hearth_harness_verdict_name(result->verdict),
            result->reason[0] != '\0' ? ": " : "", result->reason);
    if (result->quads == 0 || result->verdict == HEARTH_VERDICT_BROKEN) {
        return;
    }
    for (size_t i = 0; i < result->side_count; i++) {
        print_side(out, result, i);
    }
    if (result->side_count == 2) {
        print_ratio(out, result);
    }
    for (size_t i = 0; i < HEARTH_HARNESS_MAX_GOALS; i++) {
        print_goal(out, result->of, &result->of->goals[i]);
    }
    fprintf(out, "  %zu quads in %.1f s, precision %.2f %%%s; load %.2f to %.2f, steal %.2f %%, ",
            result->quads, usage->seconds, 100.0 * result->precision,
            result->is_precise ? "" : " (above the target)", usage->load_before, usage->load_after,
            100.0 * usage->steal);
    fprintf(out, "busy cores: own %.2f, others %.2f\n", usage->own_cores, usage->foreign_cores);
}
