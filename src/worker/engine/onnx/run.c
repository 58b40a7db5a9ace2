/* run.c — one item through tokenizer and session.
 *
 * Texts are never padded against each other: each is a batch of one with a mask of ones (but for
 * models of a fixed length), so what a text answers cannot depend on its neighbours. */

#include "run.h"

#include "answer.h"
#include "inputs.h"
#include "output.h"
#include "raw.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define SCRATCH_CAP_BYTES  ((size_t)HEARTH_MAX_MEMFD_BYTES)
#define SCRATCH_KEEP_BYTES ((size_t)4 << 20) /* of each buffer, between items */

int runner_init(struct runner *runner, const struct onnx_model *model, struct run_seat *seat,
                struct hearth_error *err)
{
    *runner = (struct runner){.seat = seat};
    hearth_encoding_init(&runner->encoding);
    hearth_buf_init(&runner->numbers, SCRATCH_CAP_BYTES);
    hearth_buf_init(&runner->floats, SCRATCH_CAP_BYTES);
    runner->answer = hearth_alloc(HEARTH_MAX_VECTOR, sizeof *runner->answer);
    if (model->head.task == HEARTH_TASK_ENTITIES) {
        runner->entities.list = hearth_alloc(HEARTH_MAX_ENTITIES, sizeof *runner->entities.list);
        if (runner->entities.list == NULL) {
            return hearth_fail_oom(err);
        }
    }
    return runner->answer == NULL ? hearth_fail_oom(err) : 0;
}

void runner_finish(struct runner *runner)
{
    hearth_encoding_finish(&runner->encoding);
    hearth_buf_finish(&runner->numbers);
    hearth_buf_finish(&runner->floats);
    hearth_free(runner->answer);
    hearth_free(runner->entities.list);
    *runner = (struct runner){0};
}

static void wipe_and_trim(struct hearth_buf *buf)
{
    hearth_buf_wipe(buf);
    if (buf->room > SCRATCH_KEEP_BYTES) {
        hearth_buf_finish(buf);
    }
}

/* What is left of an item is nobody else's. */
static void wipe(struct runner *runner, const struct onnx_model *model)
{
    hearth_encoding_wipe(&runner->encoding);
    wipe_and_trim(&runner->numbers);
    wipe_and_trim(&runner->floats);
    hearth_wipe(runner->answer, model->width * sizeof *runner->answer);
    if (runner->entities.list != NULL) {
        hearth_wipe(runner->entities.list, runner->entities.count * sizeof *runner->entities.list);
        runner->entities.count = 0;
    }
}

/* ---- a text ---------------------------------------------------------------------------------- */

/* A text is cut to what the model takes; ids are taken as they are or not at all. */
static int read_input(struct runner *runner, const struct onnx_model *model,
                      const struct hearth_item *item, struct hearth_error *err)
{
    if (item->tokens.count > 0) {
        int rc = hearth_tokenizer_take_ids(model->tokenizer, item->tokens.data, item->tokens.count,
                                           model->max_tokens, &runner->encoding, err);
        return rc < 0 ? hearth_because(err, rc, "input %" PRIu32, item->index) : 0;
    }
    const struct hearth_encode_options options = {
        .max_tokens = model->max_tokens,
        .add_special = true,
        .wants_places = model->head.task == HEARTH_TASK_ENTITIES,
    };
    return item->pair.size > 0
               ? hearth_tokenizer_encode_pair(model->tokenizer, item->text, item->pair, &options,
                                              &runner->encoding, err)
               : hearth_tokenizer_encode(model->tokenizer, item->text, &options, &runner->encoding,
                                         err);
}

/* Runs the model on what the encoding holds. The value that @ret lends is the caller's to release,
 * also after a failure. */
static int run_encoding(struct runner *runner, const struct onnx_model *model,
                        struct onnx_output *ret, OrtValue **ret_value, struct hearth_error *err)
{
    OrtValue *inputs[INPUT_KINDS] = {NULL};
    const struct encoder *encoder = &model->encoder;
    int rc = inputs_make(runner, model, inputs, err);
    if (rc == 0) {
        rc = executor_run(model->executor, runner->seat, encoder->input_names,
                          (const OrtValue *const *)inputs, encoder->input_count,
                          &encoder->output_name, 1, ret_value, inputs_length(runner, model), err);
    }
    for (size_t i = 0; i < INPUT_KINDS; i++) {
        if (inputs[i] != NULL) {
            runtime_api()->ReleaseValue(inputs[i]);
        }
    }
    return rc < 0 ? rc : output_read(runner, model, *ret_value, ret, err);
}

