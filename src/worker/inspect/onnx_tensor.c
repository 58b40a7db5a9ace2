/* onnx_tensor.c — one tensor: its shape, and where its data lies. */

#include "onnx_priv.h"

#include <inttypes.h>
#include <string.h>

enum { /* fields of TensorProto and StringStringEntryProto */
       TENSOR_DIMS = 1,
       TENSOR_TYPE = 2,
       TENSOR_SEGMENT = 3,
       TENSOR_FLOATS = 4,
       TENSOR_INT32S = 5,
       TENSOR_STRINGS = 6,
       TENSOR_INT64S = 7,
       TENSOR_NAME = 8,
       TENSOR_RAW = 9,
       TENSOR_DOUBLES = 10,
       TENSOR_UINT64S = 11,
       TENSOR_EXTERNAL = 13,
       TENSOR_LOCATION = 14,
       ENTRY_KEY = 1,
       ENTRY_VALUE = 2
};

struct tensor {
    struct onnx_check *check;
    struct hearth_slice name;
    struct hearth_slice raw;
    uint64_t values;
    uint64_t type;
    uint64_t is_external;
    uint32_t dimensions;
    int64_t shape[HEARTH_ONNX_MAX_DIMENSIONS];
    bool has_raw;
    uint64_t typed_count[TENSOR_UINT64S + 1]; /* elements of each typed field, by its number */
    /* external data */
    struct hearth_slice location;
    struct hearth_slice offset;
    struct hearth_slice length;
};

struct entry {
    struct hearth_slice key;
    struct hearth_slice value;
};

/* Bits of one value by data type; 0: no fixed size (texts) or no such type. */
static const uint8_t type_bits[] = {
    [1] = 32,  [2] = 8,   [3] = 8,   [4] = 16,  [5] = 16,  [6] = 32,   [7] = 64,  [9] = 8,
    [10] = 16, [11] = 64, [12] = 32, [13] = 64, [14] = 64, [15] = 128, [16] = 16, [17] = 8,
    [18] = 8,  [19] = 8,  [20] = 8,  [21] = 4,  [22] = 4,  [23] = 4,
};
#define TYPE_STRING 8u

static int add_dimension(struct proto_walk *walk, struct tensor *tensor, uint64_t size)
{
    if (++tensor->dimensions > HEARTH_ONNX_MAX_DIMENSIONS || size > INT64_MAX ||
        __builtin_mul_overflow(tensor->values, size, &tensor->values)) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "tensor \"%s\": dimension %" PRIu32 " of size %" PRIu64 " is too much",
                           shown_text(tensor->name).text, tensor->dimensions, size);
    }
    tensor->shape[tensor->dimensions - 1] = (int64_t)size;
    return 0;
}

static int visit_dims(struct proto_walk *walk, const struct proto_field *field,
                      struct tensor *tensor)
{
    if (field->wire == PROTO_VARINT) {
        return add_dimension(walk, tensor, field->value);
    }
    int rc = proto_want_bytes(walk, field, "dims of a tensor");
    for (size_t at = 0; rc == 0 && at < field->bytes.size;) {
        uint64_t size = 0;
        rc = proto_varint(field->bytes, &at, &size)
                 ? add_dimension(walk, tensor, size)
                 : hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                               "tensor \"%s\": its dimensions are cut off",
                               shown_text(tensor->name).text);
    }
    return rc;
}

static int visit_entry(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct entry *entry = context;
    if (field->number != ENTRY_KEY && field->number != ENTRY_VALUE) {
        return 0;
    }
    *(field->number == ENTRY_KEY ? &entry->key : &entry->value) = field->bytes;
    return proto_want_bytes(walk, field, "external_data of a tensor");
}

static int visit_external(struct proto_walk *walk, const struct proto_field *field,
                          struct tensor *tensor)
{
    struct entry entry = {0};
    int rc = proto_want_bytes(walk, field, "external_data of a tensor");
    if (rc == 0) {
        rc = proto_message(walk, field->bytes, "external_data of a tensor", visit_entry, &entry);
    }
    if (rc < 0) {
        return rc;
    }
    const struct {
        const char *key;
        struct hearth_slice *value;
    } known[] = {
        {"location", &tensor->location}, {"offset", &tensor->offset}, {"length", &tensor->length}};
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (!hearth_slice_equals_string(entry.key, known[i].key)) {
            continue;
        }
        if (known[i].value->data != NULL) { /* which one counts is up to the reader: refuse */
            return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                               "tensor \"%s\": %s of its external data is given twice",
                               shown_text(tensor->name).text, known[i].key);
        }
        *known[i].value = hearth_slice_of(
            entry.value.data != NULL ? entry.value.data : (const uint8_t *)"", entry.value.size);
    }
    return 0;
}

