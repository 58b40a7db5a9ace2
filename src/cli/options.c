/* options.c — the one table of options. Each row says which commands take it, what it sets and how
 * it is described; getopt_long gets its list from here.                                          */

#include "hearth_cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ANSWERS is a COUNT with a letter, -n. */
enum kind { FLAG, TEXT, STOPS, TENSORS, BIASES, COUNT, ANSWERS, COUNT_OR_NONE, REAL };

struct option_row {
    const char *name;
    enum kind kind;
    int commands;
    size_t offset;
    const char *value;
    const char *help;
};

#define SAMPLES   (CLI_GENERATE | CLI_CHAT)
#define PROMPTS   (SAMPLES | CLI_CHOOSE)
#define READS     (CLI_CLASSIFY | CLI_EMBED | CLI_RERANK | CLI_ENTITIES)
#define ASKS      (READS | CLI_TENSORS | PROMPTS)
#define AT(field) offsetof(struct cli_settings, field)

static const struct option_row rows[] = {
    {"model", TEXT, ASKS, AT(model), "NAME", "model to ask; default: the only ready one"},
    {"model", TEXT, CLI_REQUESTS | CLI_CANCEL, AT(model), "NAME",
     "only the requests of this model"},
    {"token-ids", TEXT, CLI_CLASSIFY | CLI_EMBED | CLI_GENERATE, AT(token_ids), "1,2,3",
     "the input as token ids, given to the model as they are"},
    {"ids", FLAG, SAMPLES, AT(is_ids), NULL, "print the ids of the generated tokens too"},
    {"max-tokens", COUNT, SAMPLES, AT(max_tokens), "N", "most tokens to generate (default 256)"},
    {"temperature", REAL, SAMPLES, AT(temperature), "T",
     "0 to 2; 0 takes the likeliest (default 0.7)"},
    {"top-k", COUNT, SAMPLES, AT(top_k), "K", "only the K likeliest tokens; 0: all (default 40)"},
    {"top-p", REAL, SAMPLES, AT(top_p), "P", "only the likeliest up to a sum of P (default 0.9)"},
    {"min-p", REAL, SAMPLES, AT(min_p), "P",
     "only tokens at least P times the best's chance (default 0)"},
    {"repetition-penalty", REAL, SAMPLES, AT(repetition_penalty), "R",
     "1 to 2; 1: none (default 1.1)"},
    {"frequency-penalty", REAL, SAMPLES, AT(frequency_penalty), "F",
     "-2 to 2, for each time a token was there; 0: none (default)"},
    {"presence-penalty", REAL, SAMPLES, AT(presence_penalty), "F",
     "-2 to 2, for tokens that were there at all; 0: none (default)"},
    {"typical-p", REAL, SAMPLES, AT(typical_p), "P",
     "only the most typical tokens up to a sum of P; 0, 1: all (default)"},
    {"logit-bias", BIASES, SAMPLES, AT(biases), "ID=VALUE",
     "add VALUE, -100 to 100, to a token's logit; -100 forbids it; may be given 1024 times"},
    {"seed", COUNT, SAMPLES, AT(seed), "N",
     "same seed, same text: surely so with --exact (default 42)"},
    {"stop", STOPS, SAMPLES, AT(stops), "TEXT", "end before TEXT; may be given 8 times"},
    {"answers", ANSWERS, SAMPLES, AT(answers), "N",
     "so many answers, 1 to 8, with seed, seed + 1 … (default 1)"},
    {"logprobs", COUNT_OR_NONE, SAMPLES, AT(logprobs), "[=N]",
     "how likely each token was, and the N likeliest (0 to 20) in its place"},
    {"json-schema", TEXT, SAMPLES, AT(json_schema), "FILE", "the answer is JSON of this schema"},
    {"grammar", TEXT, SAMPLES, AT(grammar), "FILE", "the answer follows this grammar, in GBNF"},
    {"tools", TEXT, CLI_CHAT, AT(tools), "FILE", "JSON: tools that the model may call"},
    {"tool-choice", TEXT, CLI_CHAT, AT(tool_choice), "C",
     "auto (default), none or required: whether it calls one"},
    {"exact", FLAG, PROMPTS, AT(is_exact), NULL,
     "the same tokens whatever runs beside it; may take longer"},
    {"shift", FLAG, SAMPLES, AT(is_shift), NULL,
     "a full context forgets its middle; default: it ends the answer"},
    {"no-cache", FLAG, PROMPTS, AT(is_no_cache), NULL,
     "take no prefix from the cache and leave none in it"},
    {"shorten", FLAG, SAMPLES, AT(is_shorten), NULL,
     "a prompt that is too long loses its oldest part; default: it is refused"},
    {"cache-domain", COUNT, PROMPTS, AT(cache_domain), "N",
     "share prefixes only with requests of the same N (default 0)"},
    {"stream", FLAG, SAMPLES, AT(is_stream), NULL,
     "print text as it comes (default without --json)"},
    {"no-stream", FLAG, SAMPLES, AT(is_no_stream), NULL, "print when it is complete"},
    {"prompt", TEXT, CLI_CHOOSE, AT(prompt), "TEXT", "what the choice is to follow"},
    {"system", TEXT, CLI_CHAT | CLI_CHOOSE, AT(system), "TEXT",
     "what the model is told before the chat"},
    {"message", TEXT, CLI_CHAT, AT(message), "TEXT", "ask this one thing and leave"},
    {"message", TEXT, CLI_CHOOSE, AT(message), "TEXT",
     "instead of a prompt: what the choice is to answer, as in a chat"},
    {"top", COUNT, CLI_CLASSIFY, AT(top), "N", "labels to print for each text (default 1)"},
    {"top", COUNT, CLI_RERANK, AT(top), "N", "only the N best texts (default: all)"},
    {"pair", FLAG, CLI_CLASSIFY, AT(is_pair), NULL,
     "texts come in twos: for models that judge one beside another"},
    {"dimensions", COUNT, CLI_EMBED, AT(dimensions), "N",
     "only the first N; for models that were trained for that"},
    {"type", TEXT, CLI_EMBED, AT(type), "T", "float32 (default), float16 or int8"},
    {"normalize", FLAG, CLI_EMBED, AT(is_normalize), NULL,
     "vectors of length 1; default: as the model's manifest says"},
    {"no-normalize", FLAG, CLI_EMBED, AT(is_no_normalize), NULL, "vectors as the model makes them"},
    {"input", TENSORS, CLI_TENSORS, AT(inputs), "NAME=FILE",
     "an .npy as the input NAME; given once for each, up to 16"},
    {"wanted", TENSORS, CLI_TENSORS, AT(wanted), "NAME",
     "only this output; may be given 16 times (default: all)"},
    {"output-dir", TEXT, CLI_TENSORS, AT(output_dir), "DIR",
     "write each output there as NAME.npy; replaced if it exists"},
    {"similarity", FLAG, CLI_EMBED, AT(is_similarity), NULL,
     "print the cosine of each pair of texts"},
    {"output", TEXT, CLI_EMBED, AT(output), "FILE",
     "write the vectors there; replaced if it exists; -: standard output"},
    {"format", TEXT, CLI_EMBED, AT(format), "F",
     "npy (for NumPy) or raw: f32, f16 or i8 as --type; default: as FILE ends, else raw"},
    {"stats", FLAG, ASKS, AT(is_stats), NULL, "print times and counts to standard error"},
    {"priority", TEXT, ASKS, AT(priority), "P", "low, normal, high or critical (default normal)"},
    {"timeout", REAL, ASKS | CLI_MODELS | CLI_RUN, AT(timeout_secs), "SECONDS",
     "give up after this (default 300)"},
    {"drain", FLAG, CLI_MODELS, AT(is_drain), NULL,
     "unload: answer what waits and runs first, and take nothing new"},
    {"evict", FLAG, CLI_MODELS, AT(is_evict), NULL,
     "load: idle models may leave if it does not fit"},
    {"dry-run", FLAG, CLI_MODELS, AT(is_dry_run), NULL,
     "load: only tell what it needs and who would leave"},
    {"keep", FLAG, CLI_MODELS, AT(is_keep), NULL, "swap: the model before stays loaded"},
    {"remove", FLAG, CLI_MODELS, AT(is_remove), NULL, "alias: remove it"},
    {"tokens", COUNT, CLI_MODELS, AT(warm_tokens), "N",
     "warmup: tokens that a generator makes (default 1, at most 64)"},
    {"check", TEXT, CLI_STATUS, AT(check), "live|ready",
     "only probe, as an exit code: 0 if so, else 1; needs no token"},
    {"all", FLAG, CLI_CANCEL, AT(is_all), NULL, "all open requests (root: of all users)"},
    {"prometheus", FLAG, CLI_METRICS, AT(is_prometheus), NULL, "print as Prometheus reads it"},
    {"live", FLAG, CLI_HEALTH, AT(is_live), NULL, "does the daemon answer? (default)"},
    {"ready", FLAG, CLI_HEALTH, AT(is_ready), NULL, "does it take requests?"},
    {"full", FLAG, CLI_HEALTH, AT(is_full), NULL, "all that it reports"},
    {"models", TEXT, CLI_RUN, AT(models_folder), "DIR",
     "folder of models; default: as `hearthd --help` says"},
    {"preload", TEXT, CLI_RUN, AT(preload), "A,B", "models to load before the command starts"},
    {"config", TEXT, CLI_RUN | CLI_CONFIG, AT(config), "FILE", "configuration of the daemon"},
    {"log", TEXT, CLI_RUN, AT(log), "FILE", "keep the daemon's log there"},
    {"verbose", FLAG, CLI_RUN, AT(is_verbose), NULL, "show the daemon's log on standard error"},
    {"socket", TEXT, CLI_ASKS_DAEMON, AT(socket), "PATH", "socket of the daemon"},
    {"token-file", TEXT, CLI_ASKS_DAEMON | CLI_RUN, AT(token_file), "FILE",
     "token for the daemon; default: $HEARTH_TOKEN"},
    {"json", FLAG, CLI_ASKS_DAEMON | CLI_VERSION, AT(is_json), NULL,
     "print JSON, failures as {\"error\": …} too"},
    {"help", FLAG, CLI_ALL, AT(is_help), NULL, "print this"},
};

