/* texts.h — what classify, embed, rerank and entities share: many texts, asked in batches. */

#ifndef HEARTH_CLI_TEXTS_H
#define HEARTH_CLI_TEXTS_H

#include "json.h"

#define CLI_BATCH            ((size_t)32) /* the daemon's limit */
#define CLI_MODEL_NAME_BYTES 129

/** Inputs: texts from arguments, or from standard input: one a line, empty lines skipped; with
 * --pair two, and a tab between; or the ids of --token-ids, which are one. */
struct cli_texts {
    hearth_input *inputs;
    const char **pairs; /* as many, or NULL */
    size_t count;
    struct hearth_buf bytes; /* lines or ids */
};
int cli_texts_read(struct cli_texts *texts, const struct cli_settings *settings, int argc,
                   char **argv, struct hearth_error *err);
/** What to print for an input. */
const char *cli_texts_shown(const struct cli_texts *texts, size_t index);
void cli_texts_finish(struct cli_texts *texts);

struct ranked; /* rerank.c */

struct cli_batch_job {
    const struct cli_settings *settings;
    enum hearth_task task;
    /** Adds to the params; or NULL. */
    int (*on_params)(struct cli_batch_job *job, struct hearth_error *err);
    /** Called for each text in order. */
    int (*on_item)(struct cli_batch_job *job, size_t index, const hearth_item *item,
                   struct hearth_error *err);
    int (*on_end)(struct cli_batch_job *job, struct hearth_error *err); /* or NULL */
    hearth_client *client;
    char model[CLI_MODEL_NAME_BYTES];
    struct cli_texts texts;
    struct cli_json json;
    yyjson_mut_val *results;
    size_t cut_count;             /* texts that had more tokens than the model takes */
    hearth_usage usage;           /* sums over the batches */
    const char *query;            /* rerank */
    struct ranked *ranked;        /* rerank: one a text */
    hearth_request_params params; /* what the command wants beside the usual */
    float *vectors;               /* embed --similarity */
    float *unpacked;              /* embed --type: the last vector */
    size_t dimensions;
    struct cli_vectors *file; /* embed --output */
};

/** Reads the texts, asks, prints. Returns the exit code. */
int cli_batch_run(struct cli_batch_job *job, int argc, char **argv);

#endif
