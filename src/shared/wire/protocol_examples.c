/* protocol_examples.c — the examples of docs/protocol.md, as data. */

#include "protocol_examples.h"

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define LIST(array)                                                                                \
    {                                                                                              \
        .count = HEARTH_COUNT(array), .items = (array)                                             \
    }
#define DIGEST  "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define SESSION "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

static const struct hearth_wire_text prompt[] = {{.text = TEXT("Once upon a time")}};
static const uint32_t prompt_ids[] = {9458, 3714, 253, 655};
static const struct hearth_wire_text prompt_as_ids[] = {{.tokens = {prompt_ids, 4}}};
static const struct hearth_wire_text texts[] = {{.text = TEXT("wake me at seven")},
                                                {.text = TEXT("what is the weather like?")}};
static const struct hearth_wire_text pairs[] = {
    {.text = TEXT("Nobody is there."), .pair = TEXT("The room is empty.")}};
static const struct hearth_wire_text passages[] = {
    {.text = TEXT("Berlin has 3.7 million inhabitants.")}, {.text = TEXT("Bread needs an hour.")}};
static const struct hearth_wire_text sentence[] = {{.text = TEXT("Zoë lives in Zürich")}};
static const struct hearth_wire_chat_message turns[] = {
    {.role = HEARTH_ROLE_SYSTEM, .content = TEXT("Be brief.")},
    {.role = HEARTH_ROLE_USER, .content = TEXT("Hello!")}};
static const struct hearth_wire_stop stops[] = {{.text = TEXT("\n\n")}};

static const struct hearth_wire_choice choices[] = {{.text = TEXT("positive")},
                                                    {.text = TEXT("negative")}};
static const struct hearth_wire_text review[] = {
    {.text = TEXT("I would buy it again. The review is")}};
static const struct hearth_wire_bias biases[] = {{.token = 198, .bias = -100.0f}};
static const struct hearth_wire_chat_message question[] = {
    {.role = HEARTH_ROLE_USER, .content = TEXT("How warm is it in Zürich?")},
    {.role = HEARTH_ROLE_ASSISTANT,
     .tool_calls =
         TEXT("[{\"id\":\"call_0\",\"name\":\"weather\",\"arguments\":{\"city\":\"Zürich\"}}]")},
    {.role = HEARTH_ROLE_TOOL,
     .content = TEXT("21 °C"),
     .name = TEXT("weather"),
     .tool_call_id = TEXT("call_0")}};
#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{\"type\":"         \
    "\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}]"
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"age\":{\"type\":\"integer\"}}}"

static const struct hearth_wire_label chosen[] = {{.name = TEXT("positive"), .score = 0.91f},
                                                  {.name = TEXT("negative"), .score = 0.09f}};
static const struct hearth_wire_result choice[] = {{.tokens = 9, .labels = LIST(chosen)}};
static const struct hearth_wire_token_score likely[] = {
    {.place = 0, .id = 28, .logprob = -0.11f, .is_chosen = 1, .text = TEXT(",")},
    {.place = 0, .id = 30, .logprob = -2.93f, .text = TEXT(".")}};
static const struct hearth_wire_result several[] = {
    {.tokens = 1,
     .text = TEXT(","),
     .logprobs = LIST(likely),
     .finish_reason = HEARTH_FINISH_MAX_TOKENS},
    {.index = 1, .tokens = 1, .text = TEXT("."), .finish_reason = HEARTH_FINISH_STOP}};
static const struct hearth_wire_tool_call call[] = {
    {.id = TEXT("call_0"), .name = TEXT("weather"), .arguments = TEXT("{\"city\":")}};
static const struct hearth_wire_result calling[] = {{.tool_calls = LIST(call)}};

static const struct hearth_wire_label scores[] = {{.name = TEXT("alarm"), .score = 0.97f},
                                                  {.name = TEXT("weather"), .score = 0.02f}};
static const float vector[] = {0.0478f, -0.0193f, 0.1061f};
static const uint32_t generated_ids[] = {28, 665};
static const struct hearth_wire_result classified[] = {{.tokens = 6, .labels = LIST(scores)}};
static const struct hearth_wire_result embedded[] = {{.tokens = 6, .vector = {vector, 3}}};
static const struct hearth_wire_result generated[] = {{.tokens = 2, .text = TEXT(", there")}};
static const struct hearth_wire_result piece[] = {
    {.tokens = 2, .text = TEXT(", there"), .token_ids = {generated_ids, 2}}};

