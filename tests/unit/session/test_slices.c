/* What ends many requests does so a bounded number at a time: nobody else waits for all of it. */

#include "world.h"

#include <stdio.h>
#include <string.h>

enum { CLIENTS = 10, MANY = 1000, SOME = 200, SLICE = 64 };

struct crowd {
    struct client clients[CLIENTS];
    unsigned each;
    struct fake_worker worker;
};

static uint64_t ended(const struct world *w)
{
    return hearth_metrics_value(&w->metrics, HEARTH_COUNTER_REQUESTS_FAILED) +
           hearth_metrics_value(&w->metrics, HEARTH_COUNTER_REQUESTS_CANCELLED);
}

/* One request runs, the others of @each of the clients wait. */
static void gather(struct world *w, struct crowd *crowd, unsigned each)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    struct hearth_wire_text text = {.text = hearth_slice_of_string("abc")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *asked = &message.as.inference_request;
    w->config.queue_limit = CLIENTS * MANY;
    crowd->each = each;
    world_start(w);
    crowd->worker = worker_loaded(w, "gen", 1);
    hearth_wire_default_request(asked);
    asked->task = HEARTH_TASK_GENERATE;
    asked->model_id = hearth_slice_of_string("gen");
    asked->texts = (struct hearth_wire_list){.count = 1, .items = &text};
    hearth_buf_init(&frame, 4096);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = &crowd->clients[i];
        *client = client_session(w);
        for (asked->request_id = 1; asked->request_id <= each; asked->request_id++) {
            hearth_buf_clear(&frame);
            assert_int_equal(hearth_buf_append(&frame, "\0\0\0\0", 4), 0);
            assert_int_equal(hearth_wire_encode(&message, &frame), 0);
            frame.data[0] = (uint8_t)(frame.size - 4);
            size_t sent = 0;
            while (hearth_socket_send(client->fd, frame.data, frame.size, &sent) != 0) {
                world_settle(w);
            }
            assert_int_equal(sent, frame.size);
        }
        world_settle(w);
    }
    (void)worker_hear_request(w, &crowd->worker);
}

/* Runs rounds until @wanted have ended. Each callback is a slice: what one round ends is told by
 * the number of its callbacks. Prints how long the longest was, which depends on the machine. */
static void end_in_slices(struct world *w, uint64_t wanted)
{
    while (ended(w) < wanted) {
        struct hearth_loop_stats before;
        struct hearth_loop_stats after;
        uint64_t ended_before = ended(w);
        hearth_loop_stats(w->loop, &before);
        assert_int_equal(hearth_loop_run_once(w->loop, 0, NULL), 0);
        hearth_loop_stats(w->loop, &after);
        assert_true(ended(w) - ended_before <= SLICE * (after.callbacks - before.callbacks));
    }
    print_message("# %llu ended; the longest callback took %llu us\n", (unsigned long long)ended(w),
                  (unsigned long long)w->metrics.histograms[HEARTH_HISTOGRAM_LOOP_CALLBACK].max);
}

/* Without a turn of the loop for each: there are many. */
static struct hearth_message next_answer(struct world *w, struct client *client)
{
    struct hearth_slice frame;
    struct hearth_message message;
    int rc;
    while ((rc = hearth_frame_reader_next(&client->reader, &frame)) == HEARTH_E_NOT_READY) {
        rc = hearth_frame_reader_fill(&client->reader, client->fd);
        if (rc == HEARTH_E_NOT_READY) {
            world_settle(w);
        } else {
            assert_int_equal(rc, 0);
        }
    }
    assert_int_equal(hearth_wire_decode(frame, &message, NULL), 0);
    return message;
}

static void drain_clients(struct world *w, struct crowd *crowd, int code)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned n = i == 0; n < crowd->each; n++) { /* the first of all runs */
            struct hearth_message told = next_answer(w, &crowd->clients[i]);
            assert_int_equal(told.type, HEARTH_MSG_inference_response);
            assert_int_equal(-(int)told.as.inference_response.code, code);
        }
        assert_true(client_is_silent(w, &crowd->clients[i]));
        client_close(w, &crowd->clients[i]);
    }
}

static void restart_histogram(struct world *w)
{
    w->metrics.histograms[HEARTH_HISTOGRAM_LOOP_CALLBACK] = (struct hearth_histogram_cells){0};
}

