/* schema_object.c — members of objects, in the order of the schema.
 *
 * Whether a comma comes first depends on whether any member came before, so for each property there
 * is a rule for what follows when something stands already, and the way to begin with it. */

#include "schema.h"

#include <stdlib.h>

#define MAX_EXCLUDED_BYTES 128u /* of a name: one rule a character, and one level of recursion */

struct members {
    struct schema *schema;
    const struct constraint *constraint;
    uint32_t count;
    struct {
        yyjson_val *name; /* a string: the key, or an element of `required` */
        bool is_required;
    } all[HEARTH_GRAMMAR_MAX_PROPERTIES];
    uint32_t comma, colon;
};

static void add_name(struct members *members, yyjson_val *name, bool is_required)
{
    for (uint32_t i = 0; i < members->count; i++) {
        if (yyjson_equals(members->all[i].name, name)) {
            members->all[i].is_required = members->all[i].is_required || is_required;
            return;
        }
    }
    if (members->count == HEARTH_GRAMMAR_MAX_PROPERTIES) {
        schema_fail(members->schema, HEARTH_E_TOO_LARGE, name, "more than %u properties",
                    HEARTH_GRAMMAR_MAX_PROPERTIES);
        return;
    }
    members->all[members->count].name = name;
    members->all[members->count++].is_required = is_required;
}

static void add_properties(struct members *members, yyjson_val *properties)
{
    size_t index = 0;
    size_t count = 0;
    yyjson_val *key = NULL;
    yyjson_val *value = NULL;
    if (!yyjson_is_obj(properties)) {
        schema_fail(members->schema, HEARTH_E_INPUT_INVALID, properties, "an object is expected");
        return;
    }
    yyjson_obj_foreach(properties, index, count, key, value)
    {
        if (yyjson_obj_getn(properties, yyjson_get_str(key), yyjson_get_len(key)) != value) {
            schema_fail(members->schema, HEARTH_E_INPUT_INVALID, value, "this name is there twice");
            return;
        }
        add_name(members, key, false);
        if (members->schema->draft->code != 0) {
            return;
        }
    }
}

static void add_required(struct members *members, yyjson_val *required)
{
    size_t index = 0;
    size_t count = 0;
    yyjson_val *name = NULL;
    if (!yyjson_is_arr(required)) {
        schema_fail(members->schema, HEARTH_E_INPUT_INVALID, required, "a list is expected");
        return;
    }
    yyjson_arr_foreach(required, index, count, name)
    {
        if (!yyjson_is_str(name)) {
            schema_fail(members->schema, HEARTH_E_INPUT_INVALID, name, "a name is expected");
            return;
        }
        add_name(members, name, true);
    }
}

static void gather_members(struct members *members)
{
    const struct constraint *constraint = members->constraint;
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *properties = schema_keyword(constraint, i, "properties");
        if (properties != NULL) {
            add_properties(members, properties);
        }
    }
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *required = schema_keyword(constraint, i, "required");
        if (required != NULL) {
            add_required(members, required);
        }
    }
}

/* What holds for the member @name, or for all that are not named if it is NULL. */
static uint32_t member_value(struct members *members, yyjson_val *name)
{
    const struct constraint *constraint = members->constraint;
    struct constraint value = {0};
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *properties = schema_keyword(constraint, i, "properties");
        yyjson_val *own =
            name == NULL ? NULL
                         : yyjson_obj_getn(properties, yyjson_get_str(name), yyjson_get_len(name));
        yyjson_val *holds =
            own != NULL ? own : schema_keyword(constraint, i, "additionalProperties");
        if (holds != NULL && !yyjson_is_true(holds)) {
            schema_hold(members->schema, &value, holds);
        }
    }
    return schema_value(members->schema, &value);
}

/* One member, as a rule: it is used where it begins the object and where it goes on. */
static uint32_t member(struct members *members, yyjson_val *name)
{
    struct draft *draft = members->schema->draft;
    uint32_t rule = draft_rule(draft, DRAFT_NO_NAME, 0);
    uint32_t text = draft_text(draft, schema_text(members->schema, name));
    uint32_t key = draft_sequence(draft, text, members->colon);
    draft_write_rule(draft, rule, draft_sequence(draft, key, member_value(members, name)));
    return draft_call(draft, rule);
}

/* ---- members that are not named -------------------------------------------------------------- */

/* They may come unless a schema names properties and does not say so. */
static bool allows_others(const struct members *members)
{
    const struct constraint *constraint = members->constraint;
    bool is_said = false;
    bool are_named = false;
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *others = schema_keyword(constraint, i, "additionalProperties");
        if (yyjson_is_false(others)) {
            return false;
        }
        is_said = is_said || others != NULL;
        are_named = are_named || schema_keyword(constraint, i, "properties") != NULL;
    }
    return is_said || !are_named;
}

/* Characters of a name that has no escapes, so that no name can be written in two ways. */
static void plain_characters(struct characters *set)
{
    characters_clear(set);
    characters_add(set, ' ', '!');
    characters_add(set, '#', '[');
    characters_add(set, ']', CHARACTERS_LAST);
}

