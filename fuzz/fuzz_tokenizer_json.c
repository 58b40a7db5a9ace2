/* fuzz_tokenizer_json.c — a tokenizer.json from nowhere is refused or usable, never harmful. */

#include "hearth_tokenizer.h"

#include <string.h>

int hearth_fuzz_tokenizer_json(const uint8_t *data, size_t size);

int hearth_fuzz_tokenizer_json(const uint8_t *data, size_t size)
{
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err;
    int rc = hearth_tokenizer_create(hearth_slice_of(data, size), &tokenizer, &err);
    if (rc < 0) {
        HEARTH_ASSERT(tokenizer == NULL && err.code == rc && err.text[0] != '\0');
        return 0;
    }
    /* Every fact and every id that it can give must hold. */
    const struct hearth_tokenizer_facts *facts = hearth_tokenizer_facts(tokenizer);
    int64_t last = (int64_t)facts->vocabulary_size;
    HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, facts->unk_id) != NULL);
    HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, last - 1) != NULL);
    HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, last) == NULL);
    struct hearth_encoding encoding;
    hearth_encoding_init(&encoding);
    struct hearth_slice text =
        hearth_slice_of_string("[CLS] Ab\xC3\xA9  unhappy!? [SEP]\xE6\xBC\xA2");
    if (hearth_tokenizer_encode(tokenizer, text, NULL, &encoding, &err) == 0) {
        for (size_t i = 0; i < encoding.count; i++) {
            HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, encoding.ids[i]) != NULL);
        }
    }
    hearth_encoding_finish(&encoding);
    hearth_tokenizer_destroy(tokenizer);
    return 0;
}
