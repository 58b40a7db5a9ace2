/* draft.c — building a request from the caller's strings, numbers and tensors. */

#include "draft.h"

#include <fcntl.h>

static unsigned flags_of(const struct hearth_request_params *params, enum hearth_task task)
{
    bool is_streamed = params->on_item != NULL && task != HEARTH_TASK_TENSORS;
    return (is_streamed ? HEARTH_FLAG_STREAM : 0u) |
           (is_streamed && params->in_order ? HEARTH_FLAG_IN_ORDER : 0u) |
           (params->wants_token_ids ? HEARTH_FLAG_TOKEN_IDS : 0u) |
           (task == HEARTH_TASK_TENSORS ? HEARTH_FLAG_MEMFDS : 0u) |
           (params->wants_logprobs ? HEARTH_FLAG_LOGPROBS : 0u) |
           (params->exact ? HEARTH_FLAG_EXACT : 0u) | (params->shift ? HEARTH_FLAG_SHIFT : 0u) |
           (params->no_cache ? HEARTH_FLAG_NO_CACHE : 0u) |
           (params->shorten ? HEARTH_FLAG_SHORTEN : 0u);
}

/* Lists of texts and numbers that the wire has as records. */
static void fill_lists(struct client_draft *draft)
{
    const struct hearth_request_params *params = &draft->params;
    for (size_t i = 0; i < params->stop_count; i++) {
        draft->stops[i].text = hearth_slice_of_string(params->stops[i]);
    }
    for (size_t i = 0; i < params->logit_bias_count; i++) {
        draft->biases[i].token = params->logit_bias[i].token_id;
        draft->biases[i].bias = params->logit_bias[i].bias;
    }
    for (size_t i = 0; i < params->choice_count; i++) {
        draft->choices[i].text = hearth_slice_of_string(params->choices[i]);
    }
}

static void fill_request(struct client_draft *draft, enum hearth_task task)
{
    const struct hearth_request_params *params = &draft->params;
    draft->message.type = HEARTH_MSG_inference_request;
    draft->message.as.inference_request = (struct hearth_wire_inference_request){
        .request_id = 1, /* until it is submitted */
        .task = (uint8_t)task,
        .priority = (uint8_t)params->priority,
        .flags = (uint16_t)flags_of(params, task),
        .timeout_ms = params->timeout_ms,
        .model_id = hearth_slice_of_string(params->model),
        .max_tokens = params->max_tokens,
        .temperature = params->temperature,
        .top_k = params->top_k,
        .top_p = params->top_p,
        .min_p = params->min_p,
        .repetition_penalty = params->repetition_penalty,
        .repetition_window = params->repetition_window,
        .seed = params->seed,
        .stops = {.count = (uint32_t)params->stop_count, .items = draft->stops},
        .query = hearth_slice_of_string(params->query),
        .normalize = (uint8_t)params->normalize,
        .dimensions = params->dimensions,
        .vector_type = (uint8_t)params->vector_type,
        .choices = {.count = (uint32_t)params->choice_count, .items = draft->choices},
        .answers = params->answers,
        .typical_p = params->typical_p,
        .frequency_penalty = params->frequency_penalty,
        .presence_penalty = params->presence_penalty,
        .logit_bias = {.count = (uint32_t)params->logit_bias_count, .items = draft->biases},
        .top_logprobs = params->top_logprobs,
        .grammar_type = (uint8_t)params->grammar_type,
        .grammar = hearth_slice_of_string(params->grammar),
        .tools = hearth_slice_of_string(params->tools),
        .tool_choice = (uint8_t)params->tool_choice,
        .cache_domain = params->cache_domain,
    };
    fill_lists(draft);
}

int client_draft_begin(struct client_draft *draft, struct hearth_client *client,
                       enum hearth_task task, const struct hearth_request_params *params,
                       struct hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    draft->fds = (struct client_fds){0};
    int rc = client_request_params(params, &draft->params, err);
    if (rc < 0) {
        return rc;
    }
    if (client->has_no_session) {
        return hearth_fail(err, HEARTH_E_UNAUTHENTICATED,
                           "the client was made with without_session");
    }
    uint32_t timeout_ms = draft->params.timeout_ms;
    draft->client = client;
    draft->deadline_ns =
        client_deadline_ns(timeout_ms == 0 ? 0 : timeout_ms + HEARTH_CLIENT_GRACE_MS);
    draft->on_done = draft->params.on_done;
    draft->done_arg = draft->params.arg;
    draft->is_waited_for = false;
    fill_request(draft, task);
    return 0;
}

