#include "kit.h"

#include "npy.h"

#include <stdio.h>
#include <string.h>

/* The forms are those of NumPy's own description (numpy.lib.format); files that NumPy really wrote
 * are read by tests/end_to_end/client_library.py. */

static size_t build(uint8_t *room, unsigned version, const char *header, const void *data,
                    size_t bytes)
{
    size_t size = strlen(header);
    size_t width = version == 1 ? 2 : 4;
    memcpy(room, "\x93NUMPY", 6);
    room[6] = (uint8_t)version;
    room[7] = 0;
    for (size_t i = 0; i < width; i++) {
        room[8 + i] = (uint8_t)(size >> (8 * i));
    }
    memcpy(room + 8 + width, header, size);
    if (bytes > 0) {
        memcpy(room + 8 + width + size, data, bytes);
    }
    return 8 + width + size + bytes;
}

/* In memory of exactly its size, so that a sanitizer sees the first byte too far. */
static int read_exactly(const uint8_t *bytes, size_t size, hearth_tensor *ret, hearth_error *err)
{
    uint8_t *copy = hearth_alloc(size > 0 ? size : 1, 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    int rc = cli_npy_read(hearth_slice_of(copy, size), ret, err);
    hearth_free(copy);
    return rc;
}

static void each_version_and_spelling_is_read(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }          \n",
        "{'shape':(1,2),'descr':'<f4','fortran_order':False}",
        "{ 'fortran_order' : False , 'shape' : ( 1 , 2 , ) , 'descr' : '<f4' }\n"};
    const float data[] = {0.5f, -2.0f};
    for (unsigned version = 1; version <= 3; version++) {
        for (size_t i = 0; i < HEARTH_COUNT(headers); i++) {
            uint8_t file[256];
            size_t size = build(file, version, headers[i], data, sizeof data);
            hearth_tensor tensor = {.name = "kept"};
            hearth_error err = {0};
            assert_int_equal(cli_npy_read(hearth_slice_of(file, size), &tensor, &err), 0);
            assert_string_equal(tensor.name, "kept");
            assert_int_equal(tensor.type, HEARTH_TENSOR_FLOAT32);
            assert_int_equal(tensor.rank, 2);
            assert_true(tensor.shape[0] == 1 && tensor.shape[1] == 2);
            assert_int_equal(tensor.bytes, sizeof data);
            assert_memory_equal(tensor.data, data, sizeof data);
        }
    }
}

static void shapes_are_tuples_of_any_rank_up_to_eight(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        uint32_t rank;
        size_t bytes;
    } good[] = {{"()", 0, 1},
                {"(3,)", 1, 3},
                {"(0,)", 1, 0},
                {"(2, 2)", 2, 4},
                {"(1,1,1,1,1,1,1,2)", 8, 2},
                {"(4294967295, 0)", 2, 0}};
    for (size_t i = 0; i < HEARTH_COUNT(good); i++) {
        char header[128];
        uint8_t file[256];
        snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': False, 'shape': %s}",
                 good[i].shape);
        hearth_tensor tensor = {0};
        hearth_error err = {0};
        size_t size = build(file, 1, header, "abcd", good[i].bytes);
        assert_int_equal(cli_npy_read(hearth_slice_of(file, size), &tensor, &err), 0);
        assert_int_equal(tensor.rank, good[i].rank);
        assert_int_equal(tensor.bytes, good[i].bytes);
    }
}

struct refusal {
    const char *header;
    size_t bytes;
    int code;
    const char *part;
};

#define HEAD(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
#define BAD HEARTH_E_INPUT_INVALID
#define NOT HEARTH_E_UNSUPPORTED

