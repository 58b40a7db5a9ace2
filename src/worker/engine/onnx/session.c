/* session.c — opens the model, once or twice, and runs it. */

#include "session.h"

#include "hearth_os.h"

#include <stdio.h>
#include <string.h>

/* From this release on a pool can be told how long to spin; before, only to stop after a run. */
#define FIRST_MINOR_WITH_SPIN_TIME 27u
#define SWEEP_NS                   UINT64_C(5000000)

/* The library's own lines could name paths of the machine and say nothing that the error returned
 * does not, so they go nowhere. */
static void ORT_API_CALL drop_line(void *param, OrtLoggingLevel severity, const char *category,
                                   const char *log_id, const char *location, const char *message)
{
    (void)param;
    (void)severity;
    (void)category;
    (void)log_id;
    (void)location;
    (void)message;
}

/* ---- threads of the pool --------------------------------------------------------------------- */

struct pool_thread {
    pthread_t thread;
    OrtThreadWorkerFn work;
    void *param;
};

static void run_pool_thread(void *arg)
{
    struct pool_thread *thread = arg;
    thread->work(thread->param);
}

static OrtCustomThreadHandle start_pool_thread(void *options, OrtThreadWorkerFn work, void *param)
{
    const struct session *session = options;
    struct pool_thread *thread = hearth_alloc(1, sizeof *thread);
    if (thread == NULL) {
        return NULL;
    }
    thread->work = work;
    thread->param = param;
    if (hearth_thread_start(&thread->thread, "wide", session->pool_nice, run_pool_thread, thread,
                            NULL) < 0) {
        hearth_free(thread);
        return NULL;
    }
    return (OrtCustomThreadHandle)thread;
}

