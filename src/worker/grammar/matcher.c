/* matcher.c — where an answer stands. See hearth_grammar.h. */

#include "matcher.h"

int hearth_matcher_create(struct hearth_matcher **ret, struct hearth_error *err)
{
    struct hearth_matcher *matcher = hearth_alloc(1, sizeof *matcher);
    if (matcher == NULL) {
        return hearth_fail_oom(err);
    }
    matcher->magic = MATCHER_MAGIC;
    if (machine_create(&matcher->machines[0]) < 0 || machine_create(&matcher->machines[1]) < 0) {
        hearth_matcher_destroy(matcher);
        return hearth_fail_oom(err);
    }
    *ret = matcher;
    return 0;
}

void hearth_matcher_destroy(struct hearth_matcher *matcher)
{
    if (matcher == NULL) {
        return;
    }
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    machine_destroy(matcher->machines[0]);
    machine_destroy(matcher->machines[1]);
    hearth_grammar_destroy(matcher->grammar);
    matcher->magic = 0;
    hearth_free(matcher);
}

static int too_many_ways(struct hearth_error *err)
{
    return hearth_fail(err, HEARTH_E_TOO_LARGE,
                       "an answer could follow the grammar in more than %u ways at once",
                       HEARTH_GRAMMAR_MAX_WAYS);
}

static void use_grammar(struct hearth_matcher *matcher, struct hearth_grammar *grammar)
{
    struct hearth_grammar *before = matcher->grammar;
    matcher->grammar = hearth_grammar_ref(grammar);
    hearth_grammar_destroy(before);
    machine_clear(matcher_machine(matcher), grammar);
}

int hearth_matcher_begin(struct hearth_matcher *matcher, struct hearth_grammar *grammar,
                         struct hearth_error *err)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    if (matcher->grammar != grammar) {
        use_grammar(matcher, grammar);
    }
    uint16_t start = machine_start(matcher_machine(matcher));
    if (start == MACHINE_FULL) {
        machine_clear(matcher_machine(matcher), grammar);
        start = machine_start(matcher_machine(matcher));
    }
    if (!machine_is_place(start)) {
        return too_many_ways(err);
    }
    matcher->walk[0] = start;
    return 0;
}

int hearth_matcher_copy(struct hearth_matcher *to, const struct hearth_matcher *from,
                        struct hearth_error *err)
{
    HEARTH_CHECK(to, MATCHER_MAGIC);
    HEARTH_CHECK(from, MATCHER_MAGIC);
    if (to == from) {
        return 0;
    }
    if (to->grammar != from->grammar) {
        use_grammar(to, from->grammar);
    }
    struct machine *machine = matcher_machine(to);
    machine_begin_adoption(machine);
    uint16_t place = machine_adopt(machine, matcher_machine(from), from->walk[0]);
    if (place == MACHINE_FULL) {
        machine_clear(machine, to->grammar);
        machine_begin_adoption(machine);
        place = machine_adopt(machine, matcher_machine(from), from->walk[0]);
    }
    if (!machine_is_place(place)) {
        return too_many_ways(err);
    }
    to->walk[0] = place;
    return 0;
}

/* Moves walk[0 … at] to the other machine, which begins anew. */
static bool renew(struct hearth_matcher *matcher, size_t at)
{
    uint16_t moved[HEARTH_COUNT(matcher->walk)];
    struct machine *old = matcher_machine(matcher);
    struct machine *fresh = matcher->machines[1 - matcher->working];
    machine_clear(fresh, matcher->grammar);
    machine_begin_adoption(fresh);
    for (size_t i = 0; i <= at; i++) {
        moved[i] = machine_adopt(fresh, old, matcher->walk[i]);
        if (!machine_is_place(moved[i])) {
            return false;
        }
    }
    memcpy(matcher->walk, moved, (at + 1) * sizeof *moved);
    matcher->working = 1 - matcher->working;
    return true;
}

uint16_t matcher_step(struct hearth_matcher *matcher, size_t at, uint8_t class_number)
{
    uint16_t to = machine_step(matcher_machine(matcher), matcher->walk[at], class_number);
    if (to == MACHINE_FULL) {
        if (!renew(matcher, at)) {
            return MACHINE_TANGLED;
        }
        to = machine_step(matcher_machine(matcher), matcher->walk[at], class_number);
    }
    return to == MACHINE_FULL ? MACHINE_TANGLED : to;
}

