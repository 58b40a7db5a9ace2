/* pressure.c — a trigger on /proc/pressure/memory. */

#include "pressure.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Windows that are no multiple of 2 s are for the privileged. */
#define TRIGGER    "some 150000 2000000"
#define PATH_BYTES 256

int hearth_pressure_open(const char *root, int *ret_fd, struct hearth_error *err)
{
    char path[PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/proc/pressure/memory", root);
    if (size < 0 || (size_t)size >= sizeof path) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "path of memory pressure");
    }
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        int code = errno == ENOENT                     ? HEARTH_E_UNSUPPORTED
                   : errno == EACCES || errno == EPERM ? HEARTH_E_DENIED
                                                       : HEARTH_E_SYSTEM;
        return hearth_fail_errno(err, code, "open /proc/pressure/memory");
    }
    if (write(fd, TRIGGER, sizeof TRIGGER) < 0) { /* the kernel wants the terminator too */
        int code = errno == EOPNOTSUPP || errno == EINVAL ? HEARTH_E_UNSUPPORTED : HEARTH_E_DENIED;
        int rc = hearth_fail_errno(err, code, "set a trigger of memory pressure");
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}
