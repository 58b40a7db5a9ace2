/* fuzz_gguf_header.c — any bytes as a GGUF file: an answer, and facts that keep their promises. */

#include "hearth_inspect.h"

int hearth_fuzz_gguf_header(const uint8_t *data, size_t size);

int hearth_fuzz_gguf_header(const uint8_t *data, size_t size)
{
    struct hearth_gguf_facts facts;
    struct hearth_error err = {0};
    int rc = hearth_gguf_inspect(hearth_slice_of(data, size), &facts, &err);
    if (rc < 0) {
        HEARTH_ASSERT(rc == err.code && err.text[0] != '\0');
        return 0;
    }
    HEARTH_ASSERT(facts.data_offset <= size);
    HEARTH_ASSERT(facts.tensor_bytes <= size - facts.data_offset + facts.alignment - 1);
    HEARTH_ASSERT(facts.block_count >= 1 && facts.block_count <= HEARTH_GGUF_MAX_BLOCKS);
    HEARTH_ASSERT(facts.head_count >= 1 && facts.head_count_kv <= facts.head_count);
    HEARTH_ASSERT(facts.vocabulary_size >= 1);
    HEARTH_ASSERT(facts.vocabulary_bytes <= size);
    return 0;
}
