/* method.c — the methods of strings, lists, dicts and loops. None changes its object. */

#include "value.h"

#include <utf8proc.h>

typedef struct value (*method_call)(struct hearth_template_context *context, struct value self,
                                    const struct arguments *arguments);
struct method {
    const char *name;
    const char *names; /* of its arguments; "-": one without a name */
    size_t least;
    method_call call;
};

static struct value argument(const struct arguments *arguments, size_t index)
{
    return index < arguments->positional ? arguments->all[index].value : jinja_none();
}

static struct value want_text(struct hearth_template_context *context, struct value value)
{
    if (value.kind == V_TEXT) {
        return value;
    }
    (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "a method wants a string and gets %s",
                     jinja_kind_name(value));
    return jinja_string("");
}

/* ── Strings ─────────────────────────────────────────────────────────────────────────────────── */

static struct value strip(struct hearth_template_context *context, struct value self,
                          const struct arguments *arguments, enum text_side side)
{
    struct value characters = argument(arguments, 0);
    if (characters.kind != V_NONE) {
        characters = want_text(context, characters);
    }
    return jinja_strip(context, self, characters, side);
}

static struct value str_strip(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    return strip(context, self, arguments, SIDE_BOTH);
}

static struct value str_lstrip(struct hearth_template_context *context, struct value self,
                               const struct arguments *arguments)
{
    return strip(context, self, arguments, SIDE_LEFT);
}

static struct value str_rstrip(struct hearth_template_context *context, struct value self,
                               const struct arguments *arguments)
{
    return strip(context, self, arguments, SIDE_RIGHT);
}

static struct value split(struct hearth_template_context *context, struct value self,
                          const struct arguments *arguments, bool is_from_right)
{
    struct value separator = jinja_has_argument(arguments, 0, "sep")
                                 ? jinja_argument(arguments, 0, "sep")
                                 : jinja_none();
    int64_t most = jinja_int_argument(context, arguments, 1, "maxsplit", -1);
    if (separator.kind != V_NONE) {
        separator = want_text(context, separator);
    }
    return jinja_ok(context) ? jinja_split(context, self, separator, most, is_from_right) : self;
}

static struct value str_split(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    return split(context, self, arguments, false);
}

static struct value str_rsplit(struct hearth_template_context *context, struct value self,
                               const struct arguments *arguments)
{
    return split(context, self, arguments, true);
}

static struct value str_splitlines(struct hearth_template_context *context, struct value self,
                                   const struct arguments *arguments)
{
    (void)arguments;
    return jinja_split_lines(context, self);
}

static bool has_affix(struct value self, struct value affix, bool is_end)
{
    size_t size = affix.as.text.size;
    if (affix.kind != V_TEXT || size > self.as.text.size) {
        return false;
    }
    size_t at = is_end ? self.as.text.size - size : 0;
    return memcmp(self.as.text.data + at, affix.as.text.data, size) == 0;
}

static struct value affix(struct hearth_template_context *context, struct value self,
                          const struct arguments *arguments, bool is_end)
{
    struct value wanted = argument(arguments, 0);
    if (wanted.kind != V_TUPLE) {
        return jinja_bool(has_affix(self, want_text(context, wanted), is_end) && jinja_ok(context));
    }
    bool is_found = false;
    for (size_t i = 0; i < wanted.as.list->count && jinja_spend(context, 1) && !is_found; i++) {
        is_found = has_affix(self, want_text(context, wanted.as.list->items[i]), is_end);
    }
    return jinja_bool(is_found);
}

static struct value str_startswith(struct hearth_template_context *context, struct value self,
                                   const struct arguments *arguments)
{
    return affix(context, self, arguments, false);
}

static struct value str_endswith(struct hearth_template_context *context, struct value self,
                                 const struct arguments *arguments)
{
    return affix(context, self, arguments, true);
}

static struct value str_removeprefix(struct hearth_template_context *context, struct value self,
                                     const struct arguments *arguments)
{
    struct value what = want_text(context, argument(arguments, 0));
    size_t from = has_affix(self, what, false) ? what.as.text.size : 0;
    return jinja_cut(self, from, self.as.text.size);
}

