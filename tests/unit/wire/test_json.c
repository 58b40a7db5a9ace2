#include "kit.h"

#include "random_messages.h"

#include <math.h>
#include <stdio.h>

/* What V1 looks like, and that nothing is lost in it. Expected texts are typed by hand from the
 * predecessor's names and json_shape.def. */

#define ROOM_BYTES (8u << 20)

struct json_world {
    struct hearth_json_room room;
    struct hearth_buf out;
    struct hearth_message message;
    struct hearth_error err;
};

static int setup(void **state)
{
    static struct json_world world;
    memset(&world, 0, sizeof world);
    hearth_json_room_init(&world.room, ROOM_BYTES);
    hearth_buf_init(&world.out, HEARTH_MAX_FRAME_BYTES);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct json_world *w = *state;
    hearth_json_room_finish(&w->room);
    hearth_buf_finish(&w->out);
    return 0;
}

static void read_json(struct json_world *w, const char *text)
{
    int rc = hearth_json_decode(hearth_slice_of_string(text), &w->room, &w->message, &w->err);
    if (rc < 0) {
        fail_msg("%s: %s", text, w->err.text);
    }
}

static void assert_written(struct json_world *w, const struct hearth_message *message,
                           const char *wanted)
{
    hearth_buf_clear(&w->out);
    assert_int_equal(hearth_json_encode(message, &w->room, &w->out), 0);
    assert_int_equal(hearth_buf_append(&w->out, "", 1), 0);
    assert_string_equal((const char *)w->out.data, wanted);
}

/* ── Nothing is lost ─────────────────────────────────────────────────────────────────────────── */

static void goes_around(const struct hearth_message *message, struct json_world *w)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(message->type);
    HEARTH_AUTO(hearth_buf) struct hearth_buf v2;
    HEARTH_AUTO(hearth_buf) struct hearth_buf again;
    hearth_buf_init(&v2, HEARTH_MAX_FRAME_BYTES);
    hearth_buf_init(&again, HEARTH_MAX_FRAME_BYTES);
    hearth_buf_clear(&w->out);
    assert_int_equal(hearth_json_encode(message, &w->room, &w->out), 0);
    struct hearth_message from_v1;
    int rc = hearth_json_decode(hearth_buf_slice(&w->out), &w->room, &from_v1, &w->err);
    if (rc < 0) {
        fail_msg("%s: %.*s", w->err.text, HEARTH_SLICE_ARGS(hearth_buf_slice(&w->out)));
    }
    assert_int_equal(from_v1.type, message->type);
    assert_same_record(layout, &message->as, &from_v1.as);

    struct hearth_message from_v2;
    assert_int_equal(hearth_wire_encode(&from_v1, &v2), 0);
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&v2), &from_v2, &w->err), 0);
    assert_same_record(layout, &message->as, &from_v2.as);
    assert_int_equal(hearth_json_encode(&from_v2, &w->room, &again), 0);
    assert_true(hearth_slice_equal(hearth_buf_slice(&w->out), hearth_buf_slice(&again)));
}

static bool is_public(const struct hearth_layout *layout)
{
    return layout->direction == HEARTH_TO_DAEMON || layout->direction == HEARTH_TO_CLIENT;
}

static void run_round(struct kit_random *random, void *context)
{
    const struct hearth_layout *layout;
    for (size_t i = 0; (layout = hearth_wire_message_at(i)) != NULL; i++) {
        struct world w = {.random = random, .is_json = true};
        hearth_arena_init(&w.arena, WORLD_BYTES);
        struct hearth_message message = {.type = (enum hearth_message_type)layout->number};
        fill_record(&w, layout, &message.as);
        if (is_public(layout)) {
            goes_around(&message, context);
        }
        hearth_arena_finish(&w.arena);
    }
}

static void every_message_survives_v1_and_v2_and_v1_again(void **state)
{
    kit_property(150, run_round, *state);
}