/* Counts what a repeated field of numbers holds, packed or one by one. */
static int count_typed(struct proto_walk *walk, const struct proto_field *field,
                       struct tensor *tensor)
{
    tensor->check->facts.inline_bytes += field->bytes.size;
    uint64_t *count = &tensor->typed_count[field->number];
    bool is_packed = field->wire == PROTO_BYTES && field->number != TENSOR_STRINGS;
    size_t each = field->number == TENSOR_FLOATS ? 4 : field->number == TENSOR_DOUBLES ? 8 : 0;
    if (!is_packed) {
        *count += 1;
        return 0;
    }
    if (each != 0) {
        *count += field->bytes.size / each;
        return field->bytes.size % each == 0 ? 0
                                             : hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                                                           "tensor \"%s\": its data is cut off",
                                                           shown_text(tensor->name).text);
    }
    for (size_t i = 0; i < field->bytes.size; i++) { /* the last byte of each varint */
        *count += field->bytes.data[i] < 0x80 ? 1 : 0;
    }
    return 0;
}

static int visit_tensor(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct tensor *tensor = context;
    switch (field->number) {
    case TENSOR_DIMS: return visit_dims(walk, field, tensor);
    case TENSOR_TYPE:
        tensor->type = field->value;
        return proto_want_varint(walk, field, "data_type of a tensor");
    case TENSOR_SEGMENT:
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "a tensor in segments");
    case TENSOR_NAME:
        tensor->name = field->bytes;
        return proto_want_bytes(walk, field, "name of a tensor");
    case TENSOR_RAW:
        tensor->raw = field->bytes;
        tensor->has_raw = true;
        return proto_want_bytes(walk, field, "raw_data of a tensor");
    case TENSOR_EXTERNAL: return visit_external(walk, field, tensor);
    case TENSOR_LOCATION:
        tensor->is_external = field->value;
        return proto_want_varint(walk, field, "data_location of a tensor");
    case TENSOR_FLOATS:
    case TENSOR_INT32S:
    case TENSOR_STRINGS:
    case TENSOR_INT64S:
    case TENSOR_DOUBLES:
    case TENSOR_UINT64S: return count_typed(walk, field, tensor);
    default: return 0;
    }
}

/* A decimal number as external data spells it; absent keeps *ret. */
static bool read_decimal(struct hearth_slice text, uint64_t *ret)
{
    if (text.data == NULL) {
        return true;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value)) {
            return false;
        }
    }
    *ret = value;
    return text.size > 0;
}

static const struct hearth_onnx_file *find_file(const struct onnx_check *check,
                                                struct hearth_slice name)
{
    for (size_t i = 0; i < check->file_count; i++) {
        if (hearth_slice_equals_string(name, check->files[i].name)) {
            return &check->files[i];
        }
    }
    return NULL;
}

/* A location is a plain name out of the list. The two special cases are named because they are what
 * a hostile file would try. */
static int check_location(struct proto_walk *walk, const struct tensor *tensor,
                          const struct hearth_onnx_file **ret)
{
    struct hearth_slice name = tensor->location;
    const char *why = NULL;
    if (name.data == NULL || name.size == 0 || memchr(name.data, 0, name.size) != NULL) {
        why = "has no plain name";
    } else if (name.data[0] == '/') {
        why = "is an absolute path";
    } else if (memmem(name.data, name.size, "..", 2) != NULL) {
        why = "leads out of the model's folder";
    } else if (memchr(name.data, '/', name.size) != NULL ||
               memchr(name.data, '\\', name.size) != NULL) {
        why = "lies in another folder";
    } else if ((*ret = find_file(tensor->check, name)) == NULL) {
        why = "is not one of the model's files in its manifest";
    }
    return why == NULL ? 0
                       : hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                                     "tensor \"%s\": external data \"%s\" %s",
                                     shown_text(tensor->name).text, shown_text(name).text, why);
}

static int check_external(struct proto_walk *walk, const struct tensor *tensor, uint64_t bytes,
                          struct hearth_onnx_weight *ret)
{
    const struct hearth_onnx_file *file = NULL;
    int rc = check_location(walk, tensor, &file);
    if (rc < 0) {
        return rc;
    }
    uint64_t offset = 0;
    uint64_t length = bytes;
    if (!read_decimal(tensor->offset, &offset) || !read_decimal(tensor->length, &length) ||
        length != bytes) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "tensor \"%s\": external data of %" PRIu64 " bytes at %" PRIu64
                           ", its shape needs %" PRIu64,
                           shown_text(tensor->name).text, length, offset, bytes);
    }
    if (offset > file->size_bytes || length > file->size_bytes - offset) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "tensor \"%s\": external data of %" PRIu64 " bytes at %" PRIu64
                           " of \"%s\", which has %" PRIu64,
                           shown_text(tensor->name).text, length, offset, file->name,
                           file->size_bytes);
    }
    tensor->check->facts.external_bytes += length;
    tensor->check->facts.external_count++;
    ret->file = file;
    ret->offset = offset;
    return 0;
}

