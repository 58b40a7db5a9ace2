/* options.c — load options, and what a reply says of all that its tokens depend on. */

#include "gguf_engine.h"

#include <inttypes.h>
#include <stdio.h>

#define GENERATORS (1u << HEARTH_TASK_GENERATE)
#define EMBEDDERS  (1u << HEARTH_TASK_EMBED)

const struct hearth_engine_option gguf_option_table[] = {{"context_tokens", GENERATORS | EMBEDDERS},
                                                         {"mmap", GENERATORS | EMBEDDERS},
                                                         {"sequences", GENERATORS},
                                                         {"kv_tokens", GENERATORS},
                                                         {"kv_type", GENERATORS},
                                                         {"exact_sequences", GENERATORS},
                                                         {"cache_sequences", GENERATORS},
                                                         {"cache_mb", GENERATORS},
                                                         {"inter_token_ms", GENERATORS},
                                                         {"drafts", GENERATORS},
                                                         {"pooling", EMBEDDERS},
                                                         {"normalize", EMBEDDERS},
                                                         {NULL, 0}};

/* The library rounds the cache of a sequence up to this. */
static uint64_t padded(uint64_t tokens)
{
    return (tokens + GGUF_CELL_STEP - 1) / GGUF_CELL_STEP * GGUF_CELL_STEP;
}

uint64_t gguf_padded_context(const struct gguf_options *options)
{
    return padded(options->context_tokens);
}

uint64_t gguf_shared_cells(const struct gguf_options *options)
{
    return padded(options->kv_tokens);
}

static int read_kv_type(const struct hearth_engine_plan *plan, enum ggml_type *ret,
                        struct hearth_error *err)
{
    const char *name = hearth_plan_string(plan, "kv_type");
    if (name == NULL || strcmp(name, "f16") == 0) {
        *ret = GGML_TYPE_F16;
    } else if (strcmp(name, "q8_0") == 0) {
        *ret = GGML_TYPE_Q8_0;
    } else {
        return hearth_fail(err, HEARTH_E_CONFIG, "kv_type is one of f16, q8_0");
    }
    return 0;
}

struct range {
    const char *key;
    uint64_t least;
    uint64_t most;
    uint64_t *ret;
};

int gguf_read_options(const struct hearth_engine_plan *plan, uint64_t context_length,
                      struct gguf_options *ret, struct hearth_error *err)
{
    *ret = (struct gguf_options){
        .context_tokens = HEARTH_MIN(GGUF_DEFAULT_CONTEXT, context_length),
        .sequences = GGUF_DEFAULT_SEQUENCES,
        .exact_sequences = 1,
        .cache_sequences = GGUF_CACHE_IDLE,
        .cache_mb = GGUF_CACHE_MB,
        .inter_token_ms = GGUF_INTER_TOKEN_MS,
        .use_drafts = true,
    };
    struct range ranges[] = {
        {"context_tokens", HEARTH_MIN(GGUF_LEAST_CONTEXT, context_length), context_length,
         &ret->context_tokens},
        {"sequences", 1, GGUF_MAX_SEQUENCES, &ret->sequences},
        {"exact_sequences", 0, GGUF_MAX_SEQUENCES, &ret->exact_sequences},
        {"cache_sequences", 0, GGUF_MAX_IDLE, &ret->cache_sequences},
        {"cache_mb", 0, GGUF_MAX_CACHE_MB, &ret->cache_mb},
        {"inter_token_ms", 1, GGUF_MAX_INTER_TOKEN_MS, &ret->inter_token_ms},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HEARTH_COUNT(ranges); i++) {
        rc = hearth_plan_number(plan, ranges[i].key, ranges[i].least, ranges[i].most, ranges[i].ret,
                                err);
    }
    uint64_t all = ret->context_tokens * ret->sequences;
    ret->kv_tokens = all;
    rc = rc < 0 ? rc
                : hearth_plan_number(plan, "kv_tokens", ret->context_tokens, all, &ret->kv_tokens,
                                     err);
    rc = rc < 0 ? rc : read_kv_type(plan, &ret->kv_type, err);
    rc = rc < 0 ? rc : hearth_plan_bool(plan, "drafts", &ret->use_drafts, err);
    return rc < 0 ? rc : hearth_plan_bool(plan, "mmap", &ret->use_mmap, err);
}

