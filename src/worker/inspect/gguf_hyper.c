/* gguf_hyper.c — the model's numbers.
 *
 * The library answers many wrong values with an assertion, which would end the worker without a
 * word; what it asserts on while loading is refused here, with the key and the number. */

#include "gguf_priv.h"

#include <inttypes.h>
#include <math.h>

/* A number of the architecture: required, or @ret keeps its value if absent. Of an array: the
 * largest element. */
static int read_number(const struct gguf_file *file, const char *key, bool is_required,
                       uint64_t least, uint64_t most, uint32_t *ret, struct hearth_error *err)
{
    const struct gguf_entry *entry = gguf_find(file, key, true);
    if (entry == NULL) {
        return !is_required ? 0
                            : hearth_fail(err, HEARTH_E_MODEL_INVALID, "key %s.%s is missing",
                                          file->architecture, key);
    }
    uint64_t largest = 0;
    for (uint64_t i = 0; i < HEARTH_MAX(entry->count, 1); i++) {
        uint64_t value = 0;
        bool is_number = gguf_number_at(file, entry, i, &value);
        if (!is_number || value < least || value > most) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key %s.%s is %s%" PRIu64 "; %" PRIu64 " to %" PRIu64 " is possible",
                               file->architecture, key,
                               is_number ? "" : "not such a number: ", value, least, most);
        }
        largest = HEARTH_MAX(largest, value);
    }
    *ret = (uint32_t)largest;
    return 0;
}

struct number_rule {
    const char *key;
    bool is_required;
    uint64_t least;
    uint64_t most;
    size_t offset; /* in the facts */
};
#define FACT(member) offsetof(struct hearth_gguf_facts, member)

static const struct number_rule number_rules[] = {
    {"block_count", true, 1, HEARTH_GGUF_MAX_BLOCKS, FACT(block_count)},
    {"context_length", true, 1, HEARTH_GGUF_MAX_CONTEXT, FACT(context_length)},
    {"embedding_length", true, 1, HEARTH_GGUF_MAX_EMBEDDING, FACT(embedding_length)},
    {"feed_forward_length", false, 0, HEARTH_GGUF_MAX_FEED_FORWARD, FACT(feed_forward_length)},
    {"attention.head_count", true, 0, HEARTH_GGUF_MAX_HEADS, FACT(head_count)},
    {"attention.head_count_kv", false, 0, HEARTH_GGUF_MAX_HEADS, FACT(head_count_kv)},
    {"attention.key_length", false, 1, HEARTH_GGUF_MAX_EMBEDDING, FACT(key_length)},
    {"attention.value_length", false, 1, HEARTH_GGUF_MAX_EMBEDDING, FACT(value_length)},
};

/* An array that gives one value a block must give one to each. */
static int check_per_block(const struct gguf_file *file, const char *key, uint32_t blocks,
                           struct hearth_error *err)
{
    const struct gguf_entry *entry = gguf_find(file, key, true);
    if (entry != NULL && entry->is_array && entry->count != blocks) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %s.%s has %" PRIu64 " elements for %" PRIu32 " blocks",
                           file->architecture, key, entry->count, blocks);
    }
    return 0;
}

static uint64_t heads_of_block(const struct gguf_file *file, const char *key, uint64_t block,
                               uint64_t otherwise)
{
    const struct gguf_entry *entry = gguf_find(file, key, true);
    uint64_t value = otherwise;
    if (entry != NULL) {
        (void)gguf_number_at(file, entry, entry->is_array ? block : 0, &value);
    }
    return value;
}

/* What graphs are built on, and assert. */
static int check_head_sizes(const struct gguf_file *file, const struct hearth_gguf_facts *facts,
                            struct hearth_error *err)
{
    if (facts->key_length != facts->value_length) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "key_length is %" PRIu32 ", value_length %" PRIu32
                           ": architecture %s has one size for both",
                           facts->key_length, facts->value_length, file->architecture);
    }
    if (!file->kind->has_free_heads &&
        facts->head_count * facts->key_length != facts->embedding_length) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "%" PRIu32 " heads of %" PRIu32 " values are not the embedding_length "
                           "of %" PRIu32,
                           facts->head_count, facts->key_length, facts->embedding_length);
    }
    return 0;
}

