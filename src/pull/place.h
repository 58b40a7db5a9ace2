/* place.h — a model in its folder: put there whole or not at all, and looked at afterwards. */

#ifndef HEARTH_PULL_PLACE_H
#define HEARTH_PULL_PLACE_H

#include "fetch.h"

/**
 * Makes <models>/<name>/ of the blobs of @model and its manifest, and publishes it by one rename.
 * Blobs are linked where the file system allows, else copied.
 *
 * Returns 1 if the same model is there already. HEARTH_E_IN_USE if another one is and @is_replace
 * is false; with it the two change places and the old one is removed. HEARTH_E_SYSTEM.
 */
int pull_place_model(const struct pull_fetcher *fetcher, const struct pull_model *model,
                     const char *models, bool is_replace, struct pull_problem *problem);

/** Puts the blob of @file into @folder under the name that it has at the hub. */
int pull_place_file(const struct pull_fetcher *fetcher, const struct pull_file *file,
                    const char *folder, bool is_replace, struct pull_problem *problem);

/**
 * Digests every file of <models>/<name>/ and compares it with its manifest, and that with @wanted
 * unless it is NULL. HEARTH_E_NO_MODEL, HEARTH_E_DIGEST_MISMATCH,
 * HEARTH_E_MALFORMED.
 */
int pull_check_model(const char *models, const char *name, const struct pull_model *wanted,
                     uint64_t *ret_bytes, struct pull_problem *problem);

/** True if <models>/<name>/ has the manifest of @model and files of the right sizes. */
bool pull_is_placed(const char *models, const struct pull_model *model);

#endif
