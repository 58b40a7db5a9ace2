/* golden.json of a hostile model folder: for each task that has one, what is accepted keeps its
 * limits, and any answer can be compared with it and kept instead of it. */

#include "hearth_registry.h"

#include <math.h>
#include <string.h>

int hearth_fuzz_golden(const uint8_t *data, size_t size);

static void check_answer(const struct hearth_golden_answer *answer)
{
    HEARTH_ASSERT(answer->score_count <= HEARTH_MAX_LABELS);
    HEARTH_ASSERT(answer->dimensions <= HEARTH_MAX_VECTOR);
    for (uint32_t i = 0; i < answer->score_count; i++) {
        HEARTH_ASSERT(answer->scores[i].label[0] != '\0' && isfinite(answer->scores[i].score));
    }
    for (uint32_t i = 0; i < answer->dimensions; i++) {
        HEARTH_ASSERT(isfinite(answer->vector[i]));
    }
}

/* An answer that has some of everything. */
static void answer_it(struct hearth_golden *golden, uint32_t index)
{
    static const float vector[] = {0.5f, -0.5f};
    const struct hearth_wire_label label = {.name = hearth_slice_of_string("a"), .score = 0.5f};
    const struct hearth_wire_result result = {.text = hearth_slice_of_string("a"),
                                              .labels = {.count = 1, .items = &label},
                                              .vector = {vector, 2},
                                              .score = 0.5f};
    struct hearth_error err = {0};
    if (golden->inputs[index].answer.is_known) {
        int rc = hearth_golden_compare(golden, index, &result, &err);
        HEARTH_ASSERT(rc == 0 || (rc == HEARTH_E_MODEL_INVALID && err.text[0] != '\0'));
    }
    HEARTH_ASSERT(hearth_golden_keep(golden, index, &result, &err) == 0);
    HEARTH_ASSERT(hearth_golden_compare(golden, index, &result, &err) == 0);
}

static void read_as(const uint8_t *data, size_t size, enum hearth_task task)
{
    struct hearth_golden *golden = NULL;
    struct hearth_error err = {0};
    if (hearth_golden_parse(hearth_slice_of(data, size), task, &golden, &err) < 0) {
        HEARTH_ASSERT(golden == NULL && err.text[0] != '\0');
        return;
    }
    HEARTH_ASSERT(golden->count > 0 && golden->count <= HEARTH_MAX_GOLDEN);
    for (uint32_t i = 0; i < golden->count; i++) {
        const struct hearth_golden_input *input = &golden->inputs[i];
        HEARTH_ASSERT(input->text[0] != '\0' &&
                      strlen(input->text) <= HEARTH_MAX_GOLDEN_TEXT_BYTES);
        HEARTH_ASSERT(input->tolerance >= 0 && input->tolerance <= 1);
        HEARTH_ASSERT(input->max_tokens > 0 && input->max_tokens <= HEARTH_MAX_GOLDEN_TOKENS);
        check_answer(&input->answer);
        answer_it(golden, i);
    }
    hearth_golden_destroy(golden);
}

int hearth_fuzz_golden(const uint8_t *data, size_t size)
{
    read_as(data, size, HEARTH_TASK_CLASSIFY);
    read_as(data, size, HEARTH_TASK_EMBED);
    read_as(data, size, HEARTH_TASK_RERANK);
    read_as(data, size, HEARTH_TASK_GENERATE);
    return 0;
}
