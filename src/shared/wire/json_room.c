/* json_room.c — one block of memory, handed out from its start and taken back all at once.
 *
 * What was handed out is pointed to, so the block cannot move while a message lives in it. When it
 * is too small, whoever fills it begins again with a larger one: after a few messages it fits. */

#include "json_priv.h"

#include <stdalign.h>

#define ALIGNMENT alignof(max_align_t)

void hearth_json_room_init(struct hearth_json_room *room, size_t cap_bytes)
{
    *room = (struct hearth_json_room){.cap = cap_bytes};
}

void hearth_json_room_finish(struct hearth_json_room *room)
{
    hearth_wipe(room->memory, room->used);
    hearth_free(room->memory);
    hearth_json_room_init(room, room->cap);
}

void hearth_json_room_reset(struct hearth_json_room *room, size_t keep_bytes)
{
    if (room->room > keep_bytes) {
        hearth_json_room_finish(room);
    } else {
        hearth_wipe(room->memory, room->used);
        room->used = 0;
    }
}

int json_room_hold(struct hearth_json_room *room, size_t bytes)
{
    hearth_wipe(room->memory, room->used);
    room->used = 0;
    size_t wanted = HEARTH_MIN(bytes, room->cap);
    if (wanted <= room->room) {
        return 0;
    }
    hearth_free(room->memory);
    room->room = 0;
    room->memory = hearth_alloc(wanted, 1);
    if (room->memory == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    room->room = wanted;
    return 0;
}

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

void *json_room_take(struct hearth_json_room *room, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > room->room ||
        rounded(bytes) > room->room - room->used) {
        return NULL;
    }
    void *memory = (char *)room->memory + room->used;
    room->used += rounded(bytes);
    return memory;
}

/* ── For the JSON library ────────────────────────────────────────────────────────────────────── */

static void *take(void *context, size_t size)
{
    return json_room_take(context, size, 1);
}

static bool is_last(const struct hearth_json_room *room, const void *block, size_t size)
{
    return (const char *)block + rounded(size) == (const char *)room->memory + room->used;
}

/* The library grows its array of values, which is mostly the last block: then it grows in place. */
static void *resize(void *context, void *block, size_t old_size, size_t size)
{
    struct hearth_json_room *room = context;
    if (size <= old_size) {
        return block; /* and what it held is wiped with the rest */
    }
    if (is_last(room, block, old_size)) {
        size_t before = room->used - rounded(old_size);
        if (size > room->room || rounded(size) > room->room - before) {
            return NULL;
        }
        room->used = before + rounded(size);
        return block;
    }
    void *moved = json_room_take(room, size, 1);
    if (moved != NULL) {
        memcpy(moved, block, old_size);
    }
    return moved;
}

static void give_back(void *context, void *block)
{
    (void)context; /* all at once, when the message is forgotten */
    (void)block;
}

struct yyjson_alc json_room_allocator(struct hearth_json_room *room)
{
    return (struct yyjson_alc){take, resize, give_back, room};
}
