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

static void data_is_sealed_and_reads_as_it_was_given(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_fd) int fd = -1;
    static uint8_t data[3 * SIZE + 5];
    struct hearth_slice mapped = {0};
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 31 + i / 256);
    }
    assert_int_equal(hearth_memfd_of_data("test", hearth_slice_of(data, sizeof data), &fd, NULL),
                     0);
    assert_int_equal(hearth_memfd_check_data(fd, sizeof data, NULL), 0);
    assert_int_equal(hearth_memfd_map_data(fd, sizeof data, &mapped, NULL), 0);
    assert_true(hearth_slice_equal(mapped, hearth_slice_of(data, sizeof data)));
    hearth_memfd_unmap((void *)(uintptr_t)mapped.data, mapped.size);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEAL_FUTURE_WRITE, NULL), HEARTH_E_SYSTEM);
    struct hearth_error err;
    int none = -1;
    assert_int_equal(hearth_memfd_of_data("test", hearth_slice_of(data, 0), &none, &err),
                     HEARTH_E_ARGUMENT);
}

static void expect_refusal(int fd, uint64_t size_bytes, const char *text)
{
    struct hearth_error err = {0};
    assert_int_equal(hearth_memfd_check_data(fd, size_bytes, &err), HEARTH_E_INPUT_INVALID);
    if (strstr(err.text, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
    }
}

static void strangers_are_told_what_their_memory_is_not(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_fd) int fd = -1;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    expect_refusal(fds[0], 8, "is not a memfd");
    expect_refusal(-1, 8, "is not a memfd");
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(hearth_memfd_create("test", 8, &fd, NULL), 0);
    expect_refusal(fd, 8, "is not sealed");
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEAL_SHRINK | HEARTH_SEAL_GROW, NULL), 0);
    expect_refusal(fd, 8, "is not sealed"); /* somebody may still write */
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEAL_WRITE, NULL), 0);
    expect_refusal(fd, 9, "has 8 bytes, not 9");
    expect_refusal(fd, 7, "has 8 bytes, not 7");
    assert_int_equal(hearth_memfd_check_data(fd, 8, NULL), 0);
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
         cmocka_unit_test(data_is_sealed_and_reads_as_it_was_given),
         cmocka_unit_test(strangers_are_told_what_their_memory_is_not),
         cmocka_unit_test(event_is_readable_until_drained))
