/* test_generation.c — what a worker may say of texts, choices and its prefix cache. */

#include "kit.h"

#include "pool_priv.h"

#include <math.h>
#include <string.h>

struct answer {
    struct hearth_manifest manifest;
    struct answer_rules rules;
    struct hearth_ticket ticket;
    struct hearth_wire_inference_response end;
    struct hearth_wire_result results[3];
    struct hearth_wire_token_score scores[6];
    struct hearth_wire_tool_call calls[HEARTH_MAX_TOOL_CALLS + 1];
    struct hearth_wire_label labels[4];
};

static struct answer a; /* a sound one: the tests change one thing */

static void sound(uint32_t answers, bool is_stream)
{
    memset(&a, 0, sizeof a);
    a.rules = (struct answer_rules){.manifest = &a.manifest};
    a.ticket = (struct hearth_ticket){.id = 1,
                                      .inputs = answers,
                                      .task = HEARTH_TASK_CHAT,
                                      .is_stream = is_stream,
                                      .scores_per_token = 3,
                                      .has_tools = true};
    for (uint32_t i = 0; i < answers; i++) {
        a.results[i] = (struct hearth_wire_result){.index = i,
                                                   .tokens = 2,
                                                   .text = hearth_slice_of_string("ab"),
                                                   .finish_reason = HEARTH_FINISH_STOP};
    }
    a.end.prompt_tokens = 10;
    a.end.finish_reason = HEARTH_FINISH_STOP;
    a.end.results = (struct hearth_wire_list){.count = is_stream ? 0 : answers, .items = a.results};
    for (uint32_t i = 0; i < HEARTH_COUNT(a.scores); i++) {
        a.scores[i] = (struct hearth_wire_token_score){.place = i / 3, .logprob = -0.5f};
    }
    for (uint32_t i = 0; i < HEARTH_COUNT(a.calls); i++) {
        a.calls[i] = (struct hearth_wire_tool_call){.index = i,
                                                    .id = hearth_slice_of_string("id"),
                                                    .name = hearth_slice_of_string("tool"),
                                                    .arguments = hearth_slice_of_string("{}")};
    }
}

static void must_be(const char *wrong, const char *wanted)
{
    if ((wrong == NULL) != (wanted == NULL) || (wrong != NULL && strcmp(wrong, wanted) != 0)) {
        fail_msg("\"%s\", wanted \"%s\"", wrong != NULL ? wrong : "sound",
                 wanted != NULL ? wanted : "sound");
    }
}

static void expect_end(const char *wanted)
{
    must_be(answer_check_end(&a.ticket, &a.rules, &a.end), wanted);
}

static void expect_chunk(struct hearth_wire_result result, const char *wanted)
{
    const struct hearth_wire_stream_chunk chunk = {.results = {.count = 1, .items = &result}};
    must_be(answer_check_chunk(&a.ticket, &a.rules, &chunk), wanted);
}

/* ---- several answers ---------------------------------------------------------------------- */

static void each_answer_has_one_result_and_one_end(void **state)
{
    (void)state;
    sound(3, false);
    expect_end(NULL);
    sound(3, false);
    a.results[2].index = 3;
    expect_end("result for an input that was not given");
    sound(3, false);
    a.results[2].index = 1;
    expect_end("second result for one input");
    sound(3, false);
    a.end.results.count = 2;
    expect_end("inputs without a result");
    sound(3, false);
    a.results[1].finish_reason = HEARTH_FINISH_NONE;
    expect_end("answers without an end");
}

static void answers_of_a_stream_mix_until_each_has_ended(void **state)
{
    (void)state;
    sound(2, true);
    const struct hearth_wire_result piece = {.tokens = 1, .text = hearth_slice_of_string("x")};
    struct hearth_wire_result other = piece;
    struct hearth_wire_result last = {.finish_reason = HEARTH_FINISH_MAX_TOKENS};
    other.index = 1;
    expect_chunk(other, NULL);
    expect_chunk(piece, NULL);
    expect_chunk(last, NULL);
    expect_chunk(piece, "piece of an answer that has ended");
    expect_chunk(other, NULL);
    a.end.finish_reason = HEARTH_FINISH_MAX_TOKENS;
    expect_end("answers without an end");
    last.index = 1;
    last.finish_reason = HEARTH_FINISH_STOP;
    expect_chunk(last, NULL);
    expect_end(NULL);
    a.end.finish_reason = HEARTH_FINISH_STOP;
    expect_end("end that is not that of the first answer");
}

static void a_lone_stream_ends_with_its_request(void **state)
{
    (void)state;
    sound(1, true);
    expect_end(NULL); /* an empty text */
    expect_chunk((struct hearth_wire_result){.tokens = 1, .text = hearth_slice_of_string("x")},
                 NULL);
    expect_end(NULL);
}

