#include "hearth_log.h"

#include "hearth_os.h"
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A pipe in place of standard error. Event names differ between tests: the rate limit remembers. */
struct sink {
    int fds[2];
    char text[65536];
    size_t size;
};

static int set_up(void **state)
{
    static struct sink sink;
    *state = &sink;
    if (pipe2(sink.fds, O_CLOEXEC) != 0 || fcntl(sink.fds[0], F_SETFL, O_NONBLOCK) != 0) {
        return -1;
    }
    hearth_log_set_fd(sink.fds[1]);
    return 0;
}

static int tear_down(void **state)
{
    struct sink *sink = *state;
    hearth_log_set_fd(2);
    hearth_log_set_level(HEARTH_LOG_INFO);
    hearth_log_set_process(NULL);
    hearth_fd_close(&sink->fds[0]);
    hearth_fd_close(&sink->fds[1]);
    return 0;
}

/* Everything written since the last call. */
static const char *written(struct sink *sink)
{
    sink->size = 0;
    size_t got = 0;
    while (hearth_fd_read(sink->fds[0], sink->text + sink->size, sizeof sink->text - sink->size - 1,
                          &got) == 0 &&
           got > 0) {
        sink->size += got;
    }
    sink->text[sink->size] = '\0';
    return sink->text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void line_has_time_level_event_and_typed_fields(void **state)
{
    struct sink *sink = *state;
    struct hearth_error err = {HEARTH_E_NO_MODEL, ENOENT, "no model \"x\""};
    hearth_log_set_process("hearthd");
    hearth_log(HEARTH_LOG_WARN, "worker.died", "pid", hearth_log_i(-71), "bytes",
               hearth_log_u(UINT64_MAX), "ratio", hearth_log_d(0.25), "bad", hearth_log_d(NAN),
               "is_new", hearth_log_b(true), "model", hearth_log_s("tiny"), "none",
               hearth_log_s(NULL), "error", hearth_log_err(&err), NULL);
    const char *line = written(sink);
    static const char rest[] =
        ",\"level\":\"warn\",\"process\":\"hearthd\",\"event\":\"worker.died\",\"pid\":-71,"
        "\"bytes\":18446744073709551615,\"ratio\":0.25,\"bad\":null,\"is_new\":true,"
        "\"model\":\"tiny\",\"none\":null,\"error\":{\"code\":\"no_model\","
        "\"text\":\"no model \\\"x\\\"\",\"errno\":2}}\n";
    int year = 0;
    int month = 0;
    int day = 0;
    int length = 0;
    assert_int_equal(sscanf(line, "{\"time\":\"%4d-%2d-%2dT%*2d:%*2d:%*2d.%*3dZ\"%n", &year, &month,
                            &day, &length),
                     3);
    assert_true(year >= 2024 && length == 34);
    assert_string_equal(line + length, rest);
}

static void string_is_escaped_and_stays_valid_json(void **state)
{
    struct sink *sink = *state;
    hearth_log(HEARTH_LOG_INFO, "test.escape", "s",
               hearth_log_s("a\"b\\c\n\t\x01\x7f\xff"
                            "é\xe2\x82"),
               NULL);
    assert_non_null(strstr(written(sink), "\"s\":\"a\\\"b\\\\c\\u000a\\u0009\\u0001\\u007f\\ufffdé"
                                          "\\ufffd\\ufffd\"}\n"));
}

static void long_string_is_cut_between_characters(void **state)
{
    struct sink *sink = *state;
    char text[400] = "x";
    for (size_t i = 1; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "é", 2); /* bytes 127 and 128 are one character */
    }
    hearth_log(HEARTH_LOG_INFO, "test.long", "s", hearth_log_s(text), NULL);
    const char *line = written(sink);
    assert_int_equal(count_of(line, "é"), 63);
    assert_non_null(strstr(line, "é…\"}\n"));
}

static void string_of_exactly_the_limit_is_whole(void **state)
{
    struct sink *sink = *state;
    char text[HEARTH_LOG_STRING_BYTES + 1];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    hearth_log(HEARTH_LOG_INFO, "test.exact", "s", hearth_log_s(text), NULL);
    const char *line = written(sink);
    assert_int_equal(count_of(line, "y"), HEARTH_LOG_STRING_BYTES);
    assert_int_equal(count_of(line, "…"), 0);
}

