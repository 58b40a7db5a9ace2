/* hearth_grammar.h — which bytes may come next, when an answer must follow a schema or rules.
 *
 * A *grammar* is compiled once from a JSON schema, from GBNF or from a list of choices. A *matcher*
 * says where one answer stands in it: which bytes may follow, whether it may end here, and how it
 * could end soonest. A *vocabulary* holds the texts of all tokens of a model as a trie, so that the
 * tokens that fit can be found in one walk. No token, engine or probability is known here.
 *
 * What a matcher has taken can always be finished: bytes that lead nowhere are never allowed.
 *
 * Pure: no descriptor and no clock; nothing blocks. Functions that can fail return 0 or a negative
 * HEARTH_E_* and fill @err, which may be NULL. Which keywords and notations are known, and what the
 * text of an answer then looks like, is in docs/internals/grammar.md. */

#ifndef HEARTH_GRAMMAR_H
#define HEARTH_GRAMMAR_H

#include "hearth_base.h"

/* ---- limits -------------------------------------------------------------------------------- */

#define HEARTH_GRAMMAR_MAX_SOURCE_BYTES (64u << 10)
#define HEARTH_GRAMMAR_MAX_NESTING      64u /* of a schema, of groups in rules and in patterns */
#define HEARTH_GRAMMAR_MAX_RULES        16384u
#define HEARTH_GRAMMAR_MAX_NODES        (1u << 18) /* of all expressions, before compilation */
#define HEARTH_GRAMMAR_MAX_STATES       (1u << 18) /* of the automaton */
#define HEARTH_GRAMMAR_MAX_STEPS        (1u << 24) /* of compilation */
#define HEARTH_GRAMMAR_MAX_COUNT        65536u     /* m and n in {m,n}, minLength, maxItems, … */
#define HEARTH_GRAMMAR_MAX_CHOICES      128u
#define HEARTH_GRAMMAR_MAX_PROPERTIES   256u /* of one object */
#define HEARTH_GRAMMAR_MAX_DEPTH        512u /* rules inside rules, in an answer */
#define HEARTH_GRAMMAR_MAX_WAYS         512u /* readings of one answer at a time */
#define HEARTH_GRAMMAR_MAX_TOKEN_BYTES  512u /* longer tokens are never allowed */
#define HEARTH_GRAMMAR_MAX_TOKENS       (1u << 20)

/* ---- grammars ------------------------------------------------------------------------------ */

/** Compiled and constant; any number of threads may use it at once. Counted by its owners. */
struct hearth_grammar;

/**
 * Compiles a JSON schema (UTF-8 text). Answers are compact JSON, with at most one space after each
 * comma and colon, and members in the order of the schema. HEARTH_E_INPUT_INVALID for a schema that
 * is none, HEARTH_E_UNSUPPORTED for a keyword that is not known, by its name; both say where, as a
 * JSON pointer. HEARTH_E_TOO_LARGE past a limit above, HEARTH_E_NO_MEMORY.
 */
int hearth_grammar_schema(struct hearth_slice json, struct hearth_grammar **ret,
                          struct hearth_error *err);

/** Compiles GBNF; an answer follows the rule `root`. Errors name the line. */
int hearth_grammar_gbnf(struct hearth_slice text, struct hearth_grammar **ret,
                        struct hearth_error *err);

/** An answer is one of @count texts (none empty, at most HEARTH_GRAMMAR_MAX_CHOICES). */
int hearth_grammar_choices(const struct hearth_slice *texts, size_t count,
                           struct hearth_grammar **ret, struct hearth_error *err);

/** One owner more: each owner calls hearth_grammar_destroy() once. Returns @grammar. */
struct hearth_grammar *hearth_grammar_ref(struct hearth_grammar *grammar);

/** One owner less; the last one frees it. NULL is fine. */
void hearth_grammar_destroy(struct hearth_grammar *grammar);
HEARTH_DEFINE_CLEANUP(hearth_grammar)

/** Memory that it holds. */
size_t hearth_grammar_bytes(const struct hearth_grammar *grammar);

/* ---- a cache of them ----------------------------------------------------------------------- */

enum hearth_grammar_kind { HEARTH_GRAMMAR_KIND_SCHEMA = 1, HEARTH_GRAMMAR_KIND_GBNF };

/** Grammars by their source, the longest unused leaving first; for one thread. */
struct hearth_grammar_cache;

/** At most @most_bytes, sources included; a grammar that is larger is compiled and not kept. */
int hearth_grammar_cache_create(size_t most_bytes, struct hearth_grammar_cache **ret,
                                struct hearth_error *err);

