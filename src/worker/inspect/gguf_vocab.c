/* gguf_vocab.c — the vocabulary: everything that the library's tokenizers take for granted.
 *
 * A tokenizer that misses a token which it counts on throws or asserts in the middle of a request,
 * through a C interface that has no way to say so. */

#include "gguf_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static bool ends_with(struct hearth_slice text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* The library reads as many scores and types as there are tokens, without looking how many exist.
 */
static int check_beside_tokens(const struct gguf_file *file, const char *key, enum gguf_kind kind,
                               uint64_t count, struct hearth_error *err)
{
    const struct gguf_entry *entry = gguf_find(file, key, false);
    if (entry != NULL && (!entry->is_array || entry->kind != kind || entry->count != count)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %s has %" PRIu64 " elements of type %d; %" PRIu64
                           " of type %d are needed",
                           key, entry->count, (int)entry->kind, count, (int)kind);
    }
    return 0;
}

static int check_token_ids(const struct gguf_file *file, uint32_t count, struct hearth_error *err)
{
    for (uint64_t i = 0; i < file->key_count; i++) {
        const struct gguf_entry *entry = &file->entries[i];
        uint64_t id = 0;
        if (!ends_with(entry->key, "_token_id") || entry->is_array) {
            continue;
        }
        /* 2^32 - 1 is written for "none". */
        if (!gguf_number_at(file, entry, 0, &id) || (id >= count && id != UINT32_MAX)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key %s is %" PRIu64 ", the vocabulary has %" PRIu32 " tokens",
                               shown_text(entry->key).text, id, count);
        }
    }
    return 0;
}

#define TOKEN_TYPE_BYTE 6u
#define BYTE_TOKEN_SIZE 6u /* "<0x0A>" */

/* The texts of all tokens, and where to find one. */
struct vocabulary {
    struct hearth_slice *tokens;
    uint32_t count;
    uint32_t *places; /* open addressing: index + 1 of a token, 0: empty */
    uint32_t mask;
};

static uint32_t hash_of(struct hearth_slice text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ text.data[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

/* The place of @text, or the empty one where it would stand. */
static uint32_t *place_of(const struct vocabulary *vocabulary, struct hearth_slice text)
{
    uint32_t at = hash_of(text) & vocabulary->mask;
    while (vocabulary->places[at] != 0 &&
           !hearth_slice_equal(vocabulary->tokens[vocabulary->places[at] - 1], text)) {
        at = (at + 1) & vocabulary->mask;
    }
    return &vocabulary->places[at];
}

static bool has_token(const struct vocabulary *vocabulary, const char *text)
{
    return *place_of(vocabulary, hearth_slice_of_string(text)) != 0;
}

/* The library asserts that no two tokens have one text. It gives an empty one a name of its own,
 * and whoever spells that name out makes two of them. */
static int list_tokens(const struct gguf_file *file, const struct gguf_entry *entry,
                       struct vocabulary *vocabulary, struct hearth_error *err)
{
    struct gguf_cursor cursor = {file->cursor.file, entry->at};
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        struct hearth_slice *token = &vocabulary->tokens[i];
        if (!gguf_read_string(&cursor, HEARTH_GGUF_MAX_TOKEN_BYTES, token)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID, "token %" PRIu32 " is cut off", i);
        }
        if (token->size > 0 && memchr(token->data, 0, token->size) != NULL) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key tokenizer.ggml.tokens: token %" PRIu32
                               " holds a zero byte, where the library would cut it off",
                               i);
        }
        uint32_t *place = place_of(vocabulary, *token);
        if (*place != 0 && token->size > 0) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key tokenizer.ggml.tokens: tokens %" PRIu32 " and %" PRIu32
                               " have the same text",
                               *place - 1, i);
        }
        *place = i + 1;
        if (token->size > 7 && memcmp(token->data, "[EMPTY_", 7) == 0) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key tokenizer.ggml.tokens: token %" PRIu32
                               " has a name that is kept for empty ones",
                               i);
        }
    }
    return 0;
}

static bool is_byte_token(struct hearth_slice text)
{
    static const char digits[] = "0123456789ABCDEFabcdef";
    return text.size == BYTE_TOKEN_SIZE && memcmp(text.data, "<0x", 3) == 0 &&
           memchr(digits, text.data[3], sizeof digits - 1) != NULL &&
           memchr(digits, text.data[4], sizeof digits - 1) != NULL && text.data[5] == '>';
}

