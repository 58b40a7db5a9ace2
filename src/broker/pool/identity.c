/* identity.c — what makes two models the same for a worker: task, engine, digests, labels and load
 * options. Written as bytes in one order, so that the same is equal byte for byte. */

#include "pool_priv.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *left, const void *right)
{
    const struct hearth_wire_option *a = left;
    const struct hearth_wire_option *b = right;
    size_t shorter = HEARTH_MIN(a->key.size, b->key.size);
    int order = memcmp(a->key.data, b->key.data, shorter);
    return order != 0 ? order : (a->key.size > b->key.size) - (a->key.size < b->key.size);
}

/* Ended by a NUL, which is in none of them. */
static int add(struct hearth_buf *out, struct hearth_slice text)
{
    int rc = hearth_buf_append(out, text.data, text.size);
    return rc < 0 ? rc : hearth_buf_append(out, "", 1);
}

static int add_files(struct hearth_buf *out, const struct hearth_manifest *manifest)
{
    int rc = 0;
    for (unsigned role = HEARTH_FILE_MODEL; rc == 0 && role <= HEARTH_FILE_CONFIG; role++) {
        const struct hearth_manifest_file *file =
            hearth_manifest_file(manifest, (enum hearth_file_role)role);
        rc = add(out, hearth_slice_of_string(file != NULL ? file->sha256 : ""));
    }
    return rc;
}

int pool_identify(const struct hearth_pool *pool, const struct hearth_model *model,
                  struct hearth_buf *ret, struct hearth_error *err)
{
    const struct hearth_manifest *manifest = model->manifest;
    struct hearth_wire_option options[HEARTH_MAX_MODEL_OPTIONS] = {0};
    uint32_t count = 0;
    const uint8_t kinds[] = {(uint8_t)manifest->engine, (uint8_t)manifest->task};
    int rc = pool_gather_options(pool, model, options, &count, err);
    if (rc < 0) {
        return rc;
    }
    hearth_buf_clear(ret);
    qsort(options, count, sizeof *options, by_key);
    rc = hearth_buf_append(ret, kinds, sizeof kinds);
    rc = rc < 0 ? rc : add_files(ret, manifest);
    for (uint32_t i = 0; rc == 0 && i < manifest->label_count; i++) {
        rc = add(ret, hearth_slice_of_string(manifest->labels[i]));
    }
    rc = rc < 0 ? rc : add(ret, hearth_slice_of_string(""));
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = add(ret, options[i].key);
        rc = rc < 0 ? rc : add(ret, options[i].value);
    }
    return rc < 0 ? hearth_fail(err, rc, "\"%.64s\": %s", model->id, hearth_error_sentence(rc)) : 0;
}

struct hearth_model *hearth_pool_find_host(struct hearth_pool *pool,
                                           const struct hearth_model *model)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    HEARTH_AUTO(hearth_buf) struct hearth_buf wanted;
    hearth_buf_init(&wanted, MAX_IDENTITY_BYTES);
    if (model->manifest == NULL || model->manifest->file_count == 0 ||
        pool_identify(pool, model, &wanted, NULL) < 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        const struct worker *worker = &pool->workers[i];
        struct hearth_model *host = worker->model;
        if (host != NULL && host != model && hearth_model_owns_worker(host) &&
            host->state != HEARTH_MODEL_DRAINING &&
            hearth_slice_equal(hearth_buf_slice(&worker->identity), hearth_buf_slice(&wanted))) {
            return host;
        }
    }
    return NULL;
}
