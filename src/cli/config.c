/* config.c — the configuration of the daemon, as hearthd itself reads it: this program becomes it.
 */

#include "hearth_cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cli_find_beside(const char *name, char *room, size_t room_bytes, struct hearth_error *err)
{
    size_t name_bytes = strlen(name) + 1;
    ssize_t length = readlink("/proc/self/exe", room, room_bytes - name_bytes);
    if (length <= 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "find this program");
    }
    room[length] = '\0';
    char *slash = strrchr(room, '/');
    memcpy(slash + 1, name, name_bytes);
    if (access(room, X_OK) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "%s is not beside this program: %.140s",
                                 name, room);
    }
    return 0;
}

int cli_find_daemon(char *room, size_t room_bytes, struct hearth_error *err)
{
    return cli_find_beside("hearthd", room, room_bytes, err);
}

static int become(const struct cli_settings *settings, char *option, bool is_silent,
                  struct hearth_error *err)
{
    char program[4096];
    int rc = cli_find_daemon(program, sizeof program, err);
    if (rc < 0) {
        return rc;
    }
    if (is_silent) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0) {
            return hearth_fail_errno(err, HEARTH_E_SYSTEM, "open /dev/null");
        }
    }
    char *argv[5] = {program, option};
    if (settings->config != NULL) {
        argv[2] = (char *)(uintptr_t) "--config";
        argv[3] = (char *)(uintptr_t)settings->config;
    }
    execv(program, argv);
    return hearth_fail_errno(err, HEARTH_E_SYSTEM, "start %.150s", program);
}

int cli_run_config(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("config");
    const char *verb = argc > 0 ? argv[0] : "show";
    bool is_validate = strcmp(verb, "validate") == 0;
    bool is_defaults = strcmp(verb, "defaults") == 0;
    if (!is_validate && !is_defaults && strcmp(verb, "show") != 0) {
        return cli_usage(self, "'%s' is not show, validate or defaults", verb);
    }
    if (argc > 1) {
        return cli_usage(self, "takes no further argument '%s'", argv[1]);
    }
    if (is_defaults && settings->config != NULL) {
        return cli_usage(self, "defaults are those of no file");
    }
    static char check[] = "--check-config";
    static char print[] = "--print-defaults";
    struct hearth_error err;
    become(settings, is_defaults ? print : check, is_validate, &err);
    return cli_report(settings, &err); /* it would not have come back */
}
