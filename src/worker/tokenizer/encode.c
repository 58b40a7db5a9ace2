/* encode.c — the path of a text: added tokens, normalisation, added tokens again, parts, tokens;
 * then truncation, and the template around what is left. */

#include "tokenizer_priv.h"

#include <string.h>

/* One text on its way. */
struct passage {
    struct part_sink parts; /* first: the pre-tokeniser hands parts to it */
    const struct hearth_tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct token_sink *tokens;
    struct hearth_buf *notes; /* on added tokens, for places_trim(); NULL: not needed */
    bool tracks;              /* where text came from must be known on the way */
};

static int model_part(const struct hearth_tokenizer *tokenizer, struct hearth_slice part,
                      struct model_scratch *scratch, struct token_sink *tokens)
{
    switch (tokenizer->kind) {
    case MODEL_WORDPIECE: return wordpiece_part(&tokenizer->model.wordpiece, part, scratch, tokens);
    case MODEL_BPE: return bpe_part(&tokenizer->model.bpe, part, scratch, tokens);
    case MODEL_UNIGRAM: return unigram_part(&tokenizer->model.unigram, part, scratch, tokens);
    }
    return HEARTH_E_INTERNAL;
}

static int take_part(struct part_sink *sink, const struct view *view, size_t start, size_t end)
{
    struct passage *passage = (struct passage *)(void *)sink;
    passage->tokens->view = view;
    passage->tokens->part_start = start;
    return model_part(passage->tokenizer, hearth_slice_of(view->text.data + start, end - start),
                      &passage->scratch->model, passage->tokens);
}

/* Text between added tokens, normalised. */
static int put_normal(struct passage *passage, const struct view *view, size_t start, size_t end)
{
    if (start == end) {
        return 0;
    }
    const struct view gap = {hearth_slice_of(view->text.data + start, end - start),
                             view->places != NULL ? view->places + start : NULL,
                             view->origin + (uint32_t)start};
    return pretokenize(&passage->tokenizer->pretokenizer, &gap, passage->tracks,
                       &passage->scratch->pretoken, &passage->parts);
}

static int put_added(struct passage *passage, const struct view *view,
                     const struct added_split *split)
{
    /* One before it may have taken all of it as the white space to its right. */
    if (split->id == NO_ID || split->start == split->end) {
        return 0;
    }
    passage->tokens->view = view;
    passage->tokens->part_start = split->start;
    int rc = token_put(passage->tokens, split->id, 0, split->end - split->start);
    if (rc < 0 || passage->notes == NULL) {
        return rc;
    }
    return blanks_note(passage->notes, passage->tokens->total - 1,
                       hearth_slice_of(view->text.data + split->start, split->end - split->start));
}

/* Text between added tokens, as it came. */
static int put_gap(struct passage *passage, struct hearth_slice text, size_t start, size_t end)
{
    if (start == end) {
        return 0;
    }
    const struct hearth_tokenizer *tokenizer = passage->tokenizer;
    const struct view view = {hearth_slice_of(text.data + start, end - start), NULL,
                              (uint32_t)start};
    struct view normal;
    int rc = normalize(&tokenizer->normalizer, &view, passage->tracks, &passage->scratch->normal,
                       &normal);
    struct added_scan scan = {.text = normal.text};
    struct added_split split;
    while (rc == 0 && added_next(&tokenizer->normalized, &scan, &split)) {
        rc = put_normal(passage, &normal, split.gap_start, split.gap_end);
        rc = rc < 0 ? rc : put_added(passage, &normal, &split);
    }
    return rc;
}

static int put_text(struct passage *passage, struct hearth_slice text)
{
    const struct view view = {text, NULL, 0};
    struct added_scan scan = {.text = text};
    struct added_split split;
    int rc = 0;
    while (rc == 0 && added_next(&passage->tokenizer->raw, &scan, &split)) {
        rc = put_gap(passage, text, split.gap_start, split.gap_end);
        rc = rc < 0 ? rc : put_added(passage, &view, &split);
    }
    return rc;
}

/* What is asked of one call. */
struct request {
    struct hearth_slice texts[2];
    size_t count; /* of texts */
    size_t limit; /* of tokens, special ones included */
    bool add_special;
    bool wants_places;
    size_t kept[2]; /* of each text */
};

static void put_item(struct hearth_encoding *out, const struct template_item *item, uint32_t id)
{
    size_t at = out->count++;
    out->ids[at] = id;
    out->type_ids[at] = item->type_id;
    out->mask[at] = 1;
    out->sequences[at] = item->sequence;
}

/* Puts what is kept of one text. */
static void put_kept(const struct hearth_tokenizer *tokenizer, const struct request *request,
                     const struct template_item *item, struct hearth_encoding *out)
{
    struct token_sink *tokens = &out->scratch->tokens[item->sequence];
    size_t kept = request->kept[item->sequence];
    size_t first = tokens->keeps_last ? tokens->count - kept : 0;
    if (request->wants_places) {
        if (tokenizer->post.trims_places) {
            places_trim(tokenizer, request->texts[item->sequence],
                        &out->scratch->notes[item->sequence], tokens, first, kept);
        }
        if (kept > 0) {
            memcpy(out->places + out->count, tokens->places + first, kept * sizeof *out->places);
        }
    }
    for (size_t i = 0; i < kept; i++) {
        put_item(out, item, tokens->ids[first + i]);
    }
}

