/* config_client.c — [client NAME] sections: what one user of the machine is granted. */

#include "config_priv.h"

#include <inttypes.h>
#include <string.h>

static struct hearth_config_client *find_or_add(struct hearth_config *config, const char *name,
                                                struct hearth_error *err)
{
    for (uint32_t i = 0; i < config->client_count; i++) {
        if (strcmp(config->clients[i].name, name) == 0) {
            return &config->clients[i];
        }
    }
    if (config->client_count == HEARTH_CONFIG_CLIENTS) {
        hearth_fail(err, HEARTH_E_CONFIG, "more than %u [client NAME] sections",
                    HEARTH_CONFIG_CLIENTS);
        return NULL;
    }
    struct hearth_config_client *made = &config->clients[config->client_count];
    *made = (struct hearth_config_client){
        .name = config_copy(config, name, strlen(name), err),
        .weight = HEARTH_CONFIG_WEIGHT,
    };
    if (made->name == NULL) {
        return NULL;
    }
    config->client_count++;
    return made;
}

static int set_number(const char *value, uint64_t least, uint64_t most, uint64_t *ret,
                      struct hearth_error *err)
{
    if (!config_parse_number(value, false, ret) || *ret < least || *ret > most) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "\"%.40s\" must be a whole number from %" PRIu64 " to %" PRIu64, value,
                           least, most);
    }
    return 0;
}

static int set_uid(struct hearth_config *config, struct hearth_config_client *client,
                   const char *value, struct hearth_error *err)
{
    uint64_t uid = 0;
    int rc = set_number(value, 0, UINT32_MAX - 1, &uid, err);
    const struct hearth_config_client *other =
        rc < 0 ? NULL : hearth_config_client(config, (uint32_t)uid);
    if (other != NULL) {
        return hearth_fail(err, HEARTH_E_CONFIG, "[client %.40s] has the same uid", other->name);
    }
    client->uid = (uint32_t)uid;
    return rc;
}

enum client_key { CLIENT_UID, CLIENT_WEIGHT, CLIENT_QUEUE_LIMIT, CLIENT_KEYS };

static const char *const key_names[CLIENT_KEYS] = {
    [CLIENT_UID] = "uid", [CLIENT_WEIGHT] = "weight", [CLIENT_QUEUE_LIMIT] = "queue_limit"};

static int set_key(struct hearth_config *config, struct hearth_config_client *client,
                   enum client_key key, const char *value, struct hearth_error *err)
{
    switch (key) {
    case CLIENT_UID: return set_uid(config, client, value, err);
    case CLIENT_WEIGHT: return set_number(value, 1, HEARTH_CONFIG_MAX_WEIGHT, &client->weight, err);
    case CLIENT_QUEUE_LIMIT: return set_number(value, 1, 65536, &client->queue_limit, err);
    case CLIENT_KEYS: break;
    }
    HEARTH_UNREACHABLE();
}

int config_take_client_key(struct hearth_config *config, const char *name, const char *key,
                           const char *value, struct hearth_error *err)
{
    unsigned at = 0;
    while (at < CLIENT_KEYS && strcmp(key_names[at], key) != 0) {
        at++;
    }
    if (name[0] == '\0' || at == CLIENT_KEYS) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "a [client NAME] section has uid, weight and queue_limit");
    }
    struct hearth_config_client *client = find_or_add(config, name, err);
    if (client == NULL) {
        return err->code;
    }
    if ((client->seen & (1u << at)) != 0) {
        return hearth_fail(err, HEARTH_E_CONFIG, "given twice for this client");
    }
    int rc = set_key(config, client, (enum client_key)at, value, err);
    client->seen |= 1u << at; /* after it: a section is not found by the uid that it sets */
    return rc;
}

int config_check_clients(const struct hearth_config *config, struct hearth_error *err)
{
    for (uint32_t i = 0; i < config->client_count; i++) {
        if ((config->clients[i].seen & (1u << CLIENT_UID)) == 0) {
            return hearth_fail(err, HEARTH_E_CONFIG, "[client %.40s] has no uid",
                               config->clients[i].name);
        }
    }
    return 0;
}

const struct hearth_config_client *hearth_config_client(const struct hearth_config *config,
                                                        uint32_t uid)
{
    for (uint32_t i = 0; i < config->client_count; i++) {
        if (config->clients[i].uid == uid && (config->clients[i].seen & (1u << CLIENT_UID)) != 0) {
            return &config->clients[i];
        }
    }
    return NULL;
}

int hearth_config_print_client(const struct hearth_config_client *client, struct hearth_buf *out)
{
    int rc = hearth_buf_printf(out, "uid = %" PRIu32 "\nweight = %" PRIu64 "\n", client->uid,
                               client->weight);
    if (rc == 0 && client->queue_limit != 0) {
        rc = hearth_buf_printf(out, "queue_limit = %" PRIu64 "\n", client->queue_limit);
    }
    return rc;
}
