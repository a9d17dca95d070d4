/* SPDX-License-Identifier: MIT */
/* The protocols this program knows. To add one: its file, a line in registry.h, a line here. */
#include "protocol/registry.h"

#include <string.h>

#include "base/compiler.h"

const struct protocol *const protocols[] = {
    &protocol_echo, &protocol_http, &protocol_iso8583, &protocol_modbus, &protocol_mpu,
};
const size_t protocols_count = ARRAY_COUNT(protocols);

const struct protocol *protocol_find(const char *name)
{
    for (size_t index = 0; index < protocols_count; index++) {
        if (strcmp(protocols[index]->name, name) == 0) {
            return protocols[index];
        }
    }
    return NULL;
}
