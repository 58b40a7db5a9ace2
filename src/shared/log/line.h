/* line.h — building one JSON line in memory of fixed size. */

#ifndef HEARTH_LOG_LINE_H
#define HEARTH_LOG_LINE_H

#include "hearth_log.h"

/** A line being built. A field that does not fit is left out whole, and `is_cut` says so. */
struct line {
    char text[HEARTH_LOG_LINE_BYTES];
    size_t size;
    bool is_cut;
};

/** Begins with the time: {"time":"2024-05-01T10:00:00.123Z" */
void hearth_line_begin(struct line *line, uint64_t wall_ns);

/** Adds ,"key":value */
void hearth_line_add(struct line *line, const char *key, struct hearth_log_value value);

/** Ends with } and a newline, after "cut":true if something did not fit. */
void hearth_line_end(struct line *line);

#endif
