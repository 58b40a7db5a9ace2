/* hearth_cli.h — the program `hearth`: one table of commands, one table of options.
 *
 * Exit codes: 0 done, 1 failed, 2 not understood, 3 no daemon (as a probe: 1). Results go to
 * standard output; what went wrong to standard error, and with --json as {"error": …} to standard
 * output too, where whoever parses the answer looks. Wrong usage is told on standard error only.
 *
 * The program is single-threaded but for the thread that waits for Ctrl-C. */

#ifndef HEARTH_CLI_H
#define HEARTH_CLI_H

#include "settings.h"

#include <hearth/hearth.h>

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NO_DAEMON = 3 };

/* Commands as bits, so that an option can say which of them take it. */
enum cli_command_bit {
    CLI_PULL = 0, /* takes none of them: hearth-pull reads its own */
    CLI_CLASSIFY = 1,
    CLI_EMBED = 2,
    CLI_GENERATE = 4,
    CLI_CHAT = 8,
    CLI_MODELS = 16,
    CLI_STATUS = 32,
    CLI_HEALTH = 64,
    CLI_RUN = 128,
    CLI_VERSION = 256,
    CLI_HELP = 512,
    CLI_PROGRAM = 1024, /* what stands before the command */
    CLI_METRICS = 2048,
    CLI_REQUESTS = 4096,
    CLI_CANCEL = 8192,
    CLI_CONFIG = 16384,
    CLI_RERANK = 32768,
    CLI_ENTITIES = 65536,
    CLI_TENSORS = 131072,
    CLI_CHOOSE = 262144,
    CLI_ALL = 524287,
    CLI_ASKS_DAEMON = CLI_ALL & ~(CLI_RUN | CLI_VERSION | CLI_HELP | CLI_CONFIG),
};

struct cli_command {
    const char *name;
    enum cli_command_bit bit;
    const char *arguments; /* for the usage line */
    const char *summary;
    const char *about; /* further lines of --help, or NULL */
    const char *example;
    int (*run)(const struct cli_settings *settings, int argc, char **argv);
};

/** Runs the program; returns its exit code. */
int cli_main(int argc, char **argv);

/* ── Options and commands ────────────────────────────────────────────────────────────────────── */

void cli_settings_init(struct cli_settings *settings);

/**
 * Reads the options of @command (of the program itself if NULL) from @argv, whose first element is
 * skipped, and sets *@ret_first to the index of the first argument. Reports what it does not
 * understand and returns CLI_USAGE; else 0.
 */
int cli_options_read(const struct cli_command *command, struct cli_settings *settings, int argc,
                     char **argv, int *ret_first);
void cli_options_print(enum cli_command_bit bit);

const struct cli_command *cli_command_find(const char *name);
/** The command that @name is probably meant to be, or NULL. */
const char *cli_command_guess(const char *name);

/* ── Reporting ───────────────────────────────────────────────────────────────────────────────── */

/** Says what went wrong and returns the exit code that goes with it. */
int cli_report(const struct cli_settings *settings, const struct hearth_error *err);
/** Says how the command line was wrong; @command may be NULL. Returns CLI_USAGE. */
int cli_usage(const struct cli_command *command, const char *format, ...) HEARTH_PRINTF(2, 3);

/** Writes the path of the program @name, which lies beside this one. HEARTH_E_SYSTEM. */
int cli_find_beside(const char *name, char *room, size_t room_bytes, struct hearth_error *err);
/** The same for hearthd. */
int cli_find_daemon(char *room, size_t room_bytes, struct hearth_error *err);

/* ── What commands share ─────────────────────────────────────────────────────────────────────── */

/** Connects with a session, or only for reports and probes, which need neither one nor a token. */
int cli_connect(const struct cli_settings *settings, hearth_client **ret_client,
                struct hearth_error *err);
int cli_connect_for_reports(const struct cli_settings *settings, hearth_client **ret_client,
                            struct hearth_error *err);

/** Room for a token of the daemon's limit, its NUL and one byte more, to see that it is longer. */
#define CLI_TOKEN_BYTES 258

