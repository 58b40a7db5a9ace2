/* registry.c — scanning the roots, and the life of a model.
 *
 * The life:  absent → loading → ready → draining → absent, with failed and restarting beside it. */

#include "hearth_registry.h"

#include "hearth_os.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REGISTRY_MAGIC  0x52454749u
#define FOLDER_MANIFEST "manifest.json"
#define FILE_SUFFIX     ".manifest.json"

/* ---- life --------------------------------------------------------------------------------- */

#define STATE(name) (1u << HEARTH_MODEL_##name)

static const unsigned lawful_moves[] = {
    [HEARTH_MODEL_ABSENT] = STATE(LOADING) | STATE(FAILED),
    [HEARTH_MODEL_LOADING] = STATE(READY) | STATE(FAILED) | STATE(DRAINING),
    [HEARTH_MODEL_READY] = STATE(DRAINING) | STATE(RESTARTING) | STATE(FAILED),
    [HEARTH_MODEL_DRAINING] = STATE(ABSENT),
    [HEARTH_MODEL_FAILED] = STATE(LOADING) | STATE(ABSENT),
    [HEARTH_MODEL_RESTARTING] = STATE(READY) | STATE(FAILED) | STATE(DRAINING),
};

bool hearth_model_may_move(enum hearth_model_state from, enum hearth_model_state to)
{
    return (size_t)from < HEARTH_COUNT(lawful_moves) && (size_t)to < HEARTH_COUNT(lawful_moves) &&
           (lawful_moves[from] & (1u << to)) != 0;
}

void hearth_model_move(struct hearth_model *model, enum hearth_model_state to)
{
    HEARTH_ASSERT(hearth_model_may_move(model->state, to));
    if (model->state == HEARTH_MODEL_FAILED) {
        model->failure = (struct hearth_error){0};
    }
    model->state = to;
}

void hearth_model_fail(struct hearth_model *model, const struct hearth_error *why)
{
    if (model->state != HEARTH_MODEL_FAILED) {
        hearth_model_move(model, HEARTH_MODEL_FAILED);
    }
    model->failure = *why;
}

bool hearth_model_has_worker(const struct hearth_model *model)
{
    return model->state != HEARTH_MODEL_ABSENT && model->state != HEARTH_MODEL_FAILED;
}

bool hearth_model_owns_worker(const struct hearth_model *model)
{
    return model->host == NULL && hearth_model_has_worker(model);
}

/* ---- the table ---------------------------------------------------------------------------- */

void hearth_registry_init(struct hearth_registry *registry, const char *const *roots,
                          uint32_t count)
{
    HEARTH_ASSERT(count <= HEARTH_MAX_ROOTS);
    *registry =
        (struct hearth_registry){.magic = REGISTRY_MAGIC, .roots = roots, .root_count = count};
}

static void forget(struct hearth_model *model)
{
    hearth_manifest_destroy(model->manifest);
    *model = (struct hearth_model){0};
}

static void close_folder(struct hearth_registry_scan *scan)
{
    if (scan->folder != NULL) {
        closedir(scan->folder);
        scan->folder = NULL;
    }
}

void hearth_registry_finish(struct hearth_registry *registry)
{
    HEARTH_CHECK(registry, REGISTRY_MAGIC);
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        forget(&registry->models[i]);
    }
    close_folder(&registry->scan);
    registry->magic = 0;
}

struct hearth_model *hearth_registry_find(struct hearth_registry *registry, struct hearth_slice id)
{
    HEARTH_CHECK(registry, REGISTRY_MAGIC);
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        struct hearth_model *model = &registry->models[i];
        if (model->is_used && hearth_slice_equals_string(id, model->id)) {
            return model;
        }
    }
    return NULL;
}

struct hearth_model *hearth_registry_at(struct hearth_registry *registry, uint32_t slot)
{
    HEARTH_CHECK(registry, REGISTRY_MAGIC);
    return slot < HEARTH_MAX_MODELS && registry->models[slot].is_used ? &registry->models[slot]
                                                                      : NULL;
}

uint32_t hearth_registry_count(const struct hearth_registry *registry,
                               enum hearth_model_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        count += registry->models[i].is_used && registry->models[i].state == state;
    }
    return count;
}

