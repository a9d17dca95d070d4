/* SPDX-License-Identifier: MIT */
/*
 * A Modbus server on libmodbus that serves one connection at a time: `modbus-server`.
 *
 * It listens on a port of 127.0.0.1 that the kernel chooses, prints it as `listening HOST:PORT`,
 * and then a line for each connection. Whoever else connects waits until the first has gone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "registers.h"

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
    exit(1);
}

static void serve(modbus_t *modbus, modbus_mapping_t *registers)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    int size;
    while ((size = modbus_receive(modbus, request)) >= 0) {
        /* An exception is a reply, too; what has no reply is a size of 0. */
        if (size > 0 && modbus_reply(modbus, request, size, registers) < 0 && errno == EPIPE) {
            return;
        }
    }
}

int main(void)
{
    modbus_t *modbus = modbus_new_tcp("127.0.0.1", 0);
    modbus_mapping_t *registers = modbus_mapping_new(0, 0, REGISTERS_COUNT, 0);
    if (modbus == NULL || registers == NULL) {
        die("no memory");
    }
    for (unsigned address = 0; address < REGISTERS_COUNT; address++) {
        registers->tab_registers[address] = register_value(address);
    }
    int listener = modbus_tcp_listen(modbus, 1);
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)(void *)&name, &size) < 0) {
        die("cannot listen");
    }
    printf("listening 127.0.0.1:%u\n", ntohs(name.sin_port));
    (void)fflush(stdout);
    while (modbus_tcp_accept(modbus, &listener) >= 0) {
        printf("connection\n");
        (void)fflush(stdout);
        serve(modbus, registers);
        modbus_close(modbus);
    }
    die("cannot accept");
}
