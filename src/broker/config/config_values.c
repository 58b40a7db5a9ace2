/* config_values.c — one value: text ↔ field. */

#include "config_priv.h"

#include "hearth_log.h"
#include "limits.h"
#include <inttypes.h>
#include <string.h>

static bool is_auto(const char *value)
{
    return strcmp(value, "auto") == 0;
}

static int set_path(struct hearth_config *config, const struct config_key *key, const char *value,
                    struct hearth_error *err)
{
    const char **field = (const char **)(void *)((char *)config + key->offset);
    if (is_auto(value)) {
        *field = NULL;
        return 0;
    }
    if (value[0] != '/' || strlen(value) > key->most) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "\"%.80s\" must be an absolute path of at most %" PRIu64
                           " bytes, or auto",
                           value, key->most);
    }
    const char *copy = config_copy(config, value, strlen(value), err);
    *field = copy != NULL ? copy : *field;
    return copy != NULL ? 0 : HEARTH_E_NO_MEMORY;
}

static size_t trimmed(const char **text, size_t size)
{
    while (size > 0 && (*text)[0] == ' ') {
        (*text)++;
        size--;
    }
    while (size > 0 && (*text)[size - 1] == ' ') {
        size--;
    }
    return size;
}

/* Splits at @separator and hands each trimmed, not empty part to @list (at most @max). */
static int set_list(struct hearth_config *config, const char *value, char separator,
                    const char **list, uint32_t max, uint32_t *ret_count, struct hearth_error *err)
{
    uint32_t count = 0;
    while (*value != '\0') {
        const char *end = strchr(value, separator);
        end = end != NULL ? end : value + strlen(value);
        const char *part = value;
        size_t size = trimmed(&part, (size_t)(end - value));
        if (size > 0) {
            if (count == max) {
                return hearth_fail(err, HEARTH_E_CONFIG, "more than %" PRIu32 " entries", max);
            }
            list[count] = config_copy(config, part, size, err);
            if (list[count] == NULL) {
                return HEARTH_E_NO_MEMORY;
            }
            count++;
        }
        value = *end == '\0' ? end : end + 1;
    }
    *ret_count = count;
    return 0;
}

static int set_paths(struct hearth_config *config, const struct config_key *key, const char *value,
                     struct hearth_error *err)
{
    config->models_count = 0;
    if (is_auto(value)) {
        return 0;
    }
    uint32_t count = 0;
    int rc = set_list(config, value, ':', config->models, HEARTH_CONFIG_ROOTS, &count, err);
    if (rc < 0) {
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (config->models[i][0] != '/' || strlen(config->models[i]) > key->most) {
            return hearth_fail(err, HEARTH_E_CONFIG, "\"%.80s\" must be an absolute path",
                               config->models[i]);
        }
    }
    if (count == 0) {
        return hearth_fail(err, HEARTH_E_CONFIG, "must name a folder, or be auto");
    }
    config->models_count = count;
    return 0;
}

bool config_is_model_id(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@";
    size_t size = strlen(name);
    return size > 0 && size <= HEARTH_MAX_MODEL_ID_BYTES && strspn(name, allowed) == size;
}

static int set_names(struct hearth_config *config, const char *value, struct hearth_error *err)
{
    uint32_t count = 0;
    config->preload_count = 0;
    int rc = set_list(config, value, ',', config->preload, HEARTH_CONFIG_MODELS, &count, err);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        if (!config_is_model_id(config->preload[i])) {
            rc = hearth_fail(err, HEARTH_E_CONFIG, "\"%.80s\" must be a model id",
                             config->preload[i]);
        }
    }
    config->preload_count = rc == 0 ? count : 0;
    return rc;
}

