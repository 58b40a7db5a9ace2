#include "scripted_server.h"

#include <hearth/hearth.h>

#include <pthread.h>
#include <sched.h>

/* Cancels from other threads while one submits and dispatches. The thread checker sees to it that
 * they share nothing but what has a lock. */

#define REQUESTS  2000
#define UNDER_WAY 24

struct crowd {
    hearth_client *client;
    _Atomic uint64_t newest; /* id that was submitted last */
    _Atomic bool is_over;
    _Atomic size_t asked; /* cancels that were taken */
    size_t submitted;
    size_t ended;
    size_t cancelled;
};

/* Goes round among the newest, so that open, ended and future ones are met. */
static void *cancel_some(void *arg)
{
    struct crowd *crowd = arg;
    for (uint64_t i = 0; !crowd->is_over; i++) {
        uint64_t id = crowd->newest + 2 - i % (UNDER_WAY + 4);
        int rc = hearth_cancel_request(crowd->client, id, NULL);
        assert_true(rc == 0 || rc == HEARTH_E_NO_REQUEST);
        crowd->asked += rc == 0;
        sched_yield(); /* the lock is not fair: the one who dispatches wants it too */
    }
    return NULL;
}

static void count_end(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    struct crowd *crowd = arg;
    (void)request;
    assert_true(err->code == 0 || err->code == HEARTH_E_CANCELLED);
    crowd->ended++;
    crowd->cancelled += err->code == HEARTH_E_CANCELLED;
    hearth_result_free(result);
}

static void submit_one(struct crowd *crowd, const char *text)
{
    hearth_request_params params = hearth_request_params_default();
    const hearth_input input = {.text = text};
    uint64_t id = 0;
    params.model = "parity";
    params.on_done = count_end;
    params.arg = crowd;
    hearth_error err = {0};
    hearth_submit(crowd->client, HEARTH_TASK_CLASSIFY, &input, 1, &params, &id, &err);
    assert_string_equal(err.text, "");
    crowd->newest = id;
    crowd->submitted++;
}

static void other_threads_cancel_while_one_dispatches(void **state)
{
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = ((struct scripted_server *)*state)->path;
    struct crowd crowd = {0};
    assert_int_equal(hearth_connect(&params, &crowd.client, NULL), 0);
    pthread_t threads[2];
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, cancel_some, &crowd), 0);
    }
    while (crowd.submitted < REQUESTS) {
        for (size_t i = 0; i < UNDER_WAY; i++) {
            submit_one(&crowd, "hold");
        }
        for (size_t before = crowd.ended; crowd.ended == before;) {
            hearth_wait(crowd.client, 1, NULL); /* until they have ended one */
        }
        submit_one(&crowd, "release");
        assert_int_equal(hearth_wait(crowd.client, 20000, NULL), 0);
        assert_int_equal(crowd.ended, crowd.submitted);
    }
    crowd.is_over = true;
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(crowd.cancelled >= REQUESTS / (UNDER_WAY + 1) && crowd.cancelled <= crowd.asked);
    hearth_disconnect(crowd.client);
}

/* ── A daemon that does not read ─────────────────────────────────────────────────────────────── */

static void *cancel_one(void *arg)
{
    struct crowd *crowd = arg;
    assert_int_equal(hearth_cancel_request(crowd->client, crowd->newest, NULL), 0);
    return NULL;
}

/* The socket is full to the last byte and the owner waits for answers only: who cancels waits for
 * room himself, for a second at the most, and then leaves the rest to the owner. */
static void a_cancel_leaves_although_nobody_waits_for_room(void **state)
{
    struct scripted_server *server = *state;
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = server->path;
    struct crowd crowd = {0};
    assert_int_equal(hearth_connect(&params, &crowd.client, NULL), 0);
    assert_int_equal(kill(server->pid, SIGSTOP), 0);
    submit_one(&crowd, "hold");
    pthread_t thread;
    int fd = hearth_client_fd(crowd.client);
    char filler[4096] = {0};
    size_t sent = 0;
    while (hearth_socket_send(fd, filler, sizeof filler, &sent) == 0) {
        /* fills the socket behind the library's back: what follows is no frame, and not read */
    }
    uint64_t start_ns = hearth_clock_ns();
    assert_int_equal(pthread_create(&thread, NULL, cancel_one, &crowd), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(hearth_clock_ns() - start_ns >= 900 * HEARTH_NS_PER_MS);
    hearth_disconnect(crowd.client);
    assert_int_equal(kill(server->pid, SIGCONT), 0);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(WITH_SERVER(other_threads_cancel_while_one_dispatches),
         WITH_SERVER(a_cancel_leaves_although_nobody_waits_for_room))
