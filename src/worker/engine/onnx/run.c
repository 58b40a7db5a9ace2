/* run.c — one text through tokenizer and session.
 *
 * Texts are never padded against each other: each is a batch of one with a mask of ones, so what a
 * text answers cannot depend on its neighbours. */

#include "run.h"

#include <inttypes.h>
#include <string.h>

int runner_init(struct runner *runner, struct run_seat *seat, struct hearth_error *err)
{
    *runner = (struct runner){.seat = seat};
    hearth_encoding_init(&runner->encoding);
    runner->answer = hearth_alloc(HEARTH_MAX_VECTOR, sizeof *runner->answer);
    return runner->answer == NULL ? hearth_fail_oom(err) : 0;
}

void runner_finish(struct runner *runner)
{
    hearth_encoding_finish(&runner->encoding);
    hearth_free(runner->answer);
    *runner = (struct runner){0};
}

/* Lends @count numbers to a tensor of shape [1, count]. */
static int lend(const struct session *session, int64_t *numbers, size_t count, OrtValue **ret,
                struct hearth_error *err)
{
    const int64_t shape[2] = {1, (int64_t)count};
    return runtime_check(runtime_api()->CreateTensorWithDataAsOrtValue(
                             session->memory, numbers, count * sizeof *numbers, shape, 2,
                             ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, ret),
                         HEARTH_E_NO_MEMORY, "make a tensor", err);
}

static int make_inputs(struct runner *runner, const struct onnx_model *model,
                       OrtValue *inputs[INPUT_KINDS], struct hearth_error *err)
{
    const struct session *session = executor_session(model->executor);
    struct hearth_encoding *encoding = &runner->encoding;
    int64_t *numbers[INPUT_KINDS] = {
        [INPUT_IDS] = encoding->ids,
        [INPUT_MASK] = encoding->mask,
        [INPUT_TYPES] = encoding->type_ids,
    };
    size_t made = 0;
    int rc = 0;
    for (size_t kind = 0; rc == 0 && kind < INPUT_KINDS; kind++) {
        if (model->ports.has_input[kind]) {
            rc = lend(session, numbers[kind], encoding->count, &inputs[made++], err);
        }
    }
    return rc;
}

/* Checks the output against what was asked; the file's promise is not trusted. */
static int check_output(const struct runner *runner, const struct onnx_model *model,
                        const OrtValue *output, size_t *ret_width, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtTensorTypeAndShapeInfo *info = NULL;
    int64_t shape[3] = {0};
    size_t rank = 0;
    int rc = runtime_check(api->GetTensorTypeAndShape(output, &info), HEARTH_E_ENGINE_FAILED,
                           "read the output", err);
    if (rc < 0) {
        return rc;
    }
    rc = runtime_check(api->GetDimensionsCount(info, &rank), HEARTH_E_ENGINE_FAILED,
                       "read the output", err);
    if (rc == 0 && rank == model->ports.output_rank) {
        rc = runtime_check(api->GetDimensions(info, shape, rank), HEARTH_E_ENGINE_FAILED,
                           "read the output", err);
    }
    api->ReleaseTensorTypeAndShapeInfo(info);
    if (rc < 0) {
        return rc;
    }
    int64_t width = rank >= 2 ? shape[rank - 1] : 0;
    bool is_right = rank == model->ports.output_rank && shape[0] == 1 && width > 0 &&
                    width <= HEARTH_MAX_VECTOR &&
                    (rank == 2 || shape[1] == (int64_t)runner->encoding.count) &&
                    (model->width == 0 || (size_t)width == model->width);
    if (!is_right) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "the model answered with rank %zu and %lld values a row", rank,
                           (long long)width);
    }
    *ret_width = (size_t)width;
    return 0;
}