bool config_parse_number(const char *value, bool is_bytes, uint64_t *ret)
{
    uint64_t number = 0;
    const char *at = value;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number)) {
            return false;
        }
    }
    if (at == value) {
        return false;
    }
    static const char suffixes[] = "KMG";
    const char *suffix = is_bytes && *at != '\0' ? strchr(suffixes, *at) : NULL;
    if (suffix != NULL) {
        unsigned shift = 10u * (unsigned)(suffix - suffixes + 1);
        if (number > UINT64_MAX >> shift) {
            return false;
        }
        number <<= shift;
        at++;
    }
    *ret = number;
    return *at == '\0';
}

static int set_number(struct hearth_config *config, const struct config_key *key, const char *value,
                      struct hearth_error *err)
{
    uint64_t *field = (uint64_t *)(void *)((char *)config + key->offset);
    bool may_be_auto = key->kind != CONFIG_NUMBER;
    bool is_bytes = key->kind == CONFIG_AUTO_BYTES;
    uint64_t number = 0;
    if (may_be_auto && is_auto(value)) {
        *field = HEARTH_CONFIG_AUTO;
        return 0;
    }
    if (!config_parse_number(value, is_bytes, &number) || number < key->least ||
        number > key->most) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "\"%.40s\" must be a whole number from %" PRIu64 " to %" PRIu64 "%s%s",
                           value, key->least, key->most, is_bytes ? ", K, M or G behind it" : "",
                           may_be_auto ? ", or auto" : "");
    }
    *field = number;
    return 0;
}

static int set_containment(struct hearth_config *config, const char *value,
                           struct hearth_error *err)
{
    bool is_strict = strcmp(value, "strict") == 0;
    if (!is_strict && strcmp(value, "required") != 0) {
        return hearth_fail(err, HEARTH_E_CONFIG, "\"%.40s\" must be required or strict", value);
    }
    config->is_containment_strict = is_strict;
    return 0;
}

static int set_eviction(struct hearth_config *config, const char *value, struct hearth_error *err)
{
    bool may_evict = strcmp(value, "idle") == 0;
    if (!may_evict && strcmp(value, "never") != 0) {
        return hearth_fail(err, HEARTH_E_CONFIG, "\"%.40s\" must be never or idle", value);
    }
    config->may_evict = may_evict;
    return 0;
}

static int set_swap(struct hearth_config *config, const char *value, struct hearth_error *err)
{
    bool is_drain_first = strcmp(value, "drain-first") == 0;
    if (!is_drain_first && strcmp(value, "beside") != 0) {
        return hearth_fail(err, HEARTH_E_CONFIG, "\"%.40s\" must be beside or drain-first", value);
    }
    config->is_drain_first = is_drain_first;
    return 0;
}

static int set_log_level(struct hearth_config *config, const char *value, struct hearth_error *err)
{
    enum hearth_log_level level;
    if (!hearth_log_level_of(value, &level)) {
        return hearth_fail(err, HEARTH_E_CONFIG, "\"%.40s\" must be debug, info, warn or error",
                           value);
    }
    const char *copy = config_copy(config, value, strlen(value), err);
    if (copy == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    config->log_level = copy;
    return 0;
}

/* The SHA-256 of the empty string: a token of nothing would let everybody in. */
#define DIGEST_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static int set_digest(struct hearth_config *config, const struct config_key *key, const char *value,
                      struct hearth_error *err)
{
    const char **field = (const char **)(void *)((char *)config + key->offset);
    size_t size = strlen(value);
    if (size == 0) {
        *field = NULL;
        return 0;
    }
    if (size != HEARTH_SHA256_HEX_BYTES || strspn(value, "0123456789abcdef") != size) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "must be a SHA-256 of 64 lower-case hex digits, or empty");
    }
    if (strcmp(value, DIGEST_OF_NOTHING) == 0) {
        return hearth_fail(err, HEARTH_E_CONFIG, "is the digest of an empty token");
    }
    const char *copy = config_copy(config, value, size, err);
    *field = copy != NULL ? copy : *field;
    return copy != NULL ? 0 : HEARTH_E_NO_MEMORY;
}

