/* grammar_kit.h — what the tests of this room say again and again. */

#ifndef GRAMMAR_KIT_H
#define GRAMMAR_KIT_H

#include "kit.h"

#include "hearth_grammar.h"

#include <stdio.h>

/* A matcher at the beginning of @grammar, which it takes over. */
static inline struct hearth_matcher *begun(struct hearth_grammar *grammar)
{
    struct hearth_matcher *matcher = NULL;
    struct hearth_error err = {0};
    assert_int_equal(hearth_matcher_create(&matcher, &err), 0);
    if (hearth_matcher_begin(matcher, grammar, &err) < 0) {
        fail_msg("%s", err.text);
    }
    hearth_grammar_destroy(grammar);
    return matcher;
}

static inline struct hearth_matcher *given_gbnf(const char *text)
{
    struct hearth_grammar *grammar = NULL;
    struct hearth_error err = {0};
    if (hearth_grammar_gbnf(hearth_slice_of_string(text), &grammar, &err) < 0) {
        fail_msg("%s is refused: %s", text, err.text);
    }
    return begun(grammar);
}

static inline struct hearth_matcher *given_schema(const char *json)
{
    struct hearth_grammar *grammar = NULL;
    struct hearth_error err = {0};
    if (hearth_grammar_schema(hearth_slice_of_string(json), &grammar, &err) < 0) {
        fail_msg("%s is refused: %s", json, err.text);
    }
    return begun(grammar);
}

static inline bool takes(struct hearth_matcher *matcher, const char *text)
{
    return hearth_matcher_take(matcher, hearth_slice_of_string(text), NULL) == 0;
}

/* True if @text is an answer from its first byte to its last. */
static inline bool is_answer(struct hearth_matcher *matcher, const char *text)
{
    struct hearth_matcher *copy = NULL;
    assert_int_equal(hearth_matcher_create(&copy, NULL), 0);
    assert_int_equal(hearth_matcher_copy(copy, matcher, NULL), 0);
    bool is = takes(copy, text) && hearth_matcher_may_end(copy);
    hearth_matcher_destroy(copy);
    return is;
}

#define assert_answer(matcher, text)    assert_true(is_answer(matcher, text))
#define assert_no_answer(matcher, text) assert_false(is_answer(matcher, text))

#endif
