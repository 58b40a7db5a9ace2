/* run.c — `hearth run`: a daemon for one command, on a socket that nobody else knows.
 *
 * Signals are blocked and taken in turn with the ends of both children, so no handler runs. The
 * daemon has a process group of its own: a Ctrl-C at the terminal reaches the command, not it. It
 * is told to stop when the command has ended. If this program is killed, both are told to end; the
 * folder is left then. */

#include "hearth_cli.h"
#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS  20
#define STOP_WITHIN_MS 30000

struct child {
    pid_t pid;
    int pidfd;
    bool has_ended;
    struct hearth_exit end;
};

struct private_daemon {
    const struct cli_settings *settings;
    char folder[64];
    char socket[96];
    char log[96];
    char program[4096];
    struct child daemon;
    struct child command;
    sigset_t before; /* signal mask that children get back */
    int stopped_by;  /* signal that ended the waiting for models, or 0 */
};

/* ── Children ────────────────────────────────────────────────────────────────────────────────── */

/* In the child: never returns. */
HEARTH_NORETURN static void become(const struct private_daemon *run, char **argv, int log_fd,
                                   bool is_daemon)
{
    hearth_process_reset_signals();
    sigprocmask(SIG_SETMASK, &run->before, NULL);
    hearth_process_set_death_signal(SIGTERM, NULL);
    if (is_daemon) {
        setpgid(0, 0);
        if (log_fd >= 0) {
            dup2(log_fd, STDOUT_FILENO);
            dup2(log_fd, STDERR_FILENO);
        }
    }
    execvp(argv[0], argv);
    int found = errno;
    fprintf(stderr, "hearth run: cannot start '%s': %s\n", argv[0], strerrordesc_np(found));
    _exit(found == ENOENT ? 127 : 126);
}

static int start(const struct private_daemon *run, struct child *child, char **argv, int log_fd,
                 bool is_daemon, struct hearth_error *err)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        become(run, argv, log_fd, is_daemon);
    }
    if (pid < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "start '%s'", argv[0]);
    }
    child->pid = pid;
    return hearth_process_open(pid, &child->pidfd, err);
}

static bool is_running(struct child *child)
{
    if (child->pid > 0 && !child->has_ended) {
        child->has_ended = hearth_process_reap(child->pidfd, &child->end, NULL) == 0;
    }
    return child->pid > 0 && !child->has_ended;
}

/* Waits until a signal comes or @timeout_ms is over; returns its number or 0. SIGCHLD only wakes.
 */
static int wait_signal(int timeout_ms, bool *ret_is_from_terminal)
{
    static const int wanted[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < HEARTH_COUNT(wanted); i++) {
        sigaddset(&set, wanted[i]);
    }
    struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    siginfo_t info;
    int number = sigtimedwait(&set, &info, timeout_ms < 0 ? NULL : &timeout);
    if (number <= 0 || number == SIGCHLD) {
        return 0;
    }
    *ret_is_from_terminal = info.si_code == SI_KERNEL;
    return number;
}

static void block_signals(sigset_t *ret_before)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, ret_before);
}

/* ── The daemon ──────────────────────────────────────────────────────────────────────────────── */

static int make_folder(struct private_daemon *run, struct hearth_error *err)
{
    const char *temporary = getenv("TMPDIR");
    if (temporary == NULL || temporary[0] != '/' || strlen(temporary) > 40) {
        temporary = "/tmp"; /* a longer one would not fit the name of a socket */
    }
    snprintf(run->folder, sizeof run->folder, "%s/hearth-run-XXXXXX", temporary);
    if (mkdtemp(run->folder) == NULL) {
        run->folder[0] = '\0';
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a folder in %s", temporary);
    }
    snprintf(run->socket, sizeof run->socket, "%s/hearthd.sock", run->folder);
    snprintf(run->log, sizeof run->log, "%s/hearthd.log", run->folder);
    return 0;
}

