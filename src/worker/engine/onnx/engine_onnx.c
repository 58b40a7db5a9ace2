/* engine_onnx.c — the ONNX engine: encoders that classify and embed.
 *
 * One session is shared; every run thread takes the longest waiting text and runs it alone on one
 * core (see run.c). Options of a model: max_tokens, pooling, normalize, dimensions. */

#include "run.h"

#include "hearth_inspect.h"
#include "hearth_os.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENIZER_BYTES ((size_t)64 << 20)
#define MAX_TOKENS_LIMIT    8192
#define DEFAULT_MAX_TOKENS  512

/* Need before it is measured: what one run at the token limit takes beside the weights. Activations
 * of an encoder grow with layers × tokens; an eighth of the weights and a floor of 16 MiB lie above
 * what MiniLM and BERT-base were seen to take. The broker corrects it after loading. */
#define RUN_FLOOR_BYTES ((uint64_t)16 << 20)

struct hearth_engine {
    struct onnx_model model;
    struct runner *runners;
    unsigned runner_count;
    atomic_uint next_runner; /* work() takes one each */
};

static int onnx_preload(const struct hearth_engine_plan *plan, const char **ret_version,
                        struct hearth_error *err)
{
    (void)plan;
    return runtime_open(ret_version, err);
}

static int require_files(const struct hearth_engine_plan *plan, struct hearth_error *err)
{
    if (plan->task == HEARTH_TASK_GENERATE) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "the ONNX engine classifies and embeds only");
    }
    if (hearth_plan_file(plan, HEARTH_FILE_MODEL) == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "the manifest names no file of role model");
    }
    if (hearth_plan_file(plan, HEARTH_FILE_TOKENIZER) == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "the manifest names no file of role tokenizer");
    }
    if (plan->task == HEARTH_TASK_CLASSIFY && plan->label_count == 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "a classifier without labels");
    }
    return 0;
}

/* Walks the file before the library sees it; external data may lie in the weights file only. */
static int check_model(const struct hearth_engine_plan *plan, struct hearth_onnx_facts *ret,
                       struct hearth_error *err)
{
    const struct hearth_engine_file *model = hearth_plan_file(plan, HEARTH_FILE_MODEL);
    const struct hearth_engine_file *weights = hearth_plan_file(plan, HEARTH_FILE_WEIGHTS);
    struct hearth_onnx_file beside = {0};
    if (weights != NULL) {
        beside =
            (struct hearth_onnx_file){.name = weights->path, .size_bytes = weights->size_bytes};
    }
    void *bytes = NULL;
    int rc = model->size_bytes == 0
                 ? hearth_fail(err, HEARTH_E_MODEL_INVALID, "the file is empty")
                 : hearth_memfd_map(model->fd, (size_t)model->size_bytes, false, &bytes, err);
    if (rc == 0) {
        rc = hearth_onnx_inspect(hearth_slice_of(bytes, (size_t)model->size_bytes), &beside,
                                 weights != NULL ? 1 : 0, ret, err);
    }
    hearth_memfd_unmap(bytes, (size_t)model->size_bytes);
    return rc < 0 ? hearth_because(err, rc, "%.64s", model->path) : 0;
}

static int onnx_inspect(const struct hearth_engine_plan *plan, struct hearth_engine_need *ret,
                        struct hearth_error *err)
{
    struct hearth_onnx_facts facts;
    int rc = require_files(plan, err);
    if (rc == 0) {
        rc = check_model(plan, &facts, err);
    }
    if (rc < 0) {
        return rc;
    }
    uint64_t bytes = facts.inline_bytes + facts.external_bytes;
    *ret = (struct hearth_engine_need){
        .weights_bytes = bytes,
        .compute_bytes = plan->threads * (bytes / 8 + RUN_FLOOR_BYTES),
        /* tables beside the text of the vocabulary */
        .tokenizer_bytes = 8 * hearth_plan_file(plan, HEARTH_FILE_TOKENIZER)->size_bytes,
    };
    return 0;
}

static int read_options(struct onnx_model *model, const struct hearth_engine_plan *plan,
                        struct hearth_error *err)
{
    uint64_t max_tokens = DEFAULT_MAX_TOKENS;
    const char *pooling = hearth_plan_string(plan, "pooling");
    model->task = plan->task;
    model->pooling = POOLING_MEAN;
    model->must_normalise = true;
    int rc = hearth_plan_number(plan, "max_tokens", 2, MAX_TOKENS_LIMIT, &max_tokens, err);
    if (rc == 0) {
        rc = hearth_plan_bool(plan, "normalize", &model->must_normalise, err);
    }
    if (rc == 0 && pooling != NULL && !pooling_parse(pooling, &model->pooling)) {
        rc = hearth_fail(err, HEARTH_E_CONFIG,
                         "option pooling is \"%.32s\"; known are mean, cls, max and lasttoken",
                         pooling);
    }
    model->max_tokens = (size_t)max_tokens;
    return rc;
}

