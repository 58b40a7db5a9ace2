/* fuzz_onnx_header.c — any bytes as an ONNX file: an answer, and facts that keep their promises. */

#include "hearth_inspect.h"

int hearth_fuzz_onnx_header(const uint8_t *data, size_t size);

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
    HEARTH_ASSERT(facts.input_count >= 1 && facts.input_count <= HEARTH_ONNX_MAX_PORTS);
    HEARTH_ASSERT(facts.output_count >= 1 && facts.output_count <= HEARTH_ONNX_MAX_PORTS);
    HEARTH_ASSERT(facts.node_count >= 1 && facts.node_count <= HEARTH_ONNX_MAX_NODES);
    HEARTH_ASSERT(facts.inline_bytes <= size);
    HEARTH_ASSERT(facts.external_bytes <= (uint64_t)facts.external_count * beside[0].size_bytes);
    return 0;
}