/* The same, with every byte changed in turn: the decoder says yes or no, and what it takes can be
 * written and read again. */
static void run_damage(struct kit_random *random, void *context)
{
    struct json_world *w = context;
    const struct hearth_layout *layout;
    for (size_t i = 0; (layout = hearth_wire_message_at(i)) != NULL; i++) {
        struct world filled = {.random = random, .is_json = true};
        hearth_arena_init(&filled.arena, WORLD_BYTES);
        struct hearth_message message = {.type = (enum hearth_message_type)layout->number};
        fill_record(&filled, layout, &message.as);
        hearth_buf_clear(&w->out);
        if (is_public(layout)) {
            assert_int_equal(hearth_json_encode(&message, &w->room, &w->out), 0);
            uint8_t *byte = w->out.data + kit_random_below(random, w->out.size);
            *byte = (uint8_t)kit_random_between(random, 0, 255);
            struct hearth_message ret;
            int rc = hearth_json_decode(hearth_buf_slice(&w->out), &w->room, &ret, NULL);
            assert_true(rc == 0 || rc == HEARTH_E_MALFORMED || rc == HEARTH_E_TOO_LARGE ||
                        rc == HEARTH_E_INPUT_INVALID);
            if (rc == 0) {
                hearth_buf_clear(&w->out);
                assert_int_equal(hearth_json_encode(&ret, &w->room, &w->out), 0);
            }
        }
        hearth_arena_finish(&filled.arena);
    }
}

static void damage_never_breaks_the_decoder(void **state)
{
    kit_property(300, run_damage, *state);
}

#define FLOATS 4096

/* Any bits of a float but those of NaN and infinity, so the largest and the smallest as well. */
static void run_floats(struct kit_random *random, void *context)
{
    struct json_world *w = context;
    static float in[FLOATS];
    for (size_t i = 0; i < FLOATS; i++) {
        kit_random_bytes(random, &in[i], sizeof in[i]);
        if (kit_random_once_in(random, 3)) {
            in[i] = (float)((double)kit_random_below(random, 2000001) / 1e6 - 1.0);
        }
        in[i] = isfinite(in[i]) ? in[i] : 0.1f;
    }
    struct hearth_wire_result result = {.vector = {in, FLOATS}};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 1, .items = &result};
    hearth_buf_clear(&w->out);
    assert_int_equal(hearth_json_encode(&message, &w->room, &w->out), 0);
    assert_int_equal(hearth_json_decode(hearth_buf_slice(&w->out), &w->room, &w->message, &w->err),
                     0);
    struct hearth_wire_list cursor = w->message.as.stream_chunk.results;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_result, &result));
    assert_int_equal(result.vector.count, FLOATS);
    assert_memory_equal(result.vector.data, in, sizeof in);
}

static void a_float_comes_back_bit_by_bit(void **state)
{
    kit_property(50, run_floats, *state);
}

static void a_float_is_as_short_as_people_write_it(void **state)
{
    static const float in[] = {0.7f,  0.9f,  1.1f,        0.0f,        -0.0f,
                               1.0f,  -2.5f, 100.0f,      12345678.0f, 0.0001f,
                               1e-6f, 3e8f,  16777216.0f, 0.333333343f};
    struct hearth_wire_label labels[HEARTH_COUNT(in)] = {0};
    for (size_t i = 0; i < HEARTH_COUNT(in); i++) {
        labels[i].score = in[i];
    }
    struct hearth_wire_result result = {.labels = {.count = HEARTH_COUNT(in), .items = labels}};
    struct json_world *w = *state;
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 1, .items = &result};
    hearth_buf_clear(&w->out);
    assert_int_equal(hearth_json_encode(&message, &w->room, &w->out), 0);
    assert_int_equal(hearth_buf_append(&w->out, "", 1), 0);
    static const char *const written[] = {
        "0.7",        "0.9",        "1.1",        "0.0",    "-0.0",           "1.0",
        "-2.5",       "100.0",      "12345678.0", "0.0001", "9.99999997e-07", "300000000",
        "16777216.0", "0.333333343"};
    const char *at = (const char *)w->out.data;
    for (size_t i = 0; i < HEARTH_COUNT(written); i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "{\"score\":%s}", written[i]);
        at = strstr(at, wanted);
        assert_non_null(at);
    }
}

