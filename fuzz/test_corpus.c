/* test_corpus.c — a corpus of messages holds each of them at least once, and in a form that
 * decodes.
 *
 * usage: test_corpus v1|v2 FOLDER       Prints the names of messages that are missing. */

#include "hearth_wire.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define MAX_INPUT_BYTES  (1u << 20)
#define MAX_MESSAGE_TYPE 256

static bool seen[MAX_MESSAGE_TYPE];
static bool is_v1;

static void note_message(struct hearth_slice input)
{
    struct hearth_message message;
    struct hearth_json_room room;
    hearth_json_room_init(&room, MAX_INPUT_BYTES * 16);
    int rc = is_v1 ? hearth_json_decode(input, &room, &message, NULL)
                   : hearth_wire_decode(input, &message, NULL);
    if (rc == 0) {
        seen[message.type] = true;
    }
    hearth_json_room_finish(&room);
}

/* Between clients and the daemon; V1 has no others. */
static bool is_public(const struct hearth_layout *layout)
{
    return layout->direction == HEARTH_TO_DAEMON || layout->direction == HEARTH_TO_CLIENT;
}

static bool read_file(const char *folder, const char *name)
{
    static uint8_t bytes[MAX_INPUT_BYTES];
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = n > 0 && (size_t)n < sizeof path ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        return false;
    }
    note_message(hearth_slice_of(bytes, fread(bytes, 1, sizeof bytes, file)));
    fclose(file);
    return true;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 3 ? opendir(argv[2]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "usage: %s v1|v2 FOLDER\n", argv[0]);
        return 2;
    }
    is_v1 = strcmp(argv[1], "v1") == 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.' && !read_file(argv[2], entry->d_name)) {
            fprintf(stderr, "%s cannot be read\n", entry->d_name);
            return 1;
        }
    }
    closedir(folder);
    int missing = 0;
    size_t count = 0;
    const struct hearth_layout *layout;
    for (; (layout = hearth_wire_message_at(count)) != NULL; count++) {
        if (!seen[layout->number] && (!is_v1 || is_public(layout))) {
            printf("no input decodes as %s\n", layout->name);
            missing++;
        }
    }
    printf("%zu messages, %d missing\n", count, missing);
    return count > 0 && missing == 0 ? 0 : 1;
}
