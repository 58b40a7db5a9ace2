/* hearth_config.h — what an operator may set: one INI file, over it the environment, over that the
 * command line.
 *
 * Keys, defaults and their meaning are in deploy/hearthd.conf; the key max_connections is the
 * variable HEARTH_MAX_CONNECTIONS of the environment. A key that is not known, a value that is not
 * valid and a key given twice are errors with their place. "auto" asks for the default that depends
 * on the machine; hearth_config_resolve() puts it in.
 *
 * Threads: one at a time. Only reading the file and resolving block, on the file system.         */

#ifndef HEARTH_CONFIG_H
#define HEARTH_CONFIG_H

#include "hearth_base.h"

#define HEARTH_CONFIG_ROOTS   8u
#define HEARTH_CONFIG_MODELS  64u
#define HEARTH_CONFIG_OPTIONS 32u
#define HEARTH_CONFIG_CLIENTS 32u

#define HEARTH_CONFIG_ALIASES    64u
#define HEARTH_CONFIG_WEIGHT     100u /* of a user without a [client NAME] section */
#define HEARTH_CONFIG_MAX_WEIGHT 1000u

/** A value that hearth_config_resolve() replaces: a number of 0, a string that is NULL. */
#define HEARTH_CONFIG_AUTO 0u

struct hearth_config_option {
    const char *key;
    const char *value;
};

/** One [model NAME] section: what the daemon itself does with the model, and load options that win
 *  over those of the manifest. */
struct hearth_config_model {
    const char *name;
    bool is_pinned;         /* never evicted, never unloaded for being idle */
    uint64_t keep_alive_ms; /* idle for so long, it is unloaded; 0 = never */
    unsigned worth;         /* enum hearth_priority: models of lower ones are evicted first */
    bool has_progress_timeout;
    uint64_t progress_timeout_ms; /* as that of the daemon, for this model's worker */
    uint32_t seen;                /* keys above that were met, one bit each */
    struct hearth_config_option options[HEARTH_CONFIG_OPTIONS];
    uint32_t option_count;
};

/** One [client NAME] section: what a user of the machine is granted. */
struct hearth_config_client {
    const char *name;
    uint32_t uid;
    uint32_t seen;        /* keys that were met, one bit each */
    uint64_t weight;      /* of its share of each model */
    uint64_t queue_limit; /* its requests that may wait for one model; 0 = client_queue_limit */
};

/** One [alias NAME] section: a name that stands for a model when the daemon starts. */
struct hearth_config_alias {
    const char *name;
    const char *model;
};

/** All settings. Filled by init, read, set; then resolved; then const but for reloads. Strings live
 *  in the arenas, so those that a reload may change (token, log level, options of models) are not
 *  kept from one callback to the next. It stays where it was initialised. */
struct hearth_config {
    struct hearth_arena arena;
    struct hearth_arena reloaded; /* strings of the last reload */
    uint64_t seen;                /* keys of the file met so far, one bit each */
    uint64_t automatic;           /* keys that resolving filled in */
    uint64_t auto_memory_bytes;   /* what `memory_limit = auto` meant when it was resolved */

    const char *socket;                      /* path of the listening socket */
    const char *models[HEARTH_CONFIG_ROOTS]; /* folders that hold models */
    uint32_t models_count;
    const char *preload[HEARTH_CONFIG_MODELS]; /* loaded at start */
    uint32_t preload_count;
    const char *workers; /* folder of the worker programs */
    uint64_t max_connections;
    uint64_t queue_limit;          /* requests that may wait for one model */
    uint64_t class_limits[4];      /* the same of one class, by priority; 0 = no limit of its own */
    uint64_t client_queue_limit;   /* the same of one user; 0 = no limit of its own */
    uint64_t memory_limit_bytes;   /* of all models */
    uint64_t threads;              /* compute threads of all workers together */
    uint64_t worker_nice;          /* of compute threads */
    uint64_t drain_timeout_ms;     /* for running requests after SIGTERM */
    uint64_t request_timeout_ms;   /* of requests that name none */
    uint64_t load_timeout_ms;      /* from spawn to ready */
    uint64_t hang_timeout_ms;      /* from a request's deadline until its worker is killed */
    uint64_t progress_timeout_ms;  /* without a step of a worker that has work; 0 = never */
    uint64_t ready_models;         /* that must serve for the daemon to be ready */
    uint64_t handshake_timeout_ms; /* from a connection to its handshake */
    uint64_t frame_timeout_ms;     /* for a frame that has begun, and for unread answers to move */
    uint64_t idle_timeout_ms;      /* of a session without requests; 0 = never */
    const char *token_sha256;      /* hex, of the token that is asked for; NULL: none is */
    bool is_containment_strict;    /* all walls required, not only the mandatory ones */
    bool is_drain_first;           /* a swap ends the old model before it loads the new one */
    bool may_evict;                /* idle models leave for one that is loaded and does not fit */
    uint64_t worker_headroom_bytes; /* that a worker may take beyond its promise; 0 = 1 GiB */
    uint64_t per_call_memory;       /* bytes that one request may keep; 0 = no limit of its own */
    uint64_t total_call_memory;     /* bytes of all requests that are open; 0 = the same */
    uint64_t concurrent_requests;   /* that are open at the same time; 0 = the same */
    const char *log_level;

