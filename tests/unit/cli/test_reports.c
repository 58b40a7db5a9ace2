#include "program.h"

#include <fcntl.h>

/* What the daemon tells and is told beside requests; token ids; the token. */

static void metrics_are_printed_for_people_programs_and_prometheus(void **state)
{
    RUN("", "metrics");
    assert_int_equal(ran.code, 0);
    assert_contains(ran.out, "requests_total                                      7\n");
    assert_contains(ran.out, "queue_depth                                         2  now\n");
    assert_contains(ran.out, "request_first_us                                    3       2000 "
                             "      5000       8000       8000\n");
    RUN("", "metrics", "--prometheus");
    assert_string_equal(ran.out, SCRIPTED_PROMETHEUS);
    RUN("", "metrics", "--json");
    assert_contains(ran.out, "{\"counters\":{\"requests_total\":7,\"bytes_received_total\":"
                             "18446744073709551615},\"gauges\":{\"queue_depth\":2}");
    assert_contains(ran.out, "\"request_queue_us\":{\"count\":3,\"sum\":6000,\"min\":900,\"max\":"
                             "4000,\"p50\":1000,\"p95\":2500,\"p99\":4000,\"buckets\":[{\"up_to\":"
                             "1023,\"count\":2},{\"up_to\":null,\"count\":1}]}");
}

static void status_shows_times_from_the_histograms(void **state)
{
    RUN("", "status");
    assert_contains(ran.out, "TIMES                  REQUESTS     P50 MS     P95 MS     P99 MS     "
                             "MAX MS\n");
    assert_contains(ran.out,
                    "waited                        3      1.000      2.500      4.000      "
                    "4.000\n");
    assert_contains(ran.out, "to the end                    3      3.000      7.500     12.000     "
                             "12.000\n");
    RUN("", "status", "--json");
    assert_contains(ran.out, "\"times\":{\"queue_us\":{\"count\":3,");
}

static void a_probe_is_an_exit_code_and_needs_no_session(void **state)
{
    /* The script refuses the session of a client named so; this one asks for none. */
    RUN("", "status", "--check", "live");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "alive\n");
    RUN("", "status", "--check", "ready");
    assert_int_equal(ran.code, 1);
    assert_string_equal(ran.out, "not ready\n");
    RUN("", "status", "--check", "full");
    assert_int_equal(ran.code, 2);
    run("/tmp/hearth-there-is-none/sock", "",
        (char *[]){(char *)"status", (char *)"--check", (char *)"live", NULL}, &ran);
    assert_int_equal(ran.code, 1); /* not 3: whoever probes knows 0 and 1 */
}

static void requests_are_listed(void **state)
{
    RUN("", "requests");
    assert_int_equal(ran.code, 0);
    assert_contains(ran.out,
                    "        41 mirror                   generate  high     running               "
                    "    1.5 s       77 wri?[2J?t?er \303\251\n");
    assert_contains(ran.out,
                    "        42 parity                   classify  normal   waits, 3 first, 2.5 s"
                    "     0.0 s       78 -\n");
    assert_contains(ran.out, "and 3 more\n");
    RUN("", "requests", "--model", "parity", "--json");
    assert_contains(ran.out,
                    "{\"requests\":[{\"ticket\":42,\"model\":\"parity\",\"task\":\"classify\","
                    "\"priority\":\"normal\",\"state\":\"queued\",\"position\":3,"
                    "\"expected_wait_ms\":2500,\"age_ms\":20,"
                    "\"pid\":78,\"program\":\"\"}],\"total\":5}\n");
}

static void cancel_ends_tickets_or_all(void **state)
{
    RUN("", "cancel", "41");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "request 41 is cancelled\n");
    RUN("", "cancel", "7");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "no such request: no open request of yours has the ticket 7");
    RUN("", "cancel", "--all", "--json");
    assert_int_equal(ran.code, 0);
    /* There are more than are listed: it asks again. The script never runs out of 41; a program
     * that would go on for ever ends all the same. */
    assert_contains(ran.out, "{\"cancelled\":[41,41");
}

static void a_ticket_that_has_ended_keeps_no_other_open(void **state)
{
    RUN("", "cancel", "7", "41", "8");
    assert_int_equal(ran.code, 1);
    assert_string_equal(ran.out, "request 41 is cancelled\n");
    assert_contains(ran.err, "ticket 7");
    RUN("", "cancel", "--json", "41", "7");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.out, "{\"cancelled\":[41]}\n{\"error\":");
}

static void cancel_of_nothing_or_nonsense_is_usage(void **state)
{
    RUN("", "cancel");
    assert_int_equal(ran.code, 2);
    RUN("", "cancel", "x41");
    assert_int_equal(ran.code, 2);
    RUN("", "cancel", "0");
    assert_int_equal(ran.code, 2);
    RUN("", "cancel", "--all", "41");
    assert_int_equal(ran.code, 2);
    RUN("", "cancel", "41", "--model", "mirror");
    assert_int_equal(ran.code, 2);
    RUN("", "cancel", "--all", "--model", "nothing");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "no such request is open\n");
}

