/* models.c — the list of models and all about one, gathered from registry, pool and lanes.
 *
 * The folders are looked at again before it is told, once a second at most and in steps. */

#include "session_priv.h"

#include "hearth_log.h"
#include <stdio.h>
#include <string.h>

/* The list and the names it points to; made for one answer. */
struct listing {
    struct hearth_wire_model_info infos[HEARTH_MAX_MODELS];
    struct hearth_wire_alias_info aliases[HEARTH_MAX_ALIASES];
    char walls[HEARTH_MAX_MODELS][HEARTH_MAX_ERROR_BYTES + 1];
    struct hearth_wire_name *names;
    uint32_t name_count;
    uint32_t count;
    uint64_t total_memory_bytes;
};

static uint32_t count_labels(struct hearth_registry *registry)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(registry, slot);
        count += model != NULL && model->manifest != NULL ? model->manifest->label_count : 0;
    }
    return count;
}

static void add_manifest(struct listing *listing, struct hearth_wire_model_info *info,
                         const struct hearth_manifest *manifest)
{
    const struct hearth_manifest_file *file = hearth_manifest_file(manifest, HEARTH_FILE_MODEL);
    info->version = hearth_slice_of_string(manifest->version);
    info->task = (uint8_t)manifest->task;
    info->engine = (uint8_t)manifest->engine;
    info->size_bytes = manifest->size_bytes;
    info->digest = hearth_slice_of_string(file != NULL ? file->sha256 : "");
    info->labels = (struct hearth_wire_list){.count = manifest->label_count,
                                             .items = listing->names + listing->name_count};
    for (uint32_t i = 0; i < manifest->label_count; i++) {
        listing->names[listing->name_count++].name = hearth_slice_of_string(manifest->labels[i]);
    }
}

static void add_worker(struct hearth_wire_model_info *info, const struct hearth_worker_info *worker)
{
    info->worker_pid = (uint32_t)worker->pid;
    info->restarts = worker->restarts;
    info->need_bytes = worker->need_bytes;
    info->threads = worker->threads;
    info->context_tokens = worker->context_tokens;
    info->dimensions = worker->dimensions;
}

static void add_lane(const struct hearth_server *server, uint32_t slot,
                     struct hearth_wire_model_info *info)
{
    const struct hearth_lane *lane = hearth_sched_lane(&server->sched, slot);
    const struct lane_record *record = &server->records[slot];
    info->queue_depth = lane->queued_count;
    info->running = lane->running_count;
    info->request_count = record->ended;
    if (record->ended > 0) {
        info->avg_latency_ms =
            (float)((double)record->total_ns / (double)record->ended / (double)HEARTH_NS_PER_MS);
    }
}

static void add_model(struct hearth_server *server, struct listing *listing,
                      const struct hearth_model *model)
{
    char *walls = listing->walls[listing->count];
    struct hearth_wire_model_info *info = &listing->infos[listing->count++];
    struct hearth_worker_info worker;
    enum hearth_model_state told = hearth_model_told_state(model);
    hearth_pool_info(server->pool, hearth_model_lane(model), &worker);
    if (hearth_model_has_worker(model) && worker.containment[0] != '\0') {
        walls_tell(worker.containment, walls);
    }
    *info = (struct hearth_wire_model_info){
        .name = hearth_slice_of_string(model->id),
        .state = (uint8_t)told,
        .shares = hearth_slice_of_string(model->host != NULL ? model->host->id : ""),
        .containment = text_slice(walls),
        .error = text_slice(model->state == HEARTH_MODEL_FAILED ? model->failure.text : ""),
        .error_code = (uint16_t)(model->state == HEARTH_MODEL_FAILED ? -model->failure.code : 0),
    };
    if (model->manifest != NULL) {
        add_manifest(listing, info, model->manifest);
    }
    add_worker(info, &worker);
    info->memory_bytes = memory_of_worker(server, hearth_model_lane(model), worker.pid);
    listing->total_memory_bytes += model->host == NULL ? info->memory_bytes : 0;
    add_lane(server, model->slot, info);
}

static uint32_t sort_by_name(struct hearth_registry *registry,
                             const struct hearth_model *sorted[HEARTH_MAX_MODELS])
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(registry, slot);
        if (model == NULL) {
            continue;
        }
        uint32_t at = count++;
        while (at > 0 && strcmp(sorted[at - 1]->id, model->id) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = model;
    }
    return count;
}