static const struct hearth_wire_result ranked[] = {{.index = 0, .tokens = 19, .score = 8.61f},
                                                   {.index = 1, .tokens = 14, .score = -11.2f}};
static const struct hearth_wire_entity entities[] = {{TEXT("PER"), 0.998f, 0, 4, 0, 3, 0},
                                                     {TEXT("LOC"), 0.995f, 14, 21, 13, 19, 0}};
static const struct hearth_wire_result named[] = {{.tokens = 8, .entities = LIST(entities)}};
static const int8_t int8_vector[] = {57, -23, 127};
static const struct hearth_wire_result quantized[] = {
    {.tokens = 6,
     .packed = {(const uint8_t *)int8_vector, sizeof int8_vector},
     .scale = 0.000835433f}};

static const uint32_t one_by_two[] = {1, 2};
static const uint32_t one_by_one[] = {1, 1};
static const uint32_t any_by_two[] = {UINT32_MAX, 2};
static const float two_floats[] = {0.5f, -2.0f};
static const float one_float[] = {0.25f};
static const struct hearth_wire_tensor given[] = {
    {.name = TEXT("x"),
     .type = HEARTH_TENSOR_FLOAT32,
     .shape = {one_by_two, 2},
     .data = {(const uint8_t *)two_floats, sizeof two_floats}}};
static const struct hearth_wire_tensor computed[] = {
    {.name = TEXT("y"),
     .type = HEARTH_TENSOR_FLOAT32,
     .shape = {one_by_one, 2},
     .data = {(const uint8_t *)one_float, sizeof one_float}}};
static const struct hearth_wire_name wanted[] = {{.name = TEXT("y")}};

static const struct hearth_wire_name labels[] = {{.name = TEXT("alarm")},
                                                 {.name = TEXT("weather")}};
static const struct hearth_wire_model_info models[] = {
    {.name = TEXT("hearth-intent"),
     .task = HEARTH_TASK_CLASSIFY,
     .engine = HEARTH_ENGINE_ONNX,
     .state = HEARTH_MODEL_READY,
     .digest = TEXT(DIGEST),
     .worker_pid = 4711,
     .size_bytes = 90387606,
     .need_bytes = 146800640,
     .memory_bytes = 131072000,
     .running = 1,
     .request_count = 1024,
     .avg_latency_ms = 3.25f,
     .threads = 4,
     .context_tokens = 512,
     .labels = LIST(labels),
     .containment = TEXT("seccomp,landlock:4,netns"),
     .version = TEXT("1.0.0")}};
static const struct hearth_wire_alias_info aliases[] = {
    {.name = TEXT("intent"), .model_id = TEXT("hearth-intent"), .generation = 1}};

static const uint32_t any_by_any[] = {UINT32_MAX, UINT32_MAX};
static const struct hearth_wire_port inputs[] = {
    {.name = TEXT("input_ids"), .type = HEARTH_TENSOR_INT64, .shape = {any_by_any, 2}},
    {.name = TEXT("attention_mask"), .type = HEARTH_TENSOR_INT64, .shape = {any_by_any, 2}}};
static const struct hearth_wire_port outputs[] = {
    {.name = TEXT("logits"), .type = HEARTH_TENSOR_FLOAT32, .shape = {any_by_two, 2}}};
static const struct hearth_wire_option facts[] = {{.key = TEXT("scores"), .value = TEXT("softmax")},
                                                  {.key = TEXT("opset"), .value = TEXT("17")}};

static const struct hearth_wire_gauge memory[] = {{TEXT("weights"), 90387606, 0},
                                                  {TEXT("compute"), 56413034, 0}};
static const struct hearth_wire_eviction evictions[] = {
    {.name = TEXT("hearth-intent"), .bytes = 146800640, .idle_ms = 90000, .reload_ms = 820}};

static const struct hearth_wire_counter counters[] = {{TEXT("requests_total"), 1024, 0}};
static const struct hearth_wire_gauge gauges[] = {{TEXT("queue_depth"), 3, 0}};
static const struct hearth_wire_bucket buckets[] = {{1000, 2, 0}, {2000, 1, 0}};
static const struct hearth_wire_histogram histograms[] = {{.name = TEXT("request_total_us"),
                                                           .count = 3,
                                                           .sum = 3105,
                                                           .min = 702,
                                                           .max = 1490,
                                                           .p50 = 913,
                                                           .p95 = 1490,
                                                           .p99 = 1490,
                                                           .buckets = LIST(buckets)}};