static struct hearth_model *add(struct hearth_registry *registry, const char *id)
{
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        struct hearth_model *model = &registry->models[i];
        if (!model->is_used) {
            *model = (struct hearth_model){.is_used = true, .slot = i};
            snprintf(model->id, sizeof model->id, "%s", id);
            return model;
        }
    }
    return NULL;
}

/* ---- scanning ----------------------------------------------------------------------------- */

/* Reads and parses; *@ret_missing tells "no such file" from "not usable". */
static int read_manifest(const char *path, const char *id, struct hearth_manifest **ret,
                         bool *ret_missing, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, HEARTH_MAX_MANIFEST_BYTES);
    int rc = hearth_file_read(path, &buf, err);
    *ret_missing = rc == HEARTH_E_SYSTEM && (err->sys_errno == ENOENT || err->sys_errno == ENOTDIR);
    return rc < 0 ? rc : hearth_manifest_parse(hearth_buf_slice(&buf), id, ret, err);
}

static void set_manifest(struct hearth_model *model, struct hearth_manifest *manifest,
                         const struct hearth_error *why)
{
    bool had_manifest = model->manifest != NULL;
    hearth_manifest_destroy(model->manifest);
    model->manifest = manifest;
    if (manifest == NULL) {
        hearth_model_fail(model, why);
    } else if (model->state == HEARTH_MODEL_FAILED && !had_manifest) {
        hearth_model_move(model, HEARTH_MODEL_ABSENT); /* a failed load keeps its reason instead */
    }
}

/* Looks at one place where the model @id may be described. */
static int look_at(struct hearth_registry *registry, uint32_t root, const char *id,
                   const char *folder, struct hearth_error *err)
{
    struct hearth_model *model = hearth_registry_find(registry, hearth_slice_of_string(id));
    if (model != NULL &&
        (model->is_on_disk || model->is_pinned || hearth_model_has_worker(model))) {
        model->is_on_disk = true;
        return 0;
    }
    char path[HEARTH_MAX_PATH_BYTES];
    int size =
        folder[0] != '\0'
            ? snprintf(path, sizeof path, "%s/%s/" FOLDER_MANIFEST, registry->roots[root], id)
            : snprintf(path, sizeof path, "%s/%s" FILE_SUFFIX, registry->roots[root], id);
    if (size < 0 || (size_t)size >= sizeof path) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "path of model \"%.64s\" is too long", id);
    }
    struct hearth_manifest *manifest = NULL;
    struct hearth_error why = {0};
    bool is_missing = false;
    int rc = read_manifest(path, id, &manifest, &is_missing, &why);
    if (is_missing) {
        return 0;
    }
    if (model == NULL && (model = add(registry, id)) == NULL) {
        hearth_manifest_destroy(manifest);
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "model \"%.64s\": more than %u models", id,
                           HEARTH_MAX_MODELS);
    }
    model->is_on_disk = true;
    model->root = root;
    snprintf(model->folder, sizeof model->folder, "%s", folder);
    if (rc < 0) {
        hearth_because(&why, rc, "model \"%.64s\"", id);
    }
    set_manifest(model, manifest, &why);
    return 0;
}

static int look_at_entry(struct hearth_registry *registry, uint32_t root, const char *name,
                         bool is_file_round, struct hearth_error *err)
{
    char id[HEARTH_MAX_MODEL_ID_BYTES + 1];
    size_t size = strlen(name);
    if (is_file_round) {
        size_t suffix = sizeof FILE_SUFFIX - 1;
        if (size <= suffix || strcmp(name + size - suffix, FILE_SUFFIX) != 0) {
            return 0;
        }
        size -= suffix;
    }
    if (size >= sizeof id) {
        return 0;
    }
    memcpy(id, name, size);
    id[size] = '\0';
    if (!hearth_model_id_is_valid(id)) {
        return 0;
    }
    return look_at(registry, root, id, is_file_round ? "" : id, err);
}

/* The first problem is what a scan reports. */
static void note_problem(struct hearth_registry_scan *scan, const struct hearth_error *err)
{
    if (scan->first.code == 0) {
        scan->first = *err;
    }
}

void hearth_registry_scan_begin(struct hearth_registry *registry)
{
    HEARTH_CHECK(registry, REGISTRY_MAGIC);
    close_folder(&registry->scan);
    registry->scan = (struct hearth_registry_scan){.is_running = true};
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        registry->models[i].is_on_disk = false;
    }
}

