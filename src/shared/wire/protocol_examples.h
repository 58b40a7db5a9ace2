/* protocol_examples.h — one message of each kind, for the document. Values are of no daemon that
 * ever ran; they are what a reader may expect to see. */

#ifndef HEARTH_PROTOCOL_EXAMPLES_H
#define HEARTH_PROTOCOL_EXAMPLES_H

#include "hearth_wire.h"

/** Example number @nth of @type, from 0; NULL behind the last. Every public message has one. */
const struct hearth_message *protocol_example(enum hearth_message_type type, size_t nth);

#endif
