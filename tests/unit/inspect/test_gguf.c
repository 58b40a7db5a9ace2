/* test_gguf.c — a GGUF file made byte by byte, and everything that can be wrong with it. */

#include "kit.h"

#include "hearth_inspect.h"

#include <math.h>

enum { U8 = 0, U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STRING = 8, ARRAY = 9 };

struct value {
    const char *key;
    uint32_t kind;
    uint32_t element; /* of an array */
    uint64_t count;   /* of an array */
    double number;    /* repeated in an array */
    const char *text;
};

struct tensor {
    const char *name;
    uint32_t dimensions;
    uint64_t size[5];
    uint32_t type;
    uint64_t offset;
};

/* The smallest sound model; a test adds, replaces (same key) or removes (kind 99) values. */
static const struct value sound[] = {
    {"general.architecture", STRING, 0, 0, 0, "llama"},
    {"llama.block_count", U32, 0, 0, 2, NULL},
    {"llama.context_length", U32, 0, 0, 64, NULL},
    {"llama.embedding_length", U32, 0, 0, 8, NULL},
    {"llama.attention.head_count", U32, 0, 0, 4, NULL},
    {"llama.attention.head_count_kv", ARRAY, U32, 2, 2, NULL},
    {"llama.attention.layer_norm_rms_epsilon", F32, 0, 0, 1e-5, NULL},
    {"tokenizer.ggml.model", STRING, 0, 0, 0, "gpt2"},
    {"tokenizer.ggml.tokens", ARRAY, STRING, 3, 0, NULL},
    {"tokenizer.ggml.token_type", ARRAY, I32, 3, 1, NULL},
    {"tokenizer.ggml.bos_token_id", U32, 0, 0, 2, NULL},
    {"tokenizer.ggml.add_bos_token", BOOL, 0, 0, 1, NULL},
};
static const struct tensor one_tensor[] = {{"token_embd.weight", 2, {8, 3}, 0, 0}};
#define REMOVED 99u

static void put(struct hearth_buf *out, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(number >> 8 * i);
        assert_int_equal(hearth_buf_append(out, &byte, 1), 0);
    }
}

static void put_text(struct hearth_buf *out, const char *text)
{
    put(out, strlen(text), 8);
    assert_int_equal(hearth_buf_append(out, text, strlen(text)), 0);
}

static void put_scalar(struct hearth_buf *out, uint32_t kind, const struct value *value)
{
    if (kind == STRING) {
        put_text(out, value->text);
    } else if (kind == F32) {
        float real = (float)value->number;
        assert_int_equal(hearth_buf_append(out, &real, sizeof real), 0);
    } else {
        put(out, (uint64_t)(int64_t)value->number, kind == U8 || kind == BOOL ? 1 : 4);
    }
}

static void put_value(struct hearth_buf *out, const struct value *value)
{
    put_text(out, value->key);
    put(out, value->kind, 4);
    if (value->kind != ARRAY) {
        put_scalar(out, value->kind, value);
        return;
    }
    put(out, value->element, 4);
    put(out, value->count, 8);
    for (uint64_t i = 0; i < value->count && i < 4096; i++) {
        char text[] = {(char)('a' + i), '\0'}; /* of a list of texts: "a", "b" … */
        struct value each = *value;
        each.text = value->text == NULL ? text : value->text;
        put_scalar(out, value->element, &each);
    }
}

/* A file of the sound values with @change in the place of its key, or at the end. */
static void build(struct hearth_buf *out, const struct value *change, const struct tensor *tensors,
                  uint64_t tensor_count)
{
    uint64_t keys = HEARTH_COUNT(sound);
    bool is_new = change != NULL;
    for (size_t i = 0; i < HEARTH_COUNT(sound); i++) {
        is_new = is_new && strcmp(sound[i].key, change->key) != 0;
    }
    keys += is_new;
    keys -= change != NULL && change->kind == REMOVED;
    hearth_buf_init(out, 1u << 20);
    assert_int_equal(hearth_buf_append(out, "GGUF", 4), 0);
    put(out, 3, 4);
    put(out, tensor_count, 8);
    put(out, keys, 8);
    for (size_t i = 0; i < HEARTH_COUNT(sound); i++) {
        bool is_changed = change != NULL && strcmp(sound[i].key, change->key) == 0;
        const struct value *value = is_changed ? change : &sound[i];
        if (value->kind != REMOVED) {
            put_value(out, value);
        }
    }
    if (is_new) {
        put_value(out, change);
    }
    for (uint64_t i = 0; i < tensor_count; i++) {
        put_text(out, tensors[i].name);
        put(out, tensors[i].dimensions, 4);
        for (uint32_t d = 0; d < tensors[i].dimensions; d++) {
            put(out, tensors[i].size[d], 8);
        }
        put(out, tensors[i].type, 4);
        put(out, tensors[i].offset, 8);
    }
    while (out->size % 32 != 0) {
        put(out, 0, 1);
    }
    for (int i = 0; i < 96; i++) { /* the data: 3 rows of 8 floats */
        put(out, 0, 1);
    }
}