/* Nine digits suffice for any float (IEEE 754-2008, 5.12.2); the expectations are those of its
 * exact decimal expansion, rounded. The ends of each power of ten come back too. */
static void a_vector_has_nine_digits_a_float(void **state)
{
    static const float in[] = {0.7f, -0.25f, 0.5f, 0.1f, 0.01f, -0.001f, 0.05f, 1.5f};
    struct hearth_wire_result result = {.vector = {in, HEARTH_COUNT(in)}};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 1, .items = &result};
    assert_written(*state, &message,
                   "{\"type\":\"stream_chunk\",\"request_id\":0,\"results\":[{\"index\":0,"
                   "\"tokens\":0,\"is_truncated\":false,\"vector\":[0.699999988,-0.250000000,"
                   "0.500000000,0.100000001,0.00999999978,-0.00100000005,0.0500000007,1.5]}],"
                   "\"token\":0,\"text\":\"\",\"is_final\":false,\"error\":null}");
    float ends[40];
    size_t count = 0;
    for (float ten = 1.0f; ten > 5e-5f; ten /= 10) {
        ends[count++] = ten;
        ends[count++] = nextafterf(ten, 0);
        ends[count++] = nextafterf(nextafterf(ten, 0), 0);
        ends[count++] = nextafterf(ten, 2);
    }
    struct json_world *w = *state;
    struct hearth_wire_result back = {.vector = {ends, (uint32_t)count}};
    message.as.stream_chunk.results.items = &back;
    hearth_buf_clear(&w->out);
    assert_int_equal(hearth_json_encode(&message, &w->room, &w->out), 0);
    assert_int_equal(hearth_json_decode(hearth_buf_slice(&w->out), &w->room, &w->message, &w->err),
                     0);
    struct hearth_wire_list cursor = w->message.as.stream_chunk.results;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_result, &back));
    assert_int_equal(back.vector.count, count);
    assert_memory_equal(back.vector.data, ends, count * sizeof ends[0]);
}

static void what_is_no_number_is_null_in_an_answer(void **state)
{
    struct json_world *w = *state;
    static const float in[] = {NAN, INFINITY, -INFINITY, 1.5f};
    struct hearth_wire_label label = {.name = hearth_slice_of_string("x"), .score = NAN};
    struct hearth_wire_result result = {.vector = {in, 4}, .labels = {.count = 1, .items = &label}};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 1, .items = &result};
    assert_written(
        w, &message,
        "{\"type\":\"stream_chunk\",\"request_id\":0,\"results\":[{\"index\":0,"
        "\"tokens\":0,\"is_truncated\":false,\"labels\":[{\"name\":\"x\",\"score\":null}],"
        "\"vector\":[null,null,null,1.5]}],"
        "\"token\":0,\"text\":\"\",\"is_final\":false,\"error\":null}");
    w->out.size--; /* the terminator */
    assert_int_equal(hearth_json_decode(hearth_buf_slice(&w->out), &w->room, &w->message, &w->err),
                     0);
    struct hearth_wire_list cursor = w->message.as.stream_chunk.results;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_result, &result));
    float out[4];
    hearth_wire_copy_floats(result.vector, out, 4);
    assert_true(isnan(out[0]) && isnan(out[1]) && isnan(out[2]) && out[3] == 1.5f);
    assert_true(hearth_wire_next(&result.labels, HEARTH_RECORD_label, &label));
    assert_true(isnan(label.score));
}

/* ── How it looks ────────────────────────────────────────────────────────────────────────────── */