/** Grammars that have other owners stay alive. NULL is fine. */
void hearth_grammar_cache_destroy(struct hearth_grammar_cache *cache);

/** As the functions above, compiled only if it is not there; the caller is an owner of *@ret. */
int hearth_grammar_cache_get(struct hearth_grammar_cache *cache, enum hearth_grammar_kind kind,
                             struct hearth_slice source, struct hearth_grammar **ret,
                             struct hearth_error *err);

/** How often it was there, and how often not. */
void hearth_grammar_cache_counts(const struct hearth_grammar_cache *cache, uint64_t *ret_hits,
                                 uint64_t *ret_misses);

/* ---- vocabularies -------------------------------------------------------------------------- */

/** The texts of all tokens of a model, as a trie; constant, for any number of threads. */
struct hearth_vocabulary;

/**
 * @tokens[id] is the text of token id; one of size 0 (special, control or unknown tokens) is left
 * out and never allowed, and so is one longer than HEARTH_GRAMMAR_MAX_TOKEN_BYTES. Texts are
 * copied. HEARTH_E_TOO_LARGE, HEARTH_E_NO_MEMORY.
 */
int hearth_vocabulary_create(const struct hearth_slice *tokens, size_t count,
                             struct hearth_vocabulary **ret, struct hearth_error *err);
void hearth_vocabulary_destroy(struct hearth_vocabulary *vocabulary);
HEARTH_DEFINE_CLEANUP(hearth_vocabulary)

/** Tokens, those left out too: a mask has so many bits, rounded up to whole words of 64. */
size_t hearth_vocabulary_size(const struct hearth_vocabulary *vocabulary);

/* ---- matchers ------------------------------------------------------------------------------ */

/** Where one answer stands. For one thread at a time; all its memory, 3 MB of which it touches what
 * a grammar needs, is allocated at once. */
struct hearth_matcher;

int hearth_matcher_create(struct hearth_matcher **ret, struct hearth_error *err);
void hearth_matcher_destroy(struct hearth_matcher *matcher);
HEARTH_DEFINE_CLEANUP(hearth_matcher)

/* None of the functions below allocates. All but the first need a grammar begun. */

/** Stands at the beginning of an answer; the matcher is an owner of @grammar until the next call
 *  or its end. A matcher that goes on with the same grammar keeps what it learned of it. */
int hearth_matcher_begin(struct hearth_matcher *matcher, struct hearth_grammar *grammar,
                         struct hearth_error *err);

/** Makes @to stand where @from stands, in the same grammar. */
int hearth_matcher_copy(struct hearth_matcher *to, const struct hearth_matcher *from,
                        struct hearth_error *err);

/** Would @bytes be taken? Changes nothing. Bytes may end within a character. */
bool hearth_matcher_fits(struct hearth_matcher *matcher, struct hearth_slice bytes);

/** Goes on by @bytes, all or none: HEARTH_E_INPUT_INVALID if they do not fit, and
 *  HEARTH_E_TOO_LARGE if the answer can be read in too many ways. */
int hearth_matcher_take(struct hearth_matcher *matcher, struct hearth_slice bytes,
                        struct hearth_error *err);

/** The answer is complete here. */
bool hearth_matcher_may_end(const struct hearth_matcher *matcher);

/** The answer is complete here and nothing can follow. */
bool hearth_matcher_must_end(const struct hearth_matcher *matcher);

/** Writes the bytes that must come next, whatever else: up to @room_bytes, often none. They may end
 *  within a character. Where the answer may end nothing is forced. Returns how many. */
size_t hearth_matcher_forced(struct hearth_matcher *matcher, uint8_t *room, size_t room_bytes);

/** Bytes of a shortest way to the end; 0 where the answer may end. Quick: ask it at every token. */
size_t hearth_matcher_distance(const struct hearth_matcher *matcher);

/** Writes the beginning of a shortest way to the end, up to @room_bytes, and returns how many; all
 *  of it has hearth_matcher_distance() bytes. Changes nothing. */
size_t hearth_matcher_closing(struct hearth_matcher *matcher, uint8_t *room, size_t room_bytes);

/** Sets one bit a token in @bits: token id in bit id % 64 of bits[id / 64], all others 0.
 *  HEARTH_E_TOO_LARGE as hearth_matcher_take(); the bits are then all 0. The work is bounded: where
 * a grammar is far more ambiguous than people write them, some tokens of several bytes that would
 * fit are left out, never one of a single byte. */
int hearth_matcher_mask(struct hearth_matcher *matcher, const struct hearth_vocabulary *vocabulary,
                        uint64_t *bits, struct hearth_error *err);

#endif
