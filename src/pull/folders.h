/* folders.h — the folders and files that a pull works in: paths, space, locks. */

#ifndef HEARTH_PULL_FOLDERS_H
#define HEARTH_PULL_FOLDERS_H

#include "problem.h"

#define PULL_MAX_PATH_BYTES 4096u

/** Writes the formatted path. HEARTH_E_TOO_LARGE. */
int pull_path(char room[PULL_MAX_PATH_BYTES], struct pull_problem *problem, const char *format, ...)
    HEARTH_PRINTF(3, 4);

/** Makes @path and what is missing above it. HEARTH_E_SYSTEM. */
int pull_make_folders(const char *path, struct pull_problem *problem);

/** Removes a folder of plain files; fine if there is none. What else is in it stays, and so it
 * does. */
void pull_remove_folder(const char *path);

/** How much may be written below @path, and a number of its file system. HEARTH_E_SYSTEM. */
int pull_free_bytes(const char *path, uint64_t *ret_bytes, uint64_t *ret_device,
                    struct pull_problem *problem);

/** The size of a regular file; false if there is none. */
bool pull_file_size(const char *path, uint64_t *ret_bytes);

/** True if @path still leads to what @fd is open on. */
bool pull_is_same_file(int fd, const char *path);

/**
 * Locks @fd for this process alone; if another one holds it, says so, with @what, and waits.
 * HEARTH_E_CANCELLED if a signal came, HEARTH_E_SYSTEM.
 */
int pull_lock(int fd, const char *what, bool is_quiet, struct pull_problem *problem);

/** Brings a folder's names to the disk. */
void pull_sync_folder(const char *path);

#endif
