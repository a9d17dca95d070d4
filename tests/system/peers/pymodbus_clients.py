# SPDX-License-Identifier: MIT
"""Modbus clients on pymodbus, a thread each: pymodbus_clients.py PORT CLIENTS ROUNDS

In each round a client does what tests/modbus/client.c does. Transaction ids are as pymodbus counts them, so that all
clients use the same. The first answer that is not its own is printed and ends it all with status 1; else the number
of answers is printed.
"""

import sys
import threading

from pymodbus.client import ModbusTcpClient

REGISTERS_COUNT, BLOCK, WRITTEN, READ_MAX = 4096, 64, 2048, 60  # as in tests/modbus
ILLEGAL_ADDRESS = 2
PATIENCE = 20  # seconds


def register(address):
    return (address * 40503 + 12345) & 0xFFFF


def play(client, number, turn):
    count = 1 + turn % READ_MAX
    address = number * BLOCK + turn % (BLOCK - count + 1)
    answer = client.read_holding_registers(address, count, slave=1)
    assert not answer.isError(), answer
    assert answer.registers == [register(place) for place in range(address, address + count)], "somebody else's values"
    address = WRITTEN + number * BLOCK + turn % BLOCK
    value = number << 12 | turn & 0xFFF
    answer = client.write_register(address, value, slave=1)
    assert not answer.isError(), answer
    answer = client.read_holding_registers(address, 1, slave=1)
    assert not answer.isError(), answer
    assert answer.registers == [value], "not what was written"
    answer = client.read_holding_registers(REGISTERS_COUNT, 1, slave=1)
    assert getattr(answer, "exception_code", None) == ILLEGAL_ADDRESS, answer


def run(port, number, rounds, failures):
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=PATIENCE, retries=0)
    try:
        assert client.connect(), "cannot connect"
        for turn in range(rounds):
            assert not failures, "another one failed"
            play(client, number, turn)
    except Exception as failure:  # whatever it is, it is told
        failures.append("client %d: %r" % (number, failure))
    finally:
        client.close()


def main(port, clients, rounds):
    failures = []
    threads = [threading.Thread(target=run, args=(port, number, rounds, failures)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(failures[0])
    print("%d answers" % (4 * clients * rounds))


main(*(int(argument) for argument in sys.argv[1:]))
