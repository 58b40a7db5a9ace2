#include "kit.h"

#include "hearth_registry.h"
#include <stdio.h>
#include <string.h>

/* Registries are filled by hand: no folder is read here. */
struct world {
    struct hearth_registry registry;
    struct hearth_error err;
    const char *roots[1];
};

static int setup(void **state)
{
    static struct world w;
    w = (struct world){.roots = {"/nowhere"}};
    hearth_registry_init(&w.registry, w.roots, 1);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    hearth_registry_finish(&((struct world *)*state)->registry);
    return 0;
}

static struct hearth_model *given(struct world *w, uint32_t slot, const char *id)
{
    struct hearth_model *model = &w->registry.models[slot];
    *model = (struct hearth_model){.is_used = true, .slot = slot};
    snprintf(model->id, sizeof model->id, "%s", id);
    return model;
}

static struct hearth_model *meant(struct world *w, const char *name, uint32_t *generation)
{
    return hearth_registry_resolve(&w->registry, hearth_slice_of_string(name), generation);
}

static uint32_t alias(struct world *w, const char *name, const char *id)
{
    uint32_t generation = 0;
    assert_int_equal(hearth_registry_set_alias(&w->registry, name, id, 1, &generation, &w->err), 0);
    return generation;
}

/* ---- what a name means -------------------------------------------------------------------- */

static void an_alias_wins_over_a_model_of_that_name(void **state)
{
    struct world *w = *state;
    uint32_t generation = 99;
    struct hearth_model *a = given(w, 0, "a");
    struct hearth_model *b = given(w, 1, "b");
    assert_ptr_equal(meant(w, "a", &generation), a);
    assert_int_equal(generation, 0);
    assert_int_equal(alias(w, "a", "b"), 1);
    assert_ptr_equal(meant(w, "a", &generation), b);
    assert_int_equal(generation, 1);
    assert_ptr_equal(meant(w, "b", NULL), b);
    assert_true(hearth_registry_remove_alias(&w->registry, hearth_slice_of_string("a")));
    assert_false(hearth_registry_remove_alias(&w->registry, hearth_slice_of_string("a")));
    assert_ptr_equal(meant(w, "a", NULL), a);
}

static void a_generation_counts_changes_and_nothing_else(void **state)
{
    struct world *w = *state;
    assert_int_equal(alias(w, "n", "a"), 1);
    assert_int_equal(alias(w, "n", "a"), 1);
    assert_int_equal(alias(w, "n", "b"), 2);
    assert_int_equal(alias(w, "n", "a"), 3);
    uint32_t generation = 0;
    assert_int_equal(hearth_registry_set_alias(&w->registry, "m", "a", 2, &generation, &w->err), 0);
    assert_int_equal(generation, 2); /* a model's own name was the first */
}

static void a_bare_name_means_its_only_version(void **state)
{
    struct world *w = *state;
    struct hearth_slice name = hearth_slice_of_string("a");
    struct hearth_model *one = given(w, 3, "a@1");
    given(w, 1, "ab@1");
    given(w, 2, "b");
    assert_ptr_equal(meant(w, "a", NULL), one);
    assert_ptr_equal(meant(w, "a@1", NULL), one);
    given(w, 4, "a@2");
    assert_null(meant(w, "a", NULL));
    assert_int_equal(hearth_registry_explain(&w->registry, name, &w->err), HEARTH_E_NO_MODEL);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_NO_MODEL, "several versions; name one of \"a@1\", \"a@2\"");
    alias(w, "chat", "a");
    assert_null(meant(w, "chat", NULL));
    struct hearth_model *plain = given(w, 5, "a");
    assert_ptr_equal(meant(w, "a", NULL), plain);
    assert_ptr_equal(meant(w, "chat", NULL), plain);
}

static void a_name_without_a_model_is_explained(void **state)
{
    struct world *w = *state;
    hearth_registry_explain(&w->registry, hearth_slice_of_string("x"), &w->err);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_NO_MODEL, "model \"x\" is in none of the model folders");
    alias(w, "x", "gone");
    hearth_registry_explain(&w->registry, hearth_slice_of_string("x"), &w->err);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_NO_MODEL, "alias \"x\" stands for \"gone\"");
}

