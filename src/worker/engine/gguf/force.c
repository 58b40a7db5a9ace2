/* force.c — from bytes that must come next to tokens, and what the rules need to know of all
 * tokens.
 *
 * The model's own tokenizer is asked first, so that the model sees what it was trained on. Some put
 * a space in front of a text; then it is asked again behind a line break, which nothing merges
 * with. What still does not come out byte for byte is made of tokens of one byte. */

#include "gguf_engine.h"

/* Whether @tokens are exactly @text; *@ret_skipped of them are exactly @before. */
static bool gives(const struct hearth_engine *engine, const llama_token *tokens, size_t count,
                  struct hearth_slice text, size_t *ret_skipped)
{
    char piece[HEARTH_GRAMMAR_MAX_TOKEN_BYTES];
    size_t at = 0;
    for (size_t i = *ret_skipped; i < count; i++) {
        int32_t size = gguf_piece(engine->vocab, tokens[i], true, piece, sizeof piece);
        if (size <= 0 || (size_t)size > text.size - at ||
            memcmp(text.data + at, piece, (size_t)size) != 0) {
            return false;
        }
        at += (size_t)size;
    }
    return at == text.size;
}

/* How many tokens at the beginning are a line break and what the tokenizer put before it; 0: none.
 */
static size_t tokens_of_line_break(const struct hearth_engine *engine, const llama_token *tokens,
                                   size_t count)
{
    char piece[8];
    for (size_t i = 0; i < count && i < 3; i++) {
        int32_t size = gguf_piece(engine->vocab, tokens[i], false, piece, sizeof piece);
        if (size > 0 && piece[size - 1] == '\n') {
            return i + 1;
        }
    }
    return 0;
}

static size_t tokens_of_bytes(const struct hearth_engine *engine, struct hearth_slice text,
                              llama_token *tokens, size_t most)
{
    for (size_t i = 0; i < text.size; i++) {
        llama_token token = engine->room->of_byte[text.data[i]];
        if (i == most || token < 0) {
            return 0;
        }
        tokens[i] = token;
    }
    return text.size;
}

size_t gguf_tokens_of(const struct hearth_engine *engine, struct hearth_slice text, bool knows_tags,
                      llama_token *tokens, size_t most)
{
    char behind[1 + 2048] = "\n";
    if (text.size == 0 || text.size > sizeof behind - 1) {
        return 0;
    }
    if (!hearth_utf8_is_valid(text)) { /* begins or ends within a character */
        return tokens_of_bytes(engine, text, tokens, most);
    }
    memcpy(behind + 1, text.data, text.size);
    for (unsigned extra = 0; extra < 2; extra++) {
        llama_token found[sizeof behind + 8];
        int32_t count =
            llama_tokenize(engine->vocab, behind + 1 - extra, (int32_t)(text.size + extra), found,
                           (int32_t)HEARTH_COUNT(found), false, knows_tags);
        size_t skipped =
            extra == 0 || count < 0 ? 0 : tokens_of_line_break(engine, found, (size_t)count);
        if (count > 0 && skipped >= extra && (size_t)count - skipped <= most &&
            gives(engine, found, (size_t)count, text, &skipped)) {
            memcpy(tokens, found + skipped, ((size_t)count - skipped) * sizeof *tokens);
            return (size_t)count - skipped;
        }
    }
    return tokens_of_bytes(engine, text, tokens, most);
}

/* ---- made when the first request has rules --------------------------------------------------- */

/* Texts of all tokens one after another; *@ret_slices point into them. */
static int read_pieces(const struct hearth_engine *engine, struct hearth_buf *bytes,
                       struct hearth_slice *slices)
{
    char piece[HEARTH_GRAMMAR_MAX_TOKEN_BYTES];
    struct gguf_room *room = engine->room;
    for (int32_t id = 0; id < engine->vocab_size; id++) {
        int32_t size = gguf_piece(engine->vocab, id, false, piece, sizeof piece);
        size_t taken = size > 0 && !llama_vocab_is_eog(engine->vocab, id) ? (size_t)size : 0;
        int rc = hearth_buf_append(bytes, piece, taken);
        if (rc < 0) {
            return rc;
        }
        slices[id].size = taken;
        if (taken == 1 && room->of_byte[(uint8_t)piece[0]] < 0) {
            room->of_byte[(uint8_t)piece[0]] = id;
        }
        room->end_count += llama_vocab_is_eog(engine->vocab, id);
    }
    const uint8_t *at = bytes->data;
    for (int32_t id = 0; id < engine->vocab_size; id++) {
        slices[id].data = at;
        at += slices[id].size;
    }
    return 0;
}

static int find_ends(const struct hearth_engine *engine)
{
    struct gguf_room *room = engine->room;
    room->ends = hearth_alloc(room->end_count + 1, sizeof *room->ends);
    if (room->ends == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    size_t count = 0;
    for (int32_t id = 0; id < engine->vocab_size && count < room->end_count; id++) {
        if (llama_vocab_is_eog(engine->vocab, id)) {
            room->ends[count++] = id;
        }
    }
    return 0;
}

static int make_vocabulary(struct hearth_engine *engine, struct hearth_error *err)
{
    struct gguf_room *room = engine->room;
    size_t count = (size_t)engine->vocab_size;
    struct hearth_buf bytes;
    hearth_buf_init(&bytes, count * HEARTH_GRAMMAR_MAX_TOKEN_BYTES);
    struct hearth_slice *slices = hearth_alloc(count, sizeof *slices);
    memset(room->of_byte, -1, sizeof room->of_byte);
    room->end_count = 0;
    int rc = slices == NULL ? HEARTH_E_NO_MEMORY : read_pieces(engine, &bytes, slices);
    rc = rc < 0 ? rc : find_ends(engine);
    rc = rc < 0 ? hearth_fail_oom(err)
                : hearth_vocabulary_create(slices, count, &room->vocabulary, err);
    hearth_free(slices);
    hearth_buf_finish(&bytes);
    return rc;
}

int gguf_prepare_rules(struct hearth_engine *engine, struct hearth_error *err)
{
    struct gguf_room *room = engine->room;
    int rc = 0;
    if (room->mask == NULL) {
        room->mask = hearth_alloc((size_t)engine->vocab_size / 64 + 1, sizeof *room->mask);
        rc = room->mask == NULL ? hearth_fail_oom(err) : 0;
    }
    if (rc == 0 && room->vocabulary == NULL) {
        hearth_free(room->ends); /* of a try that found no memory */
        room->ends = NULL;
        rc = make_vocabulary(engine, err);
    }
    return rc;
}
