/* answers.c — rerank, entities and tensors without a model. */

#include "answers.h"

#include "tensor.h"

#include <stdio.h>
#include <string.h>

uint32_t echo_count_characters(struct hearth_slice text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        count += (text.data[i] & 0xc0u) != 0x80u ? 1 : 0;
    }
    return count;
}

void echo_answer_rerank(struct hearth_item *item, struct hearth_slice text, uint32_t tokens)
{
    uint32_t query = echo_count_characters(item->text);
    uint32_t size = echo_count_characters(text);
    uint32_t difference = query > size ? query - size : size - query;
    const struct hearth_item_result result = {
        .prompt_tokens = tokens,
        .score = 1.0f / (1.0f + (float)difference),
    };
    hearth_item_finish(item, &result);
}

/* ---- entities ------------------------------------------------------------------------------ */

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The word at or behind @at; false at the end of the text. */
static bool next_word(struct hearth_slice text, size_t *at, struct hearth_slice *ret)
{
    while (*at < text.size && is_space(text.data[*at])) {
        (*at)++;
    }
    size_t start = *at;
    while (*at < text.size && !is_space(text.data[*at])) {
        (*at)++;
    }
    *ret = hearth_slice_of(text.data + start, *at - start);
    return ret->size > 0;
}

static struct hearth_slice label_of(const struct hearth_engine_plan *plan, uint32_t characters)
{
    const char *label =
        plan->label_count > 0 ? plan->labels[(characters - 1) % plan->label_count] : "O";
    bool is_tagged = (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
    return hearth_slice_of_string(is_tagged ? label + 2 : label);
}

void echo_answer_entities(struct hearth_item *item, const struct hearth_engine_plan *plan,
                          struct hearth_slice text, uint32_t tokens)
{
    struct hearth_wire_entity found[HEARTH_MAX_ENTITIES]; /* only what is used is touched */
    uint32_t count = 0;
    size_t skipped = (size_t)(text.data - item->text.data);
    uint32_t char_at = 0;
    size_t byte_at = 0;
    struct hearth_slice word;
    for (size_t at = 0; next_word(item->text, &at, &word);) {
        size_t start = (size_t)(word.data - item->text.data);
        uint32_t characters = echo_count_characters(word);
        struct hearth_slice label = label_of(plan, characters);
        bool is_entity = start >= skipped && word.data[0] >= 'A' && word.data[0] <= 'Z' &&
                         !hearth_slice_equals_string(label, "O");
        char_at +=
            echo_count_characters(hearth_slice_of(item->text.data + byte_at, start - byte_at));
        byte_at = start;
        if (is_entity && count == HEARTH_MAX_ENTITIES) {
            struct hearth_error err = {0};
            hearth_fail(&err, HEARTH_E_TOO_LARGE,
                        "input %u has more than %u entities; send it in parts", item->index,
                        HEARTH_MAX_ENTITIES);
            hearth_item_fail(item, HEARTH_E_TOO_LARGE, &err);
            return;
        }
        if (is_entity) {
            found[count++] = (struct hearth_wire_entity){
                .label = label,
                .score = 1.0f / (float)characters,
                .start_byte = (uint32_t)start,
                .end_byte = (uint32_t)at,
                .start_char = char_at,
                .end_char = char_at + characters,
            };
        }
    }
    const struct hearth_item_result result = {
        .prompt_tokens = tokens, .entities = found, .entity_count = count};
    hearth_item_finish(item, &result);
}

/* ---- tensors ------------------------------------------------------------------------------- */

/* Fails if an output is asked for that no input is called. */
static int check_wanted(const struct hearth_wire_inference_request *request,
                        const struct hearth_tensor *tensors, int count, struct hearth_error *err)
{
    struct hearth_wire_list cursor = request->outputs;
    struct hearth_wire_name wanted;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_name, &wanted); i++) {
        int known = 0;
        while (known < count && !hearth_slice_equal(tensors[known].name, wanted.name)) {
            known++;
        }
        if (known == count) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "outputs[%u]: no tensor of that name was given to echo", i);
        }
    }
    return 0;
}

void echo_answer_tensors(struct hearth_item *item)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(item->job);
    struct hearth_error err = {0};
    struct hearth_tensor tensors[HEARTH_MAX_TENSORS];
    char names[HEARTH_MAX_TENSORS][HEARTH_MAX_LABEL_BYTES + 1];
    struct hearth_engine_tensor outputs[HEARTH_MAX_TENSORS];
    struct hearth_item_result result = {.tensors = outputs};
    int count = hearth_tensors_of(item->job, tensors, &err);
    int rc = count < 0 ? count : check_wanted(request, tensors, count, &err);
    for (int i = 0; rc == 0 && i < count; i++) {
        if (!hearth_slice_to_string(tensors[i].name, names[i], sizeof names[i])) {
            rc = hearth_fail(&err, HEARTH_E_INPUT_INVALID, "tensors[%d].name: contains NUL", i);
        } else if (hearth_tensor_is_wanted(request, names[i])) {
            struct hearth_engine_tensor *output = &outputs[result.tensor_count++];
            *output = (struct hearth_engine_tensor){.name = names[i],
                                                    .type = tensors[i].type,
                                                    .rank = tensors[i].rank,
                                                    .data = tensors[i].data};
            memcpy(output->shape, tensors[i].shape, sizeof output->shape);
        }
    }
    if (rc < 0) {
        hearth_item_fail(item, rc, &err);
    } else {
        hearth_item_finish(item, &result);
    }
}

struct hearth_slice echo_directives_of_tensors(const struct hearth_item *item)
{
    struct hearth_wire_list cursor = hearth_job_request(item->job)->tensors;
    struct hearth_wire_tensor tensor;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor)) {
        if (tensor.type == HEARTH_TENSOR_UINT8 && tensor.memfd_bytes == 0 &&
            hearth_slice_equals_string(tensor.name, "directives")) {
            return tensor.data;
        }
    }
    return hearth_slice_of(NULL, 0);
}
