/* rules.c — what may come next, and what must.
 *
 * The token that the model would take is tried alone first: most of the time it fits, and that
 * costs next to nothing. Only when it is refused the tokens that fit are found, all at once, and
 * one of these is taken. Bytes that nothing but one way leads through are not sampled at all. When
 * few tokens are left, a token after which the answer could no longer be completed is refused too,
 * and the shortest way to the end is taken instead.
 *
 * A call of a tool is three rules one after another: its head with one of the names, the arguments
 * by the schema of that tool, and a fixed tail. */

#include "gguf_engine.h"

#include <inttypes.h>

#define FORCED_BYTES  512u
#define CLOSING_BYTES 2048u

static const char call_tail[] = "}\n" HEARTH_TOOL_CLOSE_TAG;

static struct hearth_slice tail_of(const struct gguf_rules *rules)
{
    bool has_tail = rules->phase == GGUF_ARGUMENTS;
    return hearth_slice_of_string(has_tail ? call_tail : "");
}

static bool is_followed(const struct gguf_rules *rules)
{
    return rules->phase != GGUF_FREE && rules->phase != GGUF_LOOSE;
}

/* ---- tokens that must come ------------------------------------------------------------------- */

/* Makes @text what comes next; false if no tokens give it within @most. */
static bool force(struct hearth_engine *engine, struct gguf_rules *rules, struct hearth_slice text,
                  bool knows_tags, size_t most)
{
    rules->forced_at = 0;
    rules->forced_count = gguf_tokens_of(engine, text, knows_tags, rules->forced,
                                         HEARTH_MIN(most, (size_t)GGUF_MAX_FORCED));
    return rules->forced_count > 0;
}

/* The shortest way from where @matcher stands to the end becomes what comes next; false if it takes
 * more than @left tokens. */
static bool force_closing(struct hearth_engine *engine, struct gguf_rules *rules,
                          struct hearth_matcher *matcher, size_t left)
{
    uint8_t closing[CLOSING_BYTES];
    struct hearth_slice tail = tail_of(rules);
    size_t size = hearth_matcher_distance(matcher);
    if (size + tail.size > sizeof closing) {
        return false;
    }
    size = hearth_matcher_closing(matcher, closing, size);
    memcpy(closing + size, tail.data, tail.size);
    return force(engine, rules, hearth_slice_of(closing, size + tail.size), tail.size > 0, left);
}

/* Whether the answer can be completed with @left tokens from where the matcher stands. A token has
 * at least one byte, so this is mostly told without asking the tokenizer. */
static bool can_close(struct hearth_engine *engine, struct gguf_rules *rules, size_t left)
{
    size_t bytes = hearth_matcher_distance(rules->matcher) + tail_of(rules).size;
    if (bytes <= left || rules->phase == GGUF_HEAD) {
        return true;
    }
    bool can = force_closing(engine, rules, rules->matcher, left);
    rules->forced_count = 0;
    return can;
}

/* Goes on by @text, for which @count tokens of those that are left are used, if the answer can be
 * completed behind it. 1 if not: nothing has changed then. */
static int go_on(struct hearth_engine *engine, struct gguf_sequence *sequence,
                 struct hearth_slice text, size_t count, struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    size_t left = gguf_tokens_left(engine, sequence);
    int rc = hearth_matcher_copy(rules->spare, rules->matcher, err);
    rc = rc < 0 ? rc : hearth_matcher_take(rules->matcher, text, err);
    if (rc < 0 || can_close(engine, rules, left > count ? left - count : 0)) {
        return rc;
    }
    struct hearth_matcher *before = rules->spare;
    bool could = hearth_matcher_distance(before) + tail_of(rules).size == 0 ||
                 force_closing(engine, rules, before, left);
    if (!could) {
        return 0; /* it never could: it ends where its tokens end */
    }
    rules->spare = rules->matcher;
    rules->matcher = before;
    rules->ends_when_forced = true;
    return 1;
}

