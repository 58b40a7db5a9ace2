/* gguf.c — walks a GGUF file: header, keys, then what the other files of this check look at. */

#include "gguf_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define LEAST_BYTES_OF_A_KEY 13u /* length, one letter, type, a one-byte value: 8 + 1 + 4 */

static int check_header(struct gguf_file *file, struct hearth_error *err)
{
    struct gguf_cursor *cursor = &file->cursor;
    size_t size = cursor->file.size;
    if (size < 4 || memcmp(cursor->file.data, "GGUF", 4) != 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "not a GGUF file: it does not start with \"GGUF\" (%zu bytes)", size);
    }
    cursor->at = 4;
    if (!gguf_read_u32(cursor, &file->version) || !gguf_read_u64(cursor, &file->tensor_count) ||
        !gguf_read_u64(cursor, &file->key_count)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "the GGUF header is cut off: %zu bytes",
                           size);
    }
    if (file->version != 2 && file->version != 3) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "GGUF version %" PRIu32 "; 2 and 3 are read",
                           file->version);
    }
    if (file->tensor_count == 0 || file->tensor_count > HEARTH_GGUF_MAX_TENSORS) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%" PRIu64 " tensors; 1 to %u are possible",
                           file->tensor_count, HEARTH_GGUF_MAX_TENSORS);
    }
    if (file->key_count == 0 || file->key_count > HEARTH_GGUF_MAX_KEYS ||
        file->key_count > size / LEAST_BYTES_OF_A_KEY) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "%" PRIu64 " keys in a file of %zu bytes; 1 to %u are possible",
                           file->key_count, size, HEARTH_GGUF_MAX_KEYS);
    }
    return 0;
}

static bool is_printable(struct hearth_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f) {
            return false;
        }
    }
    return text.size > 0;
}

static int read_entry(struct gguf_file *file, uint64_t index, struct hearth_error *err)
{
    struct gguf_entry *entry = &file->entries[index];
    size_t at = file->cursor.at;
    if (!gguf_read_string(&file->cursor, HEARTH_GGUF_MAX_KEY_BYTES, &entry->key)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %" PRIu64
                           " at byte %zu is longer than %u bytes or than the file of "
                           "%zu bytes",
                           index, at, HEARTH_GGUF_MAX_KEY_BYTES, file->cursor.file.size);
    }
    if (!is_printable(entry->key)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %" PRIu64 " (\"%s\") is empty or not printable ASCII", index,
                           shown_text(entry->key).text);
    }
    for (uint64_t i = 0; i < index; i++) {
        if (hearth_slice_equal(file->entries[i].key, entry->key)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key %s stands twice, as number %" PRIu64 " and %" PRIu64,
                               shown_text(entry->key).text, i, index);
        }
    }
    return gguf_read_value(&file->cursor, entry, err);
}

const struct gguf_entry *gguf_find(const struct gguf_file *file, const char *key, bool is_own)
{
    char full[HEARTH_GGUF_MAX_KEY_BYTES + 1];
    int n = snprintf(full, sizeof full, "%s%s%s", is_own ? file->architecture : "",
                     is_own ? "." : "", key);
    if (n < 0 || (size_t)n >= sizeof full) {
        return NULL;
    }
    for (uint64_t i = 0; i < file->key_count; i++) {
        if (hearth_slice_equals_string(file->entries[i].key, full)) {
            return &file->entries[i];
        }
    }
    return NULL;
}

/* Adapters, projectors and parts of a split model are GGUF files too, but no model. */
static int check_whole_model(struct gguf_file *file, struct hearth_error *err)
{
    struct hearth_slice text = {NULL, 0};
    const struct gguf_entry *entry = gguf_find(file, "general.architecture", false);
    if (entry == NULL || !gguf_text_of(file, entry, &text) || !is_printable(text) ||
        !hearth_slice_to_string(text, file->architecture, sizeof file->architecture)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key general.architecture is missing or no name of 1 to %zu letters",
                           sizeof file->architecture - 1);
    }
    entry = gguf_find(file, "general.type", false);
    if (entry != NULL && gguf_text_of(file, entry, &text) &&
        !hearth_slice_equals_string(text, "model")) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "key general.type is \"%s\", not \"model\"",
                           shown_text(text).text);
    }
    uint64_t parts = 0;
    entry = gguf_find(file, "split.count", false);
    if (entry != NULL && gguf_number_at(file, entry, 0, &parts) && parts > 1) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the model is split into %" PRIu64 " files; join them into one first",
                           parts);
    }
    return 0;
}

static int check_all(struct gguf_file *file, struct hearth_gguf_facts *facts,
                     struct hearth_error *err)
{
    for (uint64_t i = 0; i < file->key_count; i++) {
        int rc = read_entry(file, i, err);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = check_whole_model(file, err);
    if (rc == 0) {
        rc = gguf_check_architecture(file, err);
    }
    if (rc == 0) {
        rc = gguf_check_hyper(file, facts, err);
    }
    if (rc == 0) {
        rc = gguf_check_vocabulary(file, facts, err);
    }
    return rc < 0 ? rc : gguf_check_tensors(file, facts, err);
}

int hearth_gguf_inspect(struct hearth_slice bytes, struct hearth_gguf_facts *ret,
                        struct hearth_error *err)
{
    struct gguf_file file = {.cursor = {bytes, 0}};
    int rc = check_header(&file, err);
    if (rc < 0) {
        return rc;
    }
    HEARTH_AUTO(hearth_block)
    void *entries = hearth_alloc((size_t)file.key_count, sizeof *file.entries);
    if (entries == NULL) {
        return hearth_fail_oom(err);
    }
    file.entries = entries;
    struct hearth_gguf_facts facts = {.version = file.version,
                                      .tensor_count = (uint32_t)file.tensor_count};
    rc = check_all(&file, &facts, err);
    if (rc < 0) {
        return rc;
    }
    memcpy(facts.architecture, file.architecture, sizeof facts.architecture);
    *ret = facts;
    return 0;
}
