/* schema.h — private to this room: JSON schemas become rules.
 *
 * A *constraint* is a list of schemas that must all hold for one value: allOf and $ref add to it,
 * anyOf and oneOf make several of it. Each constraint is one rule, so what refers to itself ends.
 * Rules are written from a list of those that are still to be written, never by recursion. */

#ifndef HEARTH_GRAMMAR_SCHEMA_H
#define HEARTH_GRAMMAR_SCHEMA_H

#include "characters.h"

#include <yyjson.h>

#define SCHEMA_MAX_PARTS    32u    /* schemas that hold for one value */
#define SCHEMA_MAX_BRANCHES 16384u /* combinations of anyOf, in all */
#define SCHEMA_NOBODY       UINT8_MAX
#define SCHEMA_BUCKETS      1024u

enum schema_type {
    TYPE_NULL = 1,
    TYPE_BOOLEAN = 2,
    TYPE_INTEGER = 4,
    TYPE_FRACTION = 8, /* numbers that are not whole */
    TYPE_STRING = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
    TYPE_ANY = 127,
};

struct constraint {
    uint32_t count;
    uint64_t chosen; /* bit 2i: the branch of anyOf of part i is in the list; 2i + 1: oneOf */
    yyjson_val *parts[SCHEMA_MAX_PARTS];
    uint8_t by[SCHEMA_MAX_PARTS]; /* the part that brought each in, or SCHEMA_NOBODY */
};

struct schema_rule {
    struct schema_rule *same_bucket;
    struct schema_rule *next_to_write;
    struct constraint constraint;
    uint32_t rule;
};

struct schema {
    struct draft *draft;
    yyjson_val *root;
    struct hearth_arena arena;
    struct schema_rule *buckets[SCHEMA_BUCKETS];
    struct schema_rule *first_to_write;
    uint32_t branches;
    uint32_t any_rule, text_rule, character_rule; /* + 1; 0 while not needed */
    struct characters set;
};

/* ---- schema.c -------------------------------------------------------------------------------- */

/** Refuses @value of the schema; the text is preceded by where it stands. */
uint32_t schema_fail(struct schema *schema, int code, const yyjson_val *value, const char *format,
                     ...) HEARTH_PRINTF(4, 5);

/** A value for which @constraint holds: a call of its rule, which is written later. */
uint32_t schema_value(struct schema *schema, const struct constraint *constraint);

void schema_hold(struct schema *schema, struct constraint *constraint, yyjson_val *part);

/** The keyword of a part, or NULL. */
static inline yyjson_val *schema_keyword(const struct constraint *constraint, uint32_t part,
                                         const char *keyword)
{
    return yyjson_obj_get(constraint->parts[part], keyword);
}

/** A count such as minLength: the largest (or least) of all parts, @missing if there is none. */
uint32_t schema_count(struct schema *schema, const struct constraint *constraint,
                      const char *keyword, bool wants_largest, uint32_t missing);

/** `,` or `:` and at most one space. */
uint32_t schema_separator(struct schema *schema, char sign);

/** JSON text of a value: compact. */
struct hearth_slice schema_text(struct schema *schema, yyjson_val *value);

/* ---- one file each --------------------------------------------------------------------------- */

uint32_t schema_object(struct schema *schema, const struct constraint *constraint);
uint32_t schema_array(struct schema *schema, const struct constraint *constraint);
uint32_t schema_number(struct schema *schema, const struct constraint *constraint, bool is_whole);
uint32_t schema_string(struct schema *schema, const struct constraint *constraint);

/** One character within a string, written in any way; and one in the ways that json.dumps writes.
 */
uint32_t schema_character(struct schema *schema);
uint32_t schema_characters(struct schema *schema, struct characters *set);

/** A regular expression, of what stands between the quotes; how many characters that has. */
struct pattern {
    uint32_t expr;
    uint32_t min;
    uint32_t max; /* or DRAFT_UNLIMITED */
};
struct pattern schema_pattern(struct schema *schema, struct hearth_slice text,
                              const yyjson_val *where);

#endif
