#include "program.h"

/* What a user asks of a generator, and what he sees of its answer. */

#define GENERATE "generate", "--model", "generator"

/* A file with @text, by its name; one at a time. */
static char *file_with(const char *text)
{
    static char name[64];
    snprintf(name, sizeof name, "/tmp/hearth-test-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return name;
}

static void several_answers_are_numbered_and_say_how_they_ended(void **state)
{
    RUN("", GENERATE, "-n", "2", "x");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "[1] stop\na0 b0 c0 \n[2] max_tokens\na1 b1 c1 \n");
    RUN("", GENERATE, "--answers", "2", "--json", "x");
    assert_contains(ran.out, "\"text\":\"a0 b0 c0 \"");
    assert_contains(ran.out, "\"answers\":[{\"index\":0,\"text\":\"a0 b0 c0 \",\"tokens\":3,"
                             "\"finish_reason\":\"stop\"},{\"index\":1,\"text\":\"a1 b1 c1 \"");
    RUN("", GENERATE, "-n2", "--json", "--stream", "x");
    assert_contains(ran.out, "{\"piece\":\"a0 \",\"tokens\":1,\"index\":0}\n"
                             "{\"piece\":\"a1 \",\"tokens\":1,\"index\":1}\n"
                             "{\"piece\":\"b0 \",\"tokens\":1,\"index\":0}\n");
}

static void tokens_are_shown_with_their_chances(void **state)
{
    RUN("", GENERATE, "--logprobs=1", "x"); /* e^-1 and e^-2; the byte 0xff is no character */
    assert_int_equal(ran.code, 0);
    assert_contains(ran.out, "a0 b0 c0 \n    0  -1.0000  36.8%  \"\\xff\\x00\"  13.5% \"y\"\n"
                             "    1  -1.0000  36.8%  \"\\xff\\x00\"  13.5% \"y\"\n");
    RUN("", GENERATE, "--logprobs", "--json", "x");
    assert_contains(ran.out, "\"logprobs\":[{\"place\":0,\"id\":5,\"text\":\"\xef\xbf\xbd\\u0000\","
                             "\"bytes\":[255,0],\"logprob\":-1.0,\"top\":[{\"id\":6,\"text\":\"y\","
                             "\"bytes\":[121],\"logprob\":-2.0}]}");
}

static void usage_tells_cache_drafts_and_fingerprint(void **state)
{
    RUN("", GENERATE, "--stats", "x");
    assert_contains(ran.err, "6 tokens of the prompt were left out\n");
    assert_contains(ran.err, "prefix cache had 7 of 11 prompt tokens, 3 evicted; 8 of 9 drafted "
                             "tokens accepted; fingerprint f1\n");
    RUN("", GENERATE, "--json", "x");
    assert_contains(ran.out, "\"cache\":\"used\",\"cached_tokens\":7,\"evicted_tokens\":3,"
                             "\"drafted_tokens\":9,\"accepted_tokens\":8,\"fingerprint\":\"f1\","
                             "\"left_out_tokens\":6}");
}

static void every_option_reaches_the_daemon(void **state)
{
    char *schema = file_with("{\"type\":\"object\"}");
    RUN("", GENERATE, "--json-schema", schema, "--typical-p", "0.5", "--frequency-penalty", "-1.5",
        "--presence-penalty", "1.25", "--logit-bias", "77=-2.5", "--logit-bias", "8=1",
        "--logprobs=4", "--exact", "--shift", "--no-cache", "--cache-domain", "9", "--shorten",
        "--no-stream", "tell");
    unlink(schema);
    assert_int_equal(ran.code, 0);
    assert_contains(ran.out, "flags 496 n 1 typical 0.5 frequency -1.5 presence 1.25 biases 2 "
                             "77=-2.5 top 4 grammar 1 '{\"type\":\"object\"}' tools '' 0 domain 9");
    char *grammar = file_with("root ::= \"a\"\n");
    RUN("", GENERATE, "--grammar", grammar, "--no-stream", "tell");
    unlink(grammar);
    assert_contains(ran.out, "grammar 2 'root ::= \"a\"\n'");
    char *tools = file_with("[]");
    RUN("", "chat", "--model", "generator", "--tools", tools, "--tool-choice", "required",
        "--no-stream", "--message", "tell");
    unlink(tools);
    assert_contains(ran.out, "tools '[]' 2 domain 0 role 1 'tell'");
}

static void a_choice_is_printed_best_first(void **state)
{
    RUN("", "choose", "--model", "generator", "--prompt", "which?", "red", "green", "blue");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "0.5000  blue\n0.2500  green\n0.1250  red\n");
    RUN("", "choose", "--model", "generator", "--message", "which?", "--system", "s", "--json",
        "red", "green");
    assert_contains(ran.out, "{\"model\":\"generator\",\"choices\":[{\"text\":\"green\","
                             "\"probability\":0.5},{\"text\":\"red\",\"probability\":0.25}],"
                             "\"usage\":{");
    RUN("from a pipe\n", "choose", "--model", "generator", "a", "b");
    assert_string_equal(ran.out, "0.5000  b\n0.2500  a\n");
}

