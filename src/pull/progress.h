/* progress.h — how far a file has come, on a terminal only; elsewhere nothing is printed. */

#ifndef HEARTH_PULL_PROGRESS_H
#define HEARTH_PULL_PROGRESS_H

#include "hearth_base.h"

#define PULL_PROGRESS_BYTES 80u /* of a line, its NUL included */

struct pull_progress {
    bool is_shown;
    char label[32];
    uint64_t total_bytes; /* 0: not known */
    uint64_t begun_bytes; /* were there when it began */
    uint64_t bytes;
    uint64_t begun_ns;
    uint64_t drawn_ns;
};

void pull_progress_begin(struct pull_progress *progress, const char *label, uint64_t now_ns);

/** Where it stands; draws at most five times a second. */
void pull_progress_show(struct pull_progress *progress, uint64_t bytes, uint64_t now_ns);

/** Clears the line. */
void pull_progress_end(struct pull_progress *progress);

/** Writes the line: label, share, bytes of bytes, rate and remaining time. */
void pull_progress_line(const struct pull_progress *progress, uint64_t now_ns,
                        char room[PULL_PROGRESS_BYTES]);

/** Writes a number of bytes in words: "842 B", "12.3 MB", "2.39 GB". */
void pull_bytes_text(uint64_t bytes, char room[16]);

#endif
