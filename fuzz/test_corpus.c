/* test_corpus.c — a corpus of messages holds each of them at least once, and in a form that
 * decodes.
 *
 * usage: test_corpus FOLDER          Prints the names of messages that are missing. */

#include "hearth_wire.h"

#include <dirent.h>
#include <stdio.h>

#define MAX_INPUT_BYTES  (1u << 20)
#define MAX_MESSAGE_TYPE 256

static bool seen[MAX_MESSAGE_TYPE];

static void note_message(struct hearth_slice input)
{
    struct hearth_message message;
    if (hearth_wire_decode(input, &message, NULL) == 0) {
        seen[message.type] = true;
    }
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
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.' && !read_file(argv[1], entry->d_name)) {
            fprintf(stderr, "%s cannot be read\n", entry->d_name);
            return 1;
        }
    }
    closedir(folder);
    int missing = 0;
    size_t count = 0;
    const struct hearth_layout *layout;
    for (; (layout = hearth_wire_message_at(count)) != NULL; count++) {
        if (!seen[layout->number]) {
            printf("no input decodes as %s\n", layout->name);
            missing++;
        }
    }
    printf("%zu messages, %d missing\n", count, missing);
    return count > 0 && missing == 0 ? 0 : 1;
}
