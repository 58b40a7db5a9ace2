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

#include "item.h"
#include "plan.h"

struct hearth_engine; /* each engine's own */

/* ---- the model ------------------------------------------------------------------------------ */

/** Memory that load() will take, in bytes. */
struct hearth_engine_need {
    uint64_t weights_bytes;
    uint64_t cache_bytes; /* KV of all sequences */
    uint64_t compute_bytes;
    uint64_t tokenizer_bytes;
    uint64_t prefix_bytes; /* of a prefix cache beside the cells, when it is full */
    uint64_t mapped_bytes; /* of the weights: pages of the file, shared by all who map it */
    uint64_t token_bytes;  /* of the cells, that one token takes */
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
    const char *name;                           /* "onnx" */
    const struct hearth_engine_option *options; /* all that it knows */
    bool watches_cores;                         /* wants the plan's runnable_fd */

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

    /** Memory is short: give back soon what is kept for speed alone. From the link thread at any
     *  time; a take that waits returns NULL once after it. NULL: there is nothing such. */
    void (*shed)(struct hearth_engine *engine);

    /** Ends what load() made; called when no work() runs. NULL is fine. */
    void (*unload)(struct hearth_engine *engine);
};

extern const struct hearth_engine_ops hearth_engine_echo;
extern const struct hearth_engine_ops hearth_engine_onnx;
extern const struct hearth_engine_ops hearth_engine_gguf;

#endif
