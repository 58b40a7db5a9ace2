/* hearth_subword.h — one part of a text to tokens: the models WordPiece, BPE and Unigram.
 *
 * model.h says what a part is, what every model offers and where tokens go; vocab.h holds the
 * pieces that they choose from, by id.
 *
 * A model is built once from the object "model" of tokenizer.json, in memory of the caller's arena,
 * and constant from then on: any number of threads may use it, each with a scratch and a sink of
 * its own. Nothing blocks. Functions that can fail return 0 or a negative HEARTH_E_*. */

#ifndef HEARTH_SUBWORD_H
#define HEARTH_SUBWORD_H

#include "bpe.h"
#include "model.h"
#include "unigram.h"
#include "vocab.h"
#include "wordpiece.h"

#endif