void client_draft_finish(struct client_draft *draft)
{
    client_fds_close(&draft->fds);
}

static int refuse_count(const char *what, size_t count, unsigned most, struct hearth_error *err)
{
    return hearth_fail(err, count == 0 ? HEARTH_E_INPUT_INVALID : HEARTH_E_TOO_LARGE,
                       "%s: %zu given, 1 to %u wanted", what, count, most);
}

int client_draft_inputs(struct client_draft *draft, const struct hearth_input *inputs, size_t count,
                        struct hearth_wire_text records[HEARTH_MAX_BATCH], struct hearth_error *err)
{
    const char *const *pairs = draft->params.pairs;
    if (count == 0 || count > HEARTH_MAX_BATCH) {
        return refuse_count("texts", count, HEARTH_MAX_BATCH, err);
    }
    for (size_t i = 0; i < count; i++) {
        bool has_ids = inputs[i].token_id_count > 0;
        if (inputs[i].token_id_count > HEARTH_MAX_INPUT_TOKENS) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE,
                               "inputs[%zu]: %zu token ids, the limit is %u", i,
                               inputs[i].token_id_count, HEARTH_MAX_INPUT_TOKENS);
        }
        if (has_ids && (inputs[i].token_ids == NULL || inputs[i].text != NULL)) {
            return hearth_fail(err, HEARTH_E_ARGUMENT,
                               "inputs[%zu]: wanted either text or token_ids", i);
        }
        records[i] = (struct hearth_wire_text){
            .text = hearth_slice_of_string(inputs[i].text),
            .pair = hearth_slice_of_string(pairs != NULL ? pairs[i] : NULL)};
        records[i].tokens.data = inputs[i].token_ids;
        records[i].tokens.count = (uint32_t)inputs[i].token_id_count;
    }
    struct hearth_wire_inference_request *request = &draft->message.as.inference_request;
    request->texts = (struct hearth_wire_list){.count = (uint32_t)count, .items = records};
    draft->answers = request->task == HEARTH_TASK_GENERATE ? hearth_wire_answers(request) : count;
    return hearth_wire_check_request(request, err);
}

static int take_messages(struct client_draft *draft, const struct hearth_wire_chat_message *records,
                         size_t count, struct hearth_error *err)
{
    struct hearth_wire_inference_request *request = &draft->message.as.inference_request;
    request->messages = (struct hearth_wire_list){.count = (uint32_t)count, .items = records};
    draft->answers = hearth_wire_answers(request);
    return hearth_wire_check_request(request, err);
}

int client_draft_chat(struct client_draft *draft, const struct hearth_chat_message *messages,
                      size_t count,
                      struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES],
                      struct hearth_error *err)
{
    if (count == 0 || count > HEARTH_MAX_CHAT_MESSAGES) {
        return refuse_count("messages", count, HEARTH_MAX_CHAT_MESSAGES, err);
    }
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct hearth_wire_chat_message){
            .role = (uint8_t)messages[i].role,
            .content = hearth_slice_of_string(messages[i].content),
        };
    }
    return take_messages(draft, records, count, err);
}

int client_draft_turns(struct client_draft *draft, const struct hearth_turn *turns, size_t count,
                       struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES],
                       struct hearth_error *err)
{
    uint8_t task = draft->message.as.inference_request.task;
    if (task != HEARTH_TASK_CHAT && task != HEARTH_TASK_CHOICE) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "task: is %s, turns belong to chat and choice",
                           hearth_task_name((enum hearth_task)task));
    }
    if (count == 0 || count > HEARTH_MAX_CHAT_MESSAGES) {
        return refuse_count("messages", count, HEARTH_MAX_CHAT_MESSAGES, err);
    }
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct hearth_wire_chat_message){
            .role = (uint8_t)turns[i].role,
            .content = hearth_slice_of_string(turns[i].content),
            .tool_calls = hearth_slice_of_string(turns[i].tool_calls),
            .name = hearth_slice_of_string(turns[i].name),
            .tool_call_id = hearth_slice_of_string(turns[i].tool_call_id),
        };
    }
    return take_messages(draft, records, count, err);
}

