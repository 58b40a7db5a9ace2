/* golden.c — a swap asks golden inputs, one after the other, and compares the answers.
 *
 * The file beside the new model is used, else that of the old one, but then with what the old one
 * answers now. So is each input that has no answer written down; if the old one does not serve,
 * those are left out. */

#include "session_priv.h"

#include <string.h>

static bool serves(const struct hearth_model *model)
{
    return model != NULL && model->state == HEARTH_MODEL_READY;
}

/* What stands in the file of the old one are not the answers of the new one. */
static void forget_answers(struct hearth_golden *golden)
{
    for (uint32_t i = 0; i < golden->count; i++) {
        golden->inputs[i].answer = (struct hearth_golden_answer){0};
    }
}

int golden_open(struct hearth_server *server, struct hearth_error *err)
{
    struct swap *swap = &server->swap;
    struct hearth_registry *registry = server->parts.registry;
    int found = hearth_registry_read_golden(registry, swap->new, &swap->golden, err);
    if (found != 0 || swap->old == NULL || swap->old->manifest == NULL) {
        return found < 0 ? found : 0;
    }
    found = hearth_registry_read_golden(registry, swap->old, &swap->golden, err);
    if (found > 0 && serves(swap->old)) {
        forget_answers(swap->golden);
    }
    return found < 0 ? found : 0;
}

bool golden_needs_old(const struct hearth_server *server)
{
    const struct swap *swap = &server->swap;
    return swap->golden != NULL && serves(swap->old) && hearth_golden_has_gaps(swap->golden);
}

static bool is_to_be_asked(const struct swap *swap, uint32_t index)
{
    bool is_known = swap->golden->inputs[index].answer.is_known;
    return swap->phase == HEARTH_SWAP_RECORDING ? !is_known : is_known;
}

int golden_ask_next(struct hearth_server *server, struct hearth_model *model,
                    struct hearth_error *err)
{
    struct swap *swap = &server->swap;
    const struct hearth_golden *golden = swap->golden;
    while (golden != NULL && swap->next < golden->count && !is_to_be_asked(swap, swap->next)) {
        swap->next++;
    }
    if (golden == NULL || swap->next == golden->count) {
        return 0;
    }
    const struct hearth_golden_input *input = &golden->inputs[swap->next];
    struct hearth_wire_text text = {.text = hearth_slice_of_string(input->text),
                                    .pair = hearth_slice_of_string(input->pair)};
    struct hearth_wire_inference_request asked = {0};
    hearth_wire_default_request(&asked);
    asked.task = (uint8_t)golden->task;
    asked.priority = HEARTH_HIGH;
    asked.model_id = hearth_slice_of_string(model->id);
    asked.texts = (struct hearth_wire_list){.count = 1, .items = &text};
    asked.query = hearth_slice_of_string(input->query);
    asked.max_tokens = input->max_tokens;
    asked.temperature = 0;
    asked.repetition_penalty = 1;
    /* Greedy and exact: the same tokens whatever runs beside it. */
    asked.flags = model->manifest->engine == HEARTH_ENGINE_GGUF ? HEARTH_FLAG_EXACT : 0;
    int rc = request_open_own(server, model, &asked, &swap->ticket, err);
    return rc < 0 ? rc : 1;
}

int golden_take(struct hearth_server *server, const struct hearth_wire_inference_response *answer,
                struct hearth_error *err)
{
    struct swap *swap = &server->swap;
    struct hearth_wire_list results = answer->results;
    struct hearth_wire_result result;
    uint32_t index = swap->next++;
    if (answer->code != 0) {
        return hearth_fail(err, -(int)answer->code, "golden input %u: %.*s", index,
                           HEARTH_SLICE_ARGS(answer->error));
    }
    if (!hearth_wire_next(&results, HEARTH_RECORD_result, &result)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "golden input %u: no answer", index);
    }
    if (swap->phase == HEARTH_SWAP_RECORDING) {
        swap->recorded |= UINT64_C(1) << index;
        return hearth_golden_keep(swap->golden, index, &result, err);
    }
    swap->checked++;
    return hearth_golden_compare(swap->golden, index, &result, err);
}