/* Where @bytes lead, in walk[1]. */
static uint16_t try_bytes(struct hearth_matcher *matcher, struct hearth_slice bytes)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    HEARTH_ASSERT(matcher->grammar != NULL);
    const uint8_t *class_of = matcher->grammar->class_of;
    uint16_t to = matcher->walk[0];
    matcher->walk[1] = to;
    for (size_t i = 0; i < bytes.size; i++) {
        to = matcher_step(matcher, 1, class_of[bytes.data[i]]);
        if (!machine_is_place(to)) {
            break;
        }
        matcher->walk[1] = to;
    }
    return to;
}

bool hearth_matcher_fits(struct hearth_matcher *matcher, struct hearth_slice bytes)
{
    return machine_is_place(try_bytes(matcher, bytes));
}

int hearth_matcher_take(struct hearth_matcher *matcher, struct hearth_slice bytes,
                        struct hearth_error *err)
{
    uint16_t to = try_bytes(matcher, bytes);
    if (to == MACHINE_TANGLED) {
        return too_many_ways(err);
    }
    if (to == MACHINE_DEAD) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "the bytes do not follow the grammar");
    }
    matcher->walk[0] = matcher->walk[1];
    return 0;
}

bool hearth_matcher_may_end(const struct hearth_matcher *matcher)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    return matcher_place(matcher)->may_end;
}

bool hearth_matcher_must_end(const struct hearth_matcher *matcher)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    const struct place *place = matcher_place(matcher);
    return place->may_end && place->pair_count == 0;
}

size_t hearth_matcher_distance(const struct hearth_matcher *matcher)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    return matcher_place(matcher)->distance;
}

/* True and *@ret_byte if @set has exactly one. */
static bool is_single(const struct byte_set *set, uint8_t *ret_byte)
{
    int count = 0;
    for (size_t word = 0; word < HEARTH_COUNT(set->words); word++) {
        if (set->words[word] != 0) {
            count += __builtin_popcountll(set->words[word]);
            *ret_byte = (uint8_t)(word * 64 + (size_t)__builtin_ctzll(set->words[word]));
        }
    }
    return count == 1;
}

size_t hearth_matcher_forced(struct hearth_matcher *matcher, uint8_t *room, size_t room_bytes)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    size_t count = 0;
    matcher->walk[1] = matcher->walk[0];
    while (count < room_bytes) {
        const struct machine *machine = matcher_machine(matcher);
        struct byte_set bytes = machine_bytes(machine, matcher->walk[1]);
        uint8_t byte = 0;
        if (machine_place(machine, matcher->walk[1])->may_end || !is_single(&bytes, &byte)) {
            break;
        }
        uint16_t to = matcher_step(matcher, 1, matcher->grammar->class_of[byte]);
        if (!machine_is_place(to)) {
            break;
        }
        matcher->walk[1] = to;
        room[count++] = byte;
    }
    return count;
}

/* A byte that brings the end nearer by one, the easiest to read first. */
static bool step_closer(struct hearth_matcher *matcher, uint8_t *ret_byte)
{
    static const char liked[] = "\"0a}],:tfn";
    struct byte_set bytes = machine_bytes(matcher_machine(matcher), matcher->walk[1]);
    for (unsigned i = 0; i < sizeof liked - 1 + 256; i++) {
        bool is_liked = i < sizeof liked - 1;
        uint8_t byte = is_liked ? (uint8_t)liked[i] : (uint8_t)(i - (sizeof liked - 1) + 32);
        if (!byte_set_has(&bytes, byte)) {
            continue;
        }
        uint32_t distance = machine_place(matcher_machine(matcher), matcher->walk[1])->distance;
        uint16_t to = matcher_step(matcher, 1, matcher->grammar->class_of[byte]);
        if (machine_is_place(to) &&
            machine_place(matcher_machine(matcher), to)->distance < distance) {
            matcher->walk[1] = to;
            *ret_byte = byte;
            return true;
        }
    }
    return false;
}

size_t hearth_matcher_closing(struct hearth_matcher *matcher, uint8_t *room, size_t room_bytes)
{
    HEARTH_CHECK(matcher, MATCHER_MAGIC);
    size_t count = 0;
    matcher->walk[1] = matcher->walk[0];
    while (count < room_bytes &&
           machine_place(matcher_machine(matcher), matcher->walk[1])->distance > 0 &&
           step_closer(matcher, &room[count])) {
        count++;
    }
    return count;
}
