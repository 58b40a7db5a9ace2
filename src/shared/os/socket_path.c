/* socket_path.c — where programs look for the daemon, and the daemon listens. */

#include "socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder, and the name below it, where somebody who says nothing finds the daemon. */
static int print_socket(char *room, size_t room_bytes)
{
    const char *path = getenv("HEARTH_SOCKET");
    if (path != NULL && path[0] != '\0' && strcmp(path, "auto") != 0) {
        return snprintf(room, room_bytes, "%s", path);
    }
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/') {
        return snprintf(room, room_bytes, "%s/hearth/hearthd.sock", runtime);
    }
    if (geteuid() == 0) {
        return snprintf(room, room_bytes, "/run/hearth/hearthd.sock");
    }
    return snprintf(room, room_bytes, "/tmp/hearth-%u/hearthd.sock", (unsigned)geteuid());
}

int hearth_socket_default_path(char *room, size_t room_bytes, struct hearth_error *err)
{
    char path[HEARTH_SOCKET_PATH_BYTES];
    int length = print_socket(path, sizeof path);
    if (length < 0 || (size_t)length >= sizeof path || (size_t)length >= room_bytes) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "path of the socket: %d bytes, the limit is %zu",
                           length, HEARTH_MIN(sizeof path, room_bytes) - 1);
    }
    memcpy(room, path, (size_t)length + 1);
    return 0;
}
