/* encode.c — the path of one text: added tokens, normalisation, added tokens again, pieces. */

#include "tokenizer_priv.h"

#include <string.h>

void hearth_encoding_init(struct hearth_encoding *encoding)
{
    *encoding = (struct hearth_encoding){0};
    hearth_buf_init(&encoding->normal, ENCODED_BYTES_MAX);
    hearth_buf_init(&encoding->points, ENCODED_BYTES_MAX);
    hearth_buf_init(&encoding->sorted, ENCODED_BYTES_MAX);
}

void hearth_encoding_wipe(struct hearth_encoding *encoding)
{
    /* The whole room: earlier, longer texts lie behind what is in use. */
    int64_t *arrays[] = {encoding->ids, encoding->type_ids, encoding->mask};
    for (size_t i = 0; i < HEARTH_COUNT(arrays); i++) {
        hearth_wipe(arrays[i], encoding->room * sizeof *arrays[i]);
    }
    struct hearth_buf *bufs[] = {&encoding->normal, &encoding->points, &encoding->sorted};
    for (size_t i = 0; i < HEARTH_COUNT(bufs); i++) {
        hearth_wipe(bufs[i]->data, bufs[i]->room);
        hearth_buf_clear(bufs[i]);
    }
    encoding->count = 0;
    encoding->full_count = 0;
    encoding->is_truncated = false;
}

void hearth_encoding_finish(struct hearth_encoding *encoding)
{
    hearth_encoding_wipe(encoding);
    hearth_free(encoding->ids);
    hearth_free(encoding->type_ids);
    hearth_free(encoding->mask);
    hearth_buf_finish(&encoding->normal);
    hearth_buf_finish(&encoding->points);
    hearth_buf_finish(&encoding->sorted);
    hearth_encoding_init(encoding);
}

static int put_side(const struct template_side *side, struct hearth_encoding *out)
{
    int rc = encoding_reserve(out, side->count);
    for (size_t i = 0; rc == 0 && i < side->count; i++) {
        out->ids[out->count] = side->tokens[i].id;
        out->type_ids[out->count] = side->tokens[i].type_id;
        out->mask[out->count] = 1;
        out->count++;
    }
    return rc;
}

/* Ordinary text between added tokens. */
static int put_text(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                    struct word_sink *sink)
{
    if (text.size == 0) {
        return 0;
    }
    int rc = normalize(&tokenizer->normalizer, text, sink->out);
    struct added_scan scan = {.text = hearth_buf_slice(&sink->out->normal)};
    struct added_split split;
    while (rc == 0 && added_next(&tokenizer->normalized, &scan, &split)) {
        rc = wordpiece_text(tokenizer, split.gap, sink);
        if (rc == 0 && split.id != NO_ID) {
            rc = sink_put(sink, split.id);
        }
    }
    return rc;
}

static int put_all(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                   bool add_special, struct word_sink *sink)
{
    int rc = add_special ? put_side(&tokenizer->before, sink->out) : 0;
    struct added_scan scan = {.text = text};
    struct added_split split;
    while (rc == 0 && added_next(&tokenizer->raw, &scan, &split)) {
        rc = put_text(tokenizer, split.gap, sink);
        if (rc == 0 && split.id != NO_ID) {
            rc = sink_put(sink, split.id);
        }
    }
    return rc == 0 && add_special ? put_side(&tokenizer->behind, sink->out) : rc;
}

static int check_text(struct hearth_slice text, struct hearth_error *err)
{
    if (text.size > HEARTH_TOKENIZER_MAX_TEXT_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "text of %zu bytes, at most %zu", text.size,
                           HEARTH_TOKENIZER_MAX_TEXT_BYTES);
    }
    size_t valid = hearth_utf8_valid_bytes(text);
    if (valid < text.size) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "text is not UTF-8 at byte %zu", valid);
    }
    return 0;
}

int hearth_tokenizer_encode(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                            const struct hearth_encode_options *options,
                            struct hearth_encoding *out, struct hearth_error *err)
{
    HEARTH_CHECK(tokenizer, TOKENIZER_MAGIC);
    const struct hearth_encode_options chosen =
        options != NULL ? *options : hearth_encode_options_default();
    const struct hearth_tokenizer_facts *facts = &tokenizer->facts;
    out->count = 0;
    out->full_count = 0;
    out->is_truncated = false;
    size_t limit = chosen.max_tokens;
    if (limit == HEARTH_ENCODE_FILE_LIMIT) {
        limit = facts->default_max_tokens > 0 ? facts->default_max_tokens : SIZE_MAX;
    }
    size_t special = chosen.add_special ? facts->special_tokens : 0;
    if (limit < special) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "max_tokens is %zu, and the special tokens alone are %zu", limit,
                           special);
    }
    int rc = check_text(text, err);
    if (rc < 0) {
        return rc;
    }
    struct word_sink sink = {
        .out = out, .limit = limit - special, .type_id = tokenizer->text_type_id};
    rc = put_all(tokenizer, text, chosen.add_special, &sink);
    if (rc < 0) {
        out->count = 0;
        return hearth_fail(err, rc, "%s", hearth_error_sentence(rc));
    }
    out->full_count = sink.total + special;
    out->is_truncated = sink.total > sink.kept;
    return 0;
}

static int put_ids(const struct hearth_tokenizer *tokenizer, const uint8_t *ids, size_t count,
                   struct hearth_encoding *out, struct hearth_error *err)
{
    size_t most = hearth_tokenizer_facts(tokenizer)->vocabulary_size;
    if (encoding_reserve(out, count) != 0) {
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
    }
    out->count = count;
    out->full_count = count;
    return 0;
}

int hearth_tokenizer_take_ids(const struct hearth_tokenizer *tokenizer, const void *ids,
                              size_t count, size_t max_tokens, struct hearth_encoding *out,
                              struct hearth_error *err)
{
    out->count = 0;
    out->full_count = 0;
    out->is_truncated = false;
    if (count > max_tokens) {
        return hearth_fail(err, HEARTH_E_TOO_LONG, "%zu token ids, the model takes %zu", count,
                           max_tokens);
    }
    return put_ids(tokenizer, ids, count, out, err);
}