/* ── Tensors ─────────────────────────────────────────────────────────────────────────────────── */

/* The draft's own descriptor of the memfd that holds the data: the caller's, or one that is made.
 * A memfd in the wrong state is refused here, because the daemon would end the connection. */
static int add_memfd(struct client_draft *draft, const struct hearth_tensor *tensor, size_t index,
                     struct hearth_error *err)
{
    int fd = -1;
    int rc;
    if (tensor->data != NULL) {
        rc = hearth_memfd_of_data("hearth-tensor", hearth_slice_of(tensor->data, tensor->bytes),
                                  &fd, err);
    } else {
        rc = hearth_memfd_check_data(tensor->fd, tensor->bytes, err);
        fd = rc < 0 ? -1 : fcntl(tensor->fd, F_DUPFD_CLOEXEC, 0);
        if (rc == 0 && fd < 0) {
            rc = hearth_fail_errno(err, HEARTH_E_SYSTEM, "a descriptor cannot be duplicated");
        }
    }
    if (rc < 0) {
        struct hearth_error why = {0};
        if (err != NULL) {
            why = *err;
        }
        return hearth_fail(err, rc, "tensors[%zu]: %.200s", index, why.text);
    }
    draft->fds.numbers[draft->fds.count++] = fd;
    return 0;
}

static int fill_record(const struct hearth_tensor *tensor, size_t index,
                       struct hearth_wire_tensor *record, struct hearth_error *err)
{
    if (tensor->rank > HEARTH_TENSOR_MAX_RANK) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "tensors[%zu]: rank %u, the limit is %u", index,
                           tensor->rank, (unsigned)HEARTH_TENSOR_MAX_RANK);
    }
    if (tensor->bytes > HEARTH_MAX_MEMFD_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "tensors[%zu]: %zu bytes, the limit is %llu",
                           index, tensor->bytes, (unsigned long long)HEARTH_MAX_MEMFD_BYTES);
    }
    *record = (struct hearth_wire_tensor){.name = hearth_slice_of_string(tensor->name),
                                          .type = (uint8_t)HEARTH_MIN((unsigned)tensor->type, 255u),
                                          .shape = {tensor->shape, tensor->rank}};
    if (tensor->bytes > HEARTH_CLIENT_MEMFD_BYTES || (tensor->data == NULL && tensor->bytes > 0)) {
        record->memfd_bytes = tensor->bytes;
    } else {
        record->data = hearth_slice_of(tensor->data, tensor->bytes);
    }
    return 0;
}

/* Only when all else is right: to copy costs time. */
static int add_memfds(struct client_draft *draft, const struct hearth_tensor *tensors, size_t count,
                      const struct client_tensor_records *records, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = records->tensors[i].memfd_bytes > 0 ? add_memfd(draft, &tensors[i], i, err) : 0;
    }
    return rc;
}

int client_draft_tensors(struct client_draft *draft, const struct hearth_tensor *tensors,
                         size_t count, struct client_tensor_records *records,
                         struct hearth_error *err)
{
    struct hearth_wire_inference_request *request = &draft->message.as.inference_request;
    size_t output_count = draft->params.output_count;
    if (count == 0 || count > HEARTH_MAX_TENSORS) {
        return refuse_count("tensors", count, HEARTH_MAX_TENSORS, err);
    }
    if (tensors == NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "inputs: is NULL, count is %zu", count);
    }
    if (output_count > HEARTH_MAX_TENSORS || (output_count > 0 && draft->params.outputs == NULL)) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: %zu outputs, the limit is %u%s",
                           output_count, HEARTH_MAX_TENSORS,
                           draft->params.outputs == NULL ? ", and outputs is NULL" : "");
    }
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = fill_record(&tensors[i], i, &records->tensors[i], err);
    }
    for (size_t i = 0; i < output_count; i++) {
        records->outputs[i].name = hearth_slice_of_string(draft->params.outputs[i]);
    }
    draft->answers = 0;
    request->tensors =
        (struct hearth_wire_list){.count = (uint32_t)count, .items = records->tensors};
    request->outputs =
        (struct hearth_wire_list){.count = (uint32_t)output_count, .items = records->outputs};
    rc = rc < 0 ? rc : hearth_wire_check_request(request, err);
    return rc < 0 ? rc : add_memfds(draft, tensors, count, records, err);
}
