/* catalogue.c — see catalogue.h. */

#include "catalogue.h"

#include "head.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#define CATALOGUE_REMEDY "take the catalogue.json of this release, or correct it"

struct pull_catalogue {
    yyjson_doc *doc;
    yyjson_val *models;
};

void pull_model_init(struct pull_model *model)
{
    *model = (struct pull_model){.file_count = 0};
    hearth_buf_init(&model->manifest, PULL_MAX_MANIFEST_BYTES);
}

void pull_model_finish(struct pull_model *model)
{
    hearth_buf_finish(&model->manifest);
}

static int invalid(struct pull_problem *problem, const char *field, const char *want)
{
    return pull_fail(problem, HEARTH_E_MALFORMED, CATALOGUE_REMEDY, "\"%s\" must be %s", field,
                     want);
}

/* False if it is no string, empty, too long, or has a NUL inside. */
static bool take(yyjson_val *value, char *room, size_t room_bytes)
{
    const char *text = yyjson_get_str(value);
    return text != NULL && yyjson_get_len(value) > 0 &&
           hearth_slice_to_string(hearth_slice_of(text, yyjson_get_len(value)), room, room_bytes);
}

static yyjson_doc *parse(struct hearth_slice json, const char *what, struct pull_problem *problem)
{
    yyjson_read_err read_err = {0};
    /* Not in-situ: the parser copies, so casting const away is never acted on. */
    yyjson_doc *doc = json.size == 0 ? NULL
                                     : yyjson_read_opts((char *)(uintptr_t)json.data, json.size, 0,
                                                        NULL, &read_err);
    if (doc == NULL) {
        pull_fail(problem, HEARTH_E_MALFORMED, CATALOGUE_REMEDY, "%s: not JSON at byte %zu", what,
                  read_err.pos);
    }
    return doc;
}

int pull_catalogue_open(struct hearth_slice json, struct pull_catalogue **ret,
                        struct pull_problem *problem)
{
    if (json.size > PULL_MAX_CATALOGUE_BYTES) {
        return pull_fail(problem, HEARTH_E_TOO_LARGE, CATALOGUE_REMEDY,
                         "the catalogue has %zu bytes, at most %u are read", json.size,
                         PULL_MAX_CATALOGUE_BYTES);
    }
    yyjson_doc *doc = parse(json, "catalogue", problem);
    if (doc == NULL) {
        return HEARTH_E_MALFORMED;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *models = yyjson_obj_get(root, "models");
    if (yyjson_get_uint(yyjson_obj_get(root, "catalogue_version")) != 1 || !yyjson_is_arr(models)) {
        yyjson_doc_free(doc);
        return invalid(problem, "models", "an array, and \"catalogue_version\" 1");
    }
    struct pull_catalogue *catalogue = hearth_alloc(1, sizeof *catalogue);
    if (catalogue == NULL) {
        yyjson_doc_free(doc);
        return pull_fail_oom(problem);
    }
    *catalogue = (struct pull_catalogue){doc, models};
    *ret = catalogue;
    return 0;
}

void pull_catalogue_close(struct pull_catalogue *catalogue)
{
    if (catalogue != NULL) {
        yyjson_doc_free(catalogue->doc);
        hearth_free(catalogue);
    }
}

size_t pull_catalogue_count(const struct pull_catalogue *catalogue)
{
    return yyjson_arr_size(catalogue->models);
}

static bool is_from_hub(yyjson_val *model)
{
    yyjson_val *first = yyjson_arr_get_first(yyjson_obj_get(model, "files"));
    return yyjson_is_str(yyjson_obj_get(yyjson_obj_get(first, "source"), "hub"));
}

static const char *text_or_none(yyjson_val *value)
{
    return yyjson_is_str(value) ? yyjson_get_str(value) : "";
}

void pull_catalogue_entry(const struct pull_catalogue *catalogue, size_t index,
                          struct pull_entry *ret)
{
    yyjson_val *model = yyjson_arr_get(catalogue->models, index);
    size_t i;
    size_t max;
    yyjson_val *file;
    *ret = (struct pull_entry){.name = text_or_none(yyjson_obj_get(model, "name")),
                               .description = text_or_none(yyjson_obj_get(model, "description")),
                               .is_fetched = is_from_hub(model)};
    yyjson_arr_foreach(yyjson_obj_get(model, "files"), i, max, file)
    {
        ret->size_bytes += yyjson_get_uint(yyjson_obj_get(file, "size_bytes"));
    }
}

/* ── Files ───────────────────────────────────────────────────────────────────────────────────── */

static bool is_plain_name(const char *path)
{
    for (const char *at = path; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~' || *at == '/') {
            return false;
        }
    }
    return path[0] != '.';
}

