#include "scripted_server.h"

#include <poll.h>
#include <pty.h>

/* `hearth chat` at a terminal: what Ctrl-C does. Every wait ends when the awaited text comes; the
 * limit only bounds a broken program. */
#define WAIT_MS 20000

struct terminal {
    pid_t pid;
    int fd;
    char seen[16384];
    size_t size;
    size_t taken; /* up to here earlier waits have matched */
};

static void open_chat(struct terminal *terminal, const char *socket)
{
    memset(terminal, 0, sizeof *terminal);
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, NULL);
    if (terminal->pid == 0) {
        execl(HEARTH_PROGRAM, "hearth", "--socket", socket, "chat", (char *)NULL);
        _exit(99);
    }
    assert_true(terminal->pid > 0);
}

static void expect(struct terminal *terminal, const char *text)
{
    for (;;) {
        char *found = strstr(terminal->seen + terminal->taken, text);
        if (found != NULL) {
            terminal->taken = (size_t)(found - terminal->seen) + strlen(text);
            return;
        }
        struct pollfd poll_fd = {.fd = terminal->fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        ssize_t size = read(terminal->fd, terminal->seen + terminal->size,
                            sizeof terminal->seen - 1 - terminal->size);
        if (size <= 0) {
            fail_msg("the program ended before \"%s\"; it printed:\n%s", text, terminal->seen);
        }
        terminal->size += (size_t)size;
    }
}

static void type(struct terminal *terminal, const char *text)
{
    assert_int_equal(write(terminal->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int exit_code(struct terminal *terminal)
{
    int status;
    assert_int_equal(waitpid(terminal->pid, &status, 0), terminal->pid);
    close(terminal->fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void ctrl_c_ends_the_answer_and_then_the_program(void **state)
{
    static struct terminal terminal;
    open_chat(&terminal, ((struct scripted_server *)*state)->path);
    expect(&terminal, "> ");
    type(&terminal, "slow\n");
    expect(&terminal, "slow\r\np"); /* the first piece: the answer is under way */
    type(&terminal, "\x03");
    expect(&terminal, "(cancelled)");
    expect(&terminal, "> ");
    type(&terminal, "abc\n");
    expect(&terminal, "cba");
    expect(&terminal, "> ");
    type(&terminal, "\x03");
    assert_int_equal(exit_code(&terminal), 130);
}

static void ctrl_d_at_the_prompt_ends_the_program(void **state)
{
    static struct terminal terminal;
    open_chat(&terminal, ((struct scripted_server *)*state)->path);
    expect(&terminal, "> ");
    type(&terminal, "\x04");
    assert_int_equal(exit_code(&terminal), 0);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(WITH_SERVER(ctrl_c_ends_the_answer_and_then_the_program),
         WITH_SERVER(ctrl_d_at_the_prompt_ends_the_program))
