/* answers.c — generated answers between the engine and the message that takes them along.
 *
 * What was added stays in buffers that grow, so records keep sizes and get their pointers when a
 * message is made. All answers to one prompt share one cap: that of the message which takes them
 * along if they are not streamed. */

#include "reply_priv.h"

#include <string.h>

/* Bytes that a record has in a message beside its texts. */
#define SCORE_BYTES 21u
#define CALL_BYTES  20u
#define ID_BYTES    sizeof(uint32_t)

/* ---- life ---------------------------------------------------------------------------------- */

void answers_init(struct reply *reply)
{
    for (uint32_t i = 0; i < HEARTH_MAX_ANSWERS; i++) {
        struct answer *answer = &reply->answers[i];
        hearth_buf_init(&answer->text, REPLY_ANSWERS_CAP);
        hearth_buf_init(&answer->ids, REPLY_ANSWERS_CAP);
        hearth_buf_init(&answer->scores, ANSWER_SCORES_CAP);
        hearth_buf_init(&answer->score_text, REPLY_ANSWERS_CAP);
        hearth_buf_init(&answer->calls, ANSWER_CALLS_CAP);
        hearth_buf_init(&answer->call_text, REPLY_ANSWERS_CAP);
    }
}

#define ANSWER_BUFFERS 6u

static void buffers_of(struct answer *answer, struct hearth_buf *ret[ANSWER_BUFFERS])
{
    ret[0] = &answer->text;
    ret[1] = &answer->ids;
    ret[2] = &answer->scores;
    ret[3] = &answer->score_text;
    ret[4] = &answer->calls;
    ret[5] = &answer->call_text;
}

/* What a buffer of answer @index may have in any spare reply. */
static size_t usual_bytes(uint32_t index)
{
    return index == 0 ? REPLY_KEEP_BYTES : ANSWER_KEEP_BYTES;
}

void answers_finish(struct reply *reply)
{
    answers_reset(reply);
    for (uint32_t i = 0; i < HEARTH_MAX_ANSWERS; i++) {
        struct hearth_buf *buffers[ANSWER_BUFFERS];
        buffers_of(&reply->answers[i], buffers);
        for (size_t b = 0; b < ANSWER_BUFFERS; b++) {
            hearth_buf_finish(buffers[b]);
        }
    }
}

void answers_reset(struct reply *reply)
{
    for (uint32_t i = 0; i < reply->answer_count; i++) {
        struct answer *answer = &reply->answers[i];
        struct hearth_buf *buffers[ANSWER_BUFFERS];
        buffers_of(answer, buffers);
        for (size_t b = 0; b < ANSWER_BUFFERS; b++) {
            hearth_buf_wipe(buffers[b]);
        }
        answer->kept_bytes = 0;
        answer->tokens = 0;
        answer->untold_tokens = 0;
        answer->finish = HEARTH_FINISH_NONE;
        answer->is_told = false;
    }
    reply->answer_count = 0;
    reply->kept_bytes = 0;
}

size_t answers_large_bytes(struct reply *reply)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < reply->used_answers; i++) {
        struct hearth_buf *buffers[ANSWER_BUFFERS];
        buffers_of(&reply->answers[i], buffers);
        for (size_t b = 0; b < ANSWER_BUFFERS; b++) {
            sum += buffers[b]->room > usual_bytes(i) ? buffers[b]->room : 0;
        }
    }
    return sum;
}

void answers_trim(struct reply *reply)
{
    for (uint32_t i = 0; i < reply->used_answers; i++) {
        struct hearth_buf *buffers[ANSWER_BUFFERS];
        buffers_of(&reply->answers[i], buffers);
        for (size_t b = 0; b < ANSWER_BUFFERS; b++) {
            if (buffers[b]->room > usual_bytes(i)) {
                hearth_buf_finish(buffers[b]);
            }
        }
    }
}

/* ---- adding -------------------------------------------------------------------------------- */

static struct answer *answer_of(struct reply *reply, uint32_t index)
{
    HEARTH_ASSERT(index < reply->answer_count);
    return &reply->answers[index];
}

