#include "scripted_server.h"

#include <hearth/hearth.h>

#include <dirent.h>
#include <sys/mman.h>

/* What encoders are asked: pairs, rankings, entities, packed vectors, tensors, all about a model.
 */

static hearth_client *connected(void **state)
{
    struct scripted_server *server = *state;
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = server->path;
    params.program = "test";
    hearth_client *client = NULL;
    hearth_error err = {0};
    hearth_connect(&params, &client, &err);
    assert_string_equal(err.text, "");
    assert_non_null(client);
    return client;
}

static hearth_request_params asking(const char *model)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = model;
    params.timeout_ms = 10000;
    return params;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* ── Texts ───────────────────────────────────────────────────────────────────────────────────── */

static void texts_are_ranked_by_their_scores(void **state)
{
    hearth_client *client = connected(state);
    const char *texts[] = {"aa", "nan", "aaaa", "bb", "a"};
    hearth_request_params params = asking("ranker");
    hearth_result *result;
    hearth_error err = {0};
    assert_int_equal(hearth_rerank(client, "which", texts, 5, &params, &result, &err), 0);
    assert_int_equal(hearth_result_count(result), 5);
    assert_true(hearth_result_item(result, 0)->score == -3.0f);
    assert_true(hearth_result_item(result, 2)->score == -1.0f);
    static const uint32_t order[] = {2, 0, 3, 4, 1}; /* equals as they came, no number last */
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(hearth_result_ranked(result, i)->index, order[i]);
    }
    assert_null(hearth_result_ranked(result, 5));
    hearth_result_free(result);
    assert_int_equal(hearth_rerank(client, "", texts, 5, &params, &result, &err),
                     HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "query: is empty");
    hearth_disconnect(client);
}

static int note_index(const hearth_item *item, void *arg)
{
    uint32_t **at = arg;
    *(*at)++ = item->index;
    return 0;
}

static void a_stream_comes_in_the_order_of_the_inputs_if_asked(void **state)
{
    hearth_client *client = connected(state);
    const char *texts[] = {"a", "bb", "ccc"};
    uint32_t seen[6] = {9, 9, 9, 9, 9, 9};
    uint32_t *at = seen;
    hearth_request_params params = asking("lengths");
    params.on_item = note_index;
    params.arg = &at;
    assert_int_equal(hearth_embed(client, texts, 3, &params, NULL, NULL), 0);
    params.in_order = 1;
    assert_int_equal(hearth_embed(client, texts, 3, &params, NULL, NULL), 0);
    static const uint32_t wanted[] = {2, 1, 0, 0, 1, 2};
    assert_memory_equal(seen, wanted, sizeof wanted);
    hearth_disconnect(client);
}

