/* told.c — a list of facts. */

#include "told.h"

#include <stdarg.h>
#include <stdio.h>

void told_fact(struct told *told, const char *key, const char *format, ...)
{
    if (told->count == HEARTH_COUNT(told->facts)) {
        return;
    }
    struct hearth_engine_fact *fact = &told->facts[told->count++];
    va_list args;
    va_start(args, format);
    snprintf(fact->key, sizeof fact->key, "%s", key);
    vsnprintf(fact->value, sizeof fact->value, format, args);
    va_end(args);
}
