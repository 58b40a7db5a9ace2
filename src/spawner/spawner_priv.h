/* spawner_priv.h — the steps of starting one worker. */

#ifndef HEARTH_SPAWNER_PRIV_H
#define HEARTH_SPAWNER_PRIV_H

#include "hearth_spawner.h"

#include "hearth_transport.h"
#include "hearth_wire.h"

/* Everything that one start has opened. */
struct start {
    const struct hearth_wire_spawn_request *request;
    char folder[HEARTH_MAX_PATH_BYTES];                          /* absolute, of the model */
    struct hearth_wire_model_file files[HEARTH_MAX_MODEL_FILES]; /* fd: number in the worker */
    int file_fds[HEARTH_MAX_MODEL_FILES];
    uint32_t file_count;
    int plan_fd;
    const int *ring_fds;
};

void start_init(struct start *start, const struct hearth_wire_spawn_request *request,
                const int *ring_fds);
void start_finish(struct start *start);

/* Opens and checks the model's files beneath @root. */
int start_open_files(struct start *start, const char *root, struct hearth_error *err);

/* Writes the plan into a sealed memfd. @scratch is cleared first. */
int start_write_plan(struct start *start, struct hearth_buf *scratch, struct hearth_error *err);

/* Forks and executes; returns when the program runs. */
int start_run(const struct start *start, const char *worker_folder, pid_t *ret_pid,
              struct hearth_error *err);

#endif
