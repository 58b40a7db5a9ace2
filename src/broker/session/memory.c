/* memory.c — resident memory of the daemon and its workers, as /proc tells it.
 *
 * A reading costs some ten microseconds, and probes need no session: a reading serves for 100 ms,
 * and one question makes a bounded number of new ones. */

#include "session_priv.h"

#include <unistd.h>

#define KEEP_NS      (100 * HEARTH_NS_PER_MS)
#define MAX_READINGS 16u

void memory_begin(struct hearth_server *server)
{
    server->readings_left = MAX_READINGS;
}

static uint64_t resident(struct hearth_server *server, struct memory_reading *reading, pid_t pid)
{
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    bool is_known = reading->pid == pid && reading->read_ns != 0;
    struct hearth_proc_usage usage = {0};
    if (server->readings_left == 0 || (is_known && now_ns - reading->read_ns < KEEP_NS)) {
        return is_known ? reading->bytes : 0;
    }
    server->readings_left--;
    int rc = hearth_proc_usage(pid, &usage, NULL);
    *reading = (struct memory_reading){now_ns, rc == 0 ? usage.rss_bytes : 0, pid};
    return reading->bytes;
}

uint64_t memory_of_daemon(struct hearth_server *server)
{
    return resident(server, &server->memory[HEARTH_MAX_MODELS], getpid());
}

uint64_t memory_of_worker(struct hearth_server *server, uint32_t slot, pid_t pid)
{
    return pid != 0 ? resident(server, &server->memory[slot], pid) : 0;
}

uint64_t memory_of_all(struct hearth_server *server)
{
    memory_begin(server);
    uint64_t bytes = memory_of_daemon(server);
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        struct hearth_worker_info info;
        hearth_pool_info(server->pool, slot, &info);
        bytes += memory_of_worker(server, slot, info.pid);
    }
    return bytes;
}
