/* schema_number.c — numbers, with limits as automata over their digits.
 *
 * Whole numbers have at most 16 digits where no limit asks for more. Fractions have so few digits
 * that no answer is rounded over a limit when it is read as a double. */

#include "schema.h"

#include <math.h>

#define DIGITS          16u
#define MOST_WHOLE      INT64_C(9999999999999999)
#define MOST_BOUND      INT64_C(999999999999999999)
#define MOST_FRACTIONAL INT64_C(1000000000000) /* of limits of numbers that need not be whole */
#define EXACT_DIGITS    15u                    /* that a double keeps */

struct bound {
    int64_t value;
    bool is_excluded;
    bool is_set;
};

/* ---- digits ---------------------------------------------------------------------------------- */

static uint32_t digit(struct draft *draft, char first, char last)
{
    struct byte_set set = {{0}};
    if (first <= last) {
        byte_set_add(&set, (uint8_t)first, (uint8_t)last);
    }
    return draft_set(draft, set);
}

static uint32_t digits(struct draft *draft, uint32_t min, uint32_t max)
{
    return draft_repeat(draft, digit(draft, '0', '9'), min, max);
}

static bool are_all(const char *text, uint32_t count, char wanted)
{
    uint32_t i = 0;
    while (i < count && text[i] == wanted) {
        i++;
    }
    return i == count;
}

/* Numbers of @count digits from @low to @high. */
static uint32_t same_length(struct draft *draft, const char *low, const char *high, uint32_t count)
{
    static const char zeros[] = "0000000000000000000";
    static const char nines[] = "9999999999999999999";
    if (are_all(low, count, '0') && are_all(high, count, '9')) {
        return digits(draft, count, count);
    }
    uint32_t rest = count - 1;
    if (low[0] == high[0]) {
        return draft_sequence(draft, digit(draft, low[0], low[0]),
                              same_length(draft, low + 1, high + 1, rest));
    }
    uint32_t least = draft_sequence(draft, digit(draft, low[0], low[0]),
                                    same_length(draft, low + 1, nines, rest));
    uint32_t most = draft_sequence(draft, digit(draft, high[0], high[0]),
                                   same_length(draft, zeros, high + 1, rest));
    uint32_t between = draft_sequence(draft, digit(draft, (char)(low[0] + 1), (char)(high[0] - 1)),
                                      digits(draft, rest, rest));
    return draft_choice(draft, draft_choice(draft, between, least), most);
}

