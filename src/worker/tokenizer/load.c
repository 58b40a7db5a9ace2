/* load.c — tokenizer.json to a tokenizer: what is known is read, anything else refused by name. */

#include "tokenizer_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARENA_CAP     ((size_t)256 << 20) /* what the largest file within the limits can need */
#define MOST_KEYS     32                  /* of any object but the vocabulary */
#define MOST_SPECIALS 4096                /* entries of special_tokens */

int tokenizer_invalid(struct hearth_error *err, const char *where, const char *what)
{
    return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%s: %s", where, what);
}

/* Names the type that @value asks for. It comes from a file, so only plain letters are repeated. */
int tokenizer_unsupported(struct hearth_error *err, const char *where, yyjson_val *value)
{
    char name[48] = "without a type";
    const char *text = yyjson_get_str(yyjson_obj_get(value, "type"));
    if (text == NULL) {
        text = yyjson_get_str(value);
    }
    if (text != NULL) {
        snprintf(name, sizeof name, "%s", text);
        for (char *c = name; *c != '\0'; c++) {
            bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                            (*c >= '0' && *c <= '9') || *c == '_';
            *c = is_plain ? *c : '?';
        }
    }
    return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%s: %s is not supported", where, name);
}

bool json_string(yyjson_val *value, struct hearth_slice *ret)
{
    const char *text = yyjson_get_str(value);
    if (text == NULL || strlen(text) != yyjson_get_len(value)) {
        return false;
    }
    *ret = hearth_slice_of(text, yyjson_get_len(value));
    return true;
}

int json_bool(yyjson_val *object, const char *key, const char *where, bool *ret,
              struct hearth_error *err)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    if (!yyjson_is_bool(value)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%s: \"%s\" is not true or false", where,
                           key);
    }
    *ret = yyjson_get_bool(value);
    return 0;
}

int json_bool_or(yyjson_val *object, const char *key, const char *where, bool missing, bool *ret,
                 struct hearth_error *err)
{
    if (json_is_absent(yyjson_obj_get(object, key))) {
        *ret = missing;
        return 0;
    }
    return json_bool(object, key, where, ret, err);
}

bool json_is_type(yyjson_val *value, const char *name)
{
    return yyjson_equals_str(yyjson_obj_get(value, "type"), name);
}

bool json_is_absent(yyjson_val *value)
{
    return value == NULL || yyjson_is_null(value);
}

/* Of two equal keys one reader takes the first and another the last: refused. */
int json_check_keys(yyjson_val *object, const char *where, struct hearth_error *err)
{
    if (!yyjson_is_obj(object) || yyjson_obj_size(object) > MOST_KEYS) {
        return tokenizer_invalid(err, where, "it is not an object of a few entries");
    }
    const char *seen[MOST_KEYS];
    size_t i = 0;
    size_t max = 0;
    yyjson_val *key = NULL;
    yyjson_val *value = NULL;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        (void)value;
        seen[i] = yyjson_get_str(key);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(seen[i], seen[j]) == 0) {
                return tokenizer_invalid(err, where, "one key occurs twice");
            }
        }
    }
    return 0;
}

static int load_model(struct hearth_tokenizer *tokenizer, yyjson_val *model,
                      struct hearth_error *err)
{
    if (!json_is_type(model, "WordPiece")) {
        return tokenizer_unsupported(err, "model", model);
    }
    int rc = json_check_keys(model, "model", err);
    if (rc == 0) {
        rc = vocab_build(&tokenizer->vocab, yyjson_obj_get(model, "vocab"), &tokenizer->arena, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct hearth_slice prefix;
    if (!json_string(yyjson_obj_get(model, "continuing_subword_prefix"), &prefix) ||
        prefix.size > HEARTH_TOKENIZER_MAX_PREFIX_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "model.continuing_subword_prefix: not a text of at most %u bytes",
                           HEARTH_TOKENIZER_MAX_PREFIX_BYTES);
    }
    char *copy = hearth_arena_copy(&tokenizer->arena, prefix);
    if (copy == NULL) {
        return hearth_fail_oom(err);
    }
    tokenizer->prefix = hearth_slice_of(copy, prefix.size);
    yyjson_val *longest = yyjson_obj_get(model, "max_input_chars_per_word");
    if (!yyjson_is_uint(longest) || yyjson_get_uint(longest) > HEARTH_TOKENIZER_MAX_WORD_CHARS) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "model.max_input_chars_per_word: not a number up to %u",
                           HEARTH_TOKENIZER_MAX_WORD_CHARS);
    }
    tokenizer->max_word_chars = yyjson_get_uint(longest);
    struct hearth_slice unknown;
    uint32_t id = json_string(yyjson_obj_get(model, "unk_token"), &unknown)
                      ? vocab_find_text(&tokenizer->vocab, unknown)
                      : NO_ID;
    if (id == NO_ID) {
        return tokenizer_invalid(err, "model.unk_token", "it is not in the vocabulary");
    }
    tokenizer->facts.unk_id = id;
    return 0;
}

