/* engine_driver.c — runs the GGUF engine without a daemon and tells all that it did, as JSON.
 *
 *     engine_driver MODEL.gguf THREADS IDLE_SECONDS [OPTION=VALUE …]  < requests > results
 *
 * Standard input is an array of rounds, a round an array of requests; all requests of a round are
 * queued at once, before the engine can take the first. One line per round comes out, then one
 * about the process: nice values of the compute threads and processor time while idle. Beyond the
 * fields of an inference_request a request may have `cancel_after_tokens` (cancelled while the
 * token is being handed over), `cancel_after_steps` (cancelled from outside) and `after_tokens` (it
 * is queued only while that token of the round is being handed over). The first request of a round
 * may have `damage_blobs`: one bit of every saved prefix is turned before the round. */

#include "gguf_engine.h"
#include "hearth_os.h"
#include "inbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yyjson.h>

#define MAX_REQUESTS 64u
#define MAX_TOKENS   8192u

struct answer {
    uint64_t id;
    uint32_t cancel_after_tokens;
    uint64_t after_tokens;
    yyjson_val *later; /* to be queued then */
    yyjson_mut_val *pieces;
    yyjson_mut_val *piece_tokens;
    llama_token ids[MAX_TOKENS];
    size_t id_count;
    llama_token prompt[MAX_TOKENS];
    size_t prompt_count;
    struct hearth_item_result result;
    char fingerprint[HEARTH_MAX_FINGERPRINT_BYTES + 1];
    uint64_t first; /* which token of the round its first was, and its end: an order */
    uint64_t ended;
    int code;
    char error[HEARTH_ERROR_TEXT_BYTES];
};

struct driver {
    struct hearth_engine *engine;
    struct hearth_inbox *inbox;
    yyjson_mut_doc *out;
    struct answer answers[MAX_REQUESTS];
    size_t open;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t tokens;   /* of all, counted by the run thread alone */
    bool is_gate_shut; /* the engine waits in its first token of a round until all are queued */
};

static void die(const char *what, const struct hearth_error *err)
{
    fprintf(stderr, "engine_driver: %s: %s\n", what, err == NULL ? "" : err->text);
    exit(1);
}

/* ---- the sink ------------------------------------------------------------------------------ */

static void on_piece(void *arg, struct hearth_job *job, uint32_t index, struct hearth_slice text,
                     uint32_t tokens)
{
    struct driver *driver = arg;
    struct answer *answer = hearth_job_user(job);
    (void)index;
    yyjson_mut_arr_add_strncpy(driver->out, answer->pieces,
                               text.size > 0 ? (const char *)text.data : "", text.size);
    yyjson_mut_arr_add_uint(driver->out, answer->piece_tokens, tokens);
}

static void on_finish(void *arg, struct hearth_job *job, uint32_t index,
                      const struct hearth_item_result *result)
{
    struct answer *answer = hearth_job_user(job);
    struct driver *driver = arg;
    (void)index;
    answer->result = *result;
    answer->ended = ++driver->tokens;
    (void)snprintf(answer->fingerprint, sizeof answer->fingerprint, "%s",
                   result->fingerprint == NULL ? "" : result->fingerprint);
}

static void on_fail(void *arg, struct hearth_job *job, uint32_t index, int code,
                    const struct hearth_error *err)
{
    struct answer *answer = hearth_job_user(job);
    (void)arg;
    (void)index;
    answer->code = code;
    (void)snprintf(answer->error, sizeof answer->error, "%s", err == NULL ? "" : err->text);
}

static void push(struct driver *driver, yyjson_val *from, struct answer *answer);

/* Queues what was to wait for this token. */
static void push_later(struct driver *driver)
{
    for (size_t i = 0; i < MAX_REQUESTS; i++) {
        struct answer *answer = &driver->answers[i];
        if (answer->later != NULL && driver->tokens >= answer->after_tokens) {
            yyjson_val *from = answer->later;
            answer->later = NULL;
            push(driver, from, answer);
        }
    }
}

