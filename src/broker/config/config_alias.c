/* config_alias.c — [alias NAME] sections: names that stand for models. Whether the model is there
 * is seen when the daemon has read its folders. */

#include "config_priv.h"

#include <string.h>

int config_take_alias_key(struct hearth_config *config, const char *name, const char *key,
                          const char *value, struct hearth_error *err)
{
    if (!config_is_model_id(name) || strchr(name, '@') != NULL || strcmp(key, "model") != 0) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "an [alias NAME] section has the key model, and NAME is as models are "
                           "called, without @");
    }
    if (!config_is_model_id(value)) {
        return hearth_fail(err, HEARTH_E_CONFIG, "\"%.80s\" must be a model id", value);
    }
    for (uint32_t i = 0; i < config->alias_count; i++) {
        if (strcmp(config->aliases[i].name, name) == 0) {
            return hearth_fail(err, HEARTH_E_CONFIG, "given twice for this alias");
        }
    }
    if (config->alias_count == HEARTH_CONFIG_ALIASES) {
        return hearth_fail(err, HEARTH_E_CONFIG, "more than %u [alias NAME] sections",
                           HEARTH_CONFIG_ALIASES);
    }
    struct hearth_config_alias alias = {
        .name = config_copy(config, name, strlen(name), err),
        .model = config_copy(config, value, strlen(value), err),
    };
    if (alias.name == NULL || alias.model == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    config->aliases[config->alias_count++] = alias;
    return 0;
}
