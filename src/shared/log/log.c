/* log.c — JSON lines, written whole or not at all.
 *
 * A line is built on the stack. Nothing here changes the flags of standard error: it is shared with
 * whoever started us, so room is asked for before each write instead. A pipe that reports room
 * takes PIPE_BUF bytes in one piece, which is more than a line. Another writer may take that room
 * first, so a process that must go on calls hearth_log_own_stderr(): a pipe is opened once more, so
 * that the flag is ours alone; what cannot be opened again is written by calls that do not wait. */

#include "hearth_log.h"

#include "line.h"
#include "hearth_os.h"

#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

_Static_assert(HEARTH_LOG_LINE_BYTES <= PIPE_BUF, "a line goes in one piece");

#define MAX_EVENTS 64 /* told apart by the rate limit; further ones share the last place */

struct event_rate {
    const char *event;
    uint64_t second_began_ns;
    uint32_t count;      /* within this second */
    uint64_t suppressed; /* since the last line */
};

/* How a line is written. Workers only know the first way: their filter permits no other call. */
enum way {
    WAY_WRITE,  /* waits if the descriptor does */
    WAY_SEND,   /* a socket, and never waits */
    WAY_NOWAIT, /* a pipe of another user's; never waits where the kernel knows how */
};

/* The one piece of state that threads share: everything but the table is a single word. */
static struct {
    atomic_int fd;
    atomic_int level;
    atomic_int way; /* enum way */
    _Atomic(const char *) process;
    atomic_uint_fast64_t lost;
    atomic_uint_fast64_t lost_untold;
    atomic_uint_fast64_t suppressed;
    pthread_mutex_t rates_lock;
    struct event_rate rates[MAX_EVENTS];
} log_shared = {.fd = 2, .level = HEARTH_LOG_INFO, .rates_lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const level_names[] = {
    [HEARTH_LOG_DEBUG] = "debug",
    [HEARTH_LOG_INFO] = "info",
    [HEARTH_LOG_WARN] = "warn",
    [HEARTH_LOG_ERROR] = "error",
};

/* Finds the place of @event; the table never shrinks, so a name keeps its place. */
static struct event_rate *rate_of(const char *event)
{
    struct event_rate *rate = log_shared.rates;
    const struct event_rate *last = &log_shared.rates[MAX_EVENTS - 1];
    while (rate < last && rate->event != NULL && strcmp(rate->event, event) != 0) {
        rate++;
    }
    if (rate->event == NULL) {
        rate->event = event;
    }
    return rate;
}

/* Says whether a line of @event may be written now, and how many were not before it. */
static bool is_admitted(const char *event, uint64_t now_ns, uint64_t *ret_suppressed)
{
    pthread_mutex_lock(&log_shared.rates_lock);
    struct event_rate *rate = rate_of(event);
    if (now_ns - rate->second_began_ns >= HEARTH_NS_PER_SEC) {
        rate->second_began_ns = now_ns;
        rate->count = 0;
    }
    bool is_ok = rate->count < HEARTH_LOG_BURST;
    if (is_ok) {
        rate->count++;
        *ret_suppressed = rate->suppressed;
        rate->suppressed = 0;
    } else {
        rate->suppressed++;
    }
    pthread_mutex_unlock(&log_shared.rates_lock);
    if (!is_ok) {
        atomic_fetch_add(&log_shared.suppressed, 1);
    }
    return is_ok;
}

static int write_by(int fd, enum way way, const struct line *line, size_t *ret_bytes)
{
    switch (way) {
    case WAY_WRITE: return hearth_fd_write(fd, line->text, line->size, ret_bytes);
    case WAY_SEND: return hearth_socket_send(fd, line->text, line->size, ret_bytes);
    case WAY_NOWAIT: return hearth_fd_write_nowait(fd, line->text, line->size, ret_bytes);
    }
    HEARTH_UNREACHABLE();
}

/* @told is the number of lost lines that this line tells of: if it is lost too, nobody was told. */
static void write_line(int fd, const struct line *line, uint64_t told)
{
    unsigned events = 0;
    size_t written = 0;
    int rc = hearth_fd_wait(fd, HEARTH_READY_OUT, 0, &events);
    if (rc == 0 && (events & HEARTH_READY_END) != 0) {
        rc = HEARTH_E_DISCONNECTED; /* to write would raise SIGPIPE */
    } else if (rc == 0) {
        rc = write_by(fd, (enum way)atomic_load(&log_shared.way), line, &written);
    }
    if (rc < 0 || written != line->size) {
        atomic_fetch_add(&log_shared.lost, 1);
        atomic_fetch_add(&log_shared.lost_untold, told + 1);
    }
}

static void add_number(struct line *line, const char *key, uint64_t value)
{
    if (value > 0) {
        hearth_line_add(line, key, hearth_log_u(value));
    }
}

void hearth_log(enum hearth_log_level level, const char *event, ...)
{
    int fd = atomic_load(&log_shared.fd);
    uint64_t suppressed = 0;
    if (fd < 0 || (int)level < atomic_load(&log_shared.level) ||
        !is_admitted(event, hearth_clock_ns(), &suppressed)) {
        return;
    }
    struct line line;
    hearth_line_begin(&line, hearth_clock_wall_ns());
    hearth_line_add(&line, "level", hearth_log_s(level_names[level]));
    const char *process = atomic_load(&log_shared.process);
    if (process != NULL) {
        hearth_line_add(&line, "process", hearth_log_s(process));
    }
    hearth_line_add(&line, "event", hearth_log_s(event));
    add_number(&line, "suppressed", suppressed);
    uint64_t lost = atomic_exchange(&log_shared.lost_untold, 0);
    add_number(&line, "lost_lines", lost);
    va_list args;
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key != NULL;
         key = va_arg(args, const char *)) {
        hearth_line_add(&line, key, va_arg(args, struct hearth_log_value));
    }
    va_end(args);
    hearth_line_end(&line);
    write_line(fd, &line, lost);
}

void hearth_log_set_level(enum hearth_log_level level)
{
    atomic_store(&log_shared.level, (int)level);
}

bool hearth_log_level_of(const char *name, enum hearth_log_level *ret_level)
{
    for (size_t i = 0; i < HEARTH_COUNT(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum hearth_log_level)i;
            return true;
        }
    }
    return false;
}

void hearth_log_set_fd(int fd)
{
    atomic_store(&log_shared.way, WAY_WRITE);
    atomic_store(&log_shared.fd, fd);
}

void hearth_log_own_stderr(void)
{
    int fd = -1;
    int rc = hearth_fd_reopen_pipe(2, &fd, NULL);
    hearth_log_set_fd(rc == 0 ? fd : 2); /* open for as long as the process lives */
    if (rc == HEARTH_E_UNSUPPORTED && hearth_fd_is_socket(2)) {
        atomic_store(&log_shared.way, WAY_SEND);
    } else if (rc < 0 && rc != HEARTH_E_UNSUPPORTED) {
        atomic_store(&log_shared.way, WAY_NOWAIT);
    }
}

void hearth_log_set_process(const char *name)
{
    atomic_store(&log_shared.process, name);
}

void hearth_log_losses(struct hearth_log_losses *ret_losses)
{
    ret_losses->lost = atomic_load(&log_shared.lost);
    ret_losses->suppressed = atomic_load(&log_shared.suppressed);
}
