/* scripted_generator.h — what the scripted server answers for the model "generator"; part of
 * scripted_server.h.
 *
 * tell     says what the request asks for, one number after the other, as one text
 * calls    "I look. ", then two tool calls in three parts; the end is tool_calls
 * skips    a tool call whose part has no beginning
 * empty    nothing, in any number of answers
 * choice   the choices, the last one best: 1/2, 1/4, 1/8 …
 * else     so many answers as asked: "a0 b0 c0 ", "a1 b1 c1 " …, of a stream piece by piece in
 * turn, with the scores of "x" (chosen, -1, byte 0xff and NUL) and of "y" (-2) each if asked for;
 *          answer 1 ends with max_tokens, all others with stop
 * All end with 7 of 11 tokens cached, 3 evicted, 9 drafted, 8 accepted, and the fingerprint "f1".
 */

#ifndef HEARTH_SCRIPTED_GENERATOR_H
#define HEARTH_SCRIPTED_GENERATOR_H

#define SCRIPTED_PIECES 3u

static void scripted_end_generation(struct scripted_peer *peer, uint64_t id,
                                    const struct hearth_wire_result *results, uint32_t count)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_response};
    message.as.inference_response = (struct hearth_wire_inference_response){
        .request_id = id,
        .finish_reason = HEARTH_FINISH_STOP,
        .prompt_tokens = 11,
        .cached_tokens = 7,
        .evicted_tokens = 3,
        .cache = HEARTH_CACHE_USED,
        .drafted_tokens = 9,
        .accepted_tokens = 8,
        .fingerprint = hearth_slice_of_string("f1"),
        .left_out_tokens = 6,
        .results = {.count = count, .items = results},
    };
    scripted_send(peer, &message);
}

static void scripted_tell(struct scripted_peer *peer,
                          const struct hearth_wire_inference_request *request)
{
    char text[1024];
    struct hearth_wire_list biases = request->logit_bias;
    struct hearth_wire_list messages = request->messages;
    struct hearth_wire_bias bias = {0};
    struct hearth_wire_chat_message message = {0};
    hearth_wire_next(&biases, HEARTH_RECORD_bias, &bias);
    while (hearth_wire_next(&messages, HEARTH_RECORD_chat_message, &message)) {
    }
    int size =
        snprintf(text, sizeof text,
                 "flags %u n %u typical %g frequency %g presence %g biases %u %u=%g top %u "
                 "grammar %u '%.*s' tools '%.*s' %u domain %llu role %u '%.*s' calls '%.*s' "
                 "name '%.*s' id '%.*s'",
                 request->flags, request->answers, (double)request->typical_p,
                 (double)request->frequency_penalty, (double)request->presence_penalty,
                 request->logit_bias.count, bias.token, (double)bias.bias, request->top_logprobs,
                 request->grammar_type, HEARTH_SLICE_ARGS(request->grammar),
                 HEARTH_SLICE_ARGS(request->tools), request->tool_choice,
                 (unsigned long long)request->cache_domain, message.role,
                 HEARTH_SLICE_ARGS(message.content), HEARTH_SLICE_ARGS(message.tool_calls),
                 HEARTH_SLICE_ARGS(message.name), HEARTH_SLICE_ARGS(message.tool_call_id));
    struct hearth_wire_result result = {.text = hearth_slice_of(text, (size_t)size)};
    HEARTH_ASSERT(size > 0 && (size_t)size < sizeof text);
    scripted_end_generation(peer, request->request_id, &result, 1);
}

static void scripted_calls(struct scripted_peer *peer, uint64_t id, bool is_streamed)
{
    static const char *const parts[] = {"{\"ci", "ty\":1}", "{}"};
    struct hearth_wire_tool_call calls[] = {{.index = 0}, {.index = 0}, {.index = 1}};
    struct hearth_wire_result results[4] = {{.text = hearth_slice_of_string("I look. ")}};
    for (size_t i = 0; i < HEARTH_COUNT(calls); i++) {
        calls[i].arguments = hearth_slice_of_string(parts[i]);
        calls[i].id = hearth_slice_of_string(i == 0 ? "c0" : i == 2 ? "c1" : "");
        calls[i].name = hearth_slice_of_string(i == 0 ? "weather" : i == 2 ? "time" : "");
        results[i + 1].tool_calls = (struct hearth_wire_list){.count = 1, .items = &calls[i]};
    }
    results[3].finish_reason = HEARTH_FINISH_TOOL_CALLS;
    for (size_t i = 0; is_streamed && i < HEARTH_COUNT(results); i++) {
        scripted_chunk(peer, id, &results[i]);
    }
    struct hearth_wire_result whole = results[0];
    calls[0].arguments = hearth_slice_of_string("{\"city\":1}");
    calls[1] = calls[2];
    whole.tool_calls = (struct hearth_wire_list){.count = 2, .items = calls};
    whole.finish_reason = HEARTH_FINISH_TOOL_CALLS;
    scripted_end_generation(peer, id, &whole, is_streamed ? 0 : 1);
}

