/* SPDX-License-Identifier: MIT */
/* What the peers of the Modbus tests agree on; tests/system/peers has the same in Python. */
#ifndef TESTS_MODBUS_REGISTERS_H
#define TESTS_MODBUS_REGISTERS_H

#include <stdint.h>

enum {
    REGISTERS_COUNT = 4096,
    BLOCK = 64,     /* each client has so many registers that it reads, */
    WRITTEN = 2048, /* and from here on so many that only it writes */
};

/* What stands in a register that nobody has written: no two the same. */
static inline uint16_t register_value(unsigned address)
{
    return (uint16_t)(address * 40503 + 12345);
}

#endif
