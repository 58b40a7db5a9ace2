/* schema.c — what holds for a value: references, combinations, types, enumerations. See schema.h.
 */

#include "automaton.h"
#include "schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_JSON_DEPTH (3u * HEARTH_GRAMMAR_MAX_NESTING) /* a schema in a schema is two levels */
#define MAX_ARENA      (64u << 20)
#define POINTER_BYTES  96u

/* ---- where a value stands -------------------------------------------------------------------- */

/* Keys come from outside: what could steer a terminal is not repeated. */
static void add_step(char *pointer, size_t *size, const char *text)
{
    if (*size + 1 < POINTER_BYTES) {
        pointer[(*size)++] = '/';
    }
    for (; *text != '\0' && *size + 1 < POINTER_BYTES; text++) {
        bool is_plain = *text > ' ' && *text < 0x7F && *text != '"';
        pointer[(*size)++] = is_plain ? *text : '?';
    }
}

/* Values of a document lie behind one another, each container followed by all that is in it. */
static bool holds(const yyjson_val *container, const yyjson_val *value)
{
    return container <= value && value < unsafe_yyjson_get_next((yyjson_val *)container);
}

static yyjson_val *child_with(yyjson_val *container, const yyjson_val *value, char *step,
                              size_t step_bytes)
{
    size_t index = 0;
    size_t count = 0;
    yyjson_val *key = NULL;
    yyjson_val *child = NULL;
    if (yyjson_is_arr(container)) {
        yyjson_arr_foreach(container, index, count, child)
        {
            if (holds(child, value)) {
                (void)snprintf(step, step_bytes, "%zu", index);
                return child;
            }
        }
    } else if (yyjson_is_obj(container)) {
        yyjson_obj_foreach(container, index, count, key, child)
        {
            if (holds(child, value)) {
                (void)snprintf(step, step_bytes, "%s", yyjson_get_str(key));
                return child;
            }
        }
    }
    return NULL;
}

