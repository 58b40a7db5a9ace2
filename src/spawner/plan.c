/* plan.c — the only input of a worker: an encoded worker_plan in memory that nobody can change. */

#include "spawner_priv.h"

#include "hearth_os.h"

int start_write_plan(struct start *start, struct hearth_buf *scratch, struct hearth_error *err)
{
    const struct hearth_wire_spawn_request *request = start->request;
    struct hearth_message message = {
        .type = HEARTH_MSG_worker_plan,
        .as.worker_plan = {
            .build_id = hearth_slice_of_string(HEARTH_BUILD_ID),
            .model_id = request->model_id,
            .engine = request->engine,
            .task = request->task,
            .folder = hearth_slice_of_string(start->folder),
            .files = {.count = start->file_count, .items = start->files},
            .labels = request->labels,
            .options = request->options,
            .threads = request->threads,
            .nice = request->nice,
            .memory_limit_bytes = request->memory_limit_bytes,
            .is_containment_strict = request->is_containment_strict,
        }};
    hearth_buf_clear(scratch);
    int rc = hearth_wire_encode(&message, scratch);
    if (rc != 0) {
        return hearth_fail(err, rc, "the plan of a worker could not be encoded");
    }
    rc = hearth_memfd_create("hearth-plan", 0, &start->plan_fd, err);
    if (rc == 0 && hearth_fd_write_all(start->plan_fd, hearth_buf_slice(scratch)) != 0) {
        rc = hearth_fail_errno(err, HEARTH_E_SYSTEM, "write the plan of a worker");
    }
    if (rc == 0) {
        rc = hearth_memfd_seal(
            start->plan_fd,
            HEARTH_SEAL_SHRINK | HEARTH_SEAL_GROW | HEARTH_SEAL_WRITE | HEARTH_SEAL_SEAL, err);
    }
    return rc;
}
