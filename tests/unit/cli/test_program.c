#include "program.h"

#include <fcntl.h>

static void classify_prints_label_probability_and_text(void **state)
{
    RUN("", "classify", "ab", "abc");
    assert_string_equal(ran.out, "even                 0.7500  ab\n"
                                 "odd                  0.7500  abc\n");
    assert_int_equal(ran.code, 0);
    RUN("one\n\ntwos\r\nlast", "classify", "--top", "2");
    assert_string_equal(ran.out, "odd                  0.7500  one\n"
                                 "even                 0.2500  \n"
                                 "even                 0.7500  twos\n"
                                 "odd                  0.2500  \n"
                                 "even                 0.7500  last\n"
                                 "odd                  0.2500  \n");
}

static void a_text_that_was_cut_is_told_beside_the_answer(void **state)
{
    RUN("", "classify", "ab", "too long to read");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "even                 0.7500  ab\n"
                                 "even                 0.7500  too long to read\n");
    assert_string_equal(ran.err,
                        "hearth: 1 of 2 texts had more tokens than the model takes: cut\n");
    RUN("", "classify", "--json", "too long to read");
    assert_string_equal(ran.err, "");
    assert_contains(ran.out, "\"is_truncated\":true");
}

static void classify_json_names_every_label(void **state)
{
    RUN("", "classify", "--json", "ab");
    assert_string_equal(
        ran.out,
        "{\"model\":\"parity\",\"results\":[{\"index\":0,\"label\":\"even\",\"probability\":0.75,"
        "\"tokens\":2,\"is_truncated\":false,\"labels\":[{\"name\":\"even\",\"probability\":0.75},"
        "{\"name\":\"odd\",\"probability\":0.25}]}],\"usage\":{\"finish_reason\":\"none\","
        "\"prompt_tokens\":11,\"tokens_generated\":0,\"queue_us\":0,\"first_us\":0,\"total_us\":"
        "1000}}\n");
}

static void more_lines_than_a_batch_are_all_answered(void **state)
{
    char input[200 * 2 + 1];
    for (size_t i = 0; i < 200; i++) {
        memcpy(input + 2 * i, "x\n", 2);
    }
    input[sizeof input - 1] = '\0';
    RUN(input, "classify", "-");
    size_t lines = 0;
    for (const char *at = ran.out; (at = strstr(at, "odd ")) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 200);
}

static void embed_prints_short_full_or_similarity(void **state)
{
    RUN("", "embed", "abc");
    assert_string_equal(ran.out, "1: 3 dimensions, norm 3.1623: [3.0000 0.0000 1.0000]\n");
    RUN("", "embed", "--json", "abc");
    assert_contains(ran.out, "\"vector\":[3.0,0.0,1.0]");
    RUN("", "embed", "--similarity", "a", "a");
    assert_string_equal(ran.out, " 0.8165  a | a\n"); /* [1,0,1] and [1,1,1]: 2 / sqrt(6) */
    RUN("", "embed", "--similarity", "alone");
    assert_int_equal(ran.code, 2);
}

static void generate_streams_or_waits_and_reads_input(void **state)
{
    RUN("", "generate", "hello");
    assert_string_equal(ran.out, "olleh\n");
    RUN("two\nlines\n", "generate", "--no-stream");
    assert_string_equal(ran.out, "senil\nowt\n");
    RUN("", "generate", "--json", "--stream", "ab");
    assert_contains(ran.out, "{\"piece\":\"b\",\"tokens\":1}\n{\"piece\":\"a\",\"tokens\":1}\n");
    assert_contains(ran.out, "\"text\":\"ba\"");
    RUN("", "generate", "--stats", "ab");
    assert_contains(ran.err, "first piece ");
    assert_contains(ran.err, "finish stop");
    RUN("", "generate", "--stats", "--no-stream", "ab"); /* nothing is told that is not known */
    assert_contains(ran.err, "answer ");
    assert_contains(ran.err, " 5 tokens, ");
    assert_null(strstr(ran.err, " 0.0 tokens/s"));
    assert_null(strstr(ran.err, "first piece"));
}

