/* shown.h — text of a model file in an error: cut, and what is not printable ASCII becomes '?'. */

#ifndef HEARTH_SHOWN_H
#define HEARTH_SHOWN_H

#include "hearth_base.h"

struct shown {
    char text[72];
};

struct shown shown_text(struct hearth_slice text);

#endif
