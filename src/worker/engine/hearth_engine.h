/* hearth_engine.h — what a worker asks of an inference library, and how an engine takes its work.
 *
 * An engine is a const table of functions (echo, onnx, gguf). It pulls *items* from the *inbox*; it
 * is never pushed, so the decision what runs next stays open until the last moment.
 *
 * Words: a *job* is one request as the worker holds it; an *item* is one input of a job (one text
 * of a batch; a prompt or a chat is the one item of its job) and the unit of work; the *sink* takes
 * what an engine produced. *Width* is how many run threads may hold items at a time.
 *
 * Threads: preload, inspect and load run on the main thread before any other exists (load may
 * create the library's own threads); work() runs on 1..run_threads threads at once; interrupt(),
 * set_threads(), is_cheap() and answer() come from the link thread at any time. Everything about
 * inbox, item and sink below is safe from any of them. */

#ifndef HEARTH_ENGINE_H
#define HEARTH_ENGINE_H

#include "hearth_base.h"
#include "hearth_wire.h"

struct hearth_engine; /* each engine's own */
struct hearth_inbox;
struct hearth_item;
struct hearth_job;

/* ---- the model ----------------------------------------------------------------------------- */

/** One file of the model, opened by the spawner; @fd stays open for the life of the worker. */
struct hearth_engine_file {
    enum hearth_file_role role;
    int fd;
    uint64_t size_bytes;
    char path[256]; /* relative to the model's folder, as the manifest spells it */
};

/** What the worker was told; lives as long as the worker. */
struct hearth_engine_plan {
    char model_id[HEARTH_MAX_MODEL_ID_BYTES + 1];
    enum hearth_task task;              /* GENERATE stands for chat too */
    char folder[HEARTH_MAX_PATH_BYTES]; /* absolute */
    struct hearth_engine_file files[HEARTH_MAX_MODEL_FILES];
    size_t file_count;
    const char *labels[HEARTH_MAX_LABELS];
    size_t label_count;
    struct {
        char key[HEARTH_MAX_NAME_BYTES + 1];
        char value[HEARTH_MAX_ERROR_BYTES + 1];
    } options[HEARTH_MAX_MODEL_OPTIONS];
    size_t option_count;
    unsigned threads; /* compute threads, at least 1 */
    int nice;         /* of compute threads */
};

/** Returns the file with @role, or NULL. */
const struct hearth_engine_file *hearth_plan_file(const struct hearth_engine_plan *plan,
                                                  enum hearth_file_role role);

/**
 * Reads option @key as a whole number in @least..@most; @ret keeps its value if the key is absent.
 * HEARTH_E_CONFIG names key, value and range. The string form returns NULL if absent.
 */
HEARTH_NODISCARD int hearth_plan_number(const struct hearth_engine_plan *plan, const char *key,
                                        uint64_t least, uint64_t most, uint64_t *ret,
                                        struct hearth_error *err);
HEARTH_NODISCARD int hearth_plan_bool(const struct hearth_engine_plan *plan, const char *key,
                                      bool *ret, struct hearth_error *err); /* true|false */
const char *hearth_plan_string(const struct hearth_engine_plan *plan, const char *key);

/**
 * Refuses an option that is in the plan and not among @known (ends with NULL): a misspelt key must
 * not be a silent default. HEARTH_E_CONFIG names the key and what the engine knows.
 */
HEARTH_NODISCARD int hearth_plan_check_options(const struct hearth_engine_plan *plan,
                                               const char *const *known, struct hearth_error *err);

/** Memory that load() will take, in bytes. */
struct hearth_engine_need {
    uint64_t weights_bytes;
    uint64_t cache_bytes; /* KV of all sequences */
    uint64_t compute_bytes;
    uint64_t tokenizer_bytes;
};

/** One named input or output of a loaded model. Strings live as long as the engine. */
struct hearth_engine_port {
    const char *name;
    enum hearth_tensor_type type;
    uint32_t shape[HEARTH_MAX_TENSOR_RANK]; /* UINT32_MAX: any size */
    uint32_t rank;
};

/** Something that a person may want to know: "pooling", "mean". */
struct hearth_engine_fact {
    char key[HEARTH_MAX_NAME_BYTES + 1];
    char value[HEARTH_MAX_NAME_BYTES + 1];
};

/** What a loaded model is. */
struct hearth_engine_facts {
    uint32_t capacity;       /* items that it takes at a time; the broker's credit */
    uint32_t context_tokens; /* most tokens of one item, answer included */
    uint32_t dimensions;     /* of an embedding, else 0 */
    uint32_t run_threads;    /* threads that shall call work(), at least 1 */
    bool is_longest_first;   /* order inside a priority: longest item first, else arrival */
    const struct hearth_engine_port *inputs; /* lent; at most HEARTH_MAX_TENSORS */
    uint32_t input_count;
    const struct hearth_engine_port *outputs;
    uint32_t output_count;
    const struct hearth_engine_fact *told; /* lent; at most HEARTH_MAX_MODEL_FACTS */
    uint32_t told_count;
};

/* ---- the table ----------------------------------------------------------------------------- */

struct hearth_engine_ops {
    const char *name;           /* "onnx" */
    const char *const *options; /* keys of load options that it knows, ended by NULL */

    /** Opens the library and probes the CPU, before the door closes: no thread, no model byte.
     *  HEARTH_E_NO_ENGINE says what is missing. Sets the version of the library for worker_hello.
     */
    int (*preload)(const struct hearth_engine_plan *plan, const char **ret_version,
                   struct hearth_error *err);

