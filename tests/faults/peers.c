/* SPDX-License-Identifier: MIT */
/* What target and clients share; see peers.h. */
#include "faults/peers.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL_BUFFER_BYTES = 8192, SMALL_SEGMENT_BYTES = 1000 };

void peer_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

void peer_reset(int *fd)
{
    struct linger linger = {.l_onoff = 1};
    (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    peer_close(fd);
}

void peer_prepare(int fd, bool has_small_buffers)
{
    int bytes = SMALL_BUFFER_BYTES, segment = SMALL_SEGMENT_BYTES, on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!has_small_buffers) {
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

size_t peer_message_size(struct random *random)
{
    static const size_t more_max[] = {20,   20,   60,    60,        60,
                                      1000, 4000, 20000, 64 * 1024, MESSAGE_BYTES_MAX - 40};
    size_t which = random_below(random, sizeof more_max / sizeof more_max[0]);
    return MESSAGE_BYTES_MIN + random_below(random, more_max[which] + 1);
}

size_t peer_chunk(struct random *random, size_t size)
{
    static const size_t parts[] = {1, 1, 3, 10, 40};
    return 1 + size / parts[random_below(random, sizeof parts / sizeof parts[0])];
}
