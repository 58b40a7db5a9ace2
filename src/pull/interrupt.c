/* interrupt.c — see interrupt.h. */

#include "interrupt.h"

#include "hearth_os.h"

#include <signal.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t came;

static void note(int number)
{
    came = number;
}

void pull_interrupt_install(void)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = note}; /* no SA_RESTART: waiting ends */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < HEARTH_COUNT(wanted); i++) {
        struct sigaction before;
        if (sigaction(wanted[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(wanted[i], &action, NULL);
        }
    }
    hearth_process_ignore_sigpipe();
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is then an ordinary error of write() */
}

int pull_interrupted(void)
{
    return came;
}

bool pull_interrupt_sleep(unsigned seconds)
{
    uint64_t end_ns = hearth_clock_ns() + seconds * HEARTH_NS_PER_SEC;
    while (!came) {
        uint64_t now_ns = hearth_clock_ns();
        if (now_ns >= end_ns) {
            return true;
        }
        /* in pieces: a signal just before a long sleep would be noticed only after it */
        uint64_t left_ns = HEARTH_MIN(end_ns - now_ns, HEARTH_NS_PER_SEC / 5);
        struct timespec pause = {.tv_nsec = (long)left_ns};
        nanosleep(&pause, NULL);
    }
    return false;
}

int pull_fail_interrupted(struct pull_problem *problem)
{
    return pull_fail(problem, HEARTH_E_CANCELLED,
                     "run the same again: it goes on with what has come", "interrupted");
}
