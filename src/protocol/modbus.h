/* SPDX-License-Identifier: MIT */
/*
 * What the files of Modbus share: where things stand in a frame, and the functions by number.
 *
 * A frame is the header ("MBAP") and the protocol data unit behind it; all numbers are big-endian:
 *
 *     0    2    4    6    7                     8
 *     | id | 0  | L  |unit| function, or'd 0x80 | data ...
 *
 * L counts what is behind it: the unit and the protocol data unit, which has 253 bytes at most.
 * Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3; MODBUS Application Protocol
 * Specification V1.1b3, 4.1 and 6.
 */
#ifndef PROTOCOL_MODBUS_H
#define PROTOCOL_MODBUS_H

#include "protocol/protocol.h"

enum modbus_place {
    MODBUS_ID = 0,
    MODBUS_PROTOCOL = 2,
    MODBUS_LENGTH = 4,
    MODBUS_UNIT = 6, /* what the length counts begins here */
    MODBUS_FUNCTION = 7,
    MODBUS_DATA = 8,
};

enum {
    MODBUS_LENGTH_MIN = 2,   /* unit and function */
    MODBUS_LENGTH_MAX = 254, /* unit and the largest protocol data unit */
    MODBUS_BYTES_MAX = MODBUS_UNIT + MODBUS_LENGTH_MAX,
    MODBUS_EXCEPTION_BIT = 0x80,    /* in the function of a response */
    MODBUS_EXCEPTION_LENGTH = 3,    /* unit, function, exception code */
    MODBUS_EXCEPTION_BYTES = 9,     /* the whole frame */
    MODBUS_MEI_IDENTIFICATION = 14, /* of function 43: read device identification */
};

/* Application Protocol, 6: the public functions. */
enum modbus_function {
    MODBUS_READ_COILS = 1,
    MODBUS_READ_DISCRETE_INPUTS = 2,
    MODBUS_READ_HOLDING_REGISTERS = 3,
    MODBUS_READ_INPUT_REGISTERS = 4,
    MODBUS_WRITE_COIL = 5,
    MODBUS_WRITE_REGISTER = 6,
    MODBUS_READ_EXCEPTION_STATUS = 7,
    MODBUS_DIAGNOSTICS = 8,
    MODBUS_COMM_EVENT_COUNTER = 11,
    MODBUS_COMM_EVENT_LOG = 12,
    MODBUS_WRITE_COILS = 15,
    MODBUS_WRITE_REGISTERS = 16,
    MODBUS_REPORT_SERVER_ID = 17,
    MODBUS_READ_FILE_RECORD = 20,
    MODBUS_WRITE_FILE_RECORD = 21,
    MODBUS_MASK_WRITE_REGISTER = 22,
    MODBUS_READ_WRITE_REGISTERS = 23,
    MODBUS_READ_FIFO_QUEUE = 24,
    MODBUS_ENCAPSULATED = 43,
};

/* Application Protocol, 7: why a request failed. */
enum modbus_exception {
    MODBUS_ILLEGAL_FUNCTION = 1,
    MODBUS_ILLEGAL_ADDRESS = 2,
    MODBUS_ILLEGAL_VALUE = 3,
    MODBUS_DEVICE_FAILURE = 4,
    MODBUS_ACKNOWLEDGE = 5,
    MODBUS_DEVICE_BUSY = 6,
    MODBUS_MEMORY_PARITY = 8,
    MODBUS_PATH_UNAVAILABLE = 10,
    MODBUS_TARGET_SILENT = 11,
};

/* modbus_describe.c: for the table's `describe`. */
void modbus_describe(enum direction direction, struct span message, char *text, size_t capacity);

#endif
