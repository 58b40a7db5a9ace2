/* options.c — see options.h. */

#include "options.h"

#include "head.h"
#include "hearth_pull.h"
#include "source.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELP_REMEDY "hearth pull --help"

enum { FLAG, TEXT, PATH, NUMBER };

struct row {
    const char *name;
    int kind;
    size_t offset;
    const char *value;
    const char *help;
};

#define AT(field) offsetof(struct pull_options, field)

static const struct row rows[] = {
    {"list", FLAG, AT(is_list), NULL, "print the models of the catalogue and end"},
    {"check", FLAG, AT(is_check), NULL, "digest what is installed; fetch nothing"},
    {"offline", FLAG, AT(is_offline), NULL, "only from the cache: no connection is made"},
    {"replace", FLAG, AT(is_replace), NULL, "put it where another model of that name is"},
    {"name", TEXT, AT(name), "NAME", "what a model from a hub is to be called; default: its file"},
    {"licence", TEXT, AT(licence), "SPDX", "what the manifest of a model from a hub says"},
    {"sha256", TEXT, AT(sha256), "HEX",
     "what a file from a hub must be; default: as the hub tells"},
    {"output", TEXT, AT(output), "DIR", "files from a hub as they are into DIR: no model"},
    {"models", PATH, AT(models), "DIR",
     "folder of models; default: $HEARTH_MODELS, or where hearthd looks"},
    {"cache", PATH, AT(cache), "DIR", "what was fetched; default: $HEARTH_CACHE, ~/.cache/hearth"},
    {"catalogue", PATH, AT(catalogue), "FILE", "default: $HEARTH_CATALOGUE, or the installed one"},
    {"hub", TEXT, AT(hub), "URL", "default: $HEARTH_HUB, or " PULL_DEFAULT_HUB},
    {"token-file", TEXT, AT(token_file), "FILE",
     "for the hub alone; default: $HEARTH_HUB_TOKEN_FILE"},
    {"ca-file", TEXT, AT(ca_file), "FILE", "certificates to trust instead of the system's"},
    {"retries", NUMBER, AT(retries), "N", "after failures that brought nothing; default 4"},
    {"stall", NUMBER, AT(stall_secs), "SECONDS",
     "less than 1 kB/s for so long ends it; default 60"},
    {"quiet", FLAG, AT(is_quiet), NULL, "print errors only"},
    {"version", FLAG, AT(is_version), NULL, "print the version"},
    {"help", FLAG, AT(is_help), NULL, "print this"},
};

void pull_options_print(void)
{
    printf(
        "usage: hearth pull [OPTION…] NAME…\n"
        "       hearth pull [OPTION…] hub:OWNER/REPOSITORY[@REVISION]/FILE\n"
        "       hearth pull --check [NAME…]\n\n"
        "Fetches models into a folder that hearthd reads. Nothing appears there before all of it\n"
        "has been checked by its digest. An interrupted fetch goes on where it was.\n\n");
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].value != NULL ? " " : "",
                 rows[i].value != NULL ? rows[i].value : "");
        printf("  %-22s %s\n", left, rows[i].help);
    }
    printf("\nexamples:\n  hearth pull minilm-embedder\n"
           "  hearth pull --name phi hub:owner/repository@0123456789abcdef0123456789abcdef01234567/"
           "model.gguf\n"
           "Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted.\n");
}

static int set_value(const struct row *row, struct pull_options *options, const char *value,
                     struct pull_problem *problem)
{
    void *field = (char *)options + row->offset;
    char *end = NULL;
    switch (row->kind) {
    case FLAG: *(bool *)field = true; return 0;
    case TEXT: *(const char **)field = value; return 0;
    case PATH: return pull_path(field, problem, "%s", value);
    default: break;
    }
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number > 86400) {
        return pull_fail(problem, HEARTH_E_ARGUMENT, HELP_REMEDY,
                         "--%s: '%.40s' is not a whole number up to 86400", row->name, value);
    }
    *(unsigned *)field = (unsigned)number;
    return 0;
}

static int read_rows(int argc, char **argv, struct pull_options *ret, struct pull_problem *problem)
{
    struct option list[HEARTH_COUNT(rows) + 1] = {{NULL, 0, NULL, 0}};
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        list[i] = (struct option){rows[i].name, rows[i].kind == FLAG ? 0 : 1, NULL, (int)i};
    }
    opterr = 0;
    for (;;) {
        int found = getopt_long(argc, argv, ":", list, NULL);
        if (found < 0) {
            break;
        }
        if (found >= (int)HEARTH_COUNT(rows)) { /* ':' and '?' */
            return pull_fail(problem, HEARTH_E_ARGUMENT, HELP_REMEDY, "'%.60s' %s",
                             argv[optind - 1], found == ':' ? "needs a value" : "is no option");
        }
        int rc = set_value(&rows[found], ret, optarg, problem);
        if (rc < 0) {
            return rc;
        }
    }
    for (int i = optind; i < argc; i++) {
        if (ret->argument_count == PULL_MAX_ARGUMENTS) {
            return pull_fail(problem, HEARTH_E_ARGUMENT, "run it several times",
                             "more than %u names", PULL_MAX_ARGUMENTS);
        }
        ret->arguments[ret->argument_count++] = argv[i];
    }
    return 0;
}