static void release(OrtValue *value)
{
    if (value != NULL) {
        runtime_api()->ReleaseValue(value);
    }
}

static int run_text(struct runner *runner, const struct onnx_model *model,
                    const struct hearth_item *item, struct hearth_item_result *result,
                    struct hearth_error *err)
{
    struct hearth_vector_form form = {0};
    struct onnx_output output;
    OrtValue *value = NULL;
    int rc = 0;
    if (model->head.task == HEARTH_TASK_EMBED) { /* before the work: it may be impossible */
        rc = hearth_vector_form(hearth_job_request(item->job), (uint32_t)model->width,
                                model->head.must_normalise, &form, err);
    }
    if (rc == 0) {
        rc = read_input(runner, model, item, err);
    }
    if (rc == 0) {
        rc = run_encoding(runner, model, &output, &value, err);
    }
    if (rc == 0) {
        rc = answer_fill(runner, model, item, &form, &output, result, err);
    }
    release(value);
    result->prompt_tokens = (uint32_t)runner->encoding.count;
    result->is_truncated = runner->encoding.is_truncated;
    return rc;
}

int runner_probe(struct runner *runner, const struct onnx_model *model, size_t tokens,
                 struct onnx_output *ret, struct hearth_error *err)
{
    int64_t unknown = hearth_tokenizer_facts(model->tokenizer)->unk_id;
    uint32_t *ids = hearth_alloc(tokens, sizeof *ids);
    if (ids == NULL) {
        return hearth_fail_oom(err);
    }
    for (size_t i = 0; i < tokens; i++) {
        ids[i] = (uint32_t)HEARTH_MAX(INT64_C(0), unknown);
    }
    int rc = hearth_tokenizer_take_ids(model->tokenizer, ids, tokens, model->max_tokens,
                                       &runner->encoding, err);
    OrtValue *value = NULL;
    if (rc == 0) {
        rc = run_encoding(runner, model, ret, &value, err);
    }
    release(value);
    ret->values = NULL; /* gone with the value */
    hearth_free(ids);
    wipe(runner, model);
    return rc;
}

/* ---- any item -------------------------------------------------------------------------------- */

/* The library's words may hold numbers of the input ("idx=4711 must be within …", "index = 4711",
 * "indice = 4711", "k argument [7]"), each kernel in its own way: behind "Status Message" all are
 * hidden, but for those that belong to a name, as in "float16". */
static void hide_numbers(struct hearth_error *err)
{
    char *at = strstr(err->text, "Status Message:");
    for (char before = ' '; at != NULL && *at != '\0'; before = *at++) {
        if (isdigit((uint8_t)*at) && !isalnum((uint8_t)before) && before != '_') {
            *at = '#';
        }
    }
}

void runner_answer(struct runner *runner, const struct onnx_model *model, struct hearth_item *item)
{
    struct hearth_error err = {0};
    struct hearth_item_result result = {.finish = HEARTH_FINISH_NONE};
    struct raw_answer raw = {.count = 0};
    int rc = executor_begin(runner->seat, item, &err);
    if (rc == 0 && model->head.task == HEARTH_TASK_TENSORS) {
        rc = raw_run(runner, model, item, &raw, &err);
        result.tensors = raw.tensors;
        result.tensor_count = raw.count;
    } else if (rc == 0) {
        rc = run_text(runner, model, item, &result, &err);
    }
    executor_end(runner->seat);
    if (rc < 0) {
        int why = hearth_item_must_end(item); /* a terminated run says only that it failed */
        hide_numbers(&err);
        hearth_item_fail(item, why < 0 ? why : rc, why < 0 ? NULL : &err);
    } else {
        hearth_item_finish(item, &result);
    }
    raw_release(&raw);
    wipe(runner, model);
}
