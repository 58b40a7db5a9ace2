/* operate.c — what operators do: arithmetic as Python's, on 64-bit integers. */

#include "value.h"

#include <math.h>

static const char *const SIGNS[] = {"+", "-", "*", "/", "//", "%", "**", "-", "+"};

static struct value too_large(struct hearth_template_context *context)
{
    return jinja_fail(context, HEARTH_E_UNSUPPORTED, "a number does not fit into 64 bits");
}

static struct value wrong_kinds(struct hearth_template_context *context, enum operation op,
                                struct value left, struct value right)
{
    struct value undefined = left.kind == V_UNDEFINED ? left : right;
    if (undefined.kind == V_UNDEFINED) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s with \"%.*s\", which is undefined",
                          SIGNS[op], HEARTH_SLICE_ARGS(undefined.as.name));
    }
    return jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot join %s and %s", SIGNS[op],
                      jinja_kind_name(left), jinja_kind_name(right));
}

/* ── Numbers ─────────────────────────────────────────────────────────────────────────────────── */

static struct value power_of_ints(struct hearth_template_context *context, int64_t base,
                                  int64_t exponent)
{
    if (exponent < 0) {
        return base == 0 ? jinja_fail(context, HEARTH_E_UNSUPPORTED, "division by zero")
                         : jinja_float(pow((double)base, (double)exponent));
    }
    int64_t result = 1;
    if (base >= -1 && base <= 1) { /* however large the exponent is */
        return jinja_int(exponent == 0 || base == 1 ? 1 : base == 0 ? 0 : exponent % 2 ? -1 : 1);
    }
    for (; exponent > 0; exponent--) {
        if (__builtin_mul_overflow(result, base, &result)) {
            return too_large(context);
        }
    }
    return jinja_int(result);
}

/* Division rounds down, and the remainder has the sign of the divisor. */
static struct value divide_ints(struct hearth_template_context *context, enum operation op,
                                int64_t a, int64_t b)
{
    if (b == -1) {
        return op == OP_MODULO ? jinja_int(0) : a == INT64_MIN ? too_large(context) : jinja_int(-a);
    }
    int64_t quotient = a / b;
    int64_t rest = a % b;
    bool is_below = rest != 0 && (rest < 0) != (b < 0);
    return jinja_int(op == OP_MODULO ? rest + (is_below ? b : 0) : quotient - is_below);
}

static struct value operate_ints(struct hearth_template_context *context, enum operation op,
                                 int64_t a, int64_t b)
{
    int64_t result = 0;
    bool is_over = false;
    if (b == 0 && (op == OP_DIVIDE || op == OP_FLOOR_DIVIDE || op == OP_MODULO)) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "division by zero");
    }
    switch (op) {
    case OP_ADD: is_over = __builtin_add_overflow(a, b, &result); break;
    case OP_SUBTRACT: is_over = __builtin_sub_overflow(a, b, &result); break;
    case OP_MULTIPLY: is_over = __builtin_mul_overflow(a, b, &result); break;
    case OP_DIVIDE: return jinja_float((double)((long double)a / (long double)b));
    case OP_FLOOR_DIVIDE:
    case OP_MODULO: return divide_ints(context, op, a, b);
    case OP_POWER: return power_of_ints(context, a, b);
    case OP_NEGATE:
    case OP_PLUS:
    case OP_EQUAL:
    case OP_NOT_EQUAL:
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
    case OP_IN:
    case OP_NOT_IN: HEARTH_UNREACHABLE();
    }
    return is_over ? too_large(context) : jinja_int(result);
}

static double modulo(double a, double b)
{
    double rest = fmod(a, b);
    if (rest != 0) {
        return (rest < 0) != (b < 0) ? rest + b : rest;
    }
    return copysign(0.0, b);
}

/* As Python does it: from the remainder, so that both agree. */
static double floor_divide(double a, double b)
{
    double rest = fmod(a, b);
    double quotient = (a - rest) / b;
    if (rest != 0 && (b < 0) != (rest < 0)) {
        quotient -= 1;
    }
    if (quotient == 0) {
        return copysign(0.0, a / b);
    }
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

static struct value power_of_reals(struct hearth_template_context *context, double a, double b)
{
    double result = pow(a, b);
    if ((isnan(result) && !isnan(a) && !isnan(b)) || (a == 0 && b < 0) ||
        (isinf(result) && isfinite(a) && isfinite(b))) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "a power that is no real number");
    }
    return jinja_float(result);
}

static struct value operate_reals(struct hearth_template_context *context, enum operation op,
                                  double a, double b)
{
    if (b == 0 && (op == OP_DIVIDE || op == OP_FLOOR_DIVIDE || op == OP_MODULO)) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "division by zero");
    }
    switch (op) {
    case OP_ADD: return jinja_float(a + b);
    case OP_SUBTRACT: return jinja_float(a - b);
    case OP_MULTIPLY: return jinja_float(a * b);
    case OP_DIVIDE: return jinja_float(a / b);
    case OP_FLOOR_DIVIDE: return jinja_float(floor_divide(a, b));
    case OP_MODULO: return jinja_float(modulo(a, b));
    case OP_POWER: return power_of_reals(context, a, b);
    case OP_NEGATE:
    case OP_PLUS:
    case OP_EQUAL:
    case OP_NOT_EQUAL:
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
    case OP_IN:
    case OP_NOT_IN: break;
    }
    HEARTH_UNREACHABLE();
}

