/* SPDX-License-Identifier: MIT */
/* Signals through signalfd. */
#include "daemon/signals.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void fill_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGQUIT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

/* What is written and not taken says so by an error: it ends nobody. USR2 is for later, and for whoever
 * sends it to every program of a kind. */
static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGUSR2};

static_assert(ARRAY_COUNT(ignored) == SIGNALS_IGNORED, "each has a place for what it was before");

static void ignore_all(struct sigaction *previous)
{
    struct sigaction ignore;
    memset(&ignore, 0, sizeof(ignore));
    ignore.sa_handler = SIG_IGN;
    for (size_t index = 0; index < ARRAY_COUNT(ignored); index++) {
        int result = sigaction(ignored[index], &ignore, &previous[index]);
        assert(result == 0);
    }
}

static void restore_all(const struct sigaction *previous)
{
    for (size_t index = 0; index < ARRAY_COUNT(ignored); index++) {
        int result = sigaction(ignored[index], &previous[index], NULL);
        assert(result == 0);
    }
}

bool signals_block(struct signals *signals, struct error *error)
{
    sigset_t set;
    fill_set(&set);
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd < 0) {
        error_set(error, "cannot receive signals: %s", strerror(errno));
        return false;
    }
    int result = pthread_sigmask(SIG_BLOCK, &set, &signals->previous_mask);
    assert(result == 0);
    ignore_all(signals->previous_ignored);
    return true;
}

int signals_next(struct signals *signals)
{
    struct signalfd_siginfo info;
    ssize_t size;
    do {
        size = read(signals->fd, &info, sizeof(info));
    } while (size < 0 && errno == EINTR);
    return size == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void signals_restore(struct signals *signals)
{
    while (signals_next(signals) != 0) {
    }
    close(signals->fd);
    signals->fd = -1;
    restore_all(signals->previous_ignored);
    int result = pthread_sigmask(SIG_SETMASK, &signals->previous_mask, NULL);
    assert(result == 0);
}

const char *signal_text(int signal_number)
{
    const char *text = sigabbrev_np(signal_number);
    return text != NULL ? text : "?";
}
