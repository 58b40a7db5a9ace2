/* names.c — the words for the numbers of the protocol. A number from a newer peer is "unknown". */

#include "wire_priv.h"

const char *const hearth_wire_task_words[] = {[HEARTH_TASK_CLASSIFY] = "classify",
                                              [HEARTH_TASK_EMBED] = "embed",
                                              [HEARTH_TASK_GENERATE] = "generate",
                                              [HEARTH_TASK_CHAT] = "chat",
                                              [HEARTH_TASK_RERANK] = "rerank",
                                              [HEARTH_TASK_ENTITIES] = "entities",
                                              [HEARTH_TASK_TENSORS] = "tensors",
                                              [HEARTH_TASK_CHOICE] = "choice",
                                              NULL};
const char *const hearth_wire_priority_words[] = {[HEARTH_LOW] = "low",
                                                  [HEARTH_NORMAL] = "normal",
                                                  [HEARTH_HIGH] = "high",
                                                  [HEARTH_CRITICAL] = "critical",
                                                  NULL};
const char *const hearth_wire_role_words[] = {[HEARTH_ROLE_SYSTEM] = "system",
                                              [HEARTH_ROLE_USER] = "user",
                                              [HEARTH_ROLE_ASSISTANT] = "assistant",
                                              [HEARTH_ROLE_TOOL] = "tool",
                                              NULL};
const char *const hearth_wire_engine_words[] = {[HEARTH_ENGINE_ECHO] = "echo",
                                                [HEARTH_ENGINE_ONNX] = "onnx",
                                                [HEARTH_ENGINE_GGUF] = "gguf",
                                                NULL};
const char *const hearth_wire_finish_words[] = {[HEARTH_FINISH_NONE] = "none",
                                                [HEARTH_FINISH_STOP] = "stop",
                                                [HEARTH_FINISH_MAX_TOKENS] = "max_tokens",
                                                [HEARTH_FINISH_TIMEOUT] = "timeout",
                                                [HEARTH_FINISH_CANCELLED] = "cancelled",
                                                [HEARTH_FINISH_FAILED] = "failed",
                                                [HEARTH_FINISH_TOOL_CALLS] = "tool_calls",
                                                [HEARTH_FINISH_CONTEXT_FULL] = "context_full",
                                                NULL};
const char *const hearth_wire_state_words[] = {[HEARTH_MODEL_ABSENT] = "absent",
                                               [HEARTH_MODEL_LOADING] = "loading",
                                               [HEARTH_MODEL_READY] = "ready",
                                               [HEARTH_MODEL_DRAINING] = "draining",
                                               [HEARTH_MODEL_FAILED] = "failed",
                                               [HEARTH_MODEL_RESTARTING] = "restarting",
                                               NULL};

const char *const hearth_wire_vector_words[] = {[HEARTH_VECTOR_FLOAT32] = "float32",
                                                [HEARTH_VECTOR_FLOAT16] = "float16",
                                                [HEARTH_VECTOR_INT8] = "int8",
                                                NULL};
const char *const hearth_wire_tensor_words[] = {[0] = "undefined",
                                                [HEARTH_TENSOR_FLOAT32] = "float32",
                                                [HEARTH_TENSOR_UINT8] = "uint8",
                                                [HEARTH_TENSOR_INT8] = "int8",
                                                [HEARTH_TENSOR_UINT16] = "uint16",
                                                [HEARTH_TENSOR_INT16] = "int16",
                                                [HEARTH_TENSOR_INT32] = "int32",
                                                [HEARTH_TENSOR_INT64] = "int64",
                                                [8] = "string",
                                                [HEARTH_TENSOR_BOOL] = "bool",
                                                [HEARTH_TENSOR_FLOAT16] = "float16",
                                                [HEARTH_TENSOR_FLOAT64] = "float64",
                                                [HEARTH_TENSOR_UINT32] = "uint32",
                                                [HEARTH_TENSOR_UINT64] = "uint64",
                                                NULL};

static const char *const cache_words[] = {[HEARTH_CACHE_NOT_TOLD] = "not_told",
                                          [HEARTH_CACHE_USED] = "used",
                                          [HEARTH_CACHE_OFF] = "off",
                                          [HEARTH_CACHE_NOT_CACHEABLE] = "not_cacheable",
                                          NULL};

const char *hearth_wire_word(const char *const *words, uint64_t number)
{
    for (uint64_t i = 0; words[i] != NULL; i++) {
        if (i == number) {
            return words[i];
        }
    }
    return NULL;
}

static const char *name_of(const char *const *words, unsigned number)
{
    const char *word = hearth_wire_word(words, number);
    return word != NULL ? word : "unknown";
}

const char *hearth_task_name(enum hearth_task task)
{
    return name_of(hearth_wire_task_words, task);
}

const char *hearth_priority_name(enum hearth_priority priority)
{
    return name_of(hearth_wire_priority_words, priority);
}

const char *hearth_role_name(enum hearth_role role)
{
    return name_of(hearth_wire_role_words, role);
}

const char *hearth_engine_name(enum hearth_engine_kind kind)
{
    return name_of(hearth_wire_engine_words, kind);
}

const char *hearth_finish_name(enum hearth_finish_reason reason)
{
    return name_of(hearth_wire_finish_words, reason);
}

const char *hearth_cache_name(enum hearth_cache_state state)
{
    return name_of(cache_words, state);
}

const char *hearth_model_state_name(enum hearth_model_state state)
{
    return name_of(hearth_wire_state_words, state);
}

const char *hearth_vector_type_name(enum hearth_vector_type type)
{
    return name_of(hearth_wire_vector_words, type);
}

const char *hearth_tensor_type_name(enum hearth_tensor_type type)
{
    return name_of(hearth_wire_tensor_words, type);
}
