/* manifest.c — manifest.json → struct hearth_manifest. Unknown keys are left alone, so that a newer
 * manifest still loads; every known one is checked for kind, size and meaning.                  */

#include "manifest.h"

#include "precision.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

/* Strings of 256 KiB of JSON, the array of labels and block overhead. */
#define ARENA_CAP_BYTES (1u << 20)

struct reader {
    struct hearth_manifest *manifest;
    struct hearth_error *err;
};

static int invalid(struct reader *reader, const char *field, const char *want)
{
    return hearth_fail(reader->err, HEARTH_E_MODEL_INVALID, "manifest.json: \"%s\" must be %s",
                       field, want);
}

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

bool hearth_model_id_is_valid(const char *id)
{
    size_t size = strlen(id);
    size_t name = strspn(id, PLAIN);
    if (size == 0 || size > HEARTH_MAX_MODEL_ID_BYTES || id[0] == '.' || id[0] == '-') {
        return false;
    }
    const char *version = id + name + 1; /* behind an "@" */
    return name == size || (id[name] == '@' && name > 0 && version[0] != '\0' &&
                            version[strspn(version, PLAIN)] == '\0');
}

/* Copies a JSON string of at most @max bytes; a NUL inside would cut it, so it is refused. */
static int take_string(struct reader *reader, yyjson_val *value, const char *field, size_t max,
                       const char **ret)
{
    const char *text = yyjson_get_str(value);
    size_t size = yyjson_get_len(value);
    if (text == NULL || size == 0 || size > max || memchr(text, 0, size) != NULL) {
        char want[64];
        snprintf(want, sizeof want, "a string of 1 to %zu bytes", max);
        return invalid(reader, field, want);
    }
    char *copy = hearth_arena_copy(&reader->manifest->arena, hearth_slice_of(text, size));
    if (copy == NULL) {
        return hearth_fail_oom(reader->err);
    }
    *ret = copy;
    return 0;
}

static int take_optional_string(struct reader *reader, yyjson_val *root, const char *field,
                                const char **ret)
{
    yyjson_val *value = yyjson_obj_get(root, field);
    *ret = "";
    return value == NULL ? 0 : take_string(reader, value, field, HEARTH_MAX_NAME_BYTES, ret);
}

static int read_id(struct reader *reader, yyjson_val *root, const char *model_id)
{
    const char *id = NULL;
    int rc = take_string(reader, yyjson_obj_get(root, "model_id"), "model_id",
                         HEARTH_MAX_MODEL_ID_BYTES, &id);
    if (rc < 0) {
        return rc;
    }
    if (!hearth_model_id_is_valid(id)) {
        return invalid(
            reader, "model_id",
            "of A-Z a-z 0-9 . _ - and begin with none of . -; a version may follow an @");
    }
    const char *at = strchr(model_id, '@');
    bool is_name_of_version = at != NULL && strlen(id) == (size_t)(at - model_id) &&
                              strncmp(id, model_id, strlen(id)) == 0;
    if (strcmp(id, model_id) != 0 && !is_name_of_version) {
        return hearth_fail(reader->err, HEARTH_E_MODEL_INVALID,
                           "manifest.json: \"model_id\" is \"%.60s\" but the folder or file is "
                           "called \"%.60s\"; they must be equal",
                           id, model_id);
    }
    memcpy(reader->manifest->model_id, model_id, strlen(model_id) + 1);
    return 0;
}

/* A folder that says which version it holds must hold that. */
static int check_version(struct reader *reader)
{
    const struct hearth_manifest *manifest = reader->manifest;
    const char *at = strchr(manifest->model_id, '@');
    if (at == NULL || manifest->version[0] == '\0' || strcmp(at + 1, manifest->version) == 0) {
        return 0;
    }
    return hearth_fail(reader->err, HEARTH_E_MODEL_INVALID,
                       "manifest.json: \"version\" is \"%.60s\" but the folder or file is called "
                       "\"%.60s\"; what follows the @ must be the version",
                       manifest->version, manifest->model_id);
}

