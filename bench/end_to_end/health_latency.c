/* health_latency.c — how long a health probe takes, beside a raw ping-pong in the same seconds.
 *
 * usage: bench-health SOCKET CALLS
 *
 * The raw reference is a child process that sends back what it gets over a socket pair, frames of
 * the same size, so that the ratio says what the daemon adds to the machine's own wake-ups. Calls
 * alternate, 2 ms apart, so both meet the same load. Prints one line of JSON. */

#include "hearth_wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CALLS   1000000
#define PAUSE_NS    2000000
#define FRAME_BYTES 4096

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void move(int fd, uint8_t *bytes, size_t size, bool is_write)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            is_write ? write(fd, bytes + done, size - done) : read(fd, bytes + done, size - done);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            die(is_write ? "write" : "read");
        }
        done += n > 0 ? (size_t)n : 0;
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "the path of the socket is too long\n");
        exit(2);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        die(path);
    }
    return fd;
}

/* The frame of one liveness probe, length in front. */
static size_t make_probe(uint8_t *frame)
{
    struct hearth_message probe = {.type = HEARTH_MSG_health_check};
    struct hearth_buf buf;
    hearth_buf_init(&buf, FRAME_BYTES - 4);
    if (hearth_wire_encode(&probe, &buf) < 0) {
        exit(1);
    }
    uint32_t size = (uint32_t)buf.size;
    memcpy(frame, &size, 4); /* x86-64 and arm64 are little-endian, as the wire is */
    memcpy(frame + 4, buf.data, buf.size);
    hearth_buf_finish(&buf);
    return 4 + size;
}

static double ask_health(int fd, uint8_t *probe, size_t probe_bytes)
{
    uint8_t answer[FRAME_BYTES];
    uint32_t size;
    double begin = now_us();
    move(fd, probe, probe_bytes, true);
    move(fd, answer, 4, false);
    memcpy(&size, answer, 4);
    if (size > sizeof answer) {
        fprintf(stderr, "an answer of %u bytes\n", size);
        exit(1);
    }
    move(fd, answer, size, false);
    double took = now_us() - begin;
    struct hearth_message message;
    if (hearth_wire_decode(hearth_slice_of(answer, size), &message, NULL) < 0 ||
        message.type != HEARTH_MSG_health_response || message.as.health_response.ok == 0) {
        fprintf(stderr, "the daemon is not alive\n");
        exit(1);
    }
    return took;
}

static int start_mirror(pid_t *ret_child)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
        die("socketpair");
    }
    *ret_child = fork();
    if (*ret_child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        uint8_t bytes[FRAME_BYTES];
        ssize_t n;
        while ((n = read(pair[1], bytes, sizeof bytes)) > 0) {
            move(pair[1], bytes, (size_t)n, true);
        }
        _exit(0);
    }
    close(pair[1]);
    return pair[0];
}

static double ask_mirror(int fd, uint8_t *probe, size_t probe_bytes)
{
    uint8_t answer[FRAME_BYTES];
    double begin = now_us();
    move(fd, probe, probe_bytes, true);
    move(fd, answer, probe_bytes, false);
    return now_us() - begin;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_quantiles(const char *name, double *us, size_t count)
{
    qsort(us, count, sizeof *us, compare);
    printf("\"%s_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name,
           us[count / 2], us[count * 9 / 10], us[count * 99 / 100], us[count - 1]);
}

int main(int argc, char **argv)
{
    long calls = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (calls < 100 || calls > MAX_CALLS) {
        fprintf(stderr, "usage: %s SOCKET CALLS (100 to %d)\n", argv[0], MAX_CALLS);
        return 2;
    }
    size_t count = (size_t)calls;
    double *health = hearth_alloc(count, sizeof *health);
    double *raw = hearth_alloc(count, sizeof *raw);
    if (health == NULL || raw == NULL) {
        return 1;
    }
    uint8_t probe[FRAME_BYTES];
    size_t probe_bytes = make_probe(probe);
    pid_t child;
    int mirror = start_mirror(&child);
    int daemon_fd = connect_to(argv[1]);
    for (size_t i = 0; i < count; i++) {
        raw[i] = ask_mirror(mirror, probe, probe_bytes);
        health[i] = ask_health(daemon_fd, probe, probe_bytes);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    printf("{\"calls\": %zu, ", count);
    print_quantiles("health", health, count);
    printf(", ");
    print_quantiles("raw", raw, count);
    printf("}\n");
    close(mirror);
    waitpid(child, NULL, 0);
    hearth_free(health);
    hearth_free(raw);
    return 0;
}
