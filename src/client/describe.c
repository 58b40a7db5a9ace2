/* describe.c — all about one model: what it takes, what it gives, and what there is to know. */

#include "client_priv.h"

#define DETAILS_BYTES ((size_t)16 << 20) /* a frame's worth, unpacked */

/* What the caller sees comes first, so that it can be given back by its address. */
struct details {
    hearth_model_details face;
    hearth_model model;
    struct hearth_arena arena;
};

static int unpack_ports(struct hearth_arena *arena, struct hearth_wire_list cursor,
                        const hearth_port **ret_ports, size_t *ret_count)
{
    hearth_port *ports = hearth_arena_alloc(arena, cursor.count + 1u, sizeof *ports);
    struct hearth_wire_port record;
    size_t count = 0;
    if (ports == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_port, &record)) {
        uint32_t *shape = hearth_arena_alloc(arena, record.shape.count + 1u, sizeof *shape);
        char *name = hearth_arena_copy(arena, record.name);
        if (shape == NULL || name == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        hearth_wire_copy_u32s(record.shape, shape, record.shape.count);
        ports[count++] = (hearth_port){.name = name,
                                       .type = (enum hearth_tensor_type)record.type,
                                       .rank = record.shape.count,
                                       .shape = shape};
    }
    *ret_ports = ports;
    *ret_count = count;
    return 0;
}

static int unpack_facts(struct hearth_arena *arena, struct hearth_wire_list cursor,
                        hearth_model_details *details)
{
    hearth_fact *facts = hearth_arena_alloc(arena, cursor.count + 1u, sizeof *facts);
    struct hearth_wire_option record;
    size_t count = 0;
    if (facts == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    for (; hearth_wire_next(&cursor, HEARTH_RECORD_option, &record); count++) {
        facts[count].key = hearth_arena_copy(arena, record.key);
        facts[count].value = hearth_arena_copy(arena, record.value);
        if (facts[count].key == NULL || facts[count].value == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    details->facts = facts;
    details->fact_count = count;
    return 0;
}

static int unpack_memory(struct hearth_arena *arena, struct hearth_wire_list cursor,
                         hearth_model_details *details)
{
    hearth_holding *memory = hearth_arena_alloc(arena, cursor.count + 1u, sizeof *memory);
    struct hearth_wire_gauge record;
    size_t count = 0;
    if (memory == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    for (; hearth_wire_next(&cursor, HEARTH_RECORD_gauge, &record); count++) {
        memory[count] =
            (hearth_holding){.kind = hearth_arena_copy(arena, record.name), .bytes = record.value};
        if (memory[count].kind == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    details->memory = memory;
    details->memory_count = count;
    return 0;
}

static int unpack(struct details *details, const struct hearth_wire_model_response *response,
                  const struct hearth_wire_model_info *info)
{
    hearth_model_details *face = &details->face;
    struct hearth_arena *arena = &details->arena;
    int rc = client_unpack_model(arena, info, &details->model);
    face->model = &details->model;
    rc = rc < 0 ? rc : unpack_ports(arena, response->inputs, &face->inputs, &face->input_count);
    rc = rc < 0 ? rc : unpack_ports(arena, response->outputs, &face->outputs, &face->output_count);
    rc = rc < 0 ? rc : unpack_memory(arena, response->memory, face);
    return rc < 0 ? rc : unpack_facts(arena, response->facts, face);
}

static int take_details(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    const struct hearth_wire_model_response *response = &answer->as.model_response;
    struct hearth_wire_list cursor = response->models;
    struct hearth_wire_model_info info;
    int rc = client_answer_code(response->code, response->error, err);
    if (rc < 0) {
        return rc;
    }
    if (!hearth_wire_next(&cursor, HEARTH_RECORD_model_info, &info)) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "the daemon told nothing about the model");
    }
    struct details *details = hearth_alloc(1, sizeof *details);
    if (details == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&details->arena, DETAILS_BYTES);
    if (unpack(details, response, &info) < 0) {
        hearth_model_details_free(&details->face);
        return hearth_fail_oom(err);
    }
    *(hearth_model_details **)arg = &details->face;
    return 0;
}

int hearth_describe(hearth_client *client, const char *name, hearth_model_details **ret_details,
                    hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    if (name == NULL || name[0] == '\0') {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "no model is named");
    }
    struct hearth_message message = {.type = HEARTH_MSG_model_request};
    message.as.model_request.request_id = ++client->last_id;
    message.as.model_request.model_id = hearth_slice_of_string(name);
    struct client_question question = {.wanted = HEARTH_MSG_model_response,
                                       .id = client->last_id,
                                       .take = take_details,
                                       .arg = ret_details};
    return client_ask(client, &message, &question, client->timeout_ms, err);
}

void hearth_model_details_free(hearth_model_details *details)
{
    if (details != NULL) {
        struct details *whole = (struct details *)(void *)details;
        hearth_arena_finish(&whole->arena);
        hearth_free(whole);
    }
}
