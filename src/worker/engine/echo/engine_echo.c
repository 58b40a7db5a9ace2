/* engine_echo.c — the null engine: no library, no model file, deterministic answers.
 *
 * It exists for tests and for floors (what everything but inference costs): generation answers with
 * the prompt's characters in reverse, one a piece; a chat reverses its last user message;
 * generate.h says what else generators can tell; classify and embed derive numbers from a hash of
 * the text (and of the second text of a pair), embeddings of length 1 unless the request says
 * otherwise, cut and packed as it asks; answers.h says what the other tasks get. One character is
 * one token, and its code point is the id of that.
 *
 * Ids instead of text: any id is right. Generation answers with them in reverse, each as its
 * decimal number and a space; the hash is that of the ids as they stand in the message.
 *
 * Load options: capacity (items held, 4), run_threads (= capacity), context_tokens (4096),
 * dimensions (8), need_bytes (1048576), load_mib (0: memory that it touches and keeps), fail =
 * inspect | load (refuses there), fail = crash (aborts while loading). directives.h lists what a
 * text may ask for. */

#include "hearth_engine.h"

#include "answers.h"
#include "directives.h"
#include "generate.h"
#include "hearth_os.h"
#include "vector.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ECHO_MAX_CAPACITY   64u
#define ECHO_MAX_CONTEXT    1048576u
#define ECHO_MAX_DIMENSIONS 4096u
#define ECHO_MAX_LOAD_MIB   65536u
#define MIB                 (UINT64_C(1) << 20)
#define MOST_SILENT_MS      100u   /* between two signs of progress */
#define CHEAP_STEPS         16384u /* of the hash: about 20 us */

struct hearth_engine {
    pthread_mutex_t lock;
    pthread_cond_t interrupted; /* some job must end: sleepers look */
    const struct hearth_engine_plan *plan;
    size_t label_count;
    enum hearth_task task;
    uint64_t context_tokens;
    uint64_t dimensions;
    uint8_t *taken; /* while loading, see load_mib */
};

/* ---- loading ------------------------------------------------------------------------------- */

static int echo_preload(const struct hearth_engine_plan *plan HEARTH_UNUSED,
                        const char **ret_version, struct hearth_error *err HEARTH_UNUSED)
{
    *ret_version = "echo " HEARTH_VERSION;
    return 0;
}

static bool fails_at(const struct hearth_engine_plan *plan, const char *step)
{
    const char *fail = hearth_plan_string(plan, "fail");
    return fail != NULL && strcmp(fail, step) == 0;
}

static int echo_inspect(const struct hearth_engine_plan *plan, struct hearth_engine_need *ret,
                        struct hearth_error *err)
{
    if (fails_at(plan, "inspect")) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "model \"%s\" is told to fail at inspect",
                           plan->model_id);
    }
    uint64_t need_bytes = MIB;
    int rc = hearth_plan_number(plan, "need_bytes", 0, UINT64_MAX, &need_bytes, err);
    if (rc == 0) {
        *ret = (struct hearth_engine_need){.compute_bytes = need_bytes};
    }
    return rc;
}

/* What it tells about itself. A model of tensors takes any, but names one so that there is one. */
static const struct hearth_engine_port any_port = {
    .name = "x", .type = HEARTH_TENSOR_FLOAT32, .shape = {UINT32_MAX}, .rank = 1};
static const struct hearth_engine_fact told[] = {
    {"tokenizer", "characters"}, {"normalize", "true"}, /* of an embedder only */
};

static int read_facts(const struct hearth_engine_plan *plan, struct hearth_engine *engine,
                      struct hearth_engine_facts *ret, struct hearth_error *err)
{
    uint64_t capacity = 4;
    int rc = hearth_plan_number(plan, "capacity", 1, ECHO_MAX_CAPACITY, &capacity, err);
    uint64_t run_threads = capacity;
    if (rc == 0) {
        rc = hearth_plan_number(plan, "run_threads", 1, ECHO_MAX_CAPACITY, &run_threads, err);
    }
    if (rc == 0) {
        rc = hearth_plan_number(plan, "context_tokens", 1, ECHO_MAX_CONTEXT,
                                &engine->context_tokens, err);
    }
    if (rc == 0) {
        rc = hearth_plan_number(plan, "dimensions", 1, ECHO_MAX_DIMENSIONS, &engine->dimensions,
                                err);
    }
    *ret = (struct hearth_engine_facts){
        .capacity = (uint32_t)capacity,
        .context_tokens = (uint32_t)engine->context_tokens,
        .dimensions = plan->task == HEARTH_TASK_EMBED ? (uint32_t)engine->dimensions : 0,
        .run_threads = (uint32_t)run_threads,
        .inputs = &any_port,
        .input_count = plan->task == HEARTH_TASK_TENSORS ? 1 : 0,
        .outputs = &any_port,
        .output_count = plan->task == HEARTH_TASK_TENSORS ? 1 : 0,
        .told = told,
        .told_count = plan->task == HEARTH_TASK_EMBED ? 2 : 1,
    };
    return rc;
}

