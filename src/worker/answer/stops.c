/* stops.c — one automaton of Knuth, Morris and Pratt for each stop string. With at most eight, that
 * is less memory than one automaton for all, and no slower to build than to read. */

#include "hearth_answer.h"

void hearth_stops_begin(struct hearth_stops *stops)
{
    stops->count = 0;
}

/* The longest prefix of @text that the stream ends with, after @byte. */
static size_t advance(struct hearth_slice text, const uint16_t *border, size_t matched,
                      uint8_t byte)
{
    while (matched > 0 && text.data[matched] != byte) {
        matched = border[matched - 1];
    }
    return matched + (text.data[matched] == byte);
}

int hearth_stops_add(struct hearth_stops *stops, struct hearth_slice text)
{
    if (stops->count == HEARTH_STOPS_MOST || text.size == 0 ||
        text.size > HEARTH_STOPS_MOST_BYTES) {
        return HEARTH_E_TOO_LARGE;
    }
    uint16_t *border = stops->each[stops->count].border;
    border[0] = 0;
    for (size_t i = 1; i < text.size; i++) {
        border[i] = (uint16_t)advance(text, border, border[i - 1], text.data[i]);
    }
    stops->each[stops->count].text = text;
    stops->each[stops->count].matched = 0;
    stops->count++;
    return 0;
}

bool hearth_stops_feed(struct hearth_stops *stops, struct hearth_slice bytes, size_t *ret_used,
                       size_t *ret_size)
{
    for (size_t at = 0; at < bytes.size; at++) {
        size_t longest = 0;
        for (size_t i = 0; i < stops->count; i++) {
            struct hearth_slice text = stops->each[i].text;
            size_t matched =
                advance(text, stops->each[i].border, stops->each[i].matched, bytes.data[at]);
            stops->each[i].matched = matched;
            longest = matched == text.size ? HEARTH_MAX(longest, matched) : longest;
        }
        if (longest > 0) {
            hearth_stops_break(stops);
            *ret_used = at + 1;
            *ret_size = longest;
            return true;
        }
    }
    return false;
}

size_t hearth_stops_held(const struct hearth_stops *stops)
{
    size_t held = 0;
    for (size_t i = 0; i < stops->count; i++) {
        held = HEARTH_MAX(held, stops->each[i].matched);
    }
    return held;
}

void hearth_stops_break(struct hearth_stops *stops)
{
    for (size_t i = 0; i < stops->count; i++) {
        stops->each[i].matched = 0;
    }
}