uint32_t schema_fail(struct schema *schema, int code, const yyjson_val *value, const char *format,
                     ...)
{
    char pointer[POINTER_BYTES];
    size_t size = 0;
    char step[POINTER_BYTES];
    for (yyjson_val *at = schema->root; at != NULL && at != value;) {
        at = child_with(at, value, step, sizeof step);
        if (at != NULL) {
            add_step(pointer, &size, step);
        }
    }
    pointer[size] = '\0';
    char text[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return draft_fail(schema->draft, code, "schema at \"%s\": %s", pointer, text);
}

/* ---- keywords -------------------------------------------------------------------------------- */

enum keyword_kind { KEYWORD_NOTE, KEYWORD_STRUCTURE, KEYWORD_VALUE, KEYWORD_RULE };

static const struct {
    const char *name;
    enum keyword_kind kind;
    uint32_t types; /* that it is about */
} keywords[] = {
    {"title", KEYWORD_NOTE, 0},
    {"description", KEYWORD_NOTE, 0},
    {"default", KEYWORD_NOTE, 0},
    {"examples", KEYWORD_NOTE, 0},
    {"deprecated", KEYWORD_NOTE, 0},
    {"readOnly", KEYWORD_NOTE, 0},
    {"writeOnly", KEYWORD_NOTE, 0},
    {"$comment", KEYWORD_NOTE, 0},
    {"$schema", KEYWORD_NOTE, 0},
    {"$id", KEYWORD_NOTE, 0},
    {"$defs", KEYWORD_NOTE, 0},
    {"definitions", KEYWORD_NOTE, 0},
    {"$ref", KEYWORD_STRUCTURE, 0},
    {"allOf", KEYWORD_STRUCTURE, 0},
    {"anyOf", KEYWORD_STRUCTURE, 0},
    {"oneOf", KEYWORD_STRUCTURE, 0},
    {"type", KEYWORD_VALUE, 0},
    {"enum", KEYWORD_VALUE, 0},
    {"const", KEYWORD_VALUE, 0},
    {"properties", KEYWORD_RULE, TYPE_OBJECT},
    {"required", KEYWORD_RULE, TYPE_OBJECT},
    {"additionalProperties", KEYWORD_RULE, TYPE_OBJECT},
    {"items", KEYWORD_RULE, TYPE_ARRAY},
    {"prefixItems", KEYWORD_RULE, TYPE_ARRAY},
    {"minItems", KEYWORD_RULE, TYPE_ARRAY},
    {"maxItems", KEYWORD_RULE, TYPE_ARRAY},
    {"minLength", KEYWORD_RULE, TYPE_STRING},
    {"maxLength", KEYWORD_RULE, TYPE_STRING},
    {"pattern", KEYWORD_RULE, TYPE_STRING},
    {"format", KEYWORD_RULE, TYPE_STRING},
    {"minimum", KEYWORD_RULE, TYPE_INTEGER | TYPE_FRACTION},
    {"maximum", KEYWORD_RULE, TYPE_INTEGER | TYPE_FRACTION},
    {"exclusiveMinimum", KEYWORD_RULE, TYPE_INTEGER | TYPE_FRACTION},
    {"exclusiveMaximum", KEYWORD_RULE, TYPE_INTEGER | TYPE_FRACTION},
};

/* The number of a keyword, or HEARTH_COUNT(keywords). */
static size_t find_keyword(const yyjson_val *key)
{
    size_t i = 0;
    while (i < HEARTH_COUNT(keywords) && !yyjson_equals_str((yyjson_val *)key, keywords[i].name)) {
        i++;
    }
    return i;
}

static void check_keywords(struct schema *schema, yyjson_val *part)
{
    uint64_t seen = 0;
    size_t index = 0;
    size_t count = 0;
    yyjson_val *key = NULL;
    yyjson_val *value = NULL;
    yyjson_obj_foreach(part, index, count, key, value)
    {
        size_t number = find_keyword(key);
        if (number == HEARTH_COUNT(keywords)) {
            schema_fail(schema, HEARTH_E_UNSUPPORTED, value, "this keyword is not supported");
            return;
        }
        if ((seen >> number & 1) != 0) {
            schema_fail(schema, HEARTH_E_INPUT_INVALID, value, "this keyword is there twice");
            return;
        }
        seen |= UINT64_C(1) << number;
        if (part != schema->root && yyjson_equals_str(key, "$id")) {
            schema_fail(schema, HEARTH_E_UNSUPPORTED, value,
                        "only the whole schema may have an $id");
            return;
        }
    }
}

/* ---- gathering what holds -------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static yyjson_val *resolve(struct schema *schema, yyjson_val *ref)
{
    const char *text = yyjson_get_str(ref);
    char pointer[512];
    size_t size = 0;
    if (text == NULL || text[0] != '#' || (text[1] != '/' && text[1] != '\0')) {
        schema_fail(schema, HEARTH_E_UNSUPPORTED, ref,
                    "only references that begin with #/ are known");
        return NULL;
    }
    for (const char *c = text + 1; *c != '\0' && size < sizeof pointer; c++) {
        char byte = *c;
        if (byte == '%' && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0) {
            byte = (char)(hex_digit(c[1]) * 16 + hex_digit(c[2]));
            c += 2;
        }
        pointer[size++] = byte;
    }
    yyjson_val *target =
        size < sizeof pointer ? yyjson_ptr_getn(schema->root, pointer, size) : NULL;
    if (target == NULL) {
        schema_fail(schema, HEARTH_E_INPUT_INVALID, ref, "this reference leads nowhere");
    }
    return target;
}

struct gathering {
    struct schema *schema;
    struct constraint *into;
    bool is_never;
};

static void gather(struct gathering *gathering, yyjson_val *part, uint8_t by);

static void gather_all(struct gathering *gathering, yyjson_val *list, uint8_t by)
{
    size_t index = 0;
    size_t count = 0;
    yyjson_val *part = NULL;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0) {
        schema_fail(gathering->schema, HEARTH_E_INPUT_INVALID, list,
                    "a list of schemas is expected");
        return;
    }
    yyjson_arr_foreach(list, index, count, part)
    {
        gather(gathering, part, by);
    }
}

/* True if @part is what brought @by in, directly or through others. */
static bool is_ancestor(const struct constraint *constraint, const yyjson_val *part, uint8_t by)
{
    while (by != SCHEMA_NOBODY && constraint->parts[by] != part) {
        by = constraint->by[by];
    }
    return by != SCHEMA_NOBODY;
}

/* Each level adds a part, so this recurses no deeper than there are parts. */
static void gather(struct gathering *gathering, yyjson_val *part, uint8_t by)
{
    struct schema *schema = gathering->schema;
    struct constraint *into = gathering->into;
    if (schema->draft->code != 0 || yyjson_is_true(part)) {
        return;
    }
    if (yyjson_is_false(part)) {
        gathering->is_never = true;
        return;
    }
    if (!yyjson_is_obj(part)) {
        schema_fail(schema, HEARTH_E_INPUT_INVALID, part, "a schema is expected");
        return;
    }
    if (is_ancestor(into, part, by)) {
        schema_fail(schema, HEARTH_E_INPUT_INVALID, part, "this refers to itself");
        return;
    }
    for (uint32_t i = 0; i < into->count; i++) {
        if (into->parts[i] == part) {
            return;
        }
    }
    check_keywords(schema, part);
    uint8_t own = (uint8_t)into->count;
    schema_hold(schema, into, part);
    if (schema->draft->code != 0) {
        return;
    }
    into->by[own] = by;
    yyjson_val *ref = yyjson_obj_get(part, "$ref");
    yyjson_val *target = ref == NULL ? NULL : resolve(schema, ref);
    if (target != NULL) {
        gather(gathering, target, own);
    }
    yyjson_val *all = yyjson_obj_get(part, "allOf");
    if (all != NULL) {
        gather_all(gathering, all, own);
    }
}

void schema_hold(struct schema *schema, struct constraint *constraint, yyjson_val *part)
{
    if (constraint->count == SCHEMA_MAX_PARTS) {
        schema_fail(schema, HEARTH_E_TOO_LARGE, part, "more than %u schemas hold for one value",
                    SCHEMA_MAX_PARTS);
        return;
    }
    constraint->parts[constraint->count++] = part;
}

/* ---- types and enumerations ------------------------------------------------------------------ */

static uint32_t type_by_name(struct schema *schema, yyjson_val *name)
{
    static const struct {
        const char *name;
        uint32_t types;
    } names[] = {
        {"null", TYPE_NULL},       {"boolean", TYPE_BOOLEAN},
        {"integer", TYPE_INTEGER}, {"number", TYPE_INTEGER | TYPE_FRACTION},
        {"string", TYPE_STRING},   {"array", TYPE_ARRAY},
        {"object", TYPE_OBJECT},
    };
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        if (yyjson_equals_str(name, names[i].name)) {
            return names[i].types;
        }
    }
    return schema_fail(schema, HEARTH_E_INPUT_INVALID, name, "this is not the name of a type");
}