    /** Pre-checks the files strictly and estimates. HEARTH_E_MODEL_INVALID, HEARTH_E_UNSUPPORTED.
     */
    int (*inspect)(const struct hearth_engine_plan *plan, struct hearth_engine_need *ret,
                   struct hearth_error *err);

    /** Creates the library's environment and loads. Errors as inspect(), HEARTH_E_NO_MEMORY. */
    int (*load)(const struct hearth_engine_plan *plan, struct hearth_engine **ret,
                struct hearth_engine_facts *ret_facts, struct hearth_error *err);

    /** Takes items until hearth_inbox_take() says that the inbox is closed; blocks meanwhile. */
    void (*work)(struct hearth_engine *engine, struct hearth_inbox *inbox);

    /** True if @request takes microseconds and waits for nothing: while the engine is idle, the
     * link thread then calls answer() itself, which saves two changes of threads. NULL: never. */
    bool (*is_cheap)(const struct hearth_engine *engine,
                     const struct hearth_wire_inference_request *request);

    /** Ends @item as work() would; only after is_cheap(). */
    void (*answer)(struct hearth_engine *engine, struct hearth_item *item);

    /** A job was cancelled or has expired: end its runs soon. May be NULL if work() polls. */
    void (*interrupt)(struct hearth_engine *engine, const struct hearth_job *job);

    /** Compute threads from the next step or run on. May be NULL: then width alone is set. */
    void (*set_threads)(struct hearth_engine *engine, unsigned threads);

    /** Ends what load() made; called when no work() runs. NULL is fine. */
    void (*unload)(struct hearth_engine *engine);
};

extern const struct hearth_engine_ops hearth_engine_echo;
extern const struct hearth_engine_ops hearth_engine_onnx;
extern const struct hearth_engine_ops hearth_engine_gguf;

/* ---- work ---------------------------------------------------------------------------------- */

/** One input. Engines read it and may use the last three fields; they own it until they finish it.
 */
struct hearth_item {
    struct hearth_job *job;
    uint32_t index;           /* in the request */
    struct hearth_slice text; /* valid UTF-8, lent by the job; empty for a chat (see job messages),
                                 for tokens and for tensors; the query of a rerank request */
    struct hearth_slice pair; /* second text of a pair, or empty; the text of a rerank request */
    struct hearth_wire_u32s
        tokens; /* ids instead of text, lent; as the client gave them: nothing is put around them */
    void *engine_data;       /* the engine's own, NULL at first */
    struct hearth_list link; /* the engine's own while it holds the item */
};

/** The request behind an item, decoded; slices live as long as the job. Read only. */
const struct hearth_wire_inference_request *hearth_job_request(const struct hearth_job *job);

/**
 * The memfd that holds the data of tensor @index of the request, mapped read-only for the life of
 * the job: @size bytes as the tensor promises. NULL slice if its data is inline. The memfd is
 * sealed (no shrink, grow or write), which was checked before.
 */
struct hearth_slice hearth_job_memfd(const struct hearth_job *job, uint32_t index);

/** Takes the next item by priority, then by the engine's order. With @may_wait, blocks until there
 *  is one and returns NULL only when the inbox is closed; without, NULL means none now. */
struct hearth_item *hearth_inbox_take(struct hearth_inbox *inbox, bool may_wait);

/** True once the inbox is closed: hand back what you hold with hearth_item_fail() and return. */
bool hearth_inbox_is_closed(const struct hearth_inbox *inbox);

/** 0, or why this item must end now: HEARTH_E_CANCELLED or HEARTH_E_EXPIRED. Cheap; poll it at each
 *  step. Pass the code to hearth_item_fail(). */
int hearth_item_must_end(const struct hearth_item *item);

/** Tells that the worker makes progress (a step or a run has ended); feeds the liveness counter. */
void hearth_inbox_progress(struct hearth_inbox *inbox);

/* ---- results (the sink): all copy what they are given and never block on the broker ---------- */

/** Notes the id of a generated token, which the next piece stands for. Kept only if the request
 *  asks for ids, so it may be called for every token. */
void hearth_item_token(struct hearth_item *item, uint32_t id);

/** A piece of generated text: valid UTF-8, whole characters, may be empty; stands for @tokens. */
void hearth_item_piece(struct hearth_item *item, struct hearth_slice text, uint32_t tokens);

/** One output of a tensors request. The sink copies @data, or takes it over if it is a memfd. */
struct hearth_engine_tensor {
    const char *name;
    enum hearth_tensor_type type;
    uint32_t shape[HEARTH_MAX_TENSOR_RANK];
    uint32_t rank;
    struct hearth_slice data;
};

/** What the item ends with. Fields of other tasks stay zero. */
struct hearth_item_result {
    uint32_t prompt_tokens; /* tokens of the input, special ones included */
    bool is_truncated;
    enum hearth_finish_reason finish; /* generation: STOP or MAX_TOKENS; else NONE */
    const float *vector;              /* embedding: @dimensions floats, or NULL */
    uint32_t dimensions;
    const float *scores; /* classification: one score a label of the plan, or NULL */
    const void *packed;  /* embedding, if the request's vector_type says so, instead of vector */
    size_t packed_bytes;
    float scale;                               /* int8 */
    float score;                               /* rerank */
    const struct hearth_wire_entity *entities; /* labels are those of the plan, without B- and I- */
    uint32_t entity_count;
    const struct hearth_engine_tensor *tensors;
    uint32_t tensor_count;
};

/** Ends the item with its result; the item is gone after this. */
void hearth_item_finish(struct hearth_item *item, const struct hearth_item_result *result);

/** Ends the item with an error (for CANCELLED and EXPIRED pieces so far are kept); it is gone. */
void hearth_item_fail(struct hearth_item *item, int code, const struct hearth_error *err);

#endif
