/* machine.c — see machine.h. */

#include "machine.h"

#define FRAME_SLOTS (2 * MACHINE_FRAMES)
#define PLACE_SLOTS (2 * MACHINE_PLACES)
#define SEEN_SLOTS  8192u
#define MOST_SEEN   4096u /* pairs looked at in one step */
#define STEP_WORK   16u
#define NO_COUNT    UINT32_MAX
#define ROOT        0u /* the frame below all others */

struct frame {
    uint32_t go_on; /* the state behind the call; of a repetition: its own state */
    uint32_t count; /* rounds done, or NO_COUNT */
    uint32_t below;
    uint32_t depth;
    uint32_t cost; /* bytes from the return to this frame to the end of the answer */
};

struct seen {
    uint64_t pair;
    uint32_t round;
};

struct machine {
    const struct hearth_grammar *grammar;
    struct frame *frames;
    struct place *places; /* numbers below MACHINE_FIRST are not used */
    uint64_t *pairs;      /* state << 32 | frame, sorted within a place */
    uint16_t *steps;
    uint16_t *frame_slots; /* number of a frame + 1 */
    uint16_t *place_slots; /* number of a place */
    uint16_t *adopted;     /* frame of the other machine → ours + 1 */
    struct seen *seen;
    uint64_t todo[MOST_SEEN];
    uint64_t found[HEARTH_GRAMMAR_MAX_WAYS];
    uint32_t frame_count, place_count, pair_count, most_places;
    uint32_t round, todo_count, found_count, seen_count;
    bool may_end;
    uint16_t trouble; /* 0, MACHINE_FULL or MACHINE_TANGLED */
};

