/* walls.c — a containment that is not whole says so in words: what a worker raised, and what not.
 */

#include "session_priv.h"

#include <stdio.h>
#include <string.h>

/* As the face of sandbox/ names them. */
static const char *const walls[] = {"fds",  "rlimits",  "no_new_privs", "netns",
                                    "caps", "landlock", "seccomp"};

/* @raised is what a worker says: names separated by commas, maybe with a version behind a colon. */
static bool has_wall(const char *raised, const char *wall)
{
    size_t size = strlen(wall);
    for (const char *at = raised; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, wall, size) == 0 && strchr(",:", at[size]) != NULL) { /* or its end */
            return true;
        }
    }
    return false;
}

bool walls_are_whole(const char *raised)
{
    for (size_t i = 0; i < HEARTH_COUNT(walls); i++) {
        if (!has_wall(raised, walls[i])) {
            return false;
        }
    }
    return true;
}

void walls_tell(const char *raised, char room[HEARTH_MAX_ERROR_BYTES + 1])
{
    const char *comma = "; missing: ";
    int used = snprintf(room, HEARTH_MAX_ERROR_BYTES + 1, "%s", raised);
    for (size_t i = 0; i < HEARTH_COUNT(walls); i++) {
        if (!has_wall(raised, walls[i]) && used >= 0 && used < (int)HEARTH_MAX_ERROR_BYTES) {
            used += snprintf(room + used, HEARTH_MAX_ERROR_BYTES + 1 - (size_t)used, "%s%s", comma,
                             walls[i]);
            comma = ", ";
        }
    }
}
