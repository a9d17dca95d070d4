# SPDX-License-Identifier: MIT
"""A Modbus server on pymodbus with one slot: pymodbus_server.py

It listens on a port of 127.0.0.1 that the kernel chooses, prints it as `listening HOST:PORT`, and then a line for
each connection. Whoever connects while there is one is thrown out, and `refused` is printed.
"""

import asyncio

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusConnectedRequestHandler, ModbusTcpServer

REGISTERS_COUNT = 4096  # as in tests/modbus/registers.h


def register(address):
    return (address * 40503 + 12345) & 0xFFFF


class OneSlot(ModbusConnectedRequestHandler):
    def connection_made(self, transport):
        is_taken = bool(self.server.active_connections)
        super().connection_made(transport)
        print("refused" if is_taken else "connection", flush=True)
        if is_taken:
            transport.abort()


async def main():
    registers = ModbusSequentialDataBlock(0, [register(address) for address in range(REGISTERS_COUNT)])
    context = ModbusServerContext(ModbusSlaveContext(hr=registers, zero_mode=True), single=True)
    server = ModbusTcpServer(context, address=("127.0.0.1", 0), handler=OneSlot)
    serving = asyncio.create_task(server.serve_forever())
    await server.serving
    print("listening %s:%d" % server.server.sockets[0].getsockname(), flush=True)
    await serving


asyncio.run(main())
