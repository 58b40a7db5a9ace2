/* arguments.h — the command line of hearthd. */

#ifndef HEARTHD_ARGUMENTS_H
#define HEARTHD_ARGUMENTS_H

#include "hearth_config.h"

/* Exit codes. */
enum { HEARTHD_OK = 0, HEARTHD_FAILED = 1, HEARTHD_USAGE = 2 };

/** What to do. */
struct arguments {
    bool is_help;
    bool is_version;
    bool is_defaults; /* --print-defaults: print a file of all defaults and end */
    bool is_check;    /* --check-config: print what would be used and end */
    const char *file; /* of --config, part of argv; NULL: none */
};

/**
 * Reads argv: first the file of --config, over it the environment, over that the other options,
 * whatever their order. May be called again for a fresh @config while the daemon runs: the same
 * command line, and the file as it is then. HEARTH_E_ARGUMENT for the command line itself,
 * HEARTH_E_CONFIG for file, environment and values.
 */
HEARTH_NODISCARD int arguments_read(int argc, char **argv, struct arguments *ret,
                                    struct hearth_config *config, struct hearth_error *err);

extern const char arguments_help[];

#endif
