/* noop_latency.c — one idle client asks the echo engine, beside the raw two-hop ping-pong: client,
 * relay process, leaf process and back, with the same sizes. Says what hearthd costs above the
 * wake-ups that any two-process answer needs. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "peers.h"

#define CALLS 200u /* a block */

struct noop_latency {
    struct peer daemon;
    struct peer relay[2];
    int daemon_fd;
    int relay_fd;
    uint64_t last_id;
    struct noop noop;
};

static int ask_daemon(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct noop_latency *bench = arg;
    uint8_t answer[PEERS_FRAME_BYTES];
    for (size_t i = 0; i < calls; i++) {
        size_t size = 0;
        noop_set_id(bench->noop.request, ++bench->last_id);
        uint64_t begin_ns = hearth_clock_ns();
        int rc = peer_call(bench->daemon_fd, bench->noop.request, bench->noop.request_bytes, answer,
                           &size, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns);
        if (rc < 0) {
            return rc;
        }
        if (!noop_is_answer(answer, size, bench->last_id)) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "a request was not answered as it should");
        }
    }
    return 0;
}

static int ask_relay(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct noop_latency *bench = arg;
    uint8_t answer[PEERS_FRAME_BYTES];
    for (size_t i = 0; i < calls; i++) {
        uint64_t begin_ns = hearth_clock_ns();
        int rc = peer_write(bench->relay_fd, bench->noop.request, bench->noop.request_bytes, err);
        rc = rc < 0 ? rc : peer_read(bench->relay_fd, answer, bench->noop.answer_bytes, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int check_latency(void *state, struct hearth_error *err)
{
    struct noop_latency *bench = state;
    double took = 0;
    int rc = ask_daemon(bench, &took, 1, err);
    rc = rc < 0 ? rc : noop_check(bench->daemon_fd, &bench->noop, err);
    return rc < 0 ? rc : ask_relay(bench, &took, 1, err);
}

static void close_latency(void *state)
{
    struct noop_latency *bench = state;
    hearth_fd_close(&bench->daemon_fd);
    hearth_fd_close(&bench->relay_fd);
    peer_stop(&bench->relay[0]);
    peer_stop(&bench->relay[1]);
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

static int open_latency(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct noop_latency *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->daemon_fd = -1;
    bench->relay_fd = -1;
    int rc = noop_make(&bench->noop, err);
    rc = rc < 0 ? rc
                : peer_start_hearthd(places, "fixtures/models/echo", "classifier", &bench->daemon,
                                     err);
    rc = rc < 0 ? rc : peer_connect_v2(bench->daemon.socket, &bench->daemon_fd, err);
    rc = rc < 0 ? rc : noop_check(bench->daemon_fd, &bench->noop, err); /* the answer's size */
    rc = rc < 0 ? rc
                : peer_start_relay(bench->noop.request_bytes, bench->noop.answer_bytes,
                                   bench->relay, &bench->relay_fd, err);
    if (rc < 0) {
        close_latency(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "hearthd and worker", .measure = ask_daemon, .arg = bench},
                  {.name = "raw, two hops", .measure = ask_relay, .arg = bench}},
        .side_count = 2,
        .check = check_latency,
        .close = close_latency,
        .state = bench};
    return 0;
}

const struct hearth_harness_case bench_noop_latency[] = {
    {.id = "noop/latency/1-client",
     .help = "a classify request to the echo engine, one client; beside a raw two-hop ping-pong",
     .calls = CALLS,
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.3, false}},
     .open = open_latency},
    {0},
};
