/* grammar.c — life of a grammar, and the simplest kind: one of several texts. */

#include "automaton.h"

struct hearth_grammar *hearth_grammar_ref(struct hearth_grammar *grammar)
{
    HEARTH_CHECK(grammar, GRAMMAR_MAGIC);
    atomic_fetch_add_explicit(&grammar->owners, 1, memory_order_relaxed);
    return grammar;
}

void hearth_grammar_destroy(struct hearth_grammar *grammar)
{
    if (grammar == NULL) {
        return;
    }
    HEARTH_CHECK(grammar, GRAMMAR_MAGIC);
    if (atomic_fetch_sub_explicit(&grammar->owners, 1, memory_order_acq_rel) > 1) {
        return;
    }
    hearth_free(grammar->states);
    hearth_free(grammar->counters);
    hearth_free(grammar->sets);
    hearth_free(grammar->starts);
    grammar->magic = 0;
    hearth_free(grammar);
}

size_t hearth_grammar_bytes(const struct hearth_grammar *grammar)
{
    HEARTH_CHECK(grammar, GRAMMAR_MAGIC);
    return sizeof *grammar + grammar->state_count * sizeof *grammar->states +
           grammar->counter_count * sizeof *grammar->counters +
           grammar->set_count * sizeof *grammar->sets +
           grammar->rule_count * sizeof *grammar->starts;
}

int hearth_grammar_choices(const struct hearth_slice *texts, size_t count,
                           struct hearth_grammar **ret, struct hearth_error *err)
{
    struct hearth_slice sorted[HEARTH_GRAMMAR_MAX_CHOICES];
    size_t bytes = 0;
    if (count == 0 || count > HEARTH_GRAMMAR_MAX_CHOICES) {
        return hearth_fail(err, count == 0 ? HEARTH_E_INPUT_INVALID : HEARTH_E_TOO_LARGE,
                           "%zu choices, 1 to %u are possible", count, HEARTH_GRAMMAR_MAX_CHOICES);
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = texts[i];
        bytes += HEARTH_MIN(texts[i].size, (size_t)HEARTH_GRAMMAR_MAX_SOURCE_BYTES + 1);
        if (texts[i].size == 0) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "choice %zu is empty", i);
        }
    }
    if (bytes > HEARTH_GRAMMAR_MAX_SOURCE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "choices of more than %u bytes",
                           HEARTH_GRAMMAR_MAX_SOURCE_BYTES);
    }
    struct hearth_error own;
    HEARTH_AUTO(draft) struct draft draft;
    draft_init(&draft, err != NULL ? err : &own);
    uint32_t root = draft_rule(&draft, DRAFT_NO_NAME, 0);
    draft_write_rule(&draft, root, draft_texts(&draft, sorted, count));
    return grammar_compile(&draft, ret);
}
