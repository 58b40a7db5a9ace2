/* vectors.c — raw float32 and .npy, written beside their place and then moved there. */

#include "vectors.h"

#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NPY_ALIGN  64 /* the data of an .npy begins at a multiple of it */
#define SUFFIX     ".XXXXXX"
#define PATH_BYTES 4096 /* of realpath() */
#define AT_ONCE    256  /* numbers */

int cli_vectors_format(const char *name, const char *path, enum cli_vector_format *ret,
                       struct hearth_error *err)
{
    size_t size = strlen(path);
    bool ends_with_npy = size >= 4 && strcmp(path + size - 4, ".npy") == 0;
    if (name != NULL && strcmp(name, "f32") != 0 && strcmp(name, "npy") != 0) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--format: '%.40s' is not npy or f32", name);
    }
    bool is_npy = name != NULL ? strcmp(name, "npy") == 0 : ends_with_npy;
    *ret = is_npy ? CLI_FORMAT_NPY : CLI_FORMAT_F32;
    return 0;
}

static int failed(const struct cli_vectors *vectors, struct hearth_error *err)
{
    return hearth_fail_errno(err, HEARTH_E_SYSTEM, "write %.150s", vectors->path);
}

/* ── Where ───────────────────────────────────────────────────────────────────────────────────── */

/* In the folder of @target, so that a link can move it there. */
static int open_unnamed(const char *target)
{
    char *folder = hearth_copy_string(target, strlen(target));
    if (folder == NULL) {
        return -1;
    }
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder] = '\0';
    }
    int fd = open(slash != NULL ? folder : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    hearth_free(folder);
    return fd;
}

static int name_temporary(struct cli_vectors *vectors)
{
    size_t size = strlen(vectors->target);
    vectors->temporary = hearth_alloc(size + sizeof SUFFIX, 1);
    if (vectors->temporary == NULL) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(vectors->temporary, vectors->target, size);
    memcpy(vectors->temporary + size, SUFFIX, sizeof SUFFIX);
    return 0;
}

/* A file without a name is gone with this program, however that ends. Where the file system has
 * none, one with a name of its own does. */
static int open_temporary(struct cli_vectors *vectors)
{
    int fd = open_unnamed(vectors->target);
    if (fd >= 0 || name_temporary(vectors) < 0) {
        return fd;
    }
    fd = mkostemp(vectors->temporary, O_CLOEXEC);
    if (fd < 0) {
        hearth_free(HEARTH_TAKE(vectors->temporary));
        return -1;
    }
    mode_t mask = umask(0);
    umask(mask);
    int ignored = fchmod(fd, 0666 & ~mask); /* as any new file; narrower is no failure */
    (void)ignored;
    return fd;
}

static int open_target(struct cli_vectors *vectors)
{
    if (strcmp(vectors->path, "-") == 0) {
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    }
    struct stat found;
    if (stat(vectors->path, &found) == 0 && !S_ISREG(found.st_mode)) {
        return open(vectors->path, O_WRONLY | O_CLOEXEC);
    }
    char real[PATH_BYTES];
    const char *target = realpath(vectors->path, real); /* the file behind a link is replaced */
    if (target == NULL && errno != ENOENT) {
        return -1;
    }
    target = target != NULL ? target : vectors->path;
    vectors->target = hearth_copy_string(target, strlen(target));
    return vectors->target == NULL ? -1 : open_temporary(vectors);
}

int cli_vectors_open(struct cli_vectors *vectors, const char *path, enum cli_vector_format format,
                     size_t rows, struct hearth_error *err)
{
    *vectors = (struct cli_vectors){.path = path, .format = format, .rows = rows};
    int fd = open_target(vectors);
    vectors->file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (vectors->file == NULL) {
        int rc = failed(vectors, err);
        hearth_fd_close(&fd);
        cli_vectors_finish(vectors);
        return rc;
    }
    return 0;
}

/* ── What ────────────────────────────────────────────────────────────────────────────────────── */

