#include "kit.h"

#include "hearth_wire.h"

#include <math.h>
#include <string.h>

struct request_world {
    struct hearth_wire_inference_request request;
    struct hearth_wire_text texts[2];
    struct hearth_wire_chat_message messages[2];
    struct hearth_wire_stop stop;
    struct hearth_wire_tensor tensor;
    struct hearth_error err;
};

static const uint32_t two_floats[] = {2};
static const float floats[] = {0.5f, 1.0f};

static void given(struct request_world *w, enum hearth_task task)
{
    memset(w, 0, sizeof *w);
    hearth_wire_default_request(&w->request);
    w->request.request_id = 1;
    w->request.task = (uint8_t)task;
    w->request.model_id = hearth_slice_of_string("tiny");
    w->texts[0].text = hearth_slice_of_string("one");
    w->texts[1].text = hearth_slice_of_string("two");
    w->messages[0].content = hearth_slice_of_string("be brief");
    w->messages[1].role = HEARTH_ROLE_USER;
    w->messages[1].content = hearth_slice_of_string("hello");
    if (task == HEARTH_TASK_CHAT) {
        w->request.messages = (struct hearth_wire_list){.count = 2, .items = w->messages};
    } else if (task == HEARTH_TASK_TENSORS) {
        w->tensor = (struct hearth_wire_tensor){.name = hearth_slice_of_string("x"),
                                                .type = HEARTH_TENSOR_FLOAT32,
                                                .shape = {two_floats, 1},
                                                .data = hearth_slice_of(floats, sizeof floats)};
        w->request.tensors = (struct hearth_wire_list){.count = 1, .items = &w->tensor};
    } else {
        uint32_t count = task == HEARTH_TASK_GENERATE ? 1 : 2;
        w->request.texts = (struct hearth_wire_list){.count = count, .items = w->texts};
        w->request.query = hearth_slice_of_string(task == HEARTH_TASK_RERANK ? "which" : "");
    }
}

static int check(struct request_world *w)
{
    return hearth_wire_check_request(&w->request, &w->err);
}

static void every_task_is_accepted_with_the_defaults(void **state)
{
    (void)state;
    struct request_world w;
    for (int task = HEARTH_TASK_CLASSIFY; task <= HEARTH_TASK_TENSORS; task++) {
        given(&w, (enum hearth_task)task);
        assert_int_equal(check(&w), 0);
    }
}

static void inputs_of_the_wrong_kind_are_refused(void **state)
{
    (void)state;
    struct request_world w;
    given(&w, HEARTH_TASK_GENERATE);
    w.request.texts.count = 2;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "texts: 2 given, generate takes exactly one");
    given(&w, HEARTH_TASK_CLASSIFY);
    w.request.texts.count = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "texts: none given");
    given(&w, HEARTH_TASK_EMBED);
    w.request.messages = (struct hearth_wire_list){.count = 1, .items = w.messages};
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "only chat takes them");
    given(&w, HEARTH_TASK_CHAT);
    w.request.texts = (struct hearth_wire_list){.count = 1, .items = w.texts};
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "chat takes messages");
    given(&w, HEARTH_TASK_CHAT);
    w.request.messages.count = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "messages: none given");
}

static void what_a_task_does_not_take_is_refused_by_name(void **state)
{
    (void)state;
    for (int task = HEARTH_TASK_CLASSIFY; task <= HEARTH_TASK_TENSORS; task++) {
        struct request_world w;
        bool is_embed = task == HEARTH_TASK_EMBED;
        given(&w, (enum hearth_task)task);
        w.request.normalize = 2;
        assert_int_equal(check(&w), is_embed ? 0 : HEARTH_E_INPUT_INVALID);
        w.request.normalize = 0;
        w.request.dimensions = 1;
        assert_int_equal(check(&w), is_embed ? 0 : HEARTH_E_INPUT_INVALID);
        w.request.dimensions = 0;
        w.request.vector_type = HEARTH_VECTOR_INT8;
        assert_int_equal(check(&w), is_embed ? 0 : HEARTH_E_INPUT_INVALID);
        given(&w, (enum hearth_task)task);
        w.request.query = hearth_slice_of_string("q");
        assert_int_equal(check(&w), task == HEARTH_TASK_RERANK ? 0 : HEARTH_E_INPUT_INVALID);
        given(&w, (enum hearth_task)task);
        w.texts[1].pair = hearth_slice_of_string("other");
        bool has_texts = w.request.texts.count == 2;
        bool takes_pairs = task == HEARTH_TASK_CLASSIFY || !has_texts;
        assert_int_equal(check(&w), takes_pairs ? 0 : HEARTH_E_INPUT_INVALID);
    }
    struct request_world w;
    given(&w, HEARTH_TASK_RERANK);
    w.request.query.size = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "query: is empty, rerank needs one");
    given(&w, HEARTH_TASK_EMBED);
    w.request.tensors = (struct hearth_wire_list){.count = 1, .items = &w.tensor};
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "tensors: given, but only tensors takes it");
    given(&w, HEARTH_TASK_TENSORS);
    w.request.tensors.count = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "tensors: none given, 1 to 16 wanted");
}

