/* tokenizer.c — life, facts and pieces of a tokenizer. */

#include "tokenizer_priv.h"

void hearth_tokenizer_destroy(struct hearth_tokenizer *tokenizer)
{
    if (tokenizer != NULL) {
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
