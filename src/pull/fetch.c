/* fetch.c — see fetch.h. A part is locked while it is written: a second program waits for it, and
 * then finds the blob. What is killed leaves the part, and the lock goes with it. */

#include "fetch.h"

#include "digest.h"
#include "interrupt.h"

#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPARE_BYTES (UINT64_C(16) << 20) /* left free on a disk */

/* One file under way. */
struct fetch {
    struct pull_fetcher *fetcher;
    struct pull_file *file;
    char key[PULL_SHA256_BYTES +
             1]; /* the part's name: its digest, or that of where it comes from */
    char url[PULL_MAX_URL_BYTES + 1];
    char part[PULL_MAX_PATH_BYTES];
    char etag_path[PULL_MAX_PATH_BYTES];
    char etag[256]; /* of the bytes in the part */
    int fd;
    uint64_t offset;   /* bytes in the part */
    uint64_t furthest; /* it has been */
    char git_sha1[PULL_SHA1_BYTES + 1];
    char commit[PULL_SHA1_BYTES + 1];
    bool is_joined;   /* of what came at different times */
    bool is_anew;     /* it was thrown away once because of that */
    bool is_in_cache; /* the hub named a blob that we have */
};

static const char *label_of(const struct fetch *fetch)
{
    return fetch->file->path;
}

/* ── The cache ───────────────────────────────────────────────────────────────────────────────── */

