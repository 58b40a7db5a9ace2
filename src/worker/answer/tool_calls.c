/* tool_calls.c — text, tag, head, arguments, tail and back to text.
 *
 * Fixed parts are matched against small patterns: ' ' is any white space, '@' the name, any other
 * byte itself. */

#include "hearth_answer.h"

enum state {
    STATE_TEXT,
    STATE_SKIP, /* white space behind a call */
    STATE_ARGUMENTS,
    /* From here on bytes are held. */
    STATE_TAG,
    STATE_OPEN, /* behind the tag: a call, or a list of them */
    STATE_HEAD,
    STATE_TAIL, /* behind the arguments */
    STATE_MORE, /* behind a call in a list */
    STATE_NEXT, /* behind the comma in a list */
    STATE_CLOSE
};

enum outcome {
    TAKEN, /* the byte is held */
    DONE,  /* the same, and the pattern is complete */
    AGAIN, /* the state has changed: look at the byte once more */
    WRONG  /* no call has it there */
};

static const char head[] = " \"name\" : \"@\" , \"arguments\" : ";

void hearth_tool_calls_begin(struct hearth_tool_calls *calls, const struct hearth_tool_sink *sink,
                             const struct hearth_slice *names, size_t name_count)
{
    *calls = (struct hearth_tool_calls){
        .sink = *sink, .names = names, .name_count = name_count, .state = STATE_TEXT};
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void go(struct hearth_tool_calls *calls, enum state state, const char *expected)
{
    calls->state = (uint8_t)state;
    calls->expected = expected;
}

static int give_held(struct hearth_tool_calls *calls)
{
    struct hearth_slice text = hearth_slice_of(calls->held, calls->held_bytes);
    calls->held_bytes = 0;
    return text.size > 0 ? calls->sink.text(calls->sink.arg, text) : 0;
}

static bool is_known(const struct hearth_tool_calls *calls)
{
    struct hearth_slice name = hearth_slice_of(calls->held + calls->name_at, calls->name_bytes);
    for (size_t i = 0; i < calls->name_count; i++) {
        if (hearth_slice_equal(calls->names[i], name)) {
            return true;
        }
    }
    return false;
}

static enum outcome take_name(struct hearth_tool_calls *calls, uint8_t byte)
{
    if (byte == '"') {
        calls->expected++;
        return is_known(calls) ? AGAIN : WRONG;
    }
    if (calls->name_bytes == 0) {
        calls->name_at = calls->held_bytes;
    }
    calls->name_bytes++;
    bool is_fine = byte >= 0x20 && byte != '\\' && byte != '<';
    return is_fine && calls->name_bytes <= HEARTH_TOOL_NAME_BYTES ? TAKEN : WRONG;
}

static enum outcome match(struct hearth_tool_calls *calls, uint8_t byte)
{
    switch (*calls->expected) {
    case ' ':
        if (is_space(byte)) {
            return TAKEN;
        }
        calls->expected++;
        return AGAIN;
    case '@': return take_name(calls, byte);
    default:
        if (byte != (uint8_t)*calls->expected) {
            return WRONG;
        }
        calls->expected++;
        return *calls->expected == '\0' ? DONE : TAKEN;
    }
}

/* The brace with which a call begins. */
static enum outcome begin_call(struct hearth_tool_calls *calls, uint8_t byte)
{
    if (byte != '{' || calls->begun == HEARTH_TOOL_MOST_CALLS) {
        return WRONG;
    }
    calls->name_bytes = 0;
    go(calls, STATE_HEAD, head);
    return TAKEN;
}

static enum outcome take_open(struct hearth_tool_calls *calls, uint8_t byte)
{
    if (is_space(byte)) {
        return TAKEN;
    }
    if (byte == '[' && !calls->is_list) {
        calls->is_list = true;
        return TAKEN;
    }
    return begin_call(calls, byte);
}

static enum outcome take_more(struct hearth_tool_calls *calls, uint8_t byte)
{
    if (is_space(byte)) {
        return TAKEN;
    }
    if (byte == ',') {
        go(calls, STATE_NEXT, NULL);
        return TAKEN;
    }
    go(calls, STATE_CLOSE, " " HEARTH_TOOL_CLOSE_TAG);
    return byte == ']' ? TAKEN : WRONG;
}

static enum outcome take(struct hearth_tool_calls *calls, uint8_t byte)
{
    switch (calls->state) {
    case STATE_OPEN: return take_open(calls, byte);
    case STATE_MORE: return take_more(calls, byte);
    case STATE_NEXT: return is_space(byte) ? TAKEN : begin_call(calls, byte);
    default: return match(calls, byte);
    }
}

/* A fixed part is complete. */
static void go_on(struct hearth_tool_calls *calls)
{
    switch (calls->state) {
    case STATE_TAG:
        calls->is_list = false;
        go(calls, STATE_OPEN, NULL);
        break;
    case STATE_TAIL:
        calls->complete++;
        calls->held_bytes = 0;
        if (calls->is_list) {
            go(calls, STATE_MORE, NULL);
        } else {
            go(calls, STATE_CLOSE, " " HEARTH_TOOL_CLOSE_TAG);
        }
        break;
    default: /* STATE_CLOSE */ calls->held_bytes = 0; go(calls, STATE_SKIP, NULL);
    }
}

/* The head is complete but for white space, and @byte is the next: the name is told. */
static int begin_arguments(struct hearth_tool_calls *calls)
{
    struct hearth_tool_part part = {
        .index = calls->begun++,
        .name = hearth_slice_of(calls->held + calls->name_at, calls->name_bytes)};
    calls->held_bytes = 0;
    hearth_json_scan_begin(&calls->scan);
    go(calls, STATE_ARGUMENTS, NULL);
    return calls->sink.part(calls->sink.arg, &part);
}

/* One byte of what is held. *@ret_is_taken: it need not be looked at again. */
static int hold(struct hearth_tool_calls *calls, uint8_t byte, bool *ret_is_taken)
{
    bool is_full = calls->held_bytes == sizeof calls->held;
    enum outcome outcome = is_full ? WRONG : take(calls, byte);
    *ret_is_taken = outcome == TAKEN || outcome == DONE;
    if (*ret_is_taken) {
        calls->held[calls->held_bytes++] = byte;
    }
    if (outcome == DONE) {
        go_on(calls);
    } else if (outcome == AGAIN && *calls->expected == '\0') { /* the head alone ends in a space */
        if (byte == '{') {
            return begin_arguments(calls);
        }
        outcome = WRONG;
    }
    if (outcome == WRONG) {
        go(calls, STATE_TEXT, NULL);
        return give_held(calls);
    }
    return 0;
}

static int take_text(struct hearth_tool_calls *calls, struct hearth_slice bytes, size_t *ret_used)
{
    const uint8_t *tag = memchr(bytes.data, '<', bytes.size);
    *ret_used = tag == NULL ? bytes.size : (size_t)(tag - bytes.data);
    if (tag != NULL) {
        go(calls, STATE_TAG, HEARTH_TOOL_OPEN_TAG);
    }
    return *ret_used == 0
               ? 0
               : calls->sink.text(calls->sink.arg, hearth_slice_of(bytes.data, *ret_used));
}

static int take_arguments(struct hearth_tool_calls *calls, struct hearth_slice bytes,
                          size_t *ret_used)
{
    enum hearth_json_scan_end end = hearth_json_scan_feed(&calls->scan, bytes, ret_used);
    if (end == HEARTH_JSON_SCAN_DONE) {
        go(calls, STATE_TAIL, " }");
    } else if (end == HEARTH_JSON_SCAN_BAD) {
        go(calls, STATE_TEXT, NULL);
    }
    struct hearth_tool_part part = {.index = calls->begun - 1,
                                    .arguments = hearth_slice_of(bytes.data, *ret_used)};
    return *ret_used == 0 ? 0 : calls->sink.part(calls->sink.arg, &part);
}

int hearth_tool_calls_feed(struct hearth_tool_calls *calls, struct hearth_slice bytes)
{
    int rc = 0;
    while (rc == 0 && bytes.size > 0) {
        size_t used = 0;
        bool is_taken = false;
        if (calls->state == STATE_TEXT) {
            rc = take_text(calls, bytes, &used);
        } else if (calls->state == STATE_ARGUMENTS) {
            rc = take_arguments(calls, bytes, &used);
        } else if (calls->state == STATE_SKIP) {
            used = is_space(bytes.data[0]);
            calls->state = used > 0 ? STATE_SKIP : STATE_TEXT;
        } else {
            rc = hold(calls, bytes.data[0], &is_taken);
            used = is_taken;
        }
        bytes = hearth_slice_of(bytes.data + used, bytes.size - used);
    }
    return rc;
}

int hearth_tool_calls_end(struct hearth_tool_calls *calls)
{
    bool is_rest_of_call =
        calls->state == STATE_TAIL || calls->state == STATE_MORE || calls->state == STATE_CLOSE;
    calls->held_bytes = is_rest_of_call ? 0 : calls->held_bytes;
    go(calls, STATE_TEXT, NULL);
    return give_held(calls);
}

bool hearth_tool_calls_is_open(const struct hearth_tool_calls *calls,
                               struct hearth_slice *ret_behind)
{
    size_t tag = sizeof HEARTH_TOOL_OPEN_TAG - 1;
    bool is_open = calls->state == STATE_OPEN || calls->state == STATE_HEAD;
    if (!is_open || calls->held_bytes < tag || calls->held[0] != HEARTH_TOOL_OPEN_TAG[0]) {
        return false;
    }
    *ret_behind = hearth_slice_of(calls->held + tag, calls->held_bytes - tag);
    return true;
}

bool hearth_tool_calls_is_inside(const struct hearth_tool_calls *calls)
{
    return calls->state != STATE_TEXT && calls->state != STATE_SKIP && calls->state != STATE_TAG;
}
