/* budget.c — reserve, commit, release. The sum of all holds is kept, and checked on every change.
 */

#include "hearth_budget.h"

#include <inttypes.h>
#include <stdio.h>

#define BUDGET_MAGIC 0x42554447u

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

static const struct hearth_hold *largest_hold(struct hearth_budget *budget)
{
    const struct hearth_hold *largest = NULL;
    HEARTH_LIST_EACH(struct hearth_hold, link, hold, &budget->holds) {
        if (largest == NULL || hold->bytes > largest->bytes) {
            largest = hold;
        }
    }
    return largest;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

static int refuse(struct hearth_budget *budget, uint64_t bytes, struct hearth_error *err)
{
    const struct hearth_hold *largest = largest_hold(budget);
    char who[96] = "nobody holds any";
    if (largest != NULL) {
        snprintf(who, sizeof who, "\"%.64s\" holds %.1f MiB", largest->holder, mib(largest->bytes));
    }
    return hearth_fail(err, HEARTH_E_NO_ROOM,
                       "%.1f MiB of memory wanted, %.1f MiB free of %.1f MiB; %s", mib(bytes),
                       mib(hearth_budget_free_bytes(budget)), mib(budget->limit_bytes), who);
}

int hearth_budget_reserve(struct hearth_budget *budget, struct hearth_hold *hold,
                          const char *holder, uint64_t bytes, struct hearth_error *err)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    HEARTH_ASSERT(!hold->is_held);
    if (bytes > hearth_budget_free_bytes(budget)) {
        return refuse(budget, bytes, err);
    }
    hold->holder = holder;
    hold->bytes = bytes;
    hold->is_held = true;
    hearth_list_append(&budget->holds, &hold->link);
    budget->held_bytes += bytes;
    return 0;
}

void hearth_budget_commit(struct hearth_budget *budget, struct hearth_hold *hold,
                          uint64_t measured_bytes)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    HEARTH_ASSERT(hold->is_held);
    uint64_t more = measured_bytes > hold->bytes ? measured_bytes - hold->bytes : 0;
    more = HEARTH_MIN(more, UINT64_MAX - budget->held_bytes);
    hold->bytes += more;
    budget->held_bytes += more;
}

void hearth_budget_release(struct hearth_budget *budget, struct hearth_hold *hold)
{
    HEARTH_CHECK(budget, BUDGET_MAGIC);
    if (!hold->is_held) {
        return;
    }
    HEARTH_ASSERT(budget->held_bytes >= hold->bytes);
    budget->held_bytes -= hold->bytes;
    hearth_list_remove(&hold->link);
    *hold = (struct hearth_hold){0};
}
