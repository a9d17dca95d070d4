/* SPDX-License-Identifier: MIT */
/*
 * One line for people about a Modbus frame:
 *
 *     unit 1 read holding registers, id 7, address 100, count 3
 *     unit 1 read holding registers, id 7: 3 values 17 0 65535
 *     unit 1 exception to read holding registers, id 7: illegal data address (2)
 *     unit 1 function 65 (0x41), id 7, 12 bytes
 *
 * Each function has two shapes, of its request and of its response, which read the data behind the
 * function field by field and write each as they go (Application Protocol, 6). Data that does not
 * have the shape, too short or too long, is shown as its size alone: so is a function that is not
 * known. Words are written whole or not at all; the first that has no room becomes three dots, and
 * nothing follows it.
 */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "protocol/modbus.h"

static const char ellipsis[] = "…";

enum { WORD_MAX = 64 };

struct line {
    char *out;
    size_t size, room; /* room is left for the ellipsis and the NUL */
    bool is_cut;
    struct span rest; /* what has not been read of the data */
    bool is_odd;      /* the data does not have the shape */
};

/* ---- writing ---- */

static void put(struct line *line, const char *word)
{
    size_t size = strlen(word);
    line->is_cut = line->is_cut || size > line->room - line->size;
    if (!line->is_cut) {
        memcpy(line->out + line->size, word, size);
        line->size += size;
    }
}

static void put_number(struct line *line, const char *before, size_t number)
{
    char word[WORD_MAX];
    (void)snprintf(word, sizeof word, "%s%zu", before, number);
    put(line, word);
}

static void put_count(struct line *line, const char *before, size_t count, const char *noun)
{
    char word[WORD_MAX];
    (void)snprintf(word, sizeof word, "%s%zu %s%s", before, count, noun, count == 1 ? "" : "s");
    put(line, word);
}

static void put_hex(struct line *line, const char *before, unsigned number, int digits)
{
    char word[WORD_MAX];
    (void)snprintf(word, sizeof word, "%s0x%0*x", before, digits, number);
    put(line, word);
}

/* ---- reading: what is not there reads as zero ---- */

static struct span read_bytes(struct line *line, size_t size)
{
    if (size > line->rest.size) {
        line->is_odd = true;
        return (struct span){0};
    }
    struct span bytes = span_of(line->rest.data, size);
    line->rest = span_from(line->rest, size);
    return bytes;
}

static unsigned read_byte(struct line *line)
{
    struct span bytes = read_bytes(line, 1);
    return bytes.size == 0 ? 0 : bytes.data[0];
}

static unsigned read_word(struct line *line)
{
    struct span bytes = read_bytes(line, 2);
    return bytes.size == 0 ? 0 : load_be16(bytes.data);
}

/* ---- fields ---- */

static void field(struct line *line, const char *before)
{
    put_number(line, before, read_word(line));
}

static void field_byte(struct line *line, const char *before)
{
    put_number(line, before, read_byte(line));
}

static void field_hex(struct line *line, const char *before)
{
    put_hex(line, before, read_word(line), 4);
}

static void put_registers(struct line *line, struct span bytes)
{
    size_t count = bytes.size / 2;
    put_count(line, ": ", count, "value");
    for (size_t index = 0; index < count && !line->is_cut; index++) {
        put_number(line, " ", load_be16(bytes.data + 2 * index));
    }
    line->is_odd = line->is_odd || bytes.size % 2 != 0;
}

/* In the order of their addresses, which is from the lowest bit of the first byte. */
static void put_bits(struct line *line, struct span bytes, size_t count)
{
    put_count(line, ": ", count, "bit");
    for (size_t start = 0; start < count && !line->is_cut; start += 8) {
        char group[] = " 00000000";
        size_t end = count - start < 8 ? count - start : 8;
        for (size_t index = 0; index < end; index++) {
            group[1 + index] = (char)('0' + (bytes.data[start / 8] >> index & 1));
        }
        group[1 + end] = '\0';
        put(line, group);
    }
}

/* Behind a count of bytes. */
static void counted_registers(struct line *line)
{
    put_registers(line, read_bytes(line, read_byte(line)));
}

static void counted_bits(struct line *line)
{
    struct span bytes = read_bytes(line, read_byte(line));
    put_bits(line, bytes, bytes.size * 8);
}

static void counted_bytes(struct line *line)
{
    put_count(line, ": ", read_bytes(line, read_byte(line)).size, "byte");
}

/* Printable characters as they are, the others as dots. */
static void put_text(struct line *line, struct span bytes)
{
    put(line, " \"");
    for (size_t index = 0; index < bytes.size && !line->is_cut; index++) {
        char character[2] = {(char)bytes.data[index], '\0'};
        if (bytes.data[index] < 0x20 || bytes.data[index] >= 0x7F) {
            character[0] = '.';
        }
        put(line, character);
    }
    put(line, "\"");
}

