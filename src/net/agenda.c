/* SPDX-License-Identifier: MIT */
/*
 * Which routes a turn has to do with: those that something has happened to, and those that have something
 * due.
 *
 * A core is told the clock when the first of a turn happens to it, and asked for its deadline when the turn
 * is done with it. So a turn costs what happened in it, however many routes there are. Only when the process
 * was stopped for a while are all of them told.
 */
#include "net/engine_private.h"

void agenda_touch(struct engine_route *route)
{
    struct engine *engine = route->engine;
    if (list_is_linked(&route->touched)) {
        return;
    }
    uint64_t lost_ns = engine->clock.lost_ns - route->lost_told_ns;
    if (lost_ns > 0) {
        route->lost_told_ns = engine->clock.lost_ns;
        mux_stalled(route->mux, lost_ns);
    }
    mux_clock(route->mux, engine->clock.now_ns);
    list_push_back(&engine->touched, &route->touched);
}

void agenda_touch_all(struct engine *engine)
{
    for (struct list *node = list_first(&engine->routes); node != NULL;
         node = list_next(&engine->routes, node)) {
        agenda_touch(LIST_ENTRY(node, struct engine_route, node));
    }
}

void agenda_run_deadlines(struct engine *engine, uint64_t due_ns)
{
    while (heap_first_at(&engine->deadlines) <= due_ns) { /* each round takes one out */
        struct heap_item *item = heap_first(&engine->deadlines);
        heap_remove(&engine->deadlines, item);
        agenda_touch(CONTAINER_OF(item, struct engine_route, deadline));
    }
    for (struct list *node = list_first(&engine->touched); node != NULL;
         node = list_next(&engine->touched, node)) {
        mux_time(LIST_ENTRY(node, struct engine_route, touched)->mux, due_ns);
    }
}

struct engine_route *agenda_next(const struct engine *engine)
{
    struct list *node = list_first(&engine->touched);
    return node == NULL ? NULL : LIST_ENTRY(node, struct engine_route, touched);
}

/* It may end inside `finished`, and the engine be stopped. */
static void tell_finished(struct engine_route *route)
{
    route->is_finished = true;
    route->engine->finished_count++;
    if (route->finished != NULL) {
        route->finished(route->context);
    }
}

void agenda_done(struct engine_route *route)
{
    struct engine *engine = route->engine;
    uint64_t at = mux_deadline(route->mux);
    list_remove(&route->touched);
    if (at == TIME_NEVER) {
        heap_remove(&engine->deadlines, &route->deadline);
    } else {
        heap_set(&engine->deadlines, &route->deadline, at);
    }
    if (!route->is_finished && mux_is_finished(route->mux)) {
        tell_finished(route);
    }
}

bool agenda_add(struct engine_route *route)
{
    struct engine *engine = route->engine;
    if (!heap_reserve(&engine->deadlines, engine->routes_count + 1)) {
        return false;
    }
    route->lost_told_ns = engine->clock.lost_ns;
    list_push_back(&engine->routes, &route->node);
    engine->routes_count++;
    return true;
}

void agenda_remove(struct engine_route *route)
{
    struct engine *engine = route->engine;
    heap_remove(&engine->deadlines, &route->deadline);
    list_drop(&route->touched);
    list_remove(&route->node);
    engine->routes_count--;
    engine->finished_count -= route->is_finished;
}
