/* names.c — the words for the numbers of the protocol. A number from a newer peer is "unknown". */

#include "hearth_wire.h"

static const char *name_of(const char *const *names, size_t count, unsigned number)
{
    return number < count ? names[number] : "unknown";
}

const char *hearth_task_name(enum hearth_task task)
{
    static const char *const names[] = {[HEARTH_TASK_CLASSIFY] = "classify",
                                        [HEARTH_TASK_EMBED] = "embed",
                                        [HEARTH_TASK_GENERATE] = "generate",
                                        [HEARTH_TASK_CHAT] = "chat"};
    return name_of(names, HEARTH_COUNT(names), task);
}

const char *hearth_priority_name(enum hearth_priority priority)
{
    static const char *const names[] = {[HEARTH_LOW] = "low",
                                        [HEARTH_NORMAL] = "normal",
                                        [HEARTH_HIGH] = "high",
                                        [HEARTH_CRITICAL] = "critical"};
    return name_of(names, HEARTH_COUNT(names), priority);
}

const char *hearth_role_name(enum hearth_role role)
{
    static const char *const names[] = {[HEARTH_ROLE_SYSTEM] = "system",
                                        [HEARTH_ROLE_USER] = "user",
                                        [HEARTH_ROLE_ASSISTANT] = "assistant"};
    return name_of(names, HEARTH_COUNT(names), role);
}

const char *hearth_engine_name(enum hearth_engine_kind kind)
{
    static const char *const names[] = {[HEARTH_ENGINE_ECHO] = "echo",
                                        [HEARTH_ENGINE_ONNX] = "onnx",
                                        [HEARTH_ENGINE_GGUF] = "gguf"};
    return name_of(names, HEARTH_COUNT(names), kind);
}

const char *hearth_finish_name(enum hearth_finish_reason reason)
{
    static const char *const names[] = {[HEARTH_FINISH_NONE] = "none",
                                        [HEARTH_FINISH_STOP] = "stop",
                                        [HEARTH_FINISH_MAX_TOKENS] = "max_tokens",
                                        [HEARTH_FINISH_TIMEOUT] = "timeout",
                                        [HEARTH_FINISH_CANCELLED] = "cancelled",
                                        [HEARTH_FINISH_FAILED] = "failed"};
    return name_of(names, HEARTH_COUNT(names), reason);
}

const char *hearth_model_state_name(enum hearth_model_state state)
{
    static const char *const names[] = {
        [HEARTH_MODEL_ABSENT] = "absent", [HEARTH_MODEL_LOADING] = "loading",
        [HEARTH_MODEL_READY] = "ready",   [HEARTH_MODEL_DRAINING] = "draining",
        [HEARTH_MODEL_FAILED] = "failed", [HEARTH_MODEL_RESTARTING] = "restarting"};
    return name_of(names, HEARTH_COUNT(names), state);
}
