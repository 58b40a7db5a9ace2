/* cache.c — see cache.h. */

#include "gguf_engine.h"

#include "hearth_os.h"

static llama_memory_t memory_of(const struct hearth_engine *engine)
{
    return llama_get_memory(engine->shared.context);
}

/* A 64-bit sum of 8 bytes at a time: it shall find damage, not an adversary. */
static uint64_t sum_of(const uint8_t *data, size_t size)
{
    uint64_t sum = size;
    for (size_t at = 0; at < size; at += sizeof sum) {
        uint64_t word = 0;
        memcpy(&word, data + at, HEARTH_MIN(sizeof word, size - at));
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 29;
    }
    return sum;
}

/* The library saves only ids that may be in a call. This one is in none: what is saved is lent to
 * it. Its entry of the index is held for ever, and empty. */
static uint32_t spare_id(const struct hearth_engine *engine)
{
    return (uint32_t)engine->options.sequences;
}

/* Idle entries are from first_idle() on, and those without an id from first_waiting(). */
static uint32_t first_idle(const struct hearth_engine *engine)
{
    return spare_id(engine) + 1;
}

static uint32_t first_waiting(const struct hearth_engine *engine)
{
    return first_idle(engine) + (uint32_t)engine->options.cache_sequences;
}

/* ---- making ---------------------------------------------------------------------------------- */

int gguf_cache_create(struct hearth_engine *engine, struct hearth_error *err)
{
    struct gguf_cache *cache = &engine->cache;
    const struct gguf_options *options = &engine->options;
    uint32_t room = (uint32_t)options->context_tokens + GGUF_APPEND_ROOM;
    cache->can_share = llama_model_n_swa(engine->model) <= 0;
    uint32_t entries = (uint32_t)(engine->places + 1 + options->cache_sequences);
    int rc = hearth_prefix_create(entries, room, &cache->index, err);
    if (rc == 0) {
        hearth_prefix_hold(cache->index, spare_id(engine), 0);
    }
    if (rc == 0 && options->cache_mb > 0 && options->cache_sequences > 0) {
        rc = hearth_prefix_create(GGUF_MAX_BLOBS, room, &cache->saved, err);
    }
    return rc;
}

static void drop_blob(struct gguf_cache *cache, uint32_t number)
{
    struct gguf_blob *blob = &cache->blobs[number];
    hearth_wipe(blob->data, blob->size);
    hearth_free(blob->data);
    cache->blob_bytes -= blob->size;
    *blob = (struct gguf_blob){.data = NULL};
    hearth_prefix_remove(cache->saved, number);
}

static void drop_blobs(struct gguf_cache *cache)
{
    for (uint32_t i = 0; i < GGUF_MAX_BLOBS; i++) {
        if (cache->blobs[i].data != NULL) {
            drop_blob(cache, i);
        }
    }
}

void gguf_cache_shed(struct gguf_cache *cache)
{
    drop_blobs(cache);
    hearth_heap_trim();
}

void gguf_cache_destroy(struct gguf_cache *cache)
{
    drop_blobs(cache);
    hearth_prefix_destroy(cache->index);
    hearth_prefix_destroy(cache->saved);
    *cache = (struct gguf_cache){.index = NULL};
}

/* ---- who shares ------------------------------------------------------------------------------ */

enum hearth_cache_state gguf_cache_state(const struct hearth_engine *engine,
                                         const struct gguf_sequence *sequence)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    if (!engine->cache.can_share) {
        return HEARTH_CACHE_NOT_CACHEABLE;
    }
    bool is_off = (request->flags & (HEARTH_FLAG_NO_CACHE | HEARTH_FLAG_EXACT)) != 0 ||
                  engine->options.cache_sequences == 0;
    return is_off ? HEARTH_CACHE_OFF : HEARTH_CACHE_USED;
}

static bool does_share(const struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    return gguf_cache_state(engine, sequence) == HEARTH_CACHE_USED;
}

static uint64_t domain_of(const struct gguf_sequence *sequence)
{
    return hearth_job_request(sequence->item->job)->cache_domain;
}

/* How many tokens may be shared: of a sequence that will be shifted only those that stay put. */
static uint32_t shareable(const struct gguf_sequence *sequence, uint32_t count)
{
    return sequence->is_shifting ? HEARTH_MIN(count, sequence->kept) : count;
}

/* ---- slots ----------------------------------------------------------------------------------- */

uint32_t gguf_cache_hold(struct hearth_engine *engine, uint64_t domain)
{
    struct hearth_prefix *index = engine->cache.index;
    uint32_t slot = hearth_prefix_free(index, 0, spare_id(engine));
    if (slot == HEARTH_PREFIX_NONE) { /* there are as many as places */
        slot = hearth_prefix_free(index, first_waiting(engine), HEARTH_PREFIX_MAX_ENTRIES);
    }
    hearth_prefix_hold(index, slot, domain);
    return slot;
}