static uint32_t types_of_keyword(struct schema *schema, yyjson_val *type)
{
    if (!yyjson_is_arr(type)) {
        return type_by_name(schema, type);
    }
    uint32_t types = 0;
    size_t index = 0;
    size_t count = 0;
    yyjson_val *name = NULL;
    yyjson_arr_foreach(type, index, count, name)
    {
        types |= type_by_name(schema, name);
    }
    return types;
}

/* A schema that names no type is about the types that its keywords are about. */
static uint32_t types_of(struct schema *schema, const struct constraint *constraint)
{
    uint32_t named = TYPE_ANY;
    uint32_t meant = 0;
    bool is_named = false;
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *type = schema_keyword(constraint, i, "type");
        if (type != NULL) {
            named &= types_of_keyword(schema, type);
            is_named = true;
        }
        for (size_t k = 0; k < HEARTH_COUNT(keywords); k++) {
            bool is_there = schema_keyword(constraint, i, keywords[k].name) != NULL;
            meant |= is_there ? keywords[k].types : 0;
        }
    }
    return is_named || meant == 0 ? named : meant;
}

static uint32_t type_of_value(yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL: return TYPE_NULL;
    case YYJSON_TYPE_BOOL: return TYPE_BOOLEAN;
    case YYJSON_TYPE_NUM: return yyjson_is_int(value) ? TYPE_INTEGER : TYPE_FRACTION;
    case YYJSON_TYPE_STR: return TYPE_STRING;
    case YYJSON_TYPE_ARR: return TYPE_ARRAY;
    case YYJSON_TYPE_OBJ: return TYPE_OBJECT;
    default: return 0;
    }
}

