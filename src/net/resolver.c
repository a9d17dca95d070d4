/* SPDX-License-Identifier: MIT */
/*
 * Names looked up by getaddrinfo on a helper thread; see resolver.h.
 *
 * getaddrinfo knows every name service that the system is set up for, and may take as long as it
 * likes. So each lookup runs on a detached thread of its own, at most one per resolver: lookups are
 * as rare as connection attempts, an idle resolver costs no thread, and one slow name holds up no
 * other route.
 *
 * Thread and engine share `struct resolver`, which lives until both have let go of it (`holders`):
 * an engine that is destroyed while a lookup hangs leaves it to the thread.
 *
 *     IDLE ──(engine: resolver_start)──► RUNNING ──(thread: answer written)──► DONE
 *       ▲                                                                       │
 *       └────────────────────(engine: resolver_take)────────────────────────────┘
 *
 * The answer belongs to the thread while RUNNING, and to the engine otherwise. The eventfd only
 * wakes.
 */
#include "net/resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/sys.h"

enum resolver_state { RESOLVER_IDLE, RESOLVER_RUNNING, RESOLVER_DONE };

struct resolver {
    atomic_int state; /* enum resolver_state */
    atomic_int holders;
    int event_fd; /* owns */
    int family;
    char host[HOST_BYTES_MAX];
    char service[8];

    /* the answer */
    const char *trouble;
    size_t count;
    struct address addresses[RESOLVED_MAX];
};

struct resolver *resolver_create(const struct endpoint *endpoint, int family)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        return NULL;
    }
    resolver->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolver->event_fd < 0) {
        free(resolver);
        return NULL;
    }
    atomic_init(&resolver->state, RESOLVER_IDLE);
    atomic_init(&resolver->holders, 1);
    resolver->family = family;
    memcpy(resolver->host, endpoint->host, sizeof resolver->host);
    (void)snprintf(resolver->service, sizeof resolver->service, "%u", endpoint->port);
    return resolver;
}

static void let_go(struct resolver *resolver)
{
    if (atomic_fetch_sub(&resolver->holders, 1) == 1) {
        (void)sys_close(resolver->event_fd);
        free(resolver);
    }
}

void resolver_destroy(struct resolver **resolver)
{
    if (*resolver != NULL) {
        let_go(*resolver);
        *resolver = NULL;
    }
}

int resolver_fd(const struct resolver *resolver)
{
    return resolver->event_fd;
}

/* ---- on the thread ---- */

static void keep_answer(struct resolver *resolver, const struct addrinfo *found)
{
    resolver->count = 0;
    for (const struct addrinfo *info = found; info != NULL && resolver->count < RESOLVED_MAX;
         info = info->ai_next) {
        struct address *address = &resolver->addresses[resolver->count++];
        assert(info->ai_addrlen <= sizeof address->is);
        *address = (struct address){.size = info->ai_addrlen};
        memcpy(&address->is, info->ai_addr, info->ai_addrlen);
    }
}

static void look_up(struct resolver *resolver)
{
    /* AI_ADDRCONFIG does not count loopback addresses: with a family given it would hide them. */
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV |
                                         (resolver->family == AF_UNSPEC ? AI_ADDRCONFIG : 0),
                             .ai_family = resolver->family,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int trouble = getaddrinfo(resolver->host, resolver->service, &hints, &found);
    if (trouble != 0) {
        resolver->count = 0;
        resolver->trouble = gai_strerror(trouble);
        return;
    }
    keep_answer(resolver, found);
    resolver->trouble = resolver->count > 0 ? NULL : "the name has no address";
    freeaddrinfo(found);
}

static void *run(void *context)
{
    struct resolver *resolver = context;
    look_up(resolver);
    atomic_store_explicit(&resolver->state, RESOLVER_DONE, memory_order_release);
    uint64_t one = 1;
    ssize_t written = write(resolver->event_fd, &one, sizeof one);
    assert(written == (ssize_t)sizeof one); /* the counter is 0 or 1 */
    let_go(resolver);
    return NULL;
}

/* ---- on the engine's thread ---- */

/* The thread takes no signals: they are for the engine's descriptors. */
static bool start_thread(struct resolver *resolver)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int trouble = pthread_create(&thread, &attributes, run, resolver);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return trouble == 0;
}

bool resolver_start(struct resolver *resolver, bool *started)
{
    *started = false;
    if (atomic_load_explicit(&resolver->state, memory_order_acquire) != RESOLVER_IDLE) {
        return true; /* under way, or the answer is about to be taken */
    }
    atomic_store_explicit(&resolver->state, RESOLVER_RUNNING, memory_order_relaxed);
    atomic_fetch_add(&resolver->holders, 1);
    *started = start_thread(resolver);
    if (*started) {
        return true;
    }
    atomic_fetch_sub(&resolver->holders, 1);
    atomic_store_explicit(&resolver->state, RESOLVER_IDLE, memory_order_relaxed);
    return false;
}

bool resolver_take(struct resolver *resolver, struct address addresses[static RESOLVED_MAX],
                   size_t *count, const char **trouble)
{
    uint64_t ignored;
    ssize_t got = read(resolver->event_fd, &ignored, sizeof ignored);
    (void)got; /* the state tells */
    if (atomic_load_explicit(&resolver->state, memory_order_acquire) != RESOLVER_DONE) {
        return false;
    }
    memcpy(addresses, resolver->addresses, resolver->count * sizeof *addresses);
    *count = resolver->count;
    *trouble = resolver->trouble;
    atomic_store_explicit(&resolver->state, RESOLVER_IDLE, memory_order_relaxed);
    return true;
}
