/* engine_driver.c — the ONNX engine without a daemon: frames in, frames out.
 *
 * stdin: frames (u32 length, V2 message). The first is a worker_plan, whose files are opened here;
 * it is answered with worker_ready or worker_failed. Each further one is an inference_request,
 * answered with its inference_response before the next is read. Ends with the input. */

#include "hearth_os.h"
#include "inbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEPT 4096u

/* What the sink was told of the one open request, copied: it is lent only for the call. */
struct answer {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_ended;
    struct hearth_wire_inference_response response;
    struct hearth_wire_result results[HEARTH_MAX_BATCH];
    struct hearth_wire_tensor tensors[HEARTH_MAX_TENSORS];
    char error[HEARTH_ERROR_TEXT_BYTES];
    void *kept[MAX_KEPT];
    size_t kept_count;
    const struct hearth_engine_plan *plan;
};

static void die(const char *what, const struct hearth_error *err)
{
    fprintf(stderr, "engine_driver: %s: %s\n", what, err->text);
    exit(1);
}

/* ---- frames --------------------------------------------------------------------------------- */

static bool read_frame(struct hearth_buf *into)
{
    uint32_t size = 0;
    hearth_buf_clear(into);
    if (fread(&size, sizeof size, 1, stdin) != 1) {
        return false;
    }
    HEARTH_ASSERT(hearth_buf_reserve(into, size) == 0);
    HEARTH_ASSERT(fread(into->data, 1, size, stdin) == size);
    into->size = size;
    return true;
}

static void write_frame(const struct hearth_message *message)
{
    struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    int rc = hearth_wire_encode(message, &out);
    HEARTH_ASSERT(rc == 0);
    uint32_t size = (uint32_t)out.size;
    fwrite(&size, sizeof size, 1, stdout);
    fwrite(out.data, 1, out.size, stdout);
    fflush(stdout);
    hearth_buf_finish(&out);
}

/* ---- the plan ------------------------------------------------------------------------------- */

static void copy_text(struct hearth_slice from, char *room, size_t room_bytes)
{
    HEARTH_ASSERT(hearth_slice_to_string(from, room, room_bytes));
}

static void read_files(struct hearth_engine_plan *plan, struct hearth_wire_list files)
{
    struct hearth_wire_model_file file;
    while (hearth_wire_next(&files, HEARTH_RECORD_model_file, &file)) {
        struct hearth_engine_file *into = &plan->files[plan->file_count++];
        char path[HEARTH_MAX_PATH_BYTES + sizeof into->path + 1];
        copy_text(file.path, into->path, sizeof into->path);
        snprintf(path, sizeof path, "%s/%s", plan->folder, into->path);
        into->role = (enum hearth_file_role)file.role;
        into->size_bytes = file.size_bytes;
        into->fd = open(path, O_RDONLY | O_CLOEXEC);
        HEARTH_ASSERT(into->fd >= 0);
    }
}

static void read_plan(struct hearth_engine_plan *plan, struct hearth_slice frame)
{
    struct hearth_message message;
    struct hearth_error err = {0};
    if (hearth_wire_decode(frame, &message, &err) < 0) {
        die("the plan", &err);
    }
    HEARTH_ASSERT(message.type == HEARTH_MSG_worker_plan);
    const struct hearth_wire_worker_plan *from = &message.as.worker_plan;
    copy_text(from->model_id, plan->model_id, sizeof plan->model_id);
    copy_text(from->folder, plan->folder, sizeof plan->folder);
    plan->task = (enum hearth_task)from->task;
    plan->threads = from->threads;
    read_files(plan, from->files);
    struct hearth_wire_list labels = from->labels;
    struct hearth_wire_name label;
    while (hearth_wire_next(&labels, HEARTH_RECORD_name, &label)) {
        char *copy = hearth_alloc(label.name.size + 1, 1); /* for the life of the process */
        copy_text(label.name, copy, label.name.size + 1);
        plan->labels[plan->label_count++] = copy;
    }
    struct hearth_wire_list options = from->options;
    struct hearth_wire_option option;
    while (hearth_wire_next(&options, HEARTH_RECORD_option, &option)) {
        size_t i = plan->option_count++;
        copy_text(option.key, plan->options[i].key, sizeof plan->options[i].key);
        copy_text(option.value, plan->options[i].value, sizeof plan->options[i].value);
    }
}

/* ---- the sink ------------------------------------------------------------------------------- */

static void *keep(struct answer *answer, const void *from, size_t size)
{
    void *copy = hearth_alloc(1, HEARTH_MAX(size, (size_t)1));
    HEARTH_ASSERT(copy != NULL && answer->kept_count < MAX_KEPT);
    answer->kept[answer->kept_count++] = copy;
    return size > 0 ? memcpy(copy, from, size) : copy;
}

