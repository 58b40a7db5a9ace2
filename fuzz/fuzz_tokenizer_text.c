/* fuzz_tokenizer_text.c — any text, with a tokenizer that has every kind of added token.
 *
 * The first byte chooses the tokenizer and the limit; the rest is the text. */

#include "hearth_tokenizer.h"

#include <stdio.h>
#include <string.h>

int hearth_fuzz_tokenizer_text(const uint8_t *data, size_t size);

#define ADDED(id, content, single, left, right, normalized)                                        \
    "{\"id\":" #id ",\"content\":\"" content "\",\"single_word\":" #single ",\"lstrip\":" #left    \
    ",\"rstrip\":" #right ",\"normalized\":" #normalized ",\"special\":false}"

/* One string each line: clang-format indents literals that follow a macro call without bound. */
#define SEP_TOKEN   ADDED(3, "[SEP]", false, false, false, false)
#define WORD_TOKEN  ADDED(12, "aa", true, false, false, false)
#define SPACE_TOKEN ADDED(13, "  ", false, true, true, false)
#define ACUTE_TOKEN ADDED(14, "\xC3\xA9", false, true, true, true)
#define ALL_ADDED   SEP_TOKEN "," WORD_TOKEN "," SPACE_TOKEN "," ACUTE_TOKEN

static const char shape[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[" ALL_ADDED "],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":%s,"
    "\"handle_chinese_chars\":%s,\"strip_accents\":%s,\"lowercase\":%s},"
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},"
    "\"decoder\":null,"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
    "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,\"##a\":5,\"ab\":6,"
    "\"##b\":7,\"!\":8,\"\xE6\xBC\xA2\":9,\"e\":10,\"##\xCC\x81\":11}}}";

static struct hearth_tokenizer *make(unsigned flags)
{
    char json[4096];
    const char *words[] = {"false", "true"};
    int n = snprintf(json, sizeof json, shape, words[flags & 1], words[flags >> 1 & 1],
                     words[flags >> 2 & 1], words[flags >> 3 & 1]);
    HEARTH_ASSERT(n > 0 && (size_t)n < sizeof json);
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err;
    int rc = hearth_tokenizer_create(hearth_slice_of(json, (size_t)n), &tokenizer, &err);
    HEARTH_ASSERT(rc == 0);
    return tokenizer;
}

/* Encodes with a limit and holds the result against the whole: a prefix and the closing token. */
static void check_limit(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                        size_t limit, const struct hearth_encoding *whole)
{
    struct hearth_encoding cut;
    hearth_encoding_init(&cut);
    const struct hearth_encode_options options = {.max_tokens = limit, .add_special = true};
    int rc = hearth_tokenizer_encode(tokenizer, text, &options, &cut, NULL);
    HEARTH_ASSERT(rc == 0 && cut.full_count == whole->full_count);
    HEARTH_ASSERT(cut.count == HEARTH_MIN(limit, whole->count));
    HEARTH_ASSERT(cut.is_truncated == (cut.count < whole->count));
    HEARTH_ASSERT(memcmp(cut.ids, whole->ids, (cut.count - 1) * sizeof *cut.ids) == 0);
    HEARTH_ASSERT(cut.ids[cut.count - 1] == 3);
    hearth_encoding_finish(&cut);
}

/* Ids from nowhere: taken as they are, or refused for their number or for one of them. */
static void check_ids(const struct hearth_tokenizer *tokenizer, struct hearth_slice bytes,
                      size_t limit)
{
    struct hearth_encoding taken;
    struct hearth_error err = {0};
    size_t count = bytes.size / 4;
    bool is_sound = count <= limit;
    hearth_encoding_init(&taken);
    int rc = hearth_tokenizer_take_ids(tokenizer, bytes.data, count, limit, &taken, &err);
    for (size_t i = 0; i < count && count <= limit; i++) {
        uint32_t id;
        memcpy(&id, bytes.data + 4 * i, 4);
        is_sound = is_sound && id < hearth_tokenizer_facts(tokenizer)->vocabulary_size;
        HEARTH_ASSERT(rc < 0 || (taken.ids[i] == id && taken.mask[i] == 1));
    }
    HEARTH_ASSERT((rc == 0) == is_sound && rc == err.code);
    HEARTH_ASSERT(taken.count == (is_sound ? count : 0));
    hearth_encoding_finish(&taken);
}

int hearth_fuzz_tokenizer_text(const uint8_t *data, size_t size)
{
    static struct hearth_tokenizer *made[16]; /* making one takes longer than using it */
    if (size == 0) {
        return 0;
    }
    if (made[data[0] & 15u] == NULL) {
        made[data[0] & 15u] = make(data[0] & 15u);
    }
    const struct hearth_tokenizer *tokenizer = made[data[0] & 15u];
    struct hearth_slice text = hearth_slice_of(data + 1, size - 1);
    struct hearth_encoding whole;
    hearth_encoding_init(&whole);
    int rc = hearth_tokenizer_encode(tokenizer, text, NULL, &whole, NULL);
    HEARTH_ASSERT((rc == 0) == hearth_utf8_is_valid(text));
    if (rc == 0) {
        HEARTH_ASSERT(whole.count >= 2 && whole.count == whole.full_count && !whole.is_truncated);
        for (size_t i = 0; i < whole.count; i++) {
            HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, whole.ids[i]) != NULL);
            HEARTH_ASSERT(whole.mask[i] == 1 && whole.type_ids[i] == 0);
        }
        check_limit(tokenizer, text, 2 + (data[0] >> 4), &whole);
    }
    hearth_encoding_finish(&whole);
    check_ids(tokenizer, text, data[0] >> 4);
    return 0;
}
