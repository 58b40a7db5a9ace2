/* inputs.c — tokens to tensors.
 *
 * Most models take int64 of any length: then the arrays of the encoding are lent as they are.
 * Others get a copy, padded, narrowed to int32, or made up (positions). */

#include "inputs.h"

#include <string.h>

size_t inputs_length(const struct runner *runner, const struct onnx_model *model)
{
    size_t fixed = model->encoder.fixed_tokens;
    return fixed != 0 ? fixed : runner->encoding.count;
}

/* Number @index of an input, padding included. */
static int64_t number_at(const struct runner *runner, const struct onnx_model *model,
                         enum encoder_input kind, size_t index)
{
    const struct hearth_encoding *encoding = &runner->encoding;
    bool is_padding = index >= encoding->count;
    switch (kind) {
    case INPUT_IDS: {
        int64_t pad = hearth_tokenizer_facts(model->tokenizer)->pad_id;
        return is_padding ? HEARTH_MAX(INT64_C(0), pad) : encoding->ids[index];
    }
    case INPUT_MASK: return is_padding ? 0 : encoding->mask[index];
    case INPUT_TYPES: return is_padding ? 0 : encoding->type_ids[index];
    case INPUT_POSITIONS: return (int64_t)index;
    case INPUT_KINDS: break;
    }
    HEARTH_UNREACHABLE();
}

/* Appends the input to the scratch, which has room; returns where it is. */
static void *write_numbers(struct runner *runner, const struct onnx_model *model,
                           enum encoder_input kind, bool is_int32, size_t length)
{
    uint8_t *start = runner->numbers.data + runner->numbers.size;
    size_t each = is_int32 ? sizeof(int32_t) : sizeof(int64_t);
    for (size_t i = 0; i < length; i++) {
        int64_t number = number_at(runner, model, kind, i);
        int32_t narrow = (int32_t)number; /* ids are below 2^20, lengths below 2^13 */
        memcpy(start + i * each, is_int32 ? (void *)&narrow : (void *)&number, each);
    }
    runner->numbers.size += length * sizeof(int64_t); /* keeps the next one aligned */
    return start;
}

static void *lent_numbers(struct hearth_encoding *encoding, enum encoder_input kind)
{
    switch (kind) {
    case INPUT_IDS: return encoding->ids;
    case INPUT_MASK: return encoding->mask;
    case INPUT_TYPES: return encoding->type_ids;
    case INPUT_POSITIONS:
    case INPUT_KINDS: return NULL;
    }
    HEARTH_UNREACHABLE();
}

int inputs_make(struct runner *runner, const struct onnx_model *model,
                OrtValue *inputs[INPUT_KINDS], struct hearth_error *err)
{
    const struct encoder *encoder = &model->encoder;
    const struct session *session = executor_session(model->executor);
    size_t length = inputs_length(runner, model);
    const int64_t shape[2] = {1, (int64_t)length};
    hearth_buf_clear(&runner->numbers);
    int rc = hearth_buf_reserve(&runner->numbers, encoder->input_count * length * sizeof(int64_t));
    if (rc < 0) {
        return hearth_fail_oom(err);
    }
    for (size_t i = 0; rc == 0 && i < encoder->input_count; i++) {
        bool is_int32 = encoder->is_int32[i];
        void *numbers = lent_numbers(&runner->encoding, encoder->kinds[i]);
        if (is_int32 || numbers == NULL || length != runner->encoding.count) {
            numbers = write_numbers(runner, model, encoder->kinds[i], is_int32, length);
        }
        rc = runtime_check(runtime_api()->CreateTensorWithDataAsOrtValue(
                               session->memory, numbers,
                               length * (is_int32 ? sizeof(int32_t) : sizeof(int64_t)), shape, 2,
                               is_int32 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32
                                        : ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
                               &inputs[i]),
                           HEARTH_E_NO_MEMORY, "make a tensor", err);
    }
    return rc;
}
