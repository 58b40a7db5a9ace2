/* noop_throughput.c — 50 clients ask the echo engine as fast as they are answered; beside
 * redis-server and PING, by the same client code. Sessions, accounting and metrics are on: hearthd
 * has no way to switch them off. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "load.h"
#include "peers.h"

#include <string.h>

#define CLIENTS 50u
#define BLOCK   20000u /* requests a block */

struct noop_throughput {
    struct peer daemon;
    struct peer redis;
    struct load *daemon_load;
    struct load *redis_load;
    struct noop noop;
    unsigned depth;
};

/* ---- protocols ------------------------------------------------------------------------------ */

static size_t make_v2(const void *arg, uint64_t id, uint64_t number HEARTH_UNUSED, uint8_t *room)
{
    const struct noop *noop = arg;
    memcpy(room, noop->request, noop->request_bytes);
    noop_set_id(room, id);
    return noop->request_bytes;
}

static long take_v2(const void *arg HEARTH_UNUSED, const uint8_t *bytes, size_t size,
                    uint64_t *ret_id)
{
    uint32_t payload = 0;
    if (size < 4) {
        return 0;
    }
    memcpy(&payload, bytes, 4);
    if (payload > PEERS_FRAME_BYTES || payload < NOOP_ID_AT + 6) {
        return -1;
    }
    if (size < 4 + payload) {
        return 0;
    }
    memcpy(ret_id, bytes + NOOP_ID_AT, sizeof *ret_id);
    return noop_is_answer(bytes, 4 + payload, *ret_id) ? (long)(4 + payload) : -1;
}

static size_t make_ping(const void *arg HEARTH_UNUSED, uint64_t id HEARTH_UNUSED,
                        uint64_t number HEARTH_UNUSED, uint8_t *room)
{
    static const char ping[] = "*1\r\n$4\r\nPING\r\n"; /* as client libraries send it */
    memcpy(room, ping, sizeof ping - 1);
    return sizeof ping - 1;
}

static long take_pong(const void *arg HEARTH_UNUSED, const uint8_t *bytes, size_t size,
                      uint64_t *ret_id HEARTH_UNUSED)
{
    static const char pong[] = "+PONG\r\n";
    if (size < sizeof pong - 1) {
        return 0;
    }
    return memcmp(bytes, pong, sizeof pong - 1) == 0 ? (long)(sizeof pong - 1) : -1;
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int measure(struct load *load, unsigned depth, double *ret, size_t calls,
                   struct hearth_error *err)
{
    for (size_t i = 0; i < calls; i++) {
        uint64_t begin_ns = hearth_clock_ns();
        int rc = load_run(load, BLOCK, depth, err);
        if (rc < 0) {
            return rc;
        }
        ret[i] = (double)(hearth_clock_ns() - begin_ns) / BLOCK;
    }
    return 0;
}

static int measure_daemon(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct noop_throughput *bench = arg;
    return measure(bench->daemon_load, bench->depth, ret, calls, err);
}

static int measure_redis(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct noop_throughput *bench = arg;
    return measure(bench->redis_load, bench->depth, ret, calls, err);
}

/* One whole answer of the daemon is compared; every other one, timed or not, in its id and code. */
static int check_throughput(void *state, struct hearth_error *err)
{
    struct noop_throughput *bench = state;
    int fd = -1;
    int rc = peer_connect_v2(bench->daemon.socket, &fd, err);
    rc = rc < 0 ? rc : noop_check(fd, &bench->noop, err);
    hearth_fd_close(&fd);
    rc = rc < 0 ? rc : load_run(bench->daemon_load, 1000, bench->depth, err);
    return rc < 0 ? rc : load_run(bench->redis_load, 1000, bench->depth, err);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void close_throughput(void *state)
{
    struct noop_throughput *bench = state;
    load_destroy(bench->daemon_load);
    load_destroy(bench->redis_load);
    peer_stop(&bench->redis);
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

static int connect_all(const struct peer *peer, bool is_v2, const struct load_protocol *protocol,
                       struct load **ret, struct hearth_error *err)
{
    int fds[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        int rc = is_v2 ? peer_connect_v2(peer->socket, &fds[i], err)
                       : peer_connect(peer->socket, &fds[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    return load_create(protocol, fds, CLIENTS, ret, err);
}

static int open_depth(unsigned depth, const struct hearth_harness_places *places,
                      struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct noop_throughput *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->depth = depth;
    struct load_protocol v2 = {make_v2, take_v2, &bench->noop, 0};
    struct load_protocol resp = {make_ping, take_pong, NULL, 0};
    int rc = peer_start_redis(&bench->redis, err);
    rc = rc < 0 ? rc : noop_make(&bench->noop, err);
    rc = rc < 0 ? rc
                : peer_start_hearthd(places, "fixtures/models/echo", "classifier", &bench->daemon,
                                     err);
    rc = rc < 0 ? rc : connect_all(&bench->daemon, true, &v2, &bench->daemon_load, err);
    rc = rc < 0 ? rc : connect_all(&bench->redis, false, &resp, &bench->redis_load, err);
    if (rc < 0) {
        close_throughput(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "hearthd and worker", .measure = measure_daemon, .arg = bench},
                  {.name = "redis-server", .measure = measure_redis, .arg = bench}},
        .side_count = 2,
        .check = check_throughput,
        .close = close_throughput,
        .state = bench};
    return 0;
}

static int open_1(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                  struct hearth_error *err)
{
    return open_depth(1, places, ret, err);
}

static int open_16(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                   struct hearth_error *err)
{
    return open_depth(16, places, ret, err);
}

const struct hearth_harness_case bench_noop_throughput[] = {
    {.id = "noop/throughput/50x1",
     .help = "no-ops of 50 clients, one in flight each; beside redis-server PING, same client",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.4, false}},
     .open = open_1},
    {.id = "noop/throughput/50x16",
     .help = "the same with 16 in flight each",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.15, false}, {HEARTH_GOAL_RATIO_AT_LEAST, 0.3, true}},
     .open = open_16},
    {0},
};
