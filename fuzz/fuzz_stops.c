/* Stop strings in any bytes: as a search of everything finds them, and nothing of one is let go.
 *
 * Input: number of stop strings, then for each its size and bytes; the rest is the stream, its
 * first byte the size of its parts. */

#include "hearth_answer.h"

#include <string.h>

int hearth_fuzz_stops(const uint8_t *data, size_t size);

static struct hearth_slice take(struct hearth_slice *from, size_t size)
{
    struct hearth_slice taken = hearth_slice_of(from->data, HEARTH_MIN(size, from->size));
    *from = hearth_slice_of(from->data + taken.size, from->size - taken.size);
    return taken;
}

static size_t take_number(struct hearth_slice *from)
{
    struct hearth_slice byte = take(from, 1);
    return byte.size == 0 ? 0 : byte.data[0];
}

static bool ends_with(struct hearth_slice text, size_t end, struct hearth_slice what)
{
    return what.size <= end && memcmp(text.data + end - what.size, what.data, what.size) == 0;
}

/* Size of the longest stop string that is complete at @end, or 0. */
static size_t stop_at(const struct hearth_stops *stops, struct hearth_slice text, size_t end)
{
    size_t longest = 0;
    for (size_t i = 0; i < stops->count; i++) {
        if (ends_with(text, end, stops->each[i].text)) {
            longest = HEARTH_MAX(longest, stops->each[i].text.size);
        }
    }
    return longest;
}

static void check_held(const struct hearth_stops *stops, struct hearth_slice text, size_t end)
{
    size_t held = hearth_stops_held(stops);
    bool is_begun = held == 0;
    for (size_t i = 0; i < stops->count; i++) {
        struct hearth_slice stop = stops->each[i].text;
        is_begun = is_begun || (held < stop.size && held <= end &&
                                memcmp(text.data + end - held, stop.data, held) == 0);
    }
    HEARTH_ASSERT(is_begun && held <= end);
}

int hearth_fuzz_stops(const uint8_t *data, size_t size)
{
    struct hearth_slice input = hearth_slice_of(data, size);
    struct hearth_stops stops;
    hearth_stops_begin(&stops);
    for (size_t count = take_number(&input) % (HEARTH_STOPS_MOST + 2); count > 0; count--) {
        struct hearth_slice text = take(&input, take_number(&input));
        bool is_fine = text.size > 0 && stops.count < HEARTH_STOPS_MOST;
        HEARTH_ASSERT((hearth_stops_add(&stops, text) == 0) == is_fine);
    }
    size_t part = take_number(&input) + 1;
    size_t held = 0;
    for (size_t at = 0; at < input.size; at += part) {
        size_t used = 0;
        size_t stop = 0;
        part = HEARTH_MIN(part, input.size - at);
        bool is_found =
            hearth_stops_feed(&stops, hearth_slice_of(input.data + at, part), &used, &stop);
        size_t end = is_found ? at + used : at + part;
        for (size_t i = at + 1; i < end + !is_found; i++) {
            HEARTH_ASSERT(stop_at(&stops, input, i) == 0); /* none earlier was missed */
        }
        if (is_found) {
            HEARTH_ASSERT(stop == stop_at(&stops, input, end) && stop > 0);
            HEARTH_ASSERT(stop <= held + used); /* none of it was let go */
            return 0;
        }
        check_held(&stops, input, end);
        held = hearth_stops_held(&stops);
    }
    return 0;
}
