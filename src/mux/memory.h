/* SPDX-License-Identifier: MIT */
/* The one rule for memory; see memory.c, and memory_limit.c for what happens when it is spent. Private to
 * mux/. */
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
/* Whether so little is there that nothing can be short: what every message asks first. */
bool memory_is_plenty(const struct mux *mux);
/* `taken`: whose bytes are being given to clients, and will be free at once; NULL: none. */
bool memory_is_spent(const struct mux *mux, const struct link *taken);
/* The class of a size: a power of two, all below 4 KiB in one; 0: nothing. */
unsigned memory_hold_class(size_t held);
void memory_check(const struct mux *mux);

/* ---- memory_limit.c ---- */
/* Ends clients until --buffer-memory is kept. */
void memory_enforce(struct mux *mux);
/* The same while the bytes of a link are being taken: the link stays, and what it has does not count. */
void memory_enforce_while(struct mux *mux, const struct link *taken);

#endif
