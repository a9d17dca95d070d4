/* SPDX-License-Identifier: MIT */
/*
 * Several requests on one link, as checks: how many there may be, what stands behind what, what is sent
 * again, and for which reasons a link with all it carries is given up. Called by link_watch.c, whose
 * account of the link they go by.
 */
#ifndef SIM_PIPELINES_H
#define SIM_PIPELINES_H

#include <stdbool.h>
#include <stdint.h>

#include "mux/reason.h"

struct world;
struct connection;
struct ledger_entry;
struct sending;

/* Requests that the link may carry at a time, now. */
uint32_t pipeline_room(const struct world *world, const struct connection *link);

/* Whether it carries something, takes nothing before something on it ends, or may be kept for somebody who
 * must be alone. */
bool pipeline_carries_anything(const struct world *world, const struct connection *link);
/* Whether all that has taken the link but this request was answered. */
bool pipeline_has_no_other(const struct world *world, const struct connection *link,
                           const struct ledger_entry *entry);
bool pipeline_is_full(const struct world *world, const struct connection *link);
/* Whether the response of its oldest has begun, behind which nothing more is taken. */
bool pipeline_is_answering(const struct world *world, const struct connection *link);
bool pipeline_may_be_full(const struct world *world, const struct connection *link);

/* At the first byte of a request on a link. */
void check_link_has_room(const struct world *world, const struct connection *link,
                         const struct ledger_entry *entry);
void check_no_second_copy(const struct world *world, const struct ledger_entry *entry);

/* By identifier: one that is awaited, or whose response did not come in time, is not used for another. */
void check_id_is_free(const struct connection *link, uint32_t id);
void check_response_is_overdue(const struct world *world, const struct connection *link,
                               const struct sending *sending);

/* When the core tells that a link is given up. */
void check_link_is_given_up_for_a_reason(const struct world *world, const struct connection *link,
                                         enum mux_reason reason);

#endif