static void chat_answers_each_line_or_one_message(void **state)
{
    RUN("", "chat", "--message", "abc", "--system", "be brief");
    assert_string_equal(ran.out, "cba\n");
    RUN("one\ntwo\n/exit\nthree\n", "chat");
    assert_string_equal(ran.out, "eno\nowt\n");
    assert_int_equal(ran.code, 0);
    RUN("fail\nabc\n", "chat"); /* one failed answer is not the end of a conversation */
    assert_string_equal(ran.out, "cba\n");
    assert_contains(ran.err, "the engine gave up");
}

static void models_and_status_show_what_there_is(void **state)
{
    RUN("", "models");
    assert_contains(ran.out, "shelf                    generate  echo   absent");
    assert_contains(ran.out, "1001      0     0\n  walls missing: netns (SECURITY.md");
    assert_contains(ran.out, "1000      0     0\nlengths"); /* all its walls stand */
    RUN("", "models", "load", "shelf");
    assert_contains(ran.out, "shelf is ready, worker pid 1003");
    RUN("", "models", "unload", "shelf", "--json");
    assert_contains(ran.out, "{\"model\":\"shelf\",\"state\":\"absent\"");
    RUN("", "models", "load", "nothing");
    assert_int_equal(ran.code, 1);
    assert_string_equal(ran.err, "hearth: no such model: no model of that name in the roots\n"
                                 "  try: see `hearth models` for what this daemon knows\n");
    RUN("", "status", "--json");
    assert_contains(ran.out, "\"server\":\"scripted 1\"");
    assert_contains(ran.out, "\"labels\":[\"even\",\"odd\"]");
}

static void health_is_an_exit_code(void **state)
{
    RUN("", "health");
    assert_string_equal(ran.out, "alive\n");
    assert_int_equal(ran.code, 0);
    RUN("", "health", "--ready", "--json");
    assert_string_equal(ran.out, "{\"ok\":false}\n");
    assert_int_equal(ran.code, 1);
    RUN("", "health", "--ready", "--full");
    assert_int_equal(ran.code, 2);
}

static void failures_say_what_and_what_to_do(void **state)
{
    RUN("", "generate", "fail");
    assert_int_equal(ran.code, 1);
    assert_string_equal(ran.err,
                        "hearth: the engine failed on this request: the engine gave up\n"
                        "  try: see the log of hearthd; other requests are not affected\n");
    RUN("", "generate", "--json", "fail");
    assert_string_equal(
        ran.out, "{\"error\":{\"name\":\"engine_failed\",\"code\":29,\"message\":\"the engine "
                 "gave up\",\"remedy\":\"see the log of hearthd; other requests are not "
                 "affected\"}}\n");
    assert_contains(ran.err, "hearth: the engine failed on this request: the engine gave up\n");
    RUN("", "generate", "die");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "the daemon closed the connection");
    RUN("", "generate", "--timeout", "0.05", "silent");
    assert_contains(ran.err, "hearth: deadline passed");
    assert_null(strstr(strstr(ran.err, "deadline passed") + 1, "deadline passed"));
    RUN("a\xff", "classify");
    assert_contains(ran.err, "texts[0].text: not valid UTF-8 at byte 1 of 2");
    RUN("", "classify");
    assert_contains(ran.err, "standard input has no text");
}

static void without_a_daemon_the_code_is_3(void **state)
{
    (void)state;
    run("/tmp/hearth-there-is-none/sock", "", (char *[]){(char *)"status", NULL}, &ran);
    assert_int_equal(ran.code, 3);
    assert_contains(ran.err, "hearth: no daemon answers on the socket");
    assert_contains(ran.err, "  try: start one with `hearthd`, or use `hearth run -- COMMAND`");
}

static void what_is_not_understood_has_code_2(void **state)
{
    RUN("", "clasify");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "did you mean 'classify'?");
    RUN("", "classify", "--wrong");
    assert_contains(ran.err,
                    "hearth classify: unknown option --wrong\n  try: hearth classify --help");
    RUN("", "generate", "two", "prompts");
    assert_int_equal(ran.code, 2);
    RUN("", "models", "buy", "one");
    assert_int_equal(ran.code, 2);
    RUN("", "run");
    assert_int_equal(ran.code, 2);
}

