/* value.h — private to this room: the values of a rendering and what holds them.
 *
 * Values are small and copied; what they point to lives in the arena of the context and ends with
 * it. Texts never change. Errors are noted in the context (see jinja_fail()) and the functions go
 * on with an undefined value: whoever loops or returns to a caller looks at jinja_ok(). */

#ifndef HEARTH_JINJA_VALUE_H
#define HEARTH_JINJA_VALUE_H

#include "hearth_template.h"

enum value_kind {
    V_UNDEFINED, /* @name says what was not there, for the error */
    V_NONE,
    V_BOOL,
    V_INT,
    V_FLOAT,
    V_TEXT,
    V_LIST,
    V_TUPLE,
    V_RANGE,     /* a list that is shown as range() */
    V_GENERATOR, /* a list that can be gone through once */
    V_VIEW,      /* keys(), values(), items(): a list without indices */
    V_DICT,
    V_NAMESPACE,
    V_LOOP,
    V_MACRO,
    V_METHOD,
    V_FUNCTION,
};

struct list {
    struct value *items;
    size_t count;
    size_t room;
    bool is_used_up; /* a generator */
};

struct dict {
    struct dict_entry *entries; /* in the order of insertion */
    size_t count;
    size_t room;
    uint32_t *slots; /* index of an entry + 1 */
    size_t slot_count;
};

struct value {
    enum value_kind kind;
    bool is_foreign; /* of a text without marks: all of it; of a number: it came from outside */
    union {
        bool is_true;
        int64_t number;
        double real;
        struct {
            const uint8_t *data;
            size_t size;
            const uint8_t *marks; /* one a byte, 1: foreign; NULL: all as is_foreign says */
        } text;
        struct list *list;
        struct dict *dict;
        struct loop *loop;
        const struct macro *macro;
        const struct bound *bound;
        const struct function *function;
        struct hearth_slice name;
    } as;
};

struct dict_entry {
    struct value key;
    struct value value;
    uint32_t hash;
};

/* A name and what it stands for. */
struct variable {
    struct hearth_slice name;
    uint32_t hash;
    struct value value;
    struct variable *next;
};

struct scope {
    struct variable *variables;
    struct scope *outer; /* NULL: the whole template's */
};

struct loop {
    const struct list *items;
    size_t index; /* from 0 */
    struct value last_changed;
    bool has_changed_before;
};

struct macro {
    const struct node *node;
    struct scope *scope; /* where it was defined */
};

struct bound {
    struct value self;
    struct hearth_slice name;
};

struct hearth_template_value {
    struct value value;
};

struct hearth_template_context {
    struct hearth_template_limits limits;
    struct hearth_arena arena;
    struct dict *variables;
    struct hearth_buf out;   /* what is rendered; texts being collected are at its end */
    struct hearth_buf marks; /* of the same bytes */
    uint64_t steps;
    unsigned calls;
    uint32_t line; /* being rendered */
    int64_t now_s;
    bool has_now;
    int rc; /* the first error of this rendering, or of values before it */
    struct hearth_error error;
    struct scope *scope;
};

/* Arguments of a call, filter or test. */
#define JINJA_MAX_ARGUMENTS 16u
struct argument {
    struct hearth_slice name; /* empty: by position */
    struct value value;
};
struct arguments {
    struct argument all[JINJA_MAX_ARGUMENTS];
    size_t count;
    size_t positional;
};

/* ── Errors and limits (context.c) ───────────────────────────────────────────────────────────── */

static inline bool jinja_ok(const struct hearth_template_context *context)
{
    return context->rc == 0;
}
/* Notes the first error, with the line being rendered; the value that comes of it is undefined. */
struct value jinja_fail(struct hearth_template_context *context, int code, const char *format, ...)
    HEARTH_PRINTF(3, 4);
/* Counts steps; false, with the error noted, if there are no more. */
bool jinja_spend(struct hearth_template_context *context, uint64_t steps);
/* Counts what going over @bytes costs. */
bool jinja_spend_bytes(struct hearth_template_context *context, size_t bytes);
void *jinja_alloc(struct hearth_template_context *context, size_t count, size_t size);
/* One more evaluation inside another; false at the limit. Each that was true needs a leave. */
bool jinja_enter(struct hearth_template_context *context);
void jinja_leave(struct hearth_template_context *context);

