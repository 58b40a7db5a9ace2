#include "kit.h"

#include "hearth_wire.h"

#include <string.h>

/* One tensor as it is asked about; what is left out is sound: "x", float32, a scalar of 4 bytes. */
struct given {
    const char *name;
    unsigned type;
    uint32_t shape[HEARTH_MAX_TENSOR_RANK];
    uint32_t rank;
    size_t data_bytes;
    uint64_t memfd_bytes;
};

static const uint8_t zeros[4096];

static struct hearth_wire_tensor tensor_of(const struct given *given)
{
    return (struct hearth_wire_tensor){
        .name = hearth_slice_of_string(given->name != NULL ? given->name : "x"),
        .type = (uint8_t)(given->type != 0 ? given->type : HEARTH_TENSOR_FLOAT32),
        .shape = {given->shape, given->rank},
        .data = hearth_slice_of(zeros, given->data_bytes),
        .memfd_bytes = given->memfd_bytes};
}

static int check(const struct given *given, uint32_t count, struct hearth_error *err)
{
    struct hearth_wire_tensor tensors[HEARTH_MAX_TENSORS];
    for (uint32_t i = 0; i < count; i++) {
        tensors[i] = tensor_of(&given[i]);
    }
    return hearth_wire_check_tensors((struct hearth_wire_list){.count = count, .items = tensors},
                                     err);
}

