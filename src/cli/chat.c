/* chat.c — a conversation: kept in memory, cut at its oldest end when it grows too long. */

#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURNS_MOST ((size_t)256) /* the daemon's limits */
#define BYTES_MOST ((size_t)65536)

struct chat {
    hearth_turn turns[TURNS_MOST]; /* their texts are this program's own */
    size_t count;
    size_t bytes;
    size_t fixed;   /* turns at the start that are never dropped: the system's */
    size_t pending; /* tools that were called in the last answer and have not answered yet */
    struct cli_answer answer;
};

static void free_text(struct chat *chat, const char *text)
{
    chat->bytes -= text != NULL ? strlen(text) : 0;
    hearth_free((void *)(uintptr_t)text);
}

static void forget(struct chat *chat, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        free_text(chat, chat->turns[i].content);
        free_text(chat, chat->turns[i].tool_calls);
        free_text(chat, chat->turns[i].name);
        free_text(chat, chat->turns[i].tool_call_id);
    }
    memmove(chat->turns + first, chat->turns + first + count,
            (chat->count - first - count) * sizeof *chat->turns);
    chat->count -= count;
}

/* The first turn behind @first with which a person began. */
static size_t next_question(const struct chat *chat, size_t first)
{
    size_t i = first + 1;
    while (i < chat->count && chat->turns[i].role != HEARTH_ROLE_USER) {
        i++;
    }
    return i;
}

/* Makes room by dropping the oldest question and all that belongs to its answer. */
static void make_room(struct chat *chat, size_t size)
{
    while (chat->count + 2 > TURNS_MOST || chat->bytes + size > BYTES_MOST) {
        size_t end = next_question(chat, chat->fixed);
        if (chat->count <= chat->fixed || end >= chat->count) {
            return; /* it is the one that is being asked */
        }
        forget(chat, chat->fixed, end - chat->fixed);
        fprintf(stderr, "(the conversation is long: its oldest turn was dropped)\n");
    }
}

static bool copy_text(struct chat *chat, const char *text, const char **ret)
{
    *ret = text != NULL ? hearth_copy_string(text, strlen(text)) : NULL;
    chat->bytes += *ret != NULL ? strlen(text) : 0;
    return text == NULL || *ret != NULL;
}

/* Takes a copy. */
static int append(struct chat *chat, const hearth_turn *turn, struct hearth_error *err)
{
    if (turn->role == HEARTH_ROLE_USER) {
        make_room(chat, strlen(turn->content));
    }
    if (chat->count == TURNS_MOST) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "the conversation has %zu turns", TURNS_MOST);
    }
    hearth_turn *copy = &chat->turns[chat->count++];
    *copy = (hearth_turn){.role = turn->role};
    bool is_whole = copy_text(chat, turn->content, &copy->content) &&
                    copy_text(chat, turn->tool_calls, &copy->tool_calls) &&
                    copy_text(chat, turn->name, &copy->name) &&
                    copy_text(chat, turn->tool_call_id, &copy->tool_call_id);
    return is_whole ? 0 : hearth_fail_oom(err);
}

/* What was called, as the next request tells it: arguments are JSON, or else a text. */
static char *write_calls(const hearth_item *item)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    HEARTH_ASSERT(doc != NULL);
    yyjson_mut_val *array = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, array);
    for (size_t i = 0; i < item->tool_call_count; i++) {
        const hearth_tool_call *call = &item->tool_calls[i];
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, array);
        yyjson_doc *arguments = yyjson_read(call->arguments, strlen(call->arguments), 0);
        yyjson_mut_obj_add_str(doc, o, "name", call->name);
        yyjson_mut_obj_add_val(doc, o, "arguments",
                               arguments != NULL
                                   ? yyjson_val_mut_copy(doc, yyjson_doc_get_root(arguments))
                                   : yyjson_mut_str(doc, call->arguments));
        yyjson_mut_obj_add_str(doc, o, "id", call->id);
        yyjson_doc_free(arguments);
    }
    char *text = yyjson_mut_write(doc, 0, NULL);
    yyjson_mut_doc_free(doc);
    HEARTH_ASSERT(text != NULL);
    return text;
}

static int append_answer(struct chat *chat, struct hearth_buf *text, struct hearth_error *err)
{
    const hearth_item *item =
        chat->answer.result != NULL ? hearth_result_item(chat->answer.result, 0) : NULL;
    chat->pending = item != NULL ? item->tool_call_count : 0;
    char *calls = chat->pending > 0 ? write_calls(item) : NULL;
    int rc = hearth_buf_append(text, "", 1);
    rc = rc < 0 ? hearth_fail_oom(err)
                : append(chat,
                         &(hearth_turn){HEARTH_ROLE_ASSISTANT, (const char *)text->data, calls,
                                        NULL, NULL},
                         err);
    free(calls);
    return rc;
}

/* Asks what was said last; keeps the answer, or as much of it as came before a cancel. What has
 * none is forgotten, up to its question: it would confuse the model. */
