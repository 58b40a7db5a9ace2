/* measures.c — what an ended request adds to counters, histograms and the ring of spans. Numbers
 * only: nothing of its content. */

#include "session_priv.h"

#include <string.h>

/* ---- refusals ----------------------------------------------------------------------------- */

static enum hearth_refusal_reason refusal_reason(int code)
{
    switch (code) {
    case HEARTH_E_QUEUE_FULL: return HEARTH_REFUSAL_QUEUE_FULL;
    case HEARTH_E_NO_MEMORY:
    case HEARTH_E_NO_ROOM: return HEARTH_REFUSAL_MEMORY;
    case HEARTH_E_EXPIRED: return HEARTH_REFUSAL_DEADLINE;
    case HEARTH_E_SHUTTING_DOWN: return HEARTH_REFUSAL_SHUTTING_DOWN;
    case HEARTH_E_NO_MODEL: return HEARTH_REFUSAL_NO_MODEL;
    case HEARTH_E_NOT_READY: return HEARTH_REFUSAL_NOT_LOADED;
    default: return HEARTH_REFUSAL_INPUT; /* codes are plain numbers */
    }
}

static enum hearth_counter refusal_counter(enum hearth_refusal_reason reason)
{
    switch (reason) {
    case HEARTH_REFUSAL_QUEUE_FULL:
    case HEARTH_REFUSAL_MEMORY:
    case HEARTH_REFUSAL_DEADLINE:
    case HEARTH_REFUSAL_SHUTTING_DOWN: return HEARTH_COUNTER_REFUSED_BUSY;
    case HEARTH_REFUSAL_NO_MODEL:
    case HEARTH_REFUSAL_NOT_LOADED: return HEARTH_COUNTER_REFUSED_MODEL;
    case HEARTH_REFUSAL_INPUT: return HEARTH_COUNTER_REFUSED_INPUT;
    }
    HEARTH_UNREACHABLE();
}

/* The cell of a family for the model in @slot, which may be another than it was. */
static uint64_t *cell_of(const struct hearth_server *server, enum hearth_family family,
                         uint32_t slot, unsigned second, unsigned third)
{
    const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
    hearth_metrics_name_model(server->parts.metrics, slot, model != NULL ? model->id : "");
    return hearth_metrics_cell(server->parts.metrics, family, slot, second, third);
}

void measure_refusal(struct hearth_server *server, struct hearth_slice model_id, int code)
{
    struct hearth_metrics *metrics = server->parts.metrics;
    const struct hearth_model *model = hearth_registry_find(server->parts.registry, model_id);
    enum hearth_refusal_reason reason = refusal_reason(code);
    hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_TOTAL);
    hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_FAILED);
    hearth_metrics_count(metrics, refusal_counter(reason));
    ++*(model != NULL ? cell_of(server, HEARTH_FAMILY_REJECTIONS, model->slot, reason, 0)
                      : hearth_metrics_cell(metrics, HEARTH_FAMILY_REJECTIONS,
                                            HEARTH_METRIC_NO_MODEL, reason, 0));
}

/* ---- on the way --------------------------------------------------------------------------- */

void measure_admission(const struct request *request,
                       const struct hearth_wire_inference_request *asked)
{
    struct hearth_metrics *metrics = request->server->parts.metrics;
    bool is_structured = asked->grammar_type != HEARTH_GRAMMAR_NONE || request->ticket.has_tools ||
                         asked->choices.count > 0;
    if (request->is_warmup) {
        hearth_metrics_count(metrics, HEARTH_COUNTER_WARMUPS_TOTAL);
        return;
    }
    hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_TOTAL);
    hearth_metrics_add(metrics, HEARTH_COUNTER_STRUCTURED_REQUESTS_TOTAL, is_structured);
}

void measure_start(const struct request *request)
{
    const struct hearth_server *server = request->server;
    const struct hearth_lane *lane = hearth_sched_lane(&server->sched, request->slot);
    uint32_t inputs = 0;
    for (size_t i = 0; i < HEARTH_SCHED_PRIORITIES; i++) {
        inputs += lane->running_inputs[i];
    }
    hearth_metrics_observe(server->parts.metrics, HEARTH_HISTOGRAM_WORKER_INPUTS, inputs);
}

/* The parts of a text come as it is written; of other tasks they are results that are ready. */
void measure_chunk(struct request *request)
{
    uint64_t now_ns = hearth_clock_ns();
    bool is_text =
        request->ticket.task == HEARTH_TASK_GENERATE || request->ticket.task == HEARTH_TASK_CHAT;
    if (request->first_ns == 0) {
        request->first_ns = now_ns;
    } else if (is_text) {
        uint64_t gap_us = (now_ns - HEARTH_MIN(now_ns, request->last_ns)) / HEARTH_NS_PER_US;
        hearth_metrics_observe(request->server->parts.metrics, HEARTH_HISTOGRAM_TOKEN_GAP, gap_us);
        request->worst_gap_us = (uint32_t)HEARTH_MIN(
            HEARTH_MAX(gap_us, (uint64_t)request->worst_gap_us), (uint64_t)UINT32_MAX);
    }
    request->last_ns = now_ns;
}

