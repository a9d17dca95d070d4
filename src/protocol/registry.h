/* SPDX-License-Identifier: MIT */
/* The table entries of the protocols, for registry.c and the files that define them; all others use
 * protocol_find and `protocols`. */
#ifndef PROTOCOL_REGISTRY_H
#define PROTOCOL_REGISTRY_H

#include "protocol/protocol.h"

extern const struct protocol protocol_echo;
extern const struct protocol protocol_http;
extern const struct protocol protocol_iso8583;
extern const struct protocol protocol_modbus;
extern const struct protocol protocol_mpu;

#endif