static void overlong_line_loses_whole_fields_and_says_so(void **state)
{
    struct sink *sink = *state;
    char text[HEARTH_LOG_STRING_BYTES + 1];
    memset(text, 'z', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct hearth_log_value value = hearth_log_s(text);
    hearth_log(HEARTH_LOG_INFO, "test.overlong", "a", value, "b", value, "c", value, "d", value,
               "e", value, "f", value, "g", value, "h", value, "i", value, NULL);
    const char *line = written(sink);
    assert_true(strlen(line) <= HEARTH_LOG_LINE_BYTES);
    assert_non_null(strstr(line, "z\",\"cut\":true}\n"));
    assert_int_equal(count_of(line, "z") % HEARTH_LOG_STRING_BYTES, 0);
}

static void lines_below_the_level_are_not_written(void **state)
{
    struct sink *sink = *state;
    enum hearth_log_level level = HEARTH_LOG_ERROR;
    hearth_log(HEARTH_LOG_DEBUG, "test.level", NULL);
    assert_string_equal(written(sink), "");
    assert_true(hearth_log_level_of("debug", &level));
    hearth_log_set_level(level);
    hearth_log(HEARTH_LOG_DEBUG, "test.level", NULL);
    assert_int_equal(count_of(written(sink), "\"level\":\"debug\""), 1);
    assert_false(hearth_log_level_of("verbose", &level));
    hearth_log_set_fd(-1);
    hearth_log(HEARTH_LOG_ERROR, "test.level", NULL);
    assert_string_equal(written(sink), "");
}

static void frequent_event_is_limited_and_others_are_not(void **state)
{
    struct sink *sink = *state;
    struct hearth_log_losses before;
    struct hearth_log_losses after;
    hearth_log_losses(&before);
    uint64_t began_ns = hearth_clock_ns();
    for (int i = 0; i < 3 * HEARTH_LOG_BURST; i++) {
        hearth_log(HEARTH_LOG_INFO, "test.frequent", NULL);
    }
    hearth_log(HEARTH_LOG_INFO, "test.rare", NULL);
    const char *text = written(sink);
    hearth_log_losses(&after);
    assert_int_equal(count_of(text, "test.frequent"), HEARTH_LOG_BURST);
    assert_int_equal(count_of(text, "test.rare"), 1);
    assert_int_equal(after.suppressed - before.suppressed, 2 * HEARTH_LOG_BURST);
    /* The next second is waited for, because what it brings is the claim. */
    struct timespec rest;
    uint64_t left_ns = began_ns + HEARTH_NS_PER_SEC + 50 * HEARTH_NS_PER_MS - hearth_clock_ns();
    rest.tv_sec = (time_t)(left_ns / HEARTH_NS_PER_SEC);
    rest.tv_nsec = (long)(left_ns % HEARTH_NS_PER_SEC);
    nanosleep(&rest, NULL);
    hearth_log(HEARTH_LOG_INFO, "test.frequent", NULL);
    hearth_log(HEARTH_LOG_INFO, "test.frequent", NULL);
    text = written(sink);
    assert_int_equal(count_of(text, "test.frequent"), 2);
    assert_int_equal(count_of(text, "\"suppressed\":40"), 1);
}

static void full_sink_loses_lines_without_blocking_and_tells(void **state)
{
    struct sink *sink = *state;
    struct hearth_log_losses before;
    struct hearth_log_losses after;
    hearth_log_losses(&before);
    assert_int_equal(fcntl(sink->fds[1], F_SETPIPE_SZ, 4096), 4096);
    static const char junk[4000];
    assert_int_equal(write(sink->fds[1], junk, sizeof junk), (ssize_t)sizeof junk);
    hearth_log(HEARTH_LOG_INFO, "test.full", NULL); /* would block for ever on a blocking write */
    hearth_log(HEARTH_LOG_INFO, "test.full", NULL);
    hearth_log_losses(&after);
    assert_int_equal(after.lost - before.lost, 2);
    assert_int_equal(fcntl(sink->fds[1], F_GETFL) & O_NONBLOCK,
                     0); /* the flag is not ours to set */
    written(sink);
    hearth_log(HEARTH_LOG_INFO, "test.full", NULL);
    assert_int_equal(count_of(written(sink), "\"lost_lines\":2"), 1);
    hearth_log(HEARTH_LOG_INFO, "test.full", NULL);
    assert_int_equal(count_of(written(sink), "lost_lines"), 0);
}

/* Standard error becomes @fd; what it was is returned. */
static int replace_stderr(int fd)
{
    int saved = dup(2);
    assert_true(saved >= 0);
    assert_int_equal(dup2(fd, 2), 2);
    return saved;
}

static void restore_stderr(int saved)
{
    assert_int_equal(dup2(saved, 2), 2);
    hearth_fd_close(&saved);
    hearth_log_set_fd(2);
}

/* Room that was there when it was asked for may be gone when the line is written: another process
 * was quicker. Nothing can be put between the two, so the writing is shown not to wait by itself.
 */
static void own_end_of_a_pipe_never_waits_and_leaves_the_shared_flags(void **state)
{
    struct sink *sink = *state;
    int saved = replace_stderr(sink->fds[1]);
    hearth_log_own_stderr();
    hearth_log(HEARTH_LOG_INFO, "test.own", NULL);
    int own = sink->fds[1] + 1; /* the smallest free number, or beyond it */
    while (own < 100 &&
           (fcntl(own, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) != (O_WRONLY | O_NONBLOCK)) {
        own++;
    }
    restore_stderr(saved);
    assert_int_equal(count_of(written(sink), "test.own"), 1);
    assert_int_equal(fcntl(sink->fds[1], F_GETFL) & O_NONBLOCK, 0);
    static const char junk[65536];
    size_t put = 0;
    while (hearth_fd_write(own, junk, sizeof junk, &put) == 0) {
    }
    assert_int_equal(hearth_fd_write(own, "x", 1, &put), HEARTH_E_NOT_READY);
    hearth_fd_close(&own);
}

static void socket_as_standard_error_takes_lines_and_loses_them_when_full(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    int saved = replace_stderr(ends[1]);
    hearth_log_own_stderr();
    struct hearth_log_losses before;
    struct hearth_log_losses after;
    hearth_log_losses(&before);
    hearth_log(HEARTH_LOG_INFO, "test.socket", NULL);
    static const char junk[4096];
    while (send(ends[1], junk, sizeof junk, MSG_DONTWAIT) > 0) {
    }
    hearth_log(HEARTH_LOG_INFO, "test.socket", NULL); /* the socket itself is a blocking one */
    hearth_log_losses(&after);
    restore_stderr(saved);
    assert_int_equal(after.lost - before.lost, 1);
    char line[256] = "";
    assert_true(recv(ends[0], line, sizeof line - 1, 0) > 0);
    assert_non_null(strstr(line, "test.socket"));
    hearth_fd_close(&ends[0]);
    hearth_fd_close(&ends[1]);
}

static void reader_that_went_costs_a_line_and_not_the_process(void **state)
{
    struct sink *sink = *state;
    struct hearth_log_losses before;
    struct hearth_log_losses after;
    hearth_log_losses(&before);
    hearth_fd_close(&sink->fds[0]);
    hearth_log(HEARTH_LOG_INFO, "test.gone", NULL); /* SIGPIPE would end this test */
    hearth_log_losses(&after);
    assert_int_equal(after.lost - before.lost, 1);
}

static void logging_allocates_nothing(void **state)
{
    (void)state;
    uint64_t before = hearth_alloc_count();
    hearth_log(HEARTH_LOG_INFO, "test.alloc", "n", hearth_log_i(1), "d", hearth_log_d(0.1), NULL);
    assert_int_equal(hearth_alloc_count(), before);
}

static void log_from_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        hearth_log(HEARTH_LOG_INFO, "test.threads", "filler", hearth_log_s("0123456789"), NULL);
    }
}