static bool list_has(yyjson_val *list, yyjson_val *wanted)
{
    size_t index = 0;
    size_t count = 0;
    yyjson_val *value = NULL;
    yyjson_arr_foreach(list, index, count, value)
    {
        if (yyjson_equals(value, wanted)) {
            return true;
        }
    }
    return false;
}

/* True if all lists but @own have @value. */
static bool is_listed(const struct constraint *constraint, yyjson_val *value, yyjson_val *own)
{
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *only = schema_keyword(constraint, i, "const");
        yyjson_val *list = schema_keyword(constraint, i, "enum");
        if ((only != NULL && !yyjson_equals(only, value)) ||
            (list != NULL && list != own && !list_has(list, value))) {
            return false;
        }
    }
    return true;
}

struct hearth_slice schema_text(struct schema *schema, yyjson_val *value)
{
    size_t size = 0;
    char *text = yyjson_val_write(value, YYJSON_WRITE_NOFLAG, &size);
    char *kept =
        text == NULL ? NULL : hearth_arena_copy(&schema->arena, hearth_slice_of(text, size));
    free(text);
    if (kept == NULL) {
        draft_fail(schema->draft, HEARTH_E_NO_MEMORY, "out of memory");
        return hearth_slice_of(NULL, 0);
    }
    return hearth_slice_of(kept, size);
}

/* A certain value, with the spaces that others may have too. Recurses as deep as the schema is. */
static uint32_t literal(struct schema *schema, yyjson_val *value)
{
    struct draft *draft = schema->draft;
    size_t index = 0;
    size_t count = 0;
    yyjson_val *key = NULL;
    yyjson_val *child = NULL;
    uint32_t all = DRAFT_EMPTY;
    if (!yyjson_is_ctn(value)) {
        return draft_text(draft, schema_text(schema, value));
    }
    uint32_t comma = schema_separator(schema, ',');
    uint32_t colon = schema_separator(schema, ':');
    bool is_list = yyjson_is_arr(value);
    yyjson_arr_foreach(value, index, count, child)
    {
        all = draft_sequence(draft, all, index == 0 ? DRAFT_EMPTY : comma);
        all = draft_sequence(draft, all, literal(schema, child));
    }
    yyjson_obj_foreach(value, index, count, key, child)
    {
        all = draft_sequence(draft, all, index == 0 ? DRAFT_EMPTY : comma);
        all = draft_sequence(draft, all, draft_text(draft, schema_text(schema, key)));
        all = draft_sequence(draft, all, colon);
        all = draft_sequence(draft, all, literal(schema, child));
    }
    all = draft_sequence(draft, draft_string(draft, is_list ? "[" : "{"), all);
    return draft_sequence(draft, all, draft_string(draft, is_list ? "]" : "}"));
}

