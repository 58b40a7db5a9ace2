/* memfd.h — sealed shared memory without a name, and wake-ups by eventfd. */

#ifndef HEARTH_MEMFD_H
#define HEARTH_MEMFD_H

#include "fd.h"

/* What nobody may do any more, whoever holds a descriptor. */
enum hearth_seal {
    HEARTH_SEAL_SEAL = 1,   /* no more seals */
    HEARTH_SEAL_SHRINK = 2, /* no truncation: a reader cannot be hit by SIGBUS */
    HEARTH_SEAL_GROW = 4,
    HEARTH_SEAL_WRITE = 8,         /* nobody writes; fails while a writable mapping exists */
    HEARTH_SEAL_FUTURE_WRITE = 16, /* only mappings made before may write */
};

/**
 * Makes @size_bytes of zeroed shared memory that accepts seals; 0 bytes grow as they are written.
 * @name shows in /proc only.
 * HEARTH_E_SYSTEM. The descriptor is the caller's.
 */
int hearth_memfd_create(const char *name, size_t size_bytes, int *ret_fd, struct hearth_error *err);

/** Adds @seals (enum hearth_seal, ORed). HEARTH_E_SYSTEM. */
int hearth_memfd_seal(int fd, unsigned seals, struct hearth_error *err);

/** Tells which seals are on. HEARTH_E_SYSTEM if @fd is no memfd. */
int hearth_memfd_seals(int fd, unsigned *ret_seals, struct hearth_error *err);

/** Tells the size in bytes. HEARTH_E_SYSTEM. */
int hearth_memfd_size(int fd, size_t *ret_bytes, struct hearth_error *err);

/**
 * Maps the first @size_bytes shared, writable or read-only; kept out of core dumps. The mapping
 * outlives the descriptor; end it with hearth_memfd_unmap(). HEARTH_E_MALFORMED if the file is
 * shorter than that, HEARTH_E_SYSTEM.
 */
int hearth_memfd_map(int fd, size_t size_bytes, bool is_writable, void **ret_memory,
                     struct hearth_error *err);

/** Ends a mapping; NULL is fine. */
void hearth_memfd_unmap(void *memory, size_t size_bytes);

/** What a memfd that is passed on must have: nobody changes its bytes or its size any more. */
#define HEARTH_SEALS_OF_DATA (HEARTH_SEAL_SHRINK | HEARTH_SEAL_GROW | HEARTH_SEAL_WRITE)

/**
 * Makes a memfd that holds a copy of @data, with HEARTH_SEALS_OF_DATA and closed to more seals.
 * HEARTH_E_ARGUMENT if empty, HEARTH_E_NO_MEMORY, HEARTH_E_SYSTEM. The descriptor is the caller's.
 */
int hearth_memfd_of_data(const char *name, struct hearth_slice data, int *ret_fd,
                         struct hearth_error *err);

/**
 * Maps the first @size_bytes of a memfd that has HEARTH_SEALS_OF_DATA, read-only and kept out of
 * core dumps. Private, because a kernel before 6.7 shares nothing that is sealed against writing;
 * no page is ever copied. Ends with hearth_memfd_unmap(). Errors as hearth_memfd_map().
 */
int hearth_memfd_map_data(int fd, size_t size_bytes, struct hearth_slice *ret,
                          struct hearth_error *err);

/**
 * Checks what a stranger sent: a memfd of exactly @size_bytes with HEARTH_SEALS_OF_DATA. Looks at
 * nothing else and does not wait, whatever @fd really is. HEARTH_E_INPUT_INVALID says what it is
 * not ("is not a memfd", "has 3 bytes, not 8", …).
 */
int hearth_memfd_check_data(int fd, uint64_t size_bytes, struct hearth_error *err);

/**
 * Makes a non-blocking eventfd: a counter that is readable when not zero. Use it between threads of
 * one process; a hostile process that shares it could make it block.
 */
int hearth_event_create(int *ret_fd, struct hearth_error *err);

/** Makes it readable. Never blocks. */
void hearth_event_signal(int fd);

/** Makes it unreadable; returns true if it was readable. */
bool hearth_event_drain(int fd);

#endif
