/* files.c — opening a model's files: beneath their folder, regular, as long as the manifest says.
 *
 * The kernel refuses links and everything that leaves the root (openat2); ".." that stays inside
 * the root is refused here, because a model has no business in its neighbour's folder. */

#include "spawner_priv.h"

#include "hearth_os.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void start_init(struct start *start, const struct hearth_wire_spawn_request *request,
                const int *ring_fds)
{
    *start = (struct start){.request = request, .plan_fd = -1, .ring_fds = ring_fds};
    for (size_t i = 0; i < HEARTH_MAX_MODEL_FILES; i++) {
        start->file_fds[i] = -1;
    }
}

void start_finish(struct start *start)
{
    hearth_fd_close(&start->plan_fd);
    for (size_t i = 0; i < HEARTH_MAX_MODEL_FILES; i++) {
        hearth_fd_close(&start->file_fds[i]);
    }
}

static bool has_parent_step(const char *path)
{
    for (const char *at = path; at != NULL; at = strchr(at, '/')) {
        at += *at == '/' ? 1 : 0;
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Copies a path of the request; only plain relative ones pass. */
static int read_path(struct hearth_slice from, const char *what, char *room, size_t room_bytes,
                     struct hearth_error *err)
{
    if (!hearth_slice_to_string(from, room, room_bytes)) {
        return hearth_fail(err, HEARTH_E_DENIED, "%s contains NUL or is over %zu bytes", what,
                           room_bytes - 1);
    }
    if (room[0] == '/' || has_parent_step(room)) {
        return hearth_fail(err, HEARTH_E_DENIED, "%s \"%.96s\" is absolute or has \"..\"", what,
                           room);
    }
    return 0;
}

static int join(char *room, const char *folder, const char *name, struct hearth_error *err)
{
    int size = snprintf(room, HEARTH_MAX_PATH_BYTES, "%s%s%s", folder,
                        folder[0] == '\0' || name[0] == '\0' ? "" : "/", name);
    if (size < 0 || size >= (int)HEARTH_MAX_PATH_BYTES) {
        return hearth_fail(err, HEARTH_E_DENIED, "a path is over %u bytes", HEARTH_MAX_PATH_BYTES);
    }
    return 0;
}

/* A root may be configured with links and relative; what is opened is known by its real name. */
static int real_path(int folder_fd, char *room, struct hearth_error *err)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder_fd);
    ssize_t size = readlink(link, room, HEARTH_MAX_PATH_BYTES - 1);
    if (size <= 0 || size >= (ssize_t)HEARTH_MAX_PATH_BYTES - 1) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "find the real path of a model root");
    }
    room[size] = '\0';
    return 0;
}

static int check_size(int fd, const char *path, uint64_t wanted, struct hearth_error *err)
{
    uint64_t size = 0;
    int rc = hearth_file_size(fd, &size, err);
    if (rc == 0 && size != wanted) {
        rc = hearth_fail(err, HEARTH_E_MODEL_INVALID,
                         "%.96s has %" PRIu64 " bytes, the manifest says %" PRIu64, path, size,
                         wanted);
    }
    return rc;
}

static int open_file(struct start *start, int root_fd, const char *folder, uint32_t index,
                     struct hearth_error *err)
{
    const struct hearth_wire_model_file *file = &start->files[index];
    char name[HEARTH_MAX_PATH_BYTES];
    char path[HEARTH_MAX_PATH_BYTES];
    int rc = read_path(file->path, "a file of the model", name, sizeof name, err);
    if (rc == 0 && name[0] == '\0') {
        rc = hearth_fail(err, HEARTH_E_DENIED, "a file of the model has no name");
    }
    if (rc == 0) {
        rc = join(path, folder, name, err);
    }
    if (rc == 0) {
        struct hearth_error cause = {0};
        rc = hearth_file_open_beneath(root_fd, path, &start->file_fds[index], &cause);
        if (rc != 0) {
            bool is_missing = cause.sys_errno == ENOENT || cause.sys_errno == ENOTDIR;
            rc = hearth_fail(err, is_missing ? HEARTH_E_MODEL_INVALID : rc, "%.200s", cause.text);
        }
    }
    return rc != 0 ? rc : check_size(start->file_fds[index], path, file->size_bytes, err);
}

static int open_all(struct start *start, int root_fd, const char *folder, struct hearth_error *err)
{
    struct hearth_wire_list files = start->request->files;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < HEARTH_MAX_MODEL_FILES &&
                         hearth_wire_next(&files, HEARTH_RECORD_model_file, &start->files[i]);
         i++) {
        rc = open_file(start, root_fd, folder, i, err);
        start->files[i].fd = HEARTH_WORKER_FD_FILES + i;
        start->file_count = i + 1;
    }
    return rc;
}

int start_open_files(struct start *start, const char *root, struct hearth_error *err)
{
    char folder[HEARTH_MAX_PATH_BYTES];
    char real_root[HEARTH_MAX_PATH_BYTES];
    HEARTH_AUTO(hearth_fd) int root_fd = -1;
    int rc =
        read_path(start->request->folder, "the folder of the model", folder, sizeof folder, err);
    if (rc == 0) {
        rc = hearth_file_open_folder(root, &root_fd, err);
    }
    if (rc == 0) {
        rc = real_path(root_fd, real_root, err);
    }
    if (rc == 0) {
        rc = join(start->folder, real_root, folder, err);
    }
    return rc != 0 ? rc : open_all(start, root_fd, folder, err);
}
