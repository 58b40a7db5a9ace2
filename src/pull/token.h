/* token.h — a token for a hub, from a file that only its owner may read. */

#ifndef HEARTH_PULL_TOKEN_H
#define HEARTH_PULL_TOKEN_H

#include "hearth_pull.h"
#include "problem.h"

/**
 * Reads the one line of @path. To be wiped after use; it is never printed. HEARTH_E_DENIED if
 * others may read the file, HEARTH_E_MALFORMED, HEARTH_E_SYSTEM.
 */
int pull_token_read(const char *path, char room[PULL_MAX_TOKEN_BYTES + 1],
                    struct pull_problem *problem);

#endif
