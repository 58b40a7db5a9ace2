/* answer.c — logits and vectors to answers. */

#include "answer.h"

#include <string.h>

static int fail_not_finite(struct hearth_error *err)
{
    return hearth_fail(err, HEARTH_E_ENGINE_FAILED, "the model answered with NaN or infinity");
}

static void activate(enum activation activation, float *logits, size_t count)
{
    switch (activation) {
    case ACTIVATION_SOFTMAX: pooling_softmax(logits, count); return;
    case ACTIVATION_SIGMOID: pooling_sigmoid(logits, count); return;
    case ACTIVATION_NONE: return;
    }
}

static int fill_scores(struct runner *runner, const struct onnx_model *model,
                       const struct onnx_output *output, struct hearth_error *err)
{
    if (!pooling_is_finite(output->values, output->width)) {
        return fail_not_finite(err);
    }
    memcpy(runner->answer, output->values, output->width * sizeof *runner->answer);
    activate(model->head.activation, runner->answer, output->width);
    return 0;
}

static int fill_vector(struct runner *runner, const struct onnx_model *model,
                       const struct hearth_vector_form *form, const struct onnx_output *output,
                       struct hearth_item_result *result, struct hearth_error *err)
{
    if (output->rank == 3) {
        pooling_fold(model->head.pooling, output->values, output->rows, output->width,
                     runner->answer);
    } else {
        memcpy(runner->answer, output->values, output->width * sizeof *runner->answer);
    }
    if (!pooling_is_finite(runner->answer, output->width)) {
        return fail_not_finite(err);
    }
    return hearth_vector_finish(form, runner->answer, result, err);
}

/* The best label of one token and its probability. */
static int tag(float *logits, size_t count, struct tagged *ret, struct hearth_error *err)
{
    if (!pooling_is_finite(logits, count)) {
        return fail_not_finite(err);
    }
    pooling_softmax(logits, count);
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    ret->label = best;
    ret->score = logits[best];
    return 0;
}

static int fill_entities(struct runner *runner, const struct onnx_model *model,
                         const struct hearth_item *item, const struct onnx_output *output,
                         struct hearth_item_result *result, struct hearth_error *err)
{
    const struct hearth_encoding *encoding = &runner->encoding;
    entities_begin(&runner->entities);
    for (size_t row = 0; row < output->rows; row++) {
        if (encoding->sequences[row] == HEARTH_SEQUENCE_SPECIAL) {
            continue;
        }
        struct tagged token = {.start = encoding->places[row].start,
                               .end = encoding->places[row].end};
        int rc = tag(output->values + row * output->width, output->width, &token, err);
        if (rc == 0) {
            rc = entities_add(&runner->entities, model->plan, model->head.aggregation, &token, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    entities_end(&runner->entities, item->text);
    result->entities = runner->entities.list;
    result->entity_count = runner->entities.count;
    return 0;
}

int answer_fill(struct runner *runner, const struct onnx_model *model,
                const struct hearth_item *item, const struct hearth_vector_form *form,
                const struct onnx_output *output, struct hearth_item_result *result,
                struct hearth_error *err)
{
    int rc = 0;
    switch (model->head.task) {
    case HEARTH_TASK_EMBED: return fill_vector(runner, model, form, output, result, err);
    case HEARTH_TASK_ENTITIES: return fill_entities(runner, model, item, output, result, err);
    case HEARTH_TASK_CLASSIFY:
        rc = fill_scores(runner, model, output, err);
        result->scores = runner->answer;
        return rc;
    case HEARTH_TASK_RERANK: /* of two values the second is the one for "relevant" */
        rc = fill_scores(runner, model, output, err);
        result->score = runner->answer[output->width - 1];
        return rc;
    case HEARTH_TASK_GENERATE:
    case HEARTH_TASK_CHAT:
    case HEARTH_TASK_TENSORS:
    case HEARTH_TASK_CHOICE: break;
    }
    HEARTH_UNREACHABLE();
}
