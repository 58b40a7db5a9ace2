/* expectations.h — what integration_onnx.py computed: texts, and what the reference says to them.
 */

#ifndef HEARTH_TEST_EXPECTATIONS_H
#define HEARTH_TEST_EXPECTATIONS_H

#include "kit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct expectation {
    char *model;
    char *text;
    uint32_t tokens;
    int is_truncated;
    size_t count;  /* classes or dimensions; 0: only a text */
    char **labels; /* of an embedding: empty */
    float *values; /* probabilities, or numbers of the vector */
};

/** A model that cannot be loaded, its error, and a part of what is told. */
struct bad_model {
    char *model;
    char *error;
    char *part;
};

#define EXPECTATIONS_MOST 512
#define BAD_MODELS_MOST   32

struct expectations {
    struct expectation all[EXPECTATIONS_MOST];
    size_t count;
    struct bad_model bad[BAD_MODELS_MOST];
    size_t bad_count;
};

static char *unhex(const char *hex)
{
    size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    char *text = hearth_alloc(size + 1, 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        text[i] = (char)strtoul(digits, NULL, 16);
    }
    return text;
}

/* The next word, cut out of *@at; "" at the end. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " \n");
    char *end = word + strcspn(word, " \n");
    *at = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return word;
}

static char *copy_word(const char *word)
{
    char *copy = hearth_alloc(strlen(word) + 1, 1);
    assert_non_null(copy);
    memcpy(copy, word, strlen(word));
    return copy;
}

static void read_expectation(char *line, char *model, struct expectation *ret)
{
    *ret = (struct expectation){.model = copy_word(model), .text = unhex(next_word(&line))};
    ret->tokens = (uint32_t)strtoul(next_word(&line), NULL, 10);
    ret->is_truncated = (int)strtol(next_word(&line), NULL, 10);
    ret->count = strtoul(next_word(&line), NULL, 10);
    ret->labels = hearth_alloc(ret->count + 1, sizeof *ret->labels);
    ret->values = hearth_alloc(ret->count + 1, sizeof *ret->values);
    assert_true(ret->labels != NULL && ret->values != NULL);
    for (size_t i = 0; i < ret->count; i++) {
        ret->labels[i] = unhex(next_word(&line));
        ret->values[i] = strtof(next_word(&line), NULL);
    }
}

static void expectations_read(const char *path, struct expectations *ret)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) {
        char *at = line;
        char *first = next_word(&at);
        if (strcmp(first, "bad") == 0) {
            assert_true(ret->bad_count < BAD_MODELS_MOST);
            struct bad_model *bad = &ret->bad[ret->bad_count++];
            bad->model = copy_word(next_word(&at));
            bad->error = copy_word(next_word(&at));
            bad->part = unhex(next_word(&at));
        } else {
            assert_true(ret->count < EXPECTATIONS_MOST);
            read_expectation(at, first, &ret->all[ret->count++]);
        }
    }
    free(line);
    fclose(file);
    assert_true(ret->count > 0);
}

static void expectations_free(struct expectations *all)
{
    for (size_t i = 0; i < all->count; i++) {
        for (size_t j = 0; j < all->all[i].count; j++) {
            hearth_free(all->all[i].labels[j]);
        }
        hearth_free(all->all[i].labels);
        hearth_free(all->all[i].values);
        hearth_free(all->all[i].model);
        hearth_free(all->all[i].text);
    }
    for (size_t i = 0; i < all->bad_count; i++) {
        hearth_free(all->bad[i].model);
        hearth_free(all->bad[i].error);
        hearth_free(all->bad[i].part);
    }
}

/** Up to @most of those of @model that have values (or none); returns how many there are. */
static size_t expectations_of(const struct expectations *all, const char *model, bool has_values,
                              const struct expectation **ret, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count && count < most; i++) {
        if (strcmp(all->all[i].model, model) == 0 && (all->all[i].count > 0) == has_values) {
            ret[count++] = &all->all[i];
        }
    }
    return count;
}

#endif
