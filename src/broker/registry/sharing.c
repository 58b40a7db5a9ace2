/* sharing.c — models with the same files and load options are served by one worker: a host's, with
 * the others as its guests. A guest's states follow the host's and obey the same table. */

#include "hearth_registry.h"

uint32_t hearth_model_lane(const struct hearth_model *model)
{
    return model->host != NULL ? model->host->slot : model->slot;
}

enum hearth_model_state hearth_model_told_state(const struct hearth_model *model)
{
    if (model->is_hidden) {
        return HEARTH_MODEL_ABSENT;
    }
    return model->is_retiring ? HEARTH_MODEL_DRAINING : model->state;
}

void hearth_model_join(struct hearth_model *guest, struct hearth_model *host)
{
    HEARTH_ASSERT(!hearth_model_has_worker(guest) && hearth_model_owns_worker(host) &&
                  guest != host);
    hearth_model_move(guest, HEARTH_MODEL_LOADING);
    guest->host = host;
    if (host->state == HEARTH_MODEL_READY) {
        hearth_model_move(guest, HEARTH_MODEL_READY);
    }
}

void hearth_model_leave(struct hearth_model *guest)
{
    HEARTH_ASSERT(guest->host != NULL);
    hearth_model_move(guest, HEARTH_MODEL_DRAINING);
    hearth_model_move(guest, HEARTH_MODEL_ABSENT);
    guest->host = NULL;
}

bool hearth_registry_has_guests(const struct hearth_registry *registry,
                                const struct hearth_model *model)
{
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        if (registry->models[i].is_used && registry->models[i].host == model) {
            return true;
        }
    }
    return false;
}

/* Returns whether @guest has moved. */
static bool follow(struct hearth_model *guest, const struct hearth_model *host)
{
    switch (host->state) {
    case HEARTH_MODEL_LOADING:
    case HEARTH_MODEL_DRAINING: return false; /* its end is what counts */
    case HEARTH_MODEL_ABSENT: hearth_model_leave(guest); return true;
    case HEARTH_MODEL_FAILED:
        guest->host = NULL;
        hearth_model_fail(guest, &host->failure);
        return true;
    case HEARTH_MODEL_READY:
    case HEARTH_MODEL_RESTARTING:
        if (!hearth_model_may_move(guest->state, host->state)) {
            return false; /* it is there already, or loads and waits for a worker that restarts */
        }
        hearth_model_move(guest, host->state);
        return true;
    }
    HEARTH_UNREACHABLE();
}

uint64_t hearth_registry_follow(struct hearth_registry *registry, struct hearth_model *host)
{
    uint64_t moved = 0;
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        struct hearth_model *guest = &registry->models[i];
        if (guest->is_used && guest->host == host && follow(guest, host)) {
            moved |= UINT64_C(1) << i;
        }
    }
    return moved;
}
