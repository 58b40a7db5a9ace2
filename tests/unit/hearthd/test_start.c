#include "kit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* hearthd as an operator starts it: what it refuses, what it says, and how quietly it ends. */
#define OUTPUT_BYTES 65536
#define MODELS       "fixtures/models/echo"

static char folder[64];
static char output[OUTPUT_BYTES];
static char log_path[96];
static char socket_path[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hearth-t-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    snprintf(socket_path, sizeof socket_path, "%s/sock", folder);
    return unsetenv("HEARTH_MODELS");
}

static int remove_folder(void **state)
{
    (void)state;
    char lock[112];
    snprintf(lock, sizeof lock, "%s.lock", socket_path);
    unlink(lock);
    unlink(log_path);
    return rmdir(folder);
}

static void read_log(void)
{
    FILE *file = fopen(log_path, "r");
    assert_non_null(file);
    output[fread(output, 1, sizeof output - 1, file)] = '\0';
    fclose(file);
}

static pid_t start(const char *models, const char *preload, bool has_standard_input)
{
    int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(log >= 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that fails leaves no daemon behind */
        dup2(log, 1);
        dup2(log, 2);
        if (!has_standard_input) {
            close(0);
        }
        execl(HEARTHD_PROGRAM, "hearthd", "--socket", socket_path, "--preload", preload,
              models != NULL ? "--models" : NULL, models, (char *)NULL);
        _exit(99);
    }
    close(log);
    return pid;
}

static int end_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_log();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void wait_for_log(const char *event)
{
    for (int i = 0; i < 2000; i++) { /* nobody announces a line of a log; 20 s bound a failure */
        read_log();
        if (strstr(output, event) != NULL) {
            return;
        }
        usleep(10000);
    }
    fail_msg("no %s in:\n%s", event, output);
}

static void assert_says(const char *part)
{
    if (strstr(output, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, output);
    }
}

static void an_unknown_preload_ends_the_start(void **state)
{
    (void)state;
    assert_int_equal(end_of(start(MODELS, "tiny,nothere", true)), 2);
    assert_says("preload: no model \"nothere\" in /");
    assert_says("/" MODELS " (config)");
    assert_null(strstr(output, "daemon.listening"));
}

static void a_named_folder_that_is_not_there_ends_the_start(void **state)
{
    (void)state;
    assert_int_equal(end_of(start("/nonexistent", "", true)), 2);
    assert_says("models folder /nonexistent: No such file or directory");
    setenv("HEARTH_MODELS", "/nonexistent", 1);
    assert_int_equal(end_of(start(NULL, "", true)), 2);
    assert_says("models folder /nonexistent: No such file or directory");
    setenv("HEARTH_MODELS", "relative", 1);
    assert_int_equal(end_of(start(NULL, "", true)), 2);
    assert_says("HEARTH_MODELS: \"relative\" must be an absolute path");
}

static void the_environment_names_models_and_the_option_wins(void **state)
{
    (void)state;
    char *models = realpath(MODELS, NULL);
    assert_non_null(models);
    setenv("HEARTH_MODELS", models, 1);
    free(models);
    pid_t pid = start(NULL, "tiny", true);
    wait_for_log("daemon.ready");
    assert_says("\"models_ready\":1");
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(end_of(pid), 0);
    setenv("HEARTH_MODELS", "/nonexistent", 1);
    pid = start(MODELS, "tiny", true);
    wait_for_log("daemon.ready");
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(end_of(pid), 0);
}

/* Without standard input, as some supervisors start programs; no descriptor takes its number. */
static void an_orderly_end_logs_no_error(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) { /* the daemon and the ends of three workers run a race */
        pid_t pid = start(MODELS, "tiny,classifier,embedder", i % 2 == 0);
        wait_for_log("daemon.ready");
        assert_int_equal(kill(pid, SIGTERM), 0);
        assert_int_equal(end_of(pid), 0);
        assert_says("daemon.ended");
        assert_null(strstr(output, "\"level\":\"error\""));
        assert_null(strstr(output, "\"level\":\"warn\""));
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

KIT_MAIN(IN_FOLDER(an_unknown_preload_ends_the_start),
         IN_FOLDER(a_named_folder_that_is_not_there_ends_the_start),
         IN_FOLDER(the_environment_names_models_and_the_option_wins),
         IN_FOLDER(an_orderly_end_logs_no_error))
