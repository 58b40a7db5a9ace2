/* golden_compare.c — is an answer the one that was to be expected? What it says of a difference
 * are numbers and labels of the model; texts are content. */

#include "golden.h"

#include <math.h>
#include <string.h>

static int differs(struct hearth_error *err, uint32_t index, const char *what, double found,
                   double wanted, double tolerance)
{
    return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                       "golden input %u: %.80s is %.6g, wanted %.6g within %.3g", index, what,
                       found, wanted, tolerance);
}

/* ---- scores ------------------------------------------------------------------------------- */

static bool find_score(struct hearth_wire_list labels, const char *name, double *ret)
{
    struct hearth_wire_label label;
    while (hearth_wire_next(&labels, HEARTH_RECORD_label, &label)) {
        if (hearth_slice_equals_string(label.name, name)) {
            *ret = (double)label.score;
            return true;
        }
    }
    return false;
}

static int compare_labels(const struct hearth_golden_input *input, uint32_t index,
                          struct hearth_wire_list labels, struct hearth_error *err)
{
    const struct hearth_golden_answer *wanted = &input->answer;
    struct hearth_wire_list cursor = labels;
    struct hearth_wire_label best = {0};
    (void)hearth_wire_next(&cursor, HEARTH_RECORD_label, &best);
    if (wanted->label != NULL && !hearth_slice_equals_string(best.name, wanted->label)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "golden input %u: the best label is \"%.*s\", wanted \"%.60s\"", index,
                           (int)HEARTH_MIN(best.name.size, 60u), (const char *)best.name.data,
                           wanted->label);
    }
    for (uint32_t i = 0; i < wanted->score_count; i++) {
        const struct hearth_golden_score *score = &wanted->scores[i];
        double found = 0;
        if (!find_score(labels, score->label, &found)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "golden input %u: the model has no label \"%.60s\"", index,
                               score->label);
        }
        if (!(fabs(found - score->score) <= input->tolerance)) {
            return differs(err, index, score->label, found, score->score, input->tolerance);
        }
    }
    return 0;
}

/* A vector is the same as itself also where no tolerance is given. */
#define ROUNDING 1e-9

/* ---- vectors ------------------------------------------------------------------------------ */

static double cosine(const float *a, const float *b, uint32_t count)
{
    double product = 0;
    double a_square = 0;
    double b_square = 0;
    for (uint32_t i = 0; i < count; i++) {
        product += (double)a[i] * (double)b[i];
        a_square += (double)a[i] * (double)a[i];
        b_square += (double)b[i] * (double)b[i];
    }
    return product / sqrt(a_square * b_square);
}

static int compare_vector(const struct hearth_golden_input *input, uint32_t index,
                          struct hearth_wire_f32s vector, struct hearth_error *err)
{
    const struct hearth_golden_answer *wanted = &input->answer;
    if (vector.count != wanted->dimensions) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "golden input %u: the vector has %u dimensions, wanted %u", index,
                           vector.count, wanted->dimensions);
    }
    HEARTH_AUTO(hearth_block) float *found = hearth_alloc(vector.count, sizeof *found);
    if (found == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_wire_copy_floats(vector, found, vector.count);
    double agreement = cosine(found, wanted->vector, vector.count);
    return agreement >= 1 - input->tolerance - ROUNDING /* not of a NaN either */
               ? 0
               : differs(err, index, "the cosine", agreement, 1, input->tolerance);
}

/* ---- from the face ------------------------------------------------------------------------ */

int hearth_golden_compare(const struct hearth_golden *golden, uint32_t index,
                          const struct hearth_wire_result *result, struct hearth_error *err)
{
    const struct hearth_golden_input *input = &golden->inputs[index];
    const struct hearth_golden_answer *wanted = &input->answer;
    HEARTH_ASSERT(index < golden->count && wanted->is_known);
    if (golden->task == HEARTH_TASK_CLASSIFY) {
        return compare_labels(input, index, result->labels, err);
    }
    if (golden->task == HEARTH_TASK_EMBED) {
        return compare_vector(input, index, result->vector, err);
    }
    if (golden->task == HEARTH_TASK_RERANK) {
        return fabs((double)result->score - wanted->score) <= input->tolerance
                   ? 0
                   : differs(err, index, "the score", (double)result->score, wanted->score,
                             input->tolerance);
    }
    return hearth_slice_equals_string(result->text, wanted->text)
               ? 0
               : hearth_fail(err, HEARTH_E_MODEL_INVALID,
                             "golden input %u: another text of %zu bytes, wanted one of %zu", index,
                             result->text.size, strlen(wanted->text));
}

static int keep_labels(struct hearth_arena *arena, struct hearth_wire_list labels,
                       struct hearth_golden_answer *answer)
{
    struct hearth_wire_label label;
    answer->scores = hearth_arena_alloc(arena, labels.count, sizeof *answer->scores);
    if (answer->scores == NULL && labels.count > 0) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&labels, HEARTH_RECORD_label, &label)) {
        struct hearth_golden_score *score = &answer->scores[answer->score_count++];
        score->label = hearth_arena_copy(arena, label.name);
        score->score = (double)label.score;
        if (score->label == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    answer->is_known = answer->score_count > 0;
    answer->label = answer->is_known ? answer->scores[0].label : NULL; /* the best is first */
    return 0;
}

static int keep_vector(struct hearth_arena *arena, struct hearth_wire_f32s vector,
                       struct hearth_golden_answer *answer)
{
    answer->vector = hearth_arena_alloc(arena, vector.count + 1u, sizeof *answer->vector);
    if (answer->vector == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    hearth_wire_copy_floats(vector, answer->vector, vector.count);
    answer->dimensions = vector.count;
    answer->is_known = vector.count > 0;
    return 0;
}

int hearth_golden_keep(struct hearth_golden *golden, uint32_t index,
                       const struct hearth_wire_result *result, struct hearth_error *err)
{
    struct hearth_golden_answer *answer = &golden->inputs[index].answer;
    struct hearth_arena *arena = &golden->arena;
    HEARTH_ASSERT(index < golden->count);
    int rc = 0;
    *answer = (struct hearth_golden_answer){0};
    if (golden->task == HEARTH_TASK_CLASSIFY) {
        rc = keep_labels(arena, result->labels, answer);
    } else if (golden->task == HEARTH_TASK_EMBED) {
        rc = keep_vector(arena, result->vector, answer);
    } else if (golden->task == HEARTH_TASK_RERANK) {
        *answer = (struct hearth_golden_answer){
            .is_known = true, .has_score = true, .score = (double)result->score};
    } else {
        answer->text = hearth_arena_copy(arena, result->text);
        answer->is_known = true;
        rc = answer->text != NULL ? 0 : HEARTH_E_NO_MEMORY;
    }
    if (rc < 0) {
        return hearth_fail_oom(err);
    }
    return answer->is_known
               ? 0
               : hearth_fail(err, HEARTH_E_MODEL_INVALID,
                             "golden input %u: an answer with nothing to compare", index);
}
