/* door.c — the order in which walls are raised.
 *
 * What needs /proc or a right comes first (descriptors, threads, namespaces), then no_new_privs,
 * which landlock and seccomp ask for; seccomp is last because it forbids the calls of the others.
 */

#include "sandbox_priv.h"

#include <stdio.h>
#include <string.h>

#define STRICT_LANDLOCK_ABI 6

struct door {
    char *text;
    bool is_strict;
};

static void note(const struct door *door, const char *wall)
{
    size_t used = strlen(door->text);
    snprintf(door->text + used, HEARTH_SANDBOX_TEXT_BYTES - used, "%s%s", used == 0 ? "" : ",",
             wall);
}

/* Walls that bind whatever the machine offers. */
static int raise_plain_walls(const struct hearth_sandbox_plan *plan, const struct door *door,
                             struct hearth_error *err)
{
    int rc = sandbox_close_fds(plan, err);
    if (rc == 0) {
        note(door, "fds");
        rc = sandbox_require_one_thread(err);
    }
    if (rc == 0) {
        rc = sandbox_forbid_core(err);
    }
    if (rc == 0) {
        rc = sandbox_limit_resources(plan->memory_limit_bytes, err);
    }
    if (rc == 0) {
        note(door, "rlimits");
    }
    return rc;
}

static int raise_network_wall(const struct door *door, struct hearth_error *err)
{
    struct hearth_error reason = {0};
    int rc = sandbox_leave_network(&reason);
    if (rc == 0) {
        note(door, "netns");
    } else if (door->is_strict) {
        return hearth_fail(err, HEARTH_E_CONTAINMENT,
                           "containment is strict and there is no network namespace: %s",
                           reason.text);
    }
    return 0;
}

static int raise_file_wall(const struct hearth_sandbox_plan *plan, const struct door *door,
                           struct hearth_error *err)
{
    int abi = 0;
    int rc = sandbox_restrict_files(plan, &abi, err);
    if (rc != 0) {
        return rc;
    }
    if (door->is_strict && abi < STRICT_LANDLOCK_ABI) {
        return hearth_fail(err, HEARTH_E_CONTAINMENT,
                           "containment is strict and landlock has ABI %d, not %d", abi,
                           STRICT_LANDLOCK_ABI);
    }
    char wall[32];
    snprintf(wall, sizeof wall, "landlock:%d", abi);
    note(door, wall);
    return 0;
}

int hearth_sandbox_close_door(const struct hearth_sandbox_plan *plan,
                              char ret_containment[HEARTH_SANDBOX_TEXT_BYTES],
                              struct hearth_error *err)
{
    struct door door = {.text = ret_containment, .is_strict = plan->is_strict};
    ret_containment[0] = '\0';
    int rc = raise_plain_walls(plan, &door, err);
    if (rc == 0) {
        rc = sandbox_set_no_new_privs(err);
    }
    if (rc == 0) {
        note(&door, "no_new_privs");
        rc = raise_network_wall(&door, err);
    }
    if (rc == 0) {
        rc = sandbox_drop_capabilities(err);
    }
    if (rc == 0) {
        note(&door, "caps");
        rc = raise_file_wall(plan, &door, err);
    }
    if (rc == 0) {
        rc = sandbox_filter_worker(plan->profile, err);
    }
    if (rc == 0) {
        note(&door, "seccomp");
    }
    if (rc == 0 && SANDBOX_IS_SANITIZED) {
        note(&door, "asan-profile");
    }
    return rc;
}

int hearth_sandbox_close_spawner_door(struct hearth_error *err)
{
    int rc = sandbox_forbid_core(err);
    return rc != 0 ? rc : sandbox_set_no_new_privs(err);
}

int hearth_sandbox_close_daemon_door(struct hearth_error *err)
{
    int rc = hearth_sandbox_close_spawner_door(err);
    return rc != 0 ? rc : sandbox_filter_daemon(err);
}
