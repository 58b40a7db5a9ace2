/* cache.c — compiled grammars by their source. See hearth_grammar.h.
 *
 * The source itself is kept and compared, so that no two that differ can ever be taken for each
 * other, whoever makes them. It is content, and is wiped when it goes. */

#include "automaton.h"

#define CACHE_MAGIC   0x47434143u
#define CACHE_ENTRIES 256u

struct entry {
    struct hearth_list list;
    struct hearth_grammar *grammar;
    enum hearth_grammar_kind kind;
    uint64_t hash;
    size_t source_bytes;
    char *source;
    size_t bytes; /* all in all */
};

struct hearth_grammar_cache {
    uint32_t magic;
    uint32_t count;
    struct hearth_list entries; /* the last used first */
    size_t bytes, most_bytes;
    uint64_t hits, misses;
};

int hearth_grammar_cache_create(size_t most_bytes, struct hearth_grammar_cache **ret,
                                struct hearth_error *err)
{
    struct hearth_grammar_cache *cache = hearth_alloc(1, sizeof *cache);
    if (cache == NULL) {
        return hearth_fail_oom(err);
    }
    cache->magic = CACHE_MAGIC;
    cache->most_bytes = most_bytes;
    hearth_list_init(&cache->entries);
    *ret = cache;
    return 0;
}

static void drop(struct hearth_grammar_cache *cache, struct entry *entry)
{
    hearth_list_remove(&entry->list);
    cache->bytes -= entry->bytes;
    cache->count--;
    hearth_grammar_destroy(entry->grammar);
    hearth_wipe(entry->source, entry->source_bytes);
    hearth_free(entry->source);
    hearth_free(entry);
}

void hearth_grammar_cache_destroy(struct hearth_grammar_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    HEARTH_CHECK(cache, CACHE_MAGIC);
    HEARTH_LIST_EACH(struct entry, list, entry, &cache->entries) {
        drop(cache, entry);
    }
    cache->magic = 0;
    hearth_free(cache);
}

static uint64_t hash_source(enum hearth_grammar_kind kind, struct hearth_slice source)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)kind;
    for (size_t i = 0; i < source.size; i++) {
        hash = (hash ^ source.data[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static struct entry *find(struct hearth_grammar_cache *cache, enum hearth_grammar_kind kind,
                          uint64_t hash, struct hearth_slice source)
{
    HEARTH_LIST_EACH(struct entry, list, entry, &cache->entries) {
        if (entry->hash == hash && entry->kind == kind &&
            hearth_slice_equal(hearth_slice_of(entry->source, entry->source_bytes), source)) {
            return entry;
        }
    }
    return NULL;
}

/* Keeps it if there is room; without, the next request compiles it again. */
static void keep(struct hearth_grammar_cache *cache, enum hearth_grammar_kind kind, uint64_t hash,
                 struct hearth_slice source, struct hearth_grammar *grammar)
{
    size_t bytes = hearth_grammar_bytes(grammar) + source.size + sizeof(struct entry);
    if (bytes > cache->most_bytes) {
        return;
    }
    struct entry *entry = hearth_alloc(1, sizeof *entry);
    char *copy = entry == NULL ? NULL : hearth_copy_string(source.data, source.size);
    if (copy == NULL) {
        hearth_free(entry);
        return;
    }
    while (cache->count == CACHE_ENTRIES || cache->bytes + bytes > cache->most_bytes) {
        drop(cache, HEARTH_CONTAINER(struct entry, list, cache->entries.prev));
    }
    *entry = (struct entry){.grammar = hearth_grammar_ref(grammar),
                            .kind = kind,
                            .hash = hash,
                            .source_bytes = source.size,
                            .source = copy,
                            .bytes = bytes};
    hearth_list_init(&entry->list);
    hearth_list_insert_before(cache->entries.next, &entry->list);
    cache->bytes += bytes;
    cache->count++;
}

static int compile(enum hearth_grammar_kind kind, struct hearth_slice source,
                   struct hearth_grammar **ret, struct hearth_error *err)
{
    switch (kind) {
    case HEARTH_GRAMMAR_KIND_SCHEMA: return hearth_grammar_schema(source, ret, err);
    case HEARTH_GRAMMAR_KIND_GBNF: return hearth_grammar_gbnf(source, ret, err);
    }
    HEARTH_UNREACHABLE();
}

int hearth_grammar_cache_get(struct hearth_grammar_cache *cache, enum hearth_grammar_kind kind,
                             struct hearth_slice source, struct hearth_grammar **ret,
                             struct hearth_error *err)
{
    HEARTH_CHECK(cache, CACHE_MAGIC);
    if (source.size > HEARTH_GRAMMAR_MAX_SOURCE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "a grammar of more than %u bytes",
                           HEARTH_GRAMMAR_MAX_SOURCE_BYTES);
    }
    uint64_t hash = hash_source(kind, source);
    struct entry *known = find(cache, kind, hash, source);
    if (known != NULL) {
        hearth_list_remove(&known->list);
        hearth_list_insert_before(cache->entries.next, &known->list);
        cache->hits++;
        *ret = hearth_grammar_ref(known->grammar);
        return 0;
    }
    cache->misses++;
    struct hearth_grammar *grammar = NULL;
    int rc = compile(kind, source, &grammar, err);
    if (rc < 0) {
        return rc;
    }
    keep(cache, kind, hash, source, grammar);
    *ret = grammar;
    return 0;
}

void hearth_grammar_cache_counts(const struct hearth_grammar_cache *cache, uint64_t *ret_hits,
                                 uint64_t *ret_misses)
{
    HEARTH_CHECK(cache, CACHE_MAGIC);
    *ret_hits = cache->hits;
    *ret_misses = cache->misses;
}
