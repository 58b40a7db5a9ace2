/* guess.c — prompt lookup: one look back over the tokens. */

#include "hearth_answer.h"

/* How many tokens before @end are the same as the last of all, at most HEARTH_GUESS_MOST_TOKENS. */
static size_t common(const int32_t *tokens, size_t count, size_t end)
{
    size_t size = 0;
    while (size < HEARTH_GUESS_MOST_TOKENS && size < end &&
           tokens[end - 1 - size] == tokens[count - 1 - size]) {
        size++;
    }
    return size;
}

size_t hearth_guess(const int32_t *tokens, size_t count, int32_t *room, size_t most)
{
    size_t best = 0;
    size_t from = 0;
    size_t looked = 0;
    for (size_t end = count; end > 1 && looked < HEARTH_GUESS_LOOK_BACK; looked++) {
        end--; /* tokens[end] follows what is compared; the last stretch itself is left out */
        size_t size = common(tokens, count, end);
        if (size > best) {
            best = size;
            from = end;
        }
        if (best == HEARTH_GUESS_MOST_TOKENS) {
            break;
        }
    }
    size_t found = best == 0 ? 0 : HEARTH_MIN(most, count - from);
    for (size_t i = 0; i < found; i++) {
        room[i] = tokens[from + i];
    }
    return found;
}
