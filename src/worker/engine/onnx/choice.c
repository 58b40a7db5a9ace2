/* choice.c — a table of what runs took. */

#include "choice.h"

/* Wide must win by this much: waking the threads costs some tens of microseconds each, and a core
 * that is not used is one for somebody else. */
#define LEAST_GAIN_NS    UINT64_C(100000)
#define LEAST_GAIN_PARTS 15u /* of 100 */
#define AVERAGE_OF       8   /* runs … */
#define AVERAGE_OF_FAST  2   /* … and of those that were faster than it */
#define OUTLIER_TIMES    4u  /* a run that took longer counts as this many averages */
#define MOST_TIMES       8u  /* how much slower a way can count as */

void choice_init(struct choice *choice)
{
    for (size_t i = 0; i < CHOICE_CLASSES; i++) {
        atomic_store(&choice->classes[i].token_ps[false], 0);
        atomic_store(&choice->classes[i].token_ps[true], 0);
        atomic_store(&choice->classes[i].asked, 0);
        atomic_store(&choice->classes[i].tries_left, 0);
    }
    atomic_store(&choice->was_wide, false);
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

/* True if the slower way is due. Races between lonely runs cost at most a try. */
static bool is_try(struct choice_class *class, uint64_t pause)
{
    uint64_t left = atomic_load(&class->tries_left);
    if (left == 0 && atomic_fetch_add(&class->asked, 1) % pause == pause - 1) {
        left = CHOICE_TRIES;
    }
    atomic_store(&class->tries_left, left > 0 ? left - 1 : 0);
    return left > 0;
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
    return is_wide != is_try(own, CHOICE_RETRY * times * times);
}

uint64_t choice_foreseen_ns(const struct choice *choice, size_t tokens)
{
    for (size_t class = class_of(tokens) + 1; class -- > 0;) {
        if (atomic_load(&choice->classes[class].token_ps[false]) != 0) {
            return time_of(&choice->classes[class], false, tokens);
        }
    }
    return UINT64_MAX;
}

void choice_note(struct choice *choice, size_t tokens, bool is_wide, uint64_t took_ns)
{
    atomic_uint_fast64_t *average = &choice->classes[class_of(tokens)].token_ps[is_wide];
    uint64_t now = HEARTH_MAX(took_ns * 1000 / HEARTH_MAX(tokens, (size_t)1), (uint64_t)1);
    uint64_t before = atomic_load(average);
    bool is_change = atomic_exchange(&choice->was_wide, is_wide) != is_wide;
    if (before != 0) {
        if (is_change && now > before) {
            return;
        }
        now = HEARTH_MIN(now, OUTLIER_TIMES * before);
        int64_t of = now < before ? AVERAGE_OF_FAST : AVERAGE_OF;
        now = (uint64_t)((int64_t)before + ((int64_t)now - (int64_t)before) / of);
    }
    atomic_store(average, now); /* lonely runs do not race each other; if so, one is lost */
}
