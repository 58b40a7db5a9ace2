/* choice.c — a table of what runs took. */

#include "choice.h"

/* Wide must win by this much: waking the threads costs some tens of microseconds each, and a core
 * that is not used is one for somebody else. */
#define LEAST_GAIN_NS    UINT64_C(100000)
#define LEAST_GAIN_PARTS 15u /* of 100 */
#define AVERAGE_OF       8   /* runs */
#define OUTLIER_TIMES    4u  /* a run that took longer counts as this many averages */
#define MOST_TIMES       8u  /* how much slower a way can count as */

void choice_init(struct choice *choice)
{
    for (size_t i = 0; i < CHOICE_CLASSES; i++) {
        atomic_store(&choice->classes[i].token_ps[false], 0);
        atomic_store(&choice->classes[i].token_ps[true], 0);
        atomic_store(&choice->classes[i].asked, 0);
    }
}

bool choice_pays(uint64_t narrow_ns, uint64_t wide_ns)
{
    return wide_ns + LEAST_GAIN_NS <= narrow_ns &&
           wide_ns <= narrow_ns - narrow_ns / 100 * LEAST_GAIN_PARTS;
}

static size_t class_of(size_t tokens)
{
    size_t class = tokens > 1 ? 63u - (size_t)__builtin_clzll(tokens) : 0;
    return HEARTH_MIN(class, (size_t)CHOICE_CLASSES - 1);
}

static uint64_t time_of(const struct choice_class *class, bool is_wide, size_t tokens)
{
    return atomic_load(&class->token_ps[is_wide]) * tokens / 1000;
}

static bool is_known(const struct choice_class *class)
{
    return atomic_load(&class->token_ps[false]) != 0 && atomic_load(&class->token_ps[true]) != 0;
}

/* The longer a run, the more it gains: what paid at a shorter length pays at this one. */
static bool has_paid_before(const struct choice *choice, size_t class, size_t tokens)
{
    while (class -- > 0) {
        const struct choice_class *shorter = &choice->classes[class];
        if (is_known(shorter)) {
            return choice_pays(time_of(shorter, false, tokens), time_of(shorter, true, tokens));
        }
    }
    return false;
}

bool choice_is_wide(struct choice *choice, size_t tokens)
{
    struct choice_class *own = &choice->classes[class_of(tokens)];
    if (!is_known(own)) {
        /* Else each way once, whatever shorter runs said. */
        return has_paid_before(choice, class_of(tokens), tokens) ||
               atomic_load(&own->token_ps[false]) != 0;
    }
    bool is_wide = choice_pays(time_of(own, false, tokens), time_of(own, true, tokens));
    uint64_t chosen_ns = HEARTH_MAX(time_of(own, is_wide, tokens), (uint64_t)1);
    uint64_t times = HEARTH_MAX(time_of(own, !is_wide, tokens) / chosen_ns, (uint64_t)1);
    times = HEARTH_MIN(times, (uint64_t)MOST_TIMES);
    uint64_t pause = CHOICE_RETRY * times * times;
    bool is_retry = atomic_fetch_add(&own->asked, 1) % pause == pause - 1;
    return is_wide != is_retry;
}

void choice_note(struct choice *choice, size_t tokens, bool is_wide, uint64_t took_ns)
{
    atomic_uint_fast64_t *average = &choice->classes[class_of(tokens)].token_ps[is_wide];
    uint64_t now = HEARTH_MAX(took_ns * 1000 / HEARTH_MAX(tokens, (size_t)1), (uint64_t)1);
    uint64_t before = atomic_load(average);
    if (before != 0) {
        now = HEARTH_MIN(now, OUTLIER_TIMES * before);
        now = (uint64_t)((int64_t)before + ((int64_t)now - (int64_t)before) / AVERAGE_OF);
    }
    atomic_store(average, now); /* lonely runs do not race each other; if so, one is lost */
}