static void lines_of_several_threads_are_whole(void **state)
{
    struct sink *sink = *state;
    pthread_t threads[4];
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        assert_int_equal(hearth_thread_start(&threads[i], "logger", 0, log_from_thread, NULL, NULL),
                         0);
    }
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        hearth_thread_join(threads[i]);
    }
    const char *text = written(sink);
    assert_int_equal(count_of(text, "\n"), 20);
    assert_int_equal(count_of(text, "\"filler\":\"0123456789\"}\n"), 20);
    assert_int_equal(count_of(text, "{\"time\""), 20);
}

#define WITH_SINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(WITH_SINK(line_has_time_level_event_and_typed_fields),
         WITH_SINK(string_is_escaped_and_stays_valid_json),
         WITH_SINK(long_string_is_cut_between_characters),
         WITH_SINK(string_of_exactly_the_limit_is_whole),
         WITH_SINK(overlong_line_loses_whole_fields_and_says_so),
         WITH_SINK(lines_below_the_level_are_not_written),
         WITH_SINK(frequent_event_is_limited_and_others_are_not),
         WITH_SINK(full_sink_loses_lines_without_blocking_and_tells),
         WITH_SINK(own_end_of_a_pipe_never_waits_and_leaves_the_shared_flags),
         WITH_SINK(socket_as_standard_error_takes_lines_and_loses_them_when_full),
         WITH_SINK(reader_that_went_costs_a_line_and_not_the_process),
         WITH_SINK(logging_allocates_nothing), WITH_SINK(lines_of_several_threads_are_whole))