static void an_answer_has_the_members_that_clients_know(void **state)
{
    struct hearth_wire_result result = {.tokens = 2,
                                        .text = hearth_slice_of_string("Gr\xc3\xbc\xc3\x9f")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_response};
    message.as.inference_response =
        (struct hearth_wire_inference_response){.request_id = 7,
                                                .finish_reason = HEARTH_FINISH_STOP,
                                                .prompt_tokens = 3,
                                                .tokens_generated = 2,
                                                .results = {.count = 1, .items = &result}};
    assert_written(*state, &message,
                   "{\"type\":\"inference_response\",\"request_id\":7,\"code\":0,\"error\":null,"
                   "\"finish_reason\":\"stop\",\"prompt_tokens\":3,\"tokens_generated\":2,"
                   "\"queue_us\":0,\"first_us\":0,\"total_us\":0,\"results\":[{\"index\":0,"
                   "\"tokens\":2,\"is_truncated\":false,\"text\":\"Gr\xc3\xbc\xc3\x9f\"}],"
                   "\"error_code\":null,\"output\":\"Gr\xc3\xbc\xc3\x9f\",\"finished\":true}");
    message.as.inference_response = (struct hearth_wire_inference_response){
        .request_id = 8,
        .code = -HEARTH_E_QUEUE_FULL,
        .error = hearth_slice_of_string("the queue is full"),
        .finish_reason = HEARTH_FINISH_FAILED};
    assert_written(*state, &message,
                   "{\"type\":\"inference_response\",\"request_id\":8,\"code\":11,"
                   "\"error\":\"the queue is full\",\"finish_reason\":\"failed\","
                   "\"prompt_tokens\":0,\"tokens_generated\":0,\"queue_us\":0,\"first_us\":0,"
                   "\"total_us\":0,\"results\":[],\"error_code\":\"admission_rejected\","
                   "\"output\":\"\",\"finished\":true}");
}

static void a_chunk_has_its_first_id_and_text(void **state)
{
    static const uint32_t ids[] = {4000000000u, 5};
    struct hearth_wire_result result = {.index = 1,
                                        .tokens = 2,
                                        .text = hearth_slice_of_string("a\"\\\n\t\x01/"),
                                        .token_ids = {ids, 2}};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk = (struct hearth_wire_stream_chunk){
        .request_id = UINT64_MAX, .results = {.count = 1, .items = &result}};
    assert_written(*state, &message,
                   "{\"type\":\"stream_chunk\",\"request_id\":18446744073709551615,\"results\":[{"
                   "\"index\":1,\"tokens\":2,\"is_truncated\":false,"
                   "\"text\":\"a\\\"\\\\\\n\\t\\u0001/\",\"token_ids\":[4000000000,5]}],"
                   "\"token\":4000000000,\"text\":\"a\\\"\\\\\\n\\t\\u0001/\",\"is_final\":false,"
                   "\"error\":null}");
}

static void an_error_has_both_numbers(void **state)
{
    struct hearth_message message = {.type = HEARTH_MSG_error};
    message.as.error = (struct hearth_wire_error){.code = -HEARTH_E_UNAUTHENTICATED,
                                                  .message = hearth_slice_of_string("no session")};
    assert_written(*state, &message,
                   "{\"type\":\"error\",\"number\":23,\"request_id\":0,\"message\":\"no session\","
                   "\"code\":401,\"error_code\":\"unauthenticated\"}");
}

