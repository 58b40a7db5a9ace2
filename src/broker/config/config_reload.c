/* config_reload.c — what of a new configuration a running daemon takes over. */

#include "config_priv.h"

#include <string.h>

static void *field_of(struct hearth_config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

/* Only kinds that fit one field; lists are read at the start alone. */
static void take_field(struct hearth_config *live, struct hearth_config *fresh,
                       const struct config_key *key)
{
    switch (key->kind) {
    case CONFIG_NUMBER:
    case CONFIG_AUTO_NUMBER:
    case CONFIG_AUTO_BYTES:
        *(uint64_t *)field_of(live, key) = *(uint64_t *)field_of(fresh, key);
        return;
    case CONFIG_SWAP:
    case CONFIG_EVICTION: *(bool *)field_of(live, key) = *(bool *)field_of(fresh, key); return;
    case CONFIG_LOG_LEVEL:
    case CONFIG_DIGEST:
        *(const char **)field_of(live, key) = *(const char **)field_of(fresh, key);
        return;
    case CONFIG_PATH:
    case CONFIG_PATHS:
    case CONFIG_NAMES:
    case CONFIG_CONTAINMENT: break;
    }
    HEARTH_UNREACHABLE();
}

/* "auto" is the same as "auto", whatever the machine had to offer each time. */
static bool is_same(const struct hearth_config *live, const struct hearth_config *fresh,
                    const struct config_key *key)
{
    uint64_t bit = config_key_bit(key);
    if (((live->automatic | fresh->automatic) & bit) != 0) {
        return (live->automatic & fresh->automatic & bit) != 0;
    }
    HEARTH_AUTO(hearth_buf) struct hearth_buf a;
    HEARTH_AUTO(hearth_buf) struct hearth_buf b;
    hearth_buf_init(&a, 64u << 10);
    hearth_buf_init(&b, 64u << 10);
    return config_print_value(live, key, &a) == 0 && config_print_value(fresh, key, &b) == 0 &&
           hearth_slice_equal(hearth_buf_slice(&a), hearth_buf_slice(&b));
}

static bool has_same_aliases(const struct hearth_config *live, const struct hearth_config *fresh)
{
    bool is_same = live->alias_count == fresh->alias_count;
    for (uint32_t i = 0; is_same && i < live->alias_count; i++) {
        is_same = strcmp(live->aliases[i].name, fresh->aliases[i].name) == 0 &&
                  strcmp(live->aliases[i].model, fresh->aliases[i].model) == 0;
    }
    return is_same;
}

/* What memory is available now says little: the models of this daemon have taken theirs. */
static void resolve_live(const struct hearth_config *live, struct hearth_config *fresh)
{
    fresh->automatic = config_automatic_keys(fresh);
    if (fresh->memory_limit_bytes == HEARTH_CONFIG_AUTO) {
        fresh->memory_limit_bytes = live->auto_memory_bytes;
    }
}

void hearth_config_reload(struct hearth_config *live, struct hearth_config *fresh,
                          void (*tell)(void *arg, const char *key), void *arg)
{
    resolve_live(live, fresh);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->is_live) {
            take_field(live, fresh, key);
        } else if (!is_same(live, fresh, key)) {
            tell(arg, key->name);
        }
    }
    if (!has_same_aliases(live, fresh)) {
        tell(arg, "[alias NAME]"); /* they may have been changed since: `hearth models alias` */
    }
    memcpy(live->model_options, fresh->model_options, sizeof live->model_options);
    live->model_options_count = fresh->model_options_count;
    memcpy(live->clients, fresh->clients, sizeof live->clients);
    live->client_count = fresh->client_count;
    /* What was live before pointed into the arena of the reload before; all that is gone now. */
    hearth_arena_finish(&live->reloaded);
    live->reloaded = fresh->arena;
    fresh->arena.blocks = NULL;
    hearth_config_finish(fresh);
}
