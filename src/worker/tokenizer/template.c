/* template.c — how much of each text truncation keeps, as the reference works it out. */

#include "template.h"

static void share(size_t limit, const size_t totals[2], size_t kept[2])
{
    size_t longer = totals[0] > totals[1] ? 0 : 1;
    size_t n1 = totals[1 - longer];
    size_t n2 = n1 > limit ? n1 : HEARTH_MAX(n1, limit - n1);
    if (n1 + n2 > limit) {
        n1 = limit / 2;
        n2 = n1 + limit % 2;
    }
    kept[1 - longer] = HEARTH_MIN(n1, totals[1 - longer]);
    kept[longer] = HEARTH_MIN(n2, totals[longer]);
}

int truncation_apply(const struct truncation *truncation, size_t limit, const size_t totals[2],
                     size_t sequences, size_t kept[2])
{
    kept[0] = totals[0];
    kept[1] = totals[1];
    size_t total = totals[0] + totals[1];
    if (total <= limit) {
        return 0;
    }
    size_t target = 0;
    switch (truncation->strategy) {
    case TRUNCATE_LONGEST_FIRST:
        if (sequences == 2) {
            share(limit, totals, kept);
        } else {
            kept[0] = limit;
        }
        return 0;
    case TRUNCATE_ONLY_FIRST: break;
    case TRUNCATE_ONLY_SECOND: target = 1; break;
    }
    if (limit == 0) {
        kept[0] = 0;
        kept[1] = 0;
        return 0;
    }
    if (target == sequences || totals[target] <= total - limit) {
        return HEARTH_E_TOO_LONG;
    }
    kept[target] = totals[target] - (total - limit);
    return 0;
}
