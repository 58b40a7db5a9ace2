/* swap.c — names that stand for models: swapped, made and removed. */

#include "client_priv.h"

static int check_names(const char *name, const char *model, struct hearth_error *err)
{
    return name != NULL && name[0] != '\0' && model != NULL && model[0] != '\0'
               ? 0
               : hearth_fail(err, HEARTH_E_ARGUMENT, "a name and a model are needed");
}

static int take_swap(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    struct hearth_client *client = arg;
    const struct hearth_wire_swap_response *response = &answer->as.swap_response;
    int rc = client_answer_code(response->code, response->error, err);
    if (rc < 0) {
        return rc;
    }
    if (!hearth_slice_to_string(response->model_id, client->swap_names[0],
                                sizeof client->swap_names[0]) ||
        !hearth_slice_to_string(response->old_model_id, client->swap_names[1],
                                sizeof client->swap_names[1])) {
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "a model's name holds a NUL");
    }
    client->swap = (hearth_swap_report){
        .model = client->swap_names[0],
        .old_model = client->swap_names[1],
        .generation = response->generation,
        .checked = response->checked,
        .check = response->check,
        .load_ms = response->load_ms,
        .pause_ms = response->pause_ms,
    };
    return 0;
}

int hearth_swap(hearth_client *client, const char *name, const char *model, int keep_old,
                uint32_t timeout_ms, const hearth_swap_report **ret_report, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int rc = check_names(name, model, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_message message = {.type = HEARTH_MSG_swap_request};
    message.as.swap_request = (struct hearth_wire_swap_request){
        .request_id = ++client->last_id,
        .name = hearth_slice_of_string(name),
        .model_id = hearth_slice_of_string(model),
        .keep_old = keep_old != 0,
    };
    struct client_question question = {.wanted = HEARTH_MSG_swap_response,
                                       .id = client->last_id,
                                       .take = take_swap,
                                       .arg = client};
    rc = client_ask(client, &message, &question, timeout_ms, err);
    if (rc == 0 && ret_report != NULL) {
        *ret_report = &client->swap;
    }
    return rc;
}

static int take_alias(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    (void)arg;
    const struct hearth_wire_alias_response *response = &answer->as.alias_response;
    return client_answer_code(response->code, response->error, err);
}

int hearth_set_alias(hearth_client *client, const char *name, const char *model, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int rc = check_names(name, model != NULL ? model : name, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_message message = {.type = HEARTH_MSG_alias_request};
    message.as.alias_request = (struct hearth_wire_alias_request){
        .request_id = ++client->last_id,
        .name = hearth_slice_of_string(name),
        .model_id = hearth_slice_of_string(model),
    };
    struct client_question question = {
        .wanted = HEARTH_MSG_alias_response, .id = client->last_id, .take = take_alias};
    return client_ask(client, &message, &question, client->timeout_ms, err);
}