static int load_normalizer(struct normalizer *normalizer, yyjson_val *value,
                           struct hearth_error *err)
{
    if (json_is_absent(value)) {
        return 0; /* text as it is */
    }
    if (!json_is_type(value, "BertNormalizer")) {
        return tokenizer_unsupported(err, "normalizer", value);
    }
    int rc = json_check_keys(value, "normalizer", err);
    if (rc == 0) {
        rc = json_bool(value, "clean_text", "normalizer", &normalizer->cleans_text, err);
    }
    if (rc == 0) {
        rc = json_bool(value, "handle_chinese_chars", "normalizer", &normalizer->spaces_chinese,
                       err);
    }
    if (rc == 0) {
        rc = json_bool(value, "lowercase", "normalizer", &normalizer->lowers, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (json_is_absent(yyjson_obj_get(value, "strip_accents"))) {
        normalizer->strips_accents = normalizer->lowers;
        return 0;
    }
    return json_bool(value, "strip_accents", "normalizer", &normalizer->strips_accents, err);
}

static int load_truncation(struct hearth_tokenizer *tokenizer, yyjson_val *value,
                           struct hearth_error *err)
{
    if (json_is_absent(value)) {
        return 0;
    }
    int rc = json_check_keys(value, "truncation", err);
    if (rc < 0) {
        return rc;
    }
    yyjson_val *direction = yyjson_obj_get(value, "direction");
    if (direction != NULL && !yyjson_equals_str(direction, "Right")) {
        return tokenizer_unsupported(err, "truncation.direction", direction);
    }
    /* The others differ for pairs, or fail where this one cuts. */
    yyjson_val *strategy = yyjson_obj_get(value, "strategy");
    if (!yyjson_equals_str(strategy, "LongestFirst")) {
        return tokenizer_unsupported(err, "truncation.strategy", strategy);
    }
    yyjson_val *longest = yyjson_obj_get(value, "max_length");
    if (!yyjson_is_uint(longest) || yyjson_get_uint(longest) == 0 ||
        yyjson_get_uint(longest) > HEARTH_TOKENIZER_MAX_LENGTH_TOKENS) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "truncation.max_length: not in 1 … %zu",
                           HEARTH_TOKENIZER_MAX_LENGTH_TOKENS);
    }
    tokenizer->facts.default_max_tokens = yyjson_get_uint(longest);
    return 0; /* stride says how pieces that are cut off overlap; they are not kept here */
}

static int put_template(struct hearth_tokenizer *tokenizer, struct template_side *side,
                        yyjson_val *id, uint64_t type_id, struct hearth_error *err)
{
    size_t known = tokenizer->facts.vocabulary_size;
    if (!yyjson_is_uint(id) || yyjson_get_uint(id) >= known) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "post_processor: the id of a special token is not in 0 … %zu",
                           known - 1);
    }
    if (side->count == HEARTH_TOKENIZER_MAX_TEMPLATE) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "post_processor: more than %u special tokens on one side",
                           HEARTH_TOKENIZER_MAX_TEMPLATE);
    }
    side->tokens[side->count++] =
        (struct template_token){(uint32_t)yyjson_get_uint(id), (uint32_t)type_id};
    return 0;
}

