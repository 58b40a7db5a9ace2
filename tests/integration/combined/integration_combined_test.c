#include "started_daemon.h"

#include <math.h>

/* Classifier, embedder and generator behind one daemon, asked at once by eight connections. What
 * each answers is what it answers when it is asked alone: an exact request to the bit, and so are
 * labels and vectors up to what the last bits of a sum may differ by. */

#define CLIENTS 8
#define ROUNDS  2
#define KINDS   3
#define TEXTS   4
#define TOKENS  8
#define NEAR    1e-5f /* of probabilities and of numbers of unit vectors */

enum kind { CLASSIFY, EMBED, GENERATE };

static const char *const models[KINDS] = {"hearth-intent", "all-minilm-l6-v2", SMOL};
static const enum hearth_task tasks[KINDS] = {HEARTH_TASK_CLASSIFY, HEARTH_TASK_EMBED,
                                              HEARTH_TASK_GENERATE};
static const char *const texts[TEXTS] = {
    "wake me at seven", "The capital of France is", "play some jazz in the kitchen",
    "Once upon a time there was a small fox who lived at the edge of the wood, and"};

struct question {
    enum kind kind;
    unsigned text;
    unsigned ends; /* times that on_done came */
    int code;      /* that it ended with */
    bool is_as_alone;
};

struct world {
    struct started_daemon daemon;
    hearth_result *alone[KINDS][TEXTS];
    hearth_client *clients[CLIENTS];
};

static struct world world;

static hearth_request_params asking(enum kind kind)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = models[kind];
    if (kind == GENERATE) {
        params = greedy(SMOL, TOKENS);
        params.exact = 1;
    }
    return params;
}

static bool are_near(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(a[i] - b[i]) <= NEAR)) {
            return false;
        }
    }
    return true;
}

static bool are_equal_labels(const hearth_item *a, const hearth_item *b)
{
    bool are = a->label_count == b->label_count && a->label_count > 1;
    for (size_t i = 0; are && i < a->label_count; i++) {
        are = strcmp(a->labels[i].name, b->labels[i].name) == 0 &&
              are_near(&a->labels[i].probability, &b->labels[i].probability, 1);
    }
    return are;
}

static bool are_same(enum kind kind, const hearth_item *a, const hearth_item *b)
{
    switch (kind) {
    case CLASSIFY: return are_equal_labels(a, b);
    case EMBED:
        return a->dimensions == 384 && b->dimensions == 384 && are_near(a->vector, b->vector, 384);
    case GENERATE:
        return a->token_id_count == b->token_id_count && strcmp(a->text, b->text) == 0 &&
               memcmp(a->token_ids, b->token_ids, a->token_id_count * sizeof(uint32_t)) == 0;
    }
    return false;
}

static int start(void **state)
{
    (void)state;
    daemon_start(&world.daemon, STORES, (const char *[]){models[0], models[1], models[2], NULL});
    for (size_t i = 0; i < CLIENTS; i++) {
        world.clients[i] = daemon_connect(&world.daemon);
        assert_non_null(world.clients[i]);
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned text = 0; text < TEXTS; text++) {
            const hearth_input input = {.text = texts[text]};
            hearth_request_params params = asking((enum kind)kind);
            hearth_error err = {0};
            hearth_infer(world.clients[0], tasks[kind], &input, 1, &params,
                         &world.alone[kind][text], &err);
            assert_string_equal(err.text, "");
        }
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KINDS * TEXTS; i++) {
        hearth_result_free(world.alone[i / TEXTS][i % TEXTS]);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        hearth_disconnect(world.clients[i]);
    }
    daemon_stop(&world.daemon);
    return 0;
}

static void done(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    struct question *question = arg;
    (void)request;
    question->ends++;
    question->code = err->code;
    question->is_as_alone =
        result != NULL &&
        are_same(question->kind, hearth_result_item(result, 0),
                 hearth_result_item(world.alone[question->kind][question->text], 0));
    hearth_result_free(result);
}

/* Each connection has all of its questions under way at once; kinds and texts are mixed. */
static void submit_all(struct question questions[CLIENTS][ROUNDS * KINDS])
{
    memset(questions, 0, sizeof(struct question[CLIENTS][ROUNDS * KINDS]));
    for (unsigned i = 0; i < CLIENTS * ROUNDS * KINDS; i++) {
        unsigned client = i % CLIENTS;
        struct question *question = &questions[client][i / CLIENTS];
        question->kind = (enum kind)((i / CLIENTS + client) % KINDS);
        question->text = (i / CLIENTS + 3 * client) % TEXTS;
        const hearth_input input = {.text = texts[question->text]};
        hearth_request_params params = asking(question->kind);
        params.on_done = done;
        params.arg = question;
        assert_int_equal(hearth_submit(world.clients[client], tasks[question->kind], &input, 1,
                                       &params, NULL, NULL),
                         0);
    }
}

