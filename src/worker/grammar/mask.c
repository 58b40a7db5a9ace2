/* mask.c — all tokens that fit, in one walk over the trie of the vocabulary.
 *
 * Most of a walk goes over steps that are already known: a look-up each. Where whatever is in a
 * subtree goes on, as ordinary text does within a string, it is taken whole without being walked.
 * That is found out by following all bytes of the kinds that it has at once: soon they lead only to
 * places that were met already, or as many bytes as its longest token has were followed. */

#include "matcher.h"
#include "vocabulary.h"

#define LEAST_NODES 32u /* smaller subtrees are walked: asking would cost more */
#define MOST_FOUND  64u /* places looked at to know what a subtree leads to, … */
#define MOST_BYTES  24u /* … and bytes: few tokens are longer */

/* A mask works out so much that is not known yet. Past it longer tokens that would need more are
 * left out, which is safe; grammars of people stay far below. Bytes alone are always judged. */
#define MOST_WORK (1u << 20)

static void allow(uint64_t *bits, const uint32_t *tokens, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        bits[tokens[i] / 64] |= UINT64_C(1) << (tokens[i] % 64);
    }
}

/* Places that bytes of some groups lead to, each once, and after how many bytes. */
struct reach {
    uint8_t groups;
    unsigned count;
    uint16_t found[MOST_FOUND];
    uint8_t after[MOST_FOUND];
};

/* Adds where all bytes of @groups lead from walk[@at] to the @count places of @found. How many
 * there are then, each once; 0 if one leads nowhere, @found is full or the machine was renewed, so
 * that the numbers are worth nothing. */
static unsigned spread(struct hearth_matcher *matcher, size_t at, uint8_t groups, uint16_t *found,
                       unsigned count, uint32_t *work)
{
    const struct hearth_grammar *grammar = matcher->grammar;
    unsigned working = matcher->working;
    for (uint32_t class_number = 0; class_number < grammar->class_count; class_number++) {
        if ((grammar->class_groups[class_number] & groups) == 0) {
            continue;
        }
        size_t row = (size_t)matcher->walk[at] * grammar->class_count;
        bool is_new =
            machine_steps(matcher_machine(matcher))[row + class_number] == MACHINE_UNKNOWN;
        uint16_t to = matcher_step(matcher, at, (uint8_t)class_number);
        *work += is_new ? machine_work(matcher_machine(matcher)) : 0;
        unsigned i = 0;
        while (i < count && found[i] != to) {
            i++;
        }
        if (matcher->working != working || !machine_is_place(to) || i == MOST_FOUND) {
            return 0;
        }
        found[i] = to;
        count = HEARTH_MAX(count, i + 1);
    }
    return count;
}

/* Groups of text of which each byte leads on from walk[@at]. */
static uint8_t living_groups(struct hearth_matcher *matcher, size_t at, uint32_t *work)
{
    static const uint8_t text[] = {1u << GROUP_LETTERS, 1u << GROUP_DIGITS, 1u << GROUP_SPACE,
                                   1u << GROUP_SIGNS};
    uint16_t found[MOST_FOUND];
    uint8_t groups = 0;
    for (unsigned i = 0; i < HEARTH_COUNT(text); i++) {
        groups |= spread(matcher, at, text[i], found, 0, work) > 0 ? text[i] : 0;
    }
    return groups;
}

/* What was found out from one place holds for those that it leads to, with fewer bytes to go. */
static void note_calm(struct hearth_matcher *matcher, const struct reach *reach, unsigned bytes)
{
    for (unsigned i = 0; i < reach->count && reach->after[i] <= bytes; i++) {
        struct place *place = machine_place_to_note(matcher_machine(matcher), reach->found[i]);
        if (!place->knows_calm) {
            place->knows_calm = true;
            place->calm_groups = reach->groups;
            place->calm_bytes =
                (uint8_t)(bytes == VOCABULARY_HIGH ? bytes : bytes - reach->after[i]);
        }
    }
}

/* Finds out how many bytes of text can follow walk[@at], whichever they are. */
static void find_calm(struct hearth_matcher *matcher, size_t at, uint32_t *work)
{
    unsigned working = matcher->working;
    struct reach reach = {.groups = living_groups(matcher, at, work), .count = 1};
    reach.found[0] = matcher->walk[at];
    unsigned bytes = 0;
    for (unsigned i = 0; i < reach.count; i++) {
        bytes = reach.after[i];
        matcher->walk[at + 1] = reach.found[i];
        bool goes_on = bytes < MOST_BYTES && *work <= MOST_WORK;
        unsigned count =
            !goes_on ? 0 : spread(matcher, at + 1, reach.groups, reach.found, reach.count, work);
        if (count == 0) {
            break;
        }
        memset(reach.after + reach.count, (int)bytes + 1, count - reach.count);
        reach.count = count;
        bytes = VOCABULARY_HIGH; /* if this was the last */
    }
    if (matcher->working == working) {
        note_calm(matcher, &reach, bytes);
    }
}

/* True if everything below @node fits behind walk[node->depth]. It is asked only where the step to
 * the node promises it. */
static bool fits_whole(struct hearth_matcher *matcher, const struct vocabulary_node *node,
                       uint32_t *work)
{
    const struct machine *machine = matcher_machine(matcher);
    const struct place *from = machine_place(machine, matcher->walk[node->depth - 1]);
    if (!from->knows_calm || (from->calm_groups >> byte_group_of(node->byte) & 1) == 0) {
        return false;
    }
    if (!machine_place(machine, matcher->walk[node->depth])->knows_calm && *work <= MOST_WORK) {
        find_calm(matcher, node->depth, work);
    }
    const struct place *place = machine_place(matcher_machine(matcher), matcher->walk[node->depth]);
    return place->knows_calm && (node->groups & ~place->calm_groups) == 0 &&
           node->height <= place->calm_bytes;
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
    uint32_t noted = 0; /* tokens before this one are judged */
    uint32_t work = 0;
    if (!machine_place(matcher_machine(matcher), matcher->walk[0])->knows_calm) {
        find_calm(matcher, 0, &work);
    }
    struct rows rows = rows_of(matcher);
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
        if (node->skip - at >= LEAST_NODES) {
            at = fits_whole(matcher, node, &work) ? node->skip : at;
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
