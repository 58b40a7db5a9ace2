/* encode_stream.c — what our tokenizer makes of texts, for comparison with the reference.
 *
 *     encode_stream TOKENIZER.JSON < requests > answers
 *     encode_stream --passes N TOKENIZER.JSON < requests
 *
 * All numbers are little-endian uint32. A request is five and its bytes: what (0 encode, 1 encode a
 * pair, 2 decode), bytes of the first text, bytes of the second, max_tokens (0 = the file's own,
 * 0xFFFFFFFF = no limit), flags (1 = with special tokens; decode: without them; 2 = no places). Ids
 * to decode are int64. An answer is three numbers: the error or 0, count, full count (bytes, if
 * decoded); then per token id, type id, sequence, first byte, end byte; decoded bytes are padded to
 * four. With --passes nothing is answered: all requests are worked off N times, and each pass
 * prints the nanoseconds of processor time that it took. */

#include "hearth_tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_BYTES    ((size_t)64 << 20)
#define MOST_REQUESTS ((size_t)1 << 20)

enum what { ENCODE, ENCODE_PAIR, DECODE };
enum { WITH_SPECIAL = 1, NO_PLACES = 2 };

struct request {
    uint32_t what, first_bytes, second_bytes, max_tokens, flags;
};

/** A request with its texts, each in a block of its own, so that ASan sees where they end. */
struct task {
    struct request request;
    uint8_t *first;
    uint8_t *second;
};

struct tool {
    struct hearth_tokenizer *tokenizer;
    struct hearth_encoding encoding;
    struct hearth_buf decoded;
    struct hearth_buf out; /* of one answer */
};

static struct hearth_slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(MOST_BYTES);
    if (file == NULL || bytes == NULL) {
        perror(path);
        exit(2);
    }
    size_t size = fread(bytes, 1, MOST_BYTES, file);
    fclose(file);
    return hearth_slice_of(bytes, size);
}

static uint8_t *read_text(size_t size)
{
    uint8_t *text = malloc(HEARTH_MAX(size, (size_t)1));
    if (text == NULL || fread(text, 1, size, stdin) != size) {
        fputs("the input ends inside a request\n", stderr);
        exit(2);
    }
    return text;
}

static bool read_task(struct task *task)
{
    if (fread(&task->request, sizeof task->request, 1, stdin) != 1) {
        return false;
    }
    task->first = read_text(task->request.first_bytes);
    task->second = read_text(task->request.second_bytes);
    return true;
}

static void free_task(struct task *task)
{
    free(task->first);
    free(task->second);
}

static int run(struct tool *tool, const struct task *task, struct hearth_error *err)
{
    const struct request *request = &task->request;
    struct hearth_encode_options options = {.max_tokens = request->max_tokens,
                                            .add_special = (request->flags & WITH_SPECIAL) != 0,
                                            .wants_places = (request->flags & NO_PLACES) == 0};
    struct hearth_slice first = hearth_slice_of(task->first, request->first_bytes);
    struct hearth_slice second = hearth_slice_of(task->second, request->second_bytes);
    if (request->max_tokens == UINT32_MAX) {
        options.max_tokens = HEARTH_ENCODE_NO_LIMIT;
    }
    switch ((enum what)request->what) {
    case ENCODE:
        return hearth_tokenizer_encode(tool->tokenizer, first, &options, &tool->encoding, err);
    case ENCODE_PAIR:
        return hearth_tokenizer_encode_pair(tool->tokenizer, first, second, &options,
                                            &tool->encoding, err);
    case DECODE:
        hearth_buf_clear(&tool->decoded);
        return hearth_tokenizer_decode(tool->tokenizer, (const int64_t *)(void *)task->first,
                                       request->first_bytes / sizeof(int64_t), options.add_special,
                                       &tool->decoded, err);
    }
    fputs("no such request\n", stderr);
    exit(2);
}

static void put(struct tool *tool, const void *bytes, size_t size)
{
    if (hearth_buf_append(&tool->out, bytes, size) < 0) {
        exit(2);
    }
}