/* Not only promised: every page is there. */
static int take_memory(uint64_t mib, uint8_t **ret, struct hearth_error *err)
{
    volatile uint8_t *block = mib > 0 ? hearth_alloc(mib, MIB) : NULL;
    for (uint64_t i = 0; block != NULL && i < mib * MIB; i += 4096) {
        block[i] = 1;
    }
    *ret = (uint8_t *)block;
    return mib > 0 && block == NULL ? hearth_fail_oom(err) : 0;
}

static int echo_load(const struct hearth_engine_plan *plan, struct hearth_engine **ret,
                     struct hearth_engine_facts *ret_facts, struct hearth_error *err)
{
    if (fails_at(plan, "load")) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "model \"%s\" is told to fail at load",
                           plan->model_id);
    }
    if (fails_at(plan, "crash")) {
        abort();
    }
    struct hearth_engine *engine = hearth_alloc(1, sizeof *engine);
    if (engine == NULL) {
        return hearth_fail_oom(err);
    }
    engine->plan = plan;
    engine->task = plan->task;
    engine->label_count = plan->label_count;
    engine->context_tokens = 4096;
    engine->dimensions = 8;
    uint64_t load_mib = 0;
    int rc = hearth_plan_number(plan, "load_mib", 0, ECHO_MAX_LOAD_MIB, &load_mib, err);
    rc = rc != 0 ? rc : take_memory(load_mib, &engine->taken, err);
    rc = rc != 0 ? rc : read_facts(plan, engine, ret_facts, err);
    if (rc != 0) {
        hearth_free(engine->taken);
        hearth_free(engine);
        return rc;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->interrupted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = engine;
    return 0;
}

static void echo_unload(struct hearth_engine *engine)
{
    if (engine != NULL) {
        pthread_cond_destroy(&engine->interrupted);
        pthread_mutex_destroy(&engine->lock);
        hearth_free(engine->taken);
        hearth_free(engine);
    }
}

/* ---- answering ----------------------------------------------------------------------------- */

static void echo_interrupt(struct hearth_engine *engine, const struct hearth_job *job HEARTH_UNUSED)
{
    pthread_mutex_lock(&engine->lock);
    pthread_cond_broadcast(&engine->interrupted);
    pthread_mutex_unlock(&engine->lock);
}

/* Its threads sleep and hardly compute, so a lease of cores changes nothing. */
static void echo_set_threads(struct hearth_engine *engine HEARTH_UNUSED,
                             unsigned threads HEARTH_UNUSED)
{
}

/* A wait is a long step that goes as it should: it tells so. */
void echo_wait_ms(struct hearth_engine *engine, const struct hearth_item *item, uint64_t ms)
{
    uint64_t now_ns = hearth_clock_ns();
    uint64_t until_ns = hearth_clock_deadline_ns(now_ns, ms);
    pthread_mutex_lock(&engine->lock);
    while (hearth_item_must_end(item) == 0 && now_ns < until_ns) {
        uint64_t next_ns = HEARTH_MIN(until_ns, hearth_clock_deadline_ns(now_ns, MOST_SILENT_MS));
        struct timespec next = {.tv_sec = (time_t)(next_ns / HEARTH_NS_PER_SEC),
                                .tv_nsec = (long)(next_ns % HEARTH_NS_PER_SEC)};
        pthread_cond_timedwait(&engine->interrupted, &engine->lock, &next);
        hearth_item_progress(item);
        now_ns = hearth_clock_ns();
    }
    pthread_mutex_unlock(&engine->lock);
}