/* Makes the bytes that must come next, if there are any, the next tokens. */
static int force_next(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    uint8_t bytes[FORCED_BYTES];
    size_t size = hearth_matcher_forced(rules->matcher, bytes, sizeof bytes);
    struct hearth_slice text =
        hearth_slice_of(bytes, hearth_utf8_complete_bytes(hearth_slice_of(bytes, size)));
    llama_token tokens[FORCED_BYTES];
    if (text.size == 0 || !hearth_utf8_is_valid(text)) {
        return 0;
    }
    size_t count =
        gguf_tokens_of(engine, text, false, tokens,
                       HEARTH_MIN(sizeof bytes, (size_t)gguf_tokens_left(engine, sequence)));
    int rc = count == 0 ? 0 : go_on(engine, sequence, text, count, err);
    if (rc == 0) {
        memcpy(rules->forced, tokens, count * sizeof *tokens);
        rules->forced_at = 0;
        rules->forced_count = count;
    }
    return rc < 0 ? rc : 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static int make_matchers(struct gguf_rules *rules, struct hearth_error *err)
{
    int rc = 0;
    if (rules->matcher == NULL) {
        rc = hearth_matcher_create(&rules->matcher, err);
    }
    if (rc == 0 && rules->spare == NULL) {
        rc = hearth_matcher_create(&rules->spare, err);
    }
    return rc;
}

/* Both matchers stand at the beginning of @grammar. */
static int begin_phase(struct gguf_rules *rules, enum gguf_phase phase,
                       struct hearth_grammar *grammar, struct hearth_error *err)
{
    rules->phase = phase;
    int rc = hearth_matcher_begin(rules->matcher, grammar, err);
    return rc < 0 ? rc : hearth_matcher_begin(rules->spare, grammar, err);
}

static int begin_answer(struct hearth_engine *engine, struct gguf_sequence *sequence,
                        const struct hearth_wire_inference_request *request,
                        struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    bool is_schema = request->grammar_type == HEARTH_GRAMMAR_JSON_SCHEMA;
    HEARTH_AUTO(hearth_grammar) struct hearth_grammar *grammar = NULL;
    int rc = gguf_grammars_get(&engine->room->grammars, request->cache_domain,
                               is_schema ? HEARTH_GRAMMAR_KIND_SCHEMA : HEARTH_GRAMMAR_KIND_GBNF,
                               request->grammar, &grammar, err);
    if (rc == HEARTH_E_INPUT_INVALID || rc == HEARTH_E_UNSUPPORTED) {
        return hearth_because(err, rc, "grammar");
    }
    rc = rc < 0 ? rc : begin_phase(rules, GGUF_ANSWER, grammar, err);
    return rc < 0 ? rc : force_next(engine, sequence, err);
}

int gguf_begin_rules(struct hearth_engine *engine, struct gguf_sequence *sequence,
                     struct hearth_error *err)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    struct gguf_rules *rules = &sequence->after->rules;
    bool has_grammar = request->grammar_type != HEARTH_GRAMMAR_NONE;
    bool has_tools = request->task == HEARTH_TASK_CHAT && request->tools.size > 0 &&
                     request->tool_choice != HEARTH_TOOLS_NONE;
    rules->phase = GGUF_FREE;
    if (!has_grammar && !has_tools) {
        return 0;
    }
    int rc = gguf_prepare_rules(engine, err);
    rc = rc < 0 ? rc : make_matchers(rules, err);
    if (rc == 0 && has_grammar) {
        return begin_answer(engine, sequence, request, err);
    }
    rc = rc < 0 ? rc : gguf_read_tools(engine, rules, request, err);
    if (rc == 0 && request->tool_choice == HEARTH_TOOLS_REQUIRED) {
        (void)force(engine, rules, hearth_slice_of_string(HEARTH_TOOL_OPEN_TAG), true,
                    GGUF_MAX_FORCED);
    }
    return rc;
}

void gguf_end_rules(struct gguf_rules *rules)
{
    gguf_forget_tools(rules);
    hearth_wipe(rules->forced, sizeof rules->forced);
    rules->phase = GGUF_FREE;
    rules->forced_count = 0;
    rules->forced_at = 0;
    rules->ends_when_forced = false;
}

void gguf_destroy_rules(struct gguf_rules *rules)
{
    gguf_forget_tools(rules);
    hearth_matcher_destroy(rules->matcher);
    hearth_matcher_destroy(rules->spare);
}

/* ---- the next token -------------------------------------------------------------------------- */

static bool may_end(const struct gguf_rules *rules)
{
    return rules->phase == GGUF_ANSWER && hearth_matcher_may_end(rules->matcher);
}

/* Whether the rules let @token come next; its text to *@ret, in @piece. */
static bool is_fine(struct hearth_engine *engine, struct gguf_rules *rules, llama_token token,
                    char *piece, struct hearth_slice *ret)
{
    *ret = hearth_slice_of(piece, 0);
    if (llama_vocab_is_eog(engine->vocab, token)) {
        return may_end(rules);
    }
    int32_t size = gguf_piece(engine->vocab, token, false, piece, HEARTH_GRAMMAR_MAX_TOKEN_BYTES);
    ret->size = size > 0 ? (size_t)size : 0;
    return ret->size > 0 && hearth_matcher_fits(rules->matcher, *ret);
}

static int find_fitting(struct hearth_engine *engine, struct gguf_rules *rules,
                        struct hearth_error *err)
{
    struct gguf_room *room = engine->room;
    room->masks++;
    int rc = hearth_matcher_mask(rules->matcher, room->vocabulary, room->mask, err);
    for (size_t i = 0; rc == 0 && may_end(rules) && i < room->end_count; i++) {
        room->mask[room->ends[i] / 64] |= UINT64_C(1) << (room->ends[i] % 64);
    }
    return rc;
}

