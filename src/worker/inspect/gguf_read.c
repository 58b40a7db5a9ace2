/* gguf_read.c — reads the primitives of the format: numbers, strings, arrays. */

#include "gguf_priv.h"

#include <inttypes.h>

/* Bytes of one element; a string has at least its length. */
static const uint8_t kind_bytes[GGUF_KINDS] = {
    [GGUF_U8] = 1,     [GGUF_I8] = 1,  [GGUF_U16] = 2, [GGUF_I16] = 2,
    [GGUF_U32] = 4,    [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
    [GGUF_STRING] = 8, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

static size_t left(const struct gguf_cursor *cursor)
{
    return cursor->file.size - cursor->at;
}

static uint64_t little_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = count; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

bool gguf_read_u32(struct gguf_cursor *cursor, uint32_t *ret)
{
    if (left(cursor) < 4) {
        return false;
    }
    *ret = (uint32_t)little_endian(cursor->file.data + cursor->at, 4);
    cursor->at += 4;
    return true;
}

bool gguf_read_u64(struct gguf_cursor *cursor, uint64_t *ret)
{
    if (left(cursor) < 8) {
        return false;
    }
    *ret = little_endian(cursor->file.data + cursor->at, 8);
    cursor->at += 8;
    return true;
}

bool gguf_read_string(struct gguf_cursor *cursor, size_t most, struct hearth_slice *ret)
{
    uint64_t size = 0;
    if (!gguf_read_u64(cursor, &size) || size > most || size > left(cursor)) {
        return false;
    }
    *ret = hearth_slice_of(cursor->file.data + cursor->at, (size_t)size);
    cursor->at += (size_t)size;
    return true;
}

static int read_strings(struct gguf_cursor *cursor, struct gguf_entry *entry,
                        struct hearth_error *err)
{
    size_t most = entry->is_array ? HEARTH_GGUF_MAX_TOKEN_BYTES : HEARTH_GGUF_MAX_STRING_BYTES;
    for (uint64_t i = 0; i < entry->count; i++) {
        struct hearth_slice text;
        size_t at = cursor->at;
        if (!gguf_read_string(cursor, most, &text)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key %s: string %" PRIu64 " at byte %zu is longer than %zu bytes or "
                               "than the file of %zu bytes",
                               shown_text(entry->key).text, i, at, most, cursor->file.size);
        }
        entry->text_bytes += text.size;
    }
    return 0;
}

static int read_bools(const struct gguf_cursor *cursor, const struct gguf_entry *entry,
                      struct hearth_error *err)
{
    for (uint64_t i = 0; i < entry->count; i++) {
        uint8_t value = cursor->file.data[entry->at + i];
        if (value > 1) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID, "key %s: boolean has the value %u",
                               shown_text(entry->key).text, value);
        }
    }
    return 0;
}

static int read_kind(struct gguf_cursor *cursor, struct gguf_entry *entry, struct hearth_error *err)
{
    uint32_t kind = 0;
    bool is_whole = gguf_read_u32(cursor, &kind);
    entry->count = 1;
    entry->is_array = is_whole && kind == GGUF_ARRAY;
    if (entry->is_array) {
        is_whole = gguf_read_u32(cursor, &kind) && gguf_read_u64(cursor, &entry->count);
    }
    if (!is_whole) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "key %s: the file of %zu bytes ends in it",
                           shown_text(entry->key).text, cursor->file.size);
    }
    if (kind >= GGUF_KINDS ||
        kind == GGUF_ARRAY) { /* an array of arrays is not used by any model */
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "key %s: %stype %" PRIu32 " is not known",
                           shown_text(entry->key).text, entry->is_array ? "element " : "", kind);
    }
    if (entry->count > HEARTH_GGUF_MAX_ARRAY) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %s: array of %" PRIu64 " elements, the limit is %u",
                           shown_text(entry->key).text, entry->count, HEARTH_GGUF_MAX_ARRAY);
    }
    entry->kind = (enum gguf_kind)kind;
    return 0;
}

int gguf_read_value(struct gguf_cursor *cursor, struct gguf_entry *entry, struct hearth_error *err)
{
    int rc = read_kind(cursor, entry, err);
    if (rc < 0) {
        return rc;
    }
    uint64_t bytes = entry->count * kind_bytes[entry->kind]; /* both are small: no overflow */
    if (bytes > left(cursor)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %s: needs %" PRIu64 " bytes, the file has %zu left",
                           shown_text(entry->key).text, bytes, left(cursor));
    }
    entry->at = cursor->at;
    if (entry->kind == GGUF_STRING) {
        return read_strings(cursor, entry, err);
    }
    cursor->at += (size_t)bytes;
    return entry->kind == GGUF_BOOL ? read_bools(cursor, entry, err) : 0;
}

bool gguf_number_at(const struct gguf_file *file, const struct gguf_entry *entry, uint64_t index,
                    uint64_t *ret)
{
    if (index >= entry->count || entry->kind == GGUF_STRING || entry->kind == GGUF_F32 ||
        entry->kind == GGUF_F64) {
        return false;
    }
    size_t bytes = kind_bytes[entry->kind];
    uint64_t value = little_endian(file->cursor.file.data + entry->at + index * bytes, bytes);
    bool is_signed = entry->kind == GGUF_I8 || entry->kind == GGUF_I16 || entry->kind == GGUF_I32 ||
                     entry->kind == GGUF_I64;
    if (is_signed && value >> (bytes * 8 - 1) != 0) {
        return false; /* nothing that we ask for may be negative */
    }
    *ret = value;
    return true;
}

bool gguf_text_of(const struct gguf_file *file, const struct gguf_entry *entry,
                  struct hearth_slice *ret)
{
    if (entry->is_array || entry->kind != GGUF_STRING) {
        return false;
    }
    struct gguf_cursor cursor = {file->cursor.file, entry->at};
    return gguf_read_string(&cursor, HEARTH_GGUF_MAX_STRING_BYTES, ret);
}

bool gguf_float_of(const struct gguf_file *file, const struct gguf_entry *entry, double *ret)
{
    if (entry->is_array || entry->kind != GGUF_F32) {
        return false;
    }
    uint32_t bits = (uint32_t)little_endian(file->cursor.file.data + entry->at, 4);
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    *ret = (double)value;
    return true;
}