static int check_types(const struct gguf_file *file, const struct vocabulary *vocabulary,
                       bool has_bytes, struct hearth_error *err)
{
    const struct gguf_entry *types = gguf_find(file, "tokenizer.ggml.token_type", false);
    for (uint32_t i = 0; types != NULL && i < vocabulary->count; i++) {
        uint64_t type = 0;
        if (gguf_number_at(file, types, i, &type) && type == TOKEN_TYPE_BYTE &&
            (!has_bytes || !is_byte_token(vocabulary->tokens[i]))) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key tokenizer.ggml.token_type: token %" PRIu32
                               " is to be a byte, its text is none",
                               i);
        }
    }
    return 0;
}

static int check_scores(const struct gguf_file *file, struct hearth_error *err)
{
    const struct gguf_entry *scores = gguf_find(file, "tokenizer.ggml.scores", false);
    for (uint64_t i = 0; scores != NULL && i < scores->count; i++) {
        float value = 0;
        memcpy(&value, file->cursor.file.data + scores->at + i * sizeof value, sizeof value);
        if (!isfinite(value)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key tokenizer.ggml.scores: score %" PRIu64 " is %g", i,
                               (double)value);
        }
    }
    return 0;
}

static bool is_off(const struct gguf_file *file, const char *key, bool otherwise)
{
    const struct gguf_entry *entry = gguf_find(file, key, false);
    uint64_t value = otherwise ? 0 : 1;
    if (entry != NULL && !entry->is_array && entry->kind == GGUF_BOOL) {
        (void)gguf_number_at(file, entry, 0, &value);
    }
    return value == 0;
}

/* The id that the library will use: what the key says, or else its default for this tokenizer. */
static int check_special(const struct gguf_file *file, const char *key, uint64_t otherwise,
                         uint32_t count, struct hearth_error *err)
{
    const struct gguf_entry *entry = gguf_find(file, key, false);
    uint64_t id = otherwise;
    bool is_told = entry != NULL && !entry->is_array && gguf_number_at(file, entry, 0, &id);
    id = is_told && id >= count ? otherwise : id;
    if (id >= count) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %s is missing, and the tokenizer's own id %" PRIu64
                           " is not in a vocabulary of %" PRIu32,
                           key, otherwise, count);
    }
    return 0;
}

/* The three tokenizers that are used, and what each counts on. */
static const struct tokenizer {
    const char *name;
    uint32_t bos; /* defaults of the library */
    uint32_t eos; /* what it puts at the end: of a sentence, or between two */
    const char *end_key;
    bool has_bytes;   /* may have tokens that stand for a byte */
    bool needs_bytes; /* falls back on them for every text */
} tokenizers[] = {
    {"gpt2", 11, 11, "tokenizer.ggml.eos_token_id", true, false},
    {"llama", 1, 2, "tokenizer.ggml.eos_token_id", true, true},
    {"bert", 101, 102, "tokenizer.ggml.seperator_token_id", false, false},
};

/* What is put around a text must exist; for an encoder always, else unless it is switched off. */
static int check_ends(const struct gguf_file *file, const struct tokenizer *tokenizer,
                      uint32_t count, struct hearth_error *err)
{
    bool is_pair = !tokenizer->has_bytes;
    int rc = 0;
    if (is_pair || !is_off(file, "tokenizer.ggml.add_bos_token", false)) {
        rc = check_special(file, "tokenizer.ggml.bos_token_id", tokenizer->bos, count, err);
    }
    if (rc == 0 && (is_pair || !is_off(file, "tokenizer.ggml.add_eos_token", true))) {
        rc = check_special(file, tokenizer->end_key, tokenizer->eos, count, err);
    }
    return rc;
}

static int check_bytes(const struct vocabulary *vocabulary, struct hearth_error *err)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[BYTE_TOKEN_SIZE + 1];
        (void)snprintf(text, sizeof text, "<0x%02X>", byte);
        if (!has_token(vocabulary, text)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key tokenizer.ggml.tokens has no token %s, which its tokenizer "
                               "falls back on",
                               text);
        }
    }
    return 0;
}

