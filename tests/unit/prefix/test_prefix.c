/* The index of prefixes: claims one by one, then random operations against a model that keeps
 * everything as plain lists and compares token by token. */

#include "hearth_prefix.h"

#include "kit.h"

#include <stdio.h>
#include <time.h>

#define ENTRIES 12u
#define ROOM    24u
#define NONE    HEARTH_PREFIX_NONE

static struct hearth_prefix *make(uint32_t entries, uint32_t room)
{
    struct hearth_prefix *index = NULL;
    struct hearth_error err = {0};
    assert_int_equal(hearth_prefix_create(entries, room, &index, &err), 0);
    return index;
}

static void put(struct hearth_prefix *index, uint32_t entry, uint64_t domain, const int32_t *tokens,
                uint32_t count)
{
    hearth_prefix_hold(index, entry, domain);
    memcpy(hearth_prefix_tokens(index, entry), tokens, count * sizeof *tokens);
    hearth_prefix_set(index, entry, count);
}

static void the_longest_common_beginning_is_found(void **state HEARTH_UNUSED)
{
    struct hearth_prefix *index = make(4, ROOM);
    put(index, 0, 7, (int32_t[]){1, 2}, 2);
    put(index, 1, 7, (int32_t[]){1, 2, 3, 9}, 4);
    put(index, 2, 7, (int32_t[]){5, 2, 3, 4}, 4);
    uint32_t common = 0;

    assert_int_equal(hearth_prefix_find(index, 7, (int32_t[]){1, 2, 3, 4}, 4, &common), 1);
    assert_int_equal(common, 3);
    assert_int_equal(hearth_prefix_find(index, 7, (int32_t[]){8, 2, 3, 4}, 4, &common), NONE);
    assert_int_equal(common, 0);
    hearth_prefix_destroy(index);
}

static void another_domain_sees_nothing(void **state HEARTH_UNUSED)
{
    struct hearth_prefix *index = make(2, ROOM);
    const int32_t tokens[] = {1, 2, 3};
    put(index, 0, 7, tokens, 3);
    hearth_prefix_release(index, 0);
    uint32_t common = 99;

    assert_int_equal(hearth_prefix_find(index, 8, tokens, 3, &common), NONE);
    assert_int_equal(common, 0);
    assert_int_equal(hearth_prefix_covered(index, 8, tokens, 3), NONE);
    assert_int_equal(hearth_prefix_find(index, 7, tokens, 3, &common), 0);
    hearth_prefix_destroy(index);
}

static void only_what_was_set_can_be_found(void **state HEARTH_UNUSED)
{
    struct hearth_prefix *index = make(2, ROOM);
    const int32_t tokens[] = {1, 2, 3, 4};
    put(index, 0, 0, tokens, 4);
    uint32_t common = 0;

    hearth_prefix_set(index, 0, 2);
    assert_int_equal(hearth_prefix_find(index, 0, tokens, 4, &common), 0);
    assert_int_equal(common, 2);
    hearth_prefix_set(index, 0, 0);
    assert_int_equal(hearth_prefix_find(index, 0, tokens, 4, &common), NONE);
    hearth_prefix_destroy(index);
}

static void a_held_entry_is_never_the_victim_and_the_least_used_idle_one_is(
    void **state HEARTH_UNUSED)
{
    struct hearth_prefix *index = make(3, ROOM);
    for (int32_t i = 0; i < 3; i++) {
        put(index, (uint32_t)i, 0, (int32_t[]){i, i}, 2);
    }
    assert_int_equal(hearth_prefix_victim(index), NONE);
    hearth_prefix_release(index, 2);
    hearth_prefix_release(index, 1);
    assert_int_equal(hearth_prefix_victim(index), 2);
    hearth_prefix_touch(index, 2);
    assert_int_equal(hearth_prefix_victim(index), 1);
    hearth_prefix_destroy(index);
}

static void what_was_removed_or_truncated_is_wiped(void **state HEARTH_UNUSED)
{
    struct hearth_prefix *index = make(2, ROOM);
    put(index, 0, 3, (int32_t[]){1, 2, 3, 4}, 4);
    hearth_prefix_set(index, 0, 2);
    hearth_prefix_release(index, 0);
    const int32_t *tokens = hearth_prefix_tokens(index, 0);
    assert_int_equal(tokens[1], 2);
    assert_int_equal(tokens[2] | tokens[3], 0);
    hearth_prefix_remove(index, 0);
    assert_int_equal(tokens[0] | tokens[1], 0);
    assert_int_equal(hearth_prefix_domain(index, 0), 0);
    hearth_prefix_destroy(index);
}

/* ---- random operations against a model ------------------------------------------------------ */

struct model_entry {
    int state; /* 0 free, 1 held, 2 idle */
    uint64_t domain;
    uint64_t used;
    uint32_t count;
    int32_t tokens[ROOM];
};

struct model {
    struct model_entry entries[ENTRIES];
    uint64_t uses;
};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static uint32_t model_common(const struct model_entry *entry, const int32_t *tokens, uint32_t count)
{
    uint32_t at = 0;
    while (at < entry->count && at < count && entry->tokens[at] == tokens[at]) {
        at++;
    }
    return at;
}

