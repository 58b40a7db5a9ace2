/* unigram_load.c — the object "model" of type Unigram: pieces, scores, and the reference's way to
 * read a number. */

#include "unigram.h"

#include "hearth_pattern.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define UNKNOWN_PENALTY 10.0
#define MOST_EXPONENT   308

/** A number as the reference holds it between reading and rounding: digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int32_t exponent;
    bool is_negative;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes one more digit, unless the digits would no longer fit 64 bits. */
static bool take_digit(struct decimal *decimal, char c)
{
    uint64_t digit = (uint64_t)(c - '0');
    uint64_t grown;
    if (__builtin_mul_overflow(decimal->digits, UINT64_C(10), &grown) ||
        __builtin_add_overflow(grown, digit, &grown)) {
        return false;
    }
    decimal->digits = grown;
    return true;
}

/* The digits of @text, a number as JSON writes it. Those beyond 64 bits are dropped. */
static struct decimal read_decimal(const char *text)
{
    struct decimal decimal = {.is_negative = *text == '-'};
    text += decimal.is_negative ? 1 : 0;
    bool is_full = false;
    for (; is_digit(*text); text++) {
        is_full = is_full || !take_digit(&decimal, *text);
        decimal.exponent += is_full ? 1 : 0;
    }
    if (*text == '.') {
        for (text++; is_digit(*text); text++) {
            is_full = is_full || !take_digit(&decimal, *text);
            decimal.exponent -= is_full ? 0 : 1;
        }
    }
    if (*text == 'e' || *text == 'E') {
        long written = strtol(text + 1, NULL, 10);
        long most = INT32_MAX / 4;
        decimal.exponent += (int32_t)HEARTH_MAX(HEARTH_MIN(written, most), -most);
    }
    return decimal;
}

static double power_of_ten(int32_t exponent)
{
    char text[16];
    snprintf(text, sizeof text, "1e%d", (int)exponent);
    return strtod(text, NULL); /* rounded right; pow() need not be */
}

/* Rounds twice, first the digits, then the quotient: what the reference does. */
static double round_decimal(const struct decimal *decimal, const double *powers)
{
    double value = (double)decimal->digits;
    int32_t exponent = decimal->exponent;
    while (exponent < -MOST_EXPONENT && value != 0) {
        value /= powers[MOST_EXPONENT];
        exponent += MOST_EXPONENT;
    }
    if (value != 0 && exponent > MOST_EXPONENT) {
        value = INFINITY;
    } else if (value != 0) {
        value = exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
    }
    return decimal->is_negative ? -value : value;
}

static int set_score(struct unigram *unigram, size_t id, double score, struct hearth_error *err)
{
    if (!isfinite(score)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "model.vocab: the score of entry %zu is not a number of 64 bits", id);
    }
    unigram->scores[id] = score;
    return 0;
}

static void set_unknown_score(struct unigram *unigram)
{
    double least = unigram->scores[0];
    for (uint32_t id = 1; id < unigram->vocab->count; id++) {
        least = HEARTH_MIN(least, unigram->scores[id]);
    }
    unigram->unknown_score = least - UNKNOWN_PENALTY;
}

static int read_scores(struct unigram *unigram, yyjson_val *list, const double *powers,
                       struct hearth_error *err)
{
    size_t i = 0;
    size_t max = 0;
    yyjson_val *pair = NULL;
    yyjson_arr_foreach(list, i, max, pair)
    {
        yyjson_val *score = yyjson_arr_get(pair, 1);
        double value = yyjson_is_num(score) ? yyjson_get_num(score) : NAN;
        if (yyjson_is_raw(score)) {
            struct decimal decimal = read_decimal(yyjson_get_raw(score));
            value = round_decimal(&decimal, powers);
        }
        int rc = set_score(unigram, i, value, err);
        if (rc < 0) {
            return rc;
        }
    }
    set_unknown_score(unigram);
    return 0;
}

static void *json_malloc(void *context, size_t size)
{
    (void)context;
    return hearth_alloc(size, 1);
}

static void *json_realloc(void *context, void *block, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    return hearth_realloc(block, size, 1);
}

static void json_free(void *context, void *block)
{
    (void)context;
    hearth_free(block);
}

int unigram_read_scores(struct unigram *unigram, struct hearth_slice json, struct hearth_error *err)
{
    double powers[MOST_EXPONENT + 1];
    for (int32_t i = 0; i <= MOST_EXPONENT; i++) {
        powers[i] = power_of_ten(i);
    }
    const yyjson_alc allocator = {json_malloc, json_realloc, json_free, NULL};
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.size,
                                       YYJSON_READ_NUMBER_AS_RAW, &allocator, NULL);
    if (doc == NULL) {
        return hearth_fail_oom(err); /* it was read before, so it is JSON */
    }
    yyjson_val *model = yyjson_obj_get(yyjson_doc_get_root(doc), "model");
    yyjson_val *list = yyjson_obj_get(model, "vocab");
    HEARTH_ASSERT(yyjson_arr_size(list) == unigram->vocab->count);
    int rc = read_scores(unigram, list, powers, err);
    yyjson_doc_free(doc);
    return rc;
}

static int load_known_ids(struct unigram *unigram, yyjson_val *object, struct hearth_error *err)
{
    yyjson_val *unknown = yyjson_obj_get(object, "unk_id");
    if (!yyjson_is_uint(unknown) || yyjson_get_uint(unknown) >= unigram->vocab->count) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "model.unk_id: not in 0 … %u",
                           unigram->vocab->count - 1);
    }
    unigram->unknown_id = (uint32_t)yyjson_get_uint(unknown);
    for (unsigned byte = 0; byte < HEARTH_COUNT(unigram->byte_ids); byte++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", byte);
        unigram->byte_ids[byte] = vocab_find_text(unigram->vocab, hearth_slice_of_string(name));
    }
    return json_bool_or(object, "byte_fallback", "model", false, &unigram->falls_back, err);
}

int unigram_build(struct unigram *unigram, struct vocab *vocab, yyjson_val *object,
                  struct hearth_arena *arena, struct hearth_error *err)
{
    *unigram = (struct unigram){.vocab = vocab, .unknown_id = NO_ID};
    yyjson_val *list = yyjson_obj_get(object, "vocab");
    int rc = vocab_build_list(vocab, list, arena, err);
    if (rc == 0) {
        rc = load_known_ids(unigram, object, err);
    }
    if (rc < 0) {
        return rc;
    }
    unigram->scores = hearth_arena_alloc(arena, vocab->count, sizeof *unigram->scores);
    if (unigram->scores == NULL) {
        return hearth_fail_oom(err);
    }
    rc = read_scores(unigram, list, NULL, err);
    return rc < 0 ? rc : trie_build(&unigram->trie, vocab, arena, err);
}
