/* fuzz_tokenizer_text.c — any text, with tokenizers of every kind that have every kind of added
 * token.
 *
 * The first byte chooses the tokenizer, the second the limit and the way; the rest is the text. */

#include "tokenizer_promises.h"

#include <stdio.h>

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

#define START "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"decoder\":%s,"
#define ROBERTA                                                                                    \
    "{\"type\":\"RobertaProcessing\",\"sep\":[\"by\",2],\"cls\":[\"<s>\",1],"                      \
    "\"trim_offsets\":true,\"add_prefix_space\":true}"
#define TEMPLATE                                                                                   \
    "{\"type\":\"TemplateProcessing\","                                                            \
    "\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"                               \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"                                                \
    "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"                                       \
    "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":1}},"                                           \
    "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"                                                \
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[1],\"tokens\":[\"<s>\"]}}}"
#define FEW_ADDED                                                                                  \
    "\"added_tokens\":[" ADDED(1, "<s>", false, false, false,                                      \
                               false) "," ADDED(2, "by", true, true, true, true) "],"

static const char word_pieces[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[" ALL_ADDED "],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":%s,"
    "\"handle_chinese_chars\":%s,\"strip_accents\":%s,\"lowercase\":%s},"
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},"
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
    "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,\"##a\":5,\"ab\":6,"
    "\"##b\":7,\"!\":8,\"\xE6\xBC\xA2\":9,\"e\":10,\"##\xCC\x81\":11}}}";

/* The parts of each other kind. */
struct kind {
    const char *post_processor;
    const char *decoder;
    const char *normalizer;
    const char *pre_tokenizer;
    const char *model; /* its vocabulary is put behind */
    enum { BYTES_AS_LETTERS, BYTES_AS_TOKENS, SCORES } vocabulary;
};

#define BYTE_LEVEL(prefix, regex)                                                                  \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":" #prefix                                        \
    ",\"trim_offsets\":true,\"use_regex\":" #regex "}"
#define METASPACE(scheme, split)                                                                   \
    "{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":\"" scheme        \
    "\",\"split\":" split "}"
#define REPLACE(kind, pattern, content)                                                            \
    "{\"type\":\"Replace\",\"pattern\":{\"" kind "\":\"" pattern "\"},\"content\":\"" content "\"}"
#define BPE(settings) "\"type\":\"BPE\",\"dropout\":null," settings
#define FALLBACK      BPE("\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":true")
#define FALLBACK_DECODER                                                                           \
    "{\"type\":\"Sequence\",\"decoders\":[" REPLACE(                                               \
        "String", "\xE2\x96\x81",                                                                  \
        " ") ","                                                                                   \
             "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"                                    \
             "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}"
#define UNIGRAM "\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":"

#define VISIBLE_SPACES REPLACE("String", " ", "\xE2\x96\x81")
#define ONE_SPACE      REPLACE("Regex", " {2,}", " ")

static const struct kind kinds[] = {
    {ROBERTA, BYTE_LEVEL(false, true), "null", BYTE_LEVEL(false, true), BPE("\"unk_token\":null"),
     BYTES_AS_LETTERS},
    {TEMPLATE, BYTE_LEVEL(false, true), "{\"type\":\"NFC\"}",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
     "\"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}|\\\\s+(?!\\\\S)|\\\\s+\"},"
     "\"behavior\":\"Isolated\",\"invert\":false}," BYTE_LEVEL(true, false) "]}",
     BPE("\"ignore_merges\":true"), BYTES_AS_LETTERS},
    {TEMPLATE, FALLBACK_DECODER,
     "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
     "\"prepend\":\"\xE2\x96\x81\"}," VISIBLE_SPACES "]}",
     "null", FALLBACK, BYTES_AS_TOKENS},
    {TEMPLATE, METASPACE("first", "false"),
     "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"Lowercase\"},"
     "{\"type\":\"StripAccents\"},{\"type\":\"Strip\","
     "\"strip_left\":true,\"strip_right\":true}," ONE_SPACE ",{\"type\":\"NFKC\"}]}",
     METASPACE("first", "false"), FALLBACK, BYTES_AS_TOKENS},
    {TEMPLATE, "null", "{\"type\":\"NFD\"}",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Whitespace\"},"
     "{\"type\":\"Punctuation\",\"behavior\":\"MergedWithPrevious\"},"
     "{\"type\":\"Digits\",\"individual_digits\":true}]}",
     BPE("\"unk_token\":\"<unk>\",\"fuse_unk\":false,\"end_of_word_suffix\":\"b\""),
     BYTES_AS_TOKENS},
    {TEMPLATE, METASPACE("always", "true"), "{\"type\":\"NFKC\"}",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"}," METASPACE(
         "always", "true") "]}",
     UNIGRAM "false", SCORES},
    {TEMPLATE, METASPACE("never", "true"), REPLACE("Regex", "a(?=b)|b{2,}", "xy"), "null",
     UNIGRAM "true", SCORES},
};

static void say(struct hearth_buf *json, const char *text)
{
    HEARTH_ASSERT(hearth_buf_append(json, text, strlen(text)) == 0);
}