static void entities_are_lent_with_both_kinds_of_offsets(void **state)
{
    hearth_client *client = connected(state);
    const char *texts[] = {"ab", "abcde"};
    hearth_request_params params = asking("names");
    hearth_result *result;
    assert_int_equal(hearth_entities(client, texts, 2, &params, &result, NULL), 0);
    const hearth_item *item = hearth_result_item(result, 1);
    assert_int_equal(item->entity_count, 2);
    assert_string_equal(item->entities[0].label, "FIRST");
    assert_true(item->entities[0].score == 0.5f && item->entities[0].end_char == 1);
    assert_string_equal(item->entities[1].label, "WHOLE");
    assert_int_equal(item->entities[1].end_byte, 5);
    assert_int_equal(hearth_result_item(result, 0)->entities[1].end_byte, 2);
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void a_pair_goes_with_its_text(void **state)
{
    hearth_client *client = connected(state);
    const char *texts[] = {"ab", "ab", "ab"};
    const char *pairs[] = {"c", NULL, "cd"};
    hearth_request_params params = asking("parity");
    params.pairs = pairs;
    hearth_result *result;
    hearth_error err = {0};
    assert_int_equal(hearth_classify(client, texts, 3, &params, &result, &err), 0);
    assert_string_equal(hearth_result_item(result, 0)->labels[0].name, "odd");
    assert_string_equal(hearth_result_item(result, 1)->labels[0].name, "even");
    assert_string_equal(hearth_result_item(result, 2)->labels[0].name, "even");
    assert_int_equal(hearth_result_item(result, 2)->tokens, 4);
    hearth_result_free(result);
    assert_int_equal(hearth_embed(client, texts, 3, &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "texts[0].pair");
    hearth_disconnect(client);
}

static void a_packed_vector_has_the_type_that_was_asked_for(void **state)
{
    hearth_client *client = connected(state);
    const char *texts[] = {"a"};
    hearth_request_params params = asking("lengths");
    hearth_result *result;
    params.dimensions = 6;
    params.vector_type = HEARTH_VECTOR_FLOAT16;
    assert_int_equal(hearth_embed(client, texts, 1, &params, &result, NULL), 0);
    const hearth_item *item = hearth_result_item(result, 0);
    assert_int_equal(item->dimensions, 6);
    assert_int_equal(item->packed_bytes, 12);
    assert_memory_equal(item->packed, "\x00\x3c\x00\x3c\x00\x3c\x00\x3c\x00\x3c\x00\x3c", 12);
    assert_null(item->vector);
    hearth_result_free(result);
    params.vector_type = HEARTH_VECTOR_INT8;
    params.normalize = HEARTH_NORMALIZE_NO;
    assert_int_equal(hearth_embed(client, texts, 1, &params, &result, NULL), 0);
    item = hearth_result_item(result, 0);
    assert_int_equal(item->dimensions, 16);
    assert_int_equal(((const int8_t *)item->packed)[15], 16);
    assert_true(item->scale == 0.5f);
    hearth_result_free(result);
    hearth_error err = {0};
    params.vector_type = (enum hearth_vector_type)3;
    assert_int_equal(hearth_embed(client, texts, 1, &params, NULL, &err), HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "vector_type is 3");
    hearth_disconnect(client);
}

/* ── Tensors ─────────────────────────────────────────────────────────────────────────────────── */

#define LARGE_BYTES (3u << 20)

static void small_tensors_come_back_inline(void **state)
{
    hearth_client *client = connected(state);
    const float x[] = {0.5f, -1.0f};
    const int64_t y = 77;
    const hearth_tensor inputs[] = {
        {.name = "x",
         .type = HEARTH_TENSOR_FLOAT32,
         .rank = 2,
         .shape = {1, 2},
         .data = x,
         .bytes = sizeof x},
        {.name = "y", .type = HEARTH_TENSOR_INT64, .data = &y, .bytes = 8},
        {.name = "empty", .type = HEARTH_TENSOR_BOOL, .rank = 1}};
    hearth_request_params params = asking("scorer");
    hearth_result *result;
    hearth_error err = {0};
    hearth_run(client, inputs, 3, &params, &result, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(hearth_result_count(result), 0);
    assert_int_equal(hearth_result_tensor_count(result), 3);
    const hearth_tensor *first = hearth_result_tensor(result, 0);
    assert_string_equal(first->name, "empty");
    assert_int_equal(first->bytes, 0);
    const hearth_tensor *again = hearth_result_tensor_named(result, "x");
    assert_int_equal(again->rank, 2);
    assert_true(again->shape[0] == 1 && again->shape[1] == 2 && again->fd == -1);
    assert_int_equal(again->type, HEARTH_TENSOR_FLOAT32);
    assert_memory_equal(again->data, x, sizeof x);
    assert_int_equal(*(const int64_t *)hearth_result_tensor(result, 1)->data, 77);
    assert_null(hearth_result_tensor(result, 3));
    assert_null(hearth_result_tensor_named(result, "z"));
    assert_null(hearth_result_tensor_named(result, NULL));
    hearth_result_free(result);
    const char *outputs[] = {"y"};
    params.outputs = outputs;
    params.output_count = 1;
    assert_int_equal(hearth_run(client, inputs, 3, &params, &result, NULL), 0);
    assert_int_equal(hearth_result_tensor_count(result), 1);
    assert_string_equal(hearth_result_tensor(result, 0)->name, "y");
    hearth_result_free(result);
    hearth_disconnect(client);
}

/* A kernel before 6.7 shares no mapping of what is sealed against writing. */
static void assert_private(const void *memory)
{
    char line[512];
    bool is_private = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long start = 0;
        unsigned long end = 0;
        char rights[5] = "";
        assert_int_equal(sscanf(line, "%lx-%lx %4s", &start, &end, rights), 3);
        bool is_it = (uintptr_t)memory >= start && (uintptr_t)memory < end;
        is_private = is_private || (is_it && strcmp(rights, "r--p") == 0);
    }
    fclose(maps);
    assert_true(is_private);
}

static void large_tensors_travel_as_memfds_and_leave_no_descriptor(void **state)
{
    hearth_client *client = connected(state);
    uint8_t *large = hearth_alloc(LARGE_BYTES, 1);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE_BYTES; i++) {
        large[i] = (uint8_t)(i * 31 + i / 256);
    }
    const hearth_tensor inputs[] = {{.name = "small",
                                     .type = HEARTH_TENSOR_UINT8,
                                     .rank = 1,
                                     .shape = {3},
                                     .data = "abc",
                                     .bytes = 3},
                                    {.name = "large",
                                     .type = HEARTH_TENSOR_UINT8,
                                     .rank = 1,
                                     .shape = {LARGE_BYTES},
                                     .data = large,
                                     .bytes = LARGE_BYTES}};
    hearth_request_params params = asking("scorer");
    size_t before = open_descriptors();
    for (int i = 0; i < 3; i++) {
        hearth_result *result;
        hearth_error err = {0};
        hearth_run(client, inputs, 2, &params, &result, &err);
        assert_string_equal(err.text, "");
        const hearth_tensor *again = hearth_result_tensor_named(result, "large");
        assert_int_equal(again->bytes, LARGE_BYTES);
        assert_memory_equal(again->data, large, LARGE_BYTES);
        assert_private(again->data);
        assert_memory_equal(hearth_result_tensor_named(result, "small")->data, "abc", 3);
        assert_int_equal(open_descriptors(), before);
        hearth_result_free(result);
    }
    hearth_free(large);
    hearth_disconnect(client);
}

static int memfd_of(const char *text, bool is_sealed)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    if (is_sealed) {
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    }
    return fd;
}

