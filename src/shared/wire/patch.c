/* patch.c — changing a number of an encoded message where it stands. */

#include "wire_priv.h"

void hearth_wire_patch(uint8_t *frame, enum hearth_message_type type, size_t offset, uint64_t value)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(type);
    size_t at = HEARTH_WIRE_HEADER_BYTES;
    HEARTH_ASSERT(layout != NULL);
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        HEARTH_ASSERT(hearth_wire_is_number(field->kind));
        if (field->offset == offset) {
            hearth_wire_store(frame + at, value, field->unit);
            return;
        }
        at += field->unit;
    }
    HEARTH_UNREACHABLE();
}
