/* engine_onnx.c — the ONNX engine: encoders that classify, embed, rank and find entities, and any
 * model on raw tensors.
 *
 * One session is shared; every run thread takes the longest waiting text and runs it alone on one
 * core (see run.c, executor.h). A text that takes no longer than waking a thread is run by the link
 * thread. head.h lists the options of a model. */

#include "learn.h"
#include "raw.h"
#include "run.h"

#include "hearth_inspect.h"
#include "hearth_os.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONFIG_BYTES ((size_t)1 << 20)

struct hearth_engine {
    struct onnx_model model;
    struct runner *runners;
    unsigned runner_count;
    atomic_uint next_runner; /* work() takes one each; the last is the link thread's */
    bool is_bounded;         /* the length of a text says how long its run takes */
    struct hearth_engine_port inputs[HEARTH_MAX_TENSORS];
    struct hearth_engine_port outputs[HEARTH_MAX_TENSORS];
    struct told told;
    struct calibration calibration;
};

static int onnx_preload(const struct hearth_engine_plan *plan, const char **ret_version,
                        struct hearth_error *err)
{
    (void)plan;
    return runtime_open(ret_version, err);
}

/* ---- files ---------------------------------------------------------------------------------- */

static bool needs_labels(enum hearth_task task)
{
    return task == HEARTH_TASK_CLASSIFY || task == HEARTH_TASK_ENTITIES;
}

static int require_files(const struct hearth_engine_plan *plan, struct hearth_error *err)
{
    if (plan->task == HEARTH_TASK_GENERATE) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the ONNX engine does not generate text; use a GGUF model");
    }
    if (hearth_plan_file(plan, HEARTH_FILE_MODEL) == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "the manifest names no file of role model");
    }
    if (plan->task != HEARTH_TASK_TENSORS &&
        hearth_plan_file(plan, HEARTH_FILE_TOKENIZER) == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "the manifest names no file of role tokenizer, which every task but "
                           "tensors needs");
    }
    if (needs_labels(plan->task) && plan->label_count == 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "task %s without labels",
                           hearth_task_name(plan->task));
    }
    return 0;
}

static int read_head(struct head *head, const struct hearth_engine_plan *plan,
                     struct hearth_error *err)
{
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_CONFIG);
    struct hearth_buf json;
    hearth_buf_init(&json, MAX_CONFIG_BYTES);
    int rc = file == NULL ? 0 : hearth_file_read_fd(file->fd, file->path, &json, err);
    if (rc == 0) {
        rc = head_read(head, plan, hearth_buf_slice(&json), err);
    }
    hearth_buf_finish(&json);
    return rc;
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

/* What the file declares of its output must suit labels and options; it may declare less than the
 * library infers, so the same is asked again of the first run. */
static int check_declared(const struct hearth_engine_plan *plan,
                          const struct hearth_onnx_facts *facts, struct hearth_error *err)
{
    struct head head;
    int rc = read_head(&head, plan, err);
    if (rc < 0 || plan->task == HEARTH_TASK_TENSORS) {
        return rc;
    }
    struct ports *ports = hearth_alloc(1, sizeof *ports);
    if (ports == NULL) {
        return hearth_fail_oom(err);
    }
    struct encoder encoder = {0};
    ports_declared(ports, facts);
    rc = encoder_choose_output(&encoder, ports, &head, err);
    if (rc == 0 && encoder.output_width != PORT_ANY) {
        rc = head_check_width(&head, plan->label_count, (size_t)encoder.output_width, err);
    }
    hearth_free(ports);
    return rc;
}

/* For the estimate of memory, which comes before the tokenizer is read. */
static size_t expected_tokens(const struct head *head)
{
    if (head->task == HEARTH_TASK_TENSORS) {
        return 0;
    }
    return head->max_tokens != 0 ? (size_t)head->max_tokens : HEAD_DEFAULT_TOKENS;
}

static int onnx_inspect(const struct hearth_engine_plan *plan, struct hearth_engine_need *ret,
                        struct hearth_error *err)
{
    struct hearth_onnx_facts facts;
    int rc = require_files(plan, err);
    if (rc == 0) {
        rc = check_model(plan, &facts, err);
    }
    if (rc == 0) {
        rc = check_declared(plan, &facts, err);
    }
    if (rc < 0) {
        return rc;
    }
    const struct hearth_engine_file *tokenizer = hearth_plan_file(plan, HEARTH_FILE_TOKENIZER);
    *ret = (struct hearth_engine_need){
        /* tables beside the text of the vocabulary */
        .tokenizer_bytes = plan->task == HEARTH_TASK_TENSORS ? 0 : 8 * tokenizer->size_bytes,
    };
    struct head head;
    rc = read_head(&head, plan, err);
    return rc < 0 ? rc : executor_estimate(plan, expected_tokens(&head), ret, err);
}

/* ---- loading -------------------------------------------------------------------------------- */

/* What the manifest says, else the tokenizer, else what the graph is fixed to, else a usual number,
 * which learn_model() lowers if the graph bears less. */
