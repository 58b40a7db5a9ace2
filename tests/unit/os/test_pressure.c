#include "kit.h"

#include "hearth_os.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void where_nobody_tells_it_is_said_so(void **state)
{
    (void)state;
    struct hearth_error err;
    int fd = -1;
    assert_int_equal(hearth_pressure_open("/nonexistent", &fd, &err), HEARTH_E_UNSUPPORTED);
    assert_int_equal(fd, -1);
}

static void the_trigger_is_what_the_kernel_documents(void **state)
{
    (void)state;
    char root[] = "/tmp/hearth-pressure-XXXXXX";
    char path[128];
    char text[64] = "";
    int fd = -1;
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/proc", root);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/proc/pressure", root);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/proc/pressure/memory", root);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(hearth_pressure_open(root, &fd, NULL), 0);
    assert_int_equal(pread(fd, text, sizeof text, 0), 20);
    assert_string_equal(text, "some 150000 2000000"); /* us of a stall, us of the window */
    close(fd);
    unlink(path);
    snprintf(path, sizeof path, "%s/proc/pressure", root);
    rmdir(path);
    snprintf(path, sizeof path, "%s/proc", root);
    rmdir(path);
    rmdir(root);
}

/* The kernel itself takes it, where it has such a file at all. */
static void this_kernel_takes_the_trigger_or_says_why_not(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    int fd = -1;
    int rc = hearth_pressure_open("", &fd, &err);
    assert_true(rc == 0 || rc == HEARTH_E_UNSUPPORTED || rc == HEARTH_E_DENIED);
    if (rc == 0) {
        unsigned events = 0;
        rc = hearth_fd_wait(fd, HEARTH_READY_URGENT, hearth_clock_ns(), &events);
        assert_true(rc == HEARTH_E_EXPIRED || (rc == 0 && (events & HEARTH_READY_END) == 0));
        hearth_fd_close(&fd);
    }
}

KIT_MAIN(cmocka_unit_test(where_nobody_tells_it_is_said_so),
         cmocka_unit_test(the_trigger_is_what_the_kernel_documents),
         cmocka_unit_test(this_kernel_takes_the_trigger_or_says_why_not))
