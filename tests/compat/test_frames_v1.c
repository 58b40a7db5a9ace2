#include "kit.h"

#include "hearth_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* JSON typed by hand; a line is: name, n, message. It means what the nth V2 frame of that name
 * means, which another encoder wrote. Both files only ever grow. */
#define V1_FRAMES  "tests/compat/v1_frames.txt"
#define V2_FRAMES  "tests/compat/v2_frames.txt"
#define LINE_BYTES 16384
#define ROOM_BYTES (4u << 20)

struct world {
    struct hearth_json_room room;
    struct hearth_buf binary; /* a recorded V2 frame */
    struct hearth_buf wanted; /* V1 as our encoder writes what that means */
    struct hearth_buf found;  /* the same of what the V1 frame means */
};

static int setup(void **state)
{
    struct world *world = hearth_alloc(1, sizeof *world);
    hearth_json_room_init(&world->room, ROOM_BYTES);
    hearth_buf_init(&world->binary, LINE_BYTES);
    hearth_buf_init(&world->wanted, HEARTH_MAX_FRAME_BYTES);
    hearth_buf_init(&world->found, HEARTH_MAX_FRAME_BYTES);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    hearth_json_room_finish(&world->room);
    hearth_buf_finish(&world->binary);
    hearth_buf_finish(&world->wanted);
    hearth_buf_finish(&world->found);
    hearth_free(world);
    return 0;
}

static void take_hex(const char *hex, struct hearth_buf *out)
{
    hearth_buf_clear(out);
    for (; hex[0] > ' ' && hex[1] > ' '; hex += 2) {
        const char digits[3] = {hex[0], hex[1], '\0'};
        uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
        assert_int_equal(hearth_buf_append(out, &byte, 1), 0);
    }
}

/* Reads the nth recorded V2 frame of @name. */
static void find_binary(const char *name, long nth, struct hearth_buf *out)
{
    static char line[LINE_BYTES];
    FILE *file = fopen(V2_FRAMES, "r");
    assert_non_null(file);
    size_t size = strlen(name);
    while (nth > 0 && fgets(line, sizeof line, file) != NULL) {
        nth -= strncmp(line, name, size) == 0 && line[size] == ' ';
    }
    fclose(file);
    assert_int_equal(nth, 0);
    take_hex(line + size + 1, out);
}

/* Writes @message as JSON: two messages that are written alike mean the same. */
static void write_json(const struct hearth_message *message, struct hearth_buf *out)
{
    struct hearth_json_room room;
    hearth_json_room_init(&room, ROOM_BYTES);
    hearth_buf_clear(out);
    assert_int_equal(hearth_json_encode(message, &room, out), 0);
    hearth_json_room_finish(&room);
}

static void must_mean_the_same(struct world *world, char *line)
{
    struct hearth_message message;
    struct hearth_error err = {0};
    char *number = strchr(line, ' ');
    assert_non_null(number);
    *number++ = '\0';
    char *json;
    long nth = strtol(number, &json, 10);
    json += strspn(json, " ");
    json[strcspn(json, "\n")] = '\0';
    find_binary(line, nth, &world->binary);
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&world->binary), &message, NULL), 0);
    write_json(&message, &world->wanted);
    int rc = hearth_json_decode(hearth_slice_of_string(json), &world->room, &message, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_string_equal(hearth_wire_message_layout(message.type)->name, line);
    write_json(&message, &world->found);
    assert_int_equal(world->found.size, world->wanted.size);
    assert_memory_equal(world->found.data, world->wanted.data, world->wanted.size);
}

static void every_v1_frame_means_what_the_v2_frame_means(void **state)
{
    struct world *world = *state;
    static char line[LINE_BYTES];
    FILE *file = fopen(V1_FRAMES, "r");
    assert_non_null(file);
    unsigned count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        must_mean_the_same(world, line);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 66);
}

static const struct hearth_message *decode(struct world *world, const char *json)
{
    static struct hearth_message message;
    struct hearth_error err = {0};
    int rc = hearth_json_decode(hearth_slice_of_string(json), &world->room, &message, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    return &message;
}

/* What clients of the first JSON protocol sent: a prompt, four parameters, and nothing else. */
static void a_request_of_the_first_protocol_is_understood(void **state)
{
    const struct hearth_message *message =
        decode(*state, "{\"type\":\"inference_request\",\"request_id\":7,\"model_id\":\"tiny\","
                       "\"prompt\":\"hello\",\"parameters\":{\"max_tokens\":16,\"temperature\":0.5,"
                       "\"top_p\":0.25,\"top_k\":8,\"stream\":false,\"timeout_ms\":null}}");
    const struct hearth_wire_inference_request *request = &message->as.inference_request;
    assert_int_equal(message->type, HEARTH_MSG_inference_request);
    assert_int_equal(request->request_id, 7);
    assert_int_equal(request->task, HEARTH_TASK_GENERATE);
    assert_int_equal(request->flags, 0);
    assert_true(request->max_tokens == 16 && request->top_k == 8);
    assert_true(request->temperature == 0.5f && request->top_p == 0.25f);
    struct hearth_wire_list cursor = request->texts;
    struct hearth_wire_text text;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    assert_true(hearth_slice_equals_string(text.text, "hello"));
    assert_false(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
}

static void a_handshake_of_the_first_protocol_asks_for_v1(void **state)
{
    const struct hearth_message *message =
        decode(*state, "{\"type\":\"handshake\",\"token\":\"secret\"}");
    assert_int_equal(message->type, HEARTH_MSG_handshake);
    assert_int_equal(message->as.handshake.version_max, HEARTH_PROTOCOL_V1);
    assert_true(hearth_slice_equals_string(message->as.handshake.token, "secret"));
    message =
        decode(*state, "{\"type\":\"handshake\",\"token\":\"x\",\"protocol_version\":\"V2\"}");
    assert_int_equal(message->as.handshake.version_max, HEARTH_PROTOCOL_V2);
}

KIT_MAIN(
    cmocka_unit_test_setup_teardown(every_v1_frame_means_what_the_v2_frame_means, setup, teardown),
    cmocka_unit_test_setup_teardown(a_request_of_the_first_protocol_is_understood, setup, teardown),
    cmocka_unit_test_setup_teardown(a_handshake_of_the_first_protocol_asks_for_v1, setup, teardown))
