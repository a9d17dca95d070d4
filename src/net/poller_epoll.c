/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is asked to announce, with epoll: connections, listeners, watches.
 *
 * An event carries the address of its record (source.h). Connections are registered once,
 * edge-triggered, for everything; no system call is spent on changing what is waited for.
 */
#include <errno.h>
#include <stdlib.h>

#include "net/engine_private.h"
#include "net/sys.h"

bool engine_register_source(struct engine *engine, int fd, uint32_t events, struct source *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return sys_epoll_control(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool engine_register_connection(struct engine *engine, struct connection *connection)
{
    uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
    return engine_register_source(engine, connection->fd, events, &connection->source);
}

bool engine_register_reader(struct engine *engine, int fd, struct source *source)
{
    return engine_register_source(engine, fd, EPOLLIN, source);
}

/* Closing would do as well, unless a copy of the descriptor lives on in a child between fork and
 * exec. */
void engine_unregister(struct engine *engine, int fd)
{
    (void)sys_epoll_control(engine->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- watches ---- */

bool engine_watch(struct engine *engine, int fd, void (*ready)(void *context), void *context,
                  struct error *error)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        error_set(error, "no memory to watch a descriptor");
        return false;
    }
    *watch =
        (struct watch){.source.kind = SOURCE_WATCH, .fd = fd, .ready = ready, .context = context};
    if (!engine_register_reader(engine, fd, &watch->source)) {
        char text[128];
        error_set(error, "cannot watch a descriptor: %s", errno_text(errno, text, sizeof text));
        free(watch);
        return false;
    }
    list_push_back(&engine->watches, &watch->node);
    return true;
}

void engine_unwatch(struct engine *engine, int fd)
{
    for (struct list *node = list_first(&engine->watches); node != NULL;
         node = list_next(&engine->watches, node)) {
        struct watch *watch = LIST_ENTRY(node, struct watch, node);
        if (watch->fd == fd) {
            engine_unregister(engine, fd);
            list_remove(node);
            free(watch);
            return;
        }
    }
}

/* ---- the clock ---- */

uint64_t engine_now(void)
{
    return sys_clock_ns();
}