bool gguf_cache_take_slot(struct hearth_engine *engine, struct gguf_sequence *sequence,
                          struct gguf_sequence *holder)
{
    struct hearth_prefix *index = engine->cache.index;
    uint32_t old = sequence->slot;
    if (old < spare_id(engine)) {
        return true;
    }
    uint32_t slot = hearth_prefix_free(index, 0, spare_id(engine));
    if (slot == HEARTH_PREFIX_NONE) {
        if (holder == NULL) {
            return false;
        }
        slot = holder->slot;
        holder->slot = old;
    }
    hearth_prefix_swap(index, old, slot);
    sequence->slot = slot;
    return true;
}

/* ---- what is lost ---------------------------------------------------------------------------- */

/* @count tokens of @domain are gone for @sequence, or for nobody who could be told. A client hears
 * of its own domain alone: the rest would tell how much others have asked. */
static void tell_lost(struct gguf_sequence *sequence, uint64_t domain, uint32_t count)
{
    if (sequence == NULL) {
        return;
    }
    if (domain == domain_of(sequence)) {
        sequence->evicted_tokens += count;
    } else {
        sequence->evicted_of_others += count;
    }
}

/* ---- blobs ----------------------------------------------------------------------------------- */

/* Makes room for a blob of @size bytes; HEARTH_PREFIX_NONE if it cannot be had. Others leave for
 * it, which @told (or NULL) hears of, if it @must_be, or if they are more than may be idle anyway.
 */
static uint32_t room_for_blob(struct hearth_engine *engine, size_t size, struct gguf_sequence *told,
                              bool must_be)
{
    struct gguf_cache *cache = &engine->cache;
    uint64_t most = engine->options.cache_mb << 20;
    if (cache->saved == NULL || size == 0 || size > most) {
        return HEARTH_PREFIX_NONE;
    }
    uint32_t number = hearth_prefix_free(cache->saved, 0, GGUF_MAX_BLOBS);
    bool is_full = number == HEARTH_PREFIX_NONE || cache->blob_bytes + size > most;
    if (is_full && !must_be && hearth_prefix_idle(cache->saved) < engine->options.cache_sequences) {
        return HEARTH_PREFIX_NONE;
    }
    while (number == HEARTH_PREFIX_NONE || cache->blob_bytes + size > most) {
        uint32_t victim = hearth_prefix_victim(cache->saved);
        tell_lost(told, hearth_prefix_domain(cache->saved, victim),
                  hearth_prefix_count(cache->saved, victim));
        drop_blob(cache, victim);
        number = hearth_prefix_free(cache->saved, 0, GGUF_MAX_BLOBS);
    }
    return number;
}

/* Saves an idle sequence beside the cells; false if there is no room for it. */
static bool save(struct hearth_engine *engine, uint32_t entry, struct gguf_sequence *told,
                 bool must_be)
{
    struct gguf_cache *cache = &engine->cache;
    llama_seq_id id = (llama_seq_id)spare_id(engine);
    if (cache->saved == NULL) {
        return false;
    }
    llama_memory_seq_cp(memory_of(engine), (llama_seq_id)entry, id, -1, -1);
    size_t size = llama_state_seq_get_size(engine->shared.context, id);
    uint32_t number = room_for_blob(engine, size, told, must_be);
    uint8_t *data = number == HEARTH_PREFIX_NONE ? NULL : hearth_alloc(1, size);
    bool is_saved =
        data != NULL && llama_state_seq_get_data(engine->shared.context, data, size, id) == size;
    (void)llama_memory_seq_rm(memory_of(engine), id, -1, -1);
    if (!is_saved) {
        hearth_free(data);
        return false;
    }
    uint32_t count = hearth_prefix_count(cache->index, entry);
    hearth_prefix_hold(cache->saved, number, hearth_prefix_domain(cache->index, entry));
    memcpy(hearth_prefix_tokens(cache->saved, number), hearth_prefix_tokens(cache->index, entry),
           count * sizeof(int32_t));
    hearth_prefix_set(cache->saved, number, count);
    hearth_prefix_release(cache->saved, number);
    cache->blobs[number] = (struct gguf_blob){data, size, sum_of(data, size)};
    cache->blob_bytes += size;
    return true;
}

