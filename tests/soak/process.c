/* SPDX-License-Identifier: MIT */
/* What the two soak programs share beside lines; see process.h. */
#include "tests/soak/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/net.h"

volatile sig_atomic_t is_told_to_stop, is_told_to_behave;

uint32_t parse_number(const char *text, uint32_t minimum, uint32_t maximum)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < minimum || value > maximum) {
        fprintf(stderr, "'%s' is not a number from %u to %u\n", text, minimum, maximum);
        exit(2);
    }
    return (uint32_t)value;
}

static void take_signal(int number)
{
    if (number == SIGUSR1) {
        is_told_to_behave = 1;
    } else {
        is_told_to_stop = 1;
    }
}

void start_soak_process(void)
{
    struct sigaction taking = {.sa_handler = take_signal};
    start_process();
    sigaction(SIGTERM, &taking, NULL);
    sigaction(SIGINT, &taking, NULL);
    sigaction(SIGUSR1, &taking, NULL);
}

void set_kernel_buffers(int fd, uint32_t send_bytes, uint32_t receive_bytes)
{
    if (send_bytes > 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){(int)send_bytes}, sizeof(int));
    }
    if (receive_bytes > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){(int)receive_bytes}, sizeof(int));
    }
}

void close_with_reset(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}
