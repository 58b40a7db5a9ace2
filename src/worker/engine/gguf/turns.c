/* turns.c — who runs: which items get a place, which of them a sequence of the shared lane and the
 * cells that they may need, and who stands back for a higher class.
 *
 * There are more places than sequences that run. While all of these are taken, an item of a higher
 * class than one of them still gets a place, and runs from the next step on: one of the lowest
 * class is put *aside*, its tokens and rules kept as they are and its cells as an idle prefix. It
 * goes on when there is room again, from what is left of that prefix, and its stream with it. Never
 * put aside are exact sequences, which have a lane of their own, and those whose context was or
 * will be shifted, whose cells could not be computed again. */

#include "gguf_engine.h"

/* ---- places ---------------------------------------------------------------------------------- */

uint32_t gguf_places(const struct gguf_options *options)
{
    uint64_t aside = options->sequences * (HEARTH_CRITICAL - HEARTH_LOW);
    return (uint32_t)(options->sequences + HEARTH_MIN(aside, (uint64_t)GGUF_MAX_ASIDE));
}

static struct gguf_sequence *free_place(struct hearth_engine *engine)
{
    for (uint32_t i = 0; i < engine->places; i++) {
        if (engine->sequences[i].item == NULL) {
            return &engine->sequences[i];
        }
    }
    return NULL;
}

/* The class above which an item must be to get a place: of it and of higher ones there are as many
 * as can run. */
static unsigned class_to_beat(const struct hearth_engine *engine)
{
    uint32_t of_class[HEARTH_CRITICAL + 1] = {0};
    for (uint32_t i = 0; i < engine->places; i++) {
        const struct gguf_sequence *sequence = &engine->sequences[i];
        if (sequence->item != NULL) {
            of_class[HEARTH_MIN(sequence->priority, HEARTH_CRITICAL)]++;
        }
    }
    unsigned lowest = HEARTH_CRITICAL;
    uint64_t count = of_class[lowest];
    while (count < engine->options.sequences && lowest > HEARTH_LOW) {
        count += of_class[--lowest];
    }
    return lowest;
}

bool gguf_take_items(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    struct gguf_sequence *place;
    if (atomic_exchange(&engine->wants_shed, false)) {
        gguf_cache_shed(&engine->cache);
    }
    while ((place = free_place(engine)) != NULL) {
        bool is_idle = engine->busy == 0;
        struct hearth_item *item = engine->busy < engine->options.sequences
                                       ? hearth_inbox_take(inbox, is_idle)
                                       : hearth_inbox_take_above(inbox, class_to_beat(engine));
        if (item == NULL) {
            break;
        }
        if (is_idle) {
            gguf_cores_wake(&engine->cores);
        }
        gguf_admit(engine, place, item);
    }
    return !hearth_inbox_is_closed(inbox);
}

/* ---- order ----------------------------------------------------------------------------------- */

static bool comes_before(const struct gguf_sequence *one, const struct gguf_sequence *other)
{
    return other == NULL || one->priority > other->priority ||
           (one->priority == other->priority && one->turn < other->turn);
}

static bool is_in_call(const struct gguf_lane *lane, const struct gguf_sequence *sequence)
{
    for (uint32_t i = 0; i < lane->part_count; i++) {
        if (lane->parts[i].sequence == sequence) {
            return true;
        }
    }
    return false;
}

struct gguf_sequence *gguf_first_prompt(struct hearth_engine *engine, const struct gguf_lane *lane,
                                        bool must_be_started)
{
    struct gguf_sequence *first = NULL;
    for (uint32_t i = 0; i < engine->places; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        if (sequence->item != NULL && !sequence->is_prompt_done && !is_in_call(lane, sequence) &&
            gguf_lane_of(engine, sequence) == lane && (sequence->is_started || !must_be_started) &&
            comes_before(sequence, first)) {
            first = sequence;
        }
    }
    return first;
}

/* ---- standing back --------------------------------------------------------------------------- */

