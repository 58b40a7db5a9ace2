/* process.c — children with a folder of their own. */

#include "peers.h"

#include "hearth_os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_STEPS  250 /* of 20 ms */
#define STEP_NS     20000000L
#define START_STEPS 3000

int peer_make_folder(struct peer *peer, struct hearth_error *err)
{
    snprintf(peer->folder, sizeof peer->folder, "/tmp/hearth-bench-XXXXXX");
    if (mkdtemp(peer->folder) == NULL) {
        peer->folder[0] = '\0';
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a folder in /tmp");
    }
    return 0;
}

static void exec_with_log(const char *log_path, char *const *argv)
{
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execvp(argv[0], argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int peer_start(struct peer *peer, char *const *argv, struct hearth_error *err)
{
    char log_path[PEERS_PATH_BYTES + 8];
    snprintf(log_path, sizeof log_path, "%s/log", peer->folder);
    fflush(NULL); /* what the parent has not written yet must not be written twice */
    peer->pid = fork();
    if (peer->pid < 0) {
        peer->pid = 0;
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "start %s", argv[0]);
    }
    if (peer->pid == 0) {
        exec_with_log(log_path, argv);
    }
    return 0;
}

static void pause_a_step(void)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char inner[PEERS_PATH_BYTES + 260];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        bool is_itself = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!is_itself && unlink(inner) != 0 && errno == EISDIR) {
            remove_folder(inner);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    rmdir(path);
}

void peer_stop(struct peer *peer)
{
    if (peer->pid > 0) {
        kill(peer->pid, SIGTERM);
        for (int i = 0; i < STOP_STEPS && waitpid(peer->pid, NULL, WNOHANG) == 0; i++) {
            if (i == STOP_STEPS - 2) {
                kill(peer->pid, SIGKILL);
            }
            pause_a_step();
        }
        peer->pid = 0;
    }
    if (peer->folder[0] != '\0') {
        remove_folder(peer->folder);
        peer->folder[0] = '\0';
    }
}

/* ---- CPU time ------------------------------------------------------------------------------- */

/* Reads the first number of a small file; *@ret_more is what follows it. */
static uint64_t read_first(const char *path, char *room, size_t room_bytes, char **ret_more)
{
    size_t size = 0;
    room[0] = '\0';
    (void)hearth_file_read_text(path, room, room_bytes, &size, NULL); /* ended meanwhile: 0 */
    return strtoull(room, ret_more, 10);
}

uint64_t peer_tree_cpu_ns(pid_t pid)
{
    char path[340];
    char text[4096];
    uint64_t sum_ns = 0;
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *at = NULL;
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "/proc/%ld/task/%s/schedstat", (long)pid, entry->d_name);
        sum_ns += read_first(path, text, sizeof text, &at);
        snprintf(path, sizeof path, "/proc/%ld/task/%s/children", (long)pid, entry->d_name);
        for (uint64_t child = read_first(path, text, sizeof text, &at); child != 0;
             child = strtoull(at, &at, 10)) {
            sum_ns += peer_tree_cpu_ns((pid_t)child);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return sum_ns;
}

/* ---- memory --------------------------------------------------------------------------------- */

static uint64_t peak_if_worker(pid_t pid)
{
    char path[64];
    char text[4096];
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    if (hearth_file_read_text(path, text, sizeof text, &size, NULL) < 0 ||
        strncmp(text, "Name:\thearth-worker", 19) != 0) {
        return 0;
    }
    const char *line = strstr(text, "\nVmHWM:");
    return line != NULL ? strtoull(line + 7, NULL, 10) * 1024 : 0;
}

uint64_t peer_worker_peak_bytes(pid_t pid)
{
    char path[340];
    char text[4096];
    uint64_t peak = peak_if_worker(pid);
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *at = NULL;
        snprintf(path, sizeof path, "/proc/%ld/task/%s/children", (long)pid, entry->d_name);
        for (uint64_t child = entry->d_name[0] == '.' ? 0
                                                      : read_first(path, text, sizeof text, &at);
             child != 0; child = strtoull(at, &at, 10)) {
            peak = HEARTH_MAX(peak, peer_worker_peak_bytes((pid_t)child));
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return peak;
}

/* ---- hearthd -------------------------------------------------------------------------------- */

/* The end of its log: the only one who can say why it does not serve. */
static int fail_with_log(const struct peer *peer, struct hearth_error *err)
{
    char path[PEERS_PATH_BYTES + 8];
    char text[120] = "";
    snprintf(path, sizeof path, "%s/log", peer->folder);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        (void)fseek(file, -(long)(sizeof text - 1), SEEK_END);
        size_t got = fread(text, 1, sizeof text - 1, file);
        text[got] = '\0';
        fclose(file);
    }
    return hearth_fail(err, HEARTH_E_NOT_READY, "it does not serve: …%s", text);
}

