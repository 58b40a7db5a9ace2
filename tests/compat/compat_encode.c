/* compat_encode.c — prints, as hex, the samples of v2_samples.py as our encoder writes them. The
 * values are typed here a second time: that is the point.                                        */

#include "hearth_wire.h"

#include <stdio.h>

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define LIST(array)                                                                                \
    {                                                                                              \
        .count = HEARTH_COUNT(array), .items = (array)                                             \
    }
#define DIGEST  "abababababababababababababababababababababababababababababababab"
#define SESSION "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

static const struct hearth_wire_chat_message turns[] = {{.role = 0, .content = TEXT("Be brief.")},
                                                        {.role = 1, .content = TEXT("Grüße 👋")}};
static const struct hearth_wire_stop stops[] = {{.text = TEXT("\n\n")}, {.text = TEXT("END")}};
static const struct hearth_wire_text texts[] = {{.text = TEXT("one")}, {.text = TEXT("二つ")}};
static const struct hearth_wire_label scores[] = {{.name = TEXT("alarm"), .score = 0.75f},
                                                  {.name = TEXT("other"), .score = 0.25f}};
static const float vector[] = {0.5f, -0.25f, 0.0f, 1.0f};
static const struct hearth_wire_result answers[] = {
    {.index = 0, .tokens = 7, .labels = LIST(scores)},
    {.index = 1, .tokens = 512, .is_truncated = 1, .vector = {vector, 4}}};
static const struct hearth_wire_result pieces[] = {{.tokens = 1, .text = TEXT(" Héllo")}};
static const struct hearth_wire_name labels[] = {{.name = TEXT("alarm")}, {.name = TEXT("other")}};

#define MODEL                                                                                      \
    .engine = 1, .digest = TEXT(DIGEST), .worker_pid = 4711, .restarts = 1,                        \
    .size_bytes = 90000000, .need_bytes = 120000000, .memory_bytes = 110000000, .queue_depth = 2,  \
    .running = 1, .request_count = UINT64_C(1) << 40, .avg_latency_ms = 3.25f, .threads = 4,       \
    .context_tokens = 512, .dimensions = 384, .containment = TEXT("seccomp,landlock:3")
static const struct hearth_wire_model_info models[] = {
    {.name = TEXT("hearth-intent"), .state = 2, .labels = LIST(labels), MODEL},
    {.name = TEXT("absent"), .state = 0, MODEL}};

#define SAMPLING                                                                                   \
    .priority = 2, .timeout_ms = 30000, .model_id = TEXT("smollm2-135m-instruct"),                 \
    .max_tokens = 64, .temperature = 0.5f, .top_k = 40, .top_p = 0.75f, .min_p = 0.125f,           \
    .repetition_penalty = 1.5f, .repetition_window = 64, .seed = UINT64_MAX

/* What came with the second generation of the list. */
static const uint32_t ids_asked[] = {1, 0, UINT32_MAX};
static const uint32_t ids_generated[] = {49151, 7};
static const struct hearth_wire_text tokens[] = {{.tokens = {ids_asked, 3}}};
static const struct hearth_wire_result generated[] = {
    {.tokens = 2, .text = TEXT("ab"), .token_ids = {ids_generated, 2}}};
static const struct hearth_wire_model_info failed[] = {{.name = TEXT("hearth-intent"),
                                                        .state = 4,
                                                        .labels = LIST(labels),
                                                        .error = TEXT("cut off"),
                                                        .error_code = 15,
                                                        MODEL}};
static const struct hearth_wire_counter counters[] = {
    {.name = TEXT("requests_total"), .value = UINT64_C(1) << 40}, {.name = TEXT("worker_deaths")}};
static const struct hearth_wire_gauge gauges[] = {{.name = TEXT("queue_depth"), .value = 7}};
static const struct hearth_wire_bucket buckets[] = {{.up_to = 19, .count = 1},
                                                    {.up_to = UINT64_MAX, .count = 2}};
static const struct hearth_wire_histogram histograms[] = {{.name = TEXT("request_total_us"),
                                                           .count = 3,
                                                           .sum = 60,
                                                           .min = 10,
                                                           .max = 30,
                                                           .p50 = 20,
                                                           .p95 = 30,
                                                           .p99 = 31,
                                                           .buckets = LIST(buckets)}};
