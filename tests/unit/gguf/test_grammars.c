/* Rules are compiled once for each user, and no user costs another one his. */

#include "grammars.h"

#include "hearth_wire.h"
#include "kit.h"

#include <stdio.h>

#define RULES "root ::= \"a\" | \"b\""

static uint64_t domain_of_user(uint64_t user, uint64_t number)
{
    return user << HEARTH_DOMAIN_USER_BIT | number;
}

static void use(struct gguf_grammars *grammars, uint64_t domain, const char *rules)
{
    struct hearth_grammar *grammar = NULL;
    assert_int_equal(gguf_grammars_get(grammars, domain, HEARTH_GRAMMAR_KIND_GBNF,
                                       hearth_slice_of_string(rules), &grammar, NULL),
                     0);
    hearth_grammar_destroy(grammar);
}

/* How often rules were found, in all shares. */
static uint64_t found(const struct gguf_grammars *grammars)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < GGUF_GRAMMAR_SHARES; i++) {
        uint64_t hits = 0;
        uint64_t misses = 0;
        if (grammars->shares[i].cache != NULL) {
            hearth_grammar_cache_counts(grammars->shares[i].cache, &hits, &misses);
        }
        sum += hits;
    }
    return sum;
}

static void numbers_of_one_user_find_the_same_rules(void **state)
{
    (void)state;
    struct gguf_grammars grammars = {.uses = 0};
    use(&grammars, domain_of_user(7, 1), RULES);
    assert_int_equal(found(&grammars), 0);
    use(&grammars, domain_of_user(7, 2), RULES);
    assert_int_equal(found(&grammars), 1);
    use(&grammars, domain_of_user(8, 1), RULES); /* another user learns nothing, not even by time */
    assert_int_equal(found(&grammars), 1);
    gguf_grammars_destroy(&grammars);
}

static void a_user_with_many_rules_costs_others_none(void **state)
{
    (void)state;
    struct gguf_grammars grammars = {.uses = 0};
    use(&grammars, domain_of_user(1, 0), RULES);
    for (unsigned i = 0; i < 600; i++) { /* more than a cache has places */
        char rules[64];
        (void)snprintf(rules, sizeof rules, "root ::= \"%u\"", i);
        use(&grammars, domain_of_user(2, i), rules);
    }
    use(&grammars, domain_of_user(2, 0), "root ::= \"0\""); /* its own had to leave … */
    assert_int_equal(found(&grammars), 0);
    use(&grammars, domain_of_user(1, 5), RULES); /* … and the other's did not */
    assert_int_equal(found(&grammars), 1);
    gguf_grammars_destroy(&grammars);
}

static void one_user_too_many_takes_the_share_that_was_used_longest_ago(void **state)
{
    (void)state;
    struct gguf_grammars grammars = {.uses = 0};
    for (uint64_t user = 0; user < GGUF_GRAMMAR_SHARES; user++) {
        use(&grammars, domain_of_user(user, 0), RULES);
    }
    use(&grammars, domain_of_user(0, 0), RULES);
    use(&grammars, domain_of_user(99, 0), RULES); /* instead of user 1 */
    use(&grammars, domain_of_user(0, 0), RULES);
    assert_int_equal(found(&grammars), 2);
    use(&grammars, domain_of_user(1, 0), RULES);
    assert_int_equal(found(&grammars), 2);
    gguf_grammars_destroy(&grammars);
}

KIT_MAIN(cmocka_unit_test(numbers_of_one_user_find_the_same_rules),
         cmocka_unit_test(a_user_with_many_rules_costs_others_none),
         cmocka_unit_test(one_user_too_many_takes_the_share_that_was_used_longest_ago))