static int inspect(const struct hearth_buf *file, struct hearth_gguf_facts *facts,
                   struct hearth_error *err)
{
    memset(err, 0, sizeof *err);
    /* an exact copy, so that a sanitizer sees one byte too far */
    uint8_t *exact = hearth_alloc(file->size + (file->size == 0), 1);
    assert_non_null(exact);
    if (file->size > 0) {
        memcpy(exact, file->data, file->size);
    }
    int rc = hearth_gguf_inspect(hearth_slice_of(exact, file->size), facts, err);
    hearth_free(exact);
    return rc;
}

static void a_sound_file_gives_its_facts(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf file;
    struct hearth_gguf_facts facts;
    struct hearth_error err;
    build(&file, NULL, one_tensor, 1);

    assert_int_equal(inspect(&file, &facts, &err), 0);

    assert_string_equal(facts.architecture, "llama");
    assert_int_equal(facts.block_count, 2);
    assert_int_equal(facts.context_length, 64);
    assert_int_equal(facts.head_count, 4);
    assert_int_equal(facts.head_count_kv, 2);
    assert_int_equal(facts.key_length, 2);
    assert_int_equal(facts.kv_values_per_token, 2 * 2 * (2 + 2)); /* blocks, heads, key and value */
    assert_int_equal(hearth_gguf_kv_bytes_per_token(&facts, 1), 32);
    assert_int_equal(hearth_gguf_kv_bytes_per_token(&facts, 0), 64);
    assert_int_equal(facts.vocabulary_size, 3);
    assert_int_equal(facts.vocabulary_bytes, 3);
    assert_int_equal(facts.tensor_bytes, 96);
    assert_int_equal(facts.data_offset, file.size - 96);
    assert_false(facts.has_chat_template);
}

static void every_cut_of_a_sound_file_is_refused(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf file;
    struct hearth_gguf_facts facts;
    struct hearth_error err;
    build(&file, NULL, one_tensor, 1);
    for (size_t size = file.size; size-- > 0;) {
        file.size = size;
        assert_int_equal(inspect(&file, &facts, &err), HEARTH_E_MODEL_INVALID);
        assert_true(err.text[0] != '\0');
    }
}

#define NUMBER(key, n)                                                                             \
    {                                                                                              \
        key, U32, 0, 0, n, NULL                                                                    \
    }
#define TEXT(key, t)                                                                               \
    {                                                                                              \
        key, STRING, 0, 0, 0, t                                                                    \
    }
#define GONE(key)                                                                                  \
    {                                                                                              \
        key, REMOVED, 0, 0, 0, NULL                                                                \
    }
#define REAL(key, x)                                                                               \
    {                                                                                              \
        key, F32, 0, 0, x, NULL                                                                    \
    }