/* ---- shapes, by Application Protocol, 6.1 to 6.21 ---- */

static void nothing(struct line *line)
{
    (void)line;
}

static void address_count(struct line *line)
{
    field(line, ", address ");
    field(line, ", count ");
}

static void address_coil(struct line *line)
{
    field(line, ", address ");
    unsigned value = read_word(line);
    if (value == 0x0000 || value == 0xFF00) {
        put(line, value == 0 ? ", off" : ", on");
    } else {
        put_hex(line, ", value ", value, 4);
    }
}

static void address_value(struct line *line)
{
    field(line, ", address ");
    field(line, ", value ");
}

static void status_byte(struct line *line)
{
    put_hex(line, ", status ", read_byte(line), 2);
}

static void diagnostics(struct line *line)
{
    field(line, ", sub-function ");
    put_registers(line, read_bytes(line, line->rest.size));
}

static void event_counter(struct line *line)
{
    field_hex(line, ", status ");
    field(line, ", events ");
}

static void event_log(struct line *line)
{
    size_t size = read_byte(line);
    event_counter(line);
    field(line, ", messages ");
    line->is_odd = line->is_odd || size != 6 + line->rest.size;
    put_count(line, ": ", read_bytes(line, line->rest.size).size, "byte");
}

static void write_coils(struct line *line)
{
    field(line, ", address ");
    size_t count = read_word(line);
    struct span bytes = read_bytes(line, read_byte(line));
    line->is_odd = line->is_odd || bytes.size != (count + 7) / 8;
    if (!line->is_odd) {
        put_bits(line, bytes, count);
    }
}

/* Address, count and values, as they are in requests. */
static void written_registers(struct line *line, const char *before)
{
    field(line, before);
    size_t count = read_word(line);
    struct span bytes = read_bytes(line, read_byte(line));
    line->is_odd = line->is_odd || bytes.size != 2 * count;
    put_registers(line, bytes);
}

static void write_registers(struct line *line)
{
    written_registers(line, ", address ");
}

/* Of each record: a type that is always 6, which file, where in it, and how many registers. */
static void record(struct line *line)
{
    (void)read_byte(line);
    field(line, ", file ");
    field(line, " record ");
}

static void read_records(struct line *line)
{
    line->is_odd = line->is_odd || read_byte(line) != line->rest.size;
    while (line->rest.size > 0 && !line->is_odd) { /* each round reads, or it is short */
        record(line);
        field(line, " count ");
    }
}

static void write_records(struct line *line)
{
    line->is_odd = line->is_odd || read_byte(line) != line->rest.size;
    while (line->rest.size > 0 && !line->is_odd) { /* each round reads, or it is short */
        record(line);
        put_registers(line, read_bytes(line, 2 * (size_t)read_word(line)));
    }
}

static void mask_write(struct line *line)
{
    field(line, ", address ");
    field_hex(line, ", and ");
    field_hex(line, ", or ");
}

static void read_write_registers(struct line *line)
{
    field(line, ", read address ");
    field(line, ", count ");
    written_registers(line, ", write address ");
}

static void fifo_address(struct line *line)
{
    field(line, ", address ");
}

static void fifo_values(struct line *line)
{
    size_t size = read_word(line), count = read_word(line);
    line->is_odd = line->is_odd || size != 2 + line->rest.size || line->rest.size != 2 * count;
    put_registers(line, read_bytes(line, line->rest.size));
}

static void encapsulated_request(struct line *line)
{
    line->is_odd = line->is_odd || read_byte(line) != MODBUS_MEI_IDENTIFICATION;
    field_byte(line, ", device identification, code ");
    field_byte(line, ", object ");
}

/* The code asked for, what the device conforms to, whether and where more follows, the objects. */
static void encapsulated_response(struct line *line)
{
    line->is_odd = line->is_odd || read_byte(line) != MODBUS_MEI_IDENTIFICATION;
    (void)read_bytes(line, 4);
    size_t count = read_byte(line);
    put_count(line, ", device identification: ", count, "object");
    for (size_t index = 0; index < count && !line->is_odd; index++) {
        field_byte(line, " ");
        put_text(line, read_bytes(line, read_byte(line)));
    }
}

/* ---- the table ---- */