int peer_wait(struct peer *peer, struct hearth_error *err)
{
    for (int i = 0; i < START_STEPS; i++) {
        int fd = -1;
        if (peer_connect(peer->socket, &fd, NULL) == 0) {
            hearth_fd_close(&fd);
            return 0;
        }
        if (waitpid(peer->pid, NULL, WNOHANG) != 0) {
            peer->pid = 0;
            break;
        }
        pause_a_step();
    }
    return fail_with_log(peer, err);
}

static int write_config(const struct peer *peer, const char *models, const char *preload,
                        const char *sections, struct hearth_error *err)
{
    char path[PEERS_PATH_BYTES + 16];
    char *absolute = realpath(models, NULL);
    if (absolute == NULL) {
        return hearth_fail_errno(err, HEARTH_E_UNSUPPORTED,
                                 "%s is missing: run scripts/setup.sh, or say --models", models);
    }
    snprintf(path, sizeof path, "%s/hearthd.conf", peer->folder);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        free(absolute);
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "write %s", path);
    }
    fprintf(file, "[daemon]\nsocket = %s\nmodels = %s\npreload = %s\nqueue_limit = 4096\n",
            peer->socket, absolute, preload);    /* room for 64 clients with 64 requests each */
    if (strstr(preload, "classifier") != NULL) { /* a null engine that takes what there is */
        fprintf(file, "[model classifier]\ncapacity = 64\nrun_threads = 1\n");
    }
    fputs(sections, file);
    free(absolute);
    return fclose(file) == 0 ? 0 : hearth_fail_errno(err, HEARTH_E_SYSTEM, "write %s", path);
}

int peer_exec_hearthd(const struct hearth_harness_places *places, const char *model_folder,
                      const char *preload, const char *sections, struct peer *ret,
                      struct hearth_error *err)
{
    char program[4096];
    char models[4096];
    char config[PEERS_PATH_BYTES + 16];
    *ret = (struct peer){0};
    snprintf(program, sizeof program, "%s/hearthd", places->bin);
    snprintf(models, sizeof models, "%s/%s", places->models, model_folder);
    if (access(program, X_OK) != 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%.100s is missing: build it, or say --bin",
                           program);
    }
    int rc = peer_make_folder(ret, err);
    if (rc < 0) {
        return rc;
    }
    snprintf(ret->socket, sizeof ret->socket, "%s/hearthd.sock", ret->folder);
    snprintf(config, sizeof config, "%s/hearthd.conf", ret->folder);
    rc = write_config(ret, models, preload, sections, err);
    char *const argv[] = {program, "--config", config, NULL};
    rc = rc < 0 ? rc : peer_start(ret, argv, err);
    if (rc < 0) {
        peer_stop(ret);
        return hearth_because(err, rc, "start hearthd");
    }
    return 0;
}

int peer_start_hearthd_with(const struct hearth_harness_places *places, const char *model_folder,
                            const char *preload, const char *sections, struct peer *ret,
                            struct hearth_error *err)
{
    int rc = peer_exec_hearthd(places, model_folder, preload, sections, ret, err);
    if (rc < 0) {
        return rc;
    }
    rc = peer_wait(ret, err);
    if (rc < 0) {
        peer_stop(ret);
        return hearth_because(err, rc, "start hearthd");
    }
    return 0;
}

int peer_start_hearthd(const struct hearth_harness_places *places, const char *model_folder,
                       const char *preload, struct peer *ret, struct hearth_error *err)
{
    return peer_start_hearthd_with(places, model_folder, preload, "", ret, err);
}

/* ---- redis ---------------------------------------------------------------------------------- */

int peer_start_redis(struct peer *ret, struct hearth_error *err)
{
    *ret = (struct peer){0};
    if (access("/usr/bin/redis-server", X_OK) != 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "redis-server is missing: apt-get install --no-install-recommends "
                           "redis-server");
    }
    int rc = peer_make_folder(ret, err);
    if (rc < 0) {
        return rc;
    }
    snprintf(ret->socket, sizeof ret->socket, "%s/redis.sock", ret->folder);
    char *const argv[] = {
        "/usr/bin/redis-server", "--port", "0",     "--unixsocket", ret->socket, "--save", "",
        "--appendonly",          "no",     "--dir", ret->folder,    NULL};
    rc = peer_start(ret, argv, err);
    rc = rc < 0 ? rc : peer_wait(ret, err);
    if (rc < 0) {
        peer_stop(ret);
        return hearth_because(err, rc, "start redis-server");
    }
    return 0;
}
