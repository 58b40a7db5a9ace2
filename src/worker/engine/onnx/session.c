/* session.c — opens the model. */

#include "session.h"

#include <stdio.h>

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

static int set_options(OrtSessionOptions *options, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    int rc = runtime_check(api->SetIntraOpNumThreads(options, 1), HEARTH_E_INTERNAL,
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
    return rc;
}

/* Loads by path, not from memory: external weights are then mapped from the file and not copied
 * (69 against 139 MB resident for MiniLM). Landlock lets exactly these files be opened. */
static int create(struct session *session, const char *path, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtSessionOptions *options = NULL;
    int rc = runtime_check(api->CreateEnvWithCustomLogger(drop_line, NULL, ORT_LOGGING_LEVEL_FATAL,
                                                          "hearth", &session->env),
                           HEARTH_E_ENGINE_FAILED, "start ONNX Runtime", err);
    if (rc == 0) {
        rc = runtime_check(api->CreateSessionOptions(&options), HEARTH_E_NO_MEMORY,
                           "session options", err);
    }
    if (rc == 0) {
        rc = set_options(options, err);
    }
    if (rc == 0) {
        rc = runtime_check(api->CreateSession(session->env, path, options, &session->session),
                           HEARTH_E_MODEL_INVALID, "load the ONNX file", err);
    }
    if (rc == 0) {
        rc = runtime_check(
            api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &session->memory),
            HEARTH_E_NO_MEMORY, "describe memory", err);
    }
    if (options != NULL) {
        api->ReleaseSessionOptions(options);
    }
    return rc;
}

int session_open(struct session *session, const struct hearth_engine_plan *plan,
                 struct hearth_error *err)
{
    *session = (struct session){0};
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_MODEL);
    char path[HEARTH_MAX_PATH_BYTES + sizeof file->path];
    snprintf(path, sizeof path, "%s/%s", plan->folder, file->path);
    int rc = create(session, path, err);
    if (rc < 0) {
        session_close(session);
    }
    return rc;
}

void session_close(struct session *session)
{
    if (session->memory != NULL) {
        runtime_api()->ReleaseMemoryInfo(session->memory);
    }
    if (session->session != NULL) {
        runtime_api()->ReleaseSession(session->session);
    }
    if (session->env != NULL) {
        runtime_api()->ReleaseEnv(session->env);
    }
    *session = (struct session){0};
}

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

int session_run(const struct session *session, const OrtRunOptions *options,
                const char *const *input_names, const OrtValue *const *inputs, size_t input_count,
                const char *const *output_names, size_t output_count, OrtValue **outputs,
                struct hearth_error *err)
{
    return runtime_check(runtime_api()->Run(session->session, options, input_names, inputs,
                                            input_count, output_names, output_count, outputs),
                         HEARTH_E_ENGINE_FAILED, "run the model", err);
}