static void tool_calls_are_printed_and_the_next_lines_answer_them(void **state)
{
    char *tools = file_with("[]");
    RUN("", "chat", "--model", "generator", "--tools", tools, "--message", "calls");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "I look. \ncall c0 weather {\"city\":1}\ncall c1 time {}\n");
    RUN("", "chat", "--model", "generator", "--tools", tools, "--message", "calls", "--json");
    assert_contains(ran.out, "\"tool_calls\":[{\"index\":0,\"id\":\"c0\",\"name\":\"weather\","
                             "\"arguments\":\"{\\\"city\\\":1}\"},{\"index\":1,\"id\":\"c1\"");
    assert_contains(ran.out, "\"finish_reason\":\"tool_calls\"");
    RUN("calls\nsunny\ntell noon\n", "chat", "--model", "generator", "--tools", tools,
        "--no-stream");
    unlink(tools);
    assert_int_equal(ran.code, 0);
    assert_contains(ran.out, "call c1 time {}\nflags "); /* one request for both answers */
    assert_contains(ran.out, "role 3 'tell noon' calls '' name 'time' id 'c1'");
}

static void what_makes_no_sense_is_refused_with_what_was_wrong(void **state)
{
    char *nothing = file_with("");
    const struct {
        char *args[8];
        const char *said;
        int code;
    } cases[] = {
        {{"generate", "-n", "9", "x"}, "--answers: 9, wanted 1 to 8", 2},
        {{"generate", "-n", "two", "x"}, "--answers: 'two' is not a number", 2},
        {{"generate", "-n"}, "wants a value", 2},
        {{"classify", "-n", "2", "x"}, "unknown option -n", 2},
        {{"generate", "--logprobs=21", "x"}, "--logprobs: 21, wanted 0 to 20", 2},
        {{"generate", "--logit-bias", "77", "x"},
         "--logit-bias: '77', wanted an id and a number",
         2},
        {{"generate", "--logit-bias", "=1", "x"}, "--logit-bias: '=1'", 2},
        {{"generate", "--logit-bias", "1=x", "x"}, "--logit-bias: '1=x'", 2},
        {{"generate", "--logit-bias", "4294967296=1", "x"}, "--logit-bias: '4294967296=1'", 2},
        {{"generate", "--model", "m", "--logit-bias", "1=101", "x"}, "logit_bias[0].bias: 101", 1},
        {{"generate", "--model", "m", "--temperature", "2.5", "x"}, "temperature: 2.5", 1},
        {{"generate", "--json-schema", "a", "--grammar", "b", "x"}, "exclude each other", 2},
        {{"generate", "--json-schema", "/nonexistent", "x"}, "--json-schema: ", 1},
        {{"generate", "--grammar", nothing, "x"}, "is empty", 1},
        {{"generate", "--grammar", "/dev/zero", "x"}, "/dev/zero is not a regular file", 2},
        {{"generate", "--tools", nothing, "x"}, "unknown option --tools", 2},
        {{"chat", "--tool-choice", "none", "--message", "x"}, "given without --tools", 2},
        {{"chat", "--tools", nothing, "--tool-choice", "maybe", "--message", "x"},
         "'maybe' is not",
         2},
        {{"chat", "-n", "2"}, "more need --message", 2},
        {{"generate", "-n", "2", "--stream", "x"}, "with --json alone", 2},
        {{"choose", "--prompt", "x", "a"}, "1 choices given, wanted 2 to 128", 2},
        {{"choose", "--prompt", "x", "--message", "y", "a", "b"}, "exclude each other", 2},
        {{"choose", "--prompt", "x", "--system", "y", "a", "b"}, "given without --message", 2},
        {{"choose", "--model", "m", "--prompt", "x", "a", "a"}, "choices[1]: is there already", 1},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        run(((struct scripted_server *)*state)->path, "", (char **)(uintptr_t)cases[i].args, &ran);
        if (ran.code != cases[i].code) {
            fail_msg("case %zu: exit code %d: %s", i, ran.code, ran.err);
        }
        assert_contains(ran.err, cases[i].said);
        assert_contains(ran.err, "try: ");
        assert_string_equal(ran.out, "");
    }
    unlink(nothing);
}

static void help_names_every_option(void **state)
{
    static const char *const options[] = {
        "-n, --answers N", "--logprobs[=N]", "--json-schema FILE",  "--grammar FILE",
        "--typical-p P",   "--logit-bias",   "--frequency-penalty", "--presence-penalty",
        "--exact",         "--shift",        "--no-cache",          "--cache-domain N",
        "--shorten"};
    RUN("", "generate", "--help");
    for (size_t i = 0; i < HEARTH_COUNT(options); i++) {
        assert_contains(ran.out, options[i]);
    }
    assert_null(strstr(ran.out, "--tools"));
    RUN("", "chat", "--help");
    assert_contains(ran.out, "--tools FILE");
    assert_contains(ran.out, "--tool-choice C");
    RUN("", "choose", "--help");
    assert_contains(ran.out, "--prompt TEXT");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scripted_start, scripted_stop)

KIT_MAIN(TEST(several_answers_are_numbered_and_say_how_they_ended),
         TEST(tokens_are_shown_with_their_chances), TEST(usage_tells_cache_drafts_and_fingerprint),
         TEST(every_option_reaches_the_daemon), TEST(a_choice_is_printed_best_first),
         TEST(tool_calls_are_printed_and_the_next_lines_answer_them),
         TEST(what_makes_no_sense_is_refused_with_what_was_wrong), TEST(help_names_every_option))