int gguf_check_kv_type(const struct gguf_options *options, const struct hearth_gguf_facts *facts,
                       struct hearth_error *err)
{
    uint32_t packed = (uint32_t)ggml_blck_size(options->kv_type);
    if (facts->key_length % packed == 0 && facts->value_length % packed == 0) {
        return 0;
    }
    return hearth_fail(err, HEARTH_E_CONFIG,
                       "option kv_type = %s packs %" PRIu32 " values together, and a head of this "
                       "model has keys of %" PRIu32 " and values of %" PRIu32
                       ": they must be multiples; use kv_type = f16",
                       ggml_type_name(options->kv_type), packed, facts->key_length,
                       facts->value_length);
}

/* ---- what is told of a generator ---------------------------------------------------------------
 */

static void tell(struct hearth_engine *engine, struct hearth_engine_facts *ret, const char *key,
                 const char *value)
{
    HEARTH_ASSERT(ret->told_count < GGUF_MAX_TOLD);
    struct hearth_engine_fact *fact = &engine->told[ret->told_count++];
    (void)snprintf(fact->key, sizeof fact->key, "%s", key);
    (void)snprintf(fact->value, sizeof fact->value, "%s", value);
}

void gguf_tell(struct hearth_engine *engine, struct hearth_engine_facts *ret)
{
    const struct gguf_options *options = &engine->options;
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"sequences", options->sequences},
        {"kv_tokens", gguf_shared_cells(options)},
        {"exact_sequences", options->exact_sequences},
        {"cache_sequences", options->cache_sequences},
        {"cache_mb", options->cache_mb},
        {"inter_token_ms", options->inter_token_ms},
    };
    for (size_t i = 0; i < HEARTH_COUNT(numbers); i++) {
        char value[24];
        (void)snprintf(value, sizeof value, "%" PRIu64, numbers[i].value);
        tell(engine, ret, numbers[i].key, value);
    }
    tell(engine, ret, "kv_type", ggml_type_name(options->kv_type));
    tell(engine, ret, "prefixes", engine->cache.can_share ? "shared" : "not_cacheable");
    tell(engine, ret, "drafts", options->use_drafts ? "true" : "false");
    tell(engine, ret, "mmap", options->use_mmap ? "true" : "false");
    ret->told = engine->told;
}

/* ---- the fingerprint ------------------------------------------------------------------------- */

/* The processor's features as the library has found and will use them, as one number. */
static uint32_t processor_sum(void)
{
    uint32_t sum = 2166136261u;
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_reg_t library = device == NULL ? NULL : ggml_backend_dev_backend_reg(device);
    void *found = library == NULL
                      ? NULL
                      : ggml_backend_reg_get_proc_address(library, "ggml_backend_get_features");
    ggml_backend_get_features_t get = NULL;
    memcpy(&get, &found, sizeof get);
    const struct ggml_backend_feature *feature = get == NULL ? NULL : get(library);
    for (; feature != NULL && feature->name != NULL; feature++) {
        for (const char *c = feature->name; *c != '\0'; c++) {
            sum = (sum ^ (uint8_t)*c) * 16777619u;
        }
        sum = (sum ^ (uint8_t)feature->value[0]) * 16777619u;
    }
    return sum;
}

void gguf_prepare_fingerprint(struct hearth_engine *engine, const struct hearth_engine_plan *plan)
{
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_MODEL);
    (void)snprintf(engine->build, sizeof engine->build,
                   "model=%.16s engine=llama.cpp-%.32s cpu=%08" PRIx32, file->sha256,
                   llama_version(), processor_sum());
}

void gguf_fingerprint(const struct hearth_engine *engine, bool is_exact, uint64_t seed,
                      char text[HEARTH_MAX_FINGERPRINT_BYTES + 1])
{
    const char *kv_type = is_exact ? "f16" : ggml_type_name(engine->options.kv_type);
    (void)snprintf(text, HEARTH_MAX_FINGERPRINT_BYTES + 1, "%s grid=%s:%u:%s seed=%" PRIu64,
                   engine->build, is_exact ? "exact" : "shared",
                   is_exact ? GGUF_EXACT_ROWS : GGUF_SHARED_ROWS, kv_type, seed);
}