static void warmup_says_how_long_it_took(void **state)
{
    RUN("", "models", "warmup", "mirror", "--tokens", "5");
    assert_int_equal(ran.code, 0);
    assert_string_equal(ran.out, "mirror is warm, 0.050 s\n");
    RUN("", "models", "warmup", "shelf");
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "the model is not ready: the model is not loaded");
    RUN("", "models", "warmup", "mirror", "--tokens", "65");
    assert_int_equal(ran.code, 2);
    RUN("", "models", "warmup");
    assert_int_equal(ran.code, 2);
}

static void token_ids_go_in_and_come_out(void **state)
{
    RUN("", "classify", "--token-ids", "7,8");
    assert_string_equal(ran.out, "even                 0.7500  (token ids)\n");
    RUN("", "embed", "--token-ids", "1,2,4294967295");
    assert_string_equal(ran.out, "1: 3 dimensions, norm 3.1623: [3.0000 0.0000 1.0000]\n");
    RUN("", "generate", "--token-ids", "1,2,3", "--ids");
    assert_string_equal(ran.out, "iii\nids 105 105 105\n"); /* the script's letter for an id */
    RUN("", "generate", "--ids", "--json", "ab");
    assert_contains(ran.out, "\"text\":\"ba\",\"token_ids\":[98,97]");
    RUN("", "generate", "--ids", "--json", "--stream", "ab");
    assert_contains(ran.out, "{\"piece\":\"b\",\"tokens\":1,\"token_ids\":[98]}\n");
    RUN("", "generate", "--json", "ab");
    assert_null(strstr(ran.out, "token_ids"));
}

static void token_ids_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {"", "a", "1,", ",1", "1 2", "-1", "4294967296", "1,,2"};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        RUN("", "embed", "--token-ids", (char *)(uintptr_t)wrong[i]);
        assert_int_equal(ran.code, 2);
        assert_contains(ran.err, "--token-ids: ");
    }
    RUN("", "generate", "--token-ids", "1", "text");
    assert_int_equal(ran.code, 2);
    RUN("", "embed", "--token-ids", "1", "text");
    assert_int_equal(ran.code, 2);
}

static void vectors_go_to_standard_output_in_binary(void **state)
{
    RUN("", "embed", "--output", "-", "abc");
    static const uint8_t wanted[] = {0, 0, 0x40, 0x40, 0, 0, 0, 0, 0, 0, 0x80, 0x3f}; /* 3 0 1 */
    assert_memory_equal(ran.out, wanted, sizeof wanted);
    assert_int_equal(ran.out[sizeof wanted], 0);
    RUN("", "embed", "--output", "-", "--format", "csv", "abc");
    assert_int_equal(ran.code, 2);
    RUN("", "embed", "--format", "npy", "abc");
    assert_int_equal(ran.code, 2);
    RUN("", "embed", "--output", "-", "--json", "abc");
    assert_int_equal(ran.code, 2);
    RUN("", "embed", "--output", "-", "--similarity", "a", "b");
    assert_int_equal(ran.code, 2);
}

/* ── The token ───────────────────────────────────────────────────────────────────────────────── */

static void the_token_comes_from_the_environment_or_a_file(void **state)
{
    char path[96];
    snprintf(path, sizeof path, "%s/token", ((struct scripted_server *)*state)->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("secret\n", file);
    fclose(file);
    RUN("", "status");
    assert_contains(ran.out, "scripted 1, ");
    RUN("", "status", "--token-file", path);
    assert_contains(ran.out, "scripted for friends, ");
    setenv("HEARTH_TOKEN", "secret", 1);
    RUN("", "status");
    assert_contains(ran.out, "scripted for friends, ");
    setenv("HEARTH_TOKEN", "other", 1);
    RUN("", "status", "--token-file", path); /* the nearer one counts */
    assert_contains(ran.out, "scripted for friends, ");
    unlink(path);
    RUN("", "status", "--token-file", path);
    assert_int_equal(ran.code, 1);
    assert_contains(ran.err, "--token-file: ");
    unsetenv("HEARTH_TOKEN");
}

static void a_token_over_the_limit_is_named_not_shown(void **state)
{
    char large[400];
    memset(large, 's', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    setenv("HEARTH_TOKEN", large, 1);
    RUN("", "status");
    assert_int_equal(ran.code, 2);
    assert_contains(ran.err, "$HEARTH_TOKEN: longer than 256 bytes");
    assert_null(strstr(ran.err, "ssss"));
    large[256] = '\0';
    setenv("HEARTH_TOKEN", large, 1);
    RUN("", "status");
    assert_int_equal(ran.code, 0);
    unsetenv("HEARTH_TOKEN");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(WITH_SERVER(metrics_are_printed_for_people_programs_and_prometheus),
         WITH_SERVER(status_shows_times_from_the_histograms),
         WITH_SERVER(a_probe_is_an_exit_code_and_needs_no_session),
         WITH_SERVER(requests_are_listed), WITH_SERVER(cancel_ends_tickets_or_all),
         WITH_SERVER(a_ticket_that_has_ended_keeps_no_other_open),
         WITH_SERVER(cancel_of_nothing_or_nonsense_is_usage),
         WITH_SERVER(warmup_says_how_long_it_took), WITH_SERVER(token_ids_go_in_and_come_out),
         WITH_SERVER(token_ids_that_are_none_are_refused),
         WITH_SERVER(vectors_go_to_standard_output_in_binary),
         WITH_SERVER(the_token_comes_from_the_environment_or_a_file),
         WITH_SERVER(a_token_over_the_limit_is_named_not_shown))