static const struct {
    struct value change;
    int code;
    const char *says;
} wrong_values[] = {
    {NUMBER("llama.block_count", 0), HEARTH_E_MODEL_INVALID, "llama.block_count is 0; 1 to 512"},
    {NUMBER("llama.block_count", 513), HEARTH_E_MODEL_INVALID, "llama.block_count is 513"},
    {GONE("llama.block_count"), HEARTH_E_MODEL_INVALID, "llama.block_count is missing"},
    {TEXT("llama.block_count", "2"), HEARTH_E_MODEL_INVALID, "not such a number"},
    {{"llama.block_count", I32, 0, 0, -1, NULL}, HEARTH_E_MODEL_INVALID, "not such a number"},
    {NUMBER("llama.context_length", 0), HEARTH_E_MODEL_INVALID, "context_length is 0"},
    {NUMBER("llama.embedding_length", 1u << 20), HEARTH_E_MODEL_INVALID, "1048576"},
    {NUMBER("llama.attention.head_count", 0), HEARTH_E_UNSUPPORTED, "head_count is 0"},
    {NUMBER("llama.attention.head_count", 3), HEARTH_E_MODEL_INVALID, "3 heads over 2"},
    {NUMBER("llama.attention.head_count", 16), HEARTH_E_MODEL_INVALID, "share"},
    {{"llama.attention.head_count_kv", ARRAY, U32, 3, 2, NULL},
     HEARTH_E_MODEL_INVALID,
     "3 elements for 2 blocks"},
    {REAL("llama.attention.layer_norm_rms_epsilon", -1e-5), HEARTH_E_MODEL_INVALID, "epsilon"},
    {REAL("llama.attention.layer_norm_rms_epsilon", NAN), HEARTH_E_MODEL_INVALID, "nan"},
    {NUMBER("llama.attention.layer_norm_epsilon", 1), HEARTH_E_MODEL_INVALID, "no 32-bit float"},
    {REAL("llama.rope.freq_base", INFINITY), HEARTH_E_MODEL_INVALID, "rope.freq_base is inf"},
    {NUMBER("llama.rope.dimension_count", 3), HEARTH_E_MODEL_INVALID, "dimension_count is 3"},
    {TEXT("llama.rope.scaling.type", "magic"), HEARTH_E_MODEL_INVALID, "\"magic\""},
    {REAL("llama.rope.freq_base", 0), HEARTH_E_MODEL_INVALID, "rope.freq_base is of the wrong"},
    {NUMBER("llama.rope.freq_base", 1), HEARTH_E_MODEL_INVALID, "rope.freq_base is of the"},
    {REAL("llama.attention.layer_norm_rms_epsilon", 0), HEARTH_E_MODEL_INVALID, "epsilon is 0"},
    {NUMBER("llama.attention.key_length", 4), HEARTH_E_UNSUPPORTED, "one size for both"},
    {{"llama.attention.causal", BOOL, 0, 0, 0, NULL}, HEARTH_E_UNSUPPORTED, "causal"},
    {NUMBER("llama.pooling_type", 5), HEARTH_E_MODEL_INVALID, "pooling_type is 5; 0 to 4"},
    {NUMBER("llama.router_layer", 1), HEARTH_E_UNSUPPORTED, "llama.router_layer is not known"},
    {NUMBER("llama.nextn_predict_layers", 1), HEARTH_E_MODEL_INVALID, "nextn_predict_layers"},
    {TEXT("general.architecture", "jupiter"), HEARTH_E_UNSUPPORTED, "\"jupiter\""},
    {TEXT("general.architecture", "mamba"), HEARTH_E_UNSUPPORTED, "recurrent"},
    {TEXT("general.architecture", "deepseek2"), HEARTH_E_UNSUPPORTED, "compressed"},
    {TEXT("tokenizer.ggml.model", "t5"), HEARTH_E_UNSUPPORTED, "\"t5\""},
    {TEXT("tokenizer.ggml.model", "llama"), HEARTH_E_MODEL_INVALID, "no token <0x00>"},
    {TEXT("tokenizer.ggml.pre", "gemma4"), HEARTH_E_UNSUPPORTED, "pre is \"gemma4\""},
    {GONE("tokenizer.ggml.bos_token_id"), HEARTH_E_MODEL_INVALID, "own id 11"},
    {{"tokenizer.ggml.tokens", ARRAY, STRING, 3, 0, "ab"},
     HEARTH_E_MODEL_INVALID,
     "tokens 0 and 1 have the same text"},
    {{"tokenizer.ggml.token_type", ARRAY, I32, 3, 6, NULL},
     HEARTH_E_MODEL_INVALID,
     "token 0 is to be a byte"},
    {{"tokenizer.ggml.scores", ARRAY, F32, 3, NAN, NULL}, HEARTH_E_MODEL_INVALID, "score 0"},
    {NUMBER("llama.expert_count", 513), HEARTH_E_MODEL_INVALID, "expert_count is 513"},
    {NUMBER("llama.expert_count", 4), HEARTH_E_MODEL_INVALID, "4 experts, 0 used"},
    {NUMBER("general.alignment", 24), HEARTH_E_MODEL_INVALID, "alignment is 24"},
    {NUMBER("general.alignment", 0), HEARTH_E_MODEL_INVALID, "alignment is 0"},
    {TEXT("general.type", "adapter"), HEARTH_E_UNSUPPORTED, "\"adapter\""},
    {NUMBER("split.count", 2), HEARTH_E_UNSUPPORTED, "2 files"},
    {GONE("general.architecture"), HEARTH_E_MODEL_INVALID, "general.architecture"},
    {TEXT("tokenizer.ggml.model", "none"), HEARTH_E_UNSUPPORTED, "no vocabulary"},
    {GONE("tokenizer.ggml.tokens"), HEARTH_E_MODEL_INVALID, "0 texts"},
    {{"tokenizer.ggml.token_type", ARRAY, I32, 2, 1, NULL},
     HEARTH_E_MODEL_INVALID,
     "token_type has 2 elements of type 5; 3"},
    {{"tokenizer.ggml.scores", ARRAY, F32, 4, 1, NULL},
     HEARTH_E_MODEL_INVALID,
     "scores has 4 elements"},
    {NUMBER("tokenizer.ggml.bos_token_id", 3), HEARTH_E_MODEL_INVALID,
     "bos_token_id is 3, the vocabulary has 3"},
    {{"tokenizer.ggml.add_bos_token", BOOL, 0, 0, 2, NULL},
     HEARTH_E_MODEL_INVALID,
     "boolean has the value 2"},
    {{"x", ARRAY, ARRAY, 1, 0, NULL}, HEARTH_E_MODEL_INVALID, "element type 9"},
    {{"x", 13, 0, 0, 0, NULL}, HEARTH_E_MODEL_INVALID, "type 13"},
    {{"x", ARRAY, U8, (4u << 20) + 1, 0, NULL}, HEARTH_E_MODEL_INVALID, "the limit is"},
    {{"x", ARRAY, U32, 4u << 20, 0, NULL}, HEARTH_E_MODEL_INVALID, "the file has"},
    {{"a key", U8, 0, 0, 0, NULL}, HEARTH_E_MODEL_INVALID, "not printable"},
    {{"", U8, 0, 0, 0, NULL}, HEARTH_E_MODEL_INVALID, "is empty"},
};