int machine_create(struct machine **ret)
{
    struct machine *machine = hearth_alloc(1, sizeof *machine);
    if (machine == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    machine->frames = hearth_alloc(MACHINE_FRAMES, sizeof *machine->frames);
    machine->places = hearth_alloc(MACHINE_PLACES, sizeof *machine->places);
    machine->pairs = hearth_alloc(MACHINE_PAIRS, sizeof *machine->pairs);
    machine->steps = hearth_alloc(MACHINE_STEPS, sizeof *machine->steps);
    machine->frame_slots = hearth_alloc(FRAME_SLOTS, sizeof *machine->frame_slots);
    machine->place_slots = hearth_alloc(PLACE_SLOTS, sizeof *machine->place_slots);
    machine->adopted = hearth_alloc(MACHINE_FRAMES, sizeof *machine->adopted);
    machine->seen = hearth_alloc(SEEN_SLOTS, sizeof *machine->seen);
    if (machine->frames == NULL || machine->places == NULL || machine->pairs == NULL ||
        machine->steps == NULL || machine->frame_slots == NULL || machine->place_slots == NULL ||
        machine->adopted == NULL || machine->seen == NULL) {
        machine_destroy(machine);
        return HEARTH_E_NO_MEMORY;
    }
    *ret = machine;
    return 0;
}

void machine_destroy(struct machine *machine)
{
    if (machine == NULL) {
        return;
    }
    hearth_free(machine->frames);
    hearth_free(machine->places);
    hearth_free(machine->pairs);
    hearth_free(machine->steps);
    hearth_free(machine->frame_slots);
    hearth_free(machine->place_slots);
    hearth_free(machine->adopted);
    hearth_free(machine->seen);
    hearth_free(machine);
}

void machine_clear(struct machine *machine, const struct hearth_grammar *grammar)
{
    machine->grammar = grammar;
    memset(machine->frame_slots, 0, FRAME_SLOTS * sizeof *machine->frame_slots);
    memset(machine->place_slots, 0, PLACE_SLOTS * sizeof *machine->place_slots);
    machine->frames[ROOT] = (struct frame){.count = NO_COUNT};
    machine->frame_count = 1;
    machine->place_count = MACHINE_FIRST;
    machine->pair_count = 0;
    machine->most_places = HEARTH_MIN(MACHINE_PLACES, MACHINE_STEPS / grammar->class_count);
}

const struct place *machine_place(const struct machine *machine, uint16_t place)
{
    return &machine->places[place];
}

struct place *machine_place_to_note(struct machine *machine, uint16_t place)
{
    return &machine->places[place];
}

uint32_t machine_work(const struct machine *machine)
{
    return STEP_WORK + machine->seen_count;
}

const uint16_t *machine_steps(const struct machine *machine)
{
    return machine->steps;
}

static uint32_t hash_u64(uint64_t value)
{
    value *= UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(value >> 32);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static uint32_t cost_of_frame(const struct hearth_grammar *grammar, const struct frame *frame,
                              uint32_t below)
{
    const struct state *state = &grammar->states[frame->go_on];
    if (frame->count == NO_COUNT) {
        return cost_sum(state->cost, below);
    }
    const struct counter *counter = &grammar->counters[state->a];
    uint32_t done = frame->count + 1; /* once the round that is running is over */
    uint32_t left = counter->min > done ? counter->min - done : 0;
    uint32_t rounds = cost_times(grammar->states[counter->body].cost, left);
    return cost_sum(cost_sum(rounds, grammar->states[state->b].cost), below);
}

/* The frame with these facts; ROOT and trouble if there is no room. */
static uint32_t intern_frame(struct machine *machine, uint32_t go_on, uint32_t count,
                             uint32_t below)
{
    uint32_t at = hash_u64(((uint64_t)go_on << 32 | below) ^ ((uint64_t)count << 20));
    for (;; at++) {
        at %= FRAME_SLOTS;
        if (machine->frame_slots[at] == 0) {
            break;
        }
        uint32_t known = machine->frame_slots[at] - 1u;
        const struct frame *frame = &machine->frames[known];
        if (frame->go_on == go_on && frame->count == count && frame->below == below) {
            return known;
        }
    }
    if (machine->frame_count == MACHINE_FRAMES) {
        machine->trouble = MACHINE_FULL;
        return ROOT;
    }
    struct frame *frame = &machine->frames[machine->frame_count];
    *frame = (struct frame){go_on, count, below, machine->frames[below].depth + 1, 0};
    frame->cost = cost_of_frame(machine->grammar, frame, machine->frames[below].cost);
    machine->frame_slots[at] = (uint16_t)(++machine->frame_count);
    return machine->frame_count - 1;
}

/* ---- what can be read next ------------------------------------------------------------------- */

static void begin_closure(struct machine *machine)
{
    machine->trouble = 0;
    machine->todo_count = 0;
    machine->found_count = 0;
    machine->seen_count = 0;
    machine->may_end = false;
    if (++machine->round == 0) { /* the numbers begin anew */
        memset(machine->seen, 0, SEEN_SLOTS * sizeof *machine->seen);
        machine->round = 1;
    }
}

/* Each pair is looked at once, and none that could not be ended. */
static void visit(struct machine *machine, uint32_t state, uint32_t frame)
{
    const struct state *facts = &machine->grammar->states[state];
    if (machine->trouble != 0 || facts->cost == COST_NEVER ||
        machine->frames[frame].depth + facts->need > HEARTH_GRAMMAR_MAX_DEPTH) {
        return;
    }
    uint64_t pair = (uint64_t)state << 32 | frame;
    uint32_t at = hash_u64(pair) % SEEN_SLOTS;
    while (machine->seen[at].round == machine->round) {
        if (machine->seen[at].pair == pair) {
            return;
        }
        at = (at + 1) % SEEN_SLOTS;
    }
    if (machine->seen_count == MOST_SEEN) {
        machine->trouble = MACHINE_TANGLED;
        return;
    }
    machine->seen[at] = (struct seen){pair, machine->round};
    machine->seen_count++;
    machine->todo[machine->todo_count++] = pair; /* at most as many as were seen */
}

static void enter_count(struct machine *machine, uint32_t state, uint32_t frame)
{
    const struct state *facts = &machine->grammar->states[state];
    const struct counter *counter = &machine->grammar->counters[facts->a];
    if (counter->min == 0) {
        visit(machine, facts->b, frame);
    }
    visit(machine, counter->body, intern_frame(machine, state, 0, frame));
}

static void go_back(struct machine *machine, uint32_t frame)
{
    if (frame == ROOT) {
        machine->may_end = true;
        return;
    }
    const struct frame *from = &machine->frames[frame];
    if (from->count == NO_COUNT) {
        visit(machine, from->go_on, from->below);
        return;
    }
    const struct state *facts = &machine->grammar->states[from->go_on];
    const struct counter *counter = &machine->grammar->counters[facts->a];
    uint32_t done = from->count + 1;
    if (done >= counter->min) {
        visit(machine, facts->b, from->below);
    }
    if (done < counter->max) {
        /* Past the minimum of what has no maximum all rounds are alike. */
        uint32_t count = counter->max == DRAFT_UNLIMITED ? HEARTH_MIN(done, counter->min) : done;
        visit(machine, counter->body, intern_frame(machine, from->go_on, count, from->below));
    }
}

static void find(struct machine *machine, uint64_t pair)
{
    if (machine->found_count == HEARTH_GRAMMAR_MAX_WAYS) {
        machine->trouble = MACHINE_TANGLED;
        return;
    }
    machine->found[machine->found_count++] = pair;
}

static void follow(struct machine *machine, uint64_t pair)
{
    uint32_t state = (uint32_t)(pair >> 32);
    uint32_t frame = (uint32_t)pair;
    const struct state *facts = &machine->grammar->states[state];
    switch ((enum state_kind)facts->kind) {
    case STATE_RETURN: go_back(machine, frame); return;
    case STATE_SET: find(machine, pair); return;
    case STATE_SPLIT:
        visit(machine, facts->b, frame);
        visit(machine, facts->a, frame);
        return;
    case STATE_CALL: {
        /* What would only return needs no frame: what repeats itself at its end stays flat. */
        bool is_last = machine->grammar->states[facts->b].kind == STATE_RETURN;
        uint32_t above = is_last ? frame : intern_frame(machine, facts->b, NO_COUNT, frame);
        visit(machine, machine->grammar->starts[facts->a], above);
        return;
    }
    case STATE_COUNT: enter_count(machine, state, frame); return;
    }
    HEARTH_UNREACHABLE();
}

/* Insertion with growing reach: few elements, nearly sorted. */
static void sort_pairs(uint64_t *pairs, uint32_t count)
{
    for (uint32_t gap = count > 16 ? 13 : 1; gap > 0; gap = gap == 13 ? 4 : gap == 4 ? 1 : 0) {
        for (uint32_t i = gap; i < count; i++) {
            uint64_t pair = pairs[i];
            uint32_t at = i;
            for (; at >= gap && pairs[at - gap] > pair; at -= gap) {
                pairs[at] = pairs[at - gap];
            }
            pairs[at] = pair;
        }
    }
}

/* ---- places ---------------------------------------------------------------------------------- */

static uint32_t distance_of(const struct machine *machine, const uint64_t *pairs, uint32_t count)
{
    uint32_t least = COST_NEVER;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t cost = cost_sum(machine->grammar->states[pairs[i] >> 32].cost,
                                 machine->frames[(uint32_t)pairs[i]].cost);
        least = HEARTH_MIN(least, cost);
    }
    return least;
}

static uint16_t intern_place(struct machine *machine, const uint64_t *pairs, uint32_t count,
                             bool may_end)
{
    if (count == 0 && !may_end) {
        return MACHINE_DEAD;
    }
    uint64_t hash = may_end;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ pairs[i]) * UINT64_C(0xD1B54A32D192ED03);
        hash ^= hash >> 31;
    }
    uint32_t at = hash_u64(hash) % PLACE_SLOTS;
    for (; machine->place_slots[at] != 0; at = (at + 1) % PLACE_SLOTS) {
        const struct place *known = &machine->places[machine->place_slots[at]];
        if (known->pair_count == count && known->may_end == may_end &&
            (count == 0 ||
             memcmp(&machine->pairs[known->pairs], pairs, count * sizeof *pairs) == 0)) {
            return machine->place_slots[at];
        }
    }
    if (machine->place_count == machine->most_places ||
        count > MACHINE_PAIRS - machine->pair_count) {
        return MACHINE_FULL;
    }
    uint16_t place = (uint16_t)machine->place_count++;
    if (count > 0) {
        memcpy(&machine->pairs[machine->pair_count], pairs, count * sizeof *pairs);
    }
    machine->places[place] =
        (struct place){.pairs = machine->pair_count,
                       .pair_count = (uint16_t)count,
                       .may_end = may_end,
                       .distance = may_end ? 0 : distance_of(machine, pairs, count)};
    machine->pair_count += count;
    uint32_t classes = machine->grammar->class_count;
    memset(&machine->steps[place * classes], 0, classes * sizeof *machine->steps);
    machine->place_slots[at] = place;
    return place;
}

