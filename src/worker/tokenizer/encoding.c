/* encoding.c — life and growth of what a text is encoded into, and ids taken as they are. */

#include "tokenizer_priv.h"

#include <string.h>

void hearth_encoding_init(struct hearth_encoding *encoding)
{
    *encoding = (struct hearth_encoding){0};
}

void encoding_clear(struct hearth_encoding *out)
{
    out->places = NULL;
    out->count = 0;
    out->full_count = 0;
    out->is_truncated = false;
}

void hearth_encoding_wipe(struct hearth_encoding *encoding)
{
    /* The whole room: earlier, longer texts lie behind what is in use. */
    int64_t *arrays[] = {encoding->ids, encoding->type_ids, encoding->mask};
    for (size_t i = 0; i < HEARTH_COUNT(arrays); i++) {
        hearth_wipe(arrays[i], encoding->room * sizeof *arrays[i]);
    }
    hearth_wipe(encoding->sequences, encoding->room * sizeof *encoding->sequences);
    hearth_wipe(encoding->place_block, encoding->place_room * sizeof *encoding->place_block);
    if (encoding->scratch != NULL) {
        scratch_wipe(encoding->scratch);
    }
    encoding_clear(encoding);
}

void hearth_encoding_finish(struct hearth_encoding *encoding)
{
    hearth_encoding_wipe(encoding);
    hearth_free(encoding->ids);
    hearth_free(encoding->type_ids);
    hearth_free(encoding->mask);
    hearth_free(encoding->sequences);
    hearth_free(encoding->place_block);
    scratch_destroy(encoding->scratch);
    hearth_encoding_init(encoding);
}

int encoding_reserve(struct hearth_encoding *out, size_t more, bool wants_places)
{
    size_t need = out->count + more;
    size_t room = HEARTH_MAX(need, HEARTH_MAX(out->room * 2, 64));
    if (need > out->room) {
        int64_t **arrays[] = {&out->ids, &out->type_ids, &out->mask};
        for (size_t i = 0; i < HEARTH_COUNT(arrays); i++) {
            int64_t *grown = hearth_realloc(*arrays[i], room, sizeof *grown);
            if (grown == NULL) {
                return HEARTH_E_NO_MEMORY; /* those that grew stay larger than room says */
            }
            *arrays[i] = grown;
        }
        uint8_t *sequences = hearth_realloc(out->sequences, room, sizeof *sequences);
        if (sequences == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        out->sequences = sequences;
        out->room = room;
    }
    if (wants_places && need > out->place_room) {
        struct hearth_token_place *places =
            hearth_realloc(out->place_block, out->room, sizeof *places);
        if (places == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        out->place_block = places;
        out->place_room = out->room;
    }
    return 0;
}

static int put_ids(const struct hearth_tokenizer *tokenizer, const uint8_t *ids, size_t count,
                   struct hearth_encoding *out, struct hearth_error *err)
{
    size_t most = hearth_tokenizer_facts(tokenizer)->vocabulary_size;
    if (encoding_reserve(out, count, false) != 0) {
        return hearth_fail_oom(err);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t id;
        memcpy(&id, ids + i * sizeof id, sizeof id);
        if (id >= most) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "token id %zu of %zu is not in the vocabulary, which has %zu", i,
                               count, most);
        }
        out->ids[i] = id;
        out->type_ids[i] = 0;
        out->mask[i] = 1;
        out->sequences[i] = HEARTH_SEQUENCE_FIRST;
    }
    out->count = count;
    out->full_count = count;
    return 0;
}

int hearth_tokenizer_take_ids(const struct hearth_tokenizer *tokenizer, const void *ids,
                              size_t count, size_t max_tokens, struct hearth_encoding *out,
                              struct hearth_error *err)
{
    encoding_clear(out);
    if (count > max_tokens) {
        return hearth_fail(err, HEARTH_E_TOO_LONG, "%zu token ids, the model takes %zu", count,
                           max_tokens);
    }
    return put_ids(tokenizer, ids, count, out, err);
}
