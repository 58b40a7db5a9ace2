/* What a model is loaded with when nobody says otherwise, and what may be said: the table of the
 * manual (docs/generation.md). */

#include "gguf_engine.h"

#include "kit.h"

static struct hearth_engine_plan plan_with(const char *key, const char *value)
{
    struct hearth_engine_plan plan = {.option_count = key == NULL ? 0 : 1};
    if (key != NULL) {
        (void)snprintf(plan.options[0].key, sizeof plan.options[0].key, "%s", key);
        (void)snprintf(plan.options[0].value, sizeof plan.options[0].value, "%s", value);
    }
    return plan;
}

static void defaults_are_those_of_the_manual(void **state)
{
    (void)state;
    static struct hearth_engine_plan plan;
    struct gguf_options options;
    plan = plan_with(NULL, NULL);
    assert_int_equal(gguf_read_options(&plan, 32768, &options, NULL), 0);
    assert_int_equal(options.context_tokens, 4096);
    assert_int_equal(options.sequences, 4);
    assert_int_equal(options.kv_tokens, 4096 * 4);
    assert_int_equal(options.kv_type, GGML_TYPE_F16);
    assert_int_equal(options.exact_sequences, 1);
    assert_int_equal(options.cache_sequences, 32);
    assert_int_equal(options.cache_mb, 256);
    assert_int_equal(options.inter_token_ms, 100);
    assert_false(options.use_mmap);
    assert_int_equal(gguf_read_options(&plan, 2048, &options, NULL), 0);
    assert_int_equal(options.context_tokens, 2048); /* at most the model's */
}

static void a_target_is_taken_from_1_to_10000_ms(void **state)
{
    (void)state;
    static struct hearth_engine_plan plan;
    struct gguf_options options;
    struct hearth_error err = {0};
    plan = plan_with("inter_token_ms", "300");
    assert_int_equal(gguf_read_options(&plan, 4096, &options, NULL), 0);
    assert_int_equal(options.inter_token_ms, 300);
    const char *const wrong[] = {"0", "10001", "-1", "soon"};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        plan = plan_with("inter_token_ms", wrong[i]);
        assert_int_equal(gguf_read_options(&plan, 4096, &options, &err), HEARTH_E_CONFIG);
        KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, "inter_token_ms");
    }
}

static void a_packed_cache_needs_heads_that_it_fits(void **state)
{
    (void)state;
    const struct {
        enum ggml_type type;
        uint32_t keys;
        uint32_t values;
        bool fits;
    } rows[] = {
        {GGML_TYPE_Q8_0, 64, 64, true},  {GGML_TYPE_Q8_0, 96, 128, true},
        {GGML_TYPE_Q8_0, 16, 16, false}, {GGML_TYPE_Q8_0, 80, 80, false},
        {GGML_TYPE_Q8_0, 64, 48, false}, {GGML_TYPE_Q8_0, 48, 64, false},
        {GGML_TYPE_F16, 16, 20, true},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct hearth_error err = {0};
        const struct gguf_options options = {.kv_type = rows[i].type};
        const struct hearth_gguf_facts facts = {.key_length = rows[i].keys,
                                                .value_length = rows[i].values};
        int rc = gguf_check_kv_type(&options, &facts, &err);
        assert_int_equal(rc, rows[i].fits ? 0 : HEARTH_E_CONFIG);
        if (!rows[i].fits) {
            KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, "use kv_type = f16");
        }
    }
}

KIT_MAIN(cmocka_unit_test(defaults_are_those_of_the_manual),
         cmocka_unit_test(a_target_is_taken_from_1_to_10000_ms),
         cmocka_unit_test(a_packed_cache_needs_heads_that_it_fits))
