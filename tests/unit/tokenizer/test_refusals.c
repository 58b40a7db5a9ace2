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
#define BERT            "{\"type\":\"BertPreTokenizer\"}"
#define BERT_POST       "{\"type\":\"BertProcessing\",\"cls\":[\"a\",1],\"sep\":[\"b\",2]}"
#define TRIM            "{\"type\":\"ByteLevel\",\"trim_offsets\":true,\"add_prefix_space\":true}"
#define A               "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
#define PRECOMPILED(of) "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" of "\"}"
#define NEST(in)        "{\"type\":\"Sequence\",\"normalizers\":[" in "]}"
#define NEST3(in)       NEST(NEST(NEST(in)))
#define DEEP(in)        NEST3(NEST3(NEST3(in)))
static const char good[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],"
    "\"normalizer\":" NORMALIZER ",\"pre_tokenizer\":" BERT ","
    "\"post_processor\":null,\"decoder\":null,\"model\":" MODEL "}";

/* One edit of the good file each, and what must be said of it. */
static const struct {
    const char *from;
    const char *to;
    int code;
    const char *says;
} cases[] = {
    {"\"1.0\"", "\"2.0\"", HEARTH_E_UNSUPPORTED, "version"},
    {"WordPiece", "WordLevel", HEARTH_E_UNSUPPORTED, "model: WordLevel is not supported"},
    {"WordPiece", "\\u001b[31m", HEARTH_E_UNSUPPORTED, "model: ??31m is not supported"},
    {NORMALIZER, "{\"type\":\"Cyrillic\"}", HEARTH_E_UNSUPPORTED,
     "normalizer: Cyrillic is not supported"},
    {NORMALIZER, "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Fold\"}]}",
     HEARTH_E_UNSUPPORTED, "normalizer: Fold is not supported"},
    {NORMALIZER, "{\"type\":\"Sequence\"}", HEARTH_E_MODEL_INVALID,
     "normalizer: a Sequence without the list normalizers"},
    {NORMALIZER, DEEP("{\"type\":\"NFC\"}"), HEARTH_E_TOO_LARGE, "more than 8 deep"},
    {NORMALIZER, "{\"type\":\"Strip\",\"strip_left\":true}", HEARTH_E_MODEL_INVALID,
     "\"strip_right\" is not true or false"},
    {NORMALIZER, "{\"type\":\"Prepend\",\"prepend\":7}", HEARTH_E_MODEL_INVALID,
     "normalizer.prepend"},
    {NORMALIZER, "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}",
     HEARTH_E_UNSUPPORTED, "normalizer.pattern"},
    {NORMALIZER, PRECOMPILED(""), HEARTH_E_MODEL_INVALID, "not base64 of 1 … 4194304 bytes"},
    {NORMALIZER, PRECOMPILED("AA=A"), HEARTH_E_MODEL_INVALID, "it is not base64"},
    {NORMALIZER, PRECOMPILED("AAAA"), HEARTH_E_MODEL_INVALID, "the size of its trie"},
    {NORMALIZER, PRECOMPILED("CAAAAAAAAAA="), HEARTH_E_MODEL_INVALID, "the size of its trie"},
    {NORMALIZER, PRECOMPILED("BAAAAAAAAAD/"), HEARTH_E_MODEL_INVALID, "its texts are not UTF-8"},
    {"BertPreTokenizer", "UnicodeScripts", HEARTH_E_UNSUPPORTED, "pre_tokenizer: UnicodeScripts"},
    {BERT,
     "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"invert\":false,"
     "\"behavior\":\"Sideways\"}",
     HEARTH_E_UNSUPPORTED, "pre_tokenizer.behavior: Sideways"},
    {BERT, "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}", HEARTH_E_MODEL_INVALID,
     "pre_tokenizer.delimiter: not one character"},
    {BERT, "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}",
     HEARTH_E_UNSUPPORTED, "pre_tokenizer.prepend_scheme: last"},
    {BERT,
     "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"always\","
     "\"add_prefix_space\":false}",
     HEARTH_E_MODEL_INVALID, "add_prefix_space contradicts prepend_scheme"},
    {"\"post_processor\":null", "\"post_processor\":{\"type\":\"XlnetProcessing\"}",
     HEARTH_E_UNSUPPORTED, "post_processor: XlnetProcessing"},
    {"\"post_processor\":null", "\"post_processor\":{\"type\":\"RobertaProcessing\"}",
     HEARTH_E_MODEL_INVALID, "post_processor: \"trim_offsets\" is not true or false"},
    {"\"post_processor\":null",
     "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[" BERT_POST "," BERT_POST "]}",
     HEARTH_E_UNSUPPORTED, "more than one that adds special tokens"},
    {"\"post_processor\":null",
     "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[" BERT_POST "," TRIM "]}",
     HEARTH_E_UNSUPPORTED, "offsets trimmed twice, or behind special tokens"},
    {"\"post_processor\":null",
     "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[" TRIM "," TRIM "]}",
     HEARTH_E_UNSUPPORTED, "offsets trimmed twice"},
    {"\"post_processor\":null",
     "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" A "],\"pair\":[" A
     "],\"special_tokens\":{}}",
     HEARTH_E_MODEL_INVALID, "post_processor.pair: one of the two texts is not in it"},
    {"\"post_processor\":null",
     "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" A "," A
     "],\"special_tokens\":{}}",
     HEARTH_E_MODEL_INVALID, "each sequence, A and B, may occur once"},
    {"\"decoder\":null", "\"decoder\":{\"type\":\"CTC\"}", HEARTH_E_UNSUPPORTED,
     "decoder: CTC is not supported"},
    {"\"decoder\":null",
     "\"decoder\":{\"type\":\"Strip\",\"content\":\" \",\"start\":-1,\"stop\":0}",
     HEARTH_E_MODEL_INVALID, "decoder.start: not a number up to 512"},
    {"\"truncation\":null",
     "\"truncation\":{\"direction\":\"Up\",\"strategy\":\"LongestFirst\",\"max_length\":9}",
     HEARTH_E_UNSUPPORTED, "truncation.direction: Up"},
    {"\"truncation\":null", "\"truncation\":{\"strategy\":\"Shortest\",\"max_length\":9}",
     HEARTH_E_UNSUPPORTED, "truncation.strategy: Shortest"},
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
        int rc = create((const char *)json.data, &err);
        KIT_ASSERT_ERROR(err, cases[i].code, cases[i].says);
        assert_int_equal(rc, cases[i].code);
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
