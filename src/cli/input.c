/* input.c — what commands share: texts, the connection, the model, the parameters. */

#include "texts.h"

#include "hearth_os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Cuts each line of a pair in two at its tab. */
static int cut_pairs(struct cli_texts *texts, struct hearth_error *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        char *tab = strchr((char *)(uintptr_t)texts->inputs[i].text, '\t');
        if (tab == NULL || tab == texts->inputs[i].text || tab[1] == '\0') {
            return hearth_fail(
                err, HEARTH_E_INPUT_INVALID,
                "--pair: line %zu (empty ones not counted): wanted are two texts, a tab between",
                i + 1);
        }
        *tab = '\0';
        texts->pairs[i] = tab + 1;
    }
    return 0;
}

/* Cuts the lines of a NUL-ended text in place. @room may be NULL to count only. */
static size_t cut_lines(char *text, hearth_input *room)
{
    size_t count = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool is_last = text[length] == '\0';
        size_t shown = length - (length > 0 && text[length - 1] == '\r');
        if (shown > 0 && room != NULL) {
            room[count].text = text;
            text[shown] = '\0';
        }
        count += shown > 0;
        text += length + !is_last;
    }
    return count;
}

int cli_ids_read(const char *text, struct hearth_buf *buf, hearth_input *ret_input,
                 struct hearth_error *err)
{
    for (const char *at = text; *at != '\0';) {
        char *end = NULL;
        errno = 0;
        unsigned long long value = strtoull(at, &end, 10);
        bool is_number = *at >= '0' && *at <= '9' && errno == 0 && value <= UINT32_MAX;
        bool is_last = *end == '\0';
        if (!is_number || (!is_last && (*end != ',' || end[1] == '\0'))) {
            return hearth_fail(err, HEARTH_E_ARGUMENT,
                               "--token-ids: number %zu is not an id, wanted 1,2,3",
                               buf->size / sizeof(uint32_t) + 1);
        }
        uint32_t id = (uint32_t)value;
        if (hearth_buf_append(buf, &id, sizeof id) < 0) {
            return hearth_fail_oom(err);
        }
        at = is_last ? end : end + 1;
    }
    *ret_input = (hearth_input){.token_ids = (const uint32_t *)(const void *)buf->data,
                                .token_id_count = buf->size / sizeof(uint32_t)};
    return buf->size > 0 ? 0 : hearth_fail(err, HEARTH_E_ARGUMENT, "--token-ids: has no id");
}

static int allocate(struct cli_texts *texts, bool is_pair, struct hearth_error *err)
{
    texts->inputs = hearth_alloc(texts->count, sizeof *texts->inputs);
    texts->pairs = is_pair ? hearth_alloc(texts->count, sizeof *texts->pairs) : NULL;
    bool has_all = texts->inputs != NULL && (!is_pair || texts->pairs != NULL);
    return has_all ? 0 : hearth_fail_oom(err);
}

static int read_ids(struct cli_texts *texts, const struct cli_settings *settings, int argc,
                    struct hearth_error *err)
{
    if (argc > 0) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--token-ids and a text exclude each other");
    }
    if (settings->is_pair) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--token-ids and --pair exclude each other");
    }
    texts->count = 1;
    int rc = allocate(texts, false, err);
    return rc < 0 ? rc : cli_ids_read(settings->token_ids, &texts->bytes, texts->inputs, err);
}

static int read_lines(struct cli_texts *texts, bool is_pair, struct hearth_error *err)
{
    char *text = (char *)texts->bytes.data;
    texts->count = cut_lines(text, NULL);
    int rc = texts->count > 0
                 ? allocate(texts, is_pair, err)
                 : hearth_fail(err, HEARTH_E_INPUT_INVALID, "standard input has no text");
    if (rc < 0) {
        return rc;
    }
    cut_lines(text, texts->inputs);
    return is_pair ? cut_pairs(texts, err) : 0;
}

static int read_arguments(struct cli_texts *texts, bool is_pair, size_t argc, char **argv,
                          struct hearth_error *err)
{
    if (is_pair && argc % 2 != 0) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "--pair: %zu texts given, an even number is wanted", argc);
    }
    texts->count = is_pair ? argc / 2 : argc;
    int rc = allocate(texts, is_pair, err);
    for (size_t i = 0; rc == 0 && i < texts->count; i++) {
        texts->inputs[i].text = argv[is_pair ? 2 * i : i];
        if (is_pair) {
            texts->pairs[i] = argv[2 * i + 1];
        }
    }
    return rc;
}

