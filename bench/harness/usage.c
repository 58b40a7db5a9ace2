/* usage.c — how busy the machine was, and how much of that was the benchmark itself. */

#include "harness_priv.h"

#include "hearth_os.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROCESSES 4096u

struct process {
    long pid;
    long parent;
    double cpu_s; /* its own and of its ended children */
    bool is_ours;
};

static double ticks_to_s(double ticks)
{
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Takes the next number of a line; *@text moves on. */
static double number(char **text)
{
    return (double)strtoull(*text, text, 10);
}

static void read_totals(struct usage_reading *ret)
{
    char line[512];
    FILE *file = fopen("/proc/stat", "re");
    if (file != NULL && fgets(line, sizeof line, file) != NULL && strncmp(line, "cpu ", 4) == 0) {
        char *at = line + 4; /* user nice system idle iowait irq softirq steal */
        double user = number(&at);
        double nice = number(&at);
        double kernel = number(&at);
        (void)number(&at);
        (void)number(&at);
        double irq = number(&at);
        double softirq = number(&at);
        ret->busy_s = ticks_to_s(user + nice + kernel + irq + softirq);
        ret->steal_s = ticks_to_s(number(&at));
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* One line of /proc/PID/stat. The name is in parentheses and may hold anything. */
static bool read_process(const char *pid, struct process *ret)
{
    char path[64];
    char line[1024];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "re");
    bool has_line = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    char *at = has_line ? strrchr(line, ')') : NULL;
    if (at == NULL || strlen(at) < 5) {
        return false;
    }
    at += 4; /* ") S " */
    ret->pid = strtol(pid, NULL, 10);
    ret->parent = strtol(at, &at, 10);
    for (int i = 0; i < 9; i++) { /* pgrp … cmajflt */
        (void)strtoll(at, &at, 10);
    }
    ret->cpu_s = 0.0;
    for (int i = 0; i < 4; i++) { /* utime stime cutime cstime */
        ret->cpu_s += ticks_to_s(number(&at));
    }
    ret->is_ours = ret->pid == (long)getpid();
    return true;
}

static double own_cpu(struct process *all, size_t count)
{
    double sum = 0.0;
    for (bool has_grown = true; has_grown;) {
        has_grown = false;
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < count && !all[i].is_ours; j++) {
                all[i].is_ours = all[j].is_ours && all[j].pid == all[i].parent;
                has_grown = has_grown || all[i].is_ours;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        sum += all[i].is_ours ? all[i].cpu_s : 0.0;
    }
    return sum;
}

static double read_own(void)
{
    struct process *all = hearth_alloc(MAX_PROCESSES, sizeof *all);
    DIR *folder = opendir("/proc");
    size_t count = 0;
    const struct dirent *entry;
    while (all != NULL && folder != NULL && (entry = readdir(folder)) != NULL) {
        bool is_process = entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
        if (is_process && count < MAX_PROCESSES && read_process(entry->d_name, &all[count])) {
            count++;
        }
    }
    double sum = all != NULL ? own_cpu(all, count) : 0.0;
    if (folder != NULL) {
        closedir(folder);
    }
    hearth_free(all);
    return sum;
}

void usage_read(struct usage_reading *ret)
{
    *ret = (struct usage_reading){.wall_ns = hearth_clock_ns()};
    double loads[1] = {0.0};
    ret->load = getloadavg(loads, 1) == 1 ? loads[0] : 0.0;
    ret->own_s = read_own();
    read_totals(ret);
}

void usage_between(const struct usage_reading *before, const struct usage_reading *after,
                   struct hearth_harness_usage *ret)
{
    double seconds = (double)(after->wall_ns - before->wall_ns) / 1e9;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    double foreign = (after->busy_s - before->busy_s) - (after->own_s - before->own_s);
    *ret = (struct hearth_harness_usage){
        .seconds = seconds,
        .load_before = before->load,
        .load_after = after->load,
        .cores = (unsigned)cores,
        .steal = seconds > 0 ? (after->steal_s - before->steal_s) / seconds / (double)cores : 0.0,
        .own_cores = seconds > 0 ? (after->own_s - before->own_s) / seconds : 0.0,
        .foreign_cores = seconds > 0 ? HEARTH_MAX(foreign / seconds, 0.0) : 0.0,
    };
}
