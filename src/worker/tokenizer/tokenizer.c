/* tokenizer.c — life, facts and pieces of a tokenizer, and the way back from ids to text. */

#include "tokenizer_priv.h"

void hearth_tokenizer_destroy(struct hearth_tokenizer *tokenizer)
{
    if (tokenizer != NULL) {
        normalizer_finish(&tokenizer->normalizer);
        pretokenizer_finish(&tokenizer->pretokenizer);
        decoder_finish(&tokenizer->decoder);
        hearth_arena_finish(&tokenizer->arena);
        tokenizer->magic = 0;
        hearth_free(tokenizer);
    }
}

const struct hearth_tokenizer_facts *hearth_tokenizer_facts(
    const struct hearth_tokenizer *tokenizer)
{
    HEARTH_CHECK(tokenizer, TOKENIZER_MAGIC);
    return &tokenizer->facts;
}

const char *hearth_tokenizer_piece(const struct hearth_tokenizer *tokenizer, int64_t id)
{
    HEARTH_CHECK(tokenizer, TOKENIZER_MAGIC);
    if (id < 0 || (uint64_t)id >= tokenizer->facts.vocabulary_size) {
        return NULL;
    }
    const struct vocab *vocab = &tokenizer->vocab;
    return id < vocab->count ? (const char *)vocab->bytes + vocab->starts[id]
                             : tokenizer->beyond_pieces[id - vocab->count];
}

static int collect(const struct hearth_tokenizer *tokenizer, const int64_t *ids, size_t count,
                   bool skips_special, struct texts *texts, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char *piece = hearth_tokenizer_piece(tokenizer, ids[i]);
        if (piece == NULL) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "token id %zu of %zu is not in the vocabulary, which has %zu", i,
                               count, tokenizer->facts.vocabulary_size);
        }
        if (!skips_special || !bit_is_set(tokenizer->special_bits, (uint32_t)ids[i])) {
            rc = texts_add(texts, hearth_slice_of_string(piece));
        }
    }
    return rc < 0 ? hearth_fail(err, rc, "%s", hearth_error_sentence(rc)) : 0;
}

/* Without a decoder, a space stands between tokens. */
static int append_all(const struct texts *texts, bool has_decoder, struct hearth_buf *out)
{
    size_t count = texts_count(texts);
    size_t spaces = has_decoder || count == 0 ? 0 : count - 1;
    int rc = hearth_buf_reserve(out, texts->bytes.size + spaces);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct hearth_slice text = texts_at(texts, i);
        rc = i > 0 && !has_decoder ? hearth_buf_append(out, " ", 1) : 0;
        rc = rc < 0 || text.size == 0 ? rc : hearth_buf_append(out, text.data, text.size);
    }
    return rc;
}

int hearth_tokenizer_decode(const struct hearth_tokenizer *tokenizer, const int64_t *ids,
                            size_t count, bool skips_special, struct hearth_buf *out,
                            struct hearth_error *err)
{
    HEARTH_CHECK(tokenizer, TOKENIZER_MAGIC);
    struct texts texts;
    texts_init(&texts);
    int rc = collect(tokenizer, ids, count, skips_special, &texts, err);
    if (rc == 0) {
        rc = decoder_run(&tokenizer->decoder, &texts);
        rc = rc < 0 ? rc : append_all(&texts, tokenizer->decoder.is_present, out);
        rc = rc < 0 ? hearth_fail(err, rc, "%s", hearth_error_sentence(rc)) : 0;
    }
    texts_finish(&texts);
    return rc;
}
