/* catalogue.h — models/catalogue.json and manifest.json as this program reads and writes them; the
 * formats are in models/README.md. Nothing is opened here. */

#ifndef HEARTH_PULL_CATALOGUE_H
#define HEARTH_PULL_CATALOGUE_H

#include "source.h"

/** One file of a model. */
struct pull_file {
    char role[16];  /* model, weights, tokenizer or config */
    char path[256]; /* its name beside the manifest */
    struct pull_source source;
    char sha256[PULL_SHA256_BYTES + 1]; /* "": not known before it comes */
    uint64_t size_bytes;                /* 0: the same */
};

struct pull_model {
    char name[PULL_MAX_NAME_BYTES + 1];
    struct pull_file files[PULL_MAX_FILES];
    uint32_t file_count;
    uint64_t size_bytes;        /* of all files */
    struct hearth_buf manifest; /* its manifest.json; empty if that is still to be written */
};

void pull_model_init(struct pull_model *model);
void pull_model_finish(struct pull_model *model);

struct pull_catalogue;

/** Reads a catalogue; @json is copied. The caller owns *@ret. HEARTH_E_MALFORMED, _TOO_LARGE. */
int pull_catalogue_open(struct hearth_slice json, struct pull_catalogue **ret,
                        struct pull_problem *problem);
void pull_catalogue_close(struct pull_catalogue *catalogue);

/** How many models it holds. */
size_t pull_catalogue_count(const struct pull_catalogue *catalogue);

/** One line of a listing; texts live as long as the catalogue and are "" where they are missing. */
struct pull_entry {
    const char *name;
    const char *description;
    bool is_fetched; /* from a hub; others are made by scripts/setup.sh */
    uint64_t size_bytes;
};
void pull_catalogue_entry(const struct pull_catalogue *catalogue, size_t index,
                          struct pull_entry *ret);

/**
 * Fills @ret (initialised) with the model @name and its manifest. HEARTH_E_NO_MODEL if it is not
 * there, HEARTH_E_UNSUPPORTED if it does not come from a hub, HEARTH_E_MALFORMED,
 * HEARTH_E_NO_MEMORY.
 */
int pull_catalogue_find(const struct pull_catalogue *catalogue, const char *name,
                        struct pull_model *ret, struct pull_problem *problem);

/** Writes the manifest of a generator that is one .gguf file, with where it came from. */
int pull_manifest_of_gguf(struct pull_model *model, const char *licence, const char *commit,
                          struct pull_problem *problem);

/** Reads the files that a manifest.json names into @ret (initialised); nothing else of it. */
int pull_manifest_read(struct hearth_slice json, struct pull_model *ret,
                       struct pull_problem *problem);

#endif