static int read_tokenizer(struct onnx_model *model, const struct hearth_engine_plan *plan,
                          struct hearth_error *err)
{
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_TOKENIZER);
    struct hearth_buf json;
    hearth_buf_init(&json, MAX_TOKENIZER_BYTES);
    int rc = hearth_file_read_fd(file->fd, file->path, &json, err);
    if (rc == 0) {
        rc = hearth_tokenizer_create(hearth_buf_slice(&json), &model->tokenizer, err);
    }
    hearth_buf_finish(&json);
    return rc < 0 ? hearth_because(err, rc, "%.64s", file->path) : 0;
}

/* Runs one short text: it shows the width that the file may leave open, and that a run works
 * at all. The answer's width must be the plan's. */
static int learn_width(struct hearth_engine *engine, const struct hearth_engine_plan *plan,
                       struct hearth_error *err)
{
    struct onnx_model *model = &engine->model;
    struct runner *runner = &engine->runners[0];
    struct hearth_encode_options options = {.max_tokens = model->max_tokens, .add_special = true};
    int rc = hearth_tokenizer_encode(model->tokenizer, hearth_slice_of_string("a"), &options,
                                     &runner->encoding, err);
    int width = rc == 0 ? runner_run(runner, model, err) : rc;
    if (width < 0) {
        return width;
    }
    uint64_t wanted = plan->label_count;
    if (plan->task == HEARTH_TASK_EMBED) {
        wanted = (uint64_t)width;
        rc = hearth_plan_number(plan, "dimensions", 1, HEARTH_MAX_VECTOR, &wanted, err);
    }
    if (rc == 0 && wanted != (uint64_t)width) {
        rc = hearth_fail(err, HEARTH_E_MODEL_INVALID,
                         "the manifest promises %llu %s, the model answers with %d",
                         (unsigned long long)wanted,
                         plan->task == HEARTH_TASK_EMBED ? "dimensions" : "labels", width);
    }
    model->width = (size_t)width;
    return rc;
}

static void onnx_unload(struct hearth_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    for (unsigned i = 0; i < engine->runner_count; i++) {
        runner_finish(&engine->runners[i]);
    }
    hearth_free(engine->runners);
    hearth_tokenizer_destroy(engine->model.tokenizer);
    executor_close(engine->model.executor);
    hearth_free(engine);
}

static int make_runners(struct hearth_engine *engine, unsigned count, struct hearth_error *err)
{
    engine->runners = hearth_alloc(count, sizeof *engine->runners);
    if (engine->runners == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = 0;
    while (rc == 0 && engine->runner_count < count) {
        struct run_seat *seat = executor_seat(engine->model.executor, engine->runner_count);
        rc = runner_init(&engine->runners[engine->runner_count++], seat, err);
    }
    return rc;
}

static int onnx_load(const struct hearth_engine_plan *plan, struct hearth_engine **ret,
                     struct hearth_engine_facts *ret_facts, struct hearth_error *err)
{
    struct hearth_engine *engine = hearth_alloc(1, sizeof *engine);
    if (engine == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = read_options(&engine->model, plan, err);
    if (rc == 0) {
        rc = read_tokenizer(&engine->model, plan, err);
    }
    if (rc == 0) {
        rc = executor_open(plan, &engine->model.executor, err);
    }
    if (rc == 0) {
        rc = ports_read(&engine->model.ports, executor_session(engine->model.executor), plan->task,
                        err);
    }
    if (rc == 0) {
        rc = make_runners(engine, plan->threads, err);
    }
    if (rc == 0) {
        rc = learn_width(engine, plan, err);
    }
    if (rc < 0) {
        onnx_unload(engine);
        return rc;
    }
    *ret_facts = (struct hearth_engine_facts){
        .capacity = 2 * HEARTH_MAX_BATCH, /* one batch runs while the next is already there */
        .context_tokens = (uint32_t)engine->model.max_tokens,
        .dimensions = plan->task == HEARTH_TASK_EMBED ? (uint32_t)engine->model.width : 0,
        .run_threads = plan->threads,
        .is_longest_first = true,
    };
    *ret = engine;
    return 0;
}

static void onnx_work(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    unsigned mine = atomic_fetch_add(&engine->next_runner, 1);
    HEARTH_ASSERT(mine < engine->runner_count);
    executor_attach(engine->model.executor, inbox);
    struct hearth_item *item;
    while ((item = hearth_inbox_take(inbox, true)) != NULL) {
        runner_answer(&engine->runners[mine], &engine->model, item);
        hearth_inbox_progress(inbox);
    }
}

static void onnx_interrupt(struct hearth_engine *engine, const struct hearth_job *job)
{
    executor_interrupt(engine->model.executor, job);
}

static const char *const option_keys[] = {"max_tokens", "pooling", "normalize", "dimensions", NULL};

const struct hearth_engine_ops hearth_engine_onnx = {
    .name = "onnx",
    .options = option_keys,
    .preload = onnx_preload,
    .inspect = onnx_inspect,
    .load = onnx_load,
    .work = onnx_work,
    .interrupt = onnx_interrupt,
    .set_threads = NULL, /* each run uses one thread; the inbox's width is the number of runs */
    .unload = onnx_unload,
};