int config_set_value(struct hearth_config *config, const struct config_key *key, const char *value,
                     struct hearth_error *err)
{
    switch (key->kind) {
    case CONFIG_PATH: return set_path(config, key, value, err);
    case CONFIG_PATHS: return set_paths(config, key, value, err);
    case CONFIG_NAMES: return set_names(config, value, err);
    case CONFIG_NUMBER:
    case CONFIG_AUTO_NUMBER:
    case CONFIG_AUTO_BYTES: return set_number(config, key, value, err);
    case CONFIG_CONTAINMENT: return set_containment(config, value, err);
    case CONFIG_EVICTION: return set_eviction(config, value, err);
    case CONFIG_SWAP: return set_swap(config, value, err);
    case CONFIG_LOG_LEVEL: return set_log_level(config, value, err);
    case CONFIG_DIGEST: return set_digest(config, key, value, err);
    }
    HEARTH_UNREACHABLE();
}

static bool is_automatic(const struct hearth_config *config, const struct config_key *key)
{
    const void *field = (const char *)config + key->offset;
    switch (key->kind) {
    case CONFIG_PATH: return *(const char *const *)field == NULL;
    case CONFIG_PATHS: return config->models_count == 0;
    case CONFIG_AUTO_NUMBER:
    case CONFIG_AUTO_BYTES: return *(const uint64_t *)field == HEARTH_CONFIG_AUTO;
    case CONFIG_NAMES:
    case CONFIG_NUMBER:
    case CONFIG_CONTAINMENT:
    case CONFIG_EVICTION:
    case CONFIG_SWAP:
    case CONFIG_LOG_LEVEL:
    case CONFIG_DIGEST: return false;
    }
    HEARTH_UNREACHABLE();
}

uint64_t config_automatic_keys(const struct hearth_config *config)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < config_key_count; i++) {
        bits |= is_automatic(config, &config_keys[i]) ? config_key_bit(&config_keys[i]) : 0;
    }
    return bits;
}

static int print_list(const char *const *list, uint32_t count, const char *separator,
                      const char *if_empty, struct hearth_buf *out)
{
    int rc = count == 0 ? hearth_buf_printf(out, "%s", if_empty) : 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = hearth_buf_printf(out, "%s%s", i > 0 ? separator : "", list[i]);
    }
    return rc;
}

int config_print_value(const struct hearth_config *config, const struct config_key *key,
                       struct hearth_buf *out)
{
    const void *field = (const char *)config + key->offset;
    const char *text = NULL;
    uint64_t number = 0;
    switch (key->kind) {
    case CONFIG_PATH:
    case CONFIG_LOG_LEVEL:
        text = *(const char *const *)field;
        return hearth_buf_printf(out, "%s", text != NULL ? text : "auto");
    case CONFIG_DIGEST:
        text = *(const char *const *)field;
        return hearth_buf_printf(out, "%s", text != NULL ? text : "");
    case CONFIG_PATHS: return print_list(config->models, config->models_count, ":", "auto", out);
    case CONFIG_NAMES: return print_list(config->preload, config->preload_count, ", ", "", out);
    case CONFIG_NUMBER:
    case CONFIG_AUTO_NUMBER:
    case CONFIG_AUTO_BYTES:
        number = *(const uint64_t *)field;
        return key->kind != CONFIG_NUMBER && number == HEARTH_CONFIG_AUTO
                   ? hearth_buf_printf(out, "auto")
                   : hearth_buf_printf(out, "%" PRIu64, number);
    case CONFIG_CONTAINMENT:
        return hearth_buf_printf(out, "%s", config->is_containment_strict ? "strict" : "required");
    case CONFIG_EVICTION: return hearth_buf_printf(out, "%s", config->may_evict ? "idle" : "never");
    case CONFIG_SWAP:
        return hearth_buf_printf(out, "%s", config->is_drain_first ? "drain-first" : "beside");
    }
    HEARTH_UNREACHABLE();
}