static void must_agree(const struct hearth_prefix *index, const struct model *model,
                       uint64_t domain, const int32_t *tokens, uint32_t count)
{
    uint32_t best = 0;
    uint32_t victim = NONE;
    bool is_any_covered = false;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const struct model_entry *entry = &model->entries[i];
        uint32_t common =
            entry->state != 0 && entry->domain == domain ? model_common(entry, tokens, count) : 0;
        best = HEARTH_MAX(best, common);
        is_any_covered = is_any_covered ||
                         (entry->state == 2 && entry->domain == domain && entry->count == common);
        if (entry->state == 2 && (victim == NONE || entry->used < model->entries[victim].used)) {
            victim = i;
        }
    }
    uint32_t common = 0;
    uint32_t found = hearth_prefix_find(index, domain, tokens, count, &common);
    assert_int_equal(common, best);
    assert_int_equal(found == NONE, best == 0);
    if (found != NONE) { /* the canary: what is found is of this domain and really begins so */
        assert_int_equal(model->entries[found].domain, domain);
        assert_int_equal(model_common(&model->entries[found], tokens, count), best);
    }
    assert_int_equal(hearth_prefix_victim(index), victim);
    uint32_t covered = hearth_prefix_covered(index, domain, tokens, count);
    assert_int_equal(covered != NONE, is_any_covered);
    if (covered != NONE) {
        assert_int_equal(model->entries[covered].domain, domain);
    }
}

static void change_held(struct hearth_prefix *index, struct model_entry *entry, uint32_t number,
                        uint64_t *seed)
{
    uint32_t count = (uint32_t)(next_random(seed) % (ROOM + 1));
    int32_t *tokens = hearth_prefix_tokens(index, number);
    for (uint32_t i = entry->count; i < count; i++) { /* two letters: long beginnings are common */
        tokens[i] = entry->tokens[i] = (int32_t)(next_random(seed) % 8 == 0);
    }
    entry->count = count;
    hearth_prefix_set(index, number, count);
}

static void operate(struct hearth_prefix *index, struct model *model, uint64_t *seed)
{
    uint32_t number = (uint32_t)(next_random(seed) % ENTRIES);
    uint32_t other = (uint32_t)(next_random(seed) % ENTRIES);
    struct model_entry *entry = &model->entries[number];
    uint64_t what = next_random(seed) % 8;
    if (what == 7) {
        struct model_entry kept = *entry;
        *entry = model->entries[other];
        model->entries[other] = kept;
        hearth_prefix_swap(index, number, other);
    } else if (entry->state == 0) {
        *entry = (struct model_entry){.state = 1, .domain = next_random(seed) % 3};
        entry->used = ++model->uses;
        hearth_prefix_hold(index, number, entry->domain);
    } else if (entry->state == 1 && what < 4) {
        change_held(index, entry, number, seed);
    } else if (entry->state == 1 && what == 4) {
        entry->state = 2;
        entry->used = ++model->uses;
        hearth_prefix_release(index, number);
    } else if (what == 5) {
        entry->state = 0;
        hearth_prefix_remove(index, number);
    } else {
        entry->used = ++model->uses;
        hearth_prefix_touch(index, number);
    }
}

static void a_hundred_thousand_random_operations_agree_with_a_plain_model(
    void **state HEARTH_UNUSED)
{
    static struct model model;
    struct hearth_prefix *index = make(ENTRIES, ROOM);
    uint64_t seed = 20261123;
    uint64_t hits = 0;
    for (uint32_t round = 0; round < 100000; round++) {
        operate(index, &model, &seed);
        int32_t wanted[ROOM];
        for (uint32_t i = 0; i < ROOM; i++) {
            wanted[i] = (int32_t)(next_random(&seed) % 8 == 0);
        }
        uint64_t domain = next_random(&seed) % 3;
        must_agree(index, &model, domain, wanted, ROOM);
        uint32_t common = 0;
        hits += hearth_prefix_find(index, domain, wanted, ROOM, &common) != NONE;
    }
    assert_true(hits > 50000); /* else the random texts prove nothing */
    hearth_prefix_destroy(index);
}

static void a_search_through_64_entries_of_4096_tokens_is_cheap(void **state HEARTH_UNUSED)
{
    enum { COUNT = 4096, SEARCHES = 200 };
    static int32_t tokens[COUNT];
    struct hearth_prefix *index = make(64, COUNT);
    for (uint32_t i = 0; i < 64; i++) { /* each beats the one before: the worst order */
        put(index, i, 0, tokens, 64 * (i + 1));
    }
    struct timespec from;
    struct timespec to;
    uint32_t common = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < SEARCHES; i++) {
        assert_int_equal(hearth_prefix_find(index, 0, tokens, COUNT, &common), 63);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    int64_t ns = (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec;
    assert_int_equal(common, COUNT);
    print_message("# a search takes %d us in the worst order\n", (int)(ns / SEARCHES / 1000));
    hearth_prefix_destroy(index);
}

KIT_MAIN(cmocka_unit_test(the_longest_common_beginning_is_found),
         cmocka_unit_test(another_domain_sees_nothing),
         cmocka_unit_test(only_what_was_set_can_be_found),
         cmocka_unit_test(a_held_entry_is_never_the_victim_and_the_least_used_idle_one_is),
         cmocka_unit_test(what_was_removed_or_truncated_is_wiped),
         cmocka_unit_test(a_hundred_thousand_random_operations_agree_with_a_plain_model),
         cmocka_unit_test(a_search_through_64_entries_of_4096_tokens_is_cheap))
