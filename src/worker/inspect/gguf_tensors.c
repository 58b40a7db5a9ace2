/* gguf_tensors.c — where the tensors lie: one behind the other, all inside the file. */

#include "gguf_priv.h"

#include <inttypes.h>
#include <stdlib.h>

struct tensor {
    struct hearth_slice name;
    uint64_t values;
    uint32_t dimensions;
    uint32_t type;
    uint64_t offset;
};

/* How each type packs its values; tests/integration/gguf compares them with the library. */
static const struct {
    uint16_t values;
    uint16_t bytes;
} packing[] = {
    [0] = {1, 4},      [1] = {1, 2},      [2] = {32, 18},    [3] = {32, 20},    [6] = {32, 22},
    [7] = {32, 24},    [8] = {32, 34},    [9] = {32, 36},    [10] = {256, 84},  [11] = {256, 110},
    [12] = {256, 144}, [13] = {256, 176}, [14] = {256, 210}, [15] = {256, 292}, [16] = {256, 66},
    [17] = {256, 74},  [18] = {256, 98},  [19] = {256, 50},  [20] = {32, 18},   [21] = {256, 110},
    [22] = {256, 82},  [23] = {256, 136}, [24] = {1, 1},     [25] = {1, 2},     [26] = {1, 4},
    [27] = {1, 8},     [28] = {1, 8},     [29] = {256, 56},  [30] = {1, 2},     [34] = {256, 54},
    [35] = {256, 66},  [39] = {32, 17},   [40] = {64, 36},   [41] = {128, 18},  [42] = {64, 18},
};

bool hearth_gguf_type_size(uint32_t type, uint32_t *ret_values, uint32_t *ret_bytes)
{
    if (type >= HEARTH_COUNT(packing) || packing[type].values == 0) {
        return false;
    }
    *ret_values = packing[type].values;
    *ret_bytes = packing[type].bytes;
    return true;
}

uint64_t hearth_gguf_kv_bytes_per_token(const struct hearth_gguf_facts *facts, uint32_t type)
{
    uint32_t values = 1;
    uint32_t bytes = 4;
    (void)hearth_gguf_type_size(type, &values, &bytes);
    return (facts->kv_values_per_token + values - 1) / values * bytes;
}

static int read_alignment(const struct gguf_file *file, uint32_t *ret, struct hearth_error *err)
{
    const struct gguf_entry *entry = gguf_find(file, "general.alignment", false);
    uint64_t value = 32; /* the default of the format */
    if (entry != NULL &&
        (entry->is_array || entry->kind != GGUF_U32 || !gguf_number_at(file, entry, 0, &value) ||
         value == 0 || value > HEARTH_GGUF_MAX_ALIGNMENT || (value & (value - 1)) != 0)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key general.alignment is %" PRIu64 ", not a power of two up to %u",
                           value, HEARTH_GGUF_MAX_ALIGNMENT);
    }
    *ret = (uint32_t)value;
    return 0;
}

static int read_dimensions(struct gguf_cursor *cursor, struct tensor *tensor, uint64_t *ret_row,
                           struct hearth_error *err)
{
    uint32_t count = 0;
    if (!gguf_read_u32(cursor, &count) || count == 0 || count > HEARTH_GGUF_MAX_DIMENSIONS) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "tensor %s has %" PRIu32 " dimensions; 1 to %u are possible",
                           shown_text(tensor->name).text, count, HEARTH_GGUF_MAX_DIMENSIONS);
    }
    tensor->dimensions = count;
    tensor->values = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = 0;
        if (!gguf_read_u64(cursor, &size) || size == 0 || size > INT64_MAX ||
            __builtin_mul_overflow(tensor->values, size, &tensor->values) ||
            tensor->values > INT64_MAX) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "tensor %s: dimension %" PRIu32 " is %" PRIu64
                               ", which is zero, too large or cut off",
                               shown_text(tensor->name).text, i, size);
        }
        *ret_row = i == 0 ? size : *ret_row;
    }
    return 0;
}

