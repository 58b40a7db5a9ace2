#include "hearth_os.h"

#include "kit.h"
#include "test_folder.h"

#include <sys/socket.h>
#include <sys/un.h>

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

static const char *in(const char *folder, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void socket_is_private_and_answers(void **state)
{
    struct hearth_listener listener;
    struct hearth_error err;
    struct stat st;
    mode_t before = umask(0);
    const char *path = in(*state, "run/hearth.sock");
    assert_int_equal(hearth_listener_open(path, &listener, &err), 0);
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(in(*state, "run"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    int client = -1;
    int server = -1;
    struct hearth_peer peer;
    assert_int_equal(hearth_socket_accept(listener.fd, &server, &err), HEARTH_E_NOT_READY);
    assert_int_equal(hearth_socket_connect(listener.path, HEARTH_NEVER, &client, &err), 0);
    assert_int_equal(hearth_socket_accept(listener.fd, &server, &err), 0);
    assert_int_equal(hearth_socket_peer(server, &peer, &err), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, geteuid());
    hearth_fd_close(&client);
    hearth_fd_close(&server);
    hearth_listener_close(&listener);
    assert_int_equal(access(in(*state, "run/hearth.sock"), F_OK), -1);
    hearth_listener_close(&listener);
}

static void second_daemon_is_refused_and_the_first_lives(void **state)
{
    struct hearth_listener first;
    struct hearth_listener second;
    struct hearth_error err;
    int client = -1;
    assert_int_equal(hearth_listener_open(in(*state, "s"), &first, &err), 0);
    assert_int_equal(hearth_listener_open(in(*state, "s"), &second, &err), HEARTH_E_IN_USE);
    KIT_ASSERT_ERROR(err, HEARTH_E_IN_USE, "another daemon holds");
    assert_int_equal(unlink(in(*state, "s.lock")), 0); /* somebody tidied up too much */
    assert_int_equal(hearth_listener_open(in(*state, "s"), &second, &err), HEARTH_E_IN_USE);
    KIT_ASSERT_ERROR(err, HEARTH_E_IN_USE, "another program listens");
    assert_int_equal(hearth_socket_connect(first.path, HEARTH_NEVER, &client, &err), 0);
    hearth_fd_close(&client);
    hearth_listener_close(&first);
}

static void socket_of_a_dead_daemon_is_replaced(void **state)
{
    struct hearth_listener listener;
    struct hearth_error err;
    assert_int_equal(hearth_listener_open(in(*state, "s"), &listener, &err), 0);
    hearth_fd_close(&listener.fd); /* as if it had been killed: the file stays */
    hearth_fd_close(&listener.lock_fd);
    int client = -1;
    assert_int_equal(hearth_socket_connect(in(*state, "s"), HEARTH_NEVER, &client, &err),
                     HEARTH_E_NO_DAEMON);
    assert_int_equal(hearth_listener_open(in(*state, "s"), &listener, &err), 0);
    assert_int_equal(hearth_socket_connect(in(*state, "s"), HEARTH_NEVER, &client, &err), 0);
    hearth_fd_close(&client);
    hearth_listener_close(&listener);
}

static void what_is_not_a_socket_is_left_alone(void **state)
{
    struct hearth_listener listener;
    struct hearth_error err;
    test_folder_write(*state, "s", "precious");
    assert_int_equal(hearth_listener_open(in(*state, "s"), &listener, &err), HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "is not a socket");
    assert_int_equal(access(in(*state, "s"), F_OK), 0);
}

static void path_of_a_wrong_length_is_refused(void **state)
{
    (void)state;
    struct hearth_listener listener;
    struct hearth_error err;
    int fd = -1;
    char path[200];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[108] = '\0';
    assert_int_equal(hearth_listener_open(path, &listener, &err), HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "108 bytes long, must be 1 to 107");
    assert_int_equal(hearth_listener_open("", &listener, &err), HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_socket_connect(path, HEARTH_NEVER, &fd, &err), HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_socket_connect("", HEARTH_NEVER, &fd, &err), HEARTH_E_ARGUMENT);
}

static void folder_that_others_may_write_is_refused(void **state)
{
    struct hearth_listener listener;
    struct hearth_error err;
    assert_int_equal(chmod(*state, 0777), 0);
    assert_int_equal(hearth_listener_open(in(*state, "s"), &listener, &err), HEARTH_E_DENIED);
    KIT_ASSERT_ERROR(err, HEARTH_E_DENIED, "chmod go-w");
    assert_int_equal(chmod(*state, 01777), 0); /* as /tmp: nobody may replace another's file */
    assert_int_equal(hearth_listener_open(in(*state, "s"), &listener, &err), 0);
    hearth_listener_close(&listener);
}

static void folder_that_cannot_be_used_is_named(void **state)
{
    struct hearth_listener listener;
    struct hearth_error err;
    assert_int_equal(hearth_listener_open(in(*state, "no/such/s"), &listener, &err),
                     HEARTH_E_SYSTEM);
    KIT_ASSERT_ERROR(err, HEARTH_E_SYSTEM, "no/such for the socket: No such file");
    test_folder_write(*state, "file", "x");
    assert_int_equal(hearth_listener_open(in(*state, "file/s"), &listener, &err),
                     HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "is not a folder");
    /* procfs refuses new files even to root, as a read-only folder does to others. */
    assert_int_equal(hearth_listener_open("/proc/s", &listener, &err), HEARTH_E_SYSTEM);
    if (geteuid() != 0) {
        assert_int_equal(chmod(*state, 0500), 0);
        assert_int_equal(hearth_listener_open(in(*state, "s"), &listener, &err), HEARTH_E_DENIED);
        KIT_ASSERT_ERROR(err, HEARTH_E_DENIED, "s.lock: Permission denied");
        assert_int_equal(chmod(*state, 0700), 0);
    }
}

static void connecting_to_a_daemon_that_does_not_accept_ends_in_time(void **state)
{
    struct hearth_error err;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", (const char *)*state);
    HEARTH_AUTO(hearth_fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    int clients[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    int rc = 0;
    uint64_t deadline_ns = 0;
    for (size_t i = 0; i < HEARTH_COUNT(clients) && rc == 0; i++) {
        deadline_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_MS;
        rc = hearth_socket_connect(address.sun_path, deadline_ns, &clients[i], &err);
    }
    assert_int_equal(rc, HEARTH_E_EXPIRED);
    assert_true(hearth_clock_ns() >= deadline_ns);
    assert_int_equal(hearth_socket_connect(address.sun_path, 1, &clients[7], &err),
                     HEARTH_E_EXPIRED);
    for (size_t i = 0; i < HEARTH_COUNT(clients); i++) {
        hearth_fd_close(&clients[i]);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(IN_FOLDER(socket_is_private_and_answers),
         IN_FOLDER(second_daemon_is_refused_and_the_first_lives),
         IN_FOLDER(socket_of_a_dead_daemon_is_replaced),
         IN_FOLDER(what_is_not_a_socket_is_left_alone),
         cmocka_unit_test(path_of_a_wrong_length_is_refused),
         IN_FOLDER(folder_that_others_may_write_is_refused),
         IN_FOLDER(folder_that_cannot_be_used_is_named),
         IN_FOLDER(connecting_to_a_daemon_that_does_not_accept_ends_in_time))