static void scripted_choice(struct scripted_peer *peer,
                            const struct hearth_wire_inference_request *request)
{
    struct hearth_wire_label labels[HEARTH_MAX_CHOICES];
    struct hearth_wire_list cursor = request->choices;
    struct hearth_wire_choice choice;
    uint32_t count = request->choices.count;
    float score = 1;
    for (uint32_t i = count; hearth_wire_next(&cursor, HEARTH_RECORD_choice, &choice);) {
        labels[--i].name = choice.text;
    }
    for (uint32_t i = 0; i < count; i++) {
        labels[i].score = score /= 2;
    }
    struct hearth_wire_result result = {.labels = {.count = count, .items = labels}};
    scripted_end_generation(peer, request->request_id, &result, 1);
}

static void scripted_answers(struct scripted_peer *peer,
                             const struct hearth_wire_inference_request *request)
{
    static const struct hearth_wire_token_score scores[] = {
        {.id = 5, .logprob = -1, .is_chosen = 1, .text = {(const uint8_t *)"\xff\0", 2}},
        {.id = 6, .logprob = -2, .text = {(const uint8_t *)"y", 1}}};
    struct hearth_wire_token_score placed[SCRIPTED_PIECES][2];
    struct hearth_wire_result results[HEARTH_MAX_ANSWERS] = {{0}};
    char texts[HEARTH_MAX_ANSWERS][SCRIPTED_PIECES * 3 + 1];
    bool is_streamed = (request->flags & HEARTH_FLAG_STREAM) != 0;
    uint32_t scores_each = (request->flags & HEARTH_FLAG_LOGPROBS) != 0 ? 2 : 0;
    uint32_t count = hearth_wire_answers(request);
    for (uint32_t i = 0; i < SCRIPTED_PIECES * count; i++) {
        uint32_t answer = i % count;
        uint32_t place = i / count;
        char *text = texts[answer] + (size_t)place * 3;
        bool is_last = place == SCRIPTED_PIECES - 1;
        const char piece[] = {(char)('a' + (int)place), (char)('0' + (int)answer), ' ', '\0'};
        memcpy(text, piece, sizeof piece);
        memcpy(placed[place], scores, sizeof scores);
        placed[place][0].place = placed[place][1].place = place;
        results[answer] = (struct hearth_wire_result){
            .index = answer,
            .tokens = 1,
            .text = hearth_slice_of_string(text),
            .logprobs = {.count = scores_each, .items = placed[place]},
            .finish_reason = is_last ? (answer == 1 ? HEARTH_FINISH_MAX_TOKENS : HEARTH_FINISH_STOP)
                                     : HEARTH_FINISH_NONE,
        };
        if (is_streamed) {
            scripted_chunk(peer, request->request_id, &results[answer]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        results[i].text = hearth_slice_of_string(texts[i]);
        results[i].tokens = SCRIPTED_PIECES;
        results[i].logprobs.count *= SCRIPTED_PIECES;
        results[i].logprobs.items = placed;
    }
    scripted_end_generation(peer, request->request_id, results, is_streamed ? 0 : count);
}

static void scripted_generator(struct scripted_peer *peer,
                               const struct hearth_wire_inference_request *request,
                               struct hearth_slice input)
{
    bool is_streamed = (request->flags & HEARTH_FLAG_STREAM) != 0;
    if (request->task == HEARTH_TASK_CHOICE) {
        scripted_choice(peer, request);
    } else if (scripted_starts(input, "tell")) {
        scripted_tell(peer, request);
    } else if (scripted_starts(input, "calls")) {
        scripted_calls(peer, request->request_id, is_streamed);
    } else if (scripted_starts(input, "skips")) {
        const struct hearth_wire_tool_call call = {.index = 1};
        struct hearth_wire_result result = {.tool_calls = {.count = 1, .items = &call}};
        scripted_end_generation(peer, request->request_id, &result, 1);
    } else if (scripted_starts(input, "empty")) {
        scripted_end_generation(peer, request->request_id, NULL, 0);
    } else {
        scripted_answers(peer, request);
    }
}

#endif
