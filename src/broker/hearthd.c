/* hearthd.c — main: from the command line to the loop and back.
 *
 * Order: arguments and configuration → what a service manager handed over → spawner (forked before
 * anything else exists) → models and socket → the daemon's own door → loop. Everything that can
 * fail says what, where and what to do.
 */

#include "arguments.h"
#include "hearth_budget.h"
#include "hearth_config.h"
#include "hearth_log.h"
#include "hearth_metrics.h"
#include "hearth_os.h"
#include "hearth_registry.h"
#include "hearth_sandbox.h"
#include "hearth_session.h"
#include "hearth_spawner.h"
#include "service.h"

#ifdef HEARTH_ANOMALY
#include "hook.h"
#endif

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct daemon {
    int argc;
    char **argv; /* for reloads */
    bool has_file;
    struct hearth_config config;
    struct service service;
    struct hearth_listener inherited;
    struct hearth_spawner spawner;
    struct hearth_loop *loop;
    struct hearth_registry registry;
    struct hearth_budget budget;
    struct hearth_metrics metrics;
    struct hearth_server *server;
    unsigned signals;
    int exit_code;
};

static int complain(const struct hearth_error *err, int exit_code)
{
    fprintf(stderr, "hearthd: %s (%s)\n  what to do: %s\n", err->text, hearth_error_name(err->code),
            hearth_error_remedy(err->code));
    return exit_code;
}

/* As a file: what is printed can be given to --config. */
/* Ends what was printed: a full disk or a closed reader is a failure that is told. */
static int end_output(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return HEARTHD_OK;
    }
    fprintf(stderr, "hearthd: standard output could not be written: %s\n", strerror(errno));
    return HEARTHD_FAILED;
}

static int print_config(const struct hearth_config *config)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf text;
    hearth_buf_init(&text, 1u << 20);
    int rc = hearth_config_print(config, &text);
    for (uint32_t i = 0; rc == 0 && i < config->model_options_count; i++) {
        rc = hearth_buf_printf(&text, "\n[model %s]\n", config->model_options[i].name);
        rc = rc < 0 ? rc : hearth_config_print_model(&config->model_options[i], &text);
    }
    for (uint32_t i = 0; rc == 0 && i < config->alias_count; i++) {
        rc = hearth_buf_printf(&text, "\n[alias %s]\nmodel = %s\n", config->aliases[i].name,
                               config->aliases[i].model);
    }
    for (uint32_t i = 0; rc == 0 && i < config->client_count; i++) {
        rc = hearth_buf_printf(&text, "\n[client %s]\n", config->clients[i].name);
        rc = rc < 0 ? rc : hearth_config_print_client(&config->clients[i], &text);
    }
    if (rc < 0) {
        fputs("hearthd: out of memory\n", stderr);
        return HEARTHD_FAILED;
    }
    printf("[daemon]\n%.*s", (int)text.size, (const char *)text.data);
    return end_output();
}

static void on_end(void *arg, const struct hearth_drain_result *result)
{
    struct daemon *daemon = arg;
    daemon->exit_code = result->is_failure || result->cut > 0 ? HEARTHD_FAILED : HEARTHD_OK;
    hearth_log(HEARTH_LOG_INFO, "daemon.drained", "cut", hearth_log_u(result->cut), NULL);
    hearth_loop_stop(daemon->loop);
}

static void set_log_level(const struct hearth_config *config)
{
    enum hearth_log_level level = HEARTH_LOG_INFO;
    if (hearth_log_level_of(config->log_level, &level)) {
        hearth_log_set_level(level);
    }
}

static const char *socket_path(const struct daemon *daemon)
{
    return daemon->inherited.is_inherited ? daemon->inherited.path : daemon->config.socket;
}

static void tell_ready(struct daemon *daemon)
{
    char status[SERVICE_STATUS_BYTES];
    snprintf(status, sizeof status, "Listening on %s", socket_path(daemon));
    service_ready(&daemon->service, daemon->loop, status);
}

/* ---- reload ------------------------------------------------------------------------------- */

static void tell_restart(void *arg, const char *key)
{
    (void)arg;
    hearth_log(HEARTH_LOG_WARN, "config.needs_restart", "key", hearth_log_s(key), NULL);
}

