/* measure.c — the shortest way from every state to the end of its rule, and what has none.
 *
 * A rule is measured by one pass over its states; when its length changes, the rules that call it
 * are measured again. Lengths only shrink and the number of steps has a limit, so this ends. */

#include "automaton.h"

#define MOST_NEED  8191u
#define MOST_EMPTY 16u /* rounds of a repetition of what may be empty: each is a reading */

struct measure {
    struct draft *draft;
    struct hearth_grammar *grammar;
    const uint32_t *first;  /* state of a rule; its states end where the next one's begin */
    uint32_t *callers;      /* lists of rules, one behind the other */
    uint32_t *callers_from; /* where the list of a rule begins */
    uint32_t *queue;        /* a ring of rules to be measured */
    bool *is_queued;
    uint32_t head, length;
    uint64_t steps;
};

struct way {
    uint32_t cost;
    uint32_t need;
};

static struct way way_of(const struct hearth_grammar *grammar, uint32_t state)
{
    return (struct way){grammar->states[state].cost, grammar->states[state].need};
}

static struct way shorter(struct way a, struct way b)
{
    return a.cost < b.cost || (a.cost == b.cost && a.need <= b.need) ? a : b;
}

/* @times @body, one level deeper, and then @rest. */
static struct way joined(struct way body, uint32_t times, bool is_deeper, struct way rest)
{
    uint32_t need = times == 0 ? 0 : body.need + is_deeper;
    return (struct way){cost_sum(cost_times(body.cost, times), rest.cost),
                        HEARTH_MIN(HEARTH_MAX(need, rest.need), MOST_NEED)};
}

static struct way measure_state(const struct hearth_grammar *grammar, uint32_t at)
{
    const struct state *state = &grammar->states[at];
    switch ((enum state_kind)state->kind) {
    case STATE_RETURN: return (struct way){0, 0};
    case STATE_SET: {
        struct way rest = way_of(grammar, state->b);
        return (struct way){cost_sum(1, rest.cost), rest.need};
    }
    case STATE_SPLIT:
        /* The way through a loop is never shorter than the way past it. */
        return state->a > at ? way_of(grammar, state->b)
                             : shorter(way_of(grammar, state->a), way_of(grammar, state->b));
    case STATE_CALL:
        return joined(way_of(grammar, grammar->starts[state->a]), 1, state->b != 0,
                      way_of(grammar, state->b));
    case STATE_COUNT: {
        const struct counter *counter = &grammar->counters[state->a];
        return joined(way_of(grammar, counter->body), counter->min, true,
                      way_of(grammar, state->b));
    }
    }
    HEARTH_UNREACHABLE();
}

/* True if the way through the whole rule changed. */
static bool measure_rule(struct measure *measure, uint32_t rule)
{
    struct hearth_grammar *grammar = measure->grammar;
    uint32_t start = grammar->starts[rule];
    struct way before = way_of(grammar, start);
    for (uint32_t at = measure->first[rule]; at < measure->first[rule + 1]; at++) {
        struct way way = measure_state(grammar, at);
        grammar->states[at].cost = way.cost;
        grammar->states[at].need = way.need & MOST_NEED;
        measure->steps++;
    }
    struct way after = way_of(grammar, start);
    return before.cost != after.cost || before.need != after.need;
}

static void enqueue(struct measure *measure, uint32_t rule)
{
    if (!measure->is_queued[rule]) {
        measure->is_queued[rule] = true;
        uint32_t end = (measure->head + measure->length++) % measure->grammar->rule_count;
        measure->queue[end] = rule;
    }
}

static int find_ways(struct measure *measure)
{
    uint32_t rules = measure->grammar->rule_count;
    for (uint32_t rule = rules; rule > 0; rule--) { /* what is called is often written later */
        enqueue(measure, rule - 1);
    }
    while (measure->length > 0) {
        uint32_t rule = measure->queue[measure->head];
        measure->head = (measure->head + 1) % rules;
        measure->length--;
        measure->is_queued[rule] = false;
        if (measure_rule(measure, rule)) {
            for (uint32_t i = measure->callers_from[rule]; i < measure->callers_from[rule + 1];
                 i++) {
                enqueue(measure, measure->callers[i]);
            }
        }
        if (measure->steps > HEARTH_GRAMMAR_MAX_STEPS) {
            draft_fail(measure->draft, HEARTH_E_TOO_LARGE,
                       "the grammar takes more than %u steps to compile", HEARTH_GRAMMAR_MAX_STEPS);
            return measure->draft->code;
        }
    }
    return 0;
}

