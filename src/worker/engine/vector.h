/* vector.h — the last steps of an embedding: cut, brought to length 1, packed. Pure arithmetic that
 * every engine shares, so that a vector type means the same bits whatever made the vector. */

#ifndef HEARTH_ENGINE_VECTOR_H
#define HEARTH_ENGINE_VECTOR_H

#include "item.h"

/** Scales @vector to length 1; one of length 0 stays as it is. The sum is kept in double. */
void hearth_vector_normalise(float *vector, size_t dimensions);

/** The IEEE 754 half nearest to @value, ties to even; too large ones become infinity, NaN stays. */
uint16_t hearth_half_of(float value);

/** The value of a half, exactly. */
float hearth_half_value(uint16_t half);

/** Writes @count halves, little-endian, to @room, which may be @values itself. False if a finite
 *  value became infinite (from 65520 on). */
bool hearth_vector_to_half(const float *values, size_t count, uint8_t *room);

/**
 * Writes @count int8 to @room, which may be @values itself, and returns the scale: a value is about
 * its int8 times that. The largest amount becomes 127; ties go to even; all zeros have scale 0.
 * Values are finite.
 */
float hearth_vector_to_int8(const float *values, size_t count, uint8_t *room);

/** What a request wants of its vectors. */
struct hearth_vector_form {
    uint32_t dimensions; /* the first so many */
    bool is_normalised;
    enum hearth_vector_type type;
};

/**
 * What @request asks of a model that has @dimensions and is normalised unless told otherwise
 * (@is_normalised). HEARTH_E_INPUT_INVALID if it wants more dimensions than there are.
 */
HEARTH_NODISCARD int hearth_vector_form(const struct hearth_wire_inference_request *request,
                                        uint32_t dimensions, bool is_normalised,
                                        struct hearth_vector_form *ret, struct hearth_error *err);

/**
 * Brings @vector (at least form->dimensions floats) into @form in place and fills the members of
 * @result that tell an embedding; they lend @vector. HEARTH_E_UNSUPPORTED if a value is too large
 * for float16.
 */
HEARTH_NODISCARD int hearth_vector_finish(const struct hearth_vector_form *form, float *vector,
                                          struct hearth_item_result *result,
                                          struct hearth_error *err);

#endif