static int start_daemon(struct private_daemon *run, struct hearth_error *err)
{
    const struct cli_settings *settings = run->settings;
    const char *log = settings->log != NULL ? settings->log : run->log;
    HEARTH_AUTO(hearth_fd) int log_fd = -1;
    if (!settings->is_verbose) {
        log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_fd < 0) {
            return hearth_fail_errno(err, HEARTH_E_SYSTEM, "open the log %.150s", log);
        }
    }
    char *argv[12];
    size_t count = 0;
    const char *const pairs[][2] = {{"--config", settings->config},
                                    {"--socket", run->socket},
                                    {"--models", settings->models_folder},
                                    {"--preload", settings->preload}};
    argv[count++] = run->program;
    for (size_t i = 0; i < HEARTH_COUNT(pairs); i++) {
        if (pairs[i][1] != NULL) {
            argv[count++] = (char *)(uintptr_t)pairs[i][0];
            argv[count++] = (char *)(uintptr_t)pairs[i][1];
        }
    }
    argv[count] = NULL;
    return start(run, &run->daemon, argv, log_fd, true, err);
}

/* The end of the log, which says why the daemon did not come up. */
static void show_log(const struct private_daemon *run)
{
    char text[4096];
    FILE *file = run->settings->is_verbose
                     ? NULL
                     : fopen(run->settings->log != NULL ? run->settings->log : run->log, "r");
    if (file == NULL) {
        return;
    }
    if (fseek(file, -(long)(sizeof text - 1), SEEK_END) != 0) {
        rewind(file);
    }
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    fwrite(text, 1, size, stderr);
}

static const hearth_model *find_model(const hearth_model_list *list, const char *name, size_t size)
{
    for (size_t i = 0; i < hearth_model_list_count(list); i++) {
        const hearth_model *model = hearth_model_list_at(list, i);
        if (strlen(model->name) == size && memcmp(model->name, name, size) == 0) {
            return model;
        }
    }
    return NULL;
}

/* 1: @model is ready; 0: not yet; else why it never will be. */
static int look_at_model(const hearth_model *model, struct hearth_error *err)
{
    bool has_failed = model->state == HEARTH_MODEL_FAILED ||
                      (model->state == HEARTH_MODEL_ABSENT && model->error[0] != '\0');
    if (has_failed) {
        int code = model->error_code < 0 ? model->error_code : HEARTH_E_MODEL_INVALID;
        return hearth_fail(err, code, "preload \"%s\" failed%s%s", model->name,
                           model->error[0] != '\0' ? ": " : "", model->error);
    }
    return model->state == HEARTH_MODEL_READY;
}

/* As look_at_model() for every name of "a, b". Without names nothing is waited for. */
static int look_at_names(const hearth_model_list *list, const char *names, struct hearth_error *err)
{
    int all = 1;
    for (const char *at = names; at != NULL && *at != '\0';) {
        size_t size = strcspn(at, ", ");
        const hearth_model *model = find_model(list, at, size);
        if (size > 0 && model == NULL) {
            return hearth_fail(err, HEARTH_E_NO_MODEL, "preload \"%.*s\": not in the models folder",
                               (int)size, at);
        }
        int rc = size > 0 ? look_at_model(model, err) : 1;
        if (rc < 0) {
            return rc;
        }
        all = all && rc;
        at += size + (at[size] != '\0');
    }
    return all;
}

static int look_at_models(const struct private_daemon *run, hearth_client *client,
                          struct hearth_error *err)
{
    hearth_model_list *list;
    int rc = hearth_models(client, &list, err);
    if (rc == 0) {
        rc = look_at_names(list, run->settings->preload, err);
        hearth_model_list_free(list);
    }
    return rc;
}

static int connect_to(const struct private_daemon *run, hearth_client **client,
                      struct hearth_error *err)
{
    char token[CLI_TOKEN_BYTES];
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = run->socket;
    params.program = "hearth run";
    int rc = cli_token_read(run->settings, token, err); /* its configuration may ask for one */
    params.token = token[0] != '\0' ? token : NULL;
    rc = rc < 0 ? rc : hearth_connect(&params, client, err);
    hearth_wipe(token, sizeof token);
    return rc;
}

