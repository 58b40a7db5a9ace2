/* plan.c — reads the plan that the spawner wrote: descriptors, limits, labels, options. */

#include "serve_priv.h"

#include "hearth_spawner.h"

#include <string.h>

#define PLAN_CAP_BYTES    (512u * 1024u)
#define STRINGS_CAP_BYTES (HEARTH_MAX_LABELS * (HEARTH_MAX_LABEL_BYTES + 64u))

static int bad_plan(struct hearth_error *err, const char *what)
{
    return hearth_fail(err, HEARTH_E_MALFORMED, "the plan of this worker: %s", what);
}

static int read_files(struct hearth_worker *worker, struct hearth_wire_list files,
                      struct hearth_error *err)
{
    struct hearth_wire_model_file file;
    for (size_t i = 0; hearth_wire_next(&files, HEARTH_RECORD_model_file, &file); i++) {
        struct hearth_engine_file *into = &worker->plan.files[i];
        into->role = (enum hearth_file_role)file.role;
        into->fd = (int)file.fd;
        into->size_bytes = file.size_bytes;
        if (file.fd != HEARTH_WORKER_FD_FILES + i ||
            !hearth_slice_to_string(file.path, into->path, sizeof into->path) ||
            !hearth_slice_to_string(file.sha256, worker->digests[i], sizeof *worker->digests)) {
            return bad_plan(err, "a file has another number, or a path over 255 bytes");
        }
        memcpy(into->sha256, worker->digests[i], sizeof into->sha256);
        worker->plan.file_count = i + 1;
    }
    return 0;
}

static int read_labels(struct hearth_worker *worker, struct hearth_wire_list labels,
                       struct hearth_error *err)
{
    struct hearth_wire_name label;
    while (hearth_wire_next(&labels, HEARTH_RECORD_name, &label)) {
        const char *copy = hearth_arena_copy(&worker->strings, label.name);
        if (copy == NULL) {
            return hearth_fail_oom(err);
        }
        worker->plan.labels[worker->plan.label_count++] = copy;
    }
    return 0;
}

static int read_options(struct hearth_engine_plan *plan, struct hearth_wire_list options,
                        struct hearth_error *err)
{
    struct hearth_wire_option option;
    for (size_t i = 0; hearth_wire_next(&options, HEARTH_RECORD_option, &option); i++) {
        if (!hearth_slice_to_string(option.key, plan->options[i].key,
                                    sizeof plan->options[i].key) ||
            !hearth_slice_to_string(option.value, plan->options[i].value,
                                    sizeof plan->options[i].value)) {
            return bad_plan(err, "an option contains NUL");
        }
        plan->option_count = i + 1;
    }
    return 0;
}

static int read_plan(struct hearth_worker *worker, const struct hearth_wire_worker_plan *from,
                     struct hearth_error *err)
{
    struct hearth_engine_plan *plan = &worker->plan;
    if (!hearth_slice_equals_string(from->build_id, HEARTH_BUILD_ID)) {
        return hearth_fail(err, HEARTH_E_VERSION, "worker and broker are of different builds");
    }
    if (!hearth_slice_to_string(from->model_id, plan->model_id, sizeof plan->model_id) ||
        !hearth_slice_to_string(from->folder, plan->folder, sizeof plan->folder)) {
        return bad_plan(err, "model id or folder contains NUL or is too long");
    }
    plan->task = (enum hearth_task)from->task;
    plan->threads = HEARTH_MAX(1u, from->threads);
    /* A daemon that was started nicer still has workers that may not go back. */
    plan->nice = HEARTH_MAX((int)from->nice, hearth_thread_nice());
    worker->memory_limit_bytes = from->memory_limit_bytes;
    worker->is_strict = from->is_containment_strict != 0;
    int rc = read_files(worker, from->files, err);
    if (rc == 0) {
        rc = read_labels(worker, from->labels, err);
    }
    return rc != 0 ? rc : read_options(plan, from->options, err);
}

/* The plan's descriptor is closed by this: it has said all that it says. */
static int load_plan(struct hearth_worker *worker, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_fd) int fd = HEARTH_WORKER_FD_PLAN;
    HEARTH_AUTO(hearth_buf) struct hearth_buf bytes;
    hearth_buf_init(&bytes, PLAN_CAP_BYTES);
    unsigned seals = 0;
    int rc = hearth_memfd_seals(fd, &seals, err);
    if (rc == 0 && (seals & HEARTH_SEAL_WRITE) == 0) {
        rc = bad_plan(err, "it is not sealed");
    }
    if (rc == 0) {
        rc = hearth_file_read_fd(fd, "the plan", &bytes, err);
    }
    struct hearth_message message;
    if (rc == 0) {
        rc = hearth_wire_decode(hearth_buf_slice(&bytes), &message, err);
    }
    if (rc == 0 && message.type != HEARTH_MSG_worker_plan) {
        rc = bad_plan(err, "it is another message");
    }
    return rc != 0 ? rc : read_plan(worker, &message.as.worker_plan, err);
}

static struct hearth_worker *make_worker(const struct hearth_engine_ops *ops)
{
    struct hearth_worker *worker = hearth_alloc(1, sizeof *worker);
    if (worker == NULL) {
        return NULL;
    }
    worker->ops = ops;
    worker->engine_version = "";
    worker->event_fd = -1;
    worker->plan.runnable_fd = -1;
    hearth_arena_init(&worker->strings, STRINGS_CAP_BYTES);
    hearth_buf_init(&worker->message, HEARTH_MAX_RING_MESSAGE_BYTES);
    hearth_list_init(&worker->spare_replies);
    pthread_mutex_init(&worker->replies_lock, NULL);
    return worker;
}

int hearth_worker_receive_plan(const struct hearth_engine_ops *ops,
                               struct hearth_worker **ret_worker, struct hearth_error *err)
{
    struct hearth_worker *worker = make_worker(ops);
    if (worker == NULL) {
        return hearth_fail_oom(err);
    }
    *ret_worker = worker;
    int rc = outbox_init(&worker->outbox, err); /* first, so that a failure can be told */
    return rc != 0 ? rc : load_plan(worker, err);
}

const struct hearth_engine_plan *hearth_worker_plan(const struct hearth_worker *worker)
{
    return &worker->plan;
}