static void on_end(void *arg, struct hearth_job *job)
{
    struct driver *driver = arg;
    (void)job;
    pthread_mutex_lock(&driver->lock);
    driver->open--;
    pthread_cond_broadcast(&driver->changed);
    pthread_mutex_unlock(&driver->lock);
}

/* The seam of the engine: ids, and the prompt as it was tokenized. */
static void on_token(void *arg, const struct hearth_item *item, llama_token token)
{
    struct driver *driver = arg;
    struct answer *answer = hearth_job_user(item->job);
    pthread_mutex_lock(&driver->lock);
    while (driver->is_gate_shut) {
        pthread_cond_wait(&driver->changed, &driver->lock);
    }
    pthread_mutex_unlock(&driver->lock);
    for (size_t i = 0; answer->id_count == 0 && i < GGUF_MAX_PLACES; i++) {
        const struct gguf_sequence *sequence = &driver->engine->sequences[i];
        if (sequence->item == item && sequence->prompt_count <= MAX_TOKENS) {
            answer->prompt_count = sequence->prompt_count;
            memcpy(answer->prompt, sequence->tokens, sequence->prompt_count * sizeof token);
        }
    }
    driver->tokens++;
    answer->first = answer->first == 0 ? driver->tokens : answer->first;
    if (answer->id_count < MAX_TOKENS) {
        answer->ids[answer->id_count++] = token;
    }
    if (answer->id_count == answer->cancel_after_tokens) {
        (void)hearth_inbox_cancel(driver->inbox, answer->id);
    }
    push_later(driver);
}

/* ---- requests ------------------------------------------------------------------------------ */

static uint64_t number(yyjson_val *from, const char *key, uint64_t otherwise)
{
    yyjson_val *value = yyjson_obj_get(from, key);
    return value == NULL ? otherwise : yyjson_get_uint(value);
}

static float real(yyjson_val *from, const char *key, float otherwise)
{
    yyjson_val *value = yyjson_obj_get(from, key);
    return value == NULL ? otherwise : (float)yyjson_get_num(value);
}

static struct hearth_slice text_of(yyjson_val *value)
{
    return hearth_slice_of(yyjson_get_str(value), yyjson_get_len(value));
}

static uint8_t role_of(const char *name)
{
    for (uint8_t role = HEARTH_ROLE_SYSTEM; role <= HEARTH_ROLE_TOOL; role++) {
        if (strcmp(name, hearth_role_name((enum hearth_role)role)) == 0) {
            return role;
        }
    }
    die("no such role", NULL);
    return 0;
}

/* JSON schema or rules, and tokens that are forbidden. */
static void add_rules(struct hearth_wire_inference_request *request, yyjson_val *from,
                      struct hearth_wire_bias biases[HEARTH_MAX_BIASES])
{
    size_t at = 0;
    size_t most = 0;
    yyjson_val *value = NULL;
    yyjson_val *schema = yyjson_obj_get(from, "schema");
    yyjson_val *gbnf = yyjson_obj_get(from, "gbnf");
    if (schema != NULL || gbnf != NULL) {
        request->grammar_type = schema != NULL ? HEARTH_GRAMMAR_JSON_SCHEMA : HEARTH_GRAMMAR_GBNF;
        request->grammar = text_of(schema != NULL ? schema : gbnf);
    }
    yyjson_arr_foreach(yyjson_obj_get(from, "forbidden"), at, most, value)
    {
        biases[at] =
            (struct hearth_wire_bias){.token = (uint32_t)yyjson_get_uint(value), .bias = -100};
        request->logit_bias = (struct hearth_wire_list){(uint32_t)at + 1, biases, {NULL, 0}};
    }
}