static void a_wrong_value_is_refused_by_its_key_and_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(wrong_values); i++) {
        HEARTH_AUTO(hearth_buf) struct hearth_buf file;
        struct hearth_gguf_facts facts;
        struct hearth_error err;
        build(&file, &wrong_values[i].change, one_tensor, 1);
        assert_int_equal(inspect(&file, &facts, &err), wrong_values[i].code);
        KIT_ASSERT_ERROR(err, wrong_values[i].code, wrong_values[i].says);
    }
}

static void a_wrong_tensor_is_refused_by_its_name(void **state)
{
    (void)state;
    static const struct {
        struct tensor tensors[2];
        uint64_t count;
        int code;
        const char *says;
    } cases[] = {
        {{{"a", 0, {0}, 0, 0}}, 1, HEARTH_E_MODEL_INVALID, "tensor a has 0 dimensions"},
        {{{"a", 5, {1, 1, 1, 1, 1}, 0, 0}}, 1, HEARTH_E_MODEL_INVALID, "5 dimensions"},
        {{{"a", 1, {0}, 0, 0}}, 1, HEARTH_E_MODEL_INVALID, "dimension 0 is 0"},
        {{{"a", 2, {1ull << 40, 1ull << 40}, 0, 0}}, 1, HEARTH_E_MODEL_INVALID, "too large"},
        {{{"a", 1, {1ull << 62}, 0, 0}}, 1, HEARTH_E_MODEL_INVALID, "too many"},
        {{{"a", 1, {8}, 4, 0}}, 1, HEARTH_E_UNSUPPORTED, "type 4"},
        {{{"a", 1, {8}, 43, 0}}, 1, HEARTH_E_UNSUPPORTED, "type 43"},
        {{{"a", 2, {8, 1}, 8, 0}}, 1, HEARTH_E_MODEL_INVALID, "type 8 packs 32"},
        {{{"a", 1, {8}, 1, 0}}, 1, HEARTH_E_UNSUPPORTED, "does not compute"},
        {{{"a", 2, {8, 1}, 26, 0}}, 1, HEARTH_E_UNSUPPORTED, "does not compute"},
        {{{"a", 2, {256, 1}, 15, 0}}, 1, HEARTH_E_UNSUPPORTED, "does not compute"},
        {{{"a", 1, {8}, 0, 32}}, 1, HEARTH_E_MODEL_INVALID, "starts at 32 of the data, expected 0"},
        {{{"a", 1, {8}, 0, 0}, {"b", 1, {8}, 0, 16}}, 2, HEARTH_E_MODEL_INVALID, "expected 32"},
        {{{"a", 1, {8}, 0, 0}, {"a", 1, {8}, 0, 32}}, 2, HEARTH_E_MODEL_INVALID, "stands twice"},
        {{{"a", 1, {64}, 0, 0}}, 1, HEARTH_E_MODEL_INVALID, "cut off"},
        {{{"", 1, {8}, 0, 0}}, 1, HEARTH_E_MODEL_INVALID, "name is empty"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        HEARTH_AUTO(hearth_buf) struct hearth_buf file;
        struct hearth_gguf_facts facts;
        struct hearth_error err;
        build(&file, NULL, cases[i].tensors, cases[i].count);
        assert_int_equal(inspect(&file, &facts, &err), cases[i].code);
        KIT_ASSERT_ERROR(err, cases[i].code, cases[i].says);
    }
}

static void a_wrong_header_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint64_t number;
        size_t bytes;
        int code;
        const char *says;
    } cases[] = {
        {0, 0x46554748, 4, HEARTH_E_MODEL_INVALID, "not a GGUF file"},
        {4, 1, 4, HEARTH_E_UNSUPPORTED, "version 1"},
        {4, 4, 4, HEARTH_E_UNSUPPORTED, "version 4"},
        {8, 0, 8, HEARTH_E_MODEL_INVALID, "0 tensors"},
        {8, 65537, 8, HEARTH_E_MODEL_INVALID, "65537 tensors"},
        {8, 60000, 8, HEARTH_E_MODEL_INVALID, "do not fit"},
        {16, 0, 8, HEARTH_E_MODEL_INVALID, "0 keys"},
        {16, UINT64_MAX, 8, HEARTH_E_MODEL_INVALID, "18446744073709551615 keys"},
        {24, UINT64_MAX, 8, HEARTH_E_MODEL_INVALID, "key 0 at byte 24"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        HEARTH_AUTO(hearth_buf) struct hearth_buf file;
        struct hearth_gguf_facts facts;
        struct hearth_error err;
        build(&file, NULL, one_tensor, 1);
        for (size_t b = 0; b < cases[i].bytes; b++) {
            file.data[cases[i].at + b] = (uint8_t)(cases[i].number >> 8 * b);
        }
        assert_int_equal(inspect(&file, &facts, &err), cases[i].code);
        KIT_ASSERT_ERROR(err, cases[i].code, cases[i].says);
    }
}

