/* compile.c — expressions become states.
 *
 * A state knows what comes after it, so everything is built from its end: the state behind is
 * there before the one in front. States of one rule lie together, later ones further back. */

#include "automaton.h"
#include "vocabulary.h"

#define SETS_ROOM   4096u /* slots of the table of sets; at most three quarters are used */
#define STATE_END   0u    /* returns */
#define STATE_NEVER 1u    /* takes no byte */
#define FIRST_ROOM  256u

struct compiler {
    struct draft *draft;
    struct hearth_grammar *grammar;
    uint32_t state_room;
    uint32_t *set_slots; /* index of a set + 1 */
    uint32_t slot_count;
};

/* ---- sets of bytes, each once ---------------------------------------------------------------- */

static uint32_t hash_set(const struct byte_set *set)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < HEARTH_COUNT(set->words); i++) {
        hash = (hash ^ set->words[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return (uint32_t)hash;
}

static uint32_t intern_set(struct compiler *compiler, struct byte_set set)
{
    struct hearth_grammar *grammar = compiler->grammar;
    uint32_t mask = compiler->slot_count - 1;
    uint32_t at = hash_set(&set) & mask;
    while (compiler->set_slots[at] != 0) {
        uint32_t index = compiler->set_slots[at] - 1;
        if (memcmp(&grammar->sets[index], &set, sizeof set) == 0) {
            return index;
        }
        at = (at + 1) & mask;
    }
    grammar->sets[grammar->set_count] = set;
    compiler->set_slots[at] = ++grammar->set_count;
    return grammar->set_count - 1;
}

static struct byte_set one_byte(uint8_t byte)
{
    struct byte_set set = {{0}};
    byte_set_add(&set, byte, byte);
    return set;
}

/* ---- states ---------------------------------------------------------------------------------- */

static uint32_t add_state(struct compiler *compiler, enum state_kind kind, uint32_t a, uint32_t b)
{
    struct hearth_grammar *grammar = compiler->grammar;
    if (compiler->draft->code != 0) {
        return STATE_NEVER;
    }
    if (grammar->state_count == compiler->state_room) {
        if (compiler->state_room == HEARTH_GRAMMAR_MAX_STATES) {
            draft_fail(compiler->draft, HEARTH_E_TOO_LARGE, "the grammar needs more than %u states",
                       HEARTH_GRAMMAR_MAX_STATES);
            return STATE_NEVER;
        }
        uint32_t room = compiler->state_room * 2;
        struct state *grown = hearth_realloc(grammar->states, room, sizeof *grown);
        if (grown == NULL) {
            draft_fail(compiler->draft, HEARTH_E_NO_MEMORY, "out of memory");
            return STATE_NEVER;
        }
        grammar->states = grown;
        compiler->state_room = room;
    }
    grammar->states[grammar->state_count] =
        (struct state){.kind = kind, .a = a, .b = b, .cost = COST_NEVER};
    return grammar->state_count++;
}

static uint32_t build(struct compiler *compiler, uint32_t expr, uint32_t next);

static uint32_t build_text(struct compiler *compiler, const struct expr *expr, uint32_t next)
{
    const uint8_t *text = compiler->draft->text.data + expr->a;
    for (uint32_t i = expr->b; i > 0; i--) {
        uint32_t set = intern_set(compiler, one_byte(text[i - 1]));
        next = add_state(compiler, STATE_SET, set, next);
    }
    return next;
}

static uint32_t build_choice(struct compiler *compiler, uint32_t expr, uint32_t next)
{
    const struct expr *exprs = compiler->draft->exprs;
    uint32_t all = build(compiler, exprs[expr].b, next);
    for (expr = exprs[expr].a; exprs[expr].kind == EXPR_CHOICE; expr = exprs[expr].a) {
        uint32_t one = build(compiler, exprs[expr].b, next);
        all = add_state(compiler, STATE_SPLIT, one, all);
    }
    uint32_t first = build(compiler, expr, next);
    return add_state(compiler, STATE_SPLIT, first, all);
}

/* As often as wished: the way back leads to a state in front of its body. */
static uint32_t build_loop(struct compiler *compiler, uint32_t expr, uint32_t next,
                           bool at_least_one)
{
    uint32_t loop = add_state(compiler, STATE_SPLIT, STATE_NEVER, next);
    uint32_t body = build(compiler, expr, loop);
    if (compiler->draft->code != 0) {
        return STATE_NEVER;
    }
    compiler->grammar->states[loop].a = body;
    return at_least_one ? body : loop;
}

static uint32_t build_repeat(struct compiler *compiler, const struct expr *expr, uint32_t next)
{
    const struct repetition *count = &compiler->draft->counts[expr->b];
    if (count->min == 0 && count->max == 1) {
        uint32_t once = build(compiler, expr->a, next);
        return add_state(compiler, STATE_SPLIT, once, next);
    }
    if (count->min <= 1 && count->max == DRAFT_UNLIMITED) {
        return build_loop(compiler, expr->a, next, count->min == 1);
    }
    struct counter counter = {build(compiler, expr->a, STATE_END), count->min, count->max};
    struct hearth_grammar *grammar = compiler->grammar;
    if (grammar->counter_count == HEARTH_GRAMMAR_MAX_NODES) {
        draft_fail(compiler->draft, HEARTH_E_TOO_LARGE, "the grammar has more than %u repetitions",
                   HEARTH_GRAMMAR_MAX_NODES);
        return STATE_NEVER;
    }
    /* One expression may be compiled many times, so their number is known only now. */
    if ((grammar->counter_count & (grammar->counter_count - 1)) == 0) {
        uint32_t room = HEARTH_MAX(2 * grammar->counter_count, 1u);
        struct counter *grown = hearth_realloc(grammar->counters, room, sizeof *grown);
        if (grown == NULL) {
            draft_fail(compiler->draft, HEARTH_E_NO_MEMORY, "out of memory");
            return STATE_NEVER;
        }
        grammar->counters = grown;
    }
    grammar->counters[grammar->counter_count] = counter;
    return add_state(compiler, STATE_COUNT, grammar->counter_count++, next);
}

/* Recurses on what leans to the right, at most DRAFT_MAX_HEIGHT deep. */
static uint32_t build(struct compiler *compiler, uint32_t expr, uint32_t next)
{
    for (;;) {
        if (compiler->draft->code != 0 || expr == DRAFT_NEVER) {
            return STATE_NEVER;
        }
        if (expr == DRAFT_EMPTY) {
            return next; /* a grammar of these two alone has no list of expressions */
        }
        const struct expr *here = &compiler->draft->exprs[expr];
        switch ((enum expr_kind)here->kind) {
        case EXPR_NEVER: return STATE_NEVER;
        case EXPR_EMPTY: return next;
        case EXPR_TEXT: return build_text(compiler, here, next);
        case EXPR_SET:
            return add_state(compiler, STATE_SET,
                             intern_set(compiler, compiler->draft->sets[here->a]), next);
        case EXPR_SEQUENCE:
            next = build(compiler, here->b, next);
            expr = here->a;
            continue;
        case EXPR_CHOICE: return build_choice(compiler, expr, next);
        case EXPR_REPEAT: return build_repeat(compiler, here, next);
        case EXPR_RULE: return add_state(compiler, STATE_CALL, here->a, next);
        }
        HEARTH_UNREACHABLE();
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Bytes that are in the same sets get the same class. */
static void find_classes(struct hearth_grammar *grammar)
{
    grammar->class_count = 1;
    for (uint32_t i = 0; i < grammar->set_count && grammar->class_count < 256; i++) {
        const struct byte_set *set = &grammar->sets[i];
        uint32_t inside[256]; /* the class of those of a class that are in the set, + 1 */
        uint32_t outside[256];
        memset(inside, 0, sizeof inside);
        memset(outside, 0, sizeof outside);
        uint32_t count = 0;
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t *to = byte_set_has(set, (uint8_t)byte) ? inside : outside;
            uint32_t *known = &to[grammar->class_of[byte]];
            if (*known == 0) {
                *known = ++count;
            }
            grammar->class_of[byte] = (uint8_t)(*known - 1);
        }
        grammar->class_count = count;
    }
    for (unsigned byte = 256; byte > 0; byte--) {
        uint8_t class_number = grammar->class_of[byte - 1];
        grammar->class_byte[class_number] = (uint8_t)(byte - 1);
        grammar->class_groups[class_number] |= (uint8_t)(1u << byte_group_of((uint8_t)(byte - 1)));
    }
}

static int prepare(struct compiler *compiler)
{
    struct draft *draft = compiler->draft;
    struct hearth_grammar *grammar = hearth_alloc(1, sizeof *grammar);
    compiler->grammar = grammar;
    if (grammar == NULL) {
        return hearth_fail_oom(draft->err);
    }
    grammar->magic = GRAMMAR_MAGIC;
    atomic_init(&grammar->owners, 1);
    size_t most_sets = (size_t)draft->set_count + 256 + 1; /* of texts, and the empty one */
    compiler->slot_count = SETS_ROOM;
    while (compiler->slot_count / 4 * 3 < most_sets) {
        compiler->slot_count *= 2;
    }
    compiler->set_slots = hearth_alloc(compiler->slot_count, sizeof *compiler->set_slots);
    grammar->sets = hearth_alloc(most_sets, sizeof *grammar->sets);
    compiler->state_room = FIRST_ROOM;
    grammar->states = hearth_alloc(FIRST_ROOM, sizeof *grammar->states);
    grammar->starts = hearth_alloc(draft->rule_count, sizeof *grammar->starts);
    if (compiler->set_slots == NULL || grammar->sets == NULL || grammar->states == NULL ||
        grammar->starts == NULL) {
        return hearth_fail_oom(draft->err);
    }
    grammar->states[add_state(compiler, STATE_RETURN, 0, 0)].cost = 0;
    add_state(compiler, STATE_SET, intern_set(compiler, (struct byte_set){{0}}), STATE_NEVER);
    return 0;
}

static int compile_rules(struct compiler *compiler)
{
    struct draft *draft = compiler->draft;
    struct hearth_grammar *grammar = compiler->grammar;
    grammar->rule_count = draft->rule_count;
    HEARTH_AUTO(hearth_block)
    void *block = hearth_alloc((size_t)draft->rule_count + 1, sizeof(uint32_t));
    uint32_t *first = block;
    if (first == NULL) {
        return hearth_fail_oom(draft->err);
    }
    for (uint32_t rule = 0; rule < draft->rule_count && draft->code == 0; rule++) {
        first[rule] = grammar->state_count;
        grammar->starts[rule] = build(compiler, draft->rules[rule].expr, STATE_END);
    }
    first[draft->rule_count] = grammar->state_count;
    if (draft->code != 0) {
        return draft->code;
    }
    find_classes(grammar);
    return grammar_measure(grammar, first, draft);
}

int grammar_compile(struct draft *draft, struct hearth_grammar **ret)
{
    if (draft->code != 0) {
        return draft->code;
    }
    struct compiler compiler = {.draft = draft};
    int rc = prepare(&compiler);
    if (rc == 0) {
        rc = compile_rules(&compiler);
    }
    hearth_free(compiler.set_slots);
    if (rc < 0) {
        hearth_grammar_destroy(compiler.grammar);
        return rc;
    }
    *ret = compiler.grammar;
    return 0;
}
