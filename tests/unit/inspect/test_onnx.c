/* test_onnx.c — ONNX models written field by field, and everything that can be wrong with them. */

#include "kit.h"

#include "hearth_inspect.h"

/* A message that is being written; small, so that tests can nest them by value. */
struct proto {
    uint8_t bytes[4096];
    size_t size;
};

static void put_varint(struct proto *to, uint64_t value)
{
    while (value > 127) {
        to->bytes[to->size++] = (uint8_t)(value | 128);
        value >>= 7;
    }
    to->bytes[to->size++] = (uint8_t)value;
}

static void put_number(struct proto *to, uint32_t field, uint64_t value)
{
    put_varint(to, (uint64_t)field << 3);
    put_varint(to, value);
}

static void put_bytes(struct proto *to, uint32_t field, const void *bytes, size_t size)
{
    put_varint(to, (uint64_t)field << 3 | 2);
    put_varint(to, size);
    assert_true(to->size + size <= sizeof to->bytes);
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void put_text(struct proto *to, uint32_t field, const char *text)
{
    put_bytes(to, field, text, strlen(text));
}

static void put_message(struct proto *to, uint32_t field, const struct proto *message)
{
    put_bytes(to, field, message->bytes, message->size);
}

/* What a test changes; zero is the sound model. */
struct recipe {
    const char *location; /* of external data; NULL: the data is inside */
    const char *offset;
    const char *length;
    const char *second_location;
    const char *domain;
    uint64_t type;    /* of the tensor, 0: float */
    size_t raw_bytes; /* 0: what the shape needs */
    uint64_t ir_version;
    uint64_t opset;
    unsigned depth; /* graphs inside graphs */
    bool has_no_graph;
    bool has_two_graphs;
    bool has_training;
};

static struct proto tensor(const struct recipe *recipe)
{
    static const uint8_t zeros[256];
    struct proto out = {.size = 0};
    put_number(&out, 1, 4);
    put_bytes(&out, 1, "\x04", 1); /* the second dimension, packed */
    put_number(&out, 2, recipe->type != 0 ? recipe->type : 1);
    put_text(&out, 8, "weights");
    if (recipe->location == NULL) {
        put_bytes(&out, 9, zeros, recipe->raw_bytes != 0 ? recipe->raw_bytes : 64);
        return out;
    }
    const char *const entries[][2] = {{"location", recipe->location},
                                      {"offset", recipe->offset},
                                      {"length", recipe->length},
                                      {"location", recipe->second_location}};
    for (size_t i = 0; i < HEARTH_COUNT(entries); i++) {
        struct proto entry = {.size = 0};
        if (entries[i][1] != NULL) {
            put_text(&entry, 1, entries[i][0]);
            put_text(&entry, 2, entries[i][1]);
            put_message(&out, 13, &entry);
        }
    }
    put_number(&out, 14, 1);
    return out;
}

static struct proto node(const char *domain, const struct proto *subgraph)
{
    struct proto out = {.size = 0};
    put_text(&out, 4, "If");
    put_text(&out, 7, domain != NULL ? domain : "");
    if (subgraph != NULL) {
        struct proto attribute = {.size = 0};
        put_message(&attribute, 6, subgraph);
        put_message(&out, 5, &attribute);
    }
    return out;
}

static struct proto model(const struct recipe *recipe)
{
    struct proto graph = {.size = 0};
    struct proto op = node(recipe->domain, NULL);
    put_message(&graph, 1, &op);
    for (unsigned i = 0; i < recipe->depth; i++) {
        op = node(NULL, &graph);
        graph.size = 0;
        put_message(&graph, 1, &op);
    }
    struct proto weights = tensor(recipe);
    put_message(&graph, 5, &weights);
    struct proto port = {.size = 0};
    put_text(&port, 1, "x");
    put_message(&graph, 11, &port);
    put_message(&graph, 12, &port);
    struct proto opset = {.size = 0};
    put_number(&opset, 2, recipe->opset != 0 ? recipe->opset : 17);
    struct proto out = {.size = 0};
    put_number(&out, 1, recipe->ir_version != 0 ? recipe->ir_version : 8);
    put_message(&out, 8, &opset);
    if (!recipe->has_no_graph) {
        put_message(&out, 7, &graph);
    }
    if (recipe->has_two_graphs) {
        put_message(&out, 7, &graph);
    }
    if (recipe->has_training) {
        put_text(&out, 20, "");
    }
    return out;
}

static const struct hearth_onnx_file files[] = {{"w.data", 100}};

static int inspect(const struct proto *file, struct hearth_onnx_facts *facts,
                   struct hearth_error *err)
{
    memset(err, 0, sizeof *err);
    uint8_t *exact = hearth_alloc(file->size + 1, 1); /* its own block, for the sanitizer */
    assert_non_null(exact);
    uint8_t *start = exact + 1;
    memcpy(start, file->bytes, file->size);
    int rc = hearth_onnx_inspect(hearth_slice_of(start, file->size), files, 1, facts, err);
    hearth_free(exact);
    return rc;
}

static void a_sound_model_gives_its_facts(void **state)
{
    (void)state;
    struct hearth_onnx_facts facts;
    struct hearth_error err;
    struct proto file = model(&(struct recipe){.depth = 2});

    assert_int_equal(inspect(&file, &facts, &err), 0);

    assert_int_equal(facts.ir_version, 8);
    assert_int_equal(facts.opset, 17);
    assert_int_equal(facts.node_count, 3);
    assert_int_equal(facts.subgraph_count, 2);
    assert_int_equal(facts.initializer_count, 1);
    assert_int_equal(facts.inline_bytes, 64);
    assert_int_equal(facts.external_count, 0);
    assert_int_equal(facts.input_count, 1);
    assert_string_equal(facts.inputs[0].name, "x");
    assert_string_equal(facts.outputs[0].name, "x");
}

static void external_data_inside_a_listed_file_is_counted(void **state)
{
    (void)state;
    struct hearth_onnx_facts facts;
    struct hearth_error err;
    struct proto file = model(&(struct recipe){.location = "w.data", .offset = "36"});

    assert_int_equal(inspect(&file, &facts, &err), 0);

    assert_int_equal(facts.external_count, 1);
    assert_int_equal(facts.external_bytes, 64);
    assert_int_equal(facts.inline_bytes, 0);
}

static int keep_weight(void *arg, const struct hearth_onnx_weight *weight)
{
    *(struct hearth_onnx_weight *)arg = *weight;
    return weight->type == 6 ? HEARTH_E_UNSUPPORTED : 0; /* int32: as a visitor may say no */
}

static void a_weight_is_shown_with_the_place_of_its_data(void **state)
{
    (void)state;
    struct hearth_onnx_weight weight;
    struct hearth_error err = {0};
    struct proto file = model(&(struct recipe){.location = "w.data", .offset = "36"});
    struct hearth_slice bytes = hearth_slice_of(file.bytes, file.size);

    assert_int_equal(hearth_onnx_each_weight(bytes, files, 1, keep_weight, &weight, &err), 0);
    assert_true(hearth_slice_equals_string(weight.name, "weights"));
    assert_int_equal(weight.rank, 2);
    assert_int_equal(weight.shape[0], 4);
    assert_int_equal(weight.shape[1], 4);
    assert_int_equal(weight.size_bytes, 64);
    assert_ptr_equal(weight.file, &files[0]);
    assert_int_equal(weight.offset, 36);
    assert_null(weight.inline_data);

    file = model(&(struct recipe){.depth = 1});
    bytes.size = file.size;
    assert_int_equal(hearth_onnx_each_weight(bytes, files, 1, keep_weight, &weight, &err), 0);
    assert_null(weight.file);
    assert_true(weight.inline_data > file.bytes &&
                weight.inline_data + weight.size_bytes <= file.bytes + file.size);

    file = model(&(struct recipe){.type = 6});
    bytes.size = file.size;
    assert_int_equal(hearth_onnx_each_weight(bytes, files, 1, keep_weight, &weight, &err),
                     HEARTH_E_UNSUPPORTED);
}

static void a_wrong_model_is_refused_and_says_why(void **state)
{
    (void)state;
    static const struct {
        struct recipe recipe;
        int code;
        const char *says;
    } cases[] = {
        {{.location = "/etc/passwd"},
         HEARTH_E_MODEL_INVALID,
         "\"/etc/passwd\" is an absolute path"},
        {{.location = "../w.data"}, HEARTH_E_MODEL_INVALID, "leads out of the model's folder"},
        {{.location = "a/w.data"}, HEARTH_E_MODEL_INVALID, "lies in another folder"},
        {{.location = "other.data"}, HEARTH_E_MODEL_INVALID, "is not one of the model's files"},
        {{.location = ""}, HEARTH_E_MODEL_INVALID, "has no plain name"},
        {{.location = "w.data", .offset = "37"},
         HEARTH_E_MODEL_INVALID,
         "64 bytes at 37 of \"w.data\", which has 100"},
        {{.location = "w.data", .offset = "18446744073709551615"},
         HEARTH_E_MODEL_INVALID,
         "which has"},
        {{.location = "w.data", .offset = "99999999999999999999"},
         HEARTH_E_MODEL_INVALID,
         "needs 64"},
        {{.location = "w.data", .offset = "-1"}, HEARTH_E_MODEL_INVALID, "weights"},
        {{.location = "w.data", .length = "63"}, HEARTH_E_MODEL_INVALID, "63 bytes at 0"},
        {{.location = "w.data", .second_location = "/etc/passwd"},
         HEARTH_E_MODEL_INVALID,
         "location of its external data is given twice"},
        {{.location = "w.data", .type = 8}, HEARTH_E_MODEL_INVALID, "texts cannot be external"},
        {{.raw_bytes = 63}, HEARTH_E_MODEL_INVALID, "holds 63 bytes, its shape needs 64"},
        {{.type = 99}, HEARTH_E_MODEL_INVALID, "data type 99"},
        {{.domain = "org.example"}, HEARTH_E_UNSUPPORTED, "custom domain \"org.example\""},
        {{.ir_version = 3}, HEARTH_E_UNSUPPORTED, "IR version 3"},
        {{.ir_version = 15}, HEARTH_E_UNSUPPORTED, "IR version 15"},
        {{.opset = 6}, HEARTH_E_UNSUPPORTED, "opset 6"},
        {{.depth = 11}, HEARTH_E_MODEL_INVALID, "nested deeper than 32"},
        {{.has_no_graph = true}, HEARTH_E_MODEL_INVALID, "0 graphs"},
        {{.has_two_graphs = true}, HEARTH_E_MODEL_INVALID, "the graph stands twice"},
        {{.has_training = true}, HEARTH_E_UNSUPPORTED, "training"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct hearth_onnx_facts facts;
        struct hearth_error err;
        struct proto file = model(&cases[i].recipe);
        assert_int_equal(inspect(&file, &facts, &err), cases[i].code);
        KIT_ASSERT_ERROR(err, cases[i].code, cases[i].says);
    }
}

static void an_inspection_survives_a_failed_allocation(void **state)
{
    (void)state;
    const struct recipe recipe = {0};
    struct proto file = model(&recipe);
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_onnx_facts facts;
        struct hearth_error err = {0};
        int rc =
            hearth_onnx_inspect(hearth_slice_of(file.bytes, file.size), files, 1, &facts, &err);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
    }
}

/* The graph is the last field, so every cut falls into it or leaves it out. */
static void every_cut_of_a_sound_model_is_refused(void **state)
{
    (void)state;
    struct hearth_onnx_facts facts;
    struct hearth_error err;
    struct proto file = model(&(struct recipe){.depth = 1});
    for (size_t size = file.size; size-- > 0;) {
        file.size = size;
        assert_int_equal(inspect(&file, &facts, &err), HEARTH_E_MODEL_INVALID);
        assert_true(err.text[0] != '\0');
    }
}

static void flip_bytes(struct kit_random *random, void *context)
{
    struct proto file = *(const struct proto *)context;
    struct hearth_onnx_facts facts;
    struct hearth_error err;
    for (int i = 0; i < 2; i++) {
        file.bytes[kit_random_below(random, file.size)] = (uint8_t)kit_random_u64(random);
    }
    int rc = inspect(&file, &facts, &err);
    assert_true(rc == 0 || (rc == err.code && err.text[0] != '\0'));
}

static void any_two_changed_bytes_give_an_answer(void **state)
{
    (void)state;
    struct proto file = model(&(struct recipe){.location = "w.data", .depth = 2});
    kit_property(5000, flip_bytes, &file);
}

KIT_MAIN(cmocka_unit_test(an_inspection_survives_a_failed_allocation),
         cmocka_unit_test(a_sound_model_gives_its_facts),
         cmocka_unit_test(external_data_inside_a_listed_file_is_counted),
         cmocka_unit_test(a_weight_is_shown_with_the_place_of_its_data),
         cmocka_unit_test(a_wrong_model_is_refused_and_says_why),
         cmocka_unit_test(every_cut_of_a_sound_model_is_refused),
         cmocka_unit_test(any_two_changed_bytes_give_an_answer))
