/* alloc.c — the one door to the heap, with a counter and a failure that tests can ask for. */

#include "alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_fast64_t allocations;
static atomic_int_fast64_t live;
static atomic_uint_fast64_t fail_in; /* 0 = never; 1 = the next allocation fails */
static atomic_bool has_failed;

static bool must_fail(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    uint_fast64_t left = atomic_load_explicit(&fail_in, memory_order_relaxed);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&fail_in, &left, left - 1)) {
            if (left == 1) {
                atomic_store(&has_failed, true);
                return true;
            }
            return false;
        }
    }
    return false;
}

void *hearth_alloc(size_t count, size_t size)
{
    size_t bytes; /* checked here as well: under AddressSanitizer calloc aborts on overflow */
    if (__builtin_mul_overflow(count, size, &bytes) || must_fail()) {
        return NULL;
    }
    void *block = calloc(bytes > 0 ? bytes : 1, 1);
    if (block != NULL) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return block;
}

void *hearth_realloc(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || must_fail()) {
        return NULL;
    }
    void *grown = realloc(block, bytes > 0 ? bytes : 1);
    if (grown != NULL && block == NULL) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return grown;
}

char *hearth_copy_string(const void *text, size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(size, (size_t)1, &bytes)) {
        return NULL;
    }
    char *copy = hearth_alloc(bytes, 1);
    if (copy != NULL && size > 0) {
        memcpy(copy, text, size);
    }
    return copy;
}

void hearth_free(void *block)
{
    if (block != NULL) {
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
        free(block);
    }
}

void hearth_wipe(void *block, size_t size)
{
    if (size > 0) {
        explicit_bzero(block, size);
    }
}

uint64_t hearth_alloc_count(void)
{
    return atomic_load(&allocations);
}

void hearth_alloc_fail_at(uint64_t nth)
{
    atomic_store(&has_failed, false);
    atomic_store(&fail_in, nth);
}

bool hearth_alloc_has_failed(void)
{
    return atomic_load(&has_failed);
}

int64_t hearth_alloc_live(void)
{
    return atomic_load(&live);
}
