/* generate.c — generators without a model. */

#include "generate.h"

#include "hearth_os.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FINGERPRINT_BYTES 32u

/* One answer while it is made. */
struct spoken {
    struct hearth_engine *engine;
    struct hearth_item *item;
    const struct echo_directives *asked;
    uint32_t most;
    uint32_t sent;
};

/* Steps back over one character of valid UTF-8 that ends at @end. */
static size_t character_before(struct hearth_slice text, size_t end)
{
    size_t start = end - 1;
    while (start > 0 && (text.data[start] & 0xc0u) == 0x80u) {
        start--;
    }
    return start;
}

/* The token that ends at @end of the input, as text (in @room if need be) and id; returns where it
 * starts. */
static size_t token_before(const struct hearth_item *item, struct hearth_slice text, size_t end,
                           char room[12], struct hearth_slice *ret_text, uint32_t *ret_id)
{
    if (item->tokens.count == 0) {
        size_t start = character_before(text, end);
        *ret_text = hearth_slice_of(text.data + start, end - start);
        hearth_utf8_read(*ret_text, 0, ret_id);
        return start;
    }
    memcpy(ret_id, text.data + end - sizeof *ret_id, sizeof *ret_id);
    int size = snprintf(room, 12, "%" PRIu32 " ", *ret_id);
    *ret_text = hearth_slice_of(room, (size_t)size);
    return end - sizeof *ret_id;
}

static void tell_scores(const struct spoken *spoken, struct hearth_slice text, uint32_t id)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(spoken->item->job);
    struct hearth_wire_token_score score = {.place = spoken->sent,
                                            .id = id,
                                            .logprob = -(float)(spoken->sent + 1) / 64.0f,
                                            .is_chosen = 1,
                                            .text = text};
    if ((request->flags & HEARTH_FLAG_LOGPROBS) == 0) {
        return;
    }
    hearth_item_logprob(spoken->item, &score);
    for (uint32_t k = 0; k < request->top_logprobs; k++) {
        const char letter = (char)('a' + k);
        score.id = (uint32_t)letter;
        score.is_chosen = 0;
        score.text = hearth_slice_of(&letter, 1);
        score.logprob -= 1.0f;
        hearth_item_logprob(spoken->item, &score);
    }
}

/* Says one token; 0 or why the answer must end. */
static int say(struct spoken *spoken, struct hearth_slice text, uint32_t id)
{
    hearth_item_token(spoken->item, id); /* before its text, as when it is held back */
    tell_scores(spoken, text, id);
    if (spoken->sent > 0 && spoken->asked->pace_ms > 0) {
        echo_wait_ms(spoken->engine, spoken->item, spoken->asked->pace_ms);
    }
    int code = hearth_item_must_end(spoken->item);
    if (code == 0) {
        hearth_item_piece(spoken->item, text, 1);
        spoken->sent++;
    }
    return code;
}

static bool may_go_on(const struct spoken *spoken)
{
    return spoken->most == 0 || spoken->sent < spoken->most;
}

/* *@ret_is_whole: nothing was left out for want of tokens. */
static int say_text(struct spoken *spoken, bool *ret_is_whole)
{
    struct hearth_slice rest = spoken->asked->rest;
    size_t end = rest.size;
    uint32_t marks = spoken->item->index;
    int code = 0;
    while (code == 0 && end > 0 && may_go_on(spoken)) {
        char room[12];
        struct hearth_slice text;
        uint32_t id = 0;
        end = token_before(spoken->item, rest, end, room, &text, &id);
        code = say(spoken, text, id);
    }
    for (; code == 0 && marks > 0 && may_go_on(spoken); marks--) {
        code = say(spoken, hearth_slice_of_string("+"), '+');
    }
    *ret_is_whole = end == 0 && marks == 0;
    return code;
}

/* True if it called any. */
static bool call_tools(struct spoken *spoken)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(spoken->item->job);
    bool may_call = request->tools.size > 0 && request->tool_choice != HEARTH_TOOLS_NONE;
    for (uint32_t i = 0; may_call && i < spoken->asked->tool_count; i++) {
        char id[16];
        char number[16];
        snprintf(id, sizeof id, "call_%u", (unsigned)i);
        snprintf(number, sizeof number, "%u}", (unsigned)i);
        struct hearth_wire_tool_call part = {
            .index = i, .id = hearth_slice_of_string(id), .name = spoken->asked->tools[i]};
        hearth_item_tool_call(spoken->item, &part);
        part = (struct hearth_wire_tool_call){.index = i,
                                              .arguments = hearth_slice_of_string("{\"n\":")};
        hearth_item_tool_call(spoken->item, &part);
        part.arguments = hearth_slice_of_string(number);
        hearth_item_tool_call(spoken->item, &part);
    }
    return may_call && spoken->asked->tool_count > 0;
}

/* What was told by directives; @print has FINGERPRINT_BYTES. */
static struct hearth_item_result told(const struct hearth_item *item,
                                      const struct echo_directives *asked, uint32_t tokens,
                                      char *print)
{
    uint64_t seed = hearth_job_request(item->job)->seed + item->index;
    snprintf(print, FINGERPRINT_BYTES, "echo seed=%" PRIu64, seed);
    return (struct hearth_item_result){
        .prompt_tokens = tokens,
        .cached_tokens = (uint32_t)HEARTH_MIN(asked->cached, (uint64_t)tokens),
        .evicted_tokens = (uint32_t)asked->evicted,
        .evicted_of_others = (uint32_t)asked->pushed,
        .cache = asked->is_cached ? HEARTH_CACHE_USED : HEARTH_CACHE_NOT_CACHEABLE,
        .drafted_tokens = (uint32_t)asked->drafted,
        .accepted_tokens = (uint32_t)HEARTH_MIN(asked->accepted, asked->drafted),
        .fingerprint = print,
    };
}

void echo_answer_text(struct hearth_engine *engine, struct hearth_item *item,
                      const struct echo_directives *asked, uint32_t tokens)
{
    struct spoken spoken = {.engine = engine,
                            .item = item,
                            .asked = asked,
                            .most = hearth_job_request(item->job)->max_tokens};
    bool is_whole = false;
    int code = say_text(&spoken, &is_whole);
    if (code != 0) {
        hearth_item_fail(item, code, NULL);
        return;
    }
    char print[FINGERPRINT_BYTES];
    struct hearth_item_result result = told(item, asked, tokens, print);
    bool has_called = is_whole && call_tools(&spoken);
    result.finish = asked->is_full ? HEARTH_FINISH_CONTEXT_FULL
                    : !is_whole    ? HEARTH_FINISH_MAX_TOKENS
                    : has_called   ? HEARTH_FINISH_TOOL_CALLS
                                   : HEARTH_FINISH_STOP;
    hearth_item_finish(item, &result);
}

void echo_answer_choice(struct hearth_item *item, const struct echo_directives *asked,
                        uint32_t tokens)
{
    struct hearth_wire_list choices = hearth_job_request(item->job)->choices;
    struct hearth_wire_choice choice;
    float scores[HEARTH_MAX_CHOICES];
    float sum = 0;
    uint32_t count = 0;
    while (count < HEARTH_MAX_CHOICES &&
           hearth_wire_next(&choices, HEARTH_RECORD_choice, &choice)) {
        scores[count] = echo_number(asked->rest, choice.text, 0);
        sum += scores[count++];
    }
    for (uint32_t i = 0; i < count; i++) {
        scores[i] /= sum;
    }
    char print[FINGERPRINT_BYTES];
    struct hearth_item_result result = told(item, asked, tokens, print);
    result.scores = scores;
    hearth_item_finish(item, &result);
}