static void names_that_no_alias_can_have_are_refused(void **state)
{
    struct world *w = *state;
    static const char *const wrong[] = {"", "../a", "a/b", ".a", "-a", "a@1", "a b"};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_int_equal(hearth_registry_set_alias(&w->registry, wrong[i], "a", 1, NULL, &w->err),
                         HEARTH_E_ARGUMENT);
    }
    assert_int_equal(hearth_registry_set_alias(&w->registry, "n", "../a", 1, NULL, &w->err),
                     HEARTH_E_ARGUMENT);
    assert_int_equal(w->registry.alias_count, 0);
    for (unsigned i = 0; i < HEARTH_MAX_ALIASES; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        alias(w, name, "a");
    }
    assert_int_equal(hearth_registry_set_alias(&w->registry, "more", "a", 1, NULL, &w->err),
                     HEARTH_E_TOO_LARGE);
    assert_int_equal(alias(w, "n63", "b"), 2); /* one that is there may change */
}

static void who_else_stands_for_a_model_is_known(void **state)
{
    struct world *w = *state;
    struct hearth_model *a = given(w, 0, "a");
    assert_false(hearth_registry_is_aliased(&w->registry, a, NULL));
    alias(w, "n", "a");
    assert_true(hearth_registry_is_aliased(&w->registry, a, NULL));
    assert_false(hearth_registry_is_aliased(&w->registry, a, "n"));
    alias(w, "m", "a");
    assert_true(hearth_registry_is_aliased(&w->registry, a, "n"));
}

static void an_id_has_at_most_one_version(void **state)
{
    (void)state;
    static const char *const right[] = {"a", "a@1", "a.b_c-d@2.0.1-rc", "A@a"};
    static const char *const wrong[] = {"a@", "@1", "a@1@2", "a@../b", "a@1/2", "a@ 1"};
    for (size_t i = 0; i < HEARTH_COUNT(right); i++) {
        assert_true(hearth_model_id_is_valid(right[i]));
    }
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_false(hearth_model_id_is_valid(wrong[i]));
    }
}

/* ---- guests ------------------------------------------------------------------------------- */

static struct hearth_model *serving(struct world *w, uint32_t slot, const char *id)
{
    struct hearth_model *model = given(w, slot, id);
    hearth_model_move(model, HEARTH_MODEL_LOADING);
    hearth_model_move(model, HEARTH_MODEL_READY);
    return model;
}

static void a_guest_is_served_in_the_lane_of_its_host(void **state)
{
    struct world *w = *state;
    struct hearth_model *host = serving(w, 4, "host");
    struct hearth_model *guest = given(w, 2, "guest");
    assert_int_equal(hearth_model_lane(guest), 2);
    hearth_model_join(guest, host);
    assert_int_equal(hearth_model_lane(guest), 4);
    assert_int_equal(guest->state, HEARTH_MODEL_READY);
    assert_true(hearth_model_has_worker(guest));
    assert_false(hearth_model_owns_worker(guest));
    assert_true(hearth_model_owns_worker(host));
    assert_true(hearth_registry_has_guests(&w->registry, host));
    hearth_model_leave(guest);
    assert_int_equal(guest->state, HEARTH_MODEL_ABSENT);
    assert_int_equal(hearth_model_lane(guest), 2);
    assert_false(hearth_registry_has_guests(&w->registry, host));
}

