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
    bool is_check; /* --check-config: print what would be used and end */
};

/**
 * Reads argv: first the file of --config, then the other options over it, whatever their order.
 * HEARTH_E_ARGUMENT for the command line itself, HEARTH_E_CONFIG for file and values.
 */
HEARTH_NODISCARD int arguments_read(int argc, char **argv, struct arguments *ret,
                                    struct hearth_config *config, struct hearth_error *err);

extern const char arguments_help[];

#endif
