/* cache.h — prefixes that stay in the cells of the shared lane, or as state blobs beside them.
 *
 * Words: the index (hearth_prefix.h) has an entry for each sequence id: those of sequences that run
 * come first, the *idle* ones behind them; last come entries without an id, of sequences that wait
 * for one; a *blob* is what the library saves of a sequence, with a
 * sum of its bytes. Blobs have an index of their own. Everything runs on the run thread. */

#ifndef HEARTH_GGUF_CACHE_H
#define HEARTH_GGUF_CACHE_H

#include "hearth_engine.h"
#include "hearth_prefix.h"

struct gguf_sequence;

#define GGUF_MAX_BLOBS    64u
#define GGUF_LEAST_KEPT   16u  /* tokens: fewer are computed sooner than found */
#define GGUF_MAX_IDLE     191u /* the library has 256 ids: 64 that run and a spare one beside */
#define GGUF_CACHE_IDLE   32u  /* default of cache_sequences */
#define GGUF_CACHE_MB     256u /* default of cache_mb */
#define GGUF_MAX_CACHE_MB (1u << 20)

struct gguf_blob {
    uint8_t *data;
    size_t size;
    uint64_t sum;
};

struct gguf_cache {
    struct hearth_prefix *index;
    struct hearth_prefix *saved; /* beside blobs[] */
    struct gguf_blob blobs[GGUF_MAX_BLOBS];
    uint64_t blob_bytes;
    bool can_share;            /* false: the model's memory cannot give a prefix back */
    uint64_t restored, broken; /* blobs, for tests */
};

int gguf_cache_create(struct hearth_engine *engine, struct hearth_error *err);
void gguf_cache_destroy(struct gguf_cache *cache);

/* Memory is short: all blobs go, and what libc keeps of freed memory with them. Idle prefixes stay:
 * their cells are part of the pool, which nothing gives back. */
void gguf_cache_shed(struct gguf_cache *cache);

/* What a reply says of the cache for @sequence. */
enum hearth_cache_state gguf_cache_state(const struct hearth_engine *engine,
                                         const struct gguf_sequence *sequence);

/* Holds a free entry for a new sequence, one of those that run if there is any: its slot. */
uint32_t gguf_cache_hold(struct hearth_engine *engine, uint64_t domain);

/* Makes the slot of @sequence one of those that run: a free one, or that of @holder, which gets its
 * in exchange and must not run by it; NULL is fine. False: there is none. */
bool gguf_cache_take_slot(struct hearth_engine *engine, struct gguf_sequence *sequence,
                          struct gguf_sequence *holder);

/* @sequence, which runs, stands back: its cells become an idle prefix, if it may share. @higher is
 * told what is lost for that. */
void gguf_cache_put_aside(struct hearth_engine *engine, const struct gguf_sequence *sequence,
                          struct gguf_sequence *higher);

/* Takes the longest prefix that is there into the empty @sequence, which begins to run. */
void gguf_cache_take(struct hearth_engine *engine, struct gguf_sequence *sequence);

/* How many of its tokens @sequence would find now. */
uint32_t gguf_cache_peek(const struct hearth_engine *engine, const struct gguf_sequence *sequence);

/* How many of its tokens @sequence may find at most, once the prompt of @other is computed; 0 if
 * they do not share. */
uint32_t gguf_cache_soon(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                         const struct gguf_sequence *other);

/* The first @sequence->done tokens can be found by others from now on. */
void gguf_cache_note(struct hearth_engine *engine, const struct gguf_sequence *sequence);

/* @sequence ends: what it has computed stays, if it may, and its cells and entry are free. */
void gguf_cache_leave(struct hearth_engine *engine, struct gguf_sequence *sequence, bool may_stay);

/* Frees the cells of the prefix that is used least; @sequence is told how many tokens were lost by
 * it. False: none is idle. */
bool gguf_cache_evict(struct hearth_engine *engine, struct gguf_sequence *sequence);

#endif