    struct hearth_config_model model_options[HEARTH_CONFIG_MODELS];
    uint32_t model_options_count;
    struct hearth_config_client clients[HEARTH_CONFIG_CLIENTS];
    uint32_t client_count;
    struct hearth_config_alias aliases[HEARTH_CONFIG_ALIASES]; /* read at the start alone */
    uint32_t alias_count;
};

/** Fills in the defaults. */
HEARTH_NODISCARD int hearth_config_init(struct hearth_config *config, struct hearth_error *err);
void hearth_config_finish(struct hearth_config *config);

/**
 * Reads @text, the content of a file called @name, over what is set already. HEARTH_E_CONFIG names
 * file, line, key and what would be right; HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_config_parse(struct hearth_config *config, struct hearth_slice text,
                                         const char *name, struct hearth_error *err);

/** As parse, for the file at @path. HEARTH_E_CONFIG also if it cannot be read. */
HEARTH_NODISCARD int hearth_config_read(struct hearth_config *config, const char *path,
                                        struct hearth_error *err);

/**
 * Takes every key of [daemon] from its variable HEARTH_<KEY> that is set and not empty.
 * HEARTH_E_CONFIG names the variable; HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_config_read_environment(struct hearth_config *config,
                                                    struct hearth_error *err);

/** Tells of each variable HEARTH_… that is none of ours but nearly: @meant is what it looks like.
 */
void hearth_config_find_typos(void (*tell)(void *arg, const char *variable, const char *meant),
                              void *arg);

/** Sets one key of [daemon] as the command line does; it may have been set before. */
HEARTH_NODISCARD int hearth_config_set(struct hearth_config *config, const char *key,
                                       const char *value, struct hearth_error *err);

/** Replaces "auto" by what this machine has. HEARTH_E_CONFIG, HEARTH_E_SYSTEM. */
HEARTH_NODISCARD int hearth_config_resolve(struct hearth_config *config, struct hearth_error *err);

/**
 * Makes what @fresh says hold in @live, as far as a running daemon can change it: limits, timeouts,
 * token, log level, and the options of models for their next load. @fresh was read like @live and
 * is not resolved; it is empty afterwards. Calls @tell for each key that differs and needs a
 * restart.
 */
void hearth_config_reload(struct hearth_config *live, struct hearth_config *fresh,
                          void (*tell)(void *arg, const char *key), void *arg);

/** Appends every setting of [daemon] as `key = value` lines, in the order of deploy/hearthd.conf.
 */
HEARTH_NODISCARD int hearth_config_print(const struct hearth_config *config,
                                         struct hearth_buf *out);

/** Appends the lines of one [model NAME] section, without its head. */
HEARTH_NODISCARD int hearth_config_print_model(const struct hearth_config_model *model,
                                               struct hearth_buf *out);

/** Appends the lines of one [client NAME] section, without its head. */
HEARTH_NODISCARD int hearth_config_print_client(const struct hearth_config_client *client,
                                                struct hearth_buf *out);

/** The [client NAME] section of user @uid, or NULL. */
const struct hearth_config_client *hearth_config_client(const struct hearth_config *config,
                                                        uint32_t uid);

/** The section [model NAME], or NULL. */
const struct hearth_config_model *hearth_config_model(const struct hearth_config *config,
                                                      const char *name);

#endif
