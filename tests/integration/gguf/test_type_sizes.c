/* test_type_sizes.c — what our inspection believes about the packing of each tensor type is what
 * the library says. A type that only one of them knows is found as well. Prints TAP. */

#include "hearth_inspect.h"

#include <ggml.h>
#include <stdio.h>

#define TYPES_BEYOND 64u /* numbers above the last type that are tried too */

static bool is_equal(uint32_t type)
{
    uint32_t values = 0;
    uint32_t bytes = 0;
    bool is_known = hearth_gguf_type_size(type, &values, &bytes);
    bool is_theirs = type < GGML_TYPE_COUNT && ggml_type_size((enum ggml_type)type) > 0;
    if (is_known != is_theirs) {
        printf("# type %u: %s knows it\n", type, is_known ? "only our table" : "only the library");
        return false;
    }
    if (is_known && (values != (uint64_t)ggml_blck_size((enum ggml_type)type) ||
                     bytes != ggml_type_size((enum ggml_type)type))) {
        printf("# type %u (%s): %u values in %u bytes, the library says %lld in %zu\n", type,
               ggml_type_name((enum ggml_type)type), values, bytes,
               (long long)ggml_blck_size((enum ggml_type)type),
               ggml_type_size((enum ggml_type)type));
        return false;
    }
    return true;
}

int main(void)
{
    unsigned wrong = 0;
    for (uint32_t type = 0; type < GGML_TYPE_COUNT + TYPES_BEYOND; type++) {
        wrong += !is_equal(type);
    }
    printf("1..1\n%sok 1 - packing of %d types equals the library's\n", wrong == 0 ? "" : "not ",
           (int)GGML_TYPE_COUNT);
    return wrong == 0 ? 0 : 1;
}
