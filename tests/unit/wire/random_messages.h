/* random_messages.h — messages filled at random from the layouts, and compared through them. Their
 * memory is an arena. */

#ifndef HEARTH_TEST_RANDOM_MESSAGES_H
#define HEARTH_TEST_RANDOM_MESSAGES_H

#include "kit.h"

#include "hearth_wire.h"

#include <math.h>
#include <string.h>

#define WORLD_BYTES     (1u << 20)
#define LIST_LENGTH_MAX 4
#define RUN_LENGTH_MAX  60

struct world {
    struct hearth_arena arena;
    struct kit_random *random;
    bool is_json; /* only what V1 can say: a token is UTF-8, floats are finite */
};

static void fill_record(struct world *w, const struct hearth_layout *layout, void *record);

static uint64_t up_to(struct world *w, uint64_t most, uint64_t limit)
{
    uint64_t bound = limit == 0 ? most : HEARTH_MIN(most, limit);
    return kit_random_below(w->random, bound + 1);
}

static void fill_list(struct world *w, const struct hearth_field *field,
                      struct hearth_wire_list *list)
{
    const struct hearth_layout *layout = hearth_wire_record_layout(field->record);
    list->count = (uint32_t)up_to(w, LIST_LENGTH_MAX, field->limit);
    char *items = hearth_arena_alloc(&w->arena, list->count + 1, layout->struct_bytes);
    assert_non_null(items);
    for (uint32_t i = 0; i < list->count; i++) {
        fill_record(w, layout, items + i * layout->struct_bytes);
    }
    list->items = items;
}

static void fill_slice(struct world *w, const struct hearth_field *field,
                       struct hearth_slice *slice)
{
    uint8_t *room = hearth_arena_alloc(&w->arena, RUN_LENGTH_MAX, 1);
    assert_non_null(room);
    size_t size = up_to(w, RUN_LENGTH_MAX, field->limit);
    bool is_text = field->kind == HEARTH_FIELD_str || strcmp(field->name, "token") == 0;
    if (field->kind == HEARTH_FIELD_str || (w->is_json && is_text)) {
        size = kit_random_utf8(w->random, room, size);
    } else {
        kit_random_bytes(w->random, room, size);
    }
    *slice = hearth_slice_of(room, size);
}

/* Any bits, or the half of one where V1 has no number for them. */
static void fill_floats(struct world *w, float *room, size_t count)
{
    kit_random_bytes(w->random, room, count * sizeof *room);
    for (size_t i = 0; i < count; i++) {
        room[i] = w->is_json && !isfinite(room[i]) ? 0.5f : room[i];
    }
}

static void fill_field(struct world *w, const struct hearth_field *field, void *member)
{
    static const uint8_t widths[] = {1, 2, 4, 8, 4};
    switch (field->kind) {
    case HEARTH_FIELD_u8:
    case HEARTH_FIELD_u16:
    case HEARTH_FIELD_u32:
    case HEARTH_FIELD_u64: {
        uint64_t value = field->limit == 0 ? kit_random_edge(w->random)
                                           : kit_random_between(w->random, 0, field->limit);
        memcpy(member, &value, widths[field->kind]);
        return;
    }
    case HEARTH_FIELD_f32: fill_floats(w, member, 1); return;
    case HEARTH_FIELD_str:
    case HEARTH_FIELD_bytes: fill_slice(w, field, member); return;
    case HEARTH_FIELD_f32s:
    case HEARTH_FIELD_u32s: {
        struct hearth_wire_f32s *array = member;
        array->count = (uint32_t)up_to(w, RUN_LENGTH_MAX, field->limit);
        void *room = hearth_arena_alloc(&w->arena, RUN_LENGTH_MAX, sizeof(float));
        assert_non_null(room);
        if (field->kind == HEARTH_FIELD_f32s) {
            fill_floats(w, room, array->count);
        } else {
            kit_random_bytes(w->random, room, array->count * sizeof(uint32_t));
        }
        array->data = room;
        return;
    }
    case HEARTH_FIELD_list: fill_list(w, field, member); return;
    }
}

static void fill_record(struct world *w, const struct hearth_layout *layout, void *record)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        fill_field(w, field, (char *)record + field->offset);
    }
}

static void assert_same_record(const struct hearth_layout *layout, const void *a, const void *b);

static void assert_same_list(const struct hearth_field *field, struct hearth_wire_list a,
                             struct hearth_wire_list b)
{
    union {
#define ROOM(name, help) struct hearth_wire_##name name;
        HEARTH_RECORDS(ROOM)
#undef ROOM
    } record_a, record_b;
    assert_int_equal(a.count, b.count);
    while (hearth_wire_next(&a, field->record, &record_a)) {
        assert_true(hearth_wire_next(&b, field->record, &record_b));
        assert_same_record(hearth_wire_record_layout(field->record), &record_a, &record_b);
    }
    assert_false(hearth_wire_next(&b, field->record, &record_b));
}

static void assert_same_record(const struct hearth_layout *layout, const void *a, const void *b)
{
    static const uint8_t widths[] = {1, 2, 4, 8, 4};
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        const void *in_a = (const char *)a + field->offset;
        const void *in_b = (const char *)b + field->offset;
        if (field->kind <= HEARTH_FIELD_f32) {
            assert_memory_equal(in_a, in_b, widths[field->kind]);
        } else if (field->kind == HEARTH_FIELD_list) {
            assert_same_list(field, *(const struct hearth_wire_list *)in_a,
                             *(const struct hearth_wire_list *)in_b);
        } else if (field->kind == HEARTH_FIELD_f32s || field->kind == HEARTH_FIELD_u32s) {
            const struct hearth_wire_f32s *floats_a = in_a;
            const struct hearth_wire_f32s *floats_b = in_b;
            assert_int_equal(floats_a->count, floats_b->count);
            assert_memory_equal(floats_a->data, floats_b->data, floats_a->count * sizeof(float));
        } else {
            assert_true(hearth_slice_equal(*(const struct hearth_slice *)in_a,
                                           *(const struct hearth_slice *)in_b));
        }
    }
}

#endif
