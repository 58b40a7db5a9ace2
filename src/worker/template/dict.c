/* dict.c — dicts: entries in the order of insertion, found through a table of slots. */

#include "value.h"

#include <math.h>

#define FEW_ENTRIES 8u /* up to here they are looked through */

uint32_t jinja_hash_bytes(struct hearth_slice bytes)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < bytes.size; i++) {
        hash = (hash ^ bytes.data[i]) * 16777619u;
    }
    return hash;
}

/* Equal values have equal hashes: 1, 1.0 and true are one key. */
static uint32_t hash_number(struct value value)
{
    double real = jinja_as_real(value);
    real = real == 0 ? 0 : real; /* both zeros */
    return jinja_hash_bytes(hearth_slice_of(&real, sizeof real));
}

uint32_t jinja_hash(struct hearth_template_context *context, struct value value)
{
    uint32_t hash = (uint32_t)value.kind * 2654435761u;
    if (value.kind == V_TEXT) {
        (void)jinja_spend_bytes(context, value.as.text.size);
        return jinja_hash_bytes(jinja_bytes(value));
    }
    if (jinja_is_number(value)) {
        return hash_number(value);
    }
    if (value.kind == V_TUPLE && jinja_enter(context)) {
        for (size_t i = 0; i < value.as.list->count && jinja_ok(context); i++) {
            hash = hash * 31 + jinja_hash(context, value.as.list->items[i]);
        }
        jinja_leave(context);
    } else if (value.kind == V_LIST || value.kind == V_DICT) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot be a key",
                         jinja_kind_name(value));
    }
    return hash;
}

struct value jinja_new_dict(struct hearth_template_context *context, enum value_kind kind)
{
    struct dict *dict = jinja_alloc(context, 1, sizeof *dict);
    return dict == NULL ? jinja_undefined(hearth_slice_of("", 0))
                        : (struct value){.kind = kind, .as.dict = dict};
}

static bool is_entry(struct hearth_template_context *context, const struct dict_entry *entry,
                     struct value key, uint32_t hash)
{
    return entry->hash == hash && jinja_equal(context, entry->key, key);
}

/* Every look costs a step, so keys chosen to collide end at the limit. */
static struct dict_entry *find(struct hearth_template_context *context, const struct dict *dict,
                               struct value key, uint32_t hash)
{
    if (dict->slot_count == 0) {
        for (size_t i = 0; i < dict->count && jinja_spend(context, 1); i++) {
            if (is_entry(context, &dict->entries[i], key, hash)) {
                return &dict->entries[i];
            }
        }
        return NULL;
    }
    size_t mask = dict->slot_count - 1;
    for (size_t at = hash & mask; dict->slots[at] != 0 && jinja_spend(context, 1);
         at = (at + 1) & mask) {
        struct dict_entry *entry = &dict->entries[dict->slots[at] - 1];
        if (is_entry(context, entry, key, hash)) {
            return entry;
        }
    }
    return NULL;
}

static void place(struct dict *dict, size_t index)
{
    size_t mask = dict->slot_count - 1;
    size_t at = dict->entries[index].hash & mask;
    while (dict->slots[at] != 0) {
        at = (at + 1) & mask;
    }
    dict->slots[at] = (uint32_t)index + 1;
}

static bool grow(struct hearth_template_context *context, struct dict *dict)
{
    size_t room = dict->room == 0 ? 4 : 2 * dict->room;
    struct dict_entry *entries = jinja_alloc(context, room, sizeof *entries);
    uint32_t *slots = room > FEW_ENTRIES ? jinja_alloc(context, 2 * room, sizeof *slots) : NULL;
    if (!jinja_ok(context)) {
        return false;
    }
    if (dict->count > 0) {
        memcpy(entries, dict->entries, dict->count * sizeof *entries);
    }
    dict->entries = entries;
    dict->room = room;
    dict->slots = slots;
    dict->slot_count = slots != NULL ? 2 * room : 0;
    for (size_t i = 0; i < dict->count && slots != NULL; i++) {
        place(dict, i);
    }
    return true;
}

void jinja_dict_set(struct hearth_template_context *context, struct dict *dict, struct value key,
                    struct value value)
{
    uint32_t hash = jinja_hash(context, key);
    struct dict_entry *entry = jinja_ok(context) ? find(context, dict, key, hash) : NULL;
    if (entry != NULL) {
        entry->value = value;
        return;
    }
    if (!jinja_ok(context) || (dict->count == dict->room && !grow(context, dict))) {
        return;
    }
    dict->entries[dict->count] = (struct dict_entry){key, value, hash};
    dict->count++;
    if (dict->slot_count > 0) {
        place(dict, dict->count - 1);
    }
}

const struct value *jinja_dict_get(struct hearth_template_context *context, const struct dict *dict,
                                   struct value key)
{
    uint32_t hash = jinja_hash(context, key);
    const struct dict_entry *entry = jinja_ok(context) ? find(context, dict, key, hash) : NULL;
    return entry == NULL ? NULL : &entry->value;
}

const struct value *jinja_dict_find(const struct dict *dict, struct hearth_slice key)
{
    for (size_t i = 0; i < dict->count; i++) {
        if (dict->entries[i].key.kind == V_TEXT &&
            hearth_slice_equal(jinja_bytes(dict->entries[i].key), key)) {
            return &dict->entries[i].value;
        }
    }
    return NULL;
}
