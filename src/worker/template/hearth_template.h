/* hearth_template.h — renders the chat template of a model file: code from a file nobody vouches
 * for, over texts that a client wrote.
 *
 * The language is the part of Jinja that chat templates use; docs/internals/templates.md lists it.
 * What is not known is refused by name, with its line, when the template is parsed.
 *
 * Words: a *template* is parsed once and never changes, threads may share it; a *context* holds the
 * values of one rendering and is used by one thread at a time. A byte is *foreign* if it came out
 * of a value that the client wrote, through whatever the template did to it: what looks like a
 * special token in foreign bytes is none. All other bytes are the template's *own*.
 *
 * Nothing here blocks, reads a clock, a file or a setting, and nothing recurses without a limit. */

#ifndef HEARTH_TEMPLATE_H
#define HEARTH_TEMPLATE_H

#include "hearth_base.h"

/** What a template may cost. Reaching one is an error that names it. */
struct hearth_template_limits {
    size_t source_bytes;
    size_t nodes;        /* of the parsed template */
    unsigned depth;      /* of nesting: expressions and blocks in the source; values */
    unsigned calls;      /* evaluations inside each other while rendering, macros included */
    uint64_t steps;      /* of one rendering; one for each node, and more for long values */
    size_t output_bytes; /* of one rendering, and of each text it collects on the way */
    size_t memory_bytes; /* of the values of one rendering */
};

/** 256 KiB of source, 65,536 nodes, depth 100, 400 calls, 2 million steps, 1 MiB out, 64 MiB. */
struct hearth_template_limits hearth_template_default_limits(void);

struct hearth_template;

/**
 * Parses @source, which is copied. UNSUPPORTED names the line and what is unknown or wrong there;
 * TOO_LARGE names a limit; NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_template_create(struct hearth_slice source,
                                            const struct hearth_template_limits *limits,
                                            struct hearth_template **ret, struct hearth_error *err);
void hearth_template_destroy(struct hearth_template *template);
HEARTH_DEFINE_CLEANUP(hearth_template)

/** True if the template reads the variable @name anywhere. */
bool hearth_template_mentions(const struct hearth_template *template, const char *name);
/** True if a text of the template itself, literals included, contains @text. */
bool hearth_template_spells(const struct hearth_template *template, const char *text);

/* ── Values of one rendering ─────────────────────────────────────────────────────────────────── */

enum hearth_template_origin { HEARTH_TEMPLATE_OWN, HEARTH_TEMPLATE_FOREIGN };

struct hearth_template_context;
/** A value inside a context; lives until it is begun anew. NULL: a limit or memory was reached,
 * which hearth_template_render() reports; NULL may be handed to the calls below. */
struct hearth_template_value;

HEARTH_NODISCARD int hearth_template_context_create(const struct hearth_template_limits *limits,
                                                    struct hearth_template_context **ret,
                                                    struct hearth_error *err);
/** Wipes what the context held. */
void hearth_template_context_destroy(struct hearth_template_context *context);
HEARTH_DEFINE_CLEANUP(hearth_template_context)

/** Wipes and forgets all values and the text rendered; the variables are none. */
void hearth_template_begin(struct hearth_template_context *context);

/** The moment that strftime_now() tells: seconds since 1970, UTC. Without it there is no such
 *  function. */
void hearth_template_set_now(struct hearth_template_context *context, int64_t now_s);

struct hearth_template_value *hearth_template_none(struct hearth_template_context *context);
struct hearth_template_value *hearth_template_bool(struct hearth_template_context *context,
                                                   bool is_true);
/** @text is valid UTF-8, lent until the rendering is over. */
struct hearth_template_value *hearth_template_string(struct hearth_template_context *context,
                                                     struct hearth_slice text,
                                                     enum hearth_template_origin origin);
struct hearth_template_value *hearth_template_list(struct hearth_template_context *context);
struct hearth_template_value *hearth_template_object(struct hearth_template_context *context);
void hearth_template_append(struct hearth_template_context *context,
                            struct hearth_template_value *list,
                            const struct hearth_template_value *element);
/** Sets the member @key (lent, as a string) of @object. */
void hearth_template_set(struct hearth_template_context *context,
                         struct hearth_template_value *object, const char *key,
                         const struct hearth_template_value *value);
/** The member @key of @object, NULL if there is none; lent until the object changes. */
const struct hearth_template_value *hearth_template_get(const struct hearth_template_value *object,
                                                        const char *key);
/** The number of elements of a list or object; 0 for anything else. */
size_t hearth_template_count(const struct hearth_template_value *value);
const struct hearth_template_value *hearth_template_element(
    const struct hearth_template_value *list, size_t index);
bool hearth_template_is_string(const struct hearth_template_value *value);
bool hearth_template_is_object(const struct hearth_template_value *value);
bool hearth_template_is_list(const struct hearth_template_value *value);
/** Reads JSON; every text and number in it has @origin. INPUT_INVALID says where it is wrong,
 *  TOO_LARGE which limit it passes. */
HEARTH_NODISCARD int hearth_template_json(struct hearth_template_context *context,
                                          struct hearth_slice text,
                                          enum hearth_template_origin origin,
                                          struct hearth_template_value **ret,
                                          struct hearth_error *err);
/** Sets a variable of the template. */
void hearth_template_set_variable(struct hearth_template_context *context, const char *name,
                                  const struct hearth_template_value *value);

/* ── Rendering ───────────────────────────────────────────────────────────────────────────────── */

/**
 * Renders into the context. INPUT_INVALID: the template itself refuses (raise_exception(); of its
 * words only its own bytes are told); UNSUPPORTED: an operation that values do not have; TOO_LARGE
 * names a limit; NO_MEMORY. Errors name the line of the template and never what a client wrote.
 */
HEARTH_NODISCARD int hearth_template_render(const struct hearth_template *template,
                                            struct hearth_template_context *context,
                                            struct hearth_error *err);

/** What was rendered last, lent until the context is used again. */
struct hearth_slice hearth_template_output(const struct hearth_template_context *context);

/** The bytes from *@at (0 first) that have one origin, as long a stretch as there is; false at the
 *  end. Together they are the output. */
bool hearth_template_next(const struct hearth_template_context *context, size_t *at,
                          struct hearth_slice *ret, enum hearth_template_origin *ret_origin);

/** Steps that the last rendering took. */
uint64_t hearth_template_steps(const struct hearth_template_context *context);

#endif
