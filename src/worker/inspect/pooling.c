/* pooling.c — the file in which sentence-transformers keeps how a model's vectors are made. */

#include "hearth_inspect.h"

#include <yyjson.h>

const char *const hearth_pooling_names[HEARTH_POOLING_COUNT] = {[HEARTH_POOLING_MEAN] = "mean",
                                                                [HEARTH_POOLING_CLS] = "cls",
                                                                [HEARTH_POOLING_MAX] = "max",
                                                                [HEARTH_POOLING_LAST] =
                                                                    "lasttoken"};

/* The mode that the file turns on. */
static int find_mode(yyjson_val *root, struct hearth_pooling_facts *ret, struct hearth_error *err)
{
    static const struct {
        const char *key;
        int pooling; /* -1: not offered */
    } modes[] = {
        {"pooling_mode_mean_tokens", HEARTH_POOLING_MEAN},
        {"pooling_mode_cls_token", HEARTH_POOLING_CLS},
        {"pooling_mode_max_tokens", HEARTH_POOLING_MAX},
        {"pooling_mode_lasttoken", HEARTH_POOLING_LAST},
        {"pooling_mode_mean_sqrt_len_tokens", -1},
        {"pooling_mode_weightedmean_tokens", -1},
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
                               "\"%s\" is a way of pooling that is not offered; known are mean, "
                               "cls, max and lasttoken",
                               modes[i].key);
        }
        if (first != NULL) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "\"%s\" and \"%s\" at once: vectors that are put one behind the "
                               "other are not offered",
                               first, modes[i].key);
        }
        first = modes[i].key;
        ret->pooling = (enum hearth_pooling)modes[i].pooling;
    }
    ret->is_told = first != NULL;
    return has_keys && first == NULL
               ? hearth_fail(err, HEARTH_E_MODEL_INVALID, "no pooling_mode_… is true")
               : 0;
}

/* Newer files name the mode instead of turning it on. */
static int find_named_mode(yyjson_val *root, struct hearth_pooling_facts *ret,
                           struct hearth_error *err)
{
    yyjson_val *value = yyjson_obj_get(root, "pooling_mode");
    if (value == NULL) {
        return 0;
    }
    size_t found = 0;
    while (found < HEARTH_POOLING_COUNT && !yyjson_equals_str(value, hearth_pooling_names[found])) {
        found++;
    }
    if (found == HEARTH_POOLING_COUNT) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "\"pooling_mode\" must be mean, cls, max or lasttoken");
    }
    if (ret->is_told && ret->pooling != (enum hearth_pooling)found) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "\"pooling_mode\" is %s, another key says %s",
                           hearth_pooling_names[found], hearth_pooling_names[ret->pooling]);
    }
    ret->pooling = (enum hearth_pooling)found;
    ret->is_told = true;
    return 0;
}

static int find_dimensions(yyjson_val *root, struct hearth_pooling_facts *ret,
                           struct hearth_error *err)
{
    yyjson_val *value = yyjson_obj_get(root, "word_embedding_dimension");
    if (value == NULL) {
        return 0;
    }
    uint64_t dimensions = yyjson_get_uint(value);
    if (!yyjson_is_uint(value) || dimensions == 0 || dimensions > HEARTH_POOLING_MAX_DIMENSIONS) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "\"word_embedding_dimension\" must be a whole number from 1 to %u",
                           HEARTH_POOLING_MAX_DIMENSIONS);
    }
    ret->dimensions = (uint32_t)dimensions;
    return 0;
}

static int read_object(yyjson_val *root, struct hearth_pooling_facts *ret, struct hearth_error *err)
{
    if (!yyjson_is_obj(root)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "must be one JSON object");
    }
    int rc = find_mode(root, ret, err);
    if (rc == 0) {
        rc = find_named_mode(root, ret, err);
    }
    return rc == 0 && ret->is_told ? find_dimensions(root, ret, err) : rc;
}

int hearth_pooling_inspect(struct hearth_slice json, struct hearth_pooling_facts *ret,
                           struct hearth_error *err)
{
    struct hearth_pooling_facts facts = {.is_told = false};
    yyjson_read_err why = {0};
    if (json.size > HEARTH_POOLING_MAX_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%zu bytes, at most %u are read", json.size,
                           HEARTH_POOLING_MAX_BYTES);
    }
    /* Not in-situ: the parser copies, so casting const away is never acted on. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, 0, NULL, &why);
    if (doc == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "not JSON at byte %zu: %s", why.pos,
                           why.msg != NULL ? why.msg : "empty");
    }
    int rc = read_object(yyjson_doc_get_root(doc), &facts, err);
    yyjson_doc_free(doc);
    *ret = facts;
    return rc;
}