static void join_pool_thread(OrtCustomThreadHandle handle)
{
    struct pool_thread *thread = (struct pool_thread *)(uintptr_t)handle;
    if (thread != NULL) {
        hearth_thread_join(thread->thread);
        hearth_free(thread);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static int set_entry(OrtSessionOptions *options, const char *key, const char *value,
                     struct hearth_error *err)
{
    return runtime_check(runtime_api()->AddSessionConfigEntry(options, key, value),
                         HEARTH_E_INTERNAL, "session options", err);
}

static int set_common(OrtSessionOptions *options, int threads, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    int rc = runtime_check(api->SetIntraOpNumThreads(options, threads), HEARTH_E_INTERNAL,
                           "session options", err);
    if (rc == 0) {
        rc = runtime_check(api->SetInterOpNumThreads(options, 1), HEARTH_E_INTERNAL,
                           "session options", err);
    }
    if (rc == 0) {
        /* The pattern is kept per input shape; texts of every length would fill memory with them.
         */
        rc = runtime_check(api->DisableMemPattern(options), HEARTH_E_INTERNAL, "session options",
                           err);
    }
    if (rc == 0) {
        rc = runtime_check(api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL),
                           HEARTH_E_INTERNAL, "session options", err);
    }
    if (rc == 0) {
        rc = set_entry(options, "session.use_env_allocators", "1", err);
    }
    return rc;
}

/* A barrier inside a run is passed in microseconds by a thread that spins, in tens of them by one
 * that sleeps. After the last run the threads must be asleep within a millisecond. */
static int set_pool(OrtSessionOptions *options, struct session *session, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    int rc = set_entry(options, "session.intra_op.allow_spinning", "1", err);
    if (rc == 0) {
        rc = runtime_minor() >= FIRST_MINOR_WITH_SPIN_TIME
                 ? set_entry(options, "session.intra_op.spin_duration_us", WIDE_SPIN_US, err)
                 : set_entry(options, "session.force_spinning_stop", "1", err);
    }
    if (rc == 0) {
        rc = runtime_check(api->SessionOptionsSetCustomCreateThreadFn(options, start_pool_thread),
                           HEARTH_E_INTERNAL, "session options", err);
    }
    if (rc == 0) {
        rc = runtime_check(api->SessionOptionsSetCustomThreadCreationOptions(options, session),
                           HEARTH_E_INTERNAL, "session options", err);
    }
    if (rc == 0) {
        rc = runtime_check(api->SessionOptionsSetCustomJoinThreadFn(options, join_pool_thread),
                           HEARTH_E_INTERNAL, "session options", err);
    }
    return rc;
}

/* ---- sweeping -------------------------------------------------------------------------------- */

/* The library reads all matrices once to pack them. Without this both copies would be resident
 * until it is done, and the peak of loading above that of serving. */
struct sweeper {
    const struct weights *weights;
    pthread_t thread;
    bool is_running;
    int event_fd; /* readable: it is over */
};

static void sweep(void *arg)
{
    struct sweeper *sweeper = arg;
    bool is_over = false;
    while (!is_over) {
        uint64_t next_ns = hearth_clock_ns() + SWEEP_NS;
        is_over = hearth_fd_wait(sweeper->event_fd, HEARTH_READY_IN, next_ns, NULL) == 0;
        weights_drop_pages(sweeper->weights);
    }
}

/* Without it loading works as well. */
static void start_sweeper(struct sweeper *sweeper, const struct session *session)
{
    *sweeper = (struct sweeper){.weights = &session->weights, .event_fd = -1};
    sweeper->is_running =
        session->weights.mapped != NULL && hearth_event_create(&sweeper->event_fd, NULL) == 0 &&
        hearth_thread_start(&sweeper->thread, "sweep", session->pool_nice, sweep, sweeper, NULL) ==
            0;
}

static void stop_sweeper(struct sweeper *sweeper)
{
    if (sweeper->is_running) {
        hearth_event_signal(sweeper->event_fd);
        hearth_thread_join(sweeper->thread);
    }
    hearth_fd_close(&sweeper->event_fd);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The library begins with the path, which is long and says nothing; then it names the operator, the
 * opset or the node. What it does not know is told apart from what is broken. */
static int refuse_model(OrtStatus *status, struct hearth_error *err)
{
    static const char *const unknown[] = {"is not a registered function/op", "No Op registered for",
                                          "under development", "NOT_IMPLEMENTED",
                                          "Could not find an implementation"};
    const OrtApi *api = runtime_api();
    const char *message = api->GetErrorMessage(status);
    const char *after_path = strstr(message, " failed:");
    if (strncmp(message, "Load model from ", 16) == 0 && after_path != NULL) {
        message = after_path + strlen(" failed:");
    }
    int code = HEARTH_E_MODEL_INVALID;
    for (size_t i = 0; i < HEARTH_COUNT(unknown); i++) {
        code = strstr(message, unknown[i]) != NULL ? HEARTH_E_UNSUPPORTED : code;
    }
    code = api->GetErrorCode(status) == ORT_NOT_IMPLEMENTED ? HEARTH_E_UNSUPPORTED : code;
    hearth_fail(err, code, "ONNX Runtime %s refuses the model: %s", runtime_version(), message);
    api->ReleaseStatus(status);
    return code;
}

/* Loads by path, not from memory: what is not lent is then mapped from the file and not copied.
 * Landlock lets exactly these files be opened. */
static int create(struct session *session, const struct hearth_engine_plan *plan, bool is_wide,
                  OrtSession **ret, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_MODEL);
    char path[HEARTH_MAX_PATH_BYTES + sizeof file->path];
    snprintf(path, sizeof path, "%s/%s", plan->folder, file->path);
    OrtSessionOptions *options = NULL;
    int rc = runtime_check(api->CreateSessionOptions(&options), HEARTH_E_NO_MEMORY,
                           "session options", err);
    if (rc < 0) {
        return rc;
    }
    rc = set_common(options, is_wide ? (int)plan->threads : 1, err);
    if (rc == 0 && is_wide) {
        rc = set_pool(options, session, err);
    }
    if (rc == 0) {
        rc = weights_lend(&session->weights, options, err);
    }
    if (rc == 0) {
        struct sweeper sweeper;
        start_sweeper(&sweeper, session);
        OrtStatus *status = api->CreateSessionWithPrepackedWeightsContainer(
            session->env, path, options, session->weights.packed, ret);
        stop_sweeper(&sweeper);
        rc = status == NULL ? 0 : refuse_model(status, err);
    }
    api->ReleaseSessionOptions(options);
    return rc;
}

/* One piece from the start: one that grows by pieces cannot join what is free in two of them, and
 * texts of many lengths then fill it with gaps. What was never used of it is not resident. */
static int register_arena(struct session *session, uint64_t bytes, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtArenaCfg *arena = NULL;
    session->arena_bytes = (size_t)bytes;
    int rc =
        runtime_check(api->CreateArenaCfg(session->arena_bytes, 0,
                                          (int)HEARTH_MIN(bytes, (uint64_t)INT32_MAX), -1, &arena),
                      HEARTH_E_NO_MEMORY, "describe the arena", err);
    if (rc < 0) {
        return rc;
    }
    rc = runtime_check(api->CreateAndRegisterAllocator(session->env, session->memory, arena),
                       HEARTH_E_NO_MEMORY, "make the arena", err);
    api->ReleaseArenaCfg(arena);
    return rc;
}

/* The first free piece lies where the arena begins, behind what is not lent of the weights. */
static void find_arena(struct session *session)
{
    const OrtApi *api = runtime_api();
    OrtAllocator *allocator = NULL;
    if (runtime_check(api->CreateAllocator(session->session, session->memory, &allocator),
                      HEARTH_E_INTERNAL, "allocator", NULL) == 0) {
        void *piece = allocator->Alloc(allocator, 64);
        session->arena = piece;
        allocator->Free(allocator, piece);
        api->ReleaseAllocator(allocator);
    }
}

static int open_narrow(struct session *session, const struct hearth_engine_plan *plan,
                       uint64_t arena_bytes, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    int rc = runtime_check(api->CreateEnvWithCustomLogger(drop_line, NULL, ORT_LOGGING_LEVEL_FATAL,
                                                          "hearth", &session->env),
                           HEARTH_E_ENGINE_FAILED, "start ONNX Runtime", err);
    if (rc == 0) {
        rc = runtime_check(
            api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &session->memory),
            HEARTH_E_NO_MEMORY, "describe memory", err);
    }
    if (rc == 0) {
        rc = register_arena(session, arena_bytes, err);
    }
    if (rc == 0) {
        rc = weights_open(&session->weights, plan, err);
    }
    return rc < 0 ? rc : create(session, plan, false, &session->session, err);
}