static void next_round(struct hearth_registry_scan *scan)
{
    close_folder(scan);
    scan->root += scan->is_file_round ? 1 : 0;
    scan->is_file_round = !scan->is_file_round;
}

static void look_at_next(struct hearth_registry *registry)
{
    struct hearth_registry_scan *scan = &registry->scan;
    const char *path = registry->roots[scan->root];
    struct hearth_error err = {0};
    if (scan->folder == NULL && (scan->folder = opendir(path)) == NULL) {
        hearth_fail_errno(&err, errno == EACCES ? HEARTH_E_DENIED : HEARTH_E_SYSTEM,
                          "models folder %.120s", path);
        note_problem(scan, &err);
        next_round(scan);
        return;
    }
    const struct dirent *entry = readdir(scan->folder);
    if (entry == NULL) {
        next_round(scan);
    } else if (look_at_entry(registry, scan->root, entry->d_name, scan->is_file_round, &err) < 0) {
        note_problem(scan, &err);
    }
}

static void forget_if_gone(struct hearth_model *model)
{
    if (model->is_used && !model->is_on_disk && !model->is_pinned &&
        !hearth_model_has_worker(model)) {
        forget(model);
    }
}

int hearth_registry_scan_step(struct hearth_registry *registry, uint32_t entries,
                              struct hearth_error *err)
{
    HEARTH_CHECK(registry, REGISTRY_MAGIC);
    struct hearth_registry_scan *scan = &registry->scan;
    HEARTH_ASSERT(scan->is_running);
    for (; entries > 0 && scan->root < registry->root_count; entries--) {
        look_at_next(registry);
    }
    if (scan->root < registry->root_count) {
        return 1;
    }
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        forget_if_gone(&registry->models[i]);
    }
    scan->is_running = false;
    if (scan->first.code < 0 && err != NULL) {
        *err = scan->first;
    }
    return scan->first.code;
}

int hearth_registry_scan(struct hearth_registry *registry, struct hearth_error *err)
{
    int rc;
    hearth_registry_scan_begin(registry);
    while ((rc = hearth_registry_scan_step(registry, UINT32_MAX, err)) == 1) {
    }
    return rc;
}

int hearth_registry_look(struct hearth_registry *registry, struct hearth_slice id,
                         struct hearth_error *err)
{
    char name[HEARTH_MAX_MODEL_ID_BYTES + 1];
    struct hearth_model *model = hearth_registry_find(registry, id);
    int first = 0;
    if (!hearth_slice_to_string(id, name, sizeof name) || !hearth_model_id_is_valid(name)) {
        return 0; /* nothing is called that */
    }
    if (model != NULL) {
        model->is_on_disk = false;
    }
    for (uint32_t root = 0; root < registry->root_count && first == 0; root++) {
        first = look_at(registry, root, name, name, err);
        first = first < 0 ? first : look_at(registry, root, name, "", err);
    }
    if (model != NULL) {
        forget_if_gone(model);
    }
    return first;
}

/* ---- beside the manifest ------------------------------------------------------------------ */

int hearth_registry_read_golden(const struct hearth_registry *registry,
                                const struct hearth_model *model, struct hearth_golden **ret,
                                struct hearth_error *err)
{
    char path[HEARTH_MAX_PATH_BYTES];
    const char *root = registry->roots[model->root];
    int size = model->folder[0] != '\0'
                   ? snprintf(path, sizeof path, "%s/%s/golden.json", root, model->folder)
                   : snprintf(path, sizeof path, "%s/%s.golden.json", root, model->id);
    if (size < 0 || (size_t)size >= sizeof path) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "path of model \"%.64s\" is too long",
                           model->id);
    }
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, HEARTH_MAX_GOLDEN_BYTES);
    struct hearth_error why = {0};
    int rc = hearth_file_read(path, &buf, &why);
    if (rc == HEARTH_E_SYSTEM && why.sys_errno == ENOENT) {
        return 0;
    }
    rc =
        rc < 0 ? rc : hearth_golden_parse(hearth_buf_slice(&buf), model->manifest->task, ret, &why);
    if (rc < 0) {
        hearth_because(&why, rc, "model \"%.64s\"", model->id);
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    return 1;
}
