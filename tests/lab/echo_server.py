# SPDX-License-Identifier: MIT
"""Sends back what it gets, on every connection: echo_server.py PORT"""
import asyncio
import sys


async def serve(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, None, int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
