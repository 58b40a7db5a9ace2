/* json_shape.c — the two tables of json_shape.def, and finding an owner's rows in them. */

#include "json_shape.h"

/* Messages and records share one space of owners. */
#define OWNER_MSG(name)    ((unsigned)HEARTH_MSG_##name)
#define OWNER_RECORD(name) (RECORD_BASE + (unsigned)HEARTH_RECORD_##name)
#define RECORD_BASE        1000u

static const char *const hearth_json_input_words[] = {"prompt", "prompt_tokens", NULL};
static const char *const hearth_json_flag_words[] = {"stream", "return_token_ids", NULL};
static const char *const hearth_json_check_words[] = {[HEARTH_CHECK_LIVENESS] = "Liveness",
                                                      [HEARTH_CHECK_READINESS] = "Readiness",
                                                      [HEARTH_CHECK_FULL] = "Full",
                                                      NULL};
static const char *const hearth_json_health_words[] = {"Healthy", "Degraded", "Unhealthy", NULL};
static const char *const hearth_json_request_words[] = {"queued", "running", NULL};

static const struct hearth_json_shape shapes[] = {
#define SHAPE(kind_, owner_, field_, member_, group_, form_, words_)                               \
    {.owner = OWNER_##kind_(owner_),                                                               \
     .offset = offsetof(struct hearth_wire_##owner_, field_),                                      \
     .member = (member_),                                                                          \
     .group = (group_),                                                                            \
     .form = HEARTH_JSON_##form_,                                                                  \
     .words = (words_)},
    HEARTH_JSON_FIELDS(SHAPE)
#undef SHAPE
};

static const struct hearth_json_extra extras[] = {
#define EXTRA(kind_, owner_, member_, what_, help_)                                                \
    {OWNER_##kind_(owner_), member_, HEARTH_JSON_##what_, help_},
    HEARTH_JSON_EXTRAS(EXTRA)
#undef EXTRA
};

struct hearth_json_owner hearth_json_owner_of(const struct hearth_layout *layout)
{
    struct hearth_json_owner owner = {.layout = layout};
    unsigned wanted = layout->number != 0 ? layout->number : RECORD_BASE + layout->record;
    for (size_t i = 0; i < HEARTH_COUNT(shapes); i++) {
        if (shapes[i].owner == wanted) {
            owner.shapes = owner.shapes != NULL ? owner.shapes : &shapes[i];
            owner.shape_count++;
            owner.group = owner.group != NULL ? owner.group : shapes[i].group;
        }
    }
    for (size_t i = 0; i < HEARTH_COUNT(extras); i++) {
        if (extras[i].owner == wanted) {
            owner.extras = owner.extras != NULL ? owner.extras : &extras[i];
            owner.extra_count++;
        }
    }
    return owner;
}

struct hearth_json_shape hearth_json_shape_of(const struct hearth_json_owner *owner,
                                              const struct hearth_field *field)
{
    for (size_t i = 0; i < owner->shape_count; i++) {
        if (owner->shapes[i].offset == field->offset) {
            return owner->shapes[i];
        }
    }
    return (struct hearth_json_shape){.member = field->name};
}

bool hearth_json_is_public(const struct hearth_layout *layout)
{
    return layout->direction == HEARTH_TO_DAEMON || layout->direction == HEARTH_TO_CLIENT;
}

bool hearth_json_is_bare(const struct hearth_layout *layout)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        if (!hearth_json_is_run(layout->fields[i].kind)) {
            return false;
        }
    }
    return true;
}