void cli_settings_init(struct cli_settings *settings)
{
    hearth_request_params defaults = hearth_request_params_default();
    *settings = (struct cli_settings){
        .timeout_secs = defaults.timeout_ms / 1000.0,
        .temperature = (double)defaults.temperature,
        .top_p = (double)defaults.top_p,
        .min_p = (double)defaults.min_p,
        .repetition_penalty = (double)defaults.repetition_penalty,
        .typical_p = (double)defaults.typical_p,
        .frequency_penalty = (double)defaults.frequency_penalty,
        .presence_penalty = (double)defaults.presence_penalty,
        .answers = 1,
        .logprobs = CLI_TOP_DEFAULT,
        .max_tokens = defaults.max_tokens,
        .top_k = defaults.top_k,
        .seed = defaults.seed,
        .top = CLI_TOP_DEFAULT,
        .warm_tokens = 1,
    };
}

void cli_options_print(enum cli_command_bit bit)
{
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        if ((rows[i].commands & (int)bit) != 0) {
            char left[64];
            bool has_gap = rows[i].value != NULL && rows[i].kind != COUNT_OR_NONE;
            snprintf(left, sizeof left, "%s--%s%s%s", rows[i].kind == ANSWERS ? "-n, " : "",
                     rows[i].name, has_gap ? " " : "", rows[i].value != NULL ? rows[i].value : "");
            printf("  %-26s %s\n", left, rows[i].help);
        }
    }
}