/* Beside an enumeration the types alone can be told; all else would need a validator. */
static void check_beside_list(struct schema *schema, const struct constraint *constraint)
{
    for (uint32_t i = 0; i < constraint->count; i++) {
        for (size_t k = 0; k < HEARTH_COUNT(keywords); k++) {
            yyjson_val *value = schema_keyword(constraint, i, keywords[k].name);
            if (value != NULL && keywords[k].kind == KEYWORD_RULE) {
                schema_fail(schema, HEARTH_E_UNSUPPORTED, value,
                            "this keyword is not supported beside enum or const");
                return;
            }
        }
    }
}

static uint32_t listed(struct schema *schema, const struct constraint *constraint, uint32_t types,
                       yyjson_val *list, yyjson_val *only)
{
    check_beside_list(schema, constraint);
    size_t most = only != NULL ? 1 : yyjson_arr_size(list);
    struct hearth_slice *texts =
        hearth_arena_alloc(&schema->arena, HEARTH_MAX(most, (size_t)1), sizeof *texts);
    if (texts == NULL) {
        return draft_fail(schema->draft, HEARTH_E_NO_MEMORY, "out of memory");
    }
    size_t kept = 0;
    uint32_t others = DRAFT_NEVER;
    yyjson_arr_iter each = yyjson_arr_iter_with(list);
    for (size_t i = 0; i < most && schema->draft->code == 0; i++) {
        yyjson_val *value = only != NULL ? only : yyjson_arr_iter_next(&each);
        if ((type_of_value(value) & types) == 0 || !is_listed(constraint, value, list)) {
            continue;
        }
        if (yyjson_is_ctn(value)) {
            others = draft_choice(schema->draft, others, literal(schema, value));
        } else {
            texts[kept++] = schema_text(schema, value);
        }
    }
    if (schema->draft->code != 0) {
        return DRAFT_NEVER;
    }
    return draft_choice(schema->draft, draft_texts(schema->draft, texts, kept), others);
}

/* ---- values ---------------------------------------------------------------------------------- */

uint32_t schema_separator(struct schema *schema, char sign)
{
    const char text[2] = {sign, '\0'};
    return draft_sequence(schema->draft, draft_string(schema->draft, text),
                          draft_optional(schema->draft, draft_string(schema->draft, " ")));
}

static uint32_t value_of_types(struct schema *schema, const struct constraint *constraint,
                               uint32_t types)
{
    struct draft *draft = schema->draft;
    uint32_t all = DRAFT_NEVER;
    if ((types & TYPE_OBJECT) != 0) {
        all = draft_choice(draft, all, schema_object(schema, constraint));
    }
    if ((types & TYPE_ARRAY) != 0) {
        all = draft_choice(draft, all, schema_array(schema, constraint));
    }
    if ((types & TYPE_STRING) != 0) {
        all = draft_choice(draft, all, schema_string(schema, constraint));
    }
    if ((types & (TYPE_INTEGER | TYPE_FRACTION)) != 0) {
        bool is_whole = (types & TYPE_FRACTION) == 0;
        all = draft_choice(draft, all, schema_number(schema, constraint, is_whole));
    }
    if ((types & TYPE_BOOLEAN) != 0) {
        all = draft_choice(draft, all, draft_string(draft, "true"));
        all = draft_choice(draft, all, draft_string(draft, "false"));
    }
    if ((types & TYPE_NULL) != 0) {
        all = draft_choice(draft, all, draft_string(draft, "null"));
    }
    return all;
}

/* All combinations are resolved. */
static uint32_t simple_value(struct schema *schema, const struct constraint *constraint)
{
    uint32_t types = types_of(schema, constraint);
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *only = schema_keyword(constraint, i, "const");
        yyjson_val *list = schema_keyword(constraint, i, "enum");
        if (list != NULL && !yyjson_is_arr(list)) {
            return schema_fail(schema, HEARTH_E_INPUT_INVALID, list, "a list is expected");
        }
        if (only != NULL || list != NULL) {
            return listed(schema, constraint, types, list, only);
        }
    }
    return value_of_types(schema, constraint, types);
}

static uint32_t value_of(struct schema *schema, const struct constraint *constraint,
                         uint32_t depth);