static void push(struct driver *driver, yyjson_val *from, struct answer *answer)
{
    struct hearth_wire_bias biases[HEARTH_MAX_BIASES];
    static struct hearth_wire_chat_message messages[HEARTH_MAX_CHAT_MESSAGES];
    struct hearth_wire_stop stops[HEARTH_MAX_STOPS];
    struct hearth_wire_text text = {0};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = answer->id;
    request->priority = (uint8_t)number(from, "priority", HEARTH_NORMAL);
    request->cache_domain = number(from, "domain", 0);
    request->answers = (uint32_t)number(from, "answers", 0);
    request->flags =
        (uint16_t)((yyjson_get_bool(yyjson_obj_get(from, "exact")) ? HEARTH_FLAG_EXACT : 0) |
                   (yyjson_get_bool(yyjson_obj_get(from, "shift")) ? HEARTH_FLAG_SHIFT : 0) |
                   (yyjson_get_bool(yyjson_obj_get(from, "no_cache")) ? HEARTH_FLAG_NO_CACHE : 0));
    request->model_id = hearth_slice_of_string("m");
    request->max_tokens = (uint32_t)number(from, "max_tokens", 64);
    request->temperature = real(from, "temperature", 0);
    request->top_k = (uint32_t)number(from, "top_k", request->top_k);
    request->top_p = real(from, "top_p", request->top_p);
    request->min_p = real(from, "min_p", request->min_p);
    request->repetition_penalty = real(from, "repetition_penalty", 1);
    request->repetition_window = (uint32_t)number(from, "repetition_window", 64);
    request->seed = number(from, "seed", 42);
    size_t at = 0;
    size_t most = 0;
    yyjson_val *value = NULL;
    yyjson_val *list = yyjson_obj_get(from, "messages");
    request->tools = text_of(yyjson_obj_get(from, "tools"));
    request->task = list != NULL ? HEARTH_TASK_CHAT : HEARTH_TASK_GENERATE;
    yyjson_arr_foreach(list, at, most, value)
    {
        messages[at].role = role_of(yyjson_get_str(yyjson_obj_get(value, "role")));
        messages[at].content = text_of(yyjson_obj_get(value, "content"));
        messages[at].tool_calls = text_of(yyjson_obj_get(value, "tool_calls"));
        messages[at].name = text_of(yyjson_obj_get(value, "name"));
        messages[at].tool_call_id = text_of(yyjson_obj_get(value, "tool_call_id"));
        request->messages = (struct hearth_wire_list){(uint32_t)at + 1, messages, {NULL, 0}};
    }
    if (list == NULL) {
        text.text = text_of(yyjson_obj_get(from, "prompt"));
        request->texts = (struct hearth_wire_list){1, &text, {NULL, 0}};
    }
    yyjson_arr_foreach(yyjson_obj_get(from, "stops"), at, most, value)
    {
        stops[at] = (struct hearth_wire_stop){.text = text_of(value)};
        request->stops = (struct hearth_wire_list){(uint32_t)at + 1, stops, {NULL, 0}};
    }
    add_rules(request, from, biases);
    struct hearth_buf frame;
    struct hearth_error err = {0};
    hearth_buf_init(&frame, HEARTH_MAX_FRAME_BYTES);
    int rc = hearth_wire_encode(&message, &frame);
    if (rc == 0) {
        rc = hearth_inbox_push(driver->inbox, hearth_buf_slice(&frame), UINT64_MAX, answer, &err);
    }
    if (rc < 0) {
        die("push", &err);
    }
    hearth_buf_finish(&frame);
}

/* ---- results ------------------------------------------------------------------------------- */

static void add_ids(yyjson_mut_doc *out, yyjson_mut_val *to, const char *key,
                    const llama_token *ids, size_t count)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(out, to, key);
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_arr_add_int(out, array, ids[i]);
    }
}

