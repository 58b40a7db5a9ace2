/* report.h — results for a person and for a program. Part of the face: included by
 * hearth_harness.h. */

#ifndef HEARTH_HARNESS_REPORT_H
#define HEARTH_HARNESS_REPORT_H

#include "hearth_harness.h"

#include <stdio.h>

struct hearth_harness_machine {
    char cpu[HEARTH_HARNESS_TEXT_BYTES];
    char governor[64];
    char kernel[HEARTH_HARNESS_TEXT_BYTES];
    unsigned cores;
    uint64_t memory_bytes;
    const char *build;  /* type, compiler, version */
    const char *commit; /* as the caller says; may be NULL */
};

void hearth_harness_machine_read(struct hearth_harness_machine *ret);
void hearth_harness_print_machine(FILE *out, const struct hearth_harness_machine *machine);
void hearth_harness_print(FILE *out, const struct hearth_harness_result *result);

/** Writes one run to @path. HEARTH_E_SYSTEM, HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int hearth_harness_write_json(const char *path,
                                               const struct hearth_harness_machine *machine,
                                               const struct hearth_harness_result *results,
                                               size_t count, struct hearth_error *err);

#endif