static int read_engine(struct reader *reader, yyjson_val *root)
{
    static const struct {
        const char *name;
        enum hearth_engine_kind engine;
    } known[] = {
        {"onnx", HEARTH_ENGINE_ONNX},
        {"gguf", HEARTH_ENGINE_GGUF},
        {"echo", HEARTH_ENGINE_ECHO},
    };
    yyjson_val *value = yyjson_obj_get(root, "architecture");
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (yyjson_equals_str(value, known[i].name)) {
            reader->manifest->engine = known[i].engine;
            return 0;
        }
    }
    return invalid(reader, "architecture", "\"onnx\", \"gguf\" or \"echo\"");
}

static int read_task(struct reader *reader, yyjson_val *root)
{
    static const struct {
        const char *capability;
        const char *task_name;
        enum hearth_task task;
    } known[] = {
        {"text_classification", "text-classification", HEARTH_TASK_CLASSIFY},
        {"embedding", "embedding", HEARTH_TASK_EMBED},
        {"text_generation", "text-generation", HEARTH_TASK_GENERATE},
        {"reranking", "text-ranking", HEARTH_TASK_RERANK},
        {"named_entity_recognition", "token-classification", HEARTH_TASK_ENTITIES},
        {"tensors", "tensors", HEARTH_TASK_TENSORS},
    };
    yyjson_val *capabilities = yyjson_obj_get(root, "capabilities");
    if (yyjson_arr_size(capabilities) != 1) {
        return invalid(reader, "capabilities", "an array of exactly one capability");
    }
    yyjson_val *name = yyjson_obj_get(root, "task");
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (!yyjson_equals_str(yyjson_arr_get_first(capabilities), known[i].capability)) {
            continue;
        }
        if (name != NULL && !yyjson_equals_str(name, known[i].task_name)) {
            return invalid(reader, "task", "the one that belongs to \"capabilities\"");
        }
        reader->manifest->task = known[i].task;
        return 0;
    }
    return invalid(reader, "capabilities",
                   "one of text_classification, embedding, text_generation, reranking, "
                   "named_entity_recognition and tensors, in an array");
}

static int read_labels(struct reader *reader, yyjson_val *root)
{
    struct hearth_manifest *manifest = reader->manifest;
    yyjson_val *labels = yyjson_obj_get(root, "labels");
    size_t count = yyjson_arr_size(labels);
    if (manifest->task != HEARTH_TASK_CLASSIFY && manifest->task != HEARTH_TASK_ENTITIES) {
        return labels == NULL || (yyjson_is_arr(labels) && count == 0)
                   ? 0
                   : invalid(reader, "labels",
                             "absent: only text_classification and named_entity_recognition "
                             "have labels");
    }
    if (count == 0 || count > HEARTH_MAX_LABELS) {
        return invalid(reader, "labels",
                       "an array of 1 to 1024 names: text_classification and "
                       "named_entity_recognition need one for each column of the output");
    }
    manifest->labels = hearth_arena_alloc(&manifest->arena, count, sizeof *manifest->labels);
    if (manifest->labels == NULL) {
        return hearth_fail_oom(reader->err);
    }
    size_t index;
    size_t max;
    yyjson_val *label;
    yyjson_arr_foreach(labels, index, max, label)
    {
        int rc = take_string(reader, label, "labels[]", HEARTH_MAX_LABEL_BYTES,
                             &manifest->labels[index]);
        if (rc < 0) {
            return rc;
        }
    }
    manifest->label_count = (uint32_t)count;
    return 0;
}

static int read_role(struct reader *reader, yyjson_val *value, enum hearth_file_role *ret)
{
    static const char *const names[] = {
        [HEARTH_FILE_MODEL] = "model",
        [HEARTH_FILE_WEIGHTS] = "weights",
        [HEARTH_FILE_TOKENIZER] = "tokenizer",
        [HEARTH_FILE_CONFIG] = "config",
    };
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        if (yyjson_equals_str(value, names[i])) {
            *ret = (enum hearth_file_role)i;
            return hearth_manifest_file(reader->manifest, *ret) == NULL
                       ? 0
                       : invalid(reader, "files[].role", "given once");
        }
    }
    return invalid(reader, "files[].role", "\"model\", \"weights\", \"tokenizer\" or \"config\"");
}

static int read_path(struct reader *reader, yyjson_val *value, const char **ret)
{
    int rc = take_string(reader, value, "files[].path", HEARTH_MAX_FILE_NAME_BYTES, ret);
    if (rc < 0) {
        return rc;
    }
    if (strchr(*ret, '/') != NULL || strcmp(*ret, ".") == 0 || strcmp(*ret, "..") == 0) {
        return invalid(reader, "files[].path", "a plain file name: no \"/\", not \"..\"");
    }
    return 0;
}