static const struct refusal refusals[] = {
    {HEAD("'<f4'", "False", "(1,)"), 3, BAD, "3 bytes of numbers, type and shape make 4"},
    {HEAD("'<f4'", "False", "(1,)"), 5, BAD, "5 bytes of numbers"},
    {HEAD("'>f4'", "False", "(1,)"), 4, NOT, "big-endian"},
    {HEAD("'=f4'", "False", "(1,)"), 4, NOT, "another type"},
    {HEAD("'|f4'", "False", "(1,)"), 4, NOT, "another type"},
    {HEAD("'<u1'", "False", "(1,)"), 1, NOT, "another type"},
    {HEAD("'<c8'", "False", "(1,)"), 8, NOT, "another type"},
    {HEAD("'<U4'", "False", "(1,)"), 8, NOT, "another type"},
    {HEAD("'|O'", "False", "(1,)"), 8, NOT, "another type"},
    {HEAD("'<f4", "False", "(1,)"), 4, NOT, "another type"},
    {HEAD("'< f4'", "False", "(1,)"), 4, NOT, "another type"},
    {HEAD("[('a', '<f4')]", "False", "(1,)"), 4, NOT, "records"},
    {HEAD("'<f4'", "True", "(1, 1)"), 4, NOT, "Fortran"},
    {HEAD("'<f4'", "0", "(1,)"), 4, BAD, "no bool"},
    {HEAD("'<f4'", "False", "(1)"), 4, BAD, "no tuple"},
    {HEAD("'<f4'", "False", "1"), 4, BAD, "no tuple"},
    {HEAD("'<f4'", "False", "[1]"), 4, BAD, "no tuple"},
    {HEAD("'<f4'", "False", "(1 1)"), 4, BAD, "no comma"},
    {HEAD("'<f4'", "False", "(,)"), 4, BAD, "a dimension"},
    {HEAD("'<f4'", "False", "(-1,)"), 4, BAD, "a dimension"},
    {HEAD("'<f4'", "False", "(1L,)"), 4, BAD, "comma"},
    {HEAD("'<f4'", "False", "(4294967296,)"), 4, BAD, "a dimension"},
    {HEAD("'<f4'", "False", "(99999999999999999999,)"), 4, BAD, "a dimension"},
    {HEAD("'<f8'", "False", "(4294967295, 4294967295, 4294967295)"), 4, BAD, "more numbers"},
    {HEAD("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), 4, NOT, "more than 8 dimensions"},
    {HEAD("'<f4'", "False", "(1,), 'x': 1"), 4, BAD, "not descr, fortran_order and shape"},
    {HEAD("'<f4'", "False", "(1,), 'descr': '<f4'"), 4, BAD, "not descr"},
    {"{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", 4, BAD, "not descr"},
    {"{'descr': '<f4', 'shape': (1,)}", 4, BAD, "no comma"},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", 4, BAD, "no comma"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4, BAD, "not descr"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} import os", 4, BAD, "behind"},
    {"{\"descr\": '<f4', 'fortran_order': False, 'shape': (1,)}", 4, BAD, "not descr"},
    {"dict()", 0, BAD, "no dictionary"},
    {"", 0, BAD, "no dictionary"},
};

static void what_is_no_array_of_ours_is_refused_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(refusals); i++) {
        uint8_t file[512];
        hearth_tensor tensor = {0};
        hearth_error err = {0};
        size_t size = build(file, 1, refusals[i].header, "abcdefgh", refusals[i].bytes);
        if (size < 12) {
            memset(file + size, 0, 4); /* long enough to have a header */
            size = 12;
        }
        int rc = read_exactly(file, size, &tensor, &err);
        if (rc != refusals[i].code || strstr(err.text, refusals[i].part) == NULL) {
            fail_msg("%s: %d, %s", refusals[i].header, rc, err.text);
        }
    }
}

