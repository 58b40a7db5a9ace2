/* npy.h — files of NumPy: one array of numbers, in formats 1 to 3. Pure.
 *
 * A file is 0x93 "NUMPY", two bytes of version, the size of a header (u16; from version 2 on u32),
 * the header, which is a Python dictionary of descr, fortran_order and shape, and the numbers.   */

#ifndef HEARTH_CLI_NPY_H
#define HEARTH_CLI_NPY_H

#include "hearth_base.h"

#include <hearth/hearth.h>

/**
 * Reads a whole file. *@ret gets type, rank, shape, data (inside @file) and bytes; its name is left
 * alone. Only arrays that lie in memory as tensors do are taken: little-endian, last dimension side
 * by side; nothing is converted.
 * HEARTH_E_INPUT_INVALID for what is no such file, HEARTH_E_UNSUPPORTED for one that is but that we
 * do not take; @err says what was found, and never what is in it.
 */
HEARTH_NODISCARD int cli_npy_read(struct hearth_slice file, hearth_tensor *ret,
                                  struct hearth_error *err);

#define CLI_NPY_HEAD_BYTES 256u /* more than any head of eight dimensions */

/** Writes all that stands before the numbers and returns its size. @shape has @rank numbers. */
size_t cli_npy_head(enum hearth_tensor_type type, const uint64_t *shape, size_t rank,
                    char room[CLI_NPY_HEAD_BYTES]);

#endif
