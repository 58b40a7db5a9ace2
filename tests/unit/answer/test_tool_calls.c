/* Calls of tools in a stream: the same however it is cut. */

#include "hearth_answer.h"

#include "kit.h"

#include <stdio.h>

#define OPEN  "<tool_call>"
#define CLOSE "</tool_call>"
#define CALL  "{\"name\": \"add\", \"arguments\": {\"a\": 1}}"

/* What was told, as one text: text as it is, a call as [name|arguments]. */
struct told {
    char text[4096];
    size_t size;
    bool is_in_call;
    uint32_t calls;
};

static void add(struct told *told, struct hearth_slice bytes)
{
    assert_true(told->size + bytes.size < sizeof told->text);
    memcpy(told->text + told->size, bytes.data, bytes.size);
    told->size += bytes.size;
    told->text[told->size] = '\0';
}

static void leave_call(struct told *told)
{
    if (told->is_in_call) {
        add(told, hearth_slice_of("]", 1));
    }
    told->is_in_call = false;
}

static int on_text(void *arg, struct hearth_slice text)
{
    assert_true(text.size > 0);
    leave_call(arg);
    add(arg, text);
    return 0;
}

static int on_part(void *arg, const struct hearth_tool_part *part)
{
    struct told *told = arg;
    if (part->name.size > 0) {
        assert_int_equal(part->index, told->calls++);
        assert_int_equal(part->arguments.size, 0);
        leave_call(told);
        add(told, hearth_slice_of("[", 1));
        add(told, part->name);
        add(told, hearth_slice_of("|", 1));
        told->is_in_call = true;
    } else {
        assert_true(told->is_in_call && part->index + 1 == told->calls);
        add(told, part->arguments);
    }
    return 0;
}

static struct hearth_slice names[2];

static uint32_t run(const char *input, const size_t *cuts, size_t cut_count, struct told *told)
{
    struct hearth_tool_calls calls;
    struct hearth_tool_sink sink = {.text = on_text, .part = on_part, .arg = told};
    size_t size = strlen(input);
    size_t at = 0;
    memset(told, 0, sizeof *told);
    names[0] = hearth_slice_of_string("add");
    names[1] = hearth_slice_of_string("sub");
    hearth_tool_calls_begin(&calls, &sink, names, 2);
    for (size_t i = 0; i <= cut_count; i++) {
        size_t end = i < cut_count ? cuts[i] : size;
        assert_int_equal(hearth_tool_calls_feed(&calls, hearth_slice_of(input + at, end - at)), 0);
        at = end;
    }
    assert_int_equal(hearth_tool_calls_end(&calls), 0);
    leave_call(told);
    return calls.complete;
}

/* In one piece, in all pairs of two, and byte by byte. */
static void check(const char *input, const char *wanted, uint32_t complete)
{
    static struct told told;
    static size_t cuts[4096];
    size_t size = strlen(input);
    assert_int_equal(run(input, NULL, 0, &told), complete);
    assert_string_equal(told.text, wanted);
    for (size_t cut = 0; cut <= size; cut++) {
        assert_int_equal(run(input, &cut, 1, &told), complete);
        assert_string_equal(told.text, wanted);
        cuts[cut] = cut;
    }
    assert_int_equal(run(input, cuts, size, &told), complete);
    assert_string_equal(told.text, wanted);
}

static void a_call_is_told_by_name_and_arguments(void **state)
{
    (void)state;
    check(OPEN "\n" CALL "\n" CLOSE, "[add|{\"a\": 1}]", 1);
    check(OPEN CALL CLOSE, "[add|{\"a\": 1}]", 1);
    check("I add.\n" OPEN CALL CLOSE "\n", "I add.\n[add|{\"a\": 1}]", 1);
    check(OPEN " { \"name\":\"sub\",\n\"arguments\" :{} \t} " CLOSE, "[sub|{}]", 1);
}

