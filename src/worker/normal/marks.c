/* marks.c — canonical order of combining marks, in linear time however long a run of them is. */

#include "normalize.h"

#include <string.h>

#define SHORT_RUN 16 /* longer runs are sorted by counting */

static void sort_short_run(struct mark *marks, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct mark mark = marks[i];
        size_t to = i;
        while (to > 0 && marks[to - 1].class > mark.class) {
            marks[to] = marks[to - 1];
            to--;
        }
        marks[to] = mark;
    }
}

int marks_order(struct mark *marks, size_t count, struct hearth_buf *sorted)
{
    if (count <= SHORT_RUN) {
        sort_short_run(marks, count);
        return 0;
    }
    hearth_buf_clear(sorted);
    int rc = hearth_buf_reserve(sorted, count * sizeof *marks);
    if (rc < 0) {
        return rc;
    }
    size_t next[257] = {0};
    for (size_t i = 0; i < count; i++) {
        next[(marks[i].class & 0xFF) + 1]++;
    }
    for (size_t class = 1; class < HEARTH_COUNT(next); class ++) {
        next[class] += next[class - 1];
    }
    for (size_t i = 0; i < count; i++) {
        size_t to = next[marks[i].class & 0xFF]++;
        memcpy(sorted->data + to * sizeof *marks, &marks[i], sizeof *marks);
    }
    memcpy(marks, sorted->data, count * sizeof *marks);
    return 0;
}