/* Who calls whom, counted first and then written behind each other. */
static void list_callers(struct measure *measure)
{
    const struct hearth_grammar *grammar = measure->grammar;
    uint32_t *from = measure->callers_from;
    for (uint32_t at = 0; at < grammar->state_count; at++) {
        if (grammar->states[at].kind == STATE_CALL) {
            from[grammar->states[at].a + 1]++;
        }
    }
    for (uint32_t rule = 0; rule < grammar->rule_count; rule++) {
        from[rule + 1] += from[rule];
        measure->queue[rule] = from[rule]; /* the next free place of its list */
    }
    for (uint32_t rule = 0; rule < grammar->rule_count; rule++) {
        for (uint32_t at = measure->first[rule]; at < measure->first[rule + 1]; at++) {
            if (grammar->states[at].kind == STATE_CALL) {
                measure->callers[measure->queue[grammar->states[at].a]++] = rule;
            }
        }
    }
}

/* ---- rules that begin with themselves -------------------------------------------------------- */

struct beginnings {
    const struct hearth_grammar *grammar;
    uint32_t *edges; /* rules that a rule can begin with, lists one behind the other */
    uint32_t edge_count;
    uint32_t *from, *until; /* the list of a rule; until moves while it is being visited */
    uint32_t *todo;         /* states */
    uint8_t *seen;          /* states */
    uint8_t *colour;        /* rules: 0 new, 1 being visited, 2 done */
    uint32_t *trail;
};

static bool may_be_empty(const struct hearth_grammar *grammar, uint32_t state)
{
    return grammar->states[state].cost == 0;
}

static void see(struct beginnings *begin, uint32_t *count, uint32_t state)
{
    if (begin->seen[state] == 0 && begin->grammar->states[state].kind != STATE_RETURN) {
        begin->seen[state] = 1;
        begin->todo[(*count)++] = state;
    }
}

static void list_beginnings(struct beginnings *begin, uint32_t rule)
{
    const struct hearth_grammar *grammar = begin->grammar;
    begin->from[rule] = begin->edge_count;
    uint32_t count = 0;
    see(begin, &count, grammar->starts[rule]);
    while (count > 0) {
        const struct state *state = &grammar->states[begin->todo[--count]];
        if (state->kind == STATE_SPLIT) {
            see(begin, &count, state->a);
            see(begin, &count, state->b);
        } else if (state->kind == STATE_CALL) {
            begin->edges[begin->edge_count++] = state->a;
            if (may_be_empty(grammar, grammar->starts[state->a])) {
                see(begin, &count, state->b);
            }
        } else if (state->kind == STATE_COUNT) {
            const struct counter *counter = &grammar->counters[state->a];
            see(begin, &count, counter->body);
            if (counter->min == 0 || may_be_empty(grammar, counter->body)) {
                see(begin, &count, state->b);
            }
        }
    }
    begin->until[rule] = begin->edge_count;
}

/* Returns a rule that can begin with itself, or rule_count. */
static uint32_t find_circle(struct beginnings *begin)
{
    for (uint32_t root = 0; root < begin->grammar->rule_count; root++) {
        uint32_t depth = 0;
        if (begin->colour[root] == 0) {
            begin->trail[depth++] = root;
        }
        while (depth > 0) {
            uint32_t rule = begin->trail[depth - 1];
            if (begin->colour[rule] == 0) {
                begin->colour[rule] = 1;
                list_beginnings(begin, rule);
            }
            if (begin->until[rule] == begin->from[rule]) {
                begin->colour[rule] = 2;
                depth--;
                continue;
            }
            uint32_t next = begin->edges[--begin->until[rule]];
            if (begin->colour[next] == 1) {
                return next;
            }
            if (begin->colour[next] == 0) {
                begin->trail[depth++] = next;
            }
        }
    }
    return begin->grammar->rule_count;
}

static int refuse_circle(struct draft *draft, uint32_t rule)
{
    const struct draft_rule *found = &draft->rules[rule];
    if (found->line == 0) {
        draft_fail(draft, HEARTH_E_INPUT_INVALID, "the grammar can begin with itself");
    } else {
        draft_fail(draft, HEARTH_E_UNSUPPORTED,
                   "line %u: rule \"%.*s\" can begin with itself (left recursion)", found->line,
                   HEARTH_SLICE_ARGS(found->name));
    }
    return draft->code;
}

