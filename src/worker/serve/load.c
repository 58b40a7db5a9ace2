/* load.c — from the received plan to ready: the middle of the litany. */

#include "serve_priv.h"

#include "hearth_log.h"
#include "hearth_spawner.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Once the door is closed nothing of /proc can be opened. */
static void open_runnable(struct hearth_engine_plan *plan)
{
    struct hearth_cpu_count count;
    hearth_cpu_count(&count);
    plan->cores = count.online;
    if (count.available == count.online) { /* else other cores are counted too */
        plan->runnable_fd = HEARTH_MAX(hearth_proc_open_runnable(NULL), -1);
    }
}

int hearth_worker_preload(struct hearth_worker *worker, struct hearth_error *err)
{
    verify_preload();
    if (worker->ops->watches_cores) {
        open_runnable(&worker->plan);
    }
    return worker->ops->preload(&worker->plan, &worker->engine_version, err);
}

static enum hearth_sandbox_profile profile_of(const struct hearth_engine_ops *ops)
{
    if (strcmp(ops->name, "onnx") == 0) {
        return HEARTH_SANDBOX_WORKER_ONNX;
    }
    return strcmp(ops->name, "gguf") == 0 ? HEARTH_SANDBOX_WORKER_GGUF : HEARTH_SANDBOX_WORKER_ECHO;
}

int hearth_worker_close_door(struct hearth_worker *worker, struct hearth_error *err)
{
    int fds[HEARTH_MAX_MODEL_FILES + 3];
    size_t count = 0;
    for (; count < worker->plan.file_count; count++) {
        fds[count] = worker->plan.files[count].fd;
    }
    size_t own = count;
    fds[own++] = hearth_ring_wake_fd(worker->outbox.ring);
    fds[own++] = hearth_ring_channel_fd(worker->outbox.ring);
    if (worker->plan.runnable_fd >= 0) {
        fds[own++] = worker->plan.runnable_fd;
    }
    const struct hearth_sandbox_plan plan = {
        .profile = profile_of(worker->ops),
        .fds = fds,
        .fd_count = own,
        .file_fds = fds,
        .file_count = count,
        .memory_limit_bytes = worker->memory_limit_bytes,
        .is_strict = worker->is_strict,
    };
    return hearth_sandbox_close_door(&plan, worker->containment, err);
}

static int tell(struct hearth_worker *worker, const struct hearth_message *message,
                struct hearth_error *err)
{
    int rc = outbox_send(&worker->outbox, message);
    return rc == 0 ? 0 : hearth_fail(err, rc, "send message %d to the broker", (int)message->type);
}

static int tell_hello(struct hearth_worker *worker, struct hearth_error *err)
{
    struct hearth_slice version = hearth_slice_of_string(worker->engine_version);
    version.size = HEARTH_MIN(version.size, (size_t)HEARTH_MAX_NAME_BYTES);
    struct hearth_message hello = {
        .type = HEARTH_MSG_worker_hello,
        .as.worker_hello = {.build_id = hearth_slice_of_string(HEARTH_BUILD_ID),
                            .engine_version = version,
                            .containment = hearth_slice_of_string(worker->containment)}};
    return tell(worker, &hello, err);
}

static int tell_need(struct hearth_worker *worker, struct hearth_error *err)
{
    struct hearth_engine_need need = {0};
    int rc = hearth_plan_check_options(&worker->plan, worker->ops->options, err);
    if (rc == 0) {
        rc = worker->ops->inspect(&worker->plan, &need, err);
    }
    if (rc != 0) {
        return rc;
    }
    struct hearth_message message = {.type = HEARTH_MSG_worker_need,
                                     .as.worker_need = {.weights_bytes = need.weights_bytes,
                                                        .cache_bytes = need.cache_bytes,
                                                        .compute_bytes = need.compute_bytes,
                                                        .tokenizer_bytes = need.tokenizer_bytes,
                                                        .prefix_bytes = need.prefix_bytes,
                                                        .mapped_bytes = need.mapped_bytes,
                                                        .token_bytes = need.token_bytes}};
    return tell(worker, &message, err);
}

static int wait_for_proceed(struct hearth_worker *worker, struct hearth_error *err)
{
    struct hearth_message message;
    int rc = link_wait(worker, &message, err);
    if (rc != 0) {
        return rc;
    }
    if (message.type == HEARTH_MSG_worker_stop) {
        return hearth_fail(err, HEARTH_E_SHUTTING_DOWN, "told to stop before loading");
    }
    if (message.type != HEARTH_MSG_worker_proceed) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "message %d where proceed was due",
                           (int)message.type);
    }
    return 0;
}

