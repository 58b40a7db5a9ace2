/* sandbox_priv.h — one function a wall; door.c says in which order. */

#ifndef HEARTH_SANDBOX_PRIV_H
#define HEARTH_SANDBOX_PRIV_H

#include "hearth_sandbox.h"

#ifdef HEARTH_SANITIZED
#define SANDBOX_IS_SANITIZED true
#else
#define SANDBOX_IS_SANITIZED false
#endif

/* Each returns 0 or HEARTH_E_CONTAINMENT. */
int sandbox_close_fds(const struct hearth_sandbox_plan *plan, struct hearth_error *err);
int sandbox_require_one_thread(struct hearth_error *err);
int sandbox_limit_resources(uint64_t memory_limit_bytes, struct hearth_error *err);
int sandbox_forbid_core(struct hearth_error *err);
int sandbox_set_no_new_privs(struct hearth_error *err);
int sandbox_drop_capabilities(struct hearth_error *err);
int sandbox_leave_network(struct hearth_error *err); /* an optional wall */
int sandbox_restrict_files(const struct hearth_sandbox_plan *plan, int *ret_abi,
                           struct hearth_error *err);
int sandbox_filter_worker(enum hearth_sandbox_profile profile, struct hearth_error *err);
int sandbox_filter_daemon(struct hearth_error *err);

#endif
