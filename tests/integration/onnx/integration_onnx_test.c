/* integration_onnx_test.c — the ONNX backend through the socket of a daemon, with libhearth. The
 * expectations were computed by ONNX Runtime in Python with the reference tokenizer just before:
 * integration_onnx.py starts the daemon, writes them, and runs one test of this file at a time.
 *
 * usage: integration_onnx_test TEST SOCKET EXPECTATIONS */

#include "expectations.h"

#include <hearth/hearth.h>

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define BATCH             32
#define SECONDS           60 /* bounds a broken daemon: SIGALRM ends the program */
#define PROBABILITY_OFF   1e-4
#define COSINE_LEAST      0.99999
#define ALONE_OR_BATCH    1e-5
#define LOAD_CLIENTS      8
#define LOAD_REQUESTS     200
#define LOAD_BATCH        4
#define LOAD_EXPECTATIONS 256

static const char *socket_path;
static struct expectations expected;

static const char *const classifiers[] = {"tinybert-classifier", "hearth-intent"};
static const char *const embedders[] = {"minilm-embedder", "all-minilm-l6-v2"};

/* ── Asking ──────────────────────────────────────────────────────────────────────────────────── */

static hearth_client *connected(void)
{
    hearth_connect_params params = hearth_connect_params_default();
    hearth_client *client = NULL;
    hearth_error err = {0};
    params.socket_path = socket_path;
    params.program = "integration_onnx_test";
    hearth_connect(&params, &client, &err);
    assert_string_equal(err.text, "");
    return client;
}

static hearth_request_params asking(const char *model)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = model;
    return params;
}

static bool is_classifier(const char *model)
{
    return strcmp(model, "endless") == 0 || strcmp(model, classifiers[0]) == 0 ||
           strcmp(model, classifiers[1]) == 0;
}

static enum hearth_task task_of(const char *model)
{
    return is_classifier(model) ? HEARTH_TASK_CLASSIFY : HEARTH_TASK_EMBED;
}