static void put_tokens(struct tool *tool, bool has_places)
{
    const struct hearth_encoding *encoding = &tool->encoding;
    for (size_t i = 0; i < encoding->count; i++) {
        struct hearth_token_place place = {0, 0};
        if (has_places) {
            place = encoding->places[i];
        }
        uint32_t row[] = {(uint32_t)encoding->ids[i], (uint32_t)encoding->type_ids[i],
                          encoding->sequences[i], place.start, place.end};
        put(tool, row, sizeof row);
    }
}

static void answer(struct tool *tool, const struct task *task)
{
    struct hearth_error err = {0};
    int rc = run(tool, task, &err);
    bool is_decoded = task->request.what == DECODE;
    size_t count = is_decoded ? (tool->decoded.size + 3) / 4 : tool->encoding.count;
    size_t full = is_decoded ? tool->decoded.size : tool->encoding.full_count;
    uint32_t head[] = {(uint32_t)rc, rc < 0 ? 0 : (uint32_t)count, rc < 0 ? 0 : (uint32_t)full};
    hearth_buf_clear(&tool->out);
    put(tool, head, sizeof head);
    if (rc == 0 && is_decoded) {
        put(tool, tool->decoded.data, tool->decoded.size);
        put(tool, "\0\0\0", 4 * count - full);
    } else if (rc == 0) {
        put_tokens(tool, (task->request.flags & NO_PLACES) == 0);
    }
    fwrite(tool->out.data, 1, tool->out.size, stdout);
}

static uint64_t processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int time_passes(struct tool *tool, unsigned long passes)
{
    struct task *tasks = malloc(MOST_REQUESTS * sizeof *tasks);
    size_t count = 0;
    while (tasks != NULL && count < MOST_REQUESTS && read_task(&tasks[count])) {
        count++;
    }
    int failed = tasks == NULL;
    for (unsigned long pass = 0; pass < passes; pass++) {
        uint64_t begun = processor_ns();
        for (size_t i = 0; i < count; i++) {
            failed |= run(tool, &tasks[i], NULL) < 0;
        }
        printf("%" PRIu64 "\n", processor_ns() - begun);
    }
    for (size_t i = 0; i < count; i++) {
        free_task(&tasks[i]);
    }
    free(tasks);
    return failed ? 2 : 0;
}

static int answer_all(struct tool *tool)
{
    struct task task;
    while (read_task(&task)) {
        answer(tool, &task);
        free_task(&task);
    }
    return 0;
}

static int open_tool(struct tool *tool, const char *path)
{
    struct hearth_slice json = read_file(path);
    struct hearth_error err = {0};
    int rc = hearth_tokenizer_create(json, &tool->tokenizer, &err);
    free((void *)(uintptr_t)json.data);
    if (rc < 0) {
        printf("refused %s %s\n", hearth_error_name(err.code), err.text);
        return 3;
    }
    hearth_encoding_init(&tool->encoding);
    hearth_buf_init(&tool->decoded, MOST_BYTES);
    hearth_buf_init(&tool->out, (size_t)1 << 30);
    return 0;
}

int main(int argc, char **argv)
{
    bool is_timed = argc == 4 && strcmp(argv[1], "--passes") == 0;
    if (argc != 2 && !is_timed) {
        fprintf(stderr, "usage: %s [--passes N] TOKENIZER.JSON < requests > answers\n", argv[0]);
        return 2;
    }
    struct tool tool = {0};
    int rc = open_tool(&tool, argv[argc - 1]);
    if (rc != 0) {
        return rc;
    }
    rc = is_timed ? time_passes(&tool, strtoul(argv[2], NULL, 10)) : answer_all(&tool);
    hearth_buf_finish(&tool.out);
    hearth_buf_finish(&tool.decoded);
    hearth_encoding_finish(&tool.encoding);
    hearth_tokenizer_destroy(tool.tokenizer);
    return fflush(stdout) == 0 ? rc : 2;
}
