/* memfd.c — sealed shared memory, and eventfd. */

#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif

static const struct {
    unsigned ours;
    int kernels;
} seal_names[] = {
    {HEARTH_SEAL_SEAL, F_SEAL_SEAL},    {HEARTH_SEAL_SHRINK, F_SEAL_SHRINK},
    {HEARTH_SEAL_GROW, F_SEAL_GROW},    {HEARTH_SEAL_WRITE, F_SEAL_WRITE},
    {HEARTH_SEAL_FUTURE_WRITE, 0x0010}, /* F_SEAL_FUTURE_WRITE, Linux 5.1 */
};

int hearth_memfd_create(const char *name, size_t size_bytes, int *ret_fd, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_fd)
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) { /* a kernel that does not know the last flag */
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "create shared memory");
    }
    if (size_bytes > INT64_MAX || (size_bytes > 0 && ftruncate(fd, (off_t)size_bytes) != 0)) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "size shared memory to %zu bytes",
                                 size_bytes);
    }
    *ret_fd = HEARTH_TAKE_FD(fd);
    return 0;
}

int hearth_memfd_seal(int fd, unsigned seals, struct hearth_error *err)
{
    int bits = 0;
    for (size_t i = 0; i < HEARTH_COUNT(seal_names); i++) {
        bits |= (seals & seal_names[i].ours) != 0 ? seal_names[i].kernels : 0;
    }
    if (fcntl(fd, F_ADD_SEALS, bits) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "seal shared memory");
    }
    return 0;
}

int hearth_memfd_seals(int fd, unsigned *ret_seals, struct hearth_error *err)
{
    int bits = fcntl(fd, F_GET_SEALS);
    if (bits < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "read the seals of descriptor %d", fd);
    }
    unsigned seals = 0;
    for (size_t i = 0; i < HEARTH_COUNT(seal_names); i++) {
        seals |= (bits & seal_names[i].kernels) != 0 ? seal_names[i].ours : 0;
    }
    *ret_seals = seals;
    return 0;
}

int hearth_memfd_size(int fd, size_t *ret_bytes, struct hearth_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "read the size of descriptor %d", fd);
    }
    *ret_bytes = (size_t)st.st_size;
    return 0;
}

static int map(int fd, size_t size_bytes, int protection, int flags, void **ret_memory,
               struct hearth_error *err)
{
    size_t file_bytes = 0;
    int rc = hearth_memfd_size(fd, &file_bytes, err);
    if (rc < 0) {
        return rc;
    }
    if (size_bytes == 0 || file_bytes < size_bytes) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "shared memory has %zu bytes, %zu are wanted",
                           file_bytes, size_bytes);
    }
    void *memory = mmap(NULL, size_bytes, protection, flags, fd, 0);
    if (memory == MAP_FAILED) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "map %zu bytes of shared memory",
                                 size_bytes);
    }
    if (madvise(memory, size_bytes, MADV_DONTDUMP) != 0) { /* content must not reach a core file */
        hearth_fail_errno(err, HEARTH_E_SYSTEM, "keep shared memory out of core dumps");
        munmap(memory, size_bytes);
        return HEARTH_E_SYSTEM;
    }
    *ret_memory = memory;
    return 0;
}

int hearth_memfd_map(int fd, size_t size_bytes, bool is_writable, void **ret_memory,
                     struct hearth_error *err)
{
    int protection = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
    return map(fd, size_bytes, protection, MAP_SHARED, ret_memory, err);
}

int hearth_memfd_map_data(int fd, size_t size_bytes, struct hearth_slice *ret,
                          struct hearth_error *err)
{
    void *memory = NULL;
    int rc = map(fd, size_bytes, PROT_READ, MAP_PRIVATE, &memory, err);
    if (rc == 0) {
        *ret = hearth_slice_of(memory, size_bytes);
    }
    return rc;
}

void hearth_memfd_unmap(void *memory, size_t size_bytes)
{
    if (memory != NULL) {
        HEARTH_ASSERT(munmap(memory, size_bytes) == 0);
    }
}

/* Written and not mapped: whole pages that come from a write need not be zeroed first. */
static int write_whole(int fd, struct hearth_slice data, struct hearth_error *err)
{
    for (size_t at = 0; at < data.size;) {
        size_t written = 0;
        if (hearth_fd_write(fd, data.data + at, data.size - at, &written) < 0) {
            int code = errno == ENOSPC || errno == ENOMEM ? HEARTH_E_NO_MEMORY : HEARTH_E_SYSTEM;
            return hearth_fail_errno(err, code, "write %zu bytes of shared memory", data.size);
        }
        at += written;
    }
    return 0;
}

int hearth_memfd_of_data(const char *name, struct hearth_slice data, int *ret_fd,
                         struct hearth_error *err)
{
    HEARTH_AUTO(hearth_fd) int fd = -1;
    if (data.size == 0) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "shared memory of no bytes");
    }
    int rc = hearth_memfd_create(name, 0, &fd, err);
    rc = rc < 0 ? rc : write_whole(fd, data, err);
    rc = rc < 0 ? rc : hearth_memfd_seal(fd, HEARTH_SEALS_OF_DATA | HEARTH_SEAL_SEAL, err);
    if (rc == 0) {
        *ret_fd = HEARTH_TAKE_FD(fd);
    }
    return rc;
}

/* Seals first: only shared memory has them, and then its size is known without asking a file system
 * that might be anybody's program. */
int hearth_memfd_check_data(int fd, uint64_t size_bytes, struct hearth_error *err)
{
    unsigned seals = 0;
    size_t found_bytes = 0;
    if (hearth_memfd_seals(fd, &seals, NULL) < 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "is not a memfd");
    }
    if ((seals & HEARTH_SEALS_OF_DATA) != HEARTH_SEALS_OF_DATA) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "is not sealed: F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE are wanted");
    }
    int rc = hearth_memfd_size(fd, &found_bytes, err);
    if (rc == 0 && found_bytes != size_bytes) {
        rc = hearth_fail(err, HEARTH_E_INPUT_INVALID, "has %zu bytes, not %" PRIu64, found_bytes,
                         size_bytes);
    }
    return rc;
}

int hearth_event_create(int *ret_fd, struct hearth_error *err)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "create an event descriptor");
    }
    *ret_fd = fd;
    return 0;
}

void hearth_event_signal(int fd)
{
    uint64_t one = 1;
    size_t written = 0;
    int rc = hearth_fd_write(fd, &one, sizeof one, &written);
    HEARTH_ASSERT(rc == 0 || rc == HEARTH_E_NOT_READY); /* full is readable too */
}

bool hearth_event_drain(int fd)
{
    uint64_t count = 0;
    size_t got = 0;
    return hearth_fd_read(fd, &count, sizeof count, &got) == 0;
}
