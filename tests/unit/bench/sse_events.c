/* sse_events.c — prints what the benchmarks' reader of event streams finds in stdin, for a
 * comparison with another reader: the status, then each event's data on a line of its own.
 *
 *     sse_events PIECE    the input is taken in pieces of PIECE bytes */

#include "sse.h"

#include <stdio.h>
#include <stdlib.h>

static int print_event(void *arg, const char *data, size_t size, struct hearth_error *err)
{
    (void)arg;
    (void)err;
    fwrite(data, 1, size, stdout);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    static struct sse sse;
    static uint8_t piece[65536];
    struct hearth_error err = {0};
    unsigned long size = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (size < 1 || size > sizeof piece) {
        return 2;
    }
    for (size_t got; (got = fread(piece, 1, size, stdin)) > 0;) {
        if (sse_take(&sse, piece, got, print_event, NULL, &err) < 0) {
            printf("refused: %s\n", err.text);
            return 1;
        }
    }
    printf("%d %s\n", sse.status, sse.state == SSE_END ? "whole" : "open");
    return 0;
}
