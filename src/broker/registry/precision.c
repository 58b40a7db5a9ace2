/* precision.c — "precision", "agreement" and "default" of a manifest. */

#include "precision.h"

#include <math.h>
#include <string.h>

static int invalid(struct hearth_error *err, const char *field, const char *want)
{
    return hearth_fail(err, HEARTH_E_MODEL_INVALID, "manifest.json: \"%s\" must be %s", field,
                       want);
}

static const char *const names[] = {
    [HEARTH_PRECISION_UNTOLD] = "",
    [HEARTH_PRECISION_FP32] = "fp32",
    [HEARTH_PRECISION_FP16] = "fp16",
    [HEARTH_PRECISION_INT8] = "int8",
};

const char *hearth_precision_name(enum hearth_precision precision)
{
    return names[precision];
}

static int read_name(yyjson_val *value, enum hearth_precision *ret, struct hearth_error *err)
{
    if (value == NULL) {
        return 0;
    }
    for (size_t i = HEARTH_PRECISION_FP32; i < HEARTH_COUNT(names); i++) {
        if (yyjson_equals_str(value, names[i])) {
            *ret = (enum hearth_precision)i;
            return 0;
        }
    }
    return invalid(err, "precision", "\"fp32\", \"fp16\" or \"int8\"");
}

/* A number from @low to 1. */
static bool take_share(yyjson_val *object, const char *key, double low, double *ret)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    *ret = yyjson_get_num(value);
    return yyjson_is_num(value) && isfinite(*ret) && *ret >= low && *ret <= 1.0;
}

static bool take_digest(yyjson_val *value, char *ret)
{
    const char *text = yyjson_get_str(value);
    if (text == NULL || yyjson_get_len(value) != HEARTH_SHA256_HEX_BYTES ||
        strspn(text, "0123456789abcdef") != HEARTH_SHA256_HEX_BYTES) {
        return false;
    }
    memcpy(ret, text, HEARTH_SHA256_HEX_BYTES + 1);
    return true;
}

static int read_agreement(yyjson_val *object, bool has_labels, struct hearth_agreement *ret,
                          struct hearth_error *err)
{
    yyjson_val *texts = yyjson_obj_get(object, "texts");
    if (!yyjson_is_obj(object)) {
        return invalid(err, "agreement",
                       "an object where \"precision\" is \"int8\": how far the model agrees with "
                       "the one it was made of; scripts/quantize.sh measures it");
    }
    if (!take_share(object, "mean_cosine", -1.0, &ret->mean_cosine)) {
        return invalid(err, "agreement.mean_cosine", "a number from -1 to 1");
    }
    if (!take_share(object, "min_cosine", -1.0, &ret->min_cosine) ||
        ret->min_cosine > ret->mean_cosine) {
        return invalid(err, "agreement.min_cosine", "a number from -1 to \"mean_cosine\"");
    }
    if (!take_share(object, "label_agreement", 0.0, &ret->label_agreement)) {
        ret->label_agreement = 1.0;
        if (has_labels || yyjson_obj_get(object, "label_agreement") != NULL) {
            return invalid(err, "agreement.label_agreement", "a number from 0 to 1");
        }
    }
    if (!yyjson_is_uint(texts) || yyjson_get_uint(texts) == 0 ||
        yyjson_get_uint(texts) > UINT32_MAX) {
        return invalid(err, "agreement.texts", "how many texts were compared, at least 1");
    }
    ret->texts = (uint32_t)yyjson_get_uint(texts);
    if (!take_digest(yyjson_obj_get(object, "source_sha256"), ret->source_sha256)) {
        return invalid(err, "agreement.source_sha256", "64 lower-case hex digits");
    }
    return 0;
}

static int check_default(const struct hearth_agreement *agreement, struct hearth_error *err)
{
    if (agreement->mean_cosine >= HEARTH_AGREEMENT_MEAN_COSINE &&
        agreement->min_cosine >= HEARTH_AGREEMENT_MIN_COSINE &&
        agreement->label_agreement >= HEARTH_AGREEMENT_LABELS) {
        return 0;
    }
    return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                       "manifest.json: \"agreement\" is too low for a \"default\": mean cosine "
                       "%.6f (at least %.3f), minimum %.6f (%.2f), labels %.4f (%.2f); use it "
                       "under a name of its own",
                       agreement->mean_cosine, HEARTH_AGREEMENT_MEAN_COSINE, agreement->min_cosine,
                       HEARTH_AGREEMENT_MIN_COSINE, agreement->label_agreement,
                       HEARTH_AGREEMENT_LABELS);
}

int precision_read(yyjson_val *root, struct hearth_manifest *manifest, struct hearth_error *err)
{
    yyjson_val *is_default = yyjson_obj_get(root, "default");
    bool has_labels = manifest->task == HEARTH_TASK_CLASSIFY;
    int rc = read_name(yyjson_obj_get(root, "precision"), &manifest->precision, err);
    if (rc == 0 && is_default != NULL && !yyjson_is_bool(is_default)) {
        rc = invalid(err, "default", "true or false");
    }
    manifest->is_default = yyjson_get_bool(is_default);
    if (rc < 0 || manifest->precision != HEARTH_PRECISION_INT8) {
        return rc;
    }
    rc = read_agreement(yyjson_obj_get(root, "agreement"), has_labels, &manifest->agreement, err);
    return rc == 0 && manifest->is_default ? check_default(&manifest->agreement, err) : rc;
}
