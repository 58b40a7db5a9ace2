/* head.c — options and pooling configuration. */

#include "head.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

/* ---- options ------------------------------------------------------------------------------- */

static const char *const pooling_names[] = {[POOLING_MEAN] = "mean",
                                            [POOLING_CLS] = "cls",
                                            [POOLING_MAX] = "max",
                                            [POOLING_LAST] = "lasttoken"};
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

/* An option that the task would ignore is a mistake of whoever wrote the manifest. */
static int check_task(const struct hearth_engine_plan *plan, struct hearth_error *err)
{
    static const struct {
        const char *key;
        unsigned tasks; /* bits */
    } owners[] = {
        {"pooling", 1u << HEARTH_TASK_EMBED},
        {"normalize", 1u << HEARTH_TASK_EMBED},
        {"dimensions", 1u << HEARTH_TASK_EMBED},
        {"activation", 1u << HEARTH_TASK_CLASSIFY | 1u << HEARTH_TASK_RERANK},
        {"aggregation", 1u << HEARTH_TASK_ENTITIES},
        {"output", ~(1u << HEARTH_TASK_TENSORS)},
        {"max_tokens", ~(1u << HEARTH_TASK_TENSORS)},
    };
    for (size_t i = 0; i < HEARTH_COUNT(owners); i++) {
        if (hearth_plan_string(plan, owners[i].key) != NULL &&
            (owners[i].tasks >> plan->task & 1u) == 0) {
            return hearth_fail(err, HEARTH_E_CONFIG,
                               "option %s has no meaning for the task %s; remove it", owners[i].key,
                               hearth_task_name(plan->task));
        }
    }
    return 0;
}

static int read_options(struct head *head, const struct hearth_engine_plan *plan,
                        struct hearth_error *err)
{
    size_t pooling = POOLING_MEAN;
    size_t activation = plan->task == HEARTH_TASK_RERANK ? ACTIVATION_SIGMOID : ACTIVATION_SOFTMAX;
    size_t aggregation = AGGREGATION_SIMPLE;
    bool is_told = false;
    int rc = check_task(plan, err);
    if (rc == 0) {
        rc = hearth_plan_number(plan, "max_tokens", 2, HEAD_MAX_TOKENS, &head->max_tokens, err);
    }
    if (rc == 0) {
        rc = hearth_plan_number(plan, "dimensions", 1, HEARTH_MAX_VECTOR, &head->dimensions, err);
    }
    if (rc == 0) {
        rc = hearth_plan_bool(plan, "normalize", &head->must_normalise, err);
    }
    if (rc == 0) {
        rc = read_word(plan, "pooling", pooling_names, HEARTH_COUNT(pooling_names), &pooling,
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
    head->pooling = (enum pooling)pooling;
    head->activation = (enum activation)activation;
    head->aggregation = (enum aggregation)aggregation;
    head->output = hearth_plan_string(plan, "output");
    return rc;
}

/* ---- the pooling configuration -------------------------------------------------------------- */

/* The mode that the file turns on. *@ret_is_told is false if it says nothing about pooling. */
static int find_mode(yyjson_val *root, enum pooling *ret, bool *ret_is_told,
                     struct hearth_error *err)
{
    static const struct {
        const char *key;
        int pooling; /* -1: not offered */
    } modes[] = {
        {"pooling_mode_mean_tokens", POOLING_MEAN}, {"pooling_mode_cls_token", POOLING_CLS},
        {"pooling_mode_max_tokens", POOLING_MAX},   {"pooling_mode_lasttoken", POOLING_LAST},
        {"pooling_mode_mean_sqrt_len_tokens", -1},  {"pooling_mode_weightedmean_tokens", -1},
    };
    const char *first = NULL;
    bool has_keys = false;
    for (size_t i = 0; i < HEARTH_COUNT(modes); i++) {
        yyjson_val *value = yyjson_obj_get(root, modes[i].key);
        has_keys = has_keys || value != NULL;
        if (value != NULL && !yyjson_is_bool(value)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID, "\"%s\" must be true or false",
                               modes[i].key);
        }
        if (!yyjson_is_true(value)) {
            continue;
        }
        if (modes[i].pooling < 0) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "\"%s\" is a way of pooling that is not "
                               "offered; known are mean, cls, max and lasttoken",
                               modes[i].key);
        }
        if (first != NULL) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "\"%s\" and \"%s\" at once: vectors that are put one behind the "
                               "other are not offered",
                               first, modes[i].key);
        }
        first = modes[i].key;
        *ret = (enum pooling)modes[i].pooling;
    }
    *ret_is_told = first != NULL;
    return has_keys && first == NULL
               ? hearth_fail(err, HEARTH_E_MODEL_INVALID, "no pooling_mode_… is true")
               : 0;
}

