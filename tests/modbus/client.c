/* SPDX-License-Identifier: MIT */
/*
 * A Modbus client on libmodbus: `modbus-client PORT NUMBER ROUNDS`.
 *
 * In each round it reads registers of its own block, writes one that only it writes, reads that
 * back, and asks for one that does not exist. Transaction ids are as libmodbus counts them, so that
 * all clients use the same. The first answer that is not its own ends it with status 1; else it
 * prints how many it had.
 */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>

#include "registers.h"

enum { PATIENCE = 20 /* seconds */, READ_MAX = 60 };

static _Noreturn void die(unsigned client, unsigned turn, const char *what)
{
    fprintf(stderr, "client %u, round %u: %s: %s\n", client, turn, what, modbus_strerror(errno));
    exit(1);
}

static void read_block(modbus_t *modbus, unsigned client, unsigned turn)
{
    uint16_t values[READ_MAX];
    unsigned count = 1 + turn % READ_MAX, address = client * BLOCK + turn % (BLOCK - count + 1);
    if (modbus_read_registers(modbus, (int)address, (int)count, values) != (int)count) {
        die(client, turn, "reading");
    }
    for (unsigned index = 0; index < count; index++) {
        if (values[index] != register_value(address + index)) {
            die(client, turn, "somebody else's values");
        }
    }
}

static void write_and_read(modbus_t *modbus, unsigned client, unsigned turn)
{
    int address = (int)(WRITTEN + client * BLOCK + turn % BLOCK);
    uint16_t written = (uint16_t)(client << 12 | (turn & 0xFFF)), value = 0;
    if (modbus_write_register(modbus, address, written) != 1) {
        die(client, turn, "writing");
    }
    if (modbus_read_registers(modbus, address, 1, &value) != 1) {
        die(client, turn, "reading what was written");
    }
    if (value != written) {
        die(client, turn, "not what was written");
    }
}

static void ask_for_nothing(modbus_t *modbus, unsigned client, unsigned turn)
{
    uint16_t value;
    if (modbus_read_registers(modbus, REGISTERS_COUNT, 1, &value) != -1 || errno != EMBXILADD) {
        die(client, turn, "no exception");
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s PORT NUMBER ROUNDS\n", argv[0]);
        return 2;
    }
    unsigned client = (unsigned)strtoul(argv[2], NULL, 10);
    unsigned rounds = (unsigned)strtoul(argv[3], NULL, 10);
    modbus_t *modbus = modbus_new_tcp("127.0.0.1", (int)strtol(argv[1], NULL, 10));
    if (modbus == NULL || modbus_set_response_timeout(modbus, PATIENCE, 0) < 0 ||
        modbus_connect(modbus) < 0) {
        die(client, 0, "cannot connect");
    }
    for (unsigned turn = 0; turn < rounds; turn++) {
        read_block(modbus, client, turn);
        write_and_read(modbus, client, turn);
        ask_for_nothing(modbus, client, turn);
    }
    printf("%u answers\n", 4 * rounds);
    modbus_close(modbus);
    modbus_free(modbus);
    return 0;
}