static size_t open_requests(void)
{
    size_t open = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        open += hearth_client_open_requests(world.clients[i]);
    }
    return open;
}

/* Dispatches until at most @most are open. */
static void dispatch_until(size_t most)
{
    while (open_requests() > most) {
        for (size_t i = 0; i < CLIENTS; i++) {
            hearth_wait(world.clients[i], 5, NULL); /* 5 ms each: all are looked at in turn */
        }
    }
}

static void mixed_requests_are_answered_as_alone(void **state)
{
    (void)state;
    struct question questions[CLIENTS][ROUNDS * KINDS];
    submit_all(questions);
    dispatch_until(0);
    for (unsigned i = 0; i < CLIENTS * ROUNDS * KINDS; i++) {
        const struct question *question = &questions[i % CLIENTS][i / CLIENTS];
        assert_int_equal(question->ends, 1);
        if (question->code != 0 || !question->is_as_alone) {
            fail_msg("%s, text %u: code %d, or not as alone", models[question->kind],
                     question->text, question->code);
        }
    }
}

static pid_t worker_of(const char *model)
{
    hearth_model_details *details;
    hearth_error err = {0};
    hearth_describe(world.clients[0], model, &details, &err);
    assert_string_equal(err.text, "");
    pid_t pid = (pid_t)details->model->worker_pid;
    hearth_model_details_free(details);
    return pid;
}

/* The worker of @victim dies when a third of all is answered. Its requests end with an answer as
 * alone or with worker_lost, those of the others as alone; and afterwards it answers as before. */
static void dies_alone(enum kind victim)
{
    struct question questions[CLIENTS][ROUNDS * KINDS];
    unsigned lost = 0;
    pid_t before[KINDS];
    for (unsigned kind = 0; kind < KINDS; kind++) {
        before[kind] = worker_of(models[kind]);
        assert_true(before[kind] > 0);
    }
    submit_all(questions);
    dispatch_until(CLIENTS * ROUNDS * KINDS * 2 / 3);
    assert_int_equal(kill(before[victim], SIGKILL), 0);
    dispatch_until(0);
    for (unsigned i = 0; i < CLIENTS * ROUNDS * KINDS; i++) {
        const struct question *question = &questions[i % CLIENTS][i / CLIENTS];
        bool is_lost = question->kind == victim && question->code == HEARTH_E_WORKER_LOST;
        assert_int_equal(question->ends, 1);
        lost += is_lost;
        if (!is_lost && (question->code != 0 || !question->is_as_alone)) {
            fail_msg("%s, text %u: code %d, or not as alone", models[question->kind],
                     question->text, question->code);
        }
    }
    printf("# %u of %u requests were lost with the worker of %s\n", lost,
           (unsigned)(CLIENTS * ROUNDS), models[victim]);
    daemon_load(world.clients[0], models[victim]); /* waits until it is back */
    for (unsigned kind = 0; kind < KINDS; kind++) {
        assert_int_equal(worker_of(models[kind]) != before[kind], kind == victim);
    }
    for (unsigned text = 0; text < TEXTS; text++) {
        const hearth_input input = {.text = texts[text]};
        hearth_request_params params = asking(victim);
        hearth_result *result = NULL;
        hearth_infer(world.clients[0], tasks[victim], &input, 1, &params, &result, NULL);
        assert_non_null(result);
        assert_true(are_same(victim, hearth_result_item(result, 0),
                             hearth_result_item(world.alone[victim][text], 0)));
        hearth_result_free(result);
    }
}

static void a_generator_that_dies_takes_nobody_with_it(void **state)
{
    (void)state;
    dies_alone(GENERATE);
}

static void an_encoder_that_dies_takes_nobody_with_it(void **state)
{
    (void)state;
    dies_alone(EMBED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_requests_are_answered_as_alone),
        cmocka_unit_test(a_generator_that_dies_takes_nobody_with_it),
        cmocka_unit_test(an_encoder_that_dies_takes_nobody_with_it),
    };
    kit_begin();
    return kit_end(cmocka_run_group_tests_name("integration_combined_test", tests, start, stop));
}
