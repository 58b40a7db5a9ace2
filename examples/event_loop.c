/* event_loop.c — eight requests at once in a loop around poll(), which would wait for other
 * descriptors of the program too; the last request is cancelled under way.
 *
 *     event_loop MODEL PROMPT */

#include <hearth/hearth.h>

#include <poll.h>
#include <stdio.h>

#define REQUESTS 8

struct job {
    int number;
    int *left;
};

/* Called by hearth_dispatch() once for each request. */
static void done(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    const struct job *job = arg;
    (void)request; /* its id; the job knows enough */
    if (result != NULL) {
        printf("%d: %s\n", job->number, hearth_result_item(result, 0)->text);
    } else {
        printf("%d: %s\n", job->number, hearth_error_name(err->code));
    }
    hearth_result_free(result);
    (*job->left)--;
}

static int run_loop(hearth_client *client, const int *left, hearth_error *err)
{
    int rc = 0;
    while (*left > 0 && rc == 0) {
        struct pollfd fds[1];
        fds[0].fd = hearth_client_fd(client);
        fds[0].events = (short)hearth_client_wanted_events(client);
        if (poll(fds, 1, hearth_client_timeout_ms(client)) < 0) {
            continue; /* a signal */
        }
        rc = hearth_dispatch(client, err);
    }
    return rc;
}

static int submit_all(hearth_client *client, const char *model, const char *prompt,
                      struct job *jobs, int *left, hearth_error *err)
{
    hearth_request_params params = hearth_request_params_default();
    hearth_input input = {NULL, NULL, 0};
    uint64_t request = 0;
    int i;
    params.model = model;
    params.max_tokens = 16;
    params.on_done = done;
    input.text = prompt;
    for (i = 0; i < REQUESTS; i++) {
        int rc;
        jobs[i].number = i;
        jobs[i].left = left;
        params.arg = &jobs[i];
        params.seed = (uint64_t)i;
        rc = hearth_submit(client, HEARTH_TASK_GENERATE, &input, 1, &params, &request, err);
        if (rc < 0) {
            return rc; /* HEARTH_E_QUEUE_FULL: dispatch, then submit the rest */
        }
        (*left)++;
    }
    return hearth_cancel_request(client, request, err);
}

int main(int argc, char **argv)
{
    hearth_client *client;
    hearth_error err;
    struct job jobs[REQUESTS];
    int left = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: event_loop MODEL PROMPT\n");
        return 2;
    }
    /* Does not wait for the daemon either: the session opens inside the loop. */
    if (hearth_connect_start(NULL, &client, &err) < 0) {
        fprintf(stderr, "event_loop: %s\n", err.text);
        return 1;
    }
    if (submit_all(client, argv[1], argv[2], jobs, &left, &err) < 0 ||
        run_loop(client, &left, &err) < 0) {
        fprintf(stderr, "event_loop: %s\n", err.text);
        hearth_disconnect(client);
        return 1;
    }
    hearth_disconnect(client);
    return 0;
}
