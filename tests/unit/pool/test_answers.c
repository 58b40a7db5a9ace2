#include "kit.h"

#include "pool_priv.h"

#include <math.h>
#include <string.h>

static const char *const labels[] = {"O", "B-PER", "I-PER", "E-LOC"};
static const uint8_t bytes[256];

struct answer {
    struct hearth_manifest manifest;
    struct answer_rules rules;
    struct hearth_ticket ticket;
    struct hearth_wire_inference_response end;
    struct hearth_wire_result results[2];
    struct hearth_wire_label two[4];
    struct hearth_wire_entity entities[2];
    struct hearth_wire_tensor tensor;
    float vector[8];
};

/* A sound answer to @task: the tests change one thing. */
static struct answer *sound(enum hearth_task task)
{
    static struct answer a;
    static const uint32_t shape[] = {2};
    memset(&a, 0, sizeof a);
    a.manifest.labels = (const char **)(uintptr_t)labels;
    a.manifest.label_count = HEARTH_COUNT(labels);
    a.rules = (struct answer_rules){.manifest = &a.manifest, .dimensions = 8};
    a.ticket = (struct hearth_ticket){.id = 1, .inputs = 1, .task = task};
    a.end.results = (struct hearth_wire_list){.count = 1, .items = a.results};
    switch (task) {
    case HEARTH_TASK_CLASSIFY:
        for (size_t i = 0; i < HEARTH_COUNT(labels); i++) {
            a.two[i] = (struct hearth_wire_label){hearth_slice_of_string(labels[i]), 0.25f, 0};
        }
        a.results[0].labels = (struct hearth_wire_list){.count = 4, .items = a.two};
        break;
    case HEARTH_TASK_EMBED: a.results[0].vector = (struct hearth_wire_f32s){a.vector, 8}; break;
    case HEARTH_TASK_GENERATE:
    case HEARTH_TASK_CHAT:
        a.results[0].text = hearth_slice_of_string("text");
        a.results[0].finish_reason = HEARTH_FINISH_STOP;
        a.end.finish_reason = HEARTH_FINISH_STOP;
        break;
    case HEARTH_TASK_RERANK: a.results[0].score = -3.5f; break;
    case HEARTH_TASK_ENTITIES:
        a.ticket.text_bytes[0] = 20;
        a.entities[0] =
            (struct hearth_wire_entity){hearth_slice_of_string("PER"), 0.5f, 0, 4, 0, 4, 0};
        a.entities[1] =
            (struct hearth_wire_entity){hearth_slice_of_string("E-LOC"), 0.5f, 10, 20, 9, 18, 0};
        a.results[0].entities = (struct hearth_wire_list){.count = 2, .items = a.entities};
        break;
    case HEARTH_TASK_TENSORS:
        a.tensor = (struct hearth_wire_tensor){.name = hearth_slice_of_string("y"),
                                               .type = HEARTH_TENSOR_FLOAT32,
                                               .shape = {shape, 1},
                                               .data = hearth_slice_of(bytes, 8)};
        a.end.results.count = 0;
        a.end.tensors = (struct hearth_wire_list){.count = 1, .items = &a.tensor};
        break;
    case HEARTH_TASK_CHOICE:
        a.ticket.choices = hearth_slice_of_string("\003yes\002no");
        a.ticket.choice_count = 2;
        a.two[0] = (struct hearth_wire_label){hearth_slice_of_string("no"), 0.75f, 0};
        a.two[1] = (struct hearth_wire_label){hearth_slice_of_string("yes"), 0.25f, 0};
        a.results[0].labels = (struct hearth_wire_list){.count = 2, .items = a.two};
        break;
    }
    return &a;
}

static void expect(struct answer *a, const char *wanted)
{
    const char *wrong = answer_check_end(&a->ticket, &a->rules, &a->end);
    if ((wrong == NULL) != (wanted == NULL) || (wrong != NULL && strcmp(wrong, wanted) != 0)) {
        fail_msg("\"%s\", wanted \"%s\"", wrong != NULL ? wrong : "sound",
                 wanted != NULL ? wanted : "sound");
    }
}

#define FOR_EACH_TASK(task)                                                                        \
    for (enum hearth_task task = HEARTH_TASK_CLASSIFY; task <= HEARTH_TASK_CHOICE; task++)

