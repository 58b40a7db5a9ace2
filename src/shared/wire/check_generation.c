/* check_generation.c — what a request to generate, chat or choose must hold beyond its shape. */

#include "wire_priv.h"

#include <math.h>
#include <string.h>

/* Bounds are included unless said otherwise. A NaN is in no range. */
struct range {
    const char *name;
    double low;
    double high;
    bool is_low_excluded;
    bool is_high_excluded;
};

static bool is_inside(const struct range *range, double value)
{
    bool is_above = range->is_low_excluded ? value > range->low : value >= range->low;
    bool is_below = range->is_high_excluded ? value < range->high : value <= range->high;
    return is_above && is_below;
}

static int check_sampling(const struct hearth_wire_inference_request *request,
                          struct hearth_error *err)
{
    static const struct range ranges[] = {
        {"temperature", 0, 2, false, false},
        {"top_p", 0, 1, true, false},
        {"min_p", 0, 1, false, true},
        {"repetition_penalty", 1, 2, false, false},
        {"repetition_window", 0, 4096, false, false},
        {"typical_p", 0, 1, false, false},
        {"frequency_penalty", -2, 2, false, false},
        {"presence_penalty", -2, 2, false, false},
    };
    const double values[HEARTH_COUNT(ranges)] = {(double)request->temperature,
                                                 (double)request->top_p,
                                                 (double)request->min_p,
                                                 (double)request->repetition_penalty,
                                                 (double)request->repetition_window,
                                                 (double)request->typical_p,
                                                 (double)request->frequency_penalty,
                                                 (double)request->presence_penalty};
    for (size_t i = 0; i < HEARTH_COUNT(ranges); i++) {
        const struct range *range = &ranges[i];
        if (!is_inside(range, values[i])) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "%s: %g, wanted %g %s %s %s %g",
                               range->name, values[i], range->low,
                               range->is_low_excluded ? "<" : "<=", range->name,
                               range->is_high_excluded ? "<" : "<=", range->high);
        }
    }
    return 0;
}

static int check_stops(const struct hearth_wire_inference_request *request,
                       struct hearth_error *err)
{
    struct hearth_wire_list cursor = request->stops;
    struct hearth_wire_stop stop;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_stop, &stop); i++) {
        if (stop.text.size == 0) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "stops[%u]: is empty", i);
        }
    }
    return 0;
}

static int check_biases(const struct hearth_wire_inference_request *request,
                        struct hearth_error *err)
{
    static const double most = 100;
    struct hearth_wire_list cursor = request->logit_bias;
    struct hearth_wire_bias bias;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_bias, &bias); i++) {
        if (!(fabs((double)bias.bias) <= most)) { /* a NaN is in no range */
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "logit_bias[%u].bias: %g, wanted %g <= bias <= %g", i,
                               (double)bias.bias, -most, most);
        }
    }
    return 0;
}

/* A number that would change nothing is a mistake of its sender. */
static int check_logprobs(const struct hearth_wire_inference_request *request,
                          struct hearth_error *err)
{
    bool is_lost = request->top_logprobs > 0 && (request->flags & HEARTH_FLAG_LOGPROBS) == 0;
    return is_lost ? hearth_fail(err, HEARTH_E_INPUT_INVALID,
                                 "top_logprobs: %u, but logprobs are not asked for (flag %u)",
                                 request->top_logprobs, HEARTH_FLAG_LOGPROBS)
                   : 0;
}

/* ── What an answer follows ──────────────────────────────────────────────────────────────────── */

static int check_grammar(const struct hearth_wire_inference_request *request,
                         struct hearth_error *err)
{
    bool is_wanted = request->grammar_type != HEARTH_GRAMMAR_NONE;
    if (is_wanted == (request->grammar.size > 0)) {
        return 0;
    }
    return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                       is_wanted ? "grammar: is empty, grammar_type wants one"
                                 : "grammar: given, but grammar_type does not say what it is");
}

static int check_tools(const struct hearth_wire_inference_request *request,
                       struct hearth_error *err)
{
    if (request->tool_choice != HEARTH_TOOLS_AUTO && request->tools.size == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tool_choice: given, but there are no tools");
    }
    if (request->tools.size > 0 && request->grammar_type != HEARTH_GRAMMAR_NONE) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "grammar: given together with tools, one of them is wanted");
    }
    return 0;
}

static bool is_among(struct hearth_wire_list choices, unsigned count, struct hearth_slice text)
{
    struct hearth_wire_choice other;
    for (unsigned i = 0; i < count && hearth_wire_next(&choices, HEARTH_RECORD_choice, &other);
         i++) {
        if (other.text.size == text.size && memcmp(other.text.data, text.data, text.size) == 0) {
            return true;
        }
    }
    return false;
}

static int check_choices(const struct hearth_wire_inference_request *request,
                         struct hearth_error *err)
{
    if (request->choices.count < 2) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "choices: %u given, 2 to %u wanted",
                           request->choices.count, HEARTH_MAX_CHOICES);
    }
    struct hearth_wire_list cursor = request->choices;
    struct hearth_wire_choice choice;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_choice, &choice); i++) {
        if (choice.text.size == 0 || is_among(request->choices, i, choice.text)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "choices[%u]: is %s", i,
                               choice.text.size == 0 ? "empty" : "there already");
        }
    }
    return 0;
}

/* ── The whole ───────────────────────────────────────────────────────────────────────────────── */

bool hearth_wire_is_generation(const struct hearth_wire_inference_request *request)
{
    return request->task == HEARTH_TASK_GENERATE || request->task == HEARTH_TASK_CHAT ||
           request->task == HEARTH_TASK_CHOICE;
}

uint32_t hearth_wire_answers(const struct hearth_wire_inference_request *request)
{
    bool may_have_more = request->task == HEARTH_TASK_GENERATE || request->task == HEARTH_TASK_CHAT;
    return may_have_more && request->answers > 0 ? request->answers : 1;
}

int hearth_wire_check_generation(const struct hearth_wire_inference_request *request,
                                 struct hearth_error *err)
{
    int rc = check_sampling(request, err);
    rc = rc < 0 ? rc : check_stops(request, err);
    rc = rc < 0 ? rc : check_biases(request, err);
    rc = rc < 0 ? rc : check_logprobs(request, err);
    rc = rc < 0 ? rc : check_grammar(request, err);
    rc = rc < 0 ? rc : check_tools(request, err);
    return rc < 0 || request->task != HEARTH_TASK_CHOICE ? rc : check_choices(request, err);
}