static const struct hearth_wire_span spans[] = {{.ticket = 9,
                                                 .model_id = TEXT("tiny"),
                                                 .task = 3,
                                                 .priority = 2,
                                                 .code = 14,
                                                 .start_ms = 5000,
                                                 .queue_us = 1,
                                                 .first_us = 2,
                                                 .total_us = 3,
                                                 .inputs = 1,
                                                 .prompt_tokens = 4,
                                                 .tokens_generated = 5}};
static const struct hearth_wire_request_info requests[] = {{.ticket = 3,
                                                            .model_id = TEXT("tiny"),
                                                            .task = 2,
                                                            .priority = 1,
                                                            .position = 2,
                                                            .age_ms = 150,
                                                            .pid = 77,
                                                            .client = TEXT("sample")}};

/* And with the third. */
static const struct hearth_wire_text pair[] = {{.text = TEXT("Is it?"), .pair = TEXT("It is. ✓")}};
static const uint32_t one_by_two[] = {1, 2};
static const uint32_t million[] = {1u << 20};
static const uint32_t three_by_one[] = {3, 1};
static const uint32_t any_by_64[] = {UINT32_MAX, 64};
static const uint32_t any_by_2[] = {UINT32_MAX, 2};
static const float halves[] = {0.5f, -2.0f};
static const struct hearth_wire_tensor given[] = {
    {.name = TEXT("x"),
     .type = 1,
     .shape = {one_by_two, 2},
     .data = {(const uint8_t *)halves, sizeof halves}},
    {.name = TEXT("mask"), .type = 7, .shape = {million, 1}, .memfd_bytes = 8u << 20}};
static const struct hearth_wire_tensor taken[] = {
    {.name = TEXT("y"), .type = 10, .data = TEXT("\x00\x3c")},
    {.name = TEXT("z"), .type = 9, .shape = {three_by_one, 2}, .memfd_bytes = 3}};
static const struct hearth_wire_name wanted[] = {{.name = TEXT("y")}};
static const struct hearth_wire_result ranked[] = {{.index = 1, .tokens = 5, .score = 0.75f},
                                                   {.index = 0, .tokens = 4, .score = -0.5f}};
static const struct hearth_wire_result packed[] = {
    {.tokens = 4, .packed = TEXT("\x7f\x80\x00"), .scale = 0.0078125f}};
static const struct hearth_wire_entity entities[] = {{.label = TEXT("PER"),
                                                      .score = 0.875f,
                                                      .start_byte = 8,
                                                      .end_byte = 14,
                                                      .start_char = 7,
                                                      .end_char = 12}};
static const struct hearth_wire_result found[] = {{.tokens = 6, .entities = LIST(entities)}};
static const struct hearth_wire_model_info model[] = {
    {.name = TEXT("hearth-intent"), .state = 2, .labels = LIST(labels), MODEL}};
static const struct hearth_wire_port inputs[] = {
    {.name = TEXT("input_ids"), .type = 7, .shape = {any_by_64, 2}}};
static const struct hearth_wire_port outputs[] = {
    {.name = TEXT("logits"), .type = 1, .shape = {any_by_2, 2}}};
static const struct hearth_wire_eviction evictions[] = {
    {.name = TEXT("tiny"), .bytes = UINT64_C(1) << 33, .idle_ms = 61, .reload_ms = 62},
    {.name = TEXT("other"), .bytes = 1}};
static const struct hearth_wire_gauge memory[] = {{.name = TEXT("weights"), .value = 5}};
static const struct hearth_wire_option facts[] = {{.key = TEXT("pooling"), .value = TEXT("mean")},
                                                  {.key = TEXT("opset"), .value = TEXT("17")}};

/* And with the fourth. */
static const struct hearth_wire_choice choices[] = {{.text = TEXT("ja")}, {.text = TEXT("nein ✗")}};
static const struct hearth_wire_bias biases[] = {{.token = 7, .bias = -100.0f},
                                                 {.token = UINT32_MAX, .bias = 0.5f}};
static const struct hearth_wire_chat_message called[] = {
    {.role = 1, .content = TEXT("How warm?")},
    {.role = 2, .tool_calls = TEXT("[{\"name\":\"warm\",\"arguments\":{}}]")},
    {.role = 3, .content = TEXT("21 °C"), .name = TEXT("warm"), .tool_call_id = TEXT("c1")}};