static uint32_t branches(struct schema *schema, const struct constraint *constraint,
                         yyjson_val *list, uint32_t choice, uint32_t depth)
{
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0) {
        return schema_fail(schema, HEARTH_E_INPUT_INVALID, list, "a list of schemas is expected");
    }
    schema->branches += (uint32_t)yyjson_arr_size(list);
    if (depth == HEARTH_GRAMMAR_MAX_NESTING || schema->branches > SCHEMA_MAX_BRANCHES) {
        return schema_fail(schema, HEARTH_E_TOO_LARGE, list, "too many combinations");
    }
    uint32_t all = DRAFT_NEVER;
    yyjson_arr_iter each = yyjson_arr_iter_with(list);
    for (yyjson_val *part = NULL; (part = yyjson_arr_iter_next(&each)) != NULL;) {
        struct constraint branch = *constraint;
        branch.chosen |= UINT64_C(1) << choice;
        struct gathering gathering = {.schema = schema, .into = &branch};
        gather(&gathering, part, (uint8_t)(choice / 2));
        if (!gathering.is_never && schema->draft->code == 0) {
            all = draft_choice(schema->draft, all, value_of(schema, &branch, depth + 1));
        }
    }
    return all;
}

static uint32_t value_of(struct schema *schema, const struct constraint *constraint, uint32_t depth)
{
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *any = schema_keyword(constraint, i, "anyOf");
        if (any != NULL && (constraint->chosen >> (2 * i) & 1) == 0) {
            return branches(schema, constraint, any, 2 * i, depth);
        }
        yyjson_val *one = schema_keyword(constraint, i, "oneOf");
        if (one != NULL && (constraint->chosen >> (2 * i + 1) & 1) == 0) {
            return branches(schema, constraint, one, 2 * i + 1, depth);
        }
    }
    return simple_value(schema, constraint);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int compare_parts(const void *left, const void *right)
{
    yyjson_val *const *a = left;
    yyjson_val *const *b = right;
    return (*a > *b) - (*a < *b);
}

static struct schema_rule *add_rule(struct schema *schema, const struct constraint *constraint,
                                    uint64_t hash)
{
    struct schema_rule *rule = hearth_arena_alloc(&schema->arena, 1, sizeof *rule);
    if (rule == NULL) {
        draft_fail(schema->draft, HEARTH_E_NO_MEMORY, "out of memory");
        return NULL;
    }
    rule->constraint = *constraint;
    rule->rule = draft_rule(schema->draft, DRAFT_NO_NAME, 0);
    rule->same_bucket = schema->buckets[hash % SCHEMA_BUCKETS];
    schema->buckets[hash % SCHEMA_BUCKETS] = rule;
    rule->next_to_write = schema->first_to_write;
    schema->first_to_write = rule;
    return rule;
}