/* ---- the end ------------------------------------------------------------------------------ */

static enum hearth_request_result result_of(int code)
{
    switch (code) {
    case 0: return HEARTH_RESULT_SUCCESS;
    case HEARTH_E_CANCELLED: return HEARTH_RESULT_CANCELLED;
    case HEARTH_E_EXPIRED: return HEARTH_RESULT_EXPIRED;
    case HEARTH_E_WORKER_LOST: return HEARTH_RESULT_LOST;
    default: return HEARTH_RESULT_FAILED; /* codes are plain numbers */
    }
}

/* How texts ended; how requests failed is counted with the others. */
static void count_finish(struct hearth_metrics *metrics, unsigned finish)
{
    switch ((enum hearth_finish_reason)finish) {
    case HEARTH_FINISH_STOP: hearth_metrics_count(metrics, HEARTH_COUNTER_FINISH_STOP); return;
    case HEARTH_FINISH_MAX_TOKENS:
        hearth_metrics_count(metrics, HEARTH_COUNTER_FINISH_MAX_TOKENS);
        return;
    case HEARTH_FINISH_TOOL_CALLS:
        hearth_metrics_count(metrics, HEARTH_COUNTER_FINISH_TOOL_CALLS);
        return;
    case HEARTH_FINISH_CONTEXT_FULL:
        hearth_metrics_count(metrics, HEARTH_COUNTER_FINISH_CONTEXT_FULL);
        return;
    case HEARTH_FINISH_NONE:
    case HEARTH_FINISH_TIMEOUT:
    case HEARTH_FINISH_CANCELLED:
    case HEARTH_FINISH_FAILED: return;
    }
}

/* What the prefix cache had for a prompt; a worker that is lost tells nothing. */
static void count_lookup(const struct request *request,
                         const struct hearth_wire_inference_response *response)
{
    enum hearth_lookup_outcome outcome = HEARTH_LOOKUP_MISS;
    switch ((enum hearth_cache_state)response->cache) {
    case HEARTH_CACHE_NOT_TOLD: return;
    case HEARTH_CACHE_USED:
        outcome = response->cached_tokens > 0 ? HEARTH_LOOKUP_HIT : HEARTH_LOOKUP_MISS;
        break;
    case HEARTH_CACHE_OFF: outcome = HEARTH_LOOKUP_OFF; break;
    case HEARTH_CACHE_NOT_CACHEABLE: outcome = HEARTH_LOOKUP_NOT_CACHEABLE; break;
    }
    ++*cell_of(request->server, HEARTH_FAMILY_LOOKUPS, request->asked_slot, outcome, 0);
}

/* The same numbers once more, told apart by model. */
static void count_by_model(const struct request *request,
                           const struct hearth_wire_inference_response *response)
{
    const struct hearth_server *server = request->server;
    uint32_t slot = request->asked_slot;
    ++*cell_of(server, HEARTH_FAMILY_REQUESTS, slot, request->job.priority,
               result_of(-(int)response->code));
    *cell_of(server, HEARTH_FAMILY_TOKENS_INPUT, slot, 0, 0) += response->prompt_tokens;
    *cell_of(server, HEARTH_FAMILY_TOKENS_OUTPUT, slot, 0, 0) += response->tokens_generated;
    if (request->started_ns != 0) {
        *cell_of(server, HEARTH_FAMILY_RUN_TIME, slot, 0, 0) +=
            response->total_us - HEARTH_MIN(response->queue_us, response->total_us);
    }
    count_lookup(request, response);
}

/* A prompt that could not be looked up has neither hits nor misses. */
static void count_cache(struct hearth_metrics *metrics,
                        const struct hearth_wire_inference_response *response)
{
    if (response->cache == HEARTH_CACHE_USED) {
        hearth_metrics_add(metrics, HEARTH_COUNTER_PREFIX_HIT_TOKENS_TOTAL,
                           response->cached_tokens);
        hearth_metrics_add(metrics, HEARTH_COUNTER_PREFIX_MISS_TOKENS_TOTAL,
                           response->prompt_tokens - response->cached_tokens);
    }
    hearth_metrics_add(metrics, HEARTH_COUNTER_PREFIX_EVICTED_TOKENS_TOTAL,
                       (uint64_t)response->evicted_tokens + response->evicted_of_others);
    hearth_metrics_add(metrics, HEARTH_COUNTER_DRAFTED_TOKENS_TOTAL, response->drafted_tokens);
    hearth_metrics_add(metrics, HEARTH_COUNTER_ACCEPTED_TOKENS_TOTAL, response->accepted_tokens);
}

