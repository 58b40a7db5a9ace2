/* load_many.c — loads GGUF files one after another, each in a process of its own.
 *
 *     load_many [THREADS]  < lines of "PATH TASK" (generate, embed)  > lines
 *
 * Each line that comes out is an outcome, and what is known about it behind a tab:
 *
 *     refused   by our inspection, with the error
 *     rejected  by the library, with the error
 *     loaded    and answered: four tokens, or a vector
 *     failed    loaded, and the request ended with an error
 *     died      with the signal or code and the last line of standard error
 *     hung      killed after LIMIT_MS
 *
 * The process that is forked does what a worker does: preload once before any file, then inspect,
 * load, and one request through an inbox on a thread of its own. */

#include "gguf_engine.h"
#include "hearth_os.h"
#include "inbox.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS        5000
#define GENERATED       4u
#define SAID_BYTES      512u
#define MEMORY_BYTES    (4ull << 30) /* of one process: a daemon refuses what asks for more */
#define DEFAULT_THREADS 1u

struct request {
    struct hearth_engine *engine;
    struct hearth_inbox *inbox;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended;
    int code;
    char said[SAID_BYTES];
};

/* ---- the process that may die ---------------------------------------------------------------- */

static void on_piece(void *arg, struct hearth_job *job, uint32_t index, struct hearth_slice text,
                     uint32_t tokens)
{
    (void)arg, (void)job, (void)index, (void)text, (void)tokens;
}

static void on_finish(void *arg, struct hearth_job *job, uint32_t index,
                      const struct hearth_item_result *result)
{
    struct request *request = arg;
    (void)job, (void)index;
    (void)snprintf(request->said, sizeof request->said, "%" PRIu32 " tokens, %" PRIu32 " values",
                   result->prompt_tokens, result->dimensions);
}

static void on_fail(void *arg, struct hearth_job *job, uint32_t index, int code,
                    const struct hearth_error *err)
{
    struct request *request = arg;
    (void)job, (void)index;
    request->code = code;
    (void)snprintf(request->said, sizeof request->said, "%s: %s", hearth_error_name(code),
                   err == NULL ? "" : err->text);
}

static void on_end(void *arg, struct hearth_job *job)
{
    struct request *request = arg;
    (void)job;
    pthread_mutex_lock(&request->lock);
    request->has_ended = true;
    pthread_cond_signal(&request->ended);
    pthread_mutex_unlock(&request->lock);
}

static void run_work(void *arg)
{
    struct request *request = arg;
    hearth_engine_gguf.work(request->engine, request->inbox);
}

static int push(struct request *request, enum hearth_task task, struct hearth_error *err)
{
    struct hearth_wire_text text = {.text =
                                        hearth_slice_of_string("the fox and the hen 7 \xc3\xa9")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *wire = &message.as.inference_request;
    hearth_wire_default_request(wire);
    wire->request_id = 1;
    wire->priority = HEARTH_NORMAL;
    wire->model_id = hearth_slice_of_string("m");
    wire->task = (uint8_t)task;
    wire->texts = (struct hearth_wire_list){1, &text, {NULL, 0}};
    if (task == HEARTH_TASK_GENERATE) {
        wire->max_tokens = GENERATED;
    }
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, HEARTH_MAX_FRAME_BYTES);
    int rc = hearth_wire_encode(&message, &frame);
    return rc < 0 ? rc
                  : hearth_inbox_push(request->inbox, hearth_buf_slice(&frame), UINT64_MAX, request,
                                      err);
}

static int answer_one(struct request *request, const struct hearth_engine_facts *facts,
                      enum hearth_task task, struct hearth_error *err)
{
    struct hearth_sink sink = {
        .piece = on_piece, .finish = on_finish, .fail = on_fail, .end = on_end, .arg = request};
    pthread_t thread;
    pthread_mutex_init(&request->lock, NULL);
    pthread_cond_init(&request->ended, NULL);
    int rc = hearth_inbox_create(&sink, facts->is_longest_first, &request->inbox, err);
    rc = rc < 0 ? rc : hearth_thread_start(&thread, "run", 0, run_work, request, err);
    rc = rc < 0 ? rc : push(request, task, err);
    if (rc < 0) {
        return rc;
    }
    pthread_mutex_lock(&request->lock);
    while (!request->has_ended) {
        pthread_cond_wait(&request->ended, &request->lock);
    }
    pthread_mutex_unlock(&request->lock);
    hearth_inbox_close(request->inbox);
    hearth_thread_join(thread);
    hearth_inbox_destroy(request->inbox);
    hearth_engine_gguf.unload(request->engine);
    return 0;
}

