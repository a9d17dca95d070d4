/* SPDX-License-Identifier: MIT */
/* What the tests of Modbus share: frames from their parts. */
#ifndef TESTS_UNIT_MODBUS_UNIT_H
#define TESTS_UNIT_MODBUS_UNIT_H

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "protocol/modbus.h"
#include "protocol/registry.h"

/* A string of bytes without its NUL, and its size. */
#define BYTES(literal) (literal), (sizeof(literal) - 1)

struct frame_bytes {
    uint8_t data[MODBUS_BYTES_MAX];
    size_t size;
};

/* A frame with the true length; `pdu` begins with the function. */
static inline struct frame_bytes frame_of(uint16_t id, uint8_t unit, const char *pdu, size_t size)
{
    struct frame_bytes bytes = {.size = MODBUS_FUNCTION + size};
    assert(bytes.size <= sizeof bytes.data);
    store_be16(bytes.data + MODBUS_ID, id);
    store_be16(bytes.data + MODBUS_LENGTH, (uint16_t)(1 + size));
    bytes.data[MODBUS_UNIT] = unit;
    memcpy(bytes.data + MODBUS_FUNCTION, pdu, size);
    return bytes;
}

#endif
