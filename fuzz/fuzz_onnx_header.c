/* fuzz_onnx_header.c — any bytes as an ONNX file: an answer, and facts that keep their promises. */

#include "hearth_inspect.h"

#include <string.h>

int hearth_fuzz_onnx_header(const uint8_t *data, size_t size);

static void check_ports(const struct hearth_onnx_port *ports, uint32_t count)
{
    HEARTH_ASSERT(count >= 1 && count <= HEARTH_ONNX_MAX_PORTS);
    for (uint32_t i = 0; i < count; i++) {
        HEARTH_ASSERT(ports[i].name[0] != '\0');
        HEARTH_ASSERT(strnlen(ports[i].name, sizeof ports[i].name) < sizeof ports[i].name);
        HEARTH_ASSERT(ports[i].rank <= HEARTH_ONNX_MAX_DIMENSIONS);
        HEARTH_ASSERT(ports[i].has_shape || ports[i].rank == 0);
        for (uint32_t d = 0; d < ports[i].rank; d++) {
            HEARTH_ASSERT(ports[i].shape[d] >= HEARTH_ONNX_OPEN);
        }
    }
}

/* What a loader will read: it must lie inside the file, or inside the one beside it. */
static int check_weight(void *arg, const struct hearth_onnx_weight *weight)
{
    const struct hearth_slice *file = arg;
    HEARTH_ASSERT(weight->rank <= HEARTH_ONNX_MAX_DIMENSIONS);
    if (weight->file != NULL) {
        HEARTH_ASSERT(weight->offset <= weight->file->size_bytes &&
                      weight->size_bytes <= weight->file->size_bytes - weight->offset);
        return 0;
    }
    size_t offset = (size_t)(weight->inline_data - file->data);
    HEARTH_ASSERT(offset <= file->size && weight->size_bytes <= file->size - offset);
    return 0;
}

int hearth_fuzz_onnx_header(const uint8_t *data, size_t size)
{
    static const struct hearth_onnx_file beside[] = {{"w.data", 4096}};
    struct hearth_onnx_facts facts;
    struct hearth_error err = {0};
    int rc = hearth_onnx_inspect(hearth_slice_of(data, size), beside, 1, &facts, &err);
    if (rc < 0) {
        HEARTH_ASSERT(rc == err.code && err.text[0] != '\0');
        return 0;
    }
    struct hearth_slice file = hearth_slice_of(data, size);
    HEARTH_ASSERT(hearth_onnx_each_weight(file, beside, 1, check_weight, &file, &err) == 0);
    check_ports(facts.inputs, facts.input_count);
    check_ports(facts.outputs, facts.output_count);
    HEARTH_ASSERT(facts.opset <= HEARTH_ONNX_MAX_OPSET);
    HEARTH_ASSERT(strnlen(facts.producer, sizeof facts.producer) < sizeof facts.producer);
    HEARTH_ASSERT(facts.node_count >= 1 && facts.node_count <= HEARTH_ONNX_MAX_NODES);
    HEARTH_ASSERT(facts.inline_bytes <= size);
    HEARTH_ASSERT(facts.external_bytes <= (uint64_t)facts.external_count * beside[0].size_bytes);
    return 0;
}
