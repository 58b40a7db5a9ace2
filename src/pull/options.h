/* options.h — the command line. */

#ifndef HEARTH_PULL_OPTIONS_H
#define HEARTH_PULL_OPTIONS_H

#include "folders.h"
#include "head.h"

#define PULL_MAX_ARGUMENTS 64u

struct pull_options {
    bool is_help;
    bool is_version;
    bool is_list;
    bool is_check;
    bool is_offline;
    bool is_quiet;
    bool is_replace;
    const char *name;    /* of a model from a hub: */
    const char *licence; /* what its manifest says */
    const char *sha256;  /* what its one file must be */
    const char *output;  /* plain files into this folder, no model */
    const char *hub;
    const char *token_file; /* or NULL */
    const char *ca_file;    /* or NULL */
    unsigned retries;
    unsigned stall_secs;
    char models[PULL_MAX_PATH_BYTES];
    char cache[PULL_MAX_PATH_BYTES];
    char catalogue[PULL_MAX_PATH_BYTES];
    const char *arguments[PULL_MAX_ARGUMENTS]; /* names, hub:… */
    size_t argument_count;
};

/** Reads @argv and, for what it does not say, the environment. HEARTH_E_ARGUMENT. */
int pull_options_read(int argc, char **argv, struct pull_options *ret,
                      struct pull_problem *problem);

void pull_options_print(void);

#endif