static void metrics_are_objects_by_name(void **state)
{
    struct hearth_wire_counter counter = {hearth_slice_of_string("requests_total"), 5, 0};
    struct hearth_wire_bucket buckets[] = {{1, 2, 0}, {4, 1, 0}};
    struct hearth_wire_bucket open_ended[] = {{1, 2, 0}, {UINT64_MAX, 3, 0}};
    struct hearth_wire_histogram histograms[] = {
        {.name = hearth_slice_of_string("a_us"),
         .count = 3,
         .sum = 6,
         .min = 1,
         .max = 4,
         .p50 = 1,
         .p95 = 4,
         .p99 = 4,
         .buckets = {.count = 2, .items = buckets}},
        {.name = hearth_slice_of_string("b_us"), .buckets = {.count = 2, .items = open_ended}}};
    struct hearth_message message = {.type = HEARTH_MSG_metrics_response};
    message.as.metrics_response =
        (struct hearth_wire_metrics_response){.counters = {.count = 1, .items = &counter},
                                              .histograms = {.count = 2, .items = histograms}};
    assert_written(
        *state, &message,
        "{\"type\":\"metrics_response\",\"counters\":{\"requests_total\":5},\"gauges\":{},"
        "\"histograms\":{\"a_us\":{\"count\":3,\"sum\":6,\"min\":1,\"max\":4,\"p50\":1,\"p95\":4,"
        "\"p99\":4,\"buckets\":[{\"up_to\":1,\"count\":2},{\"up_to\":4,\"count\":1}]},"
        "\"b_us\":{\"count\":0,\"sum\":0,\"min\":0,\"max\":0,\"p50\":0,\"p95\":0,\"p99\":0,"
        "\"buckets\":[{\"up_to\":1,\"count\":2},{\"up_to\":18446744073709551615,\"count\":3}]}},"
        "\"series\":[],"
        "\"bucketed_histograms\":{\"a_us\":{\"boundaries\":[1,4],\"bucket_counts\":[2,1,0],"
        "\"count\":3,\"sum\":6},\"b_us\":{\"boundaries\":[1],\"bucket_counts\":[2,3],\"count\":0,"
        "\"sum\":0}}}");
}

/* ── How it is read ──────────────────────────────────────────────────────────────────────────── */

static struct hearth_wire_text only_text(const struct json_world *w)
{
    struct hearth_wire_list cursor = w->message.as.inference_request.texts;
    struct hearth_wire_text text = {0};
    assert_int_equal(cursor.count, 1);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    return text;
}

static void a_request_of_the_predecessor_reads_as_it_was_meant(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"type\":\"inference_request\",\"request_id\":42,\"model_id\":\"phi\","
                 "\"prompt\":\"hello\",\"parameters\":{\"max_tokens\":8,\"temperature\":0,"
                 "\"top_p\":1.0,\"top_k\":1,\"stream\":true,\"timeout_ms\":null}}");
    const struct hearth_wire_inference_request *request = &w->message.as.inference_request;
    assert_int_equal(request->request_id, 42);
    assert_int_equal(request->task, HEARTH_TASK_GENERATE);
    assert_int_equal(request->priority, HEARTH_NORMAL);
    assert_int_equal(request->flags, HEARTH_FLAG_STREAM);
    assert_int_equal(request->timeout_ms, 0);
    assert_int_equal(request->max_tokens, 8);
    assert_true(request->temperature == 0.0f && request->top_p == 1.0f && request->top_k == 1);
    assert_true(request->repetition_penalty == 1.1f && request->seed == 42);
    assert_true(hearth_slice_equals_string(request->model_id, "phi"));
    assert_true(hearth_slice_equals_string(only_text(w).text, "hello"));
    assert_int_equal(hearth_wire_check_request(request, &w->err), 0);
}

static void ids_may_stand_for_the_prompt(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"prompt_tokens\":[1,4294967295],\"model_id\":\"phi\",\"max_tokens\":3,"
                 "\"return_token_ids\":true,\"type\":\"inference_request\",\"request_id\":1}");
    const struct hearth_wire_inference_request *request = &w->message.as.inference_request;
    uint32_t ids[2];
    assert_int_equal(only_text(w).tokens.count, 2);
    hearth_wire_copy_u32s(only_text(w).tokens, ids, 2);
    assert_true(ids[0] == 1 && ids[1] == UINT32_MAX);
    assert_int_equal(request->task, HEARTH_TASK_GENERATE);
    assert_int_equal(request->flags, HEARTH_FLAG_TOKEN_IDS);
    assert_int_equal(request->max_tokens, 3);
}

