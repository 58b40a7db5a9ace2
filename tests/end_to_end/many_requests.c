/* many_requests.c — REQUESTS at once over one connection of libhearth, some of them cancelled, by
 * their id, at random moments: each ends exactly once, and what was not cancelled is right. Knows
 * the echo models tiny, classifier and embedder; prints its counts as JSON.
 *
 *     many_requests REQUESTS SEED */

#include <hearth/hearth.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 4096

struct job {
    uint64_t id;
    enum hearth_task task;
    char text[32];   /* what is to be answered, behind what the echo model is told to do */
    char prompt[64]; /* both */
    size_t ended;
    size_t pieces;
    int was_cancelled;
};

static struct job jobs[MOST];
static size_t count, ended, right, cancelled, wrong;
static hearth_client *client;
static uint64_t state;

/* xorshift64: the test is the same for the same seed. */
static uint64_t next_random(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static int stop(const char *what, const hearth_error *err)
{
    fprintf(stderr, "many_requests: %s: %s\n", what, err->text);
    exit(1);
}

static void cancel_any(void)
{
    struct job *job = &jobs[next_random(count)];
    if (job->id != 0 && hearth_cancel_request(client, job->id, NULL) == 0) {
        job->was_cancelled = 1;
    }
}

static int count_piece(const hearth_item *item, void *arg)
{
    struct job *job = arg;
    (void)item;
    job->pieces++;
    return 0;
}

/* The echo model answers a prompt backwards, and has three classes and eight dimensions. */
static int is_right(const struct job *job, const hearth_item *item)
{
    if (job->task == HEARTH_TASK_CLASSIFY) {
        return item->label_count == 3;
    }
    if (job->task == HEARTH_TASK_EMBED) {
        return item->dimensions == 8;
    }
    size_t size = strlen(job->text);
    for (size_t i = 0; i < size; i++) {
        if (item->text_bytes != size || item->text[i] != job->text[size - 1 - i]) {
            return 0;
        }
    }
    return 1;
}

static void done(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    struct job *job = arg;
    job->ended++;
    ended++;
    if (job->id != request || job->ended > 1) {
        wrong++;
    } else if (err->code == 0 && is_right(job, hearth_result_item(result, 0))) {
        right++;
    } else if (err->code == HEARTH_E_CANCELLED && job->was_cancelled) {
        cancelled++;
    } else {
        fprintf(stderr, "request %zu: %s\n", (size_t)(job - jobs), err->text);
        wrong++;
    }
    hearth_result_free(result);
    if (next_random(8) == 0) {
        cancel_any();
    }
}

static void submit(struct job *job)
{
    static const char *const models[] = {"classifier", "embedder", "tiny"};
    static const char *const orders[] = {"", "", "slow:1ms ", "slow:5ms "};
    hearth_request_params params = hearth_request_params_default();
    hearth_input input = {0};
    hearth_error err;
    job->task = (enum hearth_task)next_random(3);
    snprintf(job->text, sizeof job->text, "text %llx", (unsigned long long)next_random(1u << 20));
    snprintf(job->prompt, sizeof job->prompt, "%s%s", orders[next_random(4)], job->text);
    params.model = models[job->task];
    params.priority = (enum hearth_priority)next_random(4);
    params.on_item = next_random(2) ? count_piece : NULL;
    params.on_done = done;
    params.arg = job;
    input.text = job->prompt;
    if (hearth_submit(client, job->task, &input, 1, &params, &job->id, &err) < 0) {
        stop("submit", &err);
    }
}

/* Takes the spans of all that has ended, some hundred at a time; each is told once. */
static size_t take_spans(size_t *ret_cancelled)
{
    hearth_error err;
    size_t taken = 0;
    for (size_t got = 1; got > 0;) {
        hearth_span_list *list;
        if (hearth_spans(client, 300, &list, &err) < 0) {
            stop("spans", &err);
        }
        got = hearth_span_list_count(list);
        taken += got + (size_t)hearth_span_list_lost(list);
        for (size_t i = 0; i < got; i++) {
            const hearth_span *span = hearth_span_list_at(list, i);
            *ret_cancelled += span->code == HEARTH_E_CANCELLED;
            wrong += span->queue_us > span->total_us || span->inputs != 1;
        }
        hearth_span_list_free(list);
    }
    return taken;
}

int main(int argc, char **argv)
{
    hearth_error err;
    size_t once = 0, spans = 0, spans_cancelled = 0;
    count = argc == 3 ? (size_t)strtoul(argv[1], NULL, 10) : 0;
    state = argc == 3 ? strtoull(argv[2], NULL, 10) + 1 : 0;
    if (count == 0 || count > MOST) {
        fprintf(stderr, "usage: many_requests REQUESTS SEED\n");
        return 2;
    }
    if (hearth_connect_start(NULL, &client, &err) < 0) {
        stop("connect", &err);
    }
    for (size_t i = 0; i < count; i++) {
        submit(&jobs[i]);
    }
    while (ended < count) {
        struct pollfd fd = {.fd = hearth_client_fd(client),
                            .events = (short)hearth_client_wanted_events(client)};
        poll(&fd, 1, hearth_client_timeout_ms(client));
        if (hearth_dispatch(client, &err) < 0) {
            stop("dispatch", &err);
        }
        cancel_any();
    }
    for (size_t i = 0; i < count; i++) {
        once += jobs[i].ended == 1;
    }
    spans = take_spans(&spans_cancelled);
    printf("{\"spans\": %zu, \"spans_cancelled\": %zu, ", spans, spans_cancelled);
    printf("\"once\": %zu, \"right\": %zu, \"cancelled\": %zu, \"wrong\": %zu, \"open\": %zu}\n",
           once, right, cancelled, wrong, hearth_client_open_requests(client));
    hearth_disconnect(client);
    return wrong == 0 && once == count ? 0 : 1;
}
