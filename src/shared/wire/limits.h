/* limits.h — every named limit that something from outside meets before it is used. */

#ifndef HEARTH_LIMITS_H
#define HEARTH_LIMITS_H

/* Frames: a little-endian u32 payload length and the payload. */
#define HEARTH_MAX_FRAME_BYTES (16u << 20)
#define HEARTH_MAX_JSON_BYTES  (256u << 10) /* of a V1 frame to the daemon: read at once */
#define HEARTH_JSON_ROOM_BYTES (8u << 20)   /* memory in which any of these can be read */
#define HEARTH_MAX_JSON_ANSWER_BYTES                                                               \
    (512u << 10)                           /* of an answer as V2 counts it: written in one go */
#define HEARTH_MAX_JSON_SPANS         400u /* in one answer; the rest is for the next */
#define HEARTH_MAX_JSON_DEPTH         16u  /* objects and arrays inside each other */
#define HEARTH_MAX_JSON_MEMBERS       128u /* of one object, known or not */
#define HEARTH_MAX_RING_MESSAGE_BYTES (3u << 20) /* 32 texts of 64 KiB and their envelope */

/* Requests. */
#define HEARTH_MAX_TEXT_BYTES       65536u
#define HEARTH_MAX_BATCH            32u
#define HEARTH_MAX_INPUT_TOKENS     262144u /* of all inputs of a request together, given as ids */
#define HEARTH_MAX_CHAT_MESSAGES    256u
#define HEARTH_MAX_STOPS            8u
#define HEARTH_MAX_STOP_BYTES       256u
#define HEARTH_MAX_GENERATED_TOKENS 1048576u
#define HEARTH_MAX_TIMEOUT_MS       (24u * 3600u * 1000u)
#define HEARTH_MAX_WARMUP_TOKENS    64u
#define HEARTH_MAX_ANSWERS          8u    /* to one prompt */
#define HEARTH_MAX_CHOICES          128u  /* to choose from */
#define HEARTH_MAX_BIASES           1024u /* of logits */
#define HEARTH_MAX_TOP_LOGPROBS     20u   /* likeliest tokens of a place */
#define HEARTH_MAX_GRAMMAR_BYTES    65536u
#define HEARTH_MAX_TOOLS_BYTES      65536u /* descriptions of all tools, as JSON */
#define HEARTH_MAX_TOOL_CALLS       32u    /* of one answer */

/* Names and small texts. */
#define HEARTH_MAX_MODEL_ID_BYTES 128u
#define HEARTH_MAX_LABEL_BYTES    128u
#define HEARTH_MAX_LABELS         1024u
#define HEARTH_MAX_NAME_BYTES     64u
#define HEARTH_MAX_TOKEN_BYTES    256u
#define HEARTH_MAX_ERROR_BYTES    256u
#define HEARTH_MAX_PATH_BYTES     4096u
#define HEARTH_SHA256_HEX_BYTES   64u

/* Results. */
#define HEARTH_MAX_VECTOR            65536u /* floats of one embedding */
#define HEARTH_MAX_OUTPUT_BYTES      (8u << 20)
#define HEARTH_MAX_LOGPROBS          65536u /* records in one result */
#define HEARTH_MAX_PIECE_BYTES       1024u  /* text of one token */
#define HEARTH_MAX_FINGERPRINT_BYTES 192u

#define HEARTH_MAX_ENTITIES 2048u /* of one text */

/* Tensors. One that is larger than HEARTH_MAX_TENSOR_BYTES travels as a sealed memfd. */
#define HEARTH_MAX_TENSORS      16u
#define HEARTH_MAX_TENSOR_RANK  8u
#define HEARTH_MAX_TENSOR_BYTES (2u << 20)
#define HEARTH_MAX_MEMFD_BYTES  (UINT64_C(1) << 30)

/* Metrics and lists. */
#define HEARTH_MAX_METRICS          96u   /* of a kind */
#define HEARTH_MAX_SERIES           4096u /* of all families together */
#define HEARTH_MAX_BUCKETS          160u
#define HEARTH_MAX_PROMETHEUS_BYTES (1u << 20)
#define HEARTH_MAX_SPANS            1000u
#define HEARTH_MAX_LISTED_REQUESTS  1024u

/* Models. */
#define HEARTH_MAX_MODELS        64u
#define HEARTH_MAX_MODEL_FILES   8u
#define HEARTH_MAX_MODEL_OPTIONS 32u
#define HEARTH_MAX_MODEL_FACTS   48u
#define HEARTH_MAX_MEMORY_KINDS  16u
#define HEARTH_MAX_ALIASES       64u
#define HEARTH_MAX_GOLDEN        32u /* inputs whose answers tell whether a version is right */

#endif
