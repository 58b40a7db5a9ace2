/* eviction.c — the order of leaving, then as few as will do. */

#include "hearth_budget.h"

#include <string.h>

struct planner {
    const struct hearth_budget *budget;
    const struct hearth_evictable *list;
    const struct hearth_need *need;
    bool leaves[HEARTH_MAX_EVICTABLE];
    uint32_t count;
};

/* ---- what would be held ------------------------------------------------------------------- */

static bool stays(const struct planner *planner, const struct hearth_hold *hold)
{
    for (uint32_t i = 0; i < planner->count; i++) {
        if (planner->list[i].hold == hold) {
            return !planner->leaves[i];
        }
    }
    return true;
}

static bool is_same_file(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The file of @hold counts with the first that stays and has the most of it. */
static uint64_t bytes_of_file(const struct planner *planner, const struct hearth_hold *hold)
{
    bool is_behind = false; /* of @hold in the list */
    HEARTH_LIST_EACH(struct hearth_hold, link, other, &planner->budget->holds) {
        if (other == hold) {
            is_behind = true;
        } else if (is_same_file(other->need.file, hold->need.file) && stays(planner, other) &&
                   (other->need.file_bytes > hold->need.file_bytes ||
                    (!is_behind && other->need.file_bytes == hold->need.file_bytes))) {
            return 0;
        }
    }
    return hold->need.file_bytes;
}

/* What is held when those that leave have left. *@ret_of_file: of the newcomer's file. */
static uint64_t held_bytes(const struct planner *planner, uint64_t *ret_of_file)
{
    uint64_t sum = 0;
    *ret_of_file = 0;
    HEARTH_LIST_EACH(struct hearth_hold, link, hold, &planner->budget->holds) {
        if (!stays(planner, hold)) {
            continue;
        }
        sum += hold->bytes - hold->need.file_bytes + bytes_of_file(planner, hold);
        if (is_same_file(hold->need.file, planner->need->file)) {
            *ret_of_file = HEARTH_MAX(*ret_of_file, hold->need.file_bytes);
        }
    }
    return sum;
}

/* 0 if it fits, else how much is missing. */
static uint64_t missing_bytes(const struct planner *planner)
{
    uint64_t of_file;
    uint64_t held = held_bytes(planner, &of_file);
    uint64_t limit = planner->budget->limit_bytes;
    uint64_t cost =
        hearth_need_bytes(planner->need) - HEARTH_MIN(of_file, planner->need->file_bytes);
    uint64_t free_bytes = limit > held ? limit - held : 0;
    return cost > free_bytes ? cost - free_bytes : 0;
}

/* ---- order -------------------------------------------------------------------------------- */

/* Below that, times of loads differ by chance alone. */
static uint32_t reload_ms(const struct hearth_evictable *one)
{
    return HEARTH_MAX(one->reload_ms, 1000u);
}

static bool leaves_before(const struct hearth_evictable *a, const struct hearth_evictable *b)
{
    if (a->worth != b->worth) {
        return a->worth < b->worth;
    }
    /* idle / reload, without a division. */
    unsigned __int128 of_a = (unsigned __int128)a->idle_ms * reload_ms(b);
    unsigned __int128 of_b = (unsigned __int128)b->idle_ms * reload_ms(a);
    return of_a != of_b ? of_a > of_b : a->idle_ms > b->idle_ms;
}

/* Those that may leave, in the order of leaving. */
static void sort_idle(const struct planner *planner, struct hearth_eviction_plan *plan)
{
    for (uint32_t i = 0; i < planner->count; i++) {
        const struct hearth_evictable *one = &planner->list[i];
        if (one->open_requests > 0 || one->is_pinned) {
            plan->busy += one->open_requests > 0;
            plan->pinned += one->open_requests == 0;
            continue;
        }
        uint32_t at = plan->count++;
        while (at > 0 && leaves_before(one, &planner->list[plan->order[at - 1]])) {
            plan->order[at] = plan->order[at - 1];
            at--;
        }
        plan->order[at] = i;
    }
}

/* Whoever came into the plan early may not be needed beside a larger one that came later. */
static void keep_who_need_not_leave(struct planner *planner, struct hearth_eviction_plan *plan)
{
    for (uint32_t at = plan->count; at-- > 0;) {
        uint32_t who = plan->order[at];
        planner->leaves[who] = false;
        if (missing_bytes(planner) > 0) {
            planner->leaves[who] = true;
            continue;
        }
        plan->count--;
        memmove(&plan->order[at], &plan->order[at + 1], (plan->count - at) * sizeof plan->order[0]);
    }
}

void hearth_eviction_plan(const struct hearth_budget *budget, const struct hearth_evictable *list,
                          uint32_t count, const struct hearth_need *need,
                          struct hearth_eviction_plan *ret)
{
    struct planner planner = {.budget = budget, .list = list, .need = need, .count = count};
    uint64_t of_file;
    HEARTH_ASSERT(count <= HEARTH_MAX_EVICTABLE);
    *ret = (struct hearth_eviction_plan){0};
    uint64_t before = held_bytes(&planner, &of_file);
    sort_idle(&planner, ret);
    uint32_t taken = 0;
    uint64_t missing = missing_bytes(&planner);
    while (missing > 0 && taken < ret->count) {
        planner.leaves[ret->order[taken++]] = true;
        missing = missing_bytes(&planner);
    }
    ret->count = missing == 0 ? taken : 0;
    ret->is_enough = missing == 0;
    ret->missing_bytes = missing;
    if (ret->is_enough) {
        keep_who_need_not_leave(&planner, ret);
        ret->freed_bytes = before - held_bytes(&planner, &of_file);
    }
}
