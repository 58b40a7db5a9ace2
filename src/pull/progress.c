/* progress.c — see progress.h. */

#include "progress.h"

#include "hearth_os.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DRAW_EVERY_NS (HEARTH_NS_PER_SEC / 5)

void pull_bytes_text(uint64_t bytes, char room[16])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000;
    size_t unit = 0;
    if (bytes < 1000) {
        snprintf(room, 16, "%" PRIu64 " B", bytes);
        return;
    }
    while (value >= 999.5 && unit + 1 < HEARTH_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(room, 16, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
}

static void time_text(uint64_t seconds, char room[16])
{
    if (seconds < 60) {
        snprintf(room, 16, "%" PRIu64 " s", seconds);
    } else if (seconds < 6000) {
        snprintf(room, 16, "%" PRIu64 " min %02" PRIu64 " s", seconds / 60, seconds % 60);
    } else {
        snprintf(room, 16, "%" PRIu64 " h", HEARTH_MIN(seconds / 3600, UINT64_C(99999)));
    }
}

void pull_progress_line(const struct pull_progress *progress, uint64_t now_ns,
                        char room[PULL_PROGRESS_BYTES])
{
    char bytes[16];
    char total[16] = "?";
    char rate[16] = "-";
    char left[16] = "?";
    char share[8] = "";
    uint64_t came = progress->bytes - progress->begun_bytes;
    double seconds = (double)(now_ns - progress->begun_ns) / (double)HEARTH_NS_PER_SEC;
    pull_bytes_text(progress->bytes, bytes);
    if (seconds > 0 && came > 0) {
        pull_bytes_text((uint64_t)((double)came / seconds), rate);
    }
    if (progress->total_bytes > 0) {
        uint64_t missing = progress->total_bytes - progress->bytes;
        pull_bytes_text(progress->total_bytes, total);
        snprintf(share, sizeof share, "%3u %%",
                 (unsigned)((double)progress->bytes * 100 / (double)progress->total_bytes));
        if (seconds > 0 && came > 0) {
            time_text((uint64_t)((double)missing * seconds / (double)came + 0.5), left);
        }
    }
    char line[128];
    snprintf(line, sizeof line, "%-24.24s %5s %s of %s, %s/s, %s left", progress->label, share,
             bytes, total, rate, left);
    snprintf(room, PULL_PROGRESS_BYTES, "%.79s", line);
}

void pull_progress_begin(struct pull_progress *progress, const char *label, uint64_t now_ns)
{
    bool is_shown = progress->is_shown;
    *progress = (struct pull_progress){.is_shown = is_shown, .begun_ns = now_ns};
    snprintf(progress->label, sizeof progress->label, "%.31s", label);
}

void pull_progress_show(struct pull_progress *progress, uint64_t bytes, uint64_t now_ns)
{
    char line[PULL_PROGRESS_BYTES];
    progress->bytes = bytes;
    if (!progress->is_shown ||
        (progress->drawn_ns != 0 && now_ns - progress->drawn_ns < DRAW_EVERY_NS)) {
        return;
    }
    progress->drawn_ns = now_ns;
    pull_progress_line(progress, now_ns, line);
    fprintf(stderr, "\r%-79s", line);
    fflush(stderr);
}

void pull_progress_end(struct pull_progress *progress)
{
    if (progress->is_shown && progress->drawn_ns != 0) {
        fprintf(stderr, "\r%79s\r", "");
        fflush(stderr);
    }
    progress->drawn_ns = 0;
}