static struct value str_removesuffix(struct hearth_template_context *context, struct value self,
                                     const struct arguments *arguments)
{
    struct value what = want_text(context, argument(arguments, 0));
    size_t size = has_affix(self, what, true) ? what.as.text.size : 0;
    return jinja_cut(self, 0, self.as.text.size - size);
}

static struct value str_upper(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    (void)arguments;
    return jinja_recase(context, self, CASE_UPPER);
}

static struct value str_lower(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    (void)arguments;
    return jinja_recase(context, self, CASE_LOWER);
}

static struct value str_title(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    (void)arguments;
    return jinja_recase(context, self, CASE_TITLE);
}

static struct value str_capitalize(struct hearth_template_context *context, struct value self,
                                   const struct arguments *arguments)
{
    (void)arguments;
    return jinja_recase(context, self, CASE_CAPITALIZE);
}

static struct value str_replace(struct hearth_template_context *context, struct value self,
                                const struct arguments *arguments)
{
    struct value old = want_text(context, argument(arguments, 0));
    struct value new = want_text(context, argument(arguments, 1));
    int64_t most = jinja_int_argument(context, arguments, 2, "", -1);
    return jinja_ok(context) ? jinja_replace(context, self, old, new, most) : self;
}

static struct value str_join(struct hearth_template_context *context, struct value self,
                             const struct arguments *arguments)
{
    struct list *list = jinja_elements(context, argument(arguments, 0));
    for (size_t i = 0; list != NULL && i < list->count && jinja_ok(context); i++) {
        (void)want_text(context, list->items[i]);
    }
    return list == NULL || !jinja_ok(context)
               ? self
               : jinja_join(context, (struct value){.kind = V_LIST, .as.list = list}, self);
}

static struct value find(struct hearth_template_context *context, struct value self,
                         const struct arguments *arguments, bool is_last)
{
    struct value what = want_text(context, argument(arguments, 0));
    (void)jinja_spend_bytes(context, self.as.text.size);
    size_t at = is_last ? jinja_find_last(context, self, what, self.as.text.size)
                        : jinja_find(self, what, 0);
    return jinja_int(at == SIZE_MAX ? -1 : (int64_t)jinja_count_characters(jinja_cut(self, 0, at)));
}

static struct value str_find(struct hearth_template_context *context, struct value self,
                             const struct arguments *arguments)
{
    return find(context, self, arguments, false);
}

static struct value str_rfind(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    return find(context, self, arguments, true);
}

static struct value str_index(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    struct value at = find(context, self, arguments, false);
    return at.as.number >= 0
               ? at
               : jinja_fail(context, HEARTH_E_UNSUPPORTED, "index() of what is not there");
}

static struct value str_count(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    struct value what = want_text(context, argument(arguments, 0));
    int64_t count = 0;
    (void)jinja_spend_bytes(context, self.as.text.size);
    if (what.as.text.size == 0) {
        return jinja_int((int64_t)jinja_count_characters(self) + 1);
    }
    for (size_t at = jinja_find(self, what, 0); at != SIZE_MAX;
         at = jinja_find(self, what, at + what.as.text.size)) {
        count++;
    }
    return jinja_int(count);
}

/* ── What all characters of a string are ─────────────────────────────────────────────────────── */

static bool is_letter(utf8proc_category_t category)
{
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

static bool is_of_class(uint32_t c, char class)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    bool is_digit = category == UTF8PROC_CATEGORY_ND;
    return class == 's'   ? jinja_is_space(c)
           : class == 'd' ? is_digit
           : class == 'a' ? is_letter(category)
                          : is_digit || is_letter(category);
}

static struct value all_are(struct hearth_template_context *context, struct value self, char class)
{
    size_t size = 0;
    bool are_all = self.as.text.size > 0;
    (void)jinja_spend_bytes(context, self.as.text.size);
    for (size_t at = 0; at < self.as.text.size && are_all; at += size) {
        are_all = is_of_class(jinja_character(jinja_bytes(self), at, &size), class);
    }
    return jinja_bool(are_all);
}