static void empty_inputs_are_refused_by_index(void **state)
{
    (void)state;
    struct request_world w;
    given(&w, HEARTH_TASK_EMBED);
    w.texts[1].text.size = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "texts[1]: is empty");
    given(&w, HEARTH_TASK_CHAT);
    w.messages[1].content.size = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "messages[1].content: is empty");
    given(&w, HEARTH_TASK_GENERATE);
    w.request.stops = (struct hearth_wire_list){.count = 1, .items = &w.stop};
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "stops[0]: is empty");
}

static void a_chat_shares_one_limit(void **state)
{
    (void)state;
    static char content[HEARTH_MAX_TEXT_BYTES];
    memset(content, 'x', sizeof content);
    struct request_world w;
    given(&w, HEARTH_TASK_CHAT);
    w.messages[0].content = hearth_slice_of(content, sizeof content - 1);
    w.messages[1].content = hearth_slice_of(content, 1);
    assert_int_equal(check(&w), 0);
    w.messages[1].content.size = 2;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_TOO_LARGE, "65537 bytes in all contents, the limit is 65536");
}

static void the_envelope_must_be_filled(void **state)
{
    (void)state;
    struct request_world w;
    given(&w, HEARTH_TASK_EMBED);
    w.request.request_id = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "request_id: is 0");
    given(&w, HEARTH_TASK_EMBED);
    w.request.model_id.size = 0;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "model_id: is empty");
    given(&w, HEARTH_TASK_EMBED);
    w.request.flags = HEARTH_FLAGS_KNOWN;
    assert_int_equal(check(&w), 0);
    w.request.flags = 0x802;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "flags: 0x802 has bits");
}

static void sampling_out_of_range_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        float value;
        const char *part;
    } cases[] = {
#define CASE(member, value, part)                                                                  \
    {offsetof(struct hearth_wire_inference_request, member), value, part}
        CASE(temperature, -0.01f, "temperature: -0.01, wanted 0 <= temperature <= 2"),
        CASE(temperature, 2.01f, "temperature"),
        CASE(temperature, NAN, "temperature: nan"),
        CASE(temperature, INFINITY, "temperature: inf"),
        CASE(top_p, 0.0f, "top_p: 0, wanted 0 < top_p <= 1"),
        CASE(top_p, 1.01f, "top_p"),
        CASE(min_p, 1.0f, "min_p: 1, wanted 0 <= min_p < 1"),
        CASE(min_p, -1.0f, "min_p"),
        CASE(repetition_penalty, 0.99f, "repetition_penalty"),
        CASE(repetition_penalty, 2.01f, "repetition_penalty"),
#undef CASE
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct request_world w;
        given(&w, HEARTH_TASK_CHAT);
        memcpy((char *)&w.request + cases[i].offset, &cases[i].value, sizeof(float));
        check(&w);
        KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, cases[i].part);
        w.request.messages.count = 0;
        w.request.task = HEARTH_TASK_EMBED;
        w.request.texts = (struct hearth_wire_list){.count = 1, .items = w.texts};
        assert_int_equal(check(&w), 0); /* it does not sample */
    }
    struct request_world w;
    given(&w, HEARTH_TASK_GENERATE);
    w.request.repetition_window = 4097;
    check(&w);
    KIT_ASSERT_ERROR(w.err, HEARTH_E_INPUT_INVALID, "repetition_window: 4097");
}

static void the_ends_of_the_ranges_are_inside(void **state)
{
    (void)state;
    struct request_world w;
    given(&w, HEARTH_TASK_GENERATE);
    w.request.temperature = 0;
    w.request.top_p = 1;
    w.request.repetition_penalty = 1;
    w.request.repetition_window = 0;
    assert_int_equal(check(&w), 0);
    w.request.temperature = 2;
    w.request.repetition_penalty = 2;
    w.request.repetition_window = 4096;
    w.request.max_tokens = 0;
    assert_int_equal(check(&w), 0);
}

KIT_MAIN(cmocka_unit_test(every_task_is_accepted_with_the_defaults),
         cmocka_unit_test(inputs_of_the_wrong_kind_are_refused),
         cmocka_unit_test(what_a_task_does_not_take_is_refused_by_name),
         cmocka_unit_test(empty_inputs_are_refused_by_index),
         cmocka_unit_test(a_chat_shares_one_limit), cmocka_unit_test(the_envelope_must_be_filled),
         cmocka_unit_test(sampling_out_of_range_is_refused),
         cmocka_unit_test(the_ends_of_the_ranges_are_inside))
