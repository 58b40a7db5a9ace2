/* manifest.h — what a manifest.json says, checked field by field. See models/README.md for the
 * format. The files that it names are not looked at here: the spawner opens them.               */

#ifndef HEARTH_MANIFEST_H
#define HEARTH_MANIFEST_H

#include "hearth_base.h"
#include "hearth_wire.h"

#define HEARTH_MAX_MANIFEST_BYTES  (256u << 10)
#define HEARTH_MAX_FILE_NAME_BYTES 255u

struct hearth_manifest_file {
    enum hearth_file_role role;
    const char *path; /* a plain file name beside the manifest */
    char sha256[HEARTH_SHA256_HEX_BYTES + 1];
    uint64_t size_bytes;
};

struct hearth_manifest_option {
    const char *key;
    const char *value; /* numbers and truths as text */
};

/* What weights in int8 must reach to be served under the name of those they were made of. */
#define HEARTH_AGREEMENT_MEAN_COSINE 0.999
#define HEARTH_AGREEMENT_MIN_COSINE  0.99
#define HEARTH_AGREEMENT_LABELS      0.99

enum hearth_precision {
    HEARTH_PRECISION_UNTOLD, /* the manifest says nothing: as the file has it */
    HEARTH_PRECISION_FP32,
    HEARTH_PRECISION_FP16,
    HEARTH_PRECISION_INT8
};

/** "fp32", "fp16", "int8", or "" for untold. */
const char *hearth_precision_name(enum hearth_precision precision);

/** How far answers agree with those of the model that this one was made of; measured once. */
struct hearth_agreement {
    double mean_cosine; /* over all texts, of the vectors or rows of scores */
    double min_cosine;
    double label_agreement; /* share of texts with the same best label; 1 without labels */
    uint32_t texts;         /* that were compared */
    char source_sha256[HEARTH_SHA256_HEX_BYTES + 1]; /* of the file it was made of */
};

/** One checked manifest; all strings live in its arena. Immutable after hearth_manifest_parse(). */
struct hearth_manifest {
    struct hearth_arena arena;
    char model_id[HEARTH_MAX_MODEL_ID_BYTES + 1];
    const char *name;
    const char *version;
    const char *license; /* SPDX name, or "" */
    enum hearth_engine_kind engine;
    enum hearth_task task; /* CLASSIFY, EMBED or GENERATE (which stands for chat too) */
    struct hearth_manifest_file files[HEARTH_MAX_MODEL_FILES];
    uint32_t file_count;
    struct hearth_manifest_option options[HEARTH_MAX_MODEL_OPTIONS];
    uint32_t option_count;
    const char **labels;
    uint32_t label_count;
    enum hearth_precision precision;
    struct hearth_agreement agreement; /* of int8 only; texts is 0 otherwise */
    bool is_default;                   /* an int8 model that took the name of its source */
    uint64_t size_bytes;               /* of all files */
};

/**
 * Reads @json as the manifest of @model_id. On success the caller owns *@ret.
 *
 * HEARTH_E_MODEL_INVALID names the field, what it holds and what it must hold; HEARTH_E_TOO_LARGE
 * over HEARTH_MAX_MANIFEST_BYTES; HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_manifest_parse(struct hearth_slice json, const char *model_id,
                                           struct hearth_manifest **ret, struct hearth_error *err);

/** NULL is fine. */
void hearth_manifest_destroy(struct hearth_manifest *manifest);
HEARTH_DEFINE_CLEANUP(hearth_manifest)

/** The file with @role, or NULL. */
const struct hearth_manifest_file *hearth_manifest_file(const struct hearth_manifest *manifest,
                                                        enum hearth_file_role role);

/** True for 1 to 128 characters of A–Z a–z 0–9 . _ - that do not begin with a dot or a dash, and
 *  in which one @ may stand between a name and a version. */
bool hearth_model_id_is_valid(const char *id);

#endif
