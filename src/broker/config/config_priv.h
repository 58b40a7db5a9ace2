/* config_priv.h — the table of keys, shared by the files of this room. */

#ifndef HEARTH_CONFIG_PRIV_H
#define HEARTH_CONFIG_PRIV_H

#include "hearth_config.h"

enum config_kind {
    CONFIG_PATH,        /* const char *: absolute, or auto */
    CONFIG_PATHS,       /* models: absolute paths with ':' between */
    CONFIG_NAMES,       /* preload: model ids with ',' between */
    CONFIG_NUMBER,      /* uint64_t in least … most */
    CONFIG_AUTO_NUMBER, /* the same, or auto (0) */
    CONFIG_AUTO_BYTES,  /* uint64_t with K, M, G; or auto (0) */
    CONFIG_CONTAINMENT, /* bool is strict: required | strict */
    CONFIG_EVICTION,    /* bool may idle models be evicted: never | idle */
    CONFIG_SWAP,        /* bool does the old model leave first: beside | drain-first */
    CONFIG_LOG_LEVEL,   /* const char * */
    CONFIG_DIGEST,      /* const char *: 64 lower-case hex digits, or empty (NULL) */
};

struct config_key {
    const char *name;
    enum config_kind kind;
    size_t offset; /* of the field */
    const char *default_value;
    uint64_t least;
    uint64_t most;
    bool is_live; /* a reload may change it */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

const struct config_key *config_key_find(const char *name);

/* The bit of @key in hearth_config.seen and .automatic. */
static inline uint64_t config_key_bit(const struct config_key *key)
{
    return UINT64_C(1) << (size_t)(key - config_keys);
}

/* Parses @value into the field of @key. The text of the error has no place: the caller adds it. */
int config_set_value(struct hearth_config *config, const struct config_key *key, const char *value,
                     struct hearth_error *err);

/* Digits and, if @is_bytes, one of K M G behind them. False if it is not that or overflows. */
bool config_parse_number(const char *value, bool is_bytes, uint64_t *ret);

/* Takes @key if it is one of the daemon's own of a [model NAME] section: 1, or 0 if it is not (a
 * load option), or an error without a place. */
int config_take_model_key(struct hearth_config_model *model, const char *key, const char *value,
                          struct hearth_error *err);

/* Takes one key of the section [client NAME]; an error has no place. */
int config_take_client_key(struct hearth_config *config, const char *name, const char *key,
                           const char *value, struct hearth_error *err);
/* Takes one key of the section [alias NAME]; an error has no place. */
int config_take_alias_key(struct hearth_config *config, const char *name, const char *key,
                          const char *value, struct hearth_error *err);

/* 1 to 128 characters that names of models have, an @ between name and version included. */
bool config_is_model_id(const char *name);

/* After the last: a section without uid is an error. */
int config_check_clients(const struct hearth_config *config, struct hearth_error *err);

/* Appends the value as it would be written in a file. */
int config_print_value(const struct hearth_config *config, const struct config_key *key,
                       struct hearth_buf *out);

/* The keys that are "auto" now, one bit each. */
uint64_t config_automatic_keys(const struct hearth_config *config);

/* Copies into the arena; NULL and HEARTH_E_NO_MEMORY in @err when it is full. */
const char *config_copy(struct hearth_config *config, const char *text, size_t size,
                        struct hearth_error *err);

#endif