/* FNV-1a: small, and the same on every machine. Goes on from @hash. */
static uint64_t hash_bytes(struct hearth_slice text, uint64_t hash)
{
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ text.data[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

float echo_number(struct hearth_slice text, struct hearth_slice pair, uint64_t place)
{
    uint64_t seed = UINT64_C(14695981039346656037) ^ (place * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t hash = hash_bytes(pair, hash_bytes(text, seed));
    return (float)((hash ^ (hash >> 29)) % 1000 + 1) / 1000.0f;
}

static void fill_numbers(struct hearth_slice text, struct hearth_slice pair, float *room,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        room[i] = echo_number(text, pair, i);
    }
}

static void answer_classes(struct hearth_engine *engine, struct hearth_item *item,
                           struct hearth_slice text, uint32_t tokens)
{
    float scores[HEARTH_MAX_LABELS];
    float sum = 0;
    fill_numbers(text, item->pair, scores, engine->label_count);
    for (size_t i = 0; i < engine->label_count; i++) {
        sum += scores[i];
    }
    for (size_t i = 0; i < engine->label_count; i++) {
        scores[i] /= sum;
    }
    const struct hearth_item_result result = {.prompt_tokens = tokens, .scores = scores};
    hearth_item_finish(item, &result);
}

static void answer_vector(struct hearth_engine *engine, struct hearth_item *item,
                          struct hearth_slice text, uint32_t tokens)
{
    float vector[ECHO_MAX_DIMENSIONS]; /* 16 KiB: only what is used is touched */
    struct hearth_error err = {0};
    struct hearth_vector_form form;
    struct hearth_item_result result = {.prompt_tokens = tokens};
    int rc = hearth_vector_form(hearth_job_request(item->job), (uint32_t)engine->dimensions, true,
                                &form, &err);
    if (rc == 0) {
        fill_numbers(text, hearth_slice_of(NULL, 0), vector, form.dimensions);
        rc = hearth_vector_finish(&form, vector, &result, &err);
    }
    if (rc < 0) {
        hearth_item_fail(item, rc, &err);
    } else {
        hearth_item_finish(item, &result);
    }
}

/* Ids as bytes, four each. */
static struct hearth_slice bytes_of(struct hearth_wire_u32s ids)
{
    return hearth_slice_of(ids.data, ids.count * sizeof(uint32_t));
}

/* The text to answer: the item's, the text of a rerank request and not its query, or the last user
 * message of a chat. */
static struct hearth_slice input_of(const struct hearth_item *item)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(item->job);
    if (request->task == HEARTH_TASK_TENSORS) {
        return echo_directives_of_tensors(item);
    }
    if (request->messages.count == 0) {
        return request->task == HEARTH_TASK_RERANK ? item->pair : item->text;
    }
    struct hearth_slice last = {NULL, 0};
    struct hearth_wire_list messages = request->messages;
    struct hearth_wire_chat_message message;
    while (hearth_wire_next(&messages, HEARTH_RECORD_chat_message, &message)) {
        if (message.role == HEARTH_ROLE_USER) {
            last = message.content;
        }
    }
    return last;
}

/* Takes memory as a large model would, so that limits can be met. */

/* What happens before the answer. Returns 0 or why there will be none. */
static int meet_fate(struct hearth_engine *engine, const struct hearth_item *item,
                     const struct echo_directives *asked, struct hearth_error *err)
{
    if (asked->slow_ms > 0) {
        echo_wait_ms(engine, item, asked->slow_ms);
    }
    int code = hearth_item_must_end(item);
    if (code != 0) {
        return code;
    }
    uint8_t *block = NULL;
    if (take_memory(asked->alloc_mib, &block, err) != 0) {
        return HEARTH_E_NO_MEMORY;
    }
    hearth_free(block);
    switch (asked->fate) {
    case ECHO_ANSWER: return 0;
    case ECHO_CRASH: abort();
    case ECHO_EXIT: _exit(asked->exit_status);
    case ECHO_HANG:
        for (;;) {
            sleep(3600);
        }
    case ECHO_FAIL:
        return hearth_fail(err, HEARTH_E_ENGINE_FAILED, "the request asked the engine to fail");
    }
    HEARTH_UNREACHABLE();
}

/* Tokens of the whole input, of which @rest is what the directives left. */
static uint32_t count_tokens(const struct hearth_engine *engine, const struct hearth_item *item,
                             struct hearth_slice rest)
{
    if (item->tokens.count > 0 || engine->task == HEARTH_TASK_TENSORS) {
        return item->tokens.count;
    }
    bool is_rerank = engine->task == HEARTH_TASK_RERANK;
    return echo_count_characters(rest) + echo_count_characters(is_rerank ? item->text : item->pair);
}

static void answer_task(struct hearth_engine *engine, struct hearth_item *item,
                        const struct echo_directives *asked, uint32_t tokens)
{
    switch (engine->task) {
    case HEARTH_TASK_CLASSIFY: answer_classes(engine, item, asked->rest, tokens); return;
    case HEARTH_TASK_EMBED: answer_vector(engine, item, asked->rest, tokens); return;
    case HEARTH_TASK_GENERATE:
    case HEARTH_TASK_CHAT:
    case HEARTH_TASK_CHOICE: /* of the plan: generate */
        if (hearth_job_request(item->job)->task == HEARTH_TASK_CHOICE) {
            echo_answer_choice(item, asked, tokens);
        } else {
            echo_answer_text(engine, item, asked, tokens);
        }
        return;
    case HEARTH_TASK_RERANK: echo_answer_rerank(item, asked->rest, tokens); return;
    case HEARTH_TASK_ENTITIES:
        echo_answer_entities(item, engine->plan, asked->rest, tokens);
        return;
    case HEARTH_TASK_TENSORS: echo_answer_tensors(item); return;
    }
    HEARTH_UNREACHABLE();
}

static void answer(struct hearth_engine *engine, struct hearth_item *item)
{
    struct hearth_error err = {0};
    bool has_ids = item->tokens.count > 0;
    struct echo_directives asked =
        has_ids ? (struct echo_directives){.fate = ECHO_ANSWER, .rest = bytes_of(item->tokens)}
                : echo_read_directives(input_of(item));
    int code = meet_fate(engine, item, &asked, &err);
    uint32_t tokens = count_tokens(engine, item, asked.rest);
    if (code == 0 && tokens > engine->context_tokens) {
        code = hearth_fail(&err, HEARTH_E_TOO_LONG, "input %u has %u tokens, the model takes %u",
                           item->index, tokens, (unsigned)engine->context_tokens);
    }
    if (code != 0) {
        hearth_item_fail(item, code, err.code == code ? &err : NULL);
    } else {
        answer_task(engine, item, &asked, tokens);
    }
}

/* A single short text that is to be told nothing but its numbers. */
static bool echo_is_cheap(const struct hearth_engine *engine,
                          const struct hearth_wire_inference_request *request)
{
    struct hearth_wire_list texts = request->texts;
    struct hearth_wire_text text;
    if (engine->task == HEARTH_TASK_GENERATE || texts.count != 1 ||
        !hearth_wire_next(&texts, HEARTH_RECORD_text, &text)) {
        return false;
    }
    size_t numbers = engine->task == HEARTH_TASK_EMBED ? (size_t)engine->dimensions
                                                       : HEARTH_MAX(1u, engine->label_count);
    size_t bytes = text.text.size + text.pair.size + request->query.size;
    if ((bytes + bytes_of(text.tokens).size) * numbers > CHEAP_STEPS) {
        return false;
    }
    struct echo_directives asked = echo_read_directives(text.text);
    return asked.fate == ECHO_ANSWER && asked.slow_ms == 0 && asked.alloc_mib == 0;
}

static void echo_work(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    for (struct hearth_item *item; (item = hearth_inbox_take(inbox, true)) != NULL;) {
        answer(engine, item);
        hearth_inbox_progress(inbox);
    }
}

/* A model that does something else ignores dimensions, so that tests need one manifest only. */
static const struct hearth_engine_option option_table[] = {
    {"capacity", HEARTH_EVERY_TASK},       {"run_threads", HEARTH_EVERY_TASK},
    {"context_tokens", HEARTH_EVERY_TASK}, {"dimensions", HEARTH_EVERY_TASK},
    {"need_bytes", HEARTH_EVERY_TASK},     {"load_mib", HEARTH_EVERY_TASK},
    {"fail", HEARTH_EVERY_TASK},           {NULL, 0}};

const struct hearth_engine_ops hearth_engine_echo = {
    .name = "echo",
    .options = option_table,
    .preload = echo_preload,
    .inspect = echo_inspect,
    .load = echo_load,
    .work = echo_work,
    .is_cheap = echo_is_cheap,
    .answer = answer,
    .interrupt = echo_interrupt,
    .set_threads = echo_set_threads,
    .unload = echo_unload,
};
