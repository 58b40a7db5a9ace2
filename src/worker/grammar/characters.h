/* characters.h — private to this room: sets of characters, and their bytes in UTF-8. */

#ifndef HEARTH_GRAMMAR_CHARACTERS_H
#define HEARTH_GRAMMAR_CHARACTERS_H

#include "draft.h"

#define CHARACTERS_MAX_RANGES 512u
#define CHARACTERS_LAST       0x10FFFFu

struct character_range {
    uint32_t first;
    uint32_t last;
};

struct characters {
    uint32_t count;
    bool is_full; /* more ranges were added than there is room for */
    struct character_range ranges[CHARACTERS_MAX_RANGES];
};

void characters_clear(struct characters *set);
void characters_add(struct characters *set, uint32_t first, uint32_t last);

/** Orders and joins the ranges and takes the surrogates out, which no UTF-8 has. */
void characters_tidy(struct characters *set);

/** All characters that are not in @set, tidied. */
void characters_invert(struct characters *set);

bool characters_have(const struct characters *set, uint32_t character);
void characters_remove(struct characters *set, uint32_t first, uint32_t last);

/** One character of @set (which is tidied by it), as an expression. */
uint32_t draft_characters(struct draft *draft, struct characters *set);

#endif