/* ── Making values (value.c) ─────────────────────────────────────────────────────────────────── */

struct value jinja_undefined(struct hearth_slice name);
struct value jinja_none(void);
struct value jinja_bool(bool is_true);
struct value jinja_int(int64_t number);
struct value jinja_float(double real);
struct value jinja_text(struct hearth_slice text, bool is_foreign);
struct value jinja_string(const char *text); /* a constant of ours */
struct value jinja_new_list(struct hearth_template_context *context, enum value_kind kind);
void jinja_append(struct hearth_template_context *context, struct list *list, struct value value);

/* ── Asking values ───────────────────────────────────────────────────────────────────────────── */

bool jinja_is_number(struct value value); /* booleans are */
bool jinja_is_text(struct value value, const char *text);
bool jinja_is_sequence(struct value value); /* one of the kinds with a list */
double jinja_as_real(struct value number);
int64_t jinja_as_int(struct value number); /* of BOOL and INT */
bool jinja_truth(struct value value);
const char *jinja_kind_name(struct value value);
bool jinja_equal(struct hearth_template_context *context, struct value a, struct value b);
/* <0, 0, >0; notes an error if the two have no order. */
int jinja_compare(struct hearth_template_context *context, struct value a, struct value b);
bool jinja_contains(struct hearth_template_context *context, struct value in, struct value what);
uint32_t jinja_hash(struct hearth_template_context *context, struct value value);
uint32_t jinja_hash_bytes(struct hearth_slice bytes);
/* The elements to go through, characters of a text, keys of a dict; NULL and an error if none.
 * A generator is used up by it. */
struct list *jinja_elements(struct hearth_template_context *context, struct value value);
/* The index of an element counted from the end if negative; false if there is none. */
bool jinja_index(int64_t index, size_t count, size_t *ret);

/* ── Dicts (dict.c) ──────────────────────────────────────────────────────────────────────────── */

struct value jinja_new_dict(struct hearth_template_context *context, enum value_kind kind);
void jinja_dict_set(struct hearth_template_context *context, struct dict *dict, struct value key,
                    struct value value);
const struct value *jinja_dict_get(struct hearth_template_context *context, const struct dict *dict,
                                   struct value key);
const struct value *jinja_dict_find(const struct dict *dict, struct hearth_slice key);

/* ── Texts (text.c): characters are code points ──────────────────────────────────────────────── */

/* A text being put together at the end of the output; see jinja_text_end(). */
struct maker {
    struct hearth_template_context *context;
    size_t start;
};
struct hearth_slice jinja_bytes(struct value text);
struct maker jinja_text_begin(struct hearth_template_context *context);
/* The text of what was emitted since; takes it out of the output. */
struct value jinja_text_end(struct maker *maker);
void jinja_emit(struct hearth_template_context *context, struct hearth_slice bytes,
                bool is_foreign);
void jinja_emit_own(struct hearth_template_context *context, const char *text);
/* Bytes [@from, @from + @size) of a text with their marks. */
void jinja_emit_part(struct hearth_template_context *context, struct value text, size_t from,
                     size_t size);
void jinja_emit_text(struct hearth_template_context *context, struct value text);
bool jinja_mark_at(struct value text, size_t at);
/* Bytes [@from, @to) as a text of their own, sharing memory. */
struct value jinja_cut(struct value text, size_t from, size_t to);
size_t jinja_count_characters(struct value text);
/* Where the character @index begins; the size of the text if it has fewer. */
size_t jinja_byte_of(struct value text, size_t index);
size_t jinja_find(struct value text, struct value what, size_t from); /* SIZE_MAX: not there */
/* The last that ends at @to at the latest. */
size_t jinja_find_last(struct hearth_template_context *context, struct value text,
                       struct value what, size_t to);
bool jinja_is_space(uint32_t c);
uint32_t jinja_character(struct hearth_slice text, size_t at, size_t *ret_size);

/* text_edit.c */
enum text_case { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITALIZE };
enum text_side { SIDE_LEFT = 1, SIDE_RIGHT = 2, SIDE_BOTH = 3 };
struct value jinja_recase(struct hearth_template_context *context, struct value text,
                          enum text_case wanted);
/* @characters: V_TEXT of those to strip, or undefined for white space. */
struct value jinja_strip(struct hearth_template_context *context, struct value text,
                         struct value characters, enum text_side side);