static void arguments_come_byte_for_byte(void **state)
{
    (void)state;
    check(OPEN "{\"name\":\"add\",\"arguments\":{ \"x\" : [1e5 , \"}</tool_call>\\\"\"] }}" CLOSE
               "!",
          "[add|{ \"x\" : [1e5 , \"}</tool_call>\\\"\"] }]!", 1);
}

static void several_calls_follow_each_other(void **state)
{
    (void)state;
    check(OPEN CALL CLOSE "\n" OPEN CALL CLOSE, "[add|{\"a\": 1}][add|{\"a\": 1}]", 2);
    check(OPEN CALL CLOSE " and " OPEN CALL CLOSE, "[add|{\"a\": 1}]and [add|{\"a\": 1}]", 2);
}

static void a_list_holds_several(void **state)
{
    (void)state;
    check(OPEN "[" CALL ", \n" CALL "]" CLOSE "x", "[add|{\"a\": 1}][add|{\"a\": 1}]x", 2);
    check(OPEN "\n[ " CALL " ]\n" CLOSE, "[add|{\"a\": 1}]", 1);
}

static void what_is_no_call_stays_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "plain",
                                        "a < b <tool <tool_cal",
                                        OPEN,
                                        OPEN "\n",
                                        OPEN "no json",
                                        OPEN CLOSE,
                                        OPEN "[]" CLOSE,
                                        OPEN "[[" CALL,
                                        OPEN "{}" CLOSE,
                                        OPEN "{\"name\": \"mul\", \"arguments\": {}}" CLOSE,
                                        OPEN "{\"name\": \"\", \"arguments\": {}}",
                                        OPEN "{\"arguments\": {}, \"name\": \"add\"}" CLOSE,
                                        OPEN "{\"name\": \"add\", \"arguments\": 5}" CLOSE,
                                        OPEN "{\"name\": \"add\"}" CLOSE,
                                        OPEN "{\"name\": \"add",
                                        OPEN "{\"name\": \"a\\u0064d\", \"arguments\": {}}",
                                        CLOSE,
                                        "<"
                                        "<tool_call",
                                        OPEN OPEN};
    for (size_t i = 0; i < HEARTH_COUNT(texts); i++) {
        check(texts[i], texts[i], 0);
    }
}

static void behind_a_false_tag_a_true_one_is_found(void **state)
{
    (void)state;
    check(OPEN OPEN CALL CLOSE, OPEN "[add|{\"a\": 1}]", 1);
    check("<" OPEN CALL CLOSE, "<[add|{\"a\": 1}]", 1);
    check(OPEN "{\"name\": \"" OPEN CALL CLOSE, OPEN "{\"name\": \"[add|{\"a\": 1}]", 1);
}

static void a_call_that_breaks_gives_its_rest_as_text(void **state)
{
    (void)state;
    check(OPEN "{\"name\": \"add\", \"arguments\": {\"a\": oops}}" CLOSE,
          "[add|{\"a\": ]oops}}" CLOSE, 0);
    check(OPEN "{\"name\": \"add\", \"arguments\": {} , \"id\": 1}" CLOSE,
          "[add|{}] , \"id\": 1}" CLOSE, 0);
    check(OPEN CALL " tail", "[add|{\"a\": 1}] tail", 1);
    check(OPEN "[" CALL ", 5]", "[add|{\"a\": 1}], 5]", 1);
    check(OPEN "[" CALL CLOSE, "[add|{\"a\": 1}]" CLOSE, 1);
}

static void what_is_cut_off_is_no_call_unless_its_object_has_ended(void **state)
{
    (void)state;
    check(OPEN "{\"name\": \"add\", \"arguments\": {\"a\": ", "[add|{\"a\": ]", 0);
    check(OPEN "{\"name\": \"add\", \"arguments\": {\"a\": 1} ", "[add|{\"a\": 1}]", 0);
    check(OPEN CALL "\n</tool", "[add|{\"a\": 1}]", 1);
}

