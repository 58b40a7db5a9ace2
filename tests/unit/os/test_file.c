#include "hearth_os.h"

#include "kit.h"
#include "test_folder.h"

#include <errno.h>
#include <fcntl.h>

static int set_up(void **state)
{
    static char folder[64];
    *state = test_folder_make(folder);
    test_folder_write(folder, "ten", "0123456789");
    test_folder_write(folder, "inner/file", "inside");
    return *state == NULL;
}

static int tear_down(void **state)
{
    test_folder_remove(*state);
    return 0;
}

static const char *in(const char *folder, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void file_is_read_up_to_the_cap_and_not_beyond(void **state)
{
    struct hearth_error err;
    for (size_t cap = 9; cap <= 11; cap++) {
        struct hearth_buf buf;
        hearth_buf_init(&buf, cap);
        int rc = hearth_file_read(in(*state, "ten"), &buf, &err);
        assert_int_equal(rc, cap < 10 ? HEARTH_E_TOO_LARGE : 0);
        if (rc == 0) {
            assert_true(hearth_slice_equals_string(hearth_buf_slice(&buf), "0123456789"));
        }
        hearth_buf_finish(&buf);
    }
}

static void proc_file_without_a_size_is_read_whole(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, 1u << 16);
    assert_int_equal(hearth_file_read("/proc/self/status", &buf, NULL), 0);
    assert_true(buf.size > 100);
}

static void what_is_not_a_plain_file_is_refused_without_waiting(void **state)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    struct hearth_error err;
    hearth_buf_init(&buf, 100);
    assert_int_equal(mkfifo(in(*state, "fifo"), 0600), 0);
    assert_int_equal(hearth_file_read(in(*state, "fifo"), &buf, &err), HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "fifo is not a regular file");
    assert_int_equal(hearth_file_read(*state, &buf, &err), HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_file_read(in(*state, "absent"), &buf, &err), HEARTH_E_SYSTEM);
    assert_int_equal(err.sys_errno, ENOENT);
}

static void text_is_terminated_and_bounded(void **state)
{
    char room[11];
    size_t size = 0;
    assert_int_equal(hearth_file_read_text(in(*state, "ten"), room, 11, &size, NULL), 0);
    assert_string_equal(room, "0123456789");
    assert_int_equal(size, 10);
    assert_int_equal(hearth_file_read_text(in(*state, "ten"), room, 10, &size, NULL),
                     HEARTH_E_TOO_LARGE);
}

static void open_beneath_stays_in_its_folder(void **state)
{
    const char *folder = *state;
    HEARTH_AUTO(hearth_fd) int folder_fd = -1;
    int fd = -1;
    struct hearth_error err;
    assert_int_equal(hearth_file_open_folder(folder, &folder_fd, &err), 0);
    assert_int_equal(symlink("ten", in(folder, "link")), 0);
    assert_int_equal(symlink("/etc", in(folder, "etc")), 0);
    assert_int_equal(mkfifo(in(folder, "fifo"), 0600), 0);
    static const struct {
        const char *path;
        int rc;
    } cases[] = {
        {"link", HEARTH_E_DENIED},
        {"etc/passwd", HEARTH_E_DENIED},
        {"../../etc/passwd", HEARTH_E_DENIED},
        {"inner/../../x", HEARTH_E_DENIED},
        {"/etc/passwd", HEARTH_E_DENIED},
        {"fifo", HEARTH_E_MODEL_INVALID},
        {"inner", HEARTH_E_MODEL_INVALID},
        {"absent", HEARTH_E_SYSTEM},
        {"", HEARTH_E_SYSTEM},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        int rc = hearth_file_open_beneath(folder_fd, cases[i].path, &fd, &err);
        if (rc != cases[i].rc) {
            print_error("\"%s\": %s\n", cases[i].path, err.text);
        }
        assert_int_equal(rc, cases[i].rc);
        assert_int_equal(fd, -1);
    }
    assert_int_equal(hearth_file_open_beneath(folder_fd, "link", &fd, &err), HEARTH_E_DENIED);
    assert_non_null(strstr(err.text, "link: is a symbolic link"));
    uint64_t size = 0;
    assert_int_equal(hearth_file_open_beneath(folder_fd, "inner/file", &fd, &err), 0);
    assert_int_equal(hearth_file_size(fd, &size, NULL), 0);
    assert_int_equal(size, 6);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    hearth_fd_close(&fd);
}

static void random_bytes_fill_all_and_differ(void **state)
{
    (void)state;
    uint8_t a[300] = {0};
    uint8_t b[300] = {0};
    hearth_random_bytes(a, sizeof a);
    hearth_random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 284, (uint8_t[16]){0}, 16);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(IN_FOLDER(file_is_read_up_to_the_cap_and_not_beyond),
         IN_FOLDER(proc_file_without_a_size_is_read_whole),
         IN_FOLDER(what_is_not_a_plain_file_is_refused_without_waiting),
         IN_FOLDER(text_is_terminated_and_bounded), IN_FOLDER(open_beneath_stays_in_its_folder),
         IN_FOLDER(random_bytes_fill_all_and_differ))
