/* choice.h — narrow or wide: what a lonely run of a given length is served by.
 *
 * Of each class of lengths (powers of two) it keeps how long a token took either way, as a moving
 * average over lonely runs; calibration puts the first figures in. The faster way is taken; now and
 * then the other is tried, the more seldom the slower it was, because how many cores are really
 * free changes. A try is a few runs in a row; a slow first run after a change teaches nothing,
 * because its threads were asleep and its caches cold. Other programs only ever make a run slower,
 * so that a fast one is believed sooner. Runs that are not lonely are narrow and teach nothing.
 * Thread-safe; never waits. */

#ifndef HEARTH_ONNX_CHOICE_H
#define HEARTH_ONNX_CHOICE_H

#include "hearth_base.h"

#include <stdatomic.h>

#define CHOICE_NEVER   SIZE_MAX
#define CHOICE_CLASSES 40u
#define CHOICE_RETRY   128u /* runs after which an equally fast way is tried again */
#define CHOICE_TRIES   4u   /* runs in a row that such a try takes */

struct choice {
    struct choice_class {
        atomic_uint_fast64_t token_ps[2]; /* picoseconds a token, narrow and wide; 0: unknown */
        atomic_uint_fast64_t asked;
        atomic_uint_fast64_t tries_left;
    } classes[CHOICE_CLASSES];
    atomic_bool was_wide; /* the lonely run before */
};

void choice_init(struct choice *choice);

/** True if a lonely run of @tokens (at least 1) is to be wide. */
bool choice_is_wide(struct choice *choice, size_t tokens);

/** How long a narrow run of @tokens probably takes; UINT64_MAX while nothing is known. */
uint64_t choice_foreseen_ns(const struct choice *choice, size_t tokens);

/** Notes how long a lonely run took. */
void choice_note(struct choice *choice, size_t tokens, bool is_wide, uint64_t took_ns);

/** True if wide is so much faster that it pays: the cores could serve somebody else. */
bool choice_pays(uint64_t narrow_ns, uint64_t wide_ns);

#endif