static void an_error_is_no_end_and_an_end_no_error(void **state)
{
    (void)state;
    const struct {
        int code;
        enum hearth_finish_reason finish;
        const char *wrong;
    } rows[] = {
        {0, HEARTH_FINISH_STOP, NULL},
        {0, HEARTH_FINISH_MAX_TOKENS, "end that is not that of the first answer"},
        {0, HEARTH_FINISH_NONE, "request that ended in no lawful way"},
        {0, HEARTH_FINISH_TIMEOUT, "request that ended in no lawful way"},
        {0, HEARTH_FINISH_FAILED, "request that ended in no lawful way"},
        {0, 8, "request that ended in no lawful way"},
        {HEARTH_E_EXPIRED, HEARTH_FINISH_TIMEOUT, NULL},
        {HEARTH_E_EXPIRED, HEARTH_FINISH_STOP, "error that is told as an end"},
        {HEARTH_E_EXPIRED, HEARTH_FINISH_MAX_TOKENS, "error that is told as an end"},
        {HEARTH_E_CANCELLED, HEARTH_FINISH_CANCELLED, NULL},
        {HEARTH_E_ENGINE_FAILED, HEARTH_FINISH_FAILED, NULL},
        {HEARTH_E_ENGINE_FAILED, HEARTH_FINISH_CONTEXT_FULL, "error that is told as an end"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        sound(1, false);
        a.end.code = (uint16_t)-rows[i].code;
        a.end.finish_reason = (uint8_t)rows[i].finish;
        expect_end(rows[i].wrong);
    }
    sound(1, false);
    a.results[0].finish_reason = HEARTH_FINISH_FAILED;
    expect_end("answer that ended in no lawful way");
    sound(1, false);
    a.results[0].finish_reason = a.end.finish_reason = HEARTH_FINISH_TOOL_CALLS;
    expect_end(NULL);
    a.ticket.has_tools = false;
    a.ticket.seen = a.ticket.ended = 0;
    expect_end("answer that ended in no lawful way");
}

/* ---- scores and calls --------------------------------------------------------------------- */

static void scores_are_as_many_as_asked_and_logarithms(void **state)
{
    (void)state;
    const struct {
        uint32_t count;
        uint32_t per_token;
        float logprob;
        uint32_t place;
        const char *wrong;
    } rows[] = {
        {6, 3, 0.0f, 1, NULL},
        {6, 2, 0.0f, 1, "more log-probabilities than were asked for"},
        {1, 0, 0.0f, 1, "more log-probabilities than were asked for"},
        {6, 3, 0.5f, 1, "log-probability that is none"},
        {6, 3, NAN, 1, "log-probability that is none"},
        {6, 3, -INFINITY, 1, "log-probability that is none"},
        {6, 3, 0.0f, 0, "log-probabilities that are not in the order of the text"},
        {6, 3, 0.0f, UINT32_MAX, "log-probabilities that are not in the order of the text"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        sound(1, false);
        a.ticket.scores_per_token = rows[i].per_token;
        a.scores[5].logprob = rows[i].logprob;
        a.scores[5].place = rows[i].place;
        a.results[0].logprobs = (struct hearth_wire_list){rows[i].count, a.scores, {0}};
        expect_end(rows[i].wrong);
    }
}

static struct hearth_wire_result calls(uint32_t first, uint32_t count)
{
    return (struct hearth_wire_result){.tool_calls = {.count = count, .items = a.calls + first}};
}

static void calls_come_one_after_the_other(void **state)
{
    (void)state;
    const struct hearth_wire_tool_call more = {.arguments = hearth_slice_of_string("{")};
    struct hearth_wire_result part = {.tool_calls = {.count = 1, .items = &more}};
    sound(1, true);
    expect_chunk(calls(0, 1), NULL);
    expect_chunk(part, NULL);
    expect_chunk(calls(0, 1), "calls of tools that are out of order"); /* named a second time */
    expect_chunk(calls(2, 1), "calls of tools that are out of order");
    expect_chunk(calls(1, 2), NULL);
    expect_chunk(part, "calls of tools that are out of order"); /* of a call that is over */
    a.calls[3].name.size = 0;
    expect_chunk(calls(3, 1), "calls of tools that are out of order");
    a.ticket.has_tools = false;
    expect_chunk(calls(3, 1), "call of a tool where there are none");

    sound(1, false);
    a.results[0].tool_calls = (struct hearth_wire_list){HEARTH_MAX_TOOL_CALLS, a.calls, {0}};
    expect_end(NULL);
    sound(1, false);
    a.results[0].tool_calls = (struct hearth_wire_list){HEARTH_MAX_TOOL_CALLS + 1, a.calls, {0}};
    expect_end("calls of tools that are out of order");
    sound(1, false);
    a.calls[1] = more;
    a.results[0].tool_calls = (struct hearth_wire_list){2, a.calls, {0}};
    expect_end("calls of tools that are out of order");
}

static void calls_of_one_answer_are_not_those_of_another(void **state)
{
    (void)state;
    struct hearth_wire_result second;
    sound(2, true);
    second = calls(0, 1);
    second.index = 1;
    expect_chunk(calls(0, 2), NULL);
    expect_chunk(second, NULL);
    second = calls(2, 1);
    second.index = 1;
    expect_chunk(second, "calls of tools that are out of order");
}

/* ---- choices ------------------------------------------------------------------------------ */

static void choose(const char *first, float high, const char *second, float low)
{
    sound(1, false);
    a.ticket.task = HEARTH_TASK_CHOICE;
    a.ticket.choices = hearth_slice_of_string("\003yes\002no");
    a.ticket.choice_count = 2;
    a.labels[0] = (struct hearth_wire_label){hearth_slice_of_string(first), high, 0};
    a.labels[1] = (struct hearth_wire_label){hearth_slice_of_string(second), low, 0};
    a.results[0] = (struct hearth_wire_result){.labels = {.count = 2, .items = a.labels}};
    a.end.finish_reason = HEARTH_FINISH_NONE;
}

static void choices_are_those_of_the_request_best_first(void **state)
{
    (void)state;
    const struct {
        const char *first;
        float high;
        const char *second;
        float low;
        const char *wrong;
    } rows[] = {
        {"no", 0.75f, "yes", 0.25f, NULL},
        {"yes", 0.5f, "no", 0.5f, NULL},
        {"yes", 0.25f, "no", 0.75f, "choices that are not best first"},
        {"yes", 0.5f, "yes", 0.5f, "choice that was not given, or twice"},
        {"yes", 0.5f, "ye", 0.5f, "choice that was not given, or twice"},
        {"\003yes", 0.5f, "no", 0.5f, "choice that was not given, or twice"},
        {"yes", 1.5f, "no", 0.0f, "score of a choice is not a probability"},
        {"yes", 0.5f, "no", -0.5f, "score of a choice is not a probability"},
        {"yes", NAN, "no", 0.0f, "score of a choice is not a probability"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        choose(rows[i].first, rows[i].high, rows[i].second, rows[i].low);
        expect_end(rows[i].wrong);
    }
    choose("yes", 0.5f, "no", 0.5f);
    a.results[0].labels.count = 1;
    expect_end("labels of a result are not as many as the choices");
    choose("yes", 0.5f, "no", 0.5f);
    a.end.finish_reason = HEARTH_FINISH_STOP;
    expect_end("end of a text where there is none");
}

/* ---- the cache ---------------------------------------------------------------------------- */

static void what_is_told_of_the_cache_adds_up(void **state)
{
    (void)state;
    sound(1, false);
    a.end.cached_tokens = 10;
    a.end.evicted_tokens = 1000;
    a.end.cache = HEARTH_CACHE_USED;
    a.end.drafted_tokens = a.end.accepted_tokens = 7;
    a.end.fingerprint = hearth_slice_of_string("model=ab ~ seed=7");
    const struct hearth_wire_inference_response good = a.end;
    expect_end(NULL);
    sound(1, false);
    a.end = good;
    a.end.cached_tokens = 11;
    expect_end("more cached tokens than the prompt has");
    sound(1, false);
    a.end = good;
    a.end.accepted_tokens = 8;
    expect_end("more accepted tokens than were drafted");
    static const char *const unprintable[] = {"a\nb", "\x1b[2J", "\x7f", "Z\xc3\xbcrich"};
    for (size_t i = 0; i < HEARTH_COUNT(unprintable); i++) {
        sound(1, false);
        a.end = good;
        a.end.fingerprint = hearth_slice_of_string(unprintable[i]);
        expect_end("fingerprint that cannot be printed");
    }
    sound(1, false);
    a.ticket.task = HEARTH_TASK_RERANK;
    a.results[0] = (struct hearth_wire_result){.score = 1};
    a.end.finish_reason = HEARTH_FINISH_NONE;
    expect_end(NULL);
    a.ticket.seen = 0;
    a.end.cache = HEARTH_CACHE_OFF;
    expect_end("prefix cache of a model that has none");
}

KIT_MAIN(cmocka_unit_test(each_answer_has_one_result_and_one_end),
         cmocka_unit_test(answers_of_a_stream_mix_until_each_has_ended),
         cmocka_unit_test(a_lone_stream_ends_with_its_request),
         cmocka_unit_test(an_error_is_no_end_and_an_end_no_error),
         cmocka_unit_test(scores_are_as_many_as_asked_and_logarithms),
         cmocka_unit_test(calls_come_one_after_the_other),
         cmocka_unit_test(calls_of_one_answer_are_not_those_of_another),
         cmocka_unit_test(choices_are_those_of_the_request_best_first),
         cmocka_unit_test(what_is_told_of_the_cache_adds_up))
