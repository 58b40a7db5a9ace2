/* fake_broker.h — a broker of a few lines for tests: it starts a spawner, has it start one worker
 * and speaks with that over its ring. Every function waits at most FAKE_PATIENCE_MS and fails the
 * test (cmocka) with a sentence when something other than expected happens. */

#ifndef HEARTH_FAKE_BROKER_H
#define HEARTH_FAKE_BROKER_H

#include "hearth_base.h"
#include "hearth_spawner.h"
#include "hearth_transport.h"
#include "hearth_wire.h"

#define FAKE_PATIENCE_MS 60000u
#define FAKE_MAX_FILES   4

/** A file of a model; digest and size are computed by fake_model_measure() unless a test lies. */
struct fake_file {
    enum hearth_file_role role;
    const char *path; /* relative to the model's folder */
    char sha256[HEARTH_SHA256_HEX_BYTES + 1];
    uint64_t size_bytes;
};

struct fake_model {
    const char *folder; /* relative to the root */
    enum hearth_engine_kind engine;
    enum hearth_task task;
    struct fake_file files[FAKE_MAX_FILES];
    uint32_t file_count;
    const char *labels[8];
    uint32_t label_count;
    const char *option_keys[4];
    const char *option_values[4];
    uint32_t option_count;
    uint32_t threads;
    bool is_strict;
};

struct fake_broker {
    struct hearth_spawner spawner;
    const char *root;
    struct hearth_ring *ring;
    struct hearth_buf bytes; /* of the last message received */
    uint32_t pid;
    int pidfd;
};

/** Forks a spawner with one root. */
void fake_broker_init(struct fake_broker *broker, const char *worker_folder, const char *root);
/** Closes the socket and waits for the spawner's end, which ends the worker. */
void fake_broker_finish(struct fake_broker *broker);

/** Fills sizes and digests from the files below root/folder. */
void fake_model_measure(const struct fake_broker *broker, struct fake_model *model);

/** Asks for a worker; returns the code of the reply (0 or negative) and fills @err from it. */
int fake_spawn(struct fake_broker *broker, const struct fake_model *model,
               struct hearth_error *err);
/** Waits for the spawn_exit of the worker. */
struct hearth_wire_spawn_exit fake_await_exit(struct fake_broker *broker);

void fake_send(struct fake_broker *broker, const struct hearth_message *message);
void fake_send_plain(struct fake_broker *broker, enum hearth_message_type type);
/** Receives the next message; its slices live until the next call. */
struct hearth_message fake_receive(struct fake_broker *broker);
/** Receives, and fails the test if it is of another type. */
struct hearth_message fake_expect(struct fake_broker *broker, enum hearth_message_type type);
/** True if nothing comes within @ms. */
bool fake_is_quiet(struct fake_broker *broker, uint64_t ms);

/** hello → need → proceed → ready; copies the containment of the hello. */
struct hearth_message fake_lead_to_ready(struct fake_broker *broker, char containment[256]);

/** Copies the file @name between folders, readable for everybody. */
void fake_copy_file(const char *from_folder, const char *to_folder, const char *name);
/** Removes a folder with all that is in it. */
void fake_remove_tree(const char *path);

#endif