static int check_heads(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                       struct hearth_error *err)
{
    if (facts->head_count == 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "key %s.attention.head_count is 0: models without attention are not "
                           "supported",
                           file->architecture);
    }
    uint32_t share = facts->embedding_length / facts->head_count;
    facts->key_length = facts->key_length != 0 ? facts->key_length : share;
    facts->value_length = facts->value_length != 0 ? facts->value_length : share;
    if (facts->key_length == 0 || facts->value_length == 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "%" PRIu32 " heads share an embedding_length of %" PRIu32,
                           facts->head_count, facts->embedding_length);
    }
    for (uint64_t block = 0; block < facts->block_count; block++) {
        uint64_t heads = heads_of_block(file, "attention.head_count", block, 0);
        uint64_t kv = heads_of_block(file, "attention.head_count_kv", block, heads);
        if (kv == 0 || kv > heads || heads % kv != 0) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "block %" PRIu64 ": %" PRIu64 " heads over %" PRIu64
                               " key-value heads",
                               block, heads, kv);
        }
        facts->head_count_kv = (uint32_t)HEARTH_MAX(facts->head_count_kv, kv);
        facts->kv_values_per_token += kv * (facts->key_length + facts->value_length);
        if (heads != facts->head_count || kv != facts->head_count_kv) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "block %" PRIu64 " has %" PRIu64 " heads over %" PRIu64
                               ", others have %" PRIu32 " over %" PRIu32,
                               block, heads, kv, facts->head_count, facts->head_count_kv);
        }
    }
    return check_head_sizes(file, facts, err);
}

static int check_rope(const struct gguf_file *file, const struct hearth_gguf_facts *facts,
                      struct hearth_error *err)
{
    uint32_t dimensions = facts->key_length;
    uint32_t least = file->kind->has_full_rope ? facts->key_length : 2; /* 0: the library hangs */
    int rc = read_number(file, "rope.dimension_count", false, least, facts->key_length, &dimensions,
                         err);
    if (rc < 0) {
        return rc;
    }
    if (dimensions % 2 != 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %s.rope.dimension_count is %" PRIu32 ", not even",
                           file->architecture, dimensions);
    }
    static const char *const kinds[] = {"none", "linear", "yarn", "longrope"};
    const struct gguf_entry *entry = gguf_find(file, "rope.scaling.type", true);
    struct hearth_slice text = {NULL, 0};
    bool is_known = entry == NULL;
    for (size_t i = 0; !is_known && i < HEARTH_COUNT(kinds); i++) {
        is_known = gguf_text_of(file, entry, &text) && hearth_slice_equals_string(text, kinds[i]);
    }
    if (!is_known) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "key %s.rope.scaling.type is \"%s\"",
                           file->architecture, shown_text(text).text);
    }
    return 0;
}

static int check_experts(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                         struct hearth_error *err)
{
    uint32_t count = 0;
    uint32_t used = 0;
    uint32_t groups = 0;
    uint32_t groups_used = 0;
    uint32_t next = 0;
    int rc = read_number(file, "expert_count", false, 0, HEARTH_GGUF_MAX_EXPERTS, &count, err);
    rc = rc < 0 ? rc : read_number(file, "expert_used_count", false, 0, count, &used, err);
    rc = rc < 0 ? rc : read_number(file, "expert_group_count", false, 0, count, &groups, err);
    rc = rc < 0 ? rc
                : read_number(file, "expert_group_used_count", false, 0, groups, &groups_used, err);
    rc = rc < 0 ? rc
                : read_number(file, "nextn_predict_layers", false, 0, facts->block_count - 1, &next,
                              err);
    if (rc < 0) {
        return rc;
    }
    facts->expert_count = count;
    bool is_sound = count > 0 ? used > 0 && groups < count : used == 0 && groups == 0;
    if (groups > 1) {
        is_sound = is_sound && count % groups == 0 && groups_used > 0 && groups_used < groups;
    }
    return is_sound ? 0
                    : hearth_fail(err, HEARTH_E_MODEL_INVALID,
                                  "%" PRIu32 " experts, %" PRIu32 " used, in %" PRIu32
                                  " groups, %" PRIu32 " used",
                                  count, used, groups, groups_used);
}