/* NumPy's format 1.0: magic, version, u16 size of a Python dictionary that ends with spaces and a
 * newline, then the numbers. */
static bool write_npy_head(const struct cli_vectors *vectors)
{
    char text[128];
    uint8_t start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    int size = snprintf(text, sizeof text,
                        "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                        vectors->rows, vectors->dimensions);
    size_t whole = (sizeof start + (size_t)size + NPY_ALIGN) / NPY_ALIGN * NPY_ALIGN;
    size_t head = whole - sizeof start;
    start[8] = (uint8_t)(head & 0xff);
    start[9] = (uint8_t)(head >> 8);
    return fwrite(start, 1, sizeof start, vectors->file) == sizeof start &&
           fprintf(vectors->file, "%-*s\n", (int)head - 1, text) == (int)head;
}

/* Little-endian, whatever this machine is. */
static bool write_numbers(FILE *file, const float *numbers, size_t count)
{
    uint8_t bytes[4 * AT_ONCE];
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        for (size_t b = 0; b < 4; b++) {
            bytes[4 * i + b] = (uint8_t)(bits >> (8 * b));
        }
    }
    return fwrite(bytes, 4, count, file) == count;
}

int cli_vectors_add(struct cli_vectors *vectors, const float *vector, size_t dimensions,
                    struct hearth_error *err)
{
    bool is_first = vectors->dimensions == 0;
    if (!is_first && dimensions != vectors->dimensions) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "a vector has %zu dimensions, the first has %zu",
                           dimensions, vectors->dimensions);
    }
    vectors->dimensions = dimensions;
    errno = 0;
    if (is_first && vectors->format == CLI_FORMAT_NPY && !write_npy_head(vectors)) {
        return failed(vectors, err);
    }
    for (size_t first = 0; first < dimensions; first += AT_ONCE) {
        size_t count = HEARTH_MIN((size_t)AT_ONCE, dimensions - first);
        if (!write_numbers(vectors->file, vector + first, count)) {
            return failed(vectors, err);
        }
    }
    return 0;
}

/* ── Into its place ──────────────────────────────────────────────────────────────────────────── */

/* Gives a file without a name one, which no other has. */
static int give_name(struct cli_vectors *vectors)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fileno(vectors->file));
    if (name_temporary(vectors) < 0) {
        return -1;
    }
    char *suffix = vectors->temporary + strlen(vectors->target) + 1;
    for (int attempt = 0; attempt < 16; attempt++) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
        uint8_t random[6];
        hearth_random_bytes(random, sizeof random);
        for (size_t i = 0; i < sizeof random; i++) {
            suffix[i] = letters[random[i] % 32];
        }
        if (linkat(AT_FDCWD, self, AT_FDCWD, vectors->temporary, AT_SYMLINK_FOLLOW) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    hearth_free(HEARTH_TAKE(vectors->temporary));
    return -1;
}

int cli_vectors_commit(struct cli_vectors *vectors, struct hearth_error *err)
{
    bool is_regular = vectors->target != NULL;
    errno = 0;
    if (fflush(vectors->file) != 0 || (is_regular && fsync(fileno(vectors->file)) != 0)) {
        return failed(vectors, err);
    }
    if (is_regular && vectors->temporary == NULL && give_name(vectors) < 0) {
        return failed(vectors, err);
    }
    FILE *file = HEARTH_TAKE(vectors->file);
    if (fclose(file) != 0) {
        return failed(vectors, err);
    }
    if (is_regular && rename(vectors->temporary, vectors->target) != 0) {
        return failed(vectors, err);
    }
    hearth_free(HEARTH_TAKE(vectors->temporary));
    return 0;
}

void cli_vectors_finish(struct cli_vectors *vectors)
{
    if (vectors->file != NULL) {
        fclose(vectors->file);
    }
    if (vectors->temporary != NULL) {
        unlink(vectors->temporary);
    }
    hearth_free(vectors->temporary);
    hearth_free(vectors->target);
    *vectors = (struct cli_vectors){0};
}
