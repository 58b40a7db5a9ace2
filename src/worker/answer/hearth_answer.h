/* hearth_answer.h — what comes between the numbers of a model and an answer: where a text must end,
 * which part of it calls a tool, how likely its tokens were, and a guess at what follows.
 *
 * Pure: no engine, no descriptor, no clock, nothing allocated, nothing blocks. Each object belongs
 * to one thread at a time and holds content: wipe it when its answer has ended. */

#ifndef HEARTH_ANSWER_H
#define HEARTH_ANSWER_H

#include "guess.h"
#include "json_scan.h"
#include "likely.h"
#include "stops.h"
#include "tool_calls.h"

#endif
