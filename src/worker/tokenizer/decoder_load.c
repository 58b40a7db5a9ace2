/* decoder_load.c — the object "decoder" of a tokenizer.json. */

#include "decode.h"

#include "hearth_pattern.h"

#define WHERE "decoder"

static int load_count(yyjson_val *value, const char *key, size_t *ret, struct hearth_error *err)
{
    yyjson_val *count = yyjson_obj_get(value, key);
    if (!yyjson_is_uint(count) || yyjson_get_uint(count) > HEARTH_TOKENIZER_MAX_PIECE_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, WHERE ".%s: not a number up to %u", key,
                           HEARTH_TOKENIZER_MAX_PIECE_BYTES);
    }
    *ret = yyjson_get_uint(count);
    return 0;
}

static int load_wordpiece(struct decoder_step *step, yyjson_val *value, struct hearth_arena *arena,
                          struct hearth_error *err)
{
    int rc = json_text(value, "prefix", WHERE, arena, &step->wordpiece.prefix, err);
    return rc < 0 ? rc : json_bool(value, "cleanup", WHERE, &step->wordpiece.cleans_up, err);
}

static int load_metaspace(struct decoder_step *step, yyjson_val *value, struct hearth_error *err)
{
    yyjson_val *scheme = yyjson_obj_get(value, "prepend_scheme");
    bool adds_prefix = true;
    int rc = json_char(value, "replacement", WHERE, &step->metaspace.replacement, err);
    if (rc == 0) {
        rc = json_bool_or(value, "add_prefix_space", WHERE, true, &adds_prefix, err);
    }
    if (rc == 0 && !json_is_absent(scheme) && !yyjson_equals_str(scheme, "always") &&
        !yyjson_equals_str(scheme, "first") && !yyjson_equals_str(scheme, "never")) {
        rc = tokenizer_unsupported(err, WHERE ".prepend_scheme", scheme);
    }
    step->metaspace.drops_first = adds_prefix && !yyjson_equals_str(scheme, "never");
    return rc;
}

static int load_strip(struct decoder_step *step, yyjson_val *value, struct hearth_error *err)
{
    int rc = json_char(value, "content", WHERE, &step->strip.c, err);
    if (rc == 0) {
        rc = load_count(value, "start", &step->strip.start, err);
    }
    return rc < 0 ? rc : load_count(value, "stop", &step->strip.stop, err);
}

static int load_replace(struct decoder_step *step, yyjson_val *value, struct hearth_arena *arena,
                        struct hearth_error *err)
{
    int rc = json_text(value, "content", WHERE, arena, &step->replace.content, err);
    return rc < 0 ? rc
                  : splitter_build(yyjson_obj_get(value, "pattern"), WHERE ".pattern", arena,
                                   &step->replace.pattern, err);
}

static int load_settings(struct decoder_step *step, yyjson_val *value, struct hearth_arena *arena,
                         struct hearth_error *err)
{
    switch (step->kind) {
    case DECODER_WORDPIECE: return load_wordpiece(step, value, arena, err);
    case DECODER_METASPACE: return load_metaspace(step, value, err);
    case DECODER_BPE: return json_text(value, "suffix", WHERE, arena, &step->suffix, err);
    case DECODER_STRIP: return load_strip(step, value, err);
    case DECODER_REPLACE: return load_replace(step, value, arena, err);
    case DECODER_BYTE_LEVEL:
    case DECODER_BYTE_FALLBACK:
    case DECODER_FUSE: break;
    }
    return 0;
}

static int load_step(struct decoder *decoder, yyjson_val *value, struct hearth_arena *arena,
                     struct hearth_error *err)
{
    static const struct {
        const char *name;
        enum decoder_kind kind;
    } kinds[] = {
        {"WordPiece", DECODER_WORDPIECE}, {"ByteLevel", DECODER_BYTE_LEVEL},
        {"Metaspace", DECODER_METASPACE}, {"BPEDecoder", DECODER_BPE},
        {"Fuse", DECODER_FUSE},           {"ByteFallback", DECODER_BYTE_FALLBACK},
        {"Strip", DECODER_STRIP},         {"Replace", DECODER_REPLACE},
    };
    for (size_t i = 0; i < HEARTH_COUNT(kinds); i++) {
        if (!json_is_type(value, kinds[i].name)) {
            continue;
        }
        if (decoder->count == HEARTH_TOKENIZER_MAX_STEPS) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE, WHERE ": more than %u steps",
                               HEARTH_TOKENIZER_MAX_STEPS);
        }
        struct decoder_step *step = &decoder->steps[decoder->count++];
        step->kind = kinds[i].kind;
        return load_settings(step, value, arena, err);
    }
    return tokenizer_unsupported(err, WHERE, value);
}

static int load(struct decoder *decoder, yyjson_val *value, unsigned depth,
                struct hearth_arena *arena, struct hearth_error *err)
{
    int rc = json_check_keys(value, WHERE, err);
    if (rc < 0 || !json_is_type(value, "Sequence")) {
        return rc < 0 ? rc : load_step(decoder, value, arena, err);
    }
    yyjson_val *list = NULL;
    rc = json_sequence(value, "decoders", WHERE, depth, &list, err);
    size_t i = 0;
    size_t max = 0;
    yyjson_val *member = NULL;
    yyjson_arr_foreach(list, i, max, member)
    {
        rc = rc < 0 ? rc : load(decoder, member, depth + 1, arena, err);
    }
    return rc;
}

int decoder_load(struct decoder *decoder, yyjson_val *value, struct hearth_arena *arena,
                 struct hearth_error *err)
{
    if (json_is_absent(value)) {
        return 0;
    }
    decoder->is_present = true;
    decoder->steps = hearth_arena_alloc(arena, HEARTH_TOKENIZER_MAX_STEPS, sizeof *decoder->steps);
    return decoder->steps == NULL ? hearth_fail_oom(err) : load(decoder, value, 0, arena, err);
}
