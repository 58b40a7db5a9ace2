/* vectors.h — vectors of any type as floats, and into a file that appears whole or not at all. */

#ifndef HEARTH_CLI_VECTORS_H
#define HEARTH_CLI_VECTORS_H

#include "hearth_cli.h"
#include "hearth_os.h"

enum cli_vector_format { CLI_FORMAT_RAW, CLI_FORMAT_NPY };

/** A file of @rows vectors of one length. Fields are private. */
struct cli_vectors {
    const char *path; /* as the user gave it */
    struct hearth_new_file file;
    struct hearth_buf waiting; /* bytes to be written */
    enum cli_vector_format format;
    enum hearth_vector_type type;
    size_t rows;
    size_t dimensions; /* 0 before the first vector */
};

/** Chooses the format: @name, or as @path ends. HEARTH_E_ARGUMENT. */
int cli_vectors_format(const char *name, const char *path, enum hearth_vector_type type,
                       enum cli_vector_format *ret, struct hearth_error *err);

/** Begins a file of @rows vectors at @path ("-": standard output). As hearth_new_file_open(). */
int cli_vectors_open(struct cli_vectors *vectors, const char *path, enum cli_vector_format format,
                     enum hearth_vector_type type, size_t rows, struct hearth_error *err);

/** Appends the vector of @item, which is of the file's type. HEARTH_E_SYSTEM if the disk is full,
 *  HEARTH_E_INTERNAL for another length. */
int cli_vectors_add(struct cli_vectors *vectors, const hearth_item *item, struct hearth_error *err);

/** The name of a raw file's numbers: f32, f16 or i8. */
const char *cli_vectors_suffix(enum hearth_vector_type type);

/** The vector of @item, which is of @type, as floats: int8 times its scale. @room has
 *  item->dimensions. */
void cli_vectors_unpack(const hearth_item *item, enum hearth_vector_type type, float *room);

/** Brings everything to the disk and into its place. HEARTH_E_SYSTEM. */
int cli_vectors_commit(struct cli_vectors *vectors, struct hearth_error *err);

/** Gives everything back; what was not committed is gone. */
void cli_vectors_finish(struct cli_vectors *vectors);

#endif