/* ── What the environment says ───────────────────────────────────────────────────────────────── */

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* As hearthd does when its configuration says nothing; of several folders the first. */
static int default_models(struct pull_options *options, struct pull_problem *problem)
{
    const char *own = from_environment("HEARTH_MODELS");
    if (own != NULL && own[0] != ':') {
        return pull_path(options->models, problem, "%.*s", (int)strcspn(own, ":"), own);
    }
    const char *data = from_environment("XDG_DATA_HOME");
    const char *home = from_environment("HOME");
    if (geteuid() == 0 || (data == NULL && home == NULL)) {
        return pull_path(options->models, problem, "/var/lib/hearth/models");
    }
    return data != NULL
               ? pull_path(options->models, problem, "%s/hearth/models", data)
               : pull_path(options->models, problem, "%s/.local/share/hearth/models", home);
}

static int default_cache(struct pull_options *options, struct pull_problem *problem)
{
    const char *own = from_environment("HEARTH_CACHE");
    const char *all = from_environment("XDG_CACHE_HOME");
    const char *home = from_environment("HOME");
    if (own != NULL) {
        return pull_path(options->cache, problem, "%s", own);
    }
    if (all == NULL && home == NULL) {
        return pull_path(options->cache, problem, "/var/cache/hearth");
    }
    return all != NULL ? pull_path(options->cache, problem, "%s/hearth", all)
                       : pull_path(options->cache, problem, "%s/.cache/hearth", home);
}

/* <prefix>/share/hearth/catalogue.json, from where this program is. */
static int default_catalogue(struct pull_options *options, struct pull_problem *problem)
{
    char program[PULL_MAX_PATH_BYTES];
    const char *own = from_environment("HEARTH_CATALOGUE");
    if (own != NULL) {
        return pull_path(options->catalogue, problem, "%s", own);
    }
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size <= 0) {
        return pull_fail_errno(problem, "give --catalogue FILE", "find this program");
    }
    program[size] = '\0';
    *strrchr(program, '/') = '\0';
    return pull_path(options->catalogue, problem, "%s/../share/hearth/catalogue.json", program);
}

static int check(const struct pull_options *options, struct pull_problem *problem)
{
    char ignored[PULL_SHA256_BYTES + 1];
    bool is_alone = options->is_help || options->is_version || options->is_list;
    if (!is_alone && !options->is_check && options->argument_count == 0) {
        return pull_fail(problem, HEARTH_E_ARGUMENT, HELP_REMEDY, "no model is named");
    }
    if (options->name != NULL && !pull_name_is_valid(options->name)) {
        return pull_fail(problem, HEARTH_E_ARGUMENT,
                         "use A-Z a-z 0-9 . _ - and begin with none of . -",
                         "--name '%.60s' cannot be a model's", options->name);
    }
    if (options->sha256 != NULL &&
        !pull_hex_copy(hearth_slice_of_string(options->sha256), PULL_SHA256_BYTES, ignored)) {
        return pull_fail(problem, HEARTH_E_ARGUMENT, HELP_REMEDY, "--sha256 takes 64 hex digits");
    }
    if (options->argument_count > 1 && (options->sha256 != NULL || options->name != NULL)) {
        return pull_fail(problem, HEARTH_E_ARGUMENT, "run it several times",
                         "--name and --sha256 are for one file");
    }
    return 0;
}

int pull_options_read(int argc, char **argv, struct pull_options *ret, struct pull_problem *problem)
{
    *ret = (struct pull_options){.retries = 4, .stall_secs = 60};
    int rc = read_rows(argc, argv, ret, problem);
    if (ret->hub == NULL) {
        ret->hub = from_environment("HEARTH_HUB");
        ret->hub = ret->hub != NULL ? ret->hub : PULL_DEFAULT_HUB;
    }
    if (ret->token_file == NULL) {
        ret->token_file = from_environment("HEARTH_HUB_TOKEN_FILE");
    }
    rc = rc < 0 || ret->models[0] != '\0' ? rc : default_models(ret, problem);
    rc = rc < 0 || ret->cache[0] != '\0' ? rc : default_cache(ret, problem);
    rc = rc < 0 || ret->catalogue[0] != '\0' ? rc : default_catalogue(ret, problem);
    return rc < 0 ? rc : check(ret, problem);
}
