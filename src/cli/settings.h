/* settings.h — everything that options may set; part of the face. */

#ifndef HEARTH_CLI_SETTINGS_H
#define HEARTH_CLI_SETTINGS_H

#include "hearth_base.h"

#include <hearth/hearth.h>

#define CLI_TOP_DEFAULT UINT64_MAX
#define CLI_STOPS_MAX   8
#define CLI_TENSORS_MAX 16
#define CLI_BIASES_MAX  1024

/** What an option was given that may be given several times. */
struct cli_list {
    const char *values[CLI_TENSORS_MAX];
    size_t count;
};

struct cli_biases {
    hearth_bias values[CLI_BIASES_MAX];
    size_t count;
};

/** Everything that options may set. */
struct cli_settings {
    bool is_help;
    bool is_version;
    bool is_json;
    bool is_stats;
    bool is_similarity;
    bool is_live;
    bool is_ready;
    bool is_full;
    bool is_stream;
    bool is_no_stream;
    bool is_verbose;
    bool is_prometheus;
    bool is_all;
    bool is_ids;
    bool is_pair;
    bool is_normalize;
    bool is_no_normalize;
    bool is_exact;
    bool is_shift;
    bool is_no_cache;
    bool is_shorten;
    bool is_drain;
    bool is_evict;
    bool is_dry_run;
    bool is_keep;
    bool is_remove;
    const char *socket;
    const char *token_file;
    const char *token_ids;
    const char *check;
    const char *output;
    const char *format;
    const char *model;
    const char *priority;
    const char *system;
    const char *message;
    const char *models_folder;
    const char *preload;
    const char *config;
    const char *log;
    const char *type;
    const char *output_dir;
    const char *prompt;
    const char *json_schema;
    const char *grammar;
    const char *tools;
    const char *tool_choice;
    struct cli_list stops;
    struct cli_list inputs;
    struct cli_list wanted;
    struct cli_biases biases;
    double timeout_secs;
    double temperature;
    double top_p;
    double min_p;
    double repetition_penalty;
    double typical_p;
    double frequency_penalty;
    double presence_penalty;
    uint64_t max_tokens;
    uint64_t top_k;
    uint64_t seed;
    uint64_t top; /* CLI_TOP_DEFAULT: was not given */
    uint64_t warm_tokens;
    uint64_t dimensions;
    uint64_t answers;
    uint64_t logprobs; /* CLI_TOP_DEFAULT: was not given */
    uint64_t cache_domain;
};

#endif
