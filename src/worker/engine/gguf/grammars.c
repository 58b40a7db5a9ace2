/* grammars.c — see grammars.h. */

#include "grammars.h"

#include "hearth_wire.h"

/* The share of @user, or the one that becomes his. */
static size_t share_of(const struct gguf_grammars *grammars, uint64_t user)
{
    size_t oldest = 0;
    for (size_t i = 0; i < GGUF_GRAMMAR_SHARES; i++) {
        if (grammars->shares[i].cache != NULL && grammars->shares[i].user == user) {
            return i;
        }
        if (grammars->shares[i].used < grammars->shares[oldest].used) {
            oldest = i;
        }
    }
    return oldest;
}

int gguf_grammars_get(struct gguf_grammars *grammars, uint64_t domain,
                      enum hearth_grammar_kind kind, struct hearth_slice source,
                      struct hearth_grammar **ret, struct hearth_error *err)
{
    uint64_t user = domain >> HEARTH_DOMAIN_USER_BIT;
    size_t i = share_of(grammars, user);
    if (grammars->shares[i].cache != NULL && grammars->shares[i].user != user) {
        hearth_grammar_cache_destroy(grammars->shares[i].cache);
        grammars->shares[i].cache = NULL;
    }
    int rc = 0;
    if (grammars->shares[i].cache == NULL) {
        rc = hearth_grammar_cache_create(GGUF_SHARE_BYTES, &grammars->shares[i].cache, err);
    }
    if (rc < 0) {
        return rc;
    }
    grammars->shares[i].user = user;
    grammars->shares[i].used = ++grammars->uses;
    return hearth_grammar_cache_get(grammars->shares[i].cache, kind, source, ret, err);
}

void gguf_grammars_destroy(struct gguf_grammars *grammars)
{
    for (size_t i = 0; i < GGUF_GRAMMAR_SHARES; i++) {
        hearth_grammar_cache_destroy(grammars->shares[i].cache);
        grammars->shares[i].cache = NULL;
    }
}
