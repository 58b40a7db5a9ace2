/* fuzz_grammar.c — a schema, rules or choices from nowhere are refused or usable, never harmful.
 *
 * The first byte selects the kind, the second how an answer is walked; what stands behind the first
 * NUL says which bytes a walk tries. Where an answer stands, a mask must say of each token what
 * checking it alone says, forced bytes must fit, and the shortest way must lead to an end. */

#include "hearth_grammar.h"

int hearth_fuzz_grammar(const uint8_t *data, size_t size);

#define MOST_STEPS   24u
#define MOST_CLOSING 4096u
#define MOST_CHOICES 16u

static const char *const tokens[] = {"a",     "b",        "\"",
                                     "\\",    "{",        "}",
                                     "[",     "]",        ",",
                                     ":",     " ",        "0",
                                     "12",    "-",        ".5",
                                     "e+",    "true",     "null",
                                     "false", "{\"",      "\":",
                                     "\",",   "\"a\"",    "é",
                                     "漢字",  "\xF0\x9F", "\xF0\x9F\x98\x80",
                                     "\n",    "xyz",      "aaaaaaaaaaaaaaaa",
                                     "\\u00", "z",        "A",
                                     "[]",    "{}",       "\xC3",
                                     "\xA9",  "()",       "+",
                                     "b1"};

#define TOKENS HEARTH_COUNT(tokens)

/* Everything that is built once and used by all inputs. */
struct world {
    struct hearth_vocabulary *vocabulary;
    struct hearth_matcher *matcher;
    struct hearth_matcher *copy;
    struct hearth_slice slices[TOKENS];
};

static struct world *the_world(void)
{
    static struct world world;
    if (world.vocabulary == NULL) {
        for (size_t i = 0; i < TOKENS; i++) {
            world.slices[i] = hearth_slice_of_string(tokens[i]);
        }
        HEARTH_ASSERT(hearth_vocabulary_create(world.slices, TOKENS, &world.vocabulary, NULL) == 0);
        HEARTH_ASSERT(hearth_matcher_create(&world.matcher, NULL) == 0);
        HEARTH_ASSERT(hearth_matcher_create(&world.copy, NULL) == 0);
    }
    return &world;
}

static int compile(uint8_t kind, struct hearth_slice source, struct hearth_grammar **ret,
                   struct hearth_error *err)
{
    switch (kind % 3) {
    case 0: return hearth_grammar_schema(source, ret, err);
    case 1: return hearth_grammar_gbnf(source, ret, err);
    default: break;
    }
    struct hearth_slice choices[MOST_CHOICES];
    size_t count = 0;
    size_t from = 0;
    for (size_t i = 0; i <= source.size && count < MOST_CHOICES; i++) {
        if (i == source.size || source.data[i] == '|') {
            choices[count++] = hearth_slice_of(source.data + from, i - from);
            from = i + 1;
        }
    }
    return hearth_grammar_choices(choices, count, ret, err);
}

/* A mask says the same as each token alone. False where an answer has too many readings. */
static bool check_mask(struct world *world)
{
    uint64_t bits[(TOKENS + 63) / 64];
    struct hearth_error err = {0};
    if (hearth_matcher_mask(world->matcher, world->vocabulary, bits, &err) < 0) {
        HEARTH_ASSERT(err.code == HEARTH_E_TOO_LARGE);
        return false;
    }
    for (size_t id = 0; id < TOKENS; id++) {
        bool is_allowed = (bits[id / 64] >> (id % 64) & 1) != 0;
        HEARTH_ASSERT(is_allowed == hearth_matcher_fits(world->matcher, world->slices[id]));
    }
    return true;
}

static void check_forced(struct world *world)
{
    uint8_t room[64];
    size_t size = hearth_matcher_forced(world->matcher, room, sizeof room);
    HEARTH_ASSERT(size == 0 || !hearth_matcher_may_end(world->matcher));
    HEARTH_ASSERT(hearth_matcher_fits(world->matcher, hearth_slice_of(room, size)));
    if (size > 0) {
        uint8_t other = (uint8_t)(room[0] + 1);
        HEARTH_ASSERT(!hearth_matcher_fits(world->matcher, hearth_slice_of(&other, 1)));
    }
}

/* The shortest way is as long as it is said to be, fits, and ends; nothing shorter ends. */
static void check_closing(struct world *world)
{
    static uint8_t room[MOST_CLOSING];
    size_t distance = hearth_matcher_distance(world->matcher);
    HEARTH_ASSERT((distance == 0) == hearth_matcher_may_end(world->matcher));
    if (distance > sizeof room || hearth_matcher_copy(world->copy, world->matcher, NULL) < 0) {
        return;
    }
    HEARTH_ASSERT(hearth_matcher_distance(world->copy) == distance);
    size_t size = hearth_matcher_closing(world->copy, room, sizeof room);
    if (size < distance) { /* only where an answer has too many readings */
        return;
    }
    HEARTH_ASSERT(size == distance);
    for (size_t i = 0; i < size; i++) {
        HEARTH_ASSERT(!hearth_matcher_may_end(world->copy));
        HEARTH_ASSERT(hearth_matcher_take(world->copy, hearth_slice_of(room + i, 1), NULL) == 0);
    }
    HEARTH_ASSERT(hearth_matcher_may_end(world->copy));
}

static void walk(struct world *world, const uint8_t *wishes, size_t count, uint8_t seed)
{
    for (size_t step = 0; step < MOST_STEPS; step++) {
        if (!check_mask(world)) {
            return;
        }
        check_forced(world);
        check_closing(world);
        uint8_t wish = step < count ? wishes[step] : (uint8_t)(seed * 31u + step * 17u);
        if (hearth_matcher_fits(world->matcher, hearth_slice_of(&wish, 1))) {
            HEARTH_ASSERT(hearth_matcher_take(world->matcher, hearth_slice_of(&wish, 1), NULL) ==
                          0);
            continue;
        }
        size_t tried = 0;
        size_t id = wish % TOKENS;
        while (tried < TOKENS && !hearth_matcher_fits(world->matcher, world->slices[id])) {
            id = (id + 1) % TOKENS;
            tried++;
        }
        uint8_t next = 0;
        if (tried < TOKENS) {
            HEARTH_ASSERT(hearth_matcher_take(world->matcher, world->slices[id], NULL) == 0);
        } else if (hearth_matcher_closing(world->matcher, &next, 1) == 1) {
            HEARTH_ASSERT(hearth_matcher_take(world->matcher, hearth_slice_of(&next, 1), NULL) ==
                          0);
        } else {
            return;
        }
    }
}

int hearth_fuzz_grammar(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct world *world = the_world();
    const uint8_t *nul = memchr(data + 2, 0, size - 2);
    size_t source_bytes = nul == NULL ? size - 2 : (size_t)(nul - data) - 2;
    struct hearth_grammar *grammar = NULL;
    struct hearth_error err = {0};
    int rc = compile(data[0], hearth_slice_of(data + 2, source_bytes), &grammar, &err);
    if (rc < 0) {
        HEARTH_ASSERT(grammar == NULL && err.code == rc && err.text[0] != '\0');
        return 0;
    }
    if (hearth_matcher_begin(world->matcher, grammar, &err) == 0) {
        const uint8_t *wishes = nul == NULL ? data : nul + 1;
        walk(world, wishes, nul == NULL ? 0 : size - source_bytes - 3, data[1]);
    }
    hearth_grammar_destroy(grammar);
    return 0;
}
