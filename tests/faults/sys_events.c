/* SPDX-License-Identifier: MIT */
/*
 * epoll, with faults; see sys_faulty.h, and sys_stream.c for why a descriptor is armed again.
 *
 * The kernel may tell of fewer events than are ready, in any order, and again of what it has told.
 * It does not forget an event, and does not return with nothing before the time is over. A wait is
 * also where the peers act and where the clock leaps.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "faults/failure.h"
#include "faults/sys_faulty_private.h"
#include "net/sys.h"

enum {
    POLLS_MAX = 64,
    WAITS_MAX = 400000,    /* a run needs some thousands: more is spinning */
    IDLE_WAITS_MAX = 2000, /* waits in a second of its clock that find nothing */
};

/* Deadlines of the engine that are farther away are those of trouble, while somebody waits. */
#define FAR_NS (NS_PER_S / 2)

/* ---- events ---- */

int sys_epoll_control(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    static const int errors[] = {ENOMEM, ENOSPC};
    struct descriptor *descriptor = faulty_descriptor(fd);
    faulty_maybe_act();
    if (operation == EPOLL_CTL_ADD && faulty_strikes(FAULT_REGISTER)) {
        return faulty_fail("epoll_ctl", fd, faulty_one_of(errors, ARRAY_COUNT(errors)));
    }
    int result = epoll_ctl(epoll_fd, operation, fd, event);
    if (result == 0 && operation == EPOLL_CTL_ADD) {
        descriptor->is_registered = true;
        descriptor->epoll_fd = epoll_fd;
        descriptor->event = *event;
    } else if (operation == EPOLL_CTL_DEL) {
        descriptor->is_registered = false;
        descriptor->rearm_in = 0;
    }
    return result;
}

static void announce_again(int fd)
{
    struct descriptor *descriptor = faulty_descriptor(fd);
    descriptor->rearm_in = 0;
    if (descriptor->is_registered &&
        epoll_ctl(descriptor->epoll_fd, EPOLL_CTL_MOD, fd, &descriptor->event) != 0) {
        failure("cannot arm descriptor %d again: %s", fd, strerror(errno));
    }
}

/* A wait goes by: announces what is due. */
static void count_down(void)
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        struct descriptor *descriptor = &faulty.descriptors[fd];
        if (descriptor->rearm_in == 1) {
            announce_again(fd);
        } else if (descriptor->rearm_in > 1) {
            descriptor->rearm_in--;
        }
        if (descriptor->is_connection && faulty_strikes(FAULT_EVENTS_SPURIOUS)) {
            announce_again(fd);
        }
    }
}

/* Nothing else is ready: what was to be announced later is announced now. */
static bool announce_rest(void)
{
    bool some = false;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        if (faulty.descriptors[fd].rearm_in > 0) {
            announce_again(fd);
            some = true;
        }
    }
    return some;
}

static void note_announced(struct epoll_event *event)
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        struct descriptor *descriptor = &faulty.descriptors[fd];
        if (!descriptor->is_connection || !descriptor->is_registered ||
            descriptor->event.data.ptr != event->data.ptr) {
            continue;
        }
        if (descriptor->is_broken) {
            event->events |= EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP;
        }
        if ((event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
            descriptor->end_announced = true;
        }
    }
}

static void shuffle(struct epoll_event *events, int count)
{
    for (int left = count; left > 1; left--) {
        uint64_t other = random_below(&faulty.random, (uint64_t)left);
        struct epoll_event event = events[left - 1];
        events[left - 1] = events[other];
        events[other] = event;
    }
}

static int events_ready(int epoll_fd, struct epoll_event *events, int capacity)
{
    if (faulty_strikes(FAULT_EVENTS_FEW)) {
        capacity = 1 + (int)random_below(&faulty.random, 3);
    }
    int count = epoll_wait(epoll_fd, events, capacity, 0);
    for (int index = 0; index < count; index++) {
        note_announced(&events[index]);
    }
    if (count > 1 && faulty_strikes(FAULT_EVENTS_SHUFFLED)) {
        shuffle(events, count);
    }
    return count;
}

/* Whether anything becomes ready while the machine's clock runs for so long. */
static bool stirs(int epoll_fd, int patience_ms)
{
    struct pollfd polls[POLLS_MAX] = {{.fd = epoll_fd, .events = POLLIN}};
    size_t count = 1 + faulty.peers->wait_for(faulty.peers->context, polls + 1, POLLS_MAX - 1);
    return poll(polls, count, patience_ms) > 0;
}

/* Nothing moves: the clock leaps to the next deadline. False: that is the engine's. */
static bool leap(int epoll_fd, uint64_t engine_at)
{
    uint64_t peers_at = faulty.peers->deadline(faulty.peers->context);
    bool is_peers = peers_at < engine_at;
    uint64_t at = is_peers ? peers_at : engine_at;
    bool is_far = !is_peers && faulty.peers->is_waiting(faulty.peers->context) &&
                  engine_at - faulty.now_ns >= FAR_NS;
    if (stirs(epoll_fd, is_far ? faulty.patience_ms : 0)) {
        return true;
    }
    if (at == TIME_NEVER) {
        failure("everybody waits and nothing will ever happen");
    }
    faulty.now_ns = at > faulty.now_ns ? at : faulty.now_ns;
    return is_peers;
}

/* Waits that return at once with nothing are spinning. */
static void count_idle(int count)
{
    if (count != 0 || faulty.now_ns > faulty.idle_since_ns + NS_PER_S) {
        faulty.idle_waits = 0;
        faulty.idle_since_ns = faulty.now_ns;
    }
    if (++faulty.idle_waits > IDLE_WAITS_MAX) {
        failure("the engine spins: %d waits in a second found nothing", IDLE_WAITS_MAX);
    }
}

static int wait_until(int epoll_fd, struct epoll_event *events, int capacity, uint64_t at)
{
    for (;;) {
        bool moved = faulty_act();
        int count = events_ready(epoll_fd, events, capacity);
        if (count != 0) {
            return count;
        }
        if (faulty.now_ns >= at) {
            return 0;
        }
        if (!announce_rest() && !moved && !leap(epoll_fd, at)) {
            return 0;
        }
    }
}

int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int capacity, int64_t timeout_ns)
{
    assert(faulty.peers != NULL);
    if (++faulty.waits > WAITS_MAX) {
        failure("%d turns, and no end", WAITS_MAX);
    }
    count_down();
    if (faulty_strikes(FAULT_INTERRUPT)) {
        (void)faulty_act();
        return faulty_fail("epoll_wait", epoll_fd, EINTR);
    }
    uint64_t at = timeout_ns < 0 ? TIME_NEVER : time_after(faulty.now_ns, (uint64_t)timeout_ns);
    int count = wait_until(epoll_fd, events, capacity, at);
    count_idle(count);
    return count;
}
