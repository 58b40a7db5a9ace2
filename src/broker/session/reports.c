/* reports.c — numbers for whoever asks: metrics, Prometheus text, spans, open requests. */

#include "session_priv.h"

#include "hearth_log.h"
#include <stdlib.h>
#include <string.h>

#define MAX_LABELS_BYTES (1u << 20) /* of all series of one answer */

/* ---- metrics ------------------------------------------------------------------------------ */

/* One answer; the lists of the message point into it. */
struct report {
    struct hearth_wire_counter counters[HEARTH_COUNTER_COUNT_];
    struct hearth_wire_gauge gauges[HEARTH_GAUGE_COUNT_];
    struct hearth_wire_histogram histograms[HEARTH_HISTOGRAM_COUNT_];
    struct hearth_wire_bucket buckets[HEARTH_HISTOGRAM_COUNT_][HEARTH_HISTOGRAM_BUCKETS];
    struct hearth_wire_series series[HEARTH_FAMILY_CELLS_];
    uint32_t series_count;
    struct hearth_buf labels; /* of them, one behind the other */
};
_Static_assert(HEARTH_FAMILY_CELLS_ <= HEARTH_MAX_SERIES, "series fit into an answer");
_Static_assert(HEARTH_METRIC_MODELS == HEARTH_MAX_MODELS, "a slot has a place in families");
_Static_assert((int)HEARTH_LABEL_SIZE_HOLDER == (int)HEARTH_MEMORY_KINDS,
               "holders are the ledger's kinds");
_Static_assert(HEARTH_METRIC_NAME_BYTES == HEARTH_MAX_MODEL_ID_BYTES, "names fit");

_Static_assert(HEARTH_COUNTER_COUNT_ <= HEARTH_MAX_METRICS, "counters fit into an answer");
_Static_assert(HEARTH_HISTOGRAM_BUCKETS <= HEARTH_MAX_BUCKETS, "buckets fit into an answer");

/* The log counts for itself: it is below the counters. */
static void gather_log_losses(struct hearth_metrics *metrics)
{
    struct hearth_log_losses losses;
    hearth_log_losses(&losses);
    hearth_metrics_add(metrics, HEARTH_COUNTER_LOG_LINES_DROPPED,
                       losses.lost -
                           hearth_metrics_value(metrics, HEARTH_COUNTER_LOG_LINES_DROPPED));
}

static uint32_t count_incomplete(const struct hearth_server *server)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        struct hearth_worker_info worker;
        hearth_pool_info(server->pool, slot, &worker);
        count += worker.pid != 0 && worker.containment[0] != '\0' &&
                 !walls_are_whole(worker.containment);
    }
    return count;
}

static uint32_t count_sessions(const struct hearth_server *server)
{
    uint32_t count = 0;
    HEARTH_LIST_EACH(struct connection, link, connection, &server->connections) {
        count += connection->state == CONNECTION_OPEN;
    }
    return count;
}

/* Gauges by model, as they are now. */
static void gather_families(struct hearth_server *server)
{
    struct hearth_metrics *metrics = server->parts.metrics;
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
        struct hearth_worker_info info;
        hearth_metrics_name_model(metrics, slot, model != NULL ? model->id : "");
        hearth_pool_info(server->pool, slot, &info);
        *hearth_metrics_cell(metrics, HEARTH_FAMILY_RESIDENT, slot, 0, 0) =
            memory_of_worker(server, slot, info.pid);
        const struct hearth_lane *lane = hearth_sched_lane(&server->sched, slot);
        for (unsigned i = 0; i < HEARTH_SCHED_PRIORITIES; i++) {
            *hearth_metrics_cell(metrics, HEARTH_FAMILY_QUEUED, slot, i, 0) =
                lane->classes[i].queued_count;
        }
        for (unsigned i = 0; i < HEARTH_MEMORY_KINDS; i++) {
            *hearth_metrics_cell(metrics, HEARTH_FAMILY_MEMORY, slot, i, 0) =
                info.hold->is_held ? info.hold->need.parts[i] : 0;
        }
    }
}