static bool may_stand_back(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                           const struct gguf_sequence *higher)
{
    return sequence->item != NULL && sequence->is_started && !sequence->is_exact &&
           !sequence->is_shifting && sequence->priority < higher->priority &&
           !is_in_call(&engine->shared, sequence);
}

/* Who stands back first: the last in the order. NULL: nobody may. */
static struct gguf_sequence *last_below(struct hearth_engine *engine,
                                        const struct gguf_sequence *higher)
{
    struct gguf_sequence *last = NULL;
    for (uint32_t i = 0; i < engine->places; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        if (may_stand_back(engine, sequence, higher) &&
            (last == NULL || comes_before(last, sequence))) {
            last = sequence;
        }
    }
    return last;
}

/* Cells that could be had if all that may stand back did. */
static uint64_t cells_below(const struct hearth_engine *engine, const struct gguf_sequence *higher)
{
    uint64_t cells = engine->shared.cells - engine->shared.reserved;
    for (uint32_t i = 0; i < engine->places; i++) {
        if (may_stand_back(engine, &engine->sequences[i], higher)) {
            cells += engine->sequences[i].need_cells;
        }
    }
    return cells;
}

/* Between two calls: what is known is tokens[0 .. count), and the logits of the last of it are yet
 * to be taken. */
static void put_aside(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct gguf_sequence *higher)
{
    gguf_cache_put_aside(engine, sequence, higher);
    engine->shared.reserved -= sequence->need_cells;
    sequence->drafted_tokens -= sequence->guessed;
    sequence->guessed = 0;
    sequence->done = 0;
    sequence->has_leftovers = false;
    sequence->is_started = false;
    sequence->is_prompt_done = false; /* what it has to compute goes in chunks again */
    sequence->was_aside = true;
    engine->put_aside++;
}

/* ---- starting -------------------------------------------------------------------------------- */

static bool start_exact(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    uint64_t taken = 0;
    for (uint32_t i = 0; i < engine->places; i++) {
        const struct gguf_sequence *other = &engine->sequences[i];
        if (other->item != NULL && other->is_exact && other->is_started) {
            taken |= 1ull << other->id;
        }
    }
    llama_seq_id id = 0;
    while (id < (llama_seq_id)engine->exact.sequences && (taken >> id & 1) != 0) {
        id++;
    }
    sequence->id = id;
    return id < (llama_seq_id)engine->exact.sequences;
}

/* One that has a slot of those that run and does not need it. */
static struct gguf_sequence *idle_holder(struct hearth_engine *engine)
{
    for (uint32_t i = 0; i < engine->places; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        if (sequence->item != NULL && sequence->slot < engine->options.sequences &&
            (sequence->is_exact || !sequence->is_started)) {
            return sequence;
        }
    }
    return NULL;
}

/* Gets @sequence a slot of those that run, and the cells that it may need. */
static bool make_way(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    const struct gguf_lane *lane = &engine->shared;
    if (sequence->need_cells > cells_below(engine, sequence)) {
        return false; /* nobody stands back for nothing */
    }
    while (!gguf_cache_take_slot(engine, sequence, idle_holder(engine)) ||
           sequence->need_cells > lane->cells - lane->reserved) {
        struct gguf_sequence *last = last_below(engine, sequence);
        if (last == NULL) {
            return false;
        }
        put_aside(engine, last, sequence);
    }
    return true;
}

static bool start_shared(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    if (!make_way(engine, sequence)) {
        return false;
    }
    engine->shared.reserved += sequence->need_cells;
    sequence->id = (llama_seq_id)sequence->slot;
    gguf_cache_take(engine, sequence);
    return true;
}

bool gguf_start(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    if (!sequence->is_started) {
        sequence->is_started =
            sequence->is_exact ? start_exact(engine, sequence) : start_shared(engine, sequence);
    }
    return sequence->is_started;
}

struct gguf_sequence *gguf_next_prompt(struct hearth_engine *engine, const struct gguf_lane *lane)
{
    struct gguf_sequence *first = gguf_first_prompt(engine, lane, false);
    if (first == NULL || gguf_start(engine, first)) {
        return first;
    }
    return gguf_first_prompt(engine, lane, true);
}
