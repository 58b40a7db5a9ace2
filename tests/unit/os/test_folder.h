/* test_folder.h — a folder of a test's own, removed with all that is in it. */

#ifndef HEARTH_TEST_FOLDER_H
#define HEARTH_TEST_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int test_folder_remove_one(const char *path, const struct stat *st, int type,
                                         struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

/* Makes the folder and returns its path, which lives in @room. */
static inline char *test_folder_make(char room[64])
{
    snprintf(room, 64, "/tmp/hearth-test-XXXXXX");
    return mkdtemp(room);
}

static inline void test_folder_remove(const char *folder)
{
    nftw(folder, test_folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file, making the folders on the way. */
static inline void test_folder_write(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        abort();
    }
}

#endif
