/* arguments.c — argv → struct arguments and configuration. */

#include "arguments.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char arguments_help[] =
    "Usage: hearthd [OPTION]…\n"
    "Serves local models to the programs of this machine over a Unix socket.\n"
    "\n"
    "  --config FILE       read this configuration (INI; see deploy/hearthd.conf)\n"
    "  --socket PATH       listen here; default: $HEARTH_SOCKET, else\n"
    "                      $XDG_RUNTIME_DIR/hearth/hearthd.sock, else for root\n"
    "                      /run/hearth/hearthd.sock, else /tmp/hearth-UID/hearthd.sock\n"
    "  --models DIR[:DIR]  folders that hold models; default: $HEARTH_MODELS, else for root\n"
    "                      /var/lib/hearth/models, else $XDG_DATA_HOME/hearth/models, else\n"
    "                      ~/.local/share/hearth/models\n"
    "  --preload A,B       load these models at start; `hearth models` names them\n"
    "  --workers DIR       folder of the worker programs; default: that of hearthd, or\n"
    "                      ../libexec/hearth seen from there\n"
    "  --log-level LEVEL   debug, info, warn or error\n"
    "  --check-config      print the configuration that would be used, and end\n"
    "  --print-defaults    print a configuration file of all defaults, and end\n"
    "  --version           print the version, and end\n"
    "  --help              print this, and end\n"
    "\n"
    "Options win over the environment, where HEARTH_QUEUE_LIMIT is the key queue_limit and so\n"
    "on, and that wins over the file. Logs go to standard error as JSON lines. SIGTERM and\n"
    "SIGINT finish what runs and end; a second one ends at once. SIGHUP reads the file again;\n"
    "without one it ends hearthd like SIGTERM.\n"
    "Exit codes: 0 ok, 1 failed, 2 wrong usage or configuration.\n"
    "\n"
    "Example: hearthd --models ./models/store --preload hearth-intent\n";

enum option_code {
    OPTION_CONFIG = 256,
    OPTION_CHECK,
    OPTION_DEFAULTS,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_FIRST_KEY, /* those that set a key of [daemon] follow */
};

static const char *const option_keys[] = {"socket", "models", "preload", "workers", "log_level"};

static const struct option options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"print-defaults", no_argument, NULL, OPTION_DEFAULTS},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {"socket", required_argument, NULL, OPTION_FIRST_KEY},
    {"models", required_argument, NULL, OPTION_FIRST_KEY + 1},
    {"preload", required_argument, NULL, OPTION_FIRST_KEY + 2},
    {"workers", required_argument, NULL, OPTION_FIRST_KEY + 3},
    {"log-level", required_argument, NULL, OPTION_FIRST_KEY + 4},
    {NULL, 0, NULL, 0},
};

/* Paths on a command line are relative to where it was typed; in a file they are absolute. */
static int set_paths(struct hearth_config *config, const char *key, const char *value,
                     struct hearth_error *err)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf all;
    hearth_buf_init(&all, 32u << 10);
    char *base = realpath(".", NULL);
    int rc = 0;
    while (*value != '\0' && rc == 0) {
        size_t size = strcspn(value, ":");
        if (size > 0 && value[0] != '/') {
            rc = hearth_buf_printf(&all, "%s/%.*s:", base != NULL ? base : "", (int)size, value);
        } else if (size > 0) {
            rc = hearth_buf_printf(&all, "%.*s:", (int)size, value);
        }
        value += size + (value[size] == ':');
    }
    free(base);
    if (rc < 0 || all.size == 0) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "command line: %s: a path is wanted", key);
    }
    all.data[all.size - 1] = '\0';
    return hearth_config_set(config, key, (const char *)all.data, err);
}

static int set_key(struct hearth_config *config, size_t index, const char *value,
                   struct hearth_error *err)
{
    const char *key = option_keys[index];
    bool is_path = strcmp(key, "preload") != 0 && strcmp(key, "log_level") != 0;
    if (is_path && strcmp(value, "auto") != 0) {
        return set_paths(config, key, value, err);
    }
    return hearth_config_set(config, key, value, err);
}

/* One pass over argv: with @config NULL only notes flags and the file, otherwise only sets keys. */
static int pass(int argc, char **argv, struct arguments *ret, struct hearth_config *config,
                struct hearth_error *err)
{
    int code;
    optind = 0; /* begins anew */
    opterr = 0;
    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (code == '?') {
            return hearth_fail(err, HEARTH_E_ARGUMENT,
                               "%s: no such option, or its value is missing", argv[optind - 1]);
        }
        ret->is_help |= code == OPTION_HELP;
        ret->is_version |= code == OPTION_VERSION;
        ret->is_check |= code == OPTION_CHECK;
        ret->is_defaults |= code == OPTION_DEFAULTS;
        if (code == OPTION_CONFIG) {
            ret->file = optarg;
        }
        if (code >= OPTION_FIRST_KEY && config != NULL) {
            int rc = set_key(config, (size_t)(code - OPTION_FIRST_KEY), optarg, err);
            if (rc < 0) {
                return rc;
            }
        }
    }
    if (optind < argc) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "%s: hearthd takes options only", argv[optind]);
    }
    return 0;
}

int arguments_read(int argc, char **argv, struct arguments *ret, struct hearth_config *config,
                   struct hearth_error *err)
{
    *ret = (struct arguments){0};
    int rc = pass(argc, argv, ret, NULL, err);
    if (rc < 0 || ret->is_help || ret->is_version || ret->is_defaults) {
        return rc;
    }
    rc = ret->file != NULL ? hearth_config_read(config, ret->file, err) : 0;
    rc = rc < 0 ? rc : hearth_config_read_environment(config, err);
    return rc < 0 ? rc : pass(argc, argv, ret, config, err);
}