static uint32_t write_digits(int64_t value, char *room)
{
    uint32_t count = 0;
    char turned[20];
    do {
        turned[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (uint32_t i = 0; i < count; i++) {
        room[i] = turned[count - 1 - i];
    }
    return count;
}

/* Whole numbers from @low (≥ 0) to @high, without zeros in front. */
static uint32_t natural(struct draft *draft, int64_t low, int64_t high)
{
    uint32_t all = DRAFT_NEVER;
    while (low <= high) {
        char first[20];
        char last[20];
        uint32_t count = write_digits(low, first);
        int64_t end = 9;
        for (uint32_t i = 1; i < count; i++) {
            end = end * 10 + 9;
        }
        end = HEARTH_MIN(end, high);
        (void)write_digits(end, last);
        all = draft_choice(draft, all, same_length(draft, first, last, count));
        low = end + 1;
    }
    return all;
}

static uint32_t negative(struct draft *draft, uint32_t number)
{
    return draft_sequence(draft, draft_string(draft, "-"), number);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* A whole number; one with a fraction is moved inwards if only whole numbers count. */
static void read_bound(struct schema *schema, yyjson_val *value, bool is_least, bool is_whole,
                       bool is_excluded, struct bound *bound)
{
    if (!yyjson_is_num(value)) {
        schema_fail(schema, HEARTH_E_INPUT_INVALID, value, "a number is expected");
        return;
    }
    double number = yyjson_get_num(value);
    double most = (double)(is_whole ? MOST_BOUND : MOST_FRACTIONAL);
    double whole = is_least ? ceil(number) : floor(number);
    if (!(fabs(number) <= most)) {
        schema_fail(schema, HEARTH_E_UNSUPPORTED, value, "limits beyond %.0f are not supported",
                    most);
        return;
    }
    if (whole != number && !is_whole) {
        schema_fail(schema, HEARTH_E_UNSUPPORTED, value,
                    "limits of numbers with a fraction are not supported");
        return;
    }
    is_excluded = is_excluded && whole == number;
    int64_t found = yyjson_is_int(value) ? yyjson_get_sint(value) : (int64_t)whole;
    bool is_tighter = is_least ? found > bound->value : found < bound->value;
    if (!bound->is_set || is_tighter || (found == bound->value && is_excluded)) {
        *bound = (struct bound){found, is_excluded, true};
    }
}

static void read_bounds(struct schema *schema, const struct constraint *constraint, bool is_whole,
                        struct bound *low, struct bound *high)
{
    static const struct {
        const char *keyword;
        bool is_least;
        bool is_excluded;
    } known[] = {
        {"minimum", true, false},
        {"exclusiveMinimum", true, true},
        {"maximum", false, false},
        {"exclusiveMaximum", false, true},
    };
    for (uint32_t i = 0; i < constraint->count; i++) {
        for (size_t k = 0; k < HEARTH_COUNT(known); k++) {
            yyjson_val *value = schema_keyword(constraint, i, known[k].keyword);
            if (value != NULL) {
                read_bound(schema, value, known[k].is_least, is_whole, known[k].is_excluded,
                           known[k].is_least ? low : high);
            }
        }
    }
}

static uint32_t whole_number(struct draft *draft, struct bound low, struct bound high)
{
    /* Without a limit on one side it is as far as the other one asks for. */
    int64_t most = MOST_WHOLE;
    if ((low.is_set && low.value > MOST_WHOLE / 10) ||
        (high.is_set && high.value < -MOST_WHOLE / 10)) {
        most = MOST_BOUND;
    }
    int64_t first = low.is_set ? low.value + low.is_excluded : -most;
    int64_t last = high.is_set ? high.value - high.is_excluded : most;
    uint32_t all = DRAFT_NEVER;
    if (last >= 0) {
        all = natural(draft, HEARTH_MAX(first, INT64_C(0)), last);
    }
    if (first < 0) {
        uint32_t below = natural(draft, last < 0 ? -last : 1, -first);
        all = draft_choice(draft, all, negative(draft, below));
    }
    return all;
}

/* ---- numbers with a fraction ----------------------------------------------------------------- */

static uint32_t fraction(struct draft *draft, uint32_t after)
{
    return draft_sequence(draft, draft_string(draft, "."), after);
}

/* Up to @most digits, not all of them zero. */
static uint32_t not_nothing(struct draft *draft, uint32_t most)
{
    uint32_t all = DRAFT_NEVER;
    for (uint32_t left = 0; left < most; left++) {
        uint32_t later = draft_sequence(draft, digit(draft, '0', '0'), all);
        all = draft_sequence(draft, digit(draft, '1', '9'), digits(draft, 0, left));
        all = draft_choice(draft, all, later);
    }
    return all;
}

/* From @low to @high (both ≥ 0, whole), limits as they say: the whole part lies between, or it is a
 * limit and the fraction decides. */
static uint32_t magnitude(struct draft *draft, struct bound low, struct bound high)
{
    char room[20];
    int64_t largest = high.is_set ? high.value : low.value;
    uint32_t used = write_digits(HEARTH_MAX(largest, low.value), room);
    uint32_t most = used < EXACT_DIGITS ? EXACT_DIGITS - used : 1;
    uint32_t any = fraction(draft, digits(draft, 1, most));
    uint32_t nothing = fraction(draft, draft_repeat(draft, digit(draft, '0', '0'), 1, most));
    if (high.is_set && high.value <= low.value) {
        bool is_one = high.value == low.value && !low.is_excluded && !high.is_excluded;
        uint32_t only = is_one ? natural(draft, low.value, low.value) : DRAFT_NEVER;
        return draft_sequence(draft, only, draft_optional(draft, nothing));
    }
    uint32_t at_low = natural(draft, low.value, low.value);
    at_low = draft_sequence(draft, at_low,
                            low.is_excluded ? fraction(draft, not_nothing(draft, most))
                                            : draft_optional(draft, any));
    int64_t last = high.is_set ? high.value - 1 : MOST_WHOLE;
    uint32_t between =
        draft_sequence(draft, natural(draft, low.value + 1, last), draft_optional(draft, any));
    uint32_t at_high = DRAFT_NEVER;
    if (high.is_set && !high.is_excluded) {
        at_high = draft_sequence(draft, natural(draft, high.value, high.value),
                                 draft_optional(draft, nothing));
    }
    return draft_choice(draft, draft_choice(draft, at_low, between), at_high);
}

static struct bound turned(struct bound bound)
{
    return (struct bound){-bound.value, bound.is_excluded, bound.is_set};
}

static uint32_t limited_number(struct draft *draft, struct bound low, struct bound high)
{
    const struct bound from_zero = {0, false, true};
    const struct bound above_zero = {0, true, true};
    uint32_t all = DRAFT_NEVER;
    if (!high.is_set || high.value >= 0) {
        all = magnitude(draft, low.is_set && low.value >= 0 ? low : from_zero, high);
    }
    if (!low.is_set || low.value < 0) {
        struct bound nearest = high.is_set && high.value < 0 ? turned(high) : above_zero;
        all = draft_choice(draft, all, negative(draft, magnitude(draft, nearest, turned(low))));
    }
    return all;
}

static uint32_t any_number(struct draft *draft)
{
    uint32_t minus = draft_optional(draft, draft_string(draft, "-"));
    uint32_t number = draft_sequence(draft, minus, natural(draft, 0, MOST_WHOLE));
    uint32_t after = draft_optional(draft, fraction(draft, digits(draft, 1, DIGITS)));
    struct byte_set e = {{0}};
    byte_set_add(&e, 'e', 'e');
    byte_set_add(&e, 'E', 'E');
    struct byte_set signs = {{0}};
    byte_set_add(&signs, '+', '+');
    byte_set_add(&signs, '-', '-');
    uint32_t power =
        draft_sequence(draft, draft_set(draft, e), draft_optional(draft, draft_set(draft, signs)));
    power = draft_sequence(draft, power, digits(draft, 1, 2));
    return draft_sequence(draft, draft_sequence(draft, number, after),
                          draft_optional(draft, power));
}

uint32_t schema_number(struct schema *schema, const struct constraint *constraint, bool is_whole)
{
    struct bound low = {0};
    struct bound high = {0};
    read_bounds(schema, constraint, is_whole, &low, &high);
    if (schema->draft->code != 0) {
        return DRAFT_NEVER;
    }
    if (is_whole) {
        return whole_number(schema->draft, low, high);
    }
    return low.is_set || high.is_set ? limited_number(schema->draft, low, high)
                                     : any_number(schema->draft);
}
