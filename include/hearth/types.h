/* types.h — the words that programs and daemon share. Values travel on the wire: append only. */

#ifndef HEARTH_TYPES_H
#define HEARTH_TYPES_H

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_API __attribute__((visibility("default")))

enum hearth_task {
    HEARTH_TASK_CLASSIFY,
    HEARTH_TASK_EMBED,
    HEARTH_TASK_GENERATE,
    HEARTH_TASK_CHAT,
    HEARTH_TASK_RERANK,   /* texts against one query */
    HEARTH_TASK_ENTITIES, /* named stretches of a text */
    HEARTH_TASK_TENSORS,  /* named inputs and outputs as they are */
    HEARTH_TASK_CHOICE    /* one of some texts, with probabilities, by a model that generates */
};

/* How the numbers of an embedding come. */
enum hearth_vector_type { HEARTH_VECTOR_FLOAT32, HEARTH_VECTOR_FLOAT16, HEARTH_VECTOR_INT8 };

/* Whether embeddings have length 1. */
enum hearth_normalize { HEARTH_NORMALIZE_DEFAULT, HEARTH_NORMALIZE_YES, HEARTH_NORMALIZE_NO };

/* Element types of tensors, with ONNX's numbers. */
enum hearth_tensor_type {
    HEARTH_TENSOR_FLOAT32 = 1,
    HEARTH_TENSOR_UINT8 = 2,
    HEARTH_TENSOR_INT8 = 3,
    HEARTH_TENSOR_UINT16 = 4,
    HEARTH_TENSOR_INT16 = 5,
    HEARTH_TENSOR_INT32 = 6,
    HEARTH_TENSOR_INT64 = 7,
    HEARTH_TENSOR_BOOL = 9,
    HEARTH_TENSOR_FLOAT16 = 10,
    HEARTH_TENSOR_FLOAT64 = 11,
    HEARTH_TENSOR_UINT32 = 12,
    HEARTH_TENSOR_UINT64 = 13
};

enum hearth_priority { HEARTH_LOW, HEARTH_NORMAL, HEARTH_HIGH, HEARTH_CRITICAL };

enum hearth_role {
    HEARTH_ROLE_SYSTEM,
    HEARTH_ROLE_USER,
    HEARTH_ROLE_ASSISTANT,
    HEARTH_ROLE_TOOL /* what a tool that the assistant called has answered */
};

enum hearth_engine_kind { HEARTH_ENGINE_ECHO, HEARTH_ENGINE_ONNX, HEARTH_ENGINE_GGUF };

enum hearth_finish_reason {
    HEARTH_FINISH_NONE,
    HEARTH_FINISH_STOP,
    HEARTH_FINISH_MAX_TOKENS,
    HEARTH_FINISH_TIMEOUT,
    HEARTH_FINISH_CANCELLED,
    HEARTH_FINISH_FAILED,
    HEARTH_FINISH_TOOL_CALLS,  /* the assistant calls tools and waits for what they say */
    HEARTH_FINISH_CONTEXT_FULL /* prompt and answer together fill the context */
};

/* What a generated text must follow. */
enum hearth_grammar_type { HEARTH_GRAMMAR_NONE, HEARTH_GRAMMAR_JSON_SCHEMA, HEARTH_GRAMMAR_GBNF };

/* Whether a chat may call its tools. */
enum hearth_tool_choice { HEARTH_TOOLS_AUTO, HEARTH_TOOLS_NONE, HEARTH_TOOLS_REQUIRED };

/* Whether tokens of a prompt can be taken from, and left in, the prefix cache. */
enum hearth_cache_state {
    HEARTH_CACHE_NOT_TOLD, /* no model that generates */
    HEARTH_CACHE_USED,
    HEARTH_CACHE_OFF,          /* by the request, or by the model's options */
    HEARTH_CACHE_NOT_CACHEABLE /* a model of this architecture cannot give a prefix back */
};

enum hearth_model_state {
    HEARTH_MODEL_ABSENT,
    HEARTH_MODEL_LOADING,
    HEARTH_MODEL_READY,
    HEARTH_MODEL_DRAINING,
    HEARTH_MODEL_FAILED,
    HEARTH_MODEL_RESTARTING
};

enum hearth_check_type { HEARTH_CHECK_LIVENESS, HEARTH_CHECK_READINESS, HEARTH_CHECK_FULL };

/* Words for people and for JSON: "classify", "normal", "onnx", "ready", "stop" … A value that this
 * release does not know is "unknown". The strings are constants; any thread. */
HEARTH_API const char *hearth_task_name(enum hearth_task task);
HEARTH_API const char *hearth_priority_name(enum hearth_priority priority);
HEARTH_API const char *hearth_role_name(enum hearth_role role);
HEARTH_API const char *hearth_engine_name(enum hearth_engine_kind kind);
HEARTH_API const char *hearth_finish_name(enum hearth_finish_reason reason);
HEARTH_API const char *hearth_cache_name(enum hearth_cache_state state); /* "used" */
HEARTH_API const char *hearth_model_state_name(enum hearth_model_state state);
HEARTH_API const char *hearth_vector_type_name(enum hearth_vector_type type); /* "float16" */
HEARTH_API const char *hearth_tensor_type_name(enum hearth_tensor_type type); /* "int64" */

/* Facts of an error code. A code that this release does not know is described as "internal". */
HEARTH_API const char *hearth_error_name(int code);     /* "no_model" */
HEARTH_API const char *hearth_error_sentence(int code); /* "no such model" */
HEARTH_API const char *hearth_error_remedy(int code);   /* what to do about it */

#ifdef __cplusplus
}
#endif

#endif
