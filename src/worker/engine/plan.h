/* plan.h — what a worker was told about its model. Included by hearth_engine.h. */

#ifndef HEARTH_ENGINE_PLAN_H
#define HEARTH_ENGINE_PLAN_H

#include "hearth_base.h"
#include "hearth_wire.h"

/** A load option, and the tasks of the models that take it: bits 1 << enum hearth_task, where
 *  GENERATE stands for chat and choice too. */
struct hearth_engine_option {
    const char *key; /* NULL: the end of a table */
    unsigned tasks;
};
#define HEARTH_EVERY_TASK (~0u)

/** One file of the model, opened by the spawner; @fd stays open for the life of the worker. */
struct hearth_engine_file {
    enum hearth_file_role role;
    int fd;
    uint64_t size_bytes;
    char path[256]; /* relative to the model's folder, as the manifest spells it */
    char sha256[HEARTH_SHA256_HEX_BYTES + 1]; /* that the file was checked to have, or empty */
};

/** What the worker was told; lives as long as the worker. */
struct hearth_engine_plan {
    char model_id[HEARTH_MAX_MODEL_ID_BYTES + 1];
    enum hearth_task task;              /* GENERATE stands for chat too */
    char folder[HEARTH_MAX_PATH_BYTES]; /* absolute */
    struct hearth_engine_file files[HEARTH_MAX_MODEL_FILES];
    size_t file_count;
    const char *labels[HEARTH_MAX_LABELS];
    size_t label_count;
    struct {
        char key[HEARTH_MAX_NAME_BYTES + 1];
        char value[HEARTH_MAX_ERROR_BYTES + 1];
    } options[HEARTH_MAX_MODEL_OPTIONS];
    size_t option_count;
    unsigned threads; /* compute threads, at least 1 */
    int nice;         /* of compute threads */
    /* Who else wants the cores: see hearth_proc_runnable(). -1 if that does not tell, because this
     * process may not use all of the machine's @cores. */
    int runnable_fd;
    unsigned cores;
};

/** Returns the file with @role, or NULL. */
const struct hearth_engine_file *hearth_plan_file(const struct hearth_engine_plan *plan,
                                                  enum hearth_file_role role);

/**
 * Reads option @key as a whole number in @least..@most; @ret keeps its value if the key is absent.
 * HEARTH_E_CONFIG names key, value and range. The string form returns NULL if absent.
 */
HEARTH_NODISCARD int hearth_plan_number(const struct hearth_engine_plan *plan, const char *key,
                                        uint64_t least, uint64_t most, uint64_t *ret,
                                        struct hearth_error *err);
HEARTH_NODISCARD int hearth_plan_bool(const struct hearth_engine_plan *plan, const char *key,
                                      bool *ret, struct hearth_error *err); /* true|false */
const char *hearth_plan_string(const struct hearth_engine_plan *plan, const char *key);

/**
 * Refuses an option of the plan that @known does not have for the plan's task: a misspelt key, or
 * one of another engine or task, must not be a silent default. HEARTH_E_CONFIG names the key and
 * what the task knows.
 */
HEARTH_NODISCARD int hearth_plan_check_options(const struct hearth_engine_plan *plan,
                                               const struct hearth_engine_option *known,
                                               struct hearth_error *err);

#endif
