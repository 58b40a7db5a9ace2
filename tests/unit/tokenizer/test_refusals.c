#include "kit.h"

#include "hearth_tokenizer.h"

#include <stdlib.h>

#define VOCAB "{\"[UNK]\":0,\"a\":1,\"b\":2}"
#define MODEL                                                                                      \
    "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","        \
    "\"max_input_chars_per_word\":100,\"vocab\":" VOCAB "}"
#define NORMALIZER                                                                                 \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"              \
    "\"strip_accents\":null,\"lowercase\":true}"
static const char good[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],"
    "\"normalizer\":" NORMALIZER ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":null,\"decoder\":null,\"model\":" MODEL "}";

/* One edit of the good file each, and what must be said of it. */
static const struct {
    const char *from;
    const char *to;
    int code;
    const char *says;
} cases[] = {
    {"\"1.0\"", "\"2.0\"", HEARTH_E_UNSUPPORTED, "version"},
    {"WordPiece", "BPE", HEARTH_E_UNSUPPORTED, "model: BPE is not supported"},
    {"WordPiece", "\\u001b[31m", HEARTH_E_UNSUPPORTED, "model: ??31m is not supported"},
    {"BertNormalizer", "NFKC", HEARTH_E_UNSUPPORTED, "normalizer: NFKC is not supported"},
    {"BertPreTokenizer", "ByteLevel", HEARTH_E_UNSUPPORTED, "pre_tokenizer: ByteLevel"},
    {"\"post_processor\":null", "\"post_processor\":{\"type\":\"RobertaProcessing\"}",
     HEARTH_E_UNSUPPORTED, "post_processor: RobertaProcessing"},
    {"\"decoder\":null", "\"decoder\":{\"type\":\"Metaspace\"}", HEARTH_E_UNSUPPORTED,
     "decoder: Metaspace"},
    {"\"truncation\":null",
     "\"truncation\":{\"direction\":\"Left\",\"strategy\":\"LongestFirst\",\"max_length\":9}",
     HEARTH_E_UNSUPPORTED, "truncation.direction: Left"},
    {"\"truncation\":null", "\"truncation\":{\"strategy\":\"OnlySecond\",\"max_length\":9}",
     HEARTH_E_UNSUPPORTED, "truncation.strategy: OnlySecond"},
    {"\"truncation\":null", "\"truncation\":{\"strategy\":\"LongestFirst\",\"max_length\":0}",
     HEARTH_E_MODEL_INVALID, "truncation.max_length"},
    {"\"lowercase\":true", "\"lowercase\":1", HEARTH_E_MODEL_INVALID, "\"lowercase\""},
    {"\"b\":2", "\"b\":3", HEARTH_E_MODEL_INVALID, "the id of entry 2 is not in 0 … 2"},
    {"\"b\":2", "\"b\":-1", HEARTH_E_MODEL_INVALID, "the id of entry 2"},
    {"\"b\":2", "\"b\":1", HEARTH_E_MODEL_INVALID, "id 1 occurs twice"},
    {"\"b\":2", "\"a\":2", HEARTH_E_MODEL_INVALID, "ids 1 and 2 are the same piece"},
    {"\"b\":2", "\"\":2", HEARTH_E_MODEL_INVALID, "entry 2 is empty"},
    {"\"b\":2", "\"b\\u0000\":2", HEARTH_E_MODEL_INVALID, "entry 2 is empty, holds a NUL"},
    {VOCAB, "{}", HEARTH_E_MODEL_INVALID, "model.vocab"},
    {VOCAB, "[]", HEARTH_E_MODEL_INVALID, "model.vocab"},
    {"\"unk_token\":\"[UNK]\"", "\"unk_token\":\"x\"", HEARTH_E_MODEL_INVALID, "model.unk_token"},
    {"\"##\"", "\"#################\"", HEARTH_E_MODEL_INVALID, "continuing_subword_prefix"},
    {":100", ":1001", HEARTH_E_MODEL_INVALID, "max_input_chars_per_word"},
    {"\"padding\":null", "\"version\":\"1.0\"", HEARTH_E_MODEL_INVALID, "one key occurs twice"},
    {"\"added_tokens\":[]", "\"added_tokens\":{}", HEARTH_E_MODEL_INVALID, "added_tokens"},
    {"\"added_tokens\":[]",
     "\"added_tokens\":[{\"id\":9,\"content\":\"x\",\"single_word\":false,\"lstrip\":false,"
     "\"rstrip\":false,\"normalized\":false,\"special\":false}]",
     HEARTH_E_MODEL_INVALID, "added_tokens[0]: its id should be 3"},
    {"\"post_processor\":null",
     "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",3],\"sep\":[\"b\",2]}",
     HEARTH_E_MODEL_INVALID, "post_processor: the id of a special token is not in 0 … 2"},
    {"\"post_processor\":null",
     "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[],\"special_tokens\":{}}",
     HEARTH_E_MODEL_INVALID, "the text is not in it"},
    {"{\"version\"", "{version", HEARTH_E_MODEL_INVALID, "not JSON at byte 1"},
};

static int create(const char *json, struct hearth_error *err)
{
    struct hearth_tokenizer *tokenizer = NULL;
    int rc = hearth_tokenizer_create(hearth_slice_of_string(json), &tokenizer, err);
    assert_true((rc == 0) == (tokenizer != NULL));
    hearth_tokenizer_destroy(tokenizer);
    return rc;
}

static void each_broken_file_is_refused_by_name(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    assert_int_equal(create(good, &err), 0);
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        const char *place = strstr(good, cases[i].from);
        assert_non_null(place);
        HEARTH_AUTO(hearth_buf) struct hearth_buf json;
        hearth_buf_init(&json, 8192);
        assert_int_equal(hearth_buf_printf(&json, "%.*s%s%s", (int)(place - good), good,
                                           cases[i].to, place + strlen(cases[i].from)),
                         0);
        assert_int_equal(create((const char *)json.data, &err), cases[i].code);
        KIT_ASSERT_ERROR(err, cases[i].code, cases[i].says);
    }
}

static void empty_file_is_refused(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    assert_int_equal(create("", &err), HEARTH_E_MODEL_INVALID);
    assert_int_equal(create("null", &err), HEARTH_E_MODEL_INVALID);
}

static void file_over_the_limit_is_refused_unread(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_slice json =
        hearth_slice_of(good, HEARTH_TOKENIZER_MAX_FILE_BYTES + 1); /* must not be touched */
    assert_int_equal(hearth_tokenizer_create(json, &tokenizer, &err), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "at most 67108864");
}

KIT_MAIN(cmocka_unit_test(each_broken_file_is_refused_by_name),
         cmocka_unit_test(empty_file_is_refused),
         cmocka_unit_test(file_over_the_limit_is_refused_unread))
