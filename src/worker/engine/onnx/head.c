/* head.c — options, and what the pooling configuration says beside them. */

#include "head.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- options ------------------------------------------------------------------------------- */

static const char *const activation_names[] = {
    [ACTIVATION_SOFTMAX] = "softmax", [ACTIVATION_SIGMOID] = "sigmoid", [ACTIVATION_NONE] = "none"};
static const char *const aggregation_names[] = {
    [AGGREGATION_SIMPLE] = "simple", [AGGREGATION_NONE] = "none"};

static bool find_name(const char *const *names, size_t count, const char *name, size_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Reads option @key as one of @names; *@ret and *@ret_is_told keep their values if it is absent. */
static int read_word(const struct hearth_engine_plan *plan, const char *key,
                     const char *const *names, size_t count, size_t *ret, bool *ret_is_told,
                     struct hearth_error *err)
{
    const char *value = hearth_plan_string(plan, key);
    if (value == NULL) {
        return 0;
    }
    *ret_is_told = true;
    if (find_name(names, count, value, ret)) {
        return 0;
    }
    char known[64];
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof known; i++) {
        int more = snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", names[i]);
        used += (size_t)HEARTH_MAX(0, more);
    }
    return hearth_fail(err, HEARTH_E_CONFIG, "option %s is \"%.32s\"; known are %s", key, value,
                       known);
}

static int read_options(struct head *head, const struct hearth_engine_plan *plan,
                        struct hearth_error *err)
{
    size_t pooling = HEARTH_POOLING_MEAN;
    size_t activation = plan->task == HEARTH_TASK_RERANK ? ACTIVATION_SIGMOID : ACTIVATION_SOFTMAX;
    size_t aggregation = AGGREGATION_SIMPLE;
    bool is_told = false;
    int rc = hearth_plan_number(plan, "max_tokens", 2, HEAD_MAX_TOKENS, &head->max_tokens, err);
    if (rc == 0) {
        rc = hearth_plan_number(plan, "dimensions", 1, HEARTH_MAX_VECTOR, &head->dimensions, err);
    }
    if (rc == 0) {
        rc = hearth_plan_bool(plan, "normalize", &head->must_normalise, err);
    }
    if (rc == 0) {
        rc = read_word(plan, "pooling", hearth_pooling_names, HEARTH_POOLING_COUNT, &pooling,
                       &head->is_pooling_told, err);
    }
    if (rc == 0) {
        rc = read_word(plan, "activation", activation_names, HEARTH_COUNT(activation_names),
                       &activation, &head->is_activation_told, err);
    }
    if (rc == 0) {
        rc = read_word(plan, "aggregation", aggregation_names, HEARTH_COUNT(aggregation_names),
                       &aggregation, &is_told, err);
    }
    head->pooling = (enum hearth_pooling)pooling;
    head->activation = (enum activation)activation;
    head->aggregation = (enum aggregation)aggregation;
    head->output = hearth_plan_string(plan, "output");
    return rc;
}

/* ---- the pooling configuration -------------------------------------------------------------- */

static int merge_config(struct head *head, const struct hearth_pooling_facts *config,
                        struct hearth_error *err)
{
    if (!config->is_told) {
        return 0;
    }
    if (head->is_pooling_told && head->pooling != config->pooling) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "the model's configuration pools by %s, option pooling is %s; one of "
                           "them is wrong",
                           hearth_pooling_names[config->pooling],
                           hearth_pooling_names[head->pooling]);
    }
    if (config->dimensions != 0 && head->dimensions != 0 &&
        head->dimensions != config->dimensions) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "\"word_embedding_dimension\" is %" PRIu32
                           ", option dimensions is %" PRIu64,
                           config->dimensions, head->dimensions);
    }
    head->pooling = config->pooling;
    head->is_pooling_told = true;
    head->dimensions = HEARTH_MAX(head->dimensions, (uint64_t)config->dimensions);
    return 0;
}

int head_read(struct head *head, const struct hearth_engine_plan *plan, struct hearth_slice config,
              struct hearth_error *err)
{
    *head = (struct head){.task = plan->task, .must_normalise = true};
    int rc = read_options(head, plan, err);
    if (rc < 0 || plan->task != HEARTH_TASK_EMBED || config.size == 0) {
        return rc;
    }
    struct hearth_pooling_facts facts;
    rc = hearth_pooling_inspect(config, &facts, err);
    if (rc == 0) {
        rc = merge_config(head, &facts, err);
    }
    return rc < 0
               ? hearth_because(err, rc, "%.64s", hearth_plan_file(plan, HEARTH_FILE_CONFIG)->path)
               : 0;
}

/* ---- the width ------------------------------------------------------------------------------ */

static int check_reranker(const struct head *head, size_t width, struct hearth_error *err)
{
    if (width == 1 && head->activation != ACTIVATION_SOFTMAX) {
        return 0;
    }
    if (width == 2 && head->activation == ACTIVATION_SOFTMAX) {
        return 0;
    }
    return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                       "a reranker that answers with %zu values under activation %s: one value "
                       "takes sigmoid or none, two take softmax, of which the second is the score",
                       width, activation_names[head->activation]);
}

int head_check_width(const struct head *head, size_t label_count, size_t width,
                     struct hearth_error *err)
{
    if (head->task == HEARTH_TASK_RERANK) {
        return check_reranker(head, width, err);
    }
    bool is_embedding = head->task == HEARTH_TASK_EMBED;
    uint64_t wanted = is_embedding ? head->dimensions : label_count;
    if (wanted == width || (is_embedding && wanted == 0)) {
        return 0;
    }
    return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                       "the manifest promises %" PRIu64 " %s, the model answers with %zu", wanted,
                       is_embedding ? "dimensions" : "labels", width);
}

void head_tell(const struct head *head, bool is_pooled_here, struct told *told)
{
    if (head->task == HEARTH_TASK_EMBED) {
        told_fact(told, "pooling", "%s",
                  is_pooled_here ? hearth_pooling_names[head->pooling] : "by the graph");
        told_fact(told, "normalize", "%s", head->must_normalise ? "true" : "false");
    } else if (head->task == HEARTH_TASK_ENTITIES) {
        told_fact(told, "aggregation", "%s", aggregation_names[head->aggregation]);
    } else if (head->task != HEARTH_TASK_TENSORS) {
        told_fact(told, "activation", "%s", activation_names[head->activation]);
    }
}
