/* test_render.c — what is refused, and how errors say it; that texts are right is shown against
 * jinja2 in tests/integration/template. */

#include "render_kit.h"

static void assert_refused(const char *source, const char *words)
{
    struct hearth_error err = {0};
    assert_int_equal(render_once(source, &err), HEARTH_E_UNSUPPORTED);
    KIT_ASSERT_ERROR(err, HEARTH_E_UNSUPPORTED, words);
}

static void unknown_constructs_are_refused_by_name_and_line(void **state)
{
    (void)state;
    assert_refused("a\n\n{% include 'x' %}", "line 3: the statement \"include\"");
    assert_refused("{{ 1 }}\n{{ x | urlize }}", "line 2: the filter \"urlize\"");
    assert_refused("{% if x is escaped %}{% endif %}", "line 1: the test \"escaped\"");
    assert_refused("{{ 'x'.format(1) }}", "line 1: the method \"format\"");
    assert_refused("{{ x.__class__ }}", "line 1: the attribute \"__class__\"");
    assert_refused("{% for x in y recursive %}{% endfor %}", "recursive loops");
    assert_refused("{{ cycler(1) }}", "the name \"cycler\"");
    assert_refused("{{ f(*x) }}", "arguments from a list");
    assert_refused("{{ (1 | safe) ~ 2 }}", "safe");
}

static void what_is_refused_is_refused_though_it_would_not_run(void **state)
{
    (void)state;
    assert_refused("{% if false %}{{ x | urlize }}{% endif %}", "urlize");
}

static void wrong_syntax_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_refused("{{ 1 }}\n{{ 2 ", "line 2: a tag has no end");
    assert_refused("{% if x %}", "\"elif\" is expected");
    assert_refused("{# x", "a comment has no end");
    assert_refused("{% raw %}", "raw has no endraw");
    assert_refused("{{ 'x }}", "a string has no end");
    assert_refused("{{ (1] }}", "brackets do not match");
    assert_refused("{{ ! }}", "a character that no tag can contain");
    assert_refused("{% break %}", "belong into a loop");
    assert_refused("{% endif %}", "the statement \"endif\"");
    assert_refused("{{ 99999999999999999999 }}", "64 bits");
    assert_refused("{{ '\\N{DASH}' }}", "escape sequence");
    assert_refused("\xff", "byte 0 of the template is not UTF-8");
}

static void operations_that_values_do_not_have_are_named(void **state)
{
    (void)state;
    assert_refused("\n{{ nothing.at_all }}", "line 2: \"nothing\" is undefined");
    assert_refused("{{ 1 + 'a' }}", "+ cannot join an integer and a string");
    assert_refused("{{ none < 1 }}", "have no order");
    assert_refused("{{ 1 / 0 }}", "division by zero");
    assert_refused("{{ 2 ** 63 }}", "64 bits");
    assert_refused("{% for x in 5 %}{% endfor %}", "an integer cannot be gone through");
    assert_refused("{% set x = {} %}{% set x.y = 1 %}", "only a namespace can be set");
    assert_refused("{{ {[]: 1} }}", "a list cannot be a key");
    assert_refused("{{ [1] | map('upper') }}", "a generator cannot be shown");
    assert_refused("{{ strftime_now('%d') }}", "\"strftime_now\" is undefined");
}

/* The template's own words are told, those of a client never. */
static void a_template_refuses_without_telling_contents(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    assert_int_equal(render_once("{{ raise_exception('not ' ~ said ~ '!') }}", &err),
                     HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "refuses these messages: not ?!");
    assert_null(strstr(err.text, "secret"));
    static const char *const sources[] = {"{{ {}[said].x }}", "{{ said + 1 }}", "{{ said.x.y }}",
                                          "{{ [][said] + 1 }}", "{{ said | int(none) + 1 }}"};
    for (size_t i = 0; i < HEARTH_COUNT(sources); i++) {
        assert_true(render_once(sources[i], &err) < 0);
        assert_null(strstr(err.text, "secret"));
    }
}

static void a_template_can_be_asked_what_it_reads_and_spells(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    struct hearth_template *template = NULL;
    struct hearth_error err = {0};
    const char *source = "<|a|>{{ '<|b|>' ~ tools }}{# <|c|> messages #}{{ 'x'.split }}";
    assert_int_equal(
        hearth_template_create(hearth_slice_of_string(source), &limits, &template, &err), 0);
    assert_true(hearth_template_mentions(template, "tools"));
    assert_false(hearth_template_mentions(template, "messages"));
    assert_false(hearth_template_mentions(template, "split"));
    assert_true(hearth_template_spells(template, "<|a|>"));
    assert_true(hearth_template_spells(template, "<|b|>"));
    assert_false(hearth_template_spells(template, "<|c|>"));
    hearth_template_destroy(template);
}

static void json_is_read_within_limits(void **state)
{
    (void)state;
    struct rendering rendering = {.limits = hearth_template_default_limits()};
    struct hearth_template_value *value = NULL;
    rendering.limits.depth = 3;
    assert_int_equal(
        hearth_template_context_create(&rendering.limits, &rendering.context, &rendering.err), 0);
    static const struct {
        const char *json;
        int code;
    } cases[] = {{"{\"a\": [1]}", 0},
                 {"[[[[1]]]]", HEARTH_E_TOO_LARGE},
                 {"{\"a\"", HEARTH_E_INPUT_INVALID},
                 {"18446744073709551615", HEARTH_E_INPUT_INVALID},
                 {"", HEARTH_E_INPUT_INVALID}};
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        hearth_template_begin(rendering.context);
        struct hearth_slice json = hearth_slice_of_string(cases[i].json);
        int rc = hearth_template_json(rendering.context, json, HEARTH_TEMPLATE_FOREIGN, &value,
                                      &rendering.err);
        assert_int_equal(rc, cases[i].code);
    }
    rendering_end(&rendering);
}

KIT_MAIN(cmocka_unit_test(unknown_constructs_are_refused_by_name_and_line),
         cmocka_unit_test(what_is_refused_is_refused_though_it_would_not_run),
         cmocka_unit_test(wrong_syntax_is_refused_with_its_line),
         cmocka_unit_test(operations_that_values_do_not_have_are_named),
         cmocka_unit_test(a_template_refuses_without_telling_contents),
         cmocka_unit_test(a_template_can_be_asked_what_it_reads_and_spells),
         cmocka_unit_test(json_is_read_within_limits))
