#include "hearth_os.h"

#include "kit.h"
#include "test_folder.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The part of the service manager is played with bare system calls. */

static int set_up(void **state)
{
    static char folder[64];
    *state = test_folder_make(folder);
    return *state == NULL;
}

static int tear_down(void **state)
{
    test_folder_remove(*state);
    return 0;
}

static int bound(int type, const char *path, bool is_abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path + is_abstract, sizeof address.sun_path - 1, "%s", path);
    size_t size = offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, (socklen_t)size), 0);
    return fd;
}

static const char *in(const char *folder, const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void hears(int fd, const char *wanted)
{
    char message[200] = "";
    assert_int_equal(recv(fd, message, sizeof message - 1, 0), strlen(wanted));
    assert_string_equal(message, wanted);
}

static void news_arrive_at_a_path_and_at_an_abstract_name(void **state)
{
    char name[120];
    for (int is_abstract = 0; is_abstract < 2; is_abstract++) {
        struct hearth_notify notify;
        struct hearth_error err;
        const char *path = in(*state, "notify");
        int manager = bound(SOCK_DGRAM, path, is_abstract);
        snprintf(name, sizeof name, "%s%s", is_abstract ? "@" : "", path);
        setenv("NOTIFY_SOCKET", name, 1);
        setenv("WATCHDOG_USEC", "3000000", 1);
        unsetenv("WATCHDOG_PID");
        assert_int_equal(hearth_notify_open(&notify, &err), 0);
        assert_null(getenv("NOTIFY_SOCKET"));
        assert_null(getenv("WATCHDOG_USEC"));
        assert_true(notify.watchdog_ns == 3 * HEARTH_NS_PER_SEC);
        assert_int_equal(hearth_notify_send(&notify, "READY=1\nSTATUS=fine"), 0);
        hears(manager, "READY=1\nSTATUS=fine");
        hearth_notify_close(&notify);
        hearth_notify_close(&notify);
        assert_int_equal(hearth_notify_send(&notify, "READY=1"), 0);
        hearth_fd_close(&manager);
    }
}

static void a_manager_that_does_not_listen_blocks_nobody(void **state)
{
    struct hearth_notify notify;
    int manager = bound(SOCK_DGRAM, in(*state, "notify"), false);
    setenv("NOTIFY_SOCKET", in(*state, "notify"), 1);
    assert_int_equal(hearth_notify_open(&notify, NULL), 0);
    int rc = 0;
    for (int i = 0; i < 1000000 && rc == 0; i++) {
        rc = hearth_notify_send(&notify, "WATCHDOG=1");
    }
    assert_int_equal(rc, HEARTH_E_NOT_READY);
    hearth_fd_close(&manager);
    assert_int_equal(hearth_notify_send(&notify, "WATCHDOG=1") < 0, true);
    hearth_notify_close(&notify);
}

static void a_watchdog_for_another_process_is_not_ours(void **state)
{
    int manager = bound(SOCK_DGRAM, in(*state, "notify"), false);
    static const char *const others[][2] = {{"1000000", "1"},
                                            {"1000000", "me"},
                                            {"soon", NULL},
                                            {"99999999999999999999", NULL},
                                            {"", NULL}};
    for (size_t i = 0; i < HEARTH_COUNT(others); i++) {
        struct hearth_notify notify;
        setenv("NOTIFY_SOCKET", in(*state, "notify"), 1);
        setenv("WATCHDOG_USEC", others[i][0], 1);
        if (others[i][1] != NULL) {
            setenv("WATCHDOG_PID", others[i][1], 1);
        }
        assert_int_equal(hearth_notify_open(&notify, NULL), 0);
        assert_null(getenv("WATCHDOG_PID"));
        assert_true(notify.watchdog_ns == 0);
        hearth_notify_close(&notify);
    }
    hearth_fd_close(&manager);
}

static void an_address_that_is_none_is_refused_by_name(void **state)
{
    char far_too_long[200] = "/";
    memset(far_too_long + 1, 'x', sizeof far_too_long - 2);
    const char *const wrong[] = {"vsock:2:3", "@", "/", far_too_long, in(*state, "nobody")};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        struct hearth_notify notify;
        struct hearth_error err = {0};
        setenv("NOTIFY_SOCKET", wrong[i], 1);
        assert_int_equal(hearth_notify_open(&notify, &err), HEARTH_E_CONFIG);
        KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, "NOTIFY_SOCKET");
        assert_int_equal(notify.fd, -1);
        assert_null(getenv("NOTIFY_SOCKET"));
    }
    struct hearth_notify notify;
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(hearth_notify_open(&notify, NULL), 0);
    assert_int_equal(notify.fd, -1);
}