/* One look: connects when the daemon listens, then asks for its models. */
static int look(const struct private_daemon *run, hearth_client **client, struct hearth_error *err)
{
    if (*client == NULL) {
        int rc = connect_to(run, client, err);
        if (rc == HEARTH_E_NO_DAEMON) {
            return 0;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return look_at_models(run, *client, err);
}

/* It has said why itself, in the log. Its exit code 2 stands for options that we passed on. */
static int daemon_ended(const struct private_daemon *run, struct hearth_error *err)
{
    const struct hearth_exit *end = &run->daemon.end;
    show_log(run);
    bool is_refusal = !end->is_killed && end->code == CLI_USAGE;
    return hearth_fail(err, is_refusal ? HEARTH_E_CONFIG : HEARTH_E_NO_DAEMON,
                       "the private daemon did not start (%s %d); its reason stands above",
                       end->is_killed ? "signal" : "exit code", end->code);
}

static int wait_until_ready(struct private_daemon *run, struct hearth_error *err)
{
    uint64_t deadline_ns =
        hearth_clock_deadline_ns(hearth_clock_ns(), (uint64_t)(run->settings->timeout_secs * 1000));
    hearth_client *client = NULL;
    int rc = 0;
    while (rc == 0) {
        bool is_from_terminal;
        rc = look(run, &client, err);
        if (!is_running(&run->daemon)) {
            rc = daemon_ended(run, err);
        } else if (rc == 0 && hearth_clock_ns() > deadline_ns) {
            rc = hearth_fail(err, HEARTH_E_EXPIRED, "the models were not ready within %g s",
                             run->settings->timeout_secs);
        }
        if (rc == 0) {
            run->stopped_by = wait_signal(LOOK_EVERY_MS, &is_from_terminal);
            rc = run->stopped_by != 0 ? hearth_fail(err, HEARTH_E_CANCELLED, "interrupted") : 0;
        }
    }
    hearth_disconnect(client);
    return rc;
}

static void stop_daemon(struct private_daemon *run)
{
    bool ignored;
    uint64_t deadline_ns = hearth_clock_deadline_ns(hearth_clock_ns(), STOP_WITHIN_MS);
    if (is_running(&run->daemon)) {
        hearth_process_signal(run->daemon.pidfd, SIGTERM, NULL);
    }
    while (is_running(&run->daemon)) {
        wait_signal(1000, &ignored); /* SIGCHLD ends it at once */
        if (hearth_clock_ns() > deadline_ns) {
            hearth_process_signal(run->daemon.pidfd, SIGKILL, NULL);
        }
    }
    hearth_fd_close(&run->daemon.pidfd);
    if (run->folder[0] != '\0') {
        char lock[112];
        snprintf(lock, sizeof lock, "%s.lock", run->socket);
        unlink(run->socket);
        unlink(lock);
        unlink(run->log);
        rmdir(run->folder);
    }
}

/* ── The command ─────────────────────────────────────────────────────────────────────────────── */

static int run_command(struct private_daemon *run, char **argv, int *ret_code,
                       struct hearth_error *err)
{
    setenv("HEARTH_SOCKET", run->socket, 1);
    int rc = start(run, &run->command, argv, -1, false, err);
    if (rc < 0) {
        return rc;
    }
    bool was_running = true;
    while (is_running(&run->command)) {
        bool is_from_terminal = false;
        int number = wait_signal(-1, &is_from_terminal);
        if (number != 0 && !is_from_terminal) {
            hearth_process_signal(run->command.pidfd, number, NULL);
        }
        if (was_running && !is_running(&run->daemon)) {
            was_running = false;
            fprintf(stderr, "hearth run: the private daemon has ended\n");
            show_log(run);
        }
    }
    hearth_fd_close(&run->command.pidfd);
    *ret_code = run->command.end.is_killed ? 128 + run->command.end.code : run->command.end.code;
    return 0;
}

int cli_run_run(const struct cli_settings *settings, int argc, char **argv)
{
    if (argc == 0) {
        return cli_usage(cli_command_find("run"), "no command given after --");
    }
    if (settings->socket != NULL) {
        return cli_usage(cli_command_find("run"), "has a socket of its own, takes no --socket");
    }
    if (!(settings->timeout_secs >= 0.001 && settings->timeout_secs <= 86400)) {
        return cli_usage(cli_command_find("run"), "--timeout: wanted 0.001 to 86400 seconds");
    }
    struct hearth_error err;
    struct private_daemon run = {.settings = settings, .daemon.pidfd = -1, .command.pidfd = -1};
    int code = CLI_FAILED;
    block_signals(&run.before);
    int rc = cli_find_daemon(run.program, sizeof run.program, &err);
    rc = rc < 0 ? rc : make_folder(&run, &err);
    rc = rc < 0 ? rc : start_daemon(&run, &err);
    rc = rc < 0 ? rc : wait_until_ready(&run, &err);
    rc = rc < 0 ? rc : run_command(&run, argv, &code, &err);
    if (rc < 0) {
        code = run.stopped_by != 0 ? 128 + run.stopped_by : cli_report(settings, &err);
    }
    stop_daemon(&run);
    return code;
}
