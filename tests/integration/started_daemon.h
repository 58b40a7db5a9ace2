/* started_daemon.h — a hearthd of its own for one test program, and texts to compare with: those of
 * a program that knows llama.h and nothing of ours.
 *
 * Compiled with HEARTH_BIN (folder of the programs), HEARTH_REFERENCE (reference_greedy) and
 * HEARTH_ROOT (of the project). */

#ifndef HEARTH_STARTED_DAEMON_H
#define HEARTH_STARTED_DAEMON_H

#include "kit.h"

#include <hearth/hearth.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMOL      "smollm2-135m-instruct"
#define SMOL_FILE HEARTH_ROOT "/models/store/" SMOL "/" SMOL ".gguf"
#define TINY      "tiny-llama"
#define TINY_FILE HEARTH_ROOT "/fixtures/models/gguf/" TINY ".gguf"
#define STORES    HEARTH_ROOT "/models/store:" HEARTH_ROOT "/fixtures/models/gguf"

struct started_daemon {
    char folder[64];
    char socket[96];
    pid_t pid;
};

static hearth_client *daemon_connect(const struct started_daemon *daemon)
{
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = daemon->socket;
    hearth_client *client = NULL;
    hearth_connect(&params, &client, NULL);
    return client;
}

/* 20 ms: a fact that nobody announces is looked for. */
static hearth_client *daemon_wait(const struct started_daemon *daemon)
{
    hearth_client *client = NULL;
    for (int i = 0; i < 3000 && client == NULL; i++) {
        assert_int_equal(waitpid(daemon->pid, NULL, WNOHANG), 0);
        client = daemon_connect(daemon);
        usleep(20000);
    }
    assert_non_null(client);
    return client;
}

static void daemon_load(hearth_client *client, const char *name)
{
    hearth_error err = {0};
    hearth_load(client, name, 0, NULL, &err);
    assert_string_equal(err.text, "");
}

/* @models: folders with a colon between; @names: to be loaded, then NULL. */
static void daemon_start(struct started_daemon *daemon, const char *models,
                         const char *const *names)
{
    char path[128];
    snprintf(daemon->folder, sizeof daemon->folder, "/tmp/hearth-integration-XXXXXX");
    assert_non_null(mkdtemp(daemon->folder));
    snprintf(daemon->socket, sizeof daemon->socket, "%s/hearthd.sock", daemon->folder);
    snprintf(path, sizeof path, "%s/log", daemon->folder);
    fflush(NULL);
    daemon->pid = fork();
    if (daemon->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (freopen(path, "w", stderr) == NULL || freopen(path, "a", stdout) == NULL) {
            _exit(98);
        }
        execl(HEARTH_BIN "/hearthd", "hearthd", "--socket", daemon->socket, "--models", models,
              (char *)NULL);
        _exit(99);
    }
    assert_true(daemon->pid > 0);
    hearth_client *client = daemon_wait(daemon);
    for (; *names != NULL; names++) {
        daemon_load(client, *names);
    }
    hearth_disconnect(client);
}

static void daemon_stop(struct started_daemon *daemon)
{
    static const char *const files[] = {"log", "hearthd.sock", "hearthd.sock.lock"};
    int status = 0;
    kill(daemon->pid, SIGTERM);
    waitpid(daemon->pid, &status, 0);
    for (size_t i = 0; i < HEARTH_COUNT(files); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", daemon->folder, files[i]);
        unlink(path);
    }
    rmdir(daemon->folder);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Runs a program to its end: @input (or NULL) is its standard input, its output goes to @room. */
static void program_run(FILE *input, char *room, size_t room_bytes, const char *const *argv)
{
    int status = 0;
    FILE *output = tmpfile();
    assert_non_null(output);
    if (input != NULL) {
        rewind(input);
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(input != NULL ? fileno(input) : 0, 0);
        dup2(fileno(output), 1);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    rewind(output);
    size_t size = fread(room, 1, room_bytes - 1, output);
    room[size] = '\0';
    fclose(output);
}

/* ── The reference ───────────────────────────────────────────────────────────────────────────── */

struct reference {
    char text[8192];
    uint32_t ids[512]; /* the end token is the last, if it came to it */
    size_t id_count;
};

static void reference_parse(const char *line, struct reference *ret)
{
    const char *ids = strstr(line, ", \"ids\": [");
    const char *hex = strstr(line, "\"text_hex\": \"");
    assert_true(ids != NULL && hex != NULL);
    memset(ret, 0, sizeof *ret);
    for (char *at = (char *)(uintptr_t)ids + 10; *at != ']';) {
        assert_true(ret->id_count < HEARTH_COUNT(ret->ids));
        ret->ids[ret->id_count++] = (uint32_t)strtoul(at, &at, 10);
        at += strspn(at, ", ");
    }
    hex += strlen("\"text_hex\": \"");
    for (size_t i = 0; hex[2 * i] != '"' && i < sizeof ret->text - 1; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        ret->text[i] = (char)strtoul(digits, NULL, 16);
    }
}

/* A chat as SmolLM2's own template spells it; what jinja2 makes of the file's template is compared
 * in tests/integration/gguf/test_chat_tools.py. */
static inline void write_smol_chat(FILE *input, const hearth_chat_message *messages, size_t count)
{
    static char text[8192];
    int size = 0;
    if (messages[0].role != HEARTH_ROLE_SYSTEM) {
        size =
            snprintf(text, sizeof text,
                     "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
                     "Hugging Face<|im_end|>\n");
    }
    for (size_t i = 0; i < count; i++) {
        size += snprintf(text + size, sizeof text - (size_t)size, "<|im_start|>%s\n%s<|im_end|>\n",
                         hearth_role_name(messages[i].role), messages[i].content);
        assert_in_range(size, 1, sizeof text / 2);
    }
    snprintf(text + size, sizeof text - (size_t)size, "<|im_start|>assistant\n");
    fprintf(input, "r %zu\n%s", strlen(text), text);
}

/* Greedy, @tokens at the most: a plain prompt if @count is 0, else a chat with SmolLM2. */
static inline void reference_ask(const char *file, unsigned tokens, const char *prompt,
                                 const hearth_chat_message *messages, size_t count,
                                 struct reference *ret)
{
    char number[16];
    FILE *input = tmpfile();
    assert_non_null(input);
    if (count == 0) {
        fprintf(input, "p %zu\n%s", strlen(prompt), prompt);
    } else {
        write_smol_chat(input, messages, count);
    }
    snprintf(number, sizeof number, "%u", tokens);
    static char line[65536];
    program_run(input, line, sizeof line,
                (const char *[]){HEARTH_REFERENCE, file, "1", "4096", "4", number, NULL});
    fclose(input);
    reference_parse(line, ret);
}

/* ── Questions ───────────────────────────────────────────────────────────────────────────────── */

static inline hearth_request_params greedy(const char *model, uint32_t tokens)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = model;
    params.max_tokens = tokens;
    params.temperature = 0;
    params.repetition_penalty = 1;
    params.wants_token_ids = 1;
    return params;
}

#endif