static const struct known {
    uint8_t function;
    const char *name;
    void (*request)(struct line *line);
    void (*response)(struct line *line);
} known[] = {
    {MODBUS_READ_COILS, "read coils", address_count, counted_bits},
    {MODBUS_READ_DISCRETE_INPUTS, "read discrete inputs", address_count, counted_bits},
    {MODBUS_READ_HOLDING_REGISTERS, "read holding registers", address_count, counted_registers},
    {MODBUS_READ_INPUT_REGISTERS, "read input registers", address_count, counted_registers},
    {MODBUS_WRITE_COIL, "write single coil", address_coil, address_coil},
    {MODBUS_WRITE_REGISTER, "write single register", address_value, address_value},
    {MODBUS_READ_EXCEPTION_STATUS, "read exception status", nothing, status_byte},
    {MODBUS_DIAGNOSTICS, "diagnostics", diagnostics, diagnostics},
    {MODBUS_COMM_EVENT_COUNTER, "get comm event counter", nothing, event_counter},
    {MODBUS_COMM_EVENT_LOG, "get comm event log", nothing, event_log},
    {MODBUS_WRITE_COILS, "write multiple coils", write_coils, address_count},
    {MODBUS_WRITE_REGISTERS, "write multiple registers", write_registers, address_count},
    {MODBUS_REPORT_SERVER_ID, "report server id", nothing, counted_bytes},
    {MODBUS_READ_FILE_RECORD, "read file record", read_records, counted_bytes},
    {MODBUS_WRITE_FILE_RECORD, "write file record", write_records, write_records},
    {MODBUS_MASK_WRITE_REGISTER, "mask write register", mask_write, mask_write},
    {MODBUS_READ_WRITE_REGISTERS, "read/write multiple registers", read_write_registers,
     counted_registers},
    {MODBUS_READ_FIFO_QUEUE, "read fifo queue", fifo_address, fifo_values},
    {MODBUS_ENCAPSULATED, "encapsulated interface", encapsulated_request, encapsulated_response},
};

static const struct known *known_find(unsigned function)
{
    for (size_t index = 0; index < ARRAY_COUNT(known); index++) {
        if (known[index].function == function) {
            return &known[index];
        }
    }
    return NULL;
}

static const char *exception_name(unsigned code)
{
    switch (code) {
    case MODBUS_ILLEGAL_FUNCTION:
        return "illegal function";
    case MODBUS_ILLEGAL_ADDRESS:
        return "illegal data address";
    case MODBUS_ILLEGAL_VALUE:
        return "illegal data value";
    case MODBUS_DEVICE_FAILURE:
        return "device failure";
    case MODBUS_ACKNOWLEDGE:
        return "acknowledge";
    case MODBUS_DEVICE_BUSY:
        return "device busy";
    case MODBUS_MEMORY_PARITY:
        return "memory parity error";
    case MODBUS_PATH_UNAVAILABLE:
        return "gateway path unavailable";
    case MODBUS_TARGET_SILENT:
        return "gateway target did not respond";
    default:
        return "exception";
    }
}

/* ---- the line ---- */

static void put_function(struct line *line, const struct known *row, unsigned function)
{
    if (row != NULL) {
        put(line, row->name);
    } else {
        put_number(line, "function ", function);
        put_hex(line, " (", function, 2);
        put(line, ")");
    }
}

/* What the shape makes of the data; without one, or when it does not fit, only the size. */
static void put_data(struct line *line, void (*shape)(struct line *line), size_t message_size)
{
    struct line before = *line;
    if (shape != NULL) {
        shape(line);
    }
    if (shape == NULL || line->is_odd || line->rest.size > 0) {
        *line = before;
        put_count(line, ", ", message_size, "byte");
    }
}

static void put_exception(struct line *line, size_t message_size)
{
    if (line->rest.size == 0) {
        put_count(line, ", ", message_size, "byte");
        return;
    }
    unsigned code = read_byte(line);
    put(line, ": ");
    put(line, exception_name(code));
    put_number(line, " (", code);
    put(line, ")");
}

static void put_message(struct line *line, enum direction direction, struct span message)
{
    if (message.size < MODBUS_DATA) {
        put_count(line, "incomplete, ", message.size, "byte");
        return;
    }
    line->rest = span_from(message, MODBUS_DATA);
    unsigned function = message.data[MODBUS_FUNCTION];
    bool is_exception = direction == TO_CLIENT && (function & MODBUS_EXCEPTION_BIT) != 0;
    if (is_exception) {
        function -= MODBUS_EXCEPTION_BIT;
    }
    const struct known *row = known_find(function);
    put_number(line, "unit ", message.data[MODBUS_UNIT]);
    put(line, is_exception ? " exception to " : " ");
    put_function(line, row, function);
    put_number(line, ", id ", load_be16(message.data + MODBUS_ID));
    if (is_exception) {
        put_exception(line, message.size);
    } else {
        put_data(line,
                 row == NULL              ? NULL
                 : direction == TO_TARGET ? row->request
                                          : row->response,
                 message.size);
    }
}

void modbus_describe(enum direction direction, struct span message, char *text, size_t capacity)
{
    if (capacity == 0) {
        return;
    }
    bool has_room = capacity >= sizeof ellipsis; /* the NUL is counted with the ellipsis */
    struct line line = {.out = text, .room = has_room ? capacity - sizeof ellipsis : 0};
    put_message(&line, direction, message);
    if (line.is_cut && has_room) {
        memcpy(text + line.size, ellipsis, sizeof ellipsis - 1);
        line.size += sizeof ellipsis - 1;
    }
    text[line.size] = '\0';
}
