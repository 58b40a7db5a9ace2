/* names.c — aliases that clients make and remove. What one that is there stands for is changed by
 * a swap, which loads and checks first. */

#include "session_priv.h"

#include "hearth_log.h"
#include <stdio.h>

static void answer(struct connection *connection, uint64_t client_id, int code, const char *text,
                   uint32_t generation)
{
    struct hearth_message message = {.type = HEARTH_MSG_alias_response,
                                     .as.alias_response = {.request_id = client_id,
                                                           .code = (uint16_t)-code,
                                                           .error = text_slice(text),
                                                           .generation = generation}};
    connection_send(connection, &message);
}

static int make(struct hearth_server *server, struct hearth_slice name, struct hearth_slice id,
                uint32_t *ret_generation, struct hearth_error *err)
{
    struct hearth_registry *registry = server->parts.registry;
    const struct hearth_alias *alias = hearth_registry_alias(registry, name);
    char text[HEARTH_ERROR_TEXT_BYTES];
    char room[HEARTH_MAX_MODEL_ID_BYTES + 1];
    struct hearth_model *model = loads_find(server, id, text, sizeof text);
    if (model == NULL) {
        return hearth_fail(err, HEARTH_E_NO_MODEL, "%s", text);
    }
    if (!hearth_slice_to_string(name, room, sizeof room)) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "the name of the alias holds a NUL");
    }
    if (alias != NULL &&
        !hearth_slice_equals_string(hearth_slice_of_string(model->id), alias->model_id)) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "\"%.60s\" stands for \"%.60s\"; `hearth models swap` changes that",
                           alias->name, alias->model_id);
    }
    if (alias == NULL && hearth_registry_find(registry, name) != NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "\"%.60s\" is a model; `hearth models swap` has its name stand for "
                           "another",
                           room);
    }
    return hearth_registry_set_alias(registry, room, model->id, 1, ret_generation, err);
}

static int remove_alias(struct hearth_server *server, struct hearth_slice name,
                        struct hearth_error *err)
{
    return hearth_registry_remove_alias(server->parts.registry, name)
               ? 0
               : hearth_fail(err, HEARTH_E_NO_MODEL, "there is no alias \"%.*s\"",
                             HEARTH_SLICE_ARGS(name));
}

void names_alias(struct connection *connection, const struct hearth_wire_alias_request *asked)
{
    struct hearth_server *server = connection->server;
    struct hearth_error err = {0};
    uint32_t generation = 0;
    bool is_of_swap = server->swap.phase != HEARTH_SWAP_NONE &&
                      hearth_slice_equals_string(asked->name, server->swap.name);
    int rc = is_of_swap
                 ? hearth_fail(&err, HEARTH_E_BUSY, "\"%.60s\" is being swapped", server->swap.name)
             : asked->model_id.size == 0
                 ? remove_alias(server, asked->name, &err)
                 : make(server, asked->name, asked->model_id, &generation, &err);
    if (rc == 0) {
        hearth_log(HEARTH_LOG_INFO, "alias.changed", "generation", hearth_log_u(generation), NULL);
    }
    answer(connection, asked->request_id, rc, err.text, generation);
}
