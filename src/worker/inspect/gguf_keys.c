/* gguf_keys.c — every key of the architecture: a type and a range, or the file is refused.
 *
 * Keys that nobody looked at are no harmless surplus: the library reads about three hundred, and
 * one that it knows and this list does not would change the graph in ways that were not checked. */

#include "gguf_priv.h"

#include <inttypes.h>
#include <math.h>

enum gguf_form {
    FORM_NUMBER, /* a whole one, or an array with one for each block */
    FORM_FLOAT,
    FORM_BOOL,
    FORM_TEXT,
    FORM_CHECKED /* elsewhere, as a part of the model's shape */
};

struct key_rule {
    const char *key;
    enum gguf_form form;
    double least;
    double most;
};

#define SMALLEST 1e-20
#define LARGEST  1e12

static const struct key_rule rules[] = {
    {"attention.causal", FORM_CHECKED, 0, 0},
    {"attention.clamp_kqv", FORM_FLOAT, 0, LARGEST},
    {"attention.head_count", FORM_CHECKED, 0, 0},
    {"attention.head_count_kv", FORM_CHECKED, 0, 0},
    {"attention.key_length", FORM_CHECKED, 0, 0},
    {"attention.layer_norm_epsilon", FORM_FLOAT, SMALLEST, 1},
    {"attention.layer_norm_rms_epsilon", FORM_FLOAT, SMALLEST, 1},
    {"attention.max_alibi_bias", FORM_FLOAT, 0, LARGEST},
    {"attention.scale", FORM_FLOAT, 0, LARGEST},
    {"attention.sliding_window", FORM_CHECKED, 0, 0},
    {"attention.sliding_window_pattern", FORM_NUMBER, 0, HEARTH_GGUF_MAX_BLOCKS},
    {"attention.temperature_length", FORM_NUMBER, 0, HEARTH_GGUF_MAX_CONTEXT},
    {"attention.temperature_scale", FORM_FLOAT, 0, LARGEST},
    {"attention.value_length", FORM_CHECKED, 0, 0},
    {"attn_logit_softcapping", FORM_FLOAT, SMALLEST, LARGEST},
    {"block_count", FORM_CHECKED, 0, 0},
    {"context_length", FORM_CHECKED, 0, 0},
    {"embedding_length", FORM_CHECKED, 0, 0},
    {"embedding_scale", FORM_FLOAT, -LARGEST, LARGEST},
    {"expert_count", FORM_CHECKED, 0, 0},
    {"expert_feed_forward_length", FORM_NUMBER, 0, HEARTH_GGUF_MAX_FEED_FORWARD},
    {"expert_group_count", FORM_CHECKED, 0, 0},
    {"expert_group_used_count", FORM_CHECKED, 0, 0},
    {"expert_shared_feed_forward_length", FORM_NUMBER, 0, HEARTH_GGUF_MAX_FEED_FORWARD},
    {"expert_used_count", FORM_CHECKED, 0, 0},
    {"expert_weights_scale", FORM_FLOAT, 0, LARGEST},
    {"feed_forward_length", FORM_CHECKED, 0, 0},
    {"final_logit_softcapping", FORM_FLOAT, SMALLEST, LARGEST},
    {"hidden_activation", FORM_TEXT, 0, 0},
    {"logit_scale", FORM_FLOAT, -LARGEST, LARGEST},
    {"moe_every_n_layers", FORM_NUMBER, 0, 0},
    {"nextn_predict_layers", FORM_NUMBER, 0, 0},
    {"pooling_type", FORM_CHECKED, 0, 0},
    {"residual_scale", FORM_FLOAT, -LARGEST, LARGEST},
    {"rope.dimension_count", FORM_CHECKED, 0, 0},
    {"rope.freq_base", FORM_FLOAT, SMALLEST, LARGEST},
    {"rope.freq_base_swa", FORM_FLOAT, SMALLEST, LARGEST},
    {"rope.scale_linear", FORM_FLOAT, 0, LARGEST},
    {"rope.scaling.alpha", FORM_FLOAT, 0, LARGEST},
    {"rope.scaling.attn_factor", FORM_FLOAT, SMALLEST, LARGEST},
    {"rope.scaling.factor", FORM_FLOAT, 0, LARGEST},
    {"rope.scaling.finetuned", FORM_BOOL, 0, 0},
    {"rope.scaling.original_context_length", FORM_NUMBER, 0, HEARTH_GGUF_MAX_CONTEXT},
    {"rope.scaling.type", FORM_CHECKED, 0, 0},
    {"rope.scaling.yarn_attn_factor", FORM_FLOAT, SMALLEST, LARGEST},
    {"rope.scaling.yarn_beta_fast", FORM_FLOAT, SMALLEST, LARGEST},
    {"rope.scaling.yarn_beta_slow", FORM_FLOAT, SMALLEST, LARGEST},
    {"rope.scaling.yarn_ext_factor", FORM_FLOAT, 0, LARGEST},
    {"rope.scaling.yarn_log_multiplier", FORM_FLOAT, 0, LARGEST},
    {"tensor_data_layout", FORM_TEXT, 0, 0},
    {"use_parallel_residual", FORM_BOOL, 0, 0},
    {"vocab_size", FORM_NUMBER, 1, HEARTH_GGUF_MAX_VOCABULARY},
};

static const struct key_rule *rule_of(struct hearth_slice key)
{
    for (size_t i = 0; i < HEARTH_COUNT(rules); i++) {
        if (hearth_slice_equals_string(key, rules[i].key)) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool are_numbers(const struct gguf_file *file, const struct gguf_entry *entry,
                        const struct key_rule *rule, uint32_t blocks)
{
    if (entry->is_array && entry->count != blocks) {
        return false;
    }
    for (uint64_t i = 0; i < entry->count; i++) {
        uint64_t value = 0;
        if (!gguf_number_at(file, entry, i, &value) || (double)value < rule->least ||
            (double)value > rule->most) {
            return false;
        }
    }
    return true;
}

static bool fits(const struct gguf_file *file, const struct gguf_entry *entry,
                 const struct key_rule *rule, uint32_t blocks)
{
    double value = 0;
    switch (rule->form) {
    case FORM_NUMBER: return are_numbers(file, entry, rule, blocks);
    case FORM_FLOAT:
        return gguf_float_of(file, entry, &value) && isfinite(value) && value >= rule->least &&
               value <= rule->most;
    case FORM_BOOL: return !entry->is_array && entry->kind == GGUF_BOOL;
    case FORM_TEXT: return !entry->is_array && entry->kind == GGUF_STRING;
    case FORM_CHECKED: return true;
    }
    HEARTH_UNREACHABLE();
}

int gguf_check_own_keys(const struct gguf_file *file, uint32_t blocks, struct hearth_error *err)
{
    size_t prefix = strlen(file->architecture);
    for (uint64_t i = 0; i < file->key_count; i++) {
        const struct gguf_entry *entry = &file->entries[i];
        struct hearth_slice key = entry->key;
        if (key.size <= prefix || memcmp(key.data, file->architecture, prefix) != 0 ||
            key.data[prefix] != '.') {
            continue;
        }
        const struct key_rule *rule =
            rule_of(hearth_slice_of(key.data + prefix + 1, key.size - prefix - 1));
        if (rule == NULL) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "key %s is not known: what it does to the model was not checked",
                               shown_text(key).text);
        }
        if (!fits(file, entry, rule, blocks)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "key %s is of the wrong type or out of range (%g to %g)",
                               shown_text(key).text, rule->least, rule->most);
        }
    }
    return 0;
}