static void arguments_too_many_and_values_without_sense_have_code_2(void **state)
{
    RUN("", "version", "x");
    assert_int_equal(ran.code, 2);
    RUN("", "help", "classify", "x");
    assert_int_equal(ran.code, 2);
    RUN("", "models", "list", "x");
    assert_int_equal(ran.code, 2);
    RUN("", "classify", "--top", "0", "ab");
    assert_int_equal(ran.code, 2);
    RUN("", "generate", "--stream", "--no-stream", "ab");
    assert_int_equal(ran.code, 2);
    RUN("", "run", "--timeout", "0", "--", "true");
    assert_int_equal(ran.code, 2);
    RUN("", "run", "--", "true"); /* --socket, which stands before it, would be ignored */
    assert_int_equal(ran.code, 2);
    RUN("", "run", "--socket", "/tmp/x", "--", "true");
    assert_int_equal(ran.code, 2);
}

static void the_start_of_a_command_is_recognised(void **state)
{
    RUN("", "stat");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "did you mean 'status'?");
}

static void an_empty_prompt_is_named(void **state)
{
    RUN("", "generate");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "the prompt is empty");
}

static int run_into(const char *socket, const char *path, char *command, char *argument)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(1);
        if (path != NULL && open(path, O_WRONLY) != 1) {
            _exit(98);
        }
        FILE *err = freopen("/dev/null", "w", stderr);
        execl(HEARTH_PROGRAM, "hearth", "--socket", socket, command, argument, (char *)NULL);
        _exit(err != NULL ? 99 : 98);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
    const char *socket = ((struct scripted_server *)*state)->path;
    static const char *const commands[][2] = {
        {"classify", "ab"},          {"embed", "ab"},    {"generate", "ab"},
        {"models", "--json"},        {"status", NULL},   {"version", NULL},
        {"metrics", "--prometheus"}, {"requests", NULL}, {"cancel", "41"}};
    for (size_t i = 0; i < HEARTH_COUNT(commands); i++) {
        char *command = (char *)(uintptr_t)commands[i][0];
        char *argument = (char *)(uintptr_t)commands[i][1];
        assert_int_equal(run_into(socket, "/dev/full", command, argument), 1);
        assert_int_equal(run_into(socket, NULL, command, argument), 1); /* no descriptor 1 */
        assert_int_equal(run_into(socket, "/dev/null", command, argument), 0);
    }
}

static void one_end_of_file_at_a_terminal_is_enough(void **state)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int inside = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(inside >= 0);
    const char *socket = ((struct scripted_server *)*state)->path;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20); /* a program that waits for more is ended by it */
        dup2(inside, 0);
        execl(HEARTH_PROGRAM, "hearth", "--socket", socket, "classify", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(write(terminal, "ab\n\x04", 4), 4);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(inside);
    close(terminal);
}

static void every_command_has_help_with_an_example(void **state)
{
    static const char *const names[] = {"rerank",  "entities", "tensors", "config", "classify",
                                        "embed",   "generate", "chat",    "models", "status",
                                        "metrics", "requests", "cancel",  "health", "run",
                                        "version", "help"};
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        RUN("", (char *)(uintptr_t)names[i], "--help");
        assert_int_equal(ran.code, 0);
        assert_contains(ran.out, "\nexample:\n  hearth ");
        assert_null(strstr(ran.out, " \n"));
    }
    RUN("", "version");
    assert_string_equal(ran.out, "hearth " HEARTH_VERSION "\n");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(WITH_SERVER(classify_prints_label_probability_and_text),
         WITH_SERVER(a_text_that_was_cut_is_told_beside_the_answer),
         WITH_SERVER(classify_json_names_every_label),
         WITH_SERVER(more_lines_than_a_batch_are_all_answered),
         WITH_SERVER(embed_prints_short_full_or_similarity),
         WITH_SERVER(generate_streams_or_waits_and_reads_input),
         WITH_SERVER(chat_answers_each_line_or_one_message),
         WITH_SERVER(models_and_status_show_what_there_is), WITH_SERVER(health_is_an_exit_code),
         WITH_SERVER(failures_say_what_and_what_to_do),
         cmocka_unit_test(without_a_daemon_the_code_is_3),
         WITH_SERVER(what_is_not_understood_has_code_2),
         WITH_SERVER(arguments_too_many_and_values_without_sense_have_code_2),
         WITH_SERVER(the_start_of_a_command_is_recognised), WITH_SERVER(an_empty_prompt_is_named),
         WITH_SERVER(output_that_cannot_be_written_is_a_failure),
         WITH_SERVER(one_end_of_file_at_a_terminal_is_enough),
         WITH_SERVER(every_command_has_help_with_an_example))