struct value jinja_replace(struct hearth_template_context *context, struct value text,
                           struct value old, struct value new, int64_t most);
/* @separator undefined: at white space. @most < 0: everywhere. */
struct value jinja_split(struct hearth_template_context *context, struct value text,
                         struct value separator, int64_t most, bool is_from_right);
struct value jinja_split_lines(struct hearth_template_context *context, struct value text);
struct value jinja_join(struct hearth_template_context *context, struct value list,
                        struct value separator);

/* ── Showing (show.c, json.c) ────────────────────────────────────────────────────────────────── */

/* As str() does. */
struct value jinja_to_text(struct hearth_template_context *context, struct value value);
void jinja_emit_value(struct hearth_template_context *context, struct value value);
/* Shortest digits that give the same number; returns their count. */
#define JINJA_NUMBER_BYTES 40u
size_t jinja_show_number(struct value number, char room[JINJA_NUMBER_BYTES]);
struct json_style {
    bool is_ascii;
    bool is_sorted;
    struct value indent; /* V_INT, V_TEXT or none */
    struct value item_separator;
    struct value key_separator;
};
struct value jinja_to_json(struct hearth_template_context *context, struct value value,
                           const struct json_style *style);

/* ── Operations (operate.c, call.c, filter.c, test.c, global.c) ──────────────────────────────── */

enum operation {
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_FLOOR_DIVIDE,
    OP_MODULO,
    OP_POWER,
    OP_NEGATE,
    OP_PLUS,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IN,
    OP_NOT_IN,
};
struct value jinja_operate(struct hearth_template_context *context, enum operation op,
                           struct value left, struct value right);
struct value jinja_unary(struct hearth_template_context *context, enum operation op,
                         struct value value);
bool jinja_relate(struct hearth_template_context *context, enum operation op, struct value left,
                  struct value right);
struct value jinja_attribute(struct hearth_template_context *context, struct value of,
                             struct value name);
struct value jinja_item(struct hearth_template_context *context, struct value of, struct value key);
struct value jinja_slice(struct hearth_template_context *context, struct value of,
                         struct value start, struct value stop, struct value step);
struct value jinja_call(struct hearth_template_context *context, struct value callee,
                        const struct arguments *arguments);

/* The argument @index, or the one called @name; undefined if neither is there. */
struct value jinja_argument(const struct arguments *arguments, size_t index, const char *name);
bool jinja_has_argument(const struct arguments *arguments, size_t index, const char *name);
/* False, with an error, if there are more than @most or one has a name not in @names (separated by
 * spaces, in the order of their places). */
bool jinja_check_arguments(struct hearth_template_context *context, const char *what,
                           const struct arguments *arguments, size_t least, const char *names);
int64_t jinja_int_argument(struct hearth_template_context *context,
                           const struct arguments *arguments, size_t index, const char *name,
                           int64_t otherwise);

typedef struct value (*jinja_filter_call)(struct hearth_template_context *context,
                                          struct value value, const struct arguments *arguments);
struct jinja_filter {
    const char *name;
    const char *names; /* of its arguments, separated by spaces */
    size_t least;
    jinja_filter_call call;
};
extern const struct jinja_filter jinja_list_filters[]; /* the last has no name */
const struct jinja_filter *jinja_find_filter(struct hearth_slice name);
struct value jinja_filter(struct hearth_template_context *context,
                          const struct jinja_filter *filter, struct value value,
                          const struct arguments *arguments);

struct jinja_test {
    const char *name;
    size_t arguments;
    bool (*call)(struct hearth_template_context *context, struct value value, struct value with);
};
const struct jinja_test *jinja_find_test(struct hearth_slice name);

bool jinja_is_method(struct hearth_slice name); /* of any kind of value */
bool jinja_has_method(struct value of, struct hearth_slice name);
struct value jinja_call_method(struct hearth_template_context *context, const struct bound *bound,
                               const struct arguments *arguments);

struct function {
    const char *name;
    struct value (*call)(struct hearth_template_context *context,
                         const struct arguments *arguments);
};
const struct function *jinja_find_function(struct hearth_slice name);
/* date.c */
struct value jinja_strftime_now(struct hearth_template_context *context,
                                const struct arguments *arguments);
/* render.c */
struct value jinja_call_macro(struct hearth_template_context *context, const struct macro *macro,
                              const struct arguments *arguments);

#endif