static bool ends_with(struct hearth_slice text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* Every other float of the file must be a number at all; a norm's epsilon must be one that a norm
 * can use (the library asserts on a negative one or NaN in the first step). */
static int check_floats(const struct gguf_file *file, struct hearth_error *err)
{
    for (uint64_t i = 0; i < file->key_count; i++) {
        const struct gguf_entry *entry = &file->entries[i];
        double value = 0;
        bool is_epsilon = ends_with(entry->key, "epsilon") || ends_with(entry->key, "_eps");
        if (!gguf_float_of(file, entry, &value)) {
            if (is_epsilon && !entry->is_array) {
                return hearth_fail(err, HEARTH_E_MODEL_INVALID, "key %s is no 32-bit float",
                                   shown_text(entry->key).text);
            }
            continue;
        }
        if (!isfinite(value) || (is_epsilon && !(value > 0 && value <= 1))) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID, "key %s is %g",
                               shown_text(entry->key).text, value);
        }
    }
    return 0;
}

/* How texts are read, what of them is kept, and how vectors of tokens become one. */
static int check_reading(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                         struct hearth_error *err)
{
    uint32_t window = 0;
    facts->is_encoder = file->kind->reads == GGUF_READS_BOTH_WAYS;
    facts->pooling = HEARTH_GGUF_POOLING_UNTOLD;
    int rc =
        read_number(file, "pooling_type", false, 0, HEARTH_GGUF_POOLING_RANK, &facts->pooling, err);
    rc = rc < 0 ? rc
                : read_number(file, "attention.sliding_window", false, 0, HEARTH_GGUF_MAX_CONTEXT,
                              &window, err);
    if (rc < 0) {
        return rc;
    }
    facts->has_window = file->kind->has_window && window > 0;
    const struct gguf_entry *causal = gguf_find(file, "attention.causal", true);
    uint64_t is_causal = !facts->is_encoder;
    if (causal != NULL &&
        (causal->is_array || causal->kind != GGUF_BOOL ||
         !gguf_number_at(file, causal, 0, &is_causal) || (is_causal != 0) == facts->is_encoder)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "key %s.attention.causal is not what the architecture is: an encoder "
                           "reads both ways, any other forward",
                           file->architecture);
    }
    bool needs_window =
        strcmp(file->architecture, "gemma2") == 0 || strcmp(file->architecture, "cohere2") == 0;
    if (needs_window && !facts->has_window) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "key %s.attention.sliding_window is missing or 0", file->architecture);
    }
    return 0;
}

int gguf_check_hyper(const struct gguf_file *file, struct hearth_gguf_facts *facts,
                     struct hearth_error *err)
{
    for (size_t i = 0; i < HEARTH_COUNT(number_rules); i++) {
        const struct number_rule *rule = &number_rules[i];
        uint32_t *fact = (uint32_t *)(void *)((char *)facts + rule->offset);
        int rc =
            read_number(file, rule->key, rule->is_required, rule->least, rule->most, fact, err);
        if (rc < 0) {
            return rc;
        }
    }
    static const char *const per_block[] = {"feed_forward_length", "attention.head_count",
                                            "attention.head_count_kv", "expert_used_count"};
    for (size_t i = 0; i < HEARTH_COUNT(per_block); i++) {
        int rc = check_per_block(file, per_block[i], facts->block_count, err);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = check_heads(file, facts, err);
    rc = rc < 0 ? rc : check_rope(file, facts, err);
    rc = rc < 0 ? rc : check_experts(file, facts, err);
    rc = rc < 0 ? rc : check_reading(file, facts, err);
    rc = rc < 0 ? rc : check_floats(file, err);
    rc = rc < 0 ? rc : gguf_check_own_keys(file, facts->block_count, err);
    facts->file_type = UINT32_MAX;
    const struct gguf_entry *type = gguf_find(file, "general.file_type", false);
    uint64_t value = 0;
    if (type != NULL && gguf_number_at(file, type, 0, &value) && value < UINT32_MAX) {
        facts->file_type = (uint32_t)value;
    }
    return rc;
}
