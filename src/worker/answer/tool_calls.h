/* tool_calls.h — calls of tools in the text of an answer, as a stream.
 *
 * The form (Hermes), with white space where JSON allows it:
 *
 *     <tool_call>{"name": "one of the tools", "arguments": {…}}</tool_call>
 *
 * several in a row, or a list of such objects between one pair of tags. White space behind a call
 * belongs to the form. What is no such call stays text, tags and all; of one that breaks in the
 * middle of its arguments, which were told already, the rest is text.
 *
 * Bytes go to the sink in order and at once, but for what could still become a tag or the head of a
 * call, at most HEARTH_TOOL_HEAD_BYTES. How the bytes were cut into parts changes nothing but how
 * the text and the arguments are cut. */

#ifndef HEARTH_TOOL_CALLS_H
#define HEARTH_TOOL_CALLS_H

#include "hearth_base.h"
#include "json_scan.h"

#define HEARTH_TOOL_HEAD_BYTES 512u /* tag, name and what is around them */
#define HEARTH_TOOL_NAME_BYTES 128u
#define HEARTH_TOOL_MOST_CALLS 32u /* of one answer; more stay text */

#define HEARTH_TOOL_OPEN_TAG  "<tool_call>"
#define HEARTH_TOOL_CLOSE_TAG "</tool_call>"

struct hearth_tool_part {
    uint32_t index;                /* which call, from 0 */
    struct hearth_slice name;      /* in the first part of a call, which has no arguments yet */
    struct hearth_slice arguments; /* the next bytes of them, as they were written */
};

/** What a call gives back other than 0 ends the feeding. Lent for the call. */
struct hearth_tool_sink {
    int (*text)(void *arg, struct hearth_slice text);
    int (*part)(void *arg, const struct hearth_tool_part *part);
    void *arg;
};

struct hearth_tool_calls {
    struct hearth_tool_sink sink;
    const struct hearth_slice *names; /* of the tools, lent */
    size_t name_count;
    uint8_t state;
    bool is_list;
    const char *expected; /* what comes next, see tool_calls.c */
    uint32_t begun;
    uint32_t complete; /* of these, ended with their last brace */
    struct hearth_json_scan scan;
    uint8_t held[HEARTH_TOOL_HEAD_BYTES];
    size_t held_bytes;
    size_t name_at; /* in held */
    size_t name_bytes;
};

void hearth_tool_calls_begin(struct hearth_tool_calls *calls, const struct hearth_tool_sink *sink,
                             const struct hearth_slice *names, size_t name_count);

/** Reads on. 0, or what the sink gave back. */
HEARTH_NODISCARD int hearth_tool_calls_feed(struct hearth_tool_calls *calls,
                                            struct hearth_slice bytes);

/** No more bytes come: what is held is text. 0, or what the sink gave back. */
HEARTH_NODISCARD int hearth_tool_calls_end(struct hearth_tool_calls *calls);

/** True if the bytes so far end in an opened call without a name yet; *@ret_behind are those behind
 *  the tag. */
bool hearth_tool_calls_is_open(const struct hearth_tool_calls *calls,
                               struct hearth_slice *ret_behind);

/** True while bytes are part of a call, or of the tags around it: not of the text. */
bool hearth_tool_calls_is_inside(const struct hearth_tool_calls *calls);

#endif
