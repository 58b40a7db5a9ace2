/* test_entities.c — tags to entities. The expectations of the table are what the rules in
 * entities.h give by hand; test_tasks.py compares with a second writing of them on the output of
 * real runs. */

#include "kit.h"

#include "entities.h"

#include <stdio.h>
#include <string.h>

static const char *const labels[] = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "thing"};
enum { O, B_PER, I_PER, B_LOC, I_LOC, THING };

static struct hearth_engine_plan plan_with_labels(void)
{
    struct hearth_engine_plan plan = {.label_count = HEARTH_COUNT(labels)};
    memcpy(plan.labels, labels, sizeof labels);
    return plan;
}

/* Tokens of two bytes side by side; their scores are 0.5, 0.25, 0.125, 0.5 … */
static void tag(const uint32_t *tags, size_t count, enum aggregation aggregation,
                struct hearth_slice text, char *room, size_t room_bytes)
{
    static struct hearth_wire_entity list[HEARTH_MAX_ENTITIES];
    struct entities entities = {.list = list};
    struct hearth_engine_plan plan = plan_with_labels();
    entities_begin(&entities);
    for (uint32_t i = 0; i < count; i++) {
        const struct tagged token = {.label = tags[i],
                                     .score = 0.5f / (float)(1u << (i % 3)),
                                     .start = 2 * i,
                                     .end = 2 * i + 2};
        assert_int_equal(entities_add(&entities, &plan, aggregation, &token, NULL), 0);
    }
    entities_end(&entities, text);
    room[0] = '\0';
    for (uint32_t i = 0; i < entities.count; i++) {
        const struct hearth_wire_entity *e = &list[i];
        size_t used = strlen(room);
        snprintf(room + used, room_bytes - used, "%.*s %u-%u %u-%u %.4f; ",
                 HEARTH_SLICE_ARGS(e->label), e->start_byte, e->end_byte, e->start_char,
                 e->end_char, (double)e->score);
    }
}

static void tokens_join_by_kind_and_a_b_begins_anew(void **state)
{
    (void)state;
    static const struct {
        uint32_t tags[6];
        size_t count;
        enum aggregation aggregation;
        const char *wanted;
    } cases[] = {
        {{O, O}, 2, AGGREGATION_SIMPLE, ""},
        {{B_PER, I_PER}, 2, AGGREGATION_SIMPLE, "PER 0-4 0-4 0.3750; "},
        {{B_PER, B_PER}, 2, AGGREGATION_SIMPLE, "PER 0-2 0-2 0.5000; PER 2-4 2-4 0.2500; "},
        {{I_PER, I_PER}, 2, AGGREGATION_SIMPLE, "PER 0-4 0-4 0.3750; "},
        {{B_PER, I_LOC}, 2, AGGREGATION_SIMPLE, "PER 0-2 0-2 0.5000; LOC 2-4 2-4 0.2500; "},
        {{B_PER, O, I_PER}, 3, AGGREGATION_SIMPLE, "PER 0-2 0-2 0.5000; PER 4-6 4-6 0.1250; "},
        {{O, I_LOC, I_LOC, B_LOC, I_LOC, O},
         6,
         AGGREGATION_SIMPLE,
         "LOC 2-6 2-6 0.1875; LOC 6-10 6-10 0.3750; "},
        {{THING, THING, O, THING},
         4,
         AGGREGATION_SIMPLE,
         "thing 0-4 0-4 0.3750; thing 6-8 6-8 0.5000; "},
        {{B_PER, I_PER}, 2, AGGREGATION_NONE, "PER 0-2 0-2 0.5000; PER 2-4 2-4 0.2500; "},
    };
    char found[512];
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        tag(cases[i].tags, cases[i].count, cases[i].aggregation,
            hearth_slice_of_string("aabbccddeeff"), found, sizeof found);
        assert_string_equal(found, cases[i].wanted);
    }
}

static void characters_are_counted_over_bytes(void **state)
{
    (void)state;
    char found[512];
    const uint32_t tags[] = {O, B_PER, B_LOC, O};
    /* Two bytes a letter: ä ö ü ß. */
    tag(tags, 4, AGGREGATION_SIMPLE, hearth_slice_of_string("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"),
        found, sizeof found);
    assert_string_equal(found, "PER 2-4 1-2 0.2500; LOC 4-6 2-3 0.1250; ");
}

static void two_tokens_of_one_character_have_the_same_place(void **state)
{
    (void)state;
    static struct hearth_wire_entity list[HEARTH_MAX_ENTITIES];
    struct entities entities = {.list = list};
    struct hearth_engine_plan plan = plan_with_labels();
    const struct tagged first = {.label = B_PER, .score = 1, .start = 1, .end = 4};
    const struct tagged second = {.label = B_LOC, .score = 1, .start = 1, .end = 4};
    entities_begin(&entities);
    assert_int_equal(entities_add(&entities, &plan, AGGREGATION_SIMPLE, &first, NULL), 0);
    assert_int_equal(entities_add(&entities, &plan, AGGREGATION_SIMPLE, &second, NULL), 0);
    entities_end(&entities, hearth_slice_of_string("a\xe2\x82\xac"));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(list[i].start_char, 1);
        assert_int_equal(list[i].end_char, 2);
    }
}

static void one_entity_too_many_is_refused_with_the_limit(void **state)
{
    (void)state;
    static struct hearth_wire_entity list[HEARTH_MAX_ENTITIES];
    struct entities entities = {.list = list};
    struct hearth_engine_plan plan = plan_with_labels();
    struct hearth_error err = {0};
    entities_begin(&entities);
    const struct tagged token = {.label = B_PER};
    for (uint32_t i = 0; i < HEARTH_MAX_ENTITIES; i++) {
        assert_int_equal(entities_add(&entities, &plan, AGGREGATION_SIMPLE, &token, &err), 0);
    }
    assert_int_equal(entities_add(&entities, &plan, AGGREGATION_SIMPLE, &token, &err),
                     HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "more than 2048 entities");
}

KIT_MAIN(cmocka_unit_test(tokens_join_by_kind_and_a_b_begins_anew),
         cmocka_unit_test(characters_are_counted_over_bytes),
         cmocka_unit_test(two_tokens_of_one_character_have_the_same_place),
         cmocka_unit_test(one_entity_too_many_is_refused_with_the_limit))
