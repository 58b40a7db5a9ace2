/* token.c — see token.h. */

#include "token.h"

#include "hearth_os.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_sendable(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return false;
        }
    }
    return text[0] != '\0';
}

int pull_token_read(const char *path, char room[PULL_MAX_TOKEN_BYTES + 1],
                    struct pull_problem *problem)
{
    struct stat facts;
    HEARTH_AUTO(hearth_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &facts) != 0) {
        return pull_fail_errno(problem, "correct --token-file", "open %.150s", path);
    }
    bool is_own = facts.st_uid == geteuid() || facts.st_uid == 0;
    if (!S_ISREG(facts.st_mode) || !is_own || (facts.st_mode & 077) != 0) {
        return pull_fail(problem, HEARTH_E_DENIED, "chmod 600 the file, or make your own",
                         "%.150s may be read or written by others", path);
    }
    hearth_process_set_dumpable(false, NULL);
    size_t size = 0;
    int rc = hearth_fd_read(fd, room, PULL_MAX_TOKEN_BYTES + 1, &size);
    if (rc == 0 && size <= PULL_MAX_TOKEN_BYTES) {
        room[size] = '\0';
        room[strcspn(room, "\r\n")] = '\0';
        if (is_sendable(room)) {
            return 0;
        }
    }
    hearth_wipe(room, PULL_MAX_TOKEN_BYTES + 1);
    return pull_fail(problem, HEARTH_E_MALFORMED, "put the token alone on its first line",
                     "%.150s holds no token of 1 to %u printable characters", path,
                     PULL_MAX_TOKEN_BYTES);
}