static void sound_answers_of_every_task_pass(void **state)
{
    (void)state;
    FOR_EACH_TASK(task)
    {
        expect(sound(task), NULL);
    }
}

/* Each kind of content is refused wherever it does not belong. */
static void answers_hold_what_their_task_gives_and_nothing_else(void **state)
{
    (void)state;
    FOR_EACH_TASK(task)
    {
        if (task == HEARTH_TASK_TENSORS) {
            continue;
        }
        FOR_EACH_TASK(other)
        {
            bool is_same = task == other ||
                           (task == HEARTH_TASK_GENERATE && other == HEARTH_TASK_CHAT) ||
                           (task == HEARTH_TASK_CHAT && other == HEARTH_TASK_GENERATE);
            bool have_labels = (task == HEARTH_TASK_CLASSIFY && other == HEARTH_TASK_CHOICE) ||
                               (task == HEARTH_TASK_CHOICE && other == HEARTH_TASK_CLASSIFY);
            struct answer given = *sound(task);
            struct answer *a = sound(other);
            a->ticket = given.ticket;
            if (other == HEARTH_TASK_TENSORS) {
                expect(a, "tensors where none are due");
            } else if (have_labels) {
                expect(a, task == HEARTH_TASK_CHOICE
                              ? "labels of a result are not as many as the choices"
                              : "labels of a result are not as many as the model's");
            } else if (!is_same) {
                expect(a, "result of another task");
            }
        }
    }
    struct answer *a = sound(HEARTH_TASK_CLASSIFY);
    a->ticket.task = HEARTH_TASK_TENSORS;
    expect(a, "tensors are due and none came");
    a = sound(HEARTH_TASK_TENSORS);
    a->end.results.count = 1;
    expect(a, "result of a text where tensors are due");
    a->end.code = (uint16_t)-HEARTH_E_ENGINE_FAILED;
    a->end.results.count = 0;
    expect(a, "tensors where none are due");
}

static void scores_are_probabilities_unless_the_model_is_a_regression(void **state)
{
    (void)state;
    struct answer *a = sound(HEARTH_TASK_CLASSIFY);
    a->two[2].score = 1.5f;
    expect(a, "score of a label is not a probability");
    a->ticket.seen = 0;
    a->rules.has_raw_scores = true;
    expect(a, NULL);
    a->ticket.seen = 0;
    a->two[2].score = NAN;
    expect(a, "score of a label is not a probability");
    a = sound(HEARTH_TASK_CLASSIFY);
    a->two[1].name = hearth_slice_of_string("PER");
    expect(a, "label that the model does not have");
    a = sound(HEARTH_TASK_CLASSIFY);
    a->results[0].labels.count = 3;
    expect(a, "labels of a result are not as many as the model's");
    a = sound(HEARTH_TASK_RERANK);
    a->results[0].score = INFINITY;
    expect(a, "score that is no number");
}

