/* encoder.c — chooses inputs and output of a text model. */

#include "encoder.h"

#include <stdio.h>
#include <string.h>

static const char *const input_names[INPUT_KINDS] = {"input_ids", "attention_mask",
                                                     "token_type_ids", "position_ids"};

static int find_kind(const struct port *port, enum encoder_input *ret, struct hearth_error *err)
{
    for (size_t kind = 0; kind < INPUT_KINDS; kind++) {
        if (strcmp(port->name, input_names[kind]) == 0) {
            *ret = (enum encoder_input)kind;
            return 0;
        }
    }
    return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                       "the model asks for input \"%.64s\"; known are input_ids, attention_mask, "
                       "token_type_ids and position_ids",
                       port->name);
}

static int check_input(struct encoder *encoder, const struct port *port, struct hearth_error *err)
{
    bool is_integer = port->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 ||
                      port->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    if (!is_integer || (port->has_shape && port->rank != 2)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "input %.64s must be int64 or int32 [batch, tokens], the model wants %s "
                           "of rank %zu",
                           port->name, hearth_tensor_type_name((int)port->type), port->rank);
    }
    if (!port->has_shape) {
        return 0;
    }
    if (port->shape[0] != PORT_ANY && port->shape[0] != 1) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "input %.64s has a fixed batch of %lld; export the model with an open "
                           "one, or of 1",
                           port->name, (long long)port->shape[0]);
    }
    size_t tokens = port->shape[1] == PORT_ANY ? 0 : (size_t)port->shape[1];
    if (tokens > HEAD_MAX_TOKENS ||
        (tokens != 0 && encoder->fixed_tokens != 0 && tokens != encoder->fixed_tokens)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "input %.64s has a fixed length of %zu tokens, another %zu; at most %u "
                           "are taken",
                           port->name, tokens, encoder->fixed_tokens, HEAD_MAX_TOKENS);
    }
    encoder->fixed_tokens = HEARTH_MAX(encoder->fixed_tokens, tokens);
    return 0;
}

static int choose_inputs(struct encoder *encoder, const struct ports *ports,
                         struct hearth_error *err)
{
    bool has[INPUT_KINDS] = {false};
    for (size_t i = 0; i < ports->input_count; i++) {
        const struct port *port = &ports->inputs[i];
        enum encoder_input kind = INPUT_IDS;
        int rc = find_kind(port, &kind, err);
        if (rc == 0) {
            rc = check_input(encoder, port, err);
        }
        if (rc < 0) {
            return rc;
        }
        has[kind] = true;
        encoder->kinds[encoder->input_count] = kind;
        encoder->is_int32[encoder->input_count] = port->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
        encoder->input_names[encoder->input_count++] = port->name;
    }
    if (!has[INPUT_IDS]) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "the model has no input \"input_ids\"");
    }
    if (encoder->fixed_tokens != 0 && !has[INPUT_MASK]) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the model has a fixed length of %zu tokens and no attention_mask, so "
                           "that shorter texts cannot be told from their padding",
                           encoder->fixed_tokens);
    }
    return 0;
}

/* How well an output suits the task: 0 not by name, higher is better. With a way of pooling told,
 * what is there to be pooled is preferred to what the graph has pooled already. */
static int suits(const struct head *head, const char *name)
{
    if (head->output != NULL) {
        return strcmp(name, head->output) == 0 ? 9 : -1;
    }
    if (head->task != HEARTH_TASK_EMBED) {
        return strcmp(name, "logits") == 0 ? 2 : 0;
    }
    if (strcmp(name, "sentence_embedding") == 0) {
        return head->is_pooling_told ? 1 : 4;
    }
    bool is_rows = strcmp(name, "last_hidden_state") == 0 || strcmp(name, "token_embeddings") == 0;
    return is_rows ? 2 : 0;
}

/* The best one, or the only one; NULL if none is. */
static const struct port *find_output(const struct ports *ports, const struct head *head)
{
    const struct port *best = NULL;
    int best_suits = ports->output_count == 1 ? -1 : 0;
    for (size_t i = 0; i < ports->output_count; i++) {
        int found = suits(head, ports->outputs[i].name);
        if (found > best_suits) {
            best_suits = found;
            best = &ports->outputs[i];
        }
    }
    return best;
}

static int missing_output(const struct ports *ports, const struct head *head,
                          struct hearth_error *err)
{
    char names[120] = "";
    size_t used = 0;
    for (size_t i = 0; i < ports->output_count && used < sizeof names; i++) {
        int more = snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                            ports->outputs[i].name);
        used += (size_t)HEARTH_MAX(0, more);
    }
    const char *wanted = head->task == HEARTH_TASK_EMBED ? "last_hidden_state" : "logits";
    return hearth_fail(
        err, HEARTH_E_UNSUPPORTED,
        "the outputs are %s and none is \"%.64s\"; option output names the one to use", names,
        head->output != NULL ? head->output : wanted);
}

/* Rows for each token, or one row a text, as the task wants it. */
bool encoder_is_rank_right(enum hearth_task task, size_t rank)
{
    if (task == HEARTH_TASK_ENTITIES) {
        return rank == 3;
    }
    return rank == 2 || (rank == 3 && task == HEARTH_TASK_EMBED) ||
           (rank == 1 && task != HEARTH_TASK_EMBED);
}

/* A rank of 0 is one that the library could not infer; the first run shows it. */
static int take_output(struct encoder *encoder, const struct port *port, enum hearth_task task,
                       struct hearth_error *err)
{
    bool is_float = port->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ||
                    port->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    if (!is_float || (port->rank != 0 && !encoder_is_rank_right(task, port->rank))) {
        const char *shape = task == HEARTH_TASK_ENTITIES ? "[batch, tokens, labels]"
                            : task == HEARTH_TASK_EMBED ? "[batch, tokens, width] or [batch, width]"
                                                        : "[batch, width]";
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "output \"%.64s\" must be float32 or float16 %s, it is %s of rank %zu",
                           port->name, shape, hearth_tensor_type_name((int)port->type), port->rank);
    }
    encoder->output_name = port->name;
    encoder->is_half = port->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    encoder->output_rank = port->rank;
    encoder->output_width = port->rank >= 2 ? port->shape[port->rank - 1] : PORT_ANY;
    return 0;
}

int encoder_choose_output(struct encoder *encoder, const struct ports *ports,
                          const struct head *head, struct hearth_error *err)
{
    const struct port *output = find_output(ports, head);
    return output == NULL ? missing_output(ports, head, err)
                          : take_output(encoder, output, head->task, err);
}

int encoder_choose(struct encoder *encoder, const struct ports *ports, const struct head *head,
                   struct hearth_error *err)
{
    *encoder = (struct encoder){0};
    int rc = choose_inputs(encoder, ports, err);
    return rc < 0 ? rc : encoder_choose_output(encoder, ports, head, err);
}
