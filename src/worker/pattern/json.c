/* json.c — small readers of tokenizer.json that name what is wrong. */

#include "json.h"

#include "tokenizer_limits.h"

#include <stdio.h>
#include <string.h>

#define MOST_KEYS 32 /* of any object but the vocabulary */

int tokenizer_invalid(struct hearth_error *err, const char *where, const char *what)
{
    return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%s: %s", where, what);
}

/* Names the type that @value asks for. It comes from a file, so only plain letters are repeated. */
int tokenizer_unsupported(struct hearth_error *err, const char *where, yyjson_val *value)
{
    char name[48] = "without a type";
    const char *text = yyjson_get_str(yyjson_obj_get(value, "type"));
    if (text == NULL) {
        text = yyjson_get_str(value);
    }
    if (text != NULL) {
        snprintf(name, sizeof name, "%s", text);
        for (char *c = name; *c != '\0'; c++) {
            bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                            (*c >= '0' && *c <= '9') || *c == '_';
            *c = is_plain ? *c : '?';
        }
    }
    return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%s: %s is not supported", where, name);
}

bool json_string(yyjson_val *value, struct hearth_slice *ret)
{
    const char *text = yyjson_get_str(value);
    if (text == NULL || strlen(text) != yyjson_get_len(value)) {
        return false;
    }
    *ret = hearth_slice_of(text, yyjson_get_len(value));
    return true;
}

int json_bool(yyjson_val *object, const char *key, const char *where, bool *ret,
              struct hearth_error *err)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    if (!yyjson_is_bool(value)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%s: \"%s\" is not true or false", where,
                           key);
    }
    *ret = yyjson_get_bool(value);
    return 0;
}

int json_bool_or(yyjson_val *object, const char *key, const char *where, bool missing, bool *ret,
                 struct hearth_error *err)
{
    if (json_is_absent(yyjson_obj_get(object, key))) {
        *ret = missing;
        return 0;
    }
    return json_bool(object, key, where, ret, err);
}

bool json_is_type(yyjson_val *value, const char *name)
{
    return yyjson_equals_str(yyjson_obj_get(value, "type"), name);
}

bool json_is_absent(yyjson_val *value)
{
    return value == NULL || yyjson_is_null(value);
}

/* Of two equal keys one reader takes the first and another the last: refused. */
int json_check_keys(yyjson_val *object, const char *where, struct hearth_error *err)
{
    if (!yyjson_is_obj(object) || yyjson_obj_size(object) > MOST_KEYS) {
        return tokenizer_invalid(err, where, "it is not an object of a few entries");
    }
    const char *seen[MOST_KEYS];
    size_t i = 0;
    size_t max = 0;
    yyjson_val *key = NULL;
    yyjson_val *value = NULL;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        (void)value;
        seen[i] = yyjson_get_str(key);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(seen[i], seen[j]) == 0) {
                return tokenizer_invalid(err, where, "one key occurs twice");
            }
        }
    }
    return 0;
}

int json_text(yyjson_val *object, const char *key, const char *where, struct hearth_arena *arena,
              struct hearth_slice *ret, struct hearth_error *err)
{
    yyjson_val *text = yyjson_obj_get(object, key);
    size_t size = yyjson_get_len(text);
    if (!yyjson_is_str(text) || size > HEARTH_TOKENIZER_MAX_PIECE_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%s.%s: not a text of at most %u bytes",
                           where, key, HEARTH_TOKENIZER_MAX_PIECE_BYTES);
    }
    char *copy = hearth_arena_copy(arena, hearth_slice_of(yyjson_get_str(text), size));
    if (copy == NULL) {
        return hearth_fail_oom(err);
    }
    *ret = hearth_slice_of(copy, size);
    return 0;
}

int json_char(yyjson_val *object, const char *key, const char *where, uint32_t *ret,
              struct hearth_error *err)
{
    yyjson_val *text = yyjson_obj_get(object, key);
    struct hearth_slice bytes = hearth_slice_of(yyjson_get_str(text), yyjson_get_len(text));
    if (!yyjson_is_str(text) || bytes.size == 0 || hearth_utf8_read(bytes, 0, ret) != bytes.size) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%s.%s: not one character", where, key);
    }
    return 0;
}

int json_sequence(yyjson_val *value, const char *key, const char *where, unsigned depth,
                  yyjson_val **ret, struct hearth_error *err)
{
    yyjson_val *list = yyjson_obj_get(value, key);
    if (!yyjson_is_arr(list)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "%s: a Sequence without the list %s", where,
                           key);
    }
    if (yyjson_arr_size(list) > HEARTH_TOKENIZER_MAX_STEPS || depth == HEARTH_TOKENIZER_MAX_DEPTH) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "%s: a Sequence of more than %u steps, or more than %u deep", where,
                           HEARTH_TOKENIZER_MAX_STEPS, HEARTH_TOKENIZER_MAX_DEPTH);
    }
    *ret = list;
    return 0;
}
