/* json_shape.c — the two tables of json_shape.def, and finding an owner's rows in them. */

#include "json_shape.h"

/* Messages and records share one space of owners. */
#define OWNER_MSG(name)    ((unsigned)HEARTH_MSG_##name)
#define OWNER_RECORD(name) (RECORD_BASE + (unsigned)HEARTH_RECORD_##name)
#define RECORD_BASE        1000u

static const char *const hearth_json_input_words[] = {"prompt", "prompt_tokens", NULL};
static const char *const hearth_json_flag_words[] = {
    "stream", "return_token_ids", "in_order", "memfds",  "logprobs", "exact",
    "shift",  "no_cache",         "shorten",  "notices", "timing",   NULL};
static const char *const hearth_json_grammar_words[] = {[HEARTH_GRAMMAR_NONE] = "none",
                                                        [HEARTH_GRAMMAR_JSON_SCHEMA] =
                                                            "json_schema",
                                                        [HEARTH_GRAMMAR_GBNF] = "gbnf",
                                                        NULL};
static const char *const hearth_json_tools_words[] = {[HEARTH_TOOLS_AUTO] = "auto",
                                                      [HEARTH_TOOLS_NONE] = "none",
                                                      [HEARTH_TOOLS_REQUIRED] = "required",
                                                      NULL};
static const char *const hearth_json_cache_words[] = {[HEARTH_CACHE_NOT_TOLD] = "not_told",
                                                      [HEARTH_CACHE_USED] = "used",
                                                      [HEARTH_CACHE_OFF] = "off",
                                                      [HEARTH_CACHE_NOT_CACHEABLE] =
                                                          "not_cacheable",
                                                      NULL};
static const char *const hearth_json_normalize_words[] = {"default", "yes", "no", NULL};
static const char *const hearth_json_check_words[] = {[HEARTH_CHECK_LIVENESS] = "Liveness",
                                                      [HEARTH_CHECK_READINESS] = "Readiness",
                                                      [HEARTH_CHECK_FULL] = "Full",
                                                      NULL};
static const char *const hearth_json_health_words[] = {"Healthy", "Degraded", "Unhealthy", NULL};
static const char *const hearth_json_request_words[] = {"queued", "running", NULL};
static const char *const hearth_json_golden_words[] = {"nothing", "golden", "old", "both", NULL};

static const struct hearth_json_shape shapes[] = {
#define SHAPE(kind_, owner_, field_, member_, group_, form_, words_)                               \
    {.owner = OWNER_##kind_(owner_),                                                               \
     .offset = offsetof(struct hearth_wire_##owner_, field_),                                      \
     .member = (member_),                                                                          \
     .member_bytes = sizeof(member_) - 1,                                                          \
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

static size_t field_at(const struct hearth_layout *layout, size_t offset)
{
    size_t i = 0;
    while (layout->fields[i].offset != offset) {
        i++;
    }
    return i;
}

void hearth_json_owner_init(struct hearth_json_owner *owner, const struct hearth_layout *layout)
{
    static const struct hearth_json_shape plain;
    unsigned wanted = layout->number != 0 ? layout->number : RECORD_BASE + layout->record;
    HEARTH_ASSERT(layout->field_count <= HEARTH_JSON_FIELDS_MAX);
    *owner = (struct hearth_json_owner){.layout = layout};
    for (size_t i = 0; i < layout->field_count; i++) {
        owner->shapes[i] = &plain;
    }
    for (size_t i = 0; i < HEARTH_COUNT(shapes); i++) {
        if (shapes[i].owner == wanted) {
            owner->shapes[field_at(layout, shapes[i].offset)] = &shapes[i];
            owner->group = owner->group != NULL ? owner->group : shapes[i].group;
        }
    }
    for (size_t i = 0; i < HEARTH_COUNT(extras); i++) {
        if (extras[i].owner == wanted) {
            owner->extras = owner->extras != NULL ? owner->extras : &extras[i];
            owner->extra_count++;
        }
    }
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
