#include "kit.h"

struct bead {
    int number;
    struct hearth_list link;
};

static void given_beads(struct hearth_list *head, struct bead *beads, int count)
{
    hearth_list_init(head);
    for (int i = 0; i < count; i++) {
        beads[i].number = i;
        hearth_list_append(head, &beads[i].link);
    }
}

static void order_is_first_come(void **state)
{
    (void)state;
    struct hearth_list head;
    struct bead beads[4];
    given_beads(&head, beads, 4);
    int wanted = 0;
    HEARTH_LIST_EACH(struct bead, link, bead, &head) {
        assert_int_equal(bead->number, wanted++);
    }
    assert_int_equal(wanted, 4);
    assert_ptr_equal(HEARTH_LIST_FIRST(struct bead, link, &head), &beads[0]);
}

static void each_may_remove_its_element(void **state)
{
    (void)state;
    struct hearth_list head;
    struct bead beads[4];
    given_beads(&head, beads, 4);
    int seen = 0;
    HEARTH_LIST_EACH(struct bead, link, bead, &head) {
        hearth_list_remove(&bead->link);
        seen++;
    }
    assert_int_equal(seen, 4);
    assert_true(hearth_list_is_empty(&head));
    assert_null(HEARTH_LIST_FIRST(struct bead, link, &head));
}

static void removing_twice_does_nothing(void **state)
{
    (void)state;
    struct hearth_list head;
    struct bead beads[2];
    given_beads(&head, beads, 2);
    hearth_list_remove(&beads[0].link);
    hearth_list_remove(&beads[0].link);
    assert_ptr_equal(HEARTH_LIST_FIRST(struct bead, link, &head), &beads[1]);
    assert_ptr_equal(head.prev, &beads[1].link);
}

static void insert_goes_right_before(void **state)
{
    (void)state;
    struct hearth_list head;
    struct bead beads[2];
    given_beads(&head, beads, 2);
    struct bead between = {.number = 9};
    hearth_list_insert_before(&beads[1].link, &between.link);
    assert_ptr_equal(beads[0].link.next, &between.link);
    assert_ptr_equal(between.link.next, &beads[1].link);
    assert_ptr_equal(beads[1].link.prev, &between.link);
}

KIT_MAIN(cmocka_unit_test(order_is_first_come), cmocka_unit_test(each_may_remove_its_element),
         cmocka_unit_test(removing_twice_does_nothing), cmocka_unit_test(insert_goes_right_before))
