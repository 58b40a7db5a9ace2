/* families.h — numbers by labels: bounded tables of counters and gauges, one cell for each
 * combination of label values. Part of hearth_metrics.h. */

#ifndef HEARTH_METRICS_FAMILIES_H
#define HEARTH_METRICS_FAMILIES_H

#include "hearth_base.h"

#define HEARTH_METRIC_MODELS     64u                  /* slots, as the registry numbers them */
#define HEARTH_METRIC_NO_MODEL   HEARTH_METRIC_MODELS /* a request for a model that there is not */
#define HEARTH_METRIC_NAME_BYTES 128u                 /* of a model */

enum hearth_label {
#define L(NAME, ...) HEARTH_LABEL_##NAME,
#include "families.def"
#undef L
};

/* How many values each label has. */
enum {
#define L(NAME, name, ...)                                                                         \
    HEARTH_LABEL_SIZE_##NAME = HEARTH_LABEL_##NAME == HEARTH_LABEL_MODEL                           \
                                   ? HEARTH_METRIC_MODELS + 1                                      \
                                   : sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),
#include "families.def"
#undef L
};

enum hearth_refusal_reason {
    HEARTH_REFUSAL_QUEUE_FULL,
    HEARTH_REFUSAL_MEMORY,
    HEARTH_REFUSAL_DEADLINE,
    HEARTH_REFUSAL_SHUTTING_DOWN,
    HEARTH_REFUSAL_NO_MODEL,
    HEARTH_REFUSAL_NOT_LOADED,
    HEARTH_REFUSAL_INPUT,
};
enum hearth_request_result {
    HEARTH_RESULT_SUCCESS,
    HEARTH_RESULT_CANCELLED,
    HEARTH_RESULT_EXPIRED,
    HEARTH_RESULT_LOST,
    HEARTH_RESULT_FAILED,
};
enum hearth_lookup_outcome {
    HEARTH_LOOKUP_HIT,
    HEARTH_LOOKUP_MISS,
    HEARTH_LOOKUP_OFF,
    HEARTH_LOOKUP_NOT_CACHEABLE,
};
enum hearth_death_cause {
    HEARTH_DEATH_DIED,
    HEARTH_DEATH_HANG,
    HEARTH_DEATH_RULE,
    HEARTH_DEATH_MEMORY,
};
enum hearth_eviction_reason {
    HEARTH_EVICTION_ROOM,
    HEARTH_EVICTION_IDLE,
    HEARTH_EVICTION_PRESSURE,
};

enum hearth_family {
#define X(NAME, ...) HEARTH_FAMILY_##NAME,
#include "families.def"
#undef X
    HEARTH_FAMILY_COUNT_,
};

/* Where the cells of a family begin: each ends where the next begins. */
enum {
#define X(NAME, name, kind, unit, A, B, C, help)                                                   \
    HEARTH_FAMILY_AT_##NAME,                                                                       \
        HEARTH_FAMILY_LAST_##NAME =                                                                \
            HEARTH_FAMILY_AT_##NAME +                                                              \
            (int)(HEARTH_LABEL_SIZE_##A * HEARTH_LABEL_SIZE_##B * HEARTH_LABEL_SIZE_##C) - 1,
#include "families.def"
#undef X
    HEARTH_FAMILY_CELLS_,
};

/** What a family is; the strings are constants. */
struct hearth_family_shape {
    const char *name;
    const char *unit;
    const char *help;
    bool is_gauge;
    enum hearth_label labels[3];
    uint32_t sizes[3];
    uint32_t first; /* cell */
};
extern const struct hearth_family_shape hearth_families[HEARTH_FAMILY_COUNT_];

struct hearth_metric_families {
    uint64_t cells[HEARTH_FAMILY_CELLS_];
    char models[HEARTH_METRIC_MODELS][HEARTH_METRIC_NAME_BYTES + 1]; /* "": the slot is free */
};

/** One number of a family as a reader sees it. */
struct hearth_series {
    const struct hearth_family_shape *family;
    uint32_t at[3]; /* index of each label's value */
    uint64_t value;
};

#endif