static void expect(const struct given *given, int code, const char *says)
{
    struct hearth_error err = {0};
    assert_int_equal(check(given, 1, &err), code);
    if (code != 0 && strstr(err.text, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    }
}

#define EXPECT(code, says, ...) expect(&(const struct given){__VA_ARGS__}, code, says)

static void data_must_be_what_type_and_shape_make(void **state)
{
    (void)state;
    EXPECT(0, "", .data_bytes = 4); /* a scalar */
    EXPECT(0, "", .shape = {2, 3}, .rank = 2, .data_bytes = 24);
    EXPECT(0, "", .type = HEARTH_TENSOR_INT64, .shape = {3}, .rank = 1, .data_bytes = 24);
    EXPECT(0, "", .type = HEARTH_TENSOR_BOOL, .shape = {5}, .rank = 1, .data_bytes = 5);
    EXPECT(0, "", .type = HEARTH_TENSOR_FLOAT16, .shape = {5}, .rank = 1, .data_bytes = 10);
    EXPECT(0, "", .shape = {4, 0, 9}, .rank = 3); /* empty */
    EXPECT(0, "", .shape = {8, 128}, .rank = 2, .memfd_bytes = 4096);
    EXPECT(HEARTH_E_INPUT_INVALID, "tensors[0].data: 23 bytes, type and shape make 24",
           .shape = {2, 3}, .rank = 2, .data_bytes = 23);
    EXPECT(HEARTH_E_INPUT_INVALID, "tensors[0].memfd_bytes: 4095, type and shape make 4096",
           .shape = {1024}, .rank = 1, .memfd_bytes = 4095);
    EXPECT(HEARTH_E_INPUT_INVALID, "both data and memfd_bytes", .data_bytes = 4, .memfd_bytes = 4);
    EXPECT(HEARTH_E_INPUT_INVALID, "type and shape make 0", .shape = {0}, .rank = 1,
           .memfd_bytes = 4);
}

static void products_that_overflow_are_too_large(void **state)
{
    (void)state;
    EXPECT(HEARTH_E_TOO_LARGE, "1073741824", .shape = {UINT32_MAX, UINT32_MAX, UINT32_MAX},
           .rank = 3, .data_bytes = 4);
    EXPECT(HEARTH_E_TOO_LARGE, "1073741824", .shape = {65536, 65536}, .rank = 2);
    /* 2^66 bytes: as 64 bits, 4. */
    EXPECT(HEARTH_E_TOO_LARGE, "1073741824", .shape = {1u << 31, 1u << 31, 4}, .rank = 3);
    EXPECT(HEARTH_E_TOO_LARGE, "1073741824", .shape = {0, UINT32_MAX, UINT32_MAX}, .rank = 3);
    EXPECT(0, "", .type = HEARTH_TENSOR_UINT8, .shape = {1u << 30}, .rank = 1,
           .memfd_bytes = 1u << 30);
    EXPECT(HEARTH_E_TOO_LARGE, "1073741824", .type = HEARTH_TENSOR_UINT8, .shape = {(1u << 30) + 1},
           .rank = 1, .memfd_bytes = (1u << 30) + 1);
}

static void types_and_names_must_be_known_and_given(void **state)
{
    (void)state;
    EXPECT(HEARTH_E_INPUT_INVALID, "tensors[0].name: is empty", .name = "", .data_bytes = 4);
    EXPECT(HEARTH_E_INPUT_INVALID, "tensors[0].type: 8", .type = 8, .data_bytes = 4);
    EXPECT(HEARTH_E_INPUT_INVALID, "tensors[0].type: 14", .type = 14, .data_bytes = 4);
    EXPECT(HEARTH_E_INPUT_INVALID, "tensors[0].type: 255", .type = 255, .data_bytes = 4);
    struct hearth_error err = {0};
    const struct given both[] = {
        {.data_bytes = 4}, {.name = "y", .data_bytes = 4}, {.data_bytes = 4}};
    assert_int_equal(check(both, 2, &err), 0);
    assert_int_equal(check(both, 3, &err), HEARTH_E_INPUT_INVALID);
    assert_non_null(strstr(err.text, "tensors[2].name"));
}

static void outputs_are_asked_for_once(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    const struct hearth_wire_name names[] = {{.name = hearth_slice_of_string("a")},
                                             {.name = hearth_slice_of_string("b")},
                                             {.name = hearth_slice_of_string("a")},
                                             {.name = hearth_slice_of_string("")}};
    struct hearth_wire_list list = {.count = 2, .items = names};
    assert_int_equal(hearth_wire_check_outputs(list, &err), 0);
    list.count = 3;
    assert_int_equal(hearth_wire_check_outputs(list, &err), HEARTH_E_INPUT_INVALID);
    assert_non_null(strstr(err.text, "outputs[2]: is asked for twice"));
    list = (struct hearth_wire_list){.count = 1, .items = names + 3};
    assert_int_equal(hearth_wire_check_outputs(list, &err), HEARTH_E_INPUT_INVALID);
    assert_non_null(strstr(err.text, "outputs[0]: is empty"));
}

static void memfds_are_counted_in_their_order(void **state)
{
    (void)state;
    const struct given given[] = {
        {.memfd_bytes = 40}, {.data_bytes = 4}, {.memfd_bytes = 8}, {.memfd_bytes = 12}};
    struct hearth_wire_tensor tensors[HEARTH_COUNT(given)];
    uint64_t bytes[HEARTH_MAX_TENSORS];
    for (size_t i = 0; i < HEARTH_COUNT(given); i++) {
        tensors[i] = tensor_of(&given[i]);
    }
    struct hearth_wire_list list = {.count = HEARTH_COUNT(given), .items = tensors};
    assert_int_equal(hearth_wire_memfds(list, bytes), 3);
    assert_int_equal(bytes[0], 40);
    assert_int_equal(bytes[1], 8);
    assert_int_equal(bytes[2], 12);
}

/* Where no text is given, there is nothing to stand in, and no pair to be made. */
static void token_ids_are_refused_where_text_is_needed(void **state)
{
    (void)state;
    static const uint32_t ids[] = {1, 2, 3};
    const struct hearth_wire_text text = {.tokens = {ids, 3}};
    struct hearth_wire_inference_request request = {
        .request_id = 1,
        .model_id = hearth_slice_of_string("m"),
        .query = hearth_slice_of_string("q"),
        .task = HEARTH_TASK_RERANK,
        .texts = {.count = 1, .items = &text},
    };
    struct hearth_error err = {0};
    assert_int_equal(hearth_wire_check_request(&request, &err), HEARTH_E_INPUT_INVALID);
    assert_non_null(strstr(err.text, "texts[0].tokens: given, but rerank needs the text"));
    request.task = HEARTH_TASK_ENTITIES;
    request.query = hearth_slice_of_string("");
    assert_int_equal(hearth_wire_check_request(&request, &err), HEARTH_E_INPUT_INVALID);
    assert_non_null(strstr(err.text, "texts[0].tokens"));
    request.task = HEARTH_TASK_EMBED;
    assert_int_equal(hearth_wire_check_request(&request, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_must_be_what_type_and_shape_make),
        cmocka_unit_test(products_that_overflow_are_too_large),
        cmocka_unit_test(types_and_names_must_be_known_and_given),
        cmocka_unit_test(outputs_are_asked_for_once),
        cmocka_unit_test(memfds_are_counted_in_their_order),
        cmocka_unit_test(token_ids_are_refused_where_text_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
