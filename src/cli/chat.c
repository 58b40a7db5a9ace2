/* chat.c — a conversation: kept in memory, cut at its oldest end when it grows too long. */

#include "answer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TURNS_MOST ((size_t)256) /* the daemon's limits */
#define BYTES_MOST ((size_t)65536)

struct chat {
    hearth_chat_message messages[TURNS_MOST];
    size_t count;
    size_t bytes;
    size_t fixed; /* messages at the start that are never dropped: the system's */
    struct cli_answer answer;
};

static void forget(struct chat *chat, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        chat->bytes -= strlen(chat->messages[i].content);
        hearth_free((void *)(uintptr_t)chat->messages[i].content);
    }
    memmove(chat->messages + first, chat->messages + first + count,
            (chat->count - first - count) * sizeof *chat->messages);
    chat->count -= count;
}

/* Takes a copy. Makes room by dropping the oldest question and its answer. */
static int append(struct chat *chat, enum hearth_role role, const char *text, size_t size,
                  struct hearth_error *err)
{
    while ((chat->count + 2 > TURNS_MOST || chat->bytes + size > BYTES_MOST) &&
           chat->count >= chat->fixed + 2) {
        forget(chat, chat->fixed, 2);
        fprintf(stderr, "(the conversation is long: its oldest turn was dropped)\n");
    }
    char *copy = hearth_copy_string(text, size);
    if (copy == NULL) {
        return hearth_fail_oom(err);
    }
    chat->messages[chat->count++] = (hearth_chat_message){role, copy};
    chat->bytes += size;
    return 0;
}

/* Asks the last message; keeps the answer, or as much of it as came before a cancel. */
static int answer_last(struct chat *chat, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf text;
    hearth_buf_init(&text, BYTES_MOST);
    cli_interrupt_answering(true);
    int rc = cli_answer_ask(&chat->answer, chat->messages, chat->count, NULL, &text, err);
    cli_interrupt_answering(false);
    bool has_answer = rc == 0 || rc == HEARTH_E_CANCELLED;
    if (has_answer && text.size > 0) {
        int kept = append(chat, HEARTH_ROLE_ASSISTANT, (const char *)text.data, text.size, err);
        return kept < 0 ? kept : rc;
    }
    forget(chat, chat->count - 1, 1); /* a question without an answer would confuse the model */
    return rc;
}

static int ask(struct chat *chat, const char *line, struct hearth_error *err)
{
    int rc = append(chat, HEARTH_ROLE_USER, line, strlen(line), err);
    return rc < 0 ? rc : answer_last(chat, err);
}

/* ── At the prompt ───────────────────────────────────────────────────────────────────────────── */

/* Reads one line without its end; false at the end of input. A longer line is refused whole. */
static bool read_line(char *room, size_t room_bytes, bool has_prompt)
{
    for (;;) {
        if (has_prompt) {
            fputs("> ", stdout);
            fflush(stdout);
        }
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
    while (read_line(line, sizeof line, has_prompt)) {
        if (strcmp(line, "/exit") == 0) {
            return 0;
        }
        if (strcmp(line, "/clear") == 0) {
            forget(chat, chat->fixed, chat->count - chat->fixed);
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
        rc = append(chat, HEARTH_ROLE_SYSTEM, settings->system, strlen(settings->system), err);
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
    struct hearth_error err;
    struct chat *chat = hearth_alloc(1, sizeof *chat);
    if (chat == NULL) {
        hearth_fail_oom(&err);
        return cli_report(settings, &err);
    }
    int rc = run(chat, settings, &err);
    int code = rc < 0 ? cli_report(settings, &err) : CLI_DONE;
    hearth_disconnect(chat->answer.client);
    forget(chat, 0, chat->count);
    hearth_free(chat);
    return code;
}
