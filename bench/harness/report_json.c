/* report_json.c — one file a run, for later comparison. All times in nanoseconds. */

#include "hearth_harness.h"

#include "hearth_os.h"

#include <math.h>
#include <yyjson.h>

static yyjson_mut_val *interval(yyjson_mut_doc *doc, struct hearth_stats_interval from)
{
    yyjson_mut_val *array = yyjson_mut_arr(doc);
    yyjson_mut_arr_add_real(doc, array, from.low);
    yyjson_mut_arr_add_real(doc, array, from.high);
    return array;
}

static yyjson_mut_val *side(yyjson_mut_doc *doc, const struct hearth_harness_side_result *from)
{
    const struct hearth_stats_summary *blocks = &from->blocks;
    const struct hearth_stats_outliers *wild = &blocks->outliers;
    yyjson_mut_val *object = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_str(doc, object, "name", from->name);
    yyjson_mut_obj_add_uint(doc, object, "blocks", blocks->count);
    yyjson_mut_obj_add_real(doc, object, "median", blocks->median);
    yyjson_mut_obj_add_val(doc, object, "median_95", interval(doc, blocks->median_95));
    yyjson_mut_obj_add_real(doc, object, "mean", blocks->mean);
    yyjson_mut_obj_add_val(doc, object, "mean_95", interval(doc, blocks->mean_95));
    yyjson_mut_obj_add_real(doc, object, "deviation", blocks->deviation);
    yyjson_mut_obj_add_real(doc, object, "least", blocks->least);
    yyjson_mut_obj_add_real(doc, object, "most", blocks->most);
    yyjson_mut_obj_add_real(doc, object, "per_second",
                            blocks->mean > 0.0 ? 1e9 / blocks->mean : 0.0);
    yyjson_mut_val *values = yyjson_mut_obj_add_arr(doc, object, "values");
    for (size_t i = 0; from->values != NULL && i < blocks->count; i++) {
        yyjson_mut_arr_add_real(doc, values, from->values[i]);
    }
    yyjson_mut_val *outliers = yyjson_mut_obj_add_obj(doc, object, "outliers");
    yyjson_mut_obj_add_uint(doc, outliers, "low_severe", wild->low_severe);
    yyjson_mut_obj_add_uint(doc, outliers, "low_mild", wild->low_mild);
    yyjson_mut_obj_add_uint(doc, outliers, "high_mild", wild->high_mild);
    yyjson_mut_obj_add_uint(doc, outliers, "high_severe", wild->high_severe);
    yyjson_mut_val *calls = yyjson_mut_obj_add_obj(doc, object, "calls");
    yyjson_mut_obj_add_uint(doc, calls, "count", from->calls);
    yyjson_mut_obj_add_real(doc, calls, "p50", from->p50);
    yyjson_mut_obj_add_real(doc, calls, "p90", from->p90);
    yyjson_mut_obj_add_real(doc, calls, "p99", from->p99);
    yyjson_mut_obj_add_real(doc, calls, "most", from->most);
    return object;
}