#define CLASS_METHOD(name, class)                                                                  \
    static struct value name(struct hearth_template_context *context, struct value self,           \
                             const struct arguments *arguments)                                    \
    {                                                                                              \
        (void)arguments;                                                                           \
        return all_are(context, self, class);                                                      \
    }
CLASS_METHOD(str_isspace, 's')
CLASS_METHOD(str_isdigit, 'd')
CLASS_METHOD(str_isalpha, 'a')
CLASS_METHOD(str_isalnum, 'n')
#undef CLASS_METHOD

static struct value str_isupper(struct hearth_template_context *context, struct value self,
                                const struct arguments *arguments)
{
    (void)arguments;
    return jinja_bool(
        jinja_find_test(hearth_slice_of_string("upper"))->call(context, self, jinja_none()));
}

static struct value str_islower(struct hearth_template_context *context, struct value self,
                                const struct arguments *arguments)
{
    (void)arguments;
    return jinja_bool(
        jinja_find_test(hearth_slice_of_string("lower"))->call(context, self, jinja_none()));
}

/* ── Lists, dicts, loops ─────────────────────────────────────────────────────────────────────── */

static struct value list_count(struct hearth_template_context *context, struct value self,
                               const struct arguments *arguments)
{
    int64_t count = 0;
    for (size_t i = 0; i < self.as.list->count && jinja_spend(context, 1); i++) {
        count += jinja_equal(context, self.as.list->items[i], argument(arguments, 0));
    }
    return jinja_int(count);
}

static struct value list_index(struct hearth_template_context *context, struct value self,
                               const struct arguments *arguments)
{
    for (size_t i = 0; i < self.as.list->count && jinja_spend(context, 1); i++) {
        if (jinja_equal(context, self.as.list->items[i], argument(arguments, 0))) {
            return jinja_int((int64_t)i);
        }
    }
    return jinja_fail(context, HEARTH_E_UNSUPPORTED, "index() of what is not there");
}

static struct value view(struct hearth_template_context *context, struct value self, bool with_keys,
                         bool with_values)
{
    struct value list = jinja_new_list(context, V_VIEW);
    for (size_t i = 0; i < self.as.dict->count && jinja_spend(context, 1); i++) {
        const struct dict_entry *entry = &self.as.dict->entries[i];
        struct value value = with_keys ? entry->key : entry->value;
        if (with_keys && with_values) {
            value = jinja_new_list(context, V_TUPLE);
            jinja_append(context, value.as.list, entry->key);
            jinja_append(context, value.as.list, entry->value);
        }
        jinja_append(context, list.as.list, value);
    }
    return list;
}

static struct value dict_items(struct hearth_template_context *context, struct value self,
                               const struct arguments *arguments)
{
    (void)arguments;
    return view(context, self, true, true);
}

static struct value dict_keys(struct hearth_template_context *context, struct value self,
                              const struct arguments *arguments)
{
    (void)arguments;
    return view(context, self, true, false);
}

static struct value dict_values(struct hearth_template_context *context, struct value self,
                                const struct arguments *arguments)
{
    (void)arguments;
    return view(context, self, false, true);
}

static struct value dict_get(struct hearth_template_context *context, struct value self,
                             const struct arguments *arguments)
{
    const struct value *found = jinja_dict_get(context, self.as.dict, argument(arguments, 0));
    return found != NULL ? *found : argument(arguments, 1);
}

/* Nothing changes what is copied, so it may be the same. */
static struct value copy(struct hearth_template_context *context, struct value self,
                         const struct arguments *arguments)
{
    (void)context;
    (void)arguments;
    return self;
}

static struct value loop_cycle(struct hearth_template_context *context, struct value self,
                               const struct arguments *arguments)
{
    if (arguments->count == 0 || arguments->positional < arguments->count) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "cycle() without values");
    }
    return arguments->all[self.as.loop->index % arguments->count].value;
}

static struct value loop_changed(struct hearth_template_context *context, struct value self,
                                 const struct arguments *arguments)
{
    struct loop *loop = self.as.loop;
    struct value now = jinja_new_list(context, V_TUPLE);
    for (size_t i = 0; i < arguments->positional && jinja_ok(context); i++) {
        jinja_append(context, now.as.list, arguments->all[i].value);
    }
    bool has_changed = !loop->has_changed_before || !jinja_ok(context) ||
                       !jinja_equal(context, loop->last_changed, now);
    loop->last_changed = now;
    loop->has_changed_before = true;
    return jinja_bool(has_changed);
}

