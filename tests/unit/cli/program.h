/* program.h — the program itself, as a user runs it, against the scripted daemon. */

#ifndef HEARTH_TEST_PROGRAM_H
#define HEARTH_TEST_PROGRAM_H

#include "scripted_server.h"

#include <stdlib.h>

#define OUTPUT_BYTES 65536

struct ran {
    int code;
    char out[OUTPUT_BYTES];
    char err[OUTPUT_BYTES];
};

static struct ran ran;

static void read_file(FILE *file, char *room)
{
    rewind(file);
    size_t size = fread(room, 1, OUTPUT_BYTES - 1, file);
    room[size] = '\0';
    fclose(file);
}

/* Runs `hearth --socket PATH ARG…` with @input as standard input. */
static void run(const char *socket, const char *input, char **args, struct ran *ret)
{
    FILE *in = tmpfile();
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    assert_true(in != NULL && out != NULL && err != NULL);
    fputs(input, in);
    rewind(in);
    char *argv[32] = {(char *)"hearth", (char *)"--socket", (char *)(uintptr_t)socket};
    for (size_t i = 0; args[i] != NULL; i++) {
        argv[i + 3] = args[i];
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(in), 0);
        dup2(fileno(out), 1);
        dup2(fileno(err), 2);
        execv(HEARTH_PROGRAM, argv);
        _exit(99);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fclose(in);
    read_file(out, ret->out);
    read_file(err, ret->err);
}

#define RUN(input, ...)                                                                            \
    run(((struct scripted_server *)*state)->path, input, (char *[]){__VA_ARGS__, NULL}, &ran)

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, text);
    }
}

#endif
