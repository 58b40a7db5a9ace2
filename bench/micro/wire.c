/* wire.c — a request with 1,000 token ids into bytes and back, each id read and compared.
 *
 * V2 beside one plain copy of as many bytes and the same comparison: the floor. V1 beside the
 * JSON library on the very same bytes, with nobody's structs: read, compare each number, write. */

#include "hearth_bench.h"

#include "hearth_wire.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#define TOKENS     1000u
#define ROOM_BYTES (1u << 20)

struct wire_bench {
    uint32_t tokens[TOKENS];
    uint8_t copy[sizeof(uint32_t) * TOKENS];
    struct hearth_wire_text text;
    struct hearth_message message;
    struct hearth_buf buf;
    struct hearth_buf json; /* the bytes that both sides of V1 work on */
    struct hearth_json_room room;
    uint64_t wrong;
};

/* Every id is read and compared, in place: in V2 they lie in the frame as they lie in memory. */
static bool differs(const void *found, const uint32_t *wanted)
{
    return memcmp(found, wanted, TOKENS * sizeof *wanted) != 0;
}

/* 1 if the ids of a decoded request are not what was sent. */
static uint64_t compare_request(struct wire_bench *bench, const struct hearth_message *message)
{
    struct hearth_wire_list texts = message->as.inference_request.texts;
    struct hearth_wire_text text;
    if (message->type != HEARTH_MSG_inference_request ||
        !hearth_wire_next(&texts, HEARTH_RECORD_text, &text) || text.tokens.count != TOKENS) {
        return 1;
    }
    return differs(text.tokens.data, bench->tokens);
}

/* ---- V2 ------------------------------------------------------------------------------------- */

static void turn_v2(void *arg, uint64_t times)
{
    struct wire_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        struct hearth_message message;
        bench->tokens[i % TOKENS]++;
        hearth_buf_clear(&bench->buf);
        bench->wrong += hearth_wire_encode(&bench->message, &bench->buf) != 0;
        bench->wrong += hearth_wire_decode(hearth_buf_slice(&bench->buf), &message, NULL) != 0;
        bench->wrong += compare_request(bench, &message);
    }
}

static void turn_copy(void *arg, uint64_t times)
{
    struct wire_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        bench->tokens[i % TOKENS]++;
        memcpy(bench->copy, bench->tokens, sizeof bench->copy);
        __asm__ volatile("" : : "r"(bench->copy) : "memory"); /* as real as the other side's */
        bench->wrong += differs(bench->copy, bench->tokens);
    }
}

/* ---- V1 ------------------------------------------------------------------------------------- */

static void turn_v1(void *arg, uint64_t times)
{
    struct wire_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        struct hearth_message message;
        hearth_buf_clear(&bench->buf);
        bench->wrong += hearth_json_encode(&bench->message, &bench->room, &bench->buf) != 0;
        hearth_json_room_reset(&bench->room, ROOM_BYTES);
        bench->wrong +=
            hearth_json_decode(hearth_buf_slice(&bench->buf), &bench->room, &message, NULL) != 0;
        bench->wrong += compare_request(bench, &message);
        hearth_json_room_reset(&bench->room, ROOM_BYTES);
    }
}