static int refuse_circles(struct measure *measure)
{
    struct hearth_grammar *grammar = measure->grammar;
    uint32_t rules = grammar->rule_count;
    struct hearth_arena arena;
    hearth_arena_init(&arena, SIZE_MAX / 2);
    struct beginnings begin = {
        .grammar = grammar,
        .edges =
            hearth_arena_alloc(&arena, (size_t)measure->callers_from[rules] + 1, sizeof(uint32_t)),
        .from = hearth_arena_alloc(&arena, rules, sizeof(uint32_t)),
        .until = hearth_arena_alloc(&arena, rules, sizeof(uint32_t)),
        .todo = hearth_arena_alloc(&arena, grammar->state_count, sizeof(uint32_t)),
        .seen = hearth_arena_alloc(&arena, grammar->state_count, 1),
        .colour = hearth_arena_alloc(&arena, rules, 1),
        .trail = hearth_arena_alloc(&arena, rules, sizeof(uint32_t)),
    };
    int rc = 0;
    if (begin.edges == NULL || begin.from == NULL || begin.until == NULL || begin.todo == NULL ||
        begin.seen == NULL || begin.colour == NULL || begin.trail == NULL) {
        rc = hearth_fail_oom(measure->draft->err);
    } else {
        uint32_t rule = find_circle(&begin);
        rc = rule < rules ? refuse_circle(measure->draft, rule) : 0;
    }
    hearth_arena_finish(&arena);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int refuse_counts(struct measure *measure)
{
    const struct hearth_grammar *grammar = measure->grammar;
    for (uint32_t i = 0; i < grammar->counter_count; i++) {
        const struct counter *counter = &grammar->counters[i];
        if (may_be_empty(grammar, counter->body) && counter->max > MOST_EMPTY) {
            draft_fail(measure->draft, HEARTH_E_UNSUPPORTED,
                       "what may be empty is repeated {%u,…}: at most %u times", counter->min,
                       MOST_EMPTY);
            return measure->draft->code;
        }
    }
    return 0;
}

static int refuse_endless(struct measure *measure)
{
    const struct hearth_grammar *grammar = measure->grammar;
    const struct state *start = &grammar->states[grammar->starts[0]];
    if (start->cost == COST_NEVER) {
        draft_fail(measure->draft, HEARTH_E_INPUT_INVALID,
                   "no answer can follow the grammar to an end");
    } else if (start->need > HEARTH_GRAMMAR_MAX_DEPTH) {
        draft_fail(measure->draft, HEARTH_E_TOO_LARGE,
                   "the shortest answer nests rules more than %u deep", HEARTH_GRAMMAR_MAX_DEPTH);
    }
    return measure->draft->code;
}

static int measure_all(struct measure *measure)
{
    list_callers(measure);
    memset(measure->queue, 0, measure->grammar->rule_count * sizeof *measure->queue);
    int rc = find_ways(measure);
    if (rc == 0) {
        rc = refuse_circles(measure);
    }
    if (rc == 0) {
        rc = refuse_counts(measure);
    }
    return rc == 0 ? refuse_endless(measure) : rc;
}

static uint32_t count_calls(const struct hearth_grammar *grammar)
{
    uint32_t calls = 0;
    for (uint32_t at = 0; at < grammar->state_count; at++) {
        calls += grammar->states[at].kind == STATE_CALL;
    }
    return calls;
}

int grammar_measure(struct hearth_grammar *grammar, const uint32_t *first, struct draft *draft)
{
    size_t rules = grammar->rule_count;
    struct hearth_arena arena;
    hearth_arena_init(&arena, SIZE_MAX / 2);
    struct measure measure = {
        .draft = draft,
        .grammar = grammar,
        .first = first,
        .callers = hearth_arena_alloc(&arena, (size_t)count_calls(grammar) + 1, sizeof(uint32_t)),
        .callers_from = hearth_arena_alloc(&arena, rules + 1, sizeof(uint32_t)),
        .queue = hearth_arena_alloc(&arena, rules, sizeof(uint32_t)),
        .is_queued = hearth_arena_alloc(&arena, rules, sizeof(bool)),
    };
    int rc = measure.callers == NULL || measure.callers_from == NULL || measure.queue == NULL ||
                     measure.is_queued == NULL
                 ? hearth_fail_oom(draft->err)
                 : measure_all(&measure);
    hearth_arena_finish(&arena);
    return rc;
}
