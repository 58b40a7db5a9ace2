/* line.c — JSON into a fixed line. */

#include "line.h"

#include "hearth_os.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char ending[] = "}\n";
static const char cut_ending[] = ",\"cut\":true}\n";

/* Room for fields: the longest ending always fits behind them. */
#define FIELDS_BYTES (HEARTH_LOG_LINE_BYTES - (sizeof cut_ending - 1))

static void put(struct line *line, const char *text, size_t size)
{
    if (line->is_cut || size > FIELDS_BYTES - line->size) {
        line->is_cut = true;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_escaped_byte(struct line *line, unsigned char byte)
{
    char escaped[8];
    if (byte == '"' || byte == '\\') {
        snprintf(escaped, sizeof escaped, "\\%c", byte);
    } else if (byte < 0x20 || byte == 0x7f) {
        snprintf(escaped, sizeof escaped, "\\u%04x", byte);
    } else {
        snprintf(escaped, sizeof escaped, "%c", byte);
    }
    put_text(line, escaped);
}

/* Writes "…" with at most @max bytes of @text, whole characters; bytes that are not UTF-8 become
 * U+FFFD, so that every line is valid JSON. */
static void put_string(struct line *line, const char *string, size_t max)
{
    if (string == NULL) {
        put_text(line, "null");
        return;
    }
    struct hearth_slice text = hearth_slice_of(string, strnlen(string, max + 4));
    put_text(line, "\"");
    size_t at = 0;
    while (at < text.size) {
        uint32_t code_point = 0;
        unsigned length = hearth_utf8_read(text, at, &code_point);
        size_t step = length > 0 ? length : 1;
        if (at + step > max) {
            put_text(line, "…");
            break;
        }
        if (length == 0) {
            put_text(line, "\\ufffd");
        } else if (length == 1) {
            put_escaped_byte(line, text.data[at]);
        } else {
            put(line, string + at, length);
        }
        at += step;
    }
    put_text(line, "\"");
}

static void put_double(struct line *line, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    put_text(line, isfinite(value) ? text : "null");
}

static void put_error(struct line *line, const struct hearth_error *err)
{
    if (err == NULL) {
        put_text(line, "null");
        return;
    }
    put_text(line, "{\"code\":");
    put_string(line, err->code == 0 ? "ok" : hearth_error_name(err->code), HEARTH_LOG_STRING_BYTES);
    put_text(line, ",\"text\":");
    put_string(line, err->text, HEARTH_ERROR_TEXT_BYTES);
    if (err->sys_errno != 0) {
        char number[32];
        snprintf(number, sizeof number, ",\"errno\":%d", err->sys_errno);
        put_text(line, number);
    }
    put_text(line, "}");
}

static void put_value(struct line *line, struct hearth_log_value value)
{
    char number[32];
    switch (value.kind) {
    case HEARTH_LOG_INT:
        snprintf(number, sizeof number, "%" PRId64, value.as.i);
        put_text(line, number);
        return;
    case HEARTH_LOG_UINT:
        snprintf(number, sizeof number, "%" PRIu64, value.as.u);
        put_text(line, number);
        return;
    case HEARTH_LOG_DOUBLE: put_double(line, value.as.d); return;
    case HEARTH_LOG_BOOL: put_text(line, value.as.b ? "true" : "false"); return;
    case HEARTH_LOG_STRING: put_string(line, value.as.s, HEARTH_LOG_STRING_BYTES); return;
    case HEARTH_LOG_ERROR_RECORD: put_error(line, value.as.err); return;
    }
    HEARTH_UNREACHABLE();
}

void hearth_line_begin(struct line *line, uint64_t wall_ns)
{
    line->size = 0;
    line->is_cut = false;
    time_t seconds = (time_t)(wall_ns / HEARTH_NS_PER_SEC);
    unsigned ms = (unsigned)(wall_ns % HEARTH_NS_PER_SEC / HEARTH_NS_PER_MS);
    struct tm utc;
    HEARTH_ASSERT(gmtime_r(&seconds, &utc) != NULL);
    char text[64];
    size_t size = strftime(text, sizeof text, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
    put(line, text, size);
    snprintf(text, sizeof text, ".%03uZ\"", ms);
    put_text(line, text);
}

void hearth_line_add(struct line *line, const char *key, struct hearth_log_value value)
{
    size_t before = line->size;
    put_text(line, ",");
    put_string(line, key, HEARTH_LOG_STRING_BYTES);
    put_text(line, ":");
    put_value(line, value);
    if (line->is_cut) {
        line->size = before;
    }
}

void hearth_line_end(struct line *line)
{
    const char *text = line->is_cut ? cut_ending : ending;
    size_t size = strlen(text);
    memcpy(line->text + line->size, text, size);
    line->size += size;
}