/* Returns false if @text is not such a number in full. */
static bool set_number(enum kind kind, void *target, const char *text)
{
    char *end = NULL;
    errno = 0;
    if (kind != REAL) {
        unsigned long long value = strtoull(text, &end, 10);
        *(uint64_t *)target = value;
        return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
    }
    double value = strtod(text, &end);
    *(double *)target = value;
    return end != text && *end == '\0' && errno == 0 && isfinite(value);
}

static int add_to_list(const struct cli_command *command, const struct option_row *row,
                       struct cli_list *list, size_t most, const char *value)
{
    if (list->count == most) {
        return cli_usage(command, "--%s: given more than %zu times", row->name, most);
    }
    list->values[list->count++] = value;
    return 0;
}

/* ID=VALUE */
static int add_bias(const struct cli_command *command, const struct option_row *row,
                    struct cli_biases *biases, const char *text)
{
    char id[16] = "";
    uint64_t number = 0;
    double bias = 0;
    const char *equals = strchr(text, '=');
    if (equals != NULL && (size_t)(equals - text) < sizeof id) {
        memcpy(id, text, (size_t)(equals - text));
    }
    if (!set_number(COUNT, &number, id) || number > UINT32_MAX ||
        !set_number(REAL, &bias, equals + 1)) {
        return cli_usage(command, "--%s: '%s', wanted an id and a number: 123=-2.5", row->name,
                         text);
    }
    if (biases->count == CLI_BIASES_MAX) {
        return cli_usage(command, "--%s: given more than %d times", row->name, CLI_BIASES_MAX);
    }
    biases->values[biases->count++] = (hearth_bias){(uint32_t)number, (float)bias};
    return 0;
}