int pull_cache_make(const struct pull_fetcher *fetcher, struct pull_problem *problem)
{
    static const char *const names[] = {"blobs", "parts", "refs"};
    char path[PULL_MAX_PATH_BYTES];
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        int rc = pull_path(path, problem, "%s/pull/%s", fetcher->cache, names[i]);
        rc = rc < 0 ? rc : pull_make_folders(path, problem);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int pull_blob_path(const struct pull_fetcher *fetcher, const char *sha256,
                   char room[PULL_MAX_PATH_BYTES], struct pull_problem *problem)
{
    return pull_path(room, problem, "%s/pull/blobs/%s", fetcher->cache, sha256);
}

static void key_of(const struct pull_fetcher *fetcher, const struct pull_file *file,
                   char room[PULL_SHA256_BYTES + 1])
{
    char text[PULL_MAX_URL_BYTES + 1];
    struct pull_problem ignored;
    if (file->sha256[0] != '\0') {
        memcpy(room, file->sha256, PULL_SHA256_BYTES + 1);
        return;
    }
    if (pull_source_url(&file->source, fetcher->hub, text, sizeof text, &ignored) < 0) {
        text[0] = '\0';
    }
    pull_digest_text(text, room);
}

uint64_t pull_missing_bytes(const struct pull_fetcher *fetcher, const struct pull_file *file)
{
    char key[PULL_SHA256_BYTES + 1];
    char path[PULL_MAX_PATH_BYTES];
    uint64_t found = 0;
    struct pull_problem ignored;
    key_of(fetcher, file, key);
    if (pull_blob_path(fetcher, key, path, &ignored) == 0 && pull_file_size(path, &found) &&
        found == file->size_bytes) {
        return 0;
    }
    if (pull_path(path, &ignored, "%s/pull/parts/%s", fetcher->cache, key) < 0 ||
        !pull_file_size(path, &found) || found > file->size_bytes) {
        found = 0;
    }
    return file->size_bytes - found;
}

/* 1: the blob of file->sha256 is there and right; 0: it is not. A wrong one is removed. */
static int look_in_cache(struct pull_fetcher *fetcher, struct pull_file *file,
                         struct pull_problem *problem)
{
    char path[PULL_MAX_PATH_BYTES];
    struct pull_digest found;
    int rc = pull_blob_path(fetcher, file->sha256, path, problem);
    if (rc < 0) {
        return rc;
    }
    rc = pull_digest_path(path, &found, problem);
    if (rc < 0) {
        return problem->err.sys_errno == ENOENT ? 0 : rc;
    }
    if (strcmp(found.sha256, file->sha256) != 0) {
        unlink(path);
        return 0;
    }
    if (file->size_bytes != 0 && file->size_bytes != found.size_bytes) {
        return pull_fail(problem, HEARTH_E_DIGEST_MISMATCH, "correct the catalogue",
                         "%.60s has the digest of the catalogue and %" PRIu64
                         " bytes, not %" PRIu64,
                         file->path, found.size_bytes, file->size_bytes);
    }
    file->size_bytes = found.size_bytes;
    return 1;
}

/* ── Notes of what a hub told ────────────────────────────────────────────────────────────────── */

/* A ref is one line: sha256, commit or -. */
static void write_ref(const struct fetch *fetch)
{
    char path[PULL_MAX_PATH_BYTES];
    char key[PULL_SHA256_BYTES + 1];
    struct pull_problem ignored;
    struct hearth_new_file file = {.fd = -1};
    struct pull_file unknown = {.source = fetch->file->source};
    key_of(fetch->fetcher, &unknown, key);
    if (pull_path(path, &ignored, "%s/pull/refs/%s", fetch->fetcher->cache, key) < 0 ||
        hearth_new_file_open(path, &file, NULL) < 0) {
        return; /* without it the file is asked for again, no more */
    }
    if (dprintf(file.fd, "%s %s\n", fetch->file->sha256,
                fetch->commit[0] != '\0' ? fetch->commit : "-") > 0) {
        hearth_new_file_commit(&file, NULL);
    }
    hearth_new_file_close(&file);
}

static bool read_ref(struct pull_fetcher *fetcher, struct pull_file *file)
{
    char path[PULL_MAX_PATH_BYTES];
    char key[PULL_SHA256_BYTES + 1];
    char text[PULL_SHA256_BYTES + PULL_SHA1_BYTES + 8];
    size_t size = 0;
    struct pull_problem ignored;
    key_of(fetcher, file, key);
    if (pull_path(path, &ignored, "%s/pull/refs/%s", fetcher->cache, key) < 0 ||
        hearth_file_read_text(path, text, sizeof text, &size, NULL) < 0 ||
        size < PULL_SHA256_BYTES + 2 || text[size - 1] != '\n') {
        return false;
    }
    const char *commit = text + PULL_SHA256_BYTES + 1;
    if (!pull_hex_copy(hearth_slice_of(commit, size - PULL_SHA256_BYTES - 2), PULL_SHA1_BYTES,
                       fetcher->commit)) {
        fetcher->commit[0] = '\0';
    }
    return pull_hex_copy(hearth_slice_of(text, PULL_SHA256_BYTES), PULL_SHA256_BYTES, file->sha256);
}

/* ── The part ────────────────────────────────────────────────────────────────────────────────── */

static int throw_away(struct fetch *fetch, struct pull_problem *problem)
{
    fetch->offset = 0;
    fetch->etag[0] = '\0';
    fetch->is_joined = false;
    unlink(fetch->etag_path);
    return ftruncate(fetch->fd, 0) == 0
               ? 0
               : pull_fail_errno(problem, "see that the disk is well", "empty %.120s", fetch->part);
}

static void read_etag(struct fetch *fetch)
{
    size_t size = 0;
    if (hearth_file_read_text(fetch->etag_path, fetch->etag, sizeof fetch->etag, &size, NULL) < 0 ||
        strlen(fetch->etag) != size || strpbrk(fetch->etag, "\r\n") != NULL) {
        fetch->etag[0] = '\0';
    }
}

static void write_etag(struct fetch *fetch, const char *etag)
{
    snprintf(fetch->etag, sizeof fetch->etag, "%s", etag);
    unlink(fetch->etag_path);
    HEARTH_AUTO(hearth_fd)
    int fd = open(fetch->etag_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        hearth_fd_write_all(fd, hearth_slice_of_string(etag));
    }
}

/* Opens the part and locks it. A part that became a blob while we waited is opened anew. */
static int open_part(struct fetch *fetch, struct pull_problem *problem)
{
    const char *cache = fetch->fetcher->cache;
    int rc = pull_path(fetch->part, problem, "%s/pull/parts/%s", cache, fetch->key);
    rc = rc < 0 ? rc
                : pull_path(fetch->etag_path, problem, "%s/pull/parts/%s.etag", cache, fetch->key);
    while (rc == 0) {
        fetch->fd = open(fetch->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fetch->fd < 0) {
            return pull_fail_errno(problem, "choose another --cache", "open %.120s", fetch->part);
        }
        rc = pull_lock(fetch->fd, label_of(fetch), fetch->fetcher->is_quiet, problem);
        if (rc == 0 && pull_is_same_file(fetch->fd, fetch->part)) {
            break;
        }
        hearth_fd_close(&fetch->fd);
    }
    if (rc == 0 && hearth_file_size(fetch->fd, &fetch->offset, NULL) == 0) {
        read_etag(fetch);
        fetch->is_joined = fetch->offset > 0;
        fetch->furthest = fetch->offset;
    }
    return rc;
}

/* ── What comes ──────────────────────────────────────────────────────────────────────────────── */

static int other_size(const struct fetch *fetch, const char *who, uint64_t found,
                      struct pull_problem *problem)
{
    return pull_fail(problem, HEARTH_E_MALFORMED,
                     "see whether the file at the hub has changed; nothing was kept of this answer",
                     "%.60s: the %s says %" PRIu64 " bytes, announced were %" PRIu64,
                     label_of(fetch), who, found, fetch->file->size_bytes);
}

/* A size that somebody tells must be the one that is known; if none is, it is now. */
static int learn_size(struct fetch *fetch, const char *who, uint64_t size_bytes,
                      struct pull_problem *problem)
{
    if (fetch->file->size_bytes != 0) {
        return fetch->file->size_bytes == size_bytes ? 0
                                                     : other_size(fetch, who, size_bytes, problem);
    }
    if (size_bytes == 0 || size_bytes > PULL_MAX_FILE_BYTES) {
        return pull_fail(problem, HEARTH_E_TOO_LARGE, "fetch another file",
                         "%.60s has %" PRIu64 " bytes; 1 to 2^40 are fetched", label_of(fetch),
                         size_bytes);
    }
    fetch->file->size_bytes = size_bytes;
    return 0;
}

/* 1 if the hub names a blob that is in the cache: then nothing has to come. */
static int learn_digest(struct fetch *fetch, const struct pull_facts *facts,
                        struct pull_problem *problem)
{
    struct pull_file *file = fetch->file;
    memcpy(fetch->git_sha1, facts->git_sha1, sizeof fetch->git_sha1);
    memcpy(fetch->commit, facts->commit, sizeof fetch->commit);
    if (file->sha256[0] != '\0') {
        return facts->sha256[0] == '\0' || strcmp(facts->sha256, file->sha256) == 0
                   ? 0
                   : pull_fail(problem, HEARTH_E_DIGEST_MISMATCH,
                               "do not use it before you know why; see docs/models.md",
                               "%.60s: the hub has a file with sha256 %.16s…, announced was %.16s…",
                               label_of(fetch), facts->sha256, file->sha256);
    }
    if (facts->sha256[0] == '\0') {
        return facts->git_sha1[0] != '\0'
                   ? 0
                   : pull_fail(problem, HEARTH_E_DIGEST_MISMATCH,
                               "give the digest that you trust: --sha256 HEX",
                               "%.60s: the hub tells no digest of it", label_of(fetch));
    }
    struct pull_file known = *file;
    memcpy(known.sha256, facts->sha256, sizeof known.sha256);
    int rc = look_in_cache(fetch->fetcher, &known, problem);
    memcpy(file->sha256, known.sha256, sizeof file->sha256);
    if (rc == 1) {
        file->size_bytes = known.size_bytes;
        fetch->is_in_cache = true;
    }
    return rc;
}

static int check_space(const struct fetch *fetch, struct pull_problem *problem)
{
    uint64_t free_bytes;
    uint64_t device;
    char need[16];
    char have[16];
    uint64_t size_bytes = fetch->file->size_bytes;
    uint64_t missing = size_bytes > fetch->offset ? size_bytes - fetch->offset : 0;
    int rc = pull_free_bytes(fetch->fetcher->cache, &free_bytes, &device, problem);
    if (rc < 0 || free_bytes >= missing + SPARE_BYTES) {
        return rc;
    }
    pull_bytes_text(missing, need);
    pull_bytes_text(free_bytes, have);
    return pull_fail(problem, HEARTH_E_NO_ROOM, "free some space or choose another --cache",
                     "%.60s needs %s, and the cache has %s free", label_of(fetch), need, have);
}

/* Where the bytes begin that are about to come: behind those that we have, or at the start. */
static int place_range(struct fetch *fetch, const struct pull_head *head,
                       struct pull_problem *problem)
{
    if (head->status == 206) {
        if (!head->has_range || head->first != fetch->offset) {
            return pull_fail(problem, HEARTH_E_MALFORMED, "ask who runs that hub",
                             "%.60s: the server sent another part than was asked for",
                             label_of(fetch));
        }
        return head->has_total ? learn_size(fetch, "range", head->total, problem) : 0;
    }
    int rc = throw_away(fetch, problem); /* a server that knows no ranges */
    if (rc == 0) {
        write_etag(fetch, head->etag);
    }
    return rc < 0 || !head->has_length ? rc : learn_size(fetch, "server", head->length, problem);
}

static int on_begin(void *self, const struct pull_head *head, const struct pull_facts *facts,
                    struct pull_problem *problem)
{
    struct fetch *fetch = self;
    int rc = learn_digest(fetch, facts, problem);
    if (rc == 0 && facts->has_size) {
        rc = learn_size(fetch, "hub", facts->size_bytes, problem);
    }
    if (rc != 0) {
        return rc == 1 ? HEARTH_E_CANCELLED : rc;
    }
    rc = place_range(fetch, head, problem);
    rc = rc < 0 ? rc : check_space(fetch, problem);
    if (rc < 0 || lseek(fetch->fd, (off_t)fetch->offset, SEEK_SET) < 0) {
        return rc < 0 ? rc
                      : pull_fail_errno(problem, "choose another --cache", "seek in %.120s",
                                        fetch->part);
    }
    fetch->fetcher->progress.total_bytes = fetch->file->size_bytes;
    fetch->fetcher->progress.begun_bytes = fetch->offset;
    return 0;
}

static int on_take(void *self, const void *data, size_t size, struct pull_problem *problem)
{
    struct fetch *fetch = self;
    uint64_t limit =
        fetch->file->size_bytes != 0 ? fetch->file->size_bytes : PULL_MAX_UNSIZED_BYTES;
    if (size > limit - HEARTH_MIN(limit, fetch->offset)) {
        return pull_fail(problem, HEARTH_E_TOO_LARGE, "see whether the file at the hub has changed",
                         "%.60s: the server sent more than the %" PRIu64 " bytes that %s",
                         label_of(fetch), limit,
                         fetch->file->size_bytes != 0 ? "were announced" : "may come unannounced");
    }
    while (size > 0) {
        size_t written = 0;
        if (hearth_fd_write(fetch->fd, data, size, &written) < 0) {
            return pull_fail_errno(problem, "see that the disk is well", "write %.120s",
                                   fetch->part);
        }
        data = (const uint8_t *)data + written;
        size -= written;
        fetch->offset += written;
    }
    return 0;
}

static void on_tick(void *self)
{
    struct fetch *fetch = self;
    if (fetch->offset > 0) {
        pull_progress_show(&fetch->fetcher->progress, fetch->offset, hearth_clock_ns());
    }
}

/* ── Until it is whole ───────────────────────────────────────────────────────────────────────── */

/* 0: all of it has come (or is in the cache); else why not. */
static int attempt(struct fetch *fetch, struct pull_problem *problem)
{
    const struct pull_sink sink = {on_begin, on_take, on_tick, fetch};
    unsigned status = 0;
    uint64_t size_bytes = fetch->file->size_bytes;
    if (size_bytes != 0 && fetch->offset > size_bytes) {
        throw_away(fetch, problem);
    }
    bool is_named = fetch->file->sha256[0] != '\0' || fetch->git_sha1[0] != '\0';
    if (size_bytes != 0 && fetch->offset == size_bytes && is_named) {
        return 0;
    }
    int rc = pull_client_get(fetch->fetcher->client, fetch->url, fetch->offset, fetch->etag, &sink,
                             &status, problem);
    if (fetch->is_in_cache) {
        return 0;
    }
    if (rc == 0 && status == 416) { /* the server has no byte behind ours: it has another file */
        rc = throw_away(fetch, problem);
        return rc < 0 ? rc
                      : pull_fail(problem, HEARTH_E_DISCONNECTED, "try again",
                                  "%.60s: the server has no such part of it", label_of(fetch));
    }
    if (rc == 0 && fetch->file->size_bytes != 0 && fetch->offset < fetch->file->size_bytes) {
        return pull_fail(problem, HEARTH_E_DISCONNECTED, "try again; what has come is kept",
                         "%.60s: the server ended after %" PRIu64 " of %" PRIu64 " bytes",
                         label_of(fetch), fetch->offset, fetch->file->size_bytes);
    }
    return rc;
}

static bool may_be_otherwise(int rc)
{
    return rc == HEARTH_E_DISCONNECTED || rc == HEARTH_E_EXPIRED || rc == HEARTH_E_NOT_READY;
}

/* A connection that ended after it got further than any before it is no failure: a bad line still
 * gets there. One that stalled is: a server could go on for ever with a byte now and then. */
static int fetch_all(struct fetch *fetch, struct pull_problem *problem)
{
    unsigned failures = 0;
    for (unsigned i = 0; i < PULL_MAX_ATTEMPTS; i++) {
        int rc = attempt(fetch, problem);
        pull_progress_end(&fetch->fetcher->progress);
        if (!may_be_otherwise(rc)) {
            return rc;
        }
        bool is_further = rc == HEARTH_E_DISCONNECTED && fetch->offset > fetch->furthest;
        failures = is_further ? 0 : failures + 1;
        fetch->furthest = HEARTH_MAX(fetch->furthest, fetch->offset);
        fetch->is_joined = fetch->offset > 0;
        if (failures > fetch->fetcher->retries) {
            return rc;
        }
        unsigned wait_secs = failures == 0 ? 0 : 1u << HEARTH_MIN(failures - 1, 5u);
        if (!fetch->fetcher->is_quiet) {
            fprintf(stderr, "%s; trying again\n", problem->err.text);
        }
        if (!pull_interrupt_sleep(wait_secs)) {
            return pull_fail_interrupted(problem);
        }
    }
    return pull_fail(problem, HEARTH_E_DISCONNECTED, "try again; what has come is kept",
                     "%.60s: %u attempts did not bring all of it", label_of(fetch),
                     PULL_MAX_ATTEMPTS);
}

/* 1: it is what was announced; 0: it is not, and worth another try; negative: it is not. */
static int verify(struct fetch *fetch, struct pull_problem *problem)
{
    struct pull_digest found;
    struct pull_file *file = fetch->file;
    int rc = pull_digest_fd(fetch->fd, label_of(fetch), &found, problem);
    if (rc < 0) {
        return rc;
    }
    bool is_right = file->sha256[0] != '\0' ? strcmp(found.sha256, file->sha256) == 0
                                            : strcmp(found.git_sha1, fetch->git_sha1) == 0;
    if (is_right) {
        memcpy(file->sha256, found.sha256, sizeof file->sha256);
        file->size_bytes = found.size_bytes;
        return 1;
    }
    bool was_joined = fetch->is_joined && !fetch->is_anew;
    rc = throw_away(fetch, problem);
    if (rc < 0 || was_joined) {
        fetch->is_anew = true;
        return rc;
    }
    unlink(fetch->part);
    return pull_fail(problem, HEARTH_E_DIGEST_MISMATCH,
                     "do not use what that server sends before you know why; nothing was kept",
                     "%.60s: what came has %s %.16s…, announced was %.16s…", label_of(fetch),
                     file->sha256[0] != '\0' ? "sha256" : "git's name",
                     file->sha256[0] != '\0' ? found.sha256 : found.git_sha1,
                     file->sha256[0] != '\0' ? file->sha256 : fetch->git_sha1);
}

static int keep_as_blob(struct fetch *fetch, struct pull_problem *problem)
{
    char blob[PULL_MAX_PATH_BYTES];
    int rc = pull_blob_path(fetch->fetcher, fetch->file->sha256, blob, problem);
    if (rc < 0) {
        return rc;
    }
    if (fchmod(fetch->fd, 0444) != 0 || fsync(fetch->fd) != 0 || rename(fetch->part, blob) != 0) {
        return pull_fail_errno(problem, "see that the disk is well", "put %.60s into the cache",
                               label_of(fetch));
    }
    unlink(fetch->etag_path);
    return 0;
}

static int run(struct fetch *fetch, struct pull_problem *problem)
{
    int rc = open_part(fetch, problem);
    if (rc == 0 && fetch->file->sha256[0] != '\0') { /* somebody else may have been quicker */
        rc = look_in_cache(fetch->fetcher, fetch->file, problem);
    }
    if (rc == 1) {
        unlink(fetch->part);
        return 0;
    }
    while (rc == 0) {
        rc = fetch_all(fetch, problem);
        if (rc < 0) {
            break;
        }
        if (fetch->is_in_cache) {
            unlink(fetch->part);
            break;
        }
        rc = verify(fetch, problem);
        if (rc == 1) {
            rc = keep_as_blob(fetch, problem);
            break;
        }
    }
    if (rc == 0) {
        memcpy(fetch->fetcher->commit, fetch->commit, sizeof fetch->commit);
        write_ref(fetch);
    }
    return rc;
}

int pull_fetch_file(struct pull_fetcher *fetcher, struct pull_file *file,
                    struct pull_problem *problem)
{
    bool is_offline = fetcher->client == NULL;
    struct pull_file known = *file;
    bool has_digest = file->sha256[0] != '\0';
    if (has_digest ||
        ((is_offline || pull_source_is_pinned(&file->source)) && read_ref(fetcher, &known))) {
        int rc = look_in_cache(fetcher, &known, problem);
        if (rc != 0) {
            *file = known;
            return rc == 1 ? 0 : rc;
        }
    }
    if (is_offline) {
        return pull_fail(problem, HEARTH_E_NOT_READY, "run it once without --offline",
                         "%.60s is not in the cache", file->path);
    }
    struct fetch *fetch = hearth_alloc(1, sizeof *fetch);
    if (fetch == NULL) {
        return pull_fail_oom(problem);
    }
    fetch->fetcher = fetcher;
    fetch->file = file;
    fetch->fd = -1;
    key_of(fetcher, file, fetch->key);
    pull_progress_begin(&fetcher->progress, file->path, hearth_clock_ns());
    int rc = pull_source_url(&file->source, fetcher->hub, fetch->url, sizeof fetch->url, problem);
    rc = rc < 0 ? rc : run(fetch, problem);
    pull_progress_end(&fetcher->progress);
    hearth_fd_close(&fetch->fd);
    hearth_free(fetch);
    return rc;
}
