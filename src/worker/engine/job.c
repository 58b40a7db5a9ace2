/* job.c — one request as the worker holds it: a private copy of its bytes, decoded once.
 *
 * Finished jobs are wiped and kept for the next request, so that steady state allocates nothing. */

#include "inbox_priv.h"

#include "hearth_os.h"

static const struct hearth_wire_inference_request *request_of(const struct hearth_job *job)
{
    return &job->message.as.inference_request;
}

const struct hearth_wire_inference_request *hearth_job_request(const struct hearth_job *job)
{
    HEARTH_CHECK(job, JOB_MAGIC);
    return request_of(job);
}

struct hearth_slice hearth_job_memfd(const struct hearth_job *job, uint32_t index)
{
    return index < HEARTH_COUNT(job->memfds) ? job->memfds[index] : hearth_slice_of(NULL, 0);
}

void *hearth_job_user(const struct hearth_job *job)
{
    return job->user;
}

void hearth_job_times(const struct hearth_job *job, uint64_t *ret_pushed_ns, uint64_t *ret_taken_ns)
{
    *ret_pushed_ns = job->pushed_ns;
    *ret_taken_ns = atomic_load(&job->taken_ns);
}

int hearth_item_must_end(const struct hearth_item *item)
{
    const struct hearth_job *job = item->job;
    int code = atomic_load_explicit(&job->end_code, memory_order_relaxed);
    if (code != 0) {
        return code;
    }
    bool has_deadline = job->deadline_ns != UINT64_MAX;
    return has_deadline && hearth_clock_ns() >= job->deadline_ns ? HEARTH_E_EXPIRED : 0;
}

static void set_up_item(struct hearth_job *job, uint32_t index,
                        const struct hearth_wire_text *input)
{
    struct job_item *item = &job->items[index];
    *item = (struct job_item){.face = {.job = job,
                                       .index = index,
                                       .text = input->text,
                                       .pair = input->pair,
                                       .tokens = input->tokens}};
    hearth_list_init(&item->face.link);
    job->open_items = index + 1;
}

/* ---- memfds -------------------------------------------------------------------------------- */

/* The broker has checked the same: neither believes the other. */
static int map_memfd(int fd, uint64_t size_bytes, uint32_t index, struct hearth_slice *ret,
                     struct hearth_error *err)
{
    int rc = hearth_memfd_check_data(fd, size_bytes, err);
    rc = rc != 0 ? rc : hearth_memfd_map_data(fd, (size_t)size_bytes, ret, err);
    return rc != 0 ? hearth_because(err, rc, "the memfd of tensors[%u]", (unsigned)index) : 0;
}

static int map_memfds(struct hearth_job *job, const int *fds, uint32_t fd_count,
                      struct hearth_error *err)
{
    struct hearth_wire_list tensors = request_of(job)->tensors;
    struct hearth_wire_tensor tensor;
    uint64_t bytes[HEARTH_MAX_TENSORS];
    uint32_t wanted = hearth_wire_memfds(tensors, bytes);
    uint32_t used = 0;
    if (wanted != fd_count) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "tensors: %u memfds are claimed, %u came",
                           (unsigned)wanted, (unsigned)fd_count);
    }
    for (uint32_t i = 0;
         used < fd_count && hearth_wire_next(&tensors, HEARTH_RECORD_tensor, &tensor); i++) {
        if (tensor.memfd_bytes == 0) {
            continue;
        }
        int rc = map_memfd(fds[used++], tensor.memfd_bytes, i, &job->memfds[i], err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

void job_unmap(struct hearth_job *job)
{
    for (uint32_t i = 0; i < HEARTH_MAX_TENSORS; i++) {
        struct hearth_slice *mapped = &job->memfds[i];
        hearth_memfd_unmap((void *)(uintptr_t)mapped->data, mapped->size);
        *mapped = hearth_slice_of(NULL, 0);
    }
}

/* One prompt, chat or set of tensors, and an item for each answer to it. */
static void set_up_answers(struct hearth_job *job)
{
    struct hearth_wire_list texts = request_of(job)->texts;
    struct hearth_wire_text text = {0};
    (void)hearth_wire_next(&texts, HEARTH_RECORD_text, &text);
    for (uint32_t i = 0; i < hearth_wire_answers(request_of(job)); i++) {
        set_up_item(job, i, &text);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

int job_fill(struct hearth_job *job, struct hearth_slice frame, const int *fds, uint32_t fd_count,
             struct hearth_error *err)
{
    if (hearth_buf_append(&job->bytes, frame.data, frame.size) != 0) {
        return hearth_fail_oom(err);
    }
    int rc = hearth_wire_decode(hearth_buf_slice(&job->bytes), &job->message, err);
    if (rc != 0) {
        return rc;
    }
    if (job->message.type != HEARTH_MSG_inference_request) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "message %d is not an inference_request",
                           (int)job->message.type);
    }
    rc = hearth_wire_check_request(request_of(job), err);
    rc = rc != 0 ? rc : map_memfds(job, fds, fd_count, err);
    if (rc != 0) {
        return rc;
    }
    if (hearth_wire_is_generation(request_of(job)) || request_of(job)->texts.count == 0) {
        set_up_answers(job);
        return 0;
    }
    struct hearth_wire_list texts = request_of(job)->texts;
    struct hearth_wire_text text;
    for (uint32_t i = 0;
         i < HEARTH_MAX_BATCH && hearth_wire_next(&texts, HEARTH_RECORD_text, &text); i++) {
        if (request_of(job)->task == HEARTH_TASK_RERANK) {
            text.pair = text.text;
            text.text = request_of(job)->query;
        }
        set_up_item(job, i, &text);
    }
    return 0;
}

static struct hearth_job *job_create(struct hearth_inbox *inbox)
{
    struct hearth_job *job = hearth_alloc(1, sizeof *job);
    if (job == NULL) {
        return NULL;
    }
    job->magic = JOB_MAGIC;
    job->inbox = inbox;
    hearth_list_init(&job->in_inbox);
    hearth_buf_init(&job->bytes, HEARTH_MAX_FRAME_BYTES);
    return job;
}

struct hearth_job *job_acquire(struct hearth_inbox *inbox)
{
    struct hearth_job *job = HEARTH_LIST_FIRST(struct hearth_job, in_inbox, &inbox->spare);
    if (job == NULL) {
        return job_create(inbox);
    }
    hearth_list_remove(&job->in_inbox);
    inbox->spare_count--;
    return job;
}

void job_free(struct hearth_job *job)
{
    hearth_buf_wipe(&job->bytes);
    hearth_buf_finish(&job->bytes);
    hearth_free(job);
}

void job_release(struct hearth_job *job)
{
    struct hearth_inbox *inbox = job->inbox;
    hearth_list_remove(&job->in_inbox);
    if (inbox->spare_count >= JOB_SPARE_MAX) {
        job_free(job);
        return;
    }
    hearth_buf_wipe(&job->bytes);
    if (job->bytes.room > HEARTH_JOB_KEEP_BYTES) {
        hearth_buf_finish(&job->bytes);
    }
    job->message = (struct hearth_message){.type = HEARTH_MSG_inference_request};
    job->user = NULL;
    job->open_items = 0;
    job->held_items = 0;
    atomic_store(&job->end_code, 0);
    atomic_store(&job->taken_ns, 0);
    hearth_list_append(&inbox->spare, &job->in_inbox);
    inbox->spare_count++;
}
