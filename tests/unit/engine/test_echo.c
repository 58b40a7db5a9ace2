/* test_echo.c — what the null engine answers to each task of an encoder, by its own description. */

#include "kit.h"

#include "inbox.h"

#include <stdio.h>
#include <string.h>

/* One model, one request, and what it ended with. */
struct world {
    struct hearth_engine_plan plan;
    struct hearth_inbox *inbox;
    struct hearth_engine *engine;
    struct hearth_engine_facts facts;
    int code;
    char error[HEARTH_ERROR_TEXT_BYTES];
    uint32_t tokens;
    float score;
    float vector[8];
    uint32_t dimensions;
    uint8_t packed[64];
    size_t packed_bytes;
    float scale;
    char entities[512]; /* "LABEL start-end start-end score; " */
    char tensors[512];  /* "name type rank bytes; " */
};

static void copy_entities(struct world *w, const struct hearth_item_result *result)
{
    for (uint32_t i = 0; i < result->entity_count; i++) {
        const struct hearth_wire_entity *e = &result->entities[i];
        size_t used = strlen(w->entities);
        snprintf(w->entities + used, sizeof w->entities - used, "%.*s %u-%u %u-%u %.4f; ",
                 HEARTH_SLICE_ARGS(e->label), e->start_byte, e->end_byte, e->start_char,
                 e->end_char, (double)e->score);
    }
}

static void copy_tensors(struct world *w, const struct hearth_item_result *result)
{
    for (uint32_t i = 0; i < result->tensor_count; i++) {
        const struct hearth_engine_tensor *t = &result->tensors[i];
        size_t used = strlen(w->tensors);
        snprintf(w->tensors + used, sizeof w->tensors - used, "%s %d %u %.*s; ", t->name,
                 (int)t->type, t->rank, HEARTH_SLICE_ARGS(t->data));
    }
}

static void on_finish(void *arg, struct hearth_job *job HEARTH_UNUSED, uint32_t index HEARTH_UNUSED,
                      const struct hearth_item_result *result)
{
    struct world *w = arg;
    w->tokens = result->prompt_tokens;
    w->score = result->score;
    w->dimensions = result->dimensions;
    w->scale = result->scale;
    w->packed_bytes = result->packed_bytes;
    if (result->vector != NULL) {
        memcpy(w->vector, result->vector, result->dimensions * sizeof *w->vector);
    }
    if (result->packed != NULL) {
        memcpy(w->packed, result->packed, result->packed_bytes);
    }
    copy_entities(w, result);
    copy_tensors(w, result);
}

static void on_fail(void *arg, struct hearth_job *job HEARTH_UNUSED, uint32_t index HEARTH_UNUSED,
                    int code, const struct hearth_error *err)
{
    struct world *w = arg;
    w->code = code;
    snprintf(w->error, sizeof w->error, "%s", err != NULL ? err->text : "");
}

static void on_end(void *arg HEARTH_UNUSED, struct hearth_job *job HEARTH_UNUSED)
{
}

static struct world *open_world(enum hearth_task task)
{
    struct world *w = hearth_alloc(1, sizeof *w);
    const struct hearth_sink sink = {.finish = on_finish, .fail = on_fail, .end = on_end, .arg = w};
    static const char *const labels[] = {"O", "B-PER", "I-ORG"};
    w->plan.task = task;
    w->plan.threads = 1;
    w->plan.option_count = 1;
    snprintf(w->plan.options[0].key, sizeof w->plan.options[0].key, "context_tokens");
    snprintf(w->plan.options[0].value, sizeof w->plan.options[0].value, "8192");
    for (size_t i = 0; i < HEARTH_COUNT(labels); i++) {
        w->plan.labels[w->plan.label_count++] = labels[i];
    }
    assert_int_equal(hearth_inbox_create(&sink, false, &w->inbox, NULL), 0);
    assert_int_equal(hearth_engine_echo.load(&w->plan, &w->engine, &w->facts, NULL), 0);
    return w;
}

static void close_world(struct world *w)
{
    hearth_engine_echo.unload(w->engine);
    hearth_inbox_destroy(w->inbox);
    hearth_free(w);
}

static void ask(struct world *w, struct hearth_wire_inference_request request)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    request.request_id = 1;
    request.task = (uint8_t)w->plan.task;
    request.model_id = hearth_slice_of_string("m");
    message.as.inference_request = request;
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 65536);
    assert_int_equal(hearth_wire_encode(&message, &frame), 0);
    struct hearth_error err = {0};
    int rc = hearth_inbox_push(w->inbox, hearth_buf_slice(&frame), UINT64_MAX, NULL, &err);
    if (rc < 0) {
        fail_msg("%s", err.text);
    }
    struct hearth_item *item = hearth_inbox_take(w->inbox, false);
    hearth_engine_echo.answer(w->engine, item);
}

static void ask_text(struct world *w, const char *text,
                     struct hearth_wire_inference_request request)
{
    const struct hearth_wire_text input = {.text = hearth_slice_of_string(text)};
    request.texts = (struct hearth_wire_list){.count = 1, .items = &input};
    ask(w, request);
}