static int read_digest(struct reader *reader, yyjson_val *value, char *ret)
{
    const char *text = yyjson_get_str(value);
    if (text == NULL || yyjson_get_len(value) != HEARTH_SHA256_HEX_BYTES ||
        strspn(text, "0123456789abcdef") != HEARTH_SHA256_HEX_BYTES) {
        return invalid(reader, "files[].sha256", "64 lower-case hex digits");
    }
    memcpy(ret, text, HEARTH_SHA256_HEX_BYTES + 1);
    return 0;
}

static int read_file(struct reader *reader, yyjson_val *entry)
{
    struct hearth_manifest *manifest = reader->manifest;
    struct hearth_manifest_file file = {0};
    if (!yyjson_is_obj(entry)) {
        return invalid(reader, "files[]", "an object");
    }
    yyjson_val *size = yyjson_obj_get(entry, "size_bytes");
    if (!yyjson_is_uint(size) || yyjson_get_uint(size) == 0 ||
        yyjson_get_uint(size) > (uint64_t)INT64_MAX / HEARTH_MAX_MODEL_FILES) {
        return invalid(reader, "files[].size_bytes", "a whole number above 0");
    }
    file.size_bytes = yyjson_get_uint(size);
    int rc = read_role(reader, yyjson_obj_get(entry, "role"), &file.role);
    rc = rc < 0 ? rc : read_path(reader, yyjson_obj_get(entry, "path"), &file.path);
    rc = rc < 0 ? rc : read_digest(reader, yyjson_obj_get(entry, "sha256"), file.sha256);
    if (rc < 0) {
        return rc;
    }
    manifest->files[manifest->file_count++] = file;
    manifest->size_bytes += file.size_bytes;
    return 0;
}

static int check_roles(struct reader *reader)
{
    const struct hearth_manifest *manifest = reader->manifest;
    bool has_model = hearth_manifest_file(manifest, HEARTH_FILE_MODEL) != NULL;
    bool has_tokenizer = hearth_manifest_file(manifest, HEARTH_FILE_TOKENIZER) != NULL;
    if (manifest->engine != HEARTH_ENGINE_ECHO && !has_model) {
        return invalid(reader, "files", "an array with a file of role \"model\"");
    }
    bool needs_tokenizer =
        manifest->engine == HEARTH_ENGINE_ONNX && manifest->task != HEARTH_TASK_TENSORS;
    if (needs_tokenizer && !has_tokenizer) {
        return invalid(reader, "files",
                       "an array with a file of role \"tokenizer\": onnx needs one for every "
                       "task but tensors");
    }
    return 0;
}

static int read_files(struct reader *reader, yyjson_val *root)
{
    yyjson_val *files = yyjson_obj_get(root, "files");
    if (files == NULL) {
        return check_roles(reader);
    }
    if (!yyjson_is_arr(files) || yyjson_arr_size(files) > HEARTH_MAX_MODEL_FILES) {
        return invalid(reader, "files", "an array of at most 8 objects");
    }
    size_t index;
    size_t max;
    yyjson_val *entry;
    yyjson_arr_foreach(files, index, max, entry)
    {
        int rc = read_file(reader, entry);
        if (rc < 0) {
            return rc;
        }
    }
    return check_roles(reader);
}

static int take_option_value(struct reader *reader, yyjson_val *value, const char **ret)
{
    char text[32];
    if (yyjson_is_str(value)) {
        return take_string(reader, value, "options{}", HEARTH_MAX_ERROR_BYTES, ret);
    }
    if (yyjson_is_bool(value)) {
        *ret = yyjson_get_bool(value) ? "true" : "false";
        return 0;
    }
    if (yyjson_is_uint(value)) {
        snprintf(text, sizeof text, "%" PRIu64, yyjson_get_uint(value));
    } else if (yyjson_is_sint(value)) {
        snprintf(text, sizeof text, "%" PRId64, yyjson_get_sint(value));
    } else if (yyjson_is_real(value)) {
        snprintf(text, sizeof text, "%.17g", yyjson_get_real(value));
    } else {
        return invalid(reader, "options{}", "a string, a number, true or false");
    }
    *ret = hearth_arena_copy(&reader->manifest->arena, hearth_slice_of_string(text));
    return *ret == NULL ? hearth_fail_oom(reader->err) : 0;
}

