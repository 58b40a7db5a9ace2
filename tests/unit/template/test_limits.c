/* test_limits.c — whatever a template says, it ends: each limit stops it and is named. */

#include "render_kit.h"

static void assert_stops(struct hearth_template_limits limits, const char *source,
                         const char *words)
{
    struct rendering rendering = {.limits = limits};
    int rc = rendering_run(&rendering, source, "x");
    KIT_ASSERT_ERROR(rendering.err, rc, words);
    if (rendering.context != NULL) {
        assert_true(hearth_template_steps(rendering.context) <= limits.steps);
        assert_int_equal(hearth_template_output(rendering.context).size, 0);
    }
    rendering_end(&rendering);
}

static void a_source_too_long_or_of_too_many_nodes_is_refused(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    limits.source_bytes = 10;
    assert_stops(limits, "0123456789a", "the limit is 10");
    limits = hearth_template_default_limits();
    limits.nodes = 5;
    assert_stops(limits, "{{ 1 }}{{ 2 }}{{ 3 }}", "nodes 5");
}

/* All ways to nest, in the source: brackets, prefixes, chains, blocks. */
static void a_source_nested_too_deep_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *open;
        const char *middle;
        const char *close;
    } ways[] = {{"(", "1", ")"},     {"[", "", "]"},    {"-", "1", ""},
                {"not ", "1", ""},   {"1 + ", "1", ""}, {"1 if x else ", "1", ""},
                {"f(", "", ")"},     {"x[", "1", "]"},  {"{1: ", "1", "}"},
                {"1 and ", "1", ""}, {"", "x", ".a"},   {"", "x", " | trim"},
                {"", "x", "[0]"},    {"2 ** ", "1", ""}};
    struct hearth_template_limits limits = hearth_template_default_limits();
    for (size_t way = 0; way < HEARTH_COUNT(ways); way++) {
        struct hearth_buf source;
        hearth_buf_init(&source, 1u << 16);
        int rc = hearth_buf_printf(&source, "{{ ");
        for (unsigned i = 0; i < 2 * limits.depth; i++) {
            rc = rc < 0 ? rc : hearth_buf_printf(&source, "%s", ways[way].open);
        }
        rc = rc < 0 ? rc : hearth_buf_printf(&source, "%s", ways[way].middle);
        for (unsigned i = 0; i < 2 * limits.depth; i++) {
            rc = rc < 0 ? rc : hearth_buf_printf(&source, "%s", ways[way].close);
        }
        rc = rc < 0 ? rc : hearth_buf_printf(&source, " }}");
        assert_int_equal(rc, 0);
        struct rendering rendering = {.limits = limits};
        assert_true(rendering_run(&rendering, (const char *)source.data, "x") < 0);
        bool is_told = strstr(rendering.err.text, "depth 100") != NULL ||
                       strstr(rendering.err.text, "too many are open") != NULL;
        assert_true(is_told);
        rendering_end(&rendering);
        hearth_buf_finish(&source);
    }
}

static void a_macro_that_calls_itself_ends(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    assert_stops(limits, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls 400");
}

static void values_nested_by_a_loop_are_shown_up_to_the_limit(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    const char *nest = "{% set n = namespace(x=[]) %}{% for i in range(1000) %}"
                       "{% set n.x = [n.x] %}{% endfor %}";
    static const char *const uses[] = {"{{ n.x }}", "{{ n.x | tojson }}", "{{ n.x == [n.x] }}"};
    for (size_t i = 0; i < HEARTH_COUNT(uses); i++) {
        char source[256];
        (void)snprintf(source, sizeof source, "%s%s", nest, uses[i]);
        assert_stops(limits, source, "calls 400");
    }
}

static void loops_in_loops_end_at_the_limit_of_steps(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    limits.steps = 100000;
    assert_stops(limits,
                 "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
                 "steps 100000");
    assert_stops(limits, "{% for i in range(99999) %}{{ 'ab' * 1000 in 'abc' * 300 }}{% endfor %}",
                 "steps 100000");
}

static void output_and_collected_text_share_a_limit(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    limits.output_bytes = 1000;
    assert_stops(limits, "{{ 'x' * 1001 }}", "output 1000 bytes");
    assert_stops(limits, "{% set x %}{% for i in range(101) %}0123456789{% endfor %}{% endset %}",
                 "output 1000 bytes");
    assert_stops(limits, "{{ [1] | tojson(indent=100000) }}", "output 1000 bytes");
}

static void texts_and_lists_that_double_end_at_the_limit_of_memory(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    limits.memory_bytes = 1u << 20;
    assert_stops(limits,
                 "{% set n = namespace(x=[1]) %}{% for i in range(60) %}"
                 "{% set n.x = n.x + n.x %}{% endfor %}",
                 "memory 1048576 bytes");
    assert_stops(limits,
                 "{% set n = namespace(x='ab') %}{% for i in range(60) %}"
                 "{% set n.x = n.x ~ n.x %}{% endfor %}",
                 "memory 1048576 bytes");
}

/* Each is joined with all before it. */
static void neighbouring_strings_end_at_the_limit_of_memory(void **state)
{
    (void)state;
    struct hearth_template_limits limits = hearth_template_default_limits();
    limits.nodes = 100;
    limits.memory_bytes = 1u << 16;
    struct hearth_buf source;
    hearth_buf_init(&source, limits.source_bytes);
    int rc = hearth_buf_printf(&source, "{{ ");
    for (unsigned i = 0; i < 20000; i++) {
        rc = rc < 0 ? rc : hearth_buf_printf(&source, "'abcdef' ");
    }
    rc = rc < 0 ? rc : hearth_buf_printf(&source, "}}");
    assert_int_equal(rc, 0);
    assert_stops(limits, (const char *)source.data, "more memory than the limit");
    hearth_buf_finish(&source);
}

static void a_range_has_a_limit(void **state)
{
    (void)state;
    assert_stops(hearth_template_default_limits(), "{{ range(100001) | length }}",
                 "range of more than 100000");
}

static void rendering_survives_any_failed_allocation(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct rendering rendering = {.limits = hearth_template_default_limits()};
        int rc = rendering_run(
            &rendering,
            "{% macro f(x) %}{{ x | upper }}{% endmacro %}{% set l = [said, 'a' 'b'] %}"
            "{% for m in l | sort %}{{ f(m ~ loop.index) }}{{ {'k': l} | tojson }}{% endfor %}"
            "{{ 'x' * 20000 }}{{ range(2000) | list | length }}",
            "hello");
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        rendering_end(&rendering);
    }
}

KIT_MAIN(cmocka_unit_test(a_source_too_long_or_of_too_many_nodes_is_refused),
         cmocka_unit_test(a_source_nested_too_deep_is_refused),
         cmocka_unit_test(a_macro_that_calls_itself_ends),
         cmocka_unit_test(values_nested_by_a_loop_are_shown_up_to_the_limit),
         cmocka_unit_test(loops_in_loops_end_at_the_limit_of_steps),
         cmocka_unit_test(output_and_collected_text_share_a_limit),
         cmocka_unit_test(texts_and_lists_that_double_end_at_the_limit_of_memory),
         cmocka_unit_test(neighbouring_strings_end_at_the_limit_of_memory),
         cmocka_unit_test(a_range_has_a_limit),
         cmocka_unit_test(rendering_survives_any_failed_allocation))