static void use_config(struct daemon *daemon, struct hearth_config *fresh)
{
    hearth_config_reload(&daemon->config, fresh, tell_restart, NULL);
    set_log_level(&daemon->config);
    hearth_budget_set_limit(&daemon->budget, daemon->config.memory_limit_bytes);
    hearth_server_reload(daemon->server);
    hearth_log(HEARTH_LOG_INFO, "config.reloaded", NULL);
    tell_ready(daemon);
}

static void keep_config(struct daemon *daemon, const struct hearth_error *err)
{
    char status[SERVICE_STATUS_BYTES];
    hearth_log(HEARTH_LOG_ERROR, "config.refused", "error", hearth_log_err(err), "remedy",
               hearth_log_s("mend it and reload again; what was set before still holds"), NULL);
    snprintf(status, sizeof status, "Listening; the new configuration was refused: %s", err->text);
    service_ready(&daemon->service, daemon->loop, status);
}

/* The path is opened anew, because editors replace a file. The daemon's door leaves files to it: it
 * reads manifests as well, and the file says nothing that only others may know. Reading takes a
 * moment of the loop, once each time that an operator asks for it. */
static void reload(struct daemon *daemon)
{
    struct arguments arguments;
    struct hearth_error err = {0};
    service_reloading(&daemon->service);
    struct hearth_config *fresh = hearth_alloc(1, sizeof *fresh);
    int rc = fresh == NULL ? hearth_fail_oom(&err) : hearth_config_init(fresh, &err);
    rc = rc < 0 ? rc : arguments_read(daemon->argc, daemon->argv, &arguments, fresh, &err);
    if (rc == 0) {
        use_config(daemon, fresh);
    } else {
        keep_config(daemon, &err);
    }
    if (fresh != NULL) {
        hearth_config_finish(fresh);
    }
    hearth_free(fresh);
}

/* Without a file there is nothing to read again: then it is the terminal that has gone. */
static void on_signal(void *arg, int signal_number)
{
    struct daemon *daemon = arg;
    hearth_log(HEARTH_LOG_INFO, "daemon.signal", "signal", hearth_log_i(signal_number), NULL);
    if (signal_number == SIGHUP && daemon->has_file) {
        if (daemon->signals == 0) { /* the limits of a drain have been chosen */
            reload(daemon);
        }
        return;
    }
    daemon->signals++;
    if (daemon->signals == 1) {
        service_stopping(&daemon->service, "Finishing the requests that run");
        hearth_server_drain(daemon->server);
    } else {
        daemon->exit_code = HEARTHD_FAILED;
        hearth_loop_stop(daemon->loop);
    }
}

static int start_spawner(struct daemon *daemon, struct hearth_error *err)
{
    struct hearth_spawner_config config = {
        .roots = daemon->config.models,
        .root_count = daemon->config.models_count,
        .worker_folder = daemon->config.workers,
    };
    return hearth_spawner_fork(&config, &daemon->spawner, err);
}

/* Not every kernel tells of it, and it may be forbidden: then nobody is warned. */
static int open_pressure(void)
{
    struct hearth_error err = {0};
    int fd = -1;
    if (hearth_pressure_open("", &fd, &err) < 0) {
        hearth_log(HEARTH_LOG_INFO, "memory.pressure_unknown", "error", hearth_log_err(&err), NULL);
    }
    return fd;
}

static int start_server(struct daemon *daemon, struct hearth_error *err)
{
    struct hearth_server_parts parts = {
        .loop = daemon->loop,
        .config = &daemon->config,
        .registry = &daemon->registry,
        .budget = &daemon->budget,
        .metrics = &daemon->metrics,
        .spawner_fd = HEARTH_TAKE_FD(daemon->spawner.fd),
        .pressure_fd = open_pressure(),
        .listener = daemon->inherited,
    };
    daemon->inherited.fd = -1; /* the server closes it */
    return hearth_server_create(&parts, on_end, daemon, &daemon->server, err);
}

/* A folder that somebody named must be there. The default one may be missing: a daemon without
 * models says so and waits for them. */
