/* list.h — doubly linked intrusive lists: a member of type hearth_list in each element, one as
 * head. An element that is in no list points to itself. */

#ifndef HEARTH_LIST_H
#define HEARTH_LIST_H

#include "lang.h"

struct hearth_list {
    struct hearth_list *prev;
    struct hearth_list *next;
};

static inline void hearth_list_init(struct hearth_list *list)
{
    list->prev = list;
    list->next = list;
}

static inline bool hearth_list_is_empty(const struct hearth_list *list)
{
    return list->next == list;
}

/** Puts @element (in no list) at the end of the list with head @head. */
static inline void hearth_list_append(struct hearth_list *head, struct hearth_list *element)
{
    element->prev = head->prev;
    element->next = head;
    head->prev->next = element;
    head->prev = element;
}

/** Puts @element (in no list) in front of @before, which may be the head (then: at the end). */
static inline void hearth_list_insert_before(struct hearth_list *before,
                                             struct hearth_list *element)
{
    hearth_list_append(before, element);
}

/** Takes @element out of its list; does nothing if it is in none. */
static inline void hearth_list_remove(struct hearth_list *element)
{
    element->prev->next = element->next;
    element->next->prev = element->prev;
    hearth_list_init(element);
}

#define HEARTH_LIST_FIRST(type, member, head)                                                      \
    (hearth_list_is_empty(head) ? NULL : HEARTH_CONTAINER(type, member, (head)->next))

/* The element may be removed inside the loop; others may not. */
#define HEARTH_LIST_EACH(type, member, it, head)                                                   \
    for (type *it = HEARTH_CONTAINER(type, member, (head)->next),                                  \
              *it##_next = HEARTH_CONTAINER(type, member, it->member.next);                        \
         &it->member != (head);                                                                    \
         it = it##_next, it##_next = HEARTH_CONTAINER(type, member, it->member.next))

#endif