/* One named special token may stand for several ids. */
static int put_special(struct hearth_tokenizer *tokenizer, struct template_side *side,
                       yyjson_val *specials, yyjson_val *special, uint64_t type_id,
                       struct hearth_error *err)
{
    struct hearth_slice name;
    if (!json_string(yyjson_obj_get(special, "id"), &name)) {
        return tokenizer_invalid(err, "post_processor.single", "a special token has no id");
    }
    yyjson_val *ids =
        yyjson_obj_get(yyjson_obj_getn(specials, (const char *)name.data, name.size), "ids");
    if (!yyjson_is_arr(ids)) {
        return tokenizer_invalid(err, "post_processor.single",
                                 "a special token is not in special_tokens");
    }
    size_t i = 0;
    size_t max = 0;
    yyjson_val *id = NULL;
    yyjson_arr_foreach(ids, i, max, id)
    {
        int rc = put_template(tokenizer, side, id, type_id, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int put_part(struct hearth_tokenizer *tokenizer, yyjson_val *specials, yyjson_val *part,
                    bool *has_text, struct hearth_error *err)
{
    yyjson_val *special = yyjson_obj_get(part, "SpecialToken");
    yyjson_val *sequence = yyjson_obj_get(part, "Sequence");
    yyjson_val *type = yyjson_obj_get(special != NULL ? special : sequence, "type_id");
    if (yyjson_obj_size(part) != 1 || !yyjson_is_uint(type) || yyjson_get_uint(type) > INT32_MAX) {
        return tokenizer_invalid(err, "post_processor.single",
                                 "a part is neither SpecialToken nor Sequence with a type_id");
    }
    if (special != NULL) {
        struct template_side *side = *has_text ? &tokenizer->behind : &tokenizer->before;
        return put_special(tokenizer, side, specials, special, yyjson_get_uint(type), err);
    }
    if (*has_text || !yyjson_equals_str(yyjson_obj_get(sequence, "id"), "A")) {
        return tokenizer_invalid(err, "post_processor.single", "sequence A must occur once, alone");
    }
    *has_text = true;
    tokenizer->text_type_id = (uint32_t)yyjson_get_uint(type);
    return 0;
}

static int load_template(struct hearth_tokenizer *tokenizer, yyjson_val *value,
                         struct hearth_error *err)
{
    yyjson_val *specials = yyjson_obj_get(value, "special_tokens");
    yyjson_val *single = yyjson_obj_get(value, "single");
    if (!yyjson_is_arr(single) || !yyjson_is_obj(specials) ||
        yyjson_obj_size(specials) > MOST_SPECIALS ||
        yyjson_arr_size(single) > (size_t)2 * HEARTH_TOKENIZER_MAX_TEMPLATE + 1) {
        return tokenizer_invalid(err, "post_processor",
                                 "needs a short list \"single\" and an object \"special_tokens\"");
    }
    bool has_text = false;
    size_t i = 0;
    size_t max = 0;
    yyjson_val *part = NULL;
    yyjson_arr_foreach(single, i, max, part)
    {
        int rc = put_part(tokenizer, specials, part, &has_text, err);
        if (rc < 0) {
            return rc;
        }
    }
    return has_text ? 0 : tokenizer_invalid(err, "post_processor.single", "the text is not in it");
}

static int load_post_processor(struct hearth_tokenizer *tokenizer, yyjson_val *value,
                               struct hearth_error *err)
{
    if (json_is_absent(value)) {
        return 0;
    }
    int rc = json_check_keys(value, "post_processor", err);
    if (rc < 0) {
        return rc;
    }
    if (json_is_type(value, "TemplateProcessing")) {
        return load_template(tokenizer, value, err);
    }
    if (!json_is_type(value, "BertProcessing")) {
        return tokenizer_unsupported(err, "post_processor", value);
    }
    /* "cls" and "sep" are pairs of text and id. */
    rc = put_template(tokenizer, &tokenizer->before,
                      yyjson_arr_get(yyjson_obj_get(value, "cls"), 1), 0, err);
    return rc < 0 ? rc
                  : put_template(tokenizer, &tokenizer->behind,
                                 yyjson_arr_get(yyjson_obj_get(value, "sep"), 1), 0, err);
}

static int check_rest(yyjson_val *root, struct hearth_error *err)
{
    yyjson_val *pre = yyjson_obj_get(root, "pre_tokenizer");
    if (!json_is_type(pre, "BertPreTokenizer")) {
        return tokenizer_unsupported(err, "pre_tokenizer", pre);
    }
    /* Tokens are never turned into text here, but an unknown decoder tells of an unknown model. */
    yyjson_val *decoder = yyjson_obj_get(root, "decoder");
    if (!json_is_absent(decoder) && !json_is_type(decoder, "WordPiece")) {
        return tokenizer_unsupported(err, "decoder", decoder);
    }
    yyjson_val *padding = yyjson_obj_get(root, "padding");
    if (!json_is_absent(padding) && !yyjson_is_obj(padding)) {
        return tokenizer_invalid(err, "padding", "it is neither null nor an object");
    }
    return 0;
}

static int64_t id_of(const struct hearth_tokenizer *tokenizer, const char *text)
{
    struct hearth_slice content = hearth_slice_of_string(text);
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        if (hearth_slice_equal(tokenizer->added[i].content, content)) {
            return tokenizer->added[i].id;
        }
    }
    uint32_t id = vocab_find_text(&tokenizer->vocab, content);
    return id == NO_ID ? -1 : (int64_t)id;
}

static int load(struct hearth_tokenizer *tokenizer, yyjson_val *root, struct hearth_error *err)
{
    struct hearth_tokenizer_facts *facts = &tokenizer->facts;
    int rc = json_check_keys(root, "tokenizer.json", err);
    if (rc == 0 && !yyjson_equals_str(yyjson_obj_get(root, "version"), "1.0")) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED, "version: not \"1.0\"");
    }
    if (rc == 0) {
        rc = load_model(tokenizer, yyjson_obj_get(root, "model"), err);
    }
    if (rc == 0) {
        rc = load_normalizer(&tokenizer->normalizer, yyjson_obj_get(root, "normalizer"), err);
    }
    if (rc == 0) {
        rc = check_rest(root, err);
    }
    if (rc == 0) {
        rc = added_load(tokenizer, yyjson_obj_get(root, "added_tokens"), err);
    }
    facts->vocabulary_size = tokenizer->vocab.count + tokenizer->beyond_vocab;
    if (rc == 0) {
        rc = load_post_processor(tokenizer, yyjson_obj_get(root, "post_processor"), err);
    }
    if (rc == 0) {
        rc = load_truncation(tokenizer, yyjson_obj_get(root, "truncation"), err);
    }
    if (rc < 0) {
        return rc;
    }
    const struct template_side *before = &tokenizer->before;
    const struct template_side *behind = &tokenizer->behind;
    facts->special_tokens = before->count + behind->count;
    facts->cls_id = before->count > 0 ? before->tokens[0].id : id_of(tokenizer, "[CLS]");
    facts->sep_id = behind->count > 0 ? behind->tokens[0].id : id_of(tokenizer, "[SEP]");
    facts->pad_id = id_of(tokenizer, "[PAD]");
    facts->mask_id = id_of(tokenizer, "[MASK]");
    return 0;
}

