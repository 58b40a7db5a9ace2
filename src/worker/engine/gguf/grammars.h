/* grammars.h — compiled rules, kept for whoever comes with the same ones again.
 *
 * Each user has a share of the room, so that nobody can make the rules of others leave by coming
 * with many of his own. There are GGUF_GRAMMAR_SHARES of them; one more user takes the share of
 * who asked longest ago. Everything runs on the run thread. */

#ifndef HEARTH_GGUF_GRAMMARS_H
#define HEARTH_GGUF_GRAMMARS_H

#include "hearth_grammar.h"

#define GGUF_GRAMMAR_SHARES 4u
#define GGUF_SHARE_BYTES    (4u << 20)

struct gguf_grammars {
    struct {
        struct hearth_grammar_cache *cache; /* NULL: nobody's yet */
        uint64_t user;
        uint64_t used;
    } shares[GGUF_GRAMMAR_SHARES];
    uint64_t uses;
};

/** The grammar of @source for a request of @domain (see HEARTH_DOMAIN_USER_BIT), compiled only if
 *  that user's share does not have it; the caller is an owner of *@ret. Errors are those of
 *  hearth_grammar_cache_get(). */
HEARTH_NODISCARD int gguf_grammars_get(struct gguf_grammars *grammars, uint64_t domain,
                                       enum hearth_grammar_kind kind, struct hearth_slice source,
                                       struct hearth_grammar **ret, struct hearth_error *err);

/** Grammars that have other owners stay alive. */
void gguf_grammars_destroy(struct gguf_grammars *grammars);

#endif