static struct hearth_wire_list keep_labels(struct answer *answer, const float *scores)
{
    const struct hearth_engine_plan *plan = answer->plan;
    struct hearth_wire_label labels[HEARTH_MAX_LABELS];
    for (size_t i = 0; i < plan->label_count; i++) {
        labels[i] = (struct hearth_wire_label){.name = hearth_slice_of_string(plan->labels[i]),
                                               .score = scores[i]};
    }
    return (struct hearth_wire_list){.count = (uint32_t)plan->label_count,
                                     .items =
                                         keep(answer, labels, plan->label_count * sizeof *labels)};
}

static void keep_tensors(struct answer *answer, const struct hearth_item_result *result)
{
    for (uint32_t i = 0; i < result->tensor_count; i++) {
        const struct hearth_engine_tensor *from = &result->tensors[i];
        answer->tensors[i] = (struct hearth_wire_tensor){
            .name = hearth_slice_of_string(from->name),
            .type = (uint8_t)from->type,
            .shape = {keep(answer, from->shape, from->rank * sizeof *from->shape), from->rank},
            .data =
                hearth_slice_of(keep(answer, from->data.data, from->data.size), from->data.size)};
    }
    answer->response.tensors =
        (struct hearth_wire_list){.count = result->tensor_count, .items = answer->tensors};
}

static void on_finish(void *arg, struct hearth_job *job HEARTH_UNUSED, uint32_t index,
                      const struct hearth_item_result *result)
{
    struct answer *answer = arg;
    pthread_mutex_lock(&answer->lock);
    struct hearth_wire_result *into = &answer->results[answer->response.results.count++];
    *into = (struct hearth_wire_result){.index = index,
                                        .tokens = result->prompt_tokens,
                                        .is_truncated = result->is_truncated,
                                        .score = result->score,
                                        .scale = result->scale};
    if (result->scores != NULL) {
        into->labels = keep_labels(answer, result->scores);
    }
    if (result->vector != NULL) {
        into->vector.count = result->dimensions;
        into->vector.data =
            keep(answer, result->vector, result->dimensions * sizeof *result->vector);
    }
    if (result->packed != NULL) {
        into->packed = hearth_slice_of(keep(answer, result->packed, result->packed_bytes),
                                       result->packed_bytes);
    }
    if (result->entity_count > 0) {
        into->entities.count = result->entity_count;
        into->entities.items =
            keep(answer, result->entities, result->entity_count * sizeof *result->entities);
    }
    keep_tensors(answer, result);
    pthread_mutex_unlock(&answer->lock);
}

static void on_fail(void *arg, struct hearth_job *job HEARTH_UNUSED, uint32_t index HEARTH_UNUSED,
                    int code, const struct hearth_error *err)
{
    struct answer *answer = arg;
    pthread_mutex_lock(&answer->lock);
    if (answer->response.code == 0) {
        answer->response.code = (uint16_t)-code;
        snprintf(answer->error, sizeof answer->error, "%s", err != NULL ? err->text : "");
    }
    pthread_mutex_unlock(&answer->lock);
}

static void on_end(void *arg, struct hearth_job *job HEARTH_UNUSED)
{
    struct answer *answer = arg;
    pthread_mutex_lock(&answer->lock);
    answer->is_ended = true;
    pthread_cond_signal(&answer->ended);
    pthread_mutex_unlock(&answer->lock);
}

/* ---- the way of a request -------------------------------------------------------------------- */

struct driver {
    struct hearth_engine_plan plan;
    struct hearth_engine *engine;
    struct hearth_engine_facts facts;
    struct hearth_inbox *inbox;
    struct answer answer;
};

static void *work(void *arg)
{
    struct driver *driver = arg;
    hearth_engine_onnx.work(driver->engine, driver->inbox);
    return NULL;
}

static struct hearth_wire_list ports_of(const struct hearth_engine_port *ports, uint32_t count,
                                        struct hearth_wire_port *room)
{
    for (uint32_t i = 0; i < count; i++) {
        room[i] = (struct hearth_wire_port){.name = hearth_slice_of_string(ports[i].name),
                                            .type = (uint8_t)ports[i].type,
                                            .shape = {ports[i].shape, ports[i].rank}};
    }
    return (struct hearth_wire_list){.count = count, .items = room};
}