static void guests_follow_their_host_through_its_life(void **state)
{
    struct world *w = *state;
    struct hearth_model *host = given(w, 0, "host");
    hearth_model_move(host, HEARTH_MODEL_LOADING);
    struct hearth_model *guest = given(w, 5, "guest");
    struct hearth_model *late = given(w, 6, "late");
    struct hearth_model *other = serving(w, 7, "other");
    hearth_model_join(guest, host);
    assert_int_equal(guest->state, HEARTH_MODEL_LOADING);
    hearth_model_move(host, HEARTH_MODEL_READY);
    assert_int_equal(hearth_registry_follow(&w->registry, host), UINT64_C(1) << 5);
    assert_int_equal(guest->state, HEARTH_MODEL_READY);
    assert_int_equal(hearth_registry_follow(&w->registry, host), 0); /* it is there already */
    hearth_model_move(host, HEARTH_MODEL_RESTARTING);
    assert_int_equal(hearth_registry_follow(&w->registry, host), UINT64_C(1) << 5);
    hearth_model_join(late, host); /* waits for the one that comes back */
    assert_int_equal(hearth_registry_follow(&w->registry, host), 0);
    assert_int_equal(late->state, HEARTH_MODEL_LOADING);
    hearth_model_move(host, HEARTH_MODEL_READY);
    assert_int_equal(hearth_registry_follow(&w->registry, host), UINT64_C(3) << 5);
    hearth_model_move(host, HEARTH_MODEL_DRAINING);
    assert_int_equal(hearth_registry_follow(&w->registry, host), 0);
    hearth_model_move(host, HEARTH_MODEL_ABSENT);
    assert_int_equal(hearth_registry_follow(&w->registry, host), UINT64_C(3) << 5);
    assert_int_equal(guest->state, HEARTH_MODEL_ABSENT);
    assert_null(late->host);
    assert_int_equal(other->state, HEARTH_MODEL_READY);
}

static void a_host_that_fails_takes_its_guests_along_and_says_why(void **state)
{
    struct world *w = *state;
    struct hearth_error why = {.code = HEARTH_E_WORKER_LOST, .text = "why"};
    struct hearth_model *host = serving(w, 0, "host");
    struct hearth_model *guest = given(w, 1, "guest");
    hearth_model_join(guest, host);
    hearth_model_fail(host, &why);
    assert_int_equal(hearth_registry_follow(&w->registry, host), 2);
    assert_int_equal(guest->state, HEARTH_MODEL_FAILED);
    assert_string_equal(guest->failure.text, "why");
    assert_int_equal(hearth_model_lane(guest), 1); /* its next load is its own */
}

static void what_is_told_hides_what_lives_for_others(void **state)
{
    struct world *w = *state;
    struct hearth_model *model = serving(w, 0, "a");
    assert_int_equal(hearth_model_told_state(model), HEARTH_MODEL_READY);
    model->is_retiring = true;
    assert_int_equal(hearth_model_told_state(model), HEARTH_MODEL_DRAINING);
    model->is_hidden = true;
    assert_int_equal(hearth_model_told_state(model), HEARTH_MODEL_ABSENT);
}

/* ---- swaps -------------------------------------------------------------------------------- */

static void only_the_moves_of_a_swap_are_lawful(void **state)
{
    (void)state;
    static const char *const table =
        "none>recording none>draining none>loading recording>draining recording>loading "
        "recording>none draining>loading draining>none loading>testing loading>restoring "
        "loading>none testing>restoring testing>none restoring>none ";
    for (unsigned from = HEARTH_SWAP_NONE; from <= HEARTH_SWAP_RESTORING; from++) {
        for (unsigned to = HEARTH_SWAP_NONE; to <= HEARTH_SWAP_RESTORING; to++) {
            char move[64];
            snprintf(move, sizeof move, "%s>%s ",
                     hearth_swap_phase_name((enum hearth_swap_phase)from),
                     hearth_swap_phase_name((enum hearth_swap_phase)to));
            assert_int_equal(
                hearth_swap_may_move((enum hearth_swap_phase)from, (enum hearth_swap_phase)to),
                strstr(table, move) != NULL);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
KIT_MAIN(TEST(an_alias_wins_over_a_model_of_that_name),
         TEST(a_generation_counts_changes_and_nothing_else),
         TEST(a_bare_name_means_its_only_version), TEST(a_name_without_a_model_is_explained),
         TEST(names_that_no_alias_can_have_are_refused), TEST(who_else_stands_for_a_model_is_known),
         cmocka_unit_test(an_id_has_at_most_one_version),
         TEST(a_guest_is_served_in_the_lane_of_its_host),
         TEST(guests_follow_their_host_through_its_life),
         TEST(a_host_that_fails_takes_its_guests_along_and_says_why),
         TEST(what_is_told_hides_what_lives_for_others),
         cmocka_unit_test(only_the_moves_of_a_swap_are_lawful))