static const struct hearth_wire_token_score likely[] = {
    {.place = 0, .id = 11, .logprob = -0.25f, .is_chosen = 1, .text = TEXT("\xc3")},
    {.place = 0, .id = 12, .logprob = -1.5f},
    {.place = 1,
     .id = 13,
     .is_chosen = 1,
     .text = TEXT("\xa9"
                  "b")}};
static const struct hearth_wire_result several[] = {
    {.tokens = 2, .text = TEXT("ab"), .logprobs = LIST(likely), .finish_reason = 1},
    {.index = 1, .tokens = 3, .finish_reason = 7}};
static const struct hearth_wire_tool_call calls[] = {
    {.id = TEXT("c1"), .name = TEXT("warm"), .arguments = TEXT("{\"where\":\"Zü")},
    {.index = 31, .id = TEXT("c2"), .name = TEXT("cold"), .arguments = TEXT("{}")}};
static const struct hearth_wire_result calling[] = {
    {.tool_calls = LIST(calls), .finish_reason = 6}};
static const struct hearth_wire_span chosen[] = {
    {.ticket = 10, .model_id = TEXT("tiny"), .task = 7, .finish_reason = 2, .cached_tokens = 4096}};
static const struct hearth_wire_request_info delayed[] = {
    {.ticket = 11, .model_id = TEXT("tiny"), .position = 2, .expected_wait_ms = 65536}};

static const struct hearth_wire_model_info shared[] = {{.name = TEXT("hearth-intent"),
                                                        .state = 2,
                                                        .labels = LIST(labels),
                                                        .version = TEXT("2.0.1"),
                                                        .shares = TEXT("tiny"),
                                                        MODEL}};
static const struct hearth_wire_alias_info aliases[] = {
    {.name = TEXT("intent"), .model_id = TEXT("hearth-intent@2"), .generation = 70000}};

#define SAMPLE(name, ...)                                                                          \
    {                                                                                              \
        .type = HEARTH_MSG_##name, .as.name = { __VA_ARGS__ }                                      \
    }
static const struct hearth_wire_model_health healths[] = {{.name = TEXT("tiny"),
                                                           .state = 5,
                                                           .ready = 1,
                                                           .worker_pid = 70010,
                                                           .restarts = 70011,
                                                           .queue_depth = 70012,
                                                           .running = 70013,
                                                           .memory_bytes = UINT64_C(1) << 40,
                                                           .steps = UINT64_C(1) << 41,
                                                           .still_ms = 70014,
                                                           .reason = TEXT("full")}};
static const struct hearth_wire_series series[] = {
    {TEXT("model_requests_total"), TEXT("model=\"tiny\",class=\"low\""), UINT64_C(1) << 42, 0}};
