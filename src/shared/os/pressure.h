/* pressure.h — hears from the kernel when memory is short. */

#ifndef HEARTH_PRESSURE_H
#define HEARTH_PRESSURE_H

#include "hearth_base.h"

/**
 * Opens a descriptor that is HEARTH_READY_URGENT when some task of the machine stood still for lack
 * of memory for 150 ms within 2 s; each time once. @root stands for "/", in tests. Watch it for
 * nothing else: it is always ready to be read.
 *
 * HEARTH_E_UNSUPPORTED: this kernel does not tell; HEARTH_E_DENIED: not to us; HEARTH_E_SYSTEM.
 */
int hearth_pressure_open(const char *root, int *ret_fd, struct hearth_error *err);

#endif
