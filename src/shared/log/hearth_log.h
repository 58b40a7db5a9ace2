/* hearth_log.h — facts as JSON lines on standard error.
 *
 *   hearth_log(HEARTH_LOG_WARN, "worker.died", "pid", hearth_log_i(pid),
 *              "signal", hearth_log_i(number), NULL);
 *   {"time":"2024-05-01T10:00:00.123Z","level":"warn","event":"worker.died","pid":71,"signal":9}
 *
 * Event and key names are constants, stable and greppable ("noun.verb"). A value is a number, a
 * truth, an identifier of ours or an error; never a prompt, token, output or path of a client.
 *
 * One write a line, no allocation, no lock held while writing. Standard error that cannot take a
 * line at once loses it: the loss is counted and told by the next line ("lost_lines"). Lines of one
 * event beyond HEARTH_LOG_BURST within a second are not written; the first one after that second
 * says how many ("suppressed"). Any thread.                                                      */

#ifndef HEARTH_LOG_H
#define HEARTH_LOG_H

#include "hearth_base.h"

enum hearth_log_level {
    HEARTH_LOG_DEBUG,
    HEARTH_LOG_INFO,
    HEARTH_LOG_WARN,
    HEARTH_LOG_ERROR,
};

#define HEARTH_LOG_LINE_BYTES   1024 /* longer lines lose fields at the end and say "cut":true */
#define HEARTH_LOG_STRING_BYTES 128  /* of one string; the rest is cut and marked with "…" */
#define HEARTH_LOG_BURST        20   /* lines of one event a second */

enum hearth_log_kind {
    HEARTH_LOG_INT,
    HEARTH_LOG_UINT,
    HEARTH_LOG_DOUBLE,
    HEARTH_LOG_BOOL,
    HEARTH_LOG_STRING,
    HEARTH_LOG_ERROR_RECORD,
};

/** One typed value; made by the functions below, lives as long as what it points to. */
struct hearth_log_value {
    enum hearth_log_kind kind;
    union {
        int64_t i;
        uint64_t u;
        double d;
        bool b;
        const char *s;
        const struct hearth_error *err;
    } as;
};

static inline struct hearth_log_value hearth_log_i(int64_t value)
{
    return (struct hearth_log_value){.kind = HEARTH_LOG_INT, .as.i = value};
}

static inline struct hearth_log_value hearth_log_u(uint64_t value)
{
    return (struct hearth_log_value){.kind = HEARTH_LOG_UINT, .as.u = value};
}

/** Not-a-number and infinity are written as null. */
static inline struct hearth_log_value hearth_log_d(double value)
{
    return (struct hearth_log_value){.kind = HEARTH_LOG_DOUBLE, .as.d = value};
}

static inline struct hearth_log_value hearth_log_b(bool value)
{
    return (struct hearth_log_value){.kind = HEARTH_LOG_BOOL, .as.b = value};
}

/**
 * A constant or an identifier of ours (model name, error name): escaped; NULL is written as null.
 */
static inline struct hearth_log_value hearth_log_s(const char *value)
{
    return (struct hearth_log_value){.kind = HEARTH_LOG_STRING, .as.s = value};
}

/** Name, text and errno of @err: {"code":"no_model","text":"…","errno":2}. */
static inline struct hearth_log_value hearth_log_err(const struct hearth_error *err)
{
    return (struct hearth_log_value){.kind = HEARTH_LOG_ERROR_RECORD, .as.err = err};
}

/** Writes one line: pairs of key (const char *) and struct hearth_log_value, then NULL. */
void hearth_log(enum hearth_log_level level, const char *event, ...) __attribute__((sentinel));

/** Lines below @level are not written. The default is HEARTH_LOG_INFO. */
void hearth_log_set_level(enum hearth_log_level level);

/** Reads "debug", "info", "warn" or "error"; returns false for anything else. */
bool hearth_log_level_of(const char *name, enum hearth_log_level *ret_level);

/** Sends lines to @fd (default 2), which stays the caller's; -1 writes nothing. */
void hearth_log_set_fd(int fd);

/**
 * Writes to standard error in such a way that a line never waits, even if others write to the same
 * pipe and its reader has stopped. For a process that must go on; what it forks and keeps must call
 * hearth_log_set_fd(2) if it closes descriptors or may only write(). With a pipe of another user's,
 * a kernel before 6.5 leaves a moment in which a line may wait.
 */
void hearth_log_own_stderr(void);

/** Adds "process":@name to every line; @name is a constant ("hearthd", "spawner", "worker"). */
void hearth_log_set_process(const char *name);

/** Lines not written because the sink was full or an event was too frequent. */
struct hearth_log_losses {
    uint64_t lost;
    uint64_t suppressed;
};
void hearth_log_losses(struct hearth_log_losses *ret_losses);

#endif
