/* Two threads, one at each end, both sleeping whenever they can: a lost wake-up would hang here.
 * The ends lie over the same plain memory, so that a thread checker sees both sides of each access
 * (over two mappings of one memfd it would see unrelated addresses). */

#include "hearth_transport.h"

#include "hearth_os.h"
#include "kit.h"
#include "ring_priv.h"

#include <string.h>

#define DATA_BYTES  4096u
#define MAX_MESSAGE 3000u
#define PING_PONGS  20000u
#define STREAMED    50000u
#define ONE_BY_ONE  30000u
#define PATIENCE_NS (40 * HEARTH_NS_PER_SEC)

struct side {
    struct ring_header header;
    _Alignas(8) uint8_t rest[RING_HEADER_BYTES - sizeof(struct ring_header) + DATA_BYTES];
};

struct end {
    struct hearth_ring ring;
    struct hearth_buf message;
    uint32_t total;
    size_t message_bytes; /* of each; 0: they vary */
    const char *problem;
};

struct table {
    struct side sides[2];
    struct end ends[2];
    int wake_fds[2];
};

static int set_up(void **state)
{
    static struct table table;
    memset(&table, 0, sizeof table);
    *state = &table;
    if (hearth_socket_stream_pair(table.wake_fds, NULL) < 0) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        struct end *end = &table.ends[i];
        hearth_ring_bind(&end->ring, &table.sides[i], &table.sides[1 - i], DATA_BYTES, MAX_MESSAGE);
        end->ring.wake_fd = table.wake_fds[i];
        end->ring.is_broker = i == 0;
        hearth_buf_init(&end->message, MAX_MESSAGE);
    }
    return 0;
}

static int tear_down(void **state)
{
    struct table *table = *state;
    for (int i = 0; i < 2; i++) {
        hearth_buf_finish(&table->ends[i].message);
        hearth_fd_close(&table->wake_fds[i]);
    }
    return 0;
}

/* Waits for the wake descriptor; a wait that takes forever is the failure that is looked for. */
static bool sleep_until_woken(struct end *end)
{
    int fd = hearth_ring_wake_fd(&end->ring);
    if (hearth_fd_wait(fd, HEARTH_READY_IN, hearth_clock_ns() + PATIENCE_NS, NULL) != 0) {
        end->problem = "a wake-up was lost";
        return false;
    }
    if (!hearth_ring_cancel_sleep(&end->ring)) {
        end->problem = "the other end is gone";
        return false;
    }
    return true;
}

/* Shifts the two threads against each other, so that each moment of going to sleep is hit by the
 * other side's store sooner or later; without it the dangerous nanoseconds are hardly ever met. */
static void spin_a_little(uint32_t number)
{
    for (volatile uint32_t left = number * 2654435761u >> 21; left > 0;) {
        left = left - 1;
    }
}

static bool receive_number(struct end *end, uint32_t *ret_number)
{
    int rc = hearth_ring_receive(&end->ring, &end->message);
    while (rc == HEARTH_E_NOT_READY) {
        if (hearth_ring_prepare_sleep(&end->ring) && !sleep_until_woken(end)) {
            return false;
        }
        rc = hearth_ring_receive(&end->ring, &end->message);
    }
    if (rc < 0 || end->message.size < sizeof *ret_number) {
        end->problem = "a message is broken";
        return false;
    }
    memcpy(ret_number, end->message.data, sizeof *ret_number);
    for (size_t i = sizeof *ret_number; i < end->message.size; i++) {
        if (end->message.data[i] != (uint8_t)(*ret_number + i)) {
            end->problem = "content of a message is wrong";
            return false;
        }
    }
    return true;
}

static bool send_number(struct end *end, uint32_t number)
{
    uint8_t bytes[MAX_MESSAGE];
    size_t size = end->message_bytes > 0 ? end->message_bytes : sizeof number + number * 31 % 600;
    memcpy(bytes, &number, sizeof number);
    for (size_t i = sizeof number; i < size; i++) {
        bytes[i] = (uint8_t)(number + i);
    }
    struct hearth_slice part = {bytes, size};
    int rc = hearth_ring_send(&end->ring, &part, 1);
    while (rc == HEARTH_E_QUEUE_FULL) {
        if (!sleep_until_woken(end)) {
            return false;
        }
        rc = hearth_ring_send(&end->ring, &part, 1);
    }
    end->problem = rc < 0 ? "send failed" : end->problem;
    return rc == 0;
}

static void echo(void *arg)
{
    struct end *end = arg;
    for (uint32_t i = 0; i < end->total; i++) {
        uint32_t number = 0;
        if (!receive_number(end, &number)) {
            return;
        }
        spin_a_little(number);
        if (!send_number(end, number)) {
            return;
        }
    }
}

static void send_all(void *arg)
{
    struct end *end = arg;
    for (uint32_t i = 0; i < end->total; i++) {
        if (!send_number(end, i)) {
            return;
        }
    }
}

static void ping_pong_never_hangs(void **state)
{
    struct table *table = *state;
    struct end *mine = &table->ends[0];
    struct end *other = &table->ends[1];
    other->total = PING_PONGS;
    pthread_t thread;
    assert_int_equal(hearth_thread_start(&thread, "echo", 0, echo, other, NULL), 0);
    for (uint32_t i = 0; i < PING_PONGS && mine->problem == NULL; i++) {
        uint32_t number = 0;
        if (send_number(mine, i) && receive_number(mine, &number) && number != i) {
            mine->problem = "messages changed their order";
        }
    }
    hearth_thread_join(thread);
    assert_null(mine->problem);
    assert_null(other->problem);
}

static void one_way_stream_through_a_full_ring_keeps_its_order(void **state)
{
    struct table *table = *state;
    struct end *reader = &table->ends[0];
    struct end *writer = &table->ends[1];
    writer->total = STREAMED;
    pthread_t thread;
    assert_int_equal(hearth_thread_start(&thread, "writer", 0, send_all, writer, NULL), 0);
    for (uint32_t i = 0; i < STREAMED && reader->problem == NULL; i++) {
        uint32_t number = 0;
        if (receive_number(reader, &number) && number != i) {
            reader->problem = "messages changed their order";
        }
    }
    hearth_thread_join(thread);
    assert_null(reader->problem);
    assert_null(writer->problem);
}

/* Only one message fits, so each waits for the one before it to be taken, and the reader then
 * sleeps: here a lost wake-up for room leaves both asleep. */
static void ring_that_holds_one_message_never_hangs(void **state)
{
    struct table *table = *state;
    struct end *reader = &table->ends[0];
    struct end *writer = &table->ends[1];
    writer->total = ONE_BY_ONE;
    writer->message_bytes = MAX_MESSAGE;
    pthread_t thread;
    assert_int_equal(hearth_thread_start(&thread, "writer", 0, send_all, writer, NULL), 0);
    for (uint32_t i = 0; i < ONE_BY_ONE && reader->problem == NULL; i++) {
        uint32_t number = 0;
        spin_a_little(i);
        if (receive_number(reader, &number) && number != i) {
            reader->problem = "messages changed their order";
        }
    }
    hearth_thread_join(thread);
    assert_null(reader->problem);
    assert_null(writer->problem);
}

#define AT_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(AT_TABLE(ping_pong_never_hangs),
         AT_TABLE(one_way_stream_through_a_full_ring_keeps_its_order),
         AT_TABLE(ring_that_holds_one_message_never_hangs))
