/* load.c — tokenizer.json to a tokenizer: what is known is read, anything else refused by name. */

#include "tokenizer_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARENA_CAP ((size_t)256 << 20) /* what the largest file within the limits can need */
#define MOST_KEYS 32                  /* of any object but the vocabulary */

static int load_model(struct hearth_tokenizer *tokenizer, yyjson_val *model,
                      struct hearth_slice json, struct hearth_error *err)
{
    struct vocab *vocab = &tokenizer->vocab;
    struct hearth_arena *arena = &tokenizer->arena;
    bool is_wordpiece = json_is_type(model, "WordPiece");
    bool is_bpe = json_is_type(model, "BPE");
    uint32_t unknown_id = NO_ID;
    if (!is_wordpiece && !is_bpe && !json_is_type(model, "Unigram")) {
        return tokenizer_unsupported(err, "model", model);
    }
    int rc = json_check_keys(model, "model", err);
    if (rc < 0) {
        return rc;
    }
    if (is_wordpiece) {
        tokenizer->kind = MODEL_WORDPIECE;
        rc = wordpiece_build(&tokenizer->model.wordpiece, vocab, model, arena, err);
        unknown_id = tokenizer->model.wordpiece.unknown_id;
    } else if (is_bpe) {
        tokenizer->kind = MODEL_BPE;
        rc = bpe_build(&tokenizer->model.bpe, vocab, model, arena, err);
        unknown_id = tokenizer->model.bpe.unknown_id;
    } else {
        tokenizer->kind = MODEL_UNIGRAM;
        rc = unigram_build(&tokenizer->model.unigram, vocab, model, arena, err);
        rc = rc < 0 ? rc : unigram_read_scores(&tokenizer->model.unigram, json, err);
        unknown_id = tokenizer->model.unigram.unknown_id;
    }
    tokenizer->facts.unk_id = unknown_id == NO_ID ? -1 : (int64_t)unknown_id;
    return rc;
}

static int check_padding(yyjson_val *padding, struct hearth_error *err)
{
    return json_is_absent(padding) || yyjson_is_obj(padding)
               ? 0
               : tokenizer_invalid(err, "padding", "it is neither null nor an object");
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

static int64_t id_of_either(const struct hearth_tokenizer *tokenizer, const char *bert,
                            const char *other)
{
    int64_t id = id_of(tokenizer, bert);
    return id >= 0 ? id : id_of(tokenizer, other);
}

/* The first special token before the text, or behind it; -1 if there is none. */
static int64_t special_beside(const struct template *single, bool behind)
{
    bool is_behind = false;
    for (size_t i = 0; i < single->count; i++) {
        if (single->items[i].sequence != HEARTH_SEQUENCE_SPECIAL) {
            is_behind = true;
        } else if (is_behind == behind) {
            return single->items[i].id;
        }
    }
    return -1;
}

static void set_facts(struct hearth_tokenizer *tokenizer)
{
    struct hearth_tokenizer_facts *facts = &tokenizer->facts;
    const struct template *single = &tokenizer->post.single;
    int64_t before = special_beside(single, false);
    int64_t behind = special_beside(single, true);
    facts->default_max_tokens = tokenizer->truncation.max_tokens;
    facts->special_tokens = single->special_count;
    facts->special_tokens_pair = tokenizer->post.pair.special_count;
    facts->takes_pairs = tokenizer->post.pair.count > 0;
    facts->cls_id = before >= 0 ? before : id_of_either(tokenizer, "[CLS]", "<s>");
    facts->sep_id = behind >= 0 ? behind : id_of_either(tokenizer, "[SEP]", "</s>");
    facts->pad_id = id_of_either(tokenizer, "[PAD]", "<pad>");
    facts->mask_id = id_of_either(tokenizer, "[MASK]", "<mask>");
}

static int note_special(struct hearth_tokenizer *tokenizer, struct hearth_error *err)
{
    tokenizer->special_bits =
        hearth_arena_alloc(&tokenizer->arena, tokenizer->facts.vocabulary_size / 64 + 1,
                           sizeof *tokenizer->special_bits);
    if (tokenizer->special_bits == NULL) {
        return hearth_fail_oom(err);
    }
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        if (tokenizer->added[i].is_special) {
            uint32_t id = tokenizer->added[i].id;
            tokenizer->special_bits[id / 64] |= UINT64_C(1) << (id % 64);
        }
    }
    return 0;
}

static int load_parts(struct hearth_tokenizer *tokenizer, yyjson_val *root,
                      struct hearth_error *err)
{
    struct hearth_arena *arena = &tokenizer->arena;
    int rc =
        normalizer_load(&tokenizer->normalizer, yyjson_obj_get(root, "normalizer"), arena, err);
    if (rc == 0) {
        rc = pretokenizer_load(&tokenizer->pretokenizer, yyjson_obj_get(root, "pre_tokenizer"),
                               arena, err);
    }
    if (rc == 0) {
        rc = decoder_load(&tokenizer->decoder, yyjson_obj_get(root, "decoder"), arena, err);
    }
    if (rc == 0) {
        rc = check_padding(yyjson_obj_get(root, "padding"), err);
    }
    if (rc == 0) {
        rc = added_load(tokenizer, yyjson_obj_get(root, "added_tokens"), err);
    }
    return rc;
}

static int load(struct hearth_tokenizer *tokenizer, yyjson_val *root, struct hearth_slice json,
                struct hearth_error *err)
{
    struct hearth_tokenizer_facts *facts = &tokenizer->facts;
    int rc = json_check_keys(root, "tokenizer.json", err);
    if (rc == 0 && !yyjson_equals_str(yyjson_obj_get(root, "version"), "1.0")) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED, "version: not \"1.0\"");
    }
    if (rc == 0) {
        rc = load_model(tokenizer, yyjson_obj_get(root, "model"), json, err);
    }
    if (rc == 0) {
        rc = load_parts(tokenizer, root, err);
    }
    facts->vocabulary_size = tokenizer->vocab.count + tokenizer->beyond_vocab;
    if (rc == 0) {
        rc = note_special(tokenizer, err);
    }
    if (rc == 0) {
        rc = postprocessor_load(&tokenizer->post, yyjson_obj_get(root, "post_processor"),
                                facts->vocabulary_size, err);
    }
    if (rc == 0) {
        rc = truncation_load(&tokenizer->truncation, yyjson_obj_get(root, "truncation"), err);
    }
    if (rc == 0) {
        set_facts(tokenizer);
    }
    return rc;
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
    return hearth_fail(err, HEARTH_E_MODEL_INVALID, "not JSON at byte %zu: %s", read_err.pos,
                       read_err.msg != NULL ? read_err.msg : "empty");
}

int hearth_tokenizer_create(struct hearth_slice json, struct hearth_tokenizer **ret,
                            struct hearth_error *err)
{
    if (json.size > HEARTH_TOKENIZER_MAX_FILE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "%zu bytes, at most %zu", json.size,
                           HEARTH_TOKENIZER_MAX_FILE_BYTES);
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
        rc = load(tokenizer, yyjson_doc_get_root(doc), json, err);
    }
    yyjson_doc_free(doc);
    if (rc == 0) {
        *ret = HEARTH_TAKE(tokenizer);
    }
    return rc;
}
