/* machine.c — what a figure was measured on: without it, it is a number and not a figure. */

#include "hearth_harness.h"

#include "hearth_os.h"

#include <string.h>
#include <sys/utsname.h>

#if defined(HEARTH_SANITIZED)
#define SANITIZED ", with sanitizers"
#else
#define SANITIZED ""
#endif

static void chomp(char *text)
{
    text[strcspn(text, "\n")] = '\0';
}

static void read_line(const char *path, char *room, size_t room_bytes, const char *otherwise)
{
    snprintf(room, room_bytes, "%s", otherwise);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(room, (int)room_bytes, file) == NULL) {
            snprintf(room, room_bytes, "%s", otherwise);
        }
        chomp(room);
        fclose(file);
    }
}

static void read_cpu(char *room, size_t room_bytes)
{
    char line[HEARTH_HARNESS_TEXT_BYTES];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(room, room_bytes, "unknown");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(room, room_bytes, "%s", colon + 2);
            chomp(room);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

void hearth_harness_machine_read(struct hearth_harness_machine *ret)
{
    struct hearth_cpu_count cores;
    struct utsname system;
    uint64_t available_bytes = 0;
    *ret = (struct hearth_harness_machine){
        .build = HEARTH_BUILD_TYPE ", compiler " __VERSION__ ", hearth " HEARTH_VERSION SANITIZED};
    read_cpu(ret->cpu, sizeof ret->cpu);
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", ret->governor,
              sizeof ret->governor, "not readable");
    if (uname(&system) == 0) {
        snprintf(ret->kernel, sizeof ret->kernel, "%s %s %s", system.sysname, system.release,
                 system.machine);
    }
    hearth_cpu_count(&cores);
    ret->cores = cores.available;
    hearth_proc_memory(&ret->memory_bytes, &available_bytes);
}