int cli_texts_read(struct cli_texts *texts, const struct cli_settings *settings, int argc,
                   char **argv, struct hearth_error *err)
{
    *texts = (struct cli_texts){0};
    hearth_buf_init(&texts->bytes, INPUT_BYTES_MAX);
    if (settings->token_ids != NULL) {
        return read_ids(texts, settings, argc, err);
    }
    if (argc > 0 && !(argc == 1 && strcmp(argv[0], "-") == 0)) {
        return read_arguments(texts, settings->is_pair, (size_t)argc, argv, err);
    }
    int rc = cli_read_all(&texts->bytes, err);
    return rc < 0 ? rc : read_lines(texts, settings->is_pair, err);
}

const char *cli_texts_shown(const struct cli_texts *texts, size_t index)
{
    return texts->inputs[index].text != NULL ? texts->inputs[index].text : "(token ids)";
}

void cli_texts_finish(struct cli_texts *texts)
{
    hearth_free(texts->inputs);
    hearth_free(texts->pairs);
    hearth_buf_finish(&texts->bytes);
}

/* ── Connection ──────────────────────────────────────────────────────────────────────────────── */

int cli_token_read(const struct cli_settings *settings, char room[CLI_TOKEN_BYTES],
                   struct hearth_error *err)
{
    size_t size = 0;
    room[0] = '\0';
    if (settings->token_file == NULL) {
        const char *given = getenv("HEARTH_TOKEN");
        size = given != NULL ? strlen(given) : 0;
        memcpy(room, given != NULL ? given : "", HEARTH_MIN(size + 1, CLI_TOKEN_BYTES));
    } else {
        int rc = hearth_file_read_text(settings->token_file, room, CLI_TOKEN_BYTES, &size, err);
        if (rc < 0) {
            return hearth_because(err, rc, "--token-file");
        }
        size -= size > 0 && room[size - 1] == '\n';
        room[size] = '\0';
    }
    const char *source = settings->token_file != NULL ? "--token-file" : "$HEARTH_TOKEN";
    if (size > CLI_TOKEN_BYTES - 2) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "%s: longer than %d bytes", source,
                           CLI_TOKEN_BYTES - 2);
    }
    return size == 0 && settings->token_file != NULL
               ? hearth_fail(err, HEARTH_E_ARGUMENT, "%s: holds no token", source)
               : 0;
}

static int connect_with(const struct cli_settings *settings, bool has_session,
                        hearth_client **ret_client, struct hearth_error *err)
{
    char token[CLI_TOKEN_BYTES];
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = settings->socket;
    params.program = "hearth";
    params.without_session = !has_session;
    int rc = has_session ? cli_token_read(settings, token, err) : 0;
    if (rc == 0) {
        params.token = has_session && token[0] != '\0' ? token : NULL;
        rc = hearth_connect(&params, ret_client, err);
    }
    hearth_wipe(token, sizeof token);
    return rc;
}

int cli_connect(const struct cli_settings *settings, hearth_client **ret_client,
                struct hearth_error *err)
{
    return connect_with(settings, true, ret_client, err);
}

int cli_connect_for_reports(const struct cli_settings *settings, hearth_client **ret_client,
                            struct hearth_error *err)
{
    return connect_with(settings, false, ret_client, err);
}

static enum hearth_task task_of_model(enum hearth_task task)
{
    bool generates = task == HEARTH_TASK_CHAT || task == HEARTH_TASK_CHOICE;
    return generates ? HEARTH_TASK_GENERATE : task;
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

/* "… no model that can" do what. */
static const char *deed_of(enum hearth_task task)
{
    return task == HEARTH_TASK_ENTITIES  ? "find entities"
           : task == HEARTH_TASK_TENSORS ? "take tensors"
           : task == HEARTH_TASK_CHOICE  ? "choose"
                                         : hearth_task_name(task);
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
                           deed_of(task));
    }
    return ready == 0 ? hearth_fail(err, HEARTH_E_NOT_READY, "no model that can %s is ready: %s",
                                    deed_of(task), names)
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
    params->stops = settings->stops.values;
    params->stop_count = settings->stops.count;
    params->wants_token_ids = settings->is_ids;
    return 0;
}