static int choose_max_tokens(struct onnx_model *model, struct hearth_error *err)
{
    const struct hearth_tokenizer_facts *facts = hearth_tokenizer_facts(model->tokenizer);
    size_t told = (size_t)model->head.max_tokens;
    size_t fixed = model->encoder.fixed_tokens;
    if (fixed != 0 && told > fixed) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "option max_tokens is %zu, the graph has a fixed length of %zu", told,
                           fixed);
    }
    size_t usual = facts->default_max_tokens != 0 ? facts->default_max_tokens : fixed;
    size_t tokens = told != 0 ? told : usual != 0 ? usual : HEAD_DEFAULT_TOKENS;
    tokens = HEARTH_MIN(tokens, fixed != 0 ? fixed : HEAD_MAX_TOKENS);
    bool is_pair = model->head.task == HEARTH_TASK_RERANK;
    size_t special = is_pair ? facts->special_tokens_pair : facts->special_tokens;
    if (tokens <= special) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "a limit of %zu tokens leaves no room beside %zu special ones", tokens,
                           special);
    }
    model->max_tokens = tokens;
    return is_pair && !facts->takes_pairs
               ? hearth_fail(err, HEARTH_E_MODEL_INVALID,
                             "the tokenizer does not say how two texts are put together, which a "
                             "reranker needs")
               : 0;
}

static int read_tokenizer(struct onnx_model *model, const struct hearth_engine_plan *plan,
                          struct hearth_error *err)
{
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_TOKENIZER);
    struct hearth_buf json;
    hearth_buf_init(&json, HEARTH_TOKENIZER_MAX_FILE_BYTES);
    int rc = hearth_file_read_fd(file->fd, file->path, &json, err);
    if (rc == 0) {
        rc = hearth_tokenizer_create(hearth_buf_slice(&json), &model->tokenizer, err);
    }
    hearth_buf_finish(&json);
    return rc < 0 ? hearth_because(err, rc, "%.64s", file->path) : 0;
}

static int run_probe(void *arg, size_t tokens, struct hearth_error *err)
{
    struct hearth_engine *engine = arg;
    struct onnx_output output;
    return runner_probe(&engine->runners[0], &engine->model, tokens, &output, err);
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
        rc = runner_init(&engine->runners[engine->runner_count++], &engine->model, seat, err);
    }
    return rc;
}

/* What a text model needs beside its session. */
static int load_text_model(struct onnx_model *model, struct hearth_error *err)
{
    int rc = read_tokenizer(model, model->plan, err);
    if (rc == 0) {
        rc = encoder_choose(&model->encoder, &model->ports, &model->head, err);
    }
    return rc < 0 ? rc : choose_max_tokens(model, err);
}

static int load_model(struct hearth_engine *engine, const struct hearth_onnx_facts *facts,
                      struct hearth_error *err)
{
    struct onnx_model *model = &engine->model;
    const struct hearth_engine_plan *plan = model->plan;
    bool is_raw = plan->task == HEARTH_TASK_TENSORS;
    int rc = read_head(&model->head, plan, err);
    if (rc == 0) {
        rc = executor_open(plan, expected_tokens(&model->head), &model->executor, err);
    }
    if (rc == 0) {
        rc = ports_read(&model->ports, executor_session(model->executor), facts, err);
    }
    if (rc == 0) {
        rc = is_raw ? raw_check_ports(&model->ports, err) : load_text_model(model, err);
    }
    if (rc == 0) {
        rc = make_runners(engine, plan->threads + 1, err);
    }
    if (rc == 0 && !is_raw) {
        rc = learn_model(model, &engine->runners[0], err);
    }
    if (rc == 0) {
        executor_calibrate(model->executor, model->max_tokens, is_raw ? NULL : run_probe, engine,
                           &engine->calibration);
    }
    return rc;
}

static void tell_runs(const struct hearth_engine *engine, struct told *told)
{
    const struct calibration *found = &engine->calibration;
    if (found->longest == 0) {
        told_fact(told, "wide_from_tokens", "%s",
                  executor_has_wide(engine->model.executor) ? "learned" : "never");
        return;
    }
    if (found->wide_from == CHOICE_NEVER) {
        told_fact(told, "wide_from_tokens", "never");
    } else {
        told_fact(told, "wide_from_tokens", "%zu", found->wide_from);
    }
    told_fact(told, "tokens_per_second_per_core", "%llu",
              (unsigned long long)found->tokens_per_second);
    told_fact(told, "calibration_ms", "%llu", (unsigned long long)(found->took_ns / 1000000));
}