static hearth_result *ask(hearth_client *client, const struct expectation *const *these,
                          size_t count)
{
    hearth_input inputs[BATCH] = {{0}};
    hearth_request_params params = asking(these[0]->model);
    hearth_result *result = NULL;
    hearth_error err = {0};
    for (size_t i = 0; i < count; i++) {
        inputs[i].text = these[i]->text;
    }
    hearth_infer(client, task_of(these[0]->model), inputs, count, &params, &result, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(hearth_result_count(result), count);
    return result;
}

/* ── Checking. NULL: as expected; else what is wrong. ────────────────────────────────────────── */

static const char *check_labels(const struct expectation *wanted, const hearth_item *item)
{
    double sum = 0;
    if (item->label_count != wanted->count) {
        return "not as many labels as the model has";
    }
    for (size_t i = 0; i < item->label_count; i++) {
        size_t j = 0;
        while (j < wanted->count && strcmp(item->labels[i].name, wanted->labels[j]) != 0) {
            j++;
        }
        if (j == wanted->count) {
            return "a label that the model does not have";
        }
        if (!(fabsf(item->labels[i].probability - wanted->values[j]) <= PROBABILITY_OFF)) {
            return "a probability is another";
        }
        if (i > 0 && item->labels[i].probability > item->labels[i - 1].probability) {
            return "labels are not best first";
        }
        sum += (double)item->labels[i].probability;
    }
    return fabs(sum - 1) <= 1e-5 ? NULL : "probabilities do not sum to 1";
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static double cosine(const float *a, const float *b, size_t count)
{
    return dot(a, b, count) / sqrt(dot(a, a, count) * dot(b, b, count));
}

static const char *check_vector(const struct expectation *wanted, const hearth_item *item)
{
    if (item->dimensions != wanted->count) {
        return "not as many dimensions as the model has";
    }
    if (!(cosine(item->vector, wanted->values, wanted->count) >= COSINE_LEAST)) {
        return "the vector points elsewhere";
    }
    return fabs(dot(item->vector, item->vector, wanted->count) - 1) <= 1e-4
               ? NULL
               : "the vector has not length 1";
}

static const char *check(const struct expectation *wanted, const hearth_item *item)
{
    if (item == NULL) {
        return "no answer";
    }
    if (item->tokens != wanted->tokens) {
        return "another number of tokens";
    }
    if (item->is_truncated != wanted->is_truncated) {
        return "is_truncated is not so";
    }
    return is_classifier(wanted->model) ? check_labels(wanted, item) : check_vector(wanted, item);
}

static void assert_as_expected(const struct expectation *wanted, const hearth_item *item)
{
    const char *problem = check(wanted, item);
    if (problem != NULL) {
        fail_msg("%s, text of %zu bytes: %s", wanted->model, strlen(wanted->text), problem);
    }
}

/* The daemon goes on: one more request is answered right. */
static void assert_well(hearth_client *client, const char *model)
{
    const struct expectation *one[1];
    assert_int_equal(expectations_of(&expected, model, true, one, 1), 1);
    hearth_result *result = ask(client, one, 1);
    assert_as_expected(one[0], hearth_result_item(result, 0));
    hearth_result_free(result);
}

/* ── Basic and batch ─────────────────────────────────────────────────────────────────────────── */

static void check_basic(const char *const models[2])
{
    hearth_client *client = connected();
    for (size_t m = 0; m < 2; m++) {
        const struct expectation *these[BATCH];
        size_t count = expectations_of(&expected, models[m], true, these, BATCH);
        size_t truncated = 0;
        assert_int_equal(count, BATCH);
        for (size_t i = 0; i < count; i++) {
            hearth_result *result = ask(client, &these[i], 1);
            assert_as_expected(these[i], hearth_result_item(result, 0));
            assert_int_equal(hearth_result_usage(result)->prompt_tokens, these[i]->tokens);
            truncated += (size_t)these[i]->is_truncated;
            hearth_result_free(result);
        }
        assert_in_range(truncated, 1, count - 1); /* both kinds were asked */
    }
    hearth_disconnect(client);
}

static float difference(const hearth_item *a, const hearth_item *b)
{
    float worst = 0;
    for (size_t i = 0; i < a->dimensions; i++) {
        worst = fmaxf(worst, fabsf(a->vector[i] - b->vector[i]));
    }
    for (size_t i = 0; i < a->label_count; i++) {
        for (size_t j = 0; j < b->label_count; j++) {
            if (strcmp(a->labels[i].name, b->labels[j].name) == 0) {
                worst = fmaxf(worst, fabsf(a->labels[i].probability - b->labels[j].probability));
            }
        }
    }
    return worst;
}

static void check_batch(const char *const models[2])
{
    hearth_client *client = connected();
    for (size_t m = 0; m < 2; m++) {
        const struct expectation *these[BATCH];
        size_t count = expectations_of(&expected, models[m], true, these, BATCH);
        assert_int_equal(count, BATCH);
        hearth_result *batch = ask(client, these, count);
        uint32_t tokens = 0;
        for (size_t i = 0; i < count; i++) {
            const hearth_item *item = hearth_result_item(batch, i);
            hearth_result *alone = ask(client, &these[i], 1);
            assert_int_equal(item->index, i);
            assert_as_expected(these[i], item);
            assert_true(difference(item, hearth_result_item(alone, 0)) <= ALONE_OR_BATCH);
            tokens += these[i]->tokens;
            hearth_result_free(alone);
        }
        assert_int_equal(hearth_result_usage(batch)->prompt_tokens, tokens);
        hearth_result_free(batch);
    }
    hearth_disconnect(client);
}

static hearth_result *embed_as(hearth_client *client, const struct expectation *this,
                               uint32_t dimensions, enum hearth_vector_type type)
{
    hearth_request_params params = asking(this->model);
    hearth_result *result = NULL;
    hearth_error err = {0};
    const char *text = this->text;
    params.dimensions = dimensions;
    params.vector_type = type;
    hearth_embed(client, &text, 1, &params, &result, &err);
    assert_string_equal(err.text, "");
    return result;
}

/* The first half of the numbers, of length 1 again; and int8 within half a step of float32. */
static void check_forms(hearth_client *client, const struct expectation *this)
{
    uint32_t half = (uint32_t)this->count / 2;
    hearth_result *cut = embed_as(client, this, half, HEARTH_VECTOR_FLOAT32);
    hearth_result *small = embed_as(client, this, half, HEARTH_VECTOR_INT8);
    const hearth_item *item = hearth_result_item(cut, 0);
    const hearth_item *packed = hearth_result_item(small, 0);
    assert_int_equal(item->dimensions, half);
    assert_true(cosine(item->vector, this->values, half) >= COSINE_LEAST);
    assert_true(fabs(dot(item->vector, item->vector, half) - 1) <= 1e-4);
    assert_int_equal(packed->packed_bytes, half);
    for (uint32_t i = 0; i < half; i++) {
        float number = (float)((const int8_t *)packed->packed)[i] * packed->scale;
        assert_true(fabsf(number - item->vector[i]) <= 0.501f * packed->scale);
    }
    hearth_result_free(cut);
    hearth_result_free(small);
}

static void onnx_classifier_basic(void **state)
{
    (void)state;
    check_basic(classifiers);
}

static void onnx_classifier_batch(void **state)
{
    (void)state;
    check_batch(classifiers);
}

static void onnx_embedder_basic(void **state)
{
    (void)state;
    check_basic(embedders);
    hearth_client *client = connected();
    for (size_t m = 0; m < 2; m++) {
        const struct expectation *these[4];
        assert_int_equal(expectations_of(&expected, embedders[m], true, these, 4), 4);
        for (size_t i = 0; i < 4; i++) {
            check_forms(client, these[i]);
        }
    }
    hearth_disconnect(client);
}

static void onnx_embedder_batch(void **state)
{
    (void)state;
    check_batch(embedders);
}

/* ── Streaming ───────────────────────────────────────────────────────────────────────────────── */

/** One streamed request: what came, in which order, and how it ended. */
struct stream {
    const struct expectation *const *wanted; /* by index; NULL for one that never ends */
    uint32_t order[BATCH];
    size_t count;
    size_t stop_after; /* 0: never */
    const char *problem;
    size_t ends;
    size_t count_at_end;
    int code;
};

static int note_item(const hearth_item *item, void *arg)
{
    struct stream *stream = arg;
    for (size_t i = 0; i < stream->count; i++) {
        if (stream->order[i] == item->index) {
            stream->problem = "an input was answered twice";
        }
    }
    if (stream->count == BATCH || stream->wanted[item->index] == NULL) {
        stream->problem = "an answer that cannot be";
        return 1;
    }
    const char *problem =
        stream->wanted[item->index]->count > 0 ? check(stream->wanted[item->index], item) : NULL;
    stream->problem = problem != NULL ? problem : stream->problem;
    stream->order[stream->count++] = item->index;
    return stream->count == stream->stop_after;
}

static void note_end(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    (void)request;
    struct stream *stream = arg;
    stream->ends++;
    stream->count_at_end = stream->count;
    stream->code = err->code;
    hearth_result_free(result);
}

static uint64_t submit(hearth_client *client, const char *model, const char *const *texts,
                       size_t count, bool in_order, struct stream *stream)
{
    hearth_input inputs[BATCH] = {{0}};
    hearth_request_params params = asking(model);
    hearth_error err = {0};
    uint64_t id = 0;
    params.on_item = note_item;
    params.on_done = note_end;
    params.arg = stream;
    params.in_order = in_order;
    for (size_t i = 0; i < count; i++) {
        inputs[i].text = texts[i];
    }
    hearth_submit(client, task_of(model), inputs, count, &params, &id, &err);
    assert_string_equal(err.text, "");
    return id;
}

static void assert_no_problem(const struct stream *stream)
{
    if (stream->problem != NULL) {
        fail_msg("%s", stream->problem);
    }
}

/* One chunk an input, then one end; in the order of the inputs if that is asked for. */
static void check_stream(hearth_client *client, const char *model, bool in_order)
{
    const struct expectation *these[BATCH];
    const char *texts[BATCH];
    size_t count = expectations_of(&expected, model, true, these, BATCH);
    struct stream stream = {.wanted = these};
    assert_int_equal(count, BATCH);
    for (size_t i = 0; i < count; i++) {
        texts[i] = these[i]->text;
    }
    submit(client, model, texts, count, in_order, &stream);
    assert_int_equal(hearth_wait(client, 0, NULL), 0);
    assert_no_problem(&stream);
    assert_int_equal(stream.ends, 1);
    assert_int_equal(stream.code, 0);
    assert_int_equal(stream.count, count);
    assert_int_equal(stream.count_at_end, count);
    for (size_t i = 0; in_order && i < count; i++) {
        assert_int_equal(stream.order[i], i);
    }
}

static void dispatch_until(hearth_client *client, const size_t *fact, size_t wanted)
{
    while (*fact < wanted) {
        struct pollfd fd = {.fd = hearth_client_fd(client),
                            .events = (short)hearth_client_wanted_events(client)};
        assert_true(poll(&fd, 1, hearth_client_timeout_ms(client)) >= 0);
        assert_int_equal(hearth_dispatch(client, NULL), 0);
    }
}

#define ENDLESS_TEXTS 6

/* Texts of the model whose run never ends for "slow", which stands at @slow_at and is the shortest;
 * the next shortest is the first. */
static size_t endless_texts(size_t slow_at, const char **texts, const struct expectation **these)
{
    const struct expectation *all[ENDLESS_TEXTS];
    assert_int_equal(expectations_of(&expected, "endless", true, all, ENDLESS_TEXTS),
                     ENDLESS_TEXTS);
    for (size_t i = 0, next = 0; i <= ENDLESS_TEXTS; i++) {
        these[i] = i == slow_at ? NULL : all[next++];
        texts[i] = i == slow_at ? "slow" : these[i]->text;
        assert_true(i == 0 || i == slow_at || strlen(texts[i]) > strlen(texts[0]));
    }
    return ENDLESS_TEXTS + 1;
}

static void cancel_and_go_on(hearth_client *client, uint64_t id, struct stream *stream,
                             size_t count)
{
    assert_int_equal(hearth_cancel_request(client, id, NULL), 0);
    assert_int_equal(hearth_wait(client, 0, NULL), 0);
    assert_no_problem(stream);
    assert_int_equal(stream->ends, 1);
    assert_int_equal(stream->code, HEARTH_E_CANCELLED);
    assert_int_equal(stream->count, count);
    assert_well(client, "endless"); /* the core is free again */
}

/* All others come while the last one runs, and would for ever: until it is cancelled. */
static void check_chunks_come_while_one_is_held_back(hearth_client *client)
{
    const char *texts[BATCH];
    const struct expectation *these[BATCH];
    struct stream stream = {.wanted = these};
    size_t count = endless_texts(ENDLESS_TEXTS, texts, these);
    uint64_t id = submit(client, "endless", texts, count, false, &stream);
    dispatch_until(client, &stream.count, count - 1);
    assert_int_equal(stream.ends, 0);
    cancel_and_go_on(client, id, &stream, count - 1);
}

/* The longest text is computed first, and so the first one last of those that end: that it comes
 * first shows that the others were held back. What is behind the one that does not end is not told
 * at all, although it was computed. */
static void check_order_holds_back_what_is_ready(hearth_client *client)
{
    const size_t slow_at = 3;
    const char *texts[BATCH];
    const struct expectation *these[BATCH];
    struct stream stream = {.wanted = these};
    size_t count = endless_texts(slow_at, texts, these);
    uint64_t id = submit(client, "endless", texts, count, true, &stream);
    dispatch_until(client, &stream.count, slow_at);
    assert_int_equal(stream.ends, 0);
    cancel_and_go_on(client, id, &stream, slow_at);
    for (size_t i = 0; i < slow_at; i++) {
        assert_int_equal(stream.order[i], i);
    }
}

static void onnx_classifier_streaming(void **state)
{
    (void)state;
    hearth_client *client = connected();
    for (size_t m = 0; m < 2; m++) {
        check_stream(client, classifiers[m], false);
        check_stream(client, classifiers[m], true);
    }
    check_chunks_come_while_one_is_held_back(client);
    check_order_holds_back_what_is_ready(client);
    hearth_disconnect(client);
}

/* It ends as cancelled only if not all had been computed: the first chunk came before the last. */
static void check_cancel_upon_the_first_chunk(hearth_client *client, const char *model)
{
    const struct expectation *these[BATCH];
    const char *texts[BATCH];
    struct stream stream = {.wanted = these, .stop_after = 1};
    assert_int_equal(expectations_of(&expected, model, false, these, BATCH), BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        texts[i] = these[i]->text;
    }
    submit(client, model, texts, BATCH, false, &stream);
    assert_int_equal(hearth_wait(client, 0, NULL), 0);
    assert_no_problem(&stream);
    assert_int_equal(stream.ends, 1);
    assert_int_equal(stream.code, HEARTH_E_CANCELLED);
    assert_int_equal(stream.count, 1); /* nothing is told to whom has seen enough */
    assert_well(client, model);
}

static void onnx_embedder_streaming(void **state)
{
    (void)state;
    hearth_client *client = connected();
    for (size_t m = 0; m < 2; m++) {
        check_stream(client, embedders[m], false);
        check_stream(client, embedders[m], true);
    }
    check_cancel_upon_the_first_chunk(client, embedders[1]);
    hearth_disconnect(client);
}

/* ── Errors ──────────────────────────────────────────────────────────────────────────────────── */

/** A request that must fail, and how. */
struct wrong {
    const char *what;
    const char *model;
    enum hearth_task task;
    size_t count; /* 0: 1 */
    hearth_input input;
    int code;
    const char *part; /* of the text */
    const char *pair;
    const char *query;
    uint32_t dimensions;
    uint32_t timeout_ms;
};

static char over_64_kib[65537 + 1];
static const uint32_t strange_ids[] = {2, 4000000000u, 3};
static uint32_t many_ids[300];

#define CLASSIFIER "tinybert-classifier"
#define EMBEDDER   "minilm-embedder"
#define TEXT(text) .input = {text, NULL, 0}

static const struct wrong wrongs[] = {
    {"no such model", "nowhere", HEARTH_TASK_CLASSIFY, TEXT("a"), .code = HEARTH_E_NO_MODEL,
     .part = "nowhere"},
    {"not loaded", "hearth-intent", HEARTH_TASK_CLASSIFY, TEXT("a"), .code = HEARTH_E_NOT_READY,
     .part = "hearth-intent"},
    {"embed with a classifier", CLASSIFIER, HEARTH_TASK_EMBED, TEXT("a"),
     .code = HEARTH_E_UNSUPPORTED, .part = CLASSIFIER},
    {"classify with an embedder", "all-minilm-l6-v2", HEARTH_TASK_CLASSIFY, TEXT("a"),
     .code = HEARTH_E_UNSUPPORTED, .part = "all-minilm-l6-v2"},
    {"generate with an encoder", CLASSIFIER, HEARTH_TASK_GENERATE, TEXT("a"),
     .code = HEARTH_E_UNSUPPORTED, .part = CLASSIFIER},
    {"entities of a classifier", CLASSIFIER, HEARTH_TASK_ENTITIES, TEXT("a"),
     .code = HEARTH_E_UNSUPPORTED, .part = CLASSIFIER},
    {"rerank with an embedder", EMBEDDER, HEARTH_TASK_RERANK, TEXT("a"), .query = "q",
     .code = HEARTH_E_UNSUPPORTED, .part = EMBEDDER},
    {"no text", CLASSIFIER, HEARTH_TASK_CLASSIFY, TEXT(""), .code = HEARTH_E_INPUT_INVALID,
     .part = "texts[0]: is empty"},
    {"33 texts", CLASSIFIER, HEARTH_TASK_CLASSIFY, 33, TEXT("a"), .code = HEARTH_E_TOO_LARGE,
     .part = "33"},
    {"a text over its limit", CLASSIFIER, HEARTH_TASK_CLASSIFY, TEXT(over_64_kib),
     .code = HEARTH_E_TOO_LARGE, .part = "65537 bytes, the limit is 65536"},
    {"no UTF-8", EMBEDDER, HEARTH_TASK_EMBED, TEXT("ab\xff"), .code = HEARTH_E_INPUT_INVALID,
     .part = "not valid UTF-8 at byte 2"},
    {"an id that the model does not have", EMBEDDER, HEARTH_TASK_EMBED,
     .input = {NULL, strange_ids, 3}, .code = HEARTH_E_INPUT_INVALID, .part = "vocabulary"},
    {"more ids than the model takes", EMBEDDER, HEARTH_TASK_EMBED, .input = {NULL, many_ids, 300},
     .code = HEARTH_E_TOO_LONG, .part = "300"},
    {"a pair for an embedder", EMBEDDER, HEARTH_TASK_EMBED, TEXT("a"), .pair = "b",
     .code = HEARTH_E_INPUT_INVALID, .part = "pair"},
    {"more dimensions than there are", EMBEDDER, HEARTH_TASK_EMBED, TEXT("a"), .dimensions = 65536,
     .code = HEARTH_E_INPUT_INVALID, .part = "65536"},
    {"dimensions of a classifier", CLASSIFIER, HEARTH_TASK_CLASSIFY, TEXT("a"), .dimensions = 2,
     .code = HEARTH_E_INPUT_INVALID, .part = "dimensions"},
    {"a query for a classifier", CLASSIFIER, HEARTH_TASK_CLASSIFY, TEXT("a"), .query = "q",
     .code = HEARTH_E_INPUT_INVALID, .part = "query"},
    {"a deadline inside a run", "endless", HEARTH_TASK_CLASSIFY, TEXT("slow"), .timeout_ms = 30,
     .code = HEARTH_E_EXPIRED, .part = ""},
};

static void assert_wrong(hearth_client *client, const struct wrong *wrong)
{
    hearth_input inputs[BATCH + 1];
    hearth_request_params params = asking(wrong->model);
    hearth_error err = {0};
    size_t count = wrong->count > 0 ? wrong->count : 1;
    params.pairs = wrong->pair != NULL ? &wrong->pair : NULL;
    params.query = wrong->query;
    params.dimensions = wrong->dimensions;
    params.timeout_ms = wrong->timeout_ms > 0 ? wrong->timeout_ms : params.timeout_ms;
    for (size_t i = 0; i < count; i++) {
        inputs[i] = wrong->input;
    }
    int rc = hearth_infer(client, wrong->task, inputs, count, &params, NULL, &err);
    if (rc != wrong->code || strstr(err.text, wrong->part) == NULL) {
        fail_msg("%s: %s, %s", wrong->what, hearth_error_name(rc), err.text);
    }
    assert_non_null(hearth_error_remedy(rc));
    assert_well(client, CLASSIFIER);
    assert_well(client, EMBEDDER);
}

static void assert_cannot_be_loaded(hearth_client *client, const struct bad_model *bad)
{
    hearth_error err = {0};
    int rc = hearth_load(client, bad->model, 60000, NULL, &err);
    if (rc == 0 || strcmp(hearth_error_name(rc), bad->error) != 0 ||
        strstr(err.text, bad->part) == NULL) {
        fail_msg("%s: %s, %s", bad->model, rc == 0 ? "loaded" : hearth_error_name(rc), err.text);
    }
    hearth_model_details *details;
    assert_int_equal(hearth_describe(client, bad->model, &details, &err), 0);
    assert_int_equal(details->model->state, HEARTH_MODEL_FAILED);
    assert_string_equal(hearth_error_name(details->model->error_code), bad->error);
    hearth_model_details_free(details);
    assert_well(client, CLASSIFIER);
}

static void onnx_error_handling(void **state)
{
    (void)state;
    hearth_client *client = connected();
    memset(over_64_kib, 'x', sizeof over_64_kib - 1);
    for (size_t i = 0; i < HEARTH_COUNT(many_ids); i++) {
        many_ids[i] = 5;
    }
    for (size_t i = 0; i < HEARTH_COUNT(wrongs); i++) {
        assert_wrong(client, &wrongs[i]);
    }
    assert_in_range(expected.bad_count, 8, BAD_MODELS_MOST);
    for (size_t i = 0; i < expected.bad_count; i++) {
        assert_cannot_be_loaded(client, &expected.bad[i]);
    }
    assert_well(client, "all-minilm-l6-v2");
    assert_well(client, "endless");
    hearth_disconnect(client);
}

/* ── Limits ──────────────────────────────────────────────────────────────────────────────────── */

static void check_memory(hearth_client *client)
{
    hearth_error err = {0};
    int rc = hearth_load(client, "hearth-intent", 60000, NULL, &err);
    assert_int_equal(rc, HEARTH_E_NO_ROOM);
    double need = 0;
    double have = 0;
    const char *numbers = strpbrk(err.text, "0123456789");
    assert_non_null(numbers);
    if (sscanf(numbers, "%lf MiB of memory wanted, %lf MiB free", &need, &have) != 2) {
        fail_msg("need and have are not told: %s", err.text);
    }
    assert_true(need > have); /* its file is there: what it computes with counts */
    assert_well(client, "all-minilm-l6-v2");
    assert_int_equal(hearth_unload(client, "all-minilm-l6-v2", 60000, &err), 0);
    assert_int_equal(hearth_load(client, "hearth-intent", 60000, NULL, &err), 0);
    assert_well(client, "hearth-intent");
    assert_int_equal(hearth_unload(client, "hearth-intent", 60000, &err), 0);
    assert_int_equal(hearth_load(client, "all-minilm-l6-v2", 60000, NULL, &err), 0);
    assert_well(client, "all-minilm-l6-v2");
}

/* What would need more memory to run than the model may use is refused before it runs. */
static void check_run(hearth_client *client)
{
    const struct expectation *one[1];
    hearth_request_params params = asking("narrow");
    hearth_error err = {0};
    assert_well(client, "narrow");
    assert_int_equal(expectations_of(&expected, "narrow", false, one, 1), 1);
    const char *text = one[0]->text;
    int rc = hearth_embed(client, &text, 1, &params, NULL, &err);
    assert_int_equal(rc, HEARTH_E_TOO_LARGE);
    unsigned tokens = 0;
    unsigned long long need = 0;
    const char *numbers = strpbrk(err.text, "123456789");
    const char *have = strstr(err.text, "this model has 4194304");
    assert_true(numbers != NULL && have != NULL);
    assert_int_equal(sscanf(numbers, "%u tokens needs %llu bytes", &tokens, &need), 2);
    assert_int_equal(tokens, 256);
    assert_true(need > 4194304);
    assert_well(client, "narrow");
}

static void check_length(hearth_client *client, const char *model, uint32_t most)
{
    uint32_t ids[1024];
    hearth_request_params params = asking(model);
    hearth_error err = {0};
    for (size_t i = 0; i < HEARTH_COUNT(ids); i++) {
        ids[i] = 5;
    }
    const hearth_input full = {.token_ids = ids, .token_id_count = most};
    const hearth_input more = {.token_ids = ids, .token_id_count = most + 1};
    char need[16];
    char have[16];
    snprintf(need, sizeof need, "%u", most + 1);
    snprintf(have, sizeof have, "%u", most);
    enum hearth_task task = task_of(model);
    assert_int_equal(hearth_infer(client, task, &more, 1, &params, NULL, &err), HEARTH_E_TOO_LONG);
    assert_non_null(strstr(err.text, need));
    assert_non_null(strstr(err.text, have));
    assert_int_equal(hearth_infer(client, task, &full, 1, &params, NULL, NULL), 0);
}

/* queue_limit is 4: behind what the worker holds, none of which ever ends, that many wait. */
static void check_queue(hearth_client *client)
{
    enum { ASKED = 128 };
    static struct stream streams[ASKED];
    uint64_t ids[ASKED];
    const char *slow[] = {"slow"};
    static const struct expectation any = {.count = 0};
    static const struct expectation *const anything[] = {&any};
    size_t refused = 0;
    for (size_t i = 0; i < ASKED; i++) {
        streams[i] = (struct stream){.wanted = anything};
        ids[i] = submit(client, "endless", slow, 1, false, &streams[i]);
    }
    const hearth_health_report *report;
    assert_int_equal(hearth_health(client, HEARTH_CHECK_FULL, &report, NULL), 0); /* behind them */
    for (size_t i = 0; i < ASKED; i++) {
        assert_true(streams[i].ends == 0 || streams[i].code == HEARTH_E_QUEUE_FULL);
        refused += streams[i].ends;
    }
    assert_int_equal(report->queue_depth, 4);
    assert_in_range(refused, 1, ASKED - 4);
    for (size_t i = 0; i < ASKED; i++) {
        if (streams[i].ends == 0) {
            assert_int_equal(hearth_cancel_request(client, ids[i], NULL), 0);
        }
    }
    assert_int_equal(hearth_wait(client, 0, NULL), 0);
    for (size_t i = 0; i < ASKED; i++) {
        assert_int_equal(streams[i].ends, 1);
    }
    assert_well(client, "endless");
}

static void onnx_resource_limits(void **state)
{
    (void)state;
    hearth_client *client = connected();
    check_memory(client);
    check_run(client);
    check_length(client, CLASSIFIER, 128);
    check_length(client, "all-minilm-l6-v2", 256);
    check_queue(client);
    assert_well(client, CLASSIFIER);
    hearth_disconnect(client);
}

/* ── Load ────────────────────────────────────────────────────────────────────────────────────── */

/** A client of its own in a thread of its own; cmocka may be asked nothing here. */
struct load {
    pthread_t thread;
    struct kit_random random;
    const char *problem;
    size_t answered;
    size_t texts;
};

/* Small models often, large ones now and then: what counts is that no two are mixed up. */
static const char *choose_model(struct kit_random *random)
{
    uint64_t choice = kit_random_below(random, 20);
    return choice < 9    ? classifiers[0]
           : choice < 18 ? embedders[0]
           : choice < 19 ? classifiers[1]
                         : embedders[1];
}

static const char *load_once(hearth_client *client, struct load *load)
{
    const struct expectation *all[LOAD_EXPECTATIONS];
    const struct expectation *these[LOAD_BATCH];
    hearth_input inputs[LOAD_BATCH] = {{0}};
    const char *model = choose_model(&load->random);
    size_t known = expectations_of(&expected, model, true, all, LOAD_EXPECTATIONS);
    size_t count = 1 + kit_random_below(&load->random, LOAD_BATCH);
    for (size_t i = 0; i < count; i++) {
        these[i] = all[kit_random_below(&load->random, known)];
        inputs[i].text = these[i]->text;
    }
    hearth_request_params params = asking(model);
    hearth_result *result;
    if (hearth_infer(client, task_of(model), inputs, count, &params, &result, NULL) < 0) {
        return "a request failed";
    }
    const char *problem = hearth_result_count(result) == count ? NULL : "not as many answers";
    for (size_t i = 0; i < count && problem == NULL; i++) {
        problem = check(these[i], hearth_result_item(result, i));
    }
    hearth_result_free(result);
    load->texts += count;
    return problem;
}

static void *run_load(void *arg)
{
    struct load *load = arg;
    hearth_connect_params params = hearth_connect_params_default();
    hearth_client *client;
    params.socket_path = socket_path;
    if (hearth_connect(&params, &client, NULL) < 0) {
        load->problem = "no connection";
        return NULL;
    }
    for (size_t i = 0; i < LOAD_REQUESTS && load->problem == NULL; i++) {
        load->problem = load_once(client, load);
        load->answered += load->problem == NULL;
    }
    hearth_disconnect(client);
    return NULL;
}

static void onnx_concurrent_load(void **state)
{
    (void)state;
    struct load loads[LOAD_CLIENTS];
    size_t texts = 0;
    for (size_t i = 0; i < LOAD_CLIENTS; i++) {
        loads[i] = (struct load){.random = {kit_random_seed(i + 1)}};
        assert_int_equal(pthread_create(&loads[i].thread, NULL, run_load, &loads[i]), 0);
    }
    for (size_t i = 0; i < LOAD_CLIENTS; i++) {
        assert_int_equal(pthread_join(loads[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < LOAD_CLIENTS; i++) {
        if (loads[i].problem != NULL) {
            fail_msg("client %zu, request %zu: %s", i, loads[i].answered, loads[i].problem);
        }
        assert_int_equal(loads[i].answered, LOAD_REQUESTS);
        texts += loads[i].texts;
    }
    printf("# %d requests of %zu texts, each answer checked\n", LOAD_CLIENTS * LOAD_REQUESTS,
           texts);
}

/* ── The program ─────────────────────────────────────────────────────────────────────────────── */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(onnx_classifier_basic),     cmocka_unit_test(onnx_classifier_batch),
        cmocka_unit_test(onnx_classifier_streaming), cmocka_unit_test(onnx_embedder_basic),
        cmocka_unit_test(onnx_embedder_batch),       cmocka_unit_test(onnx_embedder_streaming),
        cmocka_unit_test(onnx_error_handling),       cmocka_unit_test(onnx_resource_limits),
        cmocka_unit_test(onnx_concurrent_load)};
    size_t known = 0;
    for (size_t i = 0; argc == 4 && i < HEARTH_COUNT(tests); i++) {
        known += strcmp(tests[i].name, argv[1]) == 0;
    }
    if (known != 1) {
        fprintf(stderr, "usage: %s TEST SOCKET EXPECTATIONS\n", argv[0]);
        return 2;
    }
    socket_path = argv[2];
    alarm(SECONDS);
    kit_begin();
    expectations_read(argv[3], &expected);
    cmocka_set_test_filter(argv[1]);
    int failed = cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
    expectations_free(&expected);
    return kit_end(failed);
}