static void ten_thousand_waiting_requests_fail_in_slices(void **state)
{
    struct world *w = *state;
    struct crowd crowd;
    gather(w, &crowd, MANY);
    struct client other = client_session(w);
    struct hearth_message unload = {
        .type = HEARTH_MSG_unload_request,
        .as.unload_request = {.request_id = 1, .model_id = hearth_slice_of_string("gen")}};
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 4096);
    assert_int_equal(hearth_buf_append(&frame, "\0\0\0\0", 4), 0);
    assert_int_equal(hearth_wire_encode(&unload, &frame), 0);
    frame.data[0] = (uint8_t)(frame.size - 4);
    size_t sent = 0;
    restart_histogram(w);
    assert_int_equal(hearth_socket_send(other.fd, frame.data, frame.size, &sent), 0);
    end_in_slices(w, CLIENTS * crowd.each - 1);
    drain_clients(w, &crowd, HEARTH_E_NOT_READY);
    client_close(w, &other);
    worker_finish(&crowd.worker);
}

static void a_drain_tells_all_that_wait_before_it_ends(void **state)
{
    struct world *w = *state;
    struct crowd crowd;
    gather(w, &crowd, SOME);
    restart_histogram(w);
    hearth_server_drain(w->server);
    end_in_slices(w, CLIENTS * crowd.each - 1);
    drain_clients(w, &crowd, HEARTH_E_SHUTTING_DOWN);
    assert_int_equal(w->ends, 0);
    worker_die(w, &crowd.worker); /* that which runs */
    assert_int_equal(w->ends, 1);
}

static void clients_that_leave_give_up_their_requests_in_slices(void **state)
{
    struct world *w = *state;
    struct crowd crowd;
    gather(w, &crowd, SOME);
    restart_histogram(w);
    for (unsigned i = 0; i < CLIENTS; i++) {
        hearth_frame_reader_finish(&crowd.clients[i].reader);
        hearth_fd_close(&crowd.clients[i].fd);
    }
    end_in_slices(w, CLIENTS * crowd.each - 1);
    worker_die(w, &crowd.worker);
}

static void requests_of_one_deadline_expire_in_slices(void **state)
{
    struct world *w = *state;
    struct crowd crowd;
    w->config.request_timeout_ms = 300;
    gather(w, &crowd, SOME);
    restart_histogram(w);
    end_in_slices(w, CLIENTS * crowd.each - 1);
    drain_clients(w, &crowd, HEARTH_E_EXPIRED);
    worker_finish(&crowd.worker);
}

/* A folder with many entries is looked at in steps, and the list comes when all was seen. */
static void a_large_models_folder_is_scanned_in_steps(void **state)
{
    enum { FILES = 1500 };
    struct world *w = *state;
    char path[200];
    world_start(w);
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/file-%u", w->root, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
    }
    snprintf(path, sizeof path, "%s/late.manifest.json", w->root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"model_id\":\"late\",\"architecture\":\"echo\",\"capabilities\":[\"embedding\"]}",
          file);
    assert_int_equal(fclose(file), 0);
    struct client client = client_session(w);
    restart_histogram(w);
    struct hearth_loop_stats before;
    struct hearth_loop_stats after;
    hearth_loop_stats(w->loop, &before);
    struct hearth_message list = {.type = HEARTH_MSG_models_request};
    client_send(w, &client, &list);
    list = client_take(w, &client);
    hearth_loop_stats(w->loop, &after);
    assert_int_equal(list.as.models_response.models.count, 5);
    assert_true(after.callbacks - before.callbacks > 2 * FILES / (8 * SLICE));
    print_message("# the longest callback took %llu us\n",
                  (unsigned long long)w->metrics.histograms[HEARTH_HISTOGRAM_LOOP_CALLBACK].max);
    client_close(w, &client);
}

KIT_MAIN(WORLD_TEST(ten_thousand_waiting_requests_fail_in_slices),
         WORLD_TEST(a_drain_tells_all_that_wait_before_it_ends),
         WORLD_TEST(clients_that_leave_give_up_their_requests_in_slices),
         WORLD_TEST(requests_of_one_deadline_expire_in_slices),
         WORLD_TEST(a_large_models_folder_is_scanned_in_steps))