static struct hearth_wire_list list_aliases(const struct hearth_registry *registry,
                                            struct listing *listing)
{
    for (uint32_t i = 0; i < registry->alias_count; i++) {
        const struct hearth_alias *alias = &registry->aliases[i];
        listing->aliases[i] =
            (struct hearth_wire_alias_info){.name = hearth_slice_of_string(alias->name),
                                            .model_id = hearth_slice_of_string(alias->model_id),
                                            .generation = alias->generation};
    }
    return (struct hearth_wire_list){.count = registry->alias_count, .items = listing->aliases};
}

static void answer(struct connection *connection)
{
    struct hearth_server *server = connection->server;
    HEARTH_AUTO(hearth_block) struct listing *listing = hearth_alloc(1, sizeof *listing);
    uint32_t label_count = count_labels(server->parts.registry);
    if (listing == NULL) {
        connection_error(connection, HEARTH_E_NO_MEMORY, 0, "list of models: out of memory");
        return;
    }
    listing->names = hearth_alloc(label_count + 1, sizeof *listing->names);
    if (listing->names == NULL) {
        connection_error(connection, HEARTH_E_NO_MEMORY, 0, "list of models: out of memory");
        return;
    }
    const struct hearth_model *sorted[HEARTH_MAX_MODELS];
    memory_begin(server);
    uint32_t count = sort_by_name(server->parts.registry, sorted);
    for (uint32_t i = 0; i < count; i++) {
        add_model(server, listing, sorted[i]);
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_models_response,
        .as.models_response = {.models = {.count = listing->count, .items = listing->infos},
                               .total_memory_bytes = listing->total_memory_bytes,
                               .aliases = list_aliases(server->parts.registry, listing)}};
    connection_send(connection, &message);
    hearth_free(listing->names);
}

/* ---- when ----------------------------------------------------------------------------------- */

static struct connection *first_waiting(struct hearth_server *server)
{
    HEARTH_LIST_EACH(struct connection, link, connection, &server->connections) {
        if (connection->awaits_list) {
            return connection;
        }
    }
    return NULL;
}

/* Returns false if there is more to look at. */
static bool scan_some(struct hearth_server *server, uint64_t begun_ns)
{
    struct hearth_registry *registry = server->parts.registry;
    struct hearth_error err = {0};
    int rc = 1;
    for (uint32_t i = 0; rc == 1 && slice_has_room(i, begun_ns); i++) {
        rc = hearth_registry_scan_step(registry, SCAN_ENTRIES, &err);
    }
    if (rc < 0) {
        hearth_log(HEARTH_LOG_WARN, "registry.scan", "error", hearth_log_err(&err), NULL);
    }
    return rc != 1;
}

/* One scan serves all who asked meanwhile; each is answered in its turn. */
void models_on_scan(void *arg)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    struct hearth_loop *loop = server->parts.loop;
    uint64_t begun_ns = hearth_clock_ns();
    struct connection *next = NULL;
    if (server->parts.registry->scan.is_running && !scan_some(server, begun_ns)) {
        hearth_loop_defer(loop, &server->scan_more);
        return;
    }
    for (uint32_t i = 0; slice_has_room(i, begun_ns) && (next = first_waiting(server)) != NULL;
         i++) {
        next->awaits_list = false;
        answer(next);
        hearth_loop_defer(loop, &next->more); /* frames may have waited */
    }
    if (first_waiting(server) != NULL) {
        hearth_loop_defer(loop, &server->scan_more);
    }
}

void models_list(struct connection *connection)
{
    struct hearth_server *server = connection->server;
    struct hearth_registry *registry = server->parts.registry;
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    connection->awaits_list = true;
    if (!registry->scan.is_running &&
        (server->scanned_ns == 0 || now_ns - server->scanned_ns >= RESCAN_PAUSE_NS)) {
        server->scanned_ns = now_ns;
        hearth_registry_scan_begin(registry);
    }
    hearth_loop_defer(server->parts.loop, &server->scan_more);
}

/* ---- one model ------------------------------------------------------------------------------ */

static void answer_description(struct connection *connection,
                               const struct hearth_wire_model_response *answer)
{
    struct hearth_message message = {.type = HEARTH_MSG_model_response,
                                     .as.model_response = *answer};
    connection_send(connection, &message);
}

static void refuse_description(struct connection *connection, uint64_t client_id, int code,
                               const char *text)
{
    const struct hearth_wire_model_response answer = {
        .request_id = client_id, .code = (uint16_t)-code, .error = text_slice(text)};
    answer_description(connection, &answer);
}