/**
 * Reads the token of --token-file, or of $HEARTH_TOKEN, or writes "" if there is none. (It is no
 * argument: those are seen by everybody who lists processes.) To be wiped after use.
 */
int cli_token_read(const struct cli_settings *settings, char room[CLI_TOKEN_BYTES],
                   struct hearth_error *err);

/**
 * Writes the name of the model to use: the one asked for, else the only one that is ready for
 * @task. HEARTH_E_NOT_READY, HEARTH_E_ARGUMENT if there are several; both say which there are.
 */
int cli_choose_model(hearth_client *client, const struct cli_settings *settings,
                     enum hearth_task task, char *room, size_t room_bytes,
                     struct hearth_error *err);

/** Fills @params but for the model. HEARTH_E_ARGUMENT for a priority that is none. */
int cli_request_params(const struct cli_settings *settings, hearth_request_params *params,
                       struct hearth_error *err);

/** Reads "1,2,3" into @buf (uint32_t each) and lends it as *@ret_input. */
int cli_ids_read(const char *text, struct hearth_buf *buf, hearth_input *ret_input,
                 struct hearth_error *err);
/** All of standard input without a final newline, ended with NUL. */
int cli_read_all(struct hearth_buf *buf, struct hearth_error *err);

/** Prints what a file or another program calls something, filled with spaces to @width bytes. It
 * must not steer this terminal, nor forge a row: control characters are shown as question marks. */
void cli_print_foreign(const char *text, int width);

/** The number that an IEEE 754 binary16 stands for. */
float cli_float_of_half(uint16_t half);

/** Text of a stream and when it came. */
struct cli_stream {
    uint64_t start_ns;
    uint64_t first_ns; /* 0: nothing came */
    uint64_t last_ns;
    size_t pieces;
    bool is_json;
    bool has_many; /* answers: their pieces say which */
    bool ends_with_newline;
    struct hearth_buf *keep; /* also collects here if not NULL */
};
void cli_stream_begin(struct cli_stream *stream, bool is_json);
int cli_stream_piece(const hearth_item *item, void *stream);
void cli_stream_stats(const struct cli_stream *stream, const hearth_usage *usage);

/* ── Ctrl-C ──────────────────────────────────────────────────────────────────────────────────── */

/** From now on Ctrl-C cancels the answer under way; without one it ends the program. */
int cli_interrupt_start(hearth_client *client, struct hearth_error *err);
void cli_interrupt_answering(bool is_answering);

/* ── Commands ────────────────────────────────────────────────────────────────────────────────── */

int cli_run_classify(const struct cli_settings *settings, int argc, char **argv);
int cli_run_embed(const struct cli_settings *settings, int argc, char **argv);
int cli_run_rerank(const struct cli_settings *settings, int argc, char **argv);
int cli_run_entities(const struct cli_settings *settings, int argc, char **argv);
int cli_run_tensors(const struct cli_settings *settings, int argc, char **argv);
int cli_run_generate(const struct cli_settings *settings, int argc, char **argv);
int cli_run_choose(const struct cli_settings *settings, int argc, char **argv);
int cli_run_chat(const struct cli_settings *settings, int argc, char **argv);
int cli_run_models(const struct cli_settings *settings, int argc, char **argv);
int cli_run_status(const struct cli_settings *settings, int argc, char **argv);
int cli_run_health(const struct cli_settings *settings, int argc, char **argv);
int cli_run_metrics(const struct cli_settings *settings, int argc, char **argv);
int cli_run_requests(const struct cli_settings *settings, int argc, char **argv);
int cli_run_cancel(const struct cli_settings *settings, int argc, char **argv);
int cli_run_config(const struct cli_settings *settings, int argc, char **argv);
int cli_run_run(const struct cli_settings *settings, int argc, char **argv);
/** Becomes hearth-pull with all of @argv; returns only if it cannot. */
int cli_run_pull(const struct cli_settings *settings, int argc, char **argv);
int cli_run_version(const struct cli_settings *settings, int argc, char **argv);
int cli_run_help(const struct cli_settings *settings, int argc, char **argv);

#endif
