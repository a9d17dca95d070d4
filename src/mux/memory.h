/* SPDX-License-Identifier: MIT */
/* The one rule for memory; see memory.c. Private to mux/. */
#ifndef MUX_MEMORY_H
#define MUX_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct client;
struct link;
struct mux;

/* What clients and the target make us hold now. */
size_t memory_used(const struct mux *mux);
/* What one client makes us hold. */
size_t memory_held(const struct mux *mux, const struct client *client);
/* How much it receives at once. */
size_t memory_recv_size(const struct mux *mux, const struct client *client);
/* Whether memory is short, and it holds more than its share. */
bool memory_is_over_share(const struct mux *mux, const struct client *client);
/* What it holds may have changed: it stands where that belongs. */
void memory_note(struct mux *mux, struct client *client);
void memory_init(struct mux *mux);
/* Ends clients until --buffer-memory is kept. */
void memory_enforce(struct mux *mux);
/* The same while the bytes of a link are being taken: the link stays, and what it has does not count. */
void memory_enforce_while(struct mux *mux, const struct link *taken);
void memory_check(const struct mux *mux);

#endif
