/* hearth_inspect.h — is this model file sound enough to be given to a library?
 *
 * GGUF and ONNX headers are walked once with every length, count, offset and nesting checked
 * against the file and a named limit, and with the values that are known to end the library's
 * process refused by name. Not here: opening or mapping files, and whether the weights are any
 * good.
 *
 * Pure: no descriptor, no clock, one thread a call; nothing is kept after it. The file must not
 * change meanwhile. All errors are HEARTH_E_MODEL_INVALID, HEARTH_E_UNSUPPORTED or
 * HEARTH_E_NO_MEMORY, and name the key, tensor or field with the numbers that were wrong. */

#ifndef HEARTH_INSPECT_H
#define HEARTH_INSPECT_H

#include "hearth_base.h"

/* ---- limits -------------------------------------------------------------------------------- */

#define HEARTH_GGUF_MAX_KEYS         1024u
#define HEARTH_GGUF_MAX_KEY_BYTES    256u
#define HEARTH_GGUF_MAX_STRING_BYTES (1u << 20) /* of one value, such as a chat template */
#define HEARTH_GGUF_MAX_TOKEN_BYTES  4096u      /* of one element of an array of strings */
#define HEARTH_GGUF_MAX_ARRAY        (4u << 20) /* elements */
#define HEARTH_GGUF_MAX_TENSORS      65536u
#define HEARTH_GGUF_MAX_TENSOR_NAME  63u /* llama.cpp keeps 64 with the terminator */
#define HEARTH_GGUF_MAX_DIMENSIONS   4u
#define HEARTH_GGUF_MAX_ALIGNMENT    65536u
#define HEARTH_GGUF_MAX_BLOCKS       512u
#define HEARTH_GGUF_MAX_CONTEXT      (16u << 20)
#define HEARTH_GGUF_MAX_EMBEDDING    (1u << 17)
#define HEARTH_GGUF_MAX_FEED_FORWARD (1u << 20)
#define HEARTH_GGUF_MAX_HEADS        1024u
#define HEARTH_GGUF_MAX_EXPERTS      512u
#define HEARTH_GGUF_MAX_VOCABULARY   (1u << 20)
#define HEARTH_GGUF_MAX_TOKEN_TYPES  256u /* kinds of segments that an encoder tells apart */

#define HEARTH_POOLING_MAX_BYTES      (1u << 20)
#define HEARTH_POOLING_MAX_DIMENSIONS 65536u

#define HEARTH_ONNX_MAX_MODEL_BYTES  (2u << 30) /* protobuf's own limit */
#define HEARTH_ONNX_MAX_DEPTH        32u        /* messages inside messages */
#define HEARTH_ONNX_MAX_FIELDS       (4u << 20) /* in the whole file */
#define HEARTH_ONNX_MAX_NODES        65536u     /* subgraphs and calls of functions included */
#define HEARTH_ONNX_MAX_INITIALIZERS 65536u
#define HEARTH_ONNX_MAX_FUNCTIONS    1024u
#define HEARTH_ONNX_MAX_CALLS        32u /* functions inside functions */
#define HEARTH_ONNX_MAX_NAME_BYTES   1024u
#define HEARTH_ONNX_MAX_DIMENSIONS   16u
#define HEARTH_ONNX_MAX_PORTS        16u  /* inputs, and outputs, of the graph */
#define HEARTH_ONNX_PORT_NAME_BYTES  129u /* with the terminator */
#define HEARTH_ONNX_MIN_OPSET        7u
#define HEARTH_ONNX_MAX_OPSET        28u /* read by ONNX Runtime 1.32 */
#define HEARTH_ONNX_MAX_ML_OPSET     5u  /* of ai.onnx.ml */
#define HEARTH_ONNX_MIN_IR_VERSION   4u  /* older ones list weights among the inputs */
#define HEARTH_ONNX_MAX_IR_VERSION   14u

/* ---- GGUF ---------------------------------------------------------------------------------- */

/* <architecture>.pooling_type: numbers of the format. */
#define HEARTH_GGUF_POOLING_NONE   0u
#define HEARTH_GGUF_POOLING_MEAN   1u
#define HEARTH_GGUF_POOLING_CLS    2u
#define HEARTH_GGUF_POOLING_LAST   3u
#define HEARTH_GGUF_POOLING_RANK   4u
#define HEARTH_GGUF_POOLING_UNTOLD UINT32_MAX

/** What a sound GGUF file says about its model. */
struct hearth_gguf_facts {
    uint32_t version;
    uint32_t alignment;
    char architecture[64];
    uint32_t block_count;
    uint32_t context_length; /* that it was trained for */
    uint32_t embedding_length;
    uint32_t feed_forward_length; /* the largest of all blocks; 0 if the file does not say */
    uint32_t head_count;          /* the largest of all blocks */
    uint32_t head_count_kv;
    uint32_t key_length; /* of one head */
    uint32_t value_length;
    uint64_t kv_values_per_token; /* keys and values of all blocks */
    uint32_t file_type;           /* general.file_type, UINT32_MAX if absent */
    bool is_encoder;              /* reads both ways and writes nothing: for embeddings alone */
    bool has_window; /* blocks that look back over a window only: prefixes are not shared */
    uint32_t expert_count;
    uint32_t pooling; /* HEARTH_GGUF_POOLING_…, or HEARTH_GGUF_POOLING_UNTOLD */
    uint32_t vocabulary_size;
    uint64_t vocabulary_bytes; /* texts of tokens and merges */
    uint32_t tensor_count;
    uint64_t tensor_bytes; /* padding included */
    uint64_t data_offset;  /* where they start in the file */
    bool has_chat_template;
};