static void gather_gauges(struct hearth_server *server)
{
    const struct hearth_server_parts *parts = &server->parts;
    struct hearth_metrics *metrics = parts->metrics;
    uint64_t age_ns = hearth_loop_now_ns(parts->loop) - server->started_ns;
    hearth_metrics_set(metrics, HEARTH_GAUGE_CONNECTIONS, server->connection_count);
    hearth_metrics_set(metrics, HEARTH_GAUGE_SESSIONS, count_sessions(server));
    hearth_metrics_set(metrics, HEARTH_GAUGE_QUEUE_DEPTH, server->sched.queued_count);
    hearth_metrics_set(metrics, HEARTH_GAUGE_QUEUE_BYTES, server->sched.queued_bytes);
    hearth_metrics_set(metrics, HEARTH_GAUGE_RUNNING, server->sched.running_count);
    hearth_metrics_set(metrics, HEARTH_GAUGE_MODELS_LOADED,
                       hearth_registry_count(parts->registry, HEARTH_MODEL_READY));
    hearth_metrics_set(metrics, HEARTH_GAUGE_MEMORY_USED, memory_of_all(server));
    hearth_metrics_set(metrics, HEARTH_GAUGE_MEMORY_RESERVED, parts->budget->held_bytes);
    hearth_metrics_set(metrics, HEARTH_GAUGE_MEMORY_LIMIT, parts->budget->limit_bytes);
    hearth_metrics_set(metrics, HEARTH_GAUGE_WORKERS_INCOMPLETE, count_incomplete(server));
    hearth_metrics_set(metrics, HEARTH_GAUGE_UPTIME, age_ns / HEARTH_NS_PER_SEC);
    gather_log_losses(metrics);
    gather_families(server);
}

/* Empty buckets are left out. */
static struct hearth_wire_list list_buckets(const struct hearth_histogram_cells *cells,
                                            struct hearth_wire_bucket *room)
{
    uint32_t count = 0;
    for (size_t i = 0; i < HEARTH_HISTOGRAM_BUCKETS; i++) {
        if (cells->buckets[i] > 0) {
            room[count++] = (struct hearth_wire_bucket){.up_to = hearth_histogram_bound(i),
                                                        .count = cells->buckets[i]};
        }
    }
    return (struct hearth_wire_list){.count = count, .items = room};
}

static void fill_histogram(const struct hearth_metrics *metrics, size_t index,
                           struct report *report)
{
    const struct hearth_histogram_cells *cells = &metrics->histograms[index];
    struct hearth_metric metric;
    if (!hearth_metrics_read_histogram(metrics, index, &metric)) {
        return;
    }
    report->histograms[index] = (struct hearth_wire_histogram){
        .name = hearth_slice_of_string(metric.name),
        .count = cells->count,
        .sum = cells->sum,
        .min = cells->count > 0 ? cells->min : 0,
        .max = cells->max,
        .p50 = hearth_histogram_quantile(cells, 500),
        .p95 = hearth_histogram_quantile(cells, 950),
        .p99 = hearth_histogram_quantile(cells, 990),
        .buckets = list_buckets(cells, report->buckets[index]),
    };
}

static void fill(const struct hearth_metrics *metrics, struct report *report)
{
    struct hearth_metric metric;
    for (size_t i = 0; hearth_metrics_read(metrics, i, &metric); i++) {
        report->counters[i] = (struct hearth_wire_counter){
            .name = hearth_slice_of_string(metric.name), .value = metric.value};
    }
    for (size_t i = 0; hearth_metrics_read_gauge(metrics, i, &metric); i++) {
        report->gauges[i] = (struct hearth_wire_gauge){.name = hearth_slice_of_string(metric.name),
                                                       .value = metric.value};
    }
    for (size_t i = 0; i < HEARTH_HISTOGRAM_COUNT_; i++) {
        fill_histogram(metrics, i, report);
    }
}