static int answer_last(struct chat *chat, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf text;
    hearth_buf_init(&text, BYTES_MOST);
    cli_interrupt_answering(true);
    int rc = cli_answer_ask(&chat->answer, chat->turns, chat->count, NULL, &text, err);
    cli_interrupt_answering(false);
    bool has_calls = rc == 0 && hearth_result_item(chat->answer.result, 0)->tool_call_count > 0;
    if ((rc == 0 || rc == HEARTH_E_CANCELLED) && (text.size > 0 || has_calls)) {
        int kept = append_answer(chat, &text, err);
        return kept < 0 ? kept : rc;
    }
    size_t last = chat->count;
    while (last > chat->fixed && chat->turns[last - 1].role != HEARTH_ROLE_USER) {
        last--;
    }
    last -= last > chat->fixed;
    forget(chat, last, chat->count - last);
    chat->pending = 0;
    return rc;
}

/* A line is a question, or the answer of the next tool that was called. */
static int ask(struct chat *chat, const char *line, struct hearth_error *err)
{
    hearth_turn turn = {HEARTH_ROLE_USER, line, NULL, NULL, NULL};
    if (chat->pending > 0) {
        const hearth_item *item = hearth_result_item(chat->answer.result, 0);
        const hearth_tool_call *call = &item->tool_calls[item->tool_call_count - chat->pending];
        turn = (hearth_turn){HEARTH_ROLE_TOOL, line, NULL, call->name, call->id};
        chat->pending--;
    }
    int rc = append(chat, &turn, err);
    return rc < 0 || chat->pending > 0 ? rc : answer_last(chat, err);
}

/* ── At the prompt ───────────────────────────────────────────────────────────────────────────── */

/* Reads one line without its end; false at the end of input. A longer line is refused whole. */
static bool read_line(char *room, size_t room_bytes, const char *prompt)
{
    for (;;) {
        fputs(prompt, stdout);
        fflush(stdout);
        if (fgets(room, (int)room_bytes, stdin) == NULL) {
            return false;
        }
        size_t length = strcspn(room, "\n");
        bool is_whole = room[length] == '\n' || feof(stdin);
        room[length] = '\0';
        if (is_whole && length > 0) {
            return true;
        }
        for (int c = 0; !is_whole && c != '\n' && c != EOF;) {
            c = fgetc(stdin);
        }
        if (!is_whole) {
            fprintf(stderr, "(the line has more than %zu bytes and was not sent)\n", BYTES_MOST);
        }
    }
}

/* A failure that a further question may survive is said and left behind. */
static bool goes_on(int code)
{
    return code == HEARTH_E_CANCELLED ||
           (code != HEARTH_E_DISCONNECTED && code != HEARTH_E_NO_MEMORY && code < 0);
}

static int talk(struct chat *chat, struct hearth_error *err)
{
    static char line[BYTES_MOST + 2];
    bool has_prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    while (read_line(line, sizeof line, !has_prompt ? "" : chat->pending > 0 ? "tool> " : "> ")) {
        if (strcmp(line, "/exit") == 0) {
            return 0;
        }
        if (strcmp(line, "/clear") == 0) {
            forget(chat, chat->fixed, chat->count - chat->fixed);
            chat->pending = 0;
            continue;
        }
        int rc = ask(chat, line, err);
        if (rc == HEARTH_E_CANCELLED) {
            fprintf(stderr, "(cancelled)\n");
        } else if (rc < 0 && goes_on(rc)) {
            cli_report(chat->answer.settings, err);
        } else if (rc < 0) {
            return rc;
        }
    }
    if (has_prompt) {
        printf("\n");
    }
    return 0;
}

static int run(struct chat *chat, const struct cli_settings *settings, struct hearth_error *err)
{
    int rc = cli_answer_open(&chat->answer, settings, HEARTH_TASK_CHAT, err);
    if (rc == 0 && settings->system != NULL) {
        rc = append(chat, &(hearth_turn){HEARTH_ROLE_SYSTEM, settings->system, NULL, NULL, NULL},
                    err);
        chat->fixed = chat->count;
    }
    if (rc < 0) {
        return rc;
    }
    if (settings->message != NULL) {
        return ask(chat, settings->message, err);
    }
    rc = cli_interrupt_start(chat->answer.client, err);
    return rc < 0 ? rc : talk(chat, err);
}

int cli_run_chat(const struct cli_settings *settings, int argc, char **argv)
{
    if (argc > 0) {
        return cli_usage(cli_command_find("chat"), "'%s': a single question goes to --message",
                         argv[0]);
    }
    if (settings->answers > 1 && settings->message == NULL) {
        return cli_usage(cli_command_find("chat"),
                         "--answers: a conversation goes on with one, more need --message");
    }
    struct hearth_error err;
    struct chat *chat = hearth_alloc(1, sizeof *chat);
    if (chat == NULL) {
        hearth_fail_oom(&err);
        return cli_report(settings, &err);
    }
    int rc = run(chat, settings, &err);
    int code = rc < 0 ? cli_report(settings, &err) : CLI_DONE;
    cli_answer_close(&chat->answer);
    forget(chat, 0, chat->count);
    hearth_free(chat);
    return code;
}
