/* hearth_worker.c — main of every worker; HEARTH_WORKER_ENGINE names its engine.
 *
 * The litany is fixed: the plan is the only input, the door closes before a byte of the model is
 * parsed, and nothing is served before the broker has reserved the memory. */

#include "hearth_engine.h"
#include "hearth_log.h"
#include "hearth_serve.h"

#ifdef HEARTH_PROBE
#include "probe.h"
#endif

#ifdef HEARTH_SANITIZED
/* A leak check at exit traces the process from another one, which the closed door refuses. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

static int live(struct hearth_worker **worker, struct hearth_error *err)
{
    int rc = hearth_worker_receive_plan(&HEARTH_WORKER_ENGINE, worker, err);
    if (rc == 0) {
        rc = hearth_worker_preload(*worker, err);
    }
    if (rc == 0) {
        rc = hearth_worker_close_door(*worker, err);
    }
    if (rc == 0) {
        rc = hearth_worker_load(*worker, err);
    }
#ifdef HEARTH_PROBE
    if (rc == 0) {
        probe_door(hearth_worker_plan(*worker));
    }
#endif
    return rc != 0 ? rc : hearth_worker_serve(*worker, err);
}

int main(void)
{
    struct hearth_worker *worker = NULL;
    struct hearth_error err = {0};
    hearth_log_set_process("worker");
    int rc = live(&worker, &err);
    return hearth_worker_end(worker, rc, &err);
}
