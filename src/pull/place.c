/* place.c — see place.h. */

#include "place.h"

#include "digest.h"

#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (1u << 20)

/* ── One file ────────────────────────────────────────────────────────────────────────────────── */

static int copy_bytes(int from, int to, const char *target, struct pull_problem *problem)
{
    HEARTH_AUTO(hearth_block) void *chunk = hearth_alloc(1, COPY_BYTES);
    if (chunk == NULL) {
        return pull_fail_oom(problem);
    }
    for (;;) {
        size_t size = 0;
        if (hearth_fd_read(from, chunk, COPY_BYTES, &size) < 0 ||
            hearth_fd_write_all(to, hearth_slice_of(chunk, size)) < 0) {
            return pull_fail_errno(problem, "see that the disk is well", "write %.120s", target);
        }
        if (size == 0) {
            return 0;
        }
    }
}

/* For a cache on another file system. What was written is read again: it is what will be served. */
static int copy_blob(const char *blob, const struct pull_file *file, const char *target,
                     struct pull_problem *problem)
{
    struct pull_digest found;
    HEARTH_AUTO(hearth_fd) int from = open(blob, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    HEARTH_AUTO(hearth_fd)
    int to = open(target, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (from < 0 || to < 0) {
        return pull_fail_errno(problem, "see that the folder may be written", "make %.120s",
                               target);
    }
    int rc = copy_bytes(from, to, target, problem);
    rc = rc < 0 ? rc : pull_digest_fd(to, target, &found, problem);
    if (rc == 0 && strcmp(found.sha256, file->sha256) != 0) {
        rc = pull_fail(problem, HEARTH_E_DIGEST_MISMATCH, "see that the disk is well",
                       "%.120s was not written as it was read", target);
    }
    if (rc == 0 && (fchmod(to, 0444) != 0 || fsync(to) != 0)) {
        rc = pull_fail_errno(problem, "see that the disk is well", "write %.120s", target);
    }
    return rc;
}

static int put_blob(const struct pull_fetcher *fetcher, const struct pull_file *file,
                    const char *target, struct pull_problem *problem)
{
    char blob[PULL_MAX_PATH_BYTES];
    int rc = pull_blob_path(fetcher, file->sha256, blob, problem);
    if (rc < 0 || link(blob, target) == 0) {
        return rc;
    }
    bool needs_copy = errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP;
    return needs_copy ? copy_blob(blob, file, target, problem)
                      : pull_fail_errno(problem, "see that the folder may be written",
                                        "make %.120s", target);
}

/* ── A folder ────────────────────────────────────────────────────────────────────────────────── */

static int write_manifest(const struct pull_model *model, const char *path,
                          struct pull_problem *problem)
{
    HEARTH_AUTO(hearth_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || hearth_fd_write_all(fd, hearth_buf_slice(&model->manifest)) < 0 ||
        fsync(fd) != 0) {
        return pull_fail_errno(problem, "see that the folder may be written", "write %.120s", path);
    }
    return 0;
}

static int fill_folder(const struct pull_fetcher *fetcher, const struct pull_model *model,
                       const char *folder, struct pull_problem *problem)
{
    char path[PULL_MAX_PATH_BYTES];
    if (mkdir(folder, 0755) != 0) {
        return pull_fail_errno(problem, "see that --models may be written", "make %.120s", folder);
    }
    int rc = 0;
    for (uint32_t i = 0; i < model->file_count && rc == 0; i++) {
        rc = pull_path(path, problem, "%s/%s", folder, model->files[i].path);
        rc = rc < 0 ? rc : put_blob(fetcher, &model->files[i], path, problem);
    }
    rc = rc < 0 ? rc : pull_path(path, problem, "%s/manifest.json", folder);
    rc = rc < 0 ? rc : write_manifest(model, path, problem);
    if (rc == 0) {
        pull_sync_folder(folder);
    }
    return rc;
}

bool pull_is_placed(const char *models, const struct pull_model *model)
{
    char path[PULL_MAX_PATH_BYTES];
    struct pull_problem ignored;
    HEARTH_AUTO(hearth_buf) struct hearth_buf found;
    hearth_buf_init(&found, PULL_MAX_MANIFEST_BYTES);
    if (pull_path(path, &ignored, "%s/%s/manifest.json", models, model->name) < 0 ||
        hearth_file_read(path, &found, NULL) < 0 ||
        !hearth_slice_equal(hearth_buf_slice(&found), hearth_buf_slice(&model->manifest))) {
        return false;
    }
    for (uint32_t i = 0; i < model->file_count; i++) {
        uint64_t size_bytes = 0;
        const struct pull_file *file = &model->files[i];
        if (pull_path(path, &ignored, "%s/%s/%s", models, model->name, file->path) < 0 ||
            !pull_file_size(path, &size_bytes) || size_bytes != file->size_bytes) {
            return false;
        }
    }
    return true;
}

/* The only moment at which anybody can see a change: one rename. */
static int publish(const char *staged, const char *target, bool is_replace,
                   struct pull_problem *problem)
{
    if (renameat2(AT_FDCWD, staged, AT_FDCWD, target, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EEXIST) {
        return pull_fail_errno(problem, "see that --models may be written", "make %.120s", target);
    }
    if (!is_replace) {
        return pull_fail(problem, HEARTH_E_IN_USE,
                         "--replace takes its place; --models DIR puts it elsewhere; "
                         "`hearth pull --check NAME` looks at what is there",
                         "%.150s is there already, and is another model or damaged", target);
    }
    if (renameat2(AT_FDCWD, staged, AT_FDCWD, target, RENAME_EXCHANGE) != 0) {
        return pull_fail_errno(problem, "move the old folder away", "replace %.120s", target);
    }
    return 0;
}

/* Held while a folder is made and published: what a killed program left is then nobody's. */
static int lock_models(const char *models, bool is_quiet, int *ret_fd, struct pull_problem *problem)
{
    char path[PULL_MAX_PATH_BYTES];
    int rc = pull_path(path, problem, "%s/.pull.lock", models);
    if (rc < 0) {
        return rc;
    }
    *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*ret_fd < 0) {
        return pull_fail_errno(problem, "see that --models may be written", "open %.120s", path);
    }
    return pull_lock(*ret_fd, models, is_quiet, problem);
}

int pull_place_model(const struct pull_fetcher *fetcher, const struct pull_model *model,
                     const char *models, bool is_replace, struct pull_problem *problem)
{
    char staged[PULL_MAX_PATH_BYTES];
    char target[PULL_MAX_PATH_BYTES];
    HEARTH_AUTO(hearth_fd) int lock = -1;
    int rc = pull_make_folders(models, problem);
    rc = rc < 0 ? rc : lock_models(models, fetcher->is_quiet, &lock, problem);
    rc = rc < 0 ? rc : pull_path(staged, problem, "%s/.pull-%s", models, model->name);
    rc = rc < 0 ? rc : pull_path(target, problem, "%s/%s", models, model->name);
    if (rc < 0) {
        return rc;
    }
    if (pull_is_placed(models, model) && !is_replace) {
        return 1;
    }
    pull_remove_folder(staged);
    rc = fill_folder(fetcher, model, staged, problem);
    rc = rc < 0 ? rc : publish(staged, target, is_replace, problem);
    pull_sync_folder(models);
    pull_remove_folder(staged); /* the old one, after an exchange; or what could not be finished */
    return rc;
}

int pull_place_file(const struct pull_fetcher *fetcher, const struct pull_file *file,
                    const char *folder, bool is_replace, struct pull_problem *problem)
{
    char staged[PULL_MAX_PATH_BYTES];
    char target[PULL_MAX_PATH_BYTES];
    const char *name = pull_source_file_name(&file->source);
    HEARTH_AUTO(hearth_fd) int lock = -1;
    int rc = pull_make_folders(folder, problem);
    rc = rc < 0 ? rc : lock_models(folder, fetcher->is_quiet, &lock, problem);
    rc = rc < 0 ? rc : pull_path(staged, problem, "%s/.pull-%s", folder, name);
    rc = rc < 0 ? rc : pull_path(target, problem, "%s/%s", folder, name);
    if (rc < 0) {
        return rc;
    }
    struct pull_digest found;
    struct pull_problem ignored;
    if (pull_digest_path(target, &found, &ignored) == 0 &&
        strcmp(found.sha256, file->sha256) == 0) {
        return 1;
    }
    unlink(staged);
    rc = put_blob(fetcher, file, staged, problem);
    rc = rc < 0 ? rc : publish(staged, target, is_replace, problem);
    unlink(staged);
    pull_sync_folder(folder);
    return rc;
}

/* ── Checking ────────────────────────────────────────────────────────────────────────────────── */

static const struct pull_file *file_of_role(const struct pull_model *model, const char *role)
{
    for (uint32_t i = 0; i < model->file_count; i++) {
        if (strcmp(model->files[i].role, role) == 0) {
            return &model->files[i];
        }
    }
    return NULL;
}

static int compare(const struct pull_model *model, const struct pull_model *wanted,
                   struct pull_problem *problem)
{
    for (uint32_t i = 0; i < wanted->file_count; i++) {
        const struct pull_file *file = file_of_role(model, wanted->files[i].role);
        if (file == NULL || strcmp(file->sha256, wanted->files[i].sha256) != 0) {
            return pull_fail(problem, HEARTH_E_DIGEST_MISMATCH, "hearth pull --replace NAME",
                             "\"%s\": its %s is not the one of the catalogue", wanted->name,
                             wanted->files[i].role);
        }
    }
    return 0;
}

static int check_files(const char *models, const char *name, const struct pull_model *model,
                       struct pull_problem *problem)
{
    char path[PULL_MAX_PATH_BYTES];
    struct pull_digest found;
    for (uint32_t i = 0; i < model->file_count; i++) {
        const struct pull_file *file = &model->files[i];
        int rc = pull_path(path, problem, "%s/%s/%s", models, name, file->path);
        rc = rc < 0 ? rc : pull_digest_path(path, &found, problem);
        if (rc < 0) {
            return rc;
        }
        if (found.size_bytes != file->size_bytes || strcmp(found.sha256, file->sha256) != 0) {
            return pull_fail(problem, HEARTH_E_DIGEST_MISMATCH, "hearth pull --replace NAME",
                             "%.120s is damaged: %" PRIu64 " of %" PRIu64
                             " bytes, sha256 %.16s… and not %.16s…",
                             path, found.size_bytes, file->size_bytes, found.sha256, file->sha256);
        }
    }
    return 0;
}

int pull_check_model(const char *models, const char *name, const struct pull_model *wanted,
                     uint64_t *ret_bytes, struct pull_problem *problem)
{
    char path[PULL_MAX_PATH_BYTES];
    struct pull_model model;
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    hearth_buf_init(&json, PULL_MAX_MANIFEST_BYTES);
    int rc = pull_path(path, problem, "%s/%s/manifest.json", models, name);
    if (rc == 0 && hearth_file_read(path, &json, &problem->err) < 0) {
        rc = pull_fail(problem, HEARTH_E_NO_MODEL, "hearth pull NAME", "\"%s\" is not in %.120s",
                       name, models);
    }
    pull_model_init(&model);
    rc = rc < 0 ? rc : pull_manifest_read(hearth_buf_slice(&json), &model, problem);
    rc = rc < 0 || wanted == NULL ? rc : compare(&model, wanted, problem);
    rc = rc < 0 ? rc : check_files(models, name, &model, problem);
    *ret_bytes = model.size_bytes;
    pull_model_finish(&model);
    return rc;
}
