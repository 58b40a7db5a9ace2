#include "hearth_os.h"

#include "kit.h"
#include "test_folder.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

typedef int open_fn(const char *path, struct hearth_new_file *ret, struct hearth_error *err);
static open_fn *const both[] = {hearth_new_file_open, hearth_new_file_open_named};

static int set_up(void **state)
{
    static char folder[64];
    *state = test_folder_make(folder);
    test_folder_write(folder, "old", "before");
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

static void assert_holds(const char *folder, const char *name, const char *text)
{
    char room[64];
    size_t size;
    struct hearth_error err;
    assert_int_equal(hearth_file_read_text(in(folder, name), room, sizeof room, &size, &err), 0);
    assert_string_equal(room, text);
}

static size_t files_in(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count - 2; /* "." and ".." */
}

static void write_text(struct hearth_new_file *file, const char *text)
{
    assert_int_equal(hearth_fd_write_all(file->fd, hearth_slice_of_string(text)), 0);
}

static void a_file_appears_when_it_is_whole(void **state)
{
    for (size_t i = 0; i < HEARTH_COUNT(both); i++) {
        struct hearth_new_file file;
        struct hearth_error err;
        assert_int_equal(both[i](in(*state, "new"), &file, &err), 0);
        write_text(&file, "whole");
        assert_int_equal(access(in(*state, "new"), F_OK), -1);
        assert_int_equal(hearth_new_file_commit(&file, &err), 0);
        assert_holds(*state, "new", "whole");
        assert_int_equal(files_in(*state), 2);
        struct stat found;
        mode_t mask = umask(0);
        umask(mask);
        assert_int_equal(stat(in(*state, "new"), &found), 0);
        assert_int_equal(found.st_mode & 0777, 0666 & ~mask);
        hearth_new_file_close(&file);
        remove(in(*state, "new"));
    }
}

static void what_was_there_stays_until_then_and_if_it_never_comes(void **state)
{
    for (size_t i = 0; i < HEARTH_COUNT(both); i++) {
        struct hearth_new_file file;
        struct hearth_error err;
        assert_int_equal(both[i](in(*state, "old"), &file, &err), 0);
        write_text(&file, "half");
        assert_holds(*state, "old", "before");
        hearth_new_file_close(&file);
        assert_holds(*state, "old", "before");
        assert_int_equal(files_in(*state), 1);
        assert_int_equal(both[i](in(*state, "old"), &file, &err), 0);
        write_text(&file, "after");
        assert_int_equal(hearth_new_file_commit(&file, &err), 0);
        assert_holds(*state, "old", "after");
        test_folder_write(*state, "old", "before");
    }
}

static void a_private_file_stays_private(void **state)
{
    for (size_t i = 0; i < HEARTH_COUNT(both); i++) {
        struct hearth_new_file file;
        struct hearth_error err;
        struct stat found;
        assert_int_equal(chmod(in(*state, "old"), 0600), 0);
        assert_int_equal(both[i](in(*state, "old"), &file, &err), 0);
        assert_int_equal(fstat(file.fd, &found), 0); /* before a byte is in it */
        assert_int_equal(found.st_mode & 0777, 0600);
        assert_int_equal(hearth_new_file_commit(&file, &err), 0);
        assert_int_equal(stat(in(*state, "old"), &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
}

static void the_file_behind_a_link_is_replaced(void **state)
{
    char target[256];
    snprintf(target, sizeof target, "%s", in(*state, "old"));
    assert_int_equal(symlink(target, in(*state, "link")), 0);
    struct hearth_new_file file;
    struct hearth_error err;
    assert_int_equal(hearth_new_file_open(in(*state, "link"), &file, &err), 0);
    write_text(&file, "after");
    assert_int_equal(hearth_new_file_commit(&file, &err), 0);
    assert_holds(*state, "old", "after");
    struct stat found;
    assert_int_equal(lstat(in(*state, "link"), &found), 0);
    assert_true(S_ISLNK(found.st_mode));
}

static void a_device_is_written_as_it_stands(void **state)
{
    (void)state;
    struct hearth_new_file file;
    struct hearth_error err;
    assert_int_equal(hearth_new_file_open("/dev/null", &file, &err), 0);
    write_text(&file, "gone");
    assert_int_equal(hearth_new_file_commit(&file, &err), 0);
    struct stat found;
    assert_int_equal(stat("/dev/null", &found), 0);
    assert_true(S_ISCHR(found.st_mode));
    assert_int_equal(hearth_new_file_open("/dev/full", &file, &err), 0);
    assert_int_equal(hearth_fd_write_all(file.fd, hearth_slice_of_string("x")), HEARTH_E_SYSTEM);
    assert_int_equal(errno, ENOSPC);
    hearth_new_file_close(&file);
}

static void a_place_that_is_none_is_named(void **state)
{
    struct hearth_new_file file;
    struct hearth_error err;
    hearth_new_file_open(in(*state, "nowhere/new"), &file, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_SYSTEM, "nowhere/new");
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(hearth_new_file_open(*state, &file, &err), HEARTH_E_SYSTEM); /* a folder */
    assert_int_equal(files_in(*state), 1);
}

/* A program that is killed leaves nothing behind, where files need no name. */
static void nothing_is_left_of_a_killed_program(void **state)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct hearth_new_file file;
        struct hearth_error err;
        int rc = hearth_new_file_open(in(*state, "old"), &file, &err);
        write_text(&file, "half");
        if (rc == 0 && file.temporary == NULL) {
            kill(getpid(), SIGKILL);
        }
        _exit(77); /* this file system has named ones only */
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("# this file system knows no files without a name\n");
        skip();
    }
    assert_holds(*state, "old", "before");
    assert_int_equal(files_in(*state), 1);
}

static void any_failed_allocation_leaves_what_was_there(void **state)
{
    for (size_t i = 0; i < HEARTH_COUNT(both); i++) {
        KIT_FOR_EACH_FAILURE(n) {
            struct hearth_new_file file = {.fd = -1};
            struct hearth_error err;
            int rc = both[i](in(*state, "old"), &file, &err);
            rc = rc < 0 ? rc : hearth_new_file_commit(&file, &err);
            hearth_new_file_close(&file);
            kit_failure_disarm();
            if (rc < 0) {
                assert_int_equal(err.sys_errno, ENOMEM);
                assert_holds(*state, "old", "before");
            }
            assert_int_equal(files_in(*state), 1);
            test_folder_write(*state, "old", "before");
        }
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(IN_FOLDER(a_file_appears_when_it_is_whole),
         IN_FOLDER(what_was_there_stays_until_then_and_if_it_never_comes),
         IN_FOLDER(a_private_file_stays_private), IN_FOLDER(the_file_behind_a_link_is_replaced),
         IN_FOLDER(a_device_is_written_as_it_stands), IN_FOLDER(a_place_that_is_none_is_named),
         IN_FOLDER(nothing_is_left_of_a_killed_program),
         IN_FOLDER(any_failed_allocation_leaves_what_was_there))