static const struct hearth_message samples[] = {
    SAMPLE(handshake, .version_min = 2, .version_max = 2, .features = 5, .client = TEXT("sample"),
           .token = TEXT("\x00\xffsecret")),
    SAMPLE(handshake_ack, .version = 2, .features = 1, .session_id = TEXT(SESSION),
           .server = TEXT("hearthd 0.1.0"), .max_frame_bytes = 16u << 20),
    SAMPLE(inference_request, .request_id = 42, .task = 3, .flags = 1, .messages = LIST(turns),
           .stops = LIST(stops), SAMPLING),
    SAMPLE(inference_request, .request_id = 43, .task = 1, .texts = LIST(texts), SAMPLING),
    SAMPLE(inference_response, .request_id = 43, .finish_reason = 1, .prompt_tokens = 519,
           .queue_us = 12, .first_us = 3400, .total_us = 3500, .results = LIST(answers)),
    SAMPLE(inference_response, .request_id = 44, .code = 13,
           .error = TEXT("the worker process died"), .finish_reason = 5, .queue_us = 1,
           .total_us = 2),
    SAMPLE(stream_chunk, .request_id = 42, .results = LIST(pieces)),
    SAMPLE(cancel_request, .request_id = 42),
    SAMPLE(cancel_response, .request_id = 42, .cancelled = 1),
    SAMPLE(health_check, .check_type = 2),
    SAMPLE(health_response, .check_type = 2, .ok = 1, .state = 1, .ready = 1,
           .accepting_requests = 1, .models_loaded = 3, .memory_used_bytes = UINT64_C(1) << 33,
           .queue_depth = 9, .uptime_secs = 86400, .pid = 1234, .connections = 8, .running = 4,
           .requests_total = UINT64_C(1) << 35, .worker_deaths = 2, .version = TEXT("0.1.0")),
    {.type = HEARTH_MSG_models_request},
    SAMPLE(models_response, .models = LIST(models), .total_memory_bytes = 110000000),
    SAMPLE(load_request, .request_id = 7, .model_id = TEXT("all-minilm-l6-v2")),
    SAMPLE(load_response, .request_id = 7, .code = 1, .error = TEXT("120 MiB wanted, 3 MiB free")),
    SAMPLE(unload_request, .request_id = 8, .model_id = TEXT("all-minilm-l6-v2")),
    SAMPLE(unload_response, .request_id = 8),
    SAMPLE(error, .code = 4, .message = TEXT("no message starts with 99, 0")),
    SAMPLE(handshake_ack, .version = 2,
           .session_id = TEXT("a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"),
           .server = TEXT("hearthd 0.1.0"), .max_frame_bytes = 16u << 20,
           .idle_timeout_ms = 3600000),
    SAMPLE(inference_request, .request_id = 45, .task = 2, .flags = 3, .texts = LIST(tokens),
           SAMPLING),
    SAMPLE(inference_response, .request_id = 45, .finish_reason = 2, .prompt_tokens = 3,
           .tokens_generated = 2, .results = LIST(generated)),
    SAMPLE(cancel_request, .ticket = UINT64_C(1) << 50),
    SAMPLE(cancel_response, .ticket = UINT64_C(1) << 50),
    SAMPLE(models_response, .models = LIST(failed)),
    {.type = HEARTH_MSG_metrics_request},
    SAMPLE(metrics_response, .counters = LIST(counters), .gauges = LIST(gauges),
           .histograms = LIST(histograms)),
    {.type = HEARTH_MSG_prometheus_request},
    SAMPLE(prometheus_response,
           .text = TEXT("# TYPE hearth_requests_total counter\nhearth_requests_total 3\n")),
    SAMPLE(spans_request, .max_count = 10),
    SAMPLE(spans_response, .spans = LIST(spans), .lost = 6),
    SAMPLE(warmup_request, .request_id = 11, .model_id = TEXT("tiny"), .tokens = 4),
    SAMPLE(warmup_response, .request_id = 11, .model_id = TEXT("tiny"), .code = 20,
           .error = TEXT("it is not loaded"), .elapsed_ms = 12),
    {.type = HEARTH_MSG_requests_request},
    SAMPLE(requests_response, .requests = LIST(requests), .total = 12),
    SAMPLE(inference_request, .request_id = 46, .task = 0, .flags = 5, .texts = LIST(pair),
           SAMPLING),
    SAMPLE(inference_request, .request_id = 47, .task = 4, .flags = 1, .texts = LIST(texts),
           .query = TEXT("how many?"), SAMPLING),
    SAMPLE(inference_request, .request_id = 48, .task = 1, .flags = 1,
           .texts = {.count = 1, .items = texts}, .normalize = 2, .dimensions = 128,
           .vector_type = 1, SAMPLING),
    SAMPLE(inference_request, .request_id = 49, .task = 6, .flags = 8, .tensors = LIST(given),
           .outputs = LIST(wanted), SAMPLING),
    SAMPLE(inference_response, .request_id = 47, .prompt_tokens = 9, .results = LIST(ranked)),
    SAMPLE(inference_response, .request_id = 48, .results = LIST(packed)),
    SAMPLE(inference_response, .request_id = 49, .tensors = LIST(taken)),
    SAMPLE(stream_chunk, .request_id = 50, .results = LIST(found)),
    SAMPLE(model_request, .request_id = 12, .model_id = TEXT("tiny")),
    SAMPLE(model_response, .request_id = 12, .models = LIST(model), .inputs = LIST(inputs),
           .outputs = LIST(outputs), .facts = LIST(facts)),
    SAMPLE(model_response, .request_id = 13, .code = 2, .error = TEXT("no such model")),
    SAMPLE(inference_request, .request_id = 51, .task = 7, .flags = 1,
           .texts = {.count = 1, .items = texts}, .choices = LIST(choices),
           .cache_domain = UINT64_MAX - 1, SAMPLING),
    SAMPLE(inference_request, .request_id = 52, .task = 2, .flags = 0xF1,
           .texts = {.count = 1, .items = texts}, .stops = LIST(stops), .answers = 3,
           .typical_p = 0.875f, .frequency_penalty = -1.5f, .presence_penalty = 1.75f,
           .logit_bias = LIST(biases), .top_logprobs = 20, .grammar_type = 2,
           .grammar = TEXT("root ::= \"a\"\n"), SAMPLING),
    SAMPLE(inference_request, .request_id = 53, .task = 3, .flags = 1, .messages = LIST(called),
           .tools = TEXT("[{\"type\":\"function\",\"function\":{\"name\":\"warm\"}}]"),
           .tool_choice = 2, SAMPLING),
    SAMPLE(inference_response, .request_id = 52, .finish_reason = 1, .prompt_tokens = 9,
           .tokens_generated = 5, .results = LIST(several), .cached_tokens = 8,
           .evicted_tokens = 512, .cache = 1, .drafted_tokens = 4, .accepted_tokens = 3,
           .fingerprint = TEXT("model=ab12 engine=x cpu=avx2 grid=128 seed=7")),
    SAMPLE(stream_chunk, .request_id = 53, .results = LIST(calling)),
    SAMPLE(spans_response, .spans = LIST(chosen)),
    SAMPLE(inference_response, .request_id = 54, .finish_reason = 2, .prompt_tokens = 3,
           .evicted_tokens = 7, .evicted_of_others = 70000),
    SAMPLE(inference_response, .request_id = 55, .code = 11, .error = TEXT("full"),
           .finish_reason = 5, .left_out_tokens = 1234, .queue_position = 256,
           .expected_wait_ms = 90000, .retry_after_ms = 350),
    SAMPLE(queue_notice, .request_id = 56, .position = 17, .expected_wait_ms = 70001),
    SAMPLE(requests_response, .requests = LIST(delayed), .total = 1),
    SAMPLE(load_request, .request_id = 9, .model_id = TEXT("tiny"), .evict = 2, .is_dry_run = 1),
    SAMPLE(load_response, .request_id = 9, .need_bytes = UINT64_C(1) << 40, .free_bytes = 3,
           .evictions = LIST(evictions)),
    SAMPLE(model_response, .request_id = 14, .memory = LIST(memory)),
    SAMPLE(unload_request, .request_id = 15, .model_id = TEXT("tiny"), .drain = 1),
    SAMPLE(models_response, .models = LIST(shared), .aliases = LIST(aliases)),
    SAMPLE(swap_request, .request_id = 16, .name = TEXT("intent"),
           .model_id = TEXT("hearth-intent@2"), .keep_old = 1),
    SAMPLE(swap_response, .request_id = 16, .name = TEXT("intent"),
           .model_id = TEXT("hearth-intent@2"), .old_model_id = TEXT("hearth-intent"),
           .generation = 70001, .checked = 32, .check = 3, .load_ms = 70002, .pause_ms = 70003),
    SAMPLE(swap_response, .request_id = 17, .code = 11, .error = TEXT("it is busy")),
    SAMPLE(alias_request, .request_id = 18, .name = TEXT("intent"), .model_id = TEXT("tiny")),
    SAMPLE(alias_response, .request_id = 18, .code = 2, .error = TEXT("no such model"),
           .generation = 70004),
    SAMPLE(inference_response, .request_id = 57, .generation = 70005),
    SAMPLE(inference_response, .request_id = 58, .tokenize_us = 70006, .prefill_us = 70007,
           .decode_us = 70008, .worst_gap_us = 70009),
    SAMPLE(health_response, .check_type = 2, .state = 1,
           .reason = TEXT("the queue of tiny is full"), .models = LIST(healths)),
    SAMPLE(metrics_response, .series = LIST(series)),
};

int main(void)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    for (size_t i = 0; i < HEARTH_COUNT(samples); i++) {
        hearth_buf_clear(&out);
        if (hearth_wire_encode(&samples[i], &out) < 0) {
            return 1;
        }
        for (size_t at = 0; at < out.size; at++) {
            printf("%02x", out.data[at]);
        }
        printf("\n");
    }
    return 0;
}
