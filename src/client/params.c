/* params.c — parameter structs that may grow, and where the daemon is looked for. */

#include "client_priv.h"

#include <string.h>

/* A struct starts with its size as the caller's release knew it. Fields beyond that get defaults;
 * fields beyond what we know must be zero, which stands for "not asked for". */
static int copy_sized(const void *given, size_t given_bytes, void *ret, size_t known_bytes,
                      const char *what, struct hearth_error *err)
{
    if (given_bytes < sizeof(size_t) || given_bytes > 4096) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "%s: size is %zu; start from %s_default()", what,
                           given_bytes, what);
    }
    const unsigned char *bytes = given;
    for (size_t i = known_bytes; i < given_bytes; i++) {
        if (bytes[i] != 0) {
            return hearth_fail(err, HEARTH_E_ARGUMENT,
                               "%s: has fields of a newer libhearth (%zu bytes, known are %zu)",
                               what, given_bytes, known_bytes);
        }
    }
    memcpy(ret, given, HEARTH_MIN(given_bytes, known_bytes));
    return 0;
}

/* Writes the part of @defaults that the caller has room for, and the caller's size. */
static void fill_sized(void *params, size_t size, const void *defaults, size_t known_bytes)
{
    memset(params, 0, size);
    memcpy(params, defaults, HEARTH_MIN(size, known_bytes));
    if (size >= sizeof size) {
        memcpy(params, &size, sizeof size);
    }
}

void hearth_connect_params_init(hearth_connect_params *params, size_t size)
{
    const hearth_connect_params defaults = {.size = sizeof defaults,
                                            .timeout_ms = HEARTH_CLIENT_TIMEOUT_MS};
    fill_sized(params, size, &defaults, sizeof defaults);
}

void hearth_request_params_init(hearth_request_params *params, size_t size)
{
    struct hearth_wire_inference_request wire = {0};
    hearth_wire_default_request(&wire);
    const hearth_request_params defaults = {
        .size = sizeof defaults,
        .priority = (enum hearth_priority)wire.priority,
        .timeout_ms = HEARTH_CLIENT_REQUEST_MS,
        .max_tokens = wire.max_tokens,
        .temperature = wire.temperature,
        .top_k = wire.top_k,
        .top_p = wire.top_p,
        .min_p = wire.min_p,
        .repetition_penalty = wire.repetition_penalty,
        .repetition_window = wire.repetition_window,
        .seed = wire.seed,
        .typical_p = wire.typical_p,
    };
    fill_sized(params, size, &defaults, sizeof defaults);
}

int client_connect_params(const struct hearth_connect_params *given,
                          struct hearth_connect_params *ret, struct hearth_error *err)
{
    hearth_connect_params_init(ret, sizeof *ret);
    return given == NULL
               ? 0
               : copy_sized(given, given->size, ret, sizeof *ret, "hearth_connect_params", err);
}

static int check_list(const char *name, size_t count, unsigned most, const void *list,
                      struct hearth_error *err)
{
    if (count > most) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: %zu %s, the limit is %u", count, name,
                           most);
    }
    return count == 0 || list != NULL
               ? 0
               : hearth_fail(err, HEARTH_E_ARGUMENT, "params: %s is NULL, and there should be %zu",
                             name, count);
}

static int check_lists(const struct hearth_request_params *params, struct hearth_error *err)
{
    int rc = check_list("stops", params->stop_count, HEARTH_MAX_STOPS, params->stops, err);
    rc = rc < 0 ? rc
                : check_list("logit_bias", params->logit_bias_count, HEARTH_MAX_BIASES,
                             params->logit_bias, err);
    return rc < 0 ? rc
                  : check_list("choices", params->choice_count, HEARTH_MAX_CHOICES, params->choices,
                               err);
}

/* The wire has a byte for each; what is no such number must not become another one. */
static int check_enums(const struct hearth_request_params *params, struct hearth_error *err)
{
    const struct {
        const char *name;
        unsigned value;
        unsigned last;
    } enums[] = {
        {"vector_type", (unsigned)params->vector_type, HEARTH_VECTOR_INT8},
        {"normalize", (unsigned)params->normalize, HEARTH_NORMALIZE_NO},
        {"grammar_type", (unsigned)params->grammar_type, HEARTH_GRAMMAR_GBNF},
        {"tool_choice", (unsigned)params->tool_choice, HEARTH_TOOLS_REQUIRED},
    };
    for (size_t i = 0; i < HEARTH_COUNT(enums); i++) {
        if (enums[i].value > enums[i].last) {
            return hearth_fail(err, HEARTH_E_ARGUMENT, "params: %s is %u, and there is no such one",
                               enums[i].name, enums[i].value);
        }
    }
    return 0;
}

int client_request_params(const struct hearth_request_params *given,
                          struct hearth_request_params *ret, struct hearth_error *err)
{
    hearth_request_params_init(ret, sizeof *ret);
    if (given == NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: is NULL, and a model must be named");
    }
    int rc = copy_sized(given, given->size, ret, sizeof *ret, "hearth_request_params", err);
    if (rc < 0) {
        return rc;
    }
    if (ret->model == NULL || ret->model[0] == '\0') {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: no model is named");
    }
    if (ret->answers > HEARTH_MAX_ANSWERS) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: %u answers, the limit is %u",
                           ret->answers, HEARTH_MAX_ANSWERS);
    }
    rc = check_lists(ret, err);
    return rc < 0 ? rc : check_enums(ret, err);
}

int hearth_default_socket(char *room, size_t room_bytes, hearth_error *err)
{
    return hearth_socket_default_path(room, room_bytes, err);
}
