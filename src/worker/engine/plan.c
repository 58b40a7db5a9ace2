/* plan.c — reading the plan: files by role, options by key. */

#include "hearth_engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct hearth_engine_file *hearth_plan_file(const struct hearth_engine_plan *plan,
                                                  enum hearth_file_role role)
{
    for (size_t i = 0; i < plan->file_count; i++) {
        if (plan->files[i].role == role) {
            return &plan->files[i];
        }
    }
    return NULL;
}

const char *hearth_plan_string(const struct hearth_engine_plan *plan, const char *key)
{
    for (size_t i = 0; i < plan->option_count; i++) {
        if (strcmp(plan->options[i].key, key) == 0) {
            return plan->options[i].value;
        }
    }
    return NULL;
}

static const struct hearth_engine_option *find_option(const struct hearth_engine_option *known,
                                                      const char *key)
{
    while (known->key != NULL && strcmp(known->key, key) != 0) {
        known++;
    }
    return known->key != NULL ? known : NULL;
}

static bool is_for(const struct hearth_engine_option *option, enum hearth_task task)
{
    return (option->tasks >> task & 1u) != 0;
}

/* What a model of @task takes, as a person would write it. */
static void list_options(const struct hearth_engine_option *known, enum hearth_task task,
                         char *list, size_t room)
{
    size_t used = 0;
    (void)snprintf(list, room, "none");
    for (; known->key != NULL && used < room; known++) {
        if (is_for(known, task)) {
            int more = snprintf(list + used, room - used, "%s%s", used > 0 ? ", " : "", known->key);
            used += more > 0 ? (size_t)more : 0;
        }
    }
}

int hearth_plan_check_options(const struct hearth_engine_plan *plan,
                              const struct hearth_engine_option *known, struct hearth_error *err)
{
    for (size_t i = 0; i < plan->option_count; i++) {
        const char *key = plan->options[i].key;
        const struct hearth_engine_option *option = find_option(known, key);
        char list[HEARTH_ERROR_TEXT_BYTES / 2];
        if (option != NULL && is_for(option, plan->task)) {
            continue;
        }
        list_options(known, plan->task, list, sizeof list);
        if (option == NULL) {
            return hearth_fail(err, HEARTH_E_CONFIG,
                               "model \"%.64s\" has no option %s; known are %s", plan->model_id,
                               key, list);
        }
        return hearth_fail(
            err, HEARTH_E_CONFIG,
            "option %s has no meaning for the task %s of model \"%.64s\"; known are %s", key,
            hearth_task_name(plan->task), plan->model_id, list);
    }
    return 0;
}

/* Digits only: strtoull alone would take "-1" and " 7". */
static bool read_number(const char *text, uint64_t *ret)
{
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    *ret = value;
    return errno == 0;
}

int hearth_plan_number(const struct hearth_engine_plan *plan, const char *key, uint64_t least,
                       uint64_t most, uint64_t *ret, struct hearth_error *err)
{
    const char *text = hearth_plan_string(plan, key);
    if (text == NULL) {
        return 0;
    }
    uint64_t value = 0;
    if (!read_number(text, &value) || value < least || value > most) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "option %s = \"%s\" of model \"%s\" is not a whole number from %" PRIu64
                           " to %" PRIu64,
                           key, text, plan->model_id, least, most);
    }
    *ret = value;
    return 0;
}

int hearth_plan_bool(const struct hearth_engine_plan *plan, const char *key, bool *ret,
                     struct hearth_error *err)
{
    const char *text = hearth_plan_string(plan, key);
    if (text == NULL) {
        return 0;
    }
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "option %s = \"%s\" of model \"%s\" is neither true nor false", key,
                           text, plan->model_id);
    }
    *ret = is_true;
    return 0;
}
