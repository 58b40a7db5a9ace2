/* json.h — small readers of tokenizer.json that name what is wrong. */

#ifndef HEARTH_PATTERN_JSON_H
#define HEARTH_PATTERN_JSON_H

#include "hearth_base.h"

#include <yyjson.h>

/** HEARTH_E_MODEL_INVALID: "@where: @what". */
int tokenizer_invalid(struct hearth_error *err, const char *where, const char *what);

/** HEARTH_E_UNSUPPORTED: names the "type" of @value, or @value itself if it is a text. */
int tokenizer_unsupported(struct hearth_error *err, const char *where, yyjson_val *value);

/** Of two equal keys one reader takes the first and another the last: refused. Also if @object is
 * none, or has more than a few entries. */
HEARTH_NODISCARD int json_check_keys(yyjson_val *object, const char *where,
                                     struct hearth_error *err);

/** A bool that must be there; one that may be missing or null, and is then @missing. */
HEARTH_NODISCARD int json_bool(yyjson_val *object, const char *key, const char *where, bool *ret,
                               struct hearth_error *err);
HEARTH_NODISCARD int json_bool_or(yyjson_val *object, const char *key, const char *where,
                                  bool missing, bool *ret, struct hearth_error *err);

/** The list @key of the type Sequence @value, of at most HEARTH_TOKENIZER_MAX_STEPS, at most
 * HEARTH_TOKENIZER_MAX_DEPTH deep. */
HEARTH_NODISCARD int json_sequence(yyjson_val *value, const char *key, const char *where,
                                   unsigned depth, yyjson_val **ret, struct hearth_error *err);

/** A text of at most HEARTH_TOKENIZER_MAX_PIECE_BYTES, copied into @arena; NUL is a character. */
HEARTH_NODISCARD int json_text(yyjson_val *object, const char *key, const char *where,
                               struct hearth_arena *arena, struct hearth_slice *ret,
                               struct hearth_error *err);
HEARTH_NODISCARD int json_char(yyjson_val *object, const char *key, const char *where,
                               uint32_t *ret, struct hearth_error *err);

/** False if @value is no text or holds a NUL. Lends the bytes for the life of the document. */
bool json_string(yyjson_val *value, struct hearth_slice *ret);

bool json_is_type(yyjson_val *value, const char *name); /* its "type" */
bool json_is_absent(yyjson_val *value);                 /* missing or null */

#endif
