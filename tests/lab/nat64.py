# SPDX-License-Identifier: MIT
"""Stands for a NAT64, by carrying connections: nat64.py IPV6 IPV4 PORT"""
import asyncio
import sys

inside, outside, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


async def carry(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def serve(reader, writer):
    far_reader, far_writer = await asyncio.open_connection(outside, port)
    await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
    writer.close()
    far_writer.close()


async def main():
    server = await asyncio.start_server(serve, inside, port)
    await server.serve_forever()


asyncio.run(main())
