/* outputs.c — the tensors of an answer: in the message as long as they fit, others each in a memfd
 * that nobody can change any more, made here and forgotten here once the broker has it. */

#include "reply_priv.h"

#include <inttypes.h>
#include <string.h>

static bool fits_inline(const struct reply *reply, size_t bytes)
{
    return bytes <= HEARTH_MAX_TENSOR_BYTES && bytes <= REPLY_DATA_CAP - reply->data.size;
}

static int refuse_size(const struct hearth_engine_tensor *tensor, bool can_be_memfd,
                       struct hearth_error *err)
{
    return can_be_memfd
               ? hearth_fail(err, HEARTH_E_TOO_LARGE,
                             "output \"%.64s\" has %zu bytes, the limit is %" PRIu64, tensor->name,
                             tensor->data.size, (uint64_t)HEARTH_MAX_MEMFD_BYTES)
               : hearth_fail(err, HEARTH_E_TOO_LARGE,
                             "output \"%.64s\" has %zu bytes, %u fit into an answer; ask for fewer "
                             "outputs or set flag 8 (memfds)",
                             tensor->name, tensor->data.size, HEARTH_MAX_TENSOR_BYTES);
}

static int collect_data(struct reply *reply, const struct hearth_engine_tensor *tensor,
                        struct output *into, struct hearth_error *err)
{
    size_t bytes = tensor->data.size;
    /* As long as it fits: fresh pages for a memfd cost more than the copies of a message. */
    if (fits_inline(reply, bytes)) {
        into->data = (struct stretch){reply->data.size, (uint32_t)bytes};
        return hearth_buf_append(&reply->data, tensor->data.data, bytes) == 0
                   ? 0
                   : hearth_fail_oom(err);
    }
    if (!reply->takes_memfds || bytes > HEARTH_MAX_MEMFD_BYTES) {
        return refuse_size(tensor, reply->takes_memfds, err);
    }
    into->memfd_bytes = bytes;
    return hearth_memfd_of_data("hearth-output", tensor->data, &into->fd, err);
}

static int collect_one(struct reply *reply, const struct hearth_engine_tensor *tensor,
                       struct hearth_error *err)
{
    struct output *into = &reply->outputs[reply->output_count];
    struct hearth_slice name = hearth_slice_of_string(tensor->name);
    *into = (struct output){.name = {reply->data.size, (uint32_t)name.size},
                            .fd = -1,
                            .type = (uint8_t)tensor->type,
                            .rank = tensor->rank};
    memcpy(into->shape, tensor->shape, sizeof into->shape);
    if (hearth_buf_append(&reply->data, name.data, name.size) != 0) {
        return hearth_fail_oom(err);
    }
    reply->output_count++;
    return collect_data(reply, tensor, into, err);
}

int outputs_collect(struct reply *reply, const struct hearth_item_result *result,
                    struct hearth_error *err)
{
    int rc = 0;
    HEARTH_ASSERT(result->tensor_count <= HEARTH_MAX_TENSORS);
    for (uint32_t i = 0; i < result->tensor_count && rc == 0; i++) {
        rc = collect_one(reply, &result->tensors[i], err);
    }
    if (rc != 0) {
        outputs_clear(reply);
    }
    return rc;
}

struct hearth_wire_list outputs_all(struct reply *reply)
{
    for (uint32_t i = 0; i < reply->output_count; i++) {
        const struct output *from = &reply->outputs[i];
        const uint8_t *data = reply->data.data;
        reply->tensors[i] = (struct hearth_wire_tensor){
            .name = hearth_slice_of(data + from->name.at, from->name.count),
            .type = from->type,
            .shape = {from->shape, from->rank},
            .data = hearth_slice_of(data + from->data.at, from->data.count),
            .memfd_bytes = from->memfd_bytes,
        };
    }
    return (struct hearth_wire_list){.count = reply->output_count, .items = reply->tensors};
}

uint32_t outputs_fds(const struct reply *reply, int fds[HEARTH_MAX_TENSORS])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < reply->output_count; i++) {
        if (reply->outputs[i].fd >= 0) {
            fds[count++] = reply->outputs[i].fd;
        }
    }
    return count;
}

void outputs_clear(struct reply *reply)
{
    for (uint32_t i = 0; i < reply->output_count; i++) {
        hearth_fd_close(&reply->outputs[i].fd);
    }
    reply->output_count = 0;
    hearth_buf_clear(&reply->data);
}
