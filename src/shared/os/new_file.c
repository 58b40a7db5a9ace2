/* new_file.c — written beside its place, then moved there. */

#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096 /* of realpath() */
#define MODE       0666 /* as any new file; the umask narrows it */
#define ATTEMPTS   16   /* at a name that no other file has */

static const char suffix[] = ".XXXXXX";

static int failed(const char *path, struct hearth_error *err)
{
    return hearth_fail_errno(err, HEARTH_E_SYSTEM, "write %.150s", path);
}

/* ── Beginning ───────────────────────────────────────────────────────────────────────────────── */

/* Room for the name of the file while it is not whole. */
static int allocate_name(struct hearth_new_file *file)
{
    size_t size = strlen(file->target);
    file->temporary = hearth_alloc(size + sizeof suffix, 1);
    if (file->temporary == NULL) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(file->temporary, file->target, size);
    memcpy(file->temporary + size, suffix, sizeof suffix);
    return 0;
}

/* In the folder of the target, so that a link can bring it there. */
static int open_unnamed(const struct hearth_new_file *file)
{
    char *folder = hearth_copy_string(file->target, strlen(file->target));
    if (folder == NULL) {
        errno = ENOMEM;
        return -1;
    }
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder] = '\0'; /* "/" itself is a folder too */
    }
    int fd = open(slash != NULL ? folder : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, MODE);
    hearth_free(folder);
    return fd;
}

static int open_named(struct hearth_new_file *file)
{
    if (allocate_name(file) < 0) {
        return -1;
    }
    int fd = mkostemp(file->temporary, O_CLOEXEC);
    if (fd < 0) {
        hearth_free(HEARTH_TAKE(file->temporary));
        return -1;
    }
    mode_t mask = umask(0);
    umask(mask);
    int ignored = fchmod(fd, MODE & ~mask); /* narrower is no failure */
    (void)ignored;
    return fd;
}

static int find_target(const char *path, struct hearth_new_file *file)
{
    char real[PATH_BYTES];
    const char *target = realpath(path, real); /* the file behind a link is replaced */
    if (target == NULL && errno != ENOENT) {
        return -1;
    }
    target = target != NULL ? target : path;
    file->target = hearth_copy_string(target, strlen(target));
    errno = file->target == NULL ? ENOMEM : 0;
    return file->target == NULL ? -1 : 0;
}

/* A file without a name is gone with the program, however that ends. Where the file system has
 * none, one with a name of its own does. */
static int begin(const char *path, bool may_be_unnamed, struct hearth_new_file *ret,
                 struct hearth_error *err)
{
    struct hearth_new_file file = {.fd = -1};
    struct stat found;
    bool is_there = stat(path, &found) == 0;
    if (is_there && !S_ISREG(found.st_mode)) {
        file.fd = open(path, O_WRONLY | O_CLOEXEC);
    } else if (find_target(path, &file) == 0) {
        file.fd = may_be_unnamed ? open_unnamed(&file) : -1;
        file.fd = file.fd < 0 ? open_named(&file) : file.fd;
        if (is_there && file.fd >= 0 && fchmod(file.fd, found.st_mode & 0777) != 0) {
            hearth_fd_close(&file.fd); /* a private file must not become a public one */
        }
    }
    if (file.fd < 0) {
        int rc = failed(path, err);
        hearth_new_file_close(&file);
        return rc;
    }
    *ret = file;
    return 0;
}

int hearth_new_file_open(const char *path, struct hearth_new_file *ret, struct hearth_error *err)
{
    return begin(path, true, ret, err);
}

int hearth_new_file_open_named(const char *path, struct hearth_new_file *ret,
                               struct hearth_error *err)
{
    return begin(path, false, ret, err);
}

/* ── Into its place ──────────────────────────────────────────────────────────────────────────── */

static int give_name(struct hearth_new_file *file)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    char self[64];
    uint8_t random[sizeof suffix - 2];
    snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
    if (allocate_name(file) < 0) {
        return -1;
    }
    char *end = file->temporary + strlen(file->target) + 1;
    errno = EEXIST;
    for (int attempt = 0; attempt < ATTEMPTS && errno == EEXIST; attempt++) {
        hearth_random_bytes(random, sizeof random);
        for (size_t i = 0; i < sizeof random; i++) {
            end[i] = letters[random[i] % (sizeof letters - 1)];
        }
        if (linkat(AT_FDCWD, self, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0) {
            return 0;
        }
    }
    hearth_free(HEARTH_TAKE(file->temporary));
    return -1;
}

int hearth_new_file_commit(struct hearth_new_file *file, struct hearth_error *err)
{
    if (file->target == NULL) {
        hearth_fd_close(&file->fd);
        return 0;
    }
    if (fsync(file->fd) != 0 || (file->temporary == NULL && give_name(file) < 0) ||
        rename(file->temporary, file->target) != 0) {
        return failed(file->target, err);
    }
    hearth_free(HEARTH_TAKE(file->temporary)); /* it has another name now */
    hearth_new_file_close(file);
    return 0;
}

void hearth_new_file_close(struct hearth_new_file *file)
{
    hearth_fd_close(&file->fd);
    if (file->temporary != NULL) {
        unlink(file->temporary);
    }
    hearth_free(HEARTH_TAKE(file->temporary));
    hearth_free(HEARTH_TAKE(file->target));
}
