/* layout.c — messages.def as data: where each field stands, how it travels, and its limit. */

#include "hearth_wire.h"

/* Bytes of a number, or of one element of a run. */
#define UNIT_u8    1
#define UNIT_u16   2
#define UNIT_u32   4
#define UNIT_u64   8
#define UNIT_f32   4
#define UNIT_str   1
#define UNIT_bytes 1
#define UNIT_f32s  4
#define UNIT_u32s  4

/* A field line of messages.def does not name its struct, so each layout is built inside a function
 * of its own, where `self` is that struct. */
#define FIELD(kind_, name_, limit_, help_)                                                         \
    {.name = #name_,                                                                               \
     .name_bytes = sizeof #name_ - 1,                                                              \
     .help = help_,                                                                                \
     .kind = HEARTH_FIELD_##kind_,                                                                 \
     .unit = UNIT_##kind_,                                                                         \
     .limit = (limit_),                                                                            \
     .offset = offsetof(self, name_)},
#define LIST(record_, name_, limit_, help_)                                                        \
    {.name = #name_,                                                                               \
     .name_bytes = sizeof #name_ - 1,                                                              \
     .help = help_,                                                                                \
     .kind = HEARTH_FIELD_list,                                                                    \
     .record = HEARTH_RECORD_##record_,                                                            \
     .limit = (limit_),                                                                            \
     .offset = offsetof(self, name_)},
#define LAYOUT(name_, help_, ...)                                                                  \
    static const struct hearth_layout *layout_of_##name_(void)                                     \
    {                                                                                              \
        typedef struct hearth_wire_##name_ self;                                                   \
        static const struct hearth_field fields[] = {HEARTH_FIELDS_##name_(FIELD, LIST){0}};       \
        static const struct hearth_layout layout = {                                               \
            .name = #name_,                                                                        \
            .help = help_,                                                                         \
            .fields = fields,                                                                      \
            .field_count = HEARTH_COUNT(fields) - 1, /* the last is empty: {} is not standard */   \
            .struct_bytes = sizeof(self),                                                          \
            __VA_ARGS__};                                                                          \
        return &layout;                                                                            \
    }
#define RECORD_LAYOUT(name_, help_) LAYOUT(name_, help_, .record = HEARTH_RECORD_##name_)
#define MESSAGE_LAYOUT(name_, number_, direction_, help_)                                          \
    LAYOUT(name_, help_, .number = (number_), .direction = HEARTH_##direction_)
HEARTH_RECORDS(RECORD_LAYOUT)
HEARTH_MESSAGES(MESSAGE_LAYOUT)
#undef MESSAGE_LAYOUT
#undef RECORD_LAYOUT
#undef LAYOUT
#undef LIST
#undef FIELD

const struct hearth_layout *hearth_wire_message_layout(enum hearth_message_type type)
{
    switch (type) {
#define CASE(name_, number_, direction_, help_)                                                    \
    case HEARTH_MSG_##name_: return layout_of_##name_();
        HEARTH_MESSAGES(CASE)
#undef CASE
    }
    return NULL; /* a number from outside */
}

const struct hearth_layout *hearth_wire_record_layout(enum hearth_record_type type)
{
    switch (type) {
#define CASE(name_, help_)                                                                         \
    case HEARTH_RECORD_##name_: return layout_of_##name_();
        HEARTH_RECORDS(CASE)
#undef CASE
    }
    return NULL;
}

const struct hearth_layout *hearth_wire_message_at(size_t index)
{
    static const enum hearth_message_type types[] = {
#define TYPE(name_, number_, direction_, help_) HEARTH_MSG_##name_,
        HEARTH_MESSAGES(TYPE)
#undef TYPE
    };
    return index < HEARTH_COUNT(types) ? hearth_wire_message_layout(types[index]) : NULL;
}
