/* generation.h — requests of models that generate: generate, chat, choice. Included by
 * hearth_wire.h. */

#ifndef HEARTH_WIRE_GENERATION_H
#define HEARTH_WIRE_GENERATION_H

/** Fills the sampling fields with their defaults: 256, 0.7, 40, 0.9, 0 (off), 1.1, 64, seed 42. */
void hearth_wire_default_request(struct hearth_wire_inference_request *request);

/** The part of hearth_wire_check_request() about generate, chat and choice. */
HEARTH_NODISCARD int hearth_wire_check_generation(
    const struct hearth_wire_inference_request *request, struct hearth_error *err);

/** True for the tasks of models that generate: generate, chat, choice. */
bool hearth_wire_is_generation(const struct hearth_wire_inference_request *request);

/** How many answers to its one prompt a request wants, at least 1; 1 for tasks that have none. */
uint32_t hearth_wire_answers(const struct hearth_wire_inference_request *request);

/** Of a cache_domain as workers get it: the bits from this one on stand for the user, the rest for
 *  user and number. */
#define HEARTH_DOMAIN_USER_BIT 48u

#endif