/* Counts @bytes of a message; HEARTH_E_TOO_LARGE if they do not fit any more. */
static int count_bytes(struct reply *reply, struct answer *answer, size_t bytes)
{
    if (bytes > REPLY_ANSWERS_CAP - reply->kept_bytes) {
        return HEARTH_E_TOO_LARGE;
    }
    reply->kept_bytes += bytes;
    answer->kept_bytes += bytes;
    return 0;
}

int answer_add_text(struct reply *reply, uint32_t index, struct hearth_slice text)
{
    struct answer *answer = answer_of(reply, index);
    int rc = count_bytes(reply, answer, text.size);
    return rc != 0 ? rc : hearth_buf_append(&answer->text, text.data, text.size);
}

int answer_add_id(struct reply *reply, uint32_t index, uint32_t id)
{
    struct answer *answer = answer_of(reply, index);
    int rc = count_bytes(reply, answer, ID_BYTES);
    return rc != 0 ? rc : hearth_buf_append(&answer->ids, &id, sizeof id);
}

int answer_add_score(struct reply *reply, uint32_t index,
                     const struct hearth_wire_token_score *score)
{
    struct answer *answer = answer_of(reply, index);
    struct hearth_wire_token_score kept = *score;
    kept.text.data = NULL;
    int rc = count_bytes(reply, answer, SCORE_BYTES + score->text.size);
    rc = rc != 0 ? rc : hearth_buf_append(&answer->score_text, score->text.data, score->text.size);
    return rc != 0 ? rc : hearth_buf_append(&answer->scores, &kept, sizeof kept);
}

static int add_call_text(struct answer *answer, const struct hearth_wire_tool_call *part)
{
    struct hearth_buf *text = &answer->call_text;
    int rc = hearth_buf_append(text, part->id.data, part->id.size);
    rc = rc != 0 ? rc : hearth_buf_append(text, part->name.data, part->name.size);
    return rc != 0 ? rc : hearth_buf_append(text, part->arguments.data, part->arguments.size);
}

/* One call after the other; what follows the first part of one are arguments. */
int answer_add_call(struct reply *reply, uint32_t index, const struct hearth_wire_tool_call *part)
{
    struct answer *answer = answer_of(reply, index);
    size_t count = answer->calls.size / sizeof *part;
    bool is_next = part->index == count;
    if (!is_next && (part->index + 1 != count || part->id.size + part->name.size > 0)) {
        return HEARTH_E_INTERNAL;
    }
    size_t bytes = part->id.size + part->name.size + part->arguments.size;
    int rc = count_bytes(reply, answer, bytes + (is_next ? CALL_BYTES : 0));
    rc = rc != 0 ? rc : add_call_text(answer, part);
    if (rc == 0 && is_next) {
        return hearth_buf_append(&answer->calls, part, sizeof *part);
    }
    if (rc == 0) {
        struct hearth_wire_tool_call *calls = (void *)answer->calls.data;
        calls[count - 1].arguments.size += part->arguments.size;
    }
    return rc;
}

/* ---- the wire's view ----------------------------------------------------------------------- */

/* The next @slice->size bytes at *@at. */
static void point(struct hearth_slice *slice, const uint8_t **at)
{
    *slice = hearth_slice_of(slice->size > 0 ? *at : NULL, slice->size);
    *at += slice->size;
}

/* Of the first @tokens tokens: there may be one more whose text was held back when the request was
 * cancelled, and that is part of no answer. */
static struct hearth_wire_u32s ids_of(const struct answer *answer, uint32_t tokens)
{
    size_t count = answer->ids.size / ID_BYTES;
    return (struct hearth_wire_u32s){answer->ids.data, (uint32_t)HEARTH_MIN(count, (size_t)tokens)};
}

/* The same; their place is told in the whole answer. */
static struct hearth_wire_list scores_of(struct answer *answer)
{
    struct hearth_wire_token_score *scores = (void *)answer->scores.data;
    size_t count = answer->scores.size / sizeof *scores;
    const uint8_t *at = answer->score_text.data;
    uint32_t told = 0;
    for (; told < count && scores[told].place < answer->tokens; told++) {
        point(&scores[told].text, &at);
    }
    return (struct hearth_wire_list){.count = told, .items = told > 0 ? scores : NULL};
}