static void a_head_and_a_number_of_calls_without_end_stay_text(void **state)
{
    (void)state;
    static char spaces[HEARTH_TOOL_HEAD_BYTES + 32] = OPEN;
    memset(spaces + strlen(OPEN), ' ', sizeof spaces - strlen(OPEN) - 1);
    check(spaces, spaces, 0);
    static char many[3000];
    static char wanted[3000];
    size_t size = 0;
    size_t wanted_size = 0;
    for (unsigned i = 0; i <= HEARTH_TOOL_MOST_CALLS; i++) {
        bool is_call = i < HEARTH_TOOL_MOST_CALLS;
        size += (size_t)snprintf(many + size, sizeof many - size, "%s", OPEN CALL CLOSE);
        wanted_size += (size_t)snprintf(wanted + wanted_size, sizeof wanted - wanted_size, "%s",
                                        is_call ? "[add|{\"a\": 1}]" : OPEN CALL CLOSE);
    }
    static struct told told;
    assert_int_equal(run(many, NULL, 0, &told), HEARTH_TOOL_MOST_CALLS);
    assert_string_equal(told.text, wanted);
}

static void an_opened_call_is_seen_with_what_is_behind_its_tag(void **state)
{
    (void)state;
    static struct told told;
    struct hearth_tool_calls calls;
    struct hearth_tool_sink sink = {.text = on_text, .part = on_part, .arg = &told};
    struct hearth_slice behind;
    memset(&told, 0, sizeof told);
    hearth_tool_calls_begin(&calls, &sink, names, 2);
    assert_int_equal(hearth_tool_calls_feed(&calls, hearth_slice_of_string("x<tool_call")), 0);
    assert_false(hearth_tool_calls_is_open(&calls, &behind));
    assert_int_equal(hearth_tool_calls_feed(&calls, hearth_slice_of_string(">\n")), 0);
    assert_true(hearth_tool_calls_is_open(&calls, &behind));
    assert_true(hearth_slice_equals_string(behind, "\n"));
    assert_true(hearth_tool_calls_is_inside(&calls));
    assert_int_equal(hearth_tool_calls_feed(&calls, hearth_slice_of_string(CALL CLOSE)), 0);
    assert_false(hearth_tool_calls_is_open(&calls, &behind));
    assert_false(hearth_tool_calls_is_inside(&calls));
}

static int stop_at_text(void *arg, struct hearth_slice text)
{
    (void)arg;
    (void)text;
    return 7;
}

static void what_the_sink_gives_back_ends_the_feeding(void **state)
{
    (void)state;
    struct hearth_tool_calls calls;
    struct hearth_tool_sink sink = {.text = stop_at_text, .part = on_part, .arg = NULL};
    hearth_tool_calls_begin(&calls, &sink, names, 2);
    assert_int_equal(hearth_tool_calls_feed(&calls, hearth_slice_of_string("text" OPEN CALL)), 7);
}

KIT_MAIN(cmocka_unit_test(a_call_is_told_by_name_and_arguments),
         cmocka_unit_test(arguments_come_byte_for_byte),
         cmocka_unit_test(several_calls_follow_each_other), cmocka_unit_test(a_list_holds_several),
         cmocka_unit_test(what_is_no_call_stays_text),
         cmocka_unit_test(behind_a_false_tag_a_true_one_is_found),
         cmocka_unit_test(a_call_that_breaks_gives_its_rest_as_text),
         cmocka_unit_test(what_is_cut_off_is_no_call_unless_its_object_has_ended),
         cmocka_unit_test(a_head_and_a_number_of_calls_without_end_stay_text),
         cmocka_unit_test(an_opened_call_is_seen_with_what_is_behind_its_tag),
         cmocka_unit_test(what_the_sink_gives_back_ends_the_feeding))