static const struct hearth_wire_series series[] = {
    {TEXT("model_requests_total"),
     TEXT("model=\"hearth-intent\",class=\"normal\",result=\"success\""), 1020, 0}};
static const struct hearth_wire_model_health healths[] = {
    {.name = TEXT("hearth-intent"),
     .state = 2,
     .ready = 1,
     .worker_pid = 4712,
     .memory_bytes = 131072000,
     .steps = 1020},
    {.name = TEXT("smollm2-135m-instruct"),
     .state = 5,
     .ready = 0,
     .restarts = 1,
     .queue_depth = 2,
     .reason = TEXT("its worker died and is started again")}};
static const struct hearth_wire_span spans[] = {{.ticket = 17,
                                                 .model_id = TEXT("hearth-intent"),
                                                 .priority = HEARTH_NORMAL,
                                                 .start_ms = 60250,
                                                 .queue_us = 12,
                                                 .first_us = 3400,
                                                 .total_us = 3450,
                                                 .inputs = 1,
                                                 .prompt_tokens = 6}};
static const struct hearth_wire_request_info requests[] = {
    {.ticket = 18,
     .model_id = TEXT("smollm2-135m-instruct"),
     .task = HEARTH_TASK_CHAT,
     .priority = HEARTH_NORMAL,
     .state = 1,
     .age_ms = 640,
     .pid = 2203,
     .client = TEXT("hearth chat")}};

/* What hearth_wire_default_request() says. */
#define SAMPLING                                                                                   \
    .priority = HEARTH_NORMAL, .max_tokens = 256, .temperature = 0.7f, .top_k = 40, .top_p = 0.9f, \
    .repetition_penalty = 1.1f, .repetition_window = 64, .seed = 42

#define EXAMPLE(name, ...)                                                                         \
    {                                                                                              \
        .type = HEARTH_MSG_##name, .as.name = { __VA_ARGS__ }                                      \
    }
