/* tensors.c — tensors of an answer, and the descriptors that travel beside messages. */

#include "draft.h"

#include <string.h>

void client_fds_close(struct client_fds *fds)
{
    for (uint32_t i = 0; i < fds->count; i++) {
        hearth_fd_close(&fds->numbers[i]);
    }
    fds->count = 0;
}

int client_fds_take(struct hearth_client *client, struct hearth_wire_list tensors,
                    struct client_fds *ret)
{
    uint64_t bytes[HEARTH_MAX_TENSORS];
    ret->count = hearth_wire_memfds(tensors, bytes);
    if (!hearth_frame_reader_take_fds(&client->reader, ret->numbers, ret->count)) {
        ret->count = 0;
        return HEARTH_E_MALFORMED;
    }
    return 0;
}

/* ── Unpacking ───────────────────────────────────────────────────────────────────────────────── */

/* What the daemon passes on comes from a worker: it is looked at before it is mapped. */
static int map_data(struct hearth_result *result, int fd, uint64_t bytes, hearth_tensor *tensor)
{
    struct hearth_slice mapped = {0};
    int rc = hearth_memfd_check_data(fd, bytes, NULL);
    rc = rc < 0 ? rc : hearth_memfd_map_data(fd, (size_t)bytes, &mapped, NULL);
    if (rc < 0) {
        return rc == HEARTH_E_INPUT_INVALID ? HEARTH_E_MALFORMED : HEARTH_E_NO_MEMORY;
    }
    result->mappings[result->mapping_count++] =
        (struct client_mapping){.memory = (void *)(uintptr_t)mapped.data, .bytes = mapped.size};
    tensor->data = mapped.data;
    return 0;
}

static int copy_data(struct hearth_result *result, struct hearth_slice data, hearth_tensor *tensor)
{
    void *copy = hearth_arena_alloc(&result->arena, data.size + 1, 1);
    if (copy == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    if (data.size > 0) {
        memcpy(copy, data.data, data.size);
    }
    tensor->data = copy;
    return 0;
}

static int unpack(struct hearth_result *result, const struct hearth_wire_tensor *record, int fd,
                  hearth_tensor *tensor)
{
    tensor->name = hearth_arena_copy(&result->arena, record->name);
    tensor->type = (enum hearth_tensor_type)record->type;
    tensor->rank = record->shape.count;
    hearth_wire_copy_u32s(record->shape, tensor->shape, tensor->rank);
    tensor->fd = -1;
    if (tensor->name == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    if (record->memfd_bytes == 0) {
        tensor->bytes = record->data.size;
        return copy_data(result, record->data, tensor);
    }
    tensor->bytes = (size_t)record->memfd_bytes;
    return map_data(result, fd, record->memfd_bytes, tensor);
}

int client_result_take_tensors(struct hearth_result *result, struct hearth_wire_list tensors,
                               const struct client_fds *fds)
{
    _Static_assert(HEARTH_TENSOR_MAX_RANK == HEARTH_MAX_TENSOR_RANK, "as many as travel");
    if (tensors.count == 0) {
        return 0;
    }
    if (hearth_wire_check_tensors(tensors, NULL) < 0) {
        return HEARTH_E_MALFORMED;
    }
    result->tensors = hearth_arena_alloc(&result->arena, tensors.count, sizeof *result->tensors);
    result->mappings = hearth_arena_alloc(&result->arena, fds->count + 1, sizeof *result->mappings);
    if (result->tensors == NULL || result->mappings == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_list cursor = tensors;
    struct hearth_wire_tensor record;
    uint32_t next_fd = 0;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &record)) {
        int fd = record.memfd_bytes > 0 ? fds->numbers[next_fd++] : -1;
        int rc = unpack(result, &record, fd, &result->tensors[result->tensor_count]);
        if (rc < 0) {
            return rc;
        }
        result->tensor_count++;
    }
    return 0;
}

void client_result_unmap(struct hearth_result *result)
{
    for (size_t i = 0; i < result->mapping_count; i++) {
        hearth_memfd_unmap(result->mappings[i].memory, result->mappings[i].bytes);
    }
    result->mapping_count = 0;
}

/* ── Calls ───────────────────────────────────────────────────────────────────────────────────── */

int hearth_run(hearth_client *client, const hearth_tensor *inputs, size_t count,
               const hearth_request_params *params, hearth_result **ret_result, hearth_error *err)
{
    struct client_draft draft;
    struct client_tensor_records records;
    int rc = client_check_outside(client, "hearth_run()", err);
    if (rc < 0) {
        return rc;
    }
    rc = client_draft_begin(&draft, client, HEARTH_TASK_TENSORS, params, err);
    rc = rc < 0 ? rc : client_draft_tensors(&draft, inputs, count, &records, err);
    rc = rc < 0 ? rc : client_draft_run(&draft, ret_result, err);
    client_draft_finish(&draft);
    return rc;
}

int hearth_submit_tensors(hearth_client *client, const hearth_tensor *inputs, size_t count,
                          const hearth_request_params *params, uint64_t *ret_request,
                          hearth_error *err)
{
    struct client_draft draft;
    struct client_tensor_records records;
    int rc = client_draft_begin(&draft, client, HEARTH_TASK_TENSORS, params, err);
    rc = rc < 0 ? rc : client_draft_tensors(&draft, inputs, count, &records, err);
    rc = rc < 0 ? rc : client_draft_submit(&draft, ret_request, err);
    client_draft_finish(&draft);
    return rc;
}

/* ── Reading ─────────────────────────────────────────────────────────────────────────────────── */

size_t hearth_tensor_element_bytes(enum hearth_tensor_type type)
{
    return hearth_wire_element_bytes((unsigned)type);
}

size_t hearth_result_tensor_count(const hearth_result *result)
{
    return result->tensor_count;
}

const hearth_tensor *hearth_result_tensor(const hearth_result *result, size_t index)
{
    return index < result->tensor_count ? &result->tensors[index] : NULL;
}

const hearth_tensor *hearth_result_tensor_named(const hearth_result *result, const char *name)
{
    for (size_t i = 0; i < result->tensor_count; i++) {
        if (name != NULL && strcmp(result->tensors[i].name, name) == 0) {
            return &result->tensors[i];
        }
    }
    return NULL;
}
