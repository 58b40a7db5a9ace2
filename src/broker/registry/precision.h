/* precision.h — private to the registry: what a manifest says about the numbers of its weights. */

#ifndef HEARTH_PRECISION_H
#define HEARTH_PRECISION_H

#include "manifest.h"

#include <yyjson.h>

/**
 * Reads "precision", "agreement" and "default" of @root into @manifest, whose task is known.
 * Weights in int8 are refused without the measure of how far they agree with those they were made
 * of, and as the default of a name below the limits. HEARTH_E_MODEL_INVALID.
 */
HEARTH_NODISCARD int precision_read(yyjson_val *root, struct hearth_manifest *manifest,
                                    struct hearth_error *err);

#endif