static int check_tokens(const struct gguf_file *file, const struct tokenizer *tokenizer,
                        const struct gguf_entry *tokens, struct hearth_error *err)
{
    uint32_t count = (uint32_t)tokens->count;
    uint32_t places = 2;
    while (places < count * 2) {
        places *= 2;
    }
    HEARTH_AUTO(hearth_block) void *list = hearth_alloc(count, sizeof(struct hearth_slice));
    HEARTH_AUTO(hearth_block) void *table = hearth_alloc(places, sizeof(uint32_t));
    if (list == NULL || table == NULL) {
        return hearth_fail_oom(err);
    }
    struct vocabulary vocabulary = {list, count, table, places - 1};
    int rc = list_tokens(file, tokens, &vocabulary, err);
    rc = rc < 0 ? rc : check_types(file, &vocabulary, tokenizer->has_bytes, err);
    rc = rc < 0 ? rc : check_scores(file, err);
    rc = rc < 0 || !tokenizer->needs_bytes ? rc : check_bytes(&vocabulary, err);
    return rc < 0 ? rc : check_ends(file, tokenizer, count, err);
}

static const struct tokenizer *tokenizer_of(const struct gguf_file *file, struct hearth_error *err)
{
    struct hearth_slice text = {NULL, 0};
    const struct gguf_entry *entry = gguf_find(file, "tokenizer.ggml.model", false);
    bool is_text = entry != NULL && gguf_text_of(file, entry, &text);
    for (size_t i = 0; is_text && i < HEARTH_COUNT(tokenizers); i++) {
        if (hearth_slice_equals_string(text, tokenizers[i].name)) {
            return &tokenizers[i];
        }
    }
    (void)hearth_fail(
        err, HEARTH_E_UNSUPPORTED,
        "key tokenizer.ggml.model is \"%s\": the file has no vocabulary that is known "
        "(\"gpt2\", \"llama\", \"bert\")",
        shown_text(text).text);
    return NULL;
}

static int check_counts(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                        struct hearth_error *err)
{
    const struct gguf_entry *tokens = gguf_find(file, "tokenizer.ggml.tokens", false);
    bool are_texts = tokens != NULL && tokens->is_array && tokens->kind == GGUF_STRING;
    uint64_t count = are_texts ? tokens->count : 0;
    if (count == 0 || count > HEARTH_GGUF_MAX_VOCABULARY) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key tokenizer.ggml.tokens holds %" PRIu64
                           " texts; 1 to %u are possible",
                           count, HEARTH_GGUF_MAX_VOCABULARY);
    }
    facts->vocabulary_size = (uint32_t)count;
    facts->vocabulary_bytes = tokens->text_bytes;
    const struct gguf_entry *merges = gguf_find(file, "tokenizer.ggml.merges", false);
    if (merges != NULL && (!merges->is_array || merges->kind != GGUF_STRING)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key tokenizer.ggml.merges is no array of texts");
    }
    facts->vocabulary_bytes += merges != NULL ? merges->text_bytes : 0;
    return 0;
}

/* How texts are divided before merging: all names but these read bytes as letters, and the library
 * asserts that no space is left when the merging begins. */
static int check_divider(const struct gguf_file *file, struct hearth_error *err)
{
    static const char *const raw[] = {"gemma4", "granite-embed-multi-311m", "sarvam-moe",
                                      "whitespace"};
    struct hearth_slice text = {NULL, 0};
    const struct gguf_entry *entry = gguf_find(file, "tokenizer.ggml.pre", false);
    bool is_text = entry != NULL && gguf_text_of(file, entry, &text);
    for (size_t i = 0; is_text && i < HEARTH_COUNT(raw); i++) {
        if (hearth_slice_equals_string(text, raw[i])) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED, "key tokenizer.ggml.pre is \"%s\"",
                               raw[i]);
        }
    }
    return 0;
}

int gguf_check_vocabulary(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                          struct hearth_error *err)
{
    const struct tokenizer *tokenizer = tokenizer_of(file, err);
    int rc = tokenizer == NULL ? err->code : check_counts(file, facts, err);
    uint32_t count = facts->vocabulary_size;
    rc = rc < 0 ? rc : check_divider(file, err);
    rc = rc < 0 ? rc : check_beside_tokens(file, "tokenizer.ggml.scores", GGUF_F32, count, err);
    rc = rc < 0 ? rc : check_beside_tokens(file, "tokenizer.ggml.token_type", GGUF_I32, count, err);
    rc = rc < 0 ? rc : check_token_ids(file, count, err);
    if (rc == 0) {
        rc = check_tokens(file, tokenizer, gguf_find(file, "tokenizer.ggml.tokens", false), err);
    }
    struct hearth_slice text = {NULL, 0};
    const struct gguf_entry *entry = gguf_find(file, "tokenizer.chat_template", false);
    facts->has_chat_template = entry != NULL && gguf_text_of(file, entry, &text) && text.size > 0;
    return rc;
}
