/* SPDX-License-Identifier: MIT */
/*
 * What the fake engine does to one connection: reads, writes, connects, closes it as the kernel would,
 * and tells the core the fact. When to do which is fake_engine.c's.
 */
#ifndef SIM_FAKE_IO_H
#define SIM_FAKE_IO_H

#include "mux/mux.h"

struct world;
struct connection;

/* What was due by then happens. */
void fake_io_tell_time(struct world *world, uint64_t due_ns);
/* The clock alone. */
void fake_io_tell_clock(struct world *world);
void fake_io_tell_failure(struct world *world, struct connection *connection,
                          enum io_failure failure);

/* Reads on until nothing is there, the core wants none of `wish` any more, or it was enough for this
 * turn. */
void fake_io_read_on(struct world *world, struct connection *connection, unsigned wish);
void fake_io_write_on(struct world *world, struct connection *connection);

/* Of a link; the end comes when connection->due_at has come. */
void fake_io_begin_resolving(struct world *world, struct connection *link);
void fake_io_begin_connecting(struct world *world, struct connection *link);
void fake_io_end_waiting(struct world *world, struct connection *link);

/* Reads once, whatever has been announced, and tells when all of it has been read. */
void fake_io_probe(struct world *world, struct connection *link);

void fake_io_shut(struct world *world, struct connection *connection);
void fake_io_close_connection(struct world *world, struct connection *connection);

#endif