static int set_option(const struct cli_command *command, struct cli_settings *settings,
                      const struct option_row *row, const char *value)
{
    void *target = (char *)settings + row->offset;
    switch (row->kind) {
    case FLAG: *(bool *)target = true; return 0;
    case TEXT: *(const char **)target = value; return 0;
    case STOPS: return add_to_list(command, row, target, CLI_STOPS_MAX, value);
    case TENSORS: return add_to_list(command, row, target, CLI_TENSORS_MAX, value);
    case BIASES: return add_bias(command, row, target, value);
    case COUNT:
    case ANSWERS:
    case COUNT_OR_NONE:
    case REAL:
        if (!set_number(row->kind, target, value)) {
            return cli_usage(command, "--%s: '%s' is not a number that it takes", row->name, value);
        }
        return 0;
    }
    HEARTH_UNREACHABLE();
}

static void fill_getopt(int bit, struct option *options)
{
    size_t count = 0;
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        if ((rows[i].commands & bit) != 0) {
            options[count++] = (struct option){
                .name = rows[i].name,
                .has_arg = rows[i].kind == FLAG            ? no_argument
                           : rows[i].kind == COUNT_OR_NONE ? optional_argument
                                                           : required_argument,
                .val = (int)i + 256,
            };
        }
    }
    options[count] = (struct option){0};
}

/* @found: what getopt_long gave for it, its number or its letter. */
static const struct option_row *row_of(int found)
{
    size_t i = 0;
    while (found == 'n' ? rows[i].kind != ANSWERS : i + 256 != (size_t)found) {
        i++;
    }
    return &rows[i];
}

int cli_options_read(const struct cli_command *command, struct cli_settings *settings, int argc,
                     char **argv, int *ret_first)
{
    struct option options[HEARTH_COUNT(rows) + 1];
    int bit = command != NULL ? (int)command->bit : (int)CLI_PROGRAM;
    /* The program's own options stand before the command, those of `run` before its command. */
    bool stops_early = command == NULL || command->bit == CLI_RUN;
    const char *short_options = stops_early ? "+:h" : (bit & SAMPLES) != 0 ? ":hn:" : ":h";
    fill_getopt(bit, options);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    for (;;) {
        int found = getopt_long(argc, argv, short_options, options, NULL);
        if (found == -1) {
            *ret_first = optind;
            return 0;
        }
        if (found == ':') {
            return cli_usage(command, "%s wants a value", argv[optind - 1]);
        }
        if (found == '?') {
            return cli_usage(command, "unknown option %s", argv[optind - 1]);
        }
        if (found == 'h') {
            settings->is_help = true;
            continue;
        }
        const struct option_row *row = row_of(found);
        bool has_none = row->kind == COUNT_OR_NONE && optarg == NULL;
        int rc = set_option(command, settings, row, has_none ? "0" : optarg);
        if (rc != 0) {
            return rc;
        }
    }
}
