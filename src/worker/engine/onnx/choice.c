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

/* The class itself, or the nearest shorter one of which both ways are known, or NULL. */
static struct choice_class *known_class(struct choice *choice, size_t class)
{
    for (size_t i = class + 1; i-- > 0;) {
        struct choice_class *at = &choice->classes[i];
        if (atomic_load(&at->token_ps[false]) != 0 && atomic_load(&at->token_ps[true]) != 0) {
            return at;
        }
    }
    return NULL;
}

bool choice_is_wide(struct choice *choice, size_t tokens)
{
    struct choice_class *own = &choice->classes[class_of(tokens)];
    const struct choice_class *known = known_class(choice, class_of(tokens));
    if (known == NULL) { /* each way once */
        return atomic_load(&own->token_ps[false]) != 0 || atomic_load(&own->token_ps[true]) != 0
                   ? atomic_load(&own->token_ps[true]) == 0
                   : false;
    }
    uint64_t narrow_ns = atomic_load(&known->token_ps[false]) * tokens / 1000;
    uint64_t wide_ns = atomic_load(&known->token_ps[true]) * tokens / 1000;
    bool is_wide = choice_pays(narrow_ns, wide_ns);
    uint64_t chosen_ns = HEARTH_MAX(is_wide ? wide_ns : narrow_ns, (uint64_t)1);
    uint64_t other_ns = is_wide ? narrow_ns : wide_ns;
    uint64_t times =
        HEARTH_MIN(HEARTH_MAX(other_ns / chosen_ns, (uint64_t)1), (uint64_t)MOST_TIMES);
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
