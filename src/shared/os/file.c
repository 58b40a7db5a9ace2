/* file.c — small files, files below a folder, random bytes. */

#include "file.h"

#include "os_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_BYTES 16384

/* Without O_NONBLOCK a FIFO put in place of a file would hold us for ever. */
static int open_to_read(const char *path, struct hearth_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd >= 0 ? fd : hearth_fail_errno(err, hearth_os_access_error(), "open %s", path);
}

static int check_is_regular(int fd, const char *name, int code, struct hearth_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "look at %s", name);
    }
    return S_ISREG(st.st_mode) ? 0 : hearth_fail(err, code, "%s is not a regular file", name);
}

int hearth_file_read_fd(int fd, const char *name, struct hearth_buf *buf, struct hearth_error *err)
{
    hearth_buf_clear(buf);
    int rc = check_is_regular(fd, name, HEARTH_E_ARGUMENT, err);
    if (rc < 0) {
        return rc;
    }
    for (;;) {
        uint8_t one = 0; /* at the cap there must still be room to see the end of the file */
        bool is_full = buf->size == buf->cap;
        size_t wanted = is_full ? sizeof one : HEARTH_MIN(buf->cap - buf->size, READ_BYTES);
        rc = is_full ? 0 : hearth_buf_reserve(buf, wanted);
        if (rc < 0) {
            return hearth_fail_oom(err);
        }
        ssize_t n = pread(fd, is_full ? &one : buf->data + buf->size, wanted, (off_t)buf->size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hearth_fail_errno(err, HEARTH_E_SYSTEM, "read %s", name);
        }
        if (n == 0) {
            return 0;
        }
        if (is_full) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE, "%s has more than %zu bytes", name,
                               buf->cap);
        }
        buf->size += (size_t)n;
    }
}

int hearth_file_read(const char *path, struct hearth_buf *buf, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_fd) int fd = open_to_read(path, err);
    return fd < 0 ? fd : hearth_file_read_fd(fd, path, buf, err);
}

int hearth_file_read_text(const char *path, char *room, size_t room_bytes, size_t *ret_bytes,
                          struct hearth_error *err)
{
    HEARTH_AUTO(hearth_fd) int fd = open_to_read(path, err);
    if (fd < 0) {
        return fd;
    }
    size_t size = 0;
    for (;;) {
        size_t got = 0;
        int rc = hearth_fd_read(fd, room + size, room_bytes - size, &got);
        if (rc < 0) {
            return hearth_fail_errno(err, rc, "read %s", path);
        }
        size += got;
        if (got == 0) {
            room[size] = '\0';
            *ret_bytes = size;
            return 0;
        }
        if (size == room_bytes) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE, "%s has %zu bytes or more", path,
                               room_bytes);
        }
    }
}

int hearth_file_open_folder(const char *path, int *ret_fd, struct hearth_error *err)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return hearth_fail_errno(err, hearth_os_access_error(), "open folder %s", path);
    }
    *ret_fd = fd;
    return 0;
}

int hearth_file_open_beneath(int folder_fd, const char *relative, int *ret_fd,
                             struct hearth_error *err)
{
    const struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long opened = -1;
    do {
        opened = syscall(SYS_openat2, folder_fd, relative, &how, sizeof how);
    } while (opened < 0 && (errno == EINTR || errno == EAGAIN)); /* AGAIN: a rename raced with us */
    if (opened < 0 && errno == ELOOP) {
        return hearth_fail(
            err, HEARTH_E_DENIED,
            "open %s: is a symbolic link or leads through one, which is not followed;"
            " put the file itself there, or a hard link",
            relative);
    }
    if (opened < 0) {
        int code = errno == EXDEV ? HEARTH_E_DENIED : hearth_os_access_error();
        return hearth_fail_errno(err, code, "open %s", relative);
    }
    HEARTH_AUTO(hearth_fd) int fd = (int)opened;
    int rc = check_is_regular(fd, relative, HEARTH_E_MODEL_INVALID, err);
    if (rc == 0) {
        rc = hearth_fd_set_nonblocking(fd, false, err);
    }
    if (rc == 0) {
        *ret_fd = HEARTH_TAKE_FD(fd);
    }
    return rc;
}

int hearth_file_size(int fd, uint64_t *ret_bytes, struct hearth_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "read the size of descriptor %d", fd);
    }
    *ret_bytes = (uint64_t)st.st_size;
    return 0;
}

void hearth_random_bytes(void *room, size_t size)
{
    uint8_t *at = room;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        HEARTH_ASSERT(n > 0 || errno == EINTR); /* nothing else can fail on the kernels we run on */
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
}
