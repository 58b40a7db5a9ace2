/* new_file.h — a file that appears whole or not at all. */

#ifndef HEARTH_NEW_FILE_H
#define HEARTH_NEW_FILE_H

#include "fd.h"

/** A file under way: write to @fd. The rest is private. */
struct hearth_new_file {
    int fd;
    char *target;    /* what is replaced, links followed; NULL if nothing is */
    char *temporary; /* beside it; NULL while it has no name */
};

/**
 * Begins a file that will be at @path, which stays as it is until hearth_new_file_commit(). The new
 * one may be read by whom the old one may. What is no regular file (a pipe, a device) is opened and
 * written as it stands. Blocks on the file system. HEARTH_E_SYSTEM, HEARTH_E_NO_MEMORY.
 */
int hearth_new_file_open(const char *path, struct hearth_new_file *ret, struct hearth_error *err);

/** As open, but the file has a name from its beginning: for file systems that have no other. */
int hearth_new_file_open_named(const char *path, struct hearth_new_file *ret,
                               struct hearth_error *err);

/** Brings what was written to the disk and puts it in its place. HEARTH_E_SYSTEM: what was there
 *  before is there still. */
int hearth_new_file_commit(struct hearth_new_file *file, struct hearth_error *err);

/** Gives everything back; what was not committed is gone. Fine on {.fd = -1}, and twice. */
void hearth_new_file_close(struct hearth_new_file *file);

#endif
