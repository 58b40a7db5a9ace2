/* gguf.c — the table of the engine: preload, inspect, load, unload. */

#include "gguf_engine.h"

#include "embed.h"
#include "estimate.h"
#include "hearth_os.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* What the library logs may hold names and texts of the model; none of it leaves the worker. */
static void log_nothing(enum ggml_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

/* The last words of an assertion, "file:line: claim": where it was is kept, what it says is not. */
static void say_where(const char *message)
{
    const char *colon = strstr(message, ": ");
    size_t size = colon != NULL ? (size_t)(colon - message) : 0;
    const char *name = message;
    for (size_t i = 0; i < size; i++) {
        name = message[i] == '/' ? message + i + 1 : name;
    }
    char line[128] = "llama.cpp gave up at ";
    size_t used = strlen(line);
    size_t take = HEARTH_MIN(size - (size_t)(name - message), sizeof line - used - 2);
    memcpy(line + used, name, take);
    line[used + take] = '\n';
    ssize_t written = write(STDERR_FILENO, line, used + take + 1);
    (void)written; /* the process ends now, whatever came of it */
}

/* Registers the CPU backend, which reads /proc/cpuinfo: before the door closes. It starts no thread
 * and sees no byte of a model. */
static int preload(const struct hearth_engine_plan *plan, const char **ret_version,
                   struct hearth_error *err)
{
    (void)plan;
    if (setenv("GGML_NO_BACKTRACE", "1", 1) != 0) { /* else an assertion would try to start gdb */
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "set GGML_NO_BACKTRACE");
    }
    llama_log_set(log_nothing, NULL);
    ggml_set_abort_callback(say_where);
    llama_backend_init();
    if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == NULL) {
        return hearth_fail(err, HEARTH_E_NO_ENGINE, "llama.cpp was built without its CPU backend");
    }
    *ret_version = llama_version();
    return 0;
}

/* Looks at the header through a mapping: only the pages that it fills are read. */
static int look(const struct hearth_engine_plan *plan, struct hearth_gguf_facts *facts,
                struct gguf_options *options, struct hearth_error *err)
{
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_MODEL);
    if (file == NULL || file->size_bytes == 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "model \"%s\" has no GGUF file",
                           plan->model_id);
    }
    void *memory = NULL;
    int rc = hearth_memfd_map(file->fd, (size_t)file->size_bytes, false, &memory, err);
    if (rc < 0) {
        return hearth_because(err, HEARTH_E_MODEL_INVALID, "map %s", file->path);
    }
    rc = hearth_gguf_inspect(hearth_slice_of(memory, (size_t)file->size_bytes), facts, err);
    hearth_memfd_unmap(memory, (size_t)file->size_bytes);
    if (rc < 0) {
        return hearth_because(err, rc, "%s", file->path);
    }
    if (facts->is_encoder && plan->task != HEARTH_TASK_EMBED) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "%s: architecture %s is an encoder and writes nothing; give the model "
                           "the capability embedding",
                           file->path, facts->architecture);
    }
    rc = gguf_read_options(plan, facts->context_length, options, err);
    return rc < 0 ? rc : gguf_check_kv_type(options, facts, err);
}

static int inspect(const struct hearth_engine_plan *plan, struct hearth_engine_need *ret,
                   struct hearth_error *err)
{
    struct hearth_gguf_facts facts;
    struct gguf_options options;
    int rc = look(plan, &facts, &options, err);
    if (rc < 0) {
        return rc;
    }
    struct gguf_embed_options vectors;
    struct gguf_shape shape = {
        .cells = gguf_shared_cells(&options),
        .exact_cells = gguf_padded_context(&options) * options.exact_sequences,
        .visible_tokens = gguf_padded_context(&options),
        .cache_type = (uint32_t)options.kv_type,
        .chunk_tokens = GGUF_SHARED_ROWS,
        .exact_tokens = options.exact_sequences > 0 ? GGUF_EXACT_ROWS : 0,
        .saved_bytes = options.cache_sequences > 0 ? options.cache_mb << 20 : 0,
        .outputs = (uint32_t)options.sequences + GGUF_SPARE_LOGITS,
        .is_mapped = options.use_mmap,
    };
    if (plan->task == HEARTH_TASK_EMBED) {
        rc = gguf_embed_options(plan, &facts, &vectors, err);
        shape = (struct gguf_shape){
            .cells = facts.is_encoder ? 0 : vectors.call_tokens,
            .visible_tokens = vectors.call_tokens,
            .cache_type = (uint32_t)GGML_TYPE_F16,
            .exact_tokens = vectors.call_tokens, /* no flash attention either */
            .is_mapped = options.use_mmap,
        };
    }
    gguf_estimate(&facts, &shape, ret);
    return rc;
}