static int check_models_folders(const struct hearth_config *config, bool is_named,
                                struct hearth_error *err)
{
    for (uint32_t i = 0; i < config->models_count; i++) {
        if (access(config->models[i], R_OK | X_OK) == 0) {
            continue;
        }
        int rc = hearth_fail_errno(err, HEARTH_E_CONFIG, "models folder %.180s", config->models[i]);
        if (is_named) {
            return rc;
        }
        hearth_log(HEARTH_LOG_WARN, "daemon.no_models", "folder", hearth_log_s(config->models[i]),
                   "remedy", hearth_log_s("name one that is there with --models or HEARTH_MODELS"),
                   NULL);
    }
    return 0;
}

/* A model that no folder has is a mistake in writing. */
static int set_aliases(struct daemon *daemon, struct hearth_error *err)
{
    const struct hearth_config *config = &daemon->config;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < config->alias_count; i++) {
        const struct hearth_config_alias *alias = &config->aliases[i];
        rc = hearth_registry_set_alias(&daemon->registry, alias->name, alias->model, 1, NULL, err);
        if (rc == 0 && hearth_registry_resolve(&daemon->registry,
                                               hearth_slice_of_string(alias->name), NULL) == NULL) {
            hearth_registry_explain(&daemon->registry, hearth_slice_of_string(alias->name), err);
            rc = HEARTH_E_NO_MODEL;
        }
    }
    if (rc < 0 && err != NULL) {
        err->code = HEARTH_E_CONFIG;
    }
    return rc < 0 ? HEARTH_E_CONFIG : 0;
}

/* A name that no folder has is a mistake in writing; one whose load fails is told when it does. */
static int check_preload(struct daemon *daemon, struct hearth_error *err)
{
    const struct hearth_config *config = &daemon->config;
    for (uint32_t i = 0; i < config->preload_count; i++) {
        struct hearth_slice name = hearth_slice_of_string(config->preload[i]);
        if (hearth_registry_resolve(&daemon->registry, name, NULL) == NULL) {
            return hearth_fail(err, HEARTH_E_CONFIG, "preload: no model \"%s\" in %.90s%s",
                               config->preload[i], config->models[0],
                               config->models_count > 1 ? " or the other models folders" : "");
        }
    }
    return 0;
}

/* A root that cannot be read is worth a warning: the models of the others are there. */
static void scan_models(struct daemon *daemon)
{
    struct hearth_error err = {0};
    const struct hearth_config *config = &daemon->config;
    hearth_registry_init(&daemon->registry, config->models, config->models_count);
    if (hearth_registry_scan(&daemon->registry, &err) < 0) {
        hearth_log(HEARTH_LOG_WARN, "registry.scan", "error", hearth_log_err(&err), NULL);
    }
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(&daemon->registry, slot);
        if (model != NULL && model->state == HEARTH_MODEL_FAILED) {
            hearth_log(HEARTH_LOG_WARN, "model.invalid", "model", hearth_log_s(model->id), "error",
                       hearth_log_err(&model->failure), NULL);
        }
    }
}

static int start(struct daemon *daemon, struct hearth_error *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int rc = hearth_listener_inherit(&daemon->inherited, err);
    if (rc < 0) {
        return rc;
    }
    service_open(&daemon->service);
    rc = start_spawner(daemon, err);
    if (rc < 0) {
        return rc;
    }
    hearth_log_own_stderr(); /* not before the fork: the spawner keeps standard error alone */
    hearth_process_ignore_sigpipe();
    hearth_metrics_init(&daemon->metrics);
    hearth_budget_init(&daemon->budget, daemon->config.memory_limit_bytes);
    scan_models(daemon);
    rc = set_aliases(daemon, err);
    rc = rc < 0 ? rc : check_preload(daemon, err);
    rc = rc < 0 ? rc
                : hearth_process_raise_fd_limit(
                      err); /* max_connections may be more than the usual 1024 */
    rc = rc < 0 ? rc : hearth_loop_create(&daemon->loop, err);
    rc = rc < 0 ? rc
                : hearth_loop_watch_signals(daemon->loop, signals, HEARTH_COUNT(signals), on_signal,
                                            daemon, err);
#ifdef HEARTH_ANOMALY
    rc = rc < 0 ? rc : anomaly_watch(daemon->loop, err);
#endif
    rc = rc < 0 ? rc : start_server(daemon, err);
    return rc < 0 ? rc : hearth_sandbox_close_daemon_door(err);
}

