#include "kit.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* `hearth run` with the real daemon and the echo worker. Everything happens below a folder of the
 * test's own (TMPDIR), so that what is left behind can be seen. */
#define OUTPUT_BYTES 65536

static char folder[64];
static char output[OUTPUT_BYTES];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hearth-t-XXXXXX");
    return mkdtemp(folder) == NULL || setenv("TMPDIR", folder, 1) != 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails unless `hearth run` has removed all that it made */
}

static pid_t start_run(const char *preload, const char *command, FILE *out)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), 1);
        dup2(fileno(out), 2);
        execl(HEARTH_PROGRAM, "hearth", "run", "--models", "fixtures/models/echo", "--preload",
              preload, "--", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Runs `hearth config …` and returns its exit code. */
static int run_config(char *verb, char *file)
{
    FILE *out = tmpfile();
    assert_non_null(out);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), 1);
        dup2(fileno(out), 2);
        execl(HEARTH_PROGRAM, "hearth", "config", verb, file != NULL ? "--config" : (char *)NULL,
              file, (char *)NULL);
        _exit(99);
    }
    int code = end_of(pid);
    rewind(out);
    size_t size = fread(output, 1, sizeof output - 1, out);
    output[size] = '\0';
    fclose(out);
    return code;
}

static int run(const char *preload, const char *command)
{
    FILE *out = tmpfile();
    assert_non_null(out);
    int code = end_of(start_run(preload, command, out));
    rewind(out);
    size_t size = fread(output, 1, sizeof output - 1, out);
    output[size] = '\0';
    fclose(out);
    return code;
}

static void the_command_finds_the_daemon_and_its_models(void **state)
{
    (void)state;
    int code = run("tiny,embedder", "\"" HEARTH_PROGRAM "\" generate hello && \"" HEARTH_PROGRAM
                                    "\" health --ready && stat -c %a \"${HEARTH_SOCKET%/*}\"");
    assert_string_equal(output, "olleh\nready\n700\n");
    assert_int_equal(code, 0);
}

static void the_exit_code_is_the_commands(void **state)
{
    (void)state;
    assert_int_equal(run("tiny", "exit 7"), 7);
    assert_int_equal(run("tiny", "kill -9 $$"), 137);
}

static void a_model_that_cannot_be_preloaded_is_named(void **state)
{
    (void)state;
    assert_int_equal(run("tiny,nothere", "echo it-ran"), 2);
    assert_non_null(strstr(output, "no model \"nothere\" in "));
    assert_non_null(strstr(output, "hearth: the configuration is not valid: "));
    assert_null(strstr(output, "it-ran"));
}

static void a_signal_reaches_the_command(void **state)
{
    (void)state;
    FILE *out = tmpfile();
    assert_non_null(out);
    /* The command says that it runs by a file in the folder that the test can see. */
    char command[256];
    snprintf(command, sizeof command,
             "trap 'rm %s/up; exit 9' TERM; : > %s/up; while :; do sleep 0.05; done", folder,
             folder);
    pid_t pid = start_run("tiny", command, out);
    char up[80];
    snprintf(up, sizeof up, "%s/up", folder);
    for (int i = 0; i < 2000 && access(up, F_OK) != 0; i++) {
        usleep(10000); /* waits for a fact that nobody announces; 20 s bound a broken program */
    }
    assert_int_equal(access(up, F_OK), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(end_of(pid), 9);
    fclose(out);
}

static void the_configuration_is_shown_and_a_wrong_line_named(void **state)
{
    (void)state;
    char file[80];
    snprintf(file, sizeof file, "%s/hearthd.conf", folder);
    assert_int_equal(run_config((char *)"defaults", NULL), 0);
    assert_non_null(strstr(output, "queue_limit = 256\n"));
    FILE *conf = fopen(file, "w");
    assert_non_null(conf);
    fputs("[daemon]\nqueue_limit = 77\n", conf);
    fclose(conf);
    assert_int_equal(run_config((char *)"show", file), 0);
    assert_non_null(strstr(output, "queue_limit = 77\n"));
    assert_int_equal(run_config((char *)"validate", file), 0);
    assert_string_equal(output, "");
    conf = fopen(file, "w");
    assert_non_null(conf);
    fputs("[daemon]\nqueue_limit = many\n", conf);
    fclose(conf);
    assert_int_equal(run_config((char *)"validate", file), 2);
    assert_non_null(strstr(output, "hearthd.conf:2"));
    assert_non_null(strstr(output, "queue_limit"));
    assert_int_equal(run_config((char *)"improve", NULL), 2);
    assert_int_equal(unlink(file), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

KIT_MAIN(IN_FOLDER(the_command_finds_the_daemon_and_its_models),
         IN_FOLDER(the_exit_code_is_the_commands),
         IN_FOLDER(a_model_that_cannot_be_preloaded_is_named),
         IN_FOLDER(a_signal_reaches_the_command),
         IN_FOLDER(the_configuration_is_shown_and_a_wrong_line_named))