/* The labels are written first: while they are, their buffer moves. */
static int fill_series(const struct hearth_metrics *metrics, struct report *report)
{
    struct hearth_series series;
    size_t cursor = 0;
    while (hearth_metrics_next_series(metrics, &cursor, &series)) {
        size_t begin = report->labels.size;
        int rc = hearth_metrics_labels(metrics, &series, &report->labels);
        if (rc < 0) {
            return rc;
        }
        report->series[report->series_count++] =
            (struct hearth_wire_series){.name = hearth_slice_of_string(series.family->name),
                                        .labels = {.size = report->labels.size - begin},
                                        .value = series.value};
    }
    const uint8_t *at = report->labels.data;
    for (uint32_t i = 0; i < report->series_count; i++) {
        report->series[i].labels.data = at;
        at += report->series[i].labels.size;
    }
    return 0;
}

static void tell_no_memory(struct connection *connection)
{
    connection_error(connection, HEARTH_E_NO_MEMORY, 0, hearth_error_sentence(HEARTH_E_NO_MEMORY));
}

void report_metrics(struct connection *connection)
{
    struct hearth_server *server = connection->server;
    HEARTH_AUTO(hearth_block) struct report *report = hearth_alloc(1, sizeof *report);
    if (report == NULL) {
        tell_no_memory(connection);
        return;
    }
    gather_gauges(server);
    fill(server->parts.metrics, report);
    hearth_buf_init(&report->labels, MAX_LABELS_BYTES);
    if (fill_series(server->parts.metrics, report) < 0) {
        hearth_buf_finish(&report->labels);
        tell_no_memory(connection);
        return;
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_metrics_response,
        .as.metrics_response = {
            .counters = {.count = HEARTH_COUNTER_COUNT_, .items = report->counters},
            .gauges = {.count = HEARTH_GAUGE_COUNT_, .items = report->gauges},
            .histograms = {.count = HEARTH_HISTOGRAM_COUNT_, .items = report->histograms},
            .series = {.count = report->series_count, .items = report->series}}};
    connection_send(connection, &message);
    hearth_buf_finish(&report->labels);
}

void report_prometheus(struct connection *connection)
{
    struct hearth_server *server = connection->server;
    HEARTH_AUTO(hearth_buf) struct hearth_buf text;
    hearth_buf_init(&text, HEARTH_MAX_PROMETHEUS_BYTES);
    gather_gauges(server);
    int rc = hearth_metrics_prometheus(server->parts.metrics, &text);
    if (rc < 0) {
        connection_error(connection, rc, 0, hearth_error_sentence(rc));
        return;
    }
    struct hearth_message message = {.type = HEARTH_MSG_prometheus_response,
                                     .as.prometheus_response.text = hearth_buf_slice(&text)};
    connection_send(connection, &message);
}

/* ---- spans -------------------------------------------------------------------------------- */

static void fill_span(const struct span *span, struct hearth_wire_span *ret)
{
    *ret = (struct hearth_wire_span){
        .ticket = span->ticket,
        .model_id = hearth_slice_of_string(span->model_id),
        .task = span->task,
        .priority = span->priority,
        .code = span->code,
        .start_ms = span->start_ms,
        .queue_us = span->queue_us,
        .first_us = span->first_us,
        .total_us = span->total_us,
        .inputs = span->inputs,
        .prompt_tokens = span->prompt_tokens,
        .tokens_generated = span->tokens_generated,
        .finish_reason = span->finish_reason,
        .cached_tokens = span->cached_tokens,
    };
}

void report_spans(struct connection *connection, const struct hearth_wire_spans_request *asked)
{
    struct span_ring *ring = &connection->server->spans;
    uint32_t limit = connection->is_json ? HEARTH_MAX_JSON_SPANS : HEARTH_MAX_SPANS;
    uint32_t wanted = asked->max_count != 0 ? HEARTH_MIN(asked->max_count, limit) : limit;
    uint32_t count = HEARTH_MIN(wanted, ring->count);
    HEARTH_AUTO(hearth_block)
    struct hearth_wire_span *spans = hearth_alloc(count + 1, sizeof *spans);
    if (spans == NULL) {
        tell_no_memory(connection);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        fill_span(&ring->spans[(ring->first + i) % HEARTH_MAX_SPANS], &spans[i]);
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_spans_response,
        .as.spans_response = {.spans = {.count = count, .items = spans}, .lost = ring->lost}};
    connection_send(connection, &message);
    ring->first = (ring->first + count) % HEARTH_MAX_SPANS;
    ring->count -= count;
    ring->lost = 0;
}

