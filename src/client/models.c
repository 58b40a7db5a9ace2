/* models.c — the models that the daemon knows. */

#include "client_priv.h"

#define LIST_BYTES ((size_t)16 << 20) /* a frame's worth of models, unpacked */

struct hearth_model_list {
    struct hearth_arena arena;
    hearth_model *models;
    size_t count;
    hearth_alias *aliases;
    size_t alias_count;
};

static int unpack_names(struct hearth_arena *arena, const struct hearth_wire_list *list,
                        hearth_model *model)
{
    const char **names = hearth_arena_alloc(arena, list->count, sizeof *names);
    if (names == NULL && list->count > 0) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_list cursor = *list;
    struct hearth_wire_name name;
    for (size_t i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_name, &name); i++) {
        names[i] = hearth_arena_copy(arena, name.name);
        if (names[i] == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    model->labels = names;
    model->label_count = list->count;
    return 0;
}

int client_unpack_model(struct hearth_arena *arena, const struct hearth_wire_model_info *info,
                        hearth_model *model)
{
    *model = (hearth_model){
        .name = hearth_arena_copy(arena, info->name),
        .task = (enum hearth_task)info->task,
        .engine = (enum hearth_engine_kind)info->engine,
        .state = (enum hearth_model_state)info->state,
        .digest = hearth_arena_copy(arena, info->digest),
        .worker_pid = info->worker_pid,
        .restarts = info->restarts,
        .size_bytes = info->size_bytes,
        .need_bytes = info->need_bytes,
        .memory_bytes = info->memory_bytes,
        .queue_depth = info->queue_depth,
        .running = info->running,
        .request_count = info->request_count,
        .avg_latency_ms = info->avg_latency_ms,
        .threads = info->threads,
        .context_tokens = info->context_tokens,
        .dimensions = info->dimensions,
        .containment = hearth_arena_copy(arena, info->containment),
        .error = hearth_arena_copy(arena, info->error),
        .error_code = -(int)info->error_code,
        .version = hearth_arena_copy(arena, info->version),
        .shares = hearth_arena_copy(arena, info->shares),
    };
    bool has_all = model->name != NULL && model->digest != NULL && model->containment != NULL &&
                   model->error != NULL && model->version != NULL && model->shares != NULL;
    return has_all ? unpack_names(arena, &info->labels, model) : HEARTH_E_NO_MEMORY;
}

static int unpack_list(struct hearth_model_list *list, const struct hearth_wire_list *models)
{
    list->models = hearth_arena_alloc(&list->arena, models->count + 1u, sizeof *list->models);
    if (list->models == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_list cursor = *models;
    struct hearth_wire_model_info info;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_model_info, &info)) {
        int rc = client_unpack_model(&list->arena, &info, &list->models[list->count]);
        if (rc < 0) {
            return rc;
        }
        list->count++;
    }
    return 0;
}

static int unpack_aliases(struct hearth_model_list *list, struct hearth_wire_list cursor)
{
    struct hearth_wire_alias_info info;
    list->aliases = hearth_arena_alloc(&list->arena, cursor.count + 1u, sizeof *list->aliases);
    if (list->aliases == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_alias_info, &info)) {
        hearth_alias *alias = &list->aliases[list->alias_count++];
        *alias = (hearth_alias){.name = hearth_arena_copy(&list->arena, info.name),
                                .model = hearth_arena_copy(&list->arena, info.model_id),
                                .generation = info.generation};
        if (alias->name == NULL || alias->model == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    return 0;
}

static int take_models(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    struct hearth_model_list *list = hearth_alloc(1, sizeof *list);
    if (list == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&list->arena, LIST_BYTES);
    if (unpack_list(list, &answer->as.models_response.models) < 0 ||
        unpack_aliases(list, answer->as.models_response.aliases) < 0) {
        hearth_model_list_free(list);
        return hearth_fail_oom(err);
    }
    *(struct hearth_model_list **)arg = list;
    return 0;
}

int hearth_models(hearth_client *client, hearth_model_list **ret_list, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    struct hearth_message message = {.type = HEARTH_MSG_models_request};
    struct client_question question = {
        .wanted = HEARTH_MSG_models_response, .take = take_models, .arg = ret_list};
    return client_ask(client, &message, &question, client->timeout_ms, err);
}

size_t hearth_model_list_count(const hearth_model_list *list)
{
    return list->count;
}

const hearth_model *hearth_model_list_at(const hearth_model_list *list, size_t index)
{
    return index < list->count ? &list->models[index] : NULL;
}

size_t hearth_model_list_alias_count(const hearth_model_list *list)
{
    return list->alias_count;
}

const hearth_alias *hearth_model_list_alias_at(const hearth_model_list *list, size_t index)
{
    return index < list->alias_count ? &list->aliases[index] : NULL;
}

void hearth_model_list_free(hearth_model_list *list)
{
    if (list != NULL) {
        hearth_arena_finish(&list->arena);
        hearth_free(list);
    }
}