static void a_memfd_of_the_caller_is_used_as_it_is_and_stays_his(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_params params = asking("scorer");
    hearth_tensor input = {
        .name = "x", .type = HEARTH_TENSOR_UINT8, .rank = 1, .shape = {5}, .bytes = 5};
    hearth_result *result;
    hearth_error err = {0};
    input.fd = memfd_of("hello", true);
    assert_int_equal(hearth_run(client, &input, 1, &params, &result, &err), 0);
    assert_memory_equal(hearth_result_tensor(result, 0)->data, "hello", 5);
    hearth_result_free(result);
    char again[5];
    assert_int_equal(pread(input.fd, again, 5, 0), 5);
    close(input.fd);

    input.fd = memfd_of("hello", false);
    assert_int_equal(hearth_run(client, &input, 1, &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "tensors[0]: ");
    close(input.fd);
    input.fd = memfd_of("hell", true);
    assert_int_equal(hearth_run(client, &input, 1, &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    close(input.fd);
    input.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(hearth_run(client, &input, 1, &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    close(input.fd);
    input.fd = -1;
    assert_int_equal(hearth_run(client, &input, 1, &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    input.data = "hello";
    assert_int_equal(hearth_run(client, &input, 1, &params, NULL, &err), 0); /* still connected */
    hearth_disconnect(client);
}

static void assert_refused(hearth_client *client, const hearth_tensor *inputs, size_t count,
                           int code, const char *part)
{
    hearth_request_params params = asking("scorer");
    hearth_error err = {0};
    assert_int_equal(hearth_run(client, inputs, count, &params, NULL, &err), code);
    KIT_ASSERT_ERROR(err, code, part);
}

static void tensors_that_do_not_hold_together_are_refused_before_they_leave(void **state)
{
    hearth_client *client = connected(state);
    const hearth_tensor good = {.name = "x",
                                .type = HEARTH_TENSOR_UINT8,
                                .rank = 1,
                                .shape = {2},
                                .data = "ab",
                                .bytes = 2};
    hearth_tensor many[17];
    for (size_t i = 0; i < 17; i++) {
        many[i] = good;
    }
    assert_refused(client, many, 0, HEARTH_E_INPUT_INVALID, "tensors: 0 given, 1 to 16 wanted");
    assert_refused(client, many, 17, HEARTH_E_TOO_LARGE, "tensors: 17 given, 1 to 16 wanted");
    assert_refused(client, NULL, 1, HEARTH_E_ARGUMENT, "inputs: is NULL");
    assert_refused(client, many, 2, HEARTH_E_INPUT_INVALID, "tensors[1].name");
    hearth_tensor bad = good;
    bad.name = NULL;
    assert_refused(client, &bad, 1, HEARTH_E_INPUT_INVALID, "tensors[0].name: is empty");
    bad = good;
    bad.type = (enum hearth_tensor_type)257;
    assert_refused(client, &bad, 1, HEARTH_E_INPUT_INVALID, "tensors[0].type");
    bad = good;
    bad.shape[0] = 3;
    assert_refused(client, &bad, 1, HEARTH_E_INPUT_INVALID, "tensors[0].data: 2 bytes");
    bad = good;
    bad.rank = 9;
    assert_refused(client, &bad, 1, HEARTH_E_TOO_LARGE, "tensors[0]: rank 9, the limit is 8");
    bad = good;
    bad.bytes = ((size_t)1 << 30) + 1;
    assert_refused(client, &bad, 1, HEARTH_E_TOO_LARGE, "the limit is 1073741824");
    hearth_disconnect(client);
}

static void memory_that_is_not_as_promised_ends_the_connection(void **state)
{
    static const char *const names[] = {"unsealed", "short", "missing", "lying", "pipe"};
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        hearth_client *client = connected(state);
        static const uint8_t data[150000]; /* large enough for a memfd */
        bool is_lying = strcmp(names[i], "lying") == 0;
        uint32_t bytes = is_lying ? 8 : sizeof data;
        const hearth_tensor input = {.name = names[i],
                                     .type = HEARTH_TENSOR_UINT8,
                                     .rank = 1,
                                     .shape = {bytes},
                                     .data = data,
                                     .bytes = bytes};
        size_t before = open_descriptors();
        assert_refused(client, &input, 1, HEARTH_E_DISCONNECTED, "the daemon sent tensors");
        assert_int_equal(open_descriptors(), before - 1); /* the connection */
        hearth_disconnect(client);
    }
}

struct ended {
    int code;
    size_t tensors;
};

static void note_end(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    (void)request;
    struct ended *ended = arg;
    ended->code = err->code;
    ended->tensors = result != NULL ? hearth_result_tensor_count(result) : 0;
    hearth_result_free(result);
}

static void tensors_are_submitted_like_texts(void **state)
{
    hearth_client *client = connected(state);
    static uint8_t data[200000];
    hearth_tensor input = {.name = "x",
                           .type = HEARTH_TENSOR_UINT8,
                           .rank = 1,
                           .shape = {sizeof data},
                           .data = data,
                           .bytes = sizeof data};
    struct ended ended[20] = {{0}};
    hearth_request_params params = asking("scorer");
    params.on_done = note_end;
    for (size_t i = 0; i < 20; i++) {
        params.arg = &ended[i];
        ended[i].code = 1;
        assert_int_equal(hearth_submit_tensors(client, &input, 1, &params, NULL, NULL), 0);
        memset(data, (int)i, sizeof data); /* it may be changed at once */
    }
    assert_int_equal(hearth_wait(client, 10000, NULL), 0);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(ended[i].code, 0);
        assert_int_equal(ended[i].tensors, 1);
    }
    hearth_disconnect(client);
}

/* ── A model ─────────────────────────────────────────────────────────────────────────────────── */

static void a_model_is_described_with_its_inside(void **state)
{
    hearth_client *client = connected(state);
    hearth_model_details *details;
    hearth_error err = {0};
    assert_int_equal(hearth_describe(client, "parity", &details, &err), 0);
    assert_string_equal(details->model->name, "parity");
    assert_int_equal(details->model->dimensions, 5);
    assert_int_equal(details->input_count, 1);
    assert_string_equal(details->inputs[0].name, "x");
    assert_int_equal(details->inputs[0].type, HEARTH_TENSOR_INT64);
    assert_int_equal(details->inputs[0].rank, 2);
    assert_true(details->inputs[0].shape[0] == HEARTH_ANY_SIZE && details->inputs[0].shape[1] == 3);
    assert_int_equal(details->output_count, 1);
    assert_string_equal(details->outputs[0].name, "y");
    assert_int_equal(details->fact_count, 3);
    assert_string_equal(details->facts[0].key, "pooling");
    assert_string_equal(details->facts[1].value, "17");
    hearth_model_details_free(details);
    hearth_model_details_free(NULL);
    assert_int_equal(hearth_describe(client, "nope", &details, &err), HEARTH_E_NO_MODEL);
    KIT_ASSERT_ERROR(err, HEARTH_E_NO_MODEL, "no model of that name");
    assert_int_equal(hearth_describe(client, NULL, &details, &err), HEARTH_E_ARGUMENT);
    hearth_disconnect(client);
}

static void elements_have_the_bytes_of_their_type(void **state)
{
    (void)state;
    assert_int_equal(hearth_tensor_element_bytes(HEARTH_TENSOR_FLOAT16), 2);
    assert_int_equal(hearth_tensor_element_bytes(HEARTH_TENSOR_INT64), 8);
    assert_int_equal(hearth_tensor_element_bytes(HEARTH_TENSOR_BOOL), 1);
    assert_int_equal(hearth_tensor_element_bytes((enum hearth_tensor_type)8), 0);
    assert_int_equal(hearth_tensor_element_bytes((enum hearth_tensor_type) - 1), 0);
}

/* ── Failing allocations ─────────────────────────────────────────────────────────────────────── */

static int ask_texts(hearth_client *client)
{
    const char *texts[] = {"ab", "abcde"};
    hearth_request_params params = asking("names");
    hearth_result *result = NULL;
    int rc = hearth_entities(client, texts, 2, &params, &result, NULL);
    hearth_result_free(result);
    result = NULL;
    rc = rc < 0 ? rc : hearth_rerank(client, "q", texts, 2, &params, &result, NULL);
    hearth_result_free(result);
    result = NULL;
    params.vector_type = HEARTH_VECTOR_INT8;
    params.dimensions = 3;
    rc = rc < 0 ? rc : hearth_embed(client, texts, 2, &params, &result, NULL);
    hearth_result_free(result);
    return rc;
}

static int story(void **state)
{
    struct scripted_server *server = *state;
    static const uint8_t data[150000];
    const hearth_tensor inputs[] = {{.name = "small",
                                     .type = HEARTH_TENSOR_UINT8,
                                     .rank = 1,
                                     .shape = {2},
                                     .data = "ab",
                                     .bytes = 2},
                                    {.name = "large",
                                     .type = HEARTH_TENSOR_UINT8,
                                     .rank = 1,
                                     .shape = {sizeof data},
                                     .data = data,
                                     .bytes = sizeof data}};
    hearth_connect_params connecting = hearth_connect_params_default();
    hearth_request_params params = asking("scorer");
    hearth_client *client = NULL;
    hearth_result *result = NULL;
    hearth_model_details *details = NULL;
    connecting.socket_path = server->path;
    int rc = hearth_connect(&connecting, &client, NULL);
    rc = rc < 0 ? rc : hearth_describe(client, "parity", &details, NULL);
    rc = rc < 0 ? rc : hearth_run(client, inputs, 2, &params, &result, NULL);
    rc = rc < 0 ? rc : ask_texts(client);
    hearth_result_free(result);
    hearth_model_details_free(details);
    hearth_disconnect(client);
    return rc;
}

static void any_failed_allocation_is_an_error_and_nothing_stays_open(void **state)
{
    size_t before = open_descriptors();
    KIT_FOR_EACH_FAILURE(n) {
        int rc = story(state);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        assert_int_equal(open_descriptors(), before);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scripted_start, scripted_stop)

KIT_MAIN(TEST(texts_are_ranked_by_their_scores),
         TEST(a_stream_comes_in_the_order_of_the_inputs_if_asked),
         TEST(entities_are_lent_with_both_kinds_of_offsets), TEST(a_pair_goes_with_its_text),
         TEST(a_packed_vector_has_the_type_that_was_asked_for),
         TEST(small_tensors_come_back_inline),
         TEST(large_tensors_travel_as_memfds_and_leave_no_descriptor),
         TEST(a_memfd_of_the_caller_is_used_as_it_is_and_stays_his),
         TEST(tensors_that_do_not_hold_together_are_refused_before_they_leave),
         TEST(memory_that_is_not_as_promised_ends_the_connection),
         TEST(tensors_are_submitted_like_texts), TEST(a_model_is_described_with_its_inside),
         TEST(any_failed_allocation_is_an_error_and_nothing_stays_open),
         cmocka_unit_test(elements_have_the_bytes_of_their_type))
