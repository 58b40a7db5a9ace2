/* shown.c — makes text of a model file fit for an error. */

#include "shown.h"

struct shown shown_text(struct hearth_slice text)
{
    struct shown shown = {{0}};
    size_t size = HEARTH_MIN(text.size, sizeof shown.text - 1);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = text.data[i];
        shown.text[i] = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
    }
    return shown;
}
