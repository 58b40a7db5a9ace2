/* postprocessor_load.c — the objects "post_processor" and "truncation" of a tokenizer.json. */

#include "template.h"

#include "hearth_pattern.h"

#define WHERE         "post_processor"
#define MOST_SPECIALS 4096 /* entries of special_tokens */

/* What is known while a post-processor is read. */
struct reading {
    struct postprocessor *post;
    size_t vocabulary_size;
    bool has_template; /* a ByteLevel behind it would take special tokens for the first */
    struct hearth_error *err;
};

static int put_special(struct reading *reading, struct template *to, yyjson_val *id,
                       uint64_t type_id)
{
    if (!yyjson_is_uint(id) || yyjson_get_uint(id) >= reading->vocabulary_size) {
        return hearth_fail(reading->err, HEARTH_E_MODEL_INVALID,
                           WHERE ": the id of a special token is not in 0 … %zu",
                           reading->vocabulary_size - 1);
    }
    if (to->special_count == (size_t)2 * HEARTH_TOKENIZER_MAX_TEMPLATE) {
        return hearth_fail(reading->err, HEARTH_E_TOO_LARGE, WHERE ": more than %u special tokens",
                           2 * HEARTH_TOKENIZER_MAX_TEMPLATE);
    }
    to->special_count++;
    to->items[to->count++] = (struct template_item){
        HEARTH_SEQUENCE_SPECIAL, (uint32_t)yyjson_get_uint(id), (uint32_t)type_id};
    return 0;
}

/* One named special token may stand for several ids. */
static int put_named(struct reading *reading, struct template *to, yyjson_val *specials,
                     yyjson_val *special, uint64_t type_id)
{
    struct hearth_slice name;
    if (!json_string(yyjson_obj_get(special, "id"), &name)) {
        return tokenizer_invalid(reading->err, WHERE, "a special token has no id");
    }
    yyjson_val *ids =
        yyjson_obj_get(yyjson_obj_getn(specials, (const char *)name.data, name.size), "ids");
    if (!yyjson_is_arr(ids)) {
        return tokenizer_invalid(reading->err, WHERE, "a special token is not in special_tokens");
    }
    size_t i = 0;
    size_t max = 0;
    yyjson_val *id = NULL;
    yyjson_arr_foreach(ids, i, max, id)
    {
        int rc = put_special(reading, to, id, type_id);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static bool has_sequence(const struct template *in, uint8_t sequence)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i].sequence == sequence) {
            return true;
        }
    }
    return false;
}

static int put_sequence(struct reading *reading, struct template *to, yyjson_val *name,
                        uint64_t type_id)
{
    uint8_t sequence =
        yyjson_equals_str(name, "B") ? HEARTH_SEQUENCE_SECOND : HEARTH_SEQUENCE_FIRST;
    bool is_known = sequence == HEARTH_SEQUENCE_SECOND || yyjson_equals_str(name, "A");
    if (!is_known || has_sequence(to, sequence)) {
        return tokenizer_invalid(reading->err, WHERE, "each sequence, A and B, may occur once");
    }
    to->items[to->count++] = (struct template_item){sequence, 0, (uint32_t)type_id};
    return 0;
}

static int put_part(struct reading *reading, struct template *to, yyjson_val *specials,
                    yyjson_val *part)
{
    yyjson_val *special = yyjson_obj_get(part, "SpecialToken");
    yyjson_val *sequence = yyjson_obj_get(part, "Sequence");
    yyjson_val *type = yyjson_obj_get(special != NULL ? special : sequence, "type_id");
    if (yyjson_obj_size(part) != 1 || !yyjson_is_uint(type) || yyjson_get_uint(type) > INT32_MAX) {
        return tokenizer_invalid(reading->err, WHERE,
                                 "a part is neither SpecialToken nor Sequence with a type_id");
    }
    return special != NULL
               ? put_named(reading, to, specials, special, yyjson_get_uint(type))
               : put_sequence(reading, to, yyjson_obj_get(sequence, "id"), yyjson_get_uint(type));
}