static void describe(const struct tensor *tensor, uint64_t size, struct hearth_onnx_weight *ret)
{
    ret->name = tensor->name;
    ret->type = (uint32_t)tensor->type;
    ret->rank = tensor->dimensions;
    memcpy(ret->shape, tensor->shape, sizeof ret->shape);
    ret->size_bytes = size;
    ret->inline_data = tensor->has_raw && tensor->is_external == 0 ? tensor->raw.data : NULL;
}

/* The field that holds typed data of @type, and how many elements of it @values values need:
 * complex numbers take two, 4-bit ones share a byte. */
static uint32_t typed_field(uint64_t type, uint64_t values, uint64_t *ret_need)
{
    *ret_need = values;
    switch (type) {
    case 14: *ret_need = 2 * values; return TENSOR_FLOATS;
    case 15: *ret_need = 2 * values; return TENSOR_DOUBLES;
    case 21:
    case 22:
    case 23: *ret_need = values / 2 + values % 2; return TENSOR_INT32S;
    case 1: return TENSOR_FLOATS;
    case 7: return TENSOR_INT64S;
    case TYPE_STRING: return TENSOR_STRINGS;
    case 11: return TENSOR_DOUBLES;
    case 12:
    case 13: return TENSOR_UINT64S;
    default: return TENSOR_INT32S;
    }
}

/* Typed data: the right field with the right number of elements, and no other. */
static int check_typed(struct proto_walk *walk, const struct tensor *tensor)
{
    uint64_t need = 0;
    uint32_t wanted = typed_field(tensor->type, tensor->values, &need);
    if (tensor->has_raw || tensor->is_external == 1) {
        need = 0;
    }
    for (uint32_t field = 0; field < HEARTH_COUNT(tensor->typed_count); field++) {
        uint64_t right = field == wanted ? need : 0;
        if (tensor->typed_count[field] != right) {
            return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                               "tensor \"%s\" holds %" PRIu64 " values in field %" PRIu32
                               ", its type and shape need %" PRIu64,
                               shown_text(tensor->name).text, tensor->typed_count[field], field,
                               right);
        }
    }
    return 0;
}

/* Bytes that type and shape make; 0 for texts. */
static int measure(struct proto_walk *walk, const struct tensor *tensor, uint64_t *ret)
{
    bool has_size = tensor->type < HEARTH_COUNT(type_bits) && type_bits[tensor->type] != 0;
    if ((!has_size && tensor->type != TYPE_STRING) || tensor->is_external > 1) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "tensor \"%s\" has data type %" PRIu64 " and location %" PRIu64,
                           shown_text(tensor->name).text, tensor->type, tensor->is_external);
    }
    uint64_t bits = 0;
    if (has_size && __builtin_mul_overflow(tensor->values, type_bits[tensor->type], &bits)) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "tensor \"%s\" has %" PRIu64 " values", shown_text(tensor->name).text,
                           tensor->values);
    }
    *ret = bits / 8 + (bits % 8 != 0);
    return 0;
}

static void count_type(struct onnx_check *check, uint64_t type, uint64_t bytes)
{
    if (__builtin_add_overflow(check->type_bytes[type], bytes, &check->type_bytes[type])) {
        check->type_bytes[type] = UINT64_MAX; /* which one is largest is all that counts */
    }
}

int onnx_check_tensor(struct proto_walk *walk, struct hearth_slice bytes, struct onnx_check *check,
                      struct hearth_onnx_weight *ret)
{
    struct tensor tensor = {.check = check, .values = 1};
    uint64_t size = 0;
    *ret = (struct hearth_onnx_weight){0};
    int rc = proto_message(walk, bytes, "a tensor", visit_tensor, &tensor);
    if (rc == 0) {
        rc = measure(walk, &tensor, &size);
    }
    if (rc < 0) {
        return rc;
    }
    bool is_text = tensor.type == TYPE_STRING;
    check->facts.inline_bytes += tensor.raw.size;
    count_type(check, tensor.type, size);
    describe(&tensor, size, ret);
    if (tensor.is_external == 1 && (is_text || tensor.has_raw)) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "tensor \"%s\": %s",
                           shown_text(tensor.name).text,
                           is_text ? "texts cannot be external" : "external, but with data here");
    }
    if (tensor.has_raw && (is_text || tensor.raw.size != size)) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "tensor \"%s\" holds %zu bytes, its shape needs %" PRIu64,
                           shown_text(tensor.name).text, tensor.raw.size, size);
    }
    rc = check_typed(walk, &tensor);
    return rc < 0 || tensor.is_external == 0 ? rc : check_external(walk, &tensor, size, ret);
}
