/* vectors.c — vectors as raw numbers and as .npy. */

#include "vectors.h"

#include "npy.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAITING_BYTES (64 * 1024)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they stand");

/* ── Types ───────────────────────────────────────────────────────────────────────────────────── */

const char *cli_vectors_suffix(enum hearth_vector_type type)
{
    static const char *const names[] = {"f32", "f16", "i8"};
    return names[type];
}

static size_t width_of(enum hearth_vector_type type)
{
    static const size_t widths[] = {4, 2, 1};
    return widths[type];
}

/* IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
float cli_float_of_half(uint16_t half)
{
    int exponent = half >> 10 & 31;
    float fraction = (float)(half & 1023);
    float size = exponent == 31  ? (fraction == 0 ? INFINITY : NAN)
                 : exponent == 0 ? ldexpf(fraction, -24)
                                 : ldexpf(fraction + 1024, exponent - 25);
    return (half & 0x8000) != 0 ? -size : size;
}

void cli_vectors_unpack(const hearth_item *item, enum hearth_vector_type type, float *room)
{
    const uint8_t *packed = item->packed;
    for (size_t i = 0; i < item->dimensions; i++) {
        if (type == HEARTH_VECTOR_FLOAT32) {
            room[i] = item->vector[i];
        } else if (type == HEARTH_VECTOR_FLOAT16) {
            room[i] = cli_float_of_half((uint16_t)(packed[2 * i] | packed[2 * i + 1] << 8));
        } else {
            room[i] = (float)(int8_t)packed[i] * item->scale;
        }
    }
}

/* ── Files ───────────────────────────────────────────────────────────────────────────────────── */

int cli_vectors_format(const char *name, const char *path, enum hearth_vector_type type,
                       enum cli_vector_format *ret, struct hearth_error *err)
{
    const char *raw = cli_vectors_suffix(type);
    size_t size = strlen(path);
    bool ends_with_npy = size >= 4 && strcmp(path + size - 4, ".npy") == 0;
    if (name != NULL && strcmp(name, raw) != 0 && strcmp(name, "npy") != 0) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--format: '%.40s' is not npy or %s", name, raw);
    }
    bool is_npy = name != NULL ? strcmp(name, "npy") == 0 : ends_with_npy;
    *ret = is_npy ? CLI_FORMAT_NPY : CLI_FORMAT_RAW;
    return 0;
}

int cli_vectors_open(struct cli_vectors *vectors, const char *path, enum cli_vector_format format,
                     enum hearth_vector_type type, size_t rows, struct hearth_error *err)
{
    *vectors = (struct cli_vectors){
        .path = path, .file.fd = -1, .format = format, .type = type, .rows = rows};
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

static int write_npy_head(struct cli_vectors *vectors, struct hearth_error *err)
{
    static const enum hearth_tensor_type types[] = {HEARTH_TENSOR_FLOAT32, HEARTH_TENSOR_FLOAT16,
                                                    HEARTH_TENSOR_INT8};
    char head[CLI_NPY_HEAD_BYTES];
    const uint64_t shape[] = {vectors->rows, vectors->dimensions};
    size_t size = cli_npy_head(types[vectors->type], shape, 2, head);
    return write_bytes(vectors, head, size, err);
}

int cli_vectors_add(struct cli_vectors *vectors, const hearth_item *item, struct hearth_error *err)
{
    const uint8_t *bytes = item->vector != NULL ? (const void *)item->vector : item->packed;
    size_t size = item->dimensions * width_of(vectors->type);
    int rc = 0;
    if (vectors->dimensions == 0) {
        vectors->dimensions = item->dimensions;
        rc = vectors->format == CLI_FORMAT_NPY ? write_npy_head(vectors, err) : 0;
    }
    if (rc == 0 && item->dimensions != vectors->dimensions) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "a vector has %zu dimensions, the first has %zu",
                           item->dimensions, vectors->dimensions);
    }
    for (size_t done = 0; done < size && rc == 0;) {
        size_t some = HEARTH_MIN(size - done, (size_t)WAITING_BYTES);
        rc = write_bytes(vectors, bytes + done, some, err);
        done += some;
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