/* ---- open requests ------------------------------------------------------------------------ */

/* A list of what one user may see, in the order in which it runs. */
struct listing {
    struct hearth_wire_request_info infos[HEARTH_MAX_LISTED_REQUESTS];
    uint32_t count;
    const struct hearth_peer *peer;
    const struct hearth_server *server;
    const char *model_id; /* of the lane that is being added */
};

static void add_job(struct listing *listing, struct hearth_job *job,
                    const struct hearth_sched_place *place)
{
    const struct request *request = request_of_job(job);
    uint64_t now_ns = hearth_loop_now_ns(listing->server->parts.loop);
    if (listing->count == HEARTH_MAX_LISTED_REQUESTS ||
        !request_is_visible(request, listing->peer)) {
        return;
    }
    uint64_t age_ns = now_ns - HEARTH_MIN(now_ns, request->admitted_ns);
    listing->infos[listing->count++] = (struct hearth_wire_request_info){
        .ticket = request->ticket.id,
        .model_id = hearth_slice_of_string(listing->model_id),
        .task = (uint8_t)request->ticket.task,
        .priority = (uint8_t)job->priority,
        .state = job->state == HEARTH_JOB_RUNNING,
        .position = place->position,
        .expected_wait_ms = place->expected_wait_ms,
        .age_ms = (uint32_t)HEARTH_MIN(age_ns / HEARTH_NS_PER_MS, UINT32_MAX),
        .pid = (uint32_t)request->client->peer.pid,
        .client = text_slice(request->client->name),
    };
}

static void add_queued(void *arg, struct hearth_job *job, const struct hearth_sched_place *place)
{
    add_job(arg, job, place);
}

static int by_position(const void *a, const void *b)
{
    const struct hearth_wire_request_info *left = a;
    const struct hearth_wire_request_info *right = b;
    if (left->position != right->position) {
        return left->position < right->position ? -1 : 1;
    }
    return left->ticket < right->ticket ? -1 : left->ticket > right->ticket;
}

static void add_lane(struct listing *listing, uint32_t slot)
{
    const struct hearth_lane *lane = hearth_sched_lane(&listing->server->sched, slot);
    const struct hearth_model *model = hearth_registry_at(listing->server->parts.registry, slot);
    static const struct hearth_sched_place nowhere;
    if (model == NULL) {
        return;
    }
    listing->model_id = model->id;
    HEARTH_LIST_EACH(struct hearth_job, link, running, &lane->running) {
        add_job(listing, running, &nowhere);
    }
    HEARTH_LIST_EACH(struct hearth_job, of_class, doomed, &lane->doomed) {
        add_job(listing, doomed, &nowhere);
    }
    uint32_t first = listing->count;
    hearth_sched_each_queued(&listing->server->sched, slot, add_queued, listing);
    qsort(&listing->infos[first], listing->count - first, sizeof listing->infos[0], by_position);
}

static uint32_t count_open(const struct hearth_server *server, const struct hearth_peer *peer)
{
    uint32_t total = 0;
    HEARTH_LIST_EACH(struct connection, link, connection, &server->connections) {
        bool is_visible = peer->uid == 0 || connection->peer.uid == peer->uid;
        total += is_visible ? connection->open_count : 0;
    }
    return total;
}

void report_requests(struct connection *connection)
{
    struct hearth_server *server = connection->server;
    HEARTH_AUTO(hearth_block) struct listing *listing = hearth_alloc(1, sizeof *listing);
    if (listing == NULL) {
        tell_no_memory(connection);
        return;
    }
    listing->peer = &connection->peer;
    listing->server = server;
    for (uint32_t slot = 0; slot < HEARTH_SCHED_LANES; slot++) {
        add_lane(listing, slot);
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_requests_response,
        .as.requests_response = {.requests = {.count = listing->count, .items = listing->infos},
                                 .total = count_open(server, &connection->peer)}};
    connection_send(connection, &message);
}
