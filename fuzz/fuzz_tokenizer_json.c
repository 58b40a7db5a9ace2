/* fuzz_tokenizer_json.c — a tokenizer.json from nowhere is refused or usable, never harmful.
 *
 * What stands behind the first NUL is a text that is encoded with it, beside one that never
 * changes. */

#include "tokenizer_promises.h"

int hearth_fuzz_tokenizer_json(const uint8_t *data, size_t size);

#define MOST_TEXT_BYTES 256u
#define LIMIT_TOKENS    7u

int hearth_fuzz_tokenizer_json(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t json_bytes = nul == NULL ? size : (size_t)(nul - data);
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err = {0};
    int rc = hearth_tokenizer_create(hearth_slice_of(data, json_bytes), &tokenizer, &err);
    if (rc < 0) {
        HEARTH_ASSERT(tokenizer == NULL && err.code == rc && err.text[0] != '\0');
        return 0;
    }
    /* Every fact and every id that it can give must hold. */
    const struct hearth_tokenizer_facts *facts = hearth_tokenizer_facts(tokenizer);
    int64_t last = (int64_t)facts->vocabulary_size;
    const int64_t named[] = {facts->cls_id, facts->sep_id, facts->pad_id, facts->unk_id,
                             facts->mask_id};
    for (size_t i = 0; i < HEARTH_COUNT(named); i++) {
        HEARTH_ASSERT(named[i] == -1 || hearth_tokenizer_piece(tokenizer, named[i]) != NULL);
    }
    HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, last - 1) != NULL);
    HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, last) == NULL);
    check_text(
        tokenizer,
        hearth_slice_of_string("[CLS] Ab\xC3\xA9  unhappy!? 12<s>\xE2\x96\x81x\n\xE6\xBC\xA2"),
        LIMIT_TOKENS, size % 8);
    if (nul != NULL) {
        size_t left = size - json_bytes - 1;
        check_text(tokenizer, hearth_slice_of(nul + 1, HEARTH_MIN(left, (size_t)MOST_TEXT_BYTES)),
                   LIMIT_TOKENS, size / 8 % 8);
    }
    hearth_tokenizer_destroy(tokenizer);
    return 0;
}
