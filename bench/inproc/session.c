/* session.c — ONNX Runtime as a program of its own would use it. */

#include "session.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check(const struct runtime *runtime, OrtStatus *status, const char *what,
                 struct hearth_error *err)
{
    if (status == NULL) {
        return 0;
    }
    hearth_fail(err, HEARTH_E_INTERNAL, "%s: %s", what, runtime->api->GetErrorMessage(status));
    runtime->api->ReleaseStatus(status);
    return HEARTH_E_INTERNAL;
}

int runtime_start(struct runtime *ret, struct hearth_error *err)
{
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    void *library = dlopen(HEARTH_ORT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    const OrtApiBase *(*get_base)(void) = NULL;
    if (library != NULL) {
        *(void **)&get_base = dlsym(library, "OrtGetApiBase");
    }
    ret->api = get_base != NULL ? get_base()->GetApi(ORT_API_VERSION) : NULL;
    if (ret->api == NULL) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "ONNX Runtime cannot be opened: %s",
                           dlerror());
    }
    int rc = check(ret, ret->api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bench", &ret->env),
                   "start ONNX Runtime", err);
    return rc < 0 ? rc
                  : check(ret,
                          ret->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault,
                                                        &ret->memory),
                          "describe memory", err);
}

void runtime_end(struct runtime *runtime)
{
    if (runtime->memory != NULL) {
        runtime->api->ReleaseMemoryInfo(runtime->memory);
    }
    if (runtime->env != NULL) {
        runtime->api->ReleaseEnv(runtime->env);
    }
    *runtime = (struct runtime){0};
}

int session_make(const struct runtime *runtime, const char *model_folder, int threads,
                 const char *spin_us, OrtSession **ret, struct hearth_error *err)
{
    const OrtApi *api = runtime->api;
    OrtSessionOptions *options = NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s/model.onnx", model_folder);
    if (access(path, R_OK) != 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "%.100s is missing: run scripts/setup.sh, or say --models", path);
    }
    int rc = check(runtime, api->CreateSessionOptions(&options), "session options", err);
    rc = rc < 0 ? rc : check(runtime, api->SetIntraOpNumThreads(options, threads), "threads", err);
    rc = rc < 0 ? rc : check(runtime, api->DisableMemPattern(options), "memory pattern", err);
    if (rc == 0 && spin_us != NULL) {
        rc =
            check(runtime,
                  api->AddSessionConfigEntry(options, "session.intra_op.spin_duration_us", spin_us),
                  "spinning", err);
    }
    rc = rc < 0 ? rc
                : check(runtime, api->CreateSession(runtime->env, path, options, ret),
                        "open the model", err);
    if (options != NULL) {
        api->ReleaseSessionOptions(options);
    }
    return rc;
}

/* ---- one run -------------------------------------------------------------------------------- */

static size_t fill(const struct bench_texts *texts, const uint16_t *which, size_t count,
                   struct scratch *scratch)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        longest = HEARTH_MAX(longest, (size_t)texts->items[which[i]].id_count);
    }
    for (size_t i = 0; i < count; i++) {
        const struct bench_text *text = &texts->items[which[i]];
        for (size_t j = 0; j < longest; j++) {
            bool is_real = j < text->id_count;
            scratch->ids[i * longest + j] = is_real ? text->ids[j] : 0;
            scratch->mask[i * longest + j] = is_real;
            scratch->types[i * longest + j] = 0;
        }
    }
    return longest;
}

/* Mean of the real rows, scaled to length 1. */
static void pool(const float *rows, size_t count, float *vector)
{
    float sum = 0.0f;
    memset(vector, 0, EMBED_WIDTH * sizeof *vector);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < EMBED_WIDTH; j++) {
            vector[j] += rows[i * EMBED_WIDTH + j];
        }
    }
    for (size_t j = 0; j < EMBED_WIDTH; j++) {
        sum += vector[j] * vector[j];
    }
    float scale = 1.0f / sqrtf(sum);
    for (size_t j = 0; j < EMBED_WIDTH; j++) {
        vector[j] *= scale;
    }
}

int session_embed(const struct runtime *runtime, OrtSession *session,
                  const struct bench_texts *texts, const uint16_t *which, size_t count,
                  struct scratch *scratch, float *vectors, struct hearth_error *err)
{
    static const char *const inputs[] = {"input_ids", "attention_mask", "token_type_ids"};
    static const char *const outputs[] = {"last_hidden_state"};
    const OrtApi *api = runtime->api;
    size_t longest = fill(texts, which, count, scratch);
    int64_t shape[2] = {(int64_t)count, (int64_t)longest};
    int64_t *data[3] = {scratch->ids, scratch->mask, scratch->types};
    OrtValue *values[3] = {NULL};
    OrtValue *output = NULL;
    float *rows = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 3; i++) {
        rc = check(runtime,
                   api->CreateTensorWithDataAsOrtValue(
                       runtime->memory, data[i], count * longest * sizeof(int64_t), shape, 2,
                       ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, &values[i]),
                   "make a tensor", err);
    }
    rc = rc < 0 ? rc
                : check(runtime,
                        api->Run(session, NULL, inputs, (const OrtValue *const *)values, 3, outputs,
                                 1, &output),
                        "run", err);
    rc = rc < 0 ? rc
                : check(runtime, api->GetTensorMutableData(output, (void **)&rows), "output", err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        pool(rows + i * longest * EMBED_WIDTH, texts->items[which[i]].id_count,
             vectors + which[i] * EMBED_WIDTH);
    }
    for (size_t i = 0; i < 3; i++) {
        if (values[i] != NULL) {
            api->ReleaseValue(values[i]);
        }
    }
    if (output != NULL) {
        api->ReleaseValue(output);
    }
    return rc;
}