static void tell_answer(struct driver *driver, yyjson_mut_val *to, const struct answer *answer)
{
    yyjson_mut_val *object = yyjson_mut_arr_add_obj(driver->out, to);
    yyjson_mut_obj_add_val(driver->out, object, "pieces", answer->pieces);
    yyjson_mut_obj_add_val(driver->out, object, "piece_tokens", answer->piece_tokens);
    add_ids(driver->out, object, "ids", answer->ids, answer->id_count);
    add_ids(driver->out, object, "prompt_ids", answer->prompt, answer->prompt_count);
    yyjson_mut_obj_add_uint(driver->out, object, "prompt_tokens", answer->result.prompt_tokens);
    const struct hearth_item_result *result = &answer->result;
    yyjson_mut_obj_add_uint(driver->out, object, "cached_tokens", result->cached_tokens);
    yyjson_mut_obj_add_uint(driver->out, object, "evicted_tokens", result->evicted_tokens);
    yyjson_mut_obj_add_uint(driver->out, object, "evicted_of_others", result->evicted_of_others);
    yyjson_mut_obj_add_uint(driver->out, object, "cache", (uint64_t)result->cache);
    yyjson_mut_obj_add_uint(driver->out, object, "drafted_tokens", result->drafted_tokens);
    yyjson_mut_obj_add_uint(driver->out, object, "accepted_tokens", result->accepted_tokens);
    yyjson_mut_obj_add_strcpy(driver->out, object, "fingerprint", answer->fingerprint);
    yyjson_mut_obj_add_uint(driver->out, object, "ended", answer->ended);
    yyjson_mut_obj_add_uint(driver->out, object, "first", answer->first);
    yyjson_mut_obj_add_strcpy(driver->out, object, "finish",
                              hearth_finish_name(answer->result.finish));
    yyjson_mut_obj_add_strcpy(driver->out, object, "code",
                              answer->code == 0 ? "" : hearth_error_name(answer->code));
    yyjson_mut_obj_add_strcpy(driver->out, object, "error", answer->error);
}

static void write_line(yyjson_mut_doc *doc)
{
    yyjson_write_err err;
    char *text = yyjson_mut_write_opts(doc, 0, NULL, NULL, &err);
    if (text == NULL) {
        fprintf(stderr, "engine_driver: output is no JSON: %s\n", err.msg);
        exit(1);
    }
    puts(text);
    fflush(stdout);
    free(text);
    yyjson_mut_doc_free(doc);
}

static uint64_t steps(const struct driver *driver)
{
    return atomic_load(&driver->engine->steps);
}

static void shut_gate(struct driver *driver, bool is_shut)
{
    pthread_mutex_lock(&driver->lock);
    driver->is_gate_shut = is_shut;
    pthread_cond_broadcast(&driver->changed);
    pthread_mutex_unlock(&driver->lock);
}

/* The engine is idle: nobody else looks at them. */
static void damage_blobs(struct hearth_engine *engine)
{
    for (size_t i = 0; i < GGUF_MAX_BLOBS; i++) {
        struct gguf_blob *blob = &engine->cache.blobs[i];
        if (blob->data != NULL) {
            blob->data[blob->size / 2] ^= 1;
        }
    }
}

/* Cancels the first request while the library is computing. */
static void cancel_in_call(struct driver *driver)
{
    while (atomic_load(&driver->engine->called) == NULL) {
        usleep(50);
    }
    (void)hearth_inbox_cancel(driver->inbox, 1);
}

