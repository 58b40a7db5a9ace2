/* told.h — what a loaded model tells about itself, gathered while it loads. */

#ifndef HEARTH_ONNX_TOLD_H
#define HEARTH_ONNX_TOLD_H

#include "hearth_engine.h"

struct told {
    struct hearth_engine_fact facts[HEARTH_MAX_MODEL_FACTS];
    uint32_t count;
};

/** Adds "key: value"; a value that is too long is cut, and what finds no place is left out. */
void told_fact(struct told *told, const char *key, const char *format, ...) HEARTH_PRINTF(3, 4);

#endif