static void *json_malloc(void *context, size_t size)
{
    (void)context;
    return hearth_alloc(size, 1);
}

static void *json_realloc(void *context, void *block, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    return hearth_realloc(block, size, 1);
}

static void json_free(void *context, void *block)
{
    (void)context;
    hearth_free(block);
}

static int parse(struct hearth_slice json, yyjson_doc **ret, struct hearth_error *err)
{
    const yyjson_alc allocator = {json_malloc, json_realloc, json_free, NULL};
    yyjson_read_err read_err = {0};
    /* Without the in-situ flag the bytes are only read, whatever the type of the argument says. */
    *ret = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, YYJSON_READ_NOFLAG, &allocator,
                            &read_err);
    if (*ret != NULL) {
        return 0;
    }
    if (read_err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        return hearth_fail_oom(err);
    }
    return hearth_fail(err, HEARTH_E_MODEL_INVALID, "tokenizer.json: not JSON at byte %zu: %s",
                       read_err.pos, read_err.msg != NULL ? read_err.msg : "empty");
}

int hearth_tokenizer_create(struct hearth_slice json, struct hearth_tokenizer **ret,
                            struct hearth_error *err)
{
    if (json.size > HEARTH_TOKENIZER_MAX_FILE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "tokenizer.json: %zu bytes, at most %zu",
                           json.size, HEARTH_TOKENIZER_MAX_FILE_BYTES);
    }
    yyjson_doc *doc = NULL;
    int rc = parse(json, &doc, err);
    if (rc < 0) {
        return rc;
    }
    HEARTH_AUTO(hearth_tokenizer)
    struct hearth_tokenizer *tokenizer = hearth_alloc(1, sizeof *tokenizer);
    if (tokenizer == NULL) {
        rc = hearth_fail_oom(err);
    } else {
        tokenizer->magic = TOKENIZER_MAGIC;
        hearth_arena_init(&tokenizer->arena, ARENA_CAP);
        rc = load(tokenizer, yyjson_doc_get_root(doc), err);
    }
    yyjson_doc_free(doc);
    if (rc == 0) {
        *ret = HEARTH_TAKE(tokenizer);
    }
    return rc;
}
