/* input.c — what commands share: texts, the connection, the model, the parameters. */

#include "hearth_cli.h"

#include <stdio.h>
#include <string.h>

#define INPUT_BYTES_MAX                                                                            \
    ((size_t)64 << 20) /* of standard input; the daemon has limits of its own                      \
                        */

int cli_read_all(struct hearth_buf *buf, struct hearth_error *err)
{
    char room[16384];
    size_t size;
    do { /* not until nothing comes: at a terminal that would want a second Ctrl-D */
        size = fread(room, 1, sizeof room, stdin);
        int rc = hearth_buf_append(buf, room, size);
        if (rc < 0) {
            return hearth_fail(err, rc, "standard input has more than %zu bytes", buf->cap);
        }
    } while (size == sizeof room);
    if (ferror(stdin)) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "read standard input");
    }
    if (buf->size > 0 && memchr(buf->data, 0, buf->size) != NULL) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "standard input holds a NUL byte");
    }
    buf->size -= buf->size > 0 && buf->data[buf->size - 1] == '\n';
    return hearth_buf_append(buf, "", 1) < 0 ? hearth_fail_oom(err) : 0;
}

/* Cuts the lines of a NUL-ended text in place. @room may be NULL to count only. */
static size_t cut_lines(char *text, const char **room)
{
    size_t count = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool is_last = text[length] == '\0';
        size_t shown = length - (length > 0 && text[length - 1] == '\r');
        if (shown > 0 && room != NULL) {
            room[count] = text;
            text[shown] = '\0';
        }
        count += shown > 0;
        text += length + !is_last;
    }
    return count;
}

int cli_texts_read(struct cli_texts *texts, int argc, char **argv, struct hearth_error *err)
{
    *texts = (struct cli_texts){0};
    hearth_buf_init(&texts->bytes, INPUT_BYTES_MAX);
    bool is_input = argc == 0 || (argc == 1 && strcmp(argv[0], "-") == 0);
    if (is_input) {
        int rc = cli_read_all(&texts->bytes, err);
        if (rc < 0) {
            return rc;
        }
    }
    size_t count = is_input ? cut_lines((char *)texts->bytes.data, NULL) : (size_t)argc;
    if (count == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "standard input has no text");
    }
    texts->texts = hearth_alloc(count, sizeof *texts->texts);
    if (texts->texts == NULL) {
        return hearth_fail_oom(err);
    }
    texts->count = count;
    if (is_input) {
        cut_lines((char *)texts->bytes.data, texts->texts);
    }
    for (size_t i = 0; !is_input && i < count; i++) {
        texts->texts[i] = argv[i];
    }
    return 0;
}

void cli_texts_finish(struct cli_texts *texts)
{
    hearth_free((void *)texts->texts);
    hearth_buf_finish(&texts->bytes);
}

int cli_connect(const struct cli_settings *settings, hearth_client **ret_client,
                struct hearth_error *err)
{
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = settings->socket;
    params.program = "hearth";
    return hearth_connect(&params, ret_client, err);
}

static enum hearth_task task_of_model(enum hearth_task task)
{
    return task == HEARTH_TASK_CHAT ? HEARTH_TASK_GENERATE : task;
}

/* Writes "a (absent), b (ready)" of those for @task. */
static void print_candidates(const hearth_model_list *list, enum hearth_task task, char *room,
                             size_t room_bytes)
{
    size_t used = 0;
    room[0] = '\0';
    for (size_t i = 0; i < hearth_model_list_count(list); i++) {
        const hearth_model *model = hearth_model_list_at(list, i);
        if (model->task != task_of_model(task) || used >= room_bytes) {
            continue;
        }
        int more = snprintf(room + used, room_bytes - used, "%s%s (%s)", used > 0 ? ", " : "",
                            model->name, hearth_model_state_name(model->state));
        used += more > 0 ? (size_t)more : 0;
    }
}

static int choose(const hearth_model_list *list, enum hearth_task task, char *room,
                  size_t room_bytes, struct hearth_error *err)
{
    const hearth_model *chosen = NULL;
    size_t ready = 0;
    for (size_t i = 0; i < hearth_model_list_count(list); i++) {
        const hearth_model *model = hearth_model_list_at(list, i);
        if (model->task == task_of_model(task) && model->state == HEARTH_MODEL_READY) {
            chosen = model;
            ready++;
        }
    }
    if (ready == 1) {
        snprintf(room, room_bytes, "%s", chosen->name);
        return 0;
    }
    char names[160];
    print_candidates(list, task, names, sizeof names);
    if (names[0] == '\0') {
        return hearth_fail(err, HEARTH_E_NO_MODEL, "the daemon knows no model that can %s",
                           hearth_task_name(task));
    }
    return ready == 0 ? hearth_fail(err, HEARTH_E_NOT_READY, "no model that can %s is ready: %s",
                                    hearth_task_name(task), names)
                      : hearth_fail(err, HEARTH_E_ARGUMENT, "name one with --model: %s", names);
}

int cli_choose_model(hearth_client *client, const struct cli_settings *settings,
                     enum hearth_task task, char *room, size_t room_bytes, struct hearth_error *err)
{
    if (settings->model != NULL) {
        int length = snprintf(room, room_bytes, "%s", settings->model);
        return length >= 0 && (size_t)length < room_bytes
                   ? 0
                   : hearth_fail(err, HEARTH_E_TOO_LARGE, "--model: %d bytes, the limit is %zu",
                                 length, room_bytes - 1);
    }
    hearth_model_list *list;
    int rc = hearth_models(client, &list, err);
    if (rc == 0) {
        rc = choose(list, task, room, room_bytes, err);
        hearth_model_list_free(list);
    }
    return rc;
}

int cli_request_params(const struct cli_settings *settings, hearth_request_params *params,
                       struct hearth_error *err)
{
    *params = hearth_request_params_default();
    for (int p = HEARTH_LOW; settings->priority != NULL; p++) {
        if (p > HEARTH_CRITICAL) {
            return hearth_fail(err, HEARTH_E_ARGUMENT,
                               "--priority: '%s' is not low, normal, high or critical",
                               settings->priority);
        }
        if (strcmp(settings->priority, hearth_priority_name((enum hearth_priority)p)) == 0) {
            params->priority = (enum hearth_priority)p;
            break;
        }
    }
    if (settings->timeout_secs < 0.001 || settings->timeout_secs > 86400) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--timeout: %g s, wanted 0.001 to 86400",
                           settings->timeout_secs);
    }
    if (settings->max_tokens > UINT32_MAX || settings->top_k > UINT32_MAX) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--max-tokens or --top-k is too large");
    }
    params->timeout_ms = (uint32_t)(settings->timeout_secs * 1000);
    params->max_tokens = (uint32_t)settings->max_tokens;
    params->temperature = (float)settings->temperature;
    params->top_k = (uint32_t)settings->top_k;
    params->top_p = (float)settings->top_p;
    params->min_p = (float)settings->min_p;
    params->repetition_penalty = (float)settings->repetition_penalty;
    params->seed = settings->seed;
    params->stops = settings->stops;
    params->stop_count = settings->stop_count;
    return 0;
}