static void inputs_may_be_bare_or_objects(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"type\":\"inference_request\",\"task\":\"embed\",\"priority\":2,\"texts\":"
                 "[\"a\",[7],{\"text\":\"b\"},{\"tokens\":[8,9],\"later\":{}}],\"stops\":[\"x\"]}");
    const struct hearth_wire_inference_request *request = &w->message.as.inference_request;
    struct hearth_wire_list cursor = request->texts;
    struct hearth_wire_text text;
    assert_int_equal(request->task, HEARTH_TASK_EMBED);
    assert_int_equal(request->priority, HEARTH_HIGH);
    assert_int_equal(request->stops.count, 1);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    assert_true(hearth_slice_equals_string(text.text, "a") && text.tokens.count == 0);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    assert_true(text.text.size == 0 && text.tokens.count == 1);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    assert_true(hearth_slice_equals_string(text.text, "b"));
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    assert_int_equal(text.tokens.count, 2);
    assert_false(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
}

static void messages_tell_that_it_is_a_chat(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"type\":\"inference_request\",\"messages\":[{\"role\":\"system\",\"content\":"
                 "\"s\"},{\"content\":\"u\",\"role\":\"user\"},{\"role\":2,\"content\":\"a\"}]}");
    struct hearth_wire_list cursor = w->message.as.inference_request.messages;
    assert_int_equal(w->message.as.inference_request.task, HEARTH_TASK_CHAT);
    struct hearth_wire_chat_message turn;
    for (unsigned role = 0; role < 3; role++) {
        assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_chat_message, &turn));
        assert_int_equal(turn.role, role);
        assert_int_equal(turn.content.size, 1);
    }
}

static void assert_versions(struct json_world *w, const char *text, unsigned min, unsigned max)
{
    read_json(w, text);
    assert_int_equal(w->message.as.handshake.version_min, min);
    assert_int_equal(w->message.as.handshake.version_max, max);
}

static void a_handshake_without_a_version_is_version_1(void **state)
{
    struct json_world *w = *state;
    assert_versions(w, "{\"type\":\"handshake\",\"token\":\"\"}", 1, 1);
    assert_versions(w, "{\"type\":\"handshake\",\"protocol_version\":null}", 1, 1);
    assert_versions(w, "{\"type\":\"handshake\",\"protocol_version\":\"V1\"}", 1, 1);
    assert_versions(w, "{\"type\":\"handshake\",\"protocol_version\":\"V2\"}", 2, 2);
    assert_versions(w, "{\"type\":\"handshake\",\"version_min\":1,\"version_max\":2}", 1, 2);
    assert_versions(w, "{\"type\":\"handshake\",\"version_max\":9}", 9, 9);
    read_json(w, "{\"type\":\"handshake\",\"token\":\"s\\u00e9cret\"}");
    assert_true(hearth_slice_equals_string(w->message.as.handshake.token, "s\xc3\xa9"
                                                                          "cret"));
}

static void what_is_not_known_is_ignored(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"later\":[{\"x\":[null]}],\"type\":\"cancel_request\",\"request_id\":3,"
                 "\"a\":1,\"a\":2,\"parameters\":{\"b\":{}}}");
    assert_int_equal(w->message.as.cancel_request.request_id, 3);
    read_json(w, "{\"type\":\"health_check\"}");
    assert_int_equal(w->message.as.health_check.check_type, HEARTH_CHECK_LIVENESS);
}

static void strings_are_text_with_all_its_characters(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"type\":\"inference_request\",\"prompt\":\"\\u0000\\ud83d\\udc4b\\/\"}");
    assert_true(hearth_slice_equal(only_text(w).text, hearth_slice_of("\0\xf0\x9f\x91\x8b/", 6)));
}

