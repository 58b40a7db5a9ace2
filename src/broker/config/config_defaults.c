/* config_defaults.c — what "auto" means on this machine. */

#include "hearth_config.h"

#include "config_priv.h"
#include "hearth_os.h"
#include "limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* If the machine does not say what is available. */
#define FALLBACK_MEMORY_BYTES (UINT64_C(2) << 30)

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] == '/' ? value : NULL;
}

static int resolve_socket(struct hearth_config *config, struct hearth_error *err)
{
    char path[HEARTH_SOCKET_PATH_BYTES];
    int rc = hearth_socket_default_path(path, sizeof path, err);
    if (rc < 0) {
        return rc;
    }
    config->socket = config_copy(config, path, strlen(path), err);
    return config->socket != NULL ? 0 : HEARTH_E_NO_MEMORY;
}

/* Where packages and people put models when nobody says otherwise. */
static int resolve_models(struct hearth_config *config, struct hearth_error *err)
{
    char path[HEARTH_MAX_PATH_BYTES];
    const char *data = environment("XDG_DATA_HOME");
    const char *home = environment("HOME");
    int size = 0;
    if (geteuid() == 0 || (data == NULL && home == NULL)) {
        size = snprintf(path, sizeof path, "/var/lib/hearth/models");
    } else if (data != NULL) {
        size = snprintf(path, sizeof path, "%s/hearth/models", data);
    } else {
        size = snprintf(path, sizeof path, "%s/.local/share/hearth/models", home);
    }
    if (size < 0 || (size_t)size >= sizeof path) {
        return hearth_fail(err, HEARTH_E_CONFIG, "path of the default models folder is too long");
    }
    config->models[0] = config_copy(config, path, (size_t)size, err);
    config->models_count = config->models[0] != NULL ? 1 : 0;
    return config->models[0] != NULL ? 0 : HEARTH_E_NO_MEMORY;
}

/* Is the worker that every build has in @folder? */
static bool holds_workers(const char *folder)
{
    char path[HEARTH_MAX_PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/hearth-worker-echo", folder);
    return size > 0 && (size_t)size < sizeof path && access(path, X_OK) == 0;
}

/* A build has its programs in one folder. An installation keeps those that nobody starts by hand
 * out of the search path; where is told from the place of hearthd, so it may be moved as a whole.
 */
static int resolve_workers(struct hearth_config *config, struct hearth_error *err)
{
    char *program = realpath("/proc/self/exe", NULL);
    if (program == NULL) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "find the folder of hearthd");
    }
    char *slash = strrchr(program, '/');
    slash[slash == program ? 1 : 0] = '\0';
    char path[HEARTH_MAX_PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/" HEARTH_WORKER_FOLDER, program);
    char *installed = NULL;
    if (!holds_workers(program) && size > 0 && (size_t)size < sizeof path && holds_workers(path)) {
        installed = realpath(path, NULL);
    }
    const char *folder = installed != NULL ? installed : program;
    config->workers = config_copy(config, folder, strlen(folder), err);
    free(installed);
    free(program);
    return config->workers != NULL ? 0 : HEARTH_E_NO_MEMORY;
}

static void resolve_machine(struct hearth_config *config)
{
    uint64_t total = 0;
    uint64_t available = 0;
    hearth_proc_memory(&total, &available);
    available = available > 0 ? available : FALLBACK_MEMORY_BYTES;
    config->auto_memory_bytes = available / 5 * 4;
    if (config->memory_limit_bytes == HEARTH_CONFIG_AUTO) {
        config->memory_limit_bytes = config->auto_memory_bytes;
    }
    if (config->threads == HEARTH_CONFIG_AUTO) {
        struct hearth_cpu_count cpu;
        hearth_cpu_count(&cpu);
        config->threads = cpu.available;
    }
}

int hearth_config_resolve(struct hearth_config *config, struct hearth_error *err)
{
    config->automatic = config_automatic_keys(config);
    int rc = config->socket == NULL ? resolve_socket(config, err) : 0;
    rc = rc == 0 && config->models_count == 0 ? resolve_models(config, err) : rc;
    rc = rc == 0 && config->workers == NULL ? resolve_workers(config, err) : rc;
    if (rc == 0) {
        resolve_machine(config);
    }
    return rc;
}
