/* entry_replay.c — replays a corpus folder through one target, without a fuzzer.
 *
 * An empty or missing corpus is a failure: a replay that replays nothing proves nothing. Files that
 * start with "crash-" or "timeout-" are regressions; they are run like the others. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_INPUT_BYTES (32u << 20)

int HEARTH_FUZZ_ENTRY(const uint8_t *data, size_t size);

static int replay_file(const char *folder, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path) {
        return -1;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_INPUT_BYTES) {
        return 0;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size + 1); /* exact size + 1 so that an empty file has an address */
    int rc = -1;
    if (data != NULL && fread(data, 1, size, file) == size) {
        uint8_t *exact = realloc(data, size > 0 ? size : 1); /* lets ASan see one byte too far */
        if (exact != NULL) {
            data = exact;
        }
        HEARTH_FUZZ_ENTRY(data, size);
        rc = 1;
    }
    free(data);
    fclose(file);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    DIR *folder = opendir(argv[1]);
    if (folder == NULL) {
        perror(argv[1]);
        return 1;
    }
    int count = 0;
    int failed = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        int rc = replay_file(argv[1], entry->d_name);
        failed += rc < 0;
        count += rc > 0;
    }
    closedir(folder);
    printf("%d inputs replayed, %d unreadable\n", count, failed);
    return count > 0 && failed == 0 ? 0 : 1;
}
