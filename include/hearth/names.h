/* names.h — names that stand for models, and what they stand for. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_NAMES_H
#define HEARTH_NAMES_H

#ifdef __cplusplus
extern "C" {
#endif

/** A name that stands for a model. May grow at its end: do not copy it by value. */
typedef struct hearth_alias {
    const char *name;
    const char *model;
    uint32_t generation; /* from 1: one more each time that it came to stand for another model */
} hearth_alias;

/** The aliases of a list that hearth_models() gave; they live as long as it does. */
HEARTH_API size_t hearth_model_list_alias_count(const hearth_model_list *list);
HEARTH_API const hearth_alias *hearth_model_list_alias_at(const hearth_model_list *list,
                                                          size_t index);

/** What became of a swap. May grow at its end: do not copy it by value. */
typedef struct hearth_swap_report {
    const char *model;     /* that the name stands for now */
    const char *old_model; /* that it stood for; "" if that is not there */
    uint32_t generation;   /* of the name now */
    uint32_t checked;      /* golden inputs whose answers were compared … */
    int check;        /* … 0 nothing, 1 with those written down, 2 with the old model's, 3 both */
    uint32_t load_ms; /* until the new model was loaded and checked */
    uint32_t pause_ms; /* for which requests waited; 0 but with swap = drain-first */
} hearth_swap_report;

/**
 * Has @name, an alias or a model, stand for @model from now on: loads that beside the one before,
 * compares its golden inputs, and ends the one before when its last request is answered, unless
 * @keep_old or another alias stands for it. If anything fails, all is as it was.
 *
 * *@ret_report (@ret_report may be NULL) lives in the client until its next swap. @timeout_ms as
 * hearth_load(). Returns what hearth_load() returns; HEARTH_E_MODEL_INVALID if an answer differs;
 * HEARTH_E_UNSUPPORTED for a model of another task; HEARTH_E_BUSY while another swap is under way.
 */
HEARTH_API int hearth_swap(hearth_client *client, const char *name, const char *model, int keep_old,
                           uint32_t timeout_ms, const hearth_swap_report **ret_report,
                           hearth_error *err);

/**
 * Has the new alias @name stand for @model; NULL removes it. Blocks for at most the timeout of the
 * connection. HEARTH_E_NO_MODEL; HEARTH_E_ARGUMENT for a name that no alias can have, that
 * stands for another model (swap it), or that is a model's.
 */
HEARTH_API int hearth_set_alias(hearth_client *client, const char *name, const char *model,
                                hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