uint32_t schema_value(struct schema *schema, const struct constraint *constraint)
{
    struct constraint key = *constraint;
    qsort(key.parts, key.count, sizeof *key.parts, compare_parts);
    uint64_t hash = key.count;
    for (uint32_t i = 0; i < key.count; i++) {
        hash = (hash ^ (uintptr_t)key.parts[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    struct schema_rule *rule = schema->buckets[hash % SCHEMA_BUCKETS];
    while (rule != NULL &&
           (rule->constraint.count != key.count ||
            memcmp(rule->constraint.parts, key.parts, key.count * sizeof *key.parts) != 0)) {
        rule = rule->same_bucket;
    }
    if (rule == NULL) {
        rule = add_rule(schema, &key, hash);
    }
    return rule == NULL ? DRAFT_NEVER : draft_call(schema->draft, rule->rule);
}

static void write_rule(struct schema *schema, struct schema_rule *rule)
{
    struct constraint all = {0};
    struct gathering gathering = {.schema = schema, .into = &all};
    for (uint32_t i = 0; i < rule->constraint.count; i++) {
        gather(&gathering, rule->constraint.parts[i], SCHEMA_NOBODY);
    }
    uint32_t expr =
        gathering.is_never || schema->draft->code != 0 ? DRAFT_NEVER : value_of(schema, &all, 0);
    draft_write_rule(schema->draft, rule->rule, expr);
}

uint32_t schema_count(struct schema *schema, const struct constraint *constraint,
                      const char *keyword, bool wants_largest, uint32_t missing)
{
    uint32_t found = missing;
    bool is_first = true;
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *value = schema_keyword(constraint, i, keyword);
        if (value == NULL) {
            continue;
        }
        if (!yyjson_is_uint(value)) {
            return schema_fail(schema, HEARTH_E_INPUT_INVALID, value, "a count is expected");
        }
        if (yyjson_get_uint(value) > HEARTH_GRAMMAR_MAX_COUNT) {
            return schema_fail(schema, HEARTH_E_TOO_LARGE, value, "at most %u is possible",
                               HEARTH_GRAMMAR_MAX_COUNT);
        }
        uint32_t count = (uint32_t)yyjson_get_uint(value);
        found = is_first        ? count
                : wants_largest ? HEARTH_MAX(found, count)
                                : HEARTH_MIN(found, count);
        is_first = false;
    }
    return found;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Before it is parsed: what compares and writes values of a document recurses on them. */
static bool is_shallow(struct hearth_slice json)
{
    uint32_t depth = 0;
    bool is_text = false;
    for (size_t i = 0; i < json.size && depth <= MAX_JSON_DEPTH; i++) {
        uint8_t byte = json.data[i];
        if (is_text) {
            i += byte == '\\';
            is_text = byte != '"';
        } else {
            is_text = byte == '"';
            depth += byte == '[' || byte == '{';
            depth -= depth > 0 && (byte == ']' || byte == '}');
        }
    }
    return depth <= MAX_JSON_DEPTH;
}

static int compile(yyjson_doc *doc, struct hearth_grammar **ret, struct hearth_error *err)
{
    HEARTH_AUTO(draft) struct draft draft;
    draft_init(&draft, err);
    HEARTH_AUTO(hearth_block) void *block = hearth_alloc(1, sizeof(struct schema));
    struct schema *schema = block;
    if (schema == NULL) {
        return hearth_fail_oom(err);
    }
    schema->draft = &draft;
    schema->root = yyjson_doc_get_root(doc);
    hearth_arena_init(&schema->arena, MAX_ARENA);
    struct constraint root = {.count = 1, .parts = {schema->root}};
    schema_value(schema, &root);
    while (schema->first_to_write != NULL && draft.code == 0) {
        struct schema_rule *rule = schema->first_to_write;
        schema->first_to_write = rule->next_to_write;
        write_rule(schema, rule);
    }
    int rc = grammar_compile(&draft, ret);
    hearth_arena_finish(&schema->arena);
    return rc;
}

int hearth_grammar_schema(struct hearth_slice json, struct hearth_grammar **ret,
                          struct hearth_error *err)
{
    struct hearth_error own;
    err = err != NULL ? err : &own;
    if (json.size > HEARTH_GRAMMAR_MAX_SOURCE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "a schema of more than %u bytes",
                           HEARTH_GRAMMAR_MAX_SOURCE_BYTES);
    }
    if (!is_shallow(json)) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "the schema nests more than %u levels deep",
                           MAX_JSON_DEPTH);
    }
    yyjson_read_err why;
    /* The flag keeps it from writing; the text is copied. */
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)json.data, json.size, YYJSON_READ_NOFLAG, NULL, &why);
    if (doc == NULL) {
        return why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
                   ? hearth_fail_oom(err)
                   : hearth_fail(err, HEARTH_E_INPUT_INVALID,
                                 "the schema is not JSON: %s at byte %zu", why.msg, why.pos);
    }
    int rc = compile(doc, ret, err);
    yyjson_doc_free(doc);
    return rc;
}
