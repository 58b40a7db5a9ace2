#include "kit.h"

#include "hearth_cli.h"

#include <string.h>

static int read_options(const char *command, struct cli_settings *settings, char **argv,
                        int *ret_first)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    cli_settings_init(settings);
    return cli_options_read(command == NULL ? NULL : cli_command_find(command), settings, argc,
                            argv, ret_first);
}

#define ARGS(...)                                                                                  \
    (char *[])                                                                                     \
    {                                                                                              \
        (char *)"hearth", __VA_ARGS__, NULL                                                        \
    }

static void each_kind_of_option_is_set(void **state)
{
    (void)state;
    struct cli_settings settings;
    int first = 0;
    char **argv = ARGS("--seed", "7", "the prompt", "--temperature=0.25", "--stop", "a", "--stop",
                       "b", "--json", "--model", "tiny");
    assert_int_equal(read_options("generate", &settings, argv, &first), 0);
    assert_int_equal(settings.seed, 7);
    assert_true(settings.temperature == 0.25);
    assert_int_equal(settings.stops.count, 2);
    assert_string_equal(settings.stops.values[1], "b");
    assert_true(settings.is_json);
    assert_string_equal(settings.model, "tiny");
    assert_string_equal(argv[first], "the prompt"); /* options may follow arguments */
}

static void defaults_are_those_of_the_library(void **state)
{
    (void)state;
    hearth_request_params defaults = hearth_request_params_default();
    struct cli_settings settings;
    cli_settings_init(&settings);
    assert_true((float)settings.temperature == defaults.temperature);
    assert_true((float)settings.top_p == defaults.top_p);
    assert_true((float)settings.repetition_penalty == defaults.repetition_penalty);
    assert_int_equal(settings.max_tokens, defaults.max_tokens);
    assert_int_equal(settings.top_k, defaults.top_k);
    assert_int_equal(settings.seed, defaults.seed);
}

static void what_is_not_understood_is_refused(void **state)
{
    (void)state;
    struct cli_settings settings;
    int first;
    char **const wrong[] = {
        ARGS("--unknown"),
        ARGS("--seed"),
        ARGS("--seed", "-1"),
        ARGS("--seed", "1x"),
        ARGS("--seed", ""),
        ARGS("--temperature", "warm"),
        ARGS("--temperature", "nan"),
        ARGS("--seed", "99999999999999999999"),
        ARGS("--json=yes"),
        ARGS("--similarity"), /* belongs to embed */
    };
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_int_equal(read_options("generate", &settings, wrong[i], &first), CLI_USAGE);
    }
    char **nine = ARGS("--stop", "1", "--stop", "2", "--stop", "3", "--stop", "4", "--stop", "5",
                       "--stop", "6", "--stop", "7", "--stop", "8", "--stop", "9");
    assert_int_equal(read_options("generate", &settings, nine, &first), CLI_USAGE);
}

static void run_leaves_the_options_of_its_command_alone(void **state)
{
    (void)state;
    struct cli_settings settings;
    int first = 0;
    char **argv = ARGS("--preload", "a", "--", "ls", "--json");
    assert_int_equal(read_options("run", &settings, argv, &first), 0);
    assert_string_equal(argv[first], "ls");
    assert_string_equal(settings.preload, "a");
    assert_false(settings.is_json);
    argv = ARGS("ls", "--help");
    assert_int_equal(read_options("run", &settings, argv, &first), 0);
    assert_false(settings.is_help);
}

static void global_options_stand_before_the_command(void **state)
{
    (void)state;
    struct cli_settings settings;
    int first = 0;
    char **argv = ARGS("--socket", "/a", "classify", "--top", "3");
    assert_int_equal(read_options(NULL, &settings, argv, &first), 0);
    assert_string_equal(settings.socket, "/a");
    assert_string_equal(argv[first], "classify");
}

static void a_typing_mistake_is_guessed(void **state)
{
    (void)state;
    assert_string_equal(cli_command_guess("clasify"), "classify");
    assert_string_equal(cli_command_guess("embde"), "embed");
    assert_string_equal(cli_command_guess("model"), "models");
    assert_null(cli_command_guess("frobnicate"));
    assert_null(cli_command_find("clasify"));
    assert_non_null(cli_command_find("classify"));
}

static void params_outside_their_words_are_refused(void **state)
{
    (void)state;
    struct cli_settings settings;
    hearth_request_params params;
    struct hearth_error err;
    cli_settings_init(&settings);
    settings.priority = "high";
    settings.timeout_secs = 1.5;
    assert_int_equal(cli_request_params(&settings, &params, &err), 0);
    assert_int_equal(params.priority, HEARTH_HIGH);
    assert_int_equal(params.timeout_ms, 1500);
    settings.priority = "urgent";
    cli_request_params(&settings, &params, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "'urgent' is not low, normal, high or critical");
    settings.priority = NULL;
    settings.timeout_secs = 0;
    assert_int_equal(cli_request_params(&settings, &params, &err), HEARTH_E_ARGUMENT);
}

KIT_MAIN(cmocka_unit_test(each_kind_of_option_is_set),
         cmocka_unit_test(defaults_are_those_of_the_library),
         cmocka_unit_test(what_is_not_understood_is_refused),
         cmocka_unit_test(run_leaves_the_options_of_its_command_alone),
         cmocka_unit_test(global_options_stand_before_the_command),
         cmocka_unit_test(a_typing_mistake_is_guessed),
         cmocka_unit_test(params_outside_their_words_are_refused))