/* A token that the rules let come next; its text to *@ret, in @piece. */
static llama_token pick_fitting(struct hearth_engine *engine, struct gguf_after *after,
                                const float *logits, char *piece, struct hearth_slice *ret,
                                struct hearth_error *err)
{
    llama_token token = gguf_pick(&after->sampling, engine->room, logits, engine->vocab_size, NULL);
    if (token < 0 || !is_followed(&after->rules) ||
        is_fine(engine, &after->rules, token, piece, ret)) {
        return token;
    }
    int rc = find_fitting(engine, &after->rules, err);
    if (rc < 0) {
        return rc;
    }
    token =
        gguf_pick(&after->sampling, engine->room, logits, engine->vocab_size, engine->room->mask);
    if (token >= 0 && is_fine(engine, &after->rules, token, piece, ret)) {
        return token;
    }
    return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                       "%s: no token of this model may come where the answer is now: its "
                       "vocabulary lacks what is wanted there, or logit_bias forbids it; allow "
                       "other characters, or lift the bias",
                       after->rules.phase == GGUF_ANSWER ? "grammar" : "tools");
}

llama_token gguf_pick_by_rules(struct hearth_engine *engine, struct gguf_sequence *sequence,
                               const float *logits, struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    char piece[HEARTH_GRAMMAR_MAX_TOKEN_BYTES] = "";
    struct hearth_slice text = hearth_slice_of(piece, 0);
    if (gguf_has_forced(rules)) {
        return rules->forced[rules->forced_at++];
    }
    llama_token token = pick_fitting(engine, sequence->after, logits, piece, &text, err);
    if (token == -1) {
        return hearth_fail(err, HEARTH_E_ENGINE_FAILED,
                           "after %" PRIu32 " tokens the model's output is not a number",
                           sequence->count);
    }
    if (token < 0 || text.size == 0 || !is_followed(rules)) {
        return token;
    }
    int rc = go_on(engine, sequence, text, 1, err);
    if (rc <= 0) {
        return rc < 0 ? rc : token;
    }
    bool is_there = !gguf_has_forced(rules); /* the answer is complete as it is */
    return is_there && engine->room->end_count > 0 ? engine->room->ends[0]
                                                   : rules->forced[rules->forced_at++];
}

/* ---- behind a token -------------------------------------------------------------------------- */

/* A tag has been generated: the rules of a call begin, if it goes on as they would have it. */
static int begin_call(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct hearth_slice behind, struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    int rc = begin_phase(rules, GGUF_HEAD, rules->heads, err);
    if (rc < 0) {
        return rc;
    }
    if (behind.size > 0 && (!hearth_matcher_fits(rules->matcher, behind) ||
                            hearth_matcher_take(rules->matcher, behind, NULL) < 0)) {
        rules->phase = GGUF_LOOSE;
        return 0;
    }
    return force_next(engine, sequence, err);
}

/* The head is complete: what the tool takes comes next. */
static int begin_arguments(struct hearth_engine *engine, struct gguf_sequence *sequence,
                           struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    const struct hearth_tool_calls *calls = &sequence->after->output.calls;
    struct hearth_slice name = hearth_slice_of(calls->held + calls->name_at, calls->name_bytes);
    for (size_t i = 0; i < rules->tool_count; i++) {
        if (hearth_slice_equal(name, rules->names[i])) {
            int rc = begin_phase(rules, GGUF_ARGUMENTS, rules->tools[i].arguments, err);
            return rc < 0 ? rc : force_next(engine, sequence, err);
        }
    }
    return hearth_fail(err, HEARTH_E_INTERNAL, "a call of a tool that there is not");
}

static int follow_call(struct hearth_engine *engine, struct gguf_sequence *sequence,
                       struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    const struct hearth_tool_calls *calls = &sequence->after->output.calls;
    struct hearth_slice behind;
    if (rules->phase == GGUF_LOOSE) {
        rules->phase = hearth_tool_calls_is_inside(calls) ? GGUF_LOOSE : GGUF_FREE;
    }
    if (rules->phase == GGUF_FREE || rules->phase == GGUF_LOOSE) {
        bool is_open = rules->phase == GGUF_FREE && hearth_tool_calls_is_open(calls, &behind);
        return is_open ? begin_call(engine, sequence, behind, err) : 0;
    }
    if (!hearth_matcher_must_end(rules->matcher)) {
        return force_next(engine, sequence, err);
    }
    if (rules->phase == GGUF_HEAD) {
        return begin_arguments(engine, sequence, err);
    }
    rules->phase = GGUF_FREE;
    (void)force(engine, rules, hearth_slice_of_string(call_tail), true, GGUF_MAX_FORCED);
    return 0;
}

int gguf_follow_rules(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct hearth_error *err)
{
    struct gguf_rules *rules = &sequence->after->rules;
    if (gguf_has_forced(rules)) {
        return 0;
    }
    if (rules->ends_when_forced) {
        return 1;
    }
    if (rules->phase != GGUF_ANSWER) {
        return rules->tool_count > 0 ? follow_call(engine, sequence, err) : 0;
    }
    return hearth_matcher_must_end(rules->matcher) ? 1 : force_next(engine, sequence, err);
}