static const struct hearth_message examples[] = {
    EXAMPLE(handshake, .version_min = 1, .version_max = 1, .client = TEXT("my-program")),
    EXAMPLE(handshake_ack, .version = 1, .session_id = TEXT(SESSION),
            .server = TEXT("hearthd 0.1.0"), .max_frame_bytes = HEARTH_MAX_JSON_BYTES,
            .idle_timeout_ms = 3600000),
    EXAMPLE(inference_request, .request_id = 1, .task = HEARTH_TASK_GENERATE,
            .flags = HEARTH_FLAG_STREAM, .model_id = TEXT("smollm2-135m-instruct"),
            .texts = LIST(prompt), .stops = LIST(stops), SAMPLING),
    EXAMPLE(inference_request, .request_id = 2, .task = HEARTH_TASK_GENERATE,
            .flags = HEARTH_FLAG_TOKEN_IDS, .model_id = TEXT("smollm2-135m-instruct"),
            .texts = LIST(prompt_as_ids), SAMPLING),
    EXAMPLE(inference_request, .request_id = 3, .task = HEARTH_TASK_CLASSIFY,
            .model_id = TEXT("hearth-intent"), .texts = LIST(texts), SAMPLING),
    EXAMPLE(inference_request, .request_id = 4, .task = HEARTH_TASK_CHAT,
            .model_id = TEXT("smollm2-135m-instruct"), .messages = LIST(turns), SAMPLING),
    EXAMPLE(inference_request, .request_id = 20, .task = HEARTH_TASK_CLASSIFY,
            .model_id = TEXT("nli-deberta"), .texts = LIST(pairs), SAMPLING),
    EXAMPLE(inference_request, .request_id = 21, .task = HEARTH_TASK_RERANK,
            .model_id = TEXT("ms-marco-minilm"), .texts = LIST(passages),
            .query = TEXT("How many people live in Berlin?"), SAMPLING),
    EXAMPLE(inference_request, .request_id = 22, .task = HEARTH_TASK_ENTITIES,
            .flags = HEARTH_FLAG_STREAM | HEARTH_FLAG_IN_ORDER, .model_id = TEXT("bert-ner"),
            .texts = LIST(sentence), SAMPLING),
    EXAMPLE(inference_request, .request_id = 23, .task = HEARTH_TASK_EMBED,
            .model_id = TEXT("all-minilm-l6-v2"), .texts = LIST(sentence), .normalize = 1,
            .dimensions = 3, .vector_type = HEARTH_VECTOR_INT8, SAMPLING),
    EXAMPLE(inference_request, .request_id = 24, .task = HEARTH_TASK_TENSORS,
            .model_id = TEXT("scorer"), .tensors = LIST(given), .outputs = LIST(wanted), SAMPLING),
    EXAMPLE(inference_request, .request_id = 25, .task = HEARTH_TASK_CHOICE,
            .model_id = TEXT("smollm2-135m-instruct"), .texts = LIST(review),
            .choices = LIST(choices), SAMPLING),
    EXAMPLE(inference_request, .request_id = 26, .task = HEARTH_TASK_GENERATE,
            .flags = HEARTH_FLAG_LOGPROBS, .model_id = TEXT("smollm2-135m-instruct"),
            .texts = LIST(prompt), .answers = 2, .typical_p = 0.95f, .frequency_penalty = 0.5f,
            .presence_penalty = 0.25f, .logit_bias = LIST(biases), .top_logprobs = 1, SAMPLING),
    EXAMPLE(inference_request, .request_id = 27, .task = HEARTH_TASK_CHAT,
            .model_id = TEXT("smollm2-135m-instruct"), .messages = LIST(turns),
            .grammar_type = HEARTH_GRAMMAR_JSON_SCHEMA, .grammar = TEXT(SCHEMA), .cache_domain = 7,
            SAMPLING),
    EXAMPLE(inference_request, .request_id = 28, .task = HEARTH_TASK_CHAT,
            .model_id = TEXT("smollm2-135m-instruct"), .messages = LIST(question),
            .tools = TEXT(TOOLS), .tool_choice = HEARTH_TOOLS_NONE, SAMPLING),
    EXAMPLE(inference_response, .request_id = 1, .finish_reason = HEARTH_FINISH_STOP,
            .prompt_tokens = 4, .tokens_generated = 2, .queue_us = 12, .first_us = 21400,
            .total_us = 48100, .results = LIST(generated)),
    EXAMPLE(inference_response, .request_id = 3, .prompt_tokens = 6, .queue_us = 12,
            .first_us = 3400, .total_us = 3450, .results = LIST(classified)),
    EXAMPLE(inference_response, .request_id = 5, .prompt_tokens = 6, .queue_us = 9,
            .first_us = 2900, .total_us = 2950, .results = LIST(embedded)),
    EXAMPLE(inference_response, .request_id = 21, .prompt_tokens = 33, .queue_us = 9,
            .first_us = 5200, .total_us = 5260, .results = LIST(ranked)),
    EXAMPLE(inference_response, .request_id = 23, .prompt_tokens = 6, .queue_us = 9,
            .first_us = 2900, .total_us = 2950, .results = LIST(quantized)),
    EXAMPLE(inference_response, .request_id = 24, .queue_us = 8, .first_us = 310, .total_us = 330,
            .tensors = LIST(computed)),
    EXAMPLE(inference_response, .request_id = 25, .prompt_tokens = 9, .queue_us = 10,
            .first_us = 18200, .total_us = 18300, .results = LIST(choice), .cached_tokens = 8,
            .cache = HEARTH_CACHE_USED),
    EXAMPLE(inference_response, .request_id = 26, .finish_reason = HEARTH_FINISH_MAX_TOKENS,
            .prompt_tokens = 4, .tokens_generated = 2, .queue_us = 11, .first_us = 20100,
            .total_us = 31000, .results = LIST(several), .cached_tokens = 3, .evicted_tokens = 512,
            .cache = HEARTH_CACHE_USED, .drafted_tokens = 4, .accepted_tokens = 1,
            .fingerprint = TEXT("model=9f86d081 engine=b4589 cpu=avx2 grid=128 seed=42")),
    EXAMPLE(inference_response, .request_id = 29, .finish_reason = HEARTH_FINISH_STOP,
            .prompt_tokens = 4, .tokens_generated = 2, .queue_us = 12, .first_us = 21400,
            .total_us = 48100, .results = LIST(generated), .tokenize_us = 85, .prefill_us = 21100,
            .decode_us = 26600),
    EXAMPLE(inference_response, .request_id = 6, .code = -HEARTH_E_NO_MODEL,
            .error = TEXT("model \"nope\" is in none of the model folders of this daemon"),
            .finish_reason = HEARTH_FINISH_FAILED),
    EXAMPLE(stream_chunk, .request_id = 1, .results = LIST(piece)),
    EXAMPLE(queue_notice, .request_id = 1, .position = 3, .expected_wait_ms = 420),
    EXAMPLE(stream_chunk, .request_id = 22, .results = LIST(named)),
    EXAMPLE(stream_chunk, .request_id = 28, .results = LIST(calling)),
    EXAMPLE(cancel_request, .request_id = 1),
    EXAMPLE(cancel_response, .request_id = 1, .cancelled = 1),
    EXAMPLE(health_check, .check_type = HEARTH_CHECK_FULL),
    EXAMPLE(health_response, .check_type = HEARTH_CHECK_FULL, .ok = 1, .ready = 1,
            .accepting_requests = 1, .models_loaded = 3, .memory_used_bytes = 734003200,
            .uptime_secs = 86400, .pid = 4700, .connections = 2, .running = 1,
            .requests_total = 1024, .version = TEXT("0.1.0")),
    EXAMPLE(health_response, .check_type = HEARTH_CHECK_FULL, .ok = 1, .state = 1, .ready = 1,
            .accepting_requests = 1, .models_loaded = 1, .memory_used_bytes = 152043520,
            .queue_depth = 2, .uptime_secs = 86400, .pid = 4700, .connections = 2,
            .requests_total = 1026, .worker_deaths = 1, .version = TEXT("0.1.0"),
            .reason = TEXT("the worker of \"smollm2-135m-instruct\" is started again"),
            .models = LIST(healths)),
    {.type = HEARTH_MSG_models_request},
    EXAMPLE(models_response, .models = LIST(models), .total_memory_bytes = 131072000,
            .aliases = LIST(aliases)),
    EXAMPLE(load_request, .request_id = 7, .model_id = TEXT("all-minilm-l6-v2")),
    EXAMPLE(load_response, .request_id = 7, .worker_pid = 4712, .need_bytes = 115343360,
            .free_bytes = 20971520, .evictions = LIST(evictions)),
    EXAMPLE(unload_request, .request_id = 8, .model_id = TEXT("all-minilm-l6-v2")),
    EXAMPLE(unload_response, .request_id = 8),
    EXAMPLE(error, .code = -HEARTH_E_UNAUTHENTICATED, .message = TEXT("no session")),
    {.type = HEARTH_MSG_metrics_request},
    EXAMPLE(metrics_response, .counters = LIST(counters), .gauges = LIST(gauges),
            .histograms = LIST(histograms), .series = LIST(series)),
    {.type = HEARTH_MSG_prometheus_request},
    EXAMPLE(prometheus_response,
            .text = TEXT("# TYPE hearth_queue_depth gauge\nhearth_queue_depth 3\n")),
    EXAMPLE(spans_request, .max_count = 100),
    EXAMPLE(spans_response, .spans = LIST(spans)),
    EXAMPLE(warmup_request, .request_id = 9, .model_id = TEXT("smollm2-135m-instruct"),
            .tokens = 1),
    EXAMPLE(warmup_response, .request_id = 9, .model_id = TEXT("smollm2-135m-instruct"),
            .success = 1, .elapsed_ms = 38),
    {.type = HEARTH_MSG_requests_request},
    EXAMPLE(requests_response, .requests = LIST(requests), .total = 1),
    EXAMPLE(model_request, .request_id = 10, .model_id = TEXT("hearth-intent")),
    EXAMPLE(model_response, .request_id = 10, .models = LIST(models), .inputs = LIST(inputs),
            .outputs = LIST(outputs), .facts = LIST(facts), .memory = LIST(memory)),
    EXAMPLE(swap_request, .request_id = 11, .name = TEXT("intent"),
            .model_id = TEXT("hearth-intent@2")),
    EXAMPLE(swap_response, .request_id = 11, .name = TEXT("intent"),
            .model_id = TEXT("hearth-intent@2"), .old_model_id = TEXT("hearth-intent"),
            .generation = 2, .checked = 12, .check = 1, .load_ms = 640),
    EXAMPLE(alias_request, .request_id = 12, .name = TEXT("intent"),
            .model_id = TEXT("hearth-intent")),
    EXAMPLE(alias_response, .request_id = 12, .generation = 1),
};

const struct hearth_message *protocol_example(enum hearth_message_type type, size_t nth)
{
    for (size_t i = 0; i < HEARTH_COUNT(examples); i++) {
        if (examples[i].type == type && nth-- == 0) {
            return &examples[i];
        }
    }
    return NULL;
}