static void try_file(const char *path, enum hearth_task task, unsigned threads)
{
    static struct hearth_engine_plan plan;
    static struct request request;
    struct hearth_error err = {0};
    struct hearth_engine_need need = {0};
    struct hearth_engine_facts facts = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        printf("failed\tcannot be opened\n");
        return;
    }
    plan.task = task;
    plan.threads = threads;
    plan.file_count = 1;
    plan.files[0].role = HEARTH_FILE_MODEL;
    plan.files[0].fd = fd;
    plan.files[0].size_bytes = (uint64_t)st.st_size;
    (void)snprintf(plan.files[0].path, sizeof plan.files[0].path, "model.gguf");
    if (hearth_engine_gguf.inspect(&plan, &need, &err) < 0) {
        printf("refused\t%s: %s\n", hearth_error_name(err.code), err.text);
    } else if (hearth_engine_gguf.load(&plan, &request.engine, &facts, &err) < 0) {
        printf("rejected\t%s: %s\n", hearth_error_name(err.code), err.text);
    } else if (answer_one(&request, &facts, task, &err) < 0) {
        printf("failed\t%s: %s\n", hearth_error_name(err.code), err.text);
    } else {
        printf("%s\t%s\n", request.code < 0 ? "failed" : "loaded", request.said);
    }
}

/* ---- the process that looks on --------------------------------------------------------------- */

static void drain(int fd, char *said, size_t room, size_t *used)
{
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);
    size_t take = n > 0 ? HEARTH_MIN((size_t)n, room - 1 - *used) : 0;
    memcpy(said + *used, bytes, take);
    *used += take;
    said[*used] = '\0';
}

static void one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
}

/* Waits for the end of @child, which is told by the end of its pipes. False: it took too long. */
static bool wait_for_end(int out, int errors, char *said, char *last, size_t room)
{
    size_t used[2] = {0, 0};
    struct pollfd polls[2] = {{.fd = out, .events = POLLIN}, {.fd = errors, .events = POLLIN}};
    uint64_t end = hearth_clock_ns() + (uint64_t)LIMIT_MS * 1000000u;
    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        uint64_t now = hearth_clock_ns();
        int left = now >= end ? 0 : (int)((end - now) / 1000000u + 1);
        if (poll(polls, 2, left) == 0) {
            return false;
        }
        for (int i = 0; i < 2; i++) {
            if ((polls[i].revents & POLLIN) != 0) {
                drain(polls[i].fd, i == 0 ? said : last, room, &used[i]);
            } else if (polls[i].revents != 0) {
                polls[i].fd = -1;
            }
        }
    }
    return true;
}

static void look_on(const char *path, enum hearth_task task, unsigned threads)
{
    int out[2];
    int errors[2];
    if (pipe(out) != 0 || pipe(errors) != 0) {
        perror("pipe");
        exit(1);
    }
    pid_t child = fork();
    if (child == 0) {
        struct rlimit memory = {MEMORY_BYTES, MEMORY_BYTES};
        (void)setrlimit(RLIMIT_AS, &memory);
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(out[1], STDOUT_FILENO);
        dup2(errors[1], STDERR_FILENO);
        for (int i = 0; i < 2; i++) {
            close(out[i]);
            close(errors[i]);
        }
        try_file(path, task, threads);
        fflush(stdout);
        _exit(0);
    }
    close(out[1]);
    close(errors[1]);
    char said[4 * SAID_BYTES] = "";
    char last[4 * SAID_BYTES] = "";
    int status = 0;
    bool has_ended = wait_for_end(out[0], errors[0], said, last, sizeof said);
    if (!has_ended) {
        kill(child, SIGKILL);
    }
    waitpid(child, &status, 0);
    close(out[0]);
    close(errors[0]);
    one_line(last);
    if (!has_ended) {
        printf("hung\t%s\n", last);
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        printf("died\tstatus %d: %s\n", status, last);
    } else {
        fputs(said, stdout);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct hearth_engine_plan plan;
    struct hearth_error err = {0};
    const char *version = NULL;
    char line[4096];
    unsigned threads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : DEFAULT_THREADS;
    if (hearth_engine_gguf.preload(&plan, &version, &err) < 0) {
        fprintf(stderr, "load_many: %s\n", err.text);
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *space = strrchr(line, ' ');
        if (space == NULL) {
            fprintf(stderr, "load_many: lines are PATH TASK\n");
            return 1;
        }
        *space = '\0';
        look_on(line,
                strncmp(space + 1, "embed", 5) == 0 ? HEARTH_TASK_EMBED : HEARTH_TASK_GENERATE,
                threads);
    }
    return 0;
}