/** Checks a whole GGUF file (version 2 or 3, little-endian, unsplit). *@ret is set on success. */
HEARTH_NODISCARD int hearth_gguf_inspect(struct hearth_slice file, struct hearth_gguf_facts *ret,
                                         struct hearth_error *err);

/** How tensor type @type is packed: @ret_values values take @ret_bytes. False: no such type. */
bool hearth_gguf_type_size(uint32_t type, uint32_t *ret_values, uint32_t *ret_bytes);

/** Bytes of the key-value cache for one token when each value is kept in @type (1: F16). */
uint64_t hearth_gguf_kv_bytes_per_token(const struct hearth_gguf_facts *facts, uint32_t type);

/* ---- ONNX ---------------------------------------------------------------------------------- */

/** A file beside the model that its external data may lie in. */
struct hearth_onnx_file {
    const char *name; /* a plain file name */
    uint64_t size_bytes;
};

#define HEARTH_ONNX_OPEN INT64_C(-1) /* size of a dimension that the file leaves open */

/** An input or output as the file declares it. */
struct hearth_onnx_port {
    char name[HEARTH_ONNX_PORT_NAME_BYTES];
    uint32_t type;  /* of its elements, ONNX's number; 0: no tensor, or not told */
    bool has_shape; /* false: even the rank is open */
    uint32_t rank;
    int64_t shape[HEARTH_ONNX_MAX_DIMENSIONS]; /* or HEARTH_ONNX_OPEN */
};

/** What a sound ONNX file says about its model. */
struct hearth_onnx_facts {
    uint32_t ir_version;
    uint32_t opset;        /* of the default domain */
    char producer[64];     /* name and version of the program that wrote it, printable; may be "" */
    uint32_t weights_type; /* that most bytes of weights have, ONNX's number; 0: no weights */
    uint32_t node_count;
    uint32_t
        subgraph_count; /* bodies of If, Loop and Scan: how long a run takes, data may decide */
    uint32_t initializer_count;
    uint64_t inline_bytes;   /* tensor data in the file itself */
    uint64_t external_bytes; /* in the files beside it */
    uint32_t external_count; /* tensors there */
    uint32_t input_count;
    uint32_t output_count;
    struct hearth_onnx_port inputs[HEARTH_ONNX_MAX_PORTS];
    struct hearth_onnx_port outputs[HEARTH_ONNX_MAX_PORTS];
};

/**
 * Checks a whole ModelProto. External data must lie in one of @files (may be NULL if @file_count is
 * 0), by plain name, inside its size. Operators are those of the domains "", "ai.onnx",
 * "ai.onnx.ml" and "com.microsoft", and functions that the file defines itself. *@ret is set on
 * success.
 */
HEARTH_NODISCARD int hearth_onnx_inspect(struct hearth_slice model,
                                         const struct hearth_onnx_file *files, size_t file_count,
                                         struct hearth_onnx_facts *ret, struct hearth_error *err);

/** One initializer of the main graph and where its data lies. Lent for the visit. */
struct hearth_onnx_weight {
    struct hearth_slice name; /* inside the model's bytes */
    uint32_t type;            /* TensorProto.DataType */
    uint32_t rank;
    int64_t shape[HEARTH_ONNX_MAX_DIMENSIONS];
    uint64_t size_bytes;
    const uint8_t *inline_data;          /* raw bytes in the model, of any alignment, or NULL */
    const struct hearth_onnx_file *file; /* one of @files, or NULL */
    uint64_t offset;                     /* in it */
};

/**
 * Checks as hearth_onnx_inspect() does and calls @visit for each initializer in turn; not for
 * sparse ones and texts, nor those whose data is inline in typed fields. A visit that returns less
 * than 0 ends the walk with that code.
 */
HEARTH_NODISCARD int hearth_onnx_each_weight(
    struct hearth_slice model, const struct hearth_onnx_file *files, size_t file_count,
    int (*visit)(void *arg, const struct hearth_onnx_weight *weight), void *arg,
    struct hearth_error *err);

/* ---- pooling -------------------------------------------------------------------------------- */

/* How the vectors of tokens become the one of a text. */
enum hearth_pooling {
    HEARTH_POOLING_MEAN,
    HEARTH_POOLING_CLS,
    HEARTH_POOLING_MAX,
    HEARTH_POOLING_LAST
};
#define HEARTH_POOLING_COUNT 4u
extern const char *const hearth_pooling_names[HEARTH_POOLING_COUNT]; /* "mean" … "lasttoken" */

/** What a model's own configuration says. */
struct hearth_pooling_facts {
    bool is_told; /* false: the file is about something else, and the rest is 0 */
    enum hearth_pooling pooling;
    uint32_t dimensions; /* 0: not told */
};

/** Reads pooling_mode_…, pooling_mode and word_embedding_dimension as sentence-transformers writes
 *  them (1_Pooling/config.json). Several modes at once, and others, are refused by name. */
HEARTH_NODISCARD int hearth_pooling_inspect(struct hearth_slice json,
                                            struct hearth_pooling_facts *ret,
                                            struct hearth_error *err);

#endif