int session_open(struct session *session, const struct hearth_engine_plan *plan,
                 uint64_t arena_bytes, struct hearth_error *err)
{
    *session = (struct session){.pool_nice = plan->nice};
    int rc = open_narrow(session, plan, arena_bytes, err);
    if (rc < 0) {
        session_close(session);
        return rc;
    }
    find_arena(session);
    return 0;
}

uint64_t session_touched_bytes(const struct session *session)
{
    return session->arena != NULL ? hearth_mapping_resident(session->arena, session->arena_bytes)
                                  : 0;
}

int session_open_wide(struct session *session, const struct hearth_engine_plan *plan,
                      struct hearth_error *err)
{
    return create(session, plan, true, &session->wide, err);
}

void session_close_wide(struct session *session)
{
    if (session->wide != NULL) {
        runtime_api()->ReleaseSession(session->wide);
        session->wide = NULL;
    }
}

void session_trim(const struct session *session)
{
    weights_drop_pages(&session->weights);
    hearth_library_drop("libonnxruntime");
    hearth_heap_trim();
}

void session_close(struct session *session)
{
    session_close_wide(session);
    if (session->session != NULL) {
        runtime_api()->ReleaseSession(session->session);
    }
    weights_close(&session->weights);
    if (session->memory != NULL) {
        runtime_api()->ReleaseMemoryInfo(session->memory);
    }
    if (session->env != NULL) {
        runtime_api()->ReleaseEnv(session->env);
    }
    *session = (struct session){0};
}

/* ---- running --------------------------------------------------------------------------------- */

int session_make_run_options(OrtRunOptions **ret, struct hearth_error *err)
{
    return runtime_check(runtime_api()->CreateRunOptions(ret), HEARTH_E_NO_MEMORY, "run options",
                         err);
}

void session_free_run_options(OrtRunOptions *options)
{
    if (options != NULL) {
        runtime_api()->ReleaseRunOptions(options);
    }
}

int session_set_terminate(OrtRunOptions *options, bool must_end, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    return runtime_check(must_end ? api->RunOptionsSetTerminate(options)
                                  : api->RunOptionsUnsetTerminate(options),
                         HEARTH_E_INTERNAL, "run options", err);
}

int session_run(const struct session *session, bool is_wide, const OrtRunOptions *options,
                const struct run_ports *ports, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtStatus *status = api->Run(is_wide ? session->wide : session->session, options,
                                 ports->input_names, ports->inputs, ports->input_count,
                                 ports->output_names, ports->output_count, ports->outputs);
    if (status == NULL) {
        return 0;
    }
    const char *lack = strstr(api->GetErrorMessage(status), "Available memory of");
    if (lack == NULL) {
        return runtime_check(status, HEARTH_E_ENGINE_FAILED, "run the model", err);
    }
    hearth_fail(err, HEARTH_E_NO_MEMORY,
                "run the model in %zu bytes: %.*s: send less at once, or raise option compute_mb",
                session->arena_bytes, (int)strcspn(lack, "\n"), lack);
    api->ReleaseStatus(status);
    return HEARTH_E_NO_MEMORY;
}