static void add_figures(yyjson_mut_doc *doc, yyjson_mut_val *object,
                        const struct hearth_harness_result *from)
{
    yyjson_mut_val *sides = yyjson_mut_obj_add_arr(doc, object, "sides");
    for (size_t i = 0; i < from->side_count; i++) {
        yyjson_mut_arr_append(sides, side(doc, &from->sides[i]));
    }
    yyjson_mut_obj_add_uint(doc, object, "quads", from->quads);
    yyjson_mut_obj_add_bool(doc, object, "is_precise", from->is_precise);
    if (isfinite(from->precision)) {
        yyjson_mut_obj_add_real(doc, object, "precision", from->precision);
    }
    if (from->side_count == 2) {
        yyjson_mut_obj_add_real(doc, object, "ratio", from->ratio);
        yyjson_mut_obj_add_val(doc, object, "ratio_95", interval(doc, from->ratio_95));
        if (from->ratio_99.high > 0.0) {
            yyjson_mut_obj_add_val(doc, object, "ratio_99", interval(doc, from->ratio_99));
        }
        yyjson_mut_obj_add_val(doc, object, "same_95", interval(doc, from->same_95));
        yyjson_mut_obj_add_real(doc, object, "difference", from->difference);
        yyjson_mut_obj_add_val(doc, object, "difference_95", interval(doc, from->difference_95));
    }
    const struct hearth_harness_usage *usage = &from->usage;
    yyjson_mut_val *machine = yyjson_mut_obj_add_obj(doc, object, "usage");
    yyjson_mut_obj_add_real(doc, machine, "seconds", usage->seconds);
    yyjson_mut_obj_add_real(doc, machine, "load_before", usage->load_before);
    yyjson_mut_obj_add_real(doc, machine, "load_after", usage->load_after);
    yyjson_mut_obj_add_real(doc, machine, "steal", usage->steal);
    yyjson_mut_obj_add_real(doc, machine, "own_cores", usage->own_cores);
    yyjson_mut_obj_add_real(doc, machine, "foreign_cores", usage->foreign_cores);
}

static yyjson_mut_val *result(yyjson_mut_doc *doc, const struct hearth_harness_result *from)
{
    yyjson_mut_val *object = yyjson_mut_obj(doc);
    const char *kinds[] = {[HEARTH_HARNESS_TIME] = "time",
                           [HEARTH_HARNESS_RATE] = "rate",
                           [HEARTH_HARNESS_VALUE] = "value"};
    yyjson_mut_obj_add_str(doc, object, "id", from->of->id);
    yyjson_mut_obj_add_str(doc, object, "kind", kinds[from->of->kind]);
    yyjson_mut_obj_add_str(doc, object, "unit", from->of->unit != NULL ? from->of->unit : "ns");
    yyjson_mut_obj_add_str(doc, object, "verdict", hearth_harness_verdict_name(from->verdict));
    yyjson_mut_obj_add_str(doc, object, "reason", from->reason);
    if (from->quads > 0) {
        add_figures(doc, object, from);
    }
    return object;
}

static void add_machine(yyjson_mut_doc *doc, yyjson_mut_val *root,
                        const struct hearth_harness_machine *from)
{
    yyjson_mut_val *object = yyjson_mut_obj_add_obj(doc, root, "machine");
    yyjson_mut_obj_add_str(doc, object, "cpu", from->cpu);
    yyjson_mut_obj_add_uint(doc, object, "cores", from->cores);
    yyjson_mut_obj_add_str(doc, object, "governor", from->governor);
    yyjson_mut_obj_add_str(doc, object, "kernel", from->kernel);
    yyjson_mut_obj_add_uint(doc, object, "memory_bytes", from->memory_bytes);
    yyjson_mut_obj_add_str(doc, object, "build", from->build);
    if (from->commit != NULL) {
        yyjson_mut_obj_add_str(doc, object, "commit", from->commit);
    }
    yyjson_mut_obj_add_uint(doc, root, "unix_seconds", hearth_clock_wall_ns() / HEARTH_NS_PER_SEC);
}

int hearth_harness_write_json(const char *path, const struct hearth_harness_machine *machine,
                              const struct hearth_harness_result *results, size_t count,
                              struct hearth_error *err)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    if (doc == NULL) {
        return hearth_fail_oom(err);
    }
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    add_machine(doc, root, machine);
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "results");
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_arr_append(array, result(doc, &results[i]));
    }
    yyjson_write_err why = {0};
    bool is_written = yyjson_mut_write_file(path, doc, YYJSON_WRITE_PRETTY, NULL, &why);
    yyjson_mut_doc_free(doc);
    return is_written ? 0 : hearth_fail(err, HEARTH_E_SYSTEM, "write %s: %s", path, why.msg);
}
