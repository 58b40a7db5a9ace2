/* command.c — the one table of commands, help, and what to do with a name that is none. */

#include "hearth_cli.h"
#include "hearth_os.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
    {"classify", CLI_CLASSIFY, "[OPTION…] [TEXT…]", "print the class of each text",
     "Without TEXT, or with '-' alone, each line of standard input is one text; empty lines are\n"
     "skipped. With --pair the arguments are text and second text in turn, or each line is both\n"
     "with a tab between.",
     "hearth classify \"wake me at seven\"", cli_run_classify},
    {"embed", CLI_EMBED, "[OPTION…] [TEXT…]", "turn texts into vectors, or compare them",
     "Texts as for classify. --json prints the vectors in full; --output writes them in binary,\n"
     "one after the other, little-endian. A file appears whole or not at all. A number of an int8\n"
     "vector stands for itself times the vector's scale, which --json tells; cosines need none.",
     "hearth embed --similarity \"a dog runs\" \"a puppy is running\"", cli_run_embed},
    {"rerank", CLI_RERANK, "[OPTION…] QUERY [TEXT…]", "sort texts by how well they answer a query",
     "Texts as for classify, any number of them; the best comes first.",
     "hearth rerank \"who wrote Faust?\" \"Goethe wrote Faust.\" \"Bread needs an hour.\"",
     cli_run_rerank},
    {"entities", CLI_ENTITIES, "[OPTION…] [TEXT…]", "find what is named in each text",
     "Texts as for classify. Prints number of the text, label, score, first byte and the byte\n"
     "behind the last, and the stretch itself.",
     "hearth entities \"Ada Lovelace was born in London.\"", cli_run_entities},
    {"tensors", CLI_TENSORS, "[OPTION…] --input NAME=FILE…", "run a model on arrays of NumPy",
     "Each FILE is an .npy with little-endian numbers in C order; `hearth models show` tells the\n"
     "names, types and shapes that a model takes. Without --output-dir the outputs are printed:\n"
     "in short, or with --json in full.",
     "hearth tensors --model scorer --input x=x.npy --output-dir .", cli_run_tensors},
    {"generate", CLI_GENERATE, "[OPTION…] [PROMPT]", "continue a text",
     "Without PROMPT, or with '-', all of standard input is the prompt (but a last newline).",
     "hearth generate --max-tokens 40 \"The capital of France is\"", cli_run_generate},
    {"chat", CLI_CHAT, "[OPTION…]", "talk with a model",
     "Each line is one message; the conversation is kept in memory only. Ctrl-C ends the answer,\n"
     "at the prompt it ends the program, as do Ctrl-D and /exit; /clear forgets the conversation.\n"
     "If the model calls tools (--tools), each next line is what one of them has answered.",
     "hearth chat --system \"Be brief.\" --message \"What is the capital of France?\"",
     cli_run_chat},
    {"choose", CLI_CHOOSE, "[OPTION…] CHOICE CHOICE…",
     "tell which of some texts is likeliest to follow",
     "Prints probability and choice, the likeliest first; nothing is generated. Without --prompt\n"
     "and --message all of standard input is the prompt (but a last newline).",
     "hearth choose --prompt \"The sky is\" \" blue\" \" green\"", cli_run_choose},
    {"models", CLI_MODELS,
     "[OPTION…] [list | show NAME | load NAME | unload NAME | warmup NAME | swap NAME MODEL | "
     "alias NAME MODEL]",
     "list, describe, load, unload, warm up, swap or name models",
     "show prints what a loaded model takes and gives, its labels and what else is known of it.\n"
     "load, unload and warmup answer when the model is ready, or its memory is free again, or it\n"
     "has run once. swap loads MODEL, checks its golden inputs and has NAME stand for it, while\n"
     "requests go on; alias makes a NAME for it, alias NAME --remove takes that away.",
     "hearth models load all-minilm-l6-v2", cli_run_models},
    {"status", CLI_STATUS, "[OPTION…]", "show the daemon, its models and its times",
     "Times are half of / 95 % / 99 % of the requests since the daemon's start, at most a quarter\n"
     "too large. With --check it is a probe for service managers: exit code 0 or 1.",
     "hearth status --check ready", cli_run_status},
    {"metrics", CLI_METRICS, "[OPTION…]", "print what the daemon counts and measures", NULL,
     "hearth metrics --prometheus", cli_run_metrics},
    {"requests", CLI_REQUESTS, "[OPTION…]", "list open requests",
     "Those of all programs of this user; for root, of everybody.", "hearth requests",
     cli_run_requests},
    {"cancel", CLI_CANCEL, "[OPTION…] TICKET… | --all", "end open requests",
     "A TICKET is a number of `hearth requests`. Who asked sees his request cancelled.",
     "hearth cancel --all --model all-minilm-l6-v2", cli_run_cancel},
    {"health", CLI_HEALTH, "[OPTION…]", "probe the daemon; exit code 0 if well", NULL,
     "hearth health --ready", cli_run_health},
    {"run", CLI_RUN, "[OPTION…] -- COMMAND [ARGUMENT…]", "run a command beside a private daemon",
     "Starts hearthd on a socket of its own, waits for the preloaded models, sets HEARTH_SOCKET,\n"
     "runs COMMAND, passes on signals and its exit code, and stops the daemon. The code is 127 if\n"
     "there is no such COMMAND, 126 if it cannot be run, 128 and the signal if one has ended it.",
     "hearth run --preload hearth-intent -- hearth classify \"play some jazz\"", cli_run_run},
    {"pull", CLI_PULL, "[OPTION…] NAME…", "fetch models; the only command that uses a network",
     "Runs the program hearth-pull, which alone links a network library.", "hearth pull --list",
     cli_run_pull},
    {"config", CLI_CONFIG, "[OPTION…] [show | validate | defaults]",
     "show or check the configuration of the daemon",
     "show prints what hearthd would use, from file, environment and defaults; validate says what\n"
     "is wrong with it and ends with 0 or 2; defaults prints a file to begin with.",
     "hearth config validate --config /etc/hearth/hearthd.conf", cli_run_config},
    {"version", CLI_VERSION, "[OPTION…]", "print the version of this program", NULL,
     "hearth version", cli_run_version},
    {"help", CLI_HELP, "[COMMAND]", "explain a command", NULL, "hearth help classify",
     cli_run_help},
};

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < HEARTH_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* Edits (insert, delete, replace) between two words; both are cut at 31 letters. */
static unsigned edits_between(const char *a, const char *b)
{
    enum { MOST = 31 };
    unsigned row[MOST + 1];
    size_t a_size = strnlen(a, MOST);
    size_t b_size = strnlen(b, MOST);
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = HEARTH_MIN(replaced, HEARTH_MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_size];
}

