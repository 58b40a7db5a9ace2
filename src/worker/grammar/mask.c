/* mask.c — all tokens that fit, in one walk over the trie of the vocabulary.
 *
 * Most of a walk goes over steps that are already known: a look-up each. Where all bytes of a
 * subtree lead back to the place itself, as ordinary text does within a string, the whole subtree
 * is taken without being walked. */

#include "matcher.h"
#include "vocabulary.h"

#define LOOP_LEAST_NODES 64u /* smaller subtrees are walked: asking would cost more */

/* A mask works out so much that is not known yet. Past it longer tokens that would need more are
 * left out, which is safe; grammars of people stay far below. Bytes alone are always judged. */
#define MOST_WORK (1u << 20)
#define LOOP_WORK 4096u

static void allow(uint64_t *bits, const uint32_t *tokens, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        bits[tokens[i] / 64] |= UINT64_C(1) << (tokens[i] % 64);
    }
}

/* True if every byte of @group leads from walk[@at] back to itself. May renumber the walk. */
static bool group_loops(struct hearth_matcher *matcher, size_t at, unsigned group)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        if (byte_group_of((uint8_t)byte) == group &&
            matcher_step(matcher, at, matcher->grammar->class_of[byte]) != matcher->walk[at]) {
            return false;
        }
    }
    return true;
}

static uint8_t loops_of(struct hearth_matcher *matcher, size_t at, uint32_t *work)
{
    const struct place *place = machine_place(matcher_machine(matcher), matcher->walk[at]);
    if (place->knows_loops) {
        return place->loops;
    }
    uint8_t loops = 0;
    if (*work > MOST_WORK) {
        return loops;
    }
    *work += LOOP_WORK;
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        loops |= (uint8_t)(group_loops(matcher, at, group) << group);
    }
    struct place *note = machine_place_to_note(matcher_machine(matcher), matcher->walk[at]);
    note->loops = loops;
    note->knows_loops = true;
    return loops;
}

/* What one walk needs at hand; it changes only when the machine does. */
struct rows {
    const uint16_t *steps;
    size_t width;
};

static struct rows rows_of(const struct hearth_matcher *matcher)
{
    return (struct rows){machine_steps(matcher_machine(matcher)), matcher->grammar->class_count};
}

/* Walks the whole trie; false if some token could be read in too many ways. Nodes follow each other
 * as their tokens do, so what fits is noted only where something does not: all tokens since then.
 */
static bool walk(struct hearth_matcher *matcher, const struct hearth_vocabulary *vocabulary,
                 uint64_t *bits)
{
    const struct vocabulary_node *nodes = vocabulary->nodes;
    const uint8_t *class_of = matcher->grammar->class_of;
    struct rows rows = rows_of(matcher);
    uint32_t noted = 0; /* tokens before this one are judged */
    uint32_t work = 0;
    uint32_t at = 0;
    while (at < vocabulary->node_count) {
        const struct vocabulary_node *node = &nodes[at];
        size_t from = matcher->walk[node->depth - 1];
        uint16_t to = rows.steps[from * rows.width + class_of[node->byte]];
        if (to == MACHINE_UNKNOWN && work > MOST_WORK && node->depth > 1) {
            to = MACHINE_DEAD;
        } else if (to == MACHINE_UNKNOWN) {
            to = matcher_step(matcher, node->depth - 1u, class_of[node->byte]);
            work += machine_work(matcher_machine(matcher));
            rows = rows_of(matcher);
        }
        if (!machine_is_place(to)) {
            if (to == MACHINE_TANGLED) {
                return false;
            }
            allow(bits, vocabulary->tokens, noted, node->tokens);
            noted = nodes[node->skip].tokens;
            at = node->skip;
            continue;
        }
        matcher->walk[node->depth] = to;
        at++;
        if (node->skip - at >= LOOP_LEAST_NODES && to == from) {
            at = (node->groups & ~loops_of(matcher, node->depth, &work)) == 0 ? node->skip : at;
            rows = rows_of(matcher);
        }
    }
    allow(bits, vocabulary->tokens, noted, vocabulary->token_count);
    return true;
}

int hearth_matcher_mask(struct hearth_matcher *matcher, const struct hearth_vocabulary *vocabulary,
                        uint64_t *bits, struct hearth_error *err)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    HEARTH_CHECK(vocabulary, VOCABULARY_MAGIC);
    HEARTH_ASSERT(matcher->grammar != NULL);
    size_t words = ((size_t)vocabulary->size + 63) / 64;
    memset(bits, 0, words * sizeof *bits);
    if (!walk(matcher, vocabulary, bits)) {
        memset(bits, 0, words * sizeof *bits);
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "an answer could follow the grammar in more than %u ways at once",
                           HEARTH_GRAMMAR_MAX_WAYS);
    }
    return 0;
}
