/* SPDX-License-Identifier: MIT */
/* The fault layer's choices, its clock and its life; see sys_faulty.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "faults/failure.h"
#include "faults/sys_faulty_private.h"
#include "net/sys.h"

struct layer faulty;

/* ---- choices ---- */

bool faulty_strikes(enum fault fault)
{
    uint16_t permille = faulty.rates.permille[fault];
    if (!faulty.is_storming || permille == 0 || random_below(&faulty.random, 1000) >= permille) {
        return false;
    }
    faulty.counts[fault]++;
    return true;
}

int faulty_one_of(const int *errors, size_t count)
{
    return errors[random_below(&faulty.random, count)];
}

int faulty_fail(const char *call, int fd, int error)
{
    failure_note("%llu %s(%d): %s", (unsigned long long)faulty.waits, call, fd,
                 strerrorname_np(error));
    errno = error;
    return -1;
}

struct descriptor *faulty_descriptor(int fd)
{
    assert(fd >= 0);
    assert(fd < DESCRIPTORS_MAX);
    return &faulty.descriptors[fd];
}

void faulty_forget(int fd)
{
    free(faulty_descriptor(fd)->kept);
    *faulty_descriptor(fd) = (struct descriptor){0};
}

bool faulty_act(void)
{
    if (faulty.peers == NULL || faulty.peers_are_acting) {
        return false;
    }
    faulty.peers_are_acting = true;
    bool moved = faulty.peers->act(faulty.peers->context);
    faulty.peers_are_acting = false;
    return moved;
}

void faulty_maybe_act(void)
{
    if (faulty_strikes(FAULT_PEERS_ACT)) {
        (void)faulty_act();
    }
}

/* ---- life ---- */

static int bound_socket(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) != 0) {
        failure("cannot bind a socket: %s", strerror(errno));
    }
    return fd;
}

void faulty_open(void)
{
    faulty.refusing_fd = bound_socket(&faulty.refusing);
    faulty.silent_fd = bound_socket(&faulty.silent);
    /* A backlog of 0 has room for one; further attempts get no answer. */
    faulty.silent_filler_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listen(faulty.silent_fd, 0) != 0 ||
        connect(faulty.silent_filler_fd, (struct sockaddr *)&faulty.silent, sizeof faulty.silent) !=
            0) {
        failure("cannot fill a backlog: %s", strerror(errno));
    }
}

void faulty_close(void)
{
    (void)close(faulty.silent_filler_fd);
    (void)close(faulty.silent_fd);
    (void)close(faulty.refusing_fd);
}

void faulty_init(uint64_t seed, enum storm storm, const struct faulty_peers *peers, int patience_ms)
{
    random_init(&faulty.random, seed);
    rates_draw(&faulty.rates, &faulty.random, storm);
    faulty.is_storming = false;
    faulty.peers = peers;
    faulty.patience_ms = patience_ms;
    faulty.now_ns = NS_PER_S;
    faulty.waits = faulty.idle_waits = 0;
}

void faulty_deinit(void)
{
    faulty.peers = NULL;
    faulty.is_storming = false;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        if (faulty.descriptors[fd].is_connection || faulty.descriptors[fd].is_registered) {
            failure("descriptor %d was never closed", fd);
        }
    }
}

void faulty_storm(bool on)
{
    faulty.is_storming = on;
    faulty.shortage_until_ns = 0;
}

uint64_t faulty_now(void)
{
    return faulty.now_ns;
}

uint64_t faulty_waits(void)
{
    return faulty.waits;
}

uint64_t faulty_count(enum fault fault)
{
    return faulty.counts[fault];
}

/* ---- the clock ---- */

int sys_processors_count(void)
{
    return 1;
}

void sys_yield(void)
{
}

uint64_t sys_clock_ns(void)
{
    faulty.now_ns += 1 + random_below(&faulty.random, 5 * NS_PER_US);
    if (faulty_strikes(FAULT_CLOCK)) {
        uint64_t step_ns = random_below(&faulty.random, 2 * NS_PER_S);
        faulty.now_ns += step_ns;
        failure_note("%llu clock: %llu ms later", (unsigned long long)faulty.waits,
                     (unsigned long long)(step_ns / NS_PER_MS));
    }
    return faulty.now_ns;
}
