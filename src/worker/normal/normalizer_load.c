/* normalizer_load.c — the object "normalizer" of a tokenizer.json. */

#include "normalize.h"

#include <string.h>

#define WHERE       "normalizer"
#define BASE64_NONE 64

static int load_bert(struct normalizer_step *step, yyjson_val *value, struct hearth_error *err)
{
    struct bert_options *bert = &step->bert;
    int rc = json_bool(value, "clean_text", WHERE, &bert->cleans_text, err);
    if (rc == 0) {
        rc = json_bool(value, "handle_chinese_chars", WHERE, &bert->spaces_chinese, err);
    }
    if (rc == 0) {
        rc = json_bool(value, "lowercase", WHERE, &bert->lowers, err);
    }
    return rc < 0 ? rc
                  : json_bool_or(value, "strip_accents", WHERE, bert->lowers, &bert->strips_accents,
                                 err);
}

static int load_strip(struct normalizer_step *step, yyjson_val *value, struct hearth_error *err)
{
    int rc = json_bool(value, "strip_left", WHERE, &step->strip.left, err);
    return rc < 0 ? rc : json_bool(value, "strip_right", WHERE, &step->strip.right, err);
}

static int load_replace(struct normalizer_step *step, yyjson_val *value, struct hearth_arena *arena,
                        struct hearth_error *err)
{
    int rc = json_text(value, "content", WHERE, arena, &step->replace.content, err);
    return rc < 0 ? rc
                  : splitter_build(yyjson_obj_get(value, "pattern"), WHERE ".pattern", arena,
                                   &step->replace.pattern, err);
}

static unsigned base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : BASE64_NONE;
}

/* Decodes @text into @room (3 bytes for each 4); returns the size, or 0 if it is not base64. */
static size_t base64_decode(const char *text, size_t size, uint8_t *room)
{
    size_t to = 0;
    for (size_t i = 0; i + 4 <= size; i += 4) {
        bool is_last = i + 4 == size;
        unsigned pad = !is_last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        uint32_t bits = 0;
        for (unsigned k = 0; k < 4; k++) {
            unsigned value = k >= 4 - pad ? 0 : base64_value(text[i + k]);
            if (value == BASE64_NONE) {
                return 0;
            }
            bits = bits << 6 | value;
        }
        for (unsigned k = 0; k < 3 - pad; k++) {
            room[to++] = (uint8_t)(bits >> (16 - 8 * k));
        }
    }
    return to;
}

static int load_precompiled(struct normalizer_step *step, yyjson_val *value,
                            struct hearth_arena *arena, struct hearth_error *err)
{
    yyjson_val *text = yyjson_obj_get(value, "precompiled_charsmap");
    size_t size = yyjson_get_len(text);
    if (!yyjson_is_str(text) || size == 0 || size % 4 != 0 ||
        size / 4 * 3 > HEARTH_TOKENIZER_MAX_CHARSMAP_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           WHERE ".precompiled_charsmap: not base64 of 1 … %u bytes",
                           HEARTH_TOKENIZER_MAX_CHARSMAP_BYTES);
    }
    uint8_t *bytes = hearth_arena_alloc(arena, size / 4 * 3, 1); /* aligned for any type */
    if (bytes == NULL) {
        return hearth_fail_oom(err);
    }
    size_t decoded = base64_decode(yyjson_get_str(text), size, bytes);
    if (decoded == 0) {
        return tokenizer_invalid(err, WHERE ".precompiled_charsmap", "it is not base64");
    }
    return charsmap_load(&step->precompiled, hearth_slice_of(bytes, decoded), err);
}

static int load_form(struct normalizer_step *step, yyjson_val *value)
{
    const char *name = yyjson_get_str(yyjson_obj_get(value, "type"));
    step->form.is_compatible = name[2] == 'K';
    step->form.composes = name[strlen(name) - 1] == 'C';
    return 0;
}

static const struct {
    const char *name;
    enum normalizer_kind kind;
} kinds[] = {
    {"BertNormalizer", NORMALIZER_BERT},
    {"NFC", NORMALIZER_FORM},
    {"NFD", NORMALIZER_FORM},
    {"NFKC", NORMALIZER_FORM},
    {"NFKD", NORMALIZER_FORM},
    {"Lowercase", NORMALIZER_LOWERCASE},
    {"StripAccents", NORMALIZER_STRIP_ACCENTS},
    {"Strip", NORMALIZER_STRIP},
    {"Replace", NORMALIZER_REPLACE},
    {"Prepend", NORMALIZER_PREPEND},
    {"Nmt", NORMALIZER_NMT},
    {"ByteLevel", NORMALIZER_BYTE_LEVEL},
    {"Precompiled", NORMALIZER_PRECOMPILED},
};

static int load_settings(struct normalizer_step *step, yyjson_val *value,
                         struct hearth_arena *arena, struct hearth_error *err)
{
    switch (step->kind) {
    case NORMALIZER_BERT: return load_bert(step, value, err);
    case NORMALIZER_FORM: return load_form(step, value);
    case NORMALIZER_STRIP: return load_strip(step, value, err);
    case NORMALIZER_REPLACE: return load_replace(step, value, arena, err);
    case NORMALIZER_PREPEND: return json_text(value, "prepend", WHERE, arena, &step->prepend, err);
    case NORMALIZER_PRECOMPILED: return load_precompiled(step, value, arena, err);
    case NORMALIZER_LOWERCASE:
    case NORMALIZER_STRIP_ACCENTS:
    case NORMALIZER_NMT:
    case NORMALIZER_BYTE_LEVEL: return 0;
    }
    return HEARTH_E_INTERNAL;
}

static int load_step(struct normalizer *normalizer, yyjson_val *value, struct hearth_arena *arena,
                     struct hearth_error *err)
{
    for (size_t i = 0; i < HEARTH_COUNT(kinds); i++) {
        if (!json_is_type(value, kinds[i].name)) {
            continue;
        }
        if (normalizer->count == HEARTH_TOKENIZER_MAX_STEPS) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE, WHERE ": more than %u steps",
                               HEARTH_TOKENIZER_MAX_STEPS);
        }
        struct normalizer_step *step = &normalizer->steps[normalizer->count];
        step->kind = kinds[i].kind;
        int rc = load_settings(step, value, arena, err);
        normalizer->count += rc == 0;
        return rc;
    }
    return tokenizer_unsupported(err, WHERE, value);
}

static int load(struct normalizer *normalizer, yyjson_val *value, unsigned depth,
                struct hearth_arena *arena, struct hearth_error *err)
{
    int rc = json_check_keys(value, WHERE, err);
    if (rc < 0 || !json_is_type(value, "Sequence")) {
        return rc < 0 ? rc : load_step(normalizer, value, arena, err);
    }
    yyjson_val *list = NULL;
    rc = json_sequence(value, "normalizers", WHERE, depth, &list, err);
    size_t i = 0;
    size_t max = 0;
    yyjson_val *member = NULL;
    yyjson_arr_foreach(list, i, max, member)
    {
        rc = rc < 0 ? rc : load(normalizer, member, depth + 1, arena, err);
    }
    return rc;
}

int normalizer_load(struct normalizer *normalizer, yyjson_val *value, struct hearth_arena *arena,
                    struct hearth_error *err)
{
    if (json_is_absent(value)) {
        return 0; /* text as it is */
    }
    normalizer->steps =
        hearth_arena_alloc(arena, HEARTH_TOKENIZER_MAX_STEPS, sizeof *normalizer->steps);
    return normalizer->steps == NULL ? hearth_fail_oom(err)
                                     : load(normalizer, value, 0, arena, err);
}
