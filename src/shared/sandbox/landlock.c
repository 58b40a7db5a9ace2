/* landlock.c — which files can be opened after the door is closed: the model's, read-only, and the
 * few that a library asks for. Rules hang on the files themselves, not on their names.
 *
 * The constants are our own where the header of the build machine may be older than its kernel. */

#include "sandbox_priv.h"

#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr as of ABI 6; older kernels take the first bytes of it. */
struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net; /* ABI 4: TCP bind, connect */
    uint64_t scoped;      /* ABI 6: abstract sockets, signals */
};

#define FS_ABI1      ((UINT64_C(1) << 13) - 1) /* execute … make_sym */
#define FS_REFER     (UINT64_C(1) << 13)       /* ABI 2 */
#define FS_TRUNCATE  (UINT64_C(1) << 14)       /* ABI 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15)       /* ABI 5 */
#define NET_ALL      (UINT64_C(3))
#define SCOPE_ALL    (UINT64_C(3))

/* Paths that a library reads after the door is closed. What is missing is skipped. */
static const struct {
    enum hearth_sandbox_profile profile;
    const char *path;
    const char *why;
} library_paths[] = {
    {HEARTH_SANDBOX_WORKER_ONNX, "/sys/devices/system/cpu", "cores and caches"},
    {HEARTH_SANDBOX_WORKER_ONNX, "/proc/cpuinfo", "features of the CPU"},
    {HEARTH_SANDBOX_WORKER_GGUF, "/sys/devices/system/cpu", "cores and caches"},
};

static struct ruleset rules_for(int abi)
{
    return (struct ruleset){
        .handled_fs = FS_ABI1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
                      (abi >= 5 ? FS_IOCTL_DEV : 0),
        .handled_net = abi >= 4 ? NET_ALL : 0,
        .scoped = abi >= 6 ? SCOPE_ALL : 0,
    };
}

static size_t ruleset_bytes(int abi)
{
    if (abi < 4) {
        return offsetof(struct ruleset, handled_net);
    }
    return abi < 6 ? offsetof(struct ruleset, scoped) : sizeof(struct ruleset);
}

static int allow_reading(int ruleset_fd, int fd, struct hearth_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "look at descriptor %d", fd);
    }
    struct landlock_path_beneath_attr rule = {
        .allowed_access =
            LANDLOCK_ACCESS_FS_READ_FILE | (S_ISDIR(st.st_mode) ? LANDLOCK_ACCESS_FS_READ_DIR : 0),
        .parent_fd = fd,
    };
    if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "permit descriptor %d", fd);
    }
    return 0;
}

static int allow_path(int ruleset_fd, const char *path, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? 0 : allow_reading(ruleset_fd, fd, err);
}

static int add_rules(int ruleset_fd, const struct hearth_sandbox_plan *plan,
                     struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < plan->file_count && rc == 0; i++) {
        rc = allow_reading(ruleset_fd, plan->file_fds[i], err);
    }
    for (size_t i = 0; i < HEARTH_COUNT(library_paths) && rc == 0; i++) {
        if (library_paths[i].profile == plan->profile) {
            rc = allow_path(ruleset_fd, library_paths[i].path, err);
        }
    }
    if (rc == 0 && SANDBOX_IS_SANITIZED) {
        rc = allow_path(ruleset_fd, "/proc", err); /* sanitizers read their own maps */
    }
    return rc;
}

int sandbox_restrict_files(const struct hearth_sandbox_plan *plan, int *ret_abi,
                           struct hearth_error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "the kernel has no landlock");
    }
    struct ruleset rules = rules_for((int)abi);
    HEARTH_AUTO(hearth_fd)
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, ruleset_bytes((int)abi), 0);
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "make a landlock ruleset");
    }
    int rc = add_rules(fd, plan, err);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
        rc = hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "restrict by landlock");
    }
    if (rc == 0) {
        *ret_abi = (int)abi;
    }
    return rc;
}
