/* runtime.c — opens ONNX Runtime.
 *
 * The handle lives as long as the process: the library cannot be unloaded safely, and a worker ends
 * by exiting. */

#include "runtime.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The name that the library of this build calls itself by: distributions add a minor number. */
#define LIBRARY HEARTH_ORT_SONAME

static const OrtApi *api; /* set once by the main thread before any other exists */
static const char *version = "";

int runtime_open(const char **ret_version, struct hearth_error *err)
{
    /* Releases from 1.29 on report usage unless told otherwise before they start. The sandbox makes
     * it impossible as well; this keeps the library from trying. */
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return hearth_fail(err, HEARTH_E_NO_ENGINE, "ONNX Runtime: %s cannot be opened: %s",
                           LIBRARY, dlerror());
    }
    /* POSIX promises that the conversion works; ISO C has no way to say it. */
    const OrtApiBase *(*get_base)(void) = NULL;
    *(void **)&get_base = dlsym(library, "OrtGetApiBase");
    const OrtApiBase *base = get_base != NULL ? get_base() : NULL;
    const OrtApi *table = base != NULL ? base->GetApi(ORT_API_VERSION) : NULL;
    if (table == NULL) {
        return hearth_fail(
            err, HEARTH_E_NO_ENGINE, "ONNX Runtime: the library is %s, API %d is needed",
            base != NULL ? base->GetVersionString() : "not recognised", ORT_API_VERSION);
    }
    api = table;
    version = base->GetVersionString();
    *ret_version = version;
    return 0;
}

const OrtApi *runtime_api(void)
{
    HEARTH_ASSERT(api != NULL);
    return api;
}

const char *runtime_version(void)
{
    return version;
}

unsigned runtime_minor(void)
{
    const char *dot = strchr(version, '.');
    return dot != NULL ? (unsigned)strtoul(dot + 1, NULL, 10) : 0;
}

int runtime_check(OrtStatus *status, int code, const char *what, struct hearth_error *err)
{
    if (status == NULL) {
        return 0;
    }
    hearth_fail(err, code, "%s: %s", what, api->GetErrorMessage(status));
    api->ReleaseStatus(status);
    return code;
}