static struct value operate_numbers(struct hearth_template_context *context, enum operation op,
                                    struct value left, struct value right)
{
    bool is_real = left.kind == V_FLOAT || right.kind == V_FLOAT;
    struct value result =
        is_real ? operate_reals(context, op, jinja_as_real(left), jinja_as_real(right))
                : operate_ints(context, op, jinja_as_int(left), jinja_as_int(right));
    result.is_foreign = left.is_foreign || right.is_foreign;
    return result;
}

/* ── Texts and lists ─────────────────────────────────────────────────────────────────────────── */

static struct value add_lists(struct hearth_template_context *context, struct value left,
                              struct value right)
{
    struct value sum = jinja_new_list(context, left.kind);
    const struct list *parts[] = {left.as.list, right.as.list};
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < parts[i]->count && jinja_spend(context, 1); j++) {
            jinja_append(context, sum.as.list, parts[i]->items[j]);
        }
    }
    return sum;
}

static struct value repeat(struct hearth_template_context *context, struct value what,
                           int64_t times)
{
    if (what.kind == V_TEXT) {
        struct maker maker = jinja_text_begin(context);
        for (int64_t i = 0; i < times && what.as.text.size > 0 && jinja_ok(context); i++) {
            jinja_emit_text(context, what);
        }
        return jinja_text_end(&maker);
    }
    struct value result = jinja_new_list(context, what.kind);
    const struct list *list = what.as.list;
    for (int64_t i = 0; i < times && list->count > 0 && jinja_ok(context); i++) {
        for (size_t j = 0; j < list->count && jinja_spend(context, 1); j++) {
            jinja_append(context, result.as.list, list->items[j]);
        }
    }
    return result;
}

static bool is_repeatable(struct value value)
{
    return value.kind == V_TEXT || value.kind == V_LIST || value.kind == V_TUPLE;
}

static bool is_int(struct value value)
{
    return value.kind == V_INT || value.kind == V_BOOL;
}

struct value jinja_operate(struct hearth_template_context *context, enum operation op,
                           struct value left, struct value right)
{
    if (jinja_is_number(left) && jinja_is_number(right)) {
        return operate_numbers(context, op, left, right);
    }
    if (op == OP_ADD && left.kind == right.kind) {
        if (left.kind == V_TEXT) {
            struct maker maker = jinja_text_begin(context);
            jinja_emit_text(context, left);
            jinja_emit_text(context, right);
            return jinja_text_end(&maker);
        }
        if (left.kind == V_LIST || left.kind == V_TUPLE) {
            return add_lists(context, left, right);
        }
    }
    if (op == OP_MULTIPLY && is_repeatable(left) && is_int(right)) {
        return repeat(context, left, jinja_as_int(right));
    }
    if (op == OP_MULTIPLY && is_repeatable(right) && is_int(left)) {
        return repeat(context, right, jinja_as_int(left));
    }
    return wrong_kinds(context, op, left, right);
}

struct value jinja_unary(struct hearth_template_context *context, enum operation op,
                         struct value value)
{
    if (!jinja_ok(context) || !jinja_is_number(value)) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s of %s", SIGNS[op],
                          jinja_kind_name(value));
    }
    struct value zero = value.kind == V_FLOAT ? jinja_float(-0.0) : jinja_int(0);
    return op == OP_NEGATE ? jinja_operate(context, OP_SUBTRACT, zero, value)
                           : jinja_operate(context, OP_ADD, zero, value);
}

bool jinja_relate(struct hearth_template_context *context, enum operation op, struct value left,
                  struct value right)
{
    bool is_number = jinja_is_number(left) && jinja_is_number(right);
    bool is_nan = is_number && (isnan(jinja_as_real(left)) || isnan(jinja_as_real(right)));
    switch (op) {
    case OP_EQUAL: return jinja_equal(context, left, right);
    case OP_NOT_EQUAL: return !jinja_equal(context, left, right);
    case OP_IN: return jinja_contains(context, right, left);
    case OP_NOT_IN: return !jinja_contains(context, right, left);
    case OP_LESS: return !is_nan && jinja_compare(context, left, right) < 0;
    case OP_LESS_EQUAL: return !is_nan && jinja_compare(context, left, right) <= 0;
    case OP_GREATER: return !is_nan && jinja_compare(context, left, right) > 0;
    case OP_GREATER_EQUAL: return !is_nan && jinja_compare(context, left, right) >= 0;
    case OP_ADD:
    case OP_SUBTRACT:
    case OP_MULTIPLY:
    case OP_DIVIDE:
    case OP_FLOOR_DIVIDE:
    case OP_MODULO:
    case OP_POWER:
    case OP_NEGATE:
    case OP_PLUS: break;
    }
    HEARTH_UNREACHABLE();
}
