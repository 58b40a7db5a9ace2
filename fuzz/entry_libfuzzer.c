/* entry_libfuzzer.c — gives libFuzzer the one entry of a target. */

#include <stddef.h>
#include <stdint.h>

int HEARTH_FUZZ_ENTRY(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return HEARTH_FUZZ_ENTRY(data, size);
}
