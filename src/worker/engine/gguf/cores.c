/* cores.c — see cores.h. */

#include "cores.h"

#include "hearth_os.h"

#include <time.h>

/* By then all threads of the graph are awake, and those that brought the last token away asleep. */
#define LOOK_AFTER_NS 500000u
#define LOOK_EACH_NS  5000000u

static struct gguf_moment now(void)
{
    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (struct gguf_moment){
        .wall_ns = hearth_clock_ns(),
        .cpu_ns = (uint64_t)cpu.tv_sec * HEARTH_NS_PER_SEC + (uint64_t)cpu.tv_nsec,
    };
}

static struct gguf_seen seen_since(const struct gguf_moment *since, const struct gguf_moment *until,
                                   const struct gguf_looks *looks)
{
    return (struct gguf_seen){.wall_ns = until->wall_ns - since->wall_ns,
                              .ran_ns = until->cpu_ns - since->cpu_ns,
                              .looks = *looks};
}

void gguf_cores_begin(struct gguf_cores *cores, const struct hearth_engine_plan *plan,
                      unsigned most_threads)
{
    *cores = (struct gguf_cores){.runnable_fd = plan->runnable_fd, .count = plan->cores};
    gguf_pace_begin(&cores->pace, most_threads);
}

void gguf_cores_wake(struct gguf_cores *cores)
{
    cores->since = now();
    cores->looks = (struct gguf_looks){0};
}

void gguf_cores_call(struct gguf_cores *cores)
{
    cores->call_since = now();
    cores->look_ns = cores->call_since.wall_ns + LOOK_AFTER_NS;
    cores->has_shed = false;
}

static void look(struct gguf_cores *cores, uint64_t now_ns)
{
    unsigned runnable = cores->runnable_fd < 0 ? 0 : hearth_proc_runnable(cores->runnable_fd);
    cores->looks.count += runnable > 0;
    cores->looks.crowded += runnable > cores->count;
    cores->looks.spare += runnable > 0 && runnable < cores->count;
    cores->look_ns = now_ns + LOOK_EACH_NS;
}

/* A call that met busy cores with all threads could take minutes where one thread needs half a
 * second, so it is not waited for. */
bool gguf_cores_must_shed(struct gguf_cores *cores, unsigned threads)
{
    uint64_t now_ns = hearth_clock_ns();
    if (now_ns >= cores->look_ns) {
        look(cores, now_ns);
    }
    if (threads == 1 || now_ns - cores->call_since.wall_ns < GGUF_STALL_NS) {
        return false;
    }
    struct gguf_moment until = now();
    struct gguf_seen call = seen_since(&cores->call_since, &until, &cores->looks);
    cores->has_shed = gguf_pace_is_short(&call);
    cores->call_since = until; /* slow because it is long: look again after the same time */
    return cores->has_shed;
}

void gguf_cores_measure(struct gguf_cores *cores, unsigned threads)
{
    struct gguf_moment until = now();
    struct gguf_seen seen = seen_since(&cores->since, &until, &cores->looks);
    if (cores->has_shed) {
        gguf_pace_shed(&cores->pace, threads);
        gguf_cores_wake(cores);
    } else if (gguf_pace_measure(&cores->pace, threads, &seen)) {
        gguf_cores_wake(cores);
    }
}