/* The array of TOKENS numbers, wherever it is in the document. */
static yyjson_val *find_tokens(yyjson_val *value)
{
    if (yyjson_is_arr(value) && yyjson_arr_size(value) == TOKENS) {
        return value;
    }
    yyjson_obj_iter keys = yyjson_obj_iter_with(value);
    yyjson_arr_iter elements = yyjson_arr_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&keys)) != NULL;) {
        yyjson_val *found = find_tokens(yyjson_obj_iter_get_val(key));
        if (found != NULL) {
            return found;
        }
    }
    for (yyjson_val *each; (each = yyjson_arr_iter_next(&elements)) != NULL;) {
        yyjson_val *found = find_tokens(each);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

static uint64_t compare_document(const struct wire_bench *bench, yyjson_doc *doc)
{
    yyjson_val *array = find_tokens(yyjson_doc_get_root(doc));
    uint64_t wrong = array == NULL;
    yyjson_arr_iter each = yyjson_arr_iter_with(array);
    for (size_t i = 0; array != NULL && i < TOKENS; i++) {
        wrong += yyjson_get_uint(yyjson_arr_iter_next(&each)) != bench->tokens[i];
    }
    return wrong;
}

static void turn_yyjson(void *arg, uint64_t times)
{
    struct wire_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        size_t size = 0;
        yyjson_doc *doc = yyjson_read((const char *)bench->json.data, bench->json.size, 0);
        bench->wrong += compare_document(bench, doc);
        char *text = yyjson_write(doc, 0, &size);
        bench->wrong += size != bench->json.size;
        yyjson_doc_free(doc);
        free(text);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static int check_wire(void *state, struct hearth_error *err)
{
    struct wire_bench *bench = state;
    turn_v2(bench, 3);
    turn_copy(bench, 3);
    hearth_buf_clear(&bench->json);
    int rc = hearth_json_encode(&bench->message, &bench->room, &bench->json);
    hearth_json_room_reset(&bench->room, ROOM_BYTES);
    if (rc == 0) {
        turn_v1(bench, 3);
        turn_yyjson(bench, 3);
    }
    return rc == 0 && bench->wrong == 0
               ? 0
               : hearth_fail(err, HEARTH_E_INTERNAL, "%lu requests came back wrong",
                             (unsigned long)bench->wrong);
}

static void close_wire(void *state)
{
    struct wire_bench *bench = state;
    hearth_buf_finish(&bench->buf);
    hearth_buf_finish(&bench->json);
    hearth_json_room_finish(&bench->room);
    hearth_free(bench);
}

static struct wire_bench *make_bench(void)
{
    struct wire_bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < TOKENS; i++) {
        bench->tokens[i] = (i * 2654435761u) % 50000u; /* spread as the ids of a vocabulary are */
    }
    bench->text.tokens = (struct hearth_wire_u32s){bench->tokens, TOKENS};
    bench->message.type = HEARTH_MSG_inference_request;
    struct hearth_wire_inference_request *request = &bench->message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 7;
    request->task = HEARTH_TASK_GENERATE;
    request->priority = HEARTH_NORMAL;
    request->model_id = hearth_slice_of_string("smollm2-135m-instruct");
    request->texts = (struct hearth_wire_list){.count = 1, .items = &bench->text};
    hearth_buf_init(&bench->buf, ROOM_BYTES);
    hearth_buf_init(&bench->json, ROOM_BYTES);
    hearth_json_room_init(&bench->room, ROOM_BYTES);
    return bench;
}

static int open_sides(struct hearth_harness_side a, struct hearth_harness_side b,
                      struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct wire_bench *bench = make_bench();
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    a.arg = bench;
    b.arg = bench;
    *ret = (struct hearth_harness_setup){
        .sides = {a, b}, .side_count = 2, .check = check_wire, .close = close_wire, .state = bench};
    return 0;
}

static int open_v2(const struct hearth_harness_places *places HEARTH_UNUSED,
                   struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_sides((struct hearth_harness_side){.name = "encode and decode", .loop = turn_v2},
                      (struct hearth_harness_side){.name = "a plain copy", .loop = turn_copy}, ret,
                      err);
}

static int open_v1(const struct hearth_harness_places *places HEARTH_UNUSED,
                   struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_sides((struct hearth_harness_side){.name = "encode and decode", .loop = turn_v1},
                      (struct hearth_harness_side){.name = "yyjson alone", .loop = turn_yyjson},
                      ret, err);
}

const struct hearth_harness_case bench_wire[] = {
    {.id = "wire/v2/1000-tokens",
     .help = "a request with 1,000 token ids, V2, there and back; beside a plain copy",
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 300.0, false}},
     .open = open_v2},
    {.id = "wire/v1/1000-tokens",
     .help = "the same in V1; beside the JSON library on the same bytes",
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.3, false}},
     .open = open_v1},
    {0},
};
