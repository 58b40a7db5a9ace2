/* answer.h — from the output of a run to the result of an item, for each task of a text model. */

#ifndef HEARTH_ONNX_ANSWER_H
#define HEARTH_ONNX_ANSWER_H

#include "run.h"
#include "vector.h"

/**
 * Fills @result from @output; it lends the runner's scratch. @form is what an embedding shall be
 * like. HEARTH_E_ENGINE_FAILED (NaN or infinity), HEARTH_E_TOO_LARGE (entities),
 * HEARTH_E_UNSUPPORTED (a value that float16 cannot hold).
 */
HEARTH_NODISCARD int answer_fill(struct runner *runner, const struct onnx_model *model,
                                 const struct hearth_item *item,
                                 const struct hearth_vector_form *form,
                                 const struct onnx_output *output,
                                 struct hearth_item_result *result, struct hearth_error *err);

#endif