/* Newer files name the mode instead of turning it on. */
static int find_named_mode(yyjson_val *root, enum pooling *ret, bool *ret_is_told,
                           struct hearth_error *err)
{
    yyjson_val *value = yyjson_obj_get(root, "pooling_mode");
    size_t found = 0;
    if (value == NULL) {
        return 0;
    }
    const char *name = yyjson_get_str(value);
    if (name == NULL || !find_name(pooling_names, HEARTH_COUNT(pooling_names), name, &found)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "\"pooling_mode\" must be mean, cls, max or lasttoken");
    }
    if (*ret_is_told && *ret != (enum pooling)found) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "\"pooling_mode\" is %s, another key says %s", pooling_names[found],
                           pooling_names[*ret]);
    }
    *ret = (enum pooling)found;
    *ret_is_told = true;
    return 0;
}

static int read_dimensions(struct head *head, yyjson_val *root, struct hearth_error *err)
{
    yyjson_val *value = yyjson_obj_get(root, "word_embedding_dimension");
    if (value == NULL) {
        return 0;
    }
    uint64_t dimensions = yyjson_get_uint(value);
    if (!yyjson_is_uint(value) || dimensions == 0 || dimensions > HEARTH_MAX_VECTOR) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "\"word_embedding_dimension\" must be a whole number from 1 to %u",
                           HEARTH_MAX_VECTOR);
    }
    if (head->dimensions != 0 && head->dimensions != dimensions) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "\"word_embedding_dimension\" is %" PRIu64
                           ", option dimensions is %" PRIu64,
                           dimensions, head->dimensions);
    }
    head->dimensions = dimensions;
    return 0;
}

static int read_pooling(struct head *head, yyjson_val *root, struct hearth_error *err)
{
    enum pooling pooling = POOLING_MEAN;
    bool is_told = false;
    int rc = find_mode(root, &pooling, &is_told, err);
    if (rc == 0) {
        rc = find_named_mode(root, &pooling, &is_told, err);
    }
    if (rc < 0 || !is_told) {
        return rc;
    }
    if (head->is_pooling_told && head->pooling != pooling) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "the model's configuration pools by %s, option pooling is %s; one of "
                           "them is wrong",
                           pooling_names[pooling], pooling_names[head->pooling]);
    }
    head->pooling = pooling;
    head->is_pooling_told = true;
    return read_dimensions(head, root, err);
}

static int read_config(struct head *head, struct hearth_slice config, struct hearth_error *err)
{
    yyjson_read_err why = {0};
    /* Not in-situ: the parser copies, so casting const away is never acted on. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)config.data, config.size, 0, NULL, &why);
    if (doc == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "not JSON at byte %zu: %s", why.pos,
                           why.msg != NULL ? why.msg : "empty");
    }
    int rc = yyjson_is_obj(yyjson_doc_get_root(doc))
                 ? read_pooling(head, yyjson_doc_get_root(doc), err)
                 : hearth_fail(err, HEARTH_E_MODEL_INVALID, "must be one JSON object");
    yyjson_doc_free(doc);
    return rc;
}

int head_read(struct head *head, const struct hearth_engine_plan *plan, struct hearth_slice config,
              struct hearth_error *err)
{
    *head = (struct head){.task = plan->task, .must_normalise = true};
    int rc = read_options(head, plan, err);
    if (rc < 0 || plan->task != HEARTH_TASK_EMBED || config.size == 0) {
        return rc;
    }
    rc = read_config(head, config, err);
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
        told_add(told, "pooling", "%s",
                 is_pooled_here ? pooling_names[head->pooling] : "by the graph");
        told_add(told, "normalize", "%s", head->must_normalise ? "true" : "false");
    } else if (head->task == HEARTH_TASK_ENTITIES) {
        told_add(told, "aggregation", "%s", aggregation_names[head->aggregation]);
    } else if (head->task != HEARTH_TASK_TENSORS) {
        told_add(told, "activation", "%s", activation_names[head->activation]);
    }
}
