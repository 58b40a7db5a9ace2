/* runtime.h — ONNX Runtime as opened at run time: its table of functions and its errors. */

#ifndef HEARTH_ONNX_RUNTIME_H
#define HEARTH_ONNX_RUNTIME_H

#include "hearth_base.h"

#include <onnxruntime_c_api.h>

/**
 * Opens the library of this build once for the process and asks for the API that our header
 * describes; a newer library answers it. Starts no thread and reads no model. HEARTH_E_NO_ENGINE.
 */
int runtime_open(const char **ret_version, struct hearth_error *err);

/** The table; only after runtime_open(). */
const OrtApi *runtime_api(void);

/** "1.32.0", and the 32 of it. */
const char *runtime_version(void);
unsigned runtime_minor(void);

/**
 * Turns @status (may be NULL: success) into 0 or @code with @what in front of the library's words,
 * and releases it. The library's words name nodes and shapes of the model, never what a client
 * sent.
 */
int runtime_check(OrtStatus *status, int code, const char *what, struct hearth_error *err);

#endif