static void tell(struct hearth_engine *engine, const struct hearth_onnx_facts *facts)
{
    const struct onnx_model *model = &engine->model;
    struct told *told = &engine->told;
    told_fact(told, "library", "ONNX Runtime %s", runtime_version());
    told_fact(told, "opset", "%u", facts->opset);
    if (facts->producer[0] != '\0') {
        told_fact(told, "producer", "%s", facts->producer);
    }
    if (hearth_wire_element_bytes(facts->weights_type) !=
        0) { /* bfloat16 and others have no name */
        told_fact(told, "weights", "%s", hearth_tensor_type_name((int)facts->weights_type));
    }
    if (model->tokenizer != NULL) {
        told_fact(told, "max_tokens", "%zu", model->max_tokens);
        told_fact(told, "output", "%s", model->encoder.output_name);
        head_tell(&model->head, model->output_rank == 3, told);
    }
    if (model->encoder.fixed_tokens != 0) {
        told_fact(told, "padded_to", "%zu", model->encoder.fixed_tokens);
    }
    tell_runs(engine, told);
}

static int onnx_load(const struct hearth_engine_plan *plan, struct hearth_engine **ret,
                     struct hearth_engine_facts *ret_facts, struct hearth_error *err)
{
    struct hearth_engine *engine = hearth_alloc(1, sizeof *engine);
    if (engine == NULL) {
        return hearth_fail_oom(err);
    }
    struct hearth_onnx_facts facts;
    engine->model.plan = plan;
    int rc = check_model(plan, &facts, err);
    if (rc == 0) {
        rc = load_model(engine, &facts, err);
    }
    if (rc < 0) {
        onnx_unload(engine);
        return rc;
    }
    const struct ports *ports = &engine->model.ports;
    engine->is_bounded = plan->task != HEARTH_TASK_TENSORS && facts.subgraph_count == 0;
    tell(engine, &facts);
    *ret_facts = (struct hearth_engine_facts){
        .capacity = 2 * HEARTH_MAX_BATCH, /* one batch runs while the next is already there */
        .context_tokens = (uint32_t)engine->model.max_tokens,
        .dimensions = plan->task == HEARTH_TASK_EMBED ? (uint32_t)engine->model.width : 0,
        .run_threads = plan->threads,
        .is_longest_first = true,
        .inputs = engine->inputs,
        .input_count = ports_tell(ports->inputs, ports->input_count, engine->inputs),
        .outputs = engine->outputs,
        .output_count = ports_tell(ports->outputs, ports->output_count, engine->outputs),
        .told = engine->told.facts,
        .told_count = engine->told.count,
    };
    *ret = engine;
    return 0;
}

static void onnx_work(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    unsigned mine = atomic_fetch_add(&engine->next_runner, 1);
    HEARTH_ASSERT(mine + 1 < engine->runner_count);
    executor_attach(engine->model.executor, inbox);
    struct hearth_item *item;
    while ((item = hearth_inbox_take(inbox, true)) != NULL) {
        runner_answer(&engine->runners[mine], &engine->model, item);
        hearth_inbox_progress(inbox);
    }
}

/* A text has no more tokens than bytes, but for the special ones. */
#define MOST_SPECIAL_TOKENS 8u

static bool onnx_is_cheap(const struct hearth_engine *engine,
                          const struct hearth_wire_inference_request *request)
{
    struct hearth_wire_list texts = request->texts;
    struct hearth_wire_text text;
    if (!engine->is_bounded || texts.count != 1 ||
        !hearth_wire_next(&texts, HEARTH_RECORD_text, &text) || text.tokens.count != 0) {
        return false;
    }
    size_t bytes = text.text.size + text.pair.size + request->query.size;
    return executor_is_cheap(engine->model.executor, bytes + MOST_SPECIAL_TOKENS);
}

static void onnx_answer(struct hearth_engine *engine, struct hearth_item *item)
{
    runner_answer(&engine->runners[engine->runner_count - 1], &engine->model, item);
}

static void onnx_interrupt(struct hearth_engine *engine, const struct hearth_job *job)
{
    executor_interrupt(engine->model.executor, job);
}

/* An option that the task would ignore is a mistake of whoever wrote the manifest. */
static const struct hearth_engine_option option_table[] = {
    {"max_tokens", ~(1u << HEARTH_TASK_TENSORS)},
    {"output", ~(1u << HEARTH_TASK_TENSORS)},
    {"pooling", 1u << HEARTH_TASK_EMBED},
    {"normalize", 1u << HEARTH_TASK_EMBED},
    {"dimensions", 1u << HEARTH_TASK_EMBED},
    {"activation", 1u << HEARTH_TASK_CLASSIFY | 1u << HEARTH_TASK_RERANK},
    {"aggregation", 1u << HEARTH_TASK_ENTITIES},
    {"calibrate", HEARTH_EVERY_TASK},
    {"compute_mb", HEARTH_EVERY_TASK},
    {"wide", HEARTH_EVERY_TASK},
    {NULL, 0}};

const struct hearth_engine_ops hearth_engine_onnx = {
    .name = "onnx",
    .options = option_table,
    .preload = onnx_preload,
    .inspect = onnx_inspect,
    .load = onnx_load,
    .work = onnx_work,
    .is_cheap = onnx_is_cheap,
    .answer = onnx_answer,
    .interrupt = onnx_interrupt,
    .set_threads = NULL, /* the inbox's width is the lease: runs side by side, or one wide run */
    .unload = onnx_unload,
};
