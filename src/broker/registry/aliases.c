/* aliases.c — names that stand for models, and what a name means. */

#include "hearth_registry.h"

#include <stdio.h>
#include <string.h>

static struct hearth_alias *find(const struct hearth_registry *registry, struct hearth_slice name)
{
    for (uint32_t i = 0; i < registry->alias_count; i++) {
        if (hearth_slice_equals_string(name, registry->aliases[i].name)) {
            return (struct hearth_alias *)(uintptr_t)&registry->aliases[i];
        }
    }
    return NULL;
}

const struct hearth_alias *hearth_registry_alias(const struct hearth_registry *registry,
                                                 struct hearth_slice name)
{
    return find(registry, name);
}

/* ---- what a name means -------------------------------------------------------------------- */

static bool is_version_of(const struct hearth_model *model, struct hearth_slice name)
{
    return model->is_used && strlen(model->id) > name.size && name.size > 0 &&
           memcmp(model->id, name.data, name.size) == 0 && model->id[name.size] == '@';
}

/* The model with that id, or the only version of it. */
static struct hearth_model *find_model(struct hearth_registry *registry, struct hearth_slice name)
{
    struct hearth_model *found = hearth_registry_find(registry, name);
    struct hearth_model *version = NULL;
    uint32_t versions = 0;
    for (uint32_t i = 0; found == NULL && i < HEARTH_MAX_MODELS; i++) {
        if (is_version_of(&registry->models[i], name)) {
            version = &registry->models[i];
            versions++;
        }
    }
    return versions == 1 ? version : found;
}

struct hearth_model *hearth_registry_resolve(struct hearth_registry *registry,
                                             struct hearth_slice name, uint32_t *ret_generation)
{
    const struct hearth_alias *alias = find(registry, name);
    if (ret_generation != NULL) {
        *ret_generation = alias != NULL ? alias->generation : 0;
    }
    return find_model(registry, alias != NULL ? hearth_slice_of_string(alias->model_id) : name);
}

/* Writes "a@1", "a@2", … as far as they fit; returns how many there are. */
static uint32_t list_versions(const struct hearth_registry *registry, struct hearth_slice name,
                              char *room, size_t room_bytes)
{
    uint32_t count = 0;
    size_t used = 0;
    room[0] = '\0';
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        if (!is_version_of(&registry->models[i], name)) {
            continue;
        }
        int size = snprintf(room + used, room_bytes - used, "%s\"%s\"", count > 0 ? ", " : "",
                            registry->models[i].id);
        used = size > 0 && (size_t)size < room_bytes - used ? used + (size_t)size : room_bytes - 1;
        count++;
    }
    return count;
}

int hearth_registry_explain(struct hearth_registry *registry, struct hearth_slice name,
                            struct hearth_error *err)
{
    char versions[120];
    const struct hearth_alias *alias = find(registry, name);
    struct hearth_slice id = alias != NULL ? hearth_slice_of_string(alias->model_id) : name;
    if (list_versions(registry, id, versions, sizeof versions) > 1) {
        return hearth_fail(err, HEARTH_E_NO_MODEL, "\"%.*s\" has several versions; name one of %s",
                           (int)HEARTH_MIN(id.size, 60u), (const char *)id.data, versions);
    }
    if (alias != NULL) {
        return hearth_fail(err, HEARTH_E_NO_MODEL,
                           "alias \"%.60s\" stands for \"%.60s\", which is in none of the model "
                           "folders of this daemon",
                           alias->name, alias->model_id);
    }
    return hearth_fail(err, HEARTH_E_NO_MODEL,
                       "model \"%.*s\" is in none of the model folders of this daemon",
                       HEARTH_SLICE_ARGS(name));
}

/* ---- changing ----------------------------------------------------------------------------- */

static struct hearth_alias *add(struct hearth_registry *registry, const char *name,
                                struct hearth_error *err)
{
    if (!hearth_model_id_is_valid(name) || strchr(name, '@') != NULL) {
        hearth_fail(err, HEARTH_E_ARGUMENT,
                    "alias \"%.60s\": must be of A-Z a-z 0-9 . _ - and begin with none of . -",
                    name);
        return NULL;
    }
    if (registry->alias_count == HEARTH_MAX_ALIASES) {
        hearth_fail(err, HEARTH_E_TOO_LARGE, "alias \"%.60s\": there are %u already; remove one",
                    name, HEARTH_MAX_ALIASES);
        return NULL;
    }
    struct hearth_alias *alias = &registry->aliases[registry->alias_count++];
    *alias = (struct hearth_alias){0};
    snprintf(alias->name, sizeof alias->name, "%s", name);
    return alias;
}

int hearth_registry_set_alias(struct hearth_registry *registry, const char *name,
                              const char *model_id, uint32_t first, uint32_t *ret_generation,
                              struct hearth_error *err)
{
    if (!hearth_model_id_is_valid(model_id)) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "alias \"%.60s\": \"%.60s\" is no model id",
                           name, model_id);
    }
    struct hearth_alias *alias = find(registry, hearth_slice_of_string(name));
    bool is_new = alias == NULL;
    if (is_new && (alias = add(registry, name, err)) == NULL) {
        return err != NULL ? err->code : HEARTH_E_ARGUMENT;
    }
    if (is_new) {
        alias->generation = first;
    } else if (strcmp(alias->model_id, model_id) != 0) {
        alias->generation += alias->generation < UINT32_MAX ? 1 : 0;
    }
    snprintf(alias->model_id, sizeof alias->model_id, "%s", model_id);
    if (ret_generation != NULL) {
        *ret_generation = alias->generation;
    }
    return 0;
}

bool hearth_registry_remove_alias(struct hearth_registry *registry, struct hearth_slice name)
{
    struct hearth_alias *alias = find(registry, name);
    if (alias == NULL) {
        return false;
    }
    size_t behind = (size_t)(&registry->aliases[registry->alias_count] - (alias + 1));
    memmove(alias, alias + 1, behind * sizeof *alias);
    registry->alias_count--;
    return true;
}

bool hearth_registry_is_aliased(const struct hearth_registry *registry,
                                const struct hearth_model *model, const char *name)
{
    for (uint32_t i = 0; i < registry->alias_count; i++) {
        const struct hearth_alias *alias = &registry->aliases[i];
        if (strcmp(alias->model_id, model->id) == 0 &&
            (name == NULL || strcmp(alias->name, name) != 0)) {
            return true;
        }
    }
    return false;
}