static bool ends_with(struct hearth_slice text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* Vectors, norms, biases and kinds of segments are added and multiplied as 32-bit floats; no matrix
 * is of whole numbers, 64-bit floats or a type that only stands between two steps of a
 * multiplication. */
static bool is_computable(struct hearth_slice name, uint32_t type, uint32_t dimensions)
{
    enum { F32 = 0, Q8_1 = 9, Q8_K = 15, I8 = 24, F64 = 28 };
    if (dimensions == 1 || ends_with(name, "_norm.weight") || ends_with(name, ".bias") ||
        hearth_slice_equals_string(name, "token_types.weight")) {
        return type == F32;
    }
    return type != Q8_1 && type != Q8_K && (type < I8 || type > F64);
}

static int read_tensor(struct gguf_cursor *cursor, uint64_t index, struct tensor *ret,
                       struct hearth_error *err)
{
    if (!gguf_read_string(cursor, HEARTH_GGUF_MAX_TENSOR_NAME, &ret->name) || ret->name.size == 0 ||
        memchr(ret->name.data, 0, ret->name.size) != NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "tensor %" PRIu64
                           ": its name is empty, longer than %u bytes, or cut off",
                           index, HEARTH_GGUF_MAX_TENSOR_NAME);
    }
    uint64_t row = 0;
    int rc = read_dimensions(cursor, ret, &row, err);
    if (rc < 0) {
        return rc;
    }
    uint32_t values = 0;
    uint32_t bytes = 0;
    if (!gguf_read_u32(cursor, &ret->type) || !gguf_read_u64(cursor, &ret->offset)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "tensor %s: the file of %zu bytes ends in it",
                           shown_text(ret->name).text, cursor->file.size);
    }
    if (!hearth_gguf_type_size(ret->type, &values, &bytes)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "tensor %s has the type %" PRIu32 ", which is not known",
                           shown_text(ret->name).text, ret->type);
    }
    if (!is_computable(ret->name, ret->type, ret->dimensions)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "tensor %s of %" PRIu32 " dimensions has the type %" PRIu32
                           ", with which the library does not compute there",
                           shown_text(ret->name).text, ret->dimensions, ret->type);
    }
    if (row % values != 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "tensor %s: rows of %" PRIu64 " values, type %" PRIu32 " packs %" PRIu32,
                           shown_text(ret->name).text, row, ret->type, values);
    }
    return 0;
}

/* The library wants the tensors in the order of the file without holes, so none can overlap. */
static int place_tensor(const struct tensor *tensor, uint32_t alignment, uint64_t *total,
                        uint64_t *end, struct hearth_error *err)
{
    uint32_t values = 1;
    uint32_t packed = 1;
    (void)hearth_gguf_type_size(tensor->type, &values, &packed);
    if (tensor->offset != *total) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "tensor %s starts at %" PRIu64 " of the data, expected %" PRIu64,
                           shown_text(tensor->name).text, tensor->offset, *total);
    }
    uint64_t bytes = 0;
    uint64_t padded = 0;
    if (__builtin_mul_overflow(tensor->values / values, packed, &bytes) ||
        __builtin_add_overflow(*total, bytes, end) ||
        __builtin_add_overflow(bytes, alignment - 1, &padded) ||
        __builtin_add_overflow(*total, padded & ~(uint64_t)(alignment - 1), total)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "tensor %s has %" PRIu64 " values, too many",
                           shown_text(tensor->name).text, tensor->values);
    }
    return 0;
}

static int compare_names(const void *left, const void *right)
{
    const struct hearth_slice *a = left;
    const struct hearth_slice *b = right;
    int order = memcmp(a->data, b->data, HEARTH_MIN(a->size, b->size));
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static int refuse_same_names(struct hearth_slice *names, size_t count, struct hearth_error *err)
{
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (hearth_slice_equal(names[i - 1], names[i])) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID, "tensor %s stands twice",
                               shown_text(names[i]).text);
        }
    }
    return 0;
}

static int read_all(struct gguf_file *file, struct hearth_gguf_facts *facts, uint64_t *end,
                    struct hearth_slice *names, struct hearth_error *err)
{
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        struct tensor tensor = {0};
        int rc = read_tensor(&file->cursor, i, &tensor, err);
        if (rc == 0) {
            rc = place_tensor(&tensor, facts->alignment, &facts->tensor_bytes, end, err);
        }
        if (rc < 0) {
            return rc;
        }
        names[i] = tensor.name;
    }
    return refuse_same_names(names, (size_t)file->tensor_count, err);
}

int gguf_check_tensors(struct gguf_file *file, struct hearth_gguf_facts *facts,
                       struct hearth_error *err)
{
    const size_t least = 8 + 1 + 4 + 8 + 4 + 8; /* name, one dimension, type, offset */
    size_t size = file->cursor.file.size;
    if (file->tensor_count > (size - file->cursor.at) / least) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "%" PRIu64 " tensors do not fit into the %zu bytes that are left",
                           file->tensor_count, size - file->cursor.at);
    }
    int rc = read_alignment(file, &facts->alignment, err);
    if (rc < 0) {
        return rc;
    }
    HEARTH_AUTO(hearth_block)
    void *names = hearth_alloc((size_t)file->tensor_count, sizeof(struct hearth_slice));
    if (names == NULL) {
        return hearth_fail_oom(err);
    }
    uint64_t end = 0; /* of the last tensor: its padding may be missing */
    rc = read_all(file, facts, &end, names, err);
    if (rc < 0) {
        return rc;
    }
    uint64_t mask = facts->alignment - 1;
    facts->data_offset = (file->cursor.at + mask) & ~mask;
    if (facts->data_offset > size || end > size - facts->data_offset) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "the tensors need %" PRIu64 " bytes from byte %" PRIu64
                           " on, the file has %zu: it is cut off",
                           end, facts->data_offset, size);
    }
    return 0;
}