static struct hearth_wire_list calls_of(struct answer *answer)
{
    struct hearth_wire_tool_call *calls = (void *)answer->calls.data;
    size_t count = answer->calls.size / sizeof *calls;
    const uint8_t *at = answer->call_text.data;
    for (size_t i = 0; i < count; i++) {
        point(&calls[i].id, &at);
        point(&calls[i].name, &at);
        point(&calls[i].arguments, &at);
    }
    return (struct hearth_wire_list){.count = (uint32_t)count, .items = count > 0 ? calls : NULL};
}

/* None of @bytes stay behind. */
static void drop_front(struct hearth_buf *buf, size_t bytes)
{
    hearth_buf_consume(buf, bytes);
    hearth_wipe(buf->data + buf->size, bytes); /* where the rest was */
}

bool answer_has_notes(const struct reply *reply, uint32_t index)
{
    return reply->answers[index].ids.size > 0 || reply->answers[index].scores.size > 0;
}

void answer_take_notes(struct reply *reply, uint32_t index, struct hearth_wire_result *into)
{
    struct answer *answer = answer_of(reply, index);
    into->tokens = answer->untold_tokens;
    into->token_ids = ids_of(answer, answer->untold_tokens);
    into->logprobs = scores_of(answer);
    answer->untold_tokens = 0;
}

/* An engine may note a token before the text of the one before it is out: that stays. */
void answer_drop_notes(struct reply *reply, uint32_t index, const struct hearth_wire_result *told)
{
    struct answer *answer = answer_of(reply, index);
    struct hearth_wire_list scores = told->logprobs;
    struct hearth_wire_token_score score;
    size_t text_bytes = 0;
    while (hearth_wire_next(&scores, HEARTH_RECORD_token_score, &score)) {
        text_bytes += score.text.size;
    }
    size_t ids_bytes = told->token_ids.count * ID_BYTES;
    size_t bytes = ids_bytes + told->logprobs.count * SCORE_BYTES + text_bytes;
    reply->kept_bytes -= bytes;
    answer->kept_bytes -= bytes;
    drop_front(&answer->ids, ids_bytes);
    drop_front(&answer->scores, told->logprobs.count * sizeof score);
    drop_front(&answer->score_text, text_bytes);
}

struct hearth_wire_list answers_all(struct reply *reply)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < reply->answer_count; i++) {
        struct answer *answer = &reply->answers[i];
        if (answer->is_told) {
            reply->results[count++] = (struct hearth_wire_result){
                .index = i,
                .tokens = answer->tokens,
                .text = hearth_buf_slice(&answer->text),
                .token_ids = ids_of(answer, answer->tokens),
                .logprobs = scores_of(answer),
                .tool_calls = calls_of(answer),
                .finish_reason = (uint8_t)answer->finish,
            };
        }
    }
    return (struct hearth_wire_list){.count = count, .items = reply->results};
}

/* ---- the request as a whole ---------------------------------------------------------------- */

/* Several answers share one prompt: it is counted once, and what the first of them left in the
 * cache was not there before the request. */
void told_add(struct told *told, uint32_t index, bool is_one_prompt,
              const struct hearth_item_result *result)
{
    bool is_first = told->items++ == 0;
    if (is_one_prompt) {
        told->prompt_tokens = HEARTH_MAX(told->prompt_tokens, result->prompt_tokens);
        told->cached_tokens = is_first ? result->cached_tokens
                                       : HEARTH_MIN(told->cached_tokens, result->cached_tokens);
    } else {
        told->prompt_tokens += result->prompt_tokens;
        told->cached_tokens += result->cached_tokens;
    }
    told->evicted_tokens += result->evicted_tokens;
    told->evicted_of_others += result->evicted_of_others;
    told->left_out_tokens = HEARTH_MAX(told->left_out_tokens, result->left_out_tokens);
    told->drafted_tokens += result->drafted_tokens;
    told->accepted_tokens += result->accepted_tokens;
    if (index == 0) {
        told->cache = result->cache;
        hearth_slice_to_string(
            hearth_slice_of_string(result->fingerprint != NULL ? result->fingerprint : ""),
            told->fingerprint, sizeof told->fingerprint);
    }
}