static int put_all(const struct hearth_tokenizer *tokenizer, const struct template *template,
                   const struct request *request, struct hearth_encoding *out)
{
    size_t count = request->kept[0] + request->kept[1] + template->special_count;
    int rc = encoding_reserve(out, HEARTH_MAX(count, 1), request->wants_places);
    if (rc < 0) {
        return rc;
    }
    out->places = request->wants_places ? out->place_block : NULL;
    for (size_t i = 0; i < template->count; i++) {
        const struct template_item *item = &template->items[i];
        if (item->sequence != HEARTH_SEQUENCE_SPECIAL) {
            put_kept(tokenizer, request, item, out);
        } else if (request->add_special) {
            if (request->wants_places) {
                out->places[out->count] = (struct hearth_token_place){0, 0};
            }
            put_item(out, item, item->id);
        }
    }
    return 0;
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

static int fail(struct hearth_error *err, int rc)
{
    if (rc == HEARTH_E_TOO_LARGE) {
        return hearth_fail(err, rc,
                           "the text is over %zu bytes once it is normalised, or takes a pattern "
                           "of the tokenizer too many steps",
                           HEARTH_TOKENIZER_MAX_NORMAL_BYTES);
    }
    if (rc == HEARTH_E_TOO_LONG) {
        return hearth_fail(err, rc,
                           "the tokenizer may cut one of the texts only, and that is not "
                           "enough");
    }
    return hearth_fail(err, rc, "%s", hearth_error_sentence(rc));
}

/* All tokens of all texts, or those that the limit can leave. */
static int collect(const struct hearth_tokenizer *tokenizer, const struct request *request,
                   size_t limit, struct hearth_encoding *out)
{
    if (out->scratch == NULL) {
        out->scratch = scratch_create();
        if (out->scratch == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    out->scratch->tokens[1].total = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < request->count; i++) {
        struct token_sink *tokens = &out->scratch->tokens[i];
        token_sink_start(tokens, limit, tokenizer->truncation.keeps_last, request->wants_places);
        hearth_buf_clear(&out->scratch->notes[i]);
        bool trims = request->wants_places && tokenizer->post.trims_places;
        struct passage passage = {
            .parts = {take_part},
            .tokenizer = tokenizer,
            .scratch = out->scratch,
            .tokens = tokens,
            .notes = trims ? &out->scratch->notes[i] : NULL,
            .tracks = request->wants_places || tokenizer->pretokenizer.needs_places,
        };
        rc = put_text(&passage, request->texts[i]);
    }
    return rc;
}

static int encode(const struct hearth_tokenizer *tokenizer, struct request *request,
                  struct hearth_encoding *out, struct hearth_error *err)
{
    const struct template *template =
        request->count == 2 ? &tokenizer->post.pair : &tokenizer->post.single;
    size_t special = request->add_special ? template->special_count : 0;
    if (request->limit < special) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "max_tokens is %zu, and the special tokens alone are %zu",
                           request->limit, special);
    }
    for (size_t i = 0; i < request->count; i++) {
        int rc = check_text(request->texts[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    size_t limit = request->limit - special;
    int rc = collect(tokenizer, request, limit, out);
    if (rc < 0) {
        return fail(err, rc);
    }
    const size_t totals[2] = {out->scratch->tokens[0].total, out->scratch->tokens[1].total};
    rc = truncation_apply(&tokenizer->truncation, limit, totals, request->count, request->kept);
    if (rc == 0) {
        rc = put_all(tokenizer, template, request, out);
    }
    if (rc < 0) {
        encoding_clear(out);
        return fail(err, rc);
    }
    out->full_count = totals[0] + totals[1] + special;
    out->is_truncated = out->count < out->full_count;
    return 0;
}

static struct request request_of(const struct hearth_tokenizer *tokenizer,
                                 const struct hearth_encode_options *options)
{
    const struct hearth_encode_options chosen =
        options != NULL ? *options : hearth_encode_options_default();
    size_t own = tokenizer->facts.default_max_tokens;
    size_t limit = chosen.max_tokens != HEARTH_ENCODE_FILE_LIMIT ? chosen.max_tokens
                   : own > 0                                     ? own
                                                                 : SIZE_MAX;
    return (struct request){
        .limit = limit, .add_special = chosen.add_special, .wants_places = chosen.wants_places};
}

int hearth_tokenizer_encode(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                            const struct hearth_encode_options *options,
                            struct hearth_encoding *out, struct hearth_error *err)
{
    HEARTH_CHECK(tokenizer, TOKENIZER_MAGIC);
    encoding_clear(out);
    struct request request = request_of(tokenizer, options);
    request.texts[0] = text;
    request.count = 1;
    return encode(tokenizer, &request, out, err);
}

int hearth_tokenizer_encode_pair(const struct hearth_tokenizer *tokenizer,
                                 struct hearth_slice first, struct hearth_slice second,
                                 const struct hearth_encode_options *options,
                                 struct hearth_encoding *out, struct hearth_error *err)
{
    HEARTH_CHECK(tokenizer, TOKENIZER_MAGIC);
    encoding_clear(out);
    if (!tokenizer->facts.takes_pairs) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "the tokenizer has no template for pairs");
    }
    struct request request = request_of(tokenizer, options);
    request.texts[0] = first;
    request.texts[1] = second;
    request.count = 2;
    return encode(tokenizer, &request, out, err);
}