static int load_model(struct hearth_engine *engine, const struct hearth_engine_plan *plan,
                      struct hearth_error *err)
{
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_MODEL);
    int fd = dup(file->fd); /* the stream closes its own; the plan's stays open */
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "rb");
    if (stream == NULL) {
        int rc = hearth_fail_errno(err, HEARTH_E_SYSTEM, "open %s", file->path);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    rewind(stream);
    struct llama_model_params params = llama_model_default_params();
    params.load_mode = engine->options.use_mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    params.n_gpu_layers = 0;
    engine->model = llama_model_load_from_file_ptr(stream, params);
    fclose(stream);
    if (engine->model == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "%s: llama.cpp refuses it (tensors missing, of another shape, or an "
                           "architecture that it does not know)",
                           file->path);
    }
    if (llama_model_is_diffusion(engine->model) || llama_model_is_recurrent(engine->model) ||
        llama_model_is_hybrid(engine->model)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%s is not a plain transformer", file->path);
    }
    engine->vocab = llama_model_get_vocab(engine->model);
    engine->vocab_size = llama_vocab_n_tokens(engine->vocab);
    return 0;
}

/* Everything that requests need is made here, so that they allocate nothing of ours. */
static int make_room(struct hearth_engine *engine, struct hearth_error *err)
{
    int rc = gguf_create_room(engine, err);
    if (rc < 0) {
        return rc;
    }
    hearth_buf_init(&engine->run, GGUF_MAX_PROMPT_BYTES);
    for (uint32_t i = 0; i < engine->places; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        rc = gguf_create_after_logits(engine, sequence, err);
        if (rc < 0) {
            return rc;
        }
    }
    return gguf_prepare_chat(engine, err);
}

static int make_generator(struct hearth_engine *engine, struct hearth_engine_facts *ret,
                          struct hearth_error *err)
{
    engine->places = gguf_places(&engine->options);
    int rc = gguf_make_lanes(engine, err);
    rc = rc < 0 ? rc : gguf_cache_create(engine, err);
    rc = rc < 0 ? rc : make_room(engine, err);
    *ret = (struct hearth_engine_facts){
        .capacity = (uint32_t)engine->options.sequences,
        .context_tokens = (uint32_t)engine->options.context_tokens,
        .run_threads = 1,
    };
    gguf_tell(engine, ret);
    return rc;
}

static void unload(struct hearth_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    gguf_embed_destroy(engine->embedder);
    for (size_t i = 0; i < HEARTH_COUNT(engine->sequences); i++) {
        gguf_destroy_after_logits(&engine->sequences[i]);
    }
    gguf_finish_chat(engine);
    hearth_buf_finish(&engine->run);
    gguf_destroy_room(engine->room);
    gguf_cache_destroy(&engine->cache);
    gguf_free_lanes(engine);
    if (engine->context != NULL) {
        llama_free(engine->context);
    }
    if (engine->model != NULL) {
        llama_model_free(engine->model);
    }
    hearth_free(engine);
}

static int load(const struct hearth_engine_plan *plan, struct hearth_engine **ret,
                struct hearth_engine_facts *ret_facts, struct hearth_error *err)
{
    struct hearth_engine *engine = hearth_alloc(1, sizeof *engine);
    if (engine == NULL) {
        return hearth_fail_oom(err);
    }
    struct hearth_gguf_facts facts;
    engine->most_threads = HEARTH_MIN(HEARTH_MAX(plan->threads, 1u), GGUF_MAX_THREADS);
    engine->threads = engine->most_threads;
    gguf_cores_begin(&engine->cores, plan, engine->most_threads);
    atomic_init(&engine->wanted_threads, engine->most_threads);
    int rc = look(plan, &facts, &engine->options, err);
    rc = rc < 0 ? rc : load_model(engine, plan, err);
    if (rc == 0) {
        gguf_prepare_fingerprint(engine, plan);
        rc = plan->task == HEARTH_TASK_EMBED
                 ? gguf_embed_create(engine, plan, &facts, ret_facts, err)
                 : make_generator(engine, ret_facts, err);
    }
    if (rc < 0) {
        unload(engine);
        return rc;
    }
    *ret = engine;
    return 0;
}

static void work(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    if (engine->embedder != NULL) {
        gguf_embed_work(engine, inbox);
    } else {
        gguf_work(engine, inbox);
    }
}

static void set_threads(struct hearth_engine *engine, unsigned threads)
{
    atomic_store(&engine->wanted_threads,
                 HEARTH_MIN(HEARTH_MAX(threads, 1u), engine->most_threads));
}

static void shed(struct hearth_engine *engine)
{
    atomic_store(&engine->wants_shed, true);
}

const struct hearth_engine_ops hearth_engine_gguf = {
    .name = "gguf",
    .options = gguf_option_table,
    .watches_cores = true,
    .preload = preload,
    .inspect = inspect,
    .load = load,
    .work = work,
    .set_threads = set_threads,
    .shed = shed,
    .unload = unload,
};
