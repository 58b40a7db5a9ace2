/* folders.c — see folders.h. */

#include "folders.h"

#include "interrupt.h"

#include "hearth_os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int pull_path(char room[PULL_MAX_PATH_BYTES], struct pull_problem *problem, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(room, PULL_MAX_PATH_BYTES, format, args);
    va_end(args);
    return size >= 0 && (size_t)size < PULL_MAX_PATH_BYTES
               ? 0
               : pull_fail(problem, HEARTH_E_TOO_LARGE, "use shorter folders",
                           "a path of more than %u bytes", PULL_MAX_PATH_BYTES - 1);
}

int pull_make_folders(const char *path, struct pull_problem *problem)
{
    char part[PULL_MAX_PATH_BYTES];
    int rc = pull_path(part, problem, "%s", path);
    for (char *at = part + (part[0] == '/'); rc == 0; at++) {
        at += strcspn(at, "/");
        bool is_last = *at == '\0';
        *at = '\0';
        if (part[0] != '\0' && mkdir(part, 0755) != 0 && errno != EEXIST) {
            return pull_fail_errno(problem,
                                   "make it yourself, or choose another --models or --cache",
                                   "make the folder %.120s", part);
        }
        if (is_last) {
            return 0;
        }
        *at = '/';
    }
    return rc;
}

void pull_remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        unlinkat(dirfd(folder), entry->d_name, 0); /* a folder refuses, and then this one stays */
    }
    closedir(folder);
    rmdir(path);
}

int pull_free_bytes(const char *path, uint64_t *ret_bytes, uint64_t *ret_device,
                    struct pull_problem *problem)
{
    struct statvfs space;
    struct stat facts;
    if (statvfs(path, &space) != 0 || stat(path, &facts) != 0) {
        return pull_fail_errno(problem, "see that the folder is there",
                               "ask for the space of %.120s", path);
    }
    uint64_t unit = space.f_frsize != 0 ? space.f_frsize : 1;
    *ret_bytes = space.f_bavail > UINT64_MAX / unit ? UINT64_MAX : space.f_bavail * unit;
    *ret_device = facts.st_dev;
    return 0;
}

bool pull_file_size(const char *path, uint64_t *ret_bytes)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return false;
    }
    *ret_bytes = (uint64_t)facts.st_size;
    return true;
}

bool pull_is_same_file(int fd, const char *path)
{
    struct stat ours;
    struct stat theirs;
    return fstat(fd, &ours) == 0 && lstat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

int pull_lock(int fd, const char *what, bool is_quiet, struct pull_problem *problem)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc = fcntl(fd, F_OFD_SETLK, &lock);
    if (rc != 0 && (errno == EAGAIN || errno == EACCES)) {
        if (!is_quiet) {
            fprintf(stderr, "%s: another hearth-pull is at it; waiting\n", what);
        }
        while ((rc = fcntl(fd, F_OFD_SETLKW, &lock)) != 0 && errno == EINTR) {
            if (pull_interrupted() != 0) {
                return pull_fail_interrupted(problem);
            }
        }
    }
    return rc == 0 ? 0
                   : pull_fail_errno(problem, "put --cache and --models on a local disk",
                                     "lock %.100s", what);
}

void pull_sync_folder(const char *path)
{
    HEARTH_AUTO(hearth_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
    }
}