static uint16_t end_closure(struct machine *machine)
{
    while (machine->todo_count > 0 && machine->trouble == 0) {
        follow(machine, machine->todo[--machine->todo_count]);
    }
    if (machine->trouble != 0) {
        return machine->trouble;
    }
    sort_pairs(machine->found, machine->found_count);
    return intern_place(machine, machine->found, machine->found_count, machine->may_end);
}

uint16_t machine_start(struct machine *machine)
{
    begin_closure(machine);
    visit(machine, machine->grammar->starts[0], ROOT);
    return end_closure(machine);
}

uint16_t machine_step(struct machine *machine, uint16_t place, uint8_t class_number)
{
    const struct hearth_grammar *grammar = machine->grammar;
    uint16_t *step = &machine->steps[place * grammar->class_count + class_number];
    if (*step != MACHINE_UNKNOWN) {
        return *step;
    }
    uint8_t byte = grammar->class_byte[class_number];
    const struct place *from = &machine->places[place];
    begin_closure(machine);
    for (uint32_t i = 0; i < from->pair_count; i++) {
        uint64_t pair = machine->pairs[from->pairs + i];
        const struct state *state = &grammar->states[pair >> 32];
        if (byte_set_has(&grammar->sets[state->a], byte)) {
            visit(machine, state->b, (uint32_t)pair);
        }
    }
    uint16_t to = end_closure(machine);
    if (to != MACHINE_FULL) {
        *step = to;
    }
    return to;
}

