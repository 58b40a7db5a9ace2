/* hearth_normal.h — a text to its normalised form, and that to the parts that a model gets.
 *
 * A text passes as a view (text.h) through the steps of a normaliser (normalize.h) and of a
 * pre-tokeniser (pretokenize.h); per byte a view knows the bytes of the original, if places are
 * wanted. Sizes and places are bytes of valid UTF-8.
 *
 * What is built at load is constant from then on: any number of threads may use it, each with a
 * scratch of its own, which owns what the views lend until the next text. Nothing blocks. Functions
 * that can fail return 0 or a negative HEARTH_E_*. */

#ifndef HEARTH_NORMAL_H
#define HEARTH_NORMAL_H

#include "normalize.h"
#include "pretokenize.h"
#include "text.h"

#endif
