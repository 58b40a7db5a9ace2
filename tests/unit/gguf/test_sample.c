/* From logits to a token: what is drawn over many seeds has the distribution that the definitions
 * give, computed here in double precision, each filter in its plainest form. */

#include "gguf_engine.h"

#include "kit.h"

#include <math.h>
#include <stdlib.h>

#define COUNT 60
#define DRAWS 8000

static float row[COUNT];
static float edited[COUNT];
static uint16_t counts[COUNT];
static llama_token_data candidates[COUNT];
static struct gguf_room room = {.candidates = candidates, .edited = edited, .counts = counts};

/* ---- the definitions ------------------------------------------------------------------------- */

struct shares {
    bool is_in[COUNT];
    double p[COUNT];
};

/* Probabilities of those that are in, at a temperature. */
static void softmax(struct shares *shares, double temperature)
{
    double sum = 0;
    for (int i = 0; i < COUNT; i++) {
        shares->p[i] = shares->is_in[i] ? exp((double)row[i] / temperature) : 0;
        sum += shares->p[i];
    }
    for (int i = 0; i < COUNT; i++) {
        shares->p[i] /= sum;
    }
}

/* Keeps the first by @key, smallest first, until they hold @enough of the probability, or are
 * @most. */
static void keep(struct shares *shares, const double *key, double enough, unsigned most)
{
    bool is_kept[COUNT] = {false};
    double sum = 0;
    for (unsigned n = 0; n < most && sum < enough; n++) {
        int best = -1;
        for (int i = 0; i < COUNT; i++) {
            bool is_free = shares->is_in[i] && !is_kept[i];
            best = is_free && (best < 0 || key[i] < key[best]) ? i : best;
        }
        if (best < 0) {
            break;
        }
        is_kept[best] = true;
        sum += shares->p[best];
    }
    memcpy(shares->is_in, is_kept, sizeof is_kept);
    softmax(shares, 1);
}

