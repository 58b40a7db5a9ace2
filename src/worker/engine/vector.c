/* vector.c — length 1, halves, bytes. Conversions are our own: not every compiler has a half. */

#include "vector.h"

#include <math.h>
#include <string.h>

void hearth_vector_normalise(float *vector, size_t dimensions)
{
    double sum = 0;
    for (size_t i = 0; i < dimensions; i++) {
        sum += (double)vector[i] * (double)vector[i];
    }
    if (sum > 0) {
        double scale = 1.0 / sqrt(sum);
        for (size_t i = 0; i < dimensions; i++) {
            vector[i] = (float)((double)vector[i] * scale);
        }
    }
}

/* Drops the @count lowest bits of @mantissa, to the nearest, ties to even. */
static uint32_t round_off(uint32_t mantissa, unsigned count)
{
    uint32_t half = 1u << (count - 1);
    uint32_t rest = mantissa & ((1u << count) - 1);
    uint32_t kept = mantissa >> count;
    bool is_up = rest > half || (rest == half && (kept & 1u) != 0);
    return kept + (is_up ? 1 : 0);
}

uint16_t hearth_half_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t mantissa = bits & 0x7fffffu;
    int exponent = (int)(bits >> 23 & 0xffu) - 127;
    if (exponent == 128) { /* infinity, or NaN: quiet, with what fits of its payload */
        return (uint16_t)(sign | 0x7c00u | (mantissa != 0 ? 0x200u | mantissa >> 13 : 0));
    }
    if (exponent >= 16) {
        return (uint16_t)(sign | 0x7c00u);
    }
    if (exponent >= -14) { /* a carry out of the mantissa rightly raises the exponent */
        return (uint16_t)(sign + ((uint32_t)(exponent + 15) << 10) + round_off(mantissa, 13));
    }
    if (exponent < -25) { /* below half of the smallest half */
        return (uint16_t)sign;
    }
    /* Subnormal: the hidden bit becomes visible and moves down. */
    return (uint16_t)(sign | round_off(mantissa | 0x800000u, (unsigned)(-exponent - 1)));
}

float hearth_half_value(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 0x1fu;
    uint32_t mantissa = half & 0x3ffu;
    if (exponent == 0) {
        float amount = (float)mantissa * 0x1p-24f;
        return sign != 0 ? -amount : amount;
    }
    uint32_t raised = exponent == 31 ? 255u : exponent + 112;
    uint32_t bits = sign | raised << 23 | mantissa << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* In place as well: place i is read before place i / 2 or less is written. */
bool hearth_vector_to_half(const float *values, size_t count, uint8_t *room)
{
    bool is_finite = true;
    for (size_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, (const uint8_t *)values + i * sizeof value, sizeof value);
        uint16_t half = hearth_half_of(value);
        is_finite = is_finite && ((half & 0x7c00u) != 0x7c00u || !isfinite(value));
        room[2 * i] = (uint8_t)half;
        room[2 * i + 1] = (uint8_t)(half >> 8);
    }
    return is_finite;
}

float hearth_vector_to_int8(const float *values, size_t count, uint8_t *room)
{
    float most = 0;
    for (size_t i = 0; i < count; i++) {
        most = HEARTH_MAX(most, fabsf(values[i]));
    }
    float scale = most / 127.0f;
    for (size_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, (const uint8_t *)values + i * sizeof value, sizeof value);
        /* A scale below the normal numbers is inexact, so the quotient may pass 127. */
        float steps = scale > 0 ? rintf(value / scale) : 0;
        room[i] = (uint8_t)(int8_t)HEARTH_MAX(-127.0f, HEARTH_MIN(127.0f, steps));
    }
    return scale;
}

int hearth_vector_form(const struct hearth_wire_inference_request *request, uint32_t dimensions,
                       bool is_normalised, struct hearth_vector_form *ret, struct hearth_error *err)
{
    if (request->dimensions > dimensions) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "dimensions: %u asked for, the model has %u", request->dimensions,
                           dimensions);
    }
    *ret = (struct hearth_vector_form){
        .dimensions = request->dimensions != 0 ? request->dimensions : dimensions,
        .is_normalised = request->normalize == 0 ? is_normalised : request->normalize == 1,
        .type = (enum hearth_vector_type)request->vector_type,
    };
    return 0;
}

int hearth_vector_finish(const struct hearth_vector_form *form, float *vector,
                         struct hearth_item_result *result, struct hearth_error *err)
{
    if (form->is_normalised) {
        hearth_vector_normalise(vector, form->dimensions);
    }
    result->dimensions = form->dimensions;
    switch (form->type) {
    case HEARTH_VECTOR_FLOAT32: result->vector = vector; return 0;
    case HEARTH_VECTOR_FLOAT16:
        if (!hearth_vector_to_half(vector, form->dimensions, (uint8_t *)vector)) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "vector_type: the vector has a value that float16 cannot hold; ask "
                               "for float32, or for normalised vectors");
        }
        result->packed = vector;
        result->packed_bytes = 2 * (size_t)form->dimensions;
        return 0;
    case HEARTH_VECTOR_INT8:
        result->scale = hearth_vector_to_int8(vector, form->dimensions, (uint8_t *)vector);
        result->packed = vector;
        result->packed_bytes = form->dimensions;
        return 0;
    }
    HEARTH_UNREACHABLE();
}
