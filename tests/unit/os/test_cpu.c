#include "hearth_os.h"

#include "kit.h"
#include "test_folder.h"

#include <sched.h>

/* Trees as kernels show them, written into a folder that stands before /proc and /sys. */
struct tree {
    const char *groups; /* /proc/self/cgroup */
    struct {
        const char *path;
        const char *text;
    } files[4];
    unsigned quota;
};

static const struct tree trees[] = {
    {"0::/user.slice/x.service\n", {{"user.slice/x.service/cpu.max", "max 100000\n"}}, 0},
    {"0::/a/b\n", {{"a/b/cpu.max", "200000 100000\n"}}, 2},
    {"0::/a/b\n", {{"a/b/cpu.max", "150000 100000\n"}}, 2}, /* rounded up */
    {"0::/a/b\n", {{"a/b/cpu.max", "5000 100000\n"}}, 1},   /* at least 1 */
    {"0::/a/b\n", {{"a/b/cpu.max", "400000 100000\n"}, {"a/cpu.max", "300000 100000\n"}}, 3},
    {"0::/a/b\n", {{"a/b/cpu.max", "max 100000\n"}, {"cpu.max", "100000 100000\n"}}, 1},
    {"0::/\n", {{"cpu.max", "250000 50000\n"}}, 5},          /* a container with its own root */
    {"0::/../other\n", {{"cpu.max", "300000 100000\n"}}, 3}, /* seen from inside a namespace */
    {"0::/a\n", {{"a/cpu.max", "garbage\n"}}, 0},
    {"0::/a\n", {{"a/cpu.max", "-5 100000\n"}}, 0},
    {"0::/a\n", {{"a/cpu.max", "100000 0\n"}}, 0},
    {"4:cpu,cpuacct:/docker/1\n0::/\n",
     {{"cpu,cpuacct/docker/1/cpu.cfs_quota_us", "350000\n"},
      {"cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n"}},
     4},
    {"4:cpu,cpuacct:/docker/1\n", /* the path lies outside: the mount's root is the container */
     {{"cpu/cpu.cfs_quota_us", "200000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
     2},
    {"3:cpuset:/a\n",
     {{"cpuset/a/cpu.cfs_quota_us", "100000\n"}, {"cpuset/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"4:cpu:/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "-1\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"", {{"cpu.max", "100000 100000\n"}}, 0},
};

static void quota_is_read_from_recorded_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(trees); i++) {
        char root[64];
        assert_non_null(test_folder_make(root));
        test_folder_write(root, "proc/self/cgroup", trees[i].groups);
        for (size_t j = 0; j < HEARTH_COUNT(trees[i].files) && trees[i].files[j].path != NULL;
             j++) {
            char path[256];
            snprintf(path, sizeof path, "sys/fs/cgroup/%s", trees[i].files[j].path);
            test_folder_write(root, path, trees[i].files[j].text);
        }
        unsigned quota = hearth_cpu_quota(root);
        test_folder_remove(root);
        if (quota != trees[i].quota) {
            print_error("tree %zu: %u cores, expected %u\n", i, quota, trees[i].quota);
        }
        assert_int_equal(quota, trees[i].quota);
    }
    assert_int_equal(hearth_cpu_quota("/nowhere"), 0);
}

static void available_follows_the_affinity_mask(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t one;
    struct hearth_cpu_count count;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &before)) {
            CPU_SET(cpu, &one);
            break;
        }
    }
    hearth_cpu_count(&count);
    assert_int_equal(count.affinity, CPU_COUNT(&before));
    assert_true(count.available >= 1 && count.available <= count.affinity);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    hearth_cpu_count(&count);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(count.affinity, 1);
    assert_int_equal(count.available, 1);
}

KIT_MAIN(cmocka_unit_test(quota_is_read_from_recorded_trees),
         cmocka_unit_test(available_follows_the_affinity_mask))
