/* guess.h — what could come next, looked up in what came before (prompt lookup). */

#ifndef HEARTH_GUESS_H
#define HEARTH_GUESS_H

#include "hearth_base.h"

#define HEARTH_GUESS_MOST_TOKENS 3u    /* that must have come before in the same order */
#define HEARTH_GUESS_LOOK_BACK   8192u /* places that are looked at: bounds the work of a call */

/**
 * Finds where the last tokens of @tokens came before, at most HEARTH_GUESS_MOST_TOKENS of them and
 * at least one; longer is better, then later. Copies up to @most of those that followed there to
 * @room and returns how many, 0 if none.
 */
size_t hearth_guess(const int32_t *tokens, size_t count, int32_t *room, size_t most);

#endif