/* Puts a blob into the cells of @sequence. A damaged one is dropped: reading it could hang. */
static bool restore(struct hearth_engine *engine, struct gguf_sequence *sequence, uint32_t number,
                    uint32_t count)
{
    struct gguf_cache *cache = &engine->cache;
    const struct gguf_blob *blob = &cache->blobs[number];
    if (sum_of(blob->data, blob->size) != blob->sum) {
        cache->broken++;
        drop_blob(cache, number);
        return false;
    }
    bool is_in = llama_state_seq_set_data(engine->shared.context, blob->data, blob->size,
                                          sequence->id) == blob->size;
    /* Not to be had: nothing of it. Had: nothing beyond what is wanted. */
    (void)llama_memory_seq_rm(memory_of(engine), sequence->id, is_in ? (llama_pos)count : -1, -1);
    cache->restored += is_in;
    return is_in;
}

/* ---- finding --------------------------------------------------------------------------------- */

uint32_t gguf_cache_peek(const struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    uint32_t common = 0;
    if (does_share(engine, sequence)) {
        (void)hearth_prefix_find(engine->cache.index, domain_of(sequence), sequence->tokens,
                                 sequence->logits_from, &common);
    }
    return common;
}

uint32_t gguf_cache_soon(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                         const struct gguf_sequence *other)
{
    if (!does_share(engine, sequence) || !does_share(engine, other) ||
        domain_of(sequence) != domain_of(other)) {
        return 0;
    }
    return HEARTH_MIN(shareable(other, other->prompt_count),
                      shareable(sequence, sequence->prompt_count - 1));
}

/* The number of saved tokens that @sequence begins with, now in its cells, if they are more than
 * @least; else 0. Idle prefixes leave for them as they do for a call: blobs are made because cells
 * are short, so they would be of no use without. */
static uint32_t take_saved(struct hearth_engine *engine, struct gguf_sequence *sequence,
                           uint32_t most, uint32_t least)
{
    struct hearth_prefix *saved = engine->cache.saved;
    uint64_t broken = engine->cache.broken;
    while (saved != NULL && engine->cache.broken == broken) {
        uint32_t count = 0;
        uint32_t blob =
            hearth_prefix_find(saved, domain_of(sequence), sequence->tokens, most, &count);
        if (blob == HEARTH_PREFIX_NONE || count < least) {
            return 0;
        }
        hearth_prefix_touch(saved, blob); /* not the first to leave for what is saved below */
        if (restore(engine, sequence, blob, count)) {
            return count;
        }
        if (engine->cache.broken == broken && !gguf_cache_evict(engine, sequence)) {
            return 0;
        }
    }
    return 0;
}

static void take(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    struct gguf_cache *cache = &engine->cache;
    /* From the first token on whose logits are wanted all is computed in any case. */
    uint32_t most = shareable(sequence, sequence->logits_from);
    uint32_t common = gguf_cache_peek(engine, sequence);
    uint32_t there = take_saved(engine, sequence, most, common + GGUF_LEAST_KEPT);
    uint32_t entry = /* what the one above made leave is not found any more */
        hearth_prefix_find(cache->index, domain_of(sequence), sequence->tokens, most, &common);
    if (there > 0) {
        common = there;
    } else if (entry != HEARTH_PREFIX_NONE) {
        llama_memory_seq_cp(memory_of(engine), (llama_seq_id)entry, sequence->id, 0,
                            (llama_pos)common);
        if (common >= GGUF_LEAST_KEPT) { /* else it is how all chats begin */
            hearth_prefix_touch(cache->index, entry);
        }
    }
    sequence->done = common;
    sequence->cached_tokens = sequence->was_aside ? sequence->cached_tokens : common;
    gguf_cache_note(engine, sequence);
}

static void forget(struct hearth_engine *engine, uint32_t entry)
{
    (void)llama_memory_seq_rm(memory_of(engine), (llama_seq_id)entry, -1, -1);
    hearth_prefix_remove(engine->cache.index, entry);
}

/* How many cells the idle @entry has that @sequence does not use. */
static uint32_t cells_apart(const struct hearth_engine *engine, uint32_t entry,
                            const struct gguf_sequence *sequence)
{
    struct hearth_prefix *index = engine->cache.index;
    uint32_t count = hearth_prefix_count(index, entry);
    const int32_t *tokens = hearth_prefix_tokens(index, entry);
    uint32_t common = 0;
    uint32_t most = hearth_prefix_domain(index, entry) == domain_of(sequence)
                        ? HEARTH_MIN(count, sequence->done)
                        : 0;
    while (common < most && tokens[common] == sequence->tokens[common]) {
        common++;
    }
    return count - common;
}

/* Idle prefixes leave the cells for @sequence, which begins to run, but for those that it goes on
 * with. Each row of a call looks at each cell in use, if only to find it masked, so thousands of
 * idle ones slow every step of a small model down; a copy away and back is soon paid. */