static int take_output(struct runner *runner, const struct onnx_model *model, OrtValue *output,
                       struct hearth_error *err)
{
    size_t width = 0;
    void *values = NULL;
    int rc = check_output(runner, model, output, &width, err);
    if (rc == 0) {
        rc = runtime_check(runtime_api()->GetTensorMutableData(output, &values),
                           HEARTH_E_ENGINE_FAILED, "read the output", err);
    }
    if (rc < 0) {
        return rc;
    }
    if (model->ports.output_rank == 3) {
        pooling_fold(model->pooling, values, runner->encoding.count, width, runner->answer);
    } else {
        memcpy(runner->answer, values, width * sizeof *runner->answer);
    }
    if (!pooling_is_finite(runner->answer, width)) {
        return hearth_fail(err, HEARTH_E_ENGINE_FAILED, "the model answered with NaN or infinity");
    }
    if (model->width == 0) {
        return (int)width; /* learning the width after load */
    }
    if (model->task == HEARTH_TASK_CLASSIFY) {
        pooling_softmax(runner->answer, width);
    } else if (model->must_normalise) {
        pooling_normalise(runner->answer, width);
    }
    return 0;
}

int runner_run(struct runner *runner, const struct onnx_model *model, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    const char *output_name = model->ports.output_name;
    OrtValue *inputs[INPUT_KINDS] = {NULL};
    OrtValue *output = NULL;
    int rc = make_inputs(runner, model, inputs, err);
    if (rc == 0) {
        rc = executor_run(model->executor, runner->seat, model->ports.input_names,
                          (const OrtValue *const *)inputs, model->ports.input_count, &output_name,
                          1, &output, runner->encoding.count, err);
    }
    if (rc == 0) {
        rc = take_output(runner, model, output, err);
    }
    if (output != NULL) {
        api->ReleaseValue(output);
    }
    for (size_t i = 0; i < INPUT_KINDS; i++) {
        if (inputs[i] != NULL) {
            api->ReleaseValue(inputs[i]);
        }
    }
    return rc;
}

/* A text is cut to what the model takes; ids are taken as they are or not at all. */
static int read_input(struct runner *runner, const struct onnx_model *model,
                      const struct hearth_item *item, struct hearth_error *err)
{
    if (item->tokens.count > 0) {
        int rc = hearth_tokenizer_take_ids(model->tokenizer, item->tokens.data, item->tokens.count,
                                           model->max_tokens, &runner->encoding, err);
        return rc < 0 ? hearth_because(err, rc, "input %" PRIu32, item->index) : 0;
    }
    const struct hearth_encode_options options = {.max_tokens = model->max_tokens,
                                                  .add_special = true};
    return hearth_tokenizer_encode(model->tokenizer, item->text, &options, &runner->encoding, err);
}

void runner_answer(struct runner *runner, const struct onnx_model *model, struct hearth_item *item)
{
    struct hearth_error err = {0};
    int rc = executor_begin(runner->seat, item, &err);
    if (rc == 0) {
        rc = read_input(runner, model, item, &err);
    }
    if (rc == 0) {
        rc = runner_run(runner, model, &err);
    }
    executor_end(runner->seat);
    if (rc < 0) {
        int why = hearth_item_must_end(item); /* a terminated run says only that it failed */
        hearth_item_fail(item, why < 0 ? why : rc, why < 0 ? NULL : &err);
        hearth_encoding_wipe(&runner->encoding);
        return;
    }
    struct hearth_item_result result = {
        .prompt_tokens = (uint32_t)runner->encoding.count,
        .is_truncated = runner->encoding.is_truncated,
        .finish = HEARTH_FINISH_NONE,
    };
    if (model->task == HEARTH_TASK_CLASSIFY) {
        result.scores = runner->answer;
    } else {
        result.vector = runner->answer;
        result.dimensions = (uint32_t)model->width;
    }
    hearth_item_finish(item, &result);
    hearth_encoding_wipe(&runner->encoding);
    hearth_wipe(runner->answer, model->width * sizeof *runner->answer);
}