/* Peak, not current: /proc is out of reach, and right after loading the two are close. */
static uint64_t resident_bytes(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static struct hearth_wire_list name_ports(const struct hearth_engine_port *ports, uint32_t count,
                                          struct hearth_wire_port room[HEARTH_MAX_TENSORS])
{
    for (uint32_t i = 0; i < count; i++) {
        room[i] = (struct hearth_wire_port){.name = hearth_slice_of_string(ports[i].name),
                                            .type = (uint8_t)ports[i].type,
                                            .shape = {ports[i].shape, ports[i].rank}};
    }
    return (struct hearth_wire_list){.count = count, .items = room};
}

/* What ready lists; lives while it is told. */
struct told {
    struct hearth_wire_name labels[HEARTH_MAX_LABELS];
    struct hearth_wire_port inputs[HEARTH_MAX_TENSORS];
    struct hearth_wire_port outputs[HEARTH_MAX_TENSORS];
    struct hearth_wire_option facts[HEARTH_MAX_MODEL_FACTS];
};

static int tell_ready(struct hearth_worker *worker, struct hearth_error *err)
{
    const struct hearth_engine_plan *plan = &worker->plan;
    const struct hearth_engine_facts *facts = &worker->facts;
    HEARTH_AUTO(hearth_block) struct told *told = hearth_alloc(1, sizeof *told);
    if (told == NULL) {
        return hearth_fail_oom(err);
    }
    for (size_t i = 0; i < plan->label_count; i++) {
        told->labels[i].name = hearth_slice_of_string(plan->labels[i]);
    }
    for (uint32_t i = 0; i < facts->told_count; i++) {
        told->facts[i].key = hearth_slice_of_string(facts->told[i].key);
        told->facts[i].value = hearth_slice_of_string(facts->told[i].value);
    }
    struct hearth_message ready = {
        .type = HEARTH_MSG_worker_ready,
        .as.worker_ready = {.capacity = facts->capacity,
                            .context_tokens = facts->context_tokens,
                            .dimensions = facts->dimensions,
                            .threads = worker->plan.threads,
                            .labels = {.count = (uint32_t)plan->label_count, .items = told->labels},
                            .memory_bytes = resident_bytes(),
                            .inputs = name_ports(facts->inputs, facts->input_count, told->inputs),
                            .outputs =
                                name_ports(facts->outputs, facts->output_count, told->outputs),
                            .facts = {.count = facts->told_count, .items = told->facts}}};
    return tell(worker, &ready, err);
}

static int check_facts(const struct hearth_engine_facts *facts, struct hearth_error *err)
{
    if (facts->run_threads == 0 || facts->run_threads > SERVE_MAX_RUN_THREADS) {
        return hearth_fail(err, HEARTH_E_CONFIG, "the engine asks for %u run threads, 1 to %u",
                           facts->run_threads, SERVE_MAX_RUN_THREADS);
    }
    if (facts->input_count > HEARTH_MAX_TENSORS || facts->output_count > HEARTH_MAX_TENSORS) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the model has %u inputs and %u outputs, %u of each can be named",
                           facts->input_count, facts->output_count, HEARTH_MAX_TENSORS);
    }
    HEARTH_ASSERT(facts->told_count <= HEARTH_MAX_MODEL_FACTS);
    return 0;
}

static int load_engine(struct hearth_worker *worker, struct hearth_error *err)
{
    int rc = worker->ops->load(&worker->plan, &worker->engine, &worker->facts, err);
    return rc == 0 ? check_facts(&worker->facts, err) : rc;
}

int hearth_worker_load(struct hearth_worker *worker, struct hearth_error *err)
{
    int rc = tell_hello(worker, err);
    if (rc == 0) {
        rc = verify_files(worker, err);
    }
    if (rc == 0) {
        rc = tell_need(worker, err);
    }
    if (rc == 0) {
        rc = wait_for_proceed(worker, err);
    }
    if (rc == 0) {
        rc = load_engine(worker, err);
    }
    return rc != 0 ? rc : tell_ready(worker, err);
}

static void tell_failed(struct hearth_worker *worker, int code, const struct hearth_error *err)
{
    struct hearth_message failed = {
        .type = HEARTH_MSG_worker_failed,
        .as.worker_failed = {.code = (uint16_t)-code, .error = hearth_slice_of_string(err->text)}};
    if (outbox_send(&worker->outbox, &failed) != 0) {
        hearth_log(HEARTH_LOG_ERROR, "worker.failed", "error", hearth_log_err(err), NULL);
    }
}

static void destroy(struct hearth_worker *worker)
{
    worker->ops->unload(worker->engine);
    hearth_inbox_destroy(worker->inbox);
    reply_free_spare(worker);
    hearth_loop_destroy(worker->loop);
    hearth_fd_close(&worker->event_fd);
    outbox_finish(&worker->outbox);
    hearth_buf_wipe(&worker->message);
    hearth_buf_finish(&worker->message);
    hearth_arena_finish(&worker->strings);
    pthread_mutex_destroy(&worker->replies_lock);
    hearth_free(worker);
}

int hearth_worker_end(struct hearth_worker *worker, int rc, const struct hearth_error *err)
{
    if (rc < 0) {
        if (worker != NULL && worker->outbox.ring != NULL && worker->inbox == NULL) {
            tell_failed(worker, rc, err);
        } else {
            hearth_log(HEARTH_LOG_ERROR, "worker.failed", "error", hearth_log_err(err), NULL);
        }
    }
    if (worker != NULL) {
        destroy(worker);
    }
    return rc < 0 ? 1 : 0;
}