static void vectors_are_as_long_and_as_packed_as_asked(void **state)
{
    (void)state;
    struct answer *a = sound(HEARTH_TASK_EMBED);
    a->ticket.dimensions = 4;
    expect(a, "vector of another length");
    a->ticket.seen = 0;
    a->results[0].vector.count = 4;
    expect(a, NULL);
    a = sound(HEARTH_TASK_EMBED);
    a->results[0].packed = hearth_slice_of(bytes, 8);
    expect(a, "packed vector of another length");
    const struct {
        enum hearth_vector_type type;
        size_t packed_bytes;
        float scale;
        const char *wrong;
    } rows[] = {
        {HEARTH_VECTOR_FLOAT16, 16, 0, NULL},
        {HEARTH_VECTOR_FLOAT16, 15, 0, "packed vector of another length"},
        {HEARTH_VECTOR_FLOAT16, 16, 0.5f, "scale of a packed vector is no number"},
        {HEARTH_VECTOR_INT8, 8, 0.5f, NULL},
        {HEARTH_VECTOR_INT8, 8, NAN, "scale of a packed vector is no number"},
        {HEARTH_VECTOR_INT8, 16, 0.5f, "packed vector of another length"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        a = sound(HEARTH_TASK_EMBED);
        a->ticket.vector_type = rows[i].type;
        a->results[0].vector.count = 0;
        a->results[0].packed = hearth_slice_of(bytes, rows[i].packed_bytes);
        a->results[0].scale = rows[i].scale;
        expect(a, rows[i].wrong);
    }
    a = sound(HEARTH_TASK_EMBED);
    a->ticket.vector_type = HEARTH_VECTOR_INT8;
    expect(a, "vector of another length");
}

static void entities_stand_in_their_text_in_its_order(void **state)
{
    (void)state;
    const struct {
        uint32_t start_byte, end_byte, start_char, end_char;
        const char *wrong;
    } rows[] = {
        {10, 21, 9, 18, "entity outside its text"},
        {10, 10, 9, 10, "entity outside its text"},
        {12, 11, 9, 10, "entity outside its text"},
        {10, 12, 9, 9, "entity outside its text"},
        {10, 12, 9, 13, "entity outside its text"},
        {10, 12, 11, 12, "entity outside its text"},
        {0, 4, 0, 4, NULL},
        {19, 20, 18, 19, NULL},
        {UINT32_MAX, 1, 0, 1, "entity outside its text"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct answer *a = sound(HEARTH_TASK_ENTITIES);
        a->entities[1].start_byte = rows[i].start_byte;
        a->entities[1].end_byte = rows[i].end_byte;
        a->entities[1].start_char = rows[i].start_char;
        a->entities[1].end_char = rows[i].end_char;
        expect(a, rows[i].wrong);
    }
    struct answer *a = sound(HEARTH_TASK_ENTITIES);
    struct hearth_wire_entity first = a->entities[0];
    a->entities[0] = a->entities[1];
    a->entities[1] = first;
    expect(a, "entities that are not in the order of the text");
    a = sound(HEARTH_TASK_ENTITIES);
    a->entities[1].score = NAN;
    expect(a, "score of an entity is no number");
    a = sound(HEARTH_TASK_ENTITIES);
    a->entities[1].label = hearth_slice_of_string("LOC"); /* only B- and I- are marks */
    expect(a, "label that the model does not have");
}

static void tensors_are_those_of_the_model_and_hold_together(void **state)
{
    (void)state;
    const struct hearth_wire_port port = {.name = hearth_slice_of_string("y")};
    struct answer *a = sound(HEARTH_TASK_TENSORS);
    a->rules.outputs = (struct hearth_wire_list){.count = 1, .items = &port};
    expect(a, NULL);
    a->tensor.name = hearth_slice_of_string("z");
    expect(a, "output that the model does not have");
    a = sound(HEARTH_TASK_TENSORS);
    a->tensor.data.size = 7;
    expect(a, "tensors that do not hold together");
    a = sound(HEARTH_TASK_TENSORS);
    a->tensor.data.size = 0;
    a->tensor.memfd_bytes = 8;
    expect(a, "memfd for a client that takes none");
    a->ticket.takes_memfds = true;
    expect(a, NULL);
}

static void streams_in_order_skip_no_input(void **state)
{
    (void)state;
    struct answer *a = sound(HEARTH_TASK_RERANK);
    struct hearth_wire_stream_chunk chunk = {.results = {.count = 1, .items = a->results}};
    a->ticket.inputs = 3;
    a->ticket.is_stream = true;
    a->ticket.is_in_order = true;
    a->results[0].index = 1;
    assert_string_equal(answer_check_chunk(&a->ticket, &a->rules, &chunk),
                        "result before its turn");
    for (uint32_t i = 0; i < 3; i++) {
        a->results[0].index = i;
        assert_null(answer_check_chunk(&a->ticket, &a->rules, &chunk));
    }
    assert_string_equal(answer_check_chunk(&a->ticket, &a->rules, &chunk),
                        "second result for one input");
    a->end.results.count = 0;
    expect(a, NULL);
    a->ticket.seen = 3;
    expect(a, "inputs without a result");
}

KIT_MAIN(cmocka_unit_test(sound_answers_of_every_task_pass),
         cmocka_unit_test(answers_hold_what_their_task_gives_and_nothing_else),
         cmocka_unit_test(scores_are_probabilities_unless_the_model_is_a_regression),
         cmocka_unit_test(vectors_are_as_long_and_as_packed_as_asked),
         cmocka_unit_test(entities_stand_in_their_text_in_its_order),
         cmocka_unit_test(tensors_are_those_of_the_model_and_hold_together),
         cmocka_unit_test(streams_in_order_skip_no_input))