/* What the budget has given it, by what it is for; nothing without a worker. */
static uint32_t list_memory(const struct hearth_hold *hold,
                            struct hearth_wire_gauge ret[HEARTH_MEMORY_KINDS])
{
    uint32_t count = 0;
    for (unsigned kind = 0; hold->is_held && kind < HEARTH_MEMORY_KINDS; kind++) {
        ret[count++] = (struct hearth_wire_gauge){
            .name = hearth_slice_of_string(hearth_memory_kind_name((enum hearth_memory_kind)kind)),
            .value = hold->need.parts[kind]};
    }
    return count;
}

/* Facts and the text of those that are numbers. */
struct facts {
    struct hearth_wire_option list[HEARTH_MAX_MODEL_FACTS];
    uint32_t count;
    char numbers[4][32];
    uint32_t number_count;
};

static void add_fact(struct facts *facts, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0' && strlen(value) <= HEARTH_MAX_ERROR_BYTES) {
        facts->list[facts->count++] = (struct hearth_wire_option){
            .key = hearth_slice_of_string(key), .value = hearth_slice_of_string(value)};
    }
}

static void add_number(struct facts *facts, const char *key, double value)
{
    char *text = facts->numbers[facts->number_count++];
    snprintf(text, sizeof facts->numbers[0], "%.7g", value);
    add_fact(facts, key, text);
}

/* How far weights in int8 agree with those that they were made of. */
static void add_agreement(struct facts *facts, const struct hearth_agreement *agreement,
                          bool has_labels)
{
    if (agreement->texts > 0) {
        add_number(facts, "agreement_mean_cosine", agreement->mean_cosine);
        add_number(facts, "agreement_min_cosine", agreement->min_cosine);
        if (has_labels) {
            add_number(facts, "agreement_labels", agreement->label_agreement);
        }
        add_number(facts, "agreement_texts", agreement->texts);
    }
}

/* What the manifest says, then what the engine found out. */
static void gather_facts(const struct hearth_model *model, struct hearth_wire_list told,
                         struct facts *ret)
{
    const struct hearth_manifest *manifest = model->manifest;
    *ret = (struct facts){0};
    if (manifest != NULL) {
        add_fact(ret, "name", manifest->name);
        add_fact(ret, "version", manifest->version);
        add_fact(ret, "license", manifest->license);
        add_fact(ret, "precision", hearth_precision_name(manifest->precision));
        add_agreement(ret, &manifest->agreement, manifest->label_count > 0);
        add_fact(ret, "default", manifest->is_default ? "true" : "");
    }
    while (ret->count < HEARTH_MAX_MODEL_FACTS &&
           hearth_wire_next(&told, HEARTH_RECORD_option, &ret->list[ret->count])) {
        ret->count++;
    }
}

static void describe(struct connection *connection, const struct hearth_model *model,
                     uint64_t client_id)
{
    struct hearth_server *server = connection->server;
    HEARTH_AUTO(hearth_block) struct listing *listing = hearth_alloc(1, sizeof *listing);
    uint32_t label_count = model->manifest != NULL ? model->manifest->label_count : 0;
    if (listing != NULL) {
        listing->names = hearth_alloc(label_count + 1, sizeof *listing->names);
    }
    if (listing == NULL || listing->names == NULL) {
        refuse_description(connection, client_id, HEARTH_E_NO_MEMORY,
                           hearth_error_sentence(HEARTH_E_NO_MEMORY));
        return;
    }
    struct facts facts;
    struct hearth_worker_info info;
    hearth_pool_info(server->pool, hearth_model_lane(model), &info);
    memory_begin(server);
    add_model(server, listing, model);
    gather_facts(model, info.ready->facts, &facts);
    struct hearth_wire_gauge memory[HEARTH_MEMORY_KINDS];
    const struct hearth_wire_model_response answer = {
        .request_id = client_id,
        .models = {.count = 1, .items = listing->infos},
        .inputs = info.ready->inputs,
        .outputs = info.ready->outputs,
        .facts = {.count = facts.count, .items = facts.list},
        .memory = {.count = list_memory(info.hold, memory), .items = memory},
    };
    answer_description(connection, &answer);
    hearth_free(listing->names);
}

void models_describe(struct connection *connection, const struct hearth_wire_model_request *asked)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    struct hearth_model *model = loads_find(connection->server, asked->model_id, text, sizeof text);
    if (model == NULL) {
        refuse_description(connection, asked->request_id, HEARTH_E_NO_MODEL, text);
    } else {
        describe(connection, model, asked->request_id);
    }
}