/* ---- the socket that is handed over ------------------------------------------------------- */

/* Descriptor 3 becomes @fd, and the environment promises @count descriptors to @pid. */
static void hand_over(int fd, const char *pid, const char *count)
{
    char own[20];
    snprintf(own, sizeof own, "%d", getpid());
    if (fd >= 0) {
        assert_int_equal(dup2(fd, 3), 3);
    } else {
        close(3);
    }
    setenv("LISTEN_PID", pid != NULL ? pid : own, 1);
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_FDNAMES", "x", 1);
}

static void a_listening_socket_is_taken_over_and_its_file_is_left(void **state)
{
    const char *path = in(*state, "sock");
    int fd = bound(SOCK_STREAM, path, false);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(chmod(path, 0640), 0);
    hand_over(fd, NULL, "1");
    if (fd != 3) {
        hearth_fd_close(&fd);
    }
    assert_int_equal(fcntl(3, F_SETFL, fcntl(3, F_GETFL) & ~O_NONBLOCK), 0);
    struct hearth_listener listener;
    assert_int_equal(hearth_listener_inherit(&listener, NULL), 0);
    assert_int_equal(listener.fd, 3);
    assert_string_equal(listener.path, path);
    assert_true((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));
    int client = -1;
    int server = -1;
    assert_int_equal(hearth_socket_connect(path, HEARTH_NEVER, &client, NULL), 0);
    assert_int_equal(hearth_socket_accept(listener.fd, &server, NULL), 0);
    hearth_fd_close(&client);
    hearth_fd_close(&server);
    hearth_listener_close(&listener);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(access(in(*state, "sock.lock"), F_OK), -1);
}

static void a_promise_to_another_process_is_left_alone(void **state)
{
    (void)state;
    struct hearth_listener listener;
    hand_over(-1, "1", "1");
    assert_int_equal(hearth_listener_inherit(&listener, NULL), 0);
    assert_int_equal(listener.fd, -1);
    assert_null(getenv("LISTEN_FDS")); /* nor shall a child of ours take it for its own */
    assert_int_equal(hearth_listener_inherit(&listener, NULL), 0);
    assert_int_equal(listener.fd, -1);
    hearth_listener_close(&listener);
    hand_over(-1, NULL, "0");
    assert_int_equal(hearth_listener_inherit(&listener, NULL), 0);
    assert_int_equal(listener.fd, -1);
}

static void is_refused(int fd, const char *pid, const char *count, const char *part)
{
    struct hearth_listener listener;
    struct hearth_error err = {0};
    hand_over(fd, pid, count);
    assert_int_equal(hearth_listener_inherit(&listener, &err), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, part);
    assert_int_equal(listener.fd, -1);
    assert_null(getenv("LISTEN_FDS"));
    close(3);
    if (fd != 3) {
        hearth_fd_close(&fd);
    }
}

static void anything_else_is_refused_by_name(void **state)
{
    int listening = bound(SOCK_STREAM, in(*state, "a"), false);
    assert_int_equal(listen(listening, 5), 0);
    is_refused(listening, NULL, "2", "2 sockets were handed over");
    is_refused(open("/dev/null", O_RDONLY), NULL, "1", "is not a socket");
    is_refused(socket(AF_INET, SOCK_STREAM, 0), NULL, "1", "is no Unix socket (its family is 2)");
    is_refused(bound(SOCK_DGRAM, in(*state, "b"), false), NULL, "1", "is no stream socket");
    is_refused(bound(SOCK_SEQPACKET, in(*state, "c"), false), NULL, "1", "is no stream socket");
    is_refused(bound(SOCK_STREAM, in(*state, "d"), false), NULL, "1", "does not listen");
    is_refused(-1, NULL, "1", "descriptor 3: Bad file descriptor");
    is_refused(-1, NULL, "-1", "LISTEN_FDS: \"-1\" is not a number");
    is_refused(-1, NULL, "99999999999999999999999", "is not a number");
    is_refused(-1, "x", "1", "LISTEN_PID: \"x\" is not a number");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
KIT_MAIN(TEST(news_arrive_at_a_path_and_at_an_abstract_name),
         TEST(a_manager_that_does_not_listen_blocks_nobody),
         TEST(a_watchdog_for_another_process_is_not_ours),
         TEST(an_address_that_is_none_is_refused_by_name),
         TEST(a_listening_socket_is_taken_over_and_its_file_is_left),
         TEST(a_promise_to_another_process_is_left_alone), TEST(anything_else_is_refused_by_name))