static void a_head_that_lies_about_its_size_is_refused(void **state)
{
    (void)state;
    uint8_t file[256];
    hearth_tensor tensor = {0};
    hearth_error err = {0};
    size_t size = build(file, 1, HEAD("'|u1'", "False", "(1,)"), "a", 1);
    for (size_t cut = 0; cut < size; cut++) {
        assert_true(read_exactly(file, cut, &tensor, &err) < 0);
    }
    file[8] = 0xff;
    file[9] = 0xff;
    assert_int_equal(read_exactly(file, size, &tensor, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "its header is cut off");
    size = build(file, 2, HEAD("'|u1'", "False", "(1,)"), "a", 1);
    memset(file + 8, 0xff, 4);
    assert_int_equal(read_exactly(file, size, &tensor, &err), HEARTH_E_INPUT_INVALID);
    build(file, 4, HEAD("'|u1'", "False", "(1,)"), "a", 1);
    assert_int_equal(read_exactly(file, size, &tensor, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "version");
}

/* Whatever bytes are changed: an answer, and what is accepted lies within the file. */
static void run_damage(struct kit_random *random, void *context)
{
    (void)context;
    uint8_t file[256];
    size_t size = build(file, 1 + (unsigned)kit_random_below(random, 3),
                        HEAD("'<i2'", "False", "(2, 3)"), "abcdefghijkl", 12);
    for (size_t i = kit_random_below(random, 4); i > 0; i--) {
        static const char likely[] = "0123456789(),'{} :TF";
        uint8_t byte = kit_random_once_in(random, 2)
                           ? (uint8_t)likely[kit_random_below(random, sizeof likely - 1)]
                           : (uint8_t)kit_random_between(random, 0, 255);
        file[kit_random_below(random, size)] = byte;
    }
    size_t used = kit_random_once_in(random, 4) ? kit_random_below(random, size) : size;
    uint8_t *copy = hearth_alloc(used + 1, 1);
    assert_non_null(copy);
    memcpy(copy, file, used);
    hearth_tensor tensor = {0};
    if (cli_npy_read(hearth_slice_of(copy, used), &tensor, NULL) == 0) {
        assert_true((const uint8_t *)tensor.data >= copy);
        assert_true((const uint8_t *)tensor.data + tensor.bytes == copy + used);
        assert_true(tensor.rank <= HEARTH_TENSOR_MAX_RANK);
    }
    hearth_free(copy);
}

static void damage_never_breaks_the_reader(void **state)
{
    (void)state;
    kit_property(20000, run_damage, NULL);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    static const enum hearth_tensor_type types[] = {HEARTH_TENSOR_FLOAT32, HEARTH_TENSOR_UINT8,
                                                    HEARTH_TENSOR_INT64,   HEARTH_TENSOR_BOOL,
                                                    HEARTH_TENSOR_FLOAT16, HEARTH_TENSOR_UINT16};
    const uint64_t shape[] = {3, 1, 2, 1, 1, 1, 1, 1};
    for (size_t i = 0; i < HEARTH_COUNT(types); i++) {
        for (size_t rank = 0; rank <= 8; rank++) {
            char file[CLI_NPY_HEAD_BYTES + 64] = {0};
            size_t head = cli_npy_head(types[i], shape, rank, file);
            assert_int_equal(head % 64, 0);
            size_t count = rank == 0 ? 1 : rank < 3 ? 3 : 6;
            size_t bytes = count * hearth_tensor_element_bytes(types[i]);
            hearth_tensor tensor = {0};
            assert_int_equal(cli_npy_read(hearth_slice_of(file, head + bytes), &tensor, NULL), 0);
            assert_int_equal(tensor.type, types[i]);
            assert_int_equal(tensor.rank, rank);
        }
    }
}

KIT_MAIN(cmocka_unit_test(each_version_and_spelling_is_read),
         cmocka_unit_test(shapes_are_tuples_of_any_rank_up_to_eight),
         cmocka_unit_test(what_is_no_array_of_ours_is_refused_with_its_reason),
         cmocka_unit_test(a_head_that_lies_about_its_size_is_refused),
         cmocka_unit_test(damage_never_breaks_the_reader),
         cmocka_unit_test(what_is_written_is_read_again))
