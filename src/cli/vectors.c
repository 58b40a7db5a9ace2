/* vectors.c — vectors as raw float32 and as .npy. */

#include "vectors.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NPY_ALIGN     64 /* the data of an .npy begins at a multiple of it */
#define WAITING_BYTES (64 * 1024)

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

int cli_vectors_open(struct cli_vectors *vectors, const char *path, enum cli_vector_format format,
                     size_t rows, struct hearth_error *err)
{
    *vectors = (struct cli_vectors){.path = path, .file.fd = -1, .format = format, .rows = rows};
    hearth_buf_init(&vectors->waiting, 2 * WAITING_BYTES);
    if (strcmp(path, "-") != 0) {
        return hearth_new_file_open(path, &vectors->file, err);
    }
    vectors->file.fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    return vectors->file.fd < 0 ? hearth_fail_errno(err, HEARTH_E_SYSTEM, "write standard output")
                                : 0;
}

static int flush_waiting(struct cli_vectors *vectors, struct hearth_error *err)
{
    int rc = hearth_fd_write_all(vectors->file.fd, hearth_buf_slice(&vectors->waiting));
    hearth_buf_clear(&vectors->waiting);
    return rc < 0 ? hearth_fail_errno(err, HEARTH_E_SYSTEM, "write %.150s", vectors->path) : 0;
}

static int write_bytes(struct cli_vectors *vectors, const void *bytes, size_t size,
                       struct hearth_error *err)
{
    int rc = vectors->waiting.size + size > WAITING_BYTES ? flush_waiting(vectors, err) : 0;
    if (rc < 0) {
        return rc;
    }
    return hearth_buf_append(&vectors->waiting, bytes, size) < 0 ? hearth_fail_oom(err) : 0;
}

/* NumPy's format 1.0: magic, version, u16 size of a Python dictionary that ends with spaces and a
 * newline, then the numbers. */
static int write_npy_head(struct cli_vectors *vectors, struct hearth_error *err)
{
    char text[192];
    uint8_t start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    int size = snprintf(text, sizeof text,
                        "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                        vectors->rows, vectors->dimensions);
    size_t used = (size_t)size;
    while ((sizeof start + used + 1) % NPY_ALIGN != 0) {
        text[used++] = ' ';
    }
    text[used++] = '\n';
    start[8] = (uint8_t)(used & 0xff);
    start[9] = (uint8_t)(used >> 8);
    int rc = write_bytes(vectors, start, sizeof start, err);
    return rc < 0 ? rc : write_bytes(vectors, text, used, err);
}

int cli_vectors_add(struct cli_vectors *vectors, const float *vector, size_t dimensions,
                    struct hearth_error *err)
{
    int rc = 0;
    if (vectors->dimensions == 0) {
        vectors->dimensions = dimensions;
        rc = vectors->format == CLI_FORMAT_NPY ? write_npy_head(vectors, err) : 0;
    }
    if (rc == 0 && dimensions != vectors->dimensions) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "a vector has %zu dimensions, the first has %zu",
                           dimensions, vectors->dimensions);
    }
    for (size_t i = 0; i < dimensions && rc == 0; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        const uint8_t bytes[] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                                 (uint8_t)(bits >> 24)}; /* little-endian on every machine */
        rc = write_bytes(vectors, bytes, sizeof bytes, err);
    }
    return rc;
}

int cli_vectors_commit(struct cli_vectors *vectors, struct hearth_error *err)
{
    int rc = flush_waiting(vectors, err);
    return rc < 0 ? rc : hearth_new_file_commit(&vectors->file, err);
}

void cli_vectors_finish(struct cli_vectors *vectors)
{
    hearth_new_file_close(&vectors->file);
    hearth_buf_finish(&vectors->waiting);
}