const char *cli_command_guess(const char *name)
{
    const char *best = NULL;
    unsigned fewest = 3; /* more than two edits is no typing mistake */
    for (size_t i = 0; i < HEARTH_COUNT(commands); i++) {
        if (name[0] != '\0' && strncmp(name, commands[i].name, strlen(name)) == 0) {
            return commands[i].name; /* the start of one is meant to be it */
        }
        unsigned edits = edits_between(name, commands[i].name);
        if (edits < fewest) {
            fewest = edits;
            best = commands[i].name;
        }
    }
    return best;
}

static int print_overview(void)
{
    printf("usage: hearth [--socket PATH] COMMAND …\n\nLocal inference through hearthd.\n\n");
    for (size_t i = 0; i < HEARTH_COUNT(commands); i++) {
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    printf(
        "\n`hearth COMMAND --help` explains one, with an example.\n"
        "The daemon is looked for at --socket, $HEARTH_SOCKET, $XDG_RUNTIME_DIR/hearth/,\n"
        "/run/hearth/ (root) or /tmp/hearth-UID/. Its token, if it wants one, comes from\n"
        "$HEARTH_TOKEN or --token-file.\n"
        "Exit codes: 0 done, 1 failed, 2 not understood, 3 no daemon; `hearth run` has those of\n"
        "its command.\n");
    return CLI_DONE;
}

static int print_help(const struct cli_command *command)
{
    if (command->bit == CLI_PULL) {
        static char help[] = "--help";
        char *argv[] = {NULL, help, NULL};
        return cli_run_pull(NULL, 2, argv);
    }
    printf("usage: hearth %s %s\n\n%c%s.\n", command->name, command->arguments,
           command->summary[0] - 'a' + 'A', command->summary + 1);
    if (command->about != NULL) {
        printf("%s\n", command->about);
    }
    printf("\n");
    cli_options_print(command->bit);
    printf("\nexample:\n  %s\n", command->example);
    return CLI_DONE;
}

static int unknown_command(const char *name)
{
    const char *guess = cli_command_guess(name);
    if (guess == NULL) {
        return cli_usage(NULL, "no command '%s'", name);
    }
    return cli_usage(NULL, "no command '%s'; did you mean '%s'?", name, guess);
}

int cli_run_help(const struct cli_settings *settings, int argc, char **argv)
{
    (void)settings;
    if (argc == 0) {
        return print_overview();
    }
    if (argc > 1) {
        return cli_usage(cli_command_find("help"), "takes one command, not also '%s'", argv[1]);
    }
    const struct cli_command *command = cli_command_find(argv[0]);
    return command == NULL ? unknown_command(argv[0]) : print_help(command);
}

/* What could not be printed is a failure: a full disk must not look like an answer. */
static int finish_output(int code)
{
    errno = 0;
    bool has_failed = fflush(stdout) != 0;
    if (!has_failed && !ferror(stdout)) {
        return code;
    }
    fprintf(stderr, "hearth: the output could not be written%s%s\n  try: see where it goes to\n",
            errno != 0 ? ": " : "", errno != 0 ? strerrordesc_np(errno) : "");
    return code == CLI_DONE ? CLI_FAILED : code;
}

static int run_program(int argc, char **argv)
{
    struct cli_settings settings;
    cli_settings_init(&settings);
    int first = 1;
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        return cli_run_version(&settings, 0, NULL);
    }
    int rc = cli_options_read(NULL, &settings, argc, argv, &first);
    if (rc != 0) {
        return rc;
    }
    if (settings.is_help) {
        return print_overview();
    }
    if (first >= argc) {
        return cli_usage(NULL, "no command given");
    }
    const struct cli_command *command = cli_command_find(argv[first]);
    if (command == NULL) {
        return unknown_command(argv[first]);
    }
    if (command->bit == CLI_PULL) {
        return command->run(&settings, argc - first, argv + first);
    }
    int arguments = 0;
    rc = cli_options_read(command, &settings, argc - first, argv + first, &arguments);
    if (rc != 0) {
        return rc;
    }
    if (settings.is_help) {
        return print_help(command);
    }
    return command->run(&settings, argc - first - arguments, argv + first + arguments);
}

int cli_main(int argc, char **argv)
{
    hearth_fd_open_standard();
    return finish_output(run_program(argc, argv));
}
