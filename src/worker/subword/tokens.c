/* tokens.c — the tokens of one sequence, as the models put them. */

#include "model.h"

#include <string.h>

#define FIRST_ROOM 128

static int reserve(struct token_sink *sink, size_t need)
{
    if (need <= sink->room && (!sink->wants_places || need <= sink->place_room)) {
        return 0;
    }
    size_t room = HEARTH_MAX(need, HEARTH_MAX(sink->room, FIRST_ROOM));
    room = room > sink->room && sink->room > 0 ? HEARTH_MAX(room, sink->room * 2) : room;
    if (room > sink->room) {
        uint32_t *ids = hearth_realloc(sink->ids, room, sizeof *ids);
        if (ids == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        sink->ids = ids;
        sink->room = room;
    }
    if (sink->wants_places && room > sink->place_room) {
        struct hearth_token_place *places = hearth_realloc(sink->places, room, sizeof *places);
        if (places == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        sink->places = places;
        sink->place_room = room;
    }
    return 0;
}

/* Of those that only the last count, keeps no more than twice as many. */
static void drop_first(struct token_sink *sink)
{
    size_t from = sink->count - sink->limit;
    memmove(sink->ids, sink->ids + from, sink->limit * sizeof *sink->ids);
    if (sink->wants_places) {
        memmove(sink->places, sink->places + from, sink->limit * sizeof *sink->places);
    }
    sink->count = sink->limit;
}

int token_sink_grow(struct token_sink *sink)
{
    if (sink->keeps_last && sink->limit < SIZE_MAX / 4 &&
        sink->count >= 2 * sink->limit + FIRST_ROOM) {
        drop_first(sink);
    }
    int rc = reserve(sink, sink->count + 1);
    if (rc < 0) {
        return rc;
    }
    size_t ready = sink->wants_places ? HEARTH_MIN(sink->room, sink->place_room) : sink->room;
    size_t most = !sink->keeps_last            ? sink->limit
                  : sink->limit < SIZE_MAX / 4 ? 2 * sink->limit + FIRST_ROOM
                                               : SIZE_MAX;
    sink->ready = HEARTH_MIN(ready, most);
    return 0;
}

void token_sink_place(struct token_sink *sink, size_t start, size_t end)
{
    start += sink->part_start;
    end += sink->part_start;
    sink->places[sink->count] =
        end > start ? view_range(sink->view, start, end) : (struct hearth_token_place){0, 0};
}

void token_sink_start(struct token_sink *sink, size_t limit, bool keeps_last, bool wants_places)
{
    sink->count = 0;
    sink->total = 0;
    sink->ready = 0;
    sink->limit = limit;
    sink->keeps_last = keeps_last;
    sink->wants_places = wants_places;
}

void token_sink_wipe(struct token_sink *sink)
{
    hearth_wipe(sink->ids, sink->room * sizeof *sink->ids);
    hearth_wipe(sink->places, sink->place_room * sizeof *sink->places);
    sink->count = 0;
}

void token_sink_finish(struct token_sink *sink)
{
    token_sink_wipe(sink);
    hearth_free(sink->ids);
    hearth_free(sink->places);
    *sink = (struct token_sink){0};
}
