/* A catalogue: what is taken of it has lawful names and digests, and a manifest that is read again.
 * The same bytes are read as a manifest, and as what names a file of a hub. */

#include "catalogue.h"

#include <string.h>

int hearth_fuzz_pull_catalogue(const uint8_t *data, size_t size);

static void check_files(const struct pull_model *model, bool has_source)
{
    HEARTH_ASSERT(model->file_count <= PULL_MAX_FILES);
    for (uint32_t i = 0; i < model->file_count; i++) {
        const struct pull_file *file = &model->files[i];
        HEARTH_ASSERT(strchr(file->path, '/') == NULL && file->path[0] != '.');
        HEARTH_ASSERT(strlen(file->sha256) == PULL_SHA256_BYTES);
        HEARTH_ASSERT(file->size_bytes > 0 && file->size_bytes <= PULL_MAX_FILE_BYTES);
        HEARTH_ASSERT(!has_source || pull_source_is_valid(&file->source));
    }
}

static void read_model(const struct pull_catalogue *catalogue, size_t index)
{
    struct pull_problem problem = {.remedy = ""};
    struct pull_entry entry;
    struct pull_model model;
    struct pull_model again;
    pull_catalogue_entry(catalogue, index, &entry);
    pull_model_init(&model);
    pull_model_init(&again);
    if (pull_catalogue_find(catalogue, entry.name, &model, &problem) == 0) {
        check_files(&model, true);
        HEARTH_ASSERT(pull_name_is_valid(model.name));
        HEARTH_ASSERT(pull_manifest_read(hearth_buf_slice(&model.manifest), &again, &problem) == 0);
        HEARTH_ASSERT(again.file_count == model.file_count);
    } else {
        HEARTH_ASSERT(problem.err.text[0] != '\0' && problem.remedy[0] != '\0');
    }
    pull_model_finish(&again);
    pull_model_finish(&model);
}

static void read_source(const uint8_t *data, size_t size)
{
    char text[1024];
    char url[8192];
    struct pull_problem problem;
    struct pull_source source;
    if (hearth_slice_to_string(hearth_slice_of(data, size), text, sizeof text) &&
        pull_source_parse(text, &source, &problem) == 0) {
        HEARTH_ASSERT(pull_source_is_valid(&source));
        HEARTH_ASSERT(pull_source_url(&source, "https://h", url, sizeof url, &problem) == 0);
        HEARTH_ASSERT(strpbrk(url, " ?#\r\n\\") == NULL && strstr(url, "/../") == NULL);
    }
}

int hearth_fuzz_pull_catalogue(const uint8_t *data, size_t size)
{
    struct pull_problem problem = {.remedy = ""};
    struct pull_catalogue *catalogue = NULL;
    struct pull_model model;
    if (pull_catalogue_open(hearth_slice_of(data, size), &catalogue, &problem) == 0) {
        for (size_t i = 0; i < HEARTH_MIN(pull_catalogue_count(catalogue), 8u); i++) {
            read_model(catalogue, i);
        }
        pull_catalogue_close(catalogue);
    }
    pull_model_init(&model);
    if (pull_manifest_read(hearth_slice_of(data, size), &model, &problem) == 0) {
        check_files(&model, false);
    }
    pull_model_finish(&model);
    read_source(data, size);
    return 0;
}
