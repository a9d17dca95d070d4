/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: the limit is raised, and a few are kept back for links.
 *
 * Clients take descriptors until there are none; a link that breaks then must still be replaced,
 * and the target's name looked up for it. So the engine holds RESERVED_MAX descriptors that are
 * copies of its epoll descriptor and good for nothing. When a socket for a link cannot be had, one
 * is closed and the socket asked for again; a lookup that starts while accepting is paused gets
 * LOOKUP_DESCRIPTORS. The reserve is filled up again whenever a descriptor was closed, and
 * accepting resumes only after that, so clients do not get what links gave back.
 *
 * Holding real descriptors works for both limits, of the process and of the system, and needs no
 * account of what other parts of the process have open.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "net/engine_private.h"
#include "net/sys.h"

enum {
    OTHER_DESCRIPTORS = 64, /* standard streams, log, signals, administration, libraries */
};

bool is_exhaustion(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void reserve_fill(struct engine *engine)
{
    while (engine->reserved_count < RESERVED_MAX && engine->lookups_running == 0) {
        int fd = fcntl(engine->epoll_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            return;
        }
        engine->reserved[engine->reserved_count++] = fd;
    }
}

bool reserve_is_full(const struct engine *engine)
{
    return engine->reserved_count == RESERVED_MAX;
}

bool reserve_release(struct engine *engine, size_t count)
{
    bool released = false;
    for (; count > 0 && engine->reserved_count > 0; count--) {
        (void)sys_close(engine->reserved[--engine->reserved_count]);
        released = true;
    }
    return released;
}

void reserve_empty(struct engine *engine)
{
    (void)reserve_release(engine, RESERVED_MAX);
}

static void warn_of_limit(const struct engine *engine, const struct rlimit *limit)
{
    struct log_line line;
    log_line_begin(
        &line, engine->log, LOG_WARN, "descriptor_limit",
        "the limit on open files is too low for --max-clients; clients wait when it is reached");
    log_line_number(&line, "limit", limit->rlim_cur);
    log_line_number(&line, "needed", engine->descriptors_needed);
    log_line_end(&line);
}

void reserve_raise_limit(struct engine *engine, const struct engine_route *route)
{
    const struct mux_options *options = mux_options(route->mux);
    if (engine->descriptors_needed == 0) {
        engine->descriptors_needed = OTHER_DESCRIPTORS + RESERVED_MAX;
    }
    engine->descriptors_needed +=
        (uint64_t)options->clients_max + options->links_max + route->listeners_count;

    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= engine->descriptors_needed) {
        return;
    }
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur =
        limit.rlim_max < engine->descriptors_needed ? limit.rlim_max : engine->descriptors_needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        limit.rlim_cur = before;
    }
    if (limit.rlim_cur < engine->descriptors_needed) {
        warn_of_limit(engine, &limit);
    }
}
