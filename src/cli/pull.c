/* pull.c — `hearth pull` becomes hearth-pull, so that this program needs no network library. */

#include "hearth_cli.h"

#include <stdio.h>
#include <unistd.h>

int cli_run_pull(const struct cli_settings *settings, int argc, char **argv)
{
    struct hearth_error err;
    char program[4096];
    (void)settings;
    (void)argc; /* argv ends with NULL, as main() got it */
    int rc = cli_find_beside("hearth-pull", program, sizeof program, &err);
    if (rc == 0) {
        fflush(stdout);
        argv[0] = program;
        execv(program, argv);
        hearth_fail_errno(&err, HEARTH_E_SYSTEM, "start %.150s", program);
    }
    fprintf(stderr, "hearth: %s\n  try: build it: cmake -DHEARTH_PULL=ON, with libcurl installed\n",
            err.text);
    return CLI_FAILED;
}