static void embedding_options_are_words_in_parameters(void **state)
{
    struct json_world *w = *state;
    read_json(w,
              "{\"type\":\"inference_request\",\"task\":\"embed\",\"texts\":[\"a\"],"
              "\"parameters\":{\"dimensions\":64,\"vector_type\":\"float16\",\"normalize\":\"no\","
              "\"in_order\":true,\"memfds\":true,\"stream\":false}}");
    const struct hearth_wire_inference_request *request = &w->message.as.inference_request;
    assert_int_equal(request->dimensions, 64);
    assert_int_equal(request->vector_type, HEARTH_VECTOR_FLOAT16);
    assert_int_equal(request->normalize, 2);
    assert_int_equal(request->flags, HEARTH_FLAG_IN_ORDER | HEARTH_FLAG_MEMFDS);
    read_json(w, "{\"type\":\"inference_request\",\"texts\":[\"a\"],\"task\":1,\"vector_type\":2,"
                 "\"normalize\":\"yes\"}");
    assert_int_equal(request->vector_type, HEARTH_VECTOR_INT8);
    assert_int_equal(request->normalize, 1);
}

static void a_query_tells_that_it_is_a_reranking(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"type\":\"inference_request\",\"query\":\"q\",\"texts\":[\"a\",\"b\"]}");
    const struct hearth_wire_inference_request *request = &w->message.as.inference_request;
    assert_int_equal(request->task, HEARTH_TASK_RERANK);
    assert_true(hearth_slice_equals_string(request->query, "q"));
    assert_int_equal(request->texts.count, 2);
    read_json(w, "{\"type\":\"inference_request\",\"task\":\"classify\",\"texts\":["
                 "{\"text\":\"a\",\"pair\":\"b\"}]}");
    struct hearth_wire_text text = only_text(w);
    assert_true(hearth_slice_equals_string(text.text, "a"));
    assert_true(hearth_slice_equals_string(text.pair, "b"));
}

/* Alone, as a bare string, it would come back as the text. */
static void a_pair_without_a_text_stays_a_pair(void **state)
{
    struct json_world *w = *state;
    const struct hearth_wire_text record = {.pair = hearth_slice_of_string("b")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    hearth_wire_default_request(&message.as.inference_request);
    message.as.inference_request.texts = (struct hearth_wire_list){.count = 1, .items = &record};
    goes_around(&message, w);
}

/* One of two numbers, in base64: 1.0f is 00 00 80 3f, and that is AACAPw==. */
static void tensors_carry_base64(void **state)
{
    struct json_world *w = *state;
    read_json(w, "{\"type\":\"inference_request\",\"outputs\":[\"y\"],\"tensors\":[{\"name\":\"x\","
                 "\"type\":\"float32\",\"shape\":[1],\"data\":\"AACAPw==\"},"
                 "{\"name\":\"mask\",\"type\":7,\"memfd_bytes\":4096}]}");
    const struct hearth_wire_inference_request *request = &w->message.as.inference_request;
    struct hearth_wire_list cursor = request->tensors;
    struct hearth_wire_tensor tensor;
    assert_int_equal(request->task, HEARTH_TASK_TENSORS);
    assert_int_equal(request->outputs.count, 1);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor));
    assert_int_equal(tensor.type, HEARTH_TENSOR_FLOAT32);
    assert_int_equal(tensor.shape.count, 1);
    assert_true(hearth_slice_equal(tensor.data, hearth_slice_of("\0\0\x80\x3f", 4)));
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor));
    assert_int_equal(tensor.type, HEARTH_TENSOR_INT64);
    assert_true(tensor.memfd_bytes == 4096 && tensor.data.size == 0);
}

