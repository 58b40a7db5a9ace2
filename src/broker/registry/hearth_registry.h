/* hearth_registry.h — which models exist, what their manifests say, and where each is in its life.
 *
 * It reads folders and manifest.json and never opens a model file. It starts and stops nothing: the
 * pool tells it what became of a worker, and it refuses moves that are not lawful.
 *
 * Words: a *root* is a configured folder that holds models; a *slot* is the number of a model in
 * this daemon's life, 0 to HEARTH_MAX_MODELS - 1, and its lane in the scheduler. A *version* of a
 * model is a folder NAME@VERSION, known by that id; an *alias* is a name that stands for a model. A
 * *guest* is a model that the worker of another, its *host*, serves too, because files and load
 * options are the same.
 *
 * Threads: one at a time. Scanning blocks on the file system; nothing else does.                 */

#ifndef HEARTH_REGISTRY_H
#define HEARTH_REGISTRY_H

#include "golden.h"
#include "manifest.h"
#include "swap.h"

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
    struct hearth_model *host;   /* of a guest; NULL: its worker is its own */
    bool is_hidden;              /* a host that was unloaded under its own name */
    bool is_retiring;            /* takes nothing new and ends with the last of what it has */
    bool is_pinned;              /* part of a swap: is neither unloaded nor forgotten */
    bool is_held; /* its requests wait, whatever becomes of its worker: a swap decides where to */
};

/** A name that stands for a model, which need not be there. */
struct hearth_alias {
    char name[HEARTH_MAX_MODEL_ID_BYTES + 1];
    char model_id[HEARTH_MAX_MODEL_ID_BYTES + 1];
    uint32_t generation; /* from 1: one more each time that it comes to stand for another */
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
    struct hearth_alias aliases[HEARTH_MAX_ALIASES]; /* in the order in which they were made */
    uint32_t alias_count;
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

/**
 * Reads the golden inputs that lie beside the manifest of @model, which has one: 1 and *@ret, the
 * caller's; 0 if there are none. Errors of hearth_golden_parse(); HEARTH_E_SYSTEM.
 */
HEARTH_NODISCARD int hearth_registry_read_golden(const struct hearth_registry *registry,
                                                 const struct hearth_model *model,
                                                 struct hearth_golden **ret,
                                                 struct hearth_error *err);

/** The model with @id, or NULL. */
struct hearth_model *hearth_registry_find(struct hearth_registry *registry, struct hearth_slice id);

/**
 * The model that @name means: what an alias of that name stands for, else the model with that id,
 * else the only version of it that there is. *@ret_generation (not NULL) is the alias's, or 0.
 * NULL: hearth_registry_explain() says why.
 */
struct hearth_model *hearth_registry_resolve(struct hearth_registry *registry,
                                             struct hearth_slice name, uint32_t *ret_generation);

/** Says why @name means no model, and what would: returns HEARTH_E_NO_MODEL. */
int hearth_registry_explain(struct hearth_registry *registry, struct hearth_slice name,
                            struct hearth_error *err);

/** The alias called @name, or NULL. Valid until aliases are changed. */
const struct hearth_alias *hearth_registry_alias(const struct hearth_registry *registry,
                                                 struct hearth_slice name);

/**
 * Has @name stand for the model @model_id from now on. A new alias has generation @first, one that
 * comes to stand for another model one more than before. HEARTH_E_ARGUMENT for a name that no model
 * could have or that contains "@"; HEARTH_E_TOO_LARGE for more than HEARTH_MAX_ALIASES.
 */
HEARTH_NODISCARD int hearth_registry_set_alias(struct hearth_registry *registry, const char *name,
                                               const char *model_id, uint32_t first,
                                               uint32_t *ret_generation, struct hearth_error *err);

/** Returns false if there is none of that name. */
bool hearth_registry_remove_alias(struct hearth_registry *registry, struct hearth_slice name);

/** True if another alias than @name (may be NULL) stands for @model. */
bool hearth_registry_is_aliased(const struct hearth_registry *registry,
                                const struct hearth_model *model, const char *name);

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

/** True while a worker of it, or of its host, may exist: neither absent nor failed. */
bool hearth_model_has_worker(const struct hearth_model *model);

/** True if that worker is its own: it is no guest. */
bool hearth_model_owns_worker(const struct hearth_model *model);

/** The slot of the worker that serves it, which is the lane of its requests. */
uint32_t hearth_model_lane(const struct hearth_model *model);

/** What the world is told: a hidden host is absent, a retiring one drains. */
enum hearth_model_state hearth_model_told_state(const struct hearth_model *model);

/**
 * Makes @guest (absent or failed) a guest of @host, which has a worker of its own: it is LOADING,
 * or READY if the host is.
 */
void hearth_model_join(struct hearth_model *guest, struct hearth_model *host);

/** Ends that: @guest is ABSENT. */
void hearth_model_leave(struct hearth_model *guest);

/** Whether @model has guests. */
bool hearth_registry_has_guests(const struct hearth_registry *registry,
                                const struct hearth_model *model);

/**
 * Moves the guests of @host, whose state has changed, after it; those of one that is ABSENT or
 * FAILED are guests no more. Returns the slots of those that have moved, one bit each.
 */
uint64_t hearth_registry_follow(struct hearth_registry *registry, struct hearth_model *host);

#endif
