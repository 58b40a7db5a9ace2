/* budget.c — reserve, commit, release. The sum of all holds is kept, and checked on every change.
 */

#include "hearth_budget.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BUDGET_MAGIC 0x42554447u
#define MOST_NAMED   3u /* holders in a refusal */

static uint64_t add_capped(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void hearth_budget_init(struct hearth_budget *budget, uint64_t limit_bytes)
{
    *budget = (struct hearth_budget){.magic = BUDGET_MAGIC, .limit_bytes = limit_bytes};
    hearth_list_init(&budget->holds);
}

void hearth_budget_set_limit(struct hearth_budget *budget, uint64_t limit_bytes)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    budget->limit_bytes = limit_bytes;
}

uint64_t hearth_budget_free_bytes(const struct hearth_budget *budget)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    return budget->limit_bytes > budget->held_bytes ? budget->limit_bytes - budget->held_bytes : 0;
}

uint64_t hearth_need_bytes(const struct hearth_need *need)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < HEARTH_MEMORY_KINDS; i++) {
        bytes = add_capped(bytes, need->parts[i]);
    }
    return bytes;
}

/* ---- files -------------------------------------------------------------------------------- */

/* What the holders of @file have of it already; a hold that is not linked does not count. */
static uint64_t held_of_file(const struct hearth_budget *budget, const char *file)
{
    uint64_t most = 0;
    HEARTH_LIST_EACH(struct hearth_hold, link, hold, &budget->holds) {
        if (file != NULL && hold->need.file != NULL && strcmp(hold->need.file, file) == 0) {
            most = HEARTH_MAX(most, hold->need.file_bytes);
        }
    }
    return most;
}

uint64_t hearth_budget_cost(const struct hearth_budget *budget, const struct hearth_need *need)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    uint64_t held = held_of_file(budget, need->file);
    return hearth_need_bytes(need) - HEARTH_MIN(held, need->file_bytes);
}

/* ---- refusing ----------------------------------------------------------------------------- */

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

/* The largest holds, largest first; returns how many. */
static size_t find_largest(const struct hearth_budget *budget,
                           const struct hearth_hold *largest[MOST_NAMED])
{
    size_t count = 0;
    HEARTH_LIST_EACH(struct hearth_hold, link, hold, &budget->holds) {
        size_t at = HEARTH_MIN(count, MOST_NAMED);
        while (at > 0 && largest[at - 1]->bytes < hold->bytes) {
            if (at < MOST_NAMED) {
                largest[at] = largest[at - 1];
            }
            at--;
        }
        if (at < MOST_NAMED) {
            largest[at] = hold;
            count = HEARTH_MIN(count + 1, MOST_NAMED);
        }
    }
    return count;
}

static int refuse(const struct hearth_budget *budget, uint64_t bytes, struct hearth_error *err)
{
    const struct hearth_hold *largest[MOST_NAMED];
    size_t count = find_largest(budget, largest);
    char who[160] = "nobody holds any";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof who; i++) {
        used += (size_t)snprintf(who + used, sizeof who - used,
                                 i == 0 ? "\"%.32s\" holds %.1f MiB" : ", \"%.32s\" %.1f MiB",
                                 largest[i]->holder, mib(largest[i]->bytes));
    }
    return hearth_fail(err, HEARTH_E_NO_ROOM,
                       "%.1f MiB of memory wanted, %.1f MiB free of %.1f MiB; %s", mib(bytes),
                       mib(hearth_budget_free_bytes(budget)), mib(budget->limit_bytes), who);
}

/* ---- promises ----------------------------------------------------------------------------- */

int hearth_budget_reserve(struct hearth_budget *budget, struct hearth_hold *hold,
                          const char *holder, const struct hearth_need *need,
                          struct hearth_error *err)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    HEARTH_ASSERT(!hold->is_held);
    HEARTH_ASSERT(need->file_bytes <= need->parts[HEARTH_MEMORY_WEIGHTS]);
    uint64_t cost = hearth_budget_cost(budget, need);
    if (cost > hearth_budget_free_bytes(budget)) {
        return refuse(budget, cost, err);
    }
    *hold = (struct hearth_hold){
        .holder = holder, .need = *need, .bytes = hearth_need_bytes(need), .is_held = true};
    hearth_list_append(&budget->holds, &hold->link);
    budget->held_bytes += cost;
    return 0;
}

void hearth_budget_commit(struct hearth_budget *budget, struct hearth_hold *hold,
                          uint64_t measured_bytes)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    HEARTH_ASSERT(hold->is_held);
    uint64_t *other = &hold->need.parts[HEARTH_MEMORY_OTHER];
    uint64_t promised = hold->bytes - *other;
    uint64_t rest = budget->held_bytes - *other;
    uint64_t more = measured_bytes > promised ? measured_bytes - promised : 0;
    *other = HEARTH_MIN(more, UINT64_MAX - rest);
    hold->bytes = promised + *other;
    budget->held_bytes = rest + *other;
}

void hearth_budget_release(struct hearth_budget *budget, struct hearth_hold *hold)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    if (!hold->is_held) {
        return;
    }
    hearth_list_remove(&hold->link);
    uint64_t freed = hearth_budget_cost(budget, &hold->need); /* as if it came in again */
    HEARTH_ASSERT(budget->held_bytes >= freed);
    budget->held_bytes -= freed;
    *hold = (struct hearth_hold){0};
}

/* ---- telling ------------------------------------------------------------------------------ */

/* True if an earlier hold has the same file: then that one counts it. */
static bool is_counted_before(const struct hearth_budget *budget, const struct hearth_hold *hold)
{
    HEARTH_LIST_EACH(struct hearth_hold, link, other, &budget->holds) {
        if (other == hold) {
            return false;
        }
        if (other->need.file != NULL && strcmp(other->need.file, hold->need.file) == 0) {
            return true;
        }
    }
    return false;
}

uint64_t hearth_budget_held_of(const struct hearth_budget *budget, enum hearth_memory_kind kind)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    uint64_t sum = 0;
    HEARTH_LIST_EACH(struct hearth_hold, link, hold, &budget->holds) {
        sum += hold->need.parts[kind];
        if (kind == HEARTH_MEMORY_WEIGHTS && hold->need.file != NULL) {
            bool is_first = !is_counted_before(budget, hold);
            sum -= hold->need.file_bytes;
            sum += is_first ? held_of_file(budget, hold->need.file) : 0;
        }
    }
    return sum;
}

const char *hearth_memory_kind_name(enum hearth_memory_kind kind)
{
    static const char *const names[HEARTH_MEMORY_KINDS] = {
        [HEARTH_MEMORY_WEIGHTS] = "weights", [HEARTH_MEMORY_CELLS] = "cells",
        [HEARTH_MEMORY_COMPUTE] = "compute", [HEARTH_MEMORY_TOKENIZER] = "tokenizer",
        [HEARTH_MEMORY_BUFFERS] = "buffers", [HEARTH_MEMORY_CACHES] = "caches",
        [HEARTH_MEMORY_OTHER] = "other",
    };
    return kind < HEARTH_MEMORY_KINDS ? names[kind] : "";
}