static int serve(struct daemon *daemon)
{
    struct hearth_error err = {0};
    const struct hearth_config *config = &daemon->config;
    hearth_log(HEARTH_LOG_INFO, "daemon.listening", "version", hearth_log_s(HEARTH_VERSION), "pid",
               hearth_log_i(getpid()), "socket", hearth_log_s(socket_path(daemon)), "inherited",
               hearth_log_b(daemon->inherited.is_inherited), "threads",
               hearth_log_u(config->threads), "memory_limit_bytes",
               hearth_log_u(config->memory_limit_bytes), NULL);
    hearth_server_preload(daemon->server);
    tell_ready(daemon);
    if (hearth_loop_run(daemon->loop, &err) < 0) {
        return complain(&err, HEARTHD_FAILED);
    }
    struct hearth_loop_stats stats;
    hearth_loop_stats(daemon->loop, &stats);
    hearth_log(HEARTH_LOG_INFO, "daemon.ended", "exit_code", hearth_log_i(daemon->exit_code),
               "rounds", hearth_log_u(stats.rounds), "callbacks", hearth_log_u(stats.callbacks),
               "callback_max_us", hearth_log_u(stats.callback_max_ns / HEARTH_NS_PER_US), NULL);
    return daemon->exit_code;
}

static void finish(struct daemon *daemon)
{
    hearth_server_destroy(daemon->server);
    hearth_fd_close(&daemon->spawner.fd); /* the server's, if it came that far */
    hearth_listener_close(&daemon->inherited);
    service_close(&daemon->service);
    hearth_loop_destroy(daemon->loop);
    if (daemon->registry.magic != 0) {
        hearth_registry_finish(&daemon->registry);
    }
    hearth_config_finish(&daemon->config);
}

static void warn_of_typo(void *arg, const char *variable, const char *meant)
{
    (void)arg;
    hearth_log(HEARTH_LOG_WARN, "config.unknown_variable", "variable", hearth_log_s(variable),
               "meant", hearth_log_s(meant), NULL);
}

static int run(struct daemon *daemon, const struct arguments *arguments)
{
    struct hearth_error err = {0};
    bool is_named = daemon->config.models_count > 0;
    if (hearth_config_resolve(&daemon->config, &err) < 0) {
        return complain(&err, HEARTHD_USAGE);
    }
    daemon->has_file = arguments->file != NULL;
    set_log_level(&daemon->config);
    hearth_log_set_process("hearthd");
    hearth_config_find_typos(warn_of_typo, NULL);
    if (arguments->is_check) {
        return print_config(&daemon->config);
    }
    if (check_models_folders(&daemon->config, is_named, &err) < 0) {
        return complain(&err, HEARTHD_USAGE);
    }
    if (start(daemon, &err) < 0) {
        return complain(&err, err.code == HEARTH_E_CONFIG ? HEARTHD_USAGE : HEARTHD_FAILED);
    }
    return serve(daemon);
}

int main(int argc, char **argv)
{
    hearth_fd_open_standard();
    struct daemon *daemon = hearth_alloc(1, sizeof *daemon);
    struct arguments arguments;
    struct hearth_error err = {0};
    if (daemon == NULL || hearth_config_init(&daemon->config, &err) < 0) {
        fputs("hearthd: out of memory\n", stderr);
        return HEARTHD_FAILED;
    }
    daemon->argc = argc;
    daemon->argv = argv;
    daemon->spawner.fd = -1;
    daemon->service.notify.fd = -1;
    daemon->inherited = (struct hearth_listener){.fd = -1, .lock_fd = -1};
    int exit_code = HEARTHD_OK;
    if (arguments_read(argc, argv, &arguments, &daemon->config, &err) < 0) {
        exit_code = complain(&err, HEARTHD_USAGE);
    } else if (arguments.is_help) {
        fputs(arguments_help, stdout);
        exit_code = end_output();
    } else if (arguments.is_version) {
        puts("hearthd " HEARTH_VERSION);
        exit_code = end_output();
    } else if (arguments.is_defaults) {
        exit_code = print_config(&daemon->config);
    } else {
        exit_code = run(daemon, &arguments);
    }
    finish(daemon);
    hearth_free(daemon);
    return exit_code;
}