static bool has_role(const struct pull_model *model, const char *role)
{
    for (uint32_t i = 0; i < model->file_count; i++) {
        if (strcmp(model->files[i].role, role) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_path(const struct pull_model *model, const char *path)
{
    for (uint32_t i = 0; i < model->file_count; i++) {
        if (strcmp(model->files[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* Role, name, digest and size: what catalogue and manifest have in common. */
static int read_file(const struct pull_model *model, yyjson_val *entry, struct pull_file *ret,
                     struct pull_problem *problem)
{
    static const char *const roles[] = {"model", "weights", "tokenizer", "config"};
    bool is_known = false;
    char sha256[PULL_SHA256_BYTES + 1];
    if (take(yyjson_obj_get(entry, "role"), ret->role, sizeof ret->role)) {
        for (size_t i = 0; i < HEARTH_COUNT(roles); i++) {
            is_known = is_known || strcmp(ret->role, roles[i]) == 0;
        }
    }
    if (!is_known || has_role(model, ret->role)) {
        return invalid(problem, "files[].role", "model, weights, tokenizer or config, each once");
    }
    if (!take(yyjson_obj_get(entry, "path"), ret->path, sizeof ret->path) ||
        !is_plain_name(ret->path) || has_path(model, ret->path) ||
        strcmp(ret->path, "manifest.json") == 0) {
        return invalid(problem, "files[].path", "a plain file name, each once");
    }
    if (!take(yyjson_obj_get(entry, "sha256"), sha256, sizeof sha256) ||
        !pull_hex_copy(hearth_slice_of_string(sha256), PULL_SHA256_BYTES, ret->sha256)) {
        return invalid(problem, "files[].sha256", "64 hex digits");
    }
    yyjson_val *size = yyjson_obj_get(entry, "size_bytes");
    ret->size_bytes = yyjson_get_uint(size);
    if (!yyjson_is_uint(size) || ret->size_bytes == 0 || ret->size_bytes > PULL_MAX_FILE_BYTES) {
        return invalid(problem, "files[].size_bytes", "a whole number from 1 to 2^40");
    }
    return 0;
}

static int read_source(yyjson_val *value, struct pull_source *ret, struct pull_problem *problem)
{
    bool is_right = take(yyjson_obj_get(value, "hub"), ret->repository, sizeof ret->repository) &&
                    take(yyjson_obj_get(value, "revision"), ret->revision, sizeof ret->revision) &&
                    take(yyjson_obj_get(value, "file"), ret->path, sizeof ret->path);
    return is_right && pull_source_is_valid(ret)
               ? 0
               : invalid(problem, "files[].source", "a hub, a revision and a file");
}

static int read_files(yyjson_val *files, bool with_source, struct pull_model *ret,
                      struct pull_problem *problem)
{
    size_t index;
    size_t max;
    yyjson_val *entry;
    if (!yyjson_is_arr(files) || yyjson_arr_size(files) > PULL_MAX_FILES) {
        return invalid(problem, "files", "an array of at most 8 objects");
    }
    yyjson_arr_foreach(files, index, max, entry)
    {
        struct pull_file file = {.size_bytes = 0};
        int rc = read_file(ret, entry, &file, problem);
        if (rc == 0 && with_source) {
            rc = read_source(yyjson_obj_get(entry, "source"), &file.source, problem);
        }
        if (rc < 0) {
            return rc;
        }
        ret->files[ret->file_count++] = file;
        ret->size_bytes += file.size_bytes;
    }
    return 0;
}

int pull_manifest_read(struct hearth_slice json, struct pull_model *ret,
                       struct pull_problem *problem)
{
    yyjson_doc *doc = parse(json, "manifest.json", problem);
    if (doc == NULL) {
        return HEARTH_E_MALFORMED;
    }
    yyjson_val *files = yyjson_obj_get(yyjson_doc_get_root(doc), "files");
    int rc = read_files(files, false, ret, problem);
    yyjson_doc_free(doc);
    return rc;
}

/* ── Writing a manifest ──────────────────────────────────────────────────────────────────────── */

static void add_files(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct pull_model *model)
{
    yyjson_mut_val *files = yyjson_mut_obj_add_arr(doc, root, "files");
    for (uint32_t i = 0; i < model->file_count; i++) {
        const struct pull_file *file = &model->files[i];
        yyjson_mut_val *entry = yyjson_mut_arr_add_obj(doc, files);
        yyjson_mut_obj_add_str(doc, entry, "role", file->role);
        yyjson_mut_obj_add_str(doc, entry, "path", file->path);
        yyjson_mut_obj_add_str(doc, entry, "sha256", file->sha256);
        yyjson_mut_obj_add_uint(doc, entry, "size_bytes", file->size_bytes);
    }
}

static int write_manifest(yyjson_mut_doc *doc, struct pull_model *model,
                          struct pull_problem *problem)
{
    size_t size = 0;
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY_TWO_SPACES, &size);
    hearth_buf_clear(&model->manifest);
    int rc = text == NULL ? HEARTH_E_NO_MEMORY : hearth_buf_append(&model->manifest, text, size);
    rc = rc < 0 ? rc : hearth_buf_append(&model->manifest, "\n", 1);
    free(text);
    return rc == 0                    ? 0
           : rc == HEARTH_E_NO_MEMORY ? pull_fail_oom(problem)
                                      : invalid(problem, "manifest", "of at most 256 KiB");
}

static void copy_value(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *key,
                       yyjson_val *value)
{
    if (value != NULL) {
        yyjson_mut_obj_add_val(doc, root, key, yyjson_val_mut_copy(doc, value));
    }
}

static const char *capability_of(yyjson_val *task)
{
    static const char *const known[][2] = {{"text-classification", "text_classification"},
                                           {"embedding", "embedding"},
                                           {"text-generation", "text_generation"},
                                           {"text-ranking", "reranking"},
                                           {"token-classification", "named_entity_recognition"},
                                           {"tensors", "tensors"}};
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (yyjson_equals_str(task, known[i][0])) {
            return known[i][1];
        }
    }
    return NULL;
}

static int manifest_of_entry(yyjson_val *entry, struct pull_model *model,
                             struct pull_problem *problem)
{
    const char *capability = capability_of(yyjson_obj_get(entry, "task"));
    if (capability == NULL) {
        return invalid(problem, "task", "one that models/README.md lists");
    }
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    if (doc == NULL) {
        return pull_fail_oom(problem);
    }
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "model_id", model->name);
    yyjson_mut_obj_add_str(doc, root, "name", model->name);
    copy_value(doc, root, "version", yyjson_obj_get(entry, "version"));
    copy_value(doc, root, "task", yyjson_obj_get(entry, "task"));
    yyjson_mut_arr_add_str(doc, yyjson_mut_obj_add_arr(doc, root, "capabilities"), capability);
    copy_value(doc, root, "architecture", yyjson_obj_get(entry, "architecture"));
    copy_value(doc, root, "license", yyjson_obj_get(entry, "licence"));
    copy_value(doc, root, "labels", yyjson_obj_get(entry, "labels"));
    add_files(doc, root, model);
    copy_value(doc, root, "options", yyjson_obj_get(entry, "options"));
    int rc = write_manifest(doc, model, problem);
    yyjson_mut_doc_free(doc);
    return rc;
}

int pull_manifest_of_gguf(struct pull_model *model, const char *licence, const char *commit,
                          struct pull_problem *problem)
{
    const struct pull_source *source = &model->files[0].source;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    if (doc == NULL) {
        return pull_fail_oom(problem);
    }
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "model_id", model->name);
    yyjson_mut_obj_add_str(doc, root, "name", model->name);
    yyjson_mut_obj_add_str(doc, root, "task", "text-generation");
    yyjson_mut_arr_add_str(doc, yyjson_mut_obj_add_arr(doc, root, "capabilities"),
                           "text_generation");
    yyjson_mut_obj_add_str(doc, root, "architecture", "gguf");
    if (licence != NULL) {
        yyjson_mut_obj_add_str(doc, root, "license", licence);
    }
    add_files(doc, root, model);
    yyjson_mut_val *from = yyjson_mut_obj_add_obj(doc, root, "source");
    yyjson_mut_obj_add_str(doc, from, "hub", source->repository);
    yyjson_mut_obj_add_str(doc, from, "revision", commit[0] != '\0' ? commit : source->revision);
    yyjson_mut_obj_add_str(doc, from, "file", source->path);
    int rc = write_manifest(doc, model, problem);
    yyjson_mut_doc_free(doc);
    return rc;
}

/* ── One model ───────────────────────────────────────────────────────────────────────────────── */

static yyjson_val *find_entry(const struct pull_catalogue *catalogue, const char *name)
{
    size_t index;
    size_t max;
    yyjson_val *model;
    yyjson_arr_foreach(catalogue->models, index, max, model)
    {
        if (yyjson_equals_str(yyjson_obj_get(model, "name"), name)) {
            return model;
        }
    }
    return NULL;
}

int pull_catalogue_find(const struct pull_catalogue *catalogue, const char *name,
                        struct pull_model *ret, struct pull_problem *problem)
{
    yyjson_val *entry = find_entry(catalogue, name);
    if (entry == NULL || !pull_name_is_valid(name)) {
        return pull_fail(problem, HEARTH_E_NO_MODEL,
                         "`hearth pull --list` tells the names; a file of a hub is "
                         "hub:OWNER/REPOSITORY@REVISION/FILE",
                         "the catalogue has no model '%.128s'", name);
    }
    if (!is_from_hub(entry)) {
        return pull_fail(problem, HEARTH_E_UNSUPPORTED, "run scripts/setup.sh in a clone",
                         "'%s' is not fetched from a hub but made by scripts/setup.sh", name);
    }
    memcpy(ret->name, name, strlen(name) + 1);
    int rc = read_files(yyjson_obj_get(entry, "files"), true, ret, problem);
    rc = rc < 0 ? rc : manifest_of_entry(entry, ret, problem);
    if (rc < 0) {
        hearth_because(&problem->err, rc, "catalogue: \"%s\"", name);
    }
    return rc;
}
