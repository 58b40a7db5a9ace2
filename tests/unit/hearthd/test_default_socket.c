#include "kit.h"

#include "hearth_os.h"
#include <hearth/hearth.h>
#include <stdlib.h>

static void expect_same(void)
{
    char daemon_path[200];
    char client_path[200];
    assert_int_equal(hearth_socket_default_path(daemon_path, sizeof daemon_path, NULL), 0);
    assert_int_equal(hearth_default_socket(client_path, sizeof client_path, NULL), 0);
    assert_string_equal(daemon_path, client_path);
}

static void daemon_and_client_look_in_the_same_place(void **state)
{
    (void)state;
    static const char *const sockets[] = {NULL, "", "/a/b.sock", "relative.sock"};
    static const char *const runtimes[] = {NULL, "", "/run/user/5", "relative"};
    for (size_t s = 0; s < HEARTH_COUNT(sockets); s++) {
        for (size_t r = 0; r < HEARTH_COUNT(runtimes); r++) {
            unsetenv("HEARTH_SOCKET");
            unsetenv("XDG_RUNTIME_DIR");
            if (sockets[s] != NULL) {
                setenv("HEARTH_SOCKET", sockets[s], 1);
            }
            if (runtimes[r] != NULL) {
                setenv("XDG_RUNTIME_DIR", runtimes[r], 1);
            }
            expect_same();
        }
    }
}

KIT_MAIN(cmocka_unit_test(daemon_and_client_look_in_the_same_place))
