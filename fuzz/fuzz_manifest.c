/* manifest.json of a hostile model folder. A manifest that is accepted keeps every promise that the
 * spawner and the wire rely on.                                                                  */

#include "hearth_registry.h"

#include <string.h>

int hearth_fuzz_manifest(const uint8_t *data, size_t size);

int hearth_fuzz_manifest(const uint8_t *data, size_t size)
{
    struct hearth_manifest *manifest = NULL;
    struct hearth_error err = {0};
    int rc = hearth_manifest_parse(hearth_slice_of(data, size), "m", &manifest, &err);
    if (rc < 0) {
        HEARTH_ASSERT(manifest == NULL && err.text[0] != '\0');
        return 0;
    }
    HEARTH_ASSERT(hearth_model_id_is_valid(manifest->model_id));
    HEARTH_ASSERT(manifest->file_count <= HEARTH_MAX_MODEL_FILES);
    HEARTH_ASSERT(manifest->option_count <= HEARTH_MAX_MODEL_OPTIONS);
    HEARTH_ASSERT((manifest->task == HEARTH_TASK_CLASSIFY) == (manifest->label_count > 0));
    for (uint32_t i = 0; i < manifest->file_count; i++) {
        const struct hearth_manifest_file *file = &manifest->files[i];
        HEARTH_ASSERT(strlen(file->sha256) == HEARTH_SHA256_HEX_BYTES && file->size_bytes > 0);
        HEARTH_ASSERT(strchr(file->path, '/') == NULL && strcmp(file->path, "..") != 0);
        HEARTH_ASSERT(file->path[0] != '\0' && strlen(file->path) <= HEARTH_MAX_FILE_NAME_BYTES);
    }
    hearth_manifest_destroy(manifest);
    return 0;
}