/* The rest of a name that is none of the known ones, which are equal up to @at and sorted. */
static uint32_t other_name(struct schema *schema, const struct hearth_slice *names, size_t count,
                           size_t at)
{
    struct draft *draft = schema->draft;
    struct characters *set = &schema->set;
    bool is_taken = count > 0 && names[0].size == at;
    uint32_t rule = draft_rule(draft, DRAFT_NO_NAME, 0);
    uint32_t all = is_taken ? DRAFT_NEVER : DRAFT_EMPTY;
    size_t i = 0;
    while (i < count && names[i].size == at) {
        i++;
    }
    size_t first = i;
    while (i < count && draft->code == 0) {
        uint32_t ignored = 0;
        unsigned size = hearth_utf8_read(names[i], at, &ignored);
        size_t same = i + 1;
        while (same < count && names[same].size >= at + size &&
               memcmp(names[same].data + at, names[i].data + at, size) == 0) {
            same++;
        }
        uint32_t text = draft_text(draft, hearth_slice_of(names[i].data + at, size));
        uint32_t rest = other_name(schema, names + i, same - i, at + size);
        all = draft_choice(draft, all, draft_sequence(draft, text, rest));
        i = same;
    }
    plain_characters(set);
    uint32_t any = draft_repeat(draft, draft_characters(draft, set), 0, DRAFT_UNLIMITED);
    plain_characters(set);
    for (i = first; i < count; i++) {
        uint32_t character = 0;
        (void)hearth_utf8_read(names[i], at, &character);
        characters_remove(set, character, character);
    }
    uint32_t other = draft_characters(draft, set);
    all = draft_choice(draft, all, draft_sequence(draft, other, any));
    draft_write_rule(draft, rule, all);
    return draft_call(draft, rule);
}

static int compare_names(const void *left, const void *right)
{
    const struct hearth_slice *a = left;
    const struct hearth_slice *b = right;
    size_t both = HEARTH_MIN(a->size, b->size);
    int order = both == 0 ? 0 : memcmp(a->data, b->data, both);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static uint32_t other_member(struct members *members)
{
    struct schema *schema = members->schema;
    struct draft *draft = schema->draft;
    struct hearth_slice names[HEARTH_GRAMMAR_MAX_PROPERTIES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        yyjson_val *name = members->all[i].name;
        names[count] = hearth_slice_of(yyjson_get_str(name), yyjson_get_len(name));
        if (names[count].size > MAX_EXCLUDED_BYTES) {
            return schema_fail(schema, HEARTH_E_TOO_LARGE, name,
                               "beside other members a name has at most %u bytes",
                               MAX_EXCLUDED_BYTES);
        }
        count++;
    }
    qsort(names, count, sizeof *names, compare_names);
    uint32_t quote = draft_string(draft, "\"");
    uint32_t key = draft_sequence(draft, quote, other_name(schema, names, count, 0));
    key = draft_sequence(draft, draft_sequence(draft, key, quote), members->colon);
    uint32_t rule = draft_rule(draft, DRAFT_NO_NAME, 0);
    draft_write_rule(draft, rule, draft_sequence(draft, key, member_value(members, NULL)));
    return draft_call(draft, rule);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* From the last property to the first: what follows @i once something stands, and what can begin.
 */
static uint32_t all_members(struct members *members)
{
    struct draft *draft = members->schema->draft;
    uint32_t after = DRAFT_EMPTY;
    uint32_t begin = DRAFT_EMPTY;
    if (allows_others(members)) {
        uint32_t other = other_member(members);
        uint32_t more = draft_sequence(draft, members->comma, other);
        after = draft_repeat(draft, more, 0, DRAFT_UNLIMITED);
        begin = draft_optional(draft, draft_sequence(draft, other, after));
    }
    for (uint32_t i = members->count; i > 0 && draft->code == 0; i--) {
        uint32_t own = member(members, members->all[i - 1].name);
        uint32_t next = draft_sequence(draft, own, after);
        uint32_t more = draft_sequence(draft, members->comma, own);
        uint32_t rule = draft_rule(draft, DRAFT_NO_NAME, 0);
        if (members->all[i - 1].is_required) {
            begin = next;
        } else {
            begin = draft_choice(draft, begin, next);
            more = draft_optional(draft, more);
        }
        draft_write_rule(draft, rule, draft_sequence(draft, more, after));
        after = draft_call(draft, rule);
    }
    return begin;
}

uint32_t schema_object(struct schema *schema, const struct constraint *constraint)
{
    struct members *members = hearth_arena_alloc(&schema->arena, 1, sizeof *members);
    struct draft *draft = schema->draft;
    if (members == NULL) {
        return draft_fail(draft, HEARTH_E_NO_MEMORY, "out of memory");
    }
    members->schema = schema;
    members->constraint = constraint;
    members->comma = schema_separator(schema, ',');
    members->colon = schema_separator(schema, ':');
    gather_members(members);
    uint32_t inside = all_members(members);
    uint32_t open = draft_sequence(draft, draft_string(draft, "{"), inside);
    return draft_sequence(draft, open, draft_string(draft, "}"));
}