static void count(const struct request *request,
                  const struct hearth_wire_inference_response *response)
{
    struct hearth_metrics *metrics = request->server->parts.metrics;
    int code = -(int)response->code;
    hearth_metrics_count(metrics, code == 0                    ? HEARTH_COUNTER_REQUESTS_SUCCEEDED
                                  : code == HEARTH_E_CANCELLED ? HEARTH_COUNTER_REQUESTS_CANCELLED
                                                               : HEARTH_COUNTER_REQUESTS_FAILED);
    if (code == HEARTH_E_EXPIRED) {
        hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_EXPIRED);
    } else if (code == HEARTH_E_WORKER_LOST) {
        hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_LOST);
    }
    hearth_metrics_add(metrics, HEARTH_COUNTER_TOKENS_INPUT_TOTAL, response->prompt_tokens);
    hearth_metrics_add(metrics, HEARTH_COUNTER_TOKENS_OUTPUT_TOTAL, response->tokens_generated);
    count_cache(metrics, response);
    count_finish(metrics, response->finish_reason);
}

static void observe(const struct request *request,
                    const struct hearth_wire_inference_response *response)
{
    struct hearth_metrics *metrics = request->server->parts.metrics;
    if (request->started_ns != 0) {
        hearth_metrics_observe(metrics, HEARTH_HISTOGRAM_QUEUE_TIME, response->queue_us);
    }
    if (request->first_ns != 0 || response->code == 0) {
        hearth_metrics_observe(metrics, HEARTH_HISTOGRAM_FIRST_TIME, response->first_us);
    }
    hearth_metrics_observe(metrics, HEARTH_HISTOGRAM_TOTAL_TIME, response->total_us);
    hearth_metrics_observe(metrics, HEARTH_HISTOGRAM_REQUEST_INPUTS, request->ticket.inputs);
    if (response->worst_gap_us > 0) {
        hearth_metrics_observe(metrics, HEARTH_HISTOGRAM_STALL, response->worst_gap_us);
    }
    if (request->cancelled_ns != 0) {
        uint64_t now_ns = hearth_clock_ns();
        hearth_metrics_observe(metrics, HEARTH_HISTOGRAM_CANCEL_TIME,
                               (now_ns - HEARTH_MIN(now_ns, request->cancelled_ns)) /
                                   HEARTH_NS_PER_US);
    }
}

/* What the worker measured; one that does not know has told 0. */
static void observe_parts(struct hearth_metrics *metrics,
                          const struct hearth_wire_inference_response *response)
{
    const struct {
        enum hearth_histogram histogram;
        uint32_t us;
    } parts[] = {{HEARTH_HISTOGRAM_TOKENIZE_TIME, response->tokenize_us},
                 {HEARTH_HISTOGRAM_PREFILL_TIME, response->prefill_us},
                 {HEARTH_HISTOGRAM_DECODE_TIME, response->decode_us}};
    for (size_t i = 0; i < HEARTH_COUNT(parts); i++) {
        if (parts[i].us > 0) {
            hearth_metrics_observe(metrics, parts[i].histogram, parts[i].us);
        }
    }
}

/* The oldest makes room for the newest. */
static void keep_span(const struct request *request,
                      const struct hearth_wire_inference_response *response)
{
    struct hearth_server *server = request->server;
    struct span_ring *ring = &server->spans;
    if (ring->count == HEARTH_MAX_SPANS) {
        ring->first = (ring->first + 1) % HEARTH_MAX_SPANS;
        ring->count--;
        ring->lost++;
    }
    struct span *span = &ring->spans[(ring->first + ring->count++) % HEARTH_MAX_SPANS];
    *span = (struct span){
        .ticket = request->ticket.id,
        .start_ms = (request->admitted_ns - HEARTH_MIN(server->started_ns, request->admitted_ns)) /
                    HEARTH_NS_PER_MS,
        .queue_us = response->queue_us,
        .first_us = response->first_us,
        .total_us = response->total_us,
        .inputs = request->ticket.inputs,
        .prompt_tokens = response->prompt_tokens,
        .tokens_generated = response->tokens_generated,
        .cached_tokens = response->cached_tokens,
        .finish_reason = response->finish_reason,
        .code = response->code,
        .task = (uint8_t)request->ticket.task,
        .priority = (uint8_t)request->job.priority,
    };
    memcpy(span->model_id, request->model_id, sizeof span->model_id);
}

void measure_end(const struct request *request,
                 const struct hearth_wire_inference_response *response)
{
    struct lane_record *record = &request->server->records[request->asked_slot];
    if (request->is_warmup || request->is_golden) {
        return; /* its time is that of a cold model and would spoil what is told of the others */
    }
    count(request, response);
    count_by_model(request, response);
    observe(request, response);
    observe_parts(request->server->parts.metrics, response);
    keep_span(request, response);
    record->ended++;
    record->total_ns += response->total_us * HEARTH_NS_PER_US;
}

void measure_callback(void *arg, uint64_t ns)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    hearth_metrics_observe(server->parts.metrics, HEARTH_HISTOGRAM_LOOP_CALLBACK,
                           ns / HEARTH_NS_PER_US);
}