static void rerank_scores_how_near_the_lengths_are(void **state)
{
    (void)state;
    struct world *w = open_world(HEARTH_TASK_RERANK);
    struct hearth_wire_inference_request query = {.query = hearth_slice_of_string("grün")};
    ask_text(w, "slow:0ms 1234567", query); /* 4 and 7 characters */
    assert_float_equal(w->score, 0.25f, 0);
    assert_int_equal(w->tokens, 11);
    ask_text(w, "four", query);
    assert_float_equal(w->score, 1.0f, 0);
    close_world(w);
}

static void entities_are_capitalised_words_with_both_kinds_of_places(void **state)
{
    (void)state;
    struct world *w = open_world(HEARTH_TASK_ENTITIES);
    ask_text(w, "slow:0ms \xc3\xa4h Bo met Ana\xc3\xa7 at  X",
             (struct hearth_wire_inference_request){0});
    /* "Bo": 2 characters, label 1; "Anaç": 4 characters, label 0, which is O; "X": label 0. */
    assert_string_equal(w->entities, "PER 13-15 12-14 0.5000; ");
    w->entities[0] = '\0';
    ask_text(w, "Bob \xc3\xa9 Bob", (struct hearth_wire_inference_request){0});
    assert_string_equal(w->entities, "ORG 0-3 0-3 0.3333; ORG 7-10 6-9 0.3333; ");
    close_world(w);
}

static void too_many_entities_are_an_error(void **state)
{
    (void)state;
    struct world *w = open_world(HEARTH_TASK_ENTITIES);
    static char text[3 * (HEARTH_MAX_ENTITIES + 1)];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = "Ab "[i % 3];
    }
    text[sizeof text - 1] = '\0';
    w->plan.labels[1] = "PER";
    ask_text(w, text, (struct hearth_wire_inference_request){0});
    assert_int_equal(w->code, HEARTH_E_TOO_LARGE);
    assert_non_null(strstr(w->error, "more than 2048 entities"));
    close_world(w);
}

static void tensors_come_back_as_they_were(void **state)
{
    (void)state;
    struct world *w = open_world(HEARTH_TASK_TENSORS);
    const uint32_t shape[2] = {1, 3};
    const struct hearth_wire_tensor tensors[] = {
        {.name = hearth_slice_of_string("a"),
         .type = HEARTH_TENSOR_INT8,
         .shape = {shape, 2},
         .data = hearth_slice_of_string("xyz")},
        {.name = hearth_slice_of_string("b"),
         .type = HEARTH_TENSOR_UINT16,
         .data = hearth_slice_of_string("uv")},
    };
    const struct hearth_wire_name wanted = {.name = hearth_slice_of_string("b")};
    struct hearth_wire_inference_request request = {.tensors = {.count = 2, .items = tensors}};
    ask(w, request);
    assert_string_equal(w->tensors, "a 3 2 xyz; b 4 0 uv; ");
    w->tensors[0] = '\0';
    request.outputs = (struct hearth_wire_list){.count = 1, .items = &wanted};
    ask(w, request);
    assert_string_equal(w->tensors, "b 4 0 uv; ");
    close_world(w);
}

static void a_tensor_without_elements_needs_no_data(void **state)
{
    (void)state;
    struct world *w = open_world(HEARTH_TASK_TENSORS);
    const uint32_t shape[3] = {7, 0, 9};
    const struct hearth_wire_tensor tensor = {
        .name = hearth_slice_of_string("none"), .type = 11, .shape = {shape, 3}};
    ask(w, (struct hearth_wire_inference_request){.tensors = {.count = 1, .items = &tensor}});
    assert_string_equal(w->tensors, "none 11 3 ; ");
    close_world(w);
}

static void an_embedding_is_cut_and_packed_as_asked(void **state)
{
    (void)state;
    struct world *w = open_world(HEARTH_TASK_EMBED);
    ask_text(w, "a text", (struct hearth_wire_inference_request){.dimensions = 3});
    assert_int_equal(w->dimensions, 3);
    assert_float_equal(w->vector[0] * w->vector[0] + w->vector[1] * w->vector[1] +
                           w->vector[2] * w->vector[2],
                       1.0f, 1e-6);
    ask_text(
        w, "a text",
        (struct hearth_wire_inference_request){.dimensions = 3, .vector_type = HEARTH_VECTOR_INT8});
    assert_int_equal(w->packed_bytes, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_float_equal((float)(int8_t)w->packed[i] * w->scale, w->vector[i], w->scale / 2);
    }
    ask_text(w, "a text", (struct hearth_wire_inference_request){.dimensions = 9});
    assert_int_equal(w->code, HEARTH_E_INPUT_INVALID);
    assert_non_null(strstr(w->error, "9 asked for, the model has 8"));
    close_world(w);
}

KIT_MAIN(cmocka_unit_test(rerank_scores_how_near_the_lengths_are),
         cmocka_unit_test(entities_are_capitalised_words_with_both_kinds_of_places),
         cmocka_unit_test(too_many_entities_are_an_error),
         cmocka_unit_test(tensors_come_back_as_they_were),
         cmocka_unit_test(a_tensor_without_elements_needs_no_data),
         cmocka_unit_test(an_embedding_is_cut_and_packed_as_asked))