static int read_options(struct reader *reader, yyjson_val *root)
{
    struct hearth_manifest *manifest = reader->manifest;
    yyjson_val *options = yyjson_obj_get(root, "options");
    if (options == NULL) {
        return 0;
    }
    if (!yyjson_is_obj(options) || yyjson_obj_size(options) > HEARTH_MAX_MODEL_OPTIONS) {
        return invalid(reader, "options", "an object of at most 32 keys");
    }
    size_t index;
    size_t max;
    yyjson_val *key;
    yyjson_val *value;
    yyjson_obj_foreach(options, index, max, key, value)
    {
        struct hearth_manifest_option option = {0};
        int rc = take_string(reader, key, "options", HEARTH_MAX_NAME_BYTES, &option.key);
        rc = rc < 0 ? rc : take_option_value(reader, value, &option.value);
        if (rc < 0) {
            return rc;
        }
        manifest->options[manifest->option_count++] = option;
    }
    return 0;
}

static int read_manifest(struct reader *reader, yyjson_val *root, const char *model_id)
{
    if (!yyjson_is_obj(root)) {
        return hearth_fail(reader->err, HEARTH_E_MODEL_INVALID,
                           "manifest.json: must be one JSON object");
    }
    int rc = read_id(reader, root, model_id);
    rc = rc < 0 ? rc : take_optional_string(reader, root, "name", &reader->manifest->name);
    rc = rc < 0 ? rc : take_optional_string(reader, root, "version", &reader->manifest->version);
    rc = rc < 0 ? rc : check_version(reader);
    rc = rc < 0 ? rc : take_optional_string(reader, root, "license", &reader->manifest->license);
    rc = rc < 0 ? rc : read_engine(reader, root);
    rc = rc < 0 ? rc : read_task(reader, root);
    rc = rc < 0 ? rc : read_labels(reader, root);
    rc = rc < 0 ? rc : read_files(reader, root);
    rc = rc < 0 ? rc : precision_read(root, reader->manifest, reader->err);
    return rc < 0 ? rc : read_options(reader, root);
}

static yyjson_doc *parse_json(struct hearth_slice json, struct hearth_error *err)
{
    yyjson_read_err read_err = {0};
    /* Not in-situ: the parser copies, so casting const away is never acted on. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, 0, NULL, &read_err);
    if (doc == NULL) {
        hearth_fail(err, HEARTH_E_MODEL_INVALID, "manifest.json: not JSON at byte %zu: %s",
                    read_err.pos, read_err.msg != NULL ? read_err.msg : "empty");
    }
    return doc;
}

int hearth_manifest_parse(struct hearth_slice json, const char *model_id,
                          struct hearth_manifest **ret, struct hearth_error *err)
{
    if (json.size > HEARTH_MAX_MANIFEST_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "manifest.json: %zu bytes, at most %u",
                           json.size, HEARTH_MAX_MANIFEST_BYTES);
    }
    HEARTH_AUTO(hearth_manifest)
    struct hearth_manifest *manifest = hearth_alloc(1, sizeof *manifest);
    if (manifest == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&manifest->arena, ARENA_CAP_BYTES);
    yyjson_doc *doc = parse_json(json, err);
    if (doc == NULL) {
        return HEARTH_E_MODEL_INVALID;
    }
    struct reader reader = {.manifest = manifest, .err = err};
    int rc = read_manifest(&reader, yyjson_doc_get_root(doc), model_id);
    yyjson_doc_free(doc);
    if (rc < 0) {
        return rc;
    }
    *ret = HEARTH_TAKE(manifest);
    return 0;
}

void hearth_manifest_destroy(struct hearth_manifest *manifest)
{
    if (manifest != NULL) {
        hearth_arena_finish(&manifest->arena);
        hearth_free(manifest);
    }
}

const struct hearth_manifest_file *hearth_manifest_file(const struct hearth_manifest *manifest,
                                                        enum hearth_file_role role)
{
    for (uint32_t i = 0; i < manifest->file_count; i++) {
        if (manifest->files[i].role == role) {
            return &manifest->files[i];
        }
    }
    return NULL;
}