static void tell_ready(const struct driver *driver)
{
    const struct hearth_engine_facts *facts = &driver->facts;
    struct hearth_wire_port inputs[HEARTH_MAX_TENSORS];
    struct hearth_wire_port outputs[HEARTH_MAX_TENSORS];
    struct hearth_wire_option told[HEARTH_MAX_MODEL_FACTS];
    for (uint32_t i = 0; i < facts->told_count; i++) {
        told[i] = (struct hearth_wire_option){hearth_slice_of_string(facts->told[i].key),
                                              hearth_slice_of_string(facts->told[i].value), 0};
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_worker_ready,
        .as.worker_ready = {.capacity = facts->capacity,
                            .context_tokens = facts->context_tokens,
                            .dimensions = facts->dimensions,
                            .inputs = ports_of(facts->inputs, facts->input_count, inputs),
                            .outputs = ports_of(facts->outputs, facts->output_count, outputs),
                            .facts = {.count = facts->told_count, .items = told}}};
    write_frame(&message);
}

static void tell_failed(int code, const struct hearth_error *err)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_worker_failed,
        .as.worker_failed = {.code = (uint16_t)-code, .error = hearth_slice_of_string(err->text)}};
    write_frame(&message);
}

static int load(struct driver *driver, struct hearth_error *err)
{
    const struct hearth_engine_ops *ops = &hearth_engine_onnx;
    const char *version = NULL;
    struct hearth_engine_need need;
    int rc = ops->preload(&driver->plan, &version, err);
    if (rc == 0) {
        rc = hearth_plan_check_options(&driver->plan, ops->options, err);
    }
    if (rc == 0) {
        rc = ops->inspect(&driver->plan, &need, err);
    }
    return rc != 0 ? rc : ops->load(&driver->plan, &driver->engine, &driver->facts, err);
}

static void answer_request(struct driver *driver, struct hearth_slice frame)
{
    struct answer *answer = &driver->answer;
    struct hearth_error err = {0};
    answer->response = (struct hearth_wire_inference_response){.code = 0};
    answer->is_ended = false;
    answer->error[0] = '\0';
    int rc = hearth_inbox_push(driver->inbox, frame, UINT64_MAX, NULL, &err);
    if (rc < 0) {
        answer->response.code = (uint16_t)-rc;
        snprintf(answer->error, sizeof answer->error, "%s", err.text);
    }
    pthread_mutex_lock(&answer->lock);
    while (rc == 0 && !answer->is_ended) {
        pthread_cond_wait(&answer->ended, &answer->lock);
    }
    pthread_mutex_unlock(&answer->lock);
    struct hearth_message message = {.type = HEARTH_MSG_inference_response,
                                     .as.inference_response = answer->response};
    message.as.inference_response.error = hearth_slice_of_string(answer->error);
    message.as.inference_response.results.items = answer->results;
    write_frame(&message);
    while (answer->kept_count > 0) {
        hearth_free(answer->kept[--answer->kept_count]);
    }
}

static void serve(struct driver *driver, struct hearth_buf *frame)
{
    const struct hearth_sink sink = {
        .finish = on_finish, .fail = on_fail, .end = on_end, .arg = &driver->answer};
    pthread_t threads[64];
    struct hearth_error err = {0};
    HEARTH_ASSERT(driver->facts.run_threads <= HEARTH_COUNT(threads));
    if (hearth_inbox_create(&sink, driver->facts.is_longest_first, &driver->inbox, &err) < 0) {
        die("inbox", &err);
    }
    for (uint32_t i = 0; i < driver->facts.run_threads; i++) {
        HEARTH_ASSERT(pthread_create(&threads[i], NULL, work, driver) == 0);
    }
    tell_ready(driver);
    while (read_frame(frame)) {
        answer_request(driver, hearth_buf_slice(frame));
    }
    hearth_inbox_close(driver->inbox);
    for (uint32_t i = 0; i < driver->facts.run_threads; i++) {
        pthread_join(threads[i], NULL);
    }
    hearth_inbox_destroy(driver->inbox);
}

int main(void)
{
    static struct driver driver;
    struct hearth_buf frame;
    struct hearth_error err = {0};
    hearth_buf_init(&frame, HEARTH_MAX_FRAME_BYTES);
    pthread_mutex_init(&driver.answer.lock, NULL);
    pthread_cond_init(&driver.answer.ended, NULL);
    driver.answer.plan = &driver.plan;
    HEARTH_ASSERT(read_frame(&frame));
    read_plan(&driver.plan, hearth_buf_slice(&frame));
    int rc = load(&driver, &err);
    if (rc < 0) {
        tell_failed(rc, &err);
    } else {
        serve(&driver, &frame);
    }
    hearth_engine_onnx.unload(driver.engine);
    hearth_buf_finish(&frame);
    return 0;
}