static void a_key_that_stands_twice_is_refused(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf file;
    struct hearth_gguf_facts facts;
    struct hearth_error err;
    const struct value again = {"llama.context_lengtH", U32, 0, 0, 1, NULL};
    build(&file, &again, one_tensor, 1);
    uint8_t *last = memmem(file.data, file.size, "lengtH", 6);
    assert_non_null(last);
    last[5] = 'h';
    assert_int_equal(inspect(&file, &facts, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "stands twice");
}

static void flip_bytes(struct kit_random *random, void *context)
{
    struct hearth_buf *file = context;
    struct hearth_gguf_facts facts;
    struct hearth_error err;
    size_t at = (size_t)kit_random_below(random, file->size);
    uint8_t before = file->data[at];
    file->data[at] = (uint8_t)kit_random_u64(random);
    int rc = inspect(file, &facts, &err);
    assert_true(rc == 0 || (rc == err.code && err.text[0] != '\0'));
    file->data[at] = before;
}

static void any_changed_byte_gives_an_answer(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf file;
    build(&file, NULL, one_tensor, 1);
    kit_property(5000, flip_bytes, &file);
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf file;
    build(&file, NULL, one_tensor, 1);
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_gguf_facts facts;
        struct hearth_error err = {0};
        int rc = hearth_gguf_inspect(hearth_buf_slice(&file), &facts, &err);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
    }
}

KIT_MAIN(cmocka_unit_test(a_sound_file_gives_its_facts),
         cmocka_unit_test(every_cut_of_a_sound_file_is_refused),
         cmocka_unit_test(a_wrong_value_is_refused_by_its_key_and_number),
         cmocka_unit_test(a_wrong_tensor_is_refused_by_its_name),
         cmocka_unit_test(a_wrong_header_is_refused),
         cmocka_unit_test(a_key_that_stands_twice_is_refused),
         cmocka_unit_test(any_changed_byte_gives_an_answer),
         cmocka_unit_test(any_failed_allocation_is_reported))
