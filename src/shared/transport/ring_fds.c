/* ring_fds.c — descriptors that belong to messages of a ring travel on a socket beside it.
 *
 * A packet is the number of a message and its descriptors. It is sent before the message, so who
 * reads the message finds it there and never waits; packets come in the order of their messages. */

#include "ring_priv.h"

#include "hearth_os.h"

#include <string.h>

_Static_assert(HEARTH_RING_MAX_FDS <= HEARTH_MAX_PASSED_FDS, "descriptors of a message");

int hearth_ring_channel_fd(const struct hearth_ring *ring)
{
    return ring->channel_fd;
}

int hearth_ring_send_fds(struct hearth_ring *ring, uint64_t about, const int *fds, uint32_t count)
{
    HEARTH_ASSERT(count > 0 && count <= HEARTH_RING_MAX_FDS);
    return hearth_socket_send_fds(ring->channel_fd, hearth_slice_of(&about, sizeof about), fds,
                                  count, NULL);
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hearth_fd_discard(&fds[i]);
    }
}

int hearth_ring_receive_fds(struct hearth_ring *ring, uint64_t about, int *ret_fds, uint32_t count)
{
    HEARTH_ASSERT(count > 0 && count <= HEARTH_RING_MAX_FDS);
    for (;;) {
        uint64_t found = 0;
        uint8_t room[sizeof found + 1]; /* one more, to see a packet that is too long */
        size_t size = 0;
        size_t found_count = 0;
        bool are_lost = false;
        int fds[HEARTH_MAX_RECEIVED_FDS];
        int rc = hearth_socket_receive_with_fds(ring->channel_fd, room, sizeof room, &size, fds,
                                                &found_count, &are_lost);
        if (rc < 0) {
            return rc == HEARTH_E_SYSTEM ? rc : HEARTH_E_MALFORMED;
        }
        memcpy(&found, room, sizeof found);
        size = are_lost ? 0 : size;
        if (size == sizeof found && found == about && found_count == count) {
            for (uint32_t i = 0; i < count; i++) {
                ret_fds[i] = fds[i];
            }
            return 0;
        }
        close_all(fds, found_count);
        if (ring->is_broker || size != sizeof found || found == about) {
            return HEARTH_E_MALFORMED;
        }
    }
}