/* What other tasks have is not there; what is 0 and optional is not either. */
static void an_answer_shows_only_what_its_task_has(void **state)
{
    static const struct hearth_wire_entity entity = {.label = {(const uint8_t *)"PER", 3},
                                                     .score = 0.5f,
                                                     .start_byte = 1,
                                                     .end_byte = 4,
                                                     .end_char = 2};
    static const struct hearth_wire_result results[] = {
        {.score = -1.5f},
        {.index = 1, .packed = {(const uint8_t *)"\x7f\xff", 2}, .scale = 0.25f},
        {.index = 2, .entities = {.count = 1, .items = &entity}}};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 3, .items = results};
    assert_written(*state, &message,
                   "{\"type\":\"stream_chunk\",\"request_id\":0,\"results\":["
                   "{\"index\":0,\"tokens\":0,\"is_truncated\":false,\"score\":-1.5},"
                   "{\"index\":1,\"tokens\":0,\"is_truncated\":false,\"packed\":\"f/8=\","
                   "\"scale\":0.25},"
                   "{\"index\":2,\"tokens\":0,\"is_truncated\":false,\"entities\":[{"
                   "\"label\":\"PER\",\"score\":0.5,\"start_byte\":1,\"end_byte\":4,"
                   "\"start_char\":0,\"end_char\":2}]}],"
                   "\"token\":0,\"text\":\"\",\"is_final\":false,\"error\":null}");
}

static void a_model_has_its_facts_by_name(void **state)
{
    static const uint32_t shape[] = {UINT32_MAX, 4};
    static const struct hearth_wire_port port = {
        .name = {(const uint8_t *)"x", 1}, .type = HEARTH_TENSOR_INT64, .shape = {shape, 2}};
    static const struct hearth_wire_option fact = {
        {(const uint8_t *)"pooling", 7}, {(const uint8_t *)"mean", 4}, 0};
    struct hearth_message message = {.type = HEARTH_MSG_model_response};
    message.as.model_response.inputs = (struct hearth_wire_list){.count = 1, .items = &port};
    message.as.model_response.facts = (struct hearth_wire_list){.count = 1, .items = &fact};
    assert_written(*state, &message,
                   "{\"type\":\"model_response\",\"request_id\":0,\"code\":0,\"error\":null,"
                   "\"models\":[],\"inputs\":[{\"name\":\"x\",\"type\":\"int64\","
                   "\"shape\":[4294967295,4]}],\"outputs\":[],\"facts\":{\"pooling\":\"mean\"},"
                   "\"memory\":{},\"error_code\":null}");
}

static void messages_between_processes_have_no_v1(void **state)
{
    struct json_world *w = *state;
    struct hearth_message message = {.type = HEARTH_MSG_worker_stop};
    assert_int_equal(hearth_json_encode(&message, &w->room, &w->out), HEARTH_E_UNSUPPORTED);
    assert_int_equal(w->out.size, 0);
    int rc = hearth_json_decode(hearth_slice_of_string("{\"type\":\"worker_stop\"}"), &w->room,
                                &message, &w->err);
    assert_int_equal(rc, HEARTH_E_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

KIT_MAIN(TEST(every_message_survives_v1_and_v2_and_v1_again), TEST(damage_never_breaks_the_decoder),
         TEST(a_float_comes_back_bit_by_bit), TEST(a_float_is_as_short_as_people_write_it),
         TEST(a_vector_has_nine_digits_a_float), TEST(what_is_no_number_is_null_in_an_answer),
         TEST(an_answer_has_the_members_that_clients_know), TEST(a_chunk_has_its_first_id_and_text),
         TEST(an_error_has_both_numbers), TEST(metrics_are_objects_by_name),
         TEST(a_request_of_the_predecessor_reads_as_it_was_meant),
         TEST(ids_may_stand_for_the_prompt), TEST(inputs_may_be_bare_or_objects),
         TEST(messages_tell_that_it_is_a_chat), TEST(a_handshake_without_a_version_is_version_1),
         TEST(what_is_not_known_is_ignored), TEST(strings_are_text_with_all_its_characters),
         TEST(embedding_options_are_words_in_parameters),
         TEST(a_query_tells_that_it_is_a_reranking), TEST(a_pair_without_a_text_stays_a_pair),
         TEST(tensors_carry_base64), TEST(an_answer_shows_only_what_its_task_has),
         TEST(a_model_has_its_facts_by_name), TEST(messages_between_processes_have_no_v1))