/* ── The tables ──────────────────────────────────────────────────────────────────────────────── */

#define ANY_NUMBER "- - - - - - - - - - - - - - - -"
static const struct method STR_METHODS[] = {
    {"strip", "-", 0, str_strip},
    {"lstrip", "-", 0, str_lstrip},
    {"rstrip", "-", 0, str_rstrip},
    {"split", "sep maxsplit", 0, str_split},
    {"rsplit", "sep maxsplit", 0, str_rsplit},
    {"splitlines", "", 0, str_splitlines},
    {"startswith", "-", 1, str_startswith},
    {"endswith", "-", 1, str_endswith},
    {"removeprefix", "-", 1, str_removeprefix},
    {"removesuffix", "-", 1, str_removesuffix},
    {"upper", "", 0, str_upper},
    {"lower", "", 0, str_lower},
    {"title", "", 0, str_title},
    {"capitalize", "", 0, str_capitalize},
    {"replace", "- - -", 2, str_replace},
    {"join", "-", 1, str_join},
    {"find", "-", 1, str_find},
    {"rfind", "-", 1, str_rfind},
    {"index", "-", 1, str_index},
    {"count", "-", 1, str_count},
    {"isspace", "", 0, str_isspace},
    {"isdigit", "", 0, str_isdigit},
    {"isalpha", "", 0, str_isalpha},
    {"isalnum", "", 0, str_isalnum},
    {"isupper", "", 0, str_isupper},
    {"islower", "", 0, str_islower},
    {NULL, NULL, 0, NULL},
};
static const struct method LIST_METHODS[] = {
    {"count", "-", 1, list_count},
    {"index", "-", 1, list_index},
    {"copy", "", 0, copy},
    {NULL, NULL, 0, NULL},
};
static const struct method DICT_METHODS[] = {
    {"items", "", 0, dict_items}, {"keys", "", 0, dict_keys}, {"values", "", 0, dict_values},
    {"get", "- -", 1, dict_get},  {"copy", "", 0, copy},      {NULL, NULL, 0, NULL},
};
static const struct method LOOP_METHODS[] = {
    {"cycle", ANY_NUMBER, 0, loop_cycle},
    {"changed", ANY_NUMBER, 0, loop_changed},
    {NULL, NULL, 0, NULL},
};

static const struct method *find_in(const struct method *methods, struct hearth_slice name)
{
    for (; methods->name != NULL; methods++) {
        if (hearth_slice_equals_string(name, methods->name)) {
            return methods;
        }
    }
    return NULL;
}

static const struct method *method_of(struct value of, struct hearth_slice name)
{
    return of.kind == V_TEXT   ? find_in(STR_METHODS, name)
           : of.kind == V_LIST ? find_in(LIST_METHODS, name)
           : of.kind == V_DICT ? find_in(DICT_METHODS, name)
           : of.kind == V_LOOP ? find_in(LOOP_METHODS, name)
           : (of.kind == V_TUPLE || of.kind == V_RANGE) && !hearth_slice_equals_string(name, "copy")
               ? find_in(LIST_METHODS, name)
               : NULL;
}

bool jinja_is_method(struct hearth_slice name)
{
    return find_in(STR_METHODS, name) != NULL || find_in(LIST_METHODS, name) != NULL ||
           find_in(DICT_METHODS, name) != NULL || find_in(LOOP_METHODS, name) != NULL;
}

bool jinja_has_method(struct value of, struct hearth_slice name)
{
    return method_of(of, name) != NULL;
}

struct value jinja_call_method(struct hearth_template_context *context, const struct bound *bound,
                               const struct arguments *arguments)
{
    const struct method *method = method_of(bound->self, bound->name);
    HEARTH_ASSERT(method != NULL);
    if (!jinja_check_arguments(context, method->name, arguments, method->least, method->names)) {
        return jinja_none();
    }
    return method->call(context, bound->self, arguments);
}
