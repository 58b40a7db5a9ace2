/* file.h — reading small files with a limit, opening below a folder without surprises, and
 * random bytes.                                                                                  */

#ifndef HEARTH_FILE_H
#define HEARTH_FILE_H

#include "fd.h"

/**
 * Reads all of a regular file, procfs included, into @buf, which is cleared first; its cap is the
 * limit. HEARTH_E_TOO_LARGE beyond it, HEARTH_E_DENIED, HEARTH_E_SYSTEM (err->sys_errno ENOENT if
 * it does not exist), HEARTH_E_NO_MEMORY. Blocks on the file system.
 */
int hearth_file_read(const char *path, struct hearth_buf *buf, struct hearth_error *err);

/** As hearth_file_read() for an open descriptor, from its start; @name is for the error text. */
int hearth_file_read_fd(int fd, const char *name, struct hearth_buf *buf, struct hearth_error *err);

/** As hearth_file_read() into @room, always terminated; no allocation. */
int hearth_file_read_text(const char *path, char *room, size_t room_bytes, size_t *ret_bytes,
                          struct hearth_error *err);

/** Opens a folder for hearth_file_open_beneath(). HEARTH_E_DENIED, HEARTH_E_SYSTEM. */
int hearth_file_open_folder(const char *path, int *ret_fd, struct hearth_error *err);

/**
 * Opens the regular file @relative read-only below @folder_fd. Symbolic links, "..", absolute paths
 * and magic links are refused by the kernel (openat2), so what opens lies inside the folder.
 * HEARTH_E_DENIED when the path leaves the folder or is not permitted, HEARTH_E_MODEL_INVALID when
 * it is not a regular file, HEARTH_E_SYSTEM.
 */
int hearth_file_open_beneath(int folder_fd, const char *relative, int *ret_fd,
                             struct hearth_error *err);

/** Tells the size of an open file in bytes. */
int hearth_file_size(int fd, uint64_t *ret_bytes, struct hearth_error *err);

/** Fills @room with random bytes of the kernel; waits only before the machine's first entropy. */
void hearth_random_bytes(void *room, size_t size);

#endif
