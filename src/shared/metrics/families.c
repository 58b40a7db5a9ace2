/* families.c — the tables of families and labels, and going through their numbers. */

#include "hearth_metrics.h"

#include <stdio.h>
#include <string.h>

#define SHAPE_COUNTER false
#define SHAPE_GAUGE   true
const struct hearth_family_shape hearth_families[HEARTH_FAMILY_COUNT_] = {
#define X(NAME, name_, kind_, unit_, A, B, C, help_)                                               \
    [HEARTH_FAMILY_##NAME] = {                                                                     \
        .name = name_,                                                                             \
        .unit = unit_,                                                                             \
        .help = help_,                                                                             \
        .is_gauge = SHAPE_##kind_,                                                                 \
        .labels = {HEARTH_LABEL_##A, HEARTH_LABEL_##B, HEARTH_LABEL_##C},                          \
        .sizes = {HEARTH_LABEL_SIZE_##A, HEARTH_LABEL_SIZE_##B, HEARTH_LABEL_SIZE_##C},            \
        .first = HEARTH_FAMILY_AT_##NAME,                                                          \
    },
#include "families.def"
#undef X
};

static const struct {
    const char *name;
    const char *const *words;
} labels[] = {
#define L(NAME, name_, ...)                                                                        \
    [HEARTH_LABEL_##NAME] = {.name = name_, .words = (const char *const[]){__VA_ARGS__}},
#include "families.def"
#undef L
};

static uint32_t cells_of(const struct hearth_family_shape *family)
{
    return family->sizes[0] * family->sizes[1] * family->sizes[2];
}

void hearth_metrics_name_model(struct hearth_metrics *metrics, uint32_t slot, const char *name)
{
    HEARTH_ASSERT(slot < HEARTH_METRIC_MODELS);
    char *known = metrics->families.models[slot];
    if (strcmp(known, name) == 0) {
        return;
    }
    snprintf(known, HEARTH_METRIC_NAME_BYTES + 1, "%s", name);
    for (size_t i = 0; i < HEARTH_FAMILY_COUNT_; i++) {
        const struct hearth_family_shape *family = &hearth_families[i];
        size_t stride = (size_t)family->sizes[1] * family->sizes[2];
        if (family->labels[0] == HEARTH_LABEL_MODEL) {
            memset(&metrics->families.cells[family->first + slot * stride], 0,
                   stride * sizeof(uint64_t));
        }
    }
}

/* The word of a label, or NULL for a model that has no name. */
static const char *word_of(const struct hearth_metrics *metrics, enum hearth_label label,
                           uint32_t at)
{
    if (label != HEARTH_LABEL_MODEL) {
        return labels[label].words[at];
    }
    if (at == HEARTH_METRIC_NO_MODEL) {
        return "";
    }
    const char *name = metrics->families.models[at];
    return name[0] != '\0' ? name : NULL;
}

static bool is_told(const struct hearth_metrics *metrics, const struct hearth_series *series)
{
    return series->value != 0 && word_of(metrics, series->family->labels[0], series->at[0]) != NULL;
}

bool hearth_metrics_next_series(const struct hearth_metrics *metrics, size_t *cursor,
                                struct hearth_series *ret)
{
    size_t i = 0;
    while (*cursor < HEARTH_FAMILY_CELLS_) {
        while (*cursor >= hearth_families[i].first + cells_of(&hearth_families[i])) {
            i++;
        }
        const struct hearth_family_shape *family = &hearth_families[i];
        uint32_t at = (uint32_t)*cursor - family->first;
        uint32_t second = at / family->sizes[2];
        *ret = (struct hearth_series){
            .family = family,
            .at = {second / family->sizes[1], second % family->sizes[1], at % family->sizes[2]},
            .value = metrics->families.cells[*cursor]};
        (*cursor)++;
        if (is_told(metrics, ret)) {
            return true;
        }
    }
    return false;
}

int hearth_metrics_labels(const struct hearth_metrics *metrics, const struct hearth_series *series,
                          struct hearth_buf *out)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HEARTH_COUNT(series->at); i++) {
        enum hearth_label label = series->family->labels[i];
        if (label != HEARTH_LABEL_NONE) {
            const char *word = word_of(metrics, label, series->at[i]);
            rc = hearth_buf_printf(out, "%s%s=\"%s\"", i > 0 ? "," : "", labels[label].name,
                                   word != NULL ? word : "");
        }
    }
    return rc;
}