static void filter(struct shares *shares, const struct hearth_wire_inference_request *request)
{
    double key[COUNT];
    double entropy = 0;
    softmax(shares, 1);
    for (int i = 0; i < COUNT; i++) {
        key[i] = -(double)row[i];
    }
    if (request->top_k > 0) {
        keep(shares, key, 2, request->top_k);
    }
    if (request->typical_p > 0 && request->typical_p < 1) {
        double distance[COUNT] = {0};
        for (int i = 0; i < COUNT; i++) {
            entropy -= shares->p[i] > 0 ? shares->p[i] * log(shares->p[i]) : 0;
        }
        for (int i = 0; i < COUNT; i++) {
            distance[i] = shares->p[i] > 0 ? fabs(-log(shares->p[i]) - entropy) : 0;
        }
        keep(shares, distance, (double)request->typical_p, COUNT);
    }
    if (request->top_p < 1) {
        keep(shares, key, (double)request->top_p, COUNT);
    }
    double most = 0;
    for (int i = 0; i < COUNT; i++) {
        most = HEARTH_MAX(most, shares->p[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        shares->is_in[i] = shares->is_in[i] && shares->p[i] >= (double)request->min_p * most;
    }
    softmax(shares, (double)request->temperature);
}

/* ---- what is drawn --------------------------------------------------------------------------- */

static llama_token draw(const struct hearth_wire_inference_request *request, uint32_t index,
                        const uint64_t *allowed)
{
    struct gguf_sampling sampling;
    struct hearth_error err = {0};
    assert_int_equal(gguf_begin_sampling(&sampling, COUNT, request, index, &err), 0);
    llama_token token = gguf_pick(&sampling, &room, row, COUNT, allowed);
    gguf_end_sampling(&sampling);
    return token;
}

/* The value that chi-square exceeds once in a million times (Wilson and Hilferty). */
static double limit(unsigned freedom)
{
    double part = 2.0 / (9.0 * freedom);
    return freedom * pow(1 - part + 4.7534 * sqrt(part), 3);
}

static void check(const struct hearth_wire_inference_request *wanted, const uint64_t *allowed)
{
    struct hearth_wire_inference_request request = *wanted;
    struct shares shares;
    unsigned drawn[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        shares.is_in[i] = allowed == NULL || (allowed[0] >> i & 1) != 0;
    }
    filter(&shares, &request);
    for (request.seed = 0; request.seed < DRAWS; request.seed++) {
        llama_token token = draw(&request, 0, allowed);
        assert_true(token >= 0 && token < COUNT && shares.is_in[token]);
        drawn[token]++;
    }
    double chi = 0;
    double rare = 0; /* those with too few to be judged alone are one class */
    double rare_drawn = 0;
    unsigned classes = 0;
    for (int i = 0; i < COUNT; i++) {
        double expected = shares.p[i] * DRAWS;
        if (expected < 10) {
            rare += expected;
            rare_drawn += drawn[i];
        } else {
            chi += pow(drawn[i] - expected, 2) / expected;
            classes++;
        }
    }
    if (rare >= 10) {
        chi += pow(rare_drawn - rare, 2) / rare;
        classes++;
    }
    assert_true(classes >= 2 && chi < limit(classes - 1));
}

static void make_row(double spread)
{
    struct kit_random random = {.state = 5};
    for (int i = 0; i < COUNT; i++) {
        row[i] = (float)(spread * ((double)kit_random_below(&random, 10000) / 5000 - 1));
    }
}

static struct hearth_wire_inference_request plain(float temperature)
{
    struct hearth_wire_inference_request request = {0};
    hearth_wire_default_request(&request);
    request.temperature = temperature;
    request.top_k = 0;
    request.top_p = 1;
    request.min_p = 0;
    request.repetition_penalty = 1;
    return request;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void temperature_spreads_as_softmax_does(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct hearth_wire_inference_request request = plain((float[]){0.3f, 1.0f, 2.0f}[i]);
        make_row(3);
        check(&request, NULL);
    }
}

static void each_filter_leaves_what_its_definition_leaves(void **state)
{
    (void)state;
    struct hearth_wire_inference_request request;
    make_row(4);
    request = plain(1);
    request.top_k = 7;
    check(&request, NULL);
    request = plain(1);
    request.top_p = 0.8f;
    check(&request, NULL);
    request = plain(1);
    request.min_p = 0.1f;
    check(&request, NULL);
    request = plain(1);
    request.typical_p = 0.6f;
    check(&request, NULL);
}

static void filters_together_act_in_the_documented_order(void **state)
{
    (void)state;
    struct hearth_wire_inference_request request = plain(1.7f);
    make_row(3);
    request.top_k = 30;
    request.typical_p = 0.9f;
    request.top_p = 0.85f;
    request.min_p = 0.2f;
    check(&request, NULL);
}

static void only_allowed_tokens_are_drawn_as_if_there_were_no_others(void **state)
{
    (void)state;
    static const uint64_t allowed[1] = {UINT64_C(0x0a5500ff00330f0)};
    struct hearth_wire_inference_request request = plain(1);
    make_row(2);
    check(&request, allowed);
    request.top_p = 0.7f;
    check(&request, allowed);
}

static void an_answer_has_the_seed_that_follows(void **state)
{
    (void)state;
    struct hearth_wire_inference_request request = plain(2);
    make_row(0.5);
    unsigned different = 0;
    for (uint32_t index = 0; index < 50; index++) {
        struct hearth_wire_inference_request other = request;
        other.seed = request.seed + index;
        assert_int_equal(draw(&request, index, NULL), draw(&other, 0, NULL));
        different += draw(&request, index, NULL) != draw(&request, 0, NULL);
    }
    assert_true(different > 25);
}

static void greedy_is_the_first_of_the_largest(void **state)
{
    (void)state;
    static const uint64_t allowed[1] = {UINT64_C(1) << 9 | UINT64_C(1) << 40};
    struct hearth_wire_inference_request request = plain(0);
    make_row(1);
    row[11] = row[40] = 5;
    assert_int_equal(draw(&request, 0, NULL), 11);
    assert_int_equal(draw(&request, 0, allowed), 40);
}

static void rows_that_are_no_numbers_give_no_token(void **state)
{
    (void)state;
    static const uint64_t none[1] = {0};
    for (int i = 0; i < 2; i++) {
        struct hearth_wire_inference_request request = plain((float)i);
        make_row(1);
        assert_int_equal(draw(&request, 0, none), -1);
        row[COUNT - 1] = NAN;
        assert_int_equal(draw(&request, 0, NULL), -1);
        row[COUNT - 1] = INFINITY;
        assert_int_equal(draw(&request, 0, NULL), -1);
        for (int j = 0; j < COUNT; j++) {
            row[j] = -INFINITY;
        }
        assert_int_equal(draw(&request, 0, NULL), -1);
        row[3] = -1e30f; /* the only one that is possible */
        assert_int_equal(draw(&request, 0, NULL), 3);
    }
}

static void edits_equal_their_definitions(struct kit_random *random, void *context)
{
    (void)context;
    llama_token generated[40];
    struct hearth_wire_bias biases[3];
    struct gguf_sampling sampling;
    struct hearth_error err = {0};
    struct hearth_wire_inference_request request = plain(0);
    size_t count = (size_t)kit_random_below(random, HEARTH_COUNT(generated) + 1);
    make_row(5);
    request.repetition_penalty = 1 + (float)kit_random_below(random, 100) / 100;
    request.frequency_penalty = (float)kit_random_below(random, 400) / 100 - 2;
    request.presence_penalty = (float)kit_random_below(random, 400) / 100 - 2;
    request.repetition_window = 1 + (uint32_t)kit_random_below(random, 50);
    for (size_t i = 0; i < count; i++) {
        generated[i] = (llama_token)kit_random_below(random, 12);
    }
    for (unsigned i = 0; i < HEARTH_COUNT(biases); i++) {
        biases[i] = (struct hearth_wire_bias){.token = 5 * i, .bias = i == 1 ? -100 : (float)i - 3};
    }
    request.logit_bias = (struct hearth_wire_list){HEARTH_COUNT(biases), biases, {NULL, 0}};
    double wanted[COUNT];
    for (int i = 0; i < COUNT; i++) {
        unsigned times = 0;
        size_t window = HEARTH_MIN(count, (size_t)request.repetition_window);
        for (size_t j = count - window; j < count; j++) {
            times += generated[j] == i;
        }
        wanted[i] = (double)row[i] + (i == 0 ? -3 : i == 10 ? -1 : 0);
        if (times > 0) {
            double factor = (double)request.repetition_penalty;
            wanted[i] = wanted[i] > 0 ? wanted[i] / factor : wanted[i] * factor;
            wanted[i] -=
                times * (double)request.frequency_penalty + (double)request.presence_penalty;
        }
    }
    assert_int_equal(gguf_begin_sampling(&sampling, COUNT, &request, 0, &err), 0);
    const float *got = gguf_edit_logits(&sampling, &room, row, COUNT, generated, count);
    for (int i = 0; i < COUNT; i++) {
        assert_true(i == 5 ? isinf(got[i]) && got[i] < 0 : fabs((double)got[i] - wanted[i]) < 1e-4);
        assert_int_equal(counts[i], 0);
    }
    gguf_end_sampling(&sampling);
}

static void bias_and_penalties_equal_their_definitions(void **state)
{
    (void)state;
    kit_property(500, edits_equal_their_definitions, NULL);
}

static void a_row_that_nobody_edits_is_not_copied(void **state)
{
    (void)state;
    static const llama_token generated[] = {1, 2, 3};
    struct hearth_wire_inference_request request = plain(0);
    struct gguf_sampling sampling;
    struct hearth_error err = {0};
    assert_int_equal(gguf_begin_sampling(&sampling, COUNT, &request, 0, &err), 0);
    assert_ptr_equal(gguf_edit_logits(&sampling, &room, row, COUNT, generated, 3), row);
    gguf_end_sampling(&sampling);
}

static void a_bias_of_no_token_is_refused_by_its_number(void **state)
{
    (void)state;
    const struct hearth_wire_bias biases[] = {{.token = COUNT - 1}, {.token = COUNT}};
    struct hearth_wire_inference_request request = plain(0);
    struct gguf_sampling sampling;
    struct hearth_error err = {0};
    request.logit_bias = (struct hearth_wire_list){2, biases, {NULL, 0}};
    assert_int_equal(gguf_begin_sampling(&sampling, COUNT, &request, 0, &err),
                     HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "logit_bias[1]");
}

KIT_MAIN(cmocka_unit_test(temperature_spreads_as_softmax_does),
         cmocka_unit_test(each_filter_leaves_what_its_definition_leaves),
         cmocka_unit_test(filters_together_act_in_the_documented_order),
         cmocka_unit_test(only_allowed_tokens_are_drawn_as_if_there_were_no_others),
         cmocka_unit_test(an_answer_has_the_seed_that_follows),
         cmocka_unit_test(greedy_is_the_first_of_the_largest),
         cmocka_unit_test(rows_that_are_no_numbers_give_no_token),
         cmocka_unit_test(bias_and_penalties_equal_their_definitions),
         cmocka_unit_test(a_row_that_nobody_edits_is_not_copied),
         cmocka_unit_test(a_bias_of_no_token_is_refused_by_its_number))