static void clear_cells(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    for (uint32_t i = first_idle(engine); i < first_waiting(engine); i++) {
        if (cells_apart(engine, i, sequence) >= GGUF_LEAST_KEPT &&
            save(engine, i, sequence, false)) {
            forget(engine, i);
        }
    }
}

void gguf_cache_take(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    if (does_share(engine, sequence)) {
        take(engine, sequence);
    }
    clear_cells(engine, sequence);
}

void gguf_cache_note(struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    if (!sequence->is_exact && does_share(engine, sequence)) {
        hearth_prefix_set(engine->cache.index, sequence->slot, shareable(sequence, sequence->done));
    }
}

/* ---- leaving --------------------------------------------------------------------------------- */

bool gguf_cache_evict(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    uint32_t victim = hearth_prefix_victim(engine->cache.index);
    if (victim == HEARTH_PREFIX_NONE) {
        return false;
    }
    if (!save(engine, victim, sequence, true)) {
        tell_lost(sequence, hearth_prefix_domain(engine->cache.index, victim),
                  hearth_prefix_count(engine->cache.index, victim));
    }
    forget(engine, victim);
    return true;
}

/* Idle prefixes that @sequence has as well, and more. */
static void forget_covered(struct hearth_engine *engine, const struct gguf_sequence *sequence,
                           uint32_t count)
{
    struct gguf_cache *cache = &engine->cache;
    uint64_t domain = domain_of(sequence);
    uint32_t entry;
    while ((entry = hearth_prefix_covered(cache->index, domain, sequence->tokens, count)) !=
           HEARTH_PREFIX_NONE) {
        forget(engine, entry);
    }
    while (cache->saved != NULL &&
           (entry = hearth_prefix_covered(cache->saved, domain, sequence->tokens, count)) !=
               HEARTH_PREFIX_NONE) {
        drop_blob(cache, entry);
    }
}

/* An idle entry to be filled; the one used least leaves for it if there is none. */
static uint32_t make_idle(struct hearth_engine *engine, struct gguf_sequence *told)
{
    struct hearth_prefix *index = engine->cache.index;
    uint32_t entry = hearth_prefix_free(index, first_idle(engine), first_waiting(engine));
    if (entry == HEARTH_PREFIX_NONE) {
        (void)gguf_cache_evict(engine, told);
        entry = hearth_prefix_free(index, first_idle(engine), first_waiting(engine));
    }
    return entry;
}

/* The cells of @sequence become those of an idle entry. */
static void stay(struct hearth_engine *engine, struct gguf_sequence *sequence, uint32_t count)
{
    struct hearth_prefix *index = engine->cache.index;
    forget_covered(engine, sequence, count);
    uint32_t entry = make_idle(engine, sequence);
    llama_memory_seq_cp(memory_of(engine), sequence->id, (llama_seq_id)entry, 0, (llama_pos)count);
    hearth_prefix_set(index, sequence->slot, count);
    hearth_prefix_swap(index, sequence->slot, entry);
    hearth_prefix_release(index, entry);
    if (engine->busy > 1 && save(engine, entry, sequence, false)) { /* see clear_cells() */
        forget(engine, entry);
    }
}

void gguf_cache_put_aside(struct hearth_engine *engine, const struct gguf_sequence *sequence,
                          struct gguf_sequence *higher)
{
    struct hearth_prefix *index = engine->cache.index;
    uint32_t count = sequence->done;
    if (count >= GGUF_LEAST_KEPT && does_share(engine, sequence)) {
        forget_covered(engine, sequence, count);
        uint32_t entry = make_idle(engine, higher);
        hearth_prefix_hold(index, entry, domain_of(sequence));
        memcpy(hearth_prefix_tokens(index, entry), sequence->tokens,
               count * sizeof *sequence->tokens);
        hearth_prefix_set(index, entry, count);
        hearth_prefix_release(index, entry);
        llama_memory_seq_cp(memory_of(engine), sequence->id, (llama_seq_id)entry, 0,
                            (llama_pos)count);
    }
    hearth_prefix_set(index, sequence->slot, 0); /* it may have no id from now on */
    (void)llama_memory_seq_rm(memory_of(engine), sequence->id, -1, -1);
}

void gguf_cache_leave(struct hearth_engine *engine, struct gguf_sequence *sequence, bool may_stay)
{
    uint32_t count = shareable(sequence, sequence->done);
    bool has_cells = sequence->is_started && !sequence->is_exact;
    if (may_stay && has_cells && count >= GGUF_LEAST_KEPT && does_share(engine, sequence)) {
        stay(engine, sequence, count);
    } else {
        hearth_prefix_remove(engine->cache.index, sequence->slot);
    }
    if (has_cells) {
        (void)llama_memory_seq_rm(memory_of(engine), sequence->id, -1, -1);
    }
}
