/* hearth_registry.h — which models exist, what their manifests say, and where each is in its life.
 *
 * It reads folders and manifest.json and never opens a model file. It starts and stops nothing: the
 * pool tells it what became of a worker, and it refuses moves that are not lawful.
 *
 * Words: a *root* is a configured folder that holds models; a *slot* is the number of a model in
 * this daemon's life, 0 to HEARTH_MAX_MODELS - 1, and its lane in the scheduler.
 *
 * Threads: one at a time. Scanning blocks on the file system; nothing else does.                 */

#ifndef HEARTH_REGISTRY_H
#define HEARTH_REGISTRY_H

#include "manifest.h"

#define HEARTH_MAX_ROOTS 8u

/** One known model. Read by everybody, changed only by the functions below. */
struct hearth_model {
    bool is_used;
    bool is_on_disk; /* seen by the last scan */
    uint32_t slot;
    uint32_t root; /* index of its root */
    char id[HEARTH_MAX_MODEL_ID_BYTES + 1];
    char folder[HEARTH_MAX_MODEL_ID_BYTES + 1]; /* below the root; "" = the root itself */
    struct hearth_manifest *manifest;           /* NULL: not usable, see failure */
    enum hearth_model_state state;
    struct hearth_error failure; /* why the manifest or the last load failed; code 0 = it did not */
};

/** How far a scan has come. Private. */
struct hearth_registry_scan {
    bool is_running;
    bool is_file_round; /* each root is read twice: folders first, so that they win */
    uint32_t root;
    void *folder; /* DIR of the root, or NULL: to be opened */
    struct hearth_error first;
};

struct hearth_registry {
    uint32_t magic;
    const char *const *roots; /* lent; outlive the registry */
    uint32_t root_count;
    struct hearth_registry_scan scan;
    struct hearth_model models[HEARTH_MAX_MODELS];
};

/** Prepares an empty registry over @count ≤ HEARTH_MAX_ROOTS folders; looks at none yet. */
void hearth_registry_init(struct hearth_registry *registry, const char *const *roots,
                          uint32_t count);
void hearth_registry_finish(struct hearth_registry *registry);

/**
 * Looks for <root>/<id>/manifest.json and <root>/<id>.manifest.json; the first found for an id is
 * used, earlier roots first. Manifests of models with a worker are left alone; a model that is gone
 * from disk and has no worker is forgotten. A manifest that is not valid leaves a FAILED model that
 * says why.
 *
 * A root that cannot be read, or a model too many, does not stop the scan: the first such problem
 * is returned (HEARTH_E_SYSTEM, HEARTH_E_DENIED, HEARTH_E_TOO_LARGE) when all else is done.
 */
int hearth_registry_scan(struct hearth_registry *registry, struct hearth_error *err);

/** The same in steps, for a loop that must not be held up: begin (a scan that runs starts anew),
 *  then step until it returns something else than 1. A step looks at @entries ≥ 1 of a folder. */
void hearth_registry_scan_begin(struct hearth_registry *registry);
int hearth_registry_scan_step(struct hearth_registry *registry, uint32_t entries,
                              struct hearth_error *err);

/** Looks at the places where one model may be described, and nowhere else: as a scan does. */
int hearth_registry_look(struct hearth_registry *registry, struct hearth_slice id,
                         struct hearth_error *err);

/** The model with @id, or NULL. */
struct hearth_model *hearth_registry_find(struct hearth_registry *registry, struct hearth_slice id);

/** The model in @slot, or NULL if there is none. */
struct hearth_model *hearth_registry_at(struct hearth_registry *registry, uint32_t slot);

/** How many models are in @state. */
uint32_t hearth_registry_count(const struct hearth_registry *registry,
                               enum hearth_model_state state);

/** True if the table of lawful moves has it. */
bool hearth_model_may_move(enum hearth_model_state from, enum hearth_model_state to);

/** Moves @model on; an unlawful move is a programmer's error and aborts. Leaving FAILED forgets the
 *  failure. */
void hearth_model_move(struct hearth_model *model, enum hearth_model_state to);

/** Moves @model to FAILED and records why. */
void hearth_model_fail(struct hearth_model *model, const struct hearth_error *why);

/** True while a worker of it may exist: neither absent nor failed. */
bool hearth_model_has_worker(const struct hearth_model *model);

#endif
