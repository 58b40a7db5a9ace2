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
    if (ret->stop_count > HEARTH_MAX_STOPS) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: %zu stop strings, the limit is %u",
                           ret->stop_count, HEARTH_MAX_STOPS);
    }
    if (ret->stop_count > 0 && ret->stops == NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "params: stops is NULL, stop_count is %zu",
                           ret->stop_count);
    }
    if ((unsigned)ret->vector_type > HEARTH_VECTOR_INT8 ||
        (unsigned)ret->normalize > HEARTH_NORMALIZE_NO) {
        return hearth_fail(
            err, HEARTH_E_ARGUMENT, "params: %s is %u, and there is no such one",
            (unsigned)ret->vector_type > HEARTH_VECTOR_INT8 ? "vector_type" : "normalize",
            (unsigned)ret->vector_type > HEARTH_VECTOR_INT8 ? (unsigned)ret->vector_type
                                                            : (unsigned)ret->normalize);
    }
    return 0;
}

int hearth_default_socket(char *room, size_t room_bytes, hearth_error *err)
{
    return hearth_socket_default_path(room, room_bytes, err);
}
