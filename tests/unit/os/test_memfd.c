#include "hearth_os.h"

#include "kit.h"

#include <string.h>
#include <unistd.h>

#define SIZE 8192

static void both_mappings_see_the_same_bytes(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_fd) int fd = -1;
    void *writable = NULL;
    void *readable = NULL;
    size_t size = 0;
    assert_int_equal(hearth_memfd_create("test", SIZE, &fd, NULL), 0);
    assert_int_equal(hearth_memfd_size(fd, &size, NULL), 0);
    assert_int_equal(size, SIZE);
    assert_int_equal(hearth_memfd_map(fd, SIZE, true, &writable, NULL), 0);
    assert_int_equal(hearth_memfd_map(fd, SIZE, false, &readable, NULL), 0);
    hearth_fd_close(&fd);
    memcpy((char *)writable + 5000, "abc", 4);
    assert_string_equal((const char *)readable + 5000, "abc");
    hearth_memfd_unmap(writable, SIZE);
    hearth_memfd_unmap(readable, SIZE);
    hearth_memfd_unmap(NULL, SIZE);
}

static void seals_bind_whoever_holds_the_descriptor(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_fd) int fd = -1;
    void *memory = NULL;
    unsigned seals = 99;
    struct hearth_error err;
    assert_int_equal(hearth_memfd_create("test", SIZE, &fd, NULL), 0);
    assert_int_equal(hearth_memfd_seals(fd, &seals, NULL), 0);
    assert_int_equal(seals, 0);
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEAL_SHRINK | HEARTH_SEAL_GROW, NULL), 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 2 * SIZE), -1);
    assert_int_equal(hearth_memfd_map(fd, SIZE, true, &memory, NULL), 0);
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEAL_WRITE, &err), HEARTH_E_SYSTEM);
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEAL_FUTURE_WRITE | HEARTH_SEAL_SEAL, NULL), 0);
    *(char *)memory = 'x'; /* the mapping made before still may */
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEAL_WRITE, &err), HEARTH_E_SYSTEM);
    assert_int_equal(hearth_memfd_seals(fd, &seals, NULL), 0);
    assert_int_equal(seals, HEARTH_SEAL_SHRINK | HEARTH_SEAL_GROW | HEARTH_SEAL_FUTURE_WRITE |
                                HEARTH_SEAL_SEAL);
    hearth_memfd_unmap(memory, SIZE);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(hearth_memfd_seals(fds[0], &seals, &err), HEARTH_E_SYSTEM);
    close(fds[0]);
    close(fds[1]);
}

static void memory_shorter_than_promised_is_not_mapped(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_fd) int fd = -1;
    void *memory = NULL;
    struct hearth_error err;
    assert_int_equal(hearth_memfd_create("test", SIZE, &fd, NULL), 0);
    assert_int_equal(hearth_memfd_map(fd, SIZE + 1, false, &memory, &err), HEARTH_E_MALFORMED);
    assert_int_equal(hearth_memfd_map(fd, 0, false, &memory, &err), HEARTH_E_MALFORMED);
    assert_int_equal(hearth_memfd_create("test", SIZE_MAX, &fd, &err), HEARTH_E_SYSTEM);
    assert_null(memory);
}

static void event_is_readable_until_drained(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_fd) int fd = -1;
    assert_int_equal(hearth_event_create(&fd, NULL), 0);
    assert_false(hearth_event_drain(fd));
    hearth_event_signal(fd);
    hearth_event_signal(fd);
    assert_int_equal(hearth_fd_wait(fd, HEARTH_READY_IN, 0, NULL), 0);
    assert_true(hearth_event_drain(fd));
    assert_false(hearth_event_drain(fd));
    uint64_t almost_full = UINT64_MAX - 1;
    assert_int_equal(write(fd, &almost_full, sizeof almost_full), sizeof almost_full);
    hearth_event_signal(fd); /* does not block */
    assert_true(hearth_event_drain(fd));
}

KIT_MAIN(cmocka_unit_test(both_mappings_see_the_same_bytes),
         cmocka_unit_test(seals_bind_whoever_holds_the_descriptor),
         cmocka_unit_test(memory_shorter_than_promised_is_not_mapped),
         cmocka_unit_test(event_is_readable_until_drained))
