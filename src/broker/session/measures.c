/* measures.c — what an ended request adds to counters, histograms and the ring of spans. Numbers
 * only: nothing of its content. */

#include "session_priv.h"

#include <string.h>

static enum hearth_counter refusal_counter(int code)
{
    switch (code) {
    case HEARTH_E_QUEUE_FULL:
    case HEARTH_E_NO_MEMORY:
    case HEARTH_E_SHUTTING_DOWN: return HEARTH_COUNTER_REFUSED_BUSY;
    case HEARTH_E_NO_MODEL:
    case HEARTH_E_NOT_READY: return HEARTH_COUNTER_REFUSED_MODEL;
    default: return HEARTH_COUNTER_REFUSED_INPUT; /* codes are plain numbers */
    }
}

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

void measure_refusal(struct hearth_server *server, int code)
{
    struct hearth_metrics *metrics = server->parts.metrics;
    hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_TOTAL);
    hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_FAILED);
    hearth_metrics_count(metrics, refusal_counter(code));
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
    observe(request, response);
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