static int load_parts(struct reading *reading, struct template *to, yyjson_val *specials,
                      yyjson_val *parts)
{
    if (!yyjson_is_arr(parts) || yyjson_arr_size(parts) > HEARTH_COUNT(to->items)) {
        return tokenizer_invalid(reading->err, WHERE, "\"single\" and \"pair\" are short lists");
    }
    size_t i = 0;
    size_t max = 0;
    yyjson_val *part = NULL;
    yyjson_arr_foreach(parts, i, max, part)
    {
        int rc = put_part(reading, to, specials, part);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int load_template(struct reading *reading, yyjson_val *value)
{
    yyjson_val *specials = yyjson_obj_get(value, "special_tokens");
    yyjson_val *pair = yyjson_obj_get(value, "pair");
    struct postprocessor *post = reading->post;
    if (!yyjson_is_obj(specials) || yyjson_obj_size(specials) > MOST_SPECIALS) {
        return tokenizer_invalid(reading->err, WHERE, "needs an object \"special_tokens\"");
    }
    int rc = load_parts(reading, &post->single, specials, yyjson_obj_get(value, "single"));
    if (rc == 0 && !json_is_absent(pair)) {
        rc = load_parts(reading, &post->pair, specials, pair);
    }
    if (rc < 0) {
        return rc;
    }
    if (!has_sequence(&post->single, HEARTH_SEQUENCE_FIRST) ||
        has_sequence(&post->single, HEARTH_SEQUENCE_SECOND)) {
        return tokenizer_invalid(reading->err, WHERE ".single",
                                 "the text is not in it, or a second one is");
    }
    if (post->pair.count > 0 && (!has_sequence(&post->pair, HEARTH_SEQUENCE_FIRST) ||
                                 !has_sequence(&post->pair, HEARTH_SEQUENCE_SECOND))) {
        return tokenizer_invalid(reading->err, WHERE ".pair", "one of the two texts is not in it");
    }
    return 0;
}

static void put_text(struct template *to, uint8_t sequence, uint32_t type_id)
{
    to->items[to->count++] = (struct template_item){sequence, 0, type_id};
}

static void put_default(struct postprocessor *post)
{
    put_text(&post->single, HEARTH_SEQUENCE_FIRST, 0);
    put_text(&post->pair, HEARTH_SEQUENCE_FIRST, 0);
    put_text(&post->pair, HEARTH_SEQUENCE_SECOND, 1);
}

/* BertProcessing and RobertaProcessing: "cls" and "sep" are pairs of text and id. */
static int load_cls_sep(struct reading *reading, yyjson_val *value, bool is_roberta)
{
    struct postprocessor *post = reading->post;
    yyjson_val *cls = yyjson_arr_get(yyjson_obj_get(value, "cls"), 1);
    yyjson_val *sep = yyjson_arr_get(yyjson_obj_get(value, "sep"), 1);
    uint32_t second_type = is_roberta ? 0 : 1;
    int rc = put_special(reading, &post->single, cls, 0);
    put_text(&post->single, HEARTH_SEQUENCE_FIRST, 0);
    rc = rc < 0 ? rc : put_special(reading, &post->single, sep, 0);
    rc = rc < 0 ? rc : put_special(reading, &post->pair, cls, 0);
    put_text(&post->pair, HEARTH_SEQUENCE_FIRST, 0);
    rc = rc < 0 ? rc : put_special(reading, &post->pair, sep, 0);
    if (is_roberta) {
        rc = rc < 0 ? rc : put_special(reading, &post->pair, sep, 0);
    }
    put_text(&post->pair, HEARTH_SEQUENCE_SECOND, second_type);
    return rc < 0 ? rc : put_special(reading, &post->pair, sep, second_type);
}

static int load_trim(struct reading *reading, yyjson_val *value)
{
    struct postprocessor *post = reading->post;
    bool trims = false;
    bool spares = false;
    int rc = json_bool(value, "trim_offsets", WHERE, &trims, reading->err);
    if (rc == 0) {
        rc = json_bool(value, "add_prefix_space", WHERE, &spares, reading->err);
    }
    if (rc < 0 || !trims) {
        return rc;
    }
    if (post->trims_places || reading->has_template) {
        return hearth_fail(reading->err, HEARTH_E_UNSUPPORTED,
                           WHERE ": offsets trimmed twice, or behind special tokens, are not "
                                 "supported");
    }
    post->trims_places = true;
    post->spares_prefix = spares;
    return 0;
}

static int load_one(struct reading *reading, yyjson_val *value)
{
    if (json_is_type(value, "ByteLevel")) {
        return load_trim(reading, value);
    }
    bool is_template = json_is_type(value, "TemplateProcessing");
    bool is_roberta = json_is_type(value, "RobertaProcessing");
    if (!is_template && !is_roberta && !json_is_type(value, "BertProcessing")) {
        return tokenizer_unsupported(reading->err, WHERE, value);
    }
    if (reading->has_template) {
        return hearth_fail(reading->err, HEARTH_E_UNSUPPORTED,
                           WHERE ": more than one that adds special tokens is not supported");
    }
    int rc = is_roberta ? load_trim(reading, value) : 0;
    reading->has_template = true;
    if (is_template) {
        return load_template(reading, value);
    }
    return rc < 0 ? rc : load_cls_sep(reading, value, is_roberta);
}

static int load(struct reading *reading, yyjson_val *value, unsigned depth)
{
    int rc = json_check_keys(value, WHERE, reading->err);
    if (rc < 0 || !json_is_type(value, "Sequence")) {
        return rc < 0 ? rc : load_one(reading, value);
    }
    yyjson_val *list = NULL;
    rc = json_sequence(value, "processors", WHERE, depth, &list, reading->err);
    size_t i = 0;
    size_t max = 0;
    yyjson_val *member = NULL;
    yyjson_arr_foreach(list, i, max, member)
    {
        rc = rc < 0 ? rc : load(reading, member, depth + 1);
    }
    return rc;
}

int postprocessor_load(struct postprocessor *post, yyjson_val *value, size_t vocabulary_size,
                       struct hearth_error *err)
{
    struct reading reading = {.post = post, .vocabulary_size = vocabulary_size, .err = err};
    int rc = json_is_absent(value) ? 0 : load(&reading, value, 0);
    if (rc == 0 && !reading.has_template) {
        put_default(post);
    }
    return rc;
}

static int load_strategy(struct truncation *truncation, yyjson_val *strategy,
                         struct hearth_error *err)
{
    static const struct {
        const char *name;
        enum truncation_strategy strategy;
    } strategies[] = {
        {"LongestFirst", TRUNCATE_LONGEST_FIRST},
        {"OnlyFirst", TRUNCATE_ONLY_FIRST},
        {"OnlySecond", TRUNCATE_ONLY_SECOND},
    };
    for (size_t i = 0; i < HEARTH_COUNT(strategies); i++) {
        if (yyjson_equals_str(strategy, strategies[i].name)) {
            truncation->strategy = strategies[i].strategy;
            return 0;
        }
    }
    return tokenizer_unsupported(err, "truncation.strategy", strategy);
}

int truncation_load(struct truncation *truncation, yyjson_val *value, struct hearth_error *err)
{
    if (json_is_absent(value)) {
        return 0;
    }
    int rc = json_check_keys(value, "truncation", err);
    if (rc == 0) {
        rc = load_strategy(truncation, yyjson_obj_get(value, "strategy"), err);
    }
    if (rc < 0) {
        return rc;
    }
    yyjson_val *direction = yyjson_obj_get(value, "direction");
    truncation->keeps_last = yyjson_equals_str(direction, "Left");
    if (direction != NULL && !truncation->keeps_last && !yyjson_equals_str(direction, "Right")) {
        return tokenizer_unsupported(err, "truncation.direction", direction);
    }
    yyjson_val *longest = yyjson_obj_get(value, "max_length");
    if (!yyjson_is_uint(longest) || yyjson_get_uint(longest) == 0 ||
        yyjson_get_uint(longest) > HEARTH_TOKENIZER_MAX_LENGTH_TOKENS) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "truncation.max_length: not in 1 … %zu",
                           HEARTH_TOKENIZER_MAX_LENGTH_TOKENS);
    }
    truncation->max_tokens = yyjson_get_uint(longest);
    return 0; /* stride says how pieces that are cut off overlap; they are not kept here */
}