static void run_round(struct driver *driver, yyjson_val *round)
{
    size_t at = 0;
    size_t most = 0;
    yyjson_val *from = NULL;
    driver->out = yyjson_mut_doc_new(NULL);
    driver->tokens = 0;
    driver->open = yyjson_arr_size(round);
    uint64_t steps_before = steps(driver);
    uint64_t steps_at_cancel = 0;
    shut_gate(driver, yyjson_arr_size(round) > 1);
    if (yyjson_get_bool(yyjson_obj_get(yyjson_arr_get_first(round), "damage_blobs"))) {
        damage_blobs(driver->engine);
    }
    yyjson_arr_foreach(round, at, most, from)
    {
        struct answer *answer = &driver->answers[at];
        memset(answer, 0, sizeof *answer);
        answer->id = at + 1;
        answer->pieces = yyjson_mut_arr(driver->out);
        answer->piece_tokens = yyjson_mut_arr(driver->out);
        answer->cancel_after_tokens = (uint32_t)number(from, "cancel_after_tokens", 0);
        answer->after_tokens = number(from, "after_tokens", 0);
        answer->later = answer->after_tokens > 0 ? from : NULL;
        if (answer->later == NULL) {
            push(driver, from, answer);
        }
    }
    shut_gate(driver, false);
    uint64_t cancel_at = number(yyjson_arr_get_first(round), "cancel_after_steps", 0);
    if (cancel_at > 0) {
        while (steps(driver) - steps_before < cancel_at) {
            usleep(50);
        }
        (void)hearth_inbox_cancel(driver->inbox, 1);
        steps_at_cancel = steps(driver);
    }
    if (yyjson_get_bool(yyjson_obj_get(yyjson_arr_get_first(round), "cancel_in_call"))) {
        cancel_in_call(driver);
    }
    pthread_mutex_lock(&driver->lock);
    while (driver->open > 0) {
        pthread_cond_wait(&driver->changed, &driver->lock);
    }
    pthread_mutex_unlock(&driver->lock);
    yyjson_mut_val *root = yyjson_mut_obj(driver->out);
    yyjson_mut_doc_set_root(driver->out, root);
    yyjson_mut_obj_add_uint(driver->out, root, "steps", steps(driver) - steps_before);
    yyjson_mut_obj_add_uint(driver->out, root, "steps_after_cancel",
                            cancel_at > 0 ? steps(driver) - steps_at_cancel : 0);
    const struct hearth_engine *engine = driver->engine;
    yyjson_mut_obj_add_uint(driver->out, root, "put_aside", engine->put_aside);
    yyjson_mut_obj_add_uint(driver->out, root, "masks", engine->room->masks);
    yyjson_mut_obj_add_uint(driver->out, root, "blobs_restored", engine->cache.restored);
    yyjson_mut_obj_add_uint(driver->out, root, "blobs_broken", engine->cache.broken);
    yyjson_mut_val *answers = yyjson_mut_obj_add_arr(driver->out, root, "answers");
    for (size_t i = 0; i < yyjson_arr_size(round); i++) {
        tell_answer(driver, answers, &driver->answers[i]);
    }
    write_line(driver->out);
}

/* ---- the process --------------------------------------------------------------------------- */

static void fill_plan(struct hearth_engine_plan *plan, int argc, char **argv)
{
    struct stat st;
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(argv[1]);
        exit(1);
    }
    plan->task = HEARTH_TASK_GENERATE;
    plan->threads = (unsigned)strtoul(argv[2], NULL, 10);
    plan->file_count = 1;
    plan->files[0].role = HEARTH_FILE_MODEL;
    plan->files[0].fd = fd;
    plan->files[0].size_bytes = (uint64_t)st.st_size;
    (void)snprintf(plan->files[0].path, sizeof plan->files[0].path, "model.gguf");
    for (int i = 4; i < argc && plan->option_count < HEARTH_MAX_MODEL_OPTIONS; i++) {
        const char *value = strchr(argv[i], '=');
        if (value == NULL) {
            die("options are KEY=VALUE", NULL);
        }
        (void)snprintf(plan->options[plan->option_count].key, HEARTH_MAX_NAME_BYTES + 1, "%.*s",
                       (int)(value - argv[i]), argv[i]);
        (void)snprintf(plan->options[plan->option_count].value, HEARTH_MAX_ERROR_BYTES + 1, "%s",
                       value + 1);
        plan->option_count++;
    }
}

static void run_work(void *arg)
{
    struct driver *driver = arg;
    hearth_engine_gguf.work(driver->engine, driver->inbox);
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* Nice values of all threads but the first, which computes nothing. */
static void tell_nice_values(yyjson_mut_doc *out, yyjson_mut_val *to)
{
    yyjson_mut_val *values = yyjson_mut_obj_add_arr(out, to, "nice");
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry = tasks == NULL ? NULL : readdir(tasks); entry != NULL;
         entry = readdir(tasks)) {
        id_t id = (id_t)strtoul(entry->d_name, NULL, 10);
        if (id != 0 && id != (id_t)getpid()) {
            yyjson_mut_arr_add_int(out, values, getpriority(PRIO_PROCESS, id));
        }
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
}

/* Whether a model file is mapped now. */
static bool has_mapped_model(void)
{
    char line[4096];
    bool is_mapped = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        is_mapped = is_mapped || strstr(line, ".gguf\n") != NULL;
    }
    if (maps == NULL) {
        die("/proc/self/maps cannot be read", NULL);
    }
    fclose(maps);
    return is_mapped;
}