struct byte_set machine_bytes(const struct machine *machine, uint16_t place)
{
    struct byte_set all = {{0}};
    const struct place *from = &machine->places[place];
    for (uint32_t i = 0; i < from->pair_count; i++) {
        const struct state *state =
            &machine->grammar->states[machine->pairs[from->pairs + i] >> 32];
        for (size_t word = 0; word < HEARTH_COUNT(all.words); word++) {
            all.words[word] |= machine->grammar->sets[state->a].words[word];
        }
    }
    return all;
}

/* ---- moving to another machine --------------------------------------------------------------- */

void machine_begin_adoption(struct machine *machine)
{
    memset(machine->adopted, 0, MACHINE_FRAMES * sizeof *machine->adopted);
}

/* From the frame upwards to one that is known, and back down. */
static uint32_t adopt_frame(struct machine *machine, const struct machine *from, uint32_t frame)
{
    uint32_t path[HEARTH_GRAMMAR_MAX_DEPTH + 1];
    uint32_t length = 0;
    while (frame != ROOT && machine->adopted[frame] == 0) {
        path[length++] = frame;
        frame = from->frames[frame].below;
    }
    uint32_t ours = frame == ROOT ? ROOT : machine->adopted[frame] - 1u;
    while (length > 0 && machine->trouble == 0) {
        const struct frame *theirs = &from->frames[path[--length]];
        ours = intern_frame(machine, theirs->go_on, theirs->count, ours);
        machine->adopted[path[length]] = (uint16_t)(ours + 1);
    }
    return ours;
}

uint16_t machine_adopt(struct machine *machine, const struct machine *from, uint16_t place)
{
    const struct place *theirs = &from->places[place];
    machine->trouble = 0;
    for (uint32_t i = 0; i < theirs->pair_count && machine->trouble == 0; i++) {
        uint64_t pair = from->pairs[theirs->pairs + i];
        uint32_t frame = adopt_frame(machine, from, (uint32_t)pair);
        machine->found[i] = (pair & UINT64_C(0xFFFFFFFF00000000)) | frame;
    }
    if (machine->trouble != 0) {
        return machine->trouble;
    }
    sort_pairs(machine->found, theirs->pair_count);
    return intern_place(machine, machine->found, theirs->pair_count, theirs->may_end);
}