/* Pieces that are whole characters, and two and three of them joined. */
static const char *const joined[] = {"ab",       "abb", "\xE2\x96\x81\x61",
                                     "\xC3\xA9", "aa",  "e\xCC\x81"};

static void say_piece(struct hearth_buf *json, const char *piece, unsigned id, bool has_score)
{
    int rc = has_score ? hearth_buf_printf(json, ",[\"%s\",-%u.25]", piece, id % 7)
                       : hearth_buf_printf(json, ",\"%s\":%u", piece, id);
    HEARTH_ASSERT(rc == 0);
}

/* What a byte is written as: a letter that can be seen (byte-level BPE), or "<0xC3>". */
static void name_byte(char room[16], unsigned byte, unsigned *unseen, bool is_letter)
{
    if (!is_letter) {
        snprintf(room, 16, "<0x%02X>", byte);
        return;
    }
    bool is_seen = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
    uint32_t letter = is_seen ? byte : 256 + (*unseen)++;
    uint8_t bytes[4];
    unsigned count = hearth_utf8_write(letter, bytes);
    bool is_escaped = byte == '"' || byte == '\\';
    snprintf(room, 16, "%s%.*s", is_escaped ? "\\" : "", (int)count, (const char *)bytes);
}

static void say_vocabulary(struct hearth_buf *json, const struct kind *kind)
{
    bool has_score = kind->vocabulary == SCORES;
    unsigned id = 3;
    unsigned unseen = 0;
    char room[16];
    say(json, has_score ? ",\"vocab\":[[\"<unk>\",0],[\"<s>\",0],[\"by\",-9]"
                        : ",\"vocab\":{\"<unk>\":0,\"<s>\":1,\"by\":2");
    if (kind->vocabulary != BYTES_AS_LETTERS) {
        static const char *const letters[] = {"a",       "b", "e", "x", "y", " ", "\xE2\x96\x81",
                                              "\xCC\x81"};
        for (size_t i = 0; i < HEARTH_COUNT(letters); i++) {
            say_piece(json, letters[i], id++, has_score);
        }
        for (size_t i = 0; i < HEARTH_COUNT(joined); i++) {
            say_piece(json, joined[i], id++, has_score);
        }
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        name_byte(room, byte, &unseen, kind->vocabulary == BYTES_AS_LETTERS);
        say_piece(json, room, id++, has_score);
    }
    if (kind->vocabulary == BYTES_AS_LETTERS) {
        say_piece(json, "ab", id++, false);
        say_piece(json, "abb", id++, false);
    }
    say(json, has_score ? "]" : "}");
    if (kind->vocabulary == BYTES_AS_TOKENS) {
        say(json, ",\"merges\":[\"a b\",\"ab b\",\"\xE2\x96\x81 a\",\"a a\",\"e \xCC\x81\"]");
    } else if (kind->vocabulary == BYTES_AS_LETTERS) {
        say(json, ",\"merges\":[\"a b\",\"ab b\"]");
    }
}

static void say_kind(struct hearth_buf *json, const struct kind *kind)
{
    HEARTH_ASSERT(hearth_buf_printf(json, START FEW_ADDED "\"post_processor\":%s,", kind->decoder,
                                    kind->post_processor) == 0);
    HEARTH_ASSERT(hearth_buf_printf(json, "\"normalizer\":%s,\"pre_tokenizer\":%s,\"model\":{%s",
                                    kind->normalizer, kind->pre_tokenizer, kind->model) == 0);
    say_vocabulary(json, kind);
    say(json, "}}");
}

static struct hearth_tokenizer *make(unsigned choice)
{
    struct hearth_buf json;
    const char *words[] = {"false", "true"};
    hearth_buf_init(&json, 1u << 16);
    if (choice < 16) {
        HEARTH_ASSERT(hearth_buf_printf(&json, word_pieces, words[choice & 1],
                                        words[choice >> 1 & 1], words[choice >> 2 & 1],
                                        words[choice >> 3 & 1]) == 0);
    } else {
        say_kind(&json, &kinds[choice - 16]);
    }
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err = {0};
    int rc = hearth_tokenizer_create(hearth_buf_slice(&json), &tokenizer, &err);
    if (rc < 0) {
        fprintf(stderr, "tokenizer %u: %s\n", choice, err.text);
    }
    HEARTH_ASSERT(rc == 0);
    hearth_buf_finish(&json);
    return tokenizer;
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
    if (is_sound) {
        check_decoding(tokenizer, &taken, false);
    }
    hearth_encoding_finish(&taken);
}

int hearth_fuzz_tokenizer_text(const uint8_t *data, size_t size)
{
    static struct hearth_tokenizer *made[16 + HEARTH_COUNT(kinds)]; /* takes longer than using it */
    if (size < 2) {
        return 0;
    }
    unsigned choice = data[0] % HEARTH_COUNT(made);
    if (made[choice] == NULL) {
        made[choice] = make(choice);
    }
    struct hearth_slice text = hearth_slice_of(data + 2, size - 2);
    check_text(made[choice], text, 2u + data[1] % 32u, data[1] / 32u);
    check_ids(made[choice], text, data[1] % 32u);
    return 0;
}