/* Of this program alone: ru_maxrss would count what its parent had before it became this one. */
static uint64_t most_resident_bytes(void)
{
    char line[256];
    uint64_t kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kib = strtoull(line + 6, NULL, 10);
        }
    }
    if (kib == 0) {
        die("/proc/self/status has no VmHWM", NULL);
    }
    fclose(status);
    return kib * 1024;
}

#define TAIL_US 100000u

static void tell_process(const struct hearth_engine_need *need, unsigned idle_seconds)
{
    yyjson_mut_doc *out = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(out);
    yyjson_mut_doc_set_root(out, root);
    int64_t before = cpu_us();
    if (idle_seconds > 0) { /* what threads burn before they sleep, and then for as long as asked */
        usleep(TAIL_US);
        yyjson_mut_obj_add_int(out, root, "tail_cpu_us", cpu_us() - before);
        before = cpu_us();
        sleep(idle_seconds);
    }
    yyjson_mut_obj_add_int(out, root, "idle_cpu_us_per_s",
                           (cpu_us() - before) / HEARTH_MAX(idle_seconds, 1));
    tell_nice_values(out, root);
    yyjson_mut_obj_add_bool(out, root, "is_mapped", has_mapped_model());
    yyjson_mut_obj_add_uint(out, root, "most_resident_bytes", most_resident_bytes());
    yyjson_mut_obj_add_uint(out, root, "need_bytes",
                            need->weights_bytes + need->cache_bytes + need->compute_bytes +
                                need->tokenizer_bytes);
    write_line(out);
}

int main(int argc, char **argv)
{
    static struct hearth_engine_plan plan;
    static struct driver driver;
    struct hearth_error err = {0};
    struct hearth_engine_need need = {0};
    struct hearth_engine_facts facts;
    const char *version = NULL;
    if (argc < 4) {
        die("usage: engine_driver MODEL.gguf THREADS IDLE_SECONDS [OPTION=VALUE …]", NULL);
    }
    fill_plan(&plan, argc, argv);
    if (hearth_engine_gguf.preload(&plan, &version, &err) < 0 ||
        hearth_engine_gguf.inspect(&plan, &need, &err) < 0 ||
        hearth_engine_gguf.load(&plan, &driver.engine, &facts, &err) < 0) {
        yyjson_mut_doc *out = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *root = yyjson_mut_obj(out);
        yyjson_mut_doc_set_root(out, root);
        yyjson_mut_obj_add_strcpy(out, root, "load_error", hearth_error_name(err.code));
        yyjson_mut_obj_add_strcpy(out, root, "text", err.text);
        write_line(out);
        return 3;
    }
    pthread_mutex_init(&driver.lock, NULL);
    pthread_cond_init(&driver.changed, NULL);
    driver.engine->on_token = on_token;
    driver.engine->on_token_arg = &driver;
    struct hearth_sink sink = {
        .piece = on_piece, .finish = on_finish, .fail = on_fail, .end = on_end, .arg = &driver};
    if (hearth_inbox_create(&sink, facts.is_longest_first, &driver.inbox, &err) < 0) {
        die("inbox", &err);
    }
    pthread_t thread;
    if (hearth_thread_start(&thread, "run", 10, run_work, &driver, &err) < 0) {
        die("thread", &err);
    }
    yyjson_doc *in = yyjson_read_fp(stdin, 0, NULL, NULL);
    if (in == NULL) {
        die("standard input is no JSON", NULL);
    }
    size_t at = 0;
    size_t most = 0;
    yyjson_val *round = NULL;
    yyjson_arr_foreach(yyjson_doc_get_root(in), at, most, round)
    {
        run_round(&driver, round);
    }
    yyjson_doc_free(in);
    tell_process(&need, (unsigned)strtoul(argv[3], NULL, 10));
    hearth_inbox_close(driver.inbox);
    hearth_thread_join(thread);
    hearth_inbox_destroy(driver.inbox);
    hearth_engine_gguf.unload(driver.engine);
    return 0;
}
