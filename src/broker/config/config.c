/* config.c — the table of keys, and setting them by name. */

#include "hearth_config.h"

#include "config_priv.h"
#include <string.h>

/* A file of 64 KiB, the environment and the command line, copied at most twice. */
#define ARENA_CAP_BYTES (512u << 10)

#define KEY(name, kind, field, value, least, most, is_live)                                        \
    {                                                                                              \
        name, kind, offsetof(struct hearth_config, field), value, least, most, is_live             \
    }
#define START false /* read once, when the daemon starts */
#define LIVE  true  /* read whenever it is needed, so a reload may change it */

const struct config_key config_keys[] = {
    KEY("socket", CONFIG_PATH, socket, "auto", 0, 107, START),
    KEY("models", CONFIG_PATHS, models, "auto", 0, 4095, START),
    KEY("preload", CONFIG_NAMES, preload, "", 0, 0, START),
    KEY("workers", CONFIG_PATH, workers, "auto", 0, 3500, START),
    KEY("max_connections", CONFIG_NUMBER, max_connections, "64", 1, 4096, LIVE),
    KEY("queue_limit", CONFIG_NUMBER, queue_limit, "256", 1, 65536, LIVE),
    KEY("queue_limit_critical", CONFIG_AUTO_NUMBER, class_limits[3], "auto", 1, 65536, LIVE),
    KEY("queue_limit_high", CONFIG_AUTO_NUMBER, class_limits[2], "auto", 1, 65536, LIVE),
    KEY("queue_limit_normal", CONFIG_AUTO_NUMBER, class_limits[1], "auto", 1, 65536, LIVE),
    KEY("queue_limit_low", CONFIG_AUTO_NUMBER, class_limits[0], "auto", 1, 65536, LIVE),
    KEY("client_queue_limit", CONFIG_AUTO_NUMBER, client_queue_limit, "auto", 1, 65536, LIVE),
    KEY("memory_limit", CONFIG_AUTO_BYTES, memory_limit_bytes, "auto", 1 << 20, UINT64_MAX / 2,
        LIVE),
    KEY("threads", CONFIG_AUTO_NUMBER, threads, "auto", 1, 1024, START),
    KEY("worker_nice", CONFIG_NUMBER, worker_nice, "10", 0, 19, START),
    KEY("drain_timeout_ms", CONFIG_NUMBER, drain_timeout_ms, "30000", 0, 3600000, LIVE),
    KEY("request_timeout_ms", CONFIG_NUMBER, request_timeout_ms, "300000", 1, 86400000, LIVE),
    KEY("load_timeout_ms", CONFIG_NUMBER, load_timeout_ms, "300000", 1, 86400000, LIVE),
    KEY("hang_timeout_ms", CONFIG_NUMBER, hang_timeout_ms, "30000", 1, 86400000, LIVE),
    KEY("progress_timeout_ms", CONFIG_NUMBER, progress_timeout_ms, "60000", 0, 86400000, LIVE),
    KEY("ready_models", CONFIG_NUMBER, ready_models, "0", 0, 64, LIVE),
    KEY("handshake_timeout_ms", CONFIG_NUMBER, handshake_timeout_ms, "10000", 1, 3600000, LIVE),
    KEY("frame_timeout_ms", CONFIG_NUMBER, frame_timeout_ms, "30000", 1, 3600000, LIVE),
    KEY("idle_timeout_ms", CONFIG_NUMBER, idle_timeout_ms, "3600000", 0, 86400000, LIVE),
    KEY("token_sha256", CONFIG_DIGEST, token_sha256, "", 0, 0, LIVE),
    KEY("eviction", CONFIG_EVICTION, may_evict, "never", 0, 0, LIVE),
    KEY("swap", CONFIG_SWAP, is_drain_first, "beside", 0, 0, LIVE),
    KEY("per_call_memory", CONFIG_AUTO_BYTES, per_call_memory, "auto", 4096, UINT64_MAX / 2, LIVE),
    KEY("total_call_memory", CONFIG_AUTO_BYTES, total_call_memory, "auto", 4096, UINT64_MAX / 2,
        LIVE),
    KEY("concurrent_requests", CONFIG_AUTO_NUMBER, concurrent_requests, "auto", 1, 1048576, LIVE),
    KEY("worker_headroom", CONFIG_AUTO_BYTES, worker_headroom_bytes, "auto", 1 << 20,
        UINT64_MAX / 4, LIVE),
    KEY("containment", CONFIG_CONTAINMENT, is_containment_strict, "required", 0, 0, START),
    KEY("log_level", CONFIG_LOG_LEVEL, log_level, "info", 0, 0, LIVE),
};
const size_t config_key_count = HEARTH_COUNT(config_keys);
_Static_assert(HEARTH_COUNT(config_keys) <= 64, "hearth_config.seen has one bit a key");

const struct config_key *config_key_find(const char *name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].name, name) == 0) {
            return &config_keys[i];
        }
    }
    return NULL;
}

const char *config_copy(struct hearth_config *config, const char *text, size_t size,
                        struct hearth_error *err)
{
    const char *copy = hearth_arena_copy(&config->arena, hearth_slice_of(text, size));
    if (copy == NULL) {
        hearth_fail_oom(err);
    }
    return copy;
}

int hearth_config_init(struct hearth_config *config, struct hearth_error *err)
{
    *config = (struct hearth_config){0};
    hearth_arena_init(&config->arena, ARENA_CAP_BYTES);
    hearth_arena_init(&config->reloaded, 0);
    for (size_t i = 0; i < config_key_count; i++) {
        int rc = config_set_value(config, &config_keys[i], config_keys[i].default_value, err);
        if (rc < 0) {
            hearth_config_finish(config);
            return rc;
        }
    }
    return 0;
}

void hearth_config_finish(struct hearth_config *config)
{
    hearth_arena_finish(&config->arena);
    hearth_arena_finish(&config->reloaded);
    *config = (struct hearth_config){0};
}

int hearth_config_set(struct hearth_config *config, const char *key, const char *value,
                      struct hearth_error *err)
{
    const struct config_key *found = config_key_find(key);
    HEARTH_ASSERT(found != NULL); /* the command line has no others */
    int rc = config_set_value(config, found, value, err);
    return rc < 0 ? hearth_because(err, rc, "command line: %s", key) : 0;
}

int hearth_config_print(const struct hearth_config *config, struct hearth_buf *out)
{
    for (size_t i = 0; i < config_key_count; i++) {
        int rc = hearth_buf_printf(out, "%s = ", config_keys[i].name);
        rc = rc < 0 ? rc : config_print_value(config, &config_keys[i], out);
        rc = rc < 0 ? rc : hearth_buf_append(out, "\n", 1);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

const struct hearth_config_model *hearth_config_model(const struct hearth_config *config,
                                                      const char *name)
{
    for (uint32_t i = 0; i < config->model_options_count; i++) {
        if (strcmp(config->model_options[i].name, name) == 0) {
            return &config->model_options[i];
        }
    }
    return NULL;
}
