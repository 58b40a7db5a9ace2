/* stops.h — stop strings in a stream of bytes.
 *
 * The stop string that is complete first wins; of two that are complete with the same byte, the
 * longer one. So how the bytes were cut into parts changes nothing. Time is linear in the bytes
 * times the number of stop strings. */

#ifndef HEARTH_STOPS_H
#define HEARTH_STOPS_H

#include "hearth_base.h"

#define HEARTH_STOPS_MOST       8u
#define HEARTH_STOPS_MOST_BYTES 256u /* of one */

struct hearth_stops {
    size_t count;
    struct {
        struct hearth_slice text;                 /* lent */
        uint16_t border[HEARTH_STOPS_MOST_BYTES]; /* [i]: longest proper prefix of text[0..i] that
                                                     is its suffix too */
        size_t matched;                           /* bytes of it that the stream ends with now */
    } each[HEARTH_STOPS_MOST];
};

/** Forgets all stop strings. */
void hearth_stops_begin(struct hearth_stops *stops);

/** Adds one of 1 to HEARTH_STOPS_MOST_BYTES bytes, lent as long as @stops is used. TOO_LARGE if it
 *  has not this size or there are HEARTH_STOPS_MOST already. */
HEARTH_NODISCARD int hearth_stops_add(struct hearth_stops *stops, struct hearth_slice text);

/**
 * Looks at the next bytes of the stream. False: none is complete. True: one is, with the last of
 * *@ret_used bytes; it is *@ret_size bytes long, which may begin in earlier parts.
 */
bool hearth_stops_feed(struct hearth_stops *stops, struct hearth_slice bytes, size_t *ret_used,
                       size_t *ret_size);

/** How many bytes at the end of the stream could be the beginning of a stop string: hold them. */
size_t hearth_stops_held(const struct hearth_stops *stops);

/** What comes next does not go on from what came before: nothing is held. */
void hearth_stops_break(struct hearth_stops *stops);

#endif
