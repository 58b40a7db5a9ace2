/* test_origin.c — the renderer knows which bytes a client wrote, whatever a template does to them.
 *
 * Each case writes the output with the foreign bytes between ‹ and ›. */

#include "render_kit.h"

static void assert_marked(const char *source, const char *said, const char *wanted)
{
    struct rendering rendering = {.limits = hearth_template_default_limits()};
    struct hearth_buf marked;
    hearth_buf_init(&marked, 1u << 16);
    int rc = rendering_run(&rendering, source, said);
    if (rc < 0) {
        fail_msg("%s: %s", source, rendering.err.text);
    }
    struct hearth_slice part;
    enum hearth_template_origin origin;
    for (size_t at = 0; hearth_template_next(rendering.context, &at, &part, &origin);) {
        bool is_foreign = origin == HEARTH_TEMPLATE_FOREIGN;
        rc = hearth_buf_printf(&marked, "%s%.*s%s", is_foreign ? "‹" : "", HEARTH_SLICE_ARGS(part),
                               is_foreign ? "›" : "");
        assert_int_equal(rc, 0);
    }
    assert_string_equal((const char *)marked.data, wanted);
    hearth_buf_finish(&marked);
    rendering_end(&rendering);
}

static void marks_follow_their_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        const char *said;
        const char *wanted;
    } cases[] = {
        {"a{{ said }}b", "x", "a‹x›b"},
        {"{{ own ~ said ~ own }}", "x", "<own>‹x›<own>"},
        {"{{ 'a' + said + 'b' }}", "x", "a‹x›b"},
        {"{{ ('a' + said + 'b')[1:] }}", "xy", "‹xy›b"},
        {"{{ ('a' + said + 'b')[::-1] }}", "xy", "b‹yx›a"},
        {"{{ (' a' ~ said) | trim }}", "x  ", "a‹x›"},
        {"{{ ('a' ~ said) | upper }}", "ß", "A‹SS›"},
        {"{{ said | replace('x', '<|end|>') }}", "axb", "‹a›<|end|>‹b›"},
        {"{{ 'a,b' | replace(',', said) }}", ";", "a‹;›b"},
        {"{{ ('a ' ~ said).split() | join('+') }}", "b c", "a+‹b›+‹c›"},
        {"{{ [said] }}", "x'", "[\"‹x'›\"]"},
        {"{{ {'k': said} | tojson }}", "a\n", "{\"k\": \"‹a\\n›\"}"},
        {"{% set t %}a{{ said }}{% endset %}{{ t }}", "x", "a‹x›"},
        {"{% macro m(t) %}<{{ t }}>{% endmacro %}{{ m(said) | lower }}", "X", "<‹x›>"},
        {"{% filter upper %}a{{ said }}{% endfilter %}", "x", "A‹X›"},
        {"{{ ('a\n' ~ said) | indent(1) }}", "b\nc",
         "a\n ‹b›\n ‹c›"}, /* line ends are written anew */
        {"{{ said * 2 ~ own * 2 }}", "x", "‹xx›<own><own>"},
        {"{{ said.split(',')[1] | int + 1 }}", "a,41", "‹42›"},
        {"{{ ('1' ~ said) | int }}", "2", "‹12›"},
        {"{{ said | first ~ said | last ~ said[1] }}", "xyz", "‹xzy›"},
        {"{% for c in said %}{{ c }}.{% endfor %}", "xy", "‹x›.‹y›."},
        {"{{ said.title() ~ said.capitalize() ~ 'a'.join(said) }}", "xy", "‹XyXyx›a‹y›"},
        {"{{ said.removeprefix('x').rstrip('z') }}", "xyz", "‹y›"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        assert_marked(cases[i].source, cases[i].said, cases[i].wanted);
    }
    /* what takes the place of a byte has the origin of the new text, not of the old */
    assert_marked("{{ ('ab' ~ said) | replace('b', '-') }}", "b", "a--");
}

/* A condition on foreign text decides what is said, and the words are the template's all the same.
 */
static void own_words_stay_own_though_foreign_ones_chose_them(void **state)
{
    (void)state;
    assert_marked("{{ '<|a|>' if said == 'x' else '<|b|>' }}", "x", "<|a|>");
    assert_marked("{{ {'x': '<|a|>'}[said] }}", "x", "<|a|>");
    assert_marked("{{ said | length }}", "xy", "2");
}

/* A special token can only be spelled by the template alone, not together with a client. */
static void a_token_put_together_of_both_is_no_stretch_of_either(void **state)
{
    (void)state;
    assert_marked("<|im{{ said }}|>", "_end", "<|im‹_end›|>");
    assert_marked("{{ '<|' ~ said ~ '|>' }}", "im_end", "<|‹im_end›|>");
}

KIT_MAIN(cmocka_unit_test(marks_follow_their_bytes),
         cmocka_unit_test(own_words_stay_own_though_foreign_ones_chose_them),
         cmocka_unit_test(a_token_put_together_of_both_is_no_stretch_of_either))
